/* user/proc/flood.h - which processes exceed their budget of capture: a sensor.flood for each. In
 * the monitor. */
#pragma once

#include "capture/capture.h"
#include "proc/team.h"

#define FLOODS_MAX                                                                                 \
	16 /* processes told apart; beyond it the one not told of for longest gives way */

struct floods {
	struct flood {
		struct ev_proc proc;
		uint64_t events, bytes, told_ns; /* of what the keeper was told, and when */
	} flood[FLOODS_MAX];
	uint64_t seen; /* events shed by all processes when they were last looked at */
};

/* Call often, with the kernel's count of all that was shed: a process is told of at once, then at
 * most every ten seconds, with what it shed since. */
void floods_report(struct floods *f, const struct capture *c, struct team *t, uint64_t shed_events,
		   uint64_t now_ns);
