/* user/parse/charset.c - which of UTF-8, UTF-16 and UTF-32 a document is in, and the second one
 * into the first. */
#include "parse/charset.h"

#include "base/escape.h"

#define OUT_MAX	    1024
#define REPLACEMENT 0xfffd

/* Called with two bytes or more, or all there are. How many of them are a byte order mark; -1: more
 * are needed. */
static int decide(struct charset *c, bool all)
{
	const uint8_t *h = c->head;
	size_t n = c->n_head;

	if (n < 2) {
		c->kind = CHARSET_UTF8;
		return 0;
	}
	if (h[0] && h[1] && h[0] < 0xef) {
		c->kind = CHARSET_UTF8;
		return 0;
	}
	if (n < 4 && !all)
		return -1;
	if (n >= 3 && h[0] == 0xef && h[1] == 0xbb && h[2] == 0xbf) {
		c->kind = CHARSET_UTF8;
		return 3;
	}
	if (n == 4 && ((!h[0] && !h[1]) || (!h[2] && !h[3] && !h[1]) ||
		       (h[0] == 0xff && h[1] == 0xfe && !h[2] && !h[3]))) {
		c->kind = CHARSET_UTF32;
		return 0;
	}
	if (h[0] == 0xff && h[1] == 0xfe) {
		c->kind = CHARSET_UTF16_LE;
		return 2;
	}
	if (h[0] == 0xfe && h[1] == 0xff) {
		c->kind = CHARSET_UTF16_BE;
		return 2;
	}
	c->kind = !h[1] && h[0]	  ? CHARSET_UTF16_LE
		  : !h[0] && h[1] ? CHARSET_UTF16_BE
				  : CHARSET_UTF8;
	return 0;
}

/* One unit; at most seven bytes: a lone half before it is replaced. */
static size_t unit(struct charset *c, uint16_t u, uint8_t *out)
{
	bool low = u >= 0xdc00 && u <= 0xdfff;
	size_t n = 0;

	if (c->high && low) {
		uint32_t cp = 0x10000 + ((uint32_t)(c->high - 0xd800) << 10) + (u - 0xdc00u);

		c->high = 0;
		return utf8_encode(cp, out);
	}
	if (c->high)
		n = utf8_encode(REPLACEMENT, out);
	c->high = u >= 0xd800 && u <= 0xdbff ? u : 0;
	return c->high ? n : n + utf8_encode(low ? REPLACEMENT : u, out + n);
}

static void transcode(struct charset *c, struct span in, charset_fn *fn, void *ctx)
{
	uint8_t out[OUT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t a, b = in.p[i];

		if (!c->n_head) {
			c->head[c->n_head++] = b;
			continue;
		}
		a = c->head[0];
		c->n_head = 0;
		n += unit(c,
			  c->kind == CHARSET_UTF16_LE ? (uint16_t)(a | b << 8)
						      : (uint16_t)(a << 8 | b),
			  out + n);
		if (n <= sizeof(out) - 8)
			continue;
		fn(ctx, span_of(out, n));
		n = 0;
	}
	if (n)
		fn(ctx, span_of(out, n));
	explicit_bzero(out, sizeof(out));
}

static void give(struct charset *c, struct span in, charset_fn *fn, void *ctx)
{
	if (c->kind == CHARSET_UTF32)
		c->unread += in.len;
	if (!in.len || c->kind == CHARSET_UTF32)
		return;
	if (c->kind == CHARSET_UTF8)
		fn(ctx, in);
	else
		transcode(c, in, fn, ctx);
}

/* Decides and gives out what was held. */
static bool settle(struct charset *c, bool all, charset_fn *fn, void *ctx)
{
	uint8_t head[sizeof(c->head)];
	size_t n = c->n_head;
	int mark = decide(c, all);

	if (mark < 0)
		return false;
	memcpy(head, c->head, sizeof(head));
	c->n_head = 0;
	give(c, span_of(head + mark, n - (size_t)mark), fn, ctx);
	return true;
}

void charset_feed(struct charset *c, struct span in, charset_fn *fn, void *ctx)
{
	while (c->kind == CHARSET_UNKNOWN && in.len) {
		c->head[c->n_head++] = in.p[0];
		in = span_sub(in, 1, in.len);
		if (c->n_head >= 2 && settle(c, c->n_head == sizeof(c->head), fn, ctx))
			break;
	}
	give(c, in, fn, ctx);
}

void charset_gap(struct charset *c, uint64_t n)
{
	if (c->kind != CHARSET_UTF16_LE && c->kind != CHARSET_UTF16_BE)
		return;
	/* Units stay where they were. The byte that stands for a lost half tells no character. */
	if (n & 1) {
		c->n_head = !c->n_head;
		c->head[0] = ' ';
	}
	c->high = 0;
}

void charset_end(struct charset *c, charset_fn *fn, void *ctx)
{
	if (c->kind == CHARSET_UNKNOWN && c->n_head)
		settle(c, true, fn, ctx);
	*c = (struct charset){ 0 };
}
