/* tests/unit/test_keep.c - from an inspector's messages to alerts, revisions and batches, on a real
 * store. */
#include "store/keep.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "keeper.h"

#define KIND "jailbreak.rules"
#define SEC  UINT64_C(1000000000)

struct world {
	struct keep *k;
	struct page page;
	enum mode modes[KIND_MAX_];
	struct keep_time now;
	char dir[64];
	int revised; /* told to followers */
	Earshot__Body__Action last_action;
	bool ship;
};

static struct world w;

static void revised(void *ctx, const Earshot__Body *body)
{
	struct world *x = ctx;

	x->revised++;
	x->last_action = body->action;
}

static int open_keep(void)
{
	const struct keep_opts o = { .path = "test.db",
				     .host = "host",
				     .modes = w.modes,
				     .ship = w.ship,
				     .page = &w.page,
				     .revised = revised,
				     .ctx = &w };

	return keep_open(&w.k, &o, w.now);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = (struct keep_time){ .mono_ns = 1000 * SEC, .wall_ns = 1700000000 * SEC };
	w.ship = true;
	strcpy(w.dir, "/dev/shm/earshot-test-XXXXXX");
	if (!mkdtemp(w.dir) || chdir(w.dir))
		return -1;
	return open_keep();
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	keep_free(&w.k);
	if (chdir("/"))
		return -1;
	snprintf(command, sizeof(command), "rm -rf %s", w.dir);
	return system(command);
}

static void take(const struct say *s)
{
	static struct said room;

	assert_int_equal(keep_take(w.k, say(&room, s)), 0);
}

static void commit(void)
{
	assert_int_equal(keep_commit(w.k, w.now, false), 0);
}

/* A finding, and its commit. */
#define FIND(n, ...)                                                                               \
	do {                                                                                       \
		take(&(struct say){ .epoch = 1,                                                    \
				    .number = (n),                                                 \
				    .exchange = (n),                                               \
				    .kind = KIND,                                                  \
				    .evidence = "e",                                               \
				    .key = "k",                                                    \
				    .turns = "su",                                                 \
				    __VA_ARGS__ });                                                \
		commit();                                                                          \
	} while (0)
#define OBSERVE(n, ...)                                                                            \
	do {                                                                                       \
		take(&(struct say){ .epoch = 1,                                                    \
				    .number = (n),                                                 \
				    .key = "k",                                                    \
				    .turns = "su",                                                 \
				    .after = "suA",                                                \
				    __VA_ARGS__ });                                                \
		commit();                                                                          \
	} while (0)

/* The newest alert, alone in list order. */
static struct stored_alert newest(bool hunt, size_t expect)
{
	const struct store_query q = { .limit = 100, .kind = "", .hunt = hunt };
	struct stored_alert a = { 0 };
	int64_t rows[100];

	assert_int_equal(store_alerts_find(keep_store(w.k), &q, rows, 100), expect);
	if (expect)
		assert_int_equal(store_alert_get(keep_store(w.k), rows[0], &a), 1);
	return a;
}

static Earshot__Batch *batch(void)
{
	uint8_t *raw;
	size_t len;
	Earshot__Batch *b;

	if (keep_batch(w.k, &raw, &len) != 1)
		return NULL;
	assert_true(len <= KEEP_BATCH_MAX);
	b = earshot__batch__unpack(NULL, len, raw);
	assert_non_null(b);
	free(raw);
	return b;
}

static int ack(uint64_t through, uint64_t reject)
{
	Earshot__Ack a = EARSHOT__ACK__INIT;
	Earshot__Ack__Rejected r = EARSHOT__ACK__REJECTED__INIT, *list = &r;

	a.through = through;
	r.sequence = reject;
	r.reason = "no";
	a.n_rejected = reject ? 1 : 0;
	a.rejected = &list;
	return keep_ack(w.k, &a);
}

