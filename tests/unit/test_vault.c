/* tests/unit/test_vault.c - what the collector accepts, recognises, sets aside and refuses. */
#include "tools/collector/vault.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"

#define N_MAX 512

/* A sensor's store, as far as it matters here. */
struct sensor {
	uint8_t store[CHAIN_STORE_LEN];
	Earshot__Revision r[N_MAX], *list[N_MAX];
	uint8_t previous[N_MAX][CHAIN_HASH_LEN], hash[N_MAX][CHAIN_HASH_LEN],
	    body_hash[N_MAX][CHAIN_HASH_LEN];
	uint8_t body[N_MAX][128];
};

/* n revisions of n_alerts alerts in turn, which salt names; another salt is another history. */
static void make_sensor(struct sensor *s, uint8_t id, size_t n, size_t n_alerts, const char *salt)
{
	struct chain c;

	memset(s->store, id, sizeof(s->store));
	chain_begin(&c, s->store);
	for (size_t i = 0; i < n; i++) {
		Earshot__Alert alert = EARSHOT__ALERT__INIT;
		Earshot__Body body = EARSHOT__BODY__INIT;
		uint8_t alert_id[ALERT_ID_LEN];

		memset(alert_id, (int)(salt[0] + i % n_alerts), sizeof(alert_id));
		alert.id = (ProtobufCBinaryData){ sizeof(alert_id), alert_id };
		alert.title = (char *)salt;
		alert.count = i + 1;
		body.alert = &alert;
		earshot__revision__init(&s->r[i]);
		s->list[i] = &s->r[i];
		s->r[i].store = (ProtobufCBinaryData){ sizeof(s->store), s->store };
		s->r[i].body =
		    (ProtobufCBinaryData){ earshot__body__pack(&body, s->body[i]), s->body[i] };
		chain_hash(span_of(s->body[i], s->r[i].body.len), s->body_hash[i]);
		memcpy(s->previous[i], c.head, CHAIN_HASH_LEN);
		chain_append(&c, s->body_hash[i]);
		memcpy(s->hash[i], c.head, CHAIN_HASH_LEN);
		s->r[i].sequence = c.sequence;
		s->r[i].previous_hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, s->previous[i] };
		s->r[i].hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, s->hash[i] };
	}
}

struct seen {
	unsigned n, bodies, rejected;
	uint64_t last;
};

static void on_new(void *ctx, const Earshot__Batch *b, const Earshot__Revision *r,
		   const Earshot__Body *body, const char *why)
{
	struct seen *s = ctx;

	assert_string_equal(b->host, "host");
	s->n++;
	s->bodies += body != NULL;
	s->rejected += *why != 0;
	s->last = r->sequence;
}

/* "through", or "through rejected,..." or "-errno why" */
static const char *send(struct vault *v, struct sensor *s, size_t first, size_t n,
			struct seen *seen)
{
	static char text[4096];
	static uint8_t packed[N_MAX * 512];
	Earshot__Batch b = EARSHOT__BATCH__INIT;
	char why[VAULT_WHY_MAX];
	Earshot__Ack *ack;
	size_t at;
	int err;

	b.schema = 1;
	b.host = "host";
	b.store = (ProtobufCBinaryData){ sizeof(s->store), s->store };
	b.revisions = s->list + first - 1;
	b.n_revisions = n;
	assert_true(earshot__batch__get_packed_size(&b) <= sizeof(packed));
	*seen = (struct seen){ 0 };
	err = vault_take(v, span_of(packed, earshot__batch__pack(&b, packed)), 1, on_new, seen,
			 &ack, why);
	if (err) {
		snprintf(text, sizeof(text), "%d %s", err, why);
		return text;
	}
	at = (size_t)snprintf(text, sizeof(text), "%d", (int)ack->through);
	for (size_t i = 0; i < ack->n_rejected; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%d", i ? ',' : ' ',
				       (int)ack->rejected[i]->sequence);
	vault_free_ack(ack);
	return text;
}

static void count_alert(void *ctx, const Earshot__Alert *a)
{
	uint64_t *sum = ctx;

	sum[0]++;
	sum[1] += a->count;
}

static void check_alerts(struct vault *v, uint64_t n, uint64_t counts)
{
	uint64_t sum[2] = { 0 };

	assert_int_equal(vault_alerts(v, 1000, count_alert, sum), 0);
	assert_int_equal(sum[0], n);
	assert_int_equal(sum[1], counts);
}

static struct vault *fresh(void)
{
	char why[VAULT_WHY_MAX];
	struct vault *v = NULL;

	assert_int_equal(vault_open(&v, ":memory:", why), 0);
	return v;
}

