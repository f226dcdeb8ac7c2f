/* tests/fuzz/fuzz_eventstream.c - the driver's promises hold, and any cut of the input gives the
 * same events. */
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	drive_fuzz(&driver_eventstream, span_of(data, len));
	return 0;
}
