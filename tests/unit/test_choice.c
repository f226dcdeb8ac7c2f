/* tests/unit/test_choice.c - which programs and cgroups the patterns match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/choice.h"

static void test_matches(void **state)
{
	static const struct {
		const char *exe, *cgroup;
		bool chosen;
	} rows[] = {
		{ "/usr/bin/ollama", "/", true },
		{ "/usr/bin/ollama2", "/", false },
		{ "/bin/ollama", "/", false },
		{ "/opt/llama.cpp/build/bin/llama-server", "/", true },
		{ "/llama-server", "/", true },
		{ "/llama-server/x", "/", false },
		{ "/usr/bin/python3.11", "/system.slice/vllm.service", true },
		{ "", "/system.slice/vllm.service", true },
		{ "/usr/bin/python3.11", "/system.slice/vllm.service/worker", false },
		{ "/usr/bin/python3.11", "/kubepods.slice/pod1/cri-containerd-0123.scope", true },
		{ "/usr/bin/python3.11", "", false },
		{ "", "", false },
	};
	struct config c;

	(void)state;
	config_defaults(&c);
	assert_false(choice_asked(&c));
	assert_false(choice_matches(&c, "/usr/bin/ollama", "/"));
	c.capture.plain_executables =
	    (struct config_globs){ { "/usr/bin/ollama", "*/llama-server" }, 2 };
	assert_true(choice_asked(&c));
	c.capture.plain_cgroups = (struct config_globs){ { "*/vllm.service", "*/pod1/*" }, 2 };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (choice_matches(&c, rows[i].exe, rows[i].cgroup) != rows[i].chosen)
			fail_msg("%s in %s", rows[i].exe, rows[i].cgroup);
	c.capture.plain_executables.n = 0;
	assert_true(choice_asked(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_matches) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
