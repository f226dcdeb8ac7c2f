/* tests/patterns.h - one image of rules and databases for all test programs of a build: made by the
 * first, kept in the build directory.
 */
#pragma once

#include "base/span.h"
#include "detect/detect.h"

/* Lives as long as the program. Aborts, with the reason, when there is none. */
struct span test_patterns(void);
/* The same with the rules of a pack beside the built-in ones. */
struct detect *test_detect_with(const char *pack);
/* A judge with these settings (NULL: the default ones). Aborts. */
struct detect *test_detect(const struct detect_opts *o);
