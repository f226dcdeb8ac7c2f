/* user/store/tally.h - how many AI calls each process made, for `earshot explain`. A fixed table by
 * pid: who meets another process in its row takes it over, so it forgets, but never mixes.
 */
#pragma once

#include "flow/ident.h"

#define TALLY_ROWS 4096

struct tally_row {
	uint64_t start_ns;
	uint32_t pid, pad;
	uint64_t turns;
	uint64_t last_ns; /* CLOCK_MONOTONIC of the commit */
};

struct tally {
	struct tally_row rows[TALLY_ROWS];
};

void tally_turn(struct tally *t, uint32_t pid, uint64_t start_ns, uint64_t now_ns);
/* NULL: none since the keeper started, or forgotten. */
const struct tally_row *tally_of(const struct tally *t, uint32_t pid, uint64_t start_ns);
