/* user/parse/coding.c - content codings over zlib, brotli and zstd, and base64.
 * Owns the library's state and one block of output; both held captured text, so both are wiped
 * before they are freed.
 */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_createDCtx_advanced(): an allocator of one's own */
#include "parse/coding.h"

#include <brotli/decode.h>
#include <ctype.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/base64.h"
#include "base/own.h"

#define BLOCK	  (16 << 10) /* output handed out at once */
#define MAGIC_LEN 2	     /* bytes that tell the zlib format from raw deflate */
#define MAP_MIN	  (64 << 10) /* blocks from this size on are mapped */
#define WINDOW	  (32 << 10) /* of deflate */

enum where {
	AT_MAGIC,
	IN_STREAM,
	AT_END, /* of a member: another one may follow, or padding */
	IN_PADDING,
};

/* What one call of a library came to. */
enum step {
	STEP_MORE, /* call again */
	STEP_WANT, /* took all input and gave all output */
	STEP_END,  /* of a member */
};

struct backend;

struct coding {
	const struct backend *of;
	coding_fn *fn;
	void *ctx;
	struct coding_limits limits;
	uint64_t n_out, n_in;
	size_t room; /* of out, for this step: up to the next multiple of BLOCK */
	enum coding_kind kind;
	enum where where;
	int err;
	bool ready;  /* the library holds a state */
	int refused; /* an allocation was: -ENOMEM, -E2BIG */
	uint8_t magic[MAGIC_LEN];
	size_t n_magic;
	size_t n_frame; /* of a zstd frame, as far as it matters */
	union {
		z_stream z;
		BrotliDecoderState *br;
		ZSTD_DCtx *zstd;
		struct {
			uint32_t bits, n_bits; /* of a byte that is not complete */
		} base64;
	};
	uint8_t out[BLOCK];
};

struct backend {
	const char *names[2];
	uint8_t magic[CODING_MAGIC_MAX];
	size_t n_magic;
	bool members; /* may follow each other */
	bool endless; /* it ends where the input does */
	int (*begin)(struct coding *);
	/* Takes from *in, fills out; *ret_n bytes came out. enum step or -errno. */
	int (*step)(struct coding *, struct span *in, size_t *ret_n);
	int (*again)(struct coding *); /* before another member; NULL: nothing to do */
	void (*end)(struct coding *);
};

/* --- memory that is wiped, and counted */

/* A block that knows its size. */
struct block {
	size_t len;
	alignas(max_align_t) uint8_t p[];
};

/* Big blocks are mapped: they go back to the kernel, which wipes them, and of a window only what
 * was used ever takes memory.
 */
static void *block_alloc(void *of, size_t len)
{
	struct coding *z = of;
	size_t size = sizeof(struct block) + len;
	struct block *b = NULL;

	if (size > CODING_BLOCK_MAX) {
		z->refused = -E2BIG;
		return NULL;
	}
	if (!z->limits.left || *z->limits.left >= size) {
		if (size < MAP_MIN)
			b = calloc(1, size);
		else
			b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 /* cppcheck-suppress invalidFunctionArg ; as mmap(2) says */
				 -1, 0);
	}
	if (!b || b == MAP_FAILED) {
		z->refused = -ENOMEM;
		return NULL;
	}
	if (z->limits.left)
		*z->limits.left -= size;
	b->len = size;
	return b->p;
}

static void block_free(void *of, void *p)
{
	struct coding *z = of;
	struct block *b;

	if (!p)
		return;
	b = (struct block *)((uint8_t *)p - offsetof(struct block, p));
	if (z->limits.left)
		*z->limits.left += b->len;
	if (b->len >= MAP_MIN) {
		munmap(b, b->len);
		return;
	}
	explicit_bzero(b->p, b->len - sizeof(*b));
	free(b);
}

static void *zlib_alloc(void *of, unsigned n, unsigned size)
{
	return block_alloc(of, (size_t)n * size);
}

/* --- zlib */

/* RFC 1950 section 2.2: method 8, a window of at most 32 KiB, a multiple of 31. */
static bool is_zlib(const uint8_t magic[MAGIC_LEN])
{
	return (magic[0] & 0xf) == 8 && magic[0] >> 4 <= 7 && (magic[0] << 8 | magic[1]) % 31 == 0;
}

