/* user/detect/detect.h - runs every detector over a turn. One file and one row in detectors.def
 * each. No I/O, no clock, no log: live, in `earshot scan`, in tests and fuzzers the same code.
 */
#pragma once

#include "base/mac.h"
#include "detect/facts.h"
#include "detect/finding.h"
#include "detect/rules.h"
#include "dialect/turn.h"
#include "text/view.h"

struct intel_header;

enum detect_phase { DETECT_REQUEST, DETECT_RESPONSE };

/* What a detector wants to be searched for: the patterns of all detectors go into the same
 * Vectorscan databases. */
struct pattern {
	const char
	    *text;     /* UTF-8; folded before it is compiled, so it is written as people write */
	bool literal;  /* these very bytes; else a regular expression, any case, '.' matching line
			  ends too */
	bool caseless; /* a literal in any case */
	uint8_t sort;  /* of a rule's: enum rule_sort */
};

/* A place where one of them matched. */
struct hit {
	uint16_t pattern;   /* index among its detector's patterns */
	uint16_t view;	    /* index in views */
	struct range where; /* in that view's text */
};

/* A value that must not be shown, found before any detector scans. Holds no byte of it. */
struct secret {
	const struct detector *owner;
	const char *type; /* "openai-project-key" */
	const char *why;  /* a sentence */
	uint16_t view;
	struct range where;  /* in that view's text */
	uint16_t head, tail; /* bytes of its beginning and end that may be shown */
	float score;
	bool unsure;   /* fit to be hunted for, not to raise an alert */
	bool repeated; /* stands in the view's parent, too: masked, but said once. The runner fills
			  it */
};

#define SECRETS_MAX 256 /* per segment; evidence hides what looks like a key beyond them, too */

/* One text as a detector sees it. Views and hits are made once per segment and shared by all
 * detectors. */
struct detector_input {
	const struct turn *turn;
	uint32_t segment;
	enum trust trust;
	const struct views *views;
	const struct hit *hits; /* of this detector, by view and end */
	size_t n_hits;
	const struct secret *secrets; /* of all detectors */
	size_t n_secrets;
	const struct rules *rules;
	const struct intel_header *intel; /* NULL: none */
	struct mac *mac;
	struct classifier *classifier;
	float *attack; /* for the ensemble: how much this text looks like a prompt attack */
	struct detect_stats *stats;
};

struct detect;

struct turn_value {
	struct fact_value v; /* its range is that in the segment's text */
	uint32_t segment;
};

#define TURN_VALUES_MAX 4096 /* of the texts of a turn that are new */

/* A whole turn as a detector sees it. */
struct turn_input {
	const struct turn *turn;
	enum detect_phase phase;
	struct mac *mac;
	struct detect *detect; /* for turn_locate() and turn_values() */
	/* What detectors with a hook for turns masked in the texts that are new in this phase. */
	const struct turn_value *values;
	size_t n_values;
};

/* Adds one finding; the runner fills detector, role, origin, side and segment, and weakens mode to
 * the operator's choice. */
typedef void emit_fn(void *ctx, const struct finding *f);

struct detector {
	const char *name;
	const char *summary;
	unsigned surfaces; /* enum trust bits of the segments it reads */
	/* Its i-th pattern; false past the last. NULL: it has none. */
	bool (*pattern)(size_t i, struct pattern *ret);
	/* It is searched for the patterns of these rules instead: hits number them in the order of
	 * rules_patterns(). */
	enum rule_list rules;
	/* Finds values to be masked in every evidence of the segment; how many, at most max. NULL:
	 * it knows none. */
	size_t (*mask)(const struct detector_input *in, struct secret *ret, size_t max);
	/* Looks at one segment. 1 found, 0 clean, -errno. Must depend on nothing but the segment:
	 * what it emits is cached. NULL: it looks at turns only. */
	int (*scan)(const struct detector_input *in, emit_fn *emit, void *ctx);
	/* Looks at the turn as it stands after the segments of that phase were scanned: for what
	 * shows in several texts together only. 1 found, 0 clean, -errno. Run each time, also while
	 * a text still grows, and nothing is cached: a finding names its segment and must end
	 * behind what was judged of it before; what does not is taken for said. NULL: looks at
	 * segments only. */
	int (*turn)(const struct turn_input *in, emit_fn *emit, void *ctx);
	/* Looks again at a finding of its scan() with the whole turn in view; may change its mode,
	 * score and origin. False: it is none. NULL: it stands. */
	bool (*amend)(const struct turn_input *in, struct finding *f);
	const struct sample
	    *samples; /* hits and near misses, ended by a NULL text; one test walks every row */
};

/* In a text, %{type} stands for a made-up credential of that type, so that no whole token stands in
 * a source file. */
struct sample {
	const char *text;
	enum segment_role role; /* what a model writes is a response */
	enum kind kind;		/* KIND_MAX_: must find nothing fit for an alert */
	const char *type;	/* with a kind: expected finding.type, or NULL for any */
	const char *system;	/* the operator's prompt of the same turn; NULL: none */
};

