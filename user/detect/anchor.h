/* user/detect/anchor.h - words of which at least one stands in every match of an expression: where
 * none of them is, the expression need not be tried. Chosen so that they are rare in ordinary text.
 * Used when patterns are compiled.
 */
#pragma once

#include "base/span.h"

#define ANCHOR_LEN_MAX 48  /* bytes of one; more of a word than that tells no more */
#define ANCHORS_MAX    512 /* of an expression */

struct anchors {
	struct anchor_word {
		uint8_t s[ANCHOR_LEN_MAX]; /* folded, in small letters; lexicon_takes() it */
		uint8_t len;
	} * v;
	size_t n;
	float cost; /* a guess of how often one of them stands in ordinary text */
};

/* How often a word, folded, or what begins with it, may stand in ordinary text. */
float anchor_cost(struct span word);
/* Of an expression as Vectorscan gets it: two sets, of each of which one stands in every match, the
 * rarer first; the second may be empty. 1: there is none; 0; -ENOMEM. */
int anchors_of(const char *expression, struct anchors ret[2]);
void anchors_free(struct anchors ret[2]);
