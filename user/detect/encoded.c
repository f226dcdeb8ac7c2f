/* user/detect/encoded.c - encodes what is looked for, rather than decode what is read: a value is
 * short, and whatever decodes to it is the same few characters.
 */
#include "detect/encoded.h"

#include "base/own.h"

#define TAKEN_MAX 48 /* bytes of a value: what follows leaves with them */
#define ROOM	  (3 * TAKEN_MAX)
#define JOINED	  "+/=-_%"

typedef size_t encode_fn(struct span value, unsigned how, uint8_t out[ROOM]);

/* how: by how many bytes in front of it the value is out of step. What others share with it is left
 * out. */
static size_t base64(struct span value, const char *letters, unsigned shift, uint8_t out[ROOM])
{
	size_t bits = 8 * (shift + value.len), n = 0;

	for (size_t at = 0; at + 6 <= bits; at += 6) {
		unsigned sextet = 0;

		if (at < 8 * shift)
			continue;
		for (size_t i = at; i < at + 6; i++)
			sextet = sextet << 1 | (value.p[i / 8 - shift] >> (7 - i % 8) & 1u);
		out[n++] = (uint8_t)letters[sextet];
	}
	return n;
}

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static size_t to_base64(struct span value, unsigned how, uint8_t out[ROOM])
{
	return base64(value, ALPHABET "+/", how, out);
}

static size_t to_base64url(struct span value, unsigned how, uint8_t out[ROOM])
{
	return base64(value, ALPHABET "-_", how, out);
}

/* how: 'a' or 'A', in which the letters among the digits are. */
static uint8_t digit(unsigned v, unsigned how)
{
	return (uint8_t)(v < 10 ? '0' + v : how + v - 10);
}

static size_t to_hex(struct span value, unsigned how, uint8_t out[ROOM])
{
	for (size_t i = 0; i < value.len; i++) {
		out[2 * i] = digit(value.p[i] >> 4, how);
		out[2 * i + 1] = digit(value.p[i] & 15, how);
	}
	return 2 * value.len;
}

static bool unreserved(uint8_t c)
{
	return ascii_alnum(c) || (c && memchr("-._~", c, 4));
}

/* how: 0, what URLs reserve; 1, every byte. */
static size_t to_percent(struct span value, unsigned how, uint8_t out[ROOM])
{
	size_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!how && unreserved(value.p[i])) {
			out[n++] = value.p[i];
			continue;
		}
		out[n++] = '%';
		out[n++] = digit(value.p[i] >> 4, 'A');
		out[n++] = digit(value.p[i] & 15, 'A');
	}
	return n;
}

static const struct {
	const char *name;
	encode_fn *encode;
	unsigned how;
} forms[] = {
	{ "base64", to_base64, 0 },    { "base64", to_base64, 1 },    { "base64", to_base64, 2 },
	{ "base64", to_base64url, 0 }, { "base64", to_base64url, 1 }, { "base64", to_base64url, 2 },
	{ "hex", to_hex, 'a' },	       { "hex", to_hex, 'A' },	      { "escapes", to_percent, 0 },
	{ "escapes", to_percent, 1 },
};

static bool joined(uint8_t c)
{
	return unreserved(c) || (c && strchr(JOINED, c));
}

bool encoded_find(struct span text, struct span value, struct range *ret, const char **ret_how)
{
	const uint8_t *p = memmem(text.p, text.len, value.p, value.len);
	uint8_t out[ROOM];
	size_t n = value.len;

	*ret_how = "";
	for (size_t i = 0; !p && i < ARRAY_SIZE(forms); i++) {
		n = forms[i].encode(span_sub(value, 0, TAKEN_MAX), forms[i].how, out);
		p = memmem(text.p, text.len, out, n);
		*ret_how = forms[i].name;
	}
	explicit_bzero(out, sizeof(out));
	if (!p)
		return false;
	ret->begin = (size_t)(p - text.p);
	ret->end = ret->begin + n;
	while (**ret_how && ret->begin && joined(text.p[ret->begin - 1]))
		ret->begin--;
	while (**ret_how && ret->end < text.len && joined(text.p[ret->end]))
		ret->end++;
	return true;
}
