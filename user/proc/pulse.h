/* user/proc/pulse.h - is the sensor alive from end to end? Says when a test call is due, and by
 * when one was last seen to come through whether the sensor is blind. No I/O, time is an argument.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum pulse_state {
	PULSE_OFF,
	PULSE_WAITING, /* none came through yet, but it is too early to say more */
	PULSE_SEEN,
	PULSE_BLIND, /* none came through for too long */
	PULSE_STATE_MAX_
};

extern const char *const pulse_names[PULSE_STATE_MAX_]; /* "off", "waiting", "seen", "blind" */

struct pulse {
	uint64_t period_ns, limit_ns;
	uint64_t asked_ns; /* 0: never */
	uint64_t seen_ns;  /* the last that came through; before the first, when it began to wait */
	enum pulse_state state;
};

/* period_ns 0: off. */
void pulse_begin(struct pulse *p, uint64_t period_ns, uint64_t limit_ns, uint64_t now_ns);
/* seen_ns: when one was last seen, 0 never. Returns what became of the state before. */
enum pulse_state pulse_look(struct pulse *p, uint64_t seen_ns, uint64_t now_ns);
/* A call is to be made now; true once each time. */
bool pulse_due(struct pulse *p, uint64_t now_ns);
/* Make one at the next occasion. */
void pulse_hurry(struct pulse *p);
