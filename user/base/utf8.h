/* user/base/utf8.h - bytes that come in pieces, and may be anything, become valid UTF-8: what is no
 * character comes out as U+FFFD. Characters themselves are decoded by escape.h.
 */
#pragma once

#include "base/span.h"

#define UTF8_OUT_MIN 8 /* bytes that out must have room for */

/* Zero-initialise; holds the beginning of a character that was cut. */
struct utf8 {
	uint8_t cut[4];
	uint8_t n_cut;
};

/* Takes bytes from *in and writes text to out until there is no more of the one or no room in the
 * other. Returns bytes written. */
size_t utf8_clean(struct utf8 *u, struct span *in, uint8_t *out, size_t room);
/* No more comes: was a character cut? It is dropped, and stands for one U+FFFD. */
bool utf8_end(struct utf8 *u);

/* Is s text: characters, and of the controls only those that texts have? cut: s is the beginning of
 * more, its last character may be incomplete. */
bool utf8_is_text(struct span s, bool cut);
