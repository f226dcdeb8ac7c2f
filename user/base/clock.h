/* user/base/clock.h - clocks, for the top level of processes. Rooms below the top take time as an
 * argument. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

#define mono_ns() clock_ns(CLOCK_MONOTONIC)
#define wall_ns() clock_ns(CLOCK_REALTIME)
#define boot_ns() clock_ns(CLOCK_BOOTTIME)
#define cpu_ns()  clock_ns(CLOCK_THREAD_CPUTIME_ID)
