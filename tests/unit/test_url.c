/* tests/unit/test_url.c - addresses in disguise, and their one form. */
#include "intel/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"

static void hosts(void **state)
{
	static const struct {
		const char *text, *scheme, *host; /* host NULL: none */
		uint16_t port;
		unsigned traits;
		size_t taken;
	} rows[] = {
		{ "https://Example.COM/a", "https", "example.com", 0, 0, 19 },
		{ "http://example.com:8080/", "http", "example.com", 8080, 0, 23 },
		{ "https://example.com:443", "https", "example.com", 0, 0, 23 },
		{ "hxxps://evil[.]example[.]com/x", "https", "evil.example.com", 0, URL_DEFANGED,
		  28 },
		{ "hXXp[:]//evil(dot)com", "http", "evil.com", 0, URL_DEFANGED, 21 },
		{ "http[://]evil{.}com", "http", "evil.com", 0, URL_DEFANGED, 19 },
		{ "https:\\/\\/evil.com\\/x", "https", "evil.com", 0, 0, 18 },
		{ "https:\\\\evil.com\\x", "https", "evil.com", 0, URL_BACKSLASH, 16 },
		{ "https:/evil.com", "https", "evil.com", 0, 0, 15 },
		{ "https:evil.com", "https", "evil.com", 0, 0, 14 },
		{ "https://paypal.com@evil.tld/x", "https", "evil.tld", 0, URL_USERINFO, 27 },
		{ "https://a:b%40c@evil.tld", "https", "evil.tld", 0, URL_USERINFO, 24 },
		{ "https://%65vil.com", "https", "evil.com", 0, URL_ESCAPED_HOST, 18 },
		{ "http://3232235777/", "http", "192.168.1.1", 0, URL_ODD_IP, 17 },
		{ "http://0xC0.0250.1.1", "http", "192.168.1.1", 0, URL_ODD_IP, 20 },
		{ "http://192.11010305", "http", "192.168.1.1", 0, URL_ODD_IP, 19 },
		{ "http://127.0.0.1:80/", "http", "127.0.0.1", 0, 0, 19 },
		{ "http://[2001:DB8::1]:8443/", "http", "2001:db8::1", 8443, 0, 25 },
		{ "http://[::ffff:10.0.0.1]/", "http", "10.0.0.1", 0, URL_ODD_IP, 24 },
		{ "https://b\xc3\xbc"
		  "cher.example/",
		  "https", "xn--bcher-kva.example", 0, 0, 23 },
		{ "https://evil.com\xe6\x9f\xa5\xe7\x9c\x8b", "https", "evil.com", 0, 0, 16 },
		{ "https://example.com.", "https", "example.com", 0, 0, 19 },
		{ "ftp://files.example.org", "ftp", "files.example.org", 0, 0, 23 },
		{ "custom+x://host.example", "custom+x", "host.example", 0, 0, 23 },
		{ "www.example.com/x", "", "www.example.com", 0, URL_NO_SCHEME, 15 },
		{ "evil[.]com", "", "evil.com", 0, URL_NO_SCHEME | URL_DEFANGED, 10 },
		{ "1.2.3[.]4", "", "1.2.3.4", 0, URL_NO_SCHEME | URL_DEFANGED, 9 },
		{ "example.com:8080", "", "example.com", 8080, URL_NO_SCHEME, 16 },
		/* none */
		{ "https://", NULL, NULL, 0, 0, 0 },
		{ "https:// example.com", NULL, NULL, 0, 0, 0 },
		{ "http://1.2.3.4.5/", NULL, NULL, 0, 0, 0 },
		{ "http://999.1.1.1/", NULL, NULL, 0, 0, 0 },
		{ "http://[::1", NULL, NULL, 0, 0, 0 },
		{ "http://a..b/", NULL, NULL, 0, 0, 0 },
		{ "foo.bar-baz", NULL, NULL, 0, 0, 0 },
		{ "1.2.3", NULL, NULL, 0, 0, 0 },
		{ "version 1", NULL, NULL, 0, 0, 0 },
		{ "", NULL, NULL, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard g = guard_new(strlen(rows[i].text) + 1);
		struct span in = guard_put(&g, span_str(rows[i].text));
		struct url u;
		size_t n = url_read(&u, in);

		if (n != rows[i].taken)
			print_error("%s: %zu bytes\n", rows[i].text, n);
		assert_int_equal(n, rows[i].taken);
		if (rows[i].host) {
			assert_string_equal(u.host, rows[i].host);
			assert_int_equal(u.host_len, strlen(rows[i].host));
			assert_string_equal(u.scheme, rows[i].scheme);
			assert_int_equal(u.port, rows[i].port);
			assert_int_equal(u.traits, rows[i].traits);
		}
		/* Cut anywhere it reads no byte too many. */
		for (size_t k = 0; k < in.len; k++)
			url_read(&u, guard_put(&g, span_of(rows[i].text, k)));
		guard_free(&g);
	}
}

static void keys(void **state)
{
	static const struct {
		const char *url, *key;
	} rows[] = {
		{ "https://Example.com", "example.com/" },
		{ "http://example.com/", "example.com/" },
		{ "https://example.com:8443/a/b?c=d#e", "example.com:8443/a/b?c=d" },
		{ "https://example.com/a/../b/./c", "example.com/b/c" },
		{ "https://example.com/../../x", "example.com/x" },
		{ "https://example.com/%41%2d%2F%c3%bc", "example.com/A-%2F%C3%BC" },
		{ "https://example.com/\xc3\xbc x", "example.com/%C3%BC%20x" },
		{ "https:\\/\\/example.com\\/a\\/b", "example.com/a/b" },
		{ "https:\\\\example.com\\a", "example.com/a" },
		{ "https://example.com//a//b", "example.com/a/b" },
		{ "https://example.com/a?x=1&amp;y=2", "example.com/a?x=1&y=2" },
		{ "https://example.com?x", "example.com/?x" },
		{ "hxxp://example[.]com/a", "example.com/a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span in = span_str(rows[i].url);
		char key[URL_KEY_MAX];
		size_t n, path, query;
		struct url u;

		n = url_read(&u, in);
		assert_int_not_equal(n, 0);
		n = url_key(&u, span_sub(in, n, in.len), key, &path, &query);
		if (!span_eq(span_of(key, n), span_str(rows[i].key)))
			print_error("%s: %.*s\n", rows[i].url, (int)n, key);
		assert_true(span_eq(span_of(key, n), span_str(rows[i].key)));
		assert_int_equal(key[path], '/');
		assert_true(query == n || key[query] == '?');
	}
}

static void long_ones_are_cut(void **state)
{
	char text[3 * URL_KEY_MAX], key[URL_KEY_MAX];
	size_t path, query;
	struct url u;

	(void)state;
	memset(text, '%', sizeof(text));
	memcpy(text, "https://example.com/", 20);
	assert_int_equal(url_read(&u, span_of(text, sizeof(text))), 19);
	assert_int_equal(url_key(&u, span_of(text + 19, sizeof(text) - 19), key, &path, &query),
			 URL_KEY_MAX);
	memset(text, 'a', sizeof(text));
	memcpy(text, "https://", 8);
	assert_int_equal(url_read(&u, span_of(text, sizeof(text))), 0);
}

static void registered(void **state)
{
	static const struct {
		const char *url, *domain; /* NULL: none */
	} rows[] = {
		{ "https://www.evil.co.uk/", "evil.co.uk" },
		{ "https://a.b.github.io/", "b.github.io" },
		{ "https://github.io/", NULL },
		{ "https://localhost/", NULL },
		{ "https://1.2.3.4/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct url u;

		assert_int_not_equal(url_read(&u, span_str(rows[i].url)), 0);
		if (rows[i].domain)
			assert_string_equal(url_registered(&u), rows[i].domain);
		else
			assert_null(url_registered(&u));
	}
	assert_true(url_suffix("com") && url_suffix("co.uk") && url_suffix("github.io"));
	assert_false(url_suffix("example.com"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(keys),
		cmocka_unit_test(long_ones_are_cut),
		cmocka_unit_test(registered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
