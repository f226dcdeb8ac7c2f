/* user/intel/build.c - collects indicators, and lays them out as an index.
 * Owns the list of entries: 16 bytes each, and nothing of the text they came as.
 */
#include "intel/build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define PREFIX4_MIN  8 /* of networks: what is wider is a mistake */
#define PREFIX6_MIN  19
#define LOAD_PERCENT 80

struct build {
	struct intel_header head;
	struct intel_slot *entries;
	size_t n, room;
	/* As it was before the feed in hand. */
	size_t n_before;
	struct intel_header before;
};

int build_new(struct build **ret, uint64_t seed)
{
	struct build *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	memcpy(b->head.magic, "EARINT1", sizeof(b->head.magic));
	b->head.seed = seed;
	*ret = b;
	return 0;
}

void build_free(struct build **b)
{
	if (!*b)
		return;
	free((*b)->entries);
	free(*b);
	*b = NULL;
}

int build_feed(struct build *b, const char *name, bool hunt)
{
	struct intel_feed *f = &b->head.feed[b->head.n_feeds];

	if (b->head.n_feeds == INTEL_FEEDS_MAX)
		return -E2BIG;
	*f = (struct intel_feed){ .hunt = hunt };
	snprintf(f->name, sizeof(f->name), "%s", name);
	b->head.n_feeds++;
	b->n_before = b->n;
	b->before = b->head;
	return 0;
}

static struct intel_feed *feed_now(struct build *b)
{
	return &b->head.feed[b->head.n_feeds - 1];
}

const struct intel_feed *build_last(const struct build *b)
{
	return &b->head.feed[b->head.n_feeds - 1];
}

void build_count(struct build *b, enum feed_count why)
{
	feed_now(b)->n[why]++;
}

static int append(struct build *b, struct intel_slot s)
{
	if (b->n == b->room) {
		size_t room = b->room ? b->room + b->room / 2 : 1024;
		struct intel_slot *p = realloc(b->entries, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->entries = p;
		b->room = room;
	}
	s.feed = (uint16_t)(b->head.n_feeds - 1);
	b->entries[b->n++] = s;
	return 0;
}

static enum feed_count add_net(struct build *b, bool v6, const uint8_t *ip, unsigned length,
			       struct intel_slot *ret)
{
	uint8_t key[17];

	if (length < (v6 ? PREFIX6_MIN : PREFIX4_MIN) || url_private(v6, ip))
		return FEED_TOO_WIDE;
	*ret = intel_slot(b->head.seed, v6 ? INDICATOR_IPV6 : INDICATOR_IPV4,
			  span_of(key, intel_net_key(v6, ip, length, key)));
	if (v6)
		b->head.lengths6[length / 64] |= UINT64_C(1) << length % 64;
	else
		b->head.lengths4 |= UINT64_C(1) << length;
	return FEED_TAKEN;
}

/* "192.0.2.0/24", "2001:db8::/32", with or without length. FEED_OTHER: not one of these. */
static enum feed_count read_net(struct build *b, struct span text, struct intel_slot *ret)
{
	const uint8_t *slash = text.len < 64 ? memchr(text.p, '/', text.len) : NULL;
	size_t n = slash ? (size_t)(slash - text.p) : text.len;
	unsigned length = 0;
	uint8_t ip[16];
	char host[64];
	bool v6;

	if (!n || n >= sizeof(host))
		return FEED_OTHER;
	memcpy(host, text.p, n);
	host[n] = 0;
	v6 = strchr(host, ':') != NULL;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, host, ip) != 1)
		return FEED_OTHER;
	if (!slash)
		return add_net(b, v6, ip, v6 ? 128 : 32, ret);
	if (n + 1 == text.len)
		return FEED_OTHER;
	for (size_t i = n + 1; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || length > 128)
			return FEED_OTHER;
		length = length * 10 + text.p[i] - '0';
	}
	return length > (v6 ? 128 : 32) ? FEED_OTHER : add_net(b, v6, ip, length, ret);
}

static enum feed_count read_url(struct build *b, struct span text, struct intel_slot *ret)
{
	char key[URL_KEY_MAX];
	size_t n, path, query;
	struct span rest;
	struct url u;

	/* *.example.com, .example.com, ||example.com^ */
	while (text.len && strchr("*.|", text.p[0]) && text.p[0])
		text = span_sub(text, 1, text.len);
	while (text.len && (text.p[text.len - 1] == '^' || text.p[text.len - 1] == '.'))
		text.len--;
	n = url_read(&u, text);
	if (!n)
		return FEED_OTHER;
	rest = span_sub(text, n, text.len);
	if (rest.len && !strchr("/?#\\", rest.p[0]))
		return FEED_OTHER;
	if (u.kind == HOST_NAME && url_suffix(u.host))
		return FEED_TOO_WIDE;
	if (u.kind != HOST_NAME && url_private(u.kind == HOST_IPV6, u.ip))
		return FEED_TOO_WIDE;
	if (u.traits & URL_NO_SCHEME && !rest.len && !u.port) {
		if (u.kind != HOST_NAME)
			return add_net(b, u.kind == HOST_IPV6, u.ip, u.kind == HOST_IPV6 ? 128 : 32,
				       ret);
		*ret = intel_slot(b->head.seed, INDICATOR_DOMAIN, span_of(u.host, u.host_len));
		return FEED_TAKEN;
	}
	n = url_key(&u, rest, key, &path, &query);
	*ret = intel_slot(b->head.seed, INDICATOR_URL, span_of(key, n));
	return FEED_TAKEN;
}

