/* user/proc/indexing.c - keeps the index of threat intelligence fresh.
 * Owns the index that is in use and the indexer that is at work. Files are looked at, not read: a
 * change counts once it has stood still for one look, so that no half of a file is taken.
 */
#include "proc/indexing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/own.h"
#include "proc/team.h"

#define FILES_MAX 100000 /* of a directory that are looked at */

struct indexing {
	struct loop *loop;
	struct indexing_opts o;
	struct child child;
	struct peer peer;
	int index_fd; /* in use; -1: none yet */
	uint64_t index_size, expires_s;
	uint64_t last, built; /* what the files looked like */
	uint64_t started_ns;
	uint32_t broken; /* bit per feed, of the index in use */
};

static uint64_t mix(uint64_t h, const struct stat *s)
{
	const uint64_t v[] = { s->st_dev, s->st_ino, (uint64_t)s->st_size,
			       (uint64_t)s->st_mtim.tv_sec, (uint64_t)s->st_mtim.tv_nsec };

	return XXH3_64bits_withSeed(v, sizeof(v), h);
}

/* What a feed's files look like from outside. The order of a directory stays while it does. */
static uint64_t look(const char *path, uint64_t h)
{
	struct stat s = { 0 };
	struct dirent *e;
	DIR *dir;

	if (stat(path, &s) < 0)
		return h + 1;
	h = mix(h, &s);
	if (!S_ISDIR(s.st_mode))
		return h;
	dir = opendir(path);
	for (unsigned n = 0; dir && n < FILES_MAX && (e = readdir(dir)); n++)
		if (e->d_name[0] != '.' && !fstatat(dirfd(dir), e->d_name, &s, AT_SYMLINK_NOFOLLOW))
			h = mix(h, &s);
	if (dir)
		closedir(dir);
	return h;
}

static void end(struct indexing *x)
{
	if (!x->child.pid)
		return;
	loop_del(x->loop, x->child.sock);
	loop_del(x->loop, x->child.pidfd);
	child_end(&x->child);
}

static int on_indexed(struct peer *p, const struct req_msg *m)
{
	struct indexing *x = p->ctx;
	struct indexed_msg a;
	struct stat st;

	memcpy(&a, m->body, sizeof(a));
	if (m->n_fds != 1 || fstat(m->fds[0], &st) < 0 || (uint64_t)st.st_size != a.size)
		return -EBADMSG;
	/* Sealed, or its maker could change or shrink it under those who map it. */
	if ((fcntl(m->fds[0], F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK)) !=
	    (F_SEAL_WRITE | F_SEAL_SHRINK))
		return -EBADMSG;
	own_close(&x->index_fd);
	x->index_fd = steal_fd(&m->fds[0]);
	x->index_size = a.size;
	x->expires_s = a.expires_s;
	page_set(x->o.page, CTR_INTEL_ENTRIES, a.entries);
	page_set(x->o.page, CTR_INTEL_BROKEN, (uint64_t)__builtin_popcount(a.broken));
	page_add(x->o.page, CTR_INTEL_INDEXED, 1);
	log_info("threat intelligence: %llu indicators, %u feed(s) broken",
		 (unsigned long long)a.entries, (unsigned)__builtin_popcount(a.broken));
	if (a.broken & ~x->broken) {
		a.why[sizeof(a.why) - 1] = 0;
		x->o.broken(x->o.ctx, a.why);
	}
	x->broken = a.broken;
	x->o.fresh(x->o.ctx, x->index_fd);
	return 0;
}

static const struct req_row table[REQ_MAX_] = {
	[REQ_INDEXED] = { ROLE_INDEXER, sizeof(struct indexed_msg), sizeof(struct indexed_msg),
			  on_indexed },
};

static void on_answer(void *ctx, uint32_t events)
{
	struct indexing *x = ctx;
	int n = req_recv(&x->peer);

	(void)events;
	if (!n)
		return;
	if (n < 0 && n != -EPIPE)
		log_error("the indexer broke the protocol: %s", strerror(-n));
	loop_del(x->loop, x->child.sock);
}

