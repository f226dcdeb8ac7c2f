/* user/proc/sandbox.c - the cage of each role. One row per role says which system calls it keeps.
 * seccomp: an allow list, anything else kills the process. Landlock: no file but the role's own.
 * Both under no_new_privs.
 */
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/own.h"

/* Since Landlock ABI 3, 4, 5 and 6; Debian 12's header ends at ABI 2. */
#define FS_TRUNCATE	    (1ULL << 14)
#define FS_IOCTL_DEV	    (1ULL << 15)
#define NET_BIND_TCP	    (1ULL << 0)
#define NET_CONNECT_TCP	    (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL	    (1ULL << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

enum { FS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR };
#define FS_STORE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                   \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE)

/* clang-format off */
/* What the name resolver of the shipper reads. */
static const char *const resolver_files[] = {
	"/etc/resolv.conf", "/etc/hosts",	 "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
	"/etc/services",    "/run/systemd/resolve", "/etc/ld.so.cache",	  "/usr/lib",	    "/lib",
	"/usr/share/zoneinfo", "/etc/localtime", "/etc/ssl/openssl.cnf",
};
/* clang-format on */

#ifdef EARSHOT_SAN
/* The leak checker stops a process at its exit as a debugger does, which no cage allows. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

#define SYS(name) SCMP_SYS(name)

/* clang-format off */
/* Memory, time, waiting, and talking over descriptors that are open already. */
static const int common[] = {
	SYS(read), SYS(write), SYS(writev), SYS(close), SYS(sendmsg), SYS(recvmsg), SYS(brk),
	SYS(munmap), SYS(mremap), SYS(madvise), SYS(futex), SYS(clock_gettime),
	SYS(clock_nanosleep), SYS(nanosleep), SYS(gettimeofday), SYS(epoll_create1),
	SYS(epoll_ctl), SYS(epoll_wait), SYS(epoll_pwait), SYS(poll), SYS(ppoll),
	SYS(rt_sigreturn), SYS(rt_sigprocmask), SYS(rt_sigaction), SYS(sigaltstack),
	SYS(restart_syscall), SYS(getpid), SYS(gettid), SYS(tgkill), SYS(getrandom), SYS(rseq),
	SYS(sched_yield), SYS(exit), SYS(exit_group),
	SYS(sysinfo), /* glibc's qsort() asks how much memory there is once it sorts more than 1 KiB */
#ifdef EARSHOT_SAN
	SYS(getrusage), SYS(getuid), SYS(prctl), SYS(sched_getaffinity), SYS(process_vm_readv),
	SYS(lseek),
#endif
};

static const int surveyor[] = {
	SYS(pread64), SYS(preadv2), SYS(fstat), SYS(newfstatat), SYS(lseek), -1,
};

static const int compiler[] = {
	SYS(pread64), SYS(fstat), SYS(newfstatat), SYS(lseek), SYS(memfd_create), SYS(ftruncate),
	SYS(fcntl), -1,
};

/* Reads the files of directories it was given, makes one memfd. */
static const int indexer[] = {
	SYS(openat), SYS(getdents64), SYS(fstat), SYS(newfstatat), SYS(lseek), SYS(pread64),
	SYS(fcntl), SYS(memfd_create), SYS(ftruncate), -1,
};

static const int inspector[] = { -1 };
static const int canary[] = { -1 };

static const int recorder[] = { -1 };

/* SQLite's file layer (with the names that glibc has for stat and access on each architecture), the control socket, one timer. */
static const int keeper[] = {
	SYS(openat), SYS(open), SYS(unlink), SYS(unlinkat), SYS(rename), SYS(renameat),
	SYS(renameat2), SYS(fsync), SYS(fdatasync), SYS(pread64), SYS(pwrite64), SYS(ftruncate),
	SYS(lseek), SYS(fcntl), SYS(fstat), SYS(stat), SYS(lstat), SYS(newfstatat), SYS(statx),
	SYS(access), SYS(faccessat), SYS(faccessat2), SYS(getcwd), SYS(readlink), SYS(readlinkat),
	SYS(fchmod), SYS(fchown), SYS(geteuid), SYS(accept4), SYS(getsockopt),
	SYS(timerfd_settime), -1,
};

