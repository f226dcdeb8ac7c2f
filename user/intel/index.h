/* user/intel/index.h - which addresses threat intelligence knows: one read-only block of memory,
 * made once (intel/build.h), sealed, mapped by every inspector. A hash table of fingerprints: an
 * indicator takes 16 bytes whatever its length, and is recognised by 96 bits under a key of chance,
 * so that an address nobody listed is taken for a listed one with a probability below 2^-72 in an
 * index of 10^7.
 */
#pragma once

#include "intel/url.h"

#define INTEL_FEEDS_MAX	 16
#define INTEL_NAME_MAX	 64
#define INTEL_REASON_MAX 128
#define INTEL_BUCKET	 4 /* slots: one cache line */

/* What a feed says of an address. */
enum indicator {
	INDICATOR_NONE,	  /* an empty slot */
	INDICATOR_URL,	  /* host, port, path, query; one that ends in a slash: all below it */
	INDICATOR_DOMAIN, /* and all below it */
	INDICATOR_IPV4,	  /* with the length of its prefix */
	INDICATOR_IPV6,
	INDICATOR_MAX_,
};

/* Why a line, an object or an attribute of a feed became no indicator, beside those that did. */
enum feed_count {
	FEED_TAKEN,
	FEED_KNOWN,    /* another entry says the same */
	FEED_OTHER,    /* nothing that is looked for here: hashes, keys, remarks in a field */
	FEED_TOO_WIDE, /* a top-level domain, a private or a huge network: would hit everybody */
	FEED_OUTDATED, /* revoked, deleted, past its valid_until */
	FEED_COMPLEX,  /* a pattern that says more than "this address" */
	FEED_UNFIT,    /* marked as not fit for detection (MISP to_ids) */
	FEED_LONG,     /* a line or value beyond the cap */
	FEED_OVER,     /* beyond the cap of indicators */
	FEED_COUNT_MAX_,
};
extern const char *const feed_count_names[FEED_COUNT_MAX_];

struct intel_feed {
	char name[INTEL_NAME_MAX];
	uint32_t hunt;	 /* its hits are for hunting, not for alerts */
	uint32_t broken; /* could not be read to its end: what it said before counts on */
	uint64_t n[FEED_COUNT_MAX_];
	char reason[INTEL_REASON_MAX]; /* why it is broken; "" */
};

struct intel_slot {
	uint64_t tag;
	uint32_t tag2;
	uint16_t feed;
	uint8_t kind; /* enum indicator */
	uint8_t also; /* other feeds that say the same, at most 255 */
};
_Static_assert(sizeof(struct intel_slot) == 16, "four to a cache line");

struct intel_header {
	_Alignas(64) char magic[8]; /* slots stand on cache lines */
	uint64_t id;		    /* of this build: other facts */
	uint64_t seed;
	uint64_t n_buckets, n_entries;
	uint64_t expires_s; /* Unix time at which the first of its indicators is outdated; 0: none
			     */
	uint64_t lengths4;  /* bit per length of the prefixes that occur */
	uint64_t lengths6[3];
	uint64_t n_feeds;
	struct intel_feed feed[INTEL_FEEDS_MAX];
};
_Static_assert(sizeof(struct intel_header) % 64 == 0, "slots stand on cache lines");

struct intel_hit {
	enum indicator kind;
	const struct intel_feed *feed;
	unsigned also; /* other feeds that say the same */
	/* What was listed, for people: of the host or of url_key()'s text. */
	char listed[160];
};

/* Checks what it is given, which stays borrowed and stands on a page. NULL: no index, or one of
 * another version. */
const struct intel_header *intel_open(struct span bytes);
/* What of the address, its path, its domains or networks is listed, the most exact first. rest:
 * behind the authority. */
bool intel_find(const struct intel_header *h, const struct url *u, struct span rest,
		struct intel_hit *ret);

/* For the builder: the fingerprint of a key, and where it belongs. */
struct intel_slot intel_slot(uint64_t seed, enum indicator kind, struct span key);
/* Key of a network: length of the prefix and the address cut to it. Writes 1 + 4 or 16 bytes. */
size_t intel_net_key(bool v6, const uint8_t *ip, unsigned length, uint8_t ret[17]);

static inline uint64_t intel_bucket(const struct intel_slot *s, uint64_t n_buckets)
{
	return (uint64_t)(((unsigned __int128)s->tag * n_buckets) >> 64);
}

static inline bool intel_same(const struct intel_slot *a, const struct intel_slot *b)
{
	return a->tag == b->tag && a->tag2 == b->tag2 && a->kind == b->kind;
}
