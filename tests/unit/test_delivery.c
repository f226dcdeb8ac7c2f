/* tests/unit/test_delivery.c - what is sent next, what an answer means, when it is tried again. */
#include "export/delivery.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "alert/chain.h"
#include "base/own.h"
#include "nomem.h"

#define NOW (1000 * NS_PER_SEC)
#define SEC NS_PER_SEC

/* A serialized batch of n revisions from first on; bodies are one byte each. */
static struct span make_batch(uint64_t first, size_t n, uint64_t step,
			      uint8_t room[DELIVERY_BATCH_MAX])
{
	static uint8_t store[CHAIN_STORE_LEN] = "a store of tests", hash[CHAIN_HASH_LEN],
		       body[] = "x";
	static Earshot__Revision revisions[1024], *list[1024];
	Earshot__Batch b = EARSHOT__BATCH__INIT;

	assert_true(n <= ARRAY_SIZE(list));
	b.schema = 1;
	b.host = "host";
	b.store = (ProtobufCBinaryData){ sizeof(store), store };
	b.n_revisions = n;
	b.revisions = list;
	for (size_t i = 0; i < n; i++) {
		earshot__revision__init(&revisions[i]);
		revisions[i].store = b.store;
		revisions[i].sequence = first + i * step;
		revisions[i].previous_hash = (ProtobufCBinaryData){ sizeof(hash), hash };
		revisions[i].hash = (ProtobufCBinaryData){ sizeof(hash), hash };
		revisions[i].body = (ProtobufCBinaryData){ 1, body };
		list[i] = &revisions[i];
	}
	assert_true(earshot__batch__get_packed_size(&b) <= DELIVERY_BATCH_MAX);
	return span_of(room, earshot__batch__pack(&b, room));
}

static struct delivery *begin(uint64_t first, size_t n)
{
	static uint8_t room[DELIVERY_BATCH_MAX];
	struct delivery *d;

	assert_int_equal(delivery_new(&d), 0);
	assert_int_equal(delivery_begin(d, make_batch(first, n, 1, room)), 0);
	return d;
}

/* What would be sent now: "1-4", with "s" for a stub. */
static const char *next(struct delivery *d)
{
	static char text[64];
	struct buf out = BUF(DELIVERY_BATCH_MAX);
	Earshot__Batch *b;

	assert_int_equal(delivery_next(d, &out), 0);
	b = earshot__batch__unpack(NULL, out.len, out.p);
	assert_non_null(b);
	assert_int_equal(b->schema, 1);
	assert_string_equal(b->host, "host");
	assert_true(b->n_revisions);
	snprintf(text, sizeof(text), "%d-%d%s", (int)b->revisions[0]->sequence,
		 (int)b->revisions[b->n_revisions - 1]->sequence,
		 b->revisions[0]->body.len ? "" : "s");
	assert_int_equal(b->revisions[0]->body_hash.len,
			 b->revisions[0]->body.len ? 0 : CHAIN_HASH_LEN);
	earshot__batch__free_unpacked(b, NULL);
	buf_free(&out);
	return text;
}

static int answer(struct delivery *d, enum export_verdict v, const char *why)
{
	struct export_result r = { .verdict = v };

	snprintf(r.why, sizeof(r.why), "%s", why);
	return delivery_result(d, &r, NOW, 0);
}

/* Acknowledged through that; reject: 0 or a sequence. */
static int acked(struct delivery *d, uint64_t through, uint64_t reject)
{
	Earshot__Ack__Rejected x = EARSHOT__ACK__REJECTED__INIT, *list = &x;
	Earshot__Ack a = EARSHOT__ACK__INIT;
	struct export_result r = { .verdict = EXPORT_STORED, .ack = &a };

	a.through = through;
	x.sequence = reject;
	x.reason = "no";
	a.rejected = &list;
	a.n_rejected = reject != 0;
	return delivery_result(d, &r, NOW, 0);
}

static void test_whole(void **state)
{
	struct delivery *d = begin(5, 10);

	(void)state;
	assert_true(delivery_busy(d));
	assert_true(delivery_due_ns(d) <= NOW);
	assert_string_equal(next(d), "5-14");
	assert_int_equal(acked(d, 14, 0), 1);
	assert_false(delivery_busy(d));
	assert_int_equal(delivery_ack(d)->through, 14);
	assert_int_equal(delivery_ack(d)->n_rejected, 0);
	assert_int_equal(delivery_stored(d), 10);
	assert_string_equal(delivery_trouble(d), "");
	delivery_free(&d);
}

