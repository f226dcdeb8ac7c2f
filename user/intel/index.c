/* user/intel/index.c - looks addresses up. All the forms in which one can be listed are hashed
 * first, their cache lines fetched together, and then compared.
 */
#include "intel/index.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/own.h"

#define DOMAINS_MAX  8 /* of a host: itself and its parents */
#define PREFIXES_MAX 6 /* of a path */
#define KEYS_MAX     132
/* Buckets that are looked at for one key. In a table as full as the builder makes them, runs are
 * not a tenth as long; who makes one that is full must not take all the time there is. */
#define PROBES_MAX 4096

const char *const feed_count_names[FEED_COUNT_MAX_] = {
	[FEED_TAKEN] = "taken",		[FEED_KNOWN] = "known already",
	[FEED_OTHER] = "other",		[FEED_TOO_WIDE] = "too wide",
	[FEED_OUTDATED] = "outdated",	[FEED_COMPLEX] = "complex",
	[FEED_UNFIT] = "unfit",		[FEED_LONG] = "too long",
	[FEED_OVER] = "beyond the cap",
};

static const char magic[8] = "EARINT1";

static const struct intel_slot *slots(const struct intel_header *h)
{
	return (const struct intel_slot *)(h + 1);
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

const struct intel_header *intel_open(struct span bytes)
{
	const struct intel_header *h = (const struct intel_header *)bytes.p;

	if (bytes.len < sizeof(*h) || memcmp(h->magic, magic, sizeof(magic)) != 0 ||
	    h->n_feeds > INTEL_FEEDS_MAX ||
	    h->n_buckets > (bytes.len - sizeof(*h)) / (INTEL_BUCKET * sizeof(struct intel_slot)) ||
	    h->n_entries >= h->n_buckets * INTEL_BUCKET)
		return NULL;
	for (size_t i = 0; i < h->n_feeds; i++)
		if (!ends(h->feed[i].name, sizeof(h->feed[i].name)) ||
		    !ends(h->feed[i].reason, sizeof(h->feed[i].reason)))
			return NULL;
	return h;
}

struct intel_slot intel_slot(uint64_t seed, enum indicator kind, struct span key)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(key.p, key.len, seed + kind);

	return (struct intel_slot){ .tag = h.low64, .tag2 = (uint32_t)h.high64, .kind = kind };
}

size_t intel_net_key(bool v6, const uint8_t *ip, unsigned length, uint8_t ret[17])
{
	size_t n = v6 ? 16 : 4;

	ret[0] = (uint8_t)length;
	for (size_t i = 0; i < n; i++) {
		unsigned keep = length > 8 * i ? MIN(length - 8 * (unsigned)i, 8U) : 0;

		ret[1 + i] = (uint8_t)(ip[i] & (0xff00 >> keep));
	}
	return 1 + n;
}

/* What is looked for, the most exact first. */
struct wanted {
	struct intel_slot slot[KEYS_MAX];
	uint16_t len[KEYS_MAX]; /* of the key text, or of the prefix of a network */
	uint16_t from[KEYS_MAX];
	size_t n;
};

static void want(const struct intel_header *h, struct wanted *w, enum indicator kind,
		 struct span key, size_t from, size_t len)
{
	if (w->n == KEYS_MAX)
		return;
	w->slot[w->n] = intel_slot(h->seed, kind, key);
	w->from[w->n] = (uint16_t)from;
	w->len[w->n] = (uint16_t)len;
	__builtin_prefetch(slots(h) + intel_bucket(&w->slot[w->n], h->n_buckets) * INTEL_BUCKET);
	w->n++;
}

static const struct intel_slot *find(const struct intel_header *h, const struct intel_slot *s)
{
	const struct intel_slot *t = slots(h);
	uint64_t b = intel_bucket(s, h->n_buckets);

	for (uint64_t left = MIN(h->n_buckets, (uint64_t)PROBES_MAX); left; left--) {
		for (unsigned i = 0; i < INTEL_BUCKET; i++) {
			const struct intel_slot *at = &t[b * INTEL_BUCKET + i];

			if (at->kind == INDICATOR_NONE)
				return NULL;
			if (intel_same(at, s))
				return at;
		}
		b = b + 1 == h->n_buckets ? 0 : b + 1;
	}
	return NULL;
}

bool intel_find(const struct intel_header *h, const struct url *u, struct span rest,
		struct intel_hit *ret)
{
	char key[URL_KEY_MAX];
	size_t path, query, len;
	struct wanted w = { .n = 0 };

	if (!h->n_entries)
		return false;
	len = url_key(u, rest, key, &path, &query);
	want(h, &w, INDICATOR_URL, span_of(key, len), 0, len);
	if (query < len)
		want(h, &w, INDICATOR_URL, span_of(key, query), 0, query);
	for (size_t i = path + 1, n = 0; i + 1 < query && n < PREFIXES_MAX; i++)
		if (key[i] == '/') {
			want(h, &w, INDICATOR_URL, span_of(key, i + 1), 0, i + 1);
			n++;
		}
	if (u->kind == HOST_NAME) {
		const char *p = u->host;

		/* No suffix that many share is in the table: the builder refuses them. */
		for (size_t n = 0; p && strchr(p, '.'); p = strchr(p, '.') + 1, n++) {
			size_t labels = 1;

			for (const char *q = p; *q; q++)
				labels += *q == '.';
			if (labels > DOMAINS_MAX)
				continue;
			want(h, &w, INDICATOR_DOMAIN, span_str(p), (size_t)(p - u->host),
			     strlen(p));
		}
	} else {
		bool v6 = u->kind == HOST_IPV6;
		uint8_t net[17];

		for (unsigned l = v6 ? 128 : 32; l; l--)
			if (v6 ? h->lengths6[l / 64] >> l % 64 & 1 : h->lengths4 >> l & 1) {
				size_t n = intel_net_key(v6, u->ip, l, net);

				want(h, &w, v6 ? INDICATOR_IPV6 : INDICATOR_IPV4, span_of(net, n),
				     0, l);
			}
	}
	for (size_t i = 0; i < w.n; i++) {
		const struct intel_slot *at = find(h, &w.slot[i]);

		if (!at || at->feed >= h->n_feeds)
			continue;
		ret->kind = at->kind;
		ret->feed = &h->feed[at->feed];
		ret->also = at->also;
		if (at->kind == INDICATOR_URL)
			snprintf(ret->listed, sizeof(ret->listed), "%.*s", (int)w.len[i], key);
		else if (at->kind == INDICATOR_DOMAIN)
			snprintf(ret->listed, sizeof(ret->listed), "%.159s", u->host + w.from[i]);
		else
			snprintf(ret->listed, sizeof(ret->listed), "%.60s/%u", u->host, w.len[i]);
		return true;
	}
	return false;
}
