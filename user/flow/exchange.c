/* user/flow/exchange.c - one exchange being built: heads kept, bodies decoded and handed on.
 * Owns an arena for both heads, at most EXCHANGE_HEAD_MAX bytes each (API keys: wiped on free), and
 * the decoders of its bodies.
 */
#include "flow/exchange.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"

#define BLOCK_MIN  1024
#define FIELDS_MIN 16
#define HEADS_MAX  (256 << 20) /* bytes of the heads of all open exchanges */

struct block {
	struct block *next;
	size_t len, room;
	_Alignas(16) uint8_t bytes[];
};

/* Memory that lives as long as the exchange and never moves; NULL when there is none (the caller
 * counts what is cut). */
static void *arena(struct exch *e, size_t n)
{
	struct block *b = e->blocks;
	size_t at = b ? (b->len + 15) & ~(size_t)15 : 0;

	if (!b || at > b->room || n > b->room - at) {
		size_t room = MAX(n, b ? b->room * 2 : BLOCK_MIN);

		if (e->env->heads + room > HEADS_MAX)
			return NULL;
		b = calloc(1, sizeof(*b) + room);
		if (!b) {
			e->env->err = -ENOMEM;
			return NULL;
		}
		e->env->heads += room;
		b->room = room;
		b->next = e->blocks;
		e->blocks = b;
		at = 0;
	}
	b->len = at + n;
	return b->bytes + at;
}

static void blocks_free(struct exch *e)
{
	while (e->blocks) {
		struct block *b = e->blocks;

		e->blocks = b->next;
		e->env->heads -= b->room;
		explicit_bzero(b, sizeof(*b) + b->room);
		free(b);
	}
}

static void count(struct exch *e, uint64_t n)
{
	e->counted += n;
	e->env->undecided += n;
}

/* A cap shortened this message; counted once for each. */
static void cut(struct message *m)
{
	if (!m->cut)
		m->of->env->stats.cut++;
	m->cut = true;
}

/* A copy of s in the arena, within what the head may still take; shorter or empty when that is
 * less. */
static struct span keep(struct message *m, struct span s, bool lower)
{
	uint8_t *p;

	if (s.len > EXCHANGE_HEAD_MAX - m->head_len) {
		s.len = EXCHANGE_HEAD_MAX - m->head_len;
		cut(m);
	}
	if (!s.len)
		return (struct span){ 0 };
	p = arena(m->of, s.len);
	if (!p) {
		cut(m);
		return (struct span){ 0 };
	}
	for (size_t i = 0; i < s.len; i++)
		p[i] = lower ? ascii_lower(s.p[i]) : s.p[i];
	m->head_len += s.len;
	count(m->of, s.len);
	return span_of(p, s.len);
}

int exch_new(struct exch **ret, struct flow_env *env, const struct conn_info *conn, bool client)
{
	struct exch *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->env = env;
	e->x.number = ++env->numbers;
	e->x.conn = conn;
	e->x.client = client;
	e->x.begin_ns = env->now_ns;
	for (enum side s = 0; s < SIDE_MAX_; s++) {
		e->m[s].of = e;
		e->m[s].side = s;
		e->x.end[s] = HTTP1_CUT;
	}
	*ret = e;
	return 0;
}

/* Where a run of scheme, "://" and authority ends in an absolute-form target (RFC 9112
 * section 3.2.2); 0 in any other form. */
static size_t absolute_end(struct span target, size_t *ret_authority)
{
	size_t i = 0;

	while (i < target.len && target.p[i] != ':' && target.p[i] != '/' && target.p[i] != '?')
		i++;
	if (!i || !span_starts(span_sub(target, i, target.len), SPAN_LIT("://")))
		return 0;
	i += 3;
	*ret_authority = i;
	while (i < target.len && target.p[i] != '/' && target.p[i] != '?')
		i++;
	return i;
}

void exch_request(struct exch *e, struct span method, struct span target)
{
	struct message *m = &e->m[SIDE_REQUEST];
	size_t begin, end;

	e->x.method = keep(m, method, false);
	e->x.target = keep(m, target, false);
	end = absolute_end(e->x.target, &begin);
	if (end)
		e->x.host = keep(m, span_sub(e->x.target, begin, end - begin), true);
	else if (span_eq(method, SPAN_LIT("CONNECT")))
		e->x.host = keep(m, target, true);
}

/* Its request's head is complete, or no more of it will come. */
static void announce(struct exch *e)
{
	if (e->announced)
		return;
	e->announced = true;
	e->env->stats.exchanges++;
	e->ignored = e->env->ops->request(e->env->ctx, &e->x) != 0;
}

void exch_response(struct exch *e, unsigned status)
{
	announce(e);
	e->x.status = status;
}

