/* tests/unit/test_credential.c - shapes, checks and placeholders of credential types. */
#include "detect/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "token.h"

static void shapes(void **state)
{
	static const struct {
		const char *shape, *text;
		size_t len;
	} rows[] = {
		{ "abc", "abcd", 3 },
		{ "abc", "abd", 0 },
		{ "a{2,4}", "aaaaaa", 4 },
		{ "a{2,4}", "ab", 0 },
		{ "[a-c]{2}x", "abx", 3 },
		{ "[a-c]{1,5}c", "abccb", 4 },
		{ "[A-Za-z_-]{3}", "a-_!", 3 },
		{ "a\\.b", "a.b", 3 },
		{ "a\\.b", "axb", 0 },
		{ "a(?:b|cd)e", "acde", 4 },
		{ "a(?:b|cd)e", "abe", 3 },
		{ "a(?:b|cd)e", "ae", 0 },
		{ "a(?:b|cd)?e", "ae", 2 },
		{ "(?:ab|a)c", "ac", 2 },
		{ "(?:a|ab)(?:c|bcd)d", "abcdd", 5 },
		{ "x?y", "y", 1 },
		{ "[0-9]{2}-(?:[0-9]{3}-)?[a-z]{2}", "12-345-xy", 9 },
		{ "[0-9]{2}-(?:[0-9]{3}-)?[a-z]{2}", "12-xy", 5 },
		{ "[0-9]{2}-(?:[0-9]{3}-)?[a-z]{2}", "12-34-xy", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (token_match(rows[i].shape, span_str(rows[i].text)) != rows[i].len)
			fail_msg("%s on %s", rows[i].shape, rows[i].text);
		/* Nothing shorter than what matched matches as long. */
		for (size_t n = 0; n < rows[i].len; n++)
			assert_true(token_match(rows[i].shape, span_of(rows[i].text, n)) <= n);
	}
	assert_int_equal(token_literal("ghp_[A-Z]{3}"), 4);
	assert_int_equal(token_literal("[A-Z]"), 0);
	assert_int_equal(token_literal("abc?"), 2);
}

static void work_is_capped(void **state)
{
	size_t n = 1 << 20;
	char *text = malloc(n);

	(void)state;
	memset(text, 'a', n);
	assert_int_equal(token_match("[a]{1,900}[a]{1,900}[a]{1,900}[a]{1,900}b", span_of(text, n)),
			 0);
	free(text);
}

static void made_tokens_pass(void **state)
{
	auto_mem char *text = malloc(TOKEN_ROOM);

	(void)state;
	for (size_t i = 0; i < n_credentials; i++)
		for (unsigned round = 0; round < 50; round++) {
			const struct credential *row = &credentials[i];
			struct candidate c = { .row = row };
			size_t len, end;

			token_make(row, text);
			len = strlen(text);
			c.text = span_of(text, len);
			end = token_match(row->shape, c.text);
			c.where = (struct range){ 0, end };
			if (!end || (row->check != check_pem && end != len))
				fail_msg("%s: %s", row->type, text);
			if (row->check)
				assert_true(row->check(&c) > 0);
			assert_int_equal(c.where.end, len);
			assert_false(credential_placeholder(
			    span_sub(c.text, token_literal(row->shape), 200)));
		}
}

/* One character changed, and a token with a checksum is no longer sure. */
static void checksums(void **state)
{
	auto_mem char *text = malloc(TOKEN_ROOM);

	(void)state;
	for (size_t i = 0; i < n_credentials; i++) {
		const struct credential *row = &credentials[i];
		struct candidate c = { .row = row };

		if (row->check != check_crc32_base62 && row->check != check_gitlab_routable)
			continue;
		token_make(row, text);
		c.text = span_str(text);
		c.where = (struct range){ 0, strlen(text) };
		assert_true(row->check(&c) == CREDENTIAL_PROVEN);
		for (size_t k = token_literal(row->shape); k < c.where.end; k++) {
			char was = text[k];

			if (!isalnum((unsigned char)was))
				continue;
			text[k] = was == 'a' ? 'b' : 'a';
			assert_true(row->check(&c) < CREDENTIAL_ALERT);
			text[k] = was;
		}
	}
}

static void placeholders(void **state)
{
	static const char *const fake[] = { "xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
					    "YOUR_API_KEY_GOES_HERE",
					    "abcdefghijklmnopqrstuvwxyz",
					    "0123456789012345678901234567",
					    "IOSFODNN7EXAMPLE",
					    "aaaaaaaabbbbbbbbccccccccdddd",
					    "................................",
					    "********************",
					    "REDACTED0987654321abc" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fake); i++)
		assert_true(credential_placeholder(span_str(fake[i])));
	assert_true(credential_entropy(span_str("aaaa")) < 0.01);
	assert_true(credential_entropy(span_str("abcd")) > 1.99);
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_credentials; i++) {
		const struct credential *r = &credentials[i];

		assert_true(*r->type && strlen(r->type) < 48 && *r->name && *r->anchor &&
			    *r->shape);
		/* An anchor that begins the token must be what the shape begins with. */
		if (!r->keyed && !r->reach)
			assert_true(token_literal(r->shape) >= strlen(r->anchor) &&
				    !memcmp(r->shape, r->anchor, strlen(r->anchor)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole), cmocka_unit_test(shapes),
		cmocka_unit_test(work_is_capped), cmocka_unit_test(made_tokens_pass),
		cmocka_unit_test(checksums),	  cmocka_unit_test(placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
