/* user/parse/inflate.c - gzip and deflate bodies over zlib.
 * Owns zlib's state and one block of output; both held captured text, so both are wiped before they
 * are freed.
 */
#include "parse/inflate.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/own.h"

#define BLOCK	   (16 << 10) /* output handed out at once */
#define RATIO_FREE (64 << 10) /* output from which on the ratio counts */
#define MAGIC_LEN  2	      /* bytes that tell the zlib format from raw deflate */

enum where {
	AT_MAGIC,
	IN_STREAM,
	AT_END, /* of a member: another one may follow, or padding */
	IN_PADDING,
};

struct inflate {
	inflate_fn *fn;
	void *ctx;
	uint64_t max_out, n_out, n_in;
	unsigned max_ratio;
	enum inflate_coding coding;
	enum where where;
	int err;
	bool ready; /* z holds a state */
	uint8_t magic[MAGIC_LEN];
	size_t n_magic;
	z_stream z;
	uint8_t out[BLOCK];
};

/* A block that knows its size, so that it can be wiped. */
struct block {
	size_t len;
	alignas(max_align_t) uint8_t p[];
};

static void *block_alloc(void *unused, unsigned n, unsigned size)
{
	size_t len = (size_t)n * size;
	struct block *b = calloc(1, sizeof(*b) + len);

	(void)unused;
	if (!b)
		return NULL;
	b->len = len;
	return b->p;
}

static void block_free(void *unused, void *p)
{
	struct block *b = (struct block *)((uint8_t *)p - offsetof(struct block, p));

	(void)unused;
	explicit_bzero(b->p, b->len);
	free(b);
}

int inflate_new(struct inflate **ret, enum inflate_coding coding, uint64_t max_out,
		unsigned max_ratio, inflate_fn *fn, void *ctx)
{
	struct inflate *z;

	if (!max_ratio)
		return -EINVAL;
	z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	z->fn = fn;
	z->ctx = ctx;
	z->max_out = max_out;
	z->max_ratio = max_ratio;
	z->coding = coding;
	z->z.zalloc = block_alloc;
	z->z.zfree = block_free;
	*ret = z;
	return 0;
}

void inflate_free(struct inflate **z)
{
	if (!*z)
		return;
	if ((*z)->ready)
		inflateEnd(&(*z)->z);
	explicit_bzero(*z, sizeof(**z));
	free(*z);
	*z = NULL;
}

/* RFC 1950 section 2.2: method 8, a window of at most 32 KiB, a multiple of 31. */
static bool is_zlib(const uint8_t magic[MAGIC_LEN])
{
	return (magic[0] & 0xf) == 8 && magic[0] >> 4 <= 7 && (magic[0] << 8 | magic[1]) % 31 == 0;
}

static int stream_begin(struct inflate *z)
{
	int bits = z->coding == INFLATE_GZIP ? 16 + MAX_WBITS
		   : is_zlib(z->magic)	     ? MAX_WBITS
					     : -MAX_WBITS;

	if (inflateInit2(&z->z, bits) != Z_OK)
		return -ENOMEM;
	z->ready = true;
	z->where = IN_STREAM;
	return 0;
}

/* Hands out what z->out holds; 0 or -E2BIG. */
static int hand_out(struct inflate *z)
{
	size_t n = sizeof(z->out) - z->z.avail_out;
	size_t room = n < z->max_out - z->n_out ? n : (size_t)(z->max_out - z->n_out);

	z->n_out += room;
	if (room)
		z->fn(z->ctx, span_of(z->out, room));
	if (room < n)
		return -E2BIG;
	return z->n_out > RATIO_FREE && z->n_out / z->max_ratio > z->n_in ? -E2BIG : 0;
}

/* Runs in through zlib until it is used up or the stream ends; *ret_left is what remains. */
static int run(struct inflate *z, struct span in, struct span *ret_left)
{
	int rc = Z_OK, err = 0;

	z->z.next_in = (uint8_t *)in.p;
	z->z.avail_in = 0;
	while (!err && rc == Z_OK) {
		size_t before, left = in.len - (size_t)(z->z.next_in - in.p);

		z->z.avail_in = left < UINT32_MAX ? (unsigned)left : UINT32_MAX;
		z->z.next_out = z->out;
		z->z.avail_out = sizeof(z->out);
		before = z->z.avail_in;
		rc = inflate(&z->z, Z_NO_FLUSH);
		z->n_in += before - z->z.avail_in;
		err = hand_out(z);
		if (!err && rc == Z_MEM_ERROR)
			err = -ENOMEM;
		else if (!err && rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			err = -EBADMSG; /* Z_BUF_ERROR: everything taken, nothing came out */
	}
	if (rc == Z_STREAM_END)
		z->where = AT_END;
	*ret_left = span_sub(in, (size_t)(z->z.next_in - in.p), in.len);
	return err;
}

int inflate_feed(struct inflate *z, struct span in)
{
	while (!z->err && in.len) {
		struct span magic;

		switch (z->where) {
		case AT_MAGIC:
			z->magic[z->n_magic++] = in.p[0];
			in = span_sub(in, 1, in.len);
			if (z->n_magic < MAGIC_LEN)
				break;
			z->err = stream_begin(z);
			magic = span_of(z->magic, MAGIC_LEN);
			if (!z->err)
				z->err = run(z, magic, &magic);
			break;
		case IN_STREAM:
			z->err = run(z, in, &in);
			break;
		case AT_END:
			/* Some writers pad with zeros; anything else must be another member. */
			z->where = in.p[0] ? IN_STREAM : IN_PADDING;
			if (z->where == IN_STREAM &&
			    (z->coding != INFLATE_GZIP || inflateReset(&z->z) != Z_OK))
				z->err = -EBADMSG;
			break;
		case IN_PADDING:
			while (in.len && !in.p[0])
				in = span_sub(in, 1, in.len);
			if (in.len)
				z->err = -EBADMSG;
			break;
		}
	}
	return z->err;
}

int inflate_end(struct inflate *z)
{
	bool empty = z->where == AT_MAGIC && !z->n_magic;

	if (!z->err && !empty && z->where != AT_END && z->where != IN_PADDING)
		z->err = -EBADMSG;
	return z->err;
}