static struct span trim(struct span s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_sub(s, 1, s.len);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The part of *list before the next sep, trimmed; *list becomes what follows. */
static struct span next_token(struct span *list, char sep)
{
	const uint8_t *p = list->len ? memchr(list->p, sep, list->len) : NULL;
	size_t n = p ? (size_t)(p - list->p) : list->len;
	struct span token = span_sub(*list, 0, n);

	*list = span_sub(*list, n + 1, list->len);
	return trim(token);
}

static void on_coding(struct message *m, struct span value)
{
	static const struct {
		const char *name;
		enum inflate_coding coding;
	} rows[] = {
		{ "gzip", INFLATE_GZIP },
		{ "x-gzip", INFLATE_GZIP },
		{ "deflate", INFLATE_DEFLATE },
	};

	while (value.len) {
		struct span token = next_token(&value, ',');

		if (!token.len || span_eq_nocase(token, SPAN_LIT("identity")))
			continue;
		/* More than one in a row is rare enough to be left alone: nothing of such a body is
		 * given out. */
		m->coding = INFLATE_CODING_MAX_;
		if (m->codings++)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (span_eq_nocase(token, span_str(rows[i].name)))
				m->coding = rows[i].coding;
	}
}

static void on_type(struct message *m, struct span value)
{
	static const struct {
		const char *type;
		enum event_framing framing;
		bool
		    request; /* else only a response's: servers read requests whatever their type */
	} rows[] = {
		{ "text/event-stream", FRAMING_SSE, false },
	};
	struct span type = next_token(&value, ';');
	struct exchange *x = &m->of->x;

	x->framing[m->side] = FRAMING_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq_nocase(type, span_str(rows[i].type)) &&
		    (rows[i].request || m->side == SIDE_RESPONSE))
			x->framing[m->side] = rows[i].framing;
	x->streamed = x->framing[SIDE_RESPONSE] != FRAMING_NONE;
}

static void on_host(struct message *m, struct span value)
{
	if (m->side == SIDE_REQUEST && !m->of->x.host.len)
		m->of->x.host = keep(m, value, true);
}

/* Fields that decide how the exchange is read. They count even when the head is too long to keep
 * them: else a long head would hide a body.
 */
static const struct {
	const char *name;
	void (*on)(struct message *m, struct span value);
} special[] = {
	{ "content-encoding", on_coding },
	{ "content-type", on_type },
	{ "host", on_host },
};

static struct field *next_field(struct message *m)
{
	struct exchange *x = &m->of->x;
	size_t n = x->n_fields[m->side];

	if (n == EXCHANGE_FIELDS_MAX)
		return NULL;
	if (n == m->fields_room) {
		size_t room = n ? n * 2 : FIELDS_MIN;
		struct field *p = arena(m->of, room * sizeof(*p));

		if (!p)
			return NULL;
		if (n)
			memcpy(p, x->fields[m->side], n * sizeof(*p));
		x->fields[m->side] = p;
		m->fields_room = room;
	}
	return &x->fields[m->side][n];
}

void exch_field(struct exch *e, enum side side, struct span name, struct span value)
{
	struct message *m = &e->m[side];
	struct field *f;

	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (span_eq_nocase(name, span_str(special[i].name)))
			special[i].on(m, value);
	f = name.len + value.len <= EXCHANGE_HEAD_MAX - m->head_len ? next_field(m) : NULL;
	if (!f) {
		cut(m);
		return;
	}
	f->name = keep(m, name, true);
	f->value = keep(m, value, false);
	e->x.n_fields[side]++;
}

/* From here on nothing of this body is given out; the reader learns that something is missing. */
static void go_deaf(struct message *m)
{
	struct exch *e = m->of;

	if (m->state == BODY_DEAF)
		return;
	m->state = BODY_DEAF;
	if (e->ignored)
		return;
	if (m->sse)
		sse_gap(m->sse, 0);
	e->env->ops->gap(e->env->ctx, &e->x, m->side, 0);
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct message *m = ctx;
	struct exch *e = m->of;

	e->env->ops->event(e->env->ctx, &e->x,
			   &(struct flow_event){ .side = m->side,
						 .framing = FRAMING_SSE,
						 .type = ev->type,
						 .data = ev->data,
						 .damaged = ev->damaged });
}

/* Decoded bytes. */
static void give(void *ctx, struct span out)
{
	struct message *m = ctx;
	struct exch *e = m->of;
	uint64_t left = e->env->limits.max_body - m->out;
	bool full = out.len > left;

	if (m->state == BODY_DEAF || e->ignored)
		return;
	if (full)
		out.len = left;
	m->out += out.len;
	if (m->sse) {
		if (sse_feed(m->sse, out)) {
			e->env->err = -ENOMEM;
			full = true;
		}
	} else if (out.len) {
		e->env->ops->body(e->env->ctx, &e->x, m->side, out);
	}
	if (full) {
		cut(m);
		go_deaf(m);
	}
}

