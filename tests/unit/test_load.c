/* tests/unit/test_load.c - feeds from files and directories, replaced, broken, sealed. */
#include "intel/load.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/own.h"

static char place[] = "/tmp/earshot-test-XXXXXX";

static const char *put(const char *name, const char *text)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(place) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", place);
	return system(command);
}

struct index {
	int fd;
	size_t size;
	const struct intel_header *head;
};

/* Feeds by their paths, NULL: missing. */
static struct index load(const char *const *paths, size_t n, const struct index *old, uint64_t now)
{
	struct load_feed feeds[INTEL_FEEDS_MAX];
	struct index x = { .fd = -1 };
	void *map;

	for (size_t i = 0; i < n; i++)
		feeds[i] = (struct load_feed){
			.fd = paths[i] ? open(paths[i], O_RDONLY | O_CLOEXEC) : -1,
			.name = i ? "second" : "first",
			.hunt = i > 0,
		};
	assert_int_equal(load_index(feeds, n,
				    old ? span_of(old->head, old->size) : span_of(NULL, 0), now,
				    &x.fd, &x.size),
			 0);
	for (size_t i = 0; i < n; i++)
		own_close(&feeds[i].fd);
	map = mmap(NULL, x.size, PROT_READ, MAP_PRIVATE, x.fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	x.head = intel_open(span_of(map, x.size));
	assert_non_null(x.head);
	return x;
}

static void drop(struct index *x)
{
	munmap((void *)x->head, x->size);
	own_close(&x->fd);
}

static const char *listed_by(const struct index *x, const char *text, unsigned *also)
{
	static struct intel_hit hit;
	struct url u;
	size_t n = url_read(&u, span_str(text));

	assert_int_not_equal(n, 0);
	if (!intel_find(x->head, &u, span_str(text + n), &hit))
		return NULL;
	if (also)
		*also = hit.also;
	return hit.feed->name;
}

static void files(void **state)
{
	char one[256], two[256];
	const char *paths[2] = { one, two };
	struct index x;
	unsigned also;

	(void)state;
	snprintf(one, sizeof(one), "%s", put("one.txt", "a.com\nb.com\n"));
	snprintf(two, sizeof(two), "%s", put("two.txt", "b.com\nc.com\n"));
	x = load(paths, 2, NULL, 1);
	assert_int_equal(x.head->n_entries, 3);
	assert_string_equal(listed_by(&x, "https://a.com/", &also), "first");
	assert_int_equal(also, 0);
	/* The feed that alerts speaks, in whatever order they come. */
	assert_string_equal(listed_by(&x, "https://b.com/", &also), "first");
	assert_int_equal(also, 1);
	assert_string_equal(listed_by(&x, "https://c.com/", NULL), "second");
	assert_int_equal(x.head->feed[1].hunt, 1);
	assert_int_equal(x.head->feed[1].n[FEED_KNOWN], 1);
	/* Nobody can change it. */
	assert_int_equal(ftruncate(x.fd, 0), -1);
	assert_int_equal(write(x.fd, "x", 1), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, x.fd, 0), MAP_FAILED);
	drop(&x);
}

static void directories(void **state)
{
	char dir[256];
	const char *paths[1] = { dir };
	struct index x;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/feed", place);
	assert_int_equal(mkdir(dir, 0700), 0);
	put("feed/one.txt", "a.com\n");
	put("feed/two.json",
	    "[{\"type\":\"indicator\",\"pattern\":\"[domain-name:value='b.com']\"}]");
	put("feed/.three.txt.tmp", "hidden.com\n");
	put("outside.txt", "outside.com\n");
	snprintf(dir + 200, 50, "%s/feed/link.txt", place);
	assert_int_equal(symlink("../outside.txt", dir + 200), 0);
	snprintf(dir + 200, 50, "%s/feed/sub", place);
	assert_int_equal(mkdir(dir + 200, 0700), 0);
	snprintf(dir, sizeof(dir), "%s/feed", place);
	x = load(paths, 1, NULL, 1);
	assert_int_equal(x.head->n_entries, 2);
	assert_false(x.head->feed[0].broken);
	assert_non_null(listed_by(&x, "https://a.com/", NULL));
	assert_non_null(listed_by(&x, "https://b.com/", NULL));
	assert_null(listed_by(&x, "https://outside.com/", NULL));
	drop(&x);
}

