/* tests/fuzz/fuzz_index.c - an index of threat intelligence that its maker, who reads what
 * strangers write, did not make as he should: it opens or does not, and what it says of addresses
 * ends. The input: how many bytes of the index are changed (a byte), for each where (two bytes,
 * little endian, of the header and behind) and to what, then the lines of a feed, which are looked
 * up.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "intel/feed.h"

#define PATCH 3 /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void look_up(const struct intel_header *h, struct span line)
{
	struct intel_hit hit;
	struct url u;
	size_t n = url_read(&u, line);

	if (!n || !intel_find(h, &u, span_sub(line, n, line.len), &hit))
		return;
	assert(hit.kind > INDICATOR_NONE && hit.kind < INDICATOR_MAX_);
	assert(hit.feed >= h->feed && hit.feed < h->feed + h->n_feeds);
	assert(strlen(hit.feed->name) < sizeof(hit.feed->name));
	assert(strlen(hit.listed) < sizeof(hit.listed));
}

/* As the one before, it speaks for a feed that is broken now. */
static void take_over(const struct intel_header *old)
{
	struct build *b;

	if (build_new(&b, old->seed) || build_feed(b, "fuzz", false))
		abort();
	if (build_broken(b, "broken", old))
		abort();
	build_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_of(data, len), patches, lines;
	const struct intel_header *h;
	struct build *b = NULL;
	struct feed *f = NULL;
	const char *why;
	uint8_t *index;
	size_t size;

	if (!len)
		return 0;
	patches = span_sub(in, 1, data[0] * PATCH);
	lines = span_sub(in, 1 + patches.len, len);
	if (build_new(&b, 5) || build_feed(b, "fuzz", false) || feed_new(&f, b, 1700000000) ||
	    feed_read(f, lines))
		abort();
	if (feed_end(f, &why))
		build_broken(b, why, NULL);
	size = build_size(b);
	index = aligned_alloc(64, size);
	if (!index)
		abort();
	memset(index, 0, size);
	build_write(b, 1, index);
	feed_free(&f);
	build_free(&b);
	for (; patches.len >= PATCH; patches = span_sub(patches, PATCH, patches.len))
		index[(patches.p[0] | (size_t)patches.p[1] << 8) % size] = patches.p[2];
	h = intel_open(span_of(index, size));
	while (h && lines.len) {
		const uint8_t *nl = memchr(lines.p, '\n', lines.len);
		size_t n = nl ? (size_t)(nl - lines.p) : lines.len;

		look_up(h, span_sub(lines, 0, n));
		lines = span_sub(lines, n + 1, lines.len);
	}
	if (h)
		take_over(h);
	free(index);
	return 0;
}
