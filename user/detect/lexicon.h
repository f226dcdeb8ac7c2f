/* user/detect/lexicon.h - finds many thousand words at once, in any case. Words of Latin letters
 * begin where words begin, so that most of a text is passed over by the first letters of its words;
 * others begin at any character.
 */
#pragma once

#include "base/span.h"
#include "text/view.h"

struct lexicon;

struct lexicon_word {
	struct span text; /* folded; copied */
	uint32_t id;
	bool ends; /* no Latin letter or digit may follow */
};

/* Can it be found this way? Behind its punctuation it must have two bytes. */
bool lexicon_takes(struct span word);
/* Their table, to be freed: without pointers, so that processes share it. Words that are the same
 * and have the same id are one. -ENOMEM; -EINVAL: one is not taken, or too many are the same. */
int lexicon_make(uint8_t **ret, size_t *ret_len, const struct lexicon_word *words, size_t n);
/* Borrows the table, which must be aligned to 8 bytes. -ENOMEM; -EINVAL: damaged, or an id of it is
 * not below ids_end. */
int lexicon_new(struct lexicon **ret, struct span table, uint32_t ids_end);
void lexicon_free(struct lexicon **l);

struct lexicon_hit {
	struct range where;
	size_t words; /* begin before it, those of other scripts counted by their characters */
};

/* Not 0: stop, and return it. */
typedef int lexicon_fn(void *ctx, uint32_t id, const struct lexicon_hit *h);
/* Another text, borrowed until the next one. -ENOMEM. */
int lexicon_begin(struct lexicon *l, struct span text);
/* Calls fn for the words that end at or before end and were not told yet: by their end, of one end
 * the shorter ones first, equal ones as they were given. */
int lexicon_until(struct lexicon *l, size_t end, lexicon_fn *fn, void *ctx);
#define LEXICON_PLACE 64
/* A place less than LEXICON_PLACE bytes before the word of that number, or there; the text's end,
 * if it has not been reached. */
size_t lexicon_place(const struct lexicon *l, size_t word);
