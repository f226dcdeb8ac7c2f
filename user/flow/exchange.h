/* user/flow/exchange.h - inside user/flow: an exchange being built, whatever protocol carries it.
 * A protocol (h1.c, h2.c) tells what it reads; this keeps the heads, gives the bodies to body.c,
 * and counts.
 */
#pragma once

#include <sys/queue.h>

#include "flow/body.h"

/* What all exchanges of one flow object share. */
struct flow_env {
	struct flow_limits limits;
	const struct flow_ops *ops;
	void *ctx;
	struct flow_stats stats;
	uint64_t now_ns;
	uint64_t undecided;   /* bytes of open exchanges */
	uint64_t heads;	      /* bytes of all arenas, at most HEADS_MAX */
	uint64_t coding_left; /* of CODINGS_MAX */
	uint64_t numbers;     /* exchanges numbered so far */
	int err;	      /* -ENOMEM since the caller cleared it */
};

#define CODINGS_MAX (128 << 20) /* bytes of working memory of all decompressors */

struct exch;

/* One side of an exchange: its head's growth and its body. */
struct message {
	struct exch *of;
	enum side side;
	size_t head_len, fields_room;
	bool done, cut;
	bool begun; /* its body */
	struct body_spec spec;
	struct body *body; /* NULL when it is not begun, of no interest, or for want of memory */
};

struct exch {
	struct exchange x;
	TAILQ_ENTRY(exch) link; /* its protocol's queue */
	struct flow_env *env;
	struct block *blocks; /* arena of both heads */
	struct message m[SIDE_MAX_];
	uint64_t counted; /* its share of env->undecided */
	bool announced;	  /* request was called */
	bool ignored;	  /* of no interest: only end is called */
	bool websocket;	  /* the head says that the protocol is to become WebSocket */
	bool h2c;	  /* the same, HTTP/2 */
	bool upgraded;	  /* exch_upgrade() */
};

/* -ENOMEM. */
int exch_new(struct exch **ret, struct flow_env *env, const struct conn_info *conn, bool client);
/* Ends both messages if they are open, calls end, frees. */
void exch_free(struct exch **e);

/* The head: start line, then fields, then fields_end. */
void exch_request(struct exch *e, struct span method, struct span target);
void exch_response(struct exch *e, unsigned status);
void exch_field(struct exch *e, enum side side, struct span name, struct span value);
void exch_fields_end(struct exch *e, enum side side, bool ambiguous);
/* The body, transfer coding removed. */
void exch_body(struct exch *e, enum side side, struct span data);
void exch_gap(struct exch *e, enum side side, uint64_t n);
/* What came as its response was none: it is answered in another protocol. Before fields_end. */
void exch_unanswered(struct exch *e);
/* The exchange goes on as a WebSocket: what exch_body() is given from here on, of either side, are
 * its frames, until exch_free(). Call after both heads, before or instead of the response's end.
 */
void exch_upgrade(struct exch *e);
/* The same in the middle of one whose beginning passed unseen: nothing else is known of it. */
void exch_join(struct exch *e);
void exch_message_end(struct exch *e, enum side side, enum http1_end how);
