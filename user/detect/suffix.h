/* user/detect/suffix.h - what tells optimised suffixes from all else: measures of a window of text,
 * and their weights. Shared by the detector and by tools/train/suffix.c, which finds the weights.
 */
#pragma once

#include "base/span.h"

#define SUFFIX_WINDOW 96 /* bytes */
#define SUFFIX_STEP   32

enum suffix_measure {
	SUFFIX_LETTERS,	    /* their share */
	SUFFIX_RUN,	    /* letters in a row */
	SUFFIX_JOINTS,	    /* signs joined to something */
	SUFFIX_JOINT_KINDS, /* ... different ones */
	SUFFIX_VARIETY,	    /* ... their share of all */
	SUFFIX_HUMPS,	    /* capitals behind small letters */
	SUFFIX_SEAMS,	    /* different joints and humps, by the root */
	SUFFIX_WORDS,	    /* of four letters and more */
	SUFFIX_DIFFERENT,   /* different words */
	SUFFIX_SMALL_WORDS, /* "the", "of", "und": what holds sentences together */
	SUFFIX_SMALL_SHARE, /* ... of all words */
	SUFFIX_BLANKS,
	SUFFIX_DIGITS,
	SUFFIX_LINES, /* line ends */
	SUFFIX_SIGNS,
	SUFFIX_CAPITALS, /* at the beginning of words */
	SUFFIX_BOTH,	 /* different joints among many words */
	SUFFIX_TRIGRAMS, /* share of three letters in a row that stand there once */
	SUFFIX_HIGH,	 /* share of bytes that are not ASCII, around it too */
	SUFFIX_MAX_,
};

extern const float suffix_weights[SUFFIX_MAX_], suffix_bias; /* a sum above 0: it is one */

/* Measures the window of text that begins at at. False: it is no candidate. */
bool suffix_measure(struct span text, size_t at, float ret[SUFFIX_MAX_]);
/* Where the next window is that deserves measuring; *next, which begins as 0, moves on. */
bool suffix_next(struct span text, size_t *next, size_t *ret);
