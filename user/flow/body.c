/* user/flow/body.c - one body: first bytes -> content codings -> framing -> callbacks.
 * Owns the decoders and the parser of its framing. When one of them cannot go on the body is deaf:
 * nothing of it is given out any more, and a gap of unknown size says so.
 */
#include "flow/body.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "flow/exchange.h"
#include "parse/eventstream.h"
#include "parse/grpc.h"
#include "parse/sse.h"
#include "parse/websocket.h"

#define FIRST_MAX MAX(CODING_MAGIC_MAX, EVENTSTREAM_PRELUDE_LEN)

enum state {
	BODY_CODING,  /* holding the first bytes: is it coded as the head says? */
	BODY_FRAMING, /* holding the first decoded bytes: is it framed as the head says? */
	BODY_OPEN,
	BODY_DEAF,
};

struct stage {
	struct body *of;
	struct coding *coding;
};

struct framer;

struct body {
	struct flow_env *env;
	struct exchange *x;
	enum side side;
	struct body_spec spec;
	enum state state;
	bool cut;
	uint8_t first[FIRST_MAX];
	size_t n_first;
	struct stage stages[BODY_CODINGS_MAX]; /* as spec.codings: the last is on the outside */
	unsigned n_stages;
	uint64_t out; /* decoded bytes */
	const struct framer *framer;
	union {
		struct sse *sse;
		struct websocket *websocket;
		struct grpc *grpc;
		struct eventstream *eventstream;
	};
};

/* The parser of a framing behind one face. feed and gap: 0, -ENOMEM, -EBADMSG: it cannot go on. */
struct framer {
	int (*probe)(struct span first); /* 1, 0, -EAGAIN; NULL: no doubt */
	int (*open)(struct body *b);
	int (*feed)(struct body *b, struct span in);
	int (*gap)(struct body *b, uint64_t n);
	void (*end)(struct body *b);
	void (*free)(struct body *b);
};

static void event(struct body *b, struct flow_event *ev)
{
	if (b->x->dropped)
		return; /* by the event before, in the same bytes */
	ev->side = b->side;
	ev->framing = b->x->framing[b->side];
	b->env->ops->event(b->env->ctx, b->x, ev);
}

/* --- server-sent events */

static void on_sse(void *ctx, const struct sse_event *e)
{
	event(ctx, &(struct flow_event){ .type = e->type, .data = e->data, .damaged = e->damaged });
}

static int open_sse(struct body *b)
{
	return sse_new(&b->sse, b->env->limits.max_event, on_sse, b);
}

static int feed_sse(struct body *b, struct span in)
{
	return sse_feed(b->sse, in);
}

static int gap_sse(struct body *b, uint64_t n)
{
	sse_gap(b->sse, n);
	return 0;
}

static void end_sse(struct body *b)
{
	sse_end(b->sse);
	b->env->stats.cut += sse_cut(b->sse);
}

static void free_sse(struct body *b)
{
	sse_free(&b->sse);
}

/* --- WebSocket */

static void on_websocket(void *ctx, const struct websocket_message *m)
{
	event(ctx,
	      &(struct flow_event){ .data = m->data, .binary = m->binary, .damaged = m->damaged });
}

static int open_websocket(struct body *b)
{
	const struct websocket_opts opts = {
		.masked = b->spec.masked,
		.deflate = b->spec.deflate,
		.takeover = b->spec.takeover,
		.joined = b->spec.joined,
		.max_message = b->env->limits.max_event,
		.max_ratio = b->env->limits.max_ratio,
		.left = &b->env->coding_left,
	};

	return websocket_new(&b->websocket, &opts, on_websocket, b);
}

static int feed_websocket(struct body *b, struct span in)
{
	return websocket_feed(b->websocket, in);
}

static int gap_websocket(struct body *b, uint64_t n)
{
	websocket_gap(b->websocket, n);
	return 0;
}

static void end_websocket(struct body *b)
{
	const struct websocket_stats *s = websocket_stats(b->websocket);

	websocket_end(b->websocket);
	b->env->stats.cut += s->cut;
	b->env->stats.events_broken += s->broken;
}

