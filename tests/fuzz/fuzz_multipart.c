/* tests/fuzz/fuzz_multipart.c - the driver's promises hold, and any cut of the input gives the same
 * events. */
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	drive_fuzz(&driver_multipart, span_of(data, len));
	return 0;
}
