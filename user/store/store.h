/* user/store/store.h - the SQLite file: alerts as they stand, their immutable revisions, the
 * outbox, what each inspector had committed. One writer, exclusive, in one file of the working
 * directory. Nothing here judges; user/store/keep.h does.
 *
 * Every change happens between store_begin() and store_commit(), which is durable when it returns 0
 * (WAL, synchronous=FULL). Errors: -ENOSPC disk or quota full, -EIO, -EBADMSG the file or a row is
 * damaged, -ENOMEM.
 */
#pragma once

#include "alert/chain.h"
#include "alert/merge.h"
#include "base/span.h"

#define STORE_ALERTS_MAX    10000 /* kept; hunt ones go first, then the oldest */
#define STORE_ALERTS_SLACK  500	  /* so many more before a pruning, which costs a walk */
#define STORE_REVISIONS_MAX 20000 /* kept beside those in the outbox, newest */
#define STORE_OUTBOX_MAX                                                                           \
	20000 /* revisions waiting for upstream; when full, alerts stay unrevised until there is   \
		 room */
#define STORE_REJECTED_MAX 1000
#define STORE_TURNS_MAX	   20000       /* turns under way that have alerts */
#define STORE_BYTES_MAX	   (1LL << 30) /* of the database file */
#define STORE_BODY_MAX	   (60 << 10)  /* of a revision; a batch of 64 KiB holds any */

struct store;

/* Opens or creates the file. When it is damaged it is renamed to "PATH.corrupt-TIME" (and its log
 * with it), a new one is begun and aside holds that name; else aside is "". -EPROTO: written by a
 * newer version; it is left alone. -EBUSY: somebody has it open.
 */
int store_open(struct store **ret, const char *path, uint64_t wall_ns, char aside[64]);
void store_free(struct store **s);

int store_begin(struct store *s);
int store_commit(struct store *s); /* on error everything since store_begin() is undone */
void store_rollback(struct store *s);

const struct chain *store_chain(const struct store *s);
uint64_t store_alerts(const struct store *s);
uint64_t store_outbox(const struct store *s);

/* --- what inspectors had committed */

/* Row of this inspector process and the highest number committed for it; a new row when it is new.
 */
int store_epoch(struct store *s, struct span boot, uint64_t epoch, int64_t *ret_row,
		uint64_t *ret_committed);
int store_epoch_commit(struct store *s, int64_t row, uint64_t number);

/* --- alerts */

struct stored_alert {
	int64_t row; /* 0: not stored yet */
	Earshot__Alert *alert;
	uint32_t revision;   /* last one written */
	uint64_t revised_ns; /* when, wall clock */
	bool dirty;	     /* it changed since */
	Earshot__Body
	    *pending; /* findings since then, in its field findings; never NULL once loaded */
};

void stored_alert_free(struct stored_alert *a); /* what is in it */

/* 1 found, 0 there is none. */
int store_alert_get(struct store *s, int64_t row, struct stored_alert *ret);
/* The alert of this merge key, when it was last seen at since_ns or later. */
int store_alert_by_key(struct store *s, const uint8_t key[MERGE_KEY_LEN], uint64_t since_ns,
		       struct stored_alert *ret);
/* By a unique beginning of the id in hex digits; -EEXIST: several begin so. */
int store_alert_by_id(struct store *s, const char *hex, struct stored_alert *ret);
/* Writes it, new or changed. */
int store_alert_put(struct store *s, struct stored_alert *a);
int store_alert_drop(struct store *s, int64_t row);
/* key leads to it from now on. */
int store_alert_key(struct store *s, const uint8_t key[MERGE_KEY_LEN], int64_t row);
/* Rows that changed and were not revised between from_ns and now_ns; returns how many (at most
 * max). */
ssize_t store_alerts_dirty(struct store *s, uint64_t from_ns, uint64_t now_ns, int64_t *rows,
			   size_t max);

struct store_query {
	uint32_t limit;
	uint64_t since_ns;
	int min_severity;
	const char *kind; /* exact, or a family with its trailing dot; "" all */
	bool hunt;
};
/* Rows, newest first. */
ssize_t store_alerts_find(struct store *s, const struct store_query *q, int64_t *rows, size_t max);
/* Alerts of mode alert that are not closed. */
int store_alerts_open(struct store *s, uint64_t *ret);

/* --- which turn has which alerts, until it ends */

int store_turn_add(struct store *s, int64_t epoch, uint64_t exchange, int64_t alert);
ssize_t store_turn_alerts(struct store *s, int64_t epoch, uint64_t exchange, int64_t *rows,
			  size_t max);
int store_turn_end(struct store *s, int64_t epoch, uint64_t exchange);

/* --- revisions */

enum store_ship {
	STORE_SHIP_NOT, /* there is no upstream */
	STORE_SHIP_WHOLE,
	STORE_SHIP_STUB, /* withheld: only its place in the chain goes upstream */
};
/* Appends to the chain. -E2BIG: body beyond STORE_BODY_MAX. */
int store_revise(struct store *s, struct span body, enum store_ship ship);

/* Adds revisions from the outbox to b, oldest first, as long as its packed size stays within max.
 * Returns how many. They are allocated by protobuf-c. */
ssize_t store_batch(struct store *s, Earshot__Batch *b, size_t max);
/* Upstream has everything up to this sequence. */
int store_shipped(struct store *s, uint64_t through);
/* Upstream will never take this one: set aside with its reason. */
int store_rejected(struct store *s, uint64_t sequence, const char *reason);

/* More alerts than the cap and its slack: prune now. */
bool store_crowded(const struct store *s);
/* Deletes what is beyond the caps above. */
int store_prune(struct store *s);
/* Walks the revisions kept and proves them against each other and the chain's head, beginning from
 * the last n. -EBADMSG. */
int store_verify(struct store *s, uint64_t last_n);
