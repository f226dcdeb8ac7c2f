/* user/detect/credential_check.c - what tells a credential from something that is shaped like one.
 */
#include <ctype.h>
#include <openssl/sha.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/own.h"
#include "detect/credential.h"
#include "detect/token.h"

#define AWS_PAIR_ENTROPY 4.3
#define PEM_BODY_MIN	 64 /* base64 characters; a header alone is quoted in prose all the time */
#define PEM_RUN_MIN	 16 /* ... in one run: words are shorter */
#define PEM_MAX		 (16 << 10)
#define AROUND		 200 /* bytes searched for context */
#define DECODED_MAX	 4096
#define EXPIRED_BEFORE                                                                             \
	1735689600 /* 2025: what ended before then was of no use when this was written */

static struct span token_of(const struct candidate *c)
{
	return span_sub(c->text, c->where.begin, c->where.end - c->where.begin);
}

static struct span body_of(const struct candidate *c)
{
	return span_sub(token_of(c), token_literal(c->row->shape), SIZE_MAX);
}

static struct span around(const struct candidate *c)
{
	size_t begin = c->where.begin > AROUND ? c->where.begin - AROUND : 0;

	return span_sub(c->text, begin, c->where.end + AROUND - begin);
}

size_t credential_base64(struct span s, uint8_t *ret, size_t max)
{
	size_t n = 0;

	while (n < s.len && n < max / 3 * 4 && base64_sextets[s.p[n]])
		n++;
	return base64_decode(ret, span_sub(s, 0, n));
}

float check_fixed_mark(struct candidate *c)
{
	(void)c; /* the shape held it */
	return CREDENTIAL_SURE;
}

/* Public by design, or for tests. */
float check_not_secret(struct candidate *c)
{
	(void)c;
	return CREDENTIAL_UNSURE;
}

/* Signatures of links: they end by themselves, and applications hand them around. */
float check_short_lived(struct candidate *c)
{
	(void)c;
	return CREDENTIAL_UNSURE;
}

/* Behind the last blank, where the shape has some. */
float check_random(struct candidate *c)
{
	struct span body = body_of(c);
	const uint8_t *blank = memrchr(body.p, ' ', body.len);

	if (blank)
		body = span_sub(body, (size_t)(blank - body.p) + 1, SIZE_MAX);
	return credential_random(body) ? CREDENTIAL_LIKELY : 0;
}

/* --- checksums: they grade, for genuine tokens whose issuer changed his mind exist, too */

static bool ends_in(struct span t, const char *want)
{
	return t.len >= strlen(want) && !memcmp(t.p + t.len - strlen(want), want, strlen(want));
}

static void digits(char *ret, unsigned n, uint32_t v, unsigned base)
{
	static const char d36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	static const char d62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	ret[n] = 0;
	for (; n--; v /= base)
		ret[n] = (base == 62 ? d62 : d36)[v % base];
}

/* The last n characters are the CRC-32 of those before them, from the one at from on. */
static float check_crc(struct candidate *c, size_t from, unsigned n, unsigned base)
{
	struct span t = token_of(c);
	char want[16];

	digits(want, n, (uint32_t)crc32(0, t.p + from, (unsigned)(t.len - n - from)), base);
	return ends_in(t, want) ? CREDENTIAL_PROVEN : CREDENTIAL_UNSURE;
}

/* GitHub, npm */
float check_crc32_base62(struct candidate *c)
{
	return check_crc(c, token_literal(c->row->shape), 6, 62);
}

float check_gitlab_routable(struct candidate *c)
{
	return check_crc(c, 0, 7, 36);
}

/* Atlassian: in capitals */
float check_crc32_hex(struct candidate *c)
{
	struct span t = token_of(c);
	char want[16];

	digits(want, 8, (uint32_t)crc32(0, t.p, (unsigned)t.len - 8), 16);
	for (char *p = want; *p; p++)
		*p = (char)toupper(*p);
	return ends_in(t, want) ? CREDENTIAL_PROVEN : CREDENTIAL_UNSURE;
}

