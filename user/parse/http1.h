/* user/parse/http1.h - HTTP/1.1 messages of one direction of a connection, seen by a third party.
 * Owns one start or field line of carry-over, capped. Input is hostile, may be cut anywhere and may
 * begin or be interrupted in the middle of a message: the parser then looks for the next start
 * line. Any split of the same bytes gives the same callbacks, but for where a body is cut into
 * pieces. Spec: RFC 9112.
 */
#pragma once

#include "base/span.h"

/* A longer start line breaks the message; of a longer field line the rest is skipped and counted.
 * Header and trailer sections and chunk extensions may be of any length: no memory is held for
 * them, and a cap would hide the body behind.
 */
#define HTTP1_LINE_MAX (64 << 10)

struct http1_head {
	bool request;
	struct span method, target; /* request; borrowed until the callback returns */
	unsigned status;	    /* response: 100 to 999 */
	unsigned minor;		    /* HTTP/1.minor */
};

/* How a message ended. */
enum http1_end {
	HTTP1_COMPLETE,
	HTTP1_CUT,    /* connection closed, or a gap swallowed its end */
	HTTP1_BROKEN, /* bytes break the protocol */
	HTTP1_END_MAX_,
};

/* All spans are borrowed until the callback returns. Per message: head, field*, [fields_end, (body
 * | gap | doubtful)*], end. A message whose head was seen always gets its end; fields_end is
 * missing when its header section was cut or broke. Informational (1xx) responses are swallowed,
 * but for 101. Trailer fields are skipped.
 */
struct http1_ops {
	void (*head)(void *ctx, const struct http1_head *h);
	/* value: without surrounding white space, folded lines joined. */
	void (*field)(void *ctx, struct span name, struct span value);
	/* The header section is complete. ambiguous: not every reader frames this message in the
	 * same way: Content-Length and Transfer-Encoding disagree or repeat (RFC 9112 section 6.3),
	 * folded lines, line ends of two kinds, bytes that no name or target has. */
	void (*fields_end)(void *ctx, bool ambiguous);
	/* The same, found in the frames of a chunked body; at most once, and not if it was said. */
	void (*doubtful)(void *ctx);
	void (*body)(void *ctx, struct span data); /* transfer coding removed, content coding not */
	void (*gap)(void *ctx, uint64_t n); /* n bytes of this message's body are missing here */
	void (*end)(void *ctx, enum http1_end how);
};

struct http1;

/* A reader of requests or of responses. -ENOMEM. */
int http1_new(struct http1 **ret, bool requests, const struct http1_ops *ops, void *ctx);
void http1_free(struct http1 **h);
/* Responses only: how the next response's body is framed depends on its request (HEAD has none).
 * Call from the fields_end callback or before; holds for one final response.
 */
void http1_no_body(struct http1 *h);
/* The connection leaves HTTP/1 with the message that is open, or at once: a 2xx to CONNECT, or, for
 * the reader of requests, a 101 on the other side. Call from the fields_end callback or between
 * feeds.
 */
void http1_tunnel(struct http1 *h);
/* Consumes all of in. 0; -EBADMSG once when bytes break the protocol (it resynchronises by itself);
 * -ENOMEM, handled like broken bytes; -EOPNOTSUPP when the connection left HTTP/1 (101,
 * http1_tunnel(), or what follows a CONNECT is no request): from then on input is ignored.
 */
int http1_feed(struct http1 *h, struct span in);
/* n bytes were lost here. Inside a body of known length (or a chunk) parsing goes on after them; in
 * a chunked body the next chunk is looked for, in a header section the next field line, else the
 * next start line. n 0: the position in the stream is not known (joined mid-stream).
 */
void http1_gap(struct http1 *h, uint64_t n);
/* After -EOPNOTSUPP: how many bytes at the end of that feed lie behind the end of HTTP/1. */
size_t http1_unread(const struct http1 *h);
/* The connection closed: ends the open message (complete, if its body runs to the close). */
void http1_end(struct http1 *h);

/* 1 when in can be the beginning of an HTTP/1 request or response (then *request says which), 0
 * when it cannot, -EAGAIN when it is too short to tell.
 */
int http1_probe(struct span in, bool *request);

struct http1_stats {
	uint64_t messages, broken, resynced, ambiguous;
	uint64_t fields_skipped; /* no fields, or cut at HTTP1_LINE_MAX */
};
const struct http1_stats *http1_stats(const struct http1 *h);
