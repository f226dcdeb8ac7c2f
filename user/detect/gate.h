/* user/detect/gate.h - where in a text an expression is worth trying: around its anchors (see
 * anchor.h). An expression with two sets of them needs both, no farther from each other than it can
 * reach.
 */
#pragma once

#include "detect/image.h"
#include "detect/lexicon.h"

#define GATE_WORDS 64 /* that an expression without a limit reaches over, at most */

struct gate;

/* Borrows the image. -ENOMEM. */
int gate_new(struct gate **ret, const struct image_head *image);
void gate_free(struct gate **g);

/* Another text, borrowed until the next one; in the lexicon are its words. */
void gate_begin(struct gate *g, struct span text, const struct lexicon *lexicon);
/* An anchor stands there, its number being the id; in the order of their ends. -ENOMEM. */
int gate_seen(struct gate *g, uint32_t id, const struct lexicon_hit *h);
struct gate_window {
	size_t db; /* of the image: its expressions are to be tried */
	struct range where;
};

/* When all words were seen: by their databases; those of one are in the order of the text and apart
 * from each other. Returns how many. */
size_t gate_windows(struct gate *g, const struct gate_window **ret);
