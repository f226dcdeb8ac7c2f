/* user/dialect/reader.c - each exchange becomes a reading by the form that recognises it, and its
 * turn goes on. Owns readings from the request's head to the exchange's end, and the beginning of
 * bodies that have to be looked at first.
 */
#include <errno.h>

#include "base/own.h"
#include "dialect/generic.h"
#include "dialect/provider.h"
#include "dialect/reading.h"
#include "dialect/recognise.h"

#define HELD_MAX     (32 << 20) /* bytes of bodies being looked at; beyond, they are told by less */
#define JOIN_WHOLE   64		/* messages of a WebSocket without route that are looked at */
#define JOIN_DAMAGED 512	/* the same that lack what they repeat of earlier ones */
#define RETIRE_BYTES (4 << 20)	/* of judged text, from which on a long exchange lets go of it */

struct reader {
	const struct reader_ops *ops;
	void *ctx;
	struct reader_stats stats;
	uint64_t left; /* of TURNS_MAX */
	uint64_t held; /* of HELD_MAX */
};

int reader_new(struct reader **ret, const struct reader_ops *ops, void *ctx)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->ops = ops;
	r->ctx = ctx;
	r->left = TURNS_MAX;
	*ret = r;
	return 0;
}

void reader_free(struct reader **r)
{
	free(*r);
	*r = NULL;
}

static void reading_free(struct reading **g)
{
	if (!*g)
		return;
	reading_clear(*g);
	free(*g);
	*g = NULL;
}

/* The key of the call: a bearer token, or one of the fields that carry nothing else. */
static struct span credential(const struct exchange *x)
{
	static const char *const fields[] = { "api-key", "x-api-key", "x-goog-api-key" };
	static const struct span signed_by = SPAN_LIT("AWS4-HMAC-SHA256 Credential=");
	struct span auth = exchange_field(x, SIDE_REQUEST, "authorization");

	/* A signature is another each time: the key's id is what stays. */
	if (span_starts(auth, signed_by)) {
		auth = span_sub(auth, signed_by.len, auth.len);
		return span_token(&auth, '/');
	}
	if (span_eq_nocase(span_sub(auth, 0, 7), SPAN_LIT("bearer ")))
		return span_sub(auth, 7, auth.len);
	for (size_t i = 0; !auth.len && i < ARRAY_SIZE(fields); i++)
		auth = exchange_field(x, SIDE_REQUEST, fields[i]);
	return auth;
}

static void turn_begin(struct turn *t, const struct exchange *x)
{
	t->exchange = x;
	t->credential = credential(x);
	t->user_agent = exchange_field(x, SIDE_REQUEST, "user-agent");
	t->forwarded_for = exchange_field(x, SIDE_REQUEST, "x-forwarded-for");
	if (!t->forwarded_for.len)
		t->forwarded_for = exchange_field(x, SIDE_REQUEST, "forwarded");
	provider_of(x, t->provider, sizeof(t->provider));
}

/* It has a form from here on. -ENOMEM. */
static int start(struct reader *r, struct reading *g, const struct form *form)
{
	int err = reading_begin(g, form);

	if (err)
		r->stats.failed++;
	else
		r->stats.turns++;
	return err;
}

static int on_request(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	auto_free(reading) struct reading *g = calloc(1, sizeof(*g));

	if (!g) {
		r->stats.failed++;
		return 1;
	}
	for (enum side side = 0; side < SIDE_MAX_; side++)
		g->held[side] = BUF(RECOGNISE_MAX);
	g->t.left = &r->left;
	turn_begin(&g->t, x);
	g->route = recognise_path(x, &g->t, &g->named);
	if (!g->route && !recognise_worth(x) && !recognise_socket(x)) {
		r->stats.unknown_exchanges++;
		return 1;
	}
	if (g->route) {
		g->t.operation = g->route->operation;
		g->t.stream = g->route->stream;
		if (g->route->form && !g->route->common && !g->route->native && !g->route->server &&
		    start(r, g, g->route->form))
			return 1;
	}
	x->user = steal(g);
	return 0;
}

