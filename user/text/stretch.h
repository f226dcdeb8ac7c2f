/* user/text/stretch.h - finds where a text goes over into words that were changed. */
#pragma once

#include "text/maker.h"

/* Is x one of those words (positive), a plain one (negative), or neither? */
typedef int judge_fn(const struct words *w, const struct word *x, unsigned key);

/* The next stretch of such words in range in: at least three, or two long ones, that hold a third
 * of its letters. */
bool stretch_next(const struct reading *r, struct range in, judge_fn *judge, unsigned key,
		  struct range *ret);

#define STRETCH_SLICE 1024
#define STRETCH_MAX   (2 * STRETCH_SLICE) /* bytes of one stretch that are decoded */

/* Cuts a piece of about STRETCH_SLICE bytes off the front of *in, at a line's or word's end. */
struct range stretch_slice(struct span text, struct range *in);
