/* tests/unit/test_charset.c - UTF-8 and UTF-16 bodies come out as UTF-8, however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"
#include "parse/charset.h"
#include "wire.h"

struct out {
	uint8_t p[256];
	size_t len;
};

static void take(void *ctx, struct span s)
{
	struct out *o = ctx;

	assert_true(s.len && o->len + s.len <= sizeof(o->p));
	memcpy(o->p + o->len, s.p, s.len);
	o->len += s.len;
}

#define B(s)                                                                                       \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
static const struct {
	struct span in, out;
} rows[] = {
	{ B("{\"a\":\"\xc3\xa4\"}"), B("{\"a\":\"\xc3\xa4\"}") },
	{ B("\xef\xbb\xbf{}"), B("{}") },
	{ B("\xef\xbb"), B("\xef\xbb") },
	{ B("1"), B("1") },
	{ B(""), B("") },
	{ B("\0001"), B("1") },
	{ B("1\000"), B("1") },
	{ B("{\0\"\0a\0\"\0:\0\"\0\xe4\0\xac\x20=\xd8\0\xde\"\0}\0"),
	  B("{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}") },
	{ B("\0{\0\"\0a\0\"\0:\0\"\0\xe4\x20\xac\xd8=\xde\0\0\"\0}"),
	  B("{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}") },
	{ B("\xff\xfe[\0]\0"), B("[]") },
	{ B("\xfe\xff\0[\0]"), B("[]") },
	/* Halves of pairs. */
	{ B("[\0=\xd8x\0\0\xde=\xd8=\xd8\0\xde]\0"),
	  B("[\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80]") },
	{ B("[\0\0\0]\0\0\0"), B("") },
	{ B("\0\0\0["), B("") },
	{ B("\xff\xfe\0\0[\0\0\0"), B("") },
};

static void test_rows(void **state)
{
	struct guard g = guard_new(256);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t piece = 1; piece <= rows[i].in.len + 1; piece++) {
			struct charset c = { 0 };
			struct out o = { .len = 0 };

			for (size_t at = 0; at < rows[i].in.len; at += piece)
				charset_feed(&c, guard_put(&g, span_sub(rows[i].in, at, piece)),
					     take, &o);
			charset_end(&c, take, &o);
			if (!span_eq(span_of(o.p, o.len), rows[i].out))
				fail_msg("row %zu in pieces of %zu: %.*s", i, piece, (int)o.len,
					 (const char *)o.p);
		}
	guard_free(&g);
}

/* Units stay where they were, whatever is lost. */
static void test_gap(void **state)
{
	static const char text[] = "[\0a\0b\0c\0d\0e\0f\0g\0]\0";
	const struct span all = span_of(text, sizeof(text) - 1);

	(void)state;
	for (size_t at = 4; at < all.len; at++)
		for (size_t n = 1; n <= all.len - at; n++) {
			struct charset c = { 0 };
			struct out o = { .len = 0 };

			charset_feed(&c, span_sub(all, 0, at), take, &o);
			charset_gap(&c, n);
			charset_feed(&c, span_sub(all, at + n, all.len), take, &o);
			charset_end(&c, take, &o);
			if (at + n < all.len - 1)
				assert_int_equal(o.p[o.len - 1], ']');
			for (size_t i = 0; i < o.len; i++)
				assert_true(o.p[i] < 0x80);
		}
}

/* A body in UTF-16 is read; one in UTF-32 is counted. */
static void test_bodies(void **state)
{
	static const char json[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Ignore it\"}]}";

	(void)state;
	for (size_t width = 2; width <= 4; width += 2) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = NULL;
		uint8_t body[4 * sizeof(json)] = { 0 };
		size_t len = width * (sizeof(json) - 1);
		char head[128];

		for (size_t i = 0; i < sizeof(json) - 1; i++)
			body[i * width] = (uint8_t)json[i];
		snprintf(head, sizeof(head),
			 "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", len);
		assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
		wire_open(w, 1);
		assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(head), 0), 0);
		assert_int_equal(wire_send(w, 1, EV_WRITE, span_of(body, len), 7), 0);
		wire_close(w, 1);
		assert_int_equal(strstr(log.p, "  0 user user: Ignore it\n") != NULL, width == 2);
		assert_int_equal(strstr(log.p, "  skipped charset ") != NULL, width == 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
