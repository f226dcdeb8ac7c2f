/* tests/unit/test_features.c - a kernel on which a confined process dies of a return probe, played:
 * the system call that such kernels make on return is made by the probed function itself, as soon
 * as the probe is "attached". What is decided from it is the real code.
 */
#include "capture/features.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/own.h"
#include "capture/link.h"

static struct {
	bool attached, kills;
	int attach_err;
} kernel;

/* In place of those of link.c, which asks the real kernel. */
int link_attach_type(enum capture_method method, enum leg leg)
{
	(void)method;
	(void)leg;
	return 0;
}

int links_add(struct links *l, enum capture_method method, enum leg leg, int prog_fd, int file_fd,
	      const struct place *places, size_t n)
{
	(void)l, (void)method, (void)leg, (void)prog_fd, (void)file_fd;
	assert_int_equal(n, 1);
	assert_true(places->offset); /* where the probed function is in its file */
	kernel.attached = !kernel.attach_err;
	return kernel.attach_err;
}

void links_free(struct links *l)
{
	(void)l;
	kernel.attached = false;
}

int feature_probed(int v)
{
	if (kernel.attached && kernel.kills)
		syscall(SYS_getppid); /* any that the filter does not know */
	return v + 1;
}

/* In place of libbpf's. */
int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
		  const struct bpf_insn *insns, size_t n, struct bpf_prog_load_opts *opts)
{
	(void)type, (void)name, (void)license, (void)insns, (void)n, (void)opts;
	return dup(STDERR_FILENO);
}

static void test_survives(void **state)
{
	(void)state;
	kernel = (typeof(kernel)){ 0 };
	assert_int_equal(feature_return_probes(CAPTURE_MULTI), 1);
	assert_false(kernel.attached);
}

static void test_killed(void **state)
{
	(void)state;
	kernel = (typeof(kernel)){ .kills = true };
	assert_int_equal(feature_return_probes(CAPTURE_SESSION), 0);
	assert_false(kernel.attached);
}

static void test_not_attached(void **state)
{
	(void)state;
	kernel = (typeof(kernel)){ .attach_err = -EACCES };
	assert_int_equal(feature_return_probes(CAPTURE_PERF), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_not_attached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
