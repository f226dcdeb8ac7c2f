/* user/text/hidden.h - messages spelled in characters that no screen shows.
 * Not taken for one: emoji with a variation selector, flags of regions, joiners as scripts use
 * them.
 */
#pragma once

#include "text/view.h"

enum hidden_technique {
	HIDDEN_TAGS,	  /* U+E0020..E007E: ASCII shifted out of sight */
	HIDDEN_SELECTORS, /* variation selectors 1..256 as bytes */
	HIDDEN_BITS,	  /* two zero-width characters as bits */
	HIDDEN_MAX_,
};

#define HIDDEN_MESSAGE_MAX                                                                         \
	4096 /* decoded bytes of one message kept; the rest belongs to its range all the same */
#define HIDDEN_GAP_MAX 16 /* visible bytes between characters of one message */

struct hidden {
	enum hidden_technique technique;
	struct range where; /* in the text, from the first to behind the last invisible character */
	size_t n;	    /* invisible characters that carry it */
	uint8_t message[HIDDEN_MESSAGE_MAX]; /* decoded; bytes, not always text */
	size_t len;
	bool readable; /* the message is printable text */
};

/* The next message at or behind *at, which moves past it. 1 found, 0 none. */
int hidden_next(struct span text, size_t *at, struct hidden *ret);
