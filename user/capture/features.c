/* user/capture/features.c - the features of the kernel that capture depends on, each tried, none
 * guessed from a version. */
#include "capture/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "capture/link.h"

const struct feature_row features[FEAT_MAX_] = {
	[FEAT_BTF] = { "btf", "5.4", "one build for every kernel (CONFIG_DEBUG_INFO_BTF)",
		       "the programs cannot be fitted to this kernel", true },
	[FEAT_RINGBUF] = { "ring-buffer", "5.8", "records of every CPU in one order",
			   "there is no way for captured bytes to come up", true },
	[FEAT_UPROBE_MULTI] = { "uprobe-multi", "6.6",
				"one link per file, attached without CAP_SYS_ADMIN",
				"the monitor keeps CAP_SYS_ADMIN, for each time it attaches",
				false },
	[FEAT_UPROBE_SESSION] = { "uprobe-session", "6.13",
				  "entry and return of a call by one probe",
				  "two probes for each call: a little dearer", false },
	[FEAT_SOCK_LENGTH] = { "sock-length", "6.3", "the socket of a connection, plain text",
			       "sock-exit is used, if it is there", false },
	[FEAT_SOCK_EXIT] = { "sock-exit", "5.5", "the same, where sock-length is missing",
			     "alerts do not tell the addresses of a connection, and plain text is "
			     "not captured",
			     false, true },
	[FEAT_TABLES_GROW] = { "tables-grow", "6.1", "memory for connections as they open",
			       "it is taken for all of `capture.max_connections` at the start: 7 "
			       "MiB more by default",
			       false },
	[FEAT_RETURN_PROBES] = { "return-probes", "3.10", "the length of what was read or written",
				 "processes would die of being watched, so nothing is: update the "
				 "kernel",
				 true },
};

/* r0 = 0; exit */
static int load(enum bpf_prog_type type, struct bpf_prog_load_opts *o)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(type, "earshot_probe", "Dual BSD/GPL", insns, ARRAY_SIZE(insns), o);
}

static int program(enum capture_method method, enum leg leg)
{
	LIBBPF_OPTS(bpf_prog_load_opts, o,
		    .expected_attach_type = (enum bpf_attach_type)link_attach_type(method, leg));

	return load(BPF_PROG_TYPE_KPROBE, &o);
}

static int probe_btf(void)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (!btf)
		return errno == ENOMEM ? -ENOMEM : 0;
	btf__free(btf);
	return 1;
}

static int probe_ringbuf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "earshot_probe", 0, 0,
				(__u32)sysconf(_SC_PAGESIZE), NULL);

	if (fd < 0)
		return fd == -EINVAL ? 0 : fd;
	close(fd);
	return 1;
}

/* A link to what is not a regular file fails with EBADF, where the kernel knows such links:
 * uprobe_multi's path lookup. */
static int probe_link(enum leg leg)
{
	auto_close int prog = program(CAPTURE_MULTI, leg);
	auto_close int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct links l = { 0 };
	int err;

	if (prog < 0)
		return prog == -EINVAL ? 0 : prog;
	if (dir < 0)
		return -errno;
	err = links_add(&l, CAPTURE_MULTI, leg, prog, dir, &(struct place){ 0 }, 1);
	links_free(&l);
	return err == -EPERM ? err : err == -EBADF;
}

static int probe_multi(void)
{
	return probe_link(LEG_ENTRY);
}

static int probe_session(void)
{
	return probe_link(LEG_BOTH);
}

/* The id that the kernel gives to this type. 0: it has none of that name. */
static __u32 type_of(const char *name, __u32 kind)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, name, kind) : 0;

	btf__free(btf);
	return id > 0 ? (__u32)id : 0;
}

bool feature_function(const char *name)
{
	return type_of(name, BTF_KIND_FUNC);
}

static int probe_sock_length(void)
{
	return type_of("btf_trace_sock_send_length", BTF_KIND_TYPEDEF) &&
	       type_of("btf_trace_sock_recv_length", BTF_KIND_TYPEDEF);
}

