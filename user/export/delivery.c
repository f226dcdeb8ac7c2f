/* user/export/delivery.c - one batch on its way upstream.
 * Owns the unpacked batch, the revisions rejected so far and the back-off.
 */
#include "export/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "alert/chain.h"
#include "base/own.h"

struct delivery {
	Earshot__Batch *batch; /* NULL: none in hand */
	size_t at, len;	       /* the revisions being sent; those before at are done */
	bool stub;	       /* the one revision being sent goes without its body */

	unsigned failures; /* in a row */
	uint64_t due_ns;
	char trouble[EXPORT_WHY_MAX];

	size_t n_stored; /* revisions that the Ack covers without rejecting them */
	Earshot__Ack ack;
	Earshot__Ack__Rejected *rejected_p[DELIVERY_REJECTED_MAX];
	Earshot__Ack__Rejected rejected[DELIVERY_REJECTED_MAX];
	char reason[DELIVERY_REJECTED_MAX][DELIVERY_REASON_MAX];
};

int delivery_new(struct delivery **ret)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	earshot__ack__init(&d->ack);
	d->ack.rejected = d->rejected_p;
	*ret = d;
	return 0;
}

void delivery_free(struct delivery **d)
{
	if (!*d)
		return;
	delivery_drop(*d);
	free(*d);
	*d = NULL;
}

static bool without_holes(const Earshot__Batch *b)
{
	for (size_t i = 1; i < b->n_revisions; i++)
		if (b->revisions[i]->sequence != b->revisions[i - 1]->sequence + 1)
			return false;
	return b->n_revisions && b->revisions[0]->sequence;
}

int delivery_begin(struct delivery *d, struct span batch)
{
	Earshot__Batch *b;

	if (d->batch)
		return -EBUSY;
	b = earshot__batch__unpack(NULL, batch.len, batch.p);
	if (!b)
		return -EBADMSG;
	if (!without_holes(b)) {
		earshot__batch__free_unpacked(b, NULL);
		return -EBADMSG;
	}
	d->batch = b;
	d->at = 0;
	d->len = b->n_revisions;
	d->stub = false;
	d->ack.through = 0;
	d->ack.n_rejected = 0;
	return 0;
}

void delivery_drop(struct delivery *d)
{
	if (d->batch)
		earshot__batch__free_unpacked(steal(d->batch), NULL);
}

bool delivery_busy(const struct delivery *d)
{
	return d->batch;
}

uint64_t delivery_due_ns(const struct delivery *d)
{
	return d->due_ns;
}

const Earshot__Ack *delivery_ack(const struct delivery *d)
{
	return &d->ack;
}

size_t delivery_stored(const struct delivery *d)
{
	return d->n_stored;
}

const char *delivery_trouble(const struct delivery *d)
{
	return d->trouble;
}

int delivery_next(struct delivery *d, struct buf *out)
{
	Earshot__Batch piece = *d->batch;
	Earshot__Revision stub = *d->batch->revisions[d->at];
	Earshot__Revision *stub_p = &stub;
	uint8_t body_hash[CHAIN_HASH_LEN];
	auto_mem uint8_t *packed = NULL;
	size_t len;

	if (d->stub && stub.body.len) {
		chain_hash(span_of(stub.body.data, stub.body.len), body_hash);
		stub.body_hash = (ProtobufCBinaryData){ sizeof(body_hash), body_hash };
		stub.body = (ProtobufCBinaryData){ 0 };
	}
	piece.revisions = d->stub ? &stub_p : d->batch->revisions + d->at;
	piece.n_revisions = d->len;
	len = earshot__batch__get_packed_size(&piece);
	packed = malloc(len);
	if (!packed)
		return -ENOMEM;
	earshot__batch__pack(&piece, packed);
	buf_clear(out);
	return buf_add(out, span_of(packed, len));
}

static uint64_t sequence(const struct delivery *d, size_t i)
{
	return d->batch->revisions[i]->sequence;
}

static bool is_rejected(const struct delivery *d, uint64_t seq)
{
	for (size_t i = 0; i < d->ack.n_rejected; i++)
		if (d->rejected[i].sequence == seq)
			return true;
	return false;
}

static bool room_to_reject(const struct delivery *d)
{
	return d->ack.n_rejected < DELIVERY_REJECTED_MAX;
}

