/* tests/fuzz/fuzz_survey.c - ELF files: whatever is said of one, its sites lie inside it. */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/own.h"
#include "capture/survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct survey s;

	if (fd < 0)
		fd = memfd_create("survey", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (survey_file(fd, &s) || s.verdict >= SURVEY_VERDICT_MAX_ ||
	    !memchr(s.why, 0, sizeof(s.why)) || !s.why[0])
		abort();
	if (s.n_sites > SURVEY_SITES_MAX || (s.n_sites && s.verdict != SURVEY_TLS) ||
	    s.build_id_len > sizeof(s.build_id))
		abort();
	for (unsigned i = 0; i < s.n_sites; i++)
		if (s.sites[i].offset >= size || !s.sites[i].site ||
		    s.sites[i].site >= EV_SITE_MAX_)
			abort();
	return 0;
}
