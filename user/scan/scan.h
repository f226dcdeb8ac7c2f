/* user/scan/scan.h - `earshot scan`: texts and conversations through the detectors, with the code
 * and the thresholds of live traffic. For logs, data sets and prompts under test; needs no sensor
 * and no rights.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "dialect/turn.h"
#include "intel/index.h"

struct scan_opts {
	bool jsonl;	   /* one object a line; else the input is one text */
	const char *role;  /* of a text that has none: "user", "document", ... */
	bool stats;	   /* figures at the end, one object to stderr */
	const char *rules; /* a folder of rule packs, or a pack; NULL: only the built-in ones */
	const char *intel[INTEL_FEEDS_MAX]; /* feeds of threat intelligence: files, directories */
	size_t n_intel;
};

/* -EINVAL: no role of that name. */
int scan_role(const char *name, enum segment_role *ret_role, enum origin *ret_origin);
extern const char *const scan_roles; /* for messages: "system, developer, user, ..." */

/* Reads in to its end. Writes an object a line to out, in the order of the input. A text: one
 * object for each SCAN_BLOCK of it, with its "offset". A bad line: {"line":N,"error":"..."}, and
 * the rest goes on. 0; -errno after a sentence in why: reading, writing, memory. */
#define SCAN_BLOCK (1 << 20)
int scan_run(const struct scan_opts *o, FILE *in, FILE *out, char *why, size_t why_size);