/* Some kernels know such programs but cannot attach them: their architecture lacks trampolines, or
 * their configuration function tracing. */
static int probe_sock_exit(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = type_of("inet_recvmsg", BTF_KIND_FUNC));
	auto_close int prog = -1, link = -1;

	if (!o.attach_btf_id || !feature_function("inet_sendmsg"))
		return 0;
	prog = load(BPF_PROG_TYPE_TRACING, &o);
	if (prog < 0)
		return prog == -EPERM ? prog : 0;
	link = bpf_raw_tracepoint_open(NULL, prog);
	return link >= 0;
}

/* Before there were such allocators, kernels warned of programs that allocate. */
static int probe_tables_grow(void)
{
	return type_of("bpf_mem_alloc", BTF_KIND_STRUCT) != 0;
}

int feature_probe(enum feature f)
{
	static int (*const probes[FEAT_MAX_])(void) = {
		[FEAT_BTF] = probe_btf,
		[FEAT_RINGBUF] = probe_ringbuf,
		[FEAT_UPROBE_MULTI] = probe_multi,
		[FEAT_UPROBE_SESSION] = probe_session,
		[FEAT_SOCK_LENGTH] = probe_sock_length,
		[FEAT_SOCK_EXIT] = probe_sock_exit,
		[FEAT_TABLES_GROW] = probe_tables_grow,
	};
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* failing is what probes are for */
	int has = probes[f]();

	libbpf_set_print(print);
	return has;
}

int feature_privilege(char *why, size_t why_size)
{
	static const struct {
		unsigned cap;
		const char *name;
	} needed[] = { { CAP_BPF, "CAP_BPF" }, { CAP_PERFMON, "CAP_PERFMON" } };

	if (capng_get_caps_process())
		return 0;
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap))
			continue;
		snprintf(why, why_size,
			 "%s is missing: run as root, or with CAP_BPF and CAP_PERFMON",
			 needed[i].name);
		return -EPERM;
	}
	return 0;
}

/* Probed at its first instruction. */
__attribute__((noinline, noclone, weak)) int feature_probed(int v)
{
	__asm__ volatile("" : "+r"(v));
	return v + 1;
}

/* Where in its file the code at p is. */
static int code_offset(const void *p, uint64_t *ret)
{
	auto_file FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to, at, want = (unsigned long)p;
	char line[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &at) == 3 && want >= from &&
		    want < to) {
			*ret = want - from + at;
			return 0;
		}
	}
	return -ENOENT;
}

/* As confined as can be: everything but leaving kills. */
static void confined(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { ARRAY_SIZE(code), code };

	prctl(PR_SET_DUMPABLE, 0); /* no core of a death that was foreseen */
	if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	    !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		syscall(SYS_exit_group, feature_probed(41) == 42
					    ? 0
					    : 2); /* not _exit(): a sanitizer does more there */
	_exit(3);
}

/* 1: a confined process that calls feature_probed() lives, 0: it is killed by its filter; -errno.
 */
static int survives(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid)
		confined();
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 0 : -EPROTO;
}

/* Such a process is killed where the system call that kernel 6.11 put under return probes
 * (ff474a78cef5) passes its filter. */
int feature_return_probes(enum capture_method method)
{
	enum leg leg = method == CAPTURE_SESSION ? LEG_BOTH : LEG_RETURN;
	auto_close int prog = program(method, leg);
	auto_close int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct place place = { 0 };
	struct links l = { 0 };
	int err;

	if (prog < 0)
		return prog;
	if (exe < 0)
		return -errno;
	err = survives();
	if (err != 1)
		return err < 0 ? err : -EPROTO; /* it dies of something else */
	err = code_offset((const void *)(uintptr_t)feature_probed, &place.offset);
	if (!err)
		err = links_add(&l, method, leg, prog, exe, &place, 1);
	if (!err)
		err = survives();
	links_free(&l);
	return err;
}
