/* user/dialect/canary.c - did a test call come through whole? */
#include "dialect/canary.h"

#include <errno.h>

#include "base/own.h"
#include "dialect/dialect.h"

struct canary {
	struct flow *flow;
	struct reader *reader;
	uint64_t seen;
};

static void ignore(void *ctx, struct turn *t)
{
	(void)ctx;
	(void)t;
}

static bool has_text(const struct turn *t, enum side side, const char *text)
{
	for (size_t i = 0; i < t->n_segments; i++)
		if (t->segments[i].side == side &&
		    span_eq(span_of(t->segments[i].text.p, t->segments[i].text.len),
			    span_str(text)))
			return true;
	return false;
}

static void on_end(void *ctx, struct turn *t)
{
	const struct exchange *x = t->exchange;
	struct canary *c = ctx;

	c->seen += span_eq(x->host, SPAN_LIT(CANARY_HOST)) && x->status == 200 &&
		   !strcmp(t->request_model, CANARY_MODEL) &&
		   !strcmp(t->response_model, CANARY_MODEL) && !x->body[SIDE_REQUEST].lost &&
		   !x->body[SIDE_RESPONSE].lost && has_text(t, SIDE_REQUEST, CANARY_ASK) &&
		   has_text(t, SIDE_RESPONSE, CANARY_SAY);
}

int canary_new(struct canary **ret)
{
	static const struct reader_ops ops = { .request = ignore,
					       .progress = ignore,
					       .end = on_end };
	auto_free(canary) struct canary *c = calloc(1, sizeof(*c));
	struct flow_limits limits = flow_defaults;
	int err;

	if (!c)
		return -ENOMEM;
	limits.max_conns = 16;
	err = reader_new(&c->reader, &ops, c);
	if (!err)
		err = flow_new(&c->flow, &limits, &reader_flow_ops, c->reader);
	if (err)
		return err;
	*ret = steal(c);
	return 0;
}

void canary_free(struct canary **c)
{
	if (!*c)
		return;
	flow_free(&(*c)->flow);
	reader_free(&(*c)->reader);
	free(*c);
	*c = NULL;
}

struct flow *canary_flow(struct canary *c)
{
	return c->flow;
}

uint64_t canary_seen(const struct canary *c)
{
	return c->seen;
}
