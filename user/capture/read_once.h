/* user/capture/read_once.h - reading what nobody will read again for long. */
#pragma once

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_DONTCACHE 0x80 /* RWF_DONTCACHE, kernel 6.14 */

/* As pread(2). Pages that nobody had in the page cache do not stay there: they would push out what
 * the host works with, and count as our memory. */
static inline ssize_t read_once(int fd, void *buf, size_t len, off_t at)
{
	const struct iovec iov = { buf, len };
	ssize_t n = preadv2(fd, &iov, 1, at, READ_DONTCACHE);

	return n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
		   ? n
		   : pread(fd, buf, len, at);
}
