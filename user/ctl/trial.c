/* user/ctl/trial.c - starts earshotd in a directory of its own, waits until it says that it is
 * ready, which is when its first test call came through, and takes it all away again.
 */
#include "ctl/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "ctl/launch.h"

#define LIMIT_S	   20 /* for a test call to come through */
#define PATIENCE_S 90 /* for the whole */
#define DIR_NAME   "/tmp/earshot-trial-XXXXXX"
#define DIR_DEPTH  16

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int write_config(const char *dir, char path[64])
{
	auto_file FILE *f = NULL;

	snprintf(path, 64, "%s/earshot.yaml", dir);
	f = fopen(path, "wxe");
	if (!f || fprintf(f,
			  "state_dir: %s/state\nrun_dir: %s/run\nlog_level: error\ncanary:\n"
			  "  interval: 1\n  limit: %d\n",
			  dir, dir, LIMIT_S) < 0)
		return -EIO;
	return 0;
}

/* What it says first that is of interest: 1, 0; -EPIPE when it ended, -ETIMEDOUT. */
static int await(pid_t child, int ready)
{
	uint64_t end = mono_ns() + PATIENCE_S * NS_PER_SEC;
	struct pollfd wait = { .fd = ready, .events = POLLIN };

	while (mono_ns() < end) {
		char text[512];
		ssize_t n;

		if (waitpid(child, NULL, WNOHANG) == child)
			return -EPIPE;
		poll(&wait, 1, 100);
		n = recv(ready, text, sizeof(text) - 1, MSG_DONTWAIT);
		text[n > 0 ? n : 0] = '\0';
		if (strstr(text, "READY=1"))
			return !strstr(text, "blind");
	}
	return -ETIMEDOUT;
}

static int launch(const char *dir, char *found, size_t size)
{
	char sensor[LAUNCH_PATH_MAX], name[LAUNCH_NAME_MAX], config[64];
	auto_close int ready = launch_listen(name);
	uint64_t begin = mono_ns();
	int r = ready < 0 ? ready : launch_find(sensor);
	pid_t child;

	if (!r)
		r = write_config(dir, config);
	if (r) {
		snprintf(found, size, "earshotd cannot be tried: %s", strerror(-r));
		return r;
	}
	child = fork();
	if (!child) {
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setenv("NOTIFY_SOCKET", name, 1);
		execl(sensor, "earshotd", "--config", config, (char *)NULL);
		_exit(127);
	}
	r = child < 0 ? -errno : await(child, ready);
	if (child > 0 && r != -EPIPE) {
		kill(child, SIGTERM);
		waitpid(child, NULL, 0);
	}
	if (r == 1)
		snprintf(found, size,
			 "came through every stage of a sensor tried for it, %" PRIu64
			 " ms after its start",
			 (mono_ns() - begin) / NS_PER_MS);
	else if (!r)
		snprintf(found, size, "did not come through a sensor tried for it");
	else
		snprintf(found, size, "%s",
			 r == -EPIPE ? "earshotd ended at once: it says why"
				     : "earshotd did not get ready");
	return r;
}

int trial_run(char *found, size_t size)
{
	char dir[] = DIR_NAME;
	int r;

	/* The sensor's processes run as other users. */
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0) {
		snprintf(found, size, "no directory for it: %s", strerror(errno));
		return -errno;
	}
	r = launch(dir, found, size);
	nftw(dir, remove_one, DIR_DEPTH, FTW_DEPTH | FTW_PHYS);
	return r;
}
