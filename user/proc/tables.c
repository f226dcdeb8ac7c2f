/* user/proc/tables.c - joins tables of probe sites into one memfd. Owns nothing. */
#include "proc/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/own.h"

#define SUFFIX ".sites"

static int is_table(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > strlen(SUFFIX) && *d->d_name != '.' &&
	       !strcmp(d->d_name + len - strlen(SUFFIX), SUFFIX);
}

/* Why this file is not taken; NULL: it was. */
static const char *join_file(int dir, const char *name, int to, size_t *total)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	/* Who writes it decides where probes go. */
	if (st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH))
		return "others than root may write it";
	if ((size_t)st.st_size > TABLES_BYTES_MAX - *total - 1)
		return "too large";
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, fd, NULL, (size_t)left);

		if (n <= 0)
			return n ? strerror(errno) : "shrank while it was read";
		left -= n;
	}
	/* A last line without its end must not join the next file's first. */
	if (write(to, "\n", 1) != 1)
		return strerror(errno);
	*total += (size_t)st.st_size + 1;
	return NULL;
}

static void join_dir(const char *path, int to, size_t *total)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int n;

	if (dir < 0)
		return; /* none is the rule */
	n = scandir(path, &names, is_table, alphasort);
	for (int i = 0; i < n; i++) {
		const char *why = join_file(dir, names[i]->d_name, to, total);

		if (why)
			log_warn("%s/%s is not used: %s", path, names[i]->d_name, why);
		free(names[i]);
	}
	free(names);
}

/* DIR of PATH/NAME joined with below; an empty string when it does not fit. */
static void beside(const char *path, const char *below, char ret[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 0;

	if (snprintf(ret, PATH_MAX, "%.*s%s%s", len, path, slash ? "/" : "", below) >= PATH_MAX)
		*ret = 0;
}

int tables_open(const char *config_path, int *ret_fd)
{
	auto_close int fd = memfd_create("earshot-sites", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char self[PATH_MAX], dir[PATH_MAX];
	size_t total = 0;
	ssize_t n;

	*ret_fd = -1;
	if (fd < 0)
		return -errno;
	beside(config_path, "sites", dir);
	join_dir(dir, fd, &total);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = 0;
		beside(self, "../share/earshot/sites", dir);
		join_dir(dir, fd, &total);
	}
	if (!total)
		return 0;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}