static void broken_feeds_keep_what_they_said(void **state)
{
	char one[256], two[256];
	const char *paths[2] = { one, two };
	struct index x, y, z;

	(void)state;
	snprintf(one, sizeof(one), "%s", put("one.txt", "a.com\n192.0.2.0/24\n"));
	snprintf(two, sizeof(two), "%s", put("two.txt", "c.com\n"));
	x = load(paths, 2, NULL, 1);
	/* The first breaks behind a new entry, the second changes. */
	put("one.txt", "{\"objects\":[{\"type\":\"indicator\",\"pattern\":"
		       "\"[domain-name:value='new.com']\"},");
	put("two.txt", "d.com\n");
	y = load(paths, 2, &x, 1);
	assert_int_equal(y.head->feed[0].broken, 1);
	assert_string_equal(y.head->feed[0].reason, "not complete JSON");
	assert_string_equal(listed_by(&y, "https://a.com/", NULL), "first");
	assert_string_equal(listed_by(&y, "https://192.0.2.77/", NULL), "first");
	assert_null(listed_by(&y, "https://new.com/", NULL));
	assert_null(listed_by(&y, "https://c.com/", NULL));
	assert_string_equal(listed_by(&y, "https://d.com/", NULL), "second");
	/* Gone: the same. Back: what it says now. */
	paths[0] = NULL;
	z = load(paths, 2, &y, 1);
	assert_string_equal(listed_by(&z, "https://a.com/", NULL), "first");
	assert_string_equal(z.head->feed[0].reason, "cannot be opened");
	drop(&y);
	put("one.txt", "e.com\n");
	paths[0] = one;
	y = load(paths, 2, &z, 1);
	assert_int_equal(y.head->feed[0].broken, 0);
	assert_null(listed_by(&y, "https://a.com/", NULL));
	assert_non_null(listed_by(&y, "https://e.com/", NULL));
	assert_int_not_equal(y.head->id, z.head->id);
	drop(&x);
	drop(&y);
	drop(&z);
}

static void for_tools(void **state)
{
	const char *paths[1];
	struct load_map m = { 0 };
	char why[256];

	(void)state;
	paths[0] = put("one.txt", "a.com\n");
	assert_int_equal(load_paths(paths, 1, 1, &m, why, sizeof(why)), 0);
	assert_string_equal(m.head->feed[0].name, "one.txt");
	load_unmap(&m);
	put("one.txt", "{");
	assert_int_equal(load_paths(paths, 1, 1, &m, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "one.txt: not complete JSON"));
	paths[0] = "/nonexistent/feed";
	assert_int_equal(load_paths(paths, 1, 1, &m, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/feed: "));
}

static void damaged_indexes_are_refused(void **state)
{
	struct intel_header h = { .magic = "EARINT1", .n_buckets = 1 };

	(void)state;
	assert_null(intel_open(span_of(&h, sizeof(h) - 1)));
	assert_null(intel_open(span_of(&h, sizeof(h)))); /* no room for its bucket */
	h.n_buckets = UINT64_MAX / 32;
	assert_null(intel_open(span_of(&h, sizeof(h))));
	h.n_buckets = 0;
	h.n_feeds = INTEL_FEEDS_MAX + 1;
	assert_null(intel_open(span_of(&h, sizeof(h))));
	h.magic[0] = 'x';
	assert_null(intel_open(span_of(&h, sizeof(h))));
	assert_null(intel_open(span_of(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(directories),
		cmocka_unit_test(broken_feeds_keep_what_they_said),
		cmocka_unit_test(for_tools),
		cmocka_unit_test(damaged_indexes_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
