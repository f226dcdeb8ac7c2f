/* user/ctl/record.c - runs earshotd --record beside this program, and ends it in time. */
#include "ctl/record.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"
#include "ctl/launch.h"

static bool is_ready(int fd)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return strstr(text, "READY=1") != NULL;
}

/* Until the child ends: a signal ends it, and the time, which begins when it records. Its status.
 */
static int watch(pid_t child, int signals, int ready, unsigned seconds)
{
	uint64_t end = UINT64_MAX;
	int status;

	while (waitpid(child, &status, WNOHANG) != child) {
		struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
					{ .fd = ready, .events = POLLIN } };
		uint64_t now = mono_ns();
		struct signalfd_siginfo got;

		if (now >= end) {
			kill(child, SIGTERM);
			end = UINT64_MAX;
		}
		poll(fds, ARRAY_SIZE(fds),
		     end == UINT64_MAX ? -1 : (int)((end - now) / NS_PER_MS) + 1);
		if (read(signals, &got, sizeof(got)) == sizeof(got) && got.ssi_signo != SIGCHLD)
			kill(child, SIGTERM);
		if (is_ready(ready) && seconds)
			end = mono_ns() + seconds * NS_PER_SEC;
	}
	return status;
}

int record_run(const char *path, unsigned seconds, char *why, size_t why_size)
{
	auto_close int signals = -1, ready = -1;
	char sensor[LAUNCH_PATH_MAX], name[LAUNCH_NAME_MAX];
	sigset_t set, before;
	int status, err = launch_find(sensor);
	pid_t child;

	if (err) {
		snprintf(why, why_size, "earshotd is not beside this program");
		return err;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ready = launch_listen(name);
	child = signals < 0 || ready < 0 ? -1 : fork();
	if (!child) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		setsid(); /* Ctrl-C is ours to pass on */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setenv("NOTIFY_SOCKET", name, 1);
		execl(sensor, "earshotd", "--record", path, (char *)NULL);
		_exit(127);
	}
	if (child < 0) {
		err = ready < 0 ? ready : -errno;
		snprintf(why, why_size, "earshotd cannot be started: %s", strerror(-err));
		return err;
	}
	status = watch(child, signals, ready, seconds);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	snprintf(why, why_size, "nothing was recorded, or not all: earshotd says why");
	return -EIO;
}
