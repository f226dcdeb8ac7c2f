/* tests/unit/test_rules_dir.c - a folder of packs: which files, in which order, and whose. */
#include "config/rules_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/rule_pack.h"

static char dir[] = "/tmp/earshot-rules-XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

/* Names without the folder and contents, one after the other. */
static const char *read_all(const char *path, bool trusted)
{
	static char all[1024];
	struct buf b;
	char why[512];
	size_t at = 0, out = 0;

	if (rules_dir_read(path, trusted, true, &b, why, sizeof(why))) {
		snprintf(all, sizeof(all), "%s", why);
		buf_free(&b);
		return all;
	}
	*all = 0;
	while (at < b.len) {
		struct pack_file f;

		memcpy(&f, b.p + at, sizeof(f));
		at += sizeof(f);
		out += (size_t)snprintf(all + out, sizeof(all) - out, "%s=%.*s;",
					strrchr(f.name, '/') + 1, (int)f.len, b.p + at);
		at += f.len;
	}
	assert_int_equal(at, b.len);
	buf_free(&b);
	return all;
}

static void folder(void **state)
{
	char path[128];

	(void)state;
	assert_string_equal(read_all(dir, false), "");
	put("20.yaml", "two", 0644);
	put("10.yml", "one", 0600);
	put("30.yaml", "", 0644);
	put(".hidden.yaml", "no", 0644);
	put("notes.txt", "no", 0644);
	put("x.yaml.bak", "no", 0644);
	assert_string_equal(read_all(dir, false), "10.yml=one;20.yaml=two;30.yaml=;");
	snprintf(path, sizeof(path), "%s/notes.txt", dir);
	assert_string_equal(read_all(path, false), "notes.txt=no;");
	if (!geteuid())
		assert_string_equal(read_all(dir, true), "10.yml=one;20.yaml=two;30.yaml=;");
}

static void refused(void **state)
{
	char path[128], why[512];
	struct buf b;

	(void)state;
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(rules_dir_read(path, true, false, &b, why, sizeof(why)), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(rules_dir_read(path, true, true, &b, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/none: No such file"));
	put("open.yaml", "x", 0666);
	assert_non_null(strstr(read_all(dir, true), "others than root may write it\n"));
	assert_null(strstr(read_all(dir, false), "others"));
	drop("open.yaml");
	assert_int_equal(chmod(dir, 0777), 0);
	assert_non_null(strstr(read_all(dir, true), "others than root may write it\n"));
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/big.yaml", dir);
	put("big.yaml", "x", 0600);
	assert_int_equal(truncate(path, PACK_FILE_MAX + 1), 0);
	assert_non_null(strstr(read_all(dir, false), "big.yaml: larger than 1 MiB\n"));
	drop("big.yaml");
	snprintf(path, sizeof(path), "%s/fifo.yaml", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_non_null(strstr(read_all(dir, false), "fifo.yaml: not a regular file\n"));
	drop("fifo.yaml");
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "20.yaml",	     "10.yml",	  "30.yaml",
					     ".hidden.yaml", "notes.txt", "x.yaml.bak" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		drop(names[i]);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folder),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
