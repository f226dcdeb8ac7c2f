/* user/export/delivery.h - one batch on its way upstream: what to send next, what an answer means,
 * when to try again. Does no I/O and reads no clock: an exporter makes the attempts, the shipper
 * brings the time.
 *
 * Upstream may take a batch whole, take its beginning, ask for patience or choke on it. A batch
 * that chokes it is bisected down to the poison revision, which is reported as rejected and sent as
 * a stub (its place in the hash chain without its body).
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "export/export.h"

#define DELIVERY_BATCH_MAX (64 << 10) /* bytes of a batch */
#define DELIVERY_BACKOFF_MIN_NS                                                                    \
	(1 * NS_PER_SEC) /* first ceiling of the full-jitter back-off; doubles */
#define DELIVERY_BACKOFF_MAX_NS (60 * NS_PER_SEC)
#define DELIVERY_SLOW_NS                                                                           \
	(60 * NS_PER_SEC) /* between attempts while upstream refuses us; half of it is jitter */
#define DELIVERY_PATIENCE_MAX_NS (3600 * NS_PER_SEC) /* the longest Retry-After obeyed */
#define DELIVERY_REJECTED_MAX	 256 /* rejected revisions in one Ack, so that it fits one message */
#define DELIVERY_REASON_MAX	 160

struct delivery;

/* -ENOMEM. */
int delivery_new(struct delivery **ret);
void delivery_free(struct delivery **d);

/* Takes a serialized Batch in hand. -EBADMSG: not a batch, empty, or its sequence has holes;
 * -EBUSY: one is in hand. */
int delivery_begin(struct delivery *d, struct span batch);
/* Lets go of the batch in hand, if any. The back-off stays: upstream is no better for it. */
void delivery_drop(struct delivery *d);
bool delivery_busy(const struct delivery *d);
/* CLOCK_MONOTONIC: no attempt before. */
uint64_t delivery_due_ns(const struct delivery *d);

/* Writes what to send now, a serialized Batch, into out (cleared first). -ENOMEM, -E2BIG (out's
 * cap). */
int delivery_next(struct delivery *d, struct buf *out);
/* Judges the answer to what delivery_next() gave. random: 64 fresh random bits. 0: go on when due;
 * 1: the batch, or as much of its beginning as upstream has taken, is done: delivery_ack() says
 * what became of it, and the batch is no longer in hand.
 */
int delivery_result(struct delivery *d, const struct export_result *r, uint64_t now_ns,
		    uint64_t random);
/* The Ack for the keeper after delivery_result() returned 1. Valid until the next delivery_begin().
 */
const Earshot__Ack *delivery_ack(const struct delivery *d);
size_t delivery_stored(const struct delivery *d); /* revisions it covers without rejecting them */
/* Why the last attempt failed, hostile text; "" when it did not. */
const char *delivery_trouble(const struct delivery *d);
