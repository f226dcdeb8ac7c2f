/* user/detect/features.h - what the classifier sees of a text: hashes of words, of pairs of words
 * and of runs of 3 to 5 characters. The trainer and the sensor both see through this. Reads UTF-8
 * in pieces of any size: any split gives the same hashes, but for the end of the last word.
 * Letters count without case, digits as one digit, white space as one blank; what repeats counts
 * twice at most. In scripts that write no blanks between words each character is a word.
 */
#pragma once

#include "base/span.h"

#define FEATURE_BITS	  18
#define FEATURES_MAX	  (1 << FEATURE_BITS)
#define FEATURES_VERSION  1 /* changes with any hash; a model holds the one it was trained with */
#define FEATURES_PER_BYTE 7 /* at most; and as many again at the end */

struct features {
	uint64_t recent; /* the last four symbols, 16 bits each */
	uint16_t fifth;	 /* and the one before */
	uint16_t word_len;
	uint32_t word, last_word; /* hashes; 0: none */
	uint32_t code_point;
	uint8_t missing; /* bytes of a character in hand */
};

void features_begin(struct features *f);
/* Writes the hashes of what text adds and returns how many: at most FEATURES_PER_BYTE for each
 * byte. Each is below FEATURES_MAX. */
size_t features_add(struct features *f, struct span text, uint32_t *ret);