/* The four bytes last first; an underscore stands before them. */
float check_crc32_grafana(struct candidate *c)
{
	struct span t = token_of(c);
	char want[16];

	digits(want, 8, __builtin_bswap32((uint32_t)crc32(0, t.p, (unsigned)t.len - 9)), 16);
	return ends_in(t, want) ? CREDENTIAL_PROVEN : CREDENTIAL_UNSURE;
}

float check_crc32_zuplo(struct candidate *c)
{
	struct span body = body_of(c);
	char want[16];

	digits(want, 8, (uint32_t)crc32(0, body.p, (unsigned)body.len - 9), 16);
	return ends_in(body, want) ? CREDENTIAL_PROVEN : CREDENTIAL_UNSURE;
}

/* The four bytes last first, as base64 without its padding. */
float check_crc32_confluent(struct candidate *c)
{
	struct span body = body_of(c);
	uint32_t crc = (uint32_t)crc32(0, body.p, (unsigned)body.len - 6);
	uint8_t got[8];

	/* 36 bits: the last four are none of it. */
	return credential_base64(span_sub(body, body.len - 6, 6), got, sizeof(got)) == 4 &&
		       !memcmp(got, &crc, 4) && !((base64_sextets[body.p[body.len - 1]] - 1) & 15)
		   ? CREDENTIAL_PROVEN
		   : CREDENTIAL_UNSURE;
}

static unsigned crc16(const uint8_t *p, size_t n)
{
	unsigned crc = 0;

	while (n--) {
		crc ^= (unsigned)*p++ << 8;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
	}
	return crc;
}

/* Base 32; the last two bytes are the CRC-16 (XMODEM), the lower first. */
static bool base32_crc16(struct span t, uint8_t *ret)
{
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < t.len; i++) {
		bits = bits << 5 | (isdigit(t.p[i]) ? t.p[i] - '2' + 26u : (unsigned)t.p[i] - 'A');
		have += 5;
		if (have >= 8)
			ret[n++] = (uint8_t)(bits >> (have -= 8));
	}
	return crc16(ret, n - 2) == (ret[n - 2] | (unsigned)ret[n - 1] << 8);
}

/* Chance makes the shapes of these; the checksum is all there is. */
float check_nats(struct candidate *c)
{
	uint8_t bytes[64];

	return base32_crc16(token_of(c), bytes) ? CREDENTIAL_PROVEN : 0;
}

float check_stellar(struct candidate *c)
{
	uint8_t bytes[64];

	return base32_crc16(token_of(c), bytes) && bytes[0] == 0x90 ? CREDENTIAL_PROVEN : 0;
}

