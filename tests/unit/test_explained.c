/* tests/unit/test_explained.c - what another process says comes out within bounds and as valid
 * UTF-8; turns are counted by process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/own.h"
#include "capture/hint.h"
#include "store/explained.h"

static bool valid(const char *s)
{
	struct span left = span_str(s);
	uint32_t cp;

	while (left.len) {
		size_t n = utf8_decode(left, &cp);

		if (!n)
			return false;
		left = span_sub(left, n, left.len);
	}
	return true;
}

/* Every byte of the message may be anything. */
static void test_hostile(void **state)
{
	static struct explained e;
	static uint8_t packed[64 << 10];
	struct explain_reply r;

	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		Earshot__ExplainReply *back;
		size_t len;

		srand(seed);
		for (size_t i = 0; i < sizeof(e); i++)
			((uint8_t *)&e)[i] = (uint8_t)(seed == 0 ? 0xff : rand());
		explain_reply(&r, &e, NULL, 5);
		assert_int_equal(r.reply.n_files, EXPLAIN_FILES_MAX);
		len = earshot__explain_reply__get_packed_size(&r.reply);
		assert_true(len <= sizeof(packed));
		earshot__explain_reply__pack(&r.reply, packed);
		back = earshot__explain_reply__unpack(NULL, len, packed);
		assert_non_null(back);
		assert_true(valid(back->reason) && valid(back->process->command_line) &&
			    valid(back->files[7]->path) &&
			    valid(back->files[0]->sites[15]->symbol));
		assert_true(back->files[0]->build_id.len <= 20);
		earshot__explain_reply__free_unpacked(back, NULL);
	}
}

static void test_fields(void **state)
{
	static struct explained e = {
		.pid = 7,
		.state = EXPLAIN_CAPTURED,
		.reason = "because",
		.n_files = 1,
		.bytes = 100,
		.lost_ns = 60,
		.lost_why = EV_LOSS_RING,
		.proc = { .tgid = 7, .start_ns = 1000000000, .comm = "me", .container = "c0ffee" },
		.files = { { .path = "/lib/x.so",
			     .hints = 1u << HINT_GO | 1u << HINT_NSS,
			     .n_sites = 1,
			     .sites = { { .site = EV_SITE_READ_EX,
					  .choice = SITE_INTERNAL_PUSH,
					  .symbol = "SSL_read_ex" } } } },
	};
	static struct tally t;
	struct explain_reply r;

	(void)state;
	tally_turn(&t, 7, 1000000000, 10);
	tally_turn(&t, 7, 1010000000, 20); /* within the ticks of /proc */
	explain_reply(&r, &e, tally_of(&t, 7, 1000000000), 100);
	assert_string_equal(r.reply.state, "captured");
	assert_string_equal(r.reply.process->comm, "me");
	assert_string_equal(r.reply.container->id, "c0ffee");
	assert_string_equal(r.reply.last_loss, "lost.ring_bytes");
	assert_int_equal(r.reply.last_loss_age_ns, 40);
	assert_int_equal(r.reply.turns, 2);
	assert_int_equal(r.reply.last_turn_age_ns, 80);
	assert_int_equal(r.reply.files[0]->n_hints, 2);
	assert_string_equal(r.reply.files[0]->hints[1], "nss");
	for (e.lost_why = 0; e.lost_why < EV_LOSS_MAX_; e.lost_why++) {
		explain_reply(&r, &e, NULL, 100);
		assert_memory_equal(r.reply.last_loss, "lost.", 5);
	}
	assert_string_equal(r.reply.files[0]->sites[0]->call, "read_ex");
	assert_string_equal(r.reply.files[0]->sites[0]->choice, "shared-internal");
}

static void test_tally(void **state)
{
	static struct tally t;

	(void)state;
	assert_null(tally_of(&t, 0, 0));
	assert_null(tally_of(&t, 1, 1));
	tally_turn(&t, 1, 5000000000, 1);
	assert_int_equal(tally_of(&t, 1, 5000000000)->turns, 1);
	/* The same number, another process. */
	assert_null(tally_of(&t, 1, 6000000000));
	/* One that falls into the same row takes it over. */
	tally_turn(&t, 1 + TALLY_ROWS, 5000000000, 2);
	assert_null(tally_of(&t, 1, 5000000000));
	assert_int_equal(tally_of(&t, 1 + TALLY_ROWS, 5000000000)->turns, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_tally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
