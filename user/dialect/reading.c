/* user/dialect/reading.c - the life of a reading: bodies and events of an exchange go to the rows
 * of its form. Owns the two JSON readers of an exchange and what is being put together in each.
 */
#include "dialect/reading_own.h"

#include <errno.h>

#include "base/base64.h"
#include "dialect/form_data.h"
#include "dialect/template.h"

#define JSON_DEPTH_MAX 128

void reading_event_of(struct port *port, const struct json_event *e)
{
	struct reading *r = port->of;

	r->now = port;
	if (port->value.on) {
		reading_value_event(r, e);
		return;
	}
	port->at = shapes_find(port->shapes, e);
	if (!port->at && port->side == SIDE_RESPONSE && r->route && r->route->added)
		port->at = shapes_find(r->route->added, e);
	if (port->at)
		port->at->row->on(r, e, port->at->row->arg);
	else if (r->form->any)
		r->form->any(r, e, 0);
}

static void on_json(void *ctx, const struct json_event *e)
{
	reading_event_of(ctx, e);
}

static struct shapes *shapes_of(const struct form *form, enum side side)
{
	return side == SIDE_REQUEST ? form->request : form->response;
}

/* -ENOMEM. */
static int port_open(struct reading *r, enum side side)
{
	struct port *port = r->ports[side];

	if (!port) {
		port = calloc(1, sizeof(*port));
		if (!port)
			return -ENOMEM;
		port->of = r;
		port->side = side;
		port->shapes = r->form ? shapes_of(r->form, side) : NULL;
		r->ports[side] = port;
	}
	return port->json ? 0 : json_new(&port->json, JSON_DEPTH_MAX, on_json, port);
}

/* As it is, or begun again: a socket's messages come after the request, which was over then. NULL:
 * out of memory. */
static struct port *port_of(struct reading *r, enum side side)
{
	if (!r->ports[side] && port_open(r, side))
		r->t.json_broken++;
	return r->ports[side];
}

int reading_begin(struct reading *r, const struct form *form)
{
	r->form = form;
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		int err = port_open(r, side);

		if (err)
			return err;
		if (form)
			r->ports[side]->shapes = shapes_of(form, side);
	}
	if (!form)
		return 0;
	r->t.dialect = form->name;
	if (!r->t.operation)
		r->t.operation = form->operation;
	return 0;
}

/* What it owns. */
static void port_clear(struct port *port)
{
	if (port->tail)
		buf_free(&port->tail->bytes);
	free(port->tail);
	port->tail = NULL;
	media_clear(port);
	json_free(&port->json);
	form_data_free(&port->form_data);
}

static void port_free(struct port **port)
{
	if (!*port)
		return;
	port_clear(*port);
	explicit_bzero(*port, sizeof(**port));
	free(*port);
	*port = NULL;
}

void reading_clear(struct reading *r)
{
	for (enum side side = 0; side < SIDE_MAX_; side++)
		port_free(&r->ports[side]);
	for (enum side side = 0; side < SIDE_MAX_; side++)
		buf_free(&r->held[side]);
	buf_free(&r->inside);
	turn_clear(&r->t);
	explicit_bzero(r, sizeof(*r));
}

/* What a body is: by its content type, for JSON is what most do not even declare. */
static void body_begin(struct port *port, struct span first)
{
	struct reading *r = port->of;
	struct span type = exchange_field(r->t.exchange, port->side, "content-type");
	enum skipped what = media_of(type);

	port->body = BODY_JSON;
	if (r->form->lines && what == SKIP_FILE && first.len && *first.p == '{') {
		port->shapes = r->form->lines;
	} else if (what != SKIP_MAX_) {
		port->body = BODY_MEDIA;
		reading_media_begin(r, what, type, (struct span){ 0 });
	} else if (!port->shapes) {
		port->body = BODY_UNREAD;
	} else if (form_data_new(&port->form_data, type, port)) {
		port->body = port->form_data ? BODY_FORM : BODY_UNREAD;
	}
}

static void on_utf8(void *ctx, struct span data)
{
	struct port *port = ctx;

	if (json_feed(port->json, data) && !port->broken) {
		port->broken = true;
		port->of->t.json_broken++;
	}
}

/* A body that is JSON with other bytes behind it. */
static void tail_begin(struct port *port)
{
	const struct route *route = port->of->route;
	uint64_t json;

	if (!route || !route->json_len ||
	    !reading_decimal(exchange_field(port->of->t.exchange, port->side, route->json_len),
			     &json))
		return;
	port->tail = calloc(1, sizeof(*port->tail));
	if (!port->tail)
		return;
	port->body = BODY_JSON;
	port->tail->json_left = json;
	port->tail->bytes.max = SEGMENT_MAX;
}

/* Takes what is not JSON away. */
static struct span tail_take(struct port *port, struct span data)
{
	struct tail *tail = port->tail;
	struct span json = span_sub(data, 0, tail->json_left),
		    rest = span_sub(data, json.len, data.len);
	ssize_t n = 0;

