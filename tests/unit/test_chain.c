/* tests/unit/test_chain.c - a chain proves every change, hole and swap; stubs prove as well. */
#include "alert/chain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N 4

static const uint8_t store[CHAIN_STORE_LEN] = "a store of tests";

struct written {
	Earshot__Revision r[N];
	uint8_t previous[N][CHAIN_HASH_LEN], hash[N][CHAIN_HASH_LEN], body_hash[N][CHAIN_HASH_LEN];
};

static const char *const bodies[N] = { "one", "two", "three", "four" };

static void write_all(struct written *w)
{
	struct chain c;

	chain_begin(&c, store);
	for (int i = 0; i < N; i++) {
		struct span body = span_str(bodies[i]);

		memcpy(w->previous[i], c.head, CHAIN_HASH_LEN);
		chain_hash(body, w->body_hash[i]);
		chain_append(&c, w->body_hash[i]);
		memcpy(w->hash[i], c.head, CHAIN_HASH_LEN);
		earshot__revision__init(&w->r[i]);
		w->r[i].store = (ProtobufCBinaryData){ CHAIN_STORE_LEN, (uint8_t *)store };
		w->r[i].sequence = c.sequence;
		w->r[i].previous_hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, w->previous[i] };
		w->r[i].hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, w->hash[i] };
		w->r[i].body = (ProtobufCBinaryData){ body.len, (uint8_t *)body.p };
	}
}

static void make_stub(struct written *w, int i)
{
	w->r[i].body = (ProtobufCBinaryData){ 0 };
	w->r[i].body_hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, w->body_hash[i] };
}

static void test_proves(void **state)
{
	struct written w;
	struct chain c;

	(void)state;
	write_all(&w);
	make_stub(&w, 2);
	chain_begin(&c, store);
	for (int i = 0; i < N; i++)
		assert_int_equal(chain_verify(&c, &w.r[i]), 0);
	assert_int_equal(c.sequence, N);
	assert_memory_equal(c.head, w.hash[N - 1], CHAIN_HASH_LEN);
	assert_int_equal(chain_verify(&c, &w.r[N - 1]), -EALREADY);
}

/* The hash is a matter of record: other programs compute it. */
static void test_known_value(void **state)
{
	static const uint8_t head[] = { 0xe1, 0xce, 0xe2, 0x97 };
	struct written w;

	(void)state;
	write_all(&w);
	assert_memory_equal(w.hash[0], head, sizeof(head));
}

static void test_late_join(void **state)
{
	struct written w;
	struct chain c;

	(void)state;
	write_all(&w);
	assert_int_equal(chain_join(&c, &w.r[2]), 0);
	assert_int_equal(chain_verify(&c, &w.r[2]), 0);
	assert_int_equal(chain_verify(&c, &w.r[3]), 0);
}

static void test_refuses(void **state)
{
	uint8_t other[CHAIN_STORE_LEN] = { 1 }, wrong[CHAIN_HASH_LEN] = { 1 };
	struct chain c, before;
	struct written w;

	(void)state;
	write_all(&w);
	chain_begin(&c, store);
	before = c;
	assert_int_equal(chain_verify(&c, &w.r[1]), -ENODATA);
	w.r[0].body.data = (uint8_t *)"onE";
	assert_int_equal(chain_verify(&c, &w.r[0]), -EILSEQ);
	w.r[0].body.data = (uint8_t *)"one";
	w.r[0].hash.data = wrong;
	assert_int_equal(chain_verify(&c, &w.r[0]), -EILSEQ);
	w.r[0].hash.data = w.hash[0];
	w.r[0].previous_hash.data = wrong;
	assert_int_equal(chain_verify(&c, &w.r[0]), -EILSEQ);
	w.r[0].previous_hash.data = w.previous[0];
	w.r[0].store.data = other;
	assert_int_equal(chain_verify(&c, &w.r[0]), -EXDEV);
	w.r[0].store = (ProtobufCBinaryData){ 3, other };
	assert_int_equal(chain_verify(&c, &w.r[0]), -EBADMSG);
	assert_int_equal(chain_join(&c, &w.r[0]), -EBADMSG);
	w.r[0].store = (ProtobufCBinaryData){ CHAIN_STORE_LEN, (uint8_t *)store };
	make_stub(&w, 0);
	w.r[0].body_hash.len = 5;
	assert_int_equal(chain_verify(&c, &w.r[0]), -EBADMSG);
	make_stub(&w, 0);
	w.r[0].body_hash.data = wrong;
	assert_int_equal(chain_verify(&c, &w.r[0]), -EILSEQ);
	assert_memory_equal(&c, &before, sizeof(c));
	make_stub(&w, 0);
	assert_int_equal(chain_verify(&c, &w.r[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proves),
		cmocka_unit_test(test_known_value),
		cmocka_unit_test(test_late_join),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
