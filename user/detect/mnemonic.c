/* user/detect/mnemonic.c - seeds of wallets as words (BIP 39). */
#include "detect/mnemonic.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "detect/credential.h"

#define GAP_MAX	 8  /* bytes between two words: ", ", "\n12. " */
#define LEAD_MAX 96 /* bytes between what announces the words and the first of them */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t mnemonic_read(struct span text, uint16_t ret[MNEMONIC_MAX], size_t *ret_end)
{
	size_t n = 0, at = 0;

	while (n < MNEMONIC_MAX) {
		char word[9] = "";
		const char *found;
		size_t len = 0, gap = 0;

		while (at + len < text.len && len < 8 && isalpha(text.p[at + len])) {
			word[len] = (char)tolower(text.p[at + len]);
			len++;
		}
		found = len < 3 || (at + len < text.len && isalpha(text.p[at + len]))
			    ? NULL
			    : bsearch(word, mnemonic_words, MNEMONIC_WORDS,
				      sizeof(mnemonic_words[0]), compare);
		if (!found)
			break;
		ret[n++] =
		    (uint16_t)((found - mnemonic_words[0]) / (ptrdiff_t)sizeof(mnemonic_words[0]));
		at += len;
		*ret_end = at;
		while (gap < GAP_MAX && at < text.len && !isalpha(text.p[at]) && text.p[at] &&
		       (isspace(text.p[at]) || isdigit(text.p[at]) ||
			strchr(",.\"')\\-", text.p[at]))) {
			gap++;
			at++;
		}
		if (!gap)
			break;
	}
	return n;
}

bool mnemonic_fits(const uint16_t *words, size_t n)
{
	uint8_t bits[MNEMONIC_MAX * 11 / 8 + 1] = { 0 }, hash[SHA256_DIGEST_LENGTH];
	size_t entropy = n * 11 * 32 / 33, check = n * 11 - entropy;

	for (size_t i = 0; i < n * 11; i++)
		if (words[i / 11] >> (10 - i % 11) & 1)
			bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
	SHA256(bits, entropy / 8, hash);
	return !((bits[entropy / 8] ^ hash[0]) >> (8 - check));
}

/* "seed phrase: abandon ability ..." */
float find_mnemonic(struct candidate *c, struct range anchor)
{
	uint16_t words[MNEMONIC_MAX];

	for (size_t at = anchor.end; at < c->text.len && at < anchor.end + LEAD_MAX; at++) {
		size_t end, n;

		if (!isalpha(c->text.p[at]) || isalpha(c->text.p[at - 1]))
			continue;
		n = mnemonic_read(span_sub(c->text, at, SIZE_MAX), words, &end);
		if (n < MNEMONIC_MIN)
			continue;
		c->where = (struct range){ at, at + end };
		for (n -= n % 3; n >= MNEMONIC_MIN; n -= 3)
			if (mnemonic_fits(words, n))
				return CREDENTIAL_PROVEN;
		return CREDENTIAL_UNSURE;
	}
	return 0;
}
