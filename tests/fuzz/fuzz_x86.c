/* tests/fuzz/fuzz_x86.c - the instruction decoder: every length it gives is inside the input, and
 * more bytes after change nothing. */
#include <stdlib.h>

#include "base/own.h"
#include "capture/x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	struct x86_insn i, alone;

	while (s.len && !x86_decode(s, &i)) {
		if (!i.len || i.len > s.len || i.len > 15 || i.class >= X86_CLASS_MAX_)
			abort();
		if (x86_decode(span_sub(s, 0, i.len), &alone) || i.len != alone.len ||
		    i.class != alone.class || i.rel != alone.rel ||
		    i.writes_args != alone.writes_args || i.moves_sp != alone.moves_sp)
			abort();
		if (!x86_decode(span_sub(s, 0, i.len - 1u), &alone))
			abort();
		s = span_sub(s, i.len, SIZE_MAX);
	}
	return 0;
}