/* Base 58; the last four bytes are the first of the double SHA-256. */
float check_base58(struct candidate *c)
{
	static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	uint8_t bytes[96] = { 0 }, hash[SHA256_DIGEST_LENGTH];
	struct span t = token_of(c);
	size_t n = 0;

	for (size_t i = 0; i < t.len; i++) {
		const char *at = memchr(alphabet, t.p[i], 58);
		unsigned carry = at ? (unsigned)(at - alphabet) : 0;

		for (size_t k = 0; k < n || carry; k++) {
			if (k == sizeof(bytes))
				return 0;
			n = MAX(n, k + 1);
			carry += bytes[k] * 58u;
			bytes[k] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t b = bytes[i];

		bytes[i] = bytes[n - 1 - i];
		bytes[n - 1 - i] = b;
	}
	if (n < 5)
		return 0;
	SHA256(bytes, n - 4, hash);
	SHA256(hash, sizeof(hash), hash);
	if (memcmp(hash, bytes + n - 4, 4))
		return c->row->anchor ? CREDENTIAL_UNSURE : 0;
	return CREDENTIAL_PROVEN;
}

static uint32_t bech32_add(uint32_t sum, uint32_t v)
{
	static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					      0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ v;
	for (unsigned b = 0; b < 5; b++)
		sum ^= top >> b & 1 ? generator[b] : 0;
	return sum;
}

/* BIP 173; what stands before the last '1' is the human part. */
float check_bech32(struct candidate *c)
{
	static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	struct span t = token_of(c);
	size_t human = token_literal(c->row->shape) - 1;
	uint32_t sum = 1;

	for (size_t i = 0; i < human; i++)
		sum = bech32_add(sum, (uint32_t)tolower(t.p[i]) >> 5);
	sum = bech32_add(sum, 0);
	for (size_t i = 0; i < human; i++)
		sum = bech32_add(sum, (uint32_t)tolower(t.p[i]) & 31);
	for (size_t i = human + 1; i < t.len; i++)
		sum = bech32_add(sum, (uint32_t)(strchr(alphabet, tolower(t.p[i])) - alphabet));
	return sum == 1 ? CREDENTIAL_PROVEN : CREDENTIAL_UNSURE;
}

/* --- structure behind the shape */

/* Base 32 behind the prefix holds the account, a number of twelve digits. An id alone opens
 * nothing. */
float check_aws_id(struct candidate *c)
{
	struct span body = span_sub(token_of(c), 4, SIZE_MAX);
	uint64_t v = 0;

	if (memcmp(token_of(c).p, "AKIA", 4) && memcmp(token_of(c).p, "ASIA", 4))
		return CREDENTIAL_UNSURE;
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
	static const char *const web[] = { "firebase", "maps.google", "authdomain", "innertube" };

	for (size_t i = 0; i < ARRAY_SIZE(web); i++)
		if (ascii_contains(around(c), web[i]))
			return CREDENTIAL_UNSURE;
	return CREDENTIAL_LIKELY;
}

/* Letters only, so that identifiers fit the shape; those change between capitals and small letters
 * seldom. */
float check_mixed_letters(struct candidate *c)
{
	struct span body = body_of(c);
	size_t changes = 0;

	for (size_t i = 1; i < body.len; i++)
		changes += (isupper(body.p[i]) != 0) != (isupper(body.p[i - 1]) != 0);
	return changes * 4 > body.len ? CREDENTIAL_LIKELY : 0;
}

/* The first part is the account's number in base64. */
float check_discord(struct candidate *c)
{
	uint8_t id[32];
	size_t n = credential_base64(token_of(c), id, sizeof(id));

	for (size_t i = 0; i < n; i++)
		if (!isdigit(id[i]))
			return CREDENTIAL_UNSURE;
	return n >= 17 && n <= 20 ? CREDENTIAL_SURE : CREDENTIAL_UNSURE;
}

/* What is between two quotes, or all of it: user:password in base64? */
static float user_and_password(struct span s)
{
	static const char *const samples[] = { "user:pass", "username:password",
					       "aladdin:",  "user:password",
					       "foo:bar",   "login:password" };
	uint8_t text[256];
	struct span t = { text, credential_base64(s, text, sizeof(text)) };
	const uint8_t *colon = memchr(t.p, ':', t.len);
	struct span password;

	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < 0x20 || t.p[i] >= 0x7f)
			return 0;
	if (!colon || colon == t.p)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (t.len >= strlen(samples[i]) &&
		    !strncasecmp((const char *)t.p, samples[i], strlen(samples[i])))
			return 0;
	password = span_sub(t, (size_t)(colon - t.p) + 1, SIZE_MAX);
	if (password.len < 4)
		return 0;
	return credential_password(password) || credential_random(password) ? CREDENTIAL_LIKELY
									    : CREDENTIAL_UNSURE;
}

float check_basic(struct candidate *c)
{
	struct span t = token_of(c);
	size_t at = t.len;
	float score;

	/* The value is the last run of base64. */
	while (at && !base64_sextets[t.p[at - 1]])
		at--;
	while (at && base64_sextets[t.p[at - 1]])
		at--;
	t = span_sub(t, at, SIZE_MAX);
	score = user_and_password(t);
	/* What does not come out as text may be a token of its own. */
	return !score && c->row->shape && credential_random(t) ? CREDENTIAL_UNSURE : score;
}

