/* user/detect/token.h - matches the shape of a token at one place: a small part of regular
 * expressions, anchored, by backtracking. Characters, classes [A-Z_-] and [^;], groups (?:a|b),
 * counts {n}, {n,m} and ?, escapes \. - what the tables of credential types are written in. Shapes
 * are ours; the text is hostile: the work for one match is capped.
 */
#pragma once

#include "base/span.h"

#define TOKEN_STEPS_MAX 20000

/* Length of the longest prefix of text that has the shape, as greedy matching finds it; 0: none. */
size_t token_match(const char *shape, struct span text);
/* Length of the plain characters that the shape begins with. */
size_t token_literal(const char *shape);
/* A class at *at (after '['), moved behind its ']': is c in it? */
bool token_class(const char **at, uint8_t c);
