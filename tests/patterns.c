/* tests/patterns.c - the build's image of rules and databases. */
#include "patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "scan/patterns.h"

struct span test_patterns(void)
{
	static struct patterns *patterns;
	char self[4096], why[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - sizeof("/cache"));

	if (patterns)
		return patterns_image(patterns);
	/* build/tests/unit/test_x: the cache is build/cache */
	for (int up = 0; n > 0 && up < 3; up++) {
		self[n] = 0;
		n = strrchr(self, '/') ? strrchr(self, '/') - self : 0;
	}
	if (n > 0) {
		strcpy(self + n, "/cache");
		setenv("XDG_CACHE_HOME", self, 1);
	}
	if (patterns_open(&patterns, NULL, why, sizeof(why))) {
		fprintf(stderr, "patterns: %s\n", why);
		abort();
	}
	return patterns_image(patterns);
}

struct detect *test_detect(const struct detect_opts *o)
{
	struct detect_opts opts;
	struct detect *d = NULL;

	detect_default_opts(&opts);
	if (detect_new(&d, o ? o : &opts, test_patterns()))
		abort();
	return d;
}
