/* user/flow/exchange.c - one exchange being built: heads kept, bodies handed to body.c.
 * Owns an arena for both heads, at most EXCHANGE_HEAD_MAX bytes each (API keys: wiped on free).
 */
#include "flow/exchange.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "parse/websocket.h"

#define BLOCK_MIN  1008 /* and its header */
#define FIELDS_MIN 8
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
		size_t room = MAX(n, BLOCK_MIN);

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

/* Before its head is read. */
static const struct body_spec message_spec = { .message_coding = CODING_MAX_ };

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
		e->m[s].spec = message_spec;
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
	else if (span_eq(method, SPAN_LIT("CONNECT")) && !span_starts(target, SPAN_LIT("/")))
		e->x.host = keep(m, target, true); /* not an extended one (RFC 8441) */
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

static void on_coding(struct message *m, struct span value)
{
	struct body_spec *spec = &m->spec;

	while (value.len) {
		struct span token = span_token(&value, ',');
		enum coding_kind k = coding_named(token);

		if (!token.len || span_eq_nocase(token, SPAN_LIT("identity")))
			continue;
		if (k == CODING_MAX_ || spec->n_codings == BODY_CODINGS_MAX)
			spec->strange = true;
		else
			spec->codings[spec->n_codings++] = k;
	}
}

static void on_message_coding(struct message *m, struct span value)
{
	m->spec.message_coding = coding_named(value);
}

static void on_upgrade(struct message *m, struct span value)
{
	while (m->side == SIDE_RESPONSE && value.len) {
		struct span to = span_token(&value, ',');

		m->of->websocket |= span_eq_nocase(to, SPAN_LIT("websocket"));
		m->of->h2c |= span_eq_nocase(to, SPAN_LIT("h2c"));
	}
}

static void on_extensions(struct message *m, struct span value)
{
	struct message *of = m->of->m;
	bool client, server;

	if (m->side != SIDE_RESPONSE || !websocket_extensions(value, &client, &server))
		return;
	of[SIDE_REQUEST].spec.deflate = of[SIDE_RESPONSE].spec.deflate = true;
	of[SIDE_REQUEST].spec.takeover = client;
	of[SIDE_RESPONSE].spec.takeover = server;
}

static void set_framing(struct exchange *x, enum side side, enum event_framing framing)
{
	x->framing[side] = framing;
	x->streamed = x->framing[SIDE_RESPONSE] != FRAMING_NONE;
}

/* The content itself is coded, before the codings that the head names. */
static void coded_inside(struct body_spec *spec, enum coding_kind k)
{
	if (spec->n_codings && spec->codings[0] == k)
		return;
	if (spec->n_codings == BODY_CODINGS_MAX) {
		spec->strange = true;
		return;
	}
	memmove(spec->codings + 1, spec->codings, spec->n_codings * sizeof(*spec->codings));
	spec->codings[0] = k;
	spec->n_codings++;
}

static void on_type(struct message *m, struct span value)
{
	static const struct {
		const char *type;
		enum event_framing framing;
		bool
		    request; /* else only a response's: servers read requests whatever their type */
		bool more;   /* so may the types that begin so */
		bool base64; /* around the messages */
	} rows[] = {
		{ "text/event-stream", FRAMING_SSE, false, false },
		{ "application/vnd.amazon.eventstream", FRAMING_AWS_EVENTSTREAM, true, false },
		{ "application/grpc", FRAMING_GRPC, true, false },
		{ "application/grpc+", FRAMING_GRPC, true, true },
		{ "application/grpc-web", FRAMING_GRPC, true, false },
		{ "application/grpc-web+", FRAMING_GRPC, true, true },
		{ "application/grpc-web-text", FRAMING_GRPC, true, false, true },
		{ "application/grpc-web-text+", FRAMING_GRPC, true, true, true },
	};
	struct span type = span_token(&value, ';');
	enum event_framing framing = FRAMING_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span row = span_str(rows[i].type);

		if (!span_eq_nocase(rows[i].more ? span_sub(type, 0, row.len) : type, row) ||
		    (!rows[i].request && m->side != SIDE_RESPONSE))
			continue;
		framing = rows[i].framing;
		if (rows[i].base64)
			coded_inside(&m->spec, CODING_BASE64);
	}
	set_framing(&m->of->x, m->side, framing);
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
	{ "grpc-encoding", on_message_coding },
	{ "host", on_host },
	{ "sec-websocket-extensions", on_extensions },
	{ "upgrade", on_upgrade },
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

