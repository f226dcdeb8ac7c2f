/* tests/unit/test_credential.c - shapes, checks and placeholders of credential types. */
#include "detect/credential.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"
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
		{ "[^;]{2,9};", "ab;", 3 },
		{ "[^;]{2,9};", "a;", 0 },
		{ "[a-z.]{1,9}\\.x", "a.b.x", 5 },
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

static const struct {
	const struct credential *rows;
	const size_t *n;
} tables[] = {
	{ credentials, &n_credentials },
	{ credentials_near, &n_credentials_near },
	{ credentials_run, &n_credentials_run },
};

/* Calls fn for each row that has a shape. */
static void each_row(void (*fn)(const struct credential *row))
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < *tables[t].n; i++)
			if (tables[t].rows[i].shape)
				fn(&tables[t].rows[i]);
}

static void tokens_of(const struct credential *row)
{
	auto_mem char *text = malloc(TOKEN_ROOM);

	for (unsigned round = 0; round < 10; round++) {
		struct candidate c = { .row = row, .named = true };
		size_t len;

		token_make(row, text);
		len = strlen(text);
		c.text = span_of(text, len);
		c.where = (struct range){ 0, token_match(row->shape, c.text) };
		assert_true(c.where.end);
		if (row->check)
			assert_true(row->check(&c) > 0);
		if (c.where.end != len)
			fail_msg("%s: %s", row->type, text);
		assert_false(
		    credential_placeholder(span_sub(c.text, token_literal(row->shape), 200)));
	}
}

static void made_tokens_pass(void **state)
{
	(void)state;
	each_row(tokens_of);
}

/* One character changed, and a token with a checksum is no longer proven. */
static void checksum_of(const struct credential *row)
{
	auto_mem char *text = malloc(TOKEN_ROOM);
	struct candidate c = { .row = row };

	token_make(row, text);
	c.text = span_str(text);
	c.where = (struct range){ 0, strlen(text) };
	if (!row->check || row->check(&c) != CREDENTIAL_PROVEN)
		return;
	for (size_t k = token_literal(row->shape); k < c.where.end; k++) {
		char was = text[k];

		if (!isalnum((unsigned char)was))
			continue;
		/* A character of any of the alphabets. */
		text[k] = isupper((unsigned char)was)	? (was == 'A' ? 'C' : 'A')
			  : isdigit((unsigned char)was) ? (was == '2' ? '3' : '2')
							: (was == 'a' ? 'c' : 'a');
		if (token_match(row->shape, c.text) == c.where.end &&
		    row->check(&c) >= CREDENTIAL_ALERT)
			fail_msg("%s: %s", row->type, text);
		text[k] = was;
	}
}

