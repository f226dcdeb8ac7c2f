/* user/detect/detector.h - what a detector is: what it is shown of a text and of its turn, what it
 * may ask, and what it gives back. One file and one row in detectors.def each.
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

struct detect_stats {
	uint64_t segments, bytes; /* judged */
	uint64_t cache_hits, cache_hit_bytes, cache_evicted;
	uint64_t findings, errors;
	uint64_t names_unread; /* struct url_foreign */
};

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
