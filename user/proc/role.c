/* user/proc/role.c - how every role begins: its one socket, its start message, its limits. */
#include "proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/own.h"
#include "proc/req.h"

const struct role_row roles[ROLE_MAX_] = {
	[ROLE_MONITOR] = { "monitor", "earshotd", "earshot" },
	[ROLE_COMPILER] = { "compiler", "earshot-compiler", "earshot-inspect" },
	[ROLE_SURVEYOR] = { "surveyor", "earshot-surveyor", "earshot-inspect" },
	[ROLE_INSPECTOR] = { "inspector", "earshot-inspector", "earshot-inspect" },
	[ROLE_RECORDER] = { "recorder", "earshot-recorder", "earshot-inspect" },
	[ROLE_KEEPER] = { "keeper", "earshot-keeper", "earshot-keep" },
	[ROLE_SHIPPER] = { "shipper", "earshot-shipper", "earshot-ship" },
	[ROLE_CANARY] = { "canary", "earshot-canary", "earshot-inspect" },
	[ROLE_INDEXER] = { "indexer", "earshot-indexer", "earshot-inspect" },
};
static_assert(ARRAY_SIZE(roles) == ROLE_MAX_, "role without a row");

static int on_start(struct peer *p, const struct req_msg *m)
{
	struct role_ctx *ctx = p->ctx;
	const uint8_t *labels = (const uint8_t *)m->body + sizeof(ctx->start);

	memcpy(&ctx->start, m->body, sizeof(ctx->start));
	if (m->len != sizeof(ctx->start) + m->n_fds * sizeof(uint32_t))
		return -EBADMSG;
	for (size_t i = 0; i < m->n_fds; i++) {
		uint32_t kind;

		memcpy(&kind, labels + i * sizeof(kind), sizeof(kind));
		if (kind >= START_FD_MAX_)
			return -EBADMSG;
		ctx->fds[kind] = steal_fd(&m->fds[i]);
	}
	return 0;
}

static const struct req_row start_table[REQ_MAX_] = {
	[REQ_START] = { ROLE_MONITOR, sizeof(struct start),
			sizeof(struct start) + REQ_FDS_MAX * sizeof(uint32_t), on_start },
};

/* What is read only is sealed, and before 6.7 the kernel refuses to share that. */
static void *map_fd(int fd, size_t size, int prot)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || (size_t)st.st_size < size)
		return NULL;
	p = mmap(NULL, size, prot, prot & PROT_WRITE ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static _Noreturn void refuse(const char *what)
{
	log_error("%s; earshotd starts this program, it is not for use by hand", what);
	exit(2);
}

void role_begin(enum role role, struct role_ctx *ret)
{
	struct peer p = {
		.fd = ROLE_SOCKET, .role = ROLE_MONITOR, .table = start_table, .ctx = ret
	};
	struct pollfd wait = { .fd = ROLE_SOCKET, .events = POLLIN };
	const struct rlimit none = { 0, 0 };

	*ret = (struct role_ctx){ 0 };
	for (size_t i = 0; i < START_FD_MAX_; i++)
		ret->fds[i] = -1;
	log_init(roles[role].name, LOG_LEVEL_INFO);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	/* Ctrl-C in a terminal goes to the whole group; the monitor ends the roles in their order.
	 */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Keeper and shipper finish what they hold when the monitor's socket closes; the others
	 * must not outlive it. */
	if (role != ROLE_KEEPER && role != ROLE_SHIPPER)
		prctl(PR_SET_PDEATHSIG, SIGKILL);

	/* A warm surveyor waits here for as long as no file is new. */
	if (poll(&wait, 1, role == ROLE_SURVEYOR ? -1 : 10000) != 1)
		refuse("no start message");
	switch (req_recv(&p)) {
	case 1:
		break;
	case -EPIPE:
		exit(0); /* the monitor went away first */
	default:
		refuse("bad start message");
	}
	if (ret->start.role != role)
		refuse("start message for another role");
	if (ret->fds[START_CONFIG] >= 0) {
		ret->config = map_fd(ret->fds[START_CONFIG], sizeof(struct config), PROT_READ);
		if (!ret->config)
			refuse("configuration cannot be mapped");
		log_init(roles[role].name, ret->config->log_level);
	}
	if (ret->fds[START_STATE] >= 0 && fchdir(ret->fds[START_STATE]) < 0)
		refuse("the state directory cannot be entered");
	if (ret->fds[START_PAGE] >= 0) {
		ret->page =
		    map_fd(ret->fds[START_PAGE], sizeof(struct page), PROT_READ | PROT_WRITE);
		if (!ret->page)
			refuse("page cannot be mapped");
	}
	if ((role == ROLE_INSPECTOR || role == ROLE_RECORDER || role == ROLE_KEEPER ||
	     role == ROLE_SHIPPER || role == ROLE_CANARY) &&
	    (!ret->config || !ret->page))
		refuse("start message lacks configuration or page");
}