	tail->json_left -= json.len;
	if (!tail->cut && rest.len)
		n = buf_add_some(&tail->bytes, rest);
	if (n < 0)
		n = 0;
	tail->cut |= (size_t)n < rest.len;
	turn_skip(&port->of->t, SKIP_FILE, rest.len - (size_t)n);
	return json;
}

/* n bytes are lost: 0, nobody knows how many. Returns whether they are, or may be, of the JSON. */
static bool tail_gap(struct tail *tail, uint64_t n)
{
	bool json = tail->json_left;

	tail->cut |= !n || n > tail->json_left;
	tail->json_left = tail->cut ? 0 : tail->json_left - n;
	return json;
}

void reading_body(struct reading *r, enum side side, struct span data)
{
	struct port *port = port_of(r, side);

	if (!port)
		return;
	r->now = port;
	if (port->body == BODY_NEW)
		tail_begin(port);
	if (port->body == BODY_NEW)
		body_begin(port, data);
	if (port->tail)
		data = tail_take(port, data);
	if (port->body == BODY_MEDIA)
		reading_media_bytes(r, data);
	if (port->body == BODY_FORM)
		form_data_feed(port->form_data, data);
	if (port->body != BODY_JSON)
		return;
	charset_feed(&port->charset, data, on_utf8, port);
}

void reading_gap(struct reading *r, enum side side, uint64_t n)
{
	struct port *port = port_of(r, side);

	if (!port)
		return;
	/* It belongs to the text being read, as far as can be told; or to what comes. */
	if (port->has_last) {
		r->t.segments[port->last].damaged = true;
		r->t.segments[port->last].missing += n;
	} else {
		port->hole = true;
	}
	if (port->form_data)
		form_data_gap(port->form_data, n);
	if (port->body == BODY_NEW)
		tail_begin(port);
	if (port->tail && !tail_gap(port->tail, n))
		return;
	if (port->body <= BODY_JSON && port->json && r->t.exchange->framing[side] == FRAMING_NONE) {
		charset_gap(&port->charset, n);
		json_gap(port->json, n);
	}
}

static bool read_json(struct port *port, struct shapes *shapes, struct span data)
{
	struct shapes *own = port->shapes;
	bool bad;

	port->shapes = shapes;
	port->value.on = false;
	json_reset(port->json);
	bad = json_feed(port->json, data) != 0;
	bad |= json_end(port->json) != 0;
	port->shapes = own;
	return !bad;
}

void reading_scan(struct reading *r, struct shapes *shapes, struct span data)
{
	read_json(r->now, shapes, data);
}

void reading_packed(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_STRING && buf_add(&r->inside, e->text))
		r->now->hole = true;
}

struct span reading_inside(struct reading *r, struct shapes *scan, const struct flow_event *ev)
{
	struct port *port = port_of(r, ev->side);

	buf_clear(&r->inside);
	r->inside.max = ev->data.len;
	if (!port)
		return (struct span){ 0 };
	r->now = port;
	if (port->json)
		reading_scan(r, scan, ev->data);
	return span_of(r->inside.p, base64_decode(r->inside.p, buf_span(&r->inside)));
}

static bool is_among(const char *const *types, const char *type)
{
	for (; types && *types; types++)
		if (!strcmp(type, *types))
			return true;
	return false;
}

void reading_event(struct reading *r, enum side side, struct span type, struct span data,
		   bool damaged)
{
	bool socket = r->t.exchange->framing[side] == FRAMING_WEBSOCKET;
	struct port *port;

	if (socket && port_open(r, side))
		r->t.json_broken++;
	port = r->ports[side];
	if (!port || !port->json || !port->shapes)
		return;
	if (span_eq(data, SPAN_LIT("[DONE]"))) {
		r->t.ended = true;
		return;
	}
	r->now = port;
	memset(&port->event, 0, sizeof(port->event));
	if (r->form->envelope && (!r->form->ahead || r->form->ahead(data)))
		reading_scan(r, r->form->envelope, data);
	if (type.len && !port->event.type[0])
		turn_id(port->event.type, sizeof(port->event.type), type);
	if (is_among(r->form->ignored, port->event.type))
		return;
	r->t.ended |= is_among(r->form->last, port->event.type);
	port->message = port->base + port->event.message;
	port->part = port->event.part;
	if (!read_json(port, port->shapes, data))
		r->t.json_broken++;
	reading_item_end(r);
	if (damaged)
		reading_gap(r, side, 0);
	/* Each message is a document, and a socket may rest for hours. */
	if (socket)
		json_free(&port->json);
}

/* The end of a side; nothing more comes. */
static void port_end(struct reading *r, enum side side)
{
	const struct exchange *x = r->t.exchange;
	struct port *port = r->ports[side];
	bool documented;

	if (!port || !port->json)
		return;
	documented = x->framing[side] == FRAMING_NONE && port->body == BODY_JSON;
	r->now = port;
	turn_skip(&r->t, SKIP_CODING, x->body[side].unread);
	turn_skip(&r->t, SKIP_CHARSET, port->charset.unread);
	if (documented)
		charset_end(&port->charset, on_utf8, port);
	if (documented && json_end(port->json) && !port->broken)
		r->t.json_broken++;
	if (port->tail)
		r->route->tail(r, side, buf_span(&port->tail->bytes));
	if (port->body == BODY_MEDIA)
		reading_media_end(r);
	if (port->form_data)
		form_data_end(port->form_data);
	r->t.json_skipped += json_skipped(port->json);
	reading_item_end(r);
	port_clear(port);
}

