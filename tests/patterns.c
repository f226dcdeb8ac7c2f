/* tests/patterns.c - the build's image of rules and databases. */
#include "patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "scan/patterns.h"

#define OWN_RULES "tests/data/rules"

/* With the rules in that folder; NULL: the built-in ones alone. */
static struct span opened(const char *rules)
{
	static struct patterns *kept[2];
	struct patterns **p = &kept[rules != NULL];
	char self[4096], why[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - sizeof("/cache"));

	if (*p)
		return patterns_image(*p);
	/* build/tests/unit/test_x: the cache is build/cache */
	for (int up = 0; n > 0 && up < 3; up++) {
		self[n] = 0;
		n = strrchr(self, '/') ? strrchr(self, '/') - self : 0;
	}
	if (n > 0) {
		strcpy(self + n, "/cache");
		setenv("XDG_CACHE_HOME", self, 1);
	}
	if (patterns_open(p, rules, why, sizeof(why))) {
		fprintf(stderr, "patterns: %s\n", why);
		abort();
	}
	return patterns_image(*p);
}

struct span test_patterns(void)
{
	return opened(NULL);
}

static struct detect *judge(const struct detect_opts *o, struct span image)
{
	struct detect_opts opts;
	struct detect *d = NULL;

	detect_default_opts(&opts);
	if (detect_new(&d, o ? o : &opts, image))
		abort();
	return d;
}

struct detect *test_detect(const struct detect_opts *o)
{
	return judge(o, test_patterns());
}

struct detect *test_detect_own(void)
{
	return judge(NULL, opened(OWN_RULES));
}
