/* tests/fuzz/fuzz_protobuf.c - every field lies inside its message, behind the one before it, and a
 * walk by table sees the same fields as one by hand. */
#include <stdlib.h>

#include "base/own.h"
#include "parse/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void count(void *ctx, const struct protobuf_field *f, const void *arg)
{
	(void)f;
	((size_t *)ctx)[*(const size_t *)arg]++;
}

static const size_t numbers[] = { 0, 1, 2 };
static const struct protobuf_row rows[] = { { "1", count, &numbers[0] },
					    { "2.1", count, &numbers[1] },
					    { "2.2.1", count, &numbers[2] } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_of(data, len), before = in;
	size_t seen[3] = { 0 }, ones = 0;
	struct protobuf_field f;

	while (protobuf_next(&in, &f) > 0) {
		if (in.len >= before.len ||
		    (f.bytes.len && (f.bytes.p < before.p || f.bytes.p + f.bytes.len > data + len)))
			abort();
		if (!f.number || (f.cut && in.len))
			abort();
		ones += f.number == 1;
		before = in;
	}
	protobuf_walk(span_of(data, len), rows, ARRAY_SIZE(rows), seen);
	if (seen[0] != ones)
		abort();
	return 0;
}