static Earshot__Body *body_of(const Earshot__Revision *r)
{
	Earshot__Body *b = earshot__body__unpack(NULL, r->body.len, r->body.data);

	assert_non_null(b);
	return b;
}

static void test_one_attack_one_alert(void **state)
{
	struct stored_alert a;

	(void)state;
	FIND(1, .begin_ns = 990 * SEC);
	FIND(2, .pid = 200); /* the server's side */
	OBSERVE(3, .exchange = 1, .outcome = OUTCOME_ANSWERED);
	FIND(4, .turns = "suAv", .history = true,
	     .outcome = OUTCOME_TOOL_EXECUTED); /* resent history */
	a = newest(false, 1);
	assert_int_equal(a.alert->count, 3);
	assert_int_equal(a.alert->pids, 2);
	assert_int_equal(a.alert->outcome, EARSHOT__OUTCOME__OUTCOME_ANSWERED);
	assert_int_equal(a.alert->first_seen_ns, w.now.wall_ns - 10 * SEC);
	assert_int_equal(a.revision, 2); /* create, the outcome */
	assert_true(a.dirty);
	stored_alert_free(&a);
	assert_int_equal(page_get(&w.page, CTR_ALERTS), 1);
	assert_int_equal(page_get(&w.page, CTR_FINDINGS_STORED), 3);
	assert_int_equal(page_get(&w.page, CTR_OBSERVATIONS), 1);
	assert_int_equal(w.revised, 2);
}

static void test_apart(void **state)
{
	struct stored_alert a;

	(void)state;
	FIND(1);
	FIND(2, .turns = "sv", .evidence = "f"); /* another conversation */
	FIND(3, .key = "other");
	FIND(4, .kind = "credential.leak");
	FIND(5, .turns = NULL, .evidence = "g"); /* unknown conversation: by evidence */
	FIND(6, .turns = NULL, .evidence = "h");
	FIND(7, .turns = NULL, .evidence = "h");
	a = newest(false, 6);
	stored_alert_free(&a);
}

/* A branch of a conversation resends what was alerted before it branched. */
static void test_history_finds_its_alert(void **state)
{
	struct stored_alert a;

	(void)state;
	FIND(1);
	FIND(2, .turns = "suXYZv", .history = true);
	a = newest(false, 1);
	stored_alert_free(&a);
	FIND(3, .turns = "suXYZv"); /* and the attack again, now new there */
	a = newest(false, 1);
	assert_int_equal(a.alert->count, 3);
	stored_alert_free(&a);
}

static void test_repeated(void **state)
{
	struct stored_alert a;

	(void)state;
	FIND(1);
	FIND(2);
	assert_int_equal(keep_committed(w.k), 2);
	FIND(1);
	FIND(2);
	assert_int_equal(page_get(&w.page, CTR_FINDINGS_REPEATED), 2);
	/* Another inspector begins at 1. What it had committed is asked of it alone. */
	keep_new_sender(w.k);
	assert_int_equal(keep_committed(w.k), 0);
	FIND(1, .epoch = 2);
	assert_int_equal(keep_committed(w.k), 1);
	/* The one before had something in its socket still. */
	take(&(struct say){
	    .epoch = 2, .number = 2, .kind = KIND, .evidence = "e", .key = "k", .turns = "su" });
	take(&(struct say){
	    .epoch = 1, .number = 3, .kind = KIND, .evidence = "e", .key = "k", .turns = "su" });
	commit();
	assert_int_equal(keep_committed(w.k), 2);
	/* A restarted keeper knows it all. */
	keep_free(&w.k);
	assert_int_equal(open_keep(), 0);
	FIND(3);
	assert_int_equal(page_get(&w.page, CTR_FINDINGS_REPEATED), 3);
	assert_int_equal(keep_committed(w.k), 3);
	a = newest(false, 1);
	assert_int_equal(a.alert->count, 5);
	stored_alert_free(&a);
}

