/* tests/nomem.c - the nth allocation fails. Owns a table of the blocks that the scenario holds. */
#include "nomem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HELD_MAX 65536	/* blocks a scenario may hold at once; a power of two */
#define RUNS_MAX 100000 /* a scenario with more allocations is no unit test */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static bool armed;
static unsigned n_allocs, fail_at;
static void *held[HELD_MAX];
static unsigned n_held;

static size_t slot_of(const void *p)
{
	size_t at = ((uintptr_t)p >> 4) * 0x9e3779b1u % HELD_MAX;

	while (held[at] && held[at] != p)
		at = (at + 1) % HELD_MAX;
	return at;
}

static void *hold(void *p)
{
	if (!armed || !p)
		return p;
	if (n_held == HELD_MAX / 2)
		fail_msg("more than %d blocks at once", HELD_MAX / 2);
	held[slot_of(p)] = p;
	n_held++;
	return p;
}

static void let_go(void *p)
{
	size_t at = slot_of(p);

	if (!armed || !p || !held[at])
		return;
	held[at] = NULL;
	n_held--;
	/* Linear probing: what stood behind moves up. */
	for (at = (at + 1) % HELD_MAX; held[at]; at = (at + 1) % HELD_MAX) {
		void *moved = held[at];

		held[at] = NULL;
		held[slot_of(moved)] = moved;
	}
}

static bool refused(void)
{
	if (!armed || ++n_allocs != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : hold(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : hold(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (refused())
		return NULL;
	let_go(p);
	q = __real_realloc(p, n);
	hold(q ? q : p);
	return q;
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (!__builtin_mul_overflow(n, size, &bytes))
		return __wrap_realloc(p, bytes);
	errno = ENOMEM;
	return NULL;
}

char *__wrap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = __wrap_malloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void __wrap_free(void *p)
{
	let_go(p);
	__real_free(p);
}

unsigned nomem_each(nomem_fn *fn, void *ctx)
{
	for (fail_at = 1; fail_at < RUNS_MAX; fail_at++) {
		unsigned leaked;
		int err;

		n_allocs = n_held = 0;
		memset(held, 0, sizeof(held));
		armed = true;
		err = fn(ctx);
		armed = false;
		leaked = n_held;
		if (leaked)
			fail_msg("%u blocks leaked when allocation %u failed", leaked, fail_at);
		if (n_allocs < fail_at) {
			assert_int_equal(err, 0);
			return n_allocs;
		}
		if (err != 0 && err != -ENOMEM)
			fail_msg("error %d when allocation %u failed", err, fail_at);
	}
	fail_msg("more than %d allocations", RUNS_MAX);
	return 0;
}
