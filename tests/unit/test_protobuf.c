/* tests/unit/test_protobuf.c - the protobuf wire format, against what libprotobuf-c packs. */
#include "parse/protobuf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/own.h"
#include "evlog.h"
#include "guard.h"
#include "proto/earshot.pb-c.h"

static void log_field(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct evlog *l = ctx;
	char head[96];

	snprintf(head, sizeof(head), "%u: %u wire %u%s %llu ", *(const unsigned *)arg, f->number,
		 f->wire, f->cut ? " cut" : "", (unsigned long long)f->value);
	evlog_begin(l, "%s", head);
	evlog_text(l, f->bytes);
	evlog_end(l);
}

/* A row with a number. */
#define ROW(path, on, n)                                                                           \
	{                                                                                          \
		path, on, &(const unsigned)                                                        \
		{                                                                                  \
			n                                                                          \
		}                                                                                  \
	}

static const struct protobuf_row rows[] = {
	ROW("1", log_field, 1), ROW("2.1", log_field, 2), ROW("2.3.1", log_field, 3),
	ROW("2", log_field, 4), ROW("16", log_field, 5),
};

static void expect(struct span in, int want_rc, const char *want)
{
	auto_free(evlog) struct evlog log = { 0 };
	struct guard g = guard_new(in.len);
	int rc = protobuf_walk(guard_put(&g, in), rows, ARRAY_SIZE(rows), &log);

	assert_int_equal(rc, want_rc);
	assert_string_equal(log.p ? log.p : "", want);
	guard_free(&g);
}

static void test_walk(void **state)
{
	(void)state;
	expect(SPAN_LIT(""), 0, "");
	expect(SPAN_LIT("\x08\x96\x01"), 0, "1: 1 wire 0 150 \n");
	expect(SPAN_LIT("\x0a\x02hi\x0d\x01\x02\x03\x04\x09\x01\x00\x00\x00\x00\x00\x00\x80"), 0,
	       "1: 1 wire 2 0 hi\n1: 1 wire 5 67305985 \n1: 1 wire 1 9223372036854775809 \n");
	/* Messages in messages, each as often as it comes; fields of no row are passed over. */
	expect(SPAN_LIT("\x12\x0a\x0a\x01"
			"a\x1a\x03\x0a\x01"
			"b\x08\x01\x12\x03\x0a\x01"
			"c\x82\x01\x01x"),
	       0,
	       "4: 2 wire 2 0 \\n\\x01a\\x1a\\x03\\n\\x01b\\x08\\x01\n2: 1 wire 2 0 a\n3: 1 wire 2 "
	       "0 b\n"
	       "2: 1 wire 0 1 \n4: 2 wire 2 0 \\n\\x01c\n2: 1 wire 2 0 c\n5: 16 wire 2 0 x\n");
	/* Groups are messages. */
	expect(SPAN_LIT("\x13\x0a\x01"
			"a\x1b\x08\x05\x1c\x14\x08\x07"),
	       0,
	       "4: 2 wire 3 0 \\n\\x01a\\x1b\\x08\\x05\\x1c\n2: 1 wire 2 0 a\n3: 1 wire 0 5 \n1: 1 "
	       "wire 0 7 \n");
}

/* What was cut is given as far as it goes. */
static void test_cut(void **state)
{
	(void)state;
	expect(SPAN_LIT("\x0a\x05hel"), -EBADMSG, "1: 1 wire 2 cut 0 hel\n");
	expect(SPAN_LIT("\x12\x09\x0a\x05he"), -EBADMSG,
	       "4: 2 wire 2 cut 0 \\n\\x05he\n2: 1 wire 2 cut 0 he\n");
	expect(SPAN_LIT("\x08\x96"), -EBADMSG, "1: 1 wire 0 cut 0 \n");
	expect(SPAN_LIT("\x0d\x01\x02"), -EBADMSG, "1: 1 wire 5 cut 0 \n");
	expect(SPAN_LIT("\x0a\xff"), -EBADMSG, "1: 1 wire 2 cut 0 \n");
	expect(SPAN_LIT("\x13\x08\x05"), -EBADMSG,
	       "4: 2 wire 3 cut 0 \\x08\\x05\n2: 1 wire 0 5 \n");
}

static void test_broken(void **state)
{
	static const struct {
		const char *in;
		size_t len;
	} bad[] = {
		{ "\x00", 1 },	   /* field 0 */
		{ "\x0e", 1 },	   /* wire type 6 */
		{ "\x0c", 1 },	   /* the end of no group */
		{ "\x13\x1c", 2 }, /* of another one */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		  12 },				       /* a number without end */
		{ "\xff\xff\xff\xff\xff\x01\x01", 7 }, /* a field beyond 2^29 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect(span_of(bad[i].in, bad[i].len), -EBADMSG, "");
	/* What stands before it was read. */
	expect(SPAN_LIT("\x08\x01\x0e"), -EBADMSG, "1: 1 wire 0 1 \n");
}

static const struct protobuf_row deep[] = { ROW("1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
						log_field, 0) };

static void test_depth(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	uint8_t in[2 * (PROTOBUF_DEPTH_MAX + 4)];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i += 2) {
		in[i] = 0x0a;
		in[i + 1] = (uint8_t)(sizeof(in) - i - 2);
	}
	assert_int_equal(protobuf_walk(span_of(in, sizeof(in)), deep, 1, &log), -E2BIG);
	assert_null(log.p);
	memset(in, 0x0b, sizeof(in)); /* groups in groups */
	assert_int_equal(protobuf_walk(span_of(in, sizeof(in)), deep, 1, &log), -EBADMSG);
}

static void see(void *ctx, const struct protobuf_field *f, const void *arg)
{
	((struct protobuf_field *)ctx)[*(const unsigned *)arg] = *f;
}

static const struct protobuf_row ours[] = { ROW("1", see, 0), ROW("2", see, 1) };

/* What another implementation wrote. */
static void test_packed(void **state)
{
	Earshot__Ack ack = EARSHOT__ACK__INIT;
	struct protobuf_field got[2] = { 0 };
	uint8_t out[256];
	size_t n;

	(void)state;
	ack.through = 123456789012;
	n = earshot__ack__pack(&ack, out);
	assert_true(n > 0 && n <= sizeof(out));
	assert_int_equal(protobuf_walk(span_of(out, n), ours, ARRAY_SIZE(ours), got), 0);
	assert_true(got[0].value == ack.through || got[1].value == ack.through);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
