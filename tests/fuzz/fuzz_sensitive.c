/* tests/fuzz/fuzz_sensitive.c - values lie in the text, one behind the other, at most as many as
 * asked for; a text that ends earlier has no values behind its end. */
#include <assert.h>

#include "detect/sensitive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sensitive_hit hits[64];

	for (size_t n = len; n; n /= 2) {
		size_t found = sensitive_scan(span_of(data, n), hits, 64, 16);

		assert(found <= 64);
		for (size_t i = 0; i < found; i++) {
			assert(hits[i].id < SENSITIVE_MAX_ && hits[i].score > 0);
			assert(hits[i].where.begin < hits[i].where.end && hits[i].where.end <= n);
			assert(!i || hits[i].where.begin >= hits[i - 1].where.end);
		}
	}
	return 0;
}