float check_colon(struct candidate *c)
{
	uint8_t text[64];
	size_t n = credential_base64(body_of(c), text, sizeof(text)), i = 0;

	while (i < n && isdigit(text[i]))
		i++;
	return i && i < n && text[i] == ':' ? CREDENTIAL_SURE : CREDENTIAL_LIKELY;
}

/* Zeros in base64 go on for longer. */
float check_twitter(struct candidate *c)
{
	struct span t = token_of(c);
	size_t n = 0;

	while (n < t.len && t.p[n] == 'A')
		n++;
	return n < 25 && credential_random(span_sub(t, n, SIZE_MAX)) ? CREDENTIAL_LIKELY : 0;
}

float check_slack_webhook(struct candidate *c)
{
	return memmem(token_of(c).p, token_of(c).len, "T00000000", 9) ? 0 : CREDENTIAL_LIKELY;
}

float check_facebook(struct candidate *c)
{
	struct span t = token_of(c);

	return memmem(t.p, t.len, "AAAA", 4) || !credential_random(t) ? 0 : CREDENTIAL_LIKELY;
}

/* In a line of a table of accounts it is what an attacker wants; alone it may be a sample. */
float check_crypt(struct candidate *c)
{
	return c->where.begin && c->text.p[c->where.begin - 1] == ':' ? CREDENTIAL_LIKELY
								      : CREDENTIAL_UNSURE;
}

/* --- private keys */

/* Behind lines like "Version: GnuPG v2" and "DEK-Info: AES-128-CBC,0123": some stand before a body.
 */
static size_t pem_headers(struct span t)
{
	for (size_t at = 0;;) {
		size_t line = at, i;

		while (line < t.len &&
		       (isspace(t.p[line]) ||
			(t.p[line] == '\\' && line + 1 < t.len && strchr("nrt", t.p[line + 1]))))
			line += t.p[line] == '\\' ? 2 : 1;
		for (i = line; i < t.len && (isalpha(t.p[i]) || t.p[i] == '-'); i++)
			;
		if (i == line || i + 1 >= t.len || t.p[i] != ':' || t.p[i + 1] != ' ')
			return at;
		while (i < t.len && t.p[i] != '\n' && t.p[i] != '\\')
			i++;
		at = i;
	}
}

/* Does a body begin as keys do? Their zeros and lengths look like a placeholder in base64. */
static bool pem_key(struct span body)
{
	static const char openssh[] = "openssh-key-v1";
	uint8_t bytes[PEM_BODY_MIN / 4 * 3];
	size_t n = credential_base64(body, bytes, sizeof(bytes)), first;

	/* A sequence that begins with its version or, when it is encrypted, with a sequence. */
	first = n > 2 && bytes[1] & 0x80 ? 2 + (bytes[1] & 3u) : 2;
	return (n > first && bytes[0] == 0x30 && (bytes[first] == 0x02 || bytes[first] == 0x30)) ||
	       (n >= sizeof(openssh) && !memcmp(bytes, openssh, sizeof(openssh)));
}

/* Takes in the body, and the end line when it is there. */
float check_pem(struct candidate *c)
{
	struct span rest = span_sub(c->text, c->where.end, PEM_MAX);
	size_t n = 0, i = pem_headers(rest), run = 0, body = 0;

	for (; i < rest.len; i++) {
		uint8_t ch = rest.p[i];

		if (isalnum(ch) || ch == '+' || ch == '/' || ch == '=') {
			run++;
			if (run == PEM_RUN_MIN && !n)
				body = i + 1 - run;
			n += run == PEM_RUN_MIN ? run : run > PEM_RUN_MIN;
			continue;
		}
		run = 0;
		if (rest.len - i >= 5 && !memcmp(rest.p + i, "-----", 5))
			break;
		if (ch == '\\' && i + 1 < rest.len && strchr("nrt", rest.p[i + 1]))
			i++;
		else if (!isspace(ch) && !strchr("\"',:\\-#|>.;()*", ch))
			break;
	}
	if (n < PEM_BODY_MIN)
		return 0;
	if (pem_key(span_sub(rest, body, PEM_BODY_MIN)))
		body += PEM_BODY_MIN;
	if (credential_placeholder(span_sub(rest, body, MIN(i - MIN(i, body), PEM_BODY_MIN))))
		return 0;
	if (rest.len - i >= 9 && !memcmp(rest.p + i, "-----END ", 9)) {
		const uint8_t *end = memmem(rest.p + i + 9, MIN(rest.len - i - 9, 40), "-----", 5);

		if (end)
			i = (size_t)(end - rest.p) + 5;
	}
	c->where.end += i;
	return CREDENTIAL_SURE;
}

