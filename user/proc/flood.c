/* user/proc/flood.c - which processes exceed their budget of capture. Walks the processes only when
 * more was shed than the last time, or something waits to be told.
 */
#include "proc/flood.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/snapshot.h"

#define AGAIN_NS (10 * NS_PER_SEC) /* between two reports of one process */

struct walk {
	struct floods *floods;
	struct team *team;
	uint64_t now_ns;
	bool waits; /* something is to be told later */
};

static void tell(struct team *t, const struct ev_proc *p, uint64_t events, uint64_t bytes)
{
	struct proc_info info;

	if (!snapshot_process((pid_t)p->tgid, &info) && proc_same(p->tgid, p->start_ns, &info))
		team_event(t, "sensor.flood", events, bytes,
			   "process %u (%s, %.100s) exceeds its budget of capture", p->tgid,
			   info.comm, info.exe);
	else
		team_event(t, "sensor.flood", events, bytes,
			   "process %u, which is gone, exceeded its budget of capture", p->tgid);
}

static struct flood *flood_of(struct floods *all, const struct ev_proc *p)
{
	struct flood *oldest = all->flood;

	for (struct flood *f = all->flood; f < all->flood + FLOODS_MAX; f++) {
		if (!memcmp(&f->proc, p, sizeof(*p)))
			return f;
		if (f->told_ns < oldest->told_ns)
			oldest = f;
	}
	*oldest = (struct flood){ .proc = *p };
	return oldest;
}

static int visit(void *ctx, const struct ev_proc *p, const struct ev_proc_stats *s)
{
	struct walk *w = ctx;
	struct flood *f;

	if (!s->shed_events)
		return 0;
	f = flood_of(w->floods, p);
	if (s->shed_events == f->events)
		return 0;
	if (f->told_ns && w->now_ns - f->told_ns < AGAIN_NS) {
		w->waits = true;
		return 0;
	}
	tell(w->team, p, s->shed_events - f->events, s->shed_bytes - f->bytes);
	*f = (struct flood){ *p, s->shed_events, s->shed_bytes, w->now_ns };
	return 0;
}

void floods_report(struct floods *f, const struct capture *c, struct team *t, uint64_t shed_events,
		   uint64_t now_ns)
{
	struct walk w = { .floods = f, .team = t, .now_ns = now_ns };

	if (shed_events == f->seen)
		return;
	capture_each_proc(c, visit, &w);
	if (!w.waits)
		f->seen = shed_events;
}
