/* tests/token.h - made-up credentials for tests: random tokens of the shapes in the credential
 * table, with fitting checksums. No whole token stands in any source file. Deterministic.
 */
#pragma once

#include <assert.h>
#include <ctype.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/own.h"
#include "detect/credential.h"
#include "detect/token.h"

#define TOKEN_ROOM 8192

static uint32_t token_state = 1;

static inline unsigned token_random(unsigned below)
{
	token_state ^= token_state << 13;
	token_state ^= token_state >> 17;
	token_state ^= token_state << 5;
	return token_state % below;
}

/* Appends a random string of the shape from *at up to its end, '|' or ')'; the shortest, or one of
 * any length. */
static inline void token_shape(const char **at, char *out, bool shortest)
{
	while (**at && **at != '|' && **at != ')') {
		const char *p = *at;
		char one[2] = "", set[128] = "";
		size_t n_set = 0, before = strlen(out);
		unsigned min = 1, max = 1;

		if (*p == '(') {
			const char *branch = p + 3;
			size_t after;

			token_shape(&branch, out, shortest);
			after = strlen(out);
			while (*branch != ')') {
				branch++;
				token_shape(&branch, out, shortest);
				out[after] = 0;
			}
			if (branch[1] == '?' && (shortest || token_random(2)))
				out[before] = 0;
			*at = branch + 1 + (branch[1] == '?');
			continue;
		}
		if (*p == '[') {
			for (int c = 32; c < 127; c++) {
				const char *class = p + 1;

				if (token_class(&class, (uint8_t)c))
					set[n_set++] = (char)c;
			}
			p++;
			token_class(&p, 0);
		} else {
			p += *p == '\\';
			set[n_set++] = *p++;
		}
		if (*p == '{') {
			char *end;

			min = max = (unsigned)strtoul(p + 1, &end, 10);
			if (*end == ',')
				max = (unsigned)strtoul(end + 1, &end, 10);
			p = end + 1;
			/* Long ones need not be as long as they may be. */
			max = max > min + 60 ? min + 60 : max;
		} else if (*p == '?') {
			min = 0;
			p++;
		}
		if (shortest)
			max = min;
		for (unsigned n = min + token_random(max - min + 1); n; n--) {
			one[0] = set[token_random((unsigned)n_set)];
			strcat(out, one);
		}
		*at = p;
	}
}

static inline void token_digits(char *at, unsigned n, uint32_t v, unsigned base)
{
	static const char d36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	static const char d62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	for (; n--; v /= base)
		at[n] = (base == 62 ? d62 : d36)[v % base];
}

static inline void token_base64(char *out, const uint8_t *p, size_t n)
{
	static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = 0;
	unsigned have = 0;

	while (n-- || have) {
		v = v << 8 | (n != SIZE_MAX ? *p++ : 0u);
		have += 8;
		if (n == SIZE_MAX) {
			*out++ = d[v >> (have - 6) & 63];
			break;
		}
		for (; have >= 6; have -= 6)
			*out++ = d[v >> (have - 6) & 63];
	}
	*out = 0;
}