static struct sensor one, other;

static void test_in_order(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 20, 3, "a");
	assert_string_equal(send(v, &one, 1, 5, &seen), "5");
	assert_int_equal(seen.n, 5);
	assert_int_equal(seen.bodies, 5);
	assert_string_equal(send(v, &one, 6, 15, &seen), "20");
	assert_int_equal(seen.last, 20);
	check_alerts(v, 3, 18 + 19 + 20); /* the newest of each */
}

static void test_repeated(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 20, 1, "a");
	assert_string_equal(send(v, &one, 1, 10, &seen), "10");
	assert_string_equal(send(v, &one, 1, 10, &seen), "10");
	assert_int_equal(seen.n, 0);
	assert_string_equal(send(v, &one, 8, 5, &seen), "12");
	assert_int_equal(seen.n, 2);
	/* A batch that is all known is told how far the store is. */
	assert_string_equal(send(v, &one, 2, 2, &seen), "12");
	check_alerts(v, 1, 12);
}

static void test_hole(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 20, 1, "a");
	assert_string_equal(send(v, &one, 1, 3, &seen), "3");
	assert_string_equal(send(v, &one, 5, 3, &seen), "3");
	assert_int_equal(seen.n, 0);
	assert_string_equal(send(v, &one, 4, 4, &seen), "7");
}

static void test_two_stores(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 5, 1, "a");
	make_sensor(&other, 100, 5, 1, "b");
	assert_string_equal(send(v, &one, 1, 5, &seen), "5");
	assert_string_equal(send(v, &other, 3, 2, &seen), "4"); /* joins late */
	assert_string_equal(send(v, &other, 1, 5, &seen),
			    "5 1,2"); /* what was before is not known to be true */
	other.r[0].store.data = one.store;
	assert_int_equal(atoi(send(v, &other, 1, 1, &seen)), -EBADMSG);
	check_alerts(v, 2, 10);
}

/* Who is new cannot go on in the chain of somebody else. */
static void test_foreign_chain(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 5, 1, "a");
	make_sensor(&other, 2, 9, 1, "b");
	assert_string_equal(send(v, &one, 1, 3, &seen), "3");
	for (size_t i = 0; i < 9; i++)
		other.r[i].store.data = one.store;
	assert_string_equal(send(v, &other, 9, 1, &seen),
			    "-74 the first revision is malformed or of another store");
	assert_string_equal(send(v, &one, 4, 2, &seen), "5");
	check_alerts(v, 1, 5);
}

/* Another sensor cannot replace an alert by using its id. */
static void test_foreign_id(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 1, 1, "a");
	make_sensor(&other, 2, 3, 1, "a");
	assert_string_equal(send(v, &one, 1, 1, &seen), "1");
	assert_string_equal(send(v, &other, 1, 3, &seen), "3");
	check_alerts(v, 1, 1);
}

static void test_changed(void **state)
{
	struct seen seen;

	(void)state;
	/* Each byte of body, hash and previous hash counts. */
	for (int what = 0; what < 3; what++) {
		auto_vault struct vault *v = fresh();

		make_sensor(&one, 1, 6, 1, "a");
		if (what == 0)
			one.body[2][one.r[2].body.len - 1] ^= 1;
		else
			(what == 1 ? one.hash : one.previous)[2][5] ^= 0x80;
		/* The revision is set aside; a changed hash breaks the link of the next one too. */
		assert_string_equal(send(v, &one, 1, 6, &seen), what == 1 ? "6 3,4" : "6 3");
		assert_int_equal(seen.n, 6);
		assert_int_equal(seen.rejected, what == 1 ? 2 : 1);
		assert_int_equal(seen.bodies, 6 - seen.rejected);
		/* Sent again, it is rejected again, and stored no second time. */
		assert_string_equal(send(v, &one, 1, 6, &seen), what == 1 ? "6 3,4" : "6 3");
		assert_int_equal(seen.n, 0);
		check_alerts(v, 1, 6);
	}
}

static void test_rewritten(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 4, 1, "a");
	make_sensor(&other, 1, 8, 1, "b");
	assert_string_equal(send(v, &one, 1, 4, &seen), "4");
	assert_string_equal(send(v, &other, 3, 6, &seen), "8 3,4,5");
	assert_int_equal(seen.bodies, 3);
	check_alerts(v, 2, 4 + 8);
}

static void test_stubs(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 4, 1, "a");
	one.r[1].body = (ProtobufCBinaryData){ 0 };
	one.r[1].body_hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, one.body_hash[1] };
	assert_string_equal(send(v, &one, 1, 4, &seen), "4");
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.bodies, 3);
}

