/* user/proc/page.h - one page per role, shared with the monitor and the keeper: heartbeat and
 * counters. Its owner writes, others read; numbers only, so a turned role can at most lie about
 * itself.
 */
#pragma once

#include <stdint.h>

#include "bpf/event.h"

enum counter {
#define COUNTER(id, name, help) CTR_##id,
#include "proc/counters.def"
#undef COUNTER
	CTR_MAX_,
};

struct counter_row {
	const char *name; /* "capture.bytes" */
	const char *help;
};
extern const struct counter_row counters[CTR_MAX_];
extern const enum counter loss_counters[EV_LOSS_MAX_]; /* where each reason is counted */

struct page {
	uint64_t heartbeat_ns; /* CLOCK_MONOTONIC, written at least every second */
	uint64_t conn, pos;    /* inspector: the record being worked on; conn 0: none */
	uint64_t canary_ns;    /* inspector: when a test call was last seen whole; 0 never */
	uint64_t undecided;    /* inspector: bytes of exchanges not yet judged */
	uint64_t counter[CTR_MAX_];
};
_Static_assert(sizeof(struct page) <= 4096, "one page");

static inline void page_set(struct page *p, enum counter c, uint64_t v)
{
	__atomic_store_n(&p->counter[c], v, __ATOMIC_RELAXED);
}

static inline void page_add(struct page *p, enum counter c, uint64_t v)
{
	__atomic_store_n(&p->counter[c], p->counter[c] + v, __ATOMIC_RELAXED);
}

static inline uint64_t page_get(const struct page *p, enum counter c)
{
	return __atomic_load_n(&p->counter[c], __ATOMIC_RELAXED);
}
