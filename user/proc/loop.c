/* user/proc/loop.c - an epoll loop with a few periodic timers. */
#include "proc/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/own.h"

#define LOOP_FDS_MAX	1024
#define LOOP_TIMERS_MAX 8

struct watch {
	loop_fn *fn; /* NULL: free */
	void *ctx;
	uint32_t generation; /* an event queued for an earlier user of the descriptor is dropped */
};

struct timer {
	uint64_t period_ns; /* 0: once */
	uint64_t next_ns;   /* UINT64_MAX: not any more */
	loop_timer_fn *fn;
	void *ctx;
};

struct loop {
	int epfd;
	bool stop;
	uint32_t generation;
	struct watch watches[LOOP_FDS_MAX]; /* by descriptor */
	struct timer timers[LOOP_TIMERS_MAX];
	unsigned n_timers;
};

int loop_new(struct loop **ret)
{
	auto_free(loop) struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return -errno;
	*ret = steal(l);
	return 0;
}

void loop_free(struct loop **l)
{
	if (!*l)
		return;
	own_close(&(*l)->epfd);
	free(*l);
	*l = NULL;
}

static struct epoll_event event_of(struct loop *l, int fd, uint32_t events)
{
	return (struct epoll_event){
		.events = events,
		.data.u64 = (uint64_t)l->watches[fd].generation << 32 | (uint32_t)fd,
	};
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *ctx)
{
	struct epoll_event e;

	if (fd < 0 || fd >= LOOP_FDS_MAX)
		return -EMFILE;
	if (l->watches[fd].fn)
		return -EEXIST;
	l->watches[fd] = (struct watch){ fn, ctx, ++l->generation };
	e = event_of(l, fd, events);
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &e) < 0) {
		l->watches[fd].fn = NULL;
		return -errno;
	}
	return 0;
}

void loop_mod(struct loop *l, int fd, uint32_t events)
{
	struct epoll_event e = event_of(l, fd, events);

	epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &e);
}

void loop_del(struct loop *l, int fd)
{
	if (fd < 0 || fd >= LOOP_FDS_MAX || !l->watches[fd].fn)
		return;
	l->watches[fd].fn = NULL;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
}

/* All timers of the host stand on one grid, so that those of one process, and of processes that
 * wait for each other, are due at once: a wakeup costs more than what most of them do. */
static uint64_t due_after(uint64_t now_ns, uint64_t period_ns)
{
	return (now_ns / period_ns + 1) * period_ns;
}

static int add_timer(struct loop *l, struct timer t)
{
	unsigned i = 0;

	while (i < l->n_timers && l->timers[i].next_ns != UINT64_MAX)
		i++;
	if (i == LOOP_TIMERS_MAX)
		return -ENOSPC;
	if (i == l->n_timers)
		l->n_timers++;
	l->timers[i] = t;
	return 0;
}

int loop_every(struct loop *l, uint64_t period_ns, loop_timer_fn *fn, void *ctx)
{
	return add_timer(l, (struct timer){ period_ns, due_after(mono_ns(), period_ns), fn, ctx });
}

int loop_after(struct loop *l, uint64_t delay_ns, loop_timer_fn *fn, void *ctx)
{
	return add_timer(l, (struct timer){ 0, mono_ns() + delay_ns, fn, ctx });
}

/* Fires what is due; returns milliseconds to the next, -1 for none. */
static int run_timers(struct loop *l)
{
	uint64_t now = mono_ns(), next = UINT64_MAX;

	for (unsigned i = 0; i < l->n_timers; i++) {
		struct timer *t = &l->timers[i];

		if (t->next_ns > now)
			continue;
		/* After a suspend one call, not a storm. */
		t->next_ns = t->period_ns ? due_after(now, t->period_ns) : UINT64_MAX;
		t->fn(t->ctx, now);
	}
	for (unsigned i = 0; i < l->n_timers; i++) /* fn may have added one */
		next = MIN(next, l->timers[i].next_ns);
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now + NS_PER_MS - 1) / NS_PER_MS);
}

int loop_run(struct loop *l)
{
	struct epoll_event events[32];

	while (!l->stop) {
		int wait = run_timers(l);
		int n;

		if (l->stop)
			break;
		n = epoll_wait(l->epfd, events, ARRAY_SIZE(events), wait);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !l->stop; i++) {
			struct watch *w = &l->watches[(uint32_t)events[i].data.u64];

			if (w->fn && w->generation == events[i].data.u64 >> 32)
				w->fn(w->ctx, events[i].events);
		}
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
