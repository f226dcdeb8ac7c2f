/* tests/guard.h - memory that crashes whoever reads past it.
 * Data stands right before a page without access, so that one byte too many is a fault, with and
 * without sanitizers.
 */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/span.h"

struct guard {
	uint8_t *map; /* pages for data, then one without access */
	size_t room;
};

/* Room for n bytes; aborts when the system has no memory. */
static inline struct guard guard_new(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guard g = { .room = (n + page) / page * page };

	g.map =
	    mmap(NULL, g.room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + g.room, page, PROT_NONE))
		abort();
	return g;
}

/* A copy of s that ends at the guard page; valid until the next one. s is no longer than the room.
 */
static inline struct span guard_put(struct guard *g, struct span s)
{
	uint8_t *p = g->map + g->room - s.len;

	if (s.len)
		memcpy(p, s.p, s.len);
	return span_of(p, s.len);
}

static inline void guard_free(struct guard *g)
{
	munmap(g->map, g->room + (size_t)sysconf(_SC_PAGESIZE));
	g->map = NULL;
}