static void on_death(void *ctx, uint32_t events)
{
	struct indexing *x = ctx;
	int status = 0;

	(void)events;
	if (waitpid(x->child.pid, &status, WNOHANG) != x->child.pid)
		return;
	/* The answer may be there still. */
	on_answer(x, 0);
	if (status)
		log_error("the indexer of threat intelligence failed; %s stays in use",
			  x->index_fd >= 0 ? "the last index" : "no index");
	loop_del(x->loop, x->child.sock);
	loop_del(x->loop, x->child.pidfd);
	if (x->o.capture)
		capture_include(x->o.capture, x->child.pid);
	child_close(&x->child);
}

/* Has an indexer read the feeds as they are now. */
static int begin(struct indexing *x)
{
	const struct config *c = x->o.config;
	struct start start = { .role = ROLE_INDEXER };
	struct feeds_msg msg = { .now_s = wall_ns() / NS_PER_SEC,
				 .n = (uint32_t)c->detect.n_intel };
	int fds[REQ_FDS_MAX];
	size_t n_fds = 0;
	int err =
	    spawn_role(x->o.binaries, ROLE_INDEXER, true, team_exclude, x->o.capture, &x->child);

	if (err)
		return err;
	for (size_t i = 0; i < c->detect.n_intel; i++) {
		const struct config_intel *f = &c->detect.intel[i];
		int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		snprintf(msg.feed[i].name, sizeof(msg.feed[i].name), "%s", f->name);
		msg.feed[i].hunt = f->mode == MODE_HUNT;
		msg.feed[i].missing = fd < 0;
		if (fd >= 0)
			fds[n_fds++] = fd;
	}
	if (x->index_fd >= 0) {
		msg.old_size = x->index_size;
		fds[n_fds] = x->index_fd;
	}
	err = req_send(x->child.sock, REQ_START, &start, sizeof(start), NULL, 0);
	if (!err)
		err = req_send(x->child.sock, REQ_FEEDS, &msg, sizeof(msg), fds,
			       n_fds + (x->index_fd >= 0));
	while (n_fds)
		close(fds[--n_fds]);
	x->peer = (struct peer){ x->child.sock, ROLE_INDEXER, table, x };
	x->started_ns = mono_ns();
	if (!err)
		err = loop_add(x->loop, x->child.sock, EPOLLIN, on_answer, x);
	if (!err)
		err = loop_add(x->loop, x->child.pidfd, EPOLLIN, on_death, x);
	if (err)
		end(x);
	return err;
}

static void watch(void *ctx, uint64_t now_ns)
{
	struct indexing *x = ctx;
	uint64_t h = 0;
	bool outdated, steady;
	int err;

	if (x->child.pid) {
		if (now_ns - x->started_ns > INDEXING_LIMIT_NS) {
			log_error("the indexer of threat intelligence takes too long");
			kill(x->child.pid, SIGKILL);
		}
		return;
	}
	for (size_t i = 0; i < x->o.config->detect.n_intel; i++)
		h = look(x->o.config->detect.intel[i].path, h);
	outdated = x->expires_s && wall_ns() / NS_PER_SEC >= x->expires_s;
	steady = h == x->last;
	x->last = h;
	if ((!steady || h == x->built) && !outdated)
		return;
	x->built = h;
	x->expires_s = 0;
	err = begin(x);
	if (err)
		log_error("the indexer of threat intelligence cannot be started: %s",
			  strerror(-err));
}

int indexing_new(struct indexing **ret, struct loop *l, const struct indexing_opts *o)
{
	auto_free(indexing) struct indexing *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	x->loop = l;
	x->o = *o;
	x->index_fd = -1;
	x->child = (struct child){ .pidfd = -1, .sock = -1 };
	if (o->config->detect.n_intel) {
		for (size_t i = 0; i < o->config->detect.n_intel; i++)
			x->built = look(o->config->detect.intel[i].path, x->built);
		x->last = x->built;
		err = begin(x);
		if (!err)
			err = loop_every(l, INDEXING_LOOK_NS, watch, x);
		if (err)
			return err;
	}
	*ret = steal(x);
	return 0;
}

void indexing_free(struct indexing **x)
{
	if (!*x)
		return;
	end(*x);
	own_close(&(*x)->index_fd);
	free(*x);
	*x = NULL;
}