/* An upstream that has more than it was sent (the batch is a repetition) means no more than the
 * batch. */
static void test_more_than_sent(void **state)
{
	struct delivery *d = begin(5, 10);

	(void)state;
	assert_int_equal(acked(d, 1000, 900), 1);
	assert_int_equal(delivery_ack(d)->through, 14);
	assert_int_equal(delivery_ack(d)->n_rejected, 0);
	delivery_free(&d);
}

static void test_rejected(void **state)
{
	struct delivery *d = begin(1, 4);

	(void)state;
	assert_int_equal(acked(d, 4, 2), 1);
	assert_int_equal(delivery_ack(d)->through, 4);
	assert_int_equal(delivery_ack(d)->n_rejected, 1);
	assert_int_equal(delivery_ack(d)->rejected[0]->sequence, 2);
	assert_string_equal(delivery_ack(d)->rejected[0]->reason, "no");
	assert_int_equal(delivery_stored(d), 3);
	delivery_free(&d);
}

static void test_beginning_taken(void **state)
{
	struct delivery *d = begin(1, 10);

	(void)state;
	assert_int_equal(acked(d, 4, 0), 0);
	assert_string_equal(next(d), "5-10");
	/* What was taken is told at once when the rest has to wait. */
	assert_int_equal(answer(d, EXPORT_RETRY, "away"), 1);
	assert_int_equal(delivery_ack(d)->through, 4);
	assert_int_equal(delivery_stored(d), 4);
	assert_string_equal(delivery_trouble(d), "away");
	delivery_free(&d);
}

static void test_nothing_taken(void **state)
{
	struct delivery *d = begin(7, 2);

	(void)state;
	assert_int_equal(acked(d, 3, 0), 0);
	assert_true(delivery_busy(d));
	assert_string_equal(delivery_trouble(d),
			    "upstream has revisions only up to 3 and was sent 7");
	assert_true(delivery_due_ns(d) >= NOW + DELIVERY_SLOW_NS / 2);
	delivery_free(&d);
}

/* Bisection against an upstream that chokes on some revisions, with and without a taste for stubs.
 */
static void check_poison(size_t n, const uint64_t *bad, size_t n_bad, bool stubs)
{
	struct delivery *d = begin(1, n);
	unsigned attempts = 0;
	uint64_t taken = 0;
	int done = 0;

	while (!done) {
		int first, last;
		bool choke = false, stub;

		assert_true(attempts++ < 2000);
		assert_int_equal(sscanf(next(d), "%d-%d", &first, &last), 2);
		stub = strchr(next(d), 's');
		for (size_t i = 0; i < n_bad; i++)
			choke |= (uint64_t)first <= bad[i] && bad[i] <= (uint64_t)last;
		if (choke && !(stub && stubs)) {
			done = answer(d, EXPORT_POISON, "HTTP 400");
			continue;
		}
		if (stubs)
			assert_int_equal(first, taken + 1);
		taken = (uint64_t)last;
		done = acked(d, taken, 0);
	}
	assert_int_equal(delivery_ack(d)->through, n);
	assert_int_equal(delivery_ack(d)->n_rejected, n_bad);
	for (size_t i = 0; i < n_bad; i++) {
		assert_int_equal(delivery_ack(d)->rejected[i]->sequence, bad[i]);
		assert_string_equal(delivery_ack(d)->rejected[i]->reason, "HTTP 400");
	}
	assert_int_equal(delivery_stored(d), n - n_bad);
	delivery_free(&d);
}

static void test_poison(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 17; n++)
		for (uint64_t bad = 1; bad <= n; bad++) {
			check_poison(n, &bad, 1, true);
			check_poison(n, &bad, 1, false);
		}
	check_poison(500, (uint64_t[]){ 1, 2, 250, 251, 500 }, 5, true);
	check_poison(500, (uint64_t[]){ 1, 2, 250, 251, 500 }, 5, false);
}

/* More poison than fits one Ack: the keeper gets the beginning. */
static void test_all_poison(void **state)
{
	struct delivery *d = begin(1, 400);
	int done;

	(void)state;
	do
		done = answer(d, EXPORT_POISON, "HTTP 400: no");
	while (!done);
	assert_int_equal(delivery_ack(d)->n_rejected, DELIVERY_REJECTED_MAX);
	assert_int_equal(delivery_ack(d)->through, DELIVERY_REJECTED_MAX);
	assert_true(earshot__ack__get_packed_size(delivery_ack(d)) < (64 << 10));
	delivery_free(&d);
}

