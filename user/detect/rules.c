/* user/detect/rules.c - opens an image of rules. Every index in it is checked once, here. */
#include "detect/rules.h"

#include <errno.h>
#include <math.h>

#include "base/own.h"

const char *const rule_group_names[GROUP_MAX_ + 1] = {
	"override", "orders", "persona", "unbound", "comply", "extract", "marker",	"address",
	"conceal",  "exfil",  "action",	 "topic",   "model",  "tools",	 "environment",
};
static_assert(GROUP_MAX_ == 15, "a group without a name");

static bool list_ok(const struct rules *r, struct rule_texts l)
{
	return l.first <= r->n_lists && l.n <= r->n_lists - l.first;
}

static bool rule_ok(const struct rules *r, const struct rule *x)
{
	const rule_text texts[] = { x->id,  x->pack,  x->file,	x->title,
				    x->why, x->atlas, x->owasp, x->kind };
	const struct rule_texts lists[] = { x->hits, x->misses, x->models, x->providers, x->apps };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i] >= r->text_len)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (!list_ok(r, lists[i]))
			return false;
	if (x->group == GROUP_MAX_ && kind_find(rules_text(r, x->kind)) == KIND_MAX_)
		return false;
	return strlen(rules_text(r, x->id)) < RULE_ID_MAX && x->group <= GROUP_MAX_ &&
	       x->severity < SEVERITY_MAX_ && x->mode < MODE_MAX_ && x->user >= 0 && x->user <= 1 &&
	       x->retrieved >= 0 && x->retrieved <= 1;
}

static bool pattern_ok(const struct rules *r, size_t i)
{
	const struct rule_pattern *p = &r->pattern[i];

	for (size_t k = 0; k < SEQUENCE_STEPS_MAX; k++)
		if (p->step[k] >= RULE_WORD_LISTS_MAX)
			return false;
	return p->text < r->text_len && p->rule < r->n_rules && p->name < RULE_NAMES_MAX &&
	       p->sort < RULE_SORT_MAX_ && p->words < RULE_WORD_LISTS_MAX &&
	       p->n_steps <= SEQUENCE_STEPS_MAX && (p->n_steps > 1 || p->sort != RULE_SEQUENCE) &&
	       (r->rule[p->rule].group < GROUP_MAX_) == (i < r->n_attack_patterns);
}

/* What n things of this size take off the image; NULL: it is not that long. */
static const void *take(struct span *image, size_t n, size_t size)
{
	const void *p = image->p;

	if (n > image->len / size)
		return NULL;
	*image = span_sub(*image, n * size, image->len);
	return p;
}

int rules_open(struct rules *ret, struct span image)
{
	const struct rules_head *h = take(&image, 1, sizeof(*h));
	struct rules r;

	if (!h || memcmp(h->magic, RULES_MAGIC, sizeof(h->magic)) || h->version != RULES_VERSION)
		return -EBADMSG;
	r = (struct rules){ .n_rules = h->n_rules,
			    .n_patterns = h->n_patterns,
			    .n_attack_patterns = h->n_attack_patterns,
			    .n_lists = h->n_lists,
			    .text_len = h->text_len };
	r.rule = take(&image, r.n_rules, sizeof(*r.rule));
	r.pattern = r.rule ? take(&image, r.n_patterns, sizeof(*r.pattern)) : NULL;
	r.list = r.pattern ? take(&image, r.n_lists, sizeof(*r.list)) : NULL;
	r.text = r.list ? take(&image, r.text_len, 1) : NULL;
	if (!r.text || !r.text_len || *r.text || r.text[r.text_len - 1] || image.len ||
	    r.n_attack_patterns > r.n_patterns)
		return -EBADMSG;
	for (size_t i = 0; i < r.n_lists; i++)
		if (r.list[i] >= r.text_len)
			return -EBADMSG;
	for (size_t i = 0; i < r.n_rules; i++)
		if (!rule_ok(&r, &r.rule[i]))
			return -EBADMSG;
	for (size_t i = 0; i < r.n_patterns; i++)
		if (!pattern_ok(&r, i))
			return -EBADMSG;
	*ret = r;
	return 0;
}

const struct rule_pattern *rules_patterns(const struct rules *r, enum rule_list list, size_t *ret_n)
{
	switch (list) {
	case RULES_ATTACK:
		*ret_n = r->n_attack_patterns;
		return r->pattern;
	case RULES_OWN:
		*ret_n = r->n_patterns - r->n_attack_patterns;
		return r->pattern + r->n_attack_patterns;
	default:
		*ret_n = 0;
		return r->pattern;
	}
}
