/* user/detect/detect.h - runs every detector (detect/detector.h) over a turn. No I/O, no clock, no
 * log: live, in `earshot scan`, in tests and fuzzers the same code.
 */
#pragma once

#include "detect/detector.h"

extern const struct detector *const detectors[]; /* NULL-terminated */

#define DETECT_DATA_VERSION                                                                        \
	16 /* changes with any pattern, table or threshold: cached facts of another version do not \
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

/* 0: made, to be freed; 1: cached is what would be made, whole, and works. -ENOMEM; -EINVAL, -E2BIG
 * with the reason in why. */
int detect_compile_rules(const struct compile_opts *o, uint8_t **ret, size_t *ret_len, char *why,
			 size_t why_size);
/* The same with the built-in rules. */
int detect_compile(uint8_t **ret, size_t *ret_len, char *why, size_t why_size);

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
