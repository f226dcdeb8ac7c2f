/* tests/unit/test_filehash.c - known answers, and what cannot be read. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "capture/filehash.h"

static int file_of(const char *unit, size_t times)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = 0; i < times; i++)
		assert_int_equal(write(fd, unit, strlen(unit)), strlen(unit));
	return fd;
}

static void expect(int fd, const char *want)
{
	uint8_t hash[FILEHASH_LEN];
	char hex[65];

	assert_int_equal(filehash(fd, hash), 0);
	for (int i = 0; i < FILEHASH_LEN; i++)
		sprintf(hex + 2 * (size_t)i, "%02x", hash[i]);
	assert_string_equal(hex, want);
	close(fd);
}

/* FIPS 180-2, appendix B. */
static void test_known(void **state)
{
	(void)state;
	filehash_warm();
	expect(file_of("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect(file_of("abc", 1),
	       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect(file_of("aaaaaaaaaa", 100000),
	       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_refused(void **state)
{
	uint8_t hash[FILEHASH_LEN];
	int fd = file_of("x", 1);

	(void)state;
	assert_int_equal(filehash(-1, hash), -EBADF);
	close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(filehash(fd, hash), -EISDIR);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
