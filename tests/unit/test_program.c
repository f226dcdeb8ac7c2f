/* tests/unit/test_program.c - programs that wait to be hashed: once each, again when reading was
 * interrupted, and told of all who run them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/program.h"

#define NONE ((pid_t)-1)

struct bench {
	struct processes procs;
	struct codefiles files;
	struct programs programs;
	unsigned told;	    /* processes, a bit each by pid */
	uint8_t sha256[32]; /* of the last one */
};

static void on_proc(void *ctx, const struct proc_info *p)
{
	struct bench *b = ctx;

	b->told |= 1u << p->tgid;
	memcpy(b->sha256, p->exe_sha256, sizeof(b->sha256));
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	b->programs =
	    (struct programs){ .files = &b->files, .procs = &b->procs, .proc = on_proc, .ctx = b };
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	processes_free(&b->procs);
	codefiles_free(&b->files);
	free(b);
	return 0;
}

/* A process that runs the program with this number, which waits to be hashed. */
static struct process *runs(struct bench *b, uint32_t pid, uint64_t ino)
{
	const struct process what = { .info = { .tgid = pid, .start_ns = pid },
				      .looked_up = true,
				      .exe = { .ino = ino },
				      .exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC) };
	struct process *p = process_add(&b->procs, &what);

	assert_non_null(p);
	assert_true(p->exe_fd >= 0);
	return p;
}

static pid_t next(struct bench *b, struct inode_key *key, int *fd)
{
	pid_t pid = NONE;

	*fd = program_next(&b->programs, key, &pid);
	return *fd >= 0 ? pid : NONE;
}

static void test_hashed(void **state)
{
	struct bench *b = *state;
	const uint8_t sha256[32] = { 1, 2, 3 };
	struct process *first = runs(b, 1, 70), *other = runs(b, 2, 71), *same = runs(b, 3, 70);
	auto_close int fd = -1, none = -1;
	struct inode_key key, last;

	assert_int_equal(next(b, &key, &fd), 1);
	assert_int_equal(key.ino, 70);
	assert_int_equal(first->exe_fd, -1);
	program_hashed(&b->programs, &key, fd, sha256);
	/* All who run it know; the second need not be read. */
	assert_int_equal(b->told, 1u << 1 | 1u << 3);
	assert_memory_equal(same->info.exe_sha256, sha256, 32);
	assert_int_equal(same->exe_fd, -1);
	assert_true(other->exe_fd >= 0);
	own_close(&fd);
	assert_int_equal(next(b, &last, &fd), 2);
	assert_int_equal(next(b, &last, &none), NONE);
}

static void test_interrupted(void **state)
{
	struct bench *b = *state;
	const uint8_t nothing[32] = {};
	struct process *p = runs(b, 1, 70);
	struct inode_key key;
	int fd;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(next(b, &key, &fd), 1);
		program_again(&b->programs, &key, fd);
		assert_int_equal(p->exe_fd, fd);
	}
	/* Looked at anew meanwhile, it waits already: the other descriptor is closed. */
	assert_int_equal(next(b, &key, &fd), 1);
	runs(b, 1, 70);
	program_again(&b->programs, &key, fd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(next(b, &key, &fd), 1);
	/* Nobody runs it any more. */
	process_gone(&b->procs, p);
	processes_expire(&b->procs, UINT64_MAX);
	program_again(&b->programs, &key, fd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(next(b, &key, &fd), NONE);
	assert_int_equal(b->told, 0);
	/* What cannot be read is not read again. */
	p = runs(b, 2, 70);
	assert_int_equal(next(b, &key, &fd), 2);
	program_hashed(&b->programs, &key, fd, nothing);
	own_close(&fd);
	assert_int_equal(b->told, 1u << 2);
	assert_int_equal(next(b, &key, &fd), NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hashed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