static void test_counts_are_coalesced(void **state)
{
	struct stored_alert a;

	(void)state;
	for (uint64_t n = 1; n <= 50; n++)
		FIND(n);
	assert_int_equal(page_get(&w.page, CTR_REVISIONS), 1);
	w.now.wall_ns += KEEP_REVISE_NS + 1;
	commit();
	assert_int_equal(page_get(&w.page, CTR_REVISIONS), 2);
	a = newest(false, 1);
	assert_false(a.dirty);
	assert_int_equal(a.alert->count, 50);
	stored_alert_free(&a);
	commit();
	assert_int_equal(page_get(&w.page, CTR_REVISIONS), 2);
	/* A clock that was set back does not hold them up. */
	FIND(51);
	w.now.wall_ns -= 3600 * SEC;
	commit();
	assert_int_equal(page_get(&w.page, CTR_REVISIONS), 3);
	FIND(52);
	assert_int_equal(keep_commit(w.k, w.now, true), 0); /* stopping: at once */
	assert_int_equal(page_get(&w.page, CTR_REVISIONS), 4);
}

static void test_window(void **state)
{
	struct stored_alert a;

	(void)state;
	FIND(1);
	w.now.wall_ns += KEEP_WINDOW_NS + 1;
	FIND(2);
	a = newest(false, 2);
	stored_alert_free(&a);
}

static void test_modes(void **state)
{
	struct stored_alert a;
	Earshot__Batch *b;

	(void)state;
	FIND(1, .mode = MODE_HUNT);
	a = newest(false, 0);
	a = newest(true, 1);
	stored_alert_free(&a);
	assert_int_equal(page_get(&w.page, CTR_FINDINGS_HUNT), 1);
	/* Upstream gets its place in the chain, not its body. */
	b = batch();
	assert_int_equal(b->n_revisions, 1);
	assert_int_equal(b->revisions[0]->body.len, 0);
	assert_int_equal(b->revisions[0]->body_hash.len, CHAIN_HASH_LEN);
	earshot__batch__free_unpacked(b, NULL);
	w.modes[kind_find("credential.leak")] = MODE_OFF;
	FIND(2, .kind = "credential.leak");
	assert_int_equal(page_get(&w.page, CTR_FINDINGS_OFF), 1);
	a = newest(true, 1);
	stored_alert_free(&a);
	assert_int_equal(keep_committed(w.k), 2);
}

static void test_ships(void **state)
{
	struct chain c;
	Earshot__Batch *b;
	Earshot__Body *body;

	(void)state;
	FIND(1);
	FIND(2, .evidence = "f");
	FIND(3, .key = "other");
	b = batch();
	assert_int_equal(b->n_revisions, 3);
	assert_string_equal(b->host, "host");
	chain_begin(&c, b->store.data);
	for (size_t i = 0; i < b->n_revisions; i++)
		assert_int_equal(chain_verify(&c, b->revisions[i]), 0);
	body = body_of(b->revisions[0]);
	assert_int_equal(body->action, EARSHOT__BODY__ACTION__CREATE);
	assert_int_equal(body->revision, 1);
	assert_int_equal(body->n_findings, 1);
	assert_int_equal(body->findings[0]->number, 1);
	earshot__body__free_unpacked(body, NULL);
	body = body_of(b->revisions[1]);
	assert_int_equal(body->action, EARSHOT__BODY__ACTION__UPDATE);
	assert_int_equal(body->alert->n_evidence, 2);
	earshot__body__free_unpacked(body, NULL);
	earshot__batch__free_unpacked(b, NULL);

	assert_int_equal(ack(0, 0), 0);
	assert_int_equal(ack(1, 0), 1);
	b = batch();
	assert_int_equal(b->revisions[0]->sequence, 2);
	earshot__batch__free_unpacked(b, NULL);
	FIND(4, .key = "third");
	/* More than was sent cannot be acknowledged. */
	assert_int_equal(ack(99, 2), 1);
	assert_int_equal(store_outbox(keep_store(w.k)), 1);
	b = batch();
	assert_int_equal(b->revisions[0]->sequence, 4);
	earshot__batch__free_unpacked(b, NULL);
	assert_int_equal(ack(4, 0), 1);
	assert_null(batch());
	assert_int_equal(store_verify(keep_store(w.k), 1000), 0);
}