/* In the chain, and no alert. */
static void test_bad_body(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;

	(void)state;
	make_sensor(&one, 1, 4, 1, "a");
	memset(one.body[1], 0xff, one.r[1].body.len);
	one.r[1].body.len = 20;
	chain_hash(span_of(one.body[1], 20), one.body_hash[1]);
	/* Chained anew from there. */
	for (size_t i = 1; i < 4; i++) {
		struct chain c = { .sequence = i };

		memcpy(c.head, one.hash[i - 1], CHAIN_HASH_LEN);
		memcpy(one.previous[i], c.head, CHAIN_HASH_LEN);
		chain_append(&c, one.body_hash[i]);
		memcpy(one.hash[i], c.head, CHAIN_HASH_LEN);
	}
	assert_string_equal(send(v, &one, 1, 4, &seen), "4 2");
	assert_int_equal(seen.bodies, 3);
}

static void test_garbage(void **state)
{
	auto_vault struct vault *v = fresh();
	char why[VAULT_WHY_MAX];
	struct seen seen;
	Earshot__Ack *ack;

	(void)state;
	make_sensor(&one, 1, 4, 1, "a");
	assert_string_equal(send(v, &one, 1, 0, &seen), "-74 an empty batch");
	one.r[2].hash.len = 5;
	assert_string_equal(send(v, &one, 1, 4, &seen),
			    "-74 revision 3 is malformed or of another store");
	/* All or nothing. */
	assert_int_equal(seen.n, 0);
	check_alerts(v, 0, 0);
	one.r[0].previous_hash.len = 0;
	assert_string_equal(send(v, &one, 1, 1, &seen),
			    "-74 the first revision is malformed or of another store");
	assert_int_equal(vault_take(v, SPAN_LIT("\xff\xff"), 1, on_new, &seen, &ack, why),
			 -EBADMSG);
	assert_int_equal(vault_take(v, SPAN_LIT("\x08\x07"), 1, on_new, &seen, &ack, why),
			 -EBADMSG);
	assert_string_equal(why, "a batch of another schema");
	assert_int_equal(vault_take(v, SPAN_LIT("\x08\x01"), 1, on_new, &seen, &ack, why),
			 -EBADMSG);
	/* And it still works. */
	make_sensor(&one, 1, 4, 1, "a");
	assert_string_equal(send(v, &one, 1, 4, &seen), "4");
}

/* More rejections than one Ack holds: the rest is not acknowledged and comes again. */
static void test_many_rejected(void **state)
{
	auto_vault struct vault *v = fresh();
	struct seen seen;
	int through;

	(void)state;
	make_sensor(&one, 1, 400, 1, "a");
	for (size_t i = 0; i < 400; i++)
		one.hash[i][0] ^= 1 + i % 2; /* neither itself nor the next follows */
	through = atoi(send(v, &one, 1, 400, &seen));
	assert_int_equal(through, VAULT_REJECTED_MAX);
	through = atoi(send(v, &one, (size_t)through + 1, 400 - (size_t)through, &seen));
	assert_int_equal(through, 400);
}

/* What was acknowledged is there after the file is opened again; a file of another version is left
 * alone. */
static void test_reopened(void **state)
{
	char dir[] = "/tmp/earshot-vault-XXXXXX", file[64], why[VAULT_WHY_MAX];
	struct vault *v = NULL;
	struct seen seen;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/alerts.db", dir);
	make_sensor(&one, 1, 6, 2, "a");
	assert_int_equal(vault_open(&v, dir, why), 0);
	assert_string_equal(send(v, &one, 1, 3, &seen), "3");
	vault_close(&v);
	assert_int_equal(vault_open(&v, file, why), 0);
	assert_string_equal(send(v, &one, 1, 6, &seen), "6");
	assert_int_equal(seen.n, 3);
	check_alerts(v, 2, 5 + 6);
	assert_int_equal(sqlite3_exec(v->db, "PRAGMA user_version = 99", NULL, NULL, NULL),
			 SQLITE_OK);
	vault_close(&v);
	assert_int_equal(vault_open(&v, file, why), -EIO);
	assert_non_null(strstr(why, "another version"));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(vault_open(&v, "/nonexistent/x", why), -EIO);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),   cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_hole),	   cmocka_unit_test(test_two_stores),
		cmocka_unit_test(test_foreign_id), cmocka_unit_test(test_foreign_chain),
		cmocka_unit_test(test_changed),	   cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_stubs),	   cmocka_unit_test(test_bad_body),
		cmocka_unit_test(test_garbage),	   cmocka_unit_test(test_many_rejected),
		cmocka_unit_test(test_reopened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
