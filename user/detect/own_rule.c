/* user/detect/own_rule.c - the operator's own rules: what their patterns and conditions say, once a
 * text. Of the turn (model, provider, application) they are told later, see own_rule_fits(): what
 * is said of a text is cached.
 */
#include "detect/own_rule.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"

/* Where each named pattern of a rule matched. */
struct seen {
	const struct hit *first;
	unsigned here; /* places in the view in hand */
	unsigned most; /* ... in any view */
	unsigned view;
	size_t end; /* of the last one: matches that overlap are one place */
};

struct state {
	const struct rule *rule;
	struct seen seen[RULE_NAMES_MAX];
};

static const struct rule_pattern *pattern_of(const struct detector_input *in, const struct hit *h)
{
	size_t n;

	return &rules_patterns(in->rules, RULES_OWN, &n)[h->pattern];
}

static void count(struct seen *s, const struct hit *h)
{
	if (!s->first || s->view != h->view) {
		s->view = h->view;
		s->here = 0;
		s->end = 0;
	}
	if (!s->first)
		s->first = h;
	if (!s->here || h->where.begin >= s->end)
		s->here++;
	s->most = MAX(s->most, s->here);
	s->end = MAX(s->end, h->where.end);
}

/* The hit to show, when the rule says that this text is one; else NULL. */
static const struct hit *holds(const struct state *s)
{
	const struct rule *r = s->rule;
	const struct hit *show = NULL;
	uint32_t matched = 0;

	for (unsigned i = 0; i < RULE_NAMES_MAX; i++)
		if (s->seen[i].most && s->seen[i].most >= r->at_least[i])
			matched |= 1U << i;
	if ((matched & r->all) != r->all || (r->any && !(matched & r->any)) || matched & r->none)
		return NULL;
	for (unsigned i = 0; i < RULE_NAMES_MAX && !show; i++)
		if (matched & (r->all | r->any) & 1U << i)
			show = s->seen[i].first;
	return show;
}

static void report(const struct detector_input *in, const struct rule *r, const struct hit *h,
		   emit_fn *emit, void *ctx)
{
	struct finding f = { .kind = kind_find(rules_text(in->rules, r->kind)),
			     .score = 1,
			     .mode = r->mode,
			     .rule = r,
			     .rules = in->rules };
	struct span said =
	    span_sub(in->views->view[h->view].text, h->where.begin, h->where.end - h->where.begin);

	snprintf(f.type, sizeof(f.type), "%s", rules_text(in->rules, r->id));
	snprintf(f.why, sizeof(f.why), "The text %s.", rules_text(in->rules, r->why));
	mac_begin(in->mac, "own-rule");
	mac_add(in->mac, span_str(f.type));
	mac_add(in->mac, said);
	f.fingerprint = mac_end(in->mac);
	detect_locate(in, &f, h->view, h->where);
	emit(ctx, &f);
}

static int by_rule(const void *a, const void *b)
{
	const struct state *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* The rules of which something matched, as far as they read texts of these roles. How many,
 * -ENOMEM. */
static ssize_t tally(const struct detector_input *in, uint32_t roles, struct state **ret)
{
	struct state *states = calloc(in->rules->n_rules, sizeof(*states));
	size_t n = 0;

	if (!states)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_hits; i++) {
		const struct rule_pattern *p = pattern_of(in, &in->hits[i]);
		const struct rule *r = &in->rules->rule[p->rule];
		size_t at = 0;

		if (!(r->roles & roles))
			continue;
		while (at < n && states[at].rule != r)
			at++;
		if (at == n)
			states[n++].rule = r;
		count(&states[at].seen[p->name], &in->hits[i]);
	}
	/* In the order of the rules, whatever order Vectorscan saw them in. */
	qsort(states, n, sizeof(*states), by_rule);
	*ret = states;
	return (ssize_t)n;
}

static int scan(const struct detector_input *in, emit_fn *emit, void *ctx)
{
	auto_mem struct state *states = NULL;
	ssize_t n;
	int found = 0;

	if (!in->n_hits)
		return 0;
	n = tally(in, 1U << in->turn->segments[in->segment].role, &states);
	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		const struct hit *h = holds(&states[i]);

		if (!h)
			continue;
		report(in, states[i].rule, h, emit, ctx);
		found = 1;
	}
	return found;
}

int own_rule_matches(const struct detector_input *in, const struct rule *r)
{
	auto_mem struct state *states = NULL;
	ssize_t n = in->n_hits ? tally(in, UINT32_MAX, &states) : 0;

	for (ssize_t i = 0; i < n; i++)
		if (states[i].rule == r)
			return holds(&states[i]) != NULL;
	return n < 0 ? (int)n : 0;
}

static bool one_of(const struct rules *rs, struct rule_texts globs, const char *a, const char *b)
{
	if (!globs.n)
		return true;
	for (size_t i = 0; i < globs.n; i++) {
		const char *g = rules_listed(rs, globs, i);

		if ((*a && !fnmatch(g, a, 0)) || (*b && !fnmatch(g, b, 0)))
			return true;
	}
	return false;
}

bool own_rule_fits(const struct rules *rs, const struct rule *r, const struct turn *t)
{
	return one_of(rs, r->models, t->request_model, t->response_model) &&
	       one_of(rs, r->providers, t->provider, "") && one_of(rs, r->apps, t->application, "");
}

/* Each rule brings its own. */
static const struct sample samples[] = { { NULL } };

const struct detector detector_own_rule = {
	.name = "own-rule",
	.summary = "what the operator's own rules look for",
	.surfaces = TRUST_ALL,
	.rules = RULES_OWN,
	.scan = scan,
	.samples = samples,
};
