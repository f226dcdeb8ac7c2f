/* user/proc/indexing.h - keeps the index of threat intelligence fresh: looks at the feeds' files,
 * has a sandboxed indexer read them when they changed, hands the index on. In the monitor, which
 * reads no byte of them.
 */
#pragma once

#include "capture/capture.h"
#include "proc/loop.h"
#include "proc/req.h"
#include "proc/spawn.h"

#define INDEXING_LOOK_NS  (5 * UINT64_C(1000000000))   /* between looks at the files */
#define INDEXING_LIMIT_NS (300 * UINT64_C(1000000000)) /* an indexer that takes longer is ended */

struct indexing;

struct indexing_opts {
	const struct binaries *binaries;
	struct capture *capture;
	const struct config *config;
	struct page *page; /* the monitor's own: counters */
	/* A new index, as REQ_INTEL has it. Borrowed until the next one. */
	void (*fresh)(void *ctx, int fd);
	/* A feed broke that was whole: a sentence. */
	void (*broken)(void *ctx, const char *why);
	void *ctx;
};

/* Nothing to do without feeds in the configuration. -errno. */
int indexing_new(struct indexing **ret, struct loop *l, const struct indexing_opts *o);
void indexing_free(struct indexing **x);
