/* user/proc/checkup.h - can this host carry a sensor? Tries what Earshot depends on, in the process
 * that asks, and says in words what each thing that is missing costs. Leaves nothing behind.
 */
#pragma once

#include <stddef.h>

enum check_state {
	CHECK_GOOD,
	CHECK_LESS,    /* missing or weak: the sensor works, for a price */
	CHECK_BAD,     /* the sensor cannot work so */
	CHECK_UNKNOWN, /* cannot be told by this process */
	CHECK_STATE_MAX_
};
extern const char *const check_states[CHECK_STATE_MAX_]; /* "good", "less", "bad", "unknown" */

#define CHECKUP_MAX 48

struct check {
	const char *name;
	enum check_state state;
	char found[160];  /* in words; "" when good says it all */
	const char *cost; /* of its absence */
};

/* Returns how many there are, at most CHECKUP_MAX. */
size_t checkup(struct check ret[CHECKUP_MAX]);