static const int shipper[] = {
	SYS(connect), SYS(bind), SYS(getsockopt), SYS(setsockopt), SYS(getsockname),
	SYS(getpeername), SYS(sendto), SYS(recvfrom), SYS(sendmmsg), SYS(recvmmsg), SYS(shutdown),
	SYS(openat), SYS(open), SYS(fstat), SYS(stat), SYS(lstat), SYS(newfstatat), SYS(statx),
	SYS(lseek), SYS(access), SYS(faccessat), SYS(faccessat2), SYS(pread64), SYS(fcntl),
	SYS(ioctl), SYS(pipe2), SYS(eventfd2), SYS(socketpair), SYS(set_robust_list),
	SYS(timerfd_settime), SYS(uname), SYS(getuid), SYS(geteuid), SYS(getgid), SYS(getegid),
	SYS(sched_getaffinity), SYS(readlink), SYS(time), SYS(getdents64),
	SYS(prctl), -1,
};

/* clang-format on */

static const struct cage {
	const int *calls;    /* beside the common ones, ended by -1 */
	uint64_t dir_access; /* to the directory given */
	bool network;
} cages[ROLE_MAX_] = {
	[ROLE_COMPILER] = { compiler, 0, false },    [ROLE_SURVEYOR] = { surveyor, 0, false },
	[ROLE_INSPECTOR] = { inspector, 0, false },  [ROLE_RECORDER] = { recorder, 0, false },
	[ROLE_KEEPER] = { keeper, FS_STORE, false }, [ROLE_SHIPPER] = { shipper, 0, true },
	[ROLE_CANARY] = { canary, 0, false },	     [ROLE_INDEXER] = { indexer, FS_READ, false },
};

static int allow_below(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = fd };

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0
		   ? -errno
		   : 0;
}

/* 0; 1: this kernel has none. */
static int landlock_enter(const struct cage *cage, const int *dirs, size_t n)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r = { .fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
	auto_close int fd = -1;
	size_t size;

	if (abi < 0)
		return 1;
	if (abi >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		r.net = NET_BIND_TCP | (cage->network ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	size = abi >= 6 ? sizeof(r) : abi >= 4 ? 16 : 8;
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n && cage->dir_access; i++) {
		int err = allow_below(fd, dirs[i], cage->dir_access & r.fs);

		if (err)
			return err;
	}
	for (size_t i = 0; cage->network && i < ARRAY_SIZE(resolver_files); i++) {
		auto_close int f = open(resolver_files[i], O_PATH | O_CLOEXEC);

		/* A plain file takes no directory right: try both. */
		if (f >= 0 && allow_below(fd, f, FS_READ))
			allow_below(fd, f, LANDLOCK_ACCESS_FS_READ_FILE);
	}
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

static int allow(scmp_filter_ctx f, int call)
{
	int err = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 0);

	/* A call that this architecture does not have (open, stat ... on arm64). */
	return err == -EDOM || err == -EINVAL ? 0 : err;
}

static int seccomp_enter(const struct cage *cage)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	const uint32_t executable = PROT_EXEC;
	int err = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; !err && i < ARRAY_SIZE(common); i++)
		err = allow(f, common[i]);
	for (const int *c = cage->calls; !err && *c != -1; c++)
		err = allow(f, *c);
	/* Memory never becomes code. */
	if (!err)
		err = seccomp_rule_add(
		    f, SCMP_ACT_ALLOW, SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, cage->network ? 0 : executable, 0));
	if (!err)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, executable, 0));
	if (cage->network) {
		const int families[] = { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX };

		for (size_t i = 0; !err && i < ARRAY_SIZE(families); i++)
			err = seccomp_rule_add(f, SCMP_ACT_ALLOW, SYS(socket), 1,
					       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
		/* Threads for the resolver, no processes; clone3 hides its flags, so glibc is sent
		 * back to clone. */
		if (!err)
			err = seccomp_rule_add(
			    f, SCMP_ACT_ALLOW, SYS(clone), 1,
			    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
		if (!err)
			err = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SYS(clone3), 0);
	}
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err == -EINVAL ? -EOPNOTSUPP : err;
}

int sandbox_enter(enum role role, int dir_fd, bool *ret_landlock)
{
	return sandbox_enter_dirs(role, &dir_fd, dir_fd >= 0, ret_landlock);
}

int sandbox_enter_dirs(enum role role, const int *dirs, size_t n, bool *ret_landlock)
{
	const struct cage *cage = &cages[role];
	int err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	err = landlock_enter(cage, dirs, n);
	if (err < 0)
		return err;
	if (ret_landlock)
		*ret_landlock = err == 0;
	return seccomp_enter(cage);
}
