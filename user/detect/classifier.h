/* user/detect/classifier.h - the learned detector of prompt attacks: a linear model over the
 * features of windows of a text, one set of weights per surface, eight bits each. The model is data
 * in the program's read-only part, so that all inspectors share it; tools/train makes it, and
 * docs/model-card.md says from what and how good it is.
 */
#pragma once

#include "base/span.h"
#include "detect/features.h"
#include "text/view.h"

/* Where a text stands: attacks and harmless texts look different there. */
enum surface {
	SURFACE_USER,	  /* what users write */
	SURFACE_CONTENT,  /* what the model is given to read: documents, tool results */
	SURFACE_OPERATOR, /* system prompts: full of orders, by right */
	SURFACE_MAX_
};

#define CLASSIFIER_WEIGHTS                                                                         \
	2		      /* sets: of users' words, of content; operators' are read as users'  \
			       */
#define CLASSIFIER_STRIDE 128 /* bytes; a window is two of them */
#define CLASSIFIER_KNOTS  16
#define CLASSIFIER_DOUBT  0.02f /* at least: rules err, too */
#define CLASSIFIER_USUAL  16 /* windows of a text; training made up for the maximum over so many */

/* How rare a score is among harmless texts of one window: minus log10 of the share that scores
 * higher; linear between the knots, on with the outer slopes beyond them. */
struct tail {
	float score[CLASSIFIER_KNOTS];	/* ascending */
	float rarity[CLASSIFIER_KNOTS]; /* ascending */
};

/* What two senses in one window weigh together, in units of the weights; of the same one: what it
 * weighs itself. */
#define CLASSIFIER_PAIR_MAX 500
struct pairs {
	int16_t weight[SENSES_MAX][SENSES_MAX]; /* the lower sense first; 0 in the other half */
};

/* A text whose strongest window scores higher than LOOK_FROM is looked at again: the sentences that
 * window touches, each by itself, with weights of their own. The strongest one adds to the score
 * LOOK_SHARE of what it scores above LOOK_FLOOR. */
#define CLASSIFIER_LOOK_FROM  (-2.5f)
#define CLASSIFIER_LOOK_FLOOR (-5.0f)
#define CLASSIFIER_LOOK_SHARE 0.4f
#define SENTENCE_FEATURES     (1 << 16) /* lower bits of the hashes */
#define SENTENCE_BEFORE	      512	/* bytes before a window where the first one may begin */
#define SENTENCE_MIN	      20	/* bytes; what is shorter goes on */
#define SENTENCE_MAX	      250

/* The file, little endian; behind the header the sets of weights, FEATURES_MAX bytes each, and
 * those for sentences, SENTENCE_FEATURES bytes each. */
struct model_header {
	char magic[8];	     /* MODEL_MAGIC */
	uint32_t version;    /* MODEL_VERSION */
	uint32_t features;   /* FEATURES_VERSION */
	uint32_t n_features; /* FEATURES_MAX */
	uint32_t n_surfaces; /* SURFACE_MAX_ */
	uint64_t checksum;   /* XXH3 of all that follows */
	struct model_surface {
		uint32_t weights; /* index of its set */
		float bias;
		float scale;  /* what a weight of 1 means */
		float rules;  /* what the evidence of the rules counts */
		float spread; /* see classifier_windows() */
		struct tail tail;
	} surfaces[SURFACE_MAX_];
	struct senses senses;
	struct pairs pairs[CLASSIFIER_WEIGHTS];
	struct model_sentences {
		float bias, scale;
		struct pairs pairs;
	} sentences[CLASSIFIER_WEIGHTS];
};
#define MODEL_MAGIC   "EARSHOTM"
#define MODEL_VERSION 5
#define MODEL_BYTES                                                                                \
	(sizeof(struct model_header) +                                                             \
	 (size_t)CLASSIFIER_WEIGHTS * (FEATURES_MAX + SENTENCE_FEATURES))

/* What a feature counts among n in a window: a long one has more of them, most of them noise. */
float classifier_share(uint32_t n);

/* Where the sentence that begins there ends, roughly: or a line, a cell, a string. */
size_t sentence_end(struct span text, size_t at);
/* The next sentence that a window touches; s: the one before, or 0, 0. False: no more. */
bool sentence_next(struct span text, struct range window, struct range *s);
#define SENTENCE_HASHES ((SENTENCE_MAX + 1) * FEATURES_PER_BYTE)
/* Hashes of a sentence's features, below SENTENCE_FEATURES; returns how many. *ret_meant: a bit for
 * each sense in it. */
size_t sentence_features(const struct senses *senses, struct span text,
			 uint32_t ret[SENTENCE_HASHES], uint64_t *ret_meant);

/* The model in this program. */
struct span classifier_model(void);

struct classifier; /* a model and scratch memory */

/* model: borrowed for life. -ENOMEM; -EBADMSG when it is damaged or of another version. */
int classifier_new(struct classifier **ret, struct span model);
void classifier_free(struct classifier **c);

struct classified {
	float score;	     /* log odds of the window that looks most like an attack */
	struct range window; /* it, in the text */
	size_t n_windows;
};
void classifier_score(struct classifier *c, enum surface s, struct span text,
		      struct classified *ret);

/* How many times as often a text of n windows has a score: there are more windows to have it. */
float classifier_windows(const struct model_surface *m, size_t n);

/* What doubt the rules leave, when their score is by_rules (0 to 1) somewhere in that text: 1 when
 * such a hit is to be expected in so long a text. */
float classifier_doubt(const struct classifier *c, enum surface s, const struct classified *r,
		       float by_rules);
/* How rare a text with this score is among harmless ones of its length, minus log10. */
float classifier_rarity(const struct classifier *c, enum surface s, const struct classified *r,
			float doubt);

#define PHRASE_WORDS 6
/* The runs of at most PHRASE_WORDS words in a window (of at most two strides) that speak most for
 * an attack, strongest first, none of them inside another. Returns how many. */
size_t classifier_phrases(const struct classifier *c, enum surface s, struct span window,
			  struct range *ret, size_t max);
