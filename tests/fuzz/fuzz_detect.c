/* tests/fuzz/fuzz_detect.c - any text in any role: every finding points into it, is whole, and
 * comes out of the cache as it went in. The first byte of the input is the role, the rest the text.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/escape.h"
#include "detect/detect.h"
#include "patterns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct detect *detect; /* compiling is slow: one for all inputs */

struct seen {
	size_t n, text_len;
	uint8_t digest; /* of what was found */
};

static void look(void *ctx, const struct finding *f)
{
	struct seen *s = ctx;
	struct span e = span_str(f->evidence);

	assert(f->kind < KIND_MAX_ && f->mode < MODE_MAX_ && f->score > 0 && f->score <= 1);
	assert(f->begin <= f->end && f->end <= s->text_len && *f->type && *f->why && f->detector);
	assert(e.len < sizeof(f->evidence));
	for (size_t i = 0; i < sizeof(f->fingerprint); i++)
		s->digest = s->digest * 31 + f->fingerprint.b[i];
	s->n++;
}

/* Called by the fuzzer before its clock for one input runs; by replay, not at all. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	detect = test_detect(NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct segment s = { .role = SEG_USER, .origin = ORIGIN_UNKNOWN };
	struct turn t = { .segments = &s, .n_segments = 1 };
	struct seen first = { 0 }, again = { 0 };

	if (!detect)
		LLVMFuzzerInitialize(NULL, NULL);
	if (!len)
		return 0;
	s.role = data[0] % SEG_MAX_;
	s.text = (struct buf){ .p = (uint8_t *)data + 1, .len = len - 1 };
	first.text_len = again.text_len = len - 1;
	if (detect_turn(detect, &t, DETECT_REQUEST, look, &first) ||
	    detect_turn(detect, &t, DETECT_REQUEST, look, &again))
		abort();
	assert(first.n == again.n && first.digest == again.digest);
	return 0;
}