static void free_websocket(struct body *b)
{
	websocket_free(&b->websocket);
}

/* --- gRPC */

static void on_grpc(void *ctx, const struct grpc_message *m)
{
	event(ctx, &(struct flow_event){
		       .type = m->trailers ? SPAN_LIT("trailers") : (struct span){ 0 },
		       .data = m->data,
		       .binary = !m->trailers,
		       .damaged = m->damaged,
		   });
}

static int open_grpc(struct body *b)
{
	const struct grpc_opts opts = {
		.coding = b->spec.message_coding,
		.max_message = b->env->limits.max_event,
		.max_ratio = b->env->limits.max_ratio,
		.left = &b->env->coding_left,
	};

	return grpc_new(&b->grpc, &opts, on_grpc, b);
}

static int feed_grpc(struct body *b, struct span in)
{
	return grpc_feed(b->grpc, in);
}

static int gap_grpc(struct body *b, uint64_t n)
{
	return grpc_gap(b->grpc, n);
}

static void end_grpc(struct body *b)
{
	const struct grpc_stats *s = grpc_stats(b->grpc);

	grpc_end(b->grpc);
	b->env->stats.cut += s->cut;
	b->env->stats.events_broken += s->broken;
}

static void free_grpc(struct body *b)
{
	grpc_free(&b->grpc);
}

/* --- AWS event streams */

static void on_eventstream(void *ctx, const struct eventstream_message *m)
{
	event(ctx, &(struct flow_event){ .type = m->type,
					 .data = m->payload,
					 .failure = m->failure,
					 .damaged = m->damaged });
}

static int open_eventstream(struct body *b)
{
	return eventstream_new(&b->eventstream, b->env->limits.max_event, on_eventstream, b);
}

static int feed_eventstream(struct body *b, struct span in)
{
	return eventstream_feed(b->eventstream, in);
}

static int gap_eventstream(struct body *b, uint64_t n)
{
	eventstream_gap(b->eventstream, n);
	return 0;
}

static void end_eventstream(struct body *b)
{
	const struct eventstream_stats *s = eventstream_stats(b->eventstream);

	eventstream_end(b->eventstream);
	b->env->stats.cut += s->cut;
	b->env->stats.events_broken += s->broken;
}

static void free_eventstream(struct body *b)
{
	eventstream_free(&b->eventstream);
}

#define FRAMER(name, probe)                                                                        \
	{                                                                                          \
		probe, open_##name, feed_##name, gap_##name, end_##name, free_##name               \
	}

static const struct framer framers[FRAMING_MAX_] = {
	[FRAMING_SSE] = FRAMER(sse, sse_probe),
	[FRAMING_WEBSOCKET] = FRAMER(websocket, NULL),
	[FRAMING_GRPC] = FRAMER(grpc, grpc_probe),
	[FRAMING_AWS_EVENTSTREAM] = FRAMER(eventstream, eventstream_probe),
};

/* --- the end of the way */

/* From here on nothing of this body is given out; the reader learns that something is missing. */
static void go_deaf(struct body *b)
{
	if (b->state == BODY_DEAF)
		return;
	b->state = BODY_DEAF;
	if (b->framer)
		b->framer->gap(b, 0);
	if (!b->x->dropped)
		b->env->ops->gap(b->env->ctx, b->x, b->side, 0);
}

static void unreadable(struct body *b)
{
	b->env->stats.decode_errors++;
	b->x->ambiguous = true;
}

/* A coding broke, or hit a cap. */
static void coding_failed(struct body *b, int err)
{
	if (b->state == BODY_DEAF || b->x->dropped)
		return;
	if (err == -ENOMEM)
		b->env->err = err;
	if (err == -E2BIG) {
		b->x->bomb = true;
		b->env->stats.bombs++;
	}
	unreadable(b);
	go_deaf(b);
}

static void framer_err(struct body *b, int err)
{
	if (err == -ENOMEM)
		b->env->err = err;
	else if (err)
		go_deaf(b);
}

static void cut(struct body *b)
{
	if (!b->cut)
		b->env->stats.cut++;
	b->cut = true;
}

