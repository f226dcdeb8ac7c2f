/* user/trace/replay.h - `earshot replay`: a trace through the inspector's pipeline, at full speed.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct replay_opts {
	const char *path;
	unsigned times; /* how often, at least 1; the detectors keep their cache between runs */
	bool no_detect; /* leave the detectors out */
	bool text;	/* print what was said, in plain text */
	bool stats;	/* print figures only */
	bool json;
};

/* Prints to out. 0; -errno after a sentence in why (-EBADMSG: what could be read of a damaged trace
 * was replayed and printed). */
int replay_run(const struct replay_opts *o, FILE *out, char *why, size_t why_size);
