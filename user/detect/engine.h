/* user/detect/engine.h - the variant of Vectorscan that patterns are made for and texts are
 * searched with. Its variant for AVX-512 misses matches (user/detect/engine.c), so this is used
 * everywhere instead of what hs_compile() and hs_scan() choose.
 */
#pragma once

#include <hs/hs.h>

/* What databases must be made for. */
void engine_platform(hs_platform_info_t *ret);
/* As hs_scan(), which takes no flags. */
hs_error_t engine_scan(const hs_database_t *db, const char *text, unsigned len,
		       hs_scratch_t *scratch, match_event_handler on_match, void *ctx);
