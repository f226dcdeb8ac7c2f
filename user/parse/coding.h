/* user/parse/coding.h - streaming decompression of content codings (RFC 9110 section 8.4.1, RFC
 * 7932, RFC 8878), of the raw deflate streams of WebSocket messages (RFC 7692), and base64, which
 * gRPC-Web puts around its messages. Bombs: output
 * is capped in bytes and in ratio to the input, working memory by a budget that all decoders share;
 * reaching a cap ends the stream with -E2BIG.
 */
#pragma once

#include "base/span.h"

enum coding_kind {
	CODING_GZIP,
	CODING_DEFLATE, /* the zlib format, or the raw one that some servers send */
	CODING_BR,
	CODING_ZSTD,
	CODING_BASE64, /* several texts, each padded or not, are one; white space does not count */
	CODING_RAW,    /* deflate without an end: messages, see coding_message() */
	CODING_MAX_
};

#define CODING_WINDOW_LOG 23 /* zstd: 8 MiB, the most that RFC 9659 lets a content coding use */
#define CODING_BLOCK_MAX                                                                           \
	(9 << 20)	    /* one block of memory: brotli's window may be 16 MiB, but is not */
#define CODING_MAGIC_MAX  4 /* bytes that coding_sniff() wants */
#define CODING_RATIO_FREE (64 << 10) /* output from which on the ratio counts */

struct coding_limits {
	uint64_t max_out;   /* bytes of output in all */
	unsigned max_ratio; /* output per input byte, once CODING_RATIO_FREE came out */
	uint64_t *left;	    /* bytes of memory that may be taken, shared; NULL: no such limit */
};

typedef void coding_fn(void *ctx, struct span out); /* borrowed until it returns */

struct coding;

/* "gzip", "x-gzip", "deflate", "br", "zstd", "base64", in any case; CODING_MAX_ for any other. */
enum coding_kind coding_named(struct span name);
/* Do a body's first bytes show its coding? 1 and *ret, 0, -EAGAIN: too short to say. */
int coding_sniff(struct span first, enum coding_kind *ret);
bool coding_has_magic(enum coding_kind k); /* coding_sniff() knows it */

/* -ENOMEM, -EINVAL for a ratio of 0. */
int coding_new(struct coding **ret, enum coding_kind kind, const struct coding_limits *limits,
	       coding_fn *fn, void *ctx);
void coding_free(struct coding **z);
/* 0; -EBADMSG not this coding or damaged; -E2BIG a cap; -ENOMEM. After an error input is ignored
 * and the error repeated. Concatenated members or frames are one stream (RFC 1952 section 2.2);
 * zeros may pad its end. Any split of the same bytes gives the same output; but of a br or zstd
 * stream with an error, how much comes out before it depends on the split: the libraries decode
 * ahead.
 */
int coding_feed(struct coding *z, struct span in);
/* 0 when the stream was complete, or when there was no input at all; else the error, -EBADMSG when
 * it was cut. */
int coding_end(struct coding *z);

/* CODING_RAW only. End of a message (RFC 7692 section 7.2.2): what it still holds comes out, and
 * the ratio is counted anew. takeover: the next one refers back into it.
 */
int coding_message(struct coding *z, bool takeover);
/* What was decoded before is not known any more, and no error holds: where the stream refers back
 * beyond this point, or to what did so, CODING_UNKNOWN stands. -ENOMEM. */
#define CODING_UNKNOWN 0xff /* in no text: no UTF-8 has it */
int coding_forget(struct coding *z);
