/* user/flow/exchange.h - inside user/flow: an exchange being built, whatever protocol carries it.
 * A protocol (h1.c, h2.c) tells what it reads; this gives it
 * to the flow_ops, with the content coding removed and event streams taken apart, and counts.
 */
#pragma once

#include <sys/queue.h>

#include "flow/flow.h"
#include "parse/inflate.h"
#include "parse/sse.h"

/* What all exchanges of one flow object share. */
struct flow_env {
	struct flow_limits limits;
	const struct flow_ops *ops;
	void *ctx;
	struct flow_stats stats;
	uint64_t now_ns;
	uint64_t undecided; /* bytes of open exchanges */
	uint64_t heads;	    /* bytes of all arenas, at most HEADS_MAX */
	uint64_t numbers;   /* exchanges numbered so far */
	int err;	    /* -ENOMEM since the caller cleared it */
};

enum body_state {
	BODY_PLAIN, /* given out as it comes */
	BODY_CODED, /* through inflate */
	BODY_DEAF,  /* not given out any more: coding unknown or broken, a cap, no memory */
};

struct exch;

/* One side of an exchange: its head's growth and its body's decoders. */
struct message {
	struct exch *of;
	enum side side;
	size_t head_len, fields_room;
	unsigned codings;
	enum inflate_coding coding; /* when codings is 1; INFLATE_CODING_MAX_: not one we remove */
	enum body_state state;
	bool done, cut;
	struct inflate *inflate;
	struct sse *sse;
	uint64_t out; /* decoded bytes given out */
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
void exch_message_end(struct exch *e, enum side side, enum http1_end how);
