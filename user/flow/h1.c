/* user/flow/h1.c - HTTP/1.1 on one connection: which response answers which request (RFC 9112
 * section 9.3). Owns a parser for each side and the queue of requests that wait, capped by
 * max_pipeline.
 */
#include "flow/h1.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"

TAILQ_HEAD(queue, exch);

struct stream {
	struct h1 *of;
	enum side side;
	struct http1 *parser;
	struct exch *now;  /* whose message is read; NULL between messages and for skipped ones */
	bool inside;	   /* a message is open in the parser */
	uint64_t gap_seen; /* bytes of the current gap that the parser placed inside a body */
};

struct h1 {
	struct flow_env *env;
	const struct conn_info *conn;
	bool client;
	struct stream streams[SIDE_MAX_];
	/* Oldest first; each exchange from its request's start line to its end. */
	struct queue queue;
	uint32_t n_queue;
	uint32_t n_skipped;  /* requests behind the queue, not taken for want of room or memory */
	uint64_t n_unwanted; /* exchanges that ended and were of no interest */
	bool wanted;	     /* one was */
	/* Responses may have passed without being recognised: a gap, or bytes that break the
	 * protocol. */
	bool lost_place;
	bool pipelines;		/* the client was seen to send requests before it had its answers */
	bool doubtful;		/* and then bytes were lost: no pairing is certain any more */
	bool left;		/* the connection does not speak HTTP/1 any more */
	struct exch *websocket; /* it became this one's WebSocket */
	struct exch *h2c;	/* and here HTTP/2, in which this one is answered; not in queue */
};

static void take_out(struct h1 *h, struct exch *e)
{
	for (enum side s = 0; s < SIDE_MAX_; s++)
		if (h->streams[s].now == e)
			h->streams[s].now = NULL;
	if (h->websocket == e)
		h->websocket = NULL;
	TAILQ_REMOVE(&h->queue, e, link);
	h->n_queue--;
}

static void finish(struct h1 *h, struct exch *e)
{
	take_out(h, e);
	h->n_unwanted += e->ignored;
	h->wanted |= !e->ignored;
	exch_free(&e);
}

/* Its response may be another's. */
static void doubt(struct exch *e)
{
	e->env->stats.ambiguous += !e->x.ambiguous;
	e->x.ambiguous = true;
}

static void request_head(struct h1 *h, const struct http1_head *head)
{
	struct stream *s = &h->streams[SIDE_REQUEST];
	struct exch *e;

	/* Responses come in the order of their requests: once one request is skipped, so are all
	 * behind it until the queue is empty.
	 */
	if (h->n_skipped || h->n_queue >= h->env->limits.max_pipeline) {
		h->n_skipped++;
		h->env->stats.cut++;
		return;
	}
	if (exch_new(&e, h->env, h->conn, h->client)) {
		h->n_skipped++;
		h->env->stats.cut++;
		h->env->err = -ENOMEM;
		return;
	}
	TAILQ_INSERT_TAIL(&h->queue, e, link);
	h->n_queue++;
	s->now = e;
	exch_request(e, head->method, head->target);
}

/* Several requests wait, and responses were lost. A client that never pipelined has lost those of
 * all but the last; else nobody knows, and none is taken.
 */
static struct exch *guess(struct h1 *h)
{
	struct exch *last = TAILQ_LAST(&h->queue, queue);

	h->doubtful |= h->pipelines;
	while (TAILQ_FIRST(&h->queue) != last)
		finish(h, TAILQ_FIRST(&h->queue));
	doubt(last);
	if (!h->pipelines)
		return last;
	finish(h, last);
	return NULL;
}

/* The exchange that the response beginning now belongs to. */
static struct exch *answered(struct h1 *h)
{
	struct exch *e = TAILQ_FIRST(&h->queue);

	/* Answered already, but its request never ended: the end was lost, or else the server would
	 * not go on. */
	if (e && e->m[SIDE_RESPONSE].done) {
		finish(h, e);
		e = TAILQ_FIRST(&h->queue);
	}
	if (!e || !TAILQ_NEXT(e, link)) {
		h->lost_place = false;
	} else if (!h->lost_place) {
		h->pipelines = true;
	} else {
		e = guess(h);
		h->lost_place = false;
	}
	return e;
}

