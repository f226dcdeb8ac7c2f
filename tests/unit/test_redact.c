/* tests/unit/test_redact.c - evidence shows the hit, and nothing that must not be shown, wherever
 * it is cut. */
#include "detect/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/own.h"

static const char *show(const char *text, const char *hit, const struct mask *m, size_t n)
{
	static char out[320];
	const char *at = strstr(text, hit);

	assert_non_null(at);
	redact(out, sizeof(out), span_str(text),
	       (struct range){ (size_t)(at - text), (size_t)(at - text) + strlen(hit) }, m, n);
	return out;
}

static void what_looks_sensitive(void **state)
{
	static const struct {
		const char *text, *hit, *shown;
	} rows[] = {
		{ "nothing here", "nothing", "nothing here" },
		{ "mail jane.doe@example.org now", "mail", "mail j…@example.org now" },
		{ "card 4111 1111 1111 1111 ok", "card", "card [digits:19] ok" },
		{ "call +49-30-1234567 ok", "call", "call +[digits:13] ok" },
		{ "in 2024 and 12:30", "in", "in 2024 and 12:30" },
		{ "key Zm9vYmFyMTIzNDU2Nzg5MGFi end", "key", "key [opaque:24] end" },
		{ "see /usr/share/doc/libvectorscan-dev1 ok", "see",
		  "see /usr/share/doc/libvectorscan-dev1 ok" },
		{ "password: hunter2, ok", "ok", "password: [value:7], ok" },
		{ "DB_PASSWORD=hunter2 ok", "ok", "DB_PASSWORD=[value:7] ok" },
		{ "\"api_key\": \"abcd1234\"", "api", "\"api_key\": \"[value:8]\"" },
		{ "Bearer abcdefgh ok", "ok", "Bearer [value:8] ok" },
		{ "the password is long", "the", "the password is long" },
		{ "hf QwErTyUiOpAsDfGhJkLzXcVb", "hf", "hf [opaque:24]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(show(rows[i].text, rows[i].hit, NULL, 0), rows[i].shown);
}

static void masks(void **state)
{
	static const char text[] = "use tok_abcdefghijklmnop9876 or secret-two now";
	struct mask m[] = { { { 4, 28 }, "some-token", 4, 4 }, { { 32, 42 }, "other", 0, 0 } };

	(void)state;
	assert_string_equal(show(text, "use", m, 2), "use [some-token:tok_…9876] or [other:10] …");
	/* A hit inside of a mask shows no more. */
	assert_string_equal(show(text, "ghij", m, 2),
			    "use [some-token:tok_…9876] or [other:10] now");
}

/* A value that reaches into the window from outside, or out of it, is hidden as a whole, wherever
 * the hit is. */
static void no_part_leaks(void **state)
{
	static const char secret[] = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5m";
	char text[1024];

	(void)state;
	for (size_t at = 0; at < 700; at++) {
		char out[320];
		struct mask m = { { at, at + strlen(secret) }, "key", 2, 4 };

		memset(text, ' ', sizeof(text));
		memcpy(text + at, secret, strlen(secret));
		for (unsigned given = 0; given < 2; given++) {
			redact(out, sizeof(out), span_of(text, sizeof(text)),
			       (struct range){ 350, 360 }, &m, given);
			for (size_t i = 0; i + 5 <= strlen(secret); i++)
				assert_null(memmem(out, strlen(out), secret + i, 5));
		}
	}
}

/* Any size, any cut: terminated, whole characters. */
static void whole_characters(void **state)
{
	static const char text[] = "ä€😀 jösé@exämple.org ключ=Zm9vYmFyMTIzNDU2Nzg5MGFi 😀😀😀";
	char out[64];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++)
		for (size_t at = 0; at < sizeof(text) - 1; at++) {
			struct span s;
			uint32_t cp;

			redact(out, size, span_str(text), (struct range){ at, at + 1 }, NULL, 0);
			s = span_str(out);
			assert_true(s.len < size);
			while (s.len) {
				size_t n = utf8_decode(s, &cp);

				assert_true(n > 0);
				s = span_sub(s, n, s.len);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_looks_sensitive),
		cmocka_unit_test(masks),
		cmocka_unit_test(no_part_leaks),
		cmocka_unit_test(whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
