/* user/intel/main_indexer.c - the indexer role: feeds of threat intelligence into sealed memory.
 * Gets descriptors of files and directories and the index that was made before, answers with a
 * memfd, and exits. Feeds come from outside: they are read in a cage, by a process of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "intel/load.h"
#include "proc/req.h"
#include "proc/sandbox.h"

#define NICE 10 /* never in the way of what it is for */

struct work {
	struct feeds_msg msg;
	int fds[REQ_FDS_MAX];
	size_t n_fds;
	bool got;
};

static int on_feeds(struct peer *p, const struct req_msg *m)
{
	struct work *w = p->ctx;

	memcpy(&w->msg, m->body, sizeof(w->msg));
	if (w->msg.n > CONFIG_INTEL_MAX)
		return -EBADMSG;
	for (; w->n_fds < m->n_fds; w->n_fds++)
		w->fds[w->n_fds] = steal_fd(&m->fds[w->n_fds]);
	w->got = true;
	return 0;
}

static const struct req_row table[REQ_MAX_] = {
	[REQ_FEEDS] = { ROLE_MONITOR, sizeof(struct feeds_msg), sizeof(struct feeds_msg),
			on_feeds },
};

/* What each feed came to, in the log; what is broken, in the answer. */
static void report(const struct intel_header *h, struct indexed_msg *ret)
{
	for (uint64_t i = 0; i < h->n_feeds; i++) {
		const struct intel_feed *f = &h->feed[i];

		if (f->broken) {
			ret->broken |= 1U << i;
			snprintf(ret->why, sizeof(ret->why),
				 "feed %.40s is broken: %.90s; what it said before counts on",
				 f->name, f->reason);
			log_error("%s", ret->why);
			continue;
		}
		log_info("feed %s: %" PRIu64 " taken, %" PRIu64 " known, %" PRIu64
			 " outdated, %" PRIu64 " too wide, %" PRIu64 " other",
			 f->name, f->n[FEED_TAKEN], f->n[FEED_KNOWN], f->n[FEED_OUTDATED],
			 f->n[FEED_TOO_WIDE],
			 f->n[FEED_OTHER] + f->n[FEED_COMPLEX] + f->n[FEED_UNFIT] +
			     f->n[FEED_LONG] + f->n[FEED_OVER]);
	}
}

int main(void)
{
	static struct work w;
	struct load_feed feeds[CONFIG_INTEL_MAX];
	struct indexed_msg answer = { 0 };
	struct pollfd wait = { .fd = ROLE_SOCKET, .events = POLLIN };
	struct peer p = { .fd = ROLE_SOCKET, .role = ROLE_MONITOR, .table = table, .ctx = &w };
	const struct intel_header *head;
	int dirs[CONFIG_INTEL_MAX], fd = -1, err;
	size_t n_dirs = 0, at = 0, size = 0;
	struct span old = { 0 };
	struct role_ctx ctx;
	void *map;

	role_begin(ROLE_INDEXER, &ctx);
	if (poll(&wait, 1, 10000) != 1 || req_recv(&p) != 1 || !w.got)
		return 2;
	for (uint32_t i = 0; i < w.msg.n; i++) {
		struct stat st;

		w.msg.feed[i].name[sizeof(w.msg.feed[i].name) - 1] = 0;
		feeds[i] = (struct load_feed){ -1, w.msg.feed[i].name, w.msg.feed[i].hunt };
		if (w.msg.feed[i].missing || at == w.n_fds)
			continue;
		feeds[i].fd = w.fds[at++];
		if (!fstat(feeds[i].fd, &st) && S_ISDIR(st.st_mode))
			dirs[n_dirs++] = feeds[i].fd;
	}
	if (w.msg.old_size && at < w.n_fds) {
		map = mmap(NULL, w.msg.old_size, PROT_READ, MAP_PRIVATE, w.fds[at], 0);
		old = map == MAP_FAILED ? old : span_of(map, w.msg.old_size);
	}
	if (nice(NICE) < 0)
		log_debug("no lower priority");
	err = sandbox_enter_dirs(ROLE_INDEXER, dirs, n_dirs, NULL);
	if (err) {
		log_error("sandbox: %s", strerror(-err));
		return 1;
	}
	err = load_index(feeds, w.msg.n, old, w.msg.now_s, &fd, &size);
	if (err) {
		log_error("the index cannot be made: %s", strerror(-err));
		return 1;
	}
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	head = map == MAP_FAILED ? NULL : intel_open(span_of(map, size));
	if (!head)
		return 1;
	answer.size = size;
	answer.entries = head->n_entries;
	answer.expires_s = head->expires_s;
	report(head, &answer);
	return req_send(ROLE_SOCKET, REQ_INDEXED, &answer, sizeof(answer), &fd, 1) ? 1 : 0;
}
