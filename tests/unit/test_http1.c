/* tests/unit/test_http1.c - HTTP/1.1 messages of one direction. */
#include "parse/http1.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "golden.h"

static void test_goldens(void **state)
{
	(void)state;
	assert_true(golden_run(&driver_http1) >= 60);
}

static void test_no_memory(void **state)
{
	(void)state;
	golden_nomem(&driver_http1);
}

/* Answers of http1_probe(): NONE 0, REQUEST and RESPONSE 1, MORE -EAGAIN. */
enum answer { NONE, REQUEST, RESPONSE, MORE };

static void test_probe(void **state)
{
	static const struct {
		const char *in;
		enum answer want;
	} rows[] = {
		{ "", MORE },
		{ "G", MORE },
		{ "GET", MORE },
		{ "GET ", MORE },
		{ "GET /", REQUEST },
		{ "\r\nGET /", REQUEST },
		{ "POST https://a/", REQUEST },
		{ "POST Https://a/", REQUEST },
		{ "OPTIONS *", REQUEST },
		{ "CONNECT a:1", REQUEST },
		{ "CONNECT [::1]:1", REQUEST },
		{ "M-SEARCH *", REQUEST },
		{ "H", MORE },
		{ "HEAD /", REQUEST },
		{ "HTTP", MORE },
		{ "HTTP/", MORE },
		{ "HTTP/1", MORE },
		{ "HTTP/1.", MORE },
		{ "HTTP/1.1", RESPONSE },
		{ "HTTP/1.0 200", RESPONSE },
		{ "HTTP/1.x", NONE },
		{ "HTTP/2 200", NONE },
		{ "PRI * HTTP/2.0\r\n", NONE },
		{ "get /", NONE },
		{ "GET\t/", NONE },
		{ "GET a", NONE },
		{ " GET /", NONE },
		{ "EHLO example", NONE },
		{ "SSH-2.0-x", NONE },
		{ "\x16\x03\x01", NONE },
		{ "{\"a\":1}", NONE },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ /", NONE },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ", NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span in = span_str(rows[i].in);
		bool request = false;
		int rc = http1_probe(in, &request);
		enum answer got = rc == -EAGAIN ? MORE : !rc ? NONE : request ? REQUEST : RESPONSE;

		if (got != rows[i].want)
			fail_msg("%s: %d, wanted %d", rows[i].in, got, rows[i].want);
		/* A shorter input never says the opposite. */
		for (size_t n = 0; n < in.len; n++) {
			rc = http1_probe(span_sub(in, 0, n), &request);
			assert_true(rc == -EAGAIN || rc == (got != NONE) || got == MORE);
		}
	}
}

/* What the callbacks saw. */
struct seen {
	struct http1 *http1;
	unsigned heads, fields, ends[HTTP1_END_MAX_];
	uint64_t body, gap;
	bool ambiguous, tunnel;
	const uint8_t *body_p;
};

static void see_head(void *ctx, const struct http1_head *h)
{
	struct seen *s = ctx;

	(void)h;
	s->heads++;
}

static void see_field(void *ctx, struct span name, struct span value)
{
	struct seen *s = ctx;

	(void)name;
	(void)value;
	s->fields++;
}

static void see_fields_end(void *ctx, bool ambiguous)
{
	struct seen *s = ctx;

	s->ambiguous = ambiguous;
	if (s->tunnel)
		http1_tunnel(s->http1);
}

static void see_body(void *ctx, struct span data)
{
	struct seen *s = ctx;

	s->body += data.len;
	s->body_p = data.p;
}

static void see_gap(void *ctx, uint64_t n)
{
	struct seen *s = ctx;

	s->gap += n;
}

static void see_end(void *ctx, enum http1_end how)
{
	struct seen *s = ctx;

	s->ends[how]++;
}

static void see_doubtful(void *ctx)
{
	((struct seen *)ctx)->ambiguous = true;
}

static const struct http1_ops see_ops = { see_head, see_field, see_fields_end, see_doubtful,
					  see_body, see_gap,   see_end };

static struct http1 *begin(struct seen *s, bool requests)
{
	*s = (struct seen){ 0 };
	assert_int_equal(http1_new(&s->http1, requests, &see_ops, s), 0);
	return s->http1;
}

static void feed_repeated(struct http1 *h, const char *s, size_t n, int want)
{
	while (n--)
		assert_int_equal(http1_feed(h, span_str(s)), want);
}