/* Between these times the next attempt is due, whatever was drawn. */
static void check_wait(struct delivery *d, const struct export_result *r, uint64_t least,
		       uint64_t most)
{
	const uint64_t draws[] = { 0, UINT64_MAX, 0x123456789abcdef, 60 * SEC };

	for (size_t i = 0; i < ARRAY_SIZE(draws); i++) {
		delivery_result(d, r, NOW, draws[i]);
		assert_in_range(delivery_due_ns(d) - NOW, least, most);
	}
}

static void test_back_off(void **state)
{
	struct export_result r = { .verdict = EXPORT_RETRY };
	const uint64_t ceilings[] = { 1,  2,  4,  8,  16, 32, 60, 60, 60, 60,
				      60, 60, 60, 60, 60, 60, 60, 60, 60, 60 };
	struct delivery *d = begin(1, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ceilings); i++) {
		/* The largest draw reaches the ceiling: x % (c + 1) == c for x = c. */
		delivery_result(d, &r, NOW, ceilings[i] * SEC);
		assert_int_equal(delivery_due_ns(d) - NOW, ceilings[i] * SEC);
	}
	/* The back-off belongs to upstream, not to the batch, and ends with the first success. */
	delivery_drop(d);
	assert_true(delivery_due_ns(d) > NOW);
	delivery_free(&d);
	d = begin(1, 2);
	delivery_result(d, &r, NOW, 0);
	delivery_result(d, &r, NOW, 0);
	assert_int_equal(acked(d, 1, 0), 0);
	delivery_result(d, &r, NOW, 1 * SEC);
	assert_int_equal(delivery_due_ns(d) - NOW, 1 * SEC);
	delivery_free(&d);
}

static void test_patience(void **state)
{
	struct export_result r = { .verdict = EXPORT_RETRY, .retry_after_ns = 30 * SEC };
	struct delivery *d = begin(1, 1);

	(void)state;
	check_wait(d, &r, 30 * SEC, 31 * SEC);
	r.retry_after_ns = 365 * 86400 * SEC;
	check_wait(d, &r, DELIVERY_PATIENCE_MAX_NS, DELIVERY_PATIENCE_MAX_NS + SEC);
	r = (struct export_result){ .verdict = EXPORT_REFUSED };
	check_wait(d, &r, DELIVERY_SLOW_NS / 2, DELIVERY_SLOW_NS);
	delivery_free(&d);
}

static void test_bad_batches(void **state)
{
	static uint8_t room[DELIVERY_BATCH_MAX];
	struct delivery *d;

	(void)state;
	assert_int_equal(delivery_new(&d), 0);
	assert_int_equal(delivery_begin(d, SPAN_LIT("\xff\xff\xff")), -EBADMSG);
	assert_int_equal(delivery_begin(d, span_of(NULL, 0)), -EBADMSG);
	assert_int_equal(delivery_begin(d, make_batch(1, 3, 2, room)), -EBADMSG); /* holes */
	assert_int_equal(delivery_begin(d, make_batch(0, 3, 1, room)), -EBADMSG); /* no number */
	assert_false(delivery_busy(d));
	assert_int_equal(delivery_begin(d, make_batch(1, 3, 1, room)), 0);
	assert_int_equal(delivery_begin(d, make_batch(4, 3, 1, room)), -EBUSY);
	delivery_drop(d);
	assert_int_equal(delivery_begin(d, make_batch(4, 3, 1, room)), 0);
	assert_string_equal(next(d), "4-6");
	delivery_free(&d);
	delivery_free(&d);
}

static int short_of_memory(void *ctx)
{
	static uint8_t room[DELIVERY_BATCH_MAX];
	struct buf out = BUF(DELIVERY_BATCH_MAX);
	struct delivery *d = NULL;
	int err = delivery_new(&d);

	(void)ctx;
	if (!err)
		err = delivery_begin(d, make_batch(1, 3, 1, room));
	if (!err)
		err = delivery_next(d, &out);
	buf_free(&out);
	delivery_free(&d);
	return err;
}

static void test_memory(void **state)
{
	(void)state;
	assert_true(nomem_each(short_of_memory, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	      cmocka_unit_test(test_more_than_sent),
		cmocka_unit_test(test_rejected),      cmocka_unit_test(test_beginning_taken),
		cmocka_unit_test(test_nothing_taken), cmocka_unit_test(test_poison),
		cmocka_unit_test(test_all_poison),    cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_patience),      cmocka_unit_test(test_bad_batches),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
