/* user/proc/compiling.c - one job for the compiler role. Owns its process and what it made. */
#include "proc/compiling.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/own.h"

static int on_compiled(struct peer *p, const struct req_msg *m)
{
	struct compiling *c = p->ctx;

	c->answered = true;
	snprintf(c->errors, sizeof(c->errors), "%.*s", (int)m->len, (const char *)m->body);
	if (m->len || !m->n_fds)
		return 0;
	/* Sealed, or its maker could change it after it was checked. */
	if (m->n_fds != 1 || (fcntl(m->fds[0], F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK)) !=
				 (F_SEAL_WRITE | F_SEAL_SHRINK))
		return -EBADMSG;
	c->fd = steal_fd(&m->fds[0]);
	return 0;
}

static const struct req_row table[REQ_MAX_] = {
	[REQ_COMPILED] = { ROLE_COMPILER, 0, CONFIG_ERRORS_MAX - 1, on_compiled },
};

int compiling_begin(struct compiling *c, const struct compiling_opts *o)
{
	struct {
		struct start start;
		uint32_t kinds[2];
	} msg = { .start = { .role = ROLE_COMPILER, .compile = o->what } };
	int fds[2], err;
	size_t n = 0;

	*c = (struct compiling){ .child = { .pidfd = -1, .sock = -1 },
				 .fd = -1,
				 .begun_ns = mono_ns() };
	snprintf(msg.start.host, sizeof(msg.start.host), "%s", o->name);
	if (o->key)
		memcpy(msg.start.key, o->key, sizeof(msg.start.key));
	if (o->file >= 0) {
		msg.kinds[n] = START_FILE;
		fds[n++] = o->file;
	}
	if (o->cached >= 0) {
		msg.kinds[n] = START_PATTERNS;
		fds[n++] = o->cached;
	}
	err = spawn_role(o->binaries, ROLE_COMPILER, o->switch_user, o->before, o->before_ctx,
			 &c->child);
	if (!err)
		err = req_send(c->child.sock, REQ_START, &msg,
			       sizeof(msg.start) + n * sizeof(msg.kinds[0]), fds, n);
	explicit_bzero(&msg, sizeof(msg)); /* it held the key */
	c->peer = (struct peer){ c->child.sock, ROLE_COMPILER, table, c };
	if (err)
		snprintf(c->errors, sizeof(c->errors), "the compiler cannot be started: %s\n",
			 strerror(-err));
	return err;
}

int compiling_take(struct compiling *c)
{
	int n = req_recv(&c->peer);

	if (n == 1 && c->answered)
		return *c->errors ? -EINVAL : 0;
	if (!*c->errors)
		snprintf(c->errors, sizeof(c->errors),
			 "the compiler ended without a proper answer\n");
	return -EINVAL;
}

int compiling_wait(struct compiling *c)
{
	struct pollfd p = { .fd = c->child.sock, .events = POLLIN };

	if (poll(&p, 1, (int)(COMPILING_NS / NS_PER_MS)) == 1)
		return compiling_take(c);
	snprintf(c->errors, sizeof(c->errors), "the compiler took too long\n");
	return -EINVAL;
}

void compiling_end(struct compiling *c)
{
	child_end(&c->child);
	own_close(&c->fd);
}