/* The n bytes that begin at bytes, with room for four more, in base 58 with their checksum. */
static inline void token_base58(char *out, uint8_t *bytes, size_t n)
{
	static const char d[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	uint8_t hash[SHA256_DIGEST_LENGTH];
	size_t len = 0;

	SHA256(bytes, n, hash);
	SHA256(hash, sizeof(hash), hash);
	memcpy(bytes + n, hash, 4);
	for (bool left = true; left;) {
		unsigned rest = 0;

		left = false;
		for (size_t i = 0; i < n + 4; i++) {
			rest = rest << 8 | bytes[i];
			bytes[i] = (uint8_t)(rest / 58);
			rest %= 58;
			left |= bytes[i] != 0;
		}
		memmove(out + 1, out, len++);
		out[0] = d[rest];
	}
	out[len] = 0;
}

/* Base 32: the last two of the bytes that t stands for become the CRC-16 of the others. */
static inline void token_crc16(char *t, uint8_t first)
{
	static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t bytes[64] = { 0 };
	size_t len = strlen(t), n = len * 5 / 8;
	unsigned crc = 0;

	for (size_t i = 0; i < len * 5; i++)
		if ((unsigned)(strchr(d, t[i / 5]) - d) >> (4 - i % 5) & 1 && i / 8 < n)
			bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	if (first)
		bytes[0] = first;
	for (size_t i = 0; i < n - 2; i++) {
		crc ^= (unsigned)bytes[i] << 8;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
	}
	bytes[n - 2] = (uint8_t)crc;
	bytes[n - 1] = (uint8_t)(crc >> 8);
	for (size_t c = 0; c < len; c++) {
		unsigned v = 0;

		for (size_t i = c * 5; i < c * 5 + 5; i++)
			v = v << 1 | (i / 8 < n ? bytes[i / 8] >> (7 - i % 8) & 1u : 0u);
		t[c] = d[v];
	}
}

/* BIP 173: the last six characters. */
static inline void token_bech32(char *t, size_t human)
{
	static const char d[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	static const uint32_t gen[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					0x2a1462b3 };
	size_t len = strlen(t), n = 0;
	uint8_t v[256] = { 0 };
	uint32_t sum = 1;
	bool upper = isupper((unsigned char)t[0]);

	for (size_t i = 0; i < human; i++)
		v[n++] = (uint8_t)(tolower(t[i]) >> 5);
	n++;
	for (size_t i = 0; i < human; i++)
		v[n++] = (uint8_t)(tolower(t[i]) & 31);
	for (size_t i = human + 1; i < len - 6; i++)
		v[n++] = (uint8_t)(strchr(d, tolower(t[i])) - d);
	for (size_t i = 0; i < n + 6; i++) {
		uint32_t top = sum >> 25;

		sum = (sum & 0x1ffffff) << 5 ^ v[i];
		for (unsigned b = 0; b < 5; b++)
			sum ^= top >> b & 1 ? gen[b] : 0;
	}
	sum ^= 1;
	for (unsigned i = 0; i < 6; i++) {
		t[len - 6 + i] = d[sum >> 5 * (5 - i) & 31];
		if (upper)
			t[len - 6 + i] = (char)toupper(t[len - 6 + i]);
	}
}

static inline void token_lines(char *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const char *line = "[A-Za-z0-9+/]{64}";

		strcat(out, "\n");
		token_shape(&line, out, false);
	}
}

/* Makes what the row's check looks for. */
static inline void token_finish(const struct credential *row, char *out)
{
	size_t prefix = token_literal(row->shape), len = strlen(out);
	uint32_t all = (uint32_t)crc32(0, (uint8_t *)out, (unsigned)MAX(len, 8u) - 8);
	uint8_t bytes[128];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)token_random(256);
	if (row->check == check_pem) {
		char *begin = strstr(out, "BEGIN ");

		token_lines(out, 12);
		len = strlen(out);
		sprintf(out + len, "\n-----END %.*s", (int)(strcspn(begin + 6, "\n")), begin + 6);
	} else if (row->check == check_putty) {
		strcat(out, " ssh-rsa\nPublic-Lines: 1");
		token_lines(out, 1);
		strcat(out, "\nPrivate-Lines: 2");
		token_lines(out, 2);
		strcat(out, "\nPrivate-MAC: 0123456789abcdef");
	} else if (row->check == check_crc32_base62) {
		token_digits(
		    out + len - 6, 6,
		    (uint32_t)crc32(0, (uint8_t *)out + prefix, (unsigned)(len - 6 - prefix)), 62);
	} else if (row->check == check_gitlab_routable) {
		token_digits(out + len - 7, 7,
			     (uint32_t)crc32(0, (uint8_t *)out, (unsigned)len - 7), 36);
	} else if (row->check == check_crc32_hex) {
		token_digits(out + len - 8, 8, all, 16);
		for (char *p = out + len - 8; *p; p++)
			*p = (char)toupper(*p);
	} else if (row->check == check_crc32_grafana) {
		token_digits(
		    out + len - 8, 8,
		    __builtin_bswap32((uint32_t)crc32(0, (uint8_t *)out, (unsigned)len - 9)), 16);
	} else if (row->check == check_crc32_zuplo) {
		token_digits(
		    out + len - 8, 8,
		    (uint32_t)crc32(0, (uint8_t *)out + prefix, (unsigned)(len - 9 - prefix)), 16);
	} else if (row->check == check_crc32_confluent) {
		uint32_t crc =
		    (uint32_t)crc32(0, (uint8_t *)out + prefix, (unsigned)(len - 6 - prefix));

		token_base64(out + len - 6, (uint8_t *)&crc, 4);
	} else if (row->check == check_base58 && row->anchor) {
		memcpy(bytes, "\x04\x88\xad\xe4", 4); /* xprv */
		token_base58(out, bytes, 78);
	} else if (row->check == check_base58) {
		bytes[0] = 0x80;
		bytes[33] = 1;
		*out = 0;
		token_base58(out, bytes, 34);
	} else if (row->check == check_nats) {
		token_crc16(out, 0);
	} else if (row->check == check_stellar) {
		token_crc16(out, 0x90);
	} else if (row->check == check_bech32) {
		token_bech32(out, prefix - 1);
	} else if (row->check == check_discord) {
		char id[32] = "1", part[64];

		for (unsigned i = 1; i < 18; i++)
			id[i] = (char)('0' + token_random(10));
		token_base64(part, (uint8_t *)id, 18);
		memmove(out + 24, strchr(out, '.'), strlen(strchr(out, '.')) + 1);
		memcpy(out, part, 24);
	} else if (row->check == check_basic) {
		const char *password = "deploy:[A-Za-z0-9]{12}";
		char text[64] = "";

		token_shape(&password, text, false);
		strcpy(out, "\"auth\": \"");
		token_base64(out + strlen(out), (uint8_t *)text, strlen(text));
		strcat(out, "==\"");
	}
}

