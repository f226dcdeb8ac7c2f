/* user/parse/grpc.h - length-prefixed messages of gRPC and gRPC-Web in one direction of a call.
 * Owns one message of carry-over, capped by max_message. Input is hostile and may be cut or
 * interrupted anywhere. Spec: gRPC over HTTP2, "Length-Prefixed-Message".
 */
#pragma once

#include "parse/coding.h"

#define GRPC_HEAD_LEN 5

struct grpc_opts {
	enum coding_kind coding; /* grpc-encoding; CODING_MAX_: none, or not one we remove */
	size_t max_message;
	unsigned max_ratio;
	uint64_t *left; /* struct coding_limits; may be NULL */
};

struct grpc_message {
	struct span data; /* decompressed */
	bool trailers;	  /* gRPC-Web: a header block in place of a message */
	bool damaged;	  /* bytes of it are missing, the cap cut it, or it does not decompress */
};

/* The message is borrowed until it returns. */
typedef void grpc_fn(void *ctx, const struct grpc_message *m);

struct grpc_stats {
	uint64_t messages, cut, broken; /* broken: do not decompress */
};

struct grpc;

/* -ENOMEM. */
int grpc_new(struct grpc **ret, const struct grpc_opts *opts, grpc_fn *fn, void *ctx);
void grpc_free(struct grpc **g);
/* Consumes all of in. Any split of the same bytes gives the same callbacks. 0; -ENOMEM (a message
 * is damaged for it); -EBADMSG, then and from then on, when these are no such messages.
 */
int grpc_feed(struct grpc *g, struct span in);
/* n bytes were lost here. 0 when reading goes on behind them; -EBADMSG when nobody knows where the
 * next message begins (n 0, or past the end of the open one): input is ignored from now on.
 */
int grpc_gap(struct grpc *g, uint64_t n);
/* No more bytes will come: an unfinished message is given out damaged. */
void grpc_end(struct grpc *g);
const struct grpc_stats *grpc_stats(const struct grpc *g);

/* Can a body begin with these bytes? 1, 0, -EAGAIN: too short to say. */
int grpc_probe(struct span first);
