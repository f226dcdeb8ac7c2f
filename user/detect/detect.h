/* user/detect/detect.h - runs every detector over a turn. One file and one row in detectors.def each.
 * No I/O, no clock, no log: live, in `earshot scan`, in tests and fuzzers the same code.
 */
#pragma once

#include "base/mac.h"
#include "detect/finding.h"
#include "dialect/turn.h"

/* One text as a detector sees it. Views are made once per segment and shared by all detectors. */
struct views; /* text/view.h */

struct detector_input {
	const struct turn *turn;
	uint32_t segment;
	enum trust trust;
	const struct views *views;
	struct mac *mac;
};

/* Adds one finding; the runner fills kind's mode, role, origin, side and segment. */
typedef void emit_fn(void *ctx, const struct finding *f);

struct detector {
	const char *name;
	const char *summary;
	unsigned surfaces; /* enum trust bits of the segments it reads */
	/* Looks at one segment. 1 found, 0 clean, -errno. */
	int (*scan)(const struct detector_input *in, emit_fn *emit, void *ctx);
	const struct sample *samples; /* hits and near misses, ended by a NULL text; one test walks every row */
};

struct sample {
	const char *text;
	enum segment_role role;
	enum kind kind; /* KIND_MAX_: must find nothing */
	const char *type; /* with a kind: expected finding.type, or NULL for any */
};

#define DETECTOR(id) extern const struct detector detector_##id;
#include "detect/detectors.def"
#undef DETECTOR

extern const struct detector *const detectors[]; /* NULL-terminated */

struct detect_opts {
	uint8_t key[MAC_KEY_LEN]; /* for fingerprints and the segment cache */
	size_t cache_bytes; /* segment cache, 0: none */
	enum mode modes[KIND_MAX_]; /* operator's choice per kind; see detect_default_opts() */
};
void detect_default_opts(struct detect_opts *o); /* key all zero */

/* The pattern database: compiled once (slow, needs memory), handed to others as bytes. */
/* Compiles every literal and pattern into *ret, to be freed. -ENOMEM; -EINVAL with the reason in why. */
int detect_compile(uint8_t **ret, size_t *ret_len, char *why, size_t why_size);

struct detect_stats {
	uint64_t segments, bytes; /* judged */
	uint64_t cache_hits, cache_hit_bytes, cache_evicted;
	uint64_t findings, errors;
};

struct detect;

/* db: what detect_compile() made, borrowed during the call only. -ENOMEM, -EINVAL (a database for another machine or version). */
int detect_new(struct detect **ret, const struct detect_opts *o, struct span db);
void detect_free(struct detect **d);

enum detect_phase { DETECT_REQUEST, DETECT_RESPONSE };

/* Judges the segments of that side, each new text once: equal text with equal role and origin, seen before, takes its facts from the cache.
 * Then the rules over the whole turn (a credential in the response that the request did not hold ...). Calls emit per finding.
 * 0, -ENOMEM.
 */
int detect_turn(struct detect *d, const struct turn *t, enum detect_phase phase, emit_fn *emit, void *ctx);
const struct detect_stats *detect_stats(const struct detect *d);

/* Rolling hashes of the request's segments, for the keeper to recognise a conversation: h[i] covers segments 0..i.
 * Writes the last max of them (oldest first) and returns how many. with_response: also covers the response's assistant text.
 */
size_t detect_prefixes(struct detect *d, const struct turn *t, bool with_response, struct hash128 *h, size_t max);
