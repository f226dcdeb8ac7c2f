/* user/detect/sequence.h - rules that are words of certain lists, one close behind the other in a
 * sentence: "ignore ... previous ... instructions". Many languages fit in one pass over the text
 * that way: the words are literals, and what follows what is decided here.
 */
#pragma once

#include "detect/lexicon.h"
#include "detect/rules.h"
#include "text/view.h"

#define SEQUENCE_GAP                                                                               \
	40		 /* letters between two words; one of a script with dense writing is 1 1/2 \
			  */
#define SEQUENCE_NEAR 18 /* ... where the rule wants it closer */
#define SEQUENCE_LIKE 60 /* ... and what an expression may hold, whose beginning is not known */

#define SEQUENCE_OTHER RULE_WORD_LISTS_MAX

struct sequences;

/* Of all rules; borrows them. words: a lexicon's table of their literal words that
 * sequences_finds(), a word's id being the list that it is of; and of others, n_other of them,
 * whose ids follow from SEQUENCE_OTHER on, which it tells to on_other with their own numbers.
 * -ENOMEM, -EINVAL: not such a table, or lists beyond RULE_WORD_LISTS_MAX. */
int sequences_new(struct sequences **ret, const struct rules *rules, struct span words,
		  size_t n_other, lexicon_fn *on_other);
void sequences_free(struct sequences **s);
/* Is a literal word, folded, found here? */
bool sequences_finds(struct span word);
/* Another text begins. -ENOMEM. */
int sequences_begin(struct sequences *s, struct span text);
/* The words, as far as they were looked for. */
const struct lexicon *sequences_lexicon(const struct sequences *s);

/* pattern: index of the sequence in rules->pattern. Not 0: stop, and return it. */
typedef int sequence_fn(void *ctx, size_t pattern, struct range where);
/* Words up to end are found, by the lexicon. */
int sequences_until(struct sequences *s, size_t end, sequence_fn *fn, void *ctx);
/* Can one of the other words be a step, when it ends there? pattern is its index in rules->pattern.
 */
bool sequences_wants(const struct sequences *s, size_t pattern);
/* What is wanted stays the same while this does. */
uint64_t sequences_changes(const struct sequences *s);
/* One of the other words was found, in the order of their ends, which sequences_until() has been
 * told. */
int sequences_word(struct sequences *s, size_t pattern, struct range where, sequence_fn *fn,
		   void *ctx);
/* There are no more of them. */
int sequences_end(struct sequences *s, sequence_fn *fn, void *ctx);