/* Batches stay below their cap, whatever is in the outbox. */
static void test_batches(void **state)
{
	char text[301];
	uint64_t seen = 0;
	Earshot__Batch *b;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	for (uint64_t n = 1; n <= 100; n++) {
		snprintf(text, 8, "%06u", (unsigned)n);
		text[6] = 'x';
		FIND(n, .evidence = text, .turns = n % 20 ? "su" : text);
	}
	while ((b = batch())) {
		assert_int_equal(b->revisions[0]->sequence, seen + 1);
		seen += b->n_revisions;
		assert_int_equal(b->revisions[b->n_revisions - 1]->sequence, seen);
		earshot__batch__free_unpacked(b, NULL);
		assert_int_equal(ack(seen, 0), 1);
	}
	assert_int_equal(seen, page_get(&w.page, CTR_REVISIONS));
	assert_true(seen > 16);
}

static void test_no_upstream(void **state)
{
	(void)state;
	keep_free(&w.k);
	w.ship = false;
	assert_int_equal(open_keep(), 0);
	FIND(1);
	assert_int_equal(store_outbox(keep_store(w.k)), 0);
	assert_int_equal(store_chain(keep_store(w.k))->sequence, 1);
	assert_null(batch());
}

static void test_sensor(void **state)
{
	struct stored_alert a;

	(void)state;
	keep_sensor(w.k, "sensor.loss", "Ring 1 was full", 5, 100);
	keep_sensor(w.k, "sensor.loss", "Ring 2 was full", 6, 200);
	keep_sensor(w.k, "no.such", "x", 0, 0);
	commit();
	a = newest(false, 1);
	assert_string_equal(a.alert->kind, "sensor.loss");
	assert_int_equal(a.alert->count, 2);
	assert_int_equal(a.alert->n_evidence, 1);
	assert_string_equal(a.alert->evidence[0]->why, "Ring 2 was full, 6 events, 200 bytes");
	stored_alert_free(&a);
	assert_int_equal(page_get(&w.page, CTR_KEEPER_BAD), 1);
	keep_sensor(w.k, "sensor.upstream", "It said \x1b[31m\xff", 0, 0); /* hostile text */
	w.now.wall_ns += SEC;
	commit();
	a = newest(false, 2);
	assert_string_equal(a.alert->evidence[0]->why, "It said \\x1b[31m\\xff");
	stored_alert_free(&a);
	for (int i = 0; i < 100; i++)
		keep_sensor(w.k, "sensor.restart", "again", 0, 0);
	assert_false(keep_full(w.k));
	commit();
}

static void test_dropped(void **state)
{
	uint8_t msg[32];
	ssize_t len = pack_dropped(12, msg, sizeof(msg));
	struct stored_alert a;

	(void)state;
	assert_int_equal(keep_take(w.k, span_of(msg, (size_t)len)), 0);
	commit();
	a = newest(false, 1);
	assert_string_equal(a.alert->kind, "sensor.loss");
	assert_non_null(strstr(a.alert->evidence[0]->why, "12 events"));
	stored_alert_free(&a);
}