static void checksums(void **state)
{
	(void)state;
	each_row(checksum_of);
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

static void row_is_whole(const struct credential *r)
{
	char words[256] = " ";
	char *at = words, *word;

	assert_true(*r->type && strlen(r->type) < 48 && *r->name && *r->shape && r->words);
	assert_ptr_equal(credential_find(r->type) != NULL ? r->type : NULL, r->type);
	/* An anchor that begins the token must be what the shape begins with. */
	if (r->anchor && !r->max && !strchr("[(", r->shape[0]))
		assert_memory_equal(r->shape, r->anchor,
				    MIN(token_literal(r->shape), strlen(r->anchor)));
	assert_true(strlen(r->words) < sizeof(words));
	strcpy(words, r->words);
	while ((word = strsep(&at, " ")) && *word) {
		size_t i = 0;

		while (i < n_credential_words && strcmp(credential_words[i], word))
			i++;
		if (i == n_credential_words)
			fail_msg("%s is no known word", word);
		assert_true(credential_word(r->words, word));
	}
}

static void rows_are_whole(void **state)
{
	(void)state;
	each_row(row_is_whole);
	for (size_t i = 0; i < n_credentials; i++) {
		assert_true(strlen(credentials[i].anchor) >= 3);
		assert_true(credential_row(i)->shape || credential_row(i)->find);
	}
	for (size_t i = 0; i < n_credentials_near; i++)
		assert_true(*credentials_near[i].words);
	assert_null(credential_find("no-such-type"));
	assert_false(credential_word("abc def", "ab"));
	assert_false(credential_word("abc def", "ef"));
}

static void words_and_chance(void **state)
{
	static const char *const words[] = { "getTokenFromAuthorizationHeader",
					     "passwordResetTokenRepositoryImpl",
					     "customer_order_history_idx",
					     "server1prod2database3",
					     "configuration",
					     "ContinueWithoutSaving2",
					     "application-development-settings" };
	static const char *const weak[] = { "password123", "Administrator1", "secret",
					    "changeit",	   "Welcome2024!",   "testtest" };
	auto_mem char *text = malloc(TOKEN_ROOM);
	static const char *const shapes_of_chance[] = { "[A-Za-z0-9]{32}", "[a-z0-9]{32}",
							"[0-9a-f]{32}", "[A-Za-z0-9_-]{43}",
							"[A-Z2-7]{32}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (credential_random(span_str(words[i])))
			fail_msg("%s", words[i]);
	for (size_t i = 0; i < ARRAY_SIZE(weak); i++)
		if (credential_password(span_str(weak[i])))
			fail_msg("%s", weak[i]);
	for (size_t i = 0; i < ARRAY_SIZE(shapes_of_chance); i++) {
		unsigned n = 0;

		for (unsigned round = 0; round < 200; round++) {
			const char *shape = shapes_of_chance[i];

			*text = 0;
			token_shape(&shape, text, false);
			n += credential_random(span_str(text));
		}
		assert_true(n >= 195);
	}
}

/* Constructs and values, cut anywhere: nothing behind the end is read, and what is found lies
 * within. */
static void cut_anywhere(void **state)
{
	static const char *const texts[] = {
		"Authorization: Basic ZGVwbG95OnRxN3IyYjl4 Bearer tq7r2b9xk4mw8zv3 ",
		"Cookie: a=b; session=tq7r2b9xk4mw8zv3nh5j6; x=y\n",
		"postgres://app:tq7r2b9x@db.internal:5432/app ftp://a:b@c",
		"{\"kty\":\"EC\",\"d\":\"tq7r2b9xk4mw8zv3nh5j6pQ\",\"x\":\"y\"}",
		"{kty: 'oct', k: 'tq7r2b9xk4mw8zv3nh5j6pQ'}",
		"kind: Secret\ndata:\n  password: dHE3cjJiOXhrNG13\n",
		"{\"kind\":\"Secret\",\"data\":{\"password\":\"dHE3cjJiOXhrNG13\"}}",
		"machine files.internal login app password tq7r2b9x\n",
		"app:500:0123456789abcdef0123456789abcdef:0123456789abcdef0123456789abcdef:::",
		"curl -k -u app:tq7r2b9x https://x sshpass -p tq7r2b9x ssh mysql -uroot -ptq7r2b9x",
		"my seed phrase: abandon, ability able\n12. about above absent absorb abstract "
		"absurd",
		"{\"name\": \"DB_PASSWORD\", \"value\": \"tq7r2b9x\"}, - name: TOKEN\n  value: "
		"tq7r2b9x",
		"<password>tq7r2b9x</password> setPassword(\"tq7r2b9x\") let token: &str = "
		"b\"tq7r2b9xk\"",
		"password is 'tq7r2b9x', PASSWORD 'tq7r2b9x' secret := `tq7r2b9x` --token "
		"tq7r2b9xk4mw",
		"{\\\"api_key\\\": \\\"tq7r2b9xk4mw8zv3nh5j\\\"} &quot;key&quot;: "
		"&quot;tq7r2b9x&quot;",
		"a=1&auth_token=tq7r2b9xk4mw8zv3&b=2;pwd=tq7r2b9x;Server=x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i]), graded = 0;
		struct guard g = guard_new(len);

		for (size_t n = 0; n <= len; n++) {
			struct candidate c = { .text = guard_put(&g, span_of(texts[i], n)) };

			for (size_t r = 0; r < n_credentials + n_secret_names; r++) {
				const char *what = r < n_credentials
						       ? credentials[r].anchor
						       : secret_name(r - n_credentials);
				const char *at = texts[i];
				struct range hit;
				float score;

				if (r < n_credentials && !credential_row(r)->find)
					continue;
				for (; (at = strcasestr(at, what)); at++) {
					hit.begin = (size_t)(at - texts[i]);
					hit.end = hit.begin + strlen(what);
					if (hit.end > n)
						break;
					if (r < n_credentials) {
						c.row = credential_row(r);
						score = c.row->find(&c, hit);
					} else {
						score =
						    credential_value(&c, hit, r - n_credentials);
					}
					if (!score)
						continue;
					graded += n == len;
					assert_true(c.where.begin < c.where.end &&
						    c.where.end <= n);
				}
			}
		}
		if (!graded && !strstr(texts[i], "seed"))
			fail_msg("nothing in: %s", texts[i]);
		guard_free(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),   cmocka_unit_test(shapes),
		cmocka_unit_test(work_is_capped),   cmocka_unit_test(made_tokens_pass),
		cmocka_unit_test(checksums),	    cmocka_unit_test(placeholders),
		cmocka_unit_test(words_and_chance), cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
