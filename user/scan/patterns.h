/* user/scan/patterns.h - rules and pattern databases for tools: from the user's cache if it holds
 * what would be made, else compiled now and kept there.
 */
#pragma once

#include "base/span.h"

struct patterns;

/* rules: a folder of packs, or a pack, beside the built-in ones; NULL: none. -errno with the reason
 * in why: lines "FILE:LINE:COLUMN: what" of the rules, or a sentence. */
int patterns_open(struct patterns **ret, const char *rules, char *why, size_t why_size);
void patterns_free(struct patterns **p);
/* The rules alone, as rules_open() takes them: nothing is compiled, no cache asked. *ret is the
 * caller's. Errors as above. */
int patterns_rules(const char *rules, uint8_t **ret, size_t *len, char *why, size_t why_size);
/* For detect_new(). */
struct span patterns_image(const struct patterns *p);
