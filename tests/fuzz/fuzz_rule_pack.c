/* tests/fuzz/fuzz_rule_pack.c - any pack is read or refused with its place, what was read opens as
 * an image, and an image of any bytes opens or does not. The first byte chooses: even, a pack; odd,
 * an image.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "detect/rule_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Reads all that the image leads to. */
static size_t walk(const struct rules *r)
{
	size_t sum = 0, n;

	for (size_t i = 0; i < r->n_rules; i++) {
		const struct rule *x = &r->rule[i];
		const struct rule_texts lists[] = { x->hits, x->misses, x->models, x->providers,
						    x->apps };

		assert(strlen(rules_text(r, x->id)) < RULE_ID_MAX && x->group <= GROUP_MAX_);
		sum += strlen(rules_text(r, x->why)) + strlen(rules_text(r, x->title));
		for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
			for (size_t j = 0; j < lists[k].n; j++)
				sum += strlen(rules_listed(r, lists[k], j));
	}
	for (enum rule_list l = 0; l < RULES_LIST_MAX_; l++) {
		const struct rule_pattern *p = rules_patterns(r, l, &n);

		for (size_t i = 0; i < n; i++)
			sum += strlen(rules_text(r, p[i].text)) + r->rule[p[i].rule].group;
	}
	return sum;
}

static void read_pack(struct span yaml)
{
	auto_free(rule_packs) struct rule_packs *p = NULL;
	auto_mem uint8_t *image = NULL;
	char errors[1024];
	struct rules r;
	size_t len;
	int err = rule_packs_new(&p);

	if (!err)
		err = rule_packs_add(p, yaml, "f", errors, sizeof(errors));
	if (err) {
		assert(err == -ENOMEM || (*errors && errors[strlen(errors) - 1] == '\n'));
		return;
	}
	if (rule_packs_image(p, &image, &len))
		return;
	if (rules_open(&r, span_of(image, len)))
		abort();
	walk(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_mem uint8_t *copy = NULL;
	struct rules r;

	if (!len)
		return 0;
	if (!(data[0] & 1)) {
		read_pack(span_of(data + 1, len - 1));
		return 0;
	}
	copy = malloc(len); /* aligned */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, len - 1);
	if (!rules_open(&r, span_of(copy, len - 1)))
		walk(&r);
	return 0;
}
