/* tests/fuzz/fuzz_trace.c - a trace from anywhere: read to its end or to its first fault. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "trace/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t *copy = malloc(len + 1); /* at a multiple of 8, with ASan's guard behind it */
	struct trace *t = NULL;
	struct trace_event e;
	uint64_t last = 0;
	char why[128];
	volatile uint64_t sum = 0; /* every byte given is readable */
	int n;

	assert(copy);
	if (len)
		memcpy(copy, data, len);
	n = trace_new(&t, span_of(copy, len), why, sizeof(why));
	for (n = n ? n : 1; n == 1;) {
		n = trace_next(t, &e, why, sizeof(why));
		if (n != 1)
			break;
		assert(e.ts_ns >= last);
		last = e.ts_ns;
		for (size_t i = 0; i < e.body.len; i++)
			sum += e.body.p[i];
		assert(!e.rec->conn || e.kind > TRACE_JOINED || e.conn.id == e.rec->conn);
	}
	assert(n == 0 || n == -EBADMSG);
	trace_free(&t);
	free(copy);
	return 0;
}