/* The form of a native body that says no more of itself than `form`, the generic one or none. */
static const struct form *unnamed(const struct reading *g, const struct form *form)
{
	const struct route *route = g->route;

	if (!route->form)
		return &form_generic;
	if (route->common &&
	    recognise_body(buf_span(&g->held[SIDE_REQUEST]), route->form) != route->form)
		return form;
	return route->form;
}

/* It is of no interest. */
static void forget(struct reader *r, struct exchange *x)
{
	struct reading *g = x->user;

	r->held -= g->held[SIDE_REQUEST].len + g->held[SIDE_RESPONSE].len;
	reading_free(&g);
	x->user = NULL;
}

/* Its form is told, NULL: there is none. False: it is forgotten. */
static bool told(struct reader *r, struct exchange *x, const struct form *form)
{
	struct reading *g = x->user;

	r->stats.unknown_exchanges += !form;
	if (!form || start(r, g, form)) {
		forget(r, x);
		exchange_drop(x);
		return false;
	}
	r->stats.by_shape += !g->route;
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		r->held -= g->held[side].len;
		if (g->held[side].len)
			reading_body(g, side, buf_span(&g->held[side]));
		buf_free(&g->held[side]);
	}
	return true;
}

/* What it is, its response's head or its messages tell: on_response(), join(). */
static bool waits(const struct reading *g)
{
	return g->route ? g->route->server != NULL : recognise_socket(g->t.exchange);
}

/* Its body has told, or has to tell now. False: the exchange is of no interest, or waits. */
static bool decide(struct reader *r, struct exchange *x)
{
	struct reading *g = x->user;
	const struct form *form = NULL, *first;
	bool native;

	if (!g || g->form)
		return g;
	if (waits(g))
		return false;
	native = g->route && (g->route->native || !g->route->form);
	first = g->route && !native ? g->route->form : NULL;
	if (g->held[SIDE_REQUEST].len)
		form = recognise_body(buf_span(&g->held[SIDE_REQUEST]), first);
	if (native && (!form || form == &form_generic))
		form = unnamed(g, form);
	/* The path has misled. */
	if (g->route && g->route->common && form != g->route->form) {
		g->route = NULL;
		g->t.operation = OP_UNKNOWN;
	}
	return told(r, x, form);
}

/* What these sides (a bit for each) hold by now is with the judge. */
static void judged(struct reading *g, unsigned sides)
{
	struct turn *t = &g->t;
	uint64_t left = 0;

	for (size_t i = 0; i < t->n_segments; i++) {
		struct segment *s = &t->segments[i];

		if (sides & 1u << s->side)
			s->judged = s->text.len;
		left += s->text.len - s->judged;
	}
	g->new_text = t->inspected - left;
}

/* Is there enough that is new? Nothing of an answer is judged before its request is. */
static void progress(struct reader *r, struct reading *g)
{
	bool turned = g->progress && g->t.exchange->framing[SIDE_RESPONSE] == FRAMING_WEBSOCKET;

	if (!g->requested || (!g->progress && g->t.inspected - g->new_text < PROGRESS_BYTES))
		return;
	if (turned)
		reading_turn_end(g);
	r->ops->progress(r->ctx, &g->t);
	judged(g, 1u << SIDE_REQUEST | 1u << SIDE_RESPONSE);
	g->progress = false;
	if (turned)
		reading_turn_begin(g);
	if (g->t.held < RETIRE_BYTES && g->t.n_segments < TURN_SEGMENTS_MAX / 2)
		return;
	turn_retire(&g->t);
	g->t.first = 0;
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		struct port *port = g->ports[side];

		if (!port)
			continue;
		port->has_last = false;
		port->item.first = port->block.first = 0;
	}
}

