/* user/flow/h2.c - HTTP/2 on one connection: a stream is a request and its response (RFC 9113
 * section 8.1). Owns a reader for each direction and the open streams, at most max_streams and
 * STREAMS_BYTES of them: beyond either the one that was idle longest is ended and counted.
 */
#include "flow/h2.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "parse/http2.h"

#define STREAMS_BYTES (512 << 10) /* streams and heads of one connection */
#define BUCKETS	      16
#define SWEEP_NS      (UINT64_C(30) * 1000000000)

struct stream {
	LIST_ENTRY(stream) by_id;
	TAILQ_ENTRY(stream) by_age;
	uint32_t id;
	struct exch *e;
	size_t bytes; /* its share of h2->bytes */
	uint64_t active_ns;
	bool tunnel; /* what goes through it is not ours to read */
	struct {
		bool head; /* its header section was seen */
		bool hurt; /* frames of it may have passed unseen */
		bool has_length;
		uint64_t length; /* Content-Length */
	} m[SIDE_MAX_];
};

LIST_HEAD(streams, stream);
TAILQ_HEAD(stream_ages, stream);

/* What an open header block is. */
enum section {
	SECTION_SKIP,
	SECTION_HEAD,
	SECTION_TRAILERS,
};

enum pseudo {
	PSEUDO_METHOD,
	PSEUDO_PATH,
	PSEUDO_AUTHORITY,
	PSEUDO_PROTOCOL,
	PSEUDO_STATUS,
	PSEUDO_MAX_
};

static const struct {
	const char *name;
	size_t max; /* bytes of a value; more is cut */
} pseudos[] = {
	[PSEUDO_METHOD] = { ":method", 64 },	     [PSEUDO_PATH] = { ":path", EXCHANGE_HEAD_MAX },
	[PSEUDO_AUTHORITY] = { ":authority", 1024 }, [PSEUDO_PROTOCOL] = { ":protocol", 64 },
	[PSEUDO_STATUS] = { ":status", 16 },
};
static_assert(ARRAY_SIZE(pseudos) == PSEUDO_MAX_, "pseudo-header field without a row");

/* One direction. */
struct half {
	struct h2 *of;
	enum side side;
	struct http2 *parser;
	struct http2_stats told; /* as far as it went into flow_stats */
	/* The open header block: */
	enum section section;
	struct stream *now;
	enum side into; /* a PUSH_PROMISE brings a request on the response's side */
	bool promise;
	bool started;	    /* its pseudo-header fields are handed on */
	struct buf *pseudo; /* PSEUDO_MAX_ of them, from the first one to the block's end */
};

struct h2 {
	struct flow_env *env;
	const struct conn_info *conn;
	bool client;
	struct half halves[SIDE_MAX_];
	struct streams buckets[BUCKETS];
	struct stream_ages ages; /* longest idle first */
	uint32_t n_streams;
	size_t bytes;
	uint32_t last[SIDE_MAX_]; /* greatest stream each side opened */
	uint64_t swept_ns;
	uint64_t n_unwanted; /* exchanges that ended and were of no interest */
	bool wanted;	     /* one was */
};

static struct streams *bucket(struct h2 *h, uint32_t id)
{
	return &h->buckets[id / 2 % BUCKETS];
}

static struct stream *find(struct h2 *h, uint32_t id)
{
	struct stream *s;

	LIST_FOREACH (s, bucket(h, id), by_id)
		if (s->id == id)
			return s;
	return NULL;
}

/* A server that has answered resets a stream without waiting for its empty last frame: what the
 * head promised is there all the same.
 */
static void complete(struct stream *s)
{
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		const struct coverage *c = &s->e->x.body[side];

		if (s->m[side].has_length && c->seen && s->m[side].length == c->seen + c->lost)
			exch_message_end(s->e, side, HTTP1_COMPLETE);
	}
}

static void finish(struct h2 *h, struct stream *s)
{
	complete(s);
	for (enum side side = 0; side < SIDE_MAX_; side++)
		if (h->halves[side].now == s) {
			h->halves[side].now = NULL;
			h->halves[side].section = SECTION_SKIP;
		}
	LIST_REMOVE(s, by_id);
	TAILQ_REMOVE(&h->ages, s, by_age);
	h->n_streams--;
	h->bytes -= s->bytes;
	h->n_unwanted += s->e->ignored;
	h->wanted |= !s->e->ignored;
	exch_free(&s->e);
	free(s);
}

