/* user/proc/main_recorder.c - the recorder: rings in, a trace out. Takes the inspector's place for
 * `earshot record`: no uid of note, no network, no bpf(), one file that the monitor opened.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "base/clock.h"
#include "base/own.h"
#include "proc/req.h"
#include "proc/sandbox.h"
#include "trace/trace.h"

#define WAIT_MS 2 /* a trace is taken for a short while: no need to sleep longer */

struct recorder {
	struct role_ctx role;
	struct intake *intake;
	struct trace_writer *writer;
	struct peer monitor;
	bool stop;
};

static int on_proc(struct peer *p, const struct req_msg *m)
{
	struct recorder *r = p->ctx;
	struct proc_info info;

	memcpy(&info, m->body, sizeof(info));
	trace_writer_proc(r->writer, &info);
	return 0;
}

static int on_stop(struct peer *p, const struct req_msg *m)
{
	struct recorder *r = p->ctx;

	(void)m;
	r->stop = true;
	return 0;
}

static const struct req_row monitor_table[REQ_MAX_] = {
	[REQ_PROC] = { ROLE_MONITOR, sizeof(struct proc_info), sizeof(struct proc_info), on_proc },
	[REQ_STOP] = { ROLE_MONITOR, 0, 0, on_stop },
};

/* A process is told of when it is asked for: at each connection it opens. */
static void on_open(void *ctx, const struct ev_conn *c)
{
	struct who_msg who = { .tgid = c->tgid, .ppid = c->ppid, .start_ns = c->start_ns };
	struct recorder *r = ctx;

	memcpy(who.comm, c->comm, sizeof(who.comm));
	req_send(r->monitor.fd, REQ_WHO, &who, sizeof(who), NULL, 0);
	trace_writer_ops.open(r->writer, c);
}

static void on_sock(void *ctx, const struct ev_conn *c)
{
	trace_writer_ops.sock(((struct recorder *)ctx)->writer, c);
}

static void on_data(void *ctx, const struct ev_hdr *h, const struct ev_conn *c, struct span bytes)
{
	trace_writer_ops.data(((struct recorder *)ctx)->writer, h, c, bytes);
}

static void on_close(void *ctx, const struct ev_conn *c)
{
	trace_writer_ops.close(((struct recorder *)ctx)->writer, c);
}

static void on_exit_of(void *ctx, const struct ev_exit *e)
{
	trace_writer_ops.exit(((struct recorder *)ctx)->writer, e);
}

/* 0, or -errno after a message. */
static int drain(struct recorder *r, bool flush)
{
	int err;

	trace_writer_now(r->writer, mono_ns());
	if (intake_drain(r->intake) < 0) {
		log_error("the ring is inconsistent");
		return -EBADMSG;
	}
	err = flush ? trace_writer_flush(r->writer) : 0;
	if (err)
		log_error("the trace cannot be written: %s", strerror(-err));
	return err;
}

static int work(struct recorder *r)
{
	uint64_t flush_ns = 0;

	while (!r->stop) {
		struct pollfd wait = { .fd = r->monitor.fd, .events = POLLIN };
		uint64_t now = mono_ns();
		bool flush = now - flush_ns > NS_PER_SEC / 4;
		int err = drain(r, flush), n;

		if (err)
			return err;
		if (flush)
			flush_ns = now;
		__atomic_store_n(&r->role.page->heartbeat_ns, now, __ATOMIC_RELAXED);
		poll(&wait, 1, WAIT_MS);
		while ((n = req_recv(&r->monitor)) > 0)
			;
		if (n < 0)
			break; /* the monitor is gone: what there is is kept */
	}
	return drain(r, true);
}

int main(void)
{
	static const struct intake_ops ops = { on_open, on_sock, on_data, on_close, on_exit_of };
	static struct recorder r;
	const int *fds = r.role.fds;
	const struct start *s = &r.role.start;
	bool landlock;
	int err;

	role_begin(ROLE_RECORDER, &r.role);
	r.monitor = (struct peer){ ROLE_SOCKET, ROLE_MONITOR, monitor_table, &r };
	err = trace_writer_new(&r.writer, fds[START_FILE], s->max_conns);
	if (!err) {
		const struct intake_fds in = { fds[START_DATA_RING],  fds[START_CONTROL_RING],
					       fds[START_CONNS],      s->data_ring_bytes,
					       s->control_ring_bytes, s->max_conns };

		err = intake_new(&r.intake, &in, &ops, &r);
	}
	if (!err)
		err = sandbox_enter(ROLE_RECORDER, -1, &landlock);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return 1;
	}
	req_send(ROLE_SOCKET, REQ_READY, NULL, 0, NULL, 0);
	err = work(&r);
	log_info("%" PRIu64 " bytes recorded", trace_writer_bytes(r.writer));
	return err ? 1 : 0;
}