/* Decoded bytes, of a body whose framing is decided. */
static void give_out(struct body *b, struct span out)
{
	uint64_t left = b->env->limits.max_body - MIN(b->env->limits.max_body, b->out);
	bool full = !b->framer && out.len > left;

	b->out += out.len;
	if (b->framer) {
		framer_err(b, b->framer->feed(b, out));
		return;
	}
	if (full)
		out.len = left;
	if (out.len && !b->x->dropped)
		b->env->ops->body(b->env->ctx, b->x, b->side, out);
	if (full) {
		b->x->body[b->side].unread += b->out - b->env->limits.max_body;
		cut(b);
		go_deaf(b);
	}
}

/* The first bytes are held while fn cannot decide by them; *in becomes what does not belong to
 * them. Returns what fn says of those that are held.
 */
static int hold(struct body *b, struct span *in, int (*fn)(struct span first, void *arg), void *arg)
{
	int rc = -EAGAIN;

	while (in->len && rc == -EAGAIN) {
		b->first[b->n_first++] = in->p[0];
		*in = span_sub(*in, 1, in->len);
		rc = fn(span_of(b->first, b->n_first), arg);
	}
	return rc;
}

static void unframed(struct body *b)
{
	b->framer->free(b);
	b->framer = NULL;
	b->x->framing[b->side] = FRAMING_NONE;
	b->x->streamed = b->x->framing[SIDE_RESPONSE] != FRAMING_NONE;
}

static int probe_framing(struct span first, void *arg)
{
	const struct body *b = arg;

	return b->framer->probe(first);
}

/* Copies what is held: the next step may hold bytes of its own. */
static struct span held(struct body *b, uint8_t copy[FIRST_MAX])
{
	size_t n = b->n_first;

	memcpy(copy, b->first, n);
	b->n_first = 0;
	return span_of(copy, n);
}

static void framing_decided(struct body *b, bool framed)
{
	uint8_t copy[FIRST_MAX];

	b->state = BODY_OPEN;
	if (!framed)
		unframed(b);
	give_out(b, held(b, copy));
}

static void give(struct body *b, struct span out)
{
	if (b->state == BODY_FRAMING) {
		int rc = hold(b, &out, probe_framing, b);

		if (rc == -EAGAIN)
			return;
		framing_decided(b, rc);
	}
	if (out.len && b->state == BODY_OPEN)
		give_out(b, out);
}

/* --- content codings */

static void on_stage(void *ctx, struct span out)
{
	struct stage *s = ctx;
	struct body *b = s->of;
	const struct flow_limits *l = &b->env->limits;

	if (b->state == BODY_DEAF)
		return;
	if (s > b->stages) {
		int err = coding_feed(s[-1].coding, out);

		if (err)
			coding_failed(b, err);
		return;
	}
	give(b, out);
	/* Each coding keeps its own ratio; together they must, too. */
	if (b->n_stages > 1 && b->out > CODING_RATIO_FREE &&
	    b->out / l->max_ratio > b->x->body[b->side].seen)
		coding_failed(b, -E2BIG);
}

/* Decoders for spec.codings. */
static void stages_open(struct body *b)
{
	const struct flow_limits *l = &b->env->limits;
	const struct coding_limits limits = { b->framer ? UINT64_MAX : l->max_body, l->max_ratio,
					      &b->env->coding_left };

	while (b->n_stages < b->spec.n_codings) {
		struct stage *s = &b->stages[b->n_stages];
		int err;

		s->of = b;
		err = coding_new(&s->coding, b->spec.codings[b->n_stages], &limits, on_stage, s);
		if (err) {
			coding_failed(b, err);
			return;
		}
		b->n_stages++;
	}
}

/* Their memory is others', who may have use for it. */
static void stages_free(struct body *b)
{
	while (b->n_stages)
		coding_free(&b->stages[--b->n_stages].coding);
}

static void decode(struct body *b, struct span in)
{
	int err;

	if (!b->n_stages) {
		give(b, in);
		return;
	}
	err = coding_feed(b->stages[b->n_stages - 1].coding, in);
	if (err)
		coding_failed(b, err);
}

