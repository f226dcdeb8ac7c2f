/* user/text/maker.h - what the makers of views share. A maker looks at the places that the survey
 * names, decides whether something is encoded there, and writes what it says.
 */
#pragma once

#include "text/survey.h"
#include "text/view.h"
#include "text/words.h"

/* One text, as a maker gets it. */
struct reading {
	struct span text;
	const struct survey *survey;
	const struct fold *fold;
	const struct words *words;
};

/* A maker returns 0, -ENOMEM, or -E2BIG when a cap was reached (what was made until then counts).
 */
typedef int make_fn(const struct reading *r, struct view *w);

make_fn folded_view, hidden_view, flipped_view, bidi_view, json_view, markup_view, escapes_view,
    base64_view, base32_view, hex_view, binary_view, numbers_view, morse_view, spaced_view,
    leet_view, rotated_view, reversed_view;

/* Appends to a view under construction what stands at src in the text: byte by byte, or (whole) as
 * one piece. -ENOMEM; -E2BIG when a cap was reached. */
int view_put(struct view *w, size_t src, struct span bytes, bool whole);

/* What range r of the text says, as one piece, on a line of its own. Errors as above. */
int view_piece(struct view *w, struct span text, struct range r, struct span says);

/* A view that shows what stands around the places that were decoded, too. Begins as { w, text }. */
struct edit {
	struct view *w;
	struct span text;
	size_t at; /* the text up to here is written, or left out */
	bool open;
};

#define EDIT_CONTEXT 200 /* bytes of context on each side */

/* Shows `with` in place of the text's range r; in ascending order. Errors as view_put(). */
int edit_replace(struct edit *e, struct range r, struct span with, bool whole);
int edit_end(struct edit *e); /* the context behind the last one */

/* Valid UTF-8 without control characters; its last character may be cut. */
bool is_text(struct span s);
/* The same, and half of it is letters and blanks. */
bool is_prose(struct span s);
