/* tests/unit/test_capture.c - what capture refuses to start on, and the sentence that says so.
 * Kernels are played by their features.
 */
#include "capture/capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "capture/features.h"

static struct {
	int has[FEAT_MAX_];
	int privilege;
	enum capture_method tried; /* by the return probe */
} kernel;

/* In place of features.c. */
const struct feature_row features[FEAT_MAX_] = {
	[FEAT_BTF] = { "btf", "5.4", "gives", "without", true },
	[FEAT_RINGBUF] = { "ring-buffer", "5.8", "gives", "without", true },
	[FEAT_UPROBE_MULTI] = { "uprobe-multi", "6.6", "gives", "without", false },
	[FEAT_UPROBE_SESSION] = { "uprobe-session", "6.13", "gives", "without", false },
	[FEAT_SOCK_LENGTH] = { "sock-length", "6.3", "gives", "without", false },
	[FEAT_SOCK_EXIT] = { "sock-exit", "5.5", "gives", "without", false, true },
	[FEAT_TABLES_GROW] = { "tables-grow", "6.1", "gives", "without", false },
	[FEAT_RETURN_PROBES] = { "return-probes", "3.10", "gives", "without", true },
};

int feature_probe(enum feature f)
{
	return kernel.has[f];
}

bool feature_function(const char *name)
{
	(void)name;
	return false;
}

int feature_privilege(char *why, size_t why_size)
{
	if (kernel.privilege)
		strncpy(why, "CAP_BPF is missing", why_size);
	return kernel.privilege;
}

int feature_return_probes(enum capture_method method)
{
	kernel.tried = method;
	return kernel.has[FEAT_RETURN_PROBES];
}

static void refused(int err, const char *word, int method)
{
	struct capture_opts o = { .ring_bytes = 1 << 20,
				  .max_conns = 64,
				  .max_call_bytes = 1 << 20,
				  .share = 50,
				  .method = method };
	struct capture *c = NULL;
	char why[256] = "";

	assert_int_equal(capture_new(&c, &o, why, sizeof(why)), err);
	assert_null(c);
	assert_non_null(strstr(why, word));
}

static void modern(void)
{
	kernel = (typeof(kernel)){ 0 };
	for (int f = 0; f < FEAT_MAX_; f++)
		kernel.has[f] = 1;
}

/* Whatever its version says: what kills is not probed, by any method. */
static void test_deadly(void **state)
{
	(void)state;
	modern();
	kernel.has[FEAT_RETURN_PROBES] = 0;
	refused(-EOPNOTSUPP, "kills processes under seccomp", -1);
	assert_int_equal(kernel.tried, CAPTURE_SESSION);
	kernel.has[FEAT_UPROBE_SESSION] = 0;
	refused(-EOPNOTSUPP, "kills processes under seccomp", -1);
	assert_int_equal(kernel.tried, CAPTURE_MULTI);
	refused(-EOPNOTSUPP, "kills processes under seccomp", CAPTURE_PERF);
	assert_int_equal(kernel.tried, CAPTURE_PERF);
}

static void test_lacking(void **state)
{
	(void)state;
	modern();
	kernel.has[FEAT_BTF] = 0;
	refused(-EOPNOTSUPP, "btf", -1);
	modern();
	kernel.has[FEAT_RINGBUF] = -EPERM;
	refused(-EPERM, "not permitted", -1);
	modern();
	kernel.has[FEAT_UPROBE_SESSION] = 0;
	refused(-EOPNOTSUPP, "uprobe-session", CAPTURE_SESSION);
	modern();
	kernel.has[FEAT_RETURN_PROBES] = -EACCES;
	refused(-EPERM, "CAP_SYS_ADMIN", -1);
	modern();
	kernel.privilege = -EPERM;
	refused(-EPERM, "CAP_BPF", -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadly),
		cmocka_unit_test(test_lacking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
