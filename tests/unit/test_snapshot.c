/* tests/unit/test_snapshot.c - a made-up /proc and pod log directory; and this very process. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/snapshot.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "1b4e28ba-2fa1-11d2-883f-0016d3cca427"

static const struct {
	const char *text, *cgroup, *container, *unit, *pod;
} cgroups[] = {
	{ "0::/system.slice/nginx.service\n", "/system.slice/nginx.service", "", "nginx.service",
	  "" },
	{ "0::/\n", "/", "", "", "" },
	{ "", "", "", "", "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n",
	  "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "", "app-x.scope",
	  "" },
	{ "0::/system.slice/docker-" ID ".scope\n", "/system.slice/docker-" ID ".scope", ID,
	  "docker-" ID ".scope", "" },
	{ "12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n0::/\n", "/docker/" ID, ID, "",
	  "" },
	/* hybrid, the unified part not used: systemd's line rather than a longer one */
	{ "3:cpu,cpuacct:/a/very/long/path/that/says/nothing\n1:name=systemd:/system.slice/"
	  "x.service\n0::/\n",
	  "/system.slice/x.service", "", "x.service", "" },
	{ "2:cpu:/\n4:memory:/box/7\n", "/box/7", "", "", "" },
	{ "0::/kubepods.slice/kubepods-burstable.slice/"
	  "kubepods-burstable-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice/"
	  "cri-containerd-" ID ".scope\n",
	  "/kubepods.slice/kubepods-burstable.slice/"
	  "kubepods-burstable-pod1b4e28ba_2fa1_11d2_883f_0016d3cca427.slice/"
	  "cri-containerd-" ID ".scope",
	  ID, "cri-containerd-" ID ".scope", UID },
	{ "0::/kubepods/besteffort/pod" UID "/" ID "\n", "/kubepods/besteffort/pod" UID "/" ID, ID,
	  "", UID },
	{ "0::/kubepods/pod" UID "/crio-" ID ".scope/container\n",
	  "/kubepods/pod" UID "/crio-" ID ".scope/container", ID, "crio-" ID ".scope", UID },
	{ "0::/machine.slice/libpod-" ID ".scope/container\n",
	  "/machine.slice/libpod-" ID ".scope/container", ID, "libpod-" ID ".scope", "" },
	{ "0::/docker/" ID "/docker/" ID2 "\n", "/docker/" ID "/docker/" ID2, ID2, "",
	  "" }, /* the inner one */
	{ "0::/podman/pods/" ID "a\n", "/podman/pods/" ID "a", "", "",
	  "" }, /* 65 digits are no id */
	{ "0::/kubepods/pod0123456789abcdef0123456789abcdef/" ID "\n",
	  "/kubepods/pod0123456789abcdef0123456789abcdef/" ID, ID, "",
	  "0123456789abcdef0123456789abcdef" },
	{ ":::\n\n::\nx", "", "", "", "" },
};

static void test_cgroup(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		struct proc_info p = {};

		snapshot_cgroup(span_str(cgroups[i].text), &p);
		assert_string_equal(p.cgroup, cgroups[i].cgroup);
		assert_string_equal(p.container, cgroups[i].container);
		assert_string_equal(p.unit, cgroups[i].unit);
		assert_string_equal(p.pod_uid, cgroups[i].pod);
	}
}

#define LINE(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s)                                                                       \
	}

static const struct {
	const char *args;
	size_t len;
	const char *out;
} lines[] = {
	{ "", 0, "" },
	{ "nginx", 5, "nginx" }, /* cut by the buffer: no last NUL */
	{ "vllm\0serve\0--model\0x", 20, "vllm serve --model x" },
	{ "vllm\0--api-key\0sk-1\0--port\0"
	  "80",
	  29, "vllm --api-key *** --port 80" },
	{ "vllm\0--api-key=sk-1\0-x", 22, "vllm --api-key=*** -x" },
	{ "srv\0--token\0--port\0"
	  "80",
	  21, "srv --token --port 80" }, /* a flag without a value */
	{ "srv\0--tokenizer\0meta/llama\0--max-tokens\0"
	  "5",
	  41, "srv --tokenizer meta/llama --max-tokens 5" },
	{ "env\0OPENAI_API_KEY=sk-1\0python\0a.py", 35, "env OPENAI_API_KEY=*** python a.py" },
	{ "mysql\0--password=x y\0db", 24, "mysql --password=*** db" },
	{ "curl\0-H\0Authorization: Bearer sk-1\0url", 39, "curl -H Authorization:*** url" },
	{ "curl\0-H\0x-api-key: 1\0url", 25, "curl -H x-api-key:*** url" },
	{ "curl\0-u\0joe:pw\0url", 19, "curl -u joe:*** url" },
	{ "sh\0-c\0curl -H 'Authorization: Bearer sk-1' u", 44,
	  "sh -c curl -H 'Authorization:***" },
	{ "sh\0-c\0serve --hf-token abc --port 1", 35, "sh -c serve --hf-token ***" },
	{ "x\0{\"api_key\": \"sk-1\"}", 21, "x {\"api_key\":***" },
	{ "app\0postgres://joe:pw@db/x\0y", 28, "app postgres://*** y" },
	{ "app\0https://api.example/v1", 26, "app https://api.example/v1" },
	{ "ssh\0-i\0server.key\0host", 22, "ssh -i server.key host" },
};

