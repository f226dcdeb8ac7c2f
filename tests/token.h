/* tests/token.h - made-up credentials for tests: random tokens of the shapes in the credential
 * table, with fitting checksums. No whole token stands in any source file. Deterministic.
 */
#pragma once

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

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

/* Appends a random string of the shape from *at up to its end, '|' or ')'. */
static inline void token_shape(const char **at, char *out)
{
	while (**at && **at != '|' && **at != ')') {
		const char *p = *at;
		char one[2] = "", set[128] = "";
		size_t n_set = 0;
		unsigned min = 1, max = 1;

		if (*p == '(') {
			const char *branch = p + 3;
			bool skip;

			token_shape(&branch, one[0] ? one : set);
			while (*branch != ')') {
				char ignored[128] = "";

				branch++;
				token_shape(&branch, ignored);
			}
			skip = branch[1] == '?' && token_random(2);
			*at = branch + 1 + (branch[1] == '?');
			if (!skip)
				strcat(out, set);
			continue;
		}
		if (*p == '[') {
			for (int c = 33; c < 127; c++) {
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
		at[n] = (base == 36 ? d36 : d62)[v % base];
}

/* A token of the type that its row confirms. out has TOKEN_ROOM bytes. */
static inline void token_make(const struct credential *row, char *out)
{
	for (;;) {
		struct candidate c = { .row = row };
		const char *shape = row->shape;
		size_t prefix = token_literal(shape), len;

		*out = 0;
		if (row->check == check_jwt)
			strcpy(out, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ");
		if (row->check == check_jwt)
			shape = "[A-Za-z0-9_-]{80}\\.[A-Za-z0-9_-]{43}";
		token_shape(&shape, out);
		if (row->check == check_pem) {
			for (unsigned i = 0; i < 12; i++) {
				const char *line = "[A-Za-z0-9+/]{64}";

				strcat(out, "\n");
				token_shape(&line, out);
			}
			sprintf(out + strlen(out), "\n-----END %s", strstr(out, "BEGIN ") + 6);
			*(strstr(strstr(out, "-----END "), "KEY-----") + 8) = 0;
		}
		len = strlen(out);
		if (row->check == check_crc32_base62)
			token_digits(out + len - 6, 6,
				     (uint32_t)crc32(0, (uint8_t *)out + prefix,
						     (unsigned)(len - 6 - prefix)),
				     62);
		if (row->check == check_gitlab_routable)
			token_digits(out + len - 7, 7,
				     (uint32_t)crc32(0, (uint8_t *)out, (unsigned)len - 7), 36);
		c.text = span_of(out, len);
		c.where = (struct range){ 0, len };
		if (!credential_placeholder(span_sub(c.text, prefix, 200)) &&
		    (!row->check || row->check == check_pem || row->check(&c) > 0))
			return;
	}
}

/* Replaces each %{type} by a token. To be freed. */
static inline char *token_fill(const char *text)
{
	char *out = calloc(1, strlen(text) + 8 * TOKEN_ROOM), *to = out;

	while (*text) {
		const char *end = !strncmp(text, "%{", 2) ? strchr(text, '}') : NULL;
		const struct credential *row = NULL;

		for (size_t i = 0; end && i < n_credentials && !row; i++)
			if (strlen(credentials[i].type) == (size_t)(end - text - 2) &&
			    !memcmp(credentials[i].type, text + 2, (size_t)(end - text - 2)))
				row = &credentials[i];
		if (row) {
			token_make(row, to);
			to += strlen(to);
			text = end + 1;
		} else {
			*to++ = *text++;
		}
	}
	*to = 0;
	return out;
}
