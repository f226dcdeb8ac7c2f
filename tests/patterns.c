/* tests/patterns.c - the build's image of rules and databases. */
#include "patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "scan/patterns.h"

#define PACKS_MAX 4

static struct patterns *opened(const char *pack)
{
	static struct {
		const char *pack;
		struct patterns *patterns;
	} kept[PACKS_MAX];
	char self[4096], why[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - sizeof("/cache"));
	size_t i = 0;

	while (i < PACKS_MAX && kept[i].patterns && kept[i].pack != pack)
		i++;
	if (i == PACKS_MAX)
		abort();
	if (kept[i].patterns)
		return kept[i].patterns;
	/* build/tests/unit/test_x: the cache is build/cache */
	for (int up = 0; n > 0 && up < 3; up++) {
		self[n] = 0;
		n = strrchr(self, '/') ? strrchr(self, '/') - self : 0;
	}
	if (n > 0) {
		strcpy(self + n, "/cache");
		setenv("XDG_CACHE_HOME", self, 1);
	}
	kept[i].pack = pack;
	if (patterns_open(&kept[i].patterns, pack, why, sizeof(why))) {
		fprintf(stderr, "patterns: %s\n", why);
		abort();
	}
	return kept[i].patterns;
}

struct span test_patterns(void)
{
	return patterns_image(opened(NULL));
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

struct detect *test_detect_with(const char *pack)
{
	return judge(NULL, patterns_image(opened(pack)));
}
