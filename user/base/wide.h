/* user/base/wide.h - functions for processors with vectors of 64 bytes, beside ones that compute
 * the same for all others. Their vectors are the compiler's, no intrinsics.
 */
#pragma once

#include <stdbool.h>

#ifdef __x86_64__
/* Only to be called where wide() is true. */
#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2")))
static inline bool wide(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
}
#else
#define WIDE
static inline bool wide(void)
{
	return false;
}
#endif
