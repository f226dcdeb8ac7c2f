/* user/detect/link_suspect.h - what speaks against an address: signs, each with the probability
 * that it means harm; together 1 - (1-a)(1-b)... Nothing here knows a feed.
 */
#pragma once

#include "detect/link.h"

#define SUSPECT_HUNT  0.5f
#define SUSPECT_ALERT 0.85f

struct suspicion {
	float score;
	float most; /* of the sign that type and why are of */
	const char *type;
	char why[160]; /* ends a sentence that begins with the host */
};

__attribute__((format(printf, 4, 5))) void suspect(struct suspicion *s, float weight,
						   const char *type, const char *fmt, ...);

/* Does the host look like one it is not? Looks at host and userinfo, the path for words that lure,
 * and the label that is shown in its place (empty: none). */
void suspect_host(struct suspicion *s, const struct link *l, struct span label);
/* Is the text around about such addresses, rather than using one? */
bool suspect_mention(struct span text, struct range where);

/* Does the address carry data out? markup: how it is set into the text. */
void suspect_payload(struct suspicion *s, const struct link *l, enum link_markup markup);
/* Does the text tell a model to put data into the address? Of s alone: it may take all back. */
void suspect_template(struct suspicion *s, const struct link *l, enum link_markup markup,
		      struct span text);

/* The brand table, in link_brands_data.c. */
struct brand {
	const char *name;
	const char *domains; /* its own, separated by blanks; name.* under country codes is its own
				anyway */
};
extern const struct brand brands[];
extern const size_t n_brands;
/* Words in small letters, separated by blanks: is s one of them, in any case? */
bool word_of(struct span s, const char *words);
