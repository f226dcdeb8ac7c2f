/* user/ctl/client.c - the control socket, from the side that asks. */
#include "ctl/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/own.h"

#define RETRY_NS (100 * NS_PER_MS)

struct client {
	int fd;
	uint8_t reply[CLIENT_REPLY_MAX];
};

static int connect_once(const struct sockaddr_un *to, int *ret)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

int client_new(struct client **ret, const char *run_dir, unsigned wait_s)
{
	auto_free(client) struct client *c = calloc(1, sizeof(*c));
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	uint64_t until = mono_ns() + wait_s * NS_PER_SEC;
	int err, n;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/control.sock", run_dir);
	if (n < 0 || (size_t)n >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	for (;;) {
		const struct timespec pause = { .tv_nsec = RETRY_NS };

		err = connect_once(&to, &c->fd);
		if ((err != -ENOENT && err != -ECONNREFUSED) || mono_ns() >= until)
			break;
		if (nanosleep(&pause, NULL) < 0)
			return -EINTR;
	}
	if (err)
		return err;
	*ret = steal(c);
	return 0;
}

void client_free(struct client **c)
{
	if (!*c)
		return;
	own_close(&(*c)->fd);
	free(*c);
	*c = NULL;
}

int client_send(struct client *c, const Earshot__CtlRequest *q)
{
	size_t len = earshot__ctl_request__get_packed_size(q);
	auto_mem uint8_t *packed = malloc(len ? len : 1);

	if (!packed)
		return -ENOMEM;
	earshot__ctl_request__pack(q, packed);
	if (send(c->fd, packed, len, MSG_NOSIGNAL) < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

int client_recv(struct client *c, Earshot__CtlReply **ret)
{
	ssize_t n = recv(c->fd, c->reply, sizeof(c->reply), MSG_TRUNC);

	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (!n)
		return -EPIPE;
	if ((size_t)n > sizeof(c->reply))
		return -EBADMSG;
	*ret = earshot__ctl_reply__unpack(NULL, (size_t)n, c->reply);
	return *ret ? 0 : -EBADMSG;
}