static void test_cmdline(void **state)
{
	char out[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		snapshot_cmdline(span_of(lines[i].args, lines[i].len), out, sizeof(out));
		assert_string_equal(out, lines[i].out);
		/* In a buffer of any size: the same, cut. */
		for (size_t size = 1; size < sizeof(out); size += 7) {
			auto_mem char *small = malloc(size);

			snapshot_cmdline(span_of(lines[i].args, lines[i].len), small, size);
			assert_int_equal(strncmp(small, lines[i].out, size - 1), 0);
			assert_int_equal(strlen(small), MIN(strlen(lines[i].out), size - 1));
		}
	}
}

/* --- a made-up /proc */

static char root[] = "/tmp/test-snapshot-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void put_dir(const char *name)
{
	assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static void put_file(const char *name, const char *text, size_t len)
{
	auto_file FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
}

static void put_link(const char *name, const char *to)
{
	assert_int_equal(symlink(to, path_of(name)), 0);
}

static int set_up(void **state)
{
	static const char stat[] =
	    "42 (evil) S 1 (\n) S 7 42 42 0 -1 4194560 1 0 0 0 5 3 0 0 20 0 9 0 297957 1 1 1 1 1 1";
	static const char status[] = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t5\n";
	static const char cgroup[] = "0::/kubepods/burstable/pod" UID "/" ID "\n";
	static const char cmdline[] = "python\0--token\0abc";

	(void)state;
	assert_non_null(mkdtemp(root));
	put_dir("proc");
	put_dir("proc/42");
	put_file("proc/42/stat", stat, strlen(stat));
	put_file("proc/42/status", status, strlen(status));
	put_file("proc/42/cgroup", cgroup, strlen(cgroup));
	put_file("proc/42/cmdline", cmdline, sizeof(cmdline));
	put_link("proc/42/exe", "/opt/app (deleted)");
	put_dir("proc/42/fd");
	put_link("proc/42/fd/0", "socket:[1]");
	put_link("proc/42/fd/1", "/dev/nvidia0");
	put_dir("proc/43"); /* going away while we look */
	put_dir("proc/44");
	put_file("proc/44/stat", "44 (cut", 7);
	put_dir("pods");
	put_dir("pods/other_pod_99");
	put_dir("pods/prod_llm-7d4b_" UID);
	put_dir("pods/prod_llm-7d4b_" UID "/server");
	put_file("passwd", "root:x:0:0::/:\nbad line\njoe:x:1000:1::/:\n", 41);
	return 0;
}

static int tear_down(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd);
}

static void snap(pid_t pid, struct proc_info *ret, int want)
{
	char proc[64], pods[64], passwd[64];
	const struct snapshot_roots roots = { proc, pods, passwd };

	snprintf(proc, sizeof(proc), "%s/proc", root);
	snprintf(pods, sizeof(pods), "%s/pods", root);
	snprintf(passwd, sizeof(passwd), "%s/passwd", root);
	assert_int_equal(snapshot_at(&roots, pid, ret), want);
}

static void test_process(void **state)
{
	struct proc_info p;

	(void)state;
	snap(42, &p, 0);
	assert_int_equal(p.tgid, 42);
	assert_int_equal(p.ppid, 7);
	assert_string_equal(p.comm, "evil) S 1 (\n");
	assert_int_equal(p.start_ns,
			 UINT64_C(297957) * NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	assert_int_equal(p.uid, 1000);
	assert_string_equal(p.user, "joe");
	assert_string_equal(p.exe, "/opt/app (deleted)");
	assert_string_equal(p.cmdline, "python --token ***");
	assert_string_equal(p.container, ID);
	assert_string_equal(p.pod_uid, UID);
	assert_string_equal(p.pod_namespace, "prod");
	assert_string_equal(p.pod_name, "llm-7d4b");
	assert_string_equal(p.container_name, "server");
	assert_int_equal(p.flags, PROC_GPU);
}

/* With two containers only Docker's log link tells which. */
static void test_containers(void **state)
{
	struct proc_info p;

	(void)state;
	put_dir("pods/prod_llm-7d4b_" UID "/sidecar");
	snap(42, &p, 0);
	assert_string_equal(p.pod_name, "llm-7d4b");
	assert_string_equal(p.container_name, "");
	put_link("pods/prod_llm-7d4b_" UID "/sidecar/0.log",
		 "/var/lib/docker/containers/" ID "/" ID "-json.log");
	snap(42, &p, 0);
	assert_string_equal(p.container_name, "sidecar");
}

static void test_gone(void **state)
{
	struct proc_info p;

	(void)state;
	snap(41, &p, -ESRCH);
	snap(43, &p, -ESRCH);
	snap(44, &p, -ESRCH);
}

static void test_self(void **state)
{
	struct proc_info p;
	char exe[512] = {};

	(void)state;
	assert_int_equal(snapshot_process(getpid(), &p), 0);
	assert_int_equal(p.tgid, getpid());
	assert_int_equal(p.ppid, getppid());
	assert_int_equal(p.uid, getuid());
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(p.exe, exe);
	assert_string_equal(p.comm, "test_snapshot");
	assert_non_null(strstr(p.cmdline, "test_snapshot"));
	/* Started within the last minutes of this boot. */
	assert_true(p.start_ns <= clock_ns(CLOCK_BOOTTIME));
	assert_true(p.start_ns + 600 * NS_PER_SEC > clock_ns(CLOCK_BOOTTIME));
	assert_int_equal(p.flags & PROC_EXITED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup),	cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_process), cmocka_unit_test(test_containers),
		cmocka_unit_test(test_gone),	cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
