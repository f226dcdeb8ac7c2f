/* user/proc/req.c - messages between the processes. */
#include "proc/req.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/own.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(REQ_FDS_MAX * sizeof(int))];
};

int req_send(int fd, enum req type, const void *body, size_t len, const int *fds, size_t n_fds)
{
	struct req_hdr hdr = { .type = type, .len = (uint32_t)len };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { (void *)body, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
	union control control;

	if (len > REQ_BODY_MAX || n_fds > REQ_FDS_MAX)
		return -EMSGSIZE;
	if (n_fds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == ENOBUFS || errno == EWOULDBLOCK)
			return -EAGAIN;
		if (errno == ECONNRESET || errno == ENOTCONN)
			return -EPIPE;
		return -errno;
	}
}

static size_t take_fds(struct msghdr *m, int fds[REQ_FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

int req_recv(struct peer *p)
{
	/* One buffer per process is enough: handlers run to their end before the next message. */
	static union {
		struct req_hdr hdr;
		uint8_t raw[sizeof(struct req_hdr) + REQ_BODY_MAX + 1];
	} msg;
	struct iovec iov = { &msg, sizeof(msg.raw) };
	union control control;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int fds[REQ_FDS_MAX];
	const struct req_row *row;
	struct req_msg r;
	ssize_t n;
	int err;

	do
		n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	r.n_fds = take_fds(&m, fds);
	r.fds = fds;
	if (n == 0 && !r.n_fds)
		return -EPIPE;
	err = -EBADMSG;
	if ((size_t)n < sizeof(msg.hdr) || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		goto out;
	r.type = msg.hdr.type;
	r.body = msg.raw + sizeof(msg.hdr);
	r.len = (size_t)n - sizeof(msg.hdr);
	if (r.type >= REQ_MAX_ || r.len != msg.hdr.len)
		goto out;
	row = &p->table[r.type];
	if (!row->handle || row->sender != p->role || r.len < row->min || r.len > row->max)
		goto out;
	err = row->handle(p, &r);
out:
	for (size_t i = 0; i < r.n_fds; i++)
		own_close(&fds[i]);
	return err ? err : 1;
}
