/* user/base/escape.c - the one escaper for hostile text. */
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

size_t utf8_decode(struct span s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t n;

	if (!s.len)
		return 0;
	c = s.p[0];
	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	n = (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
	if (!n || s.len < n)
		return 0;
	c &= 0x7f >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*cp = c;
	return n;
}

size_t utf8_encode(uint32_t cp, uint8_t out[4])
{
	if (cp < 0x80) {
		out[0] = cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = 0xc0 | cp >> 6;
		out[1] = 0x80 | (cp & 0x3f);
		return 2;
	}
	if (cp < 0x10000) {
		if (cp >= 0xd800 && cp <= 0xdfff)
			return 0;
		out[0] = 0xe0 | cp >> 12;
		out[1] = 0x80 | (cp >> 6 & 0x3f);
		out[2] = 0x80 | (cp & 0x3f);
		return 3;
	}
	if (cp > 0x10ffff)
		return 0;
	out[0] = 0xf0 | cp >> 18;
	out[1] = 0x80 | (cp >> 12 & 0x3f);
	out[2] = 0x80 | (cp >> 6 & 0x3f);
	out[3] = 0x80 | (cp & 0x3f);
	return 4;
}

bool escape_hidden(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{ 0x0, 0x1f },	    { 0x7f, 0x9f },	{ 0xad, 0xad },	    { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe01ef },
		{ 0xe000, 0xf8ff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].from && cp <= ranges[i].to)
			return true;
	return false;
}

/* One character of s, escaped into out (at least 12 bytes); returns how many source bytes it took.
 */
static size_t escape_one(struct span s, char out[12], size_t *ret_len)
{
	uint32_t cp;
	size_t n = utf8_decode(s, &cp);

	if (!n) {
		*ret_len = (size_t)snprintf(out, 12, "\\x%02x", s.p[0]);
		return 1;
	}
	if (escape_hidden(cp)) {
		*ret_len = (size_t)snprintf(out, 12, cp < 0x100 ? "\\x%02x" : "\\u{%x}", cp);
		return n;
	}
	memcpy(out, s.p, n);
	*ret_len = n;
	return n;
}

void escape_to(FILE *f, struct span s, size_t max)
{
	size_t end = max && max < s.len ? max : s.len;
	char out[12];
	size_t i = 0, len;

	while (i < end) {
		size_t n = escape_one(span_sub(s, i, s.len), out, &len);

		if (n > end - i)
			break; /* cut before a character, not inside */
		fwrite(out, 1, len, f);
		i += n;
	}
	if (i < s.len)
		fputs("...", f);
}

const char *escape_str(char *out, size_t size, struct span s)
{
	size_t at = 0;
	char one[12];
	size_t len;

	for (size_t i = 0; i < s.len;) {
		i += escape_one(span_sub(s, i, s.len), one, &len);
		if (at + len + 1 > size)
			break;
		memcpy(out + at, one, len);
		at += len;
	}
	if (size)
		out[at] = 0;
	return out;
}