static void response_head(struct h1 *h, const struct http1_head *head)
{
	struct stream *s = &h->streams[SIDE_RESPONSE];

	s->now = answered(h);
	if (s->now) {
		if (h->doubtful)
			doubt(s->now);
		exch_response(s->now, head->status);
		return;
	}
	if (h->n_skipped)
		h->n_skipped--;
	h->env->stats.unpaired++;
}

static void on_head(void *ctx, const struct http1_head *head)
{
	struct stream *s = ctx;

	s->inside = true;
	if (s->side == SIDE_REQUEST)
		request_head(s->of, head);
	else
		response_head(s->of, head);
}

static void on_field(void *ctx, struct span name, struct span value)
{
	struct stream *s = ctx;

	if (s->now)
		exch_field(s->now, s->side, name, value);
}

static void on_fields_end(void *ctx, bool ambiguous)
{
	struct stream *s = ctx;
	struct exch *e = s->now;

	if (!e)
		return;
	/* The server speaks HTTP/2 from here on, and answers in it (RFC 7540 section 3.2). */
	if (s->side == SIDE_RESPONSE && e->x.status == 101 && e->h2c) {
		exch_unanswered(e);
		exch_message_end(e, SIDE_REQUEST, HTTP1_CUT); /* unless it ended before */
		take_out(s->of, e);
		s->of->h2c = e;
		return;
	}
	exch_fields_end(e, s->side, ambiguous);
	if (s->side == SIDE_REQUEST)
		return;
	if (span_eq(e->x.method, SPAN_LIT("HEAD")))
		http1_no_body(s->parser);
	/* From here on both sides send frames (RFC 6455 section 4.1). */
	if (e->x.status == 101 && e->websocket) {
		exch_upgrade(e);
		s->now = NULL;
		s->of->streams[SIDE_REQUEST].now = NULL;
		s->of->websocket = e;
	}
	/* A tunnel begins (RFC 9110 section 9.3.6). */
	if (span_eq(e->x.method, SPAN_LIT("CONNECT")) && e->x.status / 100 == 2) {
		http1_no_body(s->parser);
		http1_tunnel(s->parser);
	}
}

static void on_doubtful(void *ctx)
{
	struct stream *s = ctx;

	if (s->now)
		doubt(s->now);
}

static void on_body(void *ctx, struct span data)
{
	struct stream *s = ctx;

	if (s->now)
		exch_body(s->now, s->side, data);
}

/* Of a body that nobody wants the kernel copies no more than it has to (flow_mutable()): no loss.
 */
static void lose(struct exch *e, enum side side, uint64_t n)
{
	if (e->ignored)
		e->env->stats.gap_bytes -= n;
	exch_gap(e, side, n);
}

static void on_gap(void *ctx, uint64_t n)
{
	struct stream *s = ctx;

	s->gap_seen += n;
	if (s->now)
		lose(s->now, s->side, n);
}

static void on_end(void *ctx, enum http1_end how)
{
	struct stream *s = ctx;
	struct exch *e = s->now;

	s->inside = false;
	s->now = NULL;
	if (s->side == SIDE_RESPONSE && how != HTTP1_COMPLETE)
		s->of->lost_place = true;
	if (!e)
		return;
	exch_message_end(e, s->side, how);
	/* A response may end before its request; the exchange ends with the later one. */
	if (e->m[SIDE_REQUEST].done && e->m[SIDE_RESPONSE].done)
		finish(s->of, e);
}

static const struct http1_ops parser_ops = {
	.head = on_head,
	.field = on_field,
	.fields_end = on_fields_end,
	.doubtful = on_doubtful,
	.body = on_body,
	.gap = on_gap,
	.end = on_end,
};

