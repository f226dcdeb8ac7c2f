/* user/intel/build.h - makes an index of indicators (intel/index.h). Collects 16 bytes for each,
 * then lays the table out; what a feed said can be taken back until the next one begins.
 */
#pragma once

#include "intel/index.h"

#define BUILD_ENTRIES_MAX (20 << 20) /* indicators of all feeds */

struct build;

/* seed: of chance, or that of the index whose entries are to be taken over. -ENOMEM. */
int build_new(struct build **ret, uint64_t seed);
void build_free(struct build **b);
/* The next feed; what is added from now on is its. -E2BIG: there are INTEL_FEEDS_MAX. */
int build_feed(struct build *b, const char *name, bool hunt);
/* Adds what text is: a URL, a domain, an IP, a network. expires_s: Unix time, 0: never. Which
 * became of it; -ENOMEM. */
int build_add(struct build *b, struct span text, uint64_t expires_s, enum feed_count *ret);
/* Counts what never came so far. */
void build_count(struct build *b, enum feed_count why);
/* The feed in hand is broken: takes back what it said and, when old (may be NULL) knows a feed of
 * that name, says what that said. -ENOMEM. */
int build_broken(struct build *b, const char *reason, const struct intel_header *old);
const struct intel_feed *build_last(const struct build *b); /* the feed in hand */

/* Bytes of the index. */
size_t build_size(const struct build *b);
/* Writes it to zeroed memory of that size, on a page. id: tells this index from others. */
void build_write(struct build *b, uint64_t id, void *ret);
