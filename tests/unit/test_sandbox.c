/* tests/unit/test_sandbox.c - planted attempts in every cage: each must end the process, and the
 * work of the role must not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/sandbox.h"

static long try_open(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/earshot-planted", O_WRONLY | O_CREAT, 0600);
}

static long try_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long try_listen(void)
{
	return syscall(SYS_listen, 0, 1);
}

static long try_raw_socket(void)
{
	return syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0);
}

static long try_execve(void)
{
	char *argv[] = { "/bin/true", NULL };

	return syscall(SYS_execve, argv[0], argv, NULL);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long try_kill(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long try_code(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long try_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}

#define ALL_CAGED                                                                                  \
	(1u << ROLE_COMPILER | 1u << ROLE_SURVEYOR | 1u << ROLE_INSPECTOR | 1u << ROLE_KEEPER |    \
	 1u << ROLE_SHIPPER | 1u << ROLE_INDEXER)
#define FILES_DENIED (1u << ROLE_KEEPER | 1u << ROLE_SHIPPER | 1u << ROLE_INDEXER)
#define NO_FILES     (1u << ROLE_COMPILER | 1u << ROLE_SURVEYOR | 1u << ROLE_INSPECTOR)

/* What ends the process (SIGSYS) in the cages of `dies`; in those of `denied` the call fails and
 * the process lives. */
static const struct {
	const char *name;
	long (*call)(void);
	unsigned dies, denied;
} attempts[] = {
	{ "open", try_open, NO_FILES, FILES_DENIED },
	{ "create a file", try_create, NO_FILES, FILES_DENIED },
	{ "socket", try_socket, ALL_CAGED & ~(1u << ROLE_SHIPPER), 0 },
	{ "listen", try_listen, ALL_CAGED, 0 },
	{ "raw socket", try_raw_socket, ALL_CAGED, 0 },
	{ "execve", try_execve, ALL_CAGED, 0 },
	{ "ptrace", try_ptrace, ALL_CAGED, 0 },
	{ "bpf", try_bpf, ALL_CAGED, 0 },
	{ "fork", try_fork, ALL_CAGED, 0 },
	{ "kill", try_kill, ALL_CAGED, 0 },
	{ "writable code", try_code, ALL_CAGED & ~(1u << ROLE_SHIPPER), 0 },
	{ "perf_event_open", try_perf, ALL_CAGED, 0 },
	{ "setuid", try_setuid, ALL_CAGED, 0 },
};

enum { LIVED = 0, NO_CAGE = 40, DENIED = 41 };

static int in_cage(enum role role, long (*call)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		/* The keeper's directory is given as a descriptor: here one that holds nothing of
		 * interest. */
		if (sandbox_enter(
			role, role == ROLE_KEEPER ? open("/proc/self", O_PATH | O_DIRECTORY) : -1,
			NULL))
			_exit(NO_CAGE);
		_exit(call() < 0 ? DENIED : LIVED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_planted_attempts_die(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		for (int role = ROLE_COMPILER; role < ROLE_MAX_; role++) {
			int status;

			if (!((attempts[i].dies | attempts[i].denied) & 1u << role))
				continue;
			status = in_cage(role, attempts[i].call);
			if (attempts[i].dies & 1u << role) {
				if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
					fail_msg("%s in the %s: status %x, expected SIGSYS",
						 attempts[i].name, roles[role].name, status);
			} else if (!WIFEXITED(status) || (WEXITSTATUS(status) != DENIED)) {
				fail_msg("%s in the %s: status %x, expected refusal",
					 attempts[i].name, roles[role].name, status);
			}
		}
	}
}

static long ordinary_work(void)
{
	char *p = malloc(1 << 20);
	int pair_ok = getpid() > 0;

	if (!p || !pair_ok)
		return -1;
	memset(p, 1, 1 << 20);
	free(p);
	return write(STDERR_FILENO, "", 0);
}

static int descending(const void *a, const void *b)
{
	return *(const uint8_t *)b - *(const uint8_t *)a;
}

/* glibc's qsort() makes a system call of its own for more than 1 KiB. */
static long sort_much(void)
{
	uint8_t much[4096];

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (uint8_t)(i * 7);
	qsort(much, sizeof(much), 1, descending);
	return much[0] == 255 ? 0 : -1;
}

static void test_ordinary_work_lives(void **state)
{
	(void)state;
	for (int role = ROLE_COMPILER; role < ROLE_MAX_; role++) {
		long (*const works[])(void) = { ordinary_work, sort_much };

		for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
			int status = in_cage(role, works[i]);

			if (!WIFEXITED(status) || WEXITSTATUS(status) != LIVED)
				fail_msg("work %zu in the %s: status %x", i, roles[role].name,
					 status);
		}
	}
}

static long keep_a_file(void)
{
	int fd = openat(AT_FDCWD, "earshot-test", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok =
	    fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && unlink("earshot-test") == 0;

	return ok ? 0 : -1;
}

static void test_keeper_has_its_directory(void **state)
{
	char dir[] = "/tmp/earshot-test-XXXXXX";
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(dir, O_RDONLY | O_DIRECTORY);

		if (chdir(dir) || sandbox_enter(ROLE_KEEPER, fd, NULL))
			_exit(NO_CAGE);
		_exit(keep_a_file() ? DENIED : LIVED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(dir);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), LIVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted_attempts_die),
		cmocka_unit_test(test_ordinary_work_lives),
		cmocka_unit_test(test_keeper_has_its_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
