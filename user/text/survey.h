/* user/text/survey.h - one look at a text, 64 bytes at a time, that tells the decoders which places
 * deserve a second one. Wide enough to be right about every encoding, cheap enough for every text.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define SURVEY_BLOCK 64

/* What a block holds, or ends: a sign that lies across a boundary is noted in the latter block. */
enum survey_sign {
	SURVEY_HIGH = 1 << 0,	  /* bytes that are not ASCII */
	SURVEY_RUN = 1 << 1,	  /* 24 characters of base64's alphabets without a break */
	SURVEY_HEX = 1 << 2,	  /* hexadecimal digits in long runs or pairs */
	SURVEY_BITS = 1 << 10,	  /* zeros and ones */
	SURVEY_NUMBERS = 1 << 11, /* one number behind the other */
	SURVEY_SINGLES = 1 << 3,  /* l e t t e r s, one by one */
	SURVEY_ESCAPE = 1 << 4,	  /* percent signs and backslashes */
	SURVEY_MARKUP = 1 << 5,	  /* tags, entities, emphasis inside words */
	SURVEY_DOTS = 1 << 6,	  /* many dots and dashes */
	SURVEY_MIXED = 1 << 7,	  /* digits and signs inside words */
	SURVEY_ODD = 1 << 8,	  /* words that do not begin, or sound, like words */
	SURVEY_LONG = 1 << 9,	  /* 16 letters of one case without a break */
	SURVEY_NAME = 1 << 13, /* such a run of base64's with letters and one sign, hardly digits */
	SURVEY_BRIEF = 1 << 12, /* the text has no more than a few words, whichever they are */
};

struct survey {
	uint16_t *blocks;
	size_t n, room;
	size_t len;   /* of the text */
	unsigned all; /* signs of all blocks together */
};

/* -ENOMEM. */
int survey_make(struct survey *s, struct span text);
/* Tells of SURVEY_HIGH only. -ENOMEM. */
int survey_make_high(struct survey *s, struct span text);
void survey_wipe(struct survey *s);
/* The next stretch at or behind *at whose blocks have the sign, with margin bytes around it, joined
 * with its neighbours where these touch. False: there is none. */
struct range;
bool survey_next(const struct survey *s, unsigned sign, size_t margin, size_t at,
		 struct range *ret);