static void on_body(void *ctx, struct exchange *x, enum side side, struct span data)
{
	struct reader *r = ctx;
	struct reading *g = x->user;

	/* The answer may begin before all is there that tells. */
	if (g && !g->form && (side == SIDE_REQUEST || !x->request_end_ns)) {
		struct buf *held = &g->held[side];
		size_t n = MIN(data.len, held->max - held->len);

		if (r->held + n <= HELD_MAX && !buf_add(held, span_sub(data, 0, n))) {
			data = span_sub(data, n, data.len);
			r->held += n;
		}
		if (!data.len)
			return;
	}
	if (!decide(r, x))
		return;
	reading_body(g, side, data);
	if (side == SIDE_RESPONSE && reading_between(g))
		progress(r, g);
}

static void on_gap(void *ctx, struct exchange *x, enum side side, uint64_t n)
{
	if (decide(ctx, x))
		reading_gap(x->user, side, n);
}

static void on_request_end(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	struct reading *g = x->user;

	if (!decide(r, x))
		return;
	reading_request_end(g);
	if (x->framing[SIDE_REQUEST] == FRAMING_NONE)
		reading_split(g);
	r->ops->request(r->ctx, &g->t);
	g->requested = true;
	judged(g, 1u << SIDE_REQUEST);
	progress(r, g); /* the answer may have begun before */
}

static void on_response(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	struct reading *g = x->user;
	struct span is = exchange_field(x, SIDE_RESPONSE, "server"), want;

	if (!g || g->form || !g->route || !g->route->server)
		return;
	want = span_str(g->route->server);
	if (told(r, x, span_eq_nocase(span_sub(is, 0, want.len), want) ? g->route->form : NULL) &&
	    x->request_end_ns)
		on_request_end(r, x);
}

/* The first message that tells what a WebSocket without route speaks begins its turn; when none
 * of many does, it is of no interest. False: not yet. */
static bool join(struct reader *r, struct exchange *x, const struct flow_event *ev)
{
	struct reading *g = x->user;
	const struct form *form;

	if (!g || g->form || !recognise_socket(x) || g->route)
		return g;
	form = recognise_message(ev->data);
	if (form) {
		g->t.stream = true;
		if (!told(r, x, form))
			return false;
		on_request_end(r, x);
		return true;
	}
	if (++g->untold[ev->damaged] == (ev->damaged ? JOIN_DAMAGED : JOIN_WHOLE))
		exchange_drop(x);
	return false;
}

static void on_event(void *ctx, struct exchange *x, const struct flow_event *ev)
{
	struct reader *r = ctx;
	struct reading *g = x->user;

	if (!join(r, x, ev) || !decide(r, x))
		return;
	if (ev->failure) {
		g->failed = true;
		turn_id(g->t.error_code, sizeof(g->t.error_code), ev->type);
	}
	if ((!g->route || !g->route->event || !g->route->event(g, ev)) &&
	    (!ev->binary || (!g->route && recognise_socket(x))))
		reading_event(g, ev->side, ev->type, ev->data, ev->damaged);
	progress(r, g);
}

static void on_end(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	struct reading *g = x->user;
	struct turn *t;

	/* Nothing came that would have told. */
	if (g && !g->form) {
		r->stats.unknown_exchanges++;
		forget(r, x);
		return;
	}
	if (!g)
		return;
	t = &g->t;
	reading_end(g);
	r->stats.json_broken += t->json_broken;
	r->stats.json_skipped += t->json_skipped;
	r->stats.text_cut += t->uninspected;
	for (enum skipped s = 0; s < SKIP_MAX_; s++) {
		r->stats.text_cut -= t->skipped[s];
		r->stats.skipped[s] += t->skipped[s];
	}
	r->ops->end(r->ctx, t);
	reading_free(&g);
	x->user = NULL;
}

const struct flow_ops reader_flow_ops = {
	.request = on_request,
	.response = on_response,
	.body = on_body,
	.gap = on_gap,
	.event = on_event,
	.request_end = on_request_end,
	.end = on_end,
};

const struct reader_stats *reader_stats(const struct reader *r)
{
	return &r->stats;
}
