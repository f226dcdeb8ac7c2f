/* tests/unit/test_config.c - every key read, every mistake named with its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "capture/capture.h"
#include "config/config.h"

static void test_empty_is_defaults(void **state)
{
	static const char *const documents[] = { "", "\n# nothing\n", "---\n",
						 "capture:\ndetect:\n", "{}" };
	struct config want, got;
	char errors[CONFIG_ERRORS_MAX];

	(void)state;
	config_defaults(&want);
	assert_int_equal(config_parse(&got, (struct span){ NULL, 0 }, "f", errors),
			 0); /* no file */
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		memset(&got, 0xa5, sizeof(got));
		if (config_parse(&got, span_str(documents[i]), "f", errors))
			fail_msg("'%s': %s", documents[i], errors);
		assert_string_equal(got.state_dir, want.state_dir);
		assert_string_equal(got.run_dir, "/run/earshot");
		assert_int_equal(got.capture.ring_bytes, want.capture.ring_bytes);
		assert_int_equal(got.n_exports, 0);
		for (int k = 0; k < KIND_MAX_; k++)
			assert_int_equal(got.detect.modes[k], kinds[k].mode);
	}
}

static void test_every_key(void **state)
{
	static const char yaml[] = "state_dir: /s\nrun_dir: \"/r\"\nhost: gpu-7\nlog_level: debug\n"
				   "capture:\n  method: perf\n  ring_size: 1 MiB\n  "
				   "max_connections: 100\n  max_call_size: 65536\n"
				   "  budget:\n    share: 7\n    calls: 0\n  mute: off\n"
				   "  plaintext:\n    ports: [11434, 8000]\n"
				   "    executables: [/usr/bin/ollama, \"*/llama-server\"]\n"
				   "    cgroups: [\"*/vllm.service\"]\n"
				   "detect:\n  cache_size: 2MiB\n  kinds:\n    sensor.loss: hunt\n "
				   "   sensor.restart: off\n"
				   "  intel:\n  - path: /f/list.txt\n  - path: /f/misp\n"
				   "    name: ours\n    mode: hunt\n"
				   "evidence:\n  mode: none\n"
				   "export:\n  - type: https\n    url: https://up.example/v1\n    "
				   "ca: /ca\n    cert: /c\n    key: /k\n";
	struct config c;
	char errors[CONFIG_ERRORS_MAX];

	(void)state;
	if (config_parse(&c, SPAN_LIT(yaml), "f", errors))
		fail_msg("%s", errors);
	assert_int_equal(c.detect.n_intel, 2);
	assert_string_equal(c.detect.intel[0].name, "list.txt");
	assert_int_equal(c.detect.intel[0].mode, MODE_ALERT);
	assert_string_equal(c.detect.intel[1].path, "/f/misp");
	assert_string_equal(c.detect.intel[1].name, "ours");
	assert_int_equal(c.detect.intel[1].mode, MODE_HUNT);
	assert_string_equal(c.state_dir, "/s");
	assert_string_equal(c.run_dir, "/r");
	assert_string_equal(c.host, "gpu-7");
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c.capture.method, 1 + CAPTURE_PERF);
	assert_int_equal(c.capture.ring_bytes, 1 << 20);
	assert_int_equal(c.capture.max_connections, 100);
	assert_int_equal(c.capture.max_call_bytes, 65536);
	assert_int_equal(c.capture.share, 7);
	assert_int_equal(c.capture.max_calls, 0);
	assert_int_equal(c.capture.mute, 0);
	assert_int_equal(c.capture.n_plain_ports, 2);
	assert_int_equal(c.capture.plain_ports[0], 11434);
	assert_int_equal(c.capture.plain_ports[1], 8000);
	assert_int_equal(c.capture.plain_executables.n, 2);
	assert_string_equal(c.capture.plain_executables.glob[0], "/usr/bin/ollama");
	assert_string_equal(c.capture.plain_executables.glob[1], "*/llama-server");
	assert_int_equal(c.capture.plain_cgroups.n, 1);
	assert_string_equal(c.capture.plain_cgroups.glob[0], "*/vllm.service");
	assert_int_equal(c.detect.cache_bytes, 2 << 20);
	assert_int_equal(c.detect.modes[kind_find("sensor.loss")], MODE_HUNT);
	assert_int_equal(c.detect.modes[kind_find("sensor.restart")], MODE_OFF);
	assert_int_equal(c.evidence, EVIDENCE_NONE);
	assert_int_equal(c.n_exports, 1);
	assert_string_equal(c.export[0].url, "https://up.example/v1");
	assert_string_equal(c.export[0].ca, "/ca");
	assert_string_equal(c.export[0].cert, "/c");
	assert_string_equal(c.export[0].key, "/k");
}