/* Fills where and how f was found: begin, end, view and evidence. */
void detect_locate(const struct detector_input *in, struct finding *f, unsigned view,
		   struct range where);
/* The same for a detector of turns: where is in the text of that segment. -ENOMEM. */
int turn_locate(const struct turn_input *in, struct finding *f, size_t segment, struct range where);
/* Calls fn for each value in the texts of a side, known or found out now. -ENOMEM. */
int turn_values(const struct turn_input *in, enum side side,
		void (*fn)(void *ctx, size_t segment, const struct fact_value *v), void *ctx);

#define DETECTOR(id) extern const struct detector detector_##id;
#include "detect/detectors.def"
#undef DETECTOR

extern const struct detector *const detectors[]; /* NULL-terminated */

#define DETECT_DATA_VERSION                                                                        \
	14 /* changes with any pattern, table or threshold: cached facts of another version do not \
	     count */

struct detect_opts {
	uint8_t key[MAC_KEY_LEN];   /* for fingerprints, the segment cache and prefixes */
	size_t cache_bytes;	    /* segment cache, 0: none */
	enum mode modes[KIND_MAX_]; /* operator's choice per kind; see detect_default_opts() */
};
void detect_default_opts(struct detect_opts *o); /* key all zero */

/* Rules and patterns are compiled once (slow, needs memory) into an image that processes share and
 * that may be kept in a file. */
struct compile_opts {
	struct span rules;  /* rule_packs_image() */
	struct span cached; /* an image made earlier, aligned as one; empty: none */
	struct mac *mac;    /* images are tagged with it, and another tag fits not. NULL: whoever
			       kept the image is trusted */
};

/* 0: made, to be freed; 1: cached is what would be made, and whole. -ENOMEM; -EINVAL, -E2BIG with
 * the reason in why. */
int detect_compile_rules(const struct compile_opts *o, uint8_t **ret, size_t *ret_len, char *why,
			 size_t why_size);
/* The same with the built-in rules. */
int detect_compile(uint8_t **ret, size_t *ret_len, char *why, size_t why_size);

struct detect_stats {
	uint64_t segments, bytes; /* judged */
	uint64_t cache_hits, cache_hit_bytes, cache_evicted;
	uint64_t findings, errors;
	uint64_t names_unread; /* struct url_foreign */
};

/* image: what detect_compile() made, aligned as memory of malloc() is not: to 64 bytes, as a map or
 * what it returned is. Borrowed. -ENOMEM, -EINVAL (damaged, or for another machine or version). */
int detect_new(struct detect **ret, const struct detect_opts *o, struct span image);
/* For tools: the patterns compiled here and now, default settings, a key that does not matter.
 * -ENOMEM, -EINVAL with the reason in why. */
int detect_new_default(struct detect **ret, char *why, size_t why_size);
/* The image that it borrowed is freed with it. */
void detect_adopt(struct detect *d, uint8_t *image);
void detect_free(struct detect **d);
/* Threat intelligence to look addresses up in from now on; borrowed until the next call. NULL:
 * none. */
void detect_intel(struct detect *d, const struct intel_header *intel);

/* Judges the segments of that side, each from its `judged` on, each new text once: equal text with
 * equal role and origin, seen before, takes its facts from the cache. Then the rules over the whole
 * turn (a credential in the response that the request did not hold ...). Calls emit per finding. 0,
 * -ENOMEM.
 */
int detect_turn(struct detect *d, const struct turn *t, enum detect_phase phase, emit_fn *emit,
		void *ctx);
/* How much the text looks like a prompt attack, 0 to 1: the most of the segments that the last
 * detect_turn() judged. */
float detect_attack(const struct detect *d);
const struct detect_stats *detect_stats(const struct detect *d);

/* The rules of its image. */
const struct rules *detect_rules(const struct detect *d);
/* For trying rules: does this one match the text, in whatever role? 1, 0, -errno. */
int detect_rule(struct detect *d, size_t rule, struct span text);

/* Rolling keyed hashes of a conversation, for the keeper to recognise it: h[i] covers the request's
 * conversational texts 0..i, and with_response those of the response behind them. Conversational is
 * what users and assistants say (SEG_USER, SEG_ASSISTANT), without white space around it and
 * without empty texts; system prompts, tool definitions, calls and results do not count, because
 * clients rewrite, trim and reorder them between turns. A text hashes the same as an answer and
 * when it is resent as history.
 * Writes the last max of them (oldest first) and returns how many.
 */
size_t detect_prefixes(struct detect *d, const struct turn *t, bool with_response,
		       struct hash128 *h, size_t max);
/* A keyed hash of the last text of a user that was answered, with its answer: histories whose
 * beginning was cut off or summed up hold it still. False: nothing was answered. */
bool detect_anchor(struct detect *d, const struct turn *t, bool with_response, struct hash128 *ret);
