/* user/text/words.h - common words, to tell what is meant as text from what merely could be. Some
 * eight thousand: of English, of what attacks say, and the same in other languages in Latin
 * letters.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define WORD_LEN_MAX 16

struct words;

int words_new(struct words **ret); /* -ENOMEM */
void words_free(struct words **w);

/* A run of ASCII letters, in small ones, zeros behind them. What is longer than WORD_LEN_MAX is no
 * word that is known, and keeps its length only. */
struct word {
	size_t begin, len;
	char s[WORD_LEN_MAX];
};

/* The next word that begins at or behind at, and before end. */
bool word_next(struct span text, size_t at, size_t end, struct word *ret);

/* The same for words of at least min letters (2 to 8), others passed over; at is not inside of one.
 */
bool word_next_long(struct span text, size_t at, size_t end, size_t min, struct word *ret);

bool words_known(const struct words *w, const struct word *x);
bool words_known_reversed(const struct words *w, const struct word *x);
/* False: it is not known in either direction, nor would it be with an l or two for an i, or with b
 * for g, or the other way round. */
bool words_alike(const struct words *w, const struct word *x);
/* By how many places may the alphabet have been shifted to make x of a known word? Bit n: by n;
 * bit 26: it was mirrored. */
#define WORDS_MIRRORED 26
uint32_t words_shifts(const struct words *w, const struct word *x);
/* May it have been shifted by that many, or mirrored? */
bool words_shifted(const struct words *w, const struct word *x, unsigned by);

/* Is text made of known words? Half of its letters are in them (a third, if it is long),
 * and there are at least three. */
bool words_made_of(const struct words *w, struct span text);
/* The same, or in a language of which no words are known: nearly all letters and blanks, as many
 * blanks and vowels as languages have. For what a strict decoding came to. */
bool words_plausible(const struct words *w, struct span text);

#define WORDS_JOINED_MAX 250
/* Cuts letters (at most WORDS_JOINED_MAX) into known words and as little else as it
 * can: ret holds their lengths, ended by 0. Returns how many letters are in known words. */
size_t words_cut(const struct words *w, struct span letters, uint8_t ret[WORDS_JOINED_MAX + 1]);

extern const char words_list[]; /* separated by blanks */
