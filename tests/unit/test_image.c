/* tests/unit/test_image.c - an image of rules and databases: whole it opens, works wherever it
 * lies, and damaged, cut or of another making it does not. */
#include "detect/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/rule_pack.h"
#include "patterns.h"

static struct span image;
static uint8_t *copy;

static int setup(void **state)
{
	(void)state;
	image = test_patterns();
	copy = aligned_alloc(IMAGE_ALIGN, image.len);
	if (!copy)
		return -1;
	memcpy(copy, image.p, image.len);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(copy);
	return 0;
}

static const struct image_head *head(void)
{
	return (const struct image_head *)image.p;
}

static void whole(void **state)
{
	const struct image_head *h;

	(void)state;
	assert_int_equal(image_open(image, &h), 0);
	assert_ptr_equal(h, image.p);
	assert_int_equal(image_open(span_of(copy, image.len), &h), 0);
	assert_true(h->n_patterns > 100 && h->n_always == 1 && h->n_dbs > 2 &&
		    image.len < 96 << 20);
}

static void damaged(void **state)
{
	const struct image_head *h = head();
	/* A byte of each part, and many between. The tag is the business of who has a key. */
	const size_t places[] = {
		0,
		offsetof(struct image_head, len),
		offsetof(struct image_head, digest),
		offsetof(struct image_head, inputs),
		offsetof(struct image_head, platform),
		offsetof(struct image_head, n_patterns),
		offsetof(struct image_head, n_dbs),
		offsetof(struct image_head, rules),
		offsetof(struct image_head, db),
		h->rules.at,
		h->rules.at + h->rules.len - 1,
		h->owners.at,
		h->owners.at + h->owners.len - 1,
		h->units.at,
		h->anchors.at,
		h->words.at,
		h->db[0].at,
		h->db[1].at,
		h->db[1].at + h->db[1].len - 1,
	};
	const struct image_head *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places) + 64; i++) {
		size_t at = i < ARRAY_SIZE(places)
				? places[i]
				: sizeof(*h) + (i - ARRAY_SIZE(places)) * (image.len / 65);

		copy[at] ^= 0x10;
		if (image_open(span_of(copy, image.len), &got) != -EINVAL)
			fail_msg("byte %zu", at);
		copy[at] ^= 0x10;
	}
	assert_int_equal(image_open(span_of(copy, image.len), &got), 0);
}

static void cut(void **state)
{
	const size_t lens[] = { 0,
				1,
				sizeof(struct image_head) - 1,
				sizeof(struct image_head),
				image.len / 2,
				image.len - 1 };
	auto_mem uint8_t *moved = aligned_alloc(IMAGE_ALIGN, image.len + IMAGE_ALIGN);
	const struct image_head *got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		assert_int_equal(image_open(span_of(copy, lens[i]), &got), -EINVAL);
	/* Its databases want their alignment. */
	memcpy(moved + 8, copy, image.len);
	assert_int_equal(image_open(span_of(moved + 8, image.len), &got), -EINVAL);
}

static void foreign(void **state)
{
	static const uint8_t ours[MAC_KEY_LEN] = { 1 }, theirs[MAC_KEY_LEN] = { 2 };
	auto_free(mac) struct mac *mine = NULL, *other = NULL;
	struct hash128 a, b, c;

	(void)state;
	assert_int_equal(mac_new(&mine, ours), 0);
	assert_int_equal(mac_new(&other, theirs), 0);
	a = image_tag(mine, image);
	b = image_tag(other, image);
	assert_memory_not_equal(&a, &b, sizeof(a));
	/* Of all but itself. */
	copy[offsetof(struct image_head, tag)] ^= 1;
	c = image_tag(mine, span_of(copy, image.len));
	assert_memory_equal(&a, &c, sizeof(a));
	copy[offsetof(struct image_head, tag)] ^= 1;
	copy[image.len - 1] ^= 1;
	c = image_tag(mine, span_of(copy, image.len));
	assert_memory_not_equal(&a, &c, sizeof(a));
	copy[image.len - 1] ^= 1;
}

/* What is kept counts when it is what would be made; asked with a key, when it has its tag. */
static void kept(void **state)
{
	static const uint8_t key[MAC_KEY_LEN] = { 1 };
	auto_free(rule_packs) struct rule_packs *packs = NULL;
	auto_free(mac) struct mac *mac = NULL;
	auto_mem uint8_t *rules = NULL, *made = NULL;
	struct compile_opts o = { .cached = span_of(copy, image.len) };
	struct image_head *h = (struct image_head *)copy;
	struct hash128 tag;
	char why[256];
	size_t len;

	(void)state;
	assert_int_equal(rule_packs_new(&packs), 0);
	assert_int_equal(rule_packs_add_built_in(packs, why, sizeof(why)), 0);
	assert_int_equal(rule_packs_image(packs, &rules, &o.rules.len), 0);
	o.rules.p = rules;
	assert_int_equal(detect_compile_rules(&o, &made, &len, why, sizeof(why)), 1);
	assert_null(made);
	assert_int_equal(mac_new(&mac, key), 0);
	o.mac = mac;
	tag = image_tag(mac, span_of(copy, image.len));
	memcpy(h->tag, &tag, sizeof(tag));
	assert_int_equal(detect_compile_rules(&o, &made, &len, why, sizeof(why)), 1);
	assert_true(image_fits(mac, o.cached, h->inputs));
	h->tag[3] ^= 1;
	assert_false(image_fits(mac, o.cached, h->inputs));
	h->tag[3] ^= 1;
	tag.b[0] ^= 1;
	assert_false(image_fits(NULL, o.cached, tag.b));
	assert_false(image_fits(NULL, span_of(NULL, 0), h->inputs));
}

/* Mapped at other places, it finds the same. */
static void moved(void **state)
{
	struct detect_opts opts;

	(void)state;
	detect_default_opts(&opts);
	for (int i = 0; i < 3; i++) {
		uint8_t *map = mmap(NULL, image.len, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct detect *d = NULL;

		assert_ptr_not_equal(map, MAP_FAILED);
		memcpy(map, image.p, image.len);
		assert_int_equal(mprotect(map, image.len, PROT_READ), 0);
		assert_int_equal(detect_new(&d, &opts, span_of(map, image.len)), 0);
		for (size_t r = 0; r < detect_rules(d)->n_rules; r += 7) {
			const struct rules *rs = detect_rules(d);
			const char *hit = rules_listed(rs, rs->rule[r].hits, 0);

			assert_int_equal(detect_rule(d, r, span_str(hit)), 1);
		}
		detect_free(&d);
		munmap(map, image.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),   cmocka_unit_test(damaged), cmocka_unit_test(cut),
		cmocka_unit_test(foreign), cmocka_unit_test(kept),    cmocka_unit_test(moved),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