static void test_hostile(void **state)
{
	static struct said room;
	struct say s = { .epoch = 1, .number = 1, .kind = KIND, .evidence = "e" };
	char big[4096];
	struct span m;

	(void)state;
	assert_int_equal(keep_take(w.k, SPAN_LIT("\xff\xff\xff")), -EBADMSG);
	assert_int_equal(keep_take(w.k, SPAN_LIT("")), -EBADMSG);
	s.kind = "no.such";
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EBADMSG);
	s.kind = KIND;
	s.number = 0;
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EBADMSG);
	s.number = 1;
	s.end_user = "\xc3";
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EBADMSG);
	s.end_user = NULL;
	s.outcome = 77;
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EBADMSG);
	s.outcome = 0;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	s.evidence = big;
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EBADMSG);
	s.evidence = "e";
	/* Cut anywhere. */
	m = say(&room, &s);
	for (size_t i = 0; i < m.len; i++)
		keep_take(w.k, span_sub(m, 0, i));
	commit();
}

static void test_full(void **state)
{
	static struct said room;
	struct say s = { .epoch = 1, .kind = KIND, .evidence = "e" };

	(void)state;
	for (s.number = 1; s.number <= KEEP_QUEUE_MAX; s.number++)
		assert_int_equal(keep_take(w.k, say(&room, &s)), 0);
	assert_true(keep_full(w.k));
	assert_int_equal(keep_take(w.k, say(&room, &s)), -EAGAIN);
	keep_sensor(w.k, "sensor.loss", "still room for this", 0, 0);
	commit();
	assert_int_equal(keep_committed(w.k), KEEP_QUEUE_MAX);
	assert_false(keep_full(w.k));
	assert_int_equal(page_get(&w.page, CTR_ALERTS), 2);
}

static void test_damaged_store(void **state)
{
	uint8_t old[CHAIN_STORE_LEN];
	struct stored_alert a;
	FILE *f;

	(void)state;
	for (uint64_t n = 1; n <= 20; n++)
		FIND(n, .key = (char[]){ (char)('a' + n), 0 });
	memcpy(old, store_chain(keep_store(w.k))->store, sizeof(old));
	keep_free(&w.k);
	f = fopen("test.db", "r+");
	assert_non_null(f);
	for (long at = 4096; at < 40960; at += 512) {
		fseek(f, at, SEEK_SET);
		fputs("damage", f);
	}
	fclose(f);
	assert_int_equal(open_keep(), 0);
	assert_memory_not_equal(old, store_chain(keep_store(w.k))->store, sizeof(old));
	commit();
	a = newest(false, 1);
	assert_string_equal(a.alert->kind, "sensor.store");
	assert_non_null(strstr(a.alert->evidence[0]->why, "test.db.corrupt-20231114T2"));
	stored_alert_free(&a);
	assert_int_equal(access("test.db.corrupt-20231114T221320Z", F_OK), 0);
}

/* A changed revision is noticed although SQLite finds its file in order. */
static void test_forged_revision(void **state)
{
	(void)state;
	FIND(1);
	FIND(2, .evidence = "f");
	keep_free(&w.k);
	assert_int_equal(
	    system(
		"sqlite3 test.db \"UPDATE revision SET body = body || x'00' WHERE sequence = 1\""),
	    0);
	assert_int_equal(open_keep(), 0);
	assert_int_equal(store_chain(keep_store(w.k))->sequence, 0);
}

/* A damaged row with a change that no revision holds does not come back for ever. */
static void test_forged_alert(void **state)
{
	(void)state;
	FIND(1);
	FIND(2);
	keep_free(&w.k);
	assert_int_equal(system("sqlite3 test.db \"UPDATE alert SET body = x'00'\""), 0);
	assert_int_equal(open_keep(), 0);
	assert_int_equal(store_alerts(keep_store(w.k)), 1);
	w.now.wall_ns += KEEP_REVISE_NS + 1;
	commit();
	assert_int_equal(page_get(&w.page, CTR_STORE_ERRORS), 1);
	assert_int_equal(store_alerts(keep_store(w.k)), 0);
	FIND(3);
	assert_int_equal(store_alerts(keep_store(w.k)), 1);
}

/* Upstream is away for long: alerts stay whole, revisions wait for room, nothing is out of order.
 */
