/* tests/patterns.h - one image of rules and databases for all test programs of a build: made by the
 * first, kept in the build directory.
 */
#pragma once

#include "base/span.h"
#include "detect/detect.h"

/* Lives as long as the program. Aborts, with the reason, when there is none. */
struct span test_patterns(void);
/* A judge with these settings (NULL: the default ones). Aborts. */
struct detect *test_detect(const struct detect_opts *o);
/* One with the default settings and, beside the built-in rules, those in tests/data/rules: the
 * example that we give away is one of them. */
struct detect *test_detect_own(void);