/* A field line may be HTTP1_LINE_MAX long; the rest of a longer one is passed over. */
static void test_long_field(void **state)
{
	struct seen s;
	struct http1 *h;

	(void)state;
	for (size_t over = 0; over <= 2; over++) {
		h = begin(&s, true);
		assert_int_equal(http1_feed(h, SPAN_LIT("POST / HTTP/1.1\r\nA:")), 0);
		feed_repeated(h, "x", HTTP1_LINE_MAX - 2 + over, 0);
		assert_int_equal(http1_feed(h, SPAN_LIT("\n more\r\nContent-Length: 3\n\nabc"
							"GET /2 HTTP/1.1\r\n\r\n")),
				 0);
		assert_int_equal(s.ends[HTTP1_COMPLETE], 2);
		assert_int_equal(s.body, 3);
		assert_int_equal(http1_stats(h)->fields_skipped, 1 + (over > 0));
		http1_free(&h);
	}
	/* Two readers need not agree on a length that one of them cut. */
	h = begin(&s, true);
	assert_int_equal(http1_feed(h, SPAN_LIT("POST / HTTP/1.1\r\nContent-Length: ")), 0);
	feed_repeated(h, "0", HTTP1_LINE_MAX, 0);
	assert_int_equal(http1_feed(h, SPAN_LIT("3\r\n\r\n")), 0);
	assert_true(s.ambiguous);
	http1_free(&h);
}

/* A head of any length hides no body. */
static void test_long_head(void **state)
{
	static const char line[] = "Name: 12345678\r\n";
	struct seen s;
	struct http1 *h = begin(&s, true);

	(void)state;
	assert_int_equal(http1_feed(h, SPAN_LIT("POST / HTTP/1.1\r\n")), 0);
	feed_repeated(h, line, (1 << 20) / (sizeof(line) - 1), 0);
	assert_int_equal(http1_feed(h, SPAN_LIT("Transfer-Encoding: chunked\r\n\r\n3;")), 0);
	feed_repeated(h, "extension", 10000, 0);
	assert_int_equal(http1_feed(h, SPAN_LIT("\r\nabc\r\n0\r\n")), 0);
	feed_repeated(h, line, 20000, 0);
	assert_int_equal(http1_feed(h, SPAN_LIT("\r\nGET /2 HTTP/1.1\r\n\r\n")), 0);
	assert_int_equal(s.fields, (1 << 20) / (sizeof(line) - 1) + 1);
	assert_int_equal(s.body, 3);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 2);
	http1_free(&h);
}

/* Many megabytes without a line end: nothing grows, and the next message is found. */
static void test_endless_line(void **state)
{
	static char block[1 << 16];
	struct seen s;
	struct http1 *h = begin(&s, true);
	int err = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (unsigned i = 0; i < 64; i++)
		err |= http1_feed(h, span_of(block, sizeof(block)));
	assert_int_equal(err, -EBADMSG);
	assert_int_equal(http1_feed(h, SPAN_LIT("\nGET / HTTP/1.1\r\n\r\n")), 0);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 1);
	assert_int_equal(http1_stats(h)->broken, 1);
	http1_free(&h);
}

/* Bodies are not copied. */
static void test_body_is_borrowed(void **state)
{
	static const char in[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe body.";
	struct seen s;
	struct http1 *h = begin(&s, false);

	(void)state;
	assert_int_equal(http1_feed(h, span_of(in, sizeof(in) - 1)), 0);
	assert_ptr_equal(s.body_p, in + sizeof(in) - 1 - 9);
	http1_free(&h);
}

/* A body of 2^40 bytes that is only gaps. */
static void test_large_gaps(void **state)
{
	struct seen s;
	struct http1 *h = begin(&s, false);

	(void)state;
	assert_int_equal(
	    http1_feed(h, SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")), 0);
	http1_gap(h, UINT64_C(1) << 39);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 0);
	http1_gap(h, UINT64_C(1) << 39);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 1);
	assert_int_equal(s.gap, UINT64_C(1) << 40);
	http1_gap(h, UINT64_MAX);
	assert_int_equal(s.gap, UINT64_C(1) << 40);
	http1_free(&h);
}

/* Joined in the middle of a stream: no breakage is counted, the next message is found. */
static void test_joined(void **state)
{
	struct seen s;
	struct http1 *h = begin(&s, false);

	(void)state;
	http1_gap(h, 0);
	assert_int_equal(
	    http1_feed(h, SPAN_LIT("of a body\"}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")),
	    0);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 1);
	assert_int_equal(http1_stats(h)->broken, 0);
	assert_int_equal(http1_stats(h)->resynced, 1);
	http1_free(&h);
}

/* 2xx to CONNECT, as flow knows and says: in the callback, or between feeds. */
static void test_tunnel(void **state)
{
	struct seen s;
	struct http1 *h = begin(&s, false);

	(void)state;
	s.tunnel = true;
	assert_int_equal(
	    http1_feed(h, SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x16\x03\x01")),
	    -EOPNOTSUPP);
	assert_int_equal(http1_feed(h, SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n")), -EOPNOTSUPP);
	assert_int_equal(s.heads, 1);
	assert_int_equal(s.ends[HTTP1_COMPLETE], 1);
	assert_int_equal(s.body, 0);
	http1_free(&h);

	h = begin(&s, true);
	assert_int_equal(http1_feed(h, SPAN_LIT("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")),
			 0);
	http1_tunnel(h);
	assert_int_equal(http1_feed(h, SPAN_LIT("GET / HTTP/1.1\r\n\r\n")), -EOPNOTSUPP);
	assert_int_equal(s.heads, 1);
	http1_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_long_field),
		cmocka_unit_test(test_long_head),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_body_is_borrowed),
		cmocka_unit_test(test_large_gaps),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_tunnel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