void exch_unanswered(struct exch *e)
{
	struct message *m = &e->m[SIDE_RESPONSE];

	*m = (struct message){ .of = e, .side = SIDE_RESPONSE, .spec = message_spec };
	set_framing(&e->x, SIDE_RESPONSE, FRAMING_NONE);
	e->x.status = 0;
	e->x.fields[SIDE_RESPONSE] = NULL;
	e->x.n_fields[SIDE_RESPONSE] = 0;
}

/* Decoders are made at the first byte or gap: most requests and many responses have no body. */
static struct body *body_of(struct message *m)
{
	struct exch *e = m->of;
	int err;

	if (m->begun || e->ignored)
		return e->ignored ? NULL : m->body;
	m->begun = true;
	err = body_new(&m->body, e->env, &e->x, m->side, &m->spec);
	if (err) {
		e->env->err = err;
		cut(m);
		e->env->ops->gap(e->env->ctx, &e->x, m->side, 0);
	}
	return m->body;
}

void exch_body(struct exch *e, enum side side, struct span data)
{
	struct body *body = body_of(&e->m[side]);

	if (side == SIDE_RESPONSE) {
		e->x.last_byte_ns = e->env->now_ns;
		if (!e->x.first_byte_ns)
			e->x.first_byte_ns = e->env->now_ns;
	}
	e->x.body[side].seen += data.len;
	if (!e->upgraded) /* messages are decided as they come */
		count(e, data.len);
	if (body)
		body_feed(body, data);
}

void exch_gap(struct exch *e, enum side side, uint64_t n)
{
	struct body *body = body_of(&e->m[side]);

	e->x.body[side].lost += n;
	if (body)
		body_gap(body, n);
}

void exch_upgrade(struct exch *e)
{
	exch_message_end(e, SIDE_REQUEST, HTTP1_CUT); /* unless it ended before */
	exch_message_end(e, SIDE_RESPONSE, HTTP1_COMPLETE);
	e->upgraded = true;
	for (enum side s = 0; s < SIDE_MAX_; s++) {
		struct message *m = &e->m[s];

		m->done = m->begun = false;
		m->spec.masked = s == SIDE_REQUEST;
		set_framing(&e->x, s, FRAMING_WEBSOCKET);
	}
}

void exch_join(struct exch *e)
{
	for (enum side s = 0; s < SIDE_MAX_; s++) {
		/* Perhaps they are, perhaps they do. */
		e->m[s].spec.deflate = e->m[s].spec.takeover = e->m[s].spec.joined = true;
		set_framing(&e->x, s, FRAMING_WEBSOCKET);
	}
	exch_fields_end(e, SIDE_REQUEST, false);
	exch_message_end(e, SIDE_REQUEST, HTTP1_CUT);
	exch_fields_end(e, SIDE_RESPONSE, false);
	exch_upgrade(e);
}

/* A WebSocket has no end but its own. */
static enum http1_end websocket_end_of(const struct message *m)
{
	return m->body && body_closed(m->body) ? HTTP1_COMPLETE : HTTP1_CUT;
}

void exch_message_end(struct exch *e, enum side side, enum http1_end how)
{
	struct message *m = &e->m[side];
	struct exchange *x = &e->x;

	if (m->done)
		return;
	announce(e);
	m->done = true;
	if (e->upgraded)
		how = websocket_end_of(m);
	x->end[side] = how;
	x->body[side].open_ended = how != HTTP1_COMPLETE;
	if (side == SIDE_RESPONSE)
		x->end_ns = e->env->now_ns;
	else if (!e->upgraded)
		x->request_end_ns = e->env->now_ns;
	if (m->body)
		body_end(m->body, how == HTTP1_COMPLETE);
	body_free(&m->body);
	if (side == SIDE_REQUEST && !e->ignored && !e->upgraded)
		e->env->ops->request_end(e->env->ctx, x);
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
