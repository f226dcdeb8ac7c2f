/* tests/unit/test_link.c - addresses in texts: what is found, where it ends, how it is set. */
#include "detect/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

/* Every address as "host path", joined by " | ". */
static void list(struct span text, char *ret, size_t size)
{
	struct link_scan s;
	struct link l;
	size_t at = 0, last = 0;

	*ret = 0;
	link_begin(&s, text);
	while (link_next(&s, &l)) {
		assert_true(l.where.begin < l.where.end && l.where.end <= text.len);
		assert_true(l.where.begin >= last);
		last = l.where.begin;
		if (at < size)
			at += (size_t)snprintf(ret + at, size - at, "%s%s%s%.*s", at ? " | " : "",
					       l.form == LINK_MAIL ? "@" : "", l.url.host,
					       (int)l.rest.len, (const char *)l.rest.p);
	}
}

static void found(void **state)
{
	static const struct {
		const char *text, *links;
	} rows[] = {
		{ "See https://example.com/a.", "example.com/a" },
		{ "(https://example.com/a_(b))", "example.com/a_(b)" },
		{ "[text](https://example.com/a) and more", "example.com/a" },
		{ "[https://a.example](https://b.example/x)", "a.example | b.example/x" },
		{ "![i](https://a.example/x.png \"title\")", "a.example/x.png" },
		{ "<https://a.example/x>", "a.example/x" },
		{ "<a href='https://a.example/x?y=1'>b.com</a>", "a.example/x?y=1 | b.com" },
		{ "<img src=\"//cdn.example.net/x.png\">", "cdn.example.net/x.png" },
		{ "background:url(https://a.example/b.png)", "a.example/b.png" },
		{ "{\"u\":\"https:\\/\\/evil.com\\/x\"}", "evil.com\\/x" },
		{ "{\\\"u\\\":\\\"https://evil.com/x\\\"}", "evil.com/x" },
		{ "https://evil.com\\nnext", "evil.com" },
		{ "go to hxxps://evil[.]com/x now", "evil.com/x" },
		{ "evil[.]com, bad(dot)net and 1.2.3[.]4", "evil.com | bad.net | 1.2.3.4" },
		{ "https://r.example/?u=https://evil.com/x",
		  "r.example/?u=https://evil.com/x | evil.com/x" },
		{ "visit www.example.com/x, or example.org:8080/y",
		  "www.example.com/x | example.org/y" },
		{ "mail joe@example.com now", "@example.com" },
		{ "[2001:db8::1] and 2001:db8::2, std::vector", "2001:db8::1 | 2001:db8::2" },
		{ "http://[2001:db8::1]/x", "2001:db8::1/x" },
		{ "8.8.8.8 and 10.0.0.1:80", "8.8.8.8 | 10.0.0.1" },
		{ "\xe8\xae\xbf\xe9\x97\xaehttps://evil.com/\xe6\x9f\xa5\xe7\x9c\x8b\xe3\x80\x82",
		  "evil.com/\xe6\x9f\xa5\xe7\x9c\x8b" },
		{ "\xe2\x80\x9chttps://evil.com/a\xe2\x80\x9d", "evil.com/a" },
		{ "see:https://evil.com", "evil.com" },
		{ "https://a.example,https://b.example", "a.example | b.example" },
		{ "evil [dot] com, bad (dot) net; worse dot example dot org now",
		  "evil.com | bad.net | worse.example.org" },
		{ "hxxp[:]//evil[.]com/x", "evil.com/x" },
		{ "https://example.com dot notation", "example.com" },
		/* none */
		{ "the dot product, a dot matrix", "" },
		{ "self.width = os.path.join(a.b.c)", "" },
		{ "e.g. this. And that.", "" },
		{ "foo/bar.com.txt and ./run.sh", "" },
		{ "10:30, 1.2.3, v2.0.1", "" },
		{ "http:// https:/// ://", "" },
		{ "", "" },
	};
	char got[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard g = guard_new(strlen(rows[i].text) + 1);

		list(guard_put(&g, span_str(rows[i].text)), got, sizeof(got));
		if (strcmp(got, rows[i].links) != 0)
			print_error("%s\n", rows[i].text);
		assert_string_equal(got, rows[i].links);
		for (size_t k = 0; k < strlen(rows[i].text); k++)
			list(guard_put(&g, span_of(rows[i].text, k)), got, sizeof(got));
		guard_free(&g);
	}
}