static int zlib_begin(struct coding *z)
{
	int bits = -MAX_WBITS;

	if (z->kind == CODING_GZIP)
		bits = 16 + MAX_WBITS;
	else if (z->kind == CODING_DEFLATE && is_zlib(z->magic))
		bits = MAX_WBITS;
	z->z = (z_stream){ .zalloc = zlib_alloc, .zfree = block_free, .opaque = z };
	return inflateInit2(&z->z, bits) == Z_OK ? 0 : -ENOMEM;
}

static int zlib_step(struct coding *z, struct span *in, size_t *ret_n)
{
	size_t give = MIN(in->len, UINT32_MAX);
	int rc;

	z->z.next_in = (uint8_t *)in->p;
	z->z.avail_in = (unsigned)give;
	z->z.next_out = z->out;
	z->z.avail_out = (unsigned)z->room;
	rc = inflate(&z->z, Z_NO_FLUSH);
	*in = span_sub(*in, give - z->z.avail_in, in->len);
	*ret_n = z->room - z->z.avail_out;
	switch (rc) {
	case Z_OK:
		return STEP_MORE;
	case Z_BUF_ERROR: /* everything taken, nothing came out */
		return STEP_WANT;
	case Z_STREAM_END:
		return STEP_END;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

static int zlib_again(struct coding *z)
{
	/* A message may hold a final block; what follows it still refers back (RFC 7692
	 * section 7.2.3.4). */
	if (z->kind == CODING_RAW)
		return inflateResetKeep(&z->z) == Z_OK ? 0 : -EBADMSG;
	return inflateReset(&z->z) == Z_OK ? 0 : -EBADMSG;
}

static void zlib_end(struct coding *z)
{
	inflateEnd(&z->z);
}

/* --- brotli */

static int br_begin(struct coding *z)
{
	z->br = BrotliDecoderCreateInstance(block_alloc, block_free, z);
	return z->br ? 0 : -ENOMEM;
}

static int br_step(struct coding *z, struct span *in, size_t *ret_n)
{
	const uint8_t *next_in = in->p;
	uint8_t *next_out = z->out;
	size_t left_in = in->len, left_out = z->room;
	BrotliDecoderResult rc =
	    BrotliDecoderDecompressStream(z->br, &left_in, &next_in, &left_out, &next_out, NULL);

	*in = span_sub(*in, in->len - left_in, in->len);
	*ret_n = z->room - left_out;
	switch (rc) {
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return STEP_MORE;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return STEP_WANT;
	case BROTLI_DECODER_RESULT_SUCCESS:
		return STEP_END;
	case BROTLI_DECODER_RESULT_ERROR:
		break;
	}
	return z->refused ? z->refused : -EBADMSG;
}

static void br_end(struct coding *z)
{
	BrotliDecoderDestroyInstance(z->br);
}

/* --- zstd */

static int zstd_begin(struct coding *z)
{
	z->zstd = ZSTD_createDCtx_advanced((ZSTD_customMem){ block_alloc, block_free, z });
	if (!z->zstd)
		return -ENOMEM;
	if (!ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, CODING_WINDOW_LOG)))
		return 0;
	ZSTD_freeDCtx(z->zstd);
	return -ENOMEM;
}

static int zstd_step(struct coding *z, struct span *in, size_t *ret_n)
{
	/* A frame that comes whole is decoded by other rules than one that comes in pieces. The
	 * first bytes one by one: none comes whole. */
	size_t give = z->n_frame < ZSTD_FRAMEHEADERSIZE_MAX ? MIN(in->len, 1) : in->len;
	ZSTD_inBuffer from = { in->p, give, 0 };
	ZSTD_outBuffer to = { z->out, z->room, 0 };
	size_t rc = ZSTD_decompressStream(z->zstd, &to, &from);

	*in = span_sub(*in, from.pos, in->len);
	*ret_n = to.pos;
	z->n_frame = MIN(z->n_frame + from.pos, ZSTD_FRAMEHEADERSIZE_MAX);
	if (ZSTD_isError(rc))
		return z->refused ? z->refused
		       : ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge
			   ? -E2BIG
			   : -EBADMSG;
	if (!rc) {
		z->n_frame = 0;
		return STEP_END;
	}
	return !in->len && to.pos < to.size ? STEP_WANT : STEP_MORE;
}

