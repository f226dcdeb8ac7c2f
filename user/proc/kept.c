/* user/proc/kept.c - the kept image of patterns. Owns nothing. */
#include "proc/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/own.h"

#define NAME	  "patterns"
#define FRESH	  "patterns.new"
#define BYTES_MAX (96 << 20)
#define ON_DISK	  (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

static int copy(int to, int from, off_t len)
{
	off_t at = 0;

	while (at < len) {
		ssize_t n = sendfile(to, from, &at, (size_t)(len - at));

		if (n <= 0)
			return n ? -errno : -EIO;
	}
	return 0;
}

/* Nobody reads it before the next start, and until then its pages in memory would count as the
 * sensor's. */
static void drop_cached(int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int kept_open(int dir)
{
	auto_close int from = -1, to = -1;
	struct stat st;

	if (dir < 0)
		return -1;
	from = openat(dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > BYTES_MAX)
		return -1;
	to = memfd_create("earshot-patterns", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0 || copy(to, from, st.st_size) ||
	    fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -1;
	drop_cached(from);
	return steal_fd(&to);
}

int kept_put(int dir, int fd)
{
	auto_close int to = -1;
	struct stat st;
	int err;

	if (dir < 0)
		return 0;
	unlinkat(dir, FRESH, 0);
	to = openat(dir, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0 || fstat(fd, &st) < 0)
		return -errno;
	err = copy(to, fd, st.st_size);
	/* Only what is on the disk can be dropped. */
	if (!err && sync_file_range(to, 0, 0, ON_DISK) < 0)
		err = -errno;
	drop_cached(to);
	if (!err && renameat(dir, FRESH, dir, NAME) < 0)
		err = -errno;
	if (err)
		unlinkat(dir, FRESH, 0);
	return err;
}
