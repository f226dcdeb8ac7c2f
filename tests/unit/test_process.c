/* tests/unit/test_process.c - the table of processes: numbers that are used again, parents that are
 * gone.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proc/process.h"

static struct process like(uint32_t pid, uint64_t start_s, const char *comm)
{
	struct process p = { .info = { .tgid = pid, .start_ns = start_s * NS_PER_SEC },
			     .exe_fd = -1 };

	strcpy(p.info.comm, comm);
	return p;
}

static struct process *add(struct processes *ps, uint32_t pid, uint64_t start_s, const char *comm)
{
	struct process what = like(pid, start_s, comm), *p = process_add(ps, &what);

	assert_non_null(p);
	return p;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct processes));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	processes_free(*state);
	free(*state);
	return 0;
}

static void test_number_used_again(void **state)
{
	struct processes *ps = *state;
	struct process *first = add(ps, 7, 1, "first"), *second = add(ps, 7, 2, "second");

	assert_ptr_not_equal(first, second);
	assert_ptr_equal(process_of(ps, 7), second);
	assert_int_not_equal(first->gone_ns, 0);
	assert_int_equal(second->gone_ns, 0);
	assert_ptr_equal(process_met(ps, 7, 1 * NS_PER_SEC), first);
	assert_ptr_equal(process_met(ps, 7, 2 * NS_PER_SEC), second);
	assert_null(process_met(ps, 7, 3 * NS_PER_SEC));
	/* The one that is gone cannot go again, nor take the other with it. */
	process_gone(ps, first);
	assert_ptr_equal(process_of(ps, 7), second);
}

static void test_known_anew(void **state)
{
	struct processes *ps = *state;
	struct process *p = add(ps, 7, 1, "before");

	/* Another in the same list, so that its place in that matters. */
	add(ps, 7 + PROCESSES_PIDS, 1, "neighbour");
	p->exe_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	int fd = p->exe_fd;

	assert_true(fd >= 0);
	assert_ptr_equal(add(ps, 7, 1, "after"), p);
	assert_string_equal(p->info.comm, "after");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(ps->n, 2);
	assert_string_equal(process_of(ps, 7 + PROCESSES_PIDS)->info.comm, "neighbour");
}

static void test_parent(void **state)
{
	struct processes *ps = *state;

	add(ps, 7, 1, "older");
	process_gone(ps, add(ps, 7, 5, "parent"));
	add(ps, 7, 9, "younger");
	assert_string_equal(process_parent(ps, 7, 8 * NS_PER_SEC)->info.comm, "parent");
	assert_string_equal(process_parent(ps, 7, 9 * NS_PER_SEC)->info.comm, "younger");
	assert_null(process_parent(ps, 7, NS_PER_SEC / 2));
	assert_null(process_parent(ps, 8, 8 * NS_PER_SEC));
}

static void test_fork(void **state)
{
	struct processes *ps = *state;
	const struct process *parent = add(ps, 7, 1, "python"), *child;

	strcpy(process_of(ps, 7)->info.exe, "/usr/bin/python3");
	child = process_fork(ps, &parent->info, 8, 2 * NS_PER_SEC);
	assert_ptr_equal(process_of(ps, 8), child);
	assert_int_equal(child->info.ppid, 7);
	assert_int_equal(child->info.start_ns, 2 * NS_PER_SEC);
	assert_int_equal(child->info.flags, PROC_FORKED);
	assert_string_equal(child->info.exe, "/usr/bin/python3");
	assert_int_equal(child->exe_fd, -1);
	assert_int_equal(parent->info.flags, 0);
}

static void test_expiry(void **state)
{
	struct processes *ps = *state;
	uint64_t t;

	process_gone(ps, add(ps, 7, 1, "gone"));
	add(ps, 8, 1, "runs");
	t = process_met(ps, 7, NS_PER_SEC)->gone_ns;
	processes_expire(ps, t);
	assert_non_null(process_met(ps, 7, NS_PER_SEC));
	processes_expire(ps, t + 1);
	assert_null(process_met(ps, 7, NS_PER_SEC));
	assert_non_null(process_of(ps, 8));
	assert_int_equal(ps->n, 1);
}

static void test_full(void **state)
{
	struct processes *ps = *state;
	const struct process *parent;

	for (uint32_t pid = 1; pid <= PROCESSES_MAX; pid++)
		add(ps, pid, 1, "runs");
	process_gone(ps, process_of(ps, 20));
	/* What is gone gives way first, then the first that came; also to its own child. */
	add(ps, PROCESSES_MAX + 1, 1, "new");
	assert_null(process_met(ps, 20, NS_PER_SEC));
	assert_non_null(process_of(ps, 20 + PROCESSES_PIDS));
	parent = process_of(ps, 1);
	assert_non_null(parent);
	assert_int_equal(process_fork(ps, &parent->info, PROCESSES_MAX + 2, NS_PER_SEC)->info.ppid,
			 1);
	assert_null(process_of(ps, 1));
	assert_int_equal(ps->n, PROCESSES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_number_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