/* The coding is not known, broke, or hit a cap. */
static void coding_failed(struct message *m)
{
	m->of->env->stats.decode_errors++;
	m->of->x.ambiguous = true;
	go_deaf(m);
}

/* Decoders are made at the first byte: most requests and many responses have no body. */
static void body_begin(struct message *m)
{
	struct exch *e = m->of;
	const struct flow_limits *l = &e->env->limits;
	int err = 0;

	if (e->x.framing[m->side] == FRAMING_SSE)
		err = sse_new(&m->sse, l->max_event, on_event, m);
	if (!err && m->codings == 1 && m->coding != INFLATE_CODING_MAX_) {
		m->state = BODY_CODED;
		err = inflate_new(&m->inflate, m->coding, l->max_body, l->max_ratio, give, m);
	} else if (!err && m->codings) {
		coding_failed(m);
	}
	if (err) {
		e->env->err = err;
		cut(m);
		go_deaf(m);
	}
}

void exch_fields_end(struct exch *e, enum side side, bool ambiguous)
{
	struct flow_env *env = e->env;

	if (ambiguous) {
		e->x.ambiguous = true;
		env->stats.ambiguous++;
	}
	if (side == SIDE_REQUEST)
		announce(e);
	else if (!e->ignored)
		env->ops->response(env->ctx, &e->x);
}

/* The first of body and gap opens the body. */
static bool body_open(struct message *m)
{
	struct coverage *c = &m->of->x.body[m->side];

	if (m->of->ignored)
		return false;
	if (!c->seen && !c->lost)
		body_begin(m);
	return true;
}

void exch_body(struct exch *e, enum side side, struct span data)
{
	struct message *m = &e->m[side];
	bool open = body_open(m);
	int err = 0;

	if (side == SIDE_RESPONSE && !e->x.first_byte_ns)
		e->x.first_byte_ns = e->env->now_ns;
	e->x.body[side].seen += data.len;
	count(e, data.len);
	if (!open)
		return;
	if (m->state == BODY_PLAIN)
		give(m, data);
	else if (m->state == BODY_CODED)
		err = inflate_feed(m->inflate, data);
	if (err == -ENOMEM)
		e->env->err = err;
	if (err)
		coding_failed(m);
}

void exch_gap(struct exch *e, enum side side, uint64_t n)
{
	struct message *m = &e->m[side];
	bool open = body_open(m);

	e->x.body[side].lost += n;
	if (!open)
		return;
	/* A compressed stream cannot be picked up again. */
	if (m->state == BODY_CODED)
		go_deaf(m);
	if (m->state != BODY_PLAIN)
		return;
	if (m->sse)
		sse_gap(m->sse, n);
	e->env->ops->gap(e->env->ctx, &e->x, side, n);
}

void exch_message_end(struct exch *e, enum side side, enum http1_end how)
{
	struct message *m = &e->m[side];

	if (m->done)
		return;
	announce(e);
	m->done = true;
	e->x.end[side] = how;
	e->x.body[side].open_ended = how != HTTP1_COMPLETE;
	if (side == SIDE_REQUEST)
		e->x.request_end_ns = e->env->now_ns;
	else
		e->x.end_ns = e->env->now_ns;
	if (m->state == BODY_CODED && how == HTTP1_COMPLETE && inflate_end(m->inflate))
		coding_failed(m);
	if (m->sse) {
		sse_end(m->sse);
		e->env->stats.cut += sse_cut(m->sse);
	}
	inflate_free(&m->inflate);
	sse_free(&m->sse);
	if (side == SIDE_REQUEST && !e->ignored)
		e->env->ops->request_end(e->env->ctx, &e->x);
}

void exch_free(struct exch **ep)
{
	struct exch *e = *ep;

	if (!e)
		return;
	*ep = NULL;
	for (enum side s = 0; s < SIDE_MAX_; s++)
		exch_message_end(e, s, HTTP1_CUT);
	e->env->ops->end(e->env->ctx, &e->x);
	e->env->undecided -= e->counted;
	blocks_free(e);
	explicit_bzero(e, sizeof(*e));
	free(e);
}

void exchange_drop(struct exchange *x)
{
	((struct exch *)x)->ignored = true; /* its first member */
	x->dropped = true;
}

struct span exchange_field(const struct exchange *x, enum side side, const char *name)
{
	for (size_t i = 0; i < x->n_fields[side]; i++)
		if (span_eq(x->fields[side][i].name, span_str(name)))
			return x->fields[side][i].value;
	return (struct span){ 0 };
}

struct span exchange_path(const struct exchange *x)
{
	size_t authority, begin = absolute_end(x->target, &authority);
	struct span path = span_sub(x->target, begin, x->target.len);
	const uint8_t *query = path.len ? memchr(path.p, '?', path.len) : NULL;

	if (query)
		path.len = (size_t)(query - path.p);
	return path;
}
