/* tests/fuzz/fuzz_feed.c - any file as a feed, whole and in pieces: the same index comes out, and
 * the memory it takes is in proportion. The first byte of the input is the size of the pieces.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "intel/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct result {
	struct intel_header *head;
	size_t size;
	int err;
};

static struct result read_all(struct span text, size_t piece)
{
	struct build *b = NULL;
	struct feed *f = NULL;
	struct result r = { 0 };
	const char *why = "";

	if (build_new(&b, 5) || build_feed(b, "fuzz", false) || feed_new(&f, b, 1700000000))
		abort();
	for (size_t at = 0; at < text.len; at += piece)
		if (feed_read(f, span_sub(text, at, piece)))
			abort();
	r.err = feed_end(f, &why);
	if (r.err)
		build_broken(b, why, NULL);
	r.size = build_size(b);
	r.head = aligned_alloc(64, (r.size + 63) / 64 * 64);
	if (!r.head)
		abort();
	memset(r.head, 0, r.size);
	build_write(b, 1, r.head);
	assert(intel_open(span_of(r.head, r.size)) == r.head);
	feed_free(&f);
	build_free(&b);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct result whole, pieces;
	struct span text;

	if (!len)
		return 0;
	text = span_of(data + 1, len - 1);
	whole = read_all(text, text.len + 1);
	pieces = read_all(text, 1 + data[0] % 64);
	assert(whole.err == pieces.err && whole.size == pieces.size);
	assert(!memcmp(whole.head, pieces.head, whole.size));
	assert(whole.head->n_entries <= text.len);
	free(whole.head);
	free(pieces.head);
	return 0;
}
