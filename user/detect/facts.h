/* user/detect/facts.h - the segment cache: what the detectors said about a text, by a keyed hash of
 * it. Bounded in bytes; what was asked for longest ago goes first. Holds findings, which are
 * redacted, and no text.
 */
#pragma once

#include "detect/finding.h"

#define FACTS_MAX  64  /* findings kept of one segment */
#define VALUES_MAX 256 /* values kept of one segment */

struct detector;

/* A value that a detector found, told from others and no more. */
struct fact_value {
	const struct detector *owner;
	const char *type; /* static */
	struct hash128 fingerprint;
	uint32_t begin, end; /* in the text that was judged */
	float score;
};

struct fact_list {
	float attack; /* 0 to 1: how much the text looks like a prompt attack */
	size_t n, n_values;
	struct finding v[FACTS_MAX];
	struct fact_value values[VALUES_MAX];
};

struct facts;

/* max_bytes 0: keeps nothing. -ENOMEM. */
int facts_new(struct facts **ret, size_t max_bytes);
void facts_free(struct facts **f);
/* NULL when unknown. Valid until the next call. */
const struct fact_list *facts_get(struct facts *f, const struct hash128 *key);
/* Keeps a copy, if memory allows; returns how many others had to go. */
size_t facts_put(struct facts *f, const struct hash128 *key, const struct fact_list *list);
