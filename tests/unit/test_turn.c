/* tests/unit/test_turn.c - a turn keeps its caps and says what it left out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/own.h"
#include "dialect/dialect.h"
#include "nomem.h"

static void test_segments_cap(void **state)
{
	struct turn t = { 0 };

	(void)state;
	for (int i = 0; i < TURN_SEGMENTS_MAX; i++)
		assert_non_null(turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST));
	assert_null(turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST));
	turn_text(&t, NULL, SPAN_LIT("12345"));
	assert_int_equal(t.inspected, 0);
	assert_int_equal(t.uninspected, 5);
	turn_clear(&t);
	assert_null(t.segments);
}

/* The cap of one text cuts at a whole character. */
static void test_segment_cap(void **state)
{
	auto_mem uint8_t *big = malloc(SEGMENT_MAX);
	struct turn t = { 0 };
	struct segment *s;

	(void)state;
	memset(big, 'a', SEGMENT_MAX);
	s = turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST);
	turn_text(&t, s, span_of(big, SEGMENT_MAX - 2));
	assert_false(s->damaged);
	turn_text(&t, s, SPAN_LIT("\xe2\x82\xac!"));
	assert_int_equal(s->text.len, SEGMENT_MAX - 2);
	assert_int_equal(s->missing, 4);
	assert_true(s->damaged);
	assert_int_equal(t.inspected, SEGMENT_MAX - 2);
	assert_int_equal(t.uninspected, 4);
	turn_clear(&t);
}

static void test_turn_cap(void **state)
{
	auto_mem uint8_t *big = malloc(SEGMENT_MAX);
	struct turn t = { 0 };

	(void)state;
	memset(big, 'a', SEGMENT_MAX);
	for (int i = 0; i < TURN_TEXT_MAX / SEGMENT_MAX + 1; i++)
		turn_text(&t, turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST),
			  span_of(big, SEGMENT_MAX));
	assert_int_equal(t.inspected, TURN_TEXT_MAX);
	assert_int_equal(t.uninspected, SEGMENT_MAX);
	turn_skip(&t, SKIP_AUDIO, 7);
	assert_int_equal(t.skipped[SKIP_AUDIO], 7);
	assert_int_equal(t.uninspected, SEGMENT_MAX + 7);
	turn_clear(&t);
}

/* What all turns hold together is capped as well, and given back. */
static void test_shared_cap(void **state)
{
	uint64_t left = 100 * sizeof(struct segment) + 10;
	struct turn a = { .left = &left }, b = { .left = &left };
	const uint64_t all = left;
	size_t n = 0;

	(void)state;
	turn_text(&a, turn_segment(&a, SEG_USER, ORIGIN_USER, SIDE_REQUEST), SPAN_LIT("1234"));
	while (turn_segment(&b, SEG_USER, ORIGIN_USER, SIDE_REQUEST))
		n++;
	assert_int_equal(n, 64);
	turn_text(&b, &b.segments[0], SPAN_LIT("12345"));
	assert_int_equal(b.inspected, 5);
	left = 3;
	turn_text(&a, &a.segments[0], SPAN_LIT("5678"));
	assert_int_equal(a.inspected, 4);
	assert_int_equal(a.uninspected, 4);
	left = all - a.taken - b.taken;
	turn_clear(&a);
	turn_clear(&b);
	assert_int_equal(left, all);
}

static void piece(char *field, size_t size, const char *text, bool first)
{
	struct json_event e = {
		.kind = JSON_STRING, .path = "", .text = span_str(text), .first = first
	};

	turn_id_piece(field, size, &e);
}

static void test_ids(void **state)
{
	char id[8];
	struct json_event null = { .kind = JSON_NULL, .path = "", .first = true, .last = true };

	(void)state;
	turn_id(id, sizeof(id), SPAN_LIT("1234567890"));
	assert_string_equal(id, "1234567");
	turn_id(id, sizeof(id), SPAN_LIT("123456\xc3\xa4"));
	assert_string_equal(id, "123456");
	turn_id(id, sizeof(id), (struct span){ 0 });
	assert_string_equal(id, "");
	piece(id, sizeof(id), "abc", true);
	piece(id, sizeof(id), "def", false);
	assert_string_equal(id, "abcdef");
	/* Nothing follows what did not fit. */
	piece(id, sizeof(id), "\xc3\xa4", false);
	piece(id, sizeof(id), "x", false);
	assert_string_equal(id, "abcdef");
	turn_id_piece(id, sizeof(id), &null);
	assert_string_equal(id, "abcdef");
	piece(id, sizeof(id), "n", true);
	assert_string_equal(id, "n");
}