static void touch(struct h2 *h, struct stream *s)
{
	s->active_ns = h->env->now_ns;
	TAILQ_REMOVE(&h->ages, s, by_age);
	TAILQ_INSERT_TAIL(&h->ages, s, by_age);
}

/* All but the one that was active last may go. */
static void evict(struct h2 *h, uint32_t most)
{
	while (h->n_streams > most || (h->n_streams > 1 && h->bytes > STREAMS_BYTES)) {
		h->env->stats.streams_evicted++;
		finish(h, TAILQ_FIRST(&h->ages));
	}
}

/* before: what env->heads was before the stream's exchange grew. */
static void charge(struct h2 *h, struct stream *s, uint64_t before)
{
	s->bytes += h->env->heads - before;
	h->bytes += h->env->heads - before;
	evict(h, h->env->limits.max_streams);
}

/* s has its exchange, whose heads are of so many bytes. */
static void stream_add(struct h2 *h, struct stream *s, uint32_t id, size_t heads)
{
	s->id = id;
	s->active_ns = h->env->now_ns;
	s->bytes = sizeof(*s) + sizeof(*s->e) + heads;
	h->bytes += s->bytes;
	h->n_streams++;
	LIST_INSERT_HEAD(bucket(h, id), s, by_id);
	TAILQ_INSERT_TAIL(&h->ages, s, by_age);
}

/* NULL: a number that cannot be a new stream's, or no memory. */
static struct stream *stream_new(struct h2 *h, enum side opener, uint32_t id)
{
	struct stream *s;

	if (id <= h->last[opener] || id % 2 != (opener == SIDE_REQUEST))
		return NULL;
	h->last[opener] = id;
	evict(h, h->env->limits.max_streams - 1);
	s = calloc(1, sizeof(*s));
	if (!s || exch_new(&s->e, h->env, h->conn, h->client)) {
		free(s);
		h->env->stats.cut++;
		h->env->err = -ENOMEM;
		return NULL;
	}
	stream_add(h, s, id, 0);
	return s;
}

/* --- header blocks */

static void on_head(void *ctx, uint32_t id, uint32_t promised)
{
	struct half *half = ctx;
	struct h2 *h = half->of;
	struct stream *s = promised ? NULL : find(h, id);

	half->promise = promised;
	half->into = promised ? SIDE_REQUEST : half->side;
	half->started = false;
	if (!s && half->into == SIDE_REQUEST)
		s = stream_new(h, half->side, promised ? promised : id);
	half->now = s;
	half->section = !s ? SECTION_SKIP : s->m[half->into].head ? SECTION_TRAILERS : SECTION_HEAD;
	if (s)
		touch(h, s);
}

static struct span pseudo(const struct half *half, enum pseudo p)
{
	return half->pseudo ? buf_span(&half->pseudo[p]) : (struct span){ 0 };
}

/* Three digits (section 8.3.2); 0 when it is anything else, or not known. */
static unsigned status_of(struct span value)
{
	unsigned n = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return 0;
		n = n * 10 + value.p[i] - '0';
	}
	return value.len == 3 && n >= 100 ? n : 0;
}

static bool is_connect(struct span method)
{
	return span_eq(method, SPAN_LIT("CONNECT"));
}

static void start_request(struct half *half)
{
	struct exch *e = half->now->e;
	struct span method = pseudo(half, PSEUDO_METHOD);
	struct span authority = pseudo(half, PSEUDO_AUTHORITY);
	bool tunnel = is_connect(method) && !pseudo(half, PSEUDO_PROTOCOL).len;

	e->websocket = span_eq_nocase(pseudo(half, PSEUDO_PROTOCOL), SPAN_LIT("websocket"));
	exch_request(e, method, tunnel ? authority : pseudo(half, PSEUDO_PATH));
	/* What HTTP/1 calls Host (section 8.3.1). */
	if (authority.len && !tunnel)
		exch_field(e, SIDE_REQUEST, SPAN_LIT("host"), authority);
}