static void zstd_end(struct coding *z)
{
	ZSTD_freeDCtx(z->zstd);
}

/* --- base64 */

static int base64_begin(struct coding *z)
{
	z->base64.bits = z->base64.n_bits = 0;
	return 0;
}

static int base64_step(struct coding *z, struct span *in, size_t *ret_n)
{
	size_t i, n = 0;
	int rc = STEP_WANT;

	for (i = 0; i < in->len && n < z->room && rc == STEP_WANT; i++) {
		uint8_t sextet = base64_sextets[in->p[i]];

		if (sextet) {
			z->base64.bits = z->base64.bits << 6 | (sextet - 1u);
			z->base64.n_bits += 6;
		} else if (in->p[i] == '=') {
			z->base64.n_bits = 0;
		} else if (!isspace(in->p[i])) {
			rc = -EBADMSG;
		}
		if (z->base64.n_bits >= 8) {
			z->base64.n_bits -= 8;
			z->out[n++] = (uint8_t)(z->base64.bits >> z->base64.n_bits);
		}
	}
	*in = span_sub(*in, i, in->len);
	*ret_n = n;
	return rc == STEP_WANT && in->len ? STEP_MORE : rc;
}

static void base64_end(struct coding *z)
{
	(void)z;
}

/* --- */

static const struct backend backends[] = {
	[CODING_GZIP] = { .names = { "gzip", "x-gzip" },
			  .magic = { 0x1f, 0x8b, 8 },
			  .n_magic = 3,
			  .members = true,
			  .begin = zlib_begin,
			  .step = zlib_step,
			  .again = zlib_again,
			  .end = zlib_end },
	[CODING_DEFLATE] = { .names = { "deflate" },
			     .begin = zlib_begin,
			     .step = zlib_step,
			     .end = zlib_end },
	[CODING_BR] = { .names = { "br" }, .begin = br_begin, .step = br_step, .end = br_end },
	[CODING_ZSTD] = { .names = { "zstd" },
			  .magic = { 0x28, 0xb5, 0x2f, 0xfd },
			  .n_magic = 4,
			  .members = true,
			  .begin = zstd_begin,
			  .step = zstd_step,
			  .end = zstd_end },
	[CODING_BASE64] = { .names = { "base64" },
			    .endless = true,
			    .begin = base64_begin,
			    .step = base64_step,
			    .end = base64_end },
	[CODING_RAW] = { .members = true,
			 .begin = zlib_begin,
			 .step = zlib_step,
			 .again = zlib_again,
			 .end = zlib_end },
};
static_assert(ARRAY_SIZE(backends) == CODING_MAX_, "coding without a row");

enum coding_kind coding_named(struct span name)
{
	for (enum coding_kind k = 0; k < CODING_MAX_; k++)
		for (size_t i = 0; i < ARRAY_SIZE(backends[k].names); i++)
			if (backends[k].names[i] &&
			    span_eq_nocase(name, span_str(backends[k].names[i])))
				return k;
	return CODING_MAX_;
}

bool coding_has_magic(enum coding_kind k)
{
	return backends[k].n_magic;
}

int coding_sniff(struct span first, enum coding_kind *ret)
{
	int rc = 0;

	for (enum coding_kind k = 0; k < CODING_MAX_; k++) {
		struct span magic = span_of(backends[k].magic, backends[k].n_magic);

		if (magic.len && span_starts(first, magic)) {
			*ret = k;
			return 1;
		}
		if (span_starts(magic, first) && first.len < magic.len)
			rc = -EAGAIN;
	}
	return rc;
}

int coding_new(struct coding **ret, enum coding_kind kind, const struct coding_limits *limits,
	       coding_fn *fn, void *ctx)
{
	struct coding *z;

	if (!limits->max_ratio)
		return -EINVAL;
	z = calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	z->of = &backends[kind];
	z->fn = fn;
	z->ctx = ctx;
	z->limits = *limits;
	z->kind = kind;
	*ret = z;
	return 0;
}