/* A token of the type that its row confirms. out has TOKEN_ROOM bytes. */
static inline void token_make_of(const struct credential *row, char *out, bool shortest)
{
	for (unsigned tries = 0;; tries++) {
		struct candidate c = { .row = row, .named = true };
		const char *shape = row->shape;
		size_t prefix = token_literal(shape);

		*out = 0;
		if (row->check == check_jwt) {
			strcpy(out, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ");
			shape = "[A-Za-z0-9_-]{80}\\.[A-Za-z0-9_-]{43}";
		}
		if (row->check == check_kube_token) {
			strcpy(out, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImFiY2RlZmdoMTIzNDU2Nzg5MCJ9."
				    "eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Ii");
			shape = "[A-Za-z0-9_-]{100}\\.[A-Za-z0-9_-]{342}";
		}
		token_shape(&shape, out, shortest);
		token_finish(row, out);
		c.text = span_str(out);
		c.where = (struct range){ 0, token_match(row->shape, c.text) };
		if (c.where.end &&
		    !credential_placeholder(span_sub(c.text, prefix, MIN(c.text.len, 200u))) &&
		    (!row->check || row->check(&c) > 0) && c.where.end == c.text.len)
			return;
		/* A row that confirms nothing that has its shape. */
		assert(tries < 1000 || !fprintf(stderr, "%s: %s\n", row->type, out));
	}
}

static inline void token_make(const struct credential *row, char *out)
{
	token_make_of(row, out, false);
}

/* Replaces each %{type} by a token, and %{password} by a password. To be freed. */
static inline char *token_fill(const char *text)
{
	char *out = calloc(1, strlen(text) + 8 * TOKEN_ROOM), *to = out;

	while (*text) {
		const char *end = !strncmp(text, "%{", 2) ? strchr(text, '}') : NULL;
		const struct credential *row = NULL;
		char type[64] = "";

		if (end && (size_t)(end - text) < sizeof(type))
			memcpy(type, text + 2, (size_t)(end - text) - 2);
		if (!strcmp(type, "password")) {
			const char *shape = "[a-z]{3}[0-9]{2}[A-Z]{2}[0-9][a-z]{2}[0-9]{2}[a-z]";

			token_shape(&shape, to, false);
		} else if (*type && (row = credential_find(type)) && row->shape) {
			token_make(row, to);
		} else {
			*to++ = *text++;
			continue;
		}
		to += strlen(to);
		text = end + 1;
	}
	*to = 0;
	return out;
}
