/* user/detect/engine.c - chooses the variant of Vectorscan.
 * Before 5.4.13 its variant for AVX-512 passes over what it looks for in the last bytes that it
 * steps over at once (https://github.com/VectorCamp/vectorscan/pull/378): whether a match is found
 * depends on where the text lies in memory. The library has the other variants, too, and each has a
 * name of its own where there are several.
 */
#include "detect/engine.h"

#include <stdbool.h>

/* Not in its header. NULL: the library has one variant only. */
extern hs_error_t avx2_hs_scan(const hs_database_t *db, const char *text, unsigned len,
			       unsigned flags, hs_scratch_t *scratch, match_event_handler on_match,
			       void *ctx) __attribute__((weak));

/* Would the variant be that for AVX-512, and is there another one? *ret: of this machine. */
static bool passed_over(hs_platform_info_t *ret)
{
	*ret = (hs_platform_info_t){ 0 };
	return hs_populate_platform(ret) == HS_SUCCESS &&
	       ret->cpu_features & HS_CPU_FEATURES_AVX512 && avx2_hs_scan;
}

void engine_platform(hs_platform_info_t *ret)
{
	if (passed_over(ret))
		ret->cpu_features = HS_CPU_FEATURES_AVX2;
}

hs_error_t engine_scan(const hs_database_t *db, const char *text, unsigned len,
		       hs_scratch_t *scratch, match_event_handler on_match, void *ctx)
{
	static __typeof__(avx2_hs_scan) *scan; /* the same for every thread that sets it */
	hs_platform_info_t here;

	if (!scan)
		scan = passed_over(&here) ? avx2_hs_scan : hs_scan;
	return scan(db, text, len, 0, scratch, on_match, ctx);
}