/* The pseudo-header fields are complete. */
static void start(struct half *half)
{
	unsigned status;

	if (half->started || half->section != SECTION_HEAD)
		return;
	half->started = true;
	if (half->into == SIDE_REQUEST) {
		start_request(half);
		return;
	}
	status = status_of(pseudo(half, PSEUDO_STATUS));
	if (status / 100 == 1)
		half->section = SECTION_SKIP; /* informational: the response is yet to come */
	else
		exch_response(half->now->e, status);
}

static void pseudo_free(struct half *half)
{
	for (enum pseudo p = 0; half->pseudo && p < PSEUDO_MAX_; p++)
		buf_free(&half->pseudo[p]);
	free(half->pseudo);
	half->pseudo = NULL;
}

static int pseudo_new(struct half *half)
{
	half->pseudo = calloc(PSEUDO_MAX_, sizeof(*half->pseudo));
	for (enum pseudo p = 0; half->pseudo && p < PSEUDO_MAX_; p++)
		half->pseudo[p] = BUF(pseudos[p].max);
	return half->pseudo ? 0 : -ENOMEM;
}

static void on_pseudo(struct half *half, const struct hpack_field *f)
{
	if (!half->pseudo && pseudo_new(half)) {
		half->of->env->err = -ENOMEM;
		return;
	}
	for (enum pseudo p = 0; p < PSEUDO_MAX_; p++)
		if (span_eq(f->name, span_str(pseudos[p].name)) && !half->pseudo[p].len &&
		    buf_add_some(&half->pseudo[p], f->value) < 0)
			half->of->env->err = -ENOMEM;
}

static void on_length(struct stream *s, enum side side, struct span value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9' || n > UINT64_MAX / 10 - 1)
			return;
		n = n * 10 + value.p[i] - '0';
	}
	s->m[side].has_length = value.len;
	s->m[side].length = n;
}

static void on_field(void *ctx, const struct hpack_field *f)
{
	struct half *half = ctx;
	struct h2 *h = half->of;
	uint64_t before = h->env->heads;
	struct stream *s = half->now;

	if (f->name_unknown || f->value_unknown) {
		h->env->stats.unknown_fields++;
		return;
	}
	if (f->name.len && f->name.p[0] == ':') {
		/* Only a response's own header section has a status, which none of its trailers. */
		if (!s && span_eq(f->name, SPAN_LIT(":status")) && status_of(f->value) >= 200)
			h->env->stats.unpaired++;
		if (half->section == SECTION_HEAD && !half->started)
			on_pseudo(half, f);
		return;
	}
	start(half);
	if (half->section == SECTION_TRAILERS) {
		/* Of trailers only what says how a call ended. */
		if (!span_starts(f->name, SPAN_LIT("grpc-")))
			return;
	} else if (half->section != SECTION_HEAD) {
		return;
	}
	if (span_eq(f->name, SPAN_LIT("content-length")))
		on_length(s, half->into, f->value);
	exch_field(s->e, half->into, f->name, f->value);
	charge(h, s, before);
}

static void message_end(struct h2 *h, struct stream *s, enum side side);

static void on_fields_end(void *ctx, bool damaged)
{
	struct half *half = ctx;
	struct h2 *h = half->of;
	struct stream *s = half->now;
	uint64_t before = h->env->heads;
	struct exch *e;

	start(half);
	half->now = NULL;
	pseudo_free(half);
	if (half->section != SECTION_HEAD)
		return;
	half->section = SECTION_SKIP;
	e = s->e;
	s->m[half->into].head = true;
	exch_fields_end(e, half->into, damaged);
	if (half->into == SIDE_REQUEST)
		h->wanted |= !e->ignored;
	/* A WebSocket (RFC 8441) or another tunnel (section 8.5) begins. */
	else if (is_connect(e->x.method) && e->x.status / 100 == 2 && e->websocket)
		exch_upgrade(e);
	else if (is_connect(e->x.method) && e->x.status / 100 == 2)
		s->tunnel = true;
	h->env->stats.tunnels += s->tunnel;
	charge(h, s, before);
	if (half->promise)
		message_end(h, s, SIDE_REQUEST);
}

/* --- bodies and ends */

/* The stream whose message goes on, on this side; NULL when nobody waits for it. */
static struct stream *going_on(struct half *half, uint32_t id)
{
	struct h2 *h = half->of;
	struct stream *s = find(h, id);

