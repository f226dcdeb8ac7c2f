/* user/text/view.h - the ways to read one text: as it stands, folded, decoded. Made once per text,
 * shared by all detectors. A view is a text of its own with a table that leads every range of it
 * back to the text it was made from. Plain ASCII without anything encoded has one view, itself, and
 * costs a pass at memory speed.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

#define VIEWS_MAX	24	   /* of one text, itself included */
#define VIEW_LEVELS_MAX 2	   /* decodings inside each other; folding does not count */
#define VIEW_BYTES_MAX	(16 << 20) /* of one view's text */
#define VIEW_RUNS_MAX	(1 << 20)  /* entries of one view's table */
#define VIEW_DEPTH_MAX	6	   /* views made from each other, folding included */
/* All views of a text together, but those that supersede: twice its length, and this. */
#define VIEWS_EXTRA_MAX (64 << 10)
#define VIEW_KEPT_MAX	(1 << 20) /* larger buffers are not kept for the next text */
#define VIEW_NAME_MAX	32

struct range {
	size_t begin, end;
};

/* From .at on in the view stands what begins at .src in the parent: byte by byte, or (whole) only
 * as one piece. */
struct view_run {
	uint32_t at;
	uint32_t src : 31;
	uint32_t whole : 1;
};

struct view {
	struct span text;
	const char *maker; /* "folded", "hidden", "base64"; "" for the text as it stands */
	uint8_t parent;	   /* index of the view it was made from */
	uint8_t level;	   /* decodings up to here */
	uint8_t depth;	   /* views up to here */
	bool concealing;   /* it, or what it was made from, shows what was encoded so that readers
			      and filters pass over it: evidence in itself */
	bool partial;	   /* shows decoded places, and some text around them that stands in the
			      parent as well: see views_fresh() */
	bool superseded; /* everything in it also stands in another view: no need to search this one
			  */
	bool cut;	 /* a cap ended it early */
	struct buf bytes;      /* of a made view */
	struct view_run *runs; /* ascending; the last one closes the table */
	size_t n_runs, room;
};

struct views {
	struct view view[VIEWS_MAX];
	unsigned n;
};

struct viewer; /* owns the tables and the buffers that are used again for each text */

int viewer_new(struct viewer **ret); /* -ENOMEM */
void viewer_free(struct viewer **v);
/* Makes every view of text that is worth it. The result lives until the next call, and borrows
 * text. -ENOMEM. */
int views_make(struct viewer *v, struct span text, const struct views **ret);
/* Wipes what was made. */
void views_clear(struct viewer *v);

/* The smallest range of an ancestor's text (0: the text as it stands) that holds range r of a view,
 * in whole characters. */
struct range views_range(const struct views *v, unsigned view, struct range r, unsigned ancestor);
/* Is one view made, directly or not, from the other, or the same? */
bool views_descends(const struct views *v, unsigned view, unsigned ancestor);
/* Does range r of a view show what no other view shows? False for the plain text around decoded
 * places: what is found there was found in the view's parent. */
bool views_fresh(const struct views *v, unsigned view, struct range r);
/* How r was read, for people: "", "folded", "folded+base64". Folding that changed nothing in r is
 * left out. */
void views_name(const struct views *v, unsigned view, struct range r, char ret[VIEW_NAME_MAX]);

struct fold;
int fold_new(struct fold **ret); /* one for all, made when it is first asked for; 0 */
void fold_free(struct fold **f);
/* Folds text: compatibility forms (NFKD), marks and invisible characters dropped, look-alikes of
 * Latin letters replaced where a word mixes scripts, other letters in lower case. ASCII keeps its
 * case, so that credentials survive.
 */
int fold_view(const struct fold *f, struct span text, struct view *w);
/* Length of the leading ASCII part of s. */
size_t ascii_len(struct span s);
/* Does s hold the word, which is in small letters, in any case? */
bool ascii_contains(struct span s, const char *word);
