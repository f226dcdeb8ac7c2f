/* user/detect/credential_check.c - what tells a credential from something that is shaped like one.
 */
#include <ctype.h>
#include <math.h>
#include <zlib.h>

#include "base/own.h"
#include "detect/credential.h"
#include "detect/token.h"

#define AWS_PAIR_ENTROPY 4.3
#define ENTROPY_MIN                                                                                \
	3.0 /* random hex of 20 and more characters has 3.4 and more, random base62 more than 4 */
#define PEM_BODY_MIN 64 /* base64 characters; a header alone is quoted in prose all the time */
#define PEM_MAX	     (16 << 10)
#define AROUND	     200 /* bytes searched for context */

static struct span token_of(const struct candidate *c)
{
	return span_sub(c->text, c->where.begin, c->where.end - c->where.begin);
}

static struct span around(const struct candidate *c)
{
	size_t begin = c->where.begin > AROUND ? c->where.begin - AROUND : 0;

	return span_sub(c->text, begin, c->where.end + AROUND - begin);
}

double credential_entropy(struct span s)
{
	unsigned count[256] = { 0 };
	double bits = 0;

	for (size_t i = 0; i < s.len; i++)
		count[s.p[i]]++;
	for (unsigned i = 0; i < 256; i++)
		if (count[i])
			bits -= count[i] * log2((double)count[i] / (double)s.len);
	return s.len ? bits / (double)s.len : 0;
}

bool credential_placeholder(struct span s)
{
	static const char *const words[] = { "xxxx",	 "example",  "placeholder", "redacted",
					     "dummy",	 "sample",   "your",	    "insert",
					     "changeme", "fake",     "abcdefgh",    "12345678",
					     "00000000", "....",     "****",	    "mykey",
					     "replace",	 "secretkey" };
	size_t steps = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ascii_contains(s, words[i]))
			return true;
	for (size_t i = 1; i < s.len; i++)
		steps += s.p[i] == s.p[i - 1] || s.p[i] == s.p[i - 1] + 1;
	return steps * 3 > s.len || credential_entropy(s) < ENTROPY_MIN;
}

float check_fixed_mark(struct candidate *c)
{
	(void)c; /* the shape held it */
	return CREDENTIAL_SURE;
}

float check_for_tests(struct candidate *c)
{
	(void)c;
	return CREDENTIAL_UNSURE;
}

/* GitHub, npm: the last six characters are the CRC-32 of those between prefix and them, in base 62.
 */
float check_crc32_base62(struct candidate *c)
{
	static const char digits[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t prefix = token_literal(c->row->shape);
	struct span body = span_sub(token_of(c), prefix, SIZE_MAX);
	size_t payload = body.len - 6;
	uint32_t crc = (uint32_t)crc32(0, body.p, (unsigned)payload);

	for (unsigned i = 6; i--; crc /= 62)
		if (body.p[payload + i] != (uint8_t)digits[crc % 62])
			return CREDENTIAL_UNSURE;
	return CREDENTIAL_PROVEN;
}

/* The last seven characters are the CRC-32 of all before them, in base 36. */
float check_gitlab_routable(struct candidate *c)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct span t = token_of(c);
	uint32_t crc = (uint32_t)crc32(0, t.p, (unsigned)t.len - 7);

	for (unsigned i = 7; i--; crc /= 36)
		if (t.p[t.len - 7 + i] != (uint8_t)digits[crc % 36])
			return CREDENTIAL_UNSURE;
	return CREDENTIAL_PROVEN;
}

/* Base 32 behind the prefix holds the account, a number of twelve digits. An id alone opens
 * nothing. */
float check_aws_id(struct candidate *c)
{
	struct span body = span_sub(token_of(c), 4, SIZE_MAX);
	uint64_t v = 0;

	for (size_t i = 0; i < 10; i++)
		v = v << 5 | (isdigit(body.p[i]) ? body.p[i] - '2' + 26u : body.p[i] - 'A' + 0u);
	/* Bits 1 to 40 of the first 48. */
	v = (v >> 2 & UINT64_C(0x7fffffffff80)) >> 7;
	return v <= UINT64_C(999999999999) ? CREDENTIAL_UNSURE : 0;
}

float check_aws_secret(struct candidate *c)
{
	struct span t = token_of(c);
	bool upper = false, lower = false, digit = false;

	for (size_t i = 0; i < t.len; i++) {
		upper |= isupper(t.p[i]) != 0;
		lower |= islower(t.p[i]) != 0;
		digit |= isdigit(t.p[i]) != 0;
	}
	return upper && lower && digit && credential_entropy(t) >= AWS_PAIR_ENTROPY
		   ? CREDENTIAL_LIKELY
		   : 0;
}

/* Keys of web pages are public by design and look the same. */
float check_google_key(struct candidate *c)
{
	static const char *const web[] = { "firebase", "maps.google", "authdomain", "youtube" };

	for (size_t i = 0; i < ARRAY_SIZE(web); i++)
		if (ascii_contains(around(c), web[i]))
			return CREDENTIAL_UNSURE;
	return CREDENTIAL_LIKELY;
}

/* Letters only, so that identifiers fit the shape; those change between capitals and small letters
 * seldom. */
float check_mixed_letters(struct candidate *c)
{
	struct span body = span_sub(token_of(c), token_literal(c->row->shape), SIZE_MAX);
	size_t changes = 0;

	for (size_t i = 1; i < body.len; i++)
		changes += (isupper(body.p[i]) != 0) != (isupper(body.p[i - 1]) != 0);
	return changes * 4 > body.len ? CREDENTIAL_LIKELY : 0;
}

/* Takes in the body, and the end line when it is there. */
float check_pem(struct candidate *c)
{
	struct span rest = span_sub(c->text, c->where.end, PEM_MAX);
	size_t n = 0, i = 0;

	for (; i < rest.len; i++) {
		uint8_t ch = rest.p[i];

		if (ch == '\\' && i + 1 < rest.len && strchr("nr", rest.p[i + 1]))
			i++;
		else if (isalnum(ch) || ch == '+' || ch == '/' || ch == '=')
			n++;
		else if (!isspace(ch) && !strchr("\"',:\\", ch))
			break;
	}
	if (n < PEM_BODY_MIN)
		return 0;
	if (rest.len - i >= 9 && !memcmp(rest.p + i, "-----END ", 9)) {
		const uint8_t *end = memmem(rest.p + i + 9, MIN(rest.len - i - 9, 40), "-----", 5);

		if (end)
			i = (size_t)(end - rest.p) + 5;
	}
	c->where.end += i;
	return CREDENTIAL_SURE;
}

/* Base64url of the header holds "alg". Sessions expire and samples abound: to be hunted for only.
 */
float check_jwt(struct candidate *c)
{
	static const char *const famous[] = {
		"eyJzdWIiOiIxMjM0NTY3ODkwIi"
	}; /* {"sub":"1234567890" */
	/* "alg" as it comes out at each of the three places of a group */
	static const char *const alg[] = { "ImFsZyI", "JhbGci", "iYWxnI" };
	struct span t = token_of(c), header;
	const uint8_t *dot = memchr(t.p, '.', t.len);

	for (size_t i = 0; i < ARRAY_SIZE(famous); i++)
		if (ascii_contains(t, famous[i]))
			return 0;
	header = span_sub(t, 0, (size_t)(dot - t.p));
	for (size_t i = 0; i < ARRAY_SIZE(alg); i++)
		if (memmem(header.p, header.len, alg[i], strlen(alg[i])))
			return CREDENTIAL_UNSURE;
	return 0;
}