	if (!s)
		return NULL;
	if (s->e->m[half->side].done) {
		h->env->stats.broken++;
		return NULL;
	}
	touch(h, s);
	if (s->m[half->side].head)
		return s;
	if (half->side == SIDE_REQUEST || !s->m[half->side].hurt) {
		h->env->stats.broken++;
		return NULL;
	}
	/* Its header section was lost. */
	s->m[half->side].head = true;
	exch_response(s->e, 0);
	exch_fields_end(s->e, half->side, true);
	exch_gap(s->e, half->side, 0);
	return s;
}

/* How much of n bytes of a body its head allows for; more is no part of the message
 * (section 8.1.1).
 */
static uint64_t allowed(struct half *half, const struct stream *s, uint64_t n)
{
	const struct coverage *c = &s->e->x.body[half->side];
	uint64_t left = s->m[half->side].length - MIN(s->m[half->side].length, c->seen + c->lost);

	if (!s->m[half->side].has_length || n <= left)
		return n;
	half->of->env->stats.broken++;
	return left;
}

/* A request is whole with its last byte: the empty frame that ends it may come after the answer. */
static void request_full(struct half *half, struct stream *s)
{
	const struct coverage *c = &s->e->x.body[SIDE_REQUEST];

	if (half->side == SIDE_REQUEST && s->m[SIDE_REQUEST].has_length &&
	    s->m[SIDE_REQUEST].length == c->seen + c->lost)
		message_end(half->of, s, SIDE_REQUEST);
}

static void on_body(void *ctx, uint32_t id, struct span data)
{
	struct half *half = ctx;
	struct stream *s = going_on(half, id);

	if (!s || s->tunnel)
		return;
	data.len = allowed(half, s, data.len);
	if (data.len)
		exch_body(s->e, half->side, data);
	request_full(half, s);
}

static void on_gap(void *ctx, uint32_t id, uint64_t n)
{
	struct half *half = ctx;
	struct stream *s = going_on(half, id);

	if (!s || s->tunnel)
		return;
	n = allowed(half, s, n);
	if (n)
		exch_gap(s->e, half->side, n);
	request_full(half, s);
}

static void message_end(struct h2 *h, struct stream *s, enum side side)
{
	struct coverage *c = &s->e->x.body[side];
	uint64_t n = c->seen + c->lost;
	bool known = s->m[side].has_length && s->m[side].length >= n;
	enum http1_end how = HTTP1_COMPLETE;

	if (s->m[side].hurt && known && s->m[side].length > n)
		exch_gap(s->e, side, s->m[side].length - n);
	else if (s->m[side].hurt && !known)
		how = HTTP1_CUT;
	else if (s->m[side].has_length && n && s->m[side].length != n && !s->e->x.ambiguous) {
		s->e->x.ambiguous = true;
		h->env->stats.ambiguous++;
	}
	exch_message_end(s->e, side, how);
	/* A response may end before its request, and the end of that may have been lost. */
	if (s->e->m[SIDE_RESPONSE].done && (s->e->m[SIDE_REQUEST].done || s->m[SIDE_REQUEST].hurt))
		finish(h, s);
}

static void on_end(void *ctx, uint32_t id)
{
	struct half *half = ctx;
	struct stream *s = find(half->of, id);

	if (s && !s->e->m[half->side].done)
		message_end(half->of, s, half->side);
}

static void on_reset(void *ctx, uint32_t id)
{
	struct half *half = ctx;
	struct stream *s = find(half->of, id);

	if (s)
		finish(half->of, s);
}

/* Streams beyond the last one will not be answered (section 6.8). */
static void on_goaway(void *ctx, uint32_t last)
{
	struct half *half = ctx;
	struct stream *s, *next;

	if (half->side == SIDE_REQUEST)
		return;
	for (s = TAILQ_FIRST(&half->of->ages); s; s = next) {
		next = TAILQ_NEXT(s, by_age);
		if (s->id % 2 && s->id > last)
			finish(half->of, s);
	}
}

static void on_max_frame(void *ctx, uint32_t len)
{
	struct half *half = ctx;

	http2_take_frames(half->of->halves[!half->side].parser, len);
}