void coding_free(struct coding **z)
{
	if (!*z)
		return;
	if ((*z)->ready)
		(*z)->of->end(*z);
	explicit_bzero(*z, sizeof(**z));
	free(*z);
	*z = NULL;
}

static int stream_begin(struct coding *z)
{
	int err = z->of->begin(z);

	z->ready = !err;
	if (!err)
		z->where = IN_STREAM;
	return err;
}

/* Hands out n bytes of z->out; 0 or -E2BIG. */
static int hand_out(struct coding *z, size_t n)
{
	size_t room = n < z->limits.max_out - z->n_out ? n : (size_t)(z->limits.max_out - z->n_out);

	z->n_out += room;
	if (room)
		z->fn(z->ctx, span_of(z->out, room));
	if (room < n)
		return -E2BIG;
	/* At whole blocks only, so that it does not depend on how the input is cut. */
	if (z->n_out % BLOCK || z->n_out <= CODING_RATIO_FREE)
		return 0;
	return z->n_out / z->limits.max_ratio > z->n_in ? -E2BIG : 0;
}

/* Runs *in through the library until it is used up or a member ends; *in becomes what remains. */
static int run(struct coding *z, struct span *in)
{
	int step = STEP_MORE, err = 0;

	while (!err && step == STEP_MORE) {
		size_t n = 0, before = in->len;

		z->room = BLOCK - z->n_out % BLOCK;
		step = z->of->step(z, in, &n);
		z->n_in += before - in->len;
		err = hand_out(z, n);
		if (!err && step < 0)
			err = step;
	}
	if (step == STEP_END)
		z->where = AT_END;
	return err;
}

/* Some writers pad with zeros; anything else must be another member. */
static int member_begin(struct coding *z, uint8_t first)
{
	if (!first && z->kind != CODING_RAW) {
		z->where = IN_PADDING;
		return 0;
	}
	z->where = IN_STREAM;
	if (!z->of->members)
		return -EBADMSG;
	return z->of->again ? z->of->again(z) : 0;
}

int coding_feed(struct coding *z, struct span in)
{
	while (!z->err && in.len) {
		struct span magic;

		switch (z->where) {
		case AT_MAGIC:
			if (z->kind != CODING_DEFLATE) {
				z->err = stream_begin(z);
				break;
			}
			z->magic[z->n_magic++] = in.p[0];
			in = span_sub(in, 1, in.len);
			if (z->n_magic < MAGIC_LEN)
				break;
			z->err = stream_begin(z);
			magic = span_of(z->magic, MAGIC_LEN);
			if (!z->err)
				z->err = run(z, &magic);
			break;
		case IN_STREAM:
			z->err = run(z, &in);
			break;
		case AT_END:
			z->err = member_begin(z, in.p[0]);
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

int coding_end(struct coding *z)
{
	bool empty = z->where == AT_MAGIC && !z->n_magic;

	if (!z->err && !empty && !z->of->endless && z->where != AT_END && z->where != IN_PADDING)
		z->err = -EBADMSG;
	return z->err;
}

int coding_message(struct coding *z, bool takeover)
{
	int err = coding_feed(z, SPAN_LIT("\0\0\xff\xff"));

	z->n_in = z->n_out = 0;
	if (!err && !takeover && inflateReset(&z->z) != Z_OK)
		err = -EBADMSG;
	return err;
}

int coding_forget(struct coding *z)
{
	static uint8_t unknown[WINDOW];

	z->err = 0;
	z->n_in = z->n_out = 0;
	memset(unknown, CODING_UNKNOWN, sizeof(unknown));
	if (!z->ready)
		z->err = stream_begin(z);
	else if (inflateReset(&z->z) != Z_OK)
		z->err = -EBADMSG;
	else
		z->where = IN_STREAM;
	if (!z->err && inflateSetDictionary(&z->z, unknown, sizeof(unknown)) != Z_OK)
		z->err = -ENOMEM;
	return z->err;
}