/* Up to its message authentication code. */
float check_putty(struct candidate *c)
{
	struct span rest = span_sub(c->text, c->where.end, PEM_MAX);
	const uint8_t *lines = memmem(rest.p, rest.len, "Private-Lines: ", 15), *mac;
	size_t end;

	if (!lines || !isdigit(lines[15]))
		return 0;
	rest = span_sub(rest, (size_t)(lines - rest.p), SIZE_MAX);
	mac = memmem(rest.p, rest.len, "Private-MAC:", 12);
	end = mac ? (size_t)(mac - rest.p) + 12 : rest.len;
	while (mac && end < rest.len && (rest.p[end] == ' ' || isxdigit(rest.p[end])))
		end++;
	c->where.end = (size_t)(rest.p - c->text.p) + end;
	return CREDENTIAL_SURE;
}

/* --- JSON Web Tokens */

/* A part of one, decoded. */
static struct span part(struct span t, unsigned which, uint8_t *ret)
{
	for (; which; which--) {
		const uint8_t *dot = memchr(t.p, '.', t.len);

		t = span_sub(t, dot ? (size_t)(dot - t.p) + 1 : t.len, SIZE_MAX);
	}
	return span_of(ret, credential_base64(t, ret, DECODED_MAX));
}

static bool holds(struct span s, const char *what)
{
	return memmem(s.p, s.len, what, strlen(what)) != NULL;
}

/* The number behind a key; 0 when there is none. */
static unsigned long long number(struct span json, const char *key)
{
	const uint8_t *at = memmem(json.p, json.len, key, strlen(key));
	unsigned long long v = 0;
	size_t i;

	if (!at)
		return 0;
	i = (size_t)(at - json.p) + strlen(key);
	while (i < json.len && (json.p[i] == ' ' || json.p[i] == ':'))
		i++;
	for (unsigned n = 0; n < 12 && i < json.len && isdigit(json.p[i]); n++)
		v = v * 10 + (json.p[i++] - '0');
	return v;
}

/* Sessions expire, samples abound, and some are handed to every browser. */
float check_jwt(struct candidate *c)
{
	static const char *const samples[] = { "\"1234567890\"", "John Doe", "example",
					       "\"role\":\"anon\"" };
	uint8_t bytes[DECODED_MAX];
	struct span t = token_of(c), json = part(t, 0, bytes);
	unsigned long long until;

	if (!holds(json, "\"alg\""))
		return 0;
	json = part(t, 1, bytes);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (holds(json, samples[i]))
			return 0;
	until = number(json, "\"exp\"");
	return c->named && (!until || until > EXPIRED_BEFORE) ? CREDENTIAL_LIKELY
							      : CREDENTIAL_UNSURE;
}

/* {"k":..,"n":..,"id":..}; other services begin theirs in the same way. */
float check_grafana(struct candidate *c)
{
	uint8_t bytes[DECODED_MAX];

	return holds(part(token_of(c), 0, bytes), "\"id\":") ? CREDENTIAL_SURE : CREDENTIAL_UNSURE;
}

float check_kube_token(struct candidate *c)
{
	uint8_t bytes[DECODED_MAX];

	return holds(part(token_of(c), 1, bytes), "kubernetes") ? CREDENTIAL_SURE : 0;
}