static void on_lost(void *ctx)
{
	struct half *half = ctx;
	struct stream *s;

	for (s = TAILQ_FIRST(&half->of->ages); s; s = TAILQ_NEXT(s, by_age)) {
		if (s->e->m[half->side].done)
			continue;
		s->m[half->side].hurt = true;
		if (s->m[half->side].head && !s->tunnel)
			exch_gap(s->e, half->side, 0);
	}
}

static const struct http2_ops parser_ops = {
	.head = on_head,
	.field = on_field,
	.fields_end = on_fields_end,
	.body = on_body,
	.gap = on_gap,
	.end = on_end,
	.reset = on_reset,
	.goaway = on_goaway,
	.max_frame = on_max_frame,
	.lost = on_lost,
};

int h2_new(struct h2 **ret, struct flow_env *env, const struct conn_info *conn, bool client)
{
	auto_free(h2) struct h2 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->env = env;
	h->conn = conn;
	h->client = client;
	h->swept_ns = env->now_ns;
	TAILQ_INIT(&h->ages);
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		struct half *half = &h->halves[side];
		int err;

		half->of = h;
		half->side = side;
		err = http2_new(&half->parser, side == SIDE_REQUEST, &parser_ops, half);
		if (err)
			return err;
	}
	*ret = steal(h);
	return 0;
}

static void end_all(struct h2 *h)
{
	while (!TAILQ_EMPTY(&h->ages))
		finish(h, TAILQ_FIRST(&h->ages));
}

void h2_free(struct h2 **hp)
{
	struct h2 *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	end_all(h);
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		http2_free(&h->halves[side].parser);
		pseudo_free(&h->halves[side]);
	}
	free(h);
}

/* Streams whose end may have passed unseen end when nothing comes any more. */
static void sweep(struct h2 *h)
{
	struct stream *s, *next;

	if (h->env->now_ns - h->swept_ns < SWEEP_NS)
		return;
	h->swept_ns = h->env->now_ns;
	for (s = TAILQ_FIRST(&h->ages); s && h->env->now_ns - s->active_ns >= SWEEP_NS; s = next) {
		next = TAILQ_NEXT(s, by_age);
		if (s->m[SIDE_REQUEST].hurt || s->m[SIDE_RESPONSE].hurt)
			finish(h, s);
	}
}

/* What the reader counted since the last time. */
static void tell(struct half *half)
{
	struct flow_stats *st = &half->of->env->stats;
	struct http2_stats now = http2_stats(half->parser);

	st->broken += now.broken - half->told.broken;
	st->resynced += now.resynced - half->told.resynced;
	st->cut += now.cut - half->told.cut;
	st->floods += now.floods - half->told.floods;
	half->told = now;
}

void h2_join(struct h2 *h, enum side side)
{
	http2_join(h->halves[side].parser);
}

int h2_adopt(struct h2 *h, struct exch *e)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->e = e;
	stream_add(h, s, 1, e->m[SIDE_REQUEST].head_len);
	h->last[SIDE_REQUEST] = 1;
	h->wanted |= !e->ignored;
	s->m[SIDE_REQUEST].head = true;
	return 0;
}

void h2_feed(struct h2 *h, enum side side, struct span in)
{
	struct half *half = &h->halves[side];

	if (http2_feed(half->parser, in) == -ENOMEM)
		h->env->err = -ENOMEM;
	tell(half);
	sweep(h);
}

void h2_gap(struct h2 *h, enum side side, uint64_t n)
{
	http2_gap(h->halves[side].parser, n);
	tell(&h->halves[side]);
}

void h2_skipped(struct h2 *h, enum side side)
{
	struct stream *s, *next;

	h2_gap(h, side, 0);
	if (side != SIDE_RESPONSE)
		return;
	for (s = TAILQ_FIRST(&h->ages); s; s = next) {
		next = TAILQ_NEXT(s, by_age);
		if (s->e->ignored && s->e->m[SIDE_REQUEST].done)
			finish(h, s);
	}
}

void h2_close(struct h2 *h)
{
	for (enum side side = 0; side < SIDE_MAX_; side++)
		http2_end(h->halves[side].parser);
	end_all(h);
}

uint64_t h2_unwanted(const struct h2 *h)
{
	return h->wanted || h->halves[SIDE_REQUEST].now ? 0 : h->n_unwanted;
}
