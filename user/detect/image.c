/* user/detect/image.c - opens an image of rules and databases. */
#include "detect/image.h"

#include <errno.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own.h"
#include "detect/engine.h"

#define TAGGED	 offsetof(struct image_head, digest)
#define DIGESTED offsetof(struct image_head, inputs)
#define DB_HEAD	 32 /* hs_database_size() reads no more of a database, and every one has more */

void image_platform(uint8_t ret[16])
{
	hs_platform_info_t p;
	XXH3_state_t x;
	XXH128_hash_t h;

	engine_platform(&p);
	XXH3_128bits_reset(&x);
	XXH3_128bits_update(&x, hs_version(), strlen(hs_version()));
	XXH3_128bits_update(&x, &p.tune, sizeof(p.tune));
	XXH3_128bits_update(&x, &p.cpu_features, sizeof(p.cpu_features));
	h = XXH3_128bits_digest(&x);
	memcpy(ret, &h, sizeof(h));
}

struct hash128 image_tag(struct mac *mac, struct span image)
{
	return mac_of(mac, "patterns", span_sub(image, TAGGED, image.len));
}

static bool part_ok(const struct image_head *h, struct image_part p)
{
	return p.at >= sizeof(*h) && p.at % IMAGE_ALIGN == 0 && p.at <= h->len &&
	       p.len <= h->len - p.at;
}

/* Do units and their anchors lead nowhere else? */
static bool units_ok(const struct image_head *h)
{
	const uint8_t *base = (const uint8_t *)h;
	const struct image_unit *units = (const struct image_unit *)(base + h->units.at);
	const struct image_anchor *anchors = (const struct image_anchor *)(base + h->anchors.at);
	size_t n_units = h->units.len / sizeof(*units),
	       n_anchors = h->anchors.len / sizeof(*anchors);

	if (n_units > IMAGE_UNITS_MAX || h->units.len % sizeof(*units) ||
	    h->anchors.len % sizeof(*anchors))
		return false;
	for (size_t i = 0; i < n_units; i++)
		if (units[i].sets < 1 || units[i].sets > 2 || units[i].db < h->n_always ||
		    units[i].db >= h->n_dbs || !(units[i].reach || units[i].words))
			return false;
	for (size_t i = 0; i < n_anchors; i++)
		if (anchors[i].unit >= n_units || anchors[i].set >= units[anchors[i].unit].sets)
			return false;
	return true;
}

int image_open(struct span image, const struct image_head **ret)
{
	const struct image_head *h = (const struct image_head *)image.p;
	uint8_t here[16];
	XXH128_hash_t x;

	if (image.len < sizeof(*h) || (uintptr_t)image.p % IMAGE_ALIGN ||
	    memcmp(h->magic, IMAGE_MAGIC, sizeof(h->magic)) || h->len != image.len)
		return -EINVAL;
	x = XXH3_128bits(image.p + DIGESTED, image.len - DIGESTED);
	image_platform(here);
	if (memcmp(&x, h->digest, sizeof(x)) || memcmp(here, h->platform, sizeof(here)) ||
	    h->n_dbs > IMAGE_DBS_MAX || h->n_always > h->n_dbs || !part_ok(h, h->rules) ||
	    !part_ok(h, h->owners) || !part_ok(h, h->units) || !part_ok(h, h->anchors) ||
	    !part_ok(h, h->words) || !units_ok(h) ||
	    h->owners.len != h->n_patterns * sizeof(struct image_owner))
		return -EINVAL;
	for (size_t i = 0; i < h->n_dbs; i++) {
		const hs_database_t *db = (const hs_database_t *)(image.p + h->db[i].at);
		size_t size;

		if (!part_ok(h, h->db[i]) || h->db[i].len < DB_HEAD ||
		    hs_database_size(db, &size) != HS_SUCCESS || size > h->db[i].len)
			return -EINVAL;
	}
	for (size_t i = 0; i < h->n_patterns; i++) {
		const struct image_owner *o =
		    &((const struct image_owner *)(image.p + h->owners.at))[i];

		if (o->db >= h->n_dbs || o->as > i || (o->next && o->next <= i) ||
		    o->next >= h->n_patterns)
			return -EINVAL;
	}
	*ret = h;
	return 0;
}

bool image_fits(struct mac *mac, struct span image, const uint8_t inputs[16])
{
	const struct image_head *h;
	struct hash128 tag;

	if (image_open(image, &h) || memcmp(h->inputs, inputs, sizeof(h->inputs)))
		return false;
	if (!mac)
		return true;
	tag = image_tag(mac, image);
	return !memcmp(&tag, h->tag, sizeof(tag));
}

bool image_pattern(const struct detector *d, const struct rules *rules, size_t i,
		   struct pattern *ret)
{
	const struct rule_pattern *p;
	size_t n;

	if (!d->rules)
		return d->pattern && d->pattern(i, ret);
	p = rules_patterns(rules, d->rules, &n);
	if (i >= n)
		return false;
	*ret = (struct pattern){ .text = rules_text(rules, p[i].text),
				 .literal = p[i].sort == RULE_LITERAL || p[i].sort == RULE_WORD,
				 .sort = p[i].sort,
				 .caseless = true };
	return true;
}
