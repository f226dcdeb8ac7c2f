/* user/detect/features.h - what the classifier sees of a text: hashes of tokens, of pairs of them
 * and of how long ones begin. The trainer and the sensor both see through this. Reads UTF-8 in
 * pieces of any size: any split gives the same hashes, but for the end of the last token. A token
 * is a run of letters and digits, or one of signs; its first FEATURES_TOKEN bytes count. ASCII
 * letters count without case, digits as one digit. In scripts that write no blanks between words
 * (and in Korean, whose words end in many ways) each character is a token, and runs of three count
 * in place of beginnings.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

#define FEATURE_BITS	  17
#define FEATURES_MAX	  (1 << FEATURE_BITS)
#define FEATURES_VERSION  5 /* changes with any hash; a model holds the one it was trained with */
#define FEATURES_PER_BYTE 6 /* at most; and as many again at the end */

#define FEATURES_TOKEN 24
#define FEATURES_RUN   16 /* a power of two above SENSE_RUN */

/* What some words mean, in many languages: to send, to ignore, a rule, an assistant ... A model has
 * its own list; a slot holds a word's check bits and, in the lowest SENSE_BITS, its sense. 0 is
 * none. Where characters are tokens, a word is a run of them, wherever it stands. */
#define SENSE_BITS    6
#define SENSES_MAX    (1 << SENSE_BITS)
#define SENSE_BUCKETS 8192
#define SENSE_SLOTS   4	   /* of a bucket */
#define SENSE_RUN     9	   /* characters of such a word, at most */
#define SENSE_ENDS    4096 /* what such words end in */

struct senses {
	uint16_t slots[SENSE_BUCKETS][SENSE_SLOTS];
	uint8_t ends[SENSE_ENDS]; /* by two characters: bit n, words of n + 2 characters end so */
};

struct features {
	const struct senses *senses;	   /* borrowed */
	uint64_t meant;			   /* a bit for each sense; the caller clears it */
	uint64_t hand[FEATURES_TOKEN / 8]; /* the first bytes of the token in hand */
	uint32_t len;			   /* all of its bytes */
	uint32_t last, before;		   /* hashes of the two tokens before it; 0: none */
	uint32_t code_point, raw;	   /* of the character in hand */
	uint32_t run;			   /* how many characters that are tokens end here */
	uint32_t sums[FEATURES_RUN];	   /* over the hashes of the last of them */
	uint8_t kind;			   /* of the token in hand */
	uint8_t missing, more; /* bytes of the character in hand: to come, all but the first */
};

void features_begin(struct features *f, const struct senses *senses);
/* Writes the hashes of what text adds and returns how many: at most FEATURES_PER_BYTE for each
 * byte. Each is below FEATURES_MAX. */
size_t features_add(struct features *f, struct span text, uint32_t *ret);

/* Adds a word, or the beginning of longer ones, as features_add() will see it; of one that is there
 * the first sense counts. -ENOSPC: its bucket is full. -EINVAL: too short to be a beginning, or
 * characters that are tokens, but too many of them or other tokens between them. */
int senses_add(struct senses *senses, struct span word, bool begins, unsigned sense);