int h1_new(struct h1 **ret, struct flow_env *env, const struct conn_info *conn, bool client)
{
	auto_free(h1) struct h1 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->env = env;
	h->conn = conn;
	h->client = client;
	TAILQ_INIT(&h->queue);
	for (enum side s = 0; s < SIDE_MAX_; s++) {
		int err;

		h->streams[s].of = h;
		h->streams[s].side = s;
		err = http1_new(&h->streams[s].parser, s == SIDE_REQUEST, &parser_ops,
				&h->streams[s]);
		if (err)
			return err;
	}
	*ret = steal(h);
	return 0;
}

int h1_join(struct h1 *h)
{
	struct exch *e;
	int err = exch_new(&e, h->env, h->conn, h->client);

	if (err)
		return err;
	TAILQ_INSERT_TAIL(&h->queue, e, link);
	h->n_queue++;
	h->websocket = e;
	exch_join(e);
	return 0;
}

static void end_all(struct h1 *h)
{
	struct exch *e;

	while ((e = TAILQ_FIRST(&h->queue)))
		finish(h, e);
}

void h1_free(struct h1 **hp)
{
	struct h1 *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	end_all(h);
	exch_free(&h->h2c);
	for (enum side s = 0; s < SIDE_MAX_; s++)
		http1_free(&h->streams[s].parser);
	free(h);
}

int h1_feed(struct h1 *h, enum side side, struct span in)
{
	int err;

	if (h->left)
		return -EOPNOTSUPP;
	if (h->websocket) {
		exch_body(h->websocket, side, in);
		return 0;
	}
	err = http1_feed(h->streams[side].parser, in);
	if (!err)
		return 0;
	if (err == -EOPNOTSUPP && h->websocket) {
		size_t n = http1_unread(h->streams[side].parser);

		if (n)
			exch_body(h->websocket, side, span_sub(in, in.len - n, n));
		return 0;
	}
	if (err == -EOPNOTSUPP) {
		h->left = true;
		end_all(h);
		return err;
	}
	/* The parser looks for the next start line by itself. */
	if (err == -ENOMEM)
		h->env->err = err;
	h->env->stats.broken++;
	return 0;
}

struct exch *h1_upgraded(struct h1 *h, enum side side, size_t *ret_unread)
{
	*ret_unread = http1_unread(h->streams[side].parser);
	return steal(h->h2c);
}

void h1_gap(struct h1 *h, enum side side, uint64_t n)
{
	struct stream *s = &h->streams[side];

	if (h->websocket) {
		lose(h->websocket, side, n);
		return;
	}
	s->gap_seen = 0;
	http1_gap(s->parser, n);
	if (side == SIDE_RESPONSE && !(s->inside && s->gap_seen == n))
		h->lost_place = true;
}

void h1_close(struct h1 *h)
{
	for (enum side s = 0; s < SIDE_MAX_; s++)
		http1_end(h->streams[s].parser);
	end_all(h);
}

void h1_skipped(struct h1 *h, enum side side)
{
	struct exch *e;

	h1_gap(h, side, 0);
	if (h->websocket || side != SIDE_RESPONSE)
		return;
	/* Those were answered, or are about to be. The first request that is of interest is
	 * answered behind this place: answers to it are not muted. */
	while ((e = TAILQ_FIRST(&h->queue)) && e->ignored && e->m[SIDE_REQUEST].done)
		finish(h, e);
	h->lost_place = false;
}

enum flow_mute h1_mutable(const struct h1 *h, uint64_t after)
{
	const struct exch *e, *now = h->streams[SIDE_RESPONSE].now;

	if (h->websocket)
		return h->websocket->ignored ? FLOW_MUTE_ALL : FLOW_WATCH;
	TAILQ_FOREACH (e, &h->queue, link)
		if (!e->ignored)
			return FLOW_WATCH;
	if (!h->wanted && h->n_unwanted >= after)
		return FLOW_MUTE_ANSWERS;
	/* Nothing else waits to be answered in the same turn. */
	if (now && now->m[SIDE_REQUEST].done && h->n_queue == 1 && !h->n_skipped &&
	    !h->streams[SIDE_REQUEST].inside)
		return FLOW_MUTE_TURN;
	return FLOW_WATCH;
}