int build_add(struct build *b, struct span text, uint64_t expires_s, enum feed_count *ret)
{
	struct intel_slot slot;
	int err;

	*ret = text.len ? read_net(b, text, &slot) : FEED_OTHER;
	if (*ret == FEED_OTHER && text.len)
		*ret = read_url(b, text, &slot);
	if (*ret == FEED_TAKEN && b->n == BUILD_ENTRIES_MAX)
		*ret = FEED_OVER;
	if (*ret != FEED_TAKEN)
		return 0;
	err = append(b, slot);
	if (!err && expires_s && (!b->head.expires_s || expires_s < b->head.expires_s))
		b->head.expires_s = expires_s;
	return err;
}

int build_broken(struct build *b, const char *reason, const struct intel_header *old)
{
	struct intel_feed *f = feed_now(b);
	const struct intel_slot *s = old ? (const struct intel_slot *)(old + 1) : NULL;
	size_t k = 0;
	int err = 0;

	b->n = b->n_before;
	b->head.expires_s = b->before.expires_s;
	b->head.lengths4 = b->before.lengths4;
	memcpy(b->head.lengths6, b->before.lengths6, sizeof(b->head.lengths6));
	memset(f->n, 0, sizeof(f->n));
	f->broken = 1;
	snprintf(f->reason, sizeof(f->reason), "%s", reason);
	while (old && k < old->n_feeds && strcmp(old->feed[k].name, f->name) != 0)
		k++;
	/* Fingerprints are taken over as they are, which only the same seed allows. */
	if (!old || k == old->n_feeds || old->seed != b->head.seed)
		return 0;
	b->head.lengths4 |= old->lengths4;
	for (size_t i = 0; i < ARRAY_SIZE(old->lengths6); i++)
		b->head.lengths6[i] |= old->lengths6[i];
	if (old->expires_s && (!b->head.expires_s || old->expires_s < b->head.expires_s))
		b->head.expires_s = old->expires_s;
	for (uint64_t i = 0; i < old->n_buckets * INTEL_BUCKET && !err; i++)
		if (s[i].kind != INDICATOR_NONE && s[i].feed == k && b->n < BUILD_ENTRIES_MAX)
			err = append(b, s[i]);
	f->n[FEED_TAKEN] = b->n - b->n_before;
	return err;
}

static uint64_t n_buckets(const struct build *b)
{
	return b->n * 100 / LOAD_PERCENT / INTEL_BUCKET + 1;
}

size_t build_size(const struct build *b)
{
	return sizeof(b->head) + n_buckets(b) * INTEL_BUCKET * sizeof(struct intel_slot);
}

/* Puts an entry in; false: it says what another said. */
static bool lay(struct intel_slot *t, const struct intel_header *h, const struct intel_slot *s)
{
	uint64_t at = intel_bucket(s, h->n_buckets) * INTEL_BUCKET;

	for (;; at = at + 1 == h->n_buckets * INTEL_BUCKET ? 0 : at + 1) {
		struct intel_slot *old = &t[at];

		if (old->kind == INDICATOR_NONE) {
			*old = *s;
			old->also = 0;
			return true;
		}
		if (!intel_same(old, s))
			continue;
		if (old->feed != s->feed) {
			uint8_t also = (uint8_t)(old->also + (old->also < UINT8_MAX));

			/* The one that alerts speaks. */
			if (h->feed[old->feed].hunt && !h->feed[s->feed].hunt)
				*old = *s;
			old->also = also;
		}
		return false;
	}
}

void build_write(struct build *b, uint64_t id, void *ret)
{
	struct intel_header *h = ret;
	struct intel_slot *t = (struct intel_slot *)(h + 1);

	*h = b->head;
	h->id = id;
	h->n_buckets = n_buckets(b);
	/* Ahead of what is laid out: memory is waited for all at once. */
	for (size_t i = 0; i < b->n; i++) {
		if (i + 16 < b->n)
			__builtin_prefetch(
			    t + intel_bucket(&b->entries[i + 16], h->n_buckets) * INTEL_BUCKET, 1);
		if (lay(t, h, &b->entries[i])) {
			h->n_entries++;
		} else {
			h->feed[b->entries[i].feed].n[FEED_TAKEN]--;
			h->feed[b->entries[i].feed].n[FEED_KNOWN]++;
		}
	}
}
