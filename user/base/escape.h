/* user/base/escape.h - the one escaper for text that may be hostile: terminals, logs, tables.
 * Control characters (C0, DEL, C1), invalid UTF-8, bidirectional and invisible format characters
 * come out as \xNN or \u{NNNN}; everything else passes. Backslash itself passes: output is for
 * reading, not for parsing.
 */
#pragma once

#include <stdio.h>

#include "base/span.h"

/* Writes s escaped to f, at most max source bytes, then "..." when cut (0: no limit). */
void escape_to(FILE *f, struct span s, size_t max);
/* The same into out, always NUL-terminated, cut at a whole character. Returns out. */
const char *escape_str(char *out, size_t size, struct span s);

/* Characters that a reader would not see, or that reorder what he sees. */
bool escape_hidden(uint32_t cp);

/* Decodes one UTF-8 character (RFC 3629) from s into *cp; returns its length 1-4, or 0 when s does
 * not begin with one. */
size_t utf8_decode(struct span s, uint32_t *cp);
/* Encodes cp into out; returns its length 1-4, or 0 for surrogates and beyond U+10FFFF. */
size_t utf8_encode(uint32_t cp, uint8_t out[4]);