static int probe_coding(struct span first, void *arg)
{
	return coding_sniff(first, arg);
}

/* found: what the first bytes show, CODING_MAX_: nothing. A reader that trusts the head and one
 * that looks would disagree: marked. Decoding goes by the bytes, since nothing else can be read.
 */
static void coding_decided(struct body *b, enum coding_kind found)
{
	struct body_spec *s = &b->spec;
	enum coding_kind *outer = s->n_codings ? &s->codings[s->n_codings - 1] : NULL;
	uint8_t copy[FIRST_MAX];

	if (s->strange) {
		b->env->stats.unknown_codings++;
		unreadable(b);
		s->n_codings = 0;
		outer = NULL;
	}
	if (found != CODING_MAX_ && !outer) {
		s->codings[s->n_codings++] = found;
		if (!s->strange)
			b->x->ambiguous = true;
	} else if (outer && coding_has_magic(*outer) && found != *outer) {
		unreadable(b);
		if (found != CODING_MAX_)
			*outer = found;
		else
			s->n_codings--;
	}
	stages_open(b);
	if (b->state == BODY_DEAF)
		return;
	b->state = b->framer && b->framer->probe ? BODY_FRAMING : BODY_OPEN;
	decode(b, held(b, copy));
}

/* --- */

int body_new(struct body **ret, struct flow_env *env, struct exchange *x, enum side side,
	     const struct body_spec *spec)
{
	enum event_framing framing = x->framing[side];
	struct body *b = calloc(1, sizeof(*b));
	int err = 0;

	if (!b)
		return -ENOMEM;
	b->env = env;
	b->x = x;
	b->side = side;
	b->spec = *spec;
	/* A WebSocket has frames and nothing else. */
	b->state = framing == FRAMING_WEBSOCKET ? BODY_OPEN : BODY_CODING;
	if (framing) {
		b->framer = &framers[framing];
		err = b->framer->open(b);
	}
	if (err) {
		b->framer = NULL;
		body_free(&b);
		return err;
	}
	*ret = b;
	return 0;
}

void body_free(struct body **bp)
{
	struct body *b = *bp;

	if (!b)
		return;
	stages_free(b);
	if (b->framer)
		b->framer->free(b);
	explicit_bzero(b, sizeof(*b));
	free(b);
	*bp = NULL;
}

void body_feed(struct body *b, struct span in)
{
	if (b->state == BODY_CODING) {
		enum coding_kind found = CODING_MAX_;

		if (hold(b, &in, probe_coding, &found) == -EAGAIN)
			return;
		coding_decided(b, found);
	}
	if (b->state == BODY_DEAF)
		b->x->body[b->side].unread += in.len;
	else if (in.len)
		decode(b, in);
	if (b->state == BODY_DEAF)
		stages_free(b);
}

/* What is held is too short to decide by: the head is believed. */
static void believe(struct body *b)
{
	struct body_spec *s = &b->spec;

	if (b->state == BODY_CODING)
		coding_decided(b, s->n_codings && !s->strange ? s->codings[s->n_codings - 1]
							      : CODING_MAX_);
	if (b->state == BODY_FRAMING)
		framing_decided(b, true);
}

void body_gap(struct body *b, uint64_t n)
{
	believe(b);
	if (b->state != BODY_OPEN)
		return;
	/* A compressed stream cannot be picked up again. */
	if (b->n_stages) {
		go_deaf(b);
		return;
	}
	if (b->framer)
		framer_err(b, b->framer->gap(b, n));
	if (b->state != BODY_DEAF && !b->x->dropped)
		b->env->ops->gap(b->env->ctx, b->x, b->side, n);
}

void body_end(struct body *b, bool complete)
{
	believe(b);
	for (unsigned i = b->n_stages; complete && i-- > 0 && b->state != BODY_DEAF;) {
		int err = coding_end(b->stages[i].coding);

		if (err)
			coding_failed(b, err);
	}
	if (b->framer)
		b->framer->end(b);
}

bool body_closed(const struct body *b)
{
	return b->x->framing[b->side] == FRAMING_WEBSOCKET && websocket_closed(b->websocket);
}
