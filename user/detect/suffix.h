/* user/detect/suffix.h - what tells optimised suffixes from all else: measures of a window of text,
 * and their weights. Shared by the detector and by tools/train/suffix.c, which finds the weights.
 */
#pragma once

#include "base/span.h"

#define SUFFIX_WINDOW 96 /* bytes */
#define SUFFIX_STEP   32 /* where a window begins behind another one; a piece of a window */

enum suffix_measure {
	SUFFIX_LETTERS,	    /* their share */
	SUFFIX_RUN,	    /* letters in a row */
	SUFFIX_JOINTS,	    /* signs joined to something */
	SUFFIX_JOINT_KINDS, /* ... different ones */
	SUFFIX_VARIETY,	    /* ... their share of all */
	SUFFIX_HUMPS,	    /* capitals behind small letters */
	SUFFIX_SEAMS,	    /* different joints and humps, by the root */
	SUFFIX_WORDS,	    /* of four letters and more */
	SUFFIX_DIFFERENT,   /* different words */
	SUFFIX_SMALL_WORDS, /* "the", "of", "und": what holds sentences together */
	SUFFIX_SMALL_SHARE, /* ... of all words */
	SUFFIX_BLANKS,
	SUFFIX_DIGITS,
	SUFFIX_LINES, /* line ends */
	SUFFIX_SIGNS,
	SUFFIX_CAPITALS, /* at the beginning of words */
	SUFFIX_BOTH,	 /* different joints among many words */
	SUFFIX_TRIGRAMS, /* share of three letters in a row that stand there once */
	SUFFIX_HIGH,	 /* share of bytes that are not ASCII, around it too */
	SUFFIX_MAX_,
};

extern const float suffix_weights[SUFFIX_MAX_], suffix_bias; /* a sum above 0: it is one */

/* What 32 bytes of a text are, a bit each, and what they count. */
struct suffix_piece {
	uint32_t letters, capitals, digits, signs, dense, lines, seams;
	bool counted, joined; /* what follows is known, too; it is in the windows' sums */
	uint32_t joints;
	uint64_t counts, edge; /* a byte each; edge: what to add where a window begins here */
	unsigned n_joints;
	uint16_t joint[SUFFIX_STEP]; /* which each is */
};
#define SUFFIX_PIECES (SUFFIX_WINDOW / SUFFIX_STEP)
#define SUFFIX_RING   4 /* pieces; they are read in twos */
#define SUFFIX_SEEN   4096

/* What a window weighs at most: sums over what is known of it, and the best of what is not. */
struct suffix_bound {
	float base, count[8];		  /* of each thing that is counted */
	float run;			  /* letters by words */
	float words, word, per_word;	  /* all, each, one by all */
	float kind, seam, word_and_joint; /* joints, the root of seams, words by joints */
};

/* The windows of a text, which it borrows. */
struct suffix_windows {
	struct span text;
	struct suffix_bound bound;
	size_t at; /* the window in hand */
	size_t next;
	size_t origin, read; /* pieces are counted from there, and known up to here */
	struct suffix_piece piece[SUFFIX_RING];
	size_t ascii_from, ascii_to;  /* nothing else is there */
	unsigned n_joints, different; /* of those that are joined, and how many different ones */
	uint8_t seen[SUFFIX_SEEN];    /* how often each joint is there */
};

void suffix_begin(struct suffix_windows *w, struct span text);
/* Moves to the next window that deserves measuring. False: no more. */
bool suffix_next(struct suffix_windows *w);
/* Measures the window in hand. False: it is no candidate. */
bool suffix_measure(struct suffix_windows *w, float ret[SUFFIX_MAX_]);