static void markup(void **state)
{
	static const struct {
		const char *text;
		enum link_markup markup;
		const char *label;
	} rows[] = {
		{ "plain https://a.example/x", MARKUP_NONE, "" },
		{ "[a [b] c](https://a.example/x)", MARKUP_LINK, "a [b] c" },
		{ "![alt](https://a.example/x)", MARKUP_IMAGE, "alt" },
		{ "![alt]( <https://a.example/x> )", MARKUP_IMAGE, "alt" },
		{ "![a][r]\n\n[r]: https://a.example/x", MARKUP_IMAGE, "" },
		{ "![r]\n\n[r]: https://a.example/x", MARKUP_IMAGE, "" },
		{ "[a][r]\n\n[r]: https://a.example/x", MARKUP_LINK, "" },
		{ "<img width=1 src='https://a.example/x'>", MARKUP_IMAGE, "" },
		{ "<IMG srcset=\"https://a.example/x 2x\">", MARKUP_IMAGE, "" },
		{ "<a href=\"https://a.example/x\">shown</a>", MARKUP_LINK, "shown" },
		{ "<p>https://a.example/x</p>", MARKUP_NONE, "" },
		{ "div { background: url( 'https://a.example/x' ) }", MARKUP_IMAGE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span text = span_str(rows[i].text);
		struct range label;
		struct link_scan s;
		struct link l;

		link_begin(&s, text);
		assert_true(link_next(&s, &l));
		if (link_markup(text, &l, &label) != rows[i].markup)
			print_error("%s\n", rows[i].text);
		assert_int_equal(link_markup(text, &l, &label), rows[i].markup);
		assert_true(span_eq(span_sub(text, label.begin, label.end - label.begin),
				    span_str(rows[i].label)));
	}
}

/* Near misses by the megabyte take time in proportion. */
static void floods(void **state)
{
	static const char *const walls[] = {
		"http://",	     "a.",	  "[.]",	  "http://a.b/",
		"(http://a.b/(",     "1.1.1.1.",  "::",		  "a@b.c",
		"[a](http://a.b/){", "hxxp[:]//", "https:\\/\\/", "//"
	};
	size_t size = 1 << 20;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_SIZE(walls); i++) {
		struct link_scan s;
		struct link l;
		clock_t begin = clock();

		for (size_t at = 0; at < size; at++)
			text[at] = walls[i][at % strlen(walls[i])];
		link_begin(&s, span_of(text, size));
		while (link_next(&s, &l))
			;
		/* Two orders of magnitude above what it takes, far below what squares would. */
		assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
	}
	free(text);
}

/* Names beyond ASCII take long to put into their form for the wire: of a text full of them the
 * first ones are read, and all others as before. */
static void foreign(void **state)
{
	static const char one[] = "http://b\u00fccher.example/ ", plain[] = "http://c.example/";
	enum { MANY = 2000, ENOUGH = 128 };
	size_t len = MANY * strlen(one), n = 0;
	char *text = malloc(len + sizeof(plain));
	struct link_scan s;
	struct link l;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < MANY; i++)
		memcpy(text + i * strlen(one), one, strlen(one));
	memcpy(text + len, plain, sizeof(plain));
	link_begin(&s, span_of(text, len + strlen(plain)));
	while (link_next(&s, &l)) {
		assert_string_equal(l.url.host,
				    l.where.begin < len ? "xn--bcher-kva.example" : "c.example");
		n++;
	}
	assert_true(n > ENOUGH && n < MANY);
	assert_true(s.foreign.unread >= MANY + 1 - n);
	assert_int_equal(l.where.begin, len);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(markup),
		cmocka_unit_test(floods),
		cmocka_unit_test(foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