void reading_request_end(struct reading *r)
{
	/* A socket's messages come after it. */
	if (r->t.exchange->framing[SIDE_REQUEST] != FRAMING_NONE)
		return;
	port_end(r, SIDE_REQUEST);
	/* An answer may go on for hours. */
	port_free(&r->ports[SIDE_REQUEST]);
	r->now = r->ports[SIDE_RESPONSE];
}

bool reading_between(const struct reading *r)
{
	const struct port *port = r->ports[SIDE_RESPONSE];

	return port->body == BODY_JSON && json_between(port->json);
}

/* A place among the segments by how many of the response stand before it, and back. */
static size_t rank_of(const struct turn *t, size_t at)
{
	size_t rank = 0;

	for (size_t i = 0; i < MIN(at, t->n_segments); i++)
		rank += t->segments[i].side == SIDE_RESPONSE;
	return rank;
}

static size_t place_of(const struct turn *t, size_t rank)
{
	size_t at = 0;

	for (; at < t->n_segments; at++)
		if (t->segments[at].side == SIDE_RESPONSE && !rank--)
			break;
	return at;
}

/* An answer may have begun before its request was complete: its segments move. */
void reading_split(struct reading *r)
{
	struct port *port = r->ports[SIDE_RESPONSE];
	size_t *const places[] = { &port->last, &port->item.first, &port->block.first };
	size_t ranks[ARRAY_SIZE(places)];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		ranks[i] = rank_of(&r->t, *places[i]);
	template_split(&r->t, reading_flat);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		*places[i] = place_of(&r->t, ranks[i]);
}

/* The model says no in words of its own. Few and at the very beginning only: a wrong "refused"
 * would lower severities. */
static bool refuses(struct span text)
{
	static const char *const phrases[] = {
		"i'm sorry, but i can't",   "i'm sorry, but i cannot",
		"i'm sorry, i can't",	    "i'm sorry, i cannot",
		"i am sorry, but i can't",  "i am sorry, but i cannot",
		"sorry, but i can't",	    "sorry, i can't",
		"i apologize, but i can't", "i apologize, but i cannot",
		"i can't assist with",	    "i cannot assist with",
		"i can't help with",	    "i cannot help with",
		"i can't comply",	    "i cannot comply",
		"i won't help with",	    "i'm unable to assist",
		"i'm unable to help",	    "i'm not able to help with",
		"i must decline",
	};
	static const struct span curly = { (const uint8_t *)"\xe2\x80\x99", 3 };
	char start[64];
	size_t n = 0;

	while (text.len && (text.p[0] == ' ' || text.p[0] == '\n'))
		text = span_sub(text, 1, text.len);
	while (text.len && n < sizeof(start)) {
		bool is_curly = span_starts(text, curly);

		start[n++] = is_curly ? '\'' : (char)ascii_lower(text.p[0]);
		text = span_sub(text, is_curly ? curly.len : 1, text.len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (span_starts(span_of(start, n), span_str(phrases[i])))
			return true;
	return false;
}

static enum outcome outcome_of(const struct reading *r)
{
	const struct turn *t = &r->t;
	bool refused = false, called = false, said = false;

	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *seg = &t->segments[i];

		if (seg->side != SIDE_RESPONSE || !turn_in_hand(t, i))
			continue;
		/* What the model says first. */
		if (seg->role == SEG_ASSISTANT && !said)
			refused = refuses(buf_span(&seg->text));
		said |= seg->role == SEG_ASSISTANT;
		called |= seg->role == SEG_TOOL_CALL;
	}
	if (r->blocked || !strcmp(t->error_code, "content_filter"))
		return OUTCOME_BLOCKED;
	if (r->failed || t->exchange->status >= 400)
		return OUTCOME_ERROR;
	if (r->refused)
		return OUTCOME_REFUSED;
	if (called || r->executed)
		return OUTCOME_TOOL_EXECUTED;
	if (refused)
		return OUTCOME_REFUSED;
	return said ? OUTCOME_ANSWERED : OUTCOME_UNKNOWN;
}

void reading_turn_end(struct reading *r)
{
	r->t.turn_ended = true;
	r->t.outcome = outcome_of(r);
}

void reading_turn_begin(struct reading *r)
{
	r->t.turn_ended = r->blocked = r->refused = r->failed = r->executed = false;
	r->t.first = r->t.n_segments;
	r->turned = true;
}

void reading_end(struct reading *r)
{
	enum outcome outcome;

	for (enum side side = 0; side < SIDE_MAX_; side++)
		port_end(r, side);
	if (r->form->end)
		r->form->end(r);
	if (r->route && r->route->end)
		r->route->end(r);
	outcome = outcome_of(r);
	/* What follows the last turn of a socket may say nothing. */
	if (outcome != OUTCOME_UNKNOWN || !r->turned)
		r->t.outcome = outcome;
}
