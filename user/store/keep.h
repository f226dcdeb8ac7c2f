/* user/store/keep.h - what the keeper does with findings and observations: recognises repetitions,
 * merges them into alerts, writes revisions, commits in groups. Owns the store and the
 * conversations. Time is an argument.
 *
 * Messages are taken into a queue and applied in one transaction by keep_commit(); when it fails
 * nothing was applied and the queue stands, to be tried again. Nothing may be acknowledged but what
 * keep_committed() names.
 */
#pragma once

#include "detect/kind.h"
#include "proc/page.h"
#include "store/store.h"
#include "store/tally.h"

#define KEEP_QUEUE_MAX 256 /* messages of one transaction */
#define KEEP_OWN_MAX   32  /* beside them: what the sensor has to say of itself */
#define KEEP_REVISE_NS                                                                             \
	UINT64_C(                                                                                  \
	    10000000000) /* changes of count alone: at most one revision of an alert in so long */
#define KEEP_WINDOW_NS                                                                             \
	UINT64_C(86400000000000) /* an alert not seen for so long is not merged into any more */
#define KEEP_BATCH_MAX (64 << 10)

struct keep_time {
	uint64_t mono_ns, wall_ns;
};

struct keep_opts {
	const char *path; /* of the store, in the working directory */
	const char *host;
	const enum mode *modes; /* KIND_MAX_ of them: the operator's choice */
	bool ship;		/* there is an upstream: fill the outbox */
	struct page *page;	/* counters */
	/* A revision was committed. Borrowed. */
	void (*revised)(void *ctx, const Earshot__Body *body);
	void *ctx;
};

struct keep;

/* Options are copied, what they point to is borrowed. Errors of store_open(). A damaged store
 * becomes a sensor alert. */
int keep_open(struct keep **ret, const struct keep_opts *o, struct keep_time now);
void keep_free(struct keep **k);
struct store *keep_store(struct keep *k);
const struct tally *keep_tally(const struct keep *k);

/* Takes a serialized ToKeeper. 0; -EAGAIN: the queue is full, commit first; -EBADMSG; -ENOMEM. */
int keep_take(struct keep *k, struct span msg);
/* The sensor about itself. events, bytes: how much of it, 0 unknown. Dropped and counted when the
 * queue is full of such. */
void keep_sensor(struct keep *k, const char *kind, const char *why, uint64_t events,
		 uint64_t bytes);
bool keep_full(const struct keep *k);
bool keep_waiting(const struct keep *k); /* something is in the queue */

/* Applies and commits the queue, and revises alerts whose count changed long enough ago (all: every
 * one). 0; 1: more of those are left; -errno. */
int keep_commit(struct keep *k, struct keep_time now, bool all);
/* Another inspector process is at the other end from now on; its first message will say which. */
void keep_new_sender(struct keep *k);
/* The highest number committed of that process; 0: none yet. */
uint64_t keep_committed(const struct keep *k);
/* Deletes what is beyond the store's caps. */
int keep_prune(struct keep *k);

/* The next Batch from the outbox, packed, to be freed by the caller. 1; 0: the outbox is empty;
 * -errno. */
int keep_batch(struct keep *k, uint8_t **ret, size_t *ret_len);
/* Upstream's answer to it. 1: the outbox is shorter now; 0: no progress; -errno. */
int keep_ack(struct keep *k, const Earshot__Ack *ack);
