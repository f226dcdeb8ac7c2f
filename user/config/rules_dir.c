/* user/config/rules_dir.c - joins the files of a folder of rule packs. Owns nothing. */
#include "config/rules_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/own.h"
#include "detect/rule_pack.h"

static int is_pack(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return *d->d_name != '.' && dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int fail(int err, const char *path, const char *what, char *why, size_t size)
{
	snprintf(why, size, "%s: %s\n", path, what ? what : strerror(err));
	return -err;
}

/* dir: AT_FDCWD, or the folder; path: for messages. */
static int add_file(int dir, const char *name, const char *path, bool trusted, struct buf *bundle,
		    char *why, size_t size)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct pack_file head = { 0 };
	uint8_t block[16384];
	struct stat st;
	ssize_t n;
	int err;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(errno, path, NULL, why, size);
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, path, "not a regular file", why, size);
	/* Who writes rules decides what is seen. */
	if (trusted && (st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH)))
		return fail(EPERM, path, "others than root may write it", why, size);
	if (st.st_size > PACK_FILE_MAX)
		return fail(E2BIG, path, "larger than 1 MiB", why, size);
	/* The end of a long path tells more than its beginning. */
	snprintf(head.name, sizeof(head.name), "%s",
		 path + (strlen(path) - MIN(strlen(path), sizeof(head.name) - 1)));
	head.len = (uint32_t)st.st_size;
	err = buf_add(bundle, span_of(&head, sizeof(head)));
	for (uint32_t left = head.len; left && !err; left -= (uint32_t)n) {
		n = read(fd, block, MIN(left, sizeof(block)));
		if (n <= 0)
			return fail(n ? errno : EIO, path, n ? NULL : "it shrank while it was read",
				    why, size);
		err = buf_add(bundle, span_of(block, (size_t)n));
	}
	if (err == -E2BIG)
		return fail(E2BIG, path, "all packs together are larger than 16 MiB", why, size);
	return err ? fail(-err, path, NULL, why, size) : 0;
}

int rules_dir_read(const char *path, bool trusted, bool must_exist, struct buf *bundle, char *why,
		   size_t why_size)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	struct stat st;
	int n, err = 0;

	*why = 0;
	*bundle = BUF(PACKS_BYTES_MAX);
	if (dir < 0 && errno == ENOTDIR)
		return add_file(AT_FDCWD, path, path, trusted, bundle, why, why_size);
	if (dir < 0)
		return errno == ENOENT && !must_exist ? 0 : fail(errno, path, NULL, why, why_size);
	/* Who may put files there may put somebody else's there. */
	if (trusted && (fstat(dir, &st) < 0 || st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH)))
		return fail(EPERM, path, "others than root may write it", why, why_size);
	n = scandir(path, &names, is_pack, alphasort);
	if (n < 0)
		return fail(errno, path, NULL, why, why_size);
	if (n > PACKS_MAX)
		err = fail(E2BIG, path, "more than 256 packs", why, why_size);
	for (int i = 0; i < n; i++) {
		char whole[4096];

		snprintf(whole, sizeof(whole), "%s/%s", path, names[i]->d_name);
		if (!err)
			err =
			    add_file(dir, names[i]->d_name, whole, trusted, bundle, why, why_size);
		free(names[i]);
	}
	free(names);
	return err;
}
