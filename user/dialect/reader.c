/* user/dialect/reader.c - hands each exchange to the dialect that recognises it, and the finished
 * turn on. Owns the turn and its dialect's state from the request's head to the exchange's end.
 */
#include <errno.h>

#include "base/own.h"
#include "dialect/dialect.h"
#include "dialect/provider.h"

const struct dialect *const dialects[] = {
#define DIALECT(id) &dialect_##id,
#include "dialect/dialects.def"
#undef DIALECT
	NULL,
};

struct reader {
	const struct reader_ops *ops;
	void *ctx;
	struct reader_stats stats;
	uint64_t left; /* of TURNS_MAX */
};

/* exchange.user */
struct reading {
	const struct dialect *dialect;
	struct dialect_state *state;
	struct turn turn;
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

static void reading_free(struct reading **rp)
{
	struct reading *r = *rp;

	if (!r)
		return;
	if (r->state)
		r->dialect->close(&r->state);
	turn_clear(&r->turn);
	free(r);
	*rp = NULL;
}

static const struct dialect *recognise(const struct exchange *x)
{
	const struct dialect *best = NULL;
	int most = 0;

	for (size_t i = 0; dialects[i]; i++) {
		int n = dialects[i]->match(x);

		if (n > most) {
			most = n;
			best = dialects[i];
		}
	}
	return best;
}

/* The key of the call: a bearer token, or one of the fields that carry nothing else. */
static struct span credential(const struct exchange *x)
{
	static const char *const fields[] = { "api-key", "x-api-key", "x-goog-api-key" };
	struct span auth = exchange_field(x, SIDE_REQUEST, "authorization");

	if (span_eq_nocase(span_sub(auth, 0, 7), SPAN_LIT("bearer ")))
		return span_sub(auth, 7, auth.len);
	for (size_t i = 0; !auth.len && i < ARRAY_SIZE(fields); i++)
		auth = exchange_field(x, SIDE_REQUEST, fields[i]);
	return auth;
}

static void turn_begin(struct turn *t, const struct exchange *x, const struct dialect *d)
{
	t->exchange = x;
	t->dialect = d->name;
	t->credential = credential(x);
	t->user_agent = exchange_field(x, SIDE_REQUEST, "user-agent");
	t->forwarded_for = exchange_field(x, SIDE_REQUEST, "x-forwarded-for");
	if (!t->forwarded_for.len)
		t->forwarded_for = exchange_field(x, SIDE_REQUEST, "forwarded");
	provider_of(x, t->provider, sizeof(t->provider));
}

static int on_request(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	const struct dialect *d = recognise(x);
	auto_free(reading) struct reading *reading = NULL;

	if (!d) {
		r->stats.unknown_exchanges++;
		return 1;
	}
	reading = calloc(1, sizeof(*reading));
	if (reading) {
		reading->dialect = d;
		reading->turn.left = &r->left;
		turn_begin(&reading->turn, x, d);
	}
	if (!reading || d->open(&reading->state, &reading->turn)) {
		r->stats.failed++;
		return 1;
	}
	r->stats.turns++;
	x->user = steal(reading);
	return 0;
}

static void on_response(void *ctx, struct exchange *x)
{
	(void)ctx;
	(void)x;
}

static void on_body(void *ctx, struct exchange *x, enum side side, struct span data)
{
	struct reading *g = x->user;

	(void)ctx;
	g->dialect->on_body(g->state, side, data);
}

static void on_gap(void *ctx, struct exchange *x, enum side side, uint64_t n)
{
	struct reading *g = x->user;

	(void)ctx;
	g->dialect->on_gap(g->state, side, n);
}

static void on_event(void *ctx, struct exchange *x, const struct flow_event *ev)
{
	struct reading *g = x->user;

	(void)ctx;
	g->dialect->on_event(g->state, ev);
}

static void on_request_end(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	struct reading *g = x->user;

	g->dialect->on_request_end(g->state);
	r->ops->request(r->ctx, &g->turn);
}

static void on_end(void *ctx, struct exchange *x)
{
	struct reader *r = ctx;
	struct reading *g = x->user;
	struct turn *t;

	if (!g)
		return;
	t = &g->turn;
	g->dialect->on_end(g->state);
	r->stats.json_broken += t->json_broken;
	r->stats.json_skipped += t->json_skipped;
	r->stats.text_cut += t->uninspected;
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		r->stats.text_cut -= t->skipped[s];
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
