/* user/proc/spawn.c - starts one process of a role. */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/own.h"

/* Far above what distributions, systemd (DynamicUser, containers) and administrators assign. */
#define FALLBACK_ID 1900000000u

void role_ids(enum role role, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *p = getpwnam(roles[role].user);

	*ret_uid = p ? p->pw_uid : FALLBACK_ID + role;
	*ret_gid = p ? p->pw_gid : FALLBACK_ID + role;
}

int binaries_open(struct binaries *ret, char *why, size_t why_size)
{
	static const char *const places[] = { ".", "../lib/earshot" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	auto_close int dir = -1;

	for (int r = 0; r < ROLE_MAX_; r++)
		ret->fd[r] = -1;
	if (n < 0)
		return -errno;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	dir = open(self, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int r = ROLE_MONITOR + 1; r < ROLE_MAX_; r++) {
		for (size_t i = 0; i < ARRAY_SIZE(places) && ret->fd[r] < 0; i++) {
			char path[128];

			snprintf(path, sizeof(path), "%s/%s", places[i], roles[r].binary);
			ret->fd[r] = openat(dir, path, O_PATH | O_CLOEXEC);
		}
		if (ret->fd[r] < 0) {
			int err = errno;

			snprintf(why, why_size, "%s is neither in %s nor in %s/../lib/earshot",
				 roles[r].binary, self, self);
			return -err;
		}
	}
	return 0;
}

/* In the child, after fork: only async-signal-safe steps that need no memory. */
static _Noreturn void become(int binary, enum role role, uid_t uid, gid_t gid, bool switch_user,
			     int sock, int go)
{
	char *argv[] = { (char *)roles[role].binary, NULL };
	sigset_t none;
	char byte;

	/* Until the parent has excluded this pid from capture. */
	if (read(go, &byte, 1) != 1)
		_exit(1);
	setsid(); /* Ctrl-C is for the monitor */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (switch_user &&
	    (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, gid, gid, gid) ||
	     syscall(SYS_setresuid, uid, uid, uid)))
		_exit(126);
	/* The binary is O_CLOEXEC and may have any number; everything from 4 up closes at exec. */
	if (dup2(sock, ROLE_SOCKET) < 0 || fcntl(ROLE_SOCKET, F_SETFD, 0) < 0 ||
	    syscall(SYS_close_range, ROLE_SOCKET + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
		_exit(126);
	syscall(SYS_execveat, binary, "", argv, environ, AT_EMPTY_PATH);
	_exit(127);
}

int spawn_role(const struct binaries *b, enum role role, bool switch_user, spawn_fn *before,
	       void *ctx, struct child *ret)
{
	struct child c = { .role = role, .pidfd = -1, .sock = -1 };
	auto_close int theirs = -1, go_r = -1, go_w = -1, binary = -1;
	int pair[2], go[2];
	uid_t uid;
	gid_t gid;

	role_ids(role, &uid, &gid);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	c.sock = pair[0];
	theirs = pair[1];
	/* Out of the way of descriptor 3, whatever the numbers here. */
	binary = fcntl(b->fd[role], F_DUPFD_CLOEXEC, ROLE_SOCKET + 1);
	if (binary < 0 || pipe2(go, O_CLOEXEC) < 0) {
		own_close(&c.sock);
		return -errno;
	}
	go_r = go[0];
	go_w = go[1];
	c.pid = fork();
	if (c.pid < 0) {
		own_close(&c.sock);
		return -errno;
	}
	if (!c.pid)
		become(binary, role, uid, gid, switch_user, theirs, go_r);
	c.pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	if (before)
		before(ctx, c.pid);
	if (c.pidfd < 0 || write(go_w, "", 1) != 1) {
		int err = errno;

		child_end(&c);
		return -err;
	}
	*ret = c;
	return 0;
}

void child_close(struct child *c)
{
	own_close(&c->pidfd);
	own_close(&c->sock);
	c->pid = 0;
}

void child_end(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child_close(c);
}