/* The names stand in config.c for itself, so that the compiler needs no libbpf. */
static void test_methods(void **state)
{
	struct config c;
	char yaml[64], errors[CONFIG_ERRORS_MAX];

	(void)state;
	for (int m = 0; m < CAPTURE_METHOD_MAX_; m++) {
		snprintf(yaml, sizeof(yaml), "capture: {method: %s}\n", capture_method_names[m]);
		assert_int_equal(config_parse(&c, span_str(yaml), "f", errors), 0);
		assert_int_equal(c.capture.method, 1 + m);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *yaml, *error;
	} rows[] = {
		{ "statedir: /x\n", "f:1:1: unknown key 'statedir'\n" },
		{ "capture:\n  ring: 1\n", "f:2:3: unknown key 'ring' in capture\n" },
		{ "state_dir: x\n", "f:1:12: state_dir: 'x' is not an absolute path\n" },
		{ "state_dir: [a]\n", "f:1:12: state_dir: expected a value, found a list\n" },
		{ "capture: 7\n", "f:1:10: capture: expected a mapping, found a value\n" },
		{ "capture:\n  ring_size: 3 MiB\n", "f:2:14: ring_size: not a power of two\n" },
		{ "capture:\n  ring_size: many\n", "f:2:14: ring_size: 'many' is not a number\n" },
		{ "capture:\n  ring_size: -1\n", "f:2:14: ring_size: '-1' is not a number\n" },
		{ "capture:\n  ring_size: 1 MB\n",
		  "f:2:14: ring_size: '1 MB' has an unknown unit (KiB, MiB, GiB)\n" },
		{ "capture:\n  max_connections: 1\n",
		  "f:2:20: max_connections: 1 is out of range, 64 to 1048576\n" },
		{ "capture: {plaintext: {ports: 80}}\n",
		  "f:1:30: ports: expected a list, found a value\n" },
		{ "capture: {plaintext: {ports: [80, 65536, http]}}\n",
		  "f:1:35: ports: 65536 is out of range, 1 to 65535\nf:1:42: ports: 'http' is "
		  "not a number\n" },
		{ "capture: {plaintext: {executables: /bin/a}}\n",
		  "f:1:36: executables: expected a list, found a value\n" },
		{ "capture: {plaintext: {executables: [\"*\", ollama]}}\n",
		  "f:1:42: executables: 'ollama' begins with neither a slash nor an asterisk\n" },
		{ "capture: {plaintext: true}\n",
		  "f:1:22: plaintext: expected a mapping, found a value\n" },
		{ "capture: {budget: {share: 0}}\n",
		  "f:1:27: share: 0 is out of range, 1 to 100\n" },
		{ "capture:\n  ring_size: 99999999999999999999\n",
		  "f:2:14: ring_size: '99999999999999999999' is not a number\n" },
		{ "log_level: loud\n",
		  "f:1:12: log_level: 'loud' is none of: error, warning, info, debug\n" },
		{ "detect:\n  intel:\n  - path: /a/x\n  - path: /b/x\n",
		  "f:4:5: intel: two feeds are called 'x'\n" },
		{ "detect:\n  intel:\n  - name: x\n", "f:3:5: intel: path is missing\n" },
		{ "detect:\n  intel: /a/x\n", "f:2:10: intel: expected a list, found a value\n" },
		{ "detect:\n  kinds:\n    no.such: hunt\n",
		  "f:3:5: kinds: 'no.such' is no kind of alert\n" },
		{ "detect:\n  kinds:\n    sensor.loss: loud\n",
		  "f:3:18: sensor.loss: 'loud' is none of: alert, hunt, off\n" },
		{ "run_dir: /a\nrun_dir: /b\n", "f:2:1: 'run_dir' is given twice\n" },
		{ "export: {}\n", "f:1:9: export: expected a list, found a mapping\n" },
		{ "export:\n  - url: https://x\n", "f:2:5: export: type is missing\n" },
		{ "export:\n  - type: https\n", "f:2:5: export: url is missing\n" },
		{ "export:\n  - type: https\n    url: http://x\n",
		  "f:3:10: url: 'http://x' does not begin with https://\nf:2:5: export: url is "
		  "missing\n" },
		{ "export:\n  - type: https\n    url: https://x\n    cert: /c\n",
		  "f:2:5: export: cert and key go together\n" },
		{ "a: b\n---\nc: d\n", "f:1:1: unknown key 'a'\nf:3:1: a second document\n" },
		{ "a: [\n", "f:2:1: did not find expected node content\n" },
		{ "- a\n", "f:1:1: the document: expected a mapping, found a list\n" },
		{ "host: \"a\\0b\"\n", "f:1:7: host: holds a NUL character\n" },
		{ "\"\\e[31m\": 1\n", "f:1:1: unknown key '\\x1b[31m'\n" },
	};
	struct config c;
	char errors[CONFIG_ERRORS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&c, 0xa5, sizeof(c));
		assert_int_equal(config_parse(&c, span_str(rows[i].yaml), "f", errors), -EINVAL);
		assert_string_equal(errors, rows[i].error);
		assert_int_equal((uint8_t)c.state_dir[0], 0xa5); /* not written */
	}
}

/* Nested aliases and anchors that hold themselves end soon. */
static void test_bombs(void **state)
{
	static const char bomb[] =
	    "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\n"
	    "d: &d [*c,*c,*c,*c,*c,*c]\ncapture: &e {ring_size: *d}\n";
	static const char loop[] = "capture: &c\n  ring_size: *c\n";
	struct config c;
	char errors[CONFIG_ERRORS_MAX];
	struct buf b = BUF(1 << 20);

	(void)state;
	assert_int_equal(config_parse(&c, SPAN_LIT(bomb), "f", errors), -EINVAL);
	assert_int_equal(config_parse(&c, SPAN_LIT(loop), "f", errors), -EINVAL);
	assert_string_equal(errors, "f:1:10: ring_size: expected a value, found a mapping\n");
	/* More errors than the text holds: whole lines, no overrun. */
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buf_add(&b, SPAN_LIT("? [k]\n: v\n")), 0);
	assert_int_equal(config_parse(&c, buf_span(&b), "f", errors), -EINVAL);
	assert_true(strlen(errors) < CONFIG_ERRORS_MAX);
	assert_int_equal(errors[strlen(errors) - 1], '\n');
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_is_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