static void test_trust(void **state)
{
	struct segment s = { .role = SEG_USER, .origin = ORIGIN_USER };

	(void)state;
	assert_int_equal(segment_trust(&s), TRUST_USER);
	/* Who wrote it decides, not the role it was given. */
	s.origin = ORIGIN_RETRIEVED;
	assert_int_equal(segment_trust(&s), TRUST_RETRIEVED);
	for (enum origin o = 0; o < ORIGIN_MAX_; o++)
		for (enum segment_role r = 0; r < SEG_MAX_; r++) {
			s = (struct segment){ .role = r, .origin = o };
			assert_true(segment_trust(&s) &&
				    !(segment_trust(&s) & (segment_trust(&s) - 1)));
		}
}

static void test_names(void **state)
{
	(void)state;
	for (enum segment_role r = 0; r < SEG_MAX_; r++)
		assert_non_null(segment_role_name(r));
	for (enum origin o = 0; o < ORIGIN_MAX_; o++)
		assert_non_null(origin_name(o));
	for (enum operation o = 0; o < OP_MAX_; o++)
		assert_non_null(operation_name(o));
	for (enum outcome o = 0; o < OUTCOME_MAX_; o++)
		assert_non_null(outcome_name(o));
	for (enum filter f = 0; f < FILTER_MAX_; f++)
		assert_non_null(filter_name(f));
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		assert_non_null(skipped_name(s));
}

static int build(void *ctx)
{
	struct turn t = { 0 };
	int err = 0;

	(void)ctx;
	for (int i = 0; i < 40; i++) {
		struct segment *s = turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST);

		turn_text(&t, s, SPAN_LIT("text"));
		if (!s || s->text.len != 4)
			err = -ENOMEM; /* what could not be kept is counted */
	}
	assert_int_equal(t.inspected + t.uninspected, 160);
	turn_clear(&t);
	return err;
}

static void test_nomem(void **state)
{
	(void)state;
	nomem_each(build, NULL);
}

#define MS UINT64_C(1000000)

/* First token and rate are a stream's; of an answer in one piece there is only the whole. */
static void test_timing(void **state)
{
	struct exchange x = { .begin_ns = 1000 * MS, .first_byte_ns = 1200 * MS };
	struct turn t = { .exchange = &x, .output_tokens = 30 };
	struct timing none = turn_timing(&t), whole, stream;

	(void)state;
	assert_int_equal(none.first_byte_ns, 200 * MS);
	assert_int_equal(none.first_token_ns, 0);
	assert_int_equal(none.duration_ns, 0);
	assert_float_equal(none.tokens_per_second, 0, 0);
	x.last_byte_ns = 1400 * MS;
	turn_text(&t, turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST), SPAN_LIT("Hi"));
	assert_int_equal(t.first_text_ns, 0);
	turn_text(&t, turn_segment(&t, SEG_ASSISTANT, ORIGIN_MODEL, SIDE_RESPONSE),
		  SPAN_LIT("Hello"));
	x.last_byte_ns = 2000 * MS;
	turn_text(&t, &t.segments[1], SPAN_LIT(", you"));
	x.end_ns = 60000 * MS; /* the client left the connection as it was */
	whole = turn_timing(&t);
	assert_int_equal(whole.first_token_ns, 0);
	assert_int_equal(whole.duration_ns, 1000 * MS);
	assert_float_equal(whole.tokens_per_second, 30, 0.001);
	t.stream = true;
	stream = turn_timing(&t);
	assert_int_equal(stream.first_token_ns, 400 * MS);
	assert_int_equal(stream.duration_ns, 1000 * MS);
	assert_float_equal(stream.tokens_per_second, 50, 0.001);
	/* Turns over a socket share its exchange. */
	x.framing[SIDE_REQUEST] = FRAMING_WEBSOCKET;
	assert_float_equal(turn_timing(&t).tokens_per_second, 0, 0);
	turn_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments_cap), cmocka_unit_test(test_segment_cap),
		cmocka_unit_test(test_turn_cap),     cmocka_unit_test(test_shared_cap),
		cmocka_unit_test(test_ids),	     cmocka_unit_test(test_trust),
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_nomem),
		cmocka_unit_test(test_timing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
