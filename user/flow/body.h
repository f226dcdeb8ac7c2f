/* user/flow/body.h - inside user/flow: a body's way from the wire to the flow_ops. Its content
 * codings are removed; then, when it is framed, it is divided into messages.
 */
#pragma once

#include "flow/flow.h"
#include "parse/coding.h"

#define BODY_CODINGS_MAX 4 /* of one body */

struct flow_env;

/* What the head says of the body. */
struct body_spec {
	enum coding_kind codings[BODY_CODINGS_MAX]; /* in the order in which they were applied */
	unsigned n_codings;
	bool strange; /* a coding that nobody knows, or too many */
	/* FRAMING_GRPC: of its messages; CODING_MAX_: none, or one that nobody knows. */
	enum coding_kind message_coding;
	/* FRAMING_WEBSOCKET: struct websocket_opts. */
	bool masked, deflate, takeover, joined;
};

struct body;

/* x->framing[side] says how it is framed. What the first bytes show goes before what the head says:
 * x->framing may become FRAMING_NONE, and a coding that is not there is not removed. -ENOMEM.
 */
int body_new(struct body **ret, struct flow_env *env, struct exchange *x, enum side side,
	     const struct body_spec *spec);
void body_feed(struct body *b, struct span in);
void body_gap(struct body *b, uint64_t n);
/* Nothing more comes: what is held is given out. complete: the transport saw its end. */
void body_end(struct body *b, bool complete);
/* A WebSocket's direction said that it ends. */
bool body_closed(const struct body *b);
void body_free(struct body **b);
