/* user/proc/choice.c - which processes are read in plain text.
 * Owns nothing that outlives a call. A process is held by a descriptor while it is looked at, so
 * that a number used again in between chooses nobody.
 */
#include "proc/choice.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "capture/snapshot.h"

#define TEXT_MAX 8192 /* of /proc/PID/cgroup */
#define DELETED	 " (deleted)"

static bool matches(const struct config_globs *g, const char *path)
{
	for (size_t i = 0; i < g->n; i++)
		if (!fnmatch(g->glob[i], path, 0))
			return true;
	return false;
}

bool choice_asked(const struct config *c)
{
	return c->capture.plain_executables.n || c->capture.plain_cgroups.n;
}

bool choice_matches(const struct config *c, const char *exe, const char *cgroup)
{
	return (*exe && matches(&c->capture.plain_executables, exe)) ||
	       (*cgroup && matches(&c->capture.plain_cgroups, cgroup));
}

static void read_exe(pid_t pid, char *out, size_t size)
{
	const size_t cut = sizeof(DELETED) - 1;
	char at[32];
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/%d/exe", pid);
	n = readlink(at, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	/* An upgraded program is still the one that is named. */
	if (n > (ssize_t)cut && !strcmp(out + n - cut, DELETED))
		out[n - (ssize_t)cut] = '\0';
}

static void read_cgroup(pid_t pid, struct proc_info *info)
{
	char at[32], text[TEXT_MAX];
	auto_close int fd = -1;
	ssize_t n;

	snprintf(at, sizeof(at), "/proc/%d/cgroup", pid);
	fd = open(at, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	snapshot_cgroup(span_of(text, n > 0 ? (size_t)n : 0), info);
}

static int open_process(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

void choice_make(const struct config *c, struct capture *capture, pid_t pid)
{
	auto_close int pidfd = open_process(pid);
	struct proc_info info = { 0 };
	bool chosen;
	int err;

	if (pidfd < 0)
		return; /* gone */
	read_exe(pid, info.exe, sizeof(info.exe));
	if (c->capture.plain_cgroups.n)
		read_cgroup(pid, &info);
	chosen = choice_matches(c, info.exe, info.cgroup);
	err = capture_choose(capture, pidfd, chosen);
	if (err && err != -ESRCH)
		log_warn("process %d cannot be selected for plain text: %s", pid, strerror(-err));
	else if (!err && chosen)
		log_info("%s: process %d is read in plain text", info.exe, pid);
}

bool choice_made(struct capture *capture, pid_t pid)
{
	auto_close int pidfd = open_process(pid);

	return pidfd >= 0 && capture_chosen(capture, pidfd);
}
