/* tests/unit/test_store.c - the file: transactions, caps, damage of every sort. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

#define SEC UINT64_C(1000000000)
#define NOW (1700000000 * SEC)

static struct store *s;
static char dir[64], aside[64];

static int open_store(void)
{
	return store_open(&s, "test.db", NOW, aside);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/dev/shm/earshot-test-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir))
		return -1;
	return open_store();
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	store_free(&s);
	if (chdir("/"))
		return -1;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Within a transaction: an alert that was seen at second t. Its row. */
static int64_t put(uint32_t number, enum mode mode, uint64_t t)
{
	Earshot__Alert a = EARSHOT__ALERT__INIT;
	Earshot__Body pending = EARSHOT__BODY__INIT;
	struct stored_alert sa = { .alert = &a, .pending = &pending };
	uint8_t id[MERGE_ID_LEN] = { 0 }, key[MERGE_KEY_LEN] = { 0 };

	memcpy(id, &number, sizeof(number));
	memcpy(key, &number, sizeof(number));
	a.id = (ProtobufCBinaryData){ sizeof(id), id };
	a.kind = "jailbreak.rules";
	a.mode = (Earshot__Mode)mode;
	a.last_seen_ns = NOW + t * SEC;
	assert_int_equal(store_alert_put(s, &sa), 0);
	assert_int_equal(store_alert_key(s, key, sa.row), 0);
	return sa.row;
}

static int get(int64_t row)
{
	struct stored_alert a;
	int found = store_alert_get(s, row, &a);

	stored_alert_free(&a);
	return found;
}

static int get_by_key(uint32_t number, uint64_t since)
{
	uint8_t key[MERGE_KEY_LEN] = { 0 };
	struct stored_alert a;
	int found;

	memcpy(key, &number, sizeof(number));
	found = store_alert_by_key(s, key, since, &a);
	stored_alert_free(&a);
	return found;
}

static void test_rollback(void **state)
{
	struct chain before = *store_chain(s);
	int64_t row;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	row = put(1, MODE_ALERT, 0);
	assert_int_equal(store_revise(s, SPAN_LIT("body"), STORE_SHIP_WHOLE), 0);
	assert_int_equal(store_alerts(s), 1);
	assert_int_equal(store_outbox(s), 1);
	assert_int_equal(get(row), 1);
	store_rollback(s);
	assert_int_equal(store_alerts(s), 0);
	assert_int_equal(store_outbox(s), 0);
	assert_memory_equal(&before, store_chain(s), sizeof(before));
	assert_int_equal(get(row), 0);
	/* And on from there. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_revise(s, SPAN_LIT("body"), STORE_SHIP_WHOLE), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_chain(s)->sequence, 1);
	assert_int_equal(store_verify(s, 10), 0);
}

static void test_reopen(void **state)
{
	struct chain before;
	uint64_t committed;
	int64_t row, again;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	put(1, MODE_ALERT, 5);
	assert_int_equal(store_revise(s, SPAN_LIT("one"), STORE_SHIP_WHOLE), 0);
	assert_int_equal(store_revise(s, SPAN_LIT("two"), STORE_SHIP_STUB), 0);
	assert_int_equal(store_revise(s, SPAN_LIT("three"), STORE_SHIP_NOT), 0);
	assert_int_equal(store_epoch(s, SPAN_LIT("0123456789abcdef"), 4, &row, &committed), 0);
	assert_int_equal(committed, 0);
	assert_int_equal(store_epoch_commit(s, row, 17), 0);
	assert_int_equal(store_commit(s), 0);
	before = *store_chain(s);
	store_free(&s);
	assert_int_equal(open_store(), 0);
	assert_string_equal(aside, "");
	assert_memory_equal(&before, store_chain(s), sizeof(before));
	assert_int_equal(store_alerts(s), 1);
	assert_int_equal(store_outbox(s), 2);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_epoch(s, SPAN_LIT("0123456789abcdef"), 4, &again, &committed), 0);
	assert_int_equal(again, row);
	assert_int_equal(committed, 17);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(get_by_key(1, NOW + 5 * SEC), 1);
	assert_int_equal(get_by_key(1, NOW + 6 * SEC), 0);
	assert_int_equal(get_by_key(2, 0), 0);
}

static void test_body_cap(void **state)
{
	static uint8_t big[STORE_BODY_MAX + 1];
	Earshot__Batch b = EARSHOT__BATCH__INIT;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_revise(s, span_of(big, sizeof(big)), STORE_SHIP_WHOLE), -E2BIG);
	assert_int_equal(store_revise(s, span_of(big, STORE_BODY_MAX), STORE_SHIP_WHOLE), 0);
	assert_int_equal(store_commit(s), 0);
	/* The largest one fits a batch. */
	assert_int_equal(store_batch(s, &b, 64 << 10), 1);
	earshot__revision__free_unpacked(b.revisions[0], NULL);
	free(b.revisions);
}

