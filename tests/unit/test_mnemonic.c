/* tests/unit/test_mnemonic.c - seeds of wallets as words. */
#include "detect/mnemonic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/credential.h"

/* The words for n words of zeros but for the last, whose checksum is found by trying. */
static void zeros(size_t n, const char *between, char *out)
{
	uint16_t words[MNEMONIC_MAX] = { 0 };

	while (!mnemonic_fits(words, n))
		words[n - 1]++;
	*out = 0;
	for (size_t i = 0; i < n; i++)
		sprintf(out + strlen(out), "%s%s", i ? between : "", mnemonic_words[words[i]]);
}

static void known_checksums(void **state)
{
	/* BIP 39's own test vectors for entropy of zeros. */
	static const struct {
		size_t n;
		const char *last;
	} rows[] = { { 12, "about" }, { 18, "agent" }, { 24, "art" } };
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		zeros(rows[i].n, " ", text);
		assert_string_equal(strrchr(text, ' ') + 1, rows[i].last);
	}
	for (size_t i = 1; i < MNEMONIC_WORDS; i++)
		assert_true(strcmp(mnemonic_words[i - 1], mnemonic_words[i]) < 0);
}

static void rows_of_words(void **state)
{
	static const char *const between[] = { " ", ", ", "\n", "\", \"", " 7. " };
	uint16_t words[MNEMONIC_MAX];
	char text[512];
	size_t end;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(between); i++) {
		zeros(15, between[i], text);
		assert_int_equal(mnemonic_read(span_str(text), words, &end), 15);
		assert_int_equal(end, strlen(text));
	}
	strcpy(text, "abandon abandons ability");
	assert_int_equal(mnemonic_read(span_str(text), words, &end), 1);
	assert_int_equal(mnemonic_read(span_str("zoo"), words, &end), 1);
	assert_int_equal(words[0], MNEMONIC_WORDS - 1);
	assert_int_equal(mnemonic_read(span_str("xyz"), words, &end), 0);
	assert_int_equal(mnemonic_read(span_str(""), words, &end), 0);
}

static void found(void **state)
{
	char text[1024] = "my seed phrase is: ", words[512];
	struct candidate c = { .row = credential_find("bip39-mnemonic") };
	struct range anchor = { 8, 14 };
	size_t at = strlen(text);

	(void)state;
	zeros(12, " ", words);
	strcat(text, words);
	c.text = span_str(text);
	assert_true(find_mnemonic(&c, anchor) == CREDENTIAL_PROVEN);
	assert_int_equal(c.where.begin, at);
	assert_int_equal(c.where.end, strlen(text));
	/* Another last word, and it proves nothing; one word less, and it is nothing. */
	strcpy(strrchr(text, ' ') + 1, "zoo");
	c.text = span_str(text);
	assert_true(find_mnemonic(&c, anchor) == CREDENTIAL_UNSURE);
	*strrchr(text, ' ') = 0;
	c.text = span_str(text);
	assert_true(find_mnemonic(&c, anchor) == 0);
	/* Prose does not pass. */
	strcpy(text, "my seed phrase is what I wrote down on paper when I made the wallet last "
		     "year, and now "
		     "it is gone for good because the house has burnt down");
	c.text = span_str(text);
	assert_true(find_mnemonic(&c, anchor) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_checksums),
		cmocka_unit_test(rows_of_words),
		cmocka_unit_test(found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
