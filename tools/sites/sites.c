/* tools/sites/sites.c - earshot-sites WHOLE [STRIPPED]: where to probe a program whose release is
 * stripped, learned from the same build with its symbols. Prints an entry of a table of sites
 * (user/capture/sites.h). Symbols in a file of their own are joined first: eu-unstrip PROGRAM
 * PROGRAM.debug -o WHOLE.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/own.h"
#include "capture/hint.h"
#include "capture/sites.h"

#define CODE 16 /* bytes that are compared at each site */

static int fail(const char *file, const char *why)
{
	fprintf(stderr, "earshot-sites: %s: %s\n", file, why);
	return 1;
}

/* What else is in a file without sites. */
static int nothing(const char *file, int fd, const struct survey *s)
{
	uint32_t hints = s->verdict == SURVEY_NONE ? hint_find(fd) : 0;

	fprintf(stderr, "earshot-sites: %s: %s", file, s->why);
	for (unsigned h = 0, n = 0; h < HINT_MAX_; h++)
		if (hints >> h & 1)
			fprintf(stderr, "%s%s", n++ ? ", " : ": ", hint_rows[h].name);
	fputc('\n', stderr);
	return 1;
}

/* The same build-id, and the same code at each site. */
static const char *differs(int whole, const struct survey *s, int stripped)
{
	struct survey other;

	if (survey_file(stripped, &other))
		return strerror(ENOMEM);
	if (other.build_id_len != s->build_id_len ||
	    memcmp(other.build_id, s->build_id, s->build_id_len))
		return "another build-id";
	for (uint32_t i = 0; i < s->n_sites; i++) {
		uint8_t a[CODE], b[CODE];
		off_t at = (off_t)s->sites[i].offset;

		if (pread(whole, a, sizeof(a), at) != sizeof(a) ||
		    pread(stripped, b, sizeof(b), at) != sizeof(b) || memcmp(a, b, sizeof(a)))
			return "other code at a site";
	}
	return NULL;
}

int main(int argc, char **argv)
{
	auto_close int whole = -1, stripped = -1;
	const char *why;
	struct survey s;

	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fputs("usage: earshot-sites WHOLE [STRIPPED]\n"
		      "Prints a table of probe sites for the build of WHOLE, a program or library "
		      "with symbols;\n"
		      "STRIPPED, its release, is checked to be the same build. See "
		      "docs/coverage.md.\n",
		      stderr);
		return 2;
	}
	whole = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (whole < 0)
		return fail(argv[1], strerror(errno));
	if (survey_file(whole, &s))
		return fail(argv[1], strerror(ENOMEM));
	if (s.verdict != SURVEY_TLS)
		return nothing(argv[1], whole, &s);
	if (s.build_id_len < SITES_ID_MIN)
		return fail(argv[1], "no build-id (link with -Wl,--build-id)");
	if (argc == 3) {
		stripped = open(argv[2], O_RDONLY | O_CLOEXEC);
		if (stripped < 0)
			return fail(argv[2], strerror(errno));
		why = differs(whole, &s, stripped);
		if (why)
			return fail(argv[2], why);
	}
	return sites_print(stdout, &s, s.why) ? 1 : 0;
}