static void reject(struct delivery *d, uint64_t seq, const char *why)
{
	size_t n = d->ack.n_rejected;

	if (!room_to_reject(d) || is_rejected(d, seq))
		return;
	snprintf(d->reason[n], sizeof(d->reason[n]), "%s", why);
	earshot__ack__rejected__init(&d->rejected[n]);
	d->rejected[n].sequence = seq;
	d->rejected[n].reason = d->reason[n];
	d->rejected_p[n] = &d->rejected[n];
	d->ack.n_rejected++;
}

static void wait_for(struct delivery *d, uint64_t least_ns, uint64_t jitter_ns, uint64_t now_ns,
		     uint64_t random)
{
	d->due_ns = now_ns + least_ns + random % (jitter_ns + 1);
}

static void back_off(struct delivery *d, const struct export_result *r, uint64_t now_ns,
		     uint64_t random)
{
	uint64_t ceiling = DELIVERY_BACKOFF_MIN_NS << MIN(d->failures, 16u);

	d->failures++;
	if (r->verdict == EXPORT_REFUSED)
		wait_for(d, DELIVERY_SLOW_NS / 2, DELIVERY_SLOW_NS / 2, now_ns, random);
	else if (r->retry_after_ns) /* everyone was told the same number: do not come back all at
				       once */
		wait_for(d, MIN(r->retry_after_ns, DELIVERY_PATIENCE_MAX_NS),
			 DELIVERY_BACKOFF_MIN_NS, now_ns, random);
	else
		wait_for(d, 0, MIN(ceiling, DELIVERY_BACKOFF_MAX_NS), now_ns, random);
}

/* Closes the batch as far as it is done. */
static int finish(struct delivery *d)
{
	d->ack.through = sequence(d, d->at - 1);
	d->n_stored = d->at - d->ack.n_rejected;
	delivery_drop(d);
	return 1;
}

/* The attempt failed for now. What upstream has taken already is the keeper's to know at once. */
static int failed(struct delivery *d, const struct export_result *r, uint64_t now_ns,
		  uint64_t random)
{
	snprintf(d->trouble, sizeof(d->trouble), "%s", r->why);
	back_off(d, r, now_ns, random);
	return d->at ? finish(d) : 0;
}

static int poisoned(struct delivery *d, const struct export_result *r, uint64_t now_ns)
{
	d->due_ns = now_ns;
	if (d->len > 1) {
		d->len /= 2;
		return 0;
	}
	if (!d->stub) {
		reject(d, sequence(d, d->at), r->why);
		d->stub = true;
		return 0;
	}
	/* Not even the stub: leave it behind and see whether upstream takes what follows. */
	d->stub = false;
	d->at++;
	d->len = d->batch->n_revisions - d->at;
	return !d->len || !room_to_reject(d) ? finish(d) : 0;
}

/* A stub is sent for a revision that is rejected already: it is taken only when upstream says so.
 */
static bool taken(const struct delivery *d, size_t i, uint64_t through)
{
	return sequence(d, i) <= through || (!d->stub && is_rejected(d, sequence(d, i)));
}

static int stored(struct delivery *d, const struct export_result *r, uint64_t now_ns,
		  uint64_t random)
{
	const size_t before = d->at, end = d->at + d->len;

	for (size_t i = 0; i < r->ack->n_rejected; i++) {
		const Earshot__Ack__Rejected *x = r->ack->rejected[i];

		if (x->sequence >= sequence(d, before) && x->sequence <= sequence(d, end - 1))
			reject(d, x->sequence, x->reason);
	}
	while (d->at < end && taken(d, d->at, r->ack->through))
		d->at++;
	if (d->at == before) {
		struct export_result missing = { .verdict = EXPORT_REFUSED };

		snprintf(missing.why, sizeof(missing.why),
			 "upstream has revisions only up to %" PRIu64 " and was sent %" PRIu64,
			 r->ack->through, sequence(d, before));
		return failed(d, &missing, now_ns, random);
	}
	d->trouble[0] = 0;
	d->failures = 0;
	d->due_ns = now_ns;
	d->stub = false;
	d->len = d->batch->n_revisions - d->at;
	return !d->len || !room_to_reject(d) ? finish(d) : 0;
}

int delivery_result(struct delivery *d, const struct export_result *r, uint64_t now_ns,
		    uint64_t random)
{
	switch (r->verdict) {
	case EXPORT_STORED:
		return stored(d, r, now_ns, random);
	case EXPORT_POISON:
		return poisoned(d, r, now_ns);
	default:
		return failed(d, r, now_ns, random);
	}
}