static void test_full_outbox(void **state)
{
	struct stored_alert a;
	Earshot__Batch *b;
	uint64_t n = 0;
	char key[16];

	(void)state;
	while (store_outbox(keep_store(w.k)) < STORE_OUTBOX_MAX) {
		snprintf(key, sizeof(key), "%u", (unsigned)++n);
		if (keep_full(w.k))
			commit();
		take(&(struct say){ .epoch = 1,
				    .number = n,
				    .kind = KIND,
				    .evidence = "e",
				    .key = key,
				    .turns = "su" });
	}
	commit();
	assert_int_equal(store_chain(keep_store(w.k))->sequence, STORE_OUTBOX_MAX);
	w.now.wall_ns += SEC;
	take(&(struct say){ .epoch = 1,
			    .number = n + 1,
			    .kind = "credential.leak",
			    .evidence = "late",
			    .turns = "late" });
	commit();
	assert_int_equal(keep_committed(w.k), n + 1);
	assert_int_equal(store_chain(keep_store(w.k))->sequence, STORE_OUTBOX_MAX);
	assert_int_equal(page_get(&w.page, CTR_ALERTS), STORE_OUTBOX_MAX);
	/* As upstream takes some, the others follow. */
	for (int i = 0; i < 30; i++) {
		b = batch();
		assert_int_equal(ack(b->revisions[b->n_revisions - 1]->sequence, 0), 1);
		earshot__batch__free_unpacked(b, NULL);
		assert_true(keep_commit(w.k, w.now, false) >= 0);
	}
	assert_int_equal(page_get(&w.page, CTR_ALERTS), n + 1);
	assert_int_equal(store_chain(keep_store(w.k))->sequence, n + 1);
	a = newest(false, 100);
	assert_string_equal(a.alert->kind, "credential.leak");
	assert_int_equal(a.revision, 1);
	assert_false(a.dirty);
	stored_alert_free(&a);
}

/* Killed anywhere: what was acknowledged is there, once, and the chain holds. */
static void test_killed(void **state)
{
	volatile uint64_t *acked =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t before = 0;

	(void)state;
	assert_ptr_not_equal((void *)acked, MAP_FAILED);
	keep_free(&w.k);
	for (int round = 0; round < 12; round++) {
		struct stored_alert a;
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			static struct said room;
			/* Sends again what it cannot know to be committed. */
			struct say s = { .epoch = 1,
					 .kind = KIND,
					 .evidence = "e",
					 .key = "k",
					 .turns = "su",
					 .number = before > 3 ? before - 3 : 1 };

			if (open_keep())
				_exit(1);
			for (;; s.number++) {
				s.pid = 100 + (uint32_t)s.number % 3;
				if (keep_take(w.k, say(&room, &s)) ||
				    keep_commit(w.k, w.now, s.number % 2) < 0)
					_exit(2);
				*acked = keep_committed(w.k);
			}
		}
		usleep(15000 + 3701 * (unsigned)round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		assert_int_equal(open_keep(), 0);
		assert_int_equal(store_verify(keep_store(w.k), UINT64_MAX), 0);
		if (*acked) {
			a = newest(false, 1);
			/* One more may have been committed than the child came to say. */
			assert_in_range(a.alert->count, *acked, *acked + 1);
			before = a.alert->count;
			stored_alert_free(&a);
		}
		keep_free(&w.k);
	}
	assert_true(before > 12);
	assert_int_equal(open_keep(), 0);
	munmap((void *)acked, 4096);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_attack_one_alert),
		T(test_apart),
		T(test_history_finds_its_alert),
		T(test_repeated),
		T(test_counts_are_coalesced),
		T(test_window),
		T(test_modes),
		T(test_ships),
		T(test_batches),
		T(test_no_upstream),
		T(test_sensor),
		T(test_dropped),
		T(test_hostile),
		T(test_full),
		T(test_damaged_store),
		T(test_forged_revision),
		T(test_forged_alert),
		T(test_full_outbox),
		T(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
