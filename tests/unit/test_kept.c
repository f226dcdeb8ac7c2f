/* tests/unit/test_kept.c - what is kept comes back whole and sealed; what is not a kept image does
 * not. */
#include "proc/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"

#define LEN (3 * 65536 + 5)

static char path[] = "/tmp/test_kept.XXXXXX";
static int dir = -1;
static uint8_t made[LEN], got[LEN + 1];

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN; i++)
		made[i] = (uint8_t)(i * 31 + i / 251);
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int empty(void **state)
{
	(void)state;
	unlinkat(dir, "patterns", 0);
	unlinkat(dir, "patterns.new", 0);
	return 0;
}

static int teardown(void **state)
{
	empty(state);
	close(dir);
	return rmdir(path);
}

static int image(size_t len)
{
	int fd = memfd_create("made", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, made, len), len);
	return fd;
}

static void assert_kept(size_t len)
{
	auto_close int fd = kept_open(dir);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, got, sizeof(got), 0), len);
	assert_memory_equal(got, made, len);
	/* Nobody can change it under who checks it. */
	assert_true(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
	assert_true(ftruncate(fd, 0) < 0 && errno == EPERM);
}

static void comes_back(void **state)
{
	auto_close int fd = image(LEN), shorter = image(100);
	struct stat st;

	(void)state;
	assert_int_equal(kept_open(dir), -1);
	assert_int_equal(kept_put(dir, fd), 0);
	assert_kept(LEN);
	assert_int_equal(kept_put(dir, shorter), 0);
	assert_kept(100);
	assert_int_equal(fstatat(dir, "patterns", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fstatat(dir, "patterns.new", &st, 0) < 0);
}

/* One that an earlier run was killed over is in nobody's way. */
static void half_written(void **state)
{
	auto_close int fd = image(LEN);
	auto_close int half = openat(dir, "patterns.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)state;
	assert_int_equal(write(half, "half", 4), 4);
	assert_int_equal(kept_open(dir), -1);
	assert_int_equal(kept_put(dir, fd), 0);
	assert_kept(LEN);
}

static void what_cannot_be_kept(void **state)
{
	auto_close int good = image(LEN), bad = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	(void)state;
	assert_int_equal(kept_put(dir, good), 0);
	assert_true(kept_put(dir, bad) < 0);
	assert_true(fstatat(dir, "patterns.new", &st, 0) < 0);
	/* What was kept before still is. */
	assert_kept(LEN);
}

static void nowhere(void **state)
{
	auto_close int fd = image(1);

	(void)state;
	assert_int_equal(kept_put(-1, fd), 0);
	assert_int_equal(kept_open(-1), -1);
}

static void what_is_no_image(void **state)
{
	auto_close int fd = -1;

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", dir, "patterns"), 0);
	assert_int_equal(kept_open(dir), -1);
	unlinkat(dir, "patterns", 0);
	assert_int_equal(mkfifoat(dir, "patterns", 0600), 0);
	assert_int_equal(kept_open(dir), -1);
	unlinkat(dir, "patterns", 0);
	fd = openat(dir, "patterns", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(kept_open(dir), -1);
	assert_int_equal(ftruncate(fd, (off_t)1 << 30), 0);
	assert_int_equal(kept_open(dir), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(comes_back, empty),
		cmocka_unit_test_setup(half_written, empty),
		cmocka_unit_test_setup(what_cannot_be_kept, empty),
		cmocka_unit_test_setup(nowhere, empty),
		cmocka_unit_test_setup(what_is_no_image, empty),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
