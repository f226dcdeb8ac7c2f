/* user/parse/http2.h - HTTP/2 frames of one direction of a connection, seen by a third party:
 * header blocks decoded, bodies without padding. Owns an HPACK decoder, and while it searches a
 * window of HTTP2_WINDOW. Input is hostile, may be cut anywhere and may begin or be interrupted in
 * the middle of a frame. Any split of the same bytes gives the same callbacks, but for where a body
 * is cut into pieces. What a header section means, and which frames belong together, is the
 * caller's business. Spec: RFC 9113.
 */
#pragma once

#include "base/span.h"
#include "parse/hpack.h"

#define HTTP2_FRAME_MIN		16384		/* every endpoint takes frames so long */
#define HTTP2_FRAME_MAX		((1 << 24) - 1) /* and none longer ones */
#define HTTP2_FIELDS_MAX	256		/* given out per block; the rest is counted */
#define HTTP2_HEAD_MAX		(256 << 10)	/* bytes of names and values, the same */
#define HTTP2_BLOCK_MAX		(256 << 10)	/* bytes of a block on the wire */
#define HTTP2_CONTINUATIONS_MAX 64		/* of one block */
#define HTTP2_IDLE_FRAMES_MAX	65536		/* in a row that carry nothing: a flood */
#define HTTP2_WINDOW		(HTTP2_FRAME_MIN + 32) /* a frame and the next one's header */

/* Per block: head, field*, fields_end. Spans are borrowed until the callback returns. */
struct http2_ops {
	/* A header block begins. promised: the stream that this PUSH_PROMISE announces, else 0. */
	void (*head)(void *ctx, uint32_t stream, uint32_t promised);
	void (*field)(void *ctx, const struct hpack_field *f);
	/* damaged: the fields behind those that were given are missing. */
	void (*fields_end)(void *ctx, bool damaged);
	void (*body)(void *ctx, uint32_t stream, struct span data);
	void (*gap)(void *ctx, uint32_t stream, uint64_t n); /* n bytes of its body are missing */
	void (*end)(void *ctx, uint32_t stream);	     /* END_STREAM */
	void (*reset)(void *ctx, uint32_t stream);
	void (*goaway)(void *ctx, uint32_t last_stream);
	/* The sender takes frames of this length: tell the reader of the other direction. */
	void (*max_frame)(void *ctx, uint32_t len);
	/* Frames may have passed unseen, of any stream. */
	void (*lost)(void *ctx);
};

struct http2;

/* A reader of what the client (requests) or the server sends, from the first byte of the connection
 * on. -ENOMEM. */
int http2_new(struct http2 **ret, bool requests, const struct http2_ops *ops, void *ctx);
void http2_free(struct http2 **h);
/* Joined midway: it stands at the beginning of a frame, but nothing is known of what came before.
 */
void http2_join(struct http2 *h);
/* Consumes all of in. 0; -EBADMSG when bytes break the protocol (it goes on behind the frame, or
 * searches for the next one); -ENOMEM, handled like a loss.
 */
int http2_feed(struct http2 *h, struct span in);
/* n bytes were lost here. Where they end inside a frame that is known, reading goes on exactly;
 * else a place is searched where frames follow each other (see http2_probe()). n 0: nobody knows
 * how many.
 */
void http2_gap(struct http2 *h, uint64_t n);
/* No more bytes will come: ends the open block. */
void http2_end(struct http2 *h);
/* The peer takes frames of this length. */
void http2_take_frames(struct http2 *h, uint32_t len);

/* 1 when in begins like HTTP/2 (then *request says which side sent it), 0 when not, -EAGAIN when it
 * is too short to tell. At a connection's beginning that is the client's preface or the server's
 * SETTINGS; midway, frames without a fault among which is a header section that names its
 * pseudo-header fields by the static table.
 */
int http2_probe(struct span in, bool midway, bool *request);

struct http2_stats {
	uint64_t frames, broken, resynced;
	uint64_t cut;	  /* blocks or fields that a cap shortened or held back */
	uint64_t floods;  /* runs of frames that carry nothing, blocks without end */
	uint64_t unknown; /* fields that refer to what was not seen */
};
struct http2_stats http2_stats(const struct http2 *h);
