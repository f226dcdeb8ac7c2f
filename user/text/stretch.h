/* user/text/stretch.h - finds where a text goes over into words that were changed. */
#pragma once

#include "text/maker.h"

/* Is x one of those words? It may be a plain one as well, and counts as that then. */
typedef bool changed_fn(const struct words *w, const struct word *x, unsigned key);

/* The next stretch of such words in range in: at least three, or two long ones, that hold a third
 * of its letters. */
bool stretch_next(const struct reading *r, struct range in, changed_fn *changed, unsigned key,
		  struct range *ret);

#define STRETCH_SLICE 1024
#define STRETCH_MAX   (2 * STRETCH_SLICE) /* bytes of one stretch that are decoded */

/* The places where words are odd, in slices that end with a line or a word. Begins as { r }. */
struct slices {
	const struct reading *r;
	size_t at;
	struct range where; /* what is left of the place in hand */
};
bool slices_next(struct slices *s, struct range *ret);