/* Hunt first, then the longest unseen; what led to them goes as well. */
static void test_prune_alerts(void **state)
{
	const uint32_t n = STORE_ALERTS_MAX + STORE_ALERTS_SLACK;
	int64_t first_alert, hunt, last;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	first_alert = put(1, MODE_ALERT, 1);
	hunt = put(2, MODE_HUNT, 99999);
	for (uint32_t i = 3; i <= n; i++)
		put(i, MODE_ALERT, i);
	assert_false(store_crowded(s));
	last = put(n + 1, MODE_ALERT, n + 1);
	assert_true(store_crowded(s));
	assert_int_equal(store_prune(s), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_alerts(s), STORE_ALERTS_MAX);
	assert_int_equal(get(hunt), 0);
	assert_int_equal(get(first_alert), 0);
	assert_int_equal(get_by_key(1, 0), 0);
	assert_int_equal(get(last), 1);
	assert_int_equal(get_by_key(n + 1, 0), 1);
}

/* Old revisions go, unless upstream still needs them. */
static void test_prune_revisions(void **state)
{
	Earshot__Batch b = EARSHOT__BATCH__INIT;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int i = 0; i < STORE_REVISIONS_MAX + 100; i++)
		assert_int_equal(
		    store_revise(s, SPAN_LIT("body"), i == 10 ? STORE_SHIP_WHOLE : STORE_SHIP_NOT),
		    0);
	assert_int_equal(store_prune(s), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_verify(s, UINT64_MAX), 0);
	assert_int_equal(store_batch(s, &b, 64 << 10), 1);
	assert_int_equal(b.revisions[0]->sequence, 11);
	earshot__revision__free_unpacked(b.revisions[0], NULL);
	free(b.revisions);
	store_free(&s);
	assert_int_equal(open_store(), 0);
	assert_string_equal(aside, "");
	assert_int_equal(store_chain(s)->sequence, STORE_REVISIONS_MAX + 100);
}

static void test_one_writer(void **state)
{
	struct store *second = NULL;

	(void)state;
	assert_int_equal(store_open(&second, "test.db", NOW, aside), -EBUSY);
	assert_null(second);
	assert_int_equal(access("test.db", F_OK), 0);
}

static void test_newer_version(void **state)
{
	(void)state;
	store_free(&s);
	assert_int_equal(system("sqlite3 test.db 'PRAGMA user_version = 99'"), 0);
	assert_int_equal(open_store(), -EPROTO);
	assert_int_equal(system("test \"$(sqlite3 test.db 'PRAGMA user_version')\" = 99"), 0);
}

/* A row that SQLite finds in order but that is not what was written. */
static void test_forged_alert(void **state)
{
	int64_t row;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	row = put(1, MODE_ALERT, 0);
	assert_int_equal(store_commit(s), 0);
	store_free(&s);
	assert_int_equal(system("sqlite3 test.db \"UPDATE alert SET body = body || x'00'\""), 0);
	assert_int_equal(open_store(), 0);
	assert_int_equal(get(row), -EBADMSG);
}

static size_t make_files(uint8_t **db)
{
	FILE *f;
	long n;

	assert_int_equal(store_begin(s), 0);
	for (uint32_t i = 0; i < 60; i++) {
		put(i, MODE_ALERT, i);
		assert_int_equal(store_revise(s,
					      SPAN_LIT("a body of some length, so that pages fill"),
					      STORE_SHIP_WHOLE),
				 0);
	}
	assert_int_equal(store_commit(s), 0);
	store_free(&s);
	f = fopen("test.db", "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	*db = malloc((size_t)n);
	assert_int_equal(fread(*db, 1, (size_t)n, f), n);
	fclose(f);
	return (size_t)n;
}

static void write_file(const uint8_t *db, size_t len)
{
	auto_close int fd = -1;

	assert_int_equal(system("rm -f test.db*"), 0);
	fd = open("test.db", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, db, len), len);
}

/* However the file is damaged: the store opens, as it was or new, and works. */
static void opens_and_works(const uint8_t *db, size_t len)
{
	write_file(db, len);
	assert_int_equal(open_store(), 0);
	assert_true(store_chain(s)->sequence == (*aside || !len ? 0 : 60));
	assert_int_equal(store_begin(s), 0);
	put(1000, MODE_ALERT, 0);
	assert_int_equal(store_revise(s, SPAN_LIT("more"), STORE_SHIP_WHOLE), 0);
	assert_int_equal(store_commit(s), 0);
	store_free(&s);
}

static void test_truncated(void **state)
{
	uint8_t *db;
	size_t len = make_files(&db);

	(void)state;
	for (size_t n = 0; n < len; n += n < 200 ? 33 : 3001)
		opens_and_works(db, n);
	free(db);
}

static void test_flipped(void **state)
{
	uint8_t *db;
	size_t len = make_files(&db);

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		size_t at = i < 16 ? i : (i * 7919) % len;

		db[at] ^= 0x41;
		write_file(db, len);
		assert_int_equal(open_store(), 0);
		assert_int_equal(store_verify(s, UINT64_MAX), 0);
		store_free(&s);
		db[at] ^= 0x41;
	}
	free(db);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rollback),      T(test_reopen),		T(test_body_cap),
		T(test_prune_alerts),  T(test_prune_revisions), T(test_one_writer),
		T(test_newer_version), T(test_forged_alert),	T(test_truncated),
		T(test_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
