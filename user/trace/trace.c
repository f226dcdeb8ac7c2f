/* user/trace/trace.c - traces written and read.
 * The writer owns a buffer and, per slot of the kernel's table, which connection it has told of;
 * the reader owns a table of the connections it was told of.
 */
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/own.h"

#define BUFFER	  (1 << 20)
#define CONNS_MIN 256
#define CONNS_MAX (1 << 20) /* live connections of one trace */
#define PAD(n)	  (((n) + 7) & ~(size_t)7)

struct trace_writer {
	int fd, err;
	uint64_t now_ns, written;
	uint64_t *told; /* by slot: the connection that was told of last */
	uint32_t max_conns;
	size_t len;
	uint8_t buffer[BUFFER];
};

static void flush(struct trace_writer *w)
{
	for (size_t done = 0; done < w->len && !w->err;) {
		ssize_t n = write(w->fd, w->buffer + done, w->len - done);

		if (n > 0) {
			done += (size_t)n;
			w->written += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			w->err = n ? -errno : -EIO;
		}
	}
	explicit_bzero(w->buffer, w->len);
	w->len = 0;
}

static void put(struct trace_writer *w, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n && !w->err) {
		size_t some = MIN(n, BUFFER - w->len);

		memcpy(w->buffer + w->len, from, some);
		w->len += some;
		from += some;
		n -= some;
		if (w->len == BUFFER)
			flush(w);
	}
}

static void pad(struct trace_writer *w, size_t n)
{
	static const uint8_t zero[8];

	put(w, zero, PAD(n) - n);
}

int trace_writer_new(struct trace_writer **ret, int fd, uint32_t max_conns)
{
	const struct trace_head head = { TRACE_MAGIC, TRACE_VERSION, 0 };
	auto_free(trace_writer) struct trace_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->max_conns = max_conns;
	w->told = calloc(max_conns, sizeof(*w->told));
	if (!w->told)
		return -ENOMEM;
	put(w, &head, sizeof(head));
	err = trace_writer_flush(w);
	if (err)
		return err;
	*ret = steal(w);
	return 0;
}

void trace_writer_free(struct trace_writer **w)
{
	if (!*w)
		return;
	free((*w)->told);
	explicit_bzero(*w, sizeof(**w));
	free(*w);
	*w = NULL;
}

void trace_writer_now(struct trace_writer *w, uint64_t now_ns)
{
	w->now_ns = now_ns;
}

int trace_writer_flush(struct trace_writer *w)
{
	flush(w);
	return w->err;
}

uint64_t trace_writer_bytes(const struct trace_writer *w)
{
	return w->written + w->len;
}

void trace_writer_record(struct trace_writer *w, const struct trace_rec *rec, struct span body)
{
	struct trace_rec r = *rec;

	r.len = (uint32_t)body.len;
	put(w, &r, sizeof(r));
	put(w, body.p, body.len);
	pad(w, body.len);
}

static void put_conn(struct trace_writer *w, enum trace_kind kind, const struct ev_conn *c)
{
	const struct trace_rec rec = {
		.kind = kind, .ts_ns = w->now_ns, .conn = c->id, .tgid = c->tgid
	};
	struct trace_conn t = {
		.start_ns = c->start_ns,
		.cgroup = c->cgroup,
		.pos = { c->pos[EV_READ], c->pos[EV_WRITE] },
		.tgid = c->tgid,
		.ppid = c->ppid,
		.uid = c->uid,
		.flags = c->flags & EV_CONN_MIDWAY ? TRACE_MIDWAY : 0,
		.family = c->sock.family,
		.local_port = c->sock.local_port,
		.remote_port = c->sock.remote_port,
	};

	static_assert(sizeof(t.comm) == sizeof(c->comm), "one length of names");
	memcpy(t.comm, c->comm, sizeof(t.comm));
	memcpy(t.local, c->sock.local, sizeof(t.local));
	memcpy(t.remote, c->sock.remote, sizeof(t.remote));
	if (c->slot < w->max_conns)
		w->told[c->slot] = c->id;
	trace_writer_record(w, &rec, span_of(&t, sizeof(t)));
}

static void on_open(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, TRACE_OPEN, c);
}

static void on_sock(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, TRACE_SOCK, c);
}

static void on_data(void *ctx, const struct ev_hdr *h, const struct ev_conn *c, struct span bytes)
{
	const struct trace_rec rec = { .kind = TRACE_DATA,
				       .dir = h->flags & EV_F_WRITE ? EV_WRITE : EV_READ,
				       .ts_ns = h->ts_ns,
				       .conn = h->conn,
				       .pos = h->pos,
				       .tgid = h->tgid };
	struct trace_writer *w = ctx;

	if (c && c->slot < w->max_conns && w->told[c->slot] != c->id)
		put_conn(w, TRACE_JOINED, c);
	trace_writer_record(w, &rec, bytes);
}

static void on_close(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, TRACE_CLOSE, c);
}

static void on_exit_of(void *ctx, const struct ev_exit *e)
{
	const struct trace_rec rec = { .kind = TRACE_EXIT,
				       .ts_ns = e->hdr.ts_ns,
				       .tgid = e->hdr.tgid };

	trace_writer_record(ctx, &rec, span_of(&e->start_ns, sizeof(e->start_ns)));
}

const struct intake_ops trace_writer_ops = { on_open, on_sock, on_data, on_close, on_exit_of };

void trace_writer_proc(struct trace_writer *w, const struct proc_info *p)
{
	const struct trace_rec rec = { .kind = TRACE_PROC, .ts_ns = w->now_ns, .tgid = p->tgid };

	trace_writer_record(w, &rec, span_of(p, sizeof(*p)));
}

/* --- reading */

struct trace {
	struct span file;
	size_t at;
	uint64_t ts_ns;
	const struct trace_rec **conns; /* with a struct trace_conn behind each; open addressing by
					   id, at most half full */
	size_t n_conns, room;
};

static int bad(const struct trace *t, char *why, size_t size, const char *what)
{
	snprintf(why, size, "%s at byte %zu", what, t->at);
	return -EBADMSG;
}

int trace_new(struct trace **ret, struct span file, char *why, size_t why_size)
{
	auto_free(trace) struct trace *t = calloc(1, sizeof(*t));
	struct trace_head head;

	if (!t)
		return -ENOMEM;
	if (file.len < sizeof(head) || memcmp(file.p, TRACE_MAGIC, strlen(TRACE_MAGIC))) {
		snprintf(why, why_size, "not a trace");
		return -EBADMSG;
	}
	memcpy(&head, file.p, sizeof(head));
	if (head.version != TRACE_VERSION) {
		snprintf(why, why_size, "a trace of another version of earshot");
		return -EBADMSG;
	}
	t->room = CONNS_MIN;
	t->conns = calloc(t->room, sizeof(*t->conns));
	if (!t->conns)
		return -ENOMEM;
	t->file = file;
	t->at = sizeof(head);
	*ret = steal(t);
	return 0;
}

void trace_free(struct trace **t)
{
	if (!*t)
		return;
	free((*t)->conns);
	free(*t);
	*t = NULL;
}

/* Its place, or the free one where it belongs. */
static size_t place(const struct trace_rec **conns, size_t room, uint64_t id)
{
	size_t i = XXH3_64bits(&id, sizeof(id)) & (room - 1);

	while (conns[i] && conns[i]->conn != id)
		i = (i + 1) & (room - 1);
	return i;
}

static int grow(struct trace *t)
{
	size_t room = t->room * 2;
	const struct trace_rec **conns = calloc(room, sizeof(*conns));

	if (!conns)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->conns[i])
			conns[place(conns, room, t->conns[i]->conn)] = t->conns[i];
	free(t->conns);
	t->conns = conns;
	t->room = room;
	return 0;
}

static int remember(struct trace *t, const struct trace_rec *c)
{
	size_t i = place(t->conns, t->room, c->conn);

	if (!t->conns[i]) {
		if (t->n_conns == CONNS_MAX)
			return 0; /* its data goes without */
		if (t->n_conns >= t->room / 2) {
			int err = grow(t);

			if (err)
				return err;
			i = place(t->conns, t->room, c->conn);
		}
		t->n_conns++;
	}
	t->conns[i] = c;
	return 0;
}

static void forget(struct trace *t, uint64_t id)
{
	size_t mask = t->room - 1, i = place(t->conns, t->room, id);

	if (!t->conns[i])
		return;
	t->conns[i] = NULL;
	t->n_conns--;
	/* Those behind it move up to where they are looked for. */
	for (i = (i + 1) & mask; t->conns[i]; i = (i + 1) & mask) {
		const struct trace_rec *c = t->conns[i];

		t->conns[i] = NULL;
		t->conns[place(t->conns, t->room, c->conn)] = c;
	}
}

static void terminate(struct proc_info *p)
{
	struct span texts[] = {
		{ (uint8_t *)p->comm, sizeof(p->comm) },
		{ (uint8_t *)p->user, sizeof(p->user) },
		{ (uint8_t *)p->exe, sizeof(p->exe) },
		{ (uint8_t *)p->cmdline, sizeof(p->cmdline) },
		{ (uint8_t *)p->cgroup, sizeof(p->cgroup) },
		{ (uint8_t *)p->container, sizeof(p->container) },
		{ (uint8_t *)p->unit, sizeof(p->unit) },
		{ (uint8_t *)p->pod_uid, sizeof(p->pod_uid) },
		{ (uint8_t *)p->pod_name, sizeof(p->pod_name) },
		{ (uint8_t *)p->pod_namespace, sizeof(p->pod_namespace) },
		{ (uint8_t *)p->container_name, sizeof(p->container_name) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		((uint8_t *)texts[i].p)[texts[i].len - 1] = 0;
}

static struct conn_info info_of(const struct trace_rec *rec)
{
	const struct trace_conn *c = (const struct trace_conn *)(rec + 1);
	struct conn_info i = { .id = rec->conn,
			       .tgid = c->tgid,
			       .ppid = c->ppid,
			       .uid = c->uid,
			       .start_ns = c->start_ns,
			       .cgroup = c->cgroup,
			       .sock = { .family = c->family,
					 .local_port = c->local_port,
					 .remote_port = c->remote_port },
			       .midway = c->flags & TRACE_MIDWAY };

	memcpy(i.sock.local, c->local, sizeof(i.sock.local));
	memcpy(i.sock.remote, c->remote, sizeof(i.sock.remote));
	memcpy(i.comm, c->comm, sizeof(i.comm));
	i.comm[sizeof(i.comm) - 1] = 0;
	return i;
}

/* Of the body of each kind; 0: any. */
static const uint32_t lengths[TRACE_KIND_MAX_] = {
	[TRACE_OPEN] = sizeof(struct trace_conn),
	[TRACE_SOCK] = sizeof(struct trace_conn),
	[TRACE_CLOSE] = sizeof(struct trace_conn),
	[TRACE_JOINED] = sizeof(struct trace_conn),
	[TRACE_EXIT] = sizeof(((struct trace_event *)0)->start_ns),
};

/* The record at t->at, checked, or NULL at the end and after a fault. */
static const struct trace_rec *take(struct trace *t, char *why, size_t why_size, int *ret_err)
{
	struct span rest = span_sub(t->file, t->at, t->file.len);
	const struct trace_rec *rec = (const struct trace_rec *)rest.p;

	*ret_err = 0;
	if (!rest.len)
		return NULL;
	if (rest.len < sizeof(*rec) || rest.len - sizeof(*rec) < PAD((size_t)rec->len))
		*ret_err = bad(t, why, why_size, "the trace was cut");
	else if (!rec->kind || rec->kind >= TRACE_KIND_MAX_)
		*ret_err = bad(t, why, why_size, "an unknown record");
	else if (lengths[rec->kind] && rec->len != lengths[rec->kind])
		*ret_err = bad(t, why, why_size, "a record of the wrong size");
	else if (rec->kind <= TRACE_JOINED && !rec->conn)
		*ret_err = bad(t, why, why_size, "a connection without a number");
	else if (rec->dir >= EV_DIR_MAX_)
		*ret_err = bad(t, why, why_size, "an unknown direction");
	if (*ret_err)
		return NULL;
	t->at += sizeof(*rec) + PAD((size_t)rec->len);
	return rec;
}

int trace_next(struct trace *t, struct trace_event *ret, char *why, size_t why_size)
{
	const struct trace_rec *rec, *told;
	int err;

	do
		rec = take(t, why, why_size, &err);
	while (rec && rec->kind == TRACE_PROC && rec->len != sizeof(ret->proc));
	if (!rec)
		return err;
	t->ts_ns = MAX(t->ts_ns, rec->ts_ns);
	ret->kind = rec->kind;
	ret->ts_ns = t->ts_ns;
	ret->rec = rec;
	ret->body = span_of(rec + 1, rec->len);
	switch (rec->kind) {
	case TRACE_DATA:
		told = t->conns[place(t->conns, t->room, rec->conn)];
		ret->conn =
		    told ? info_of(told) : (struct conn_info){ .id = rec->conn, .tgid = rec->tgid };
		break;
	case TRACE_EXIT:
		memcpy(&ret->start_ns, ret->body.p, sizeof(ret->start_ns));
		break;
	case TRACE_PROC:
		memcpy(&ret->proc, ret->body.p, sizeof(ret->proc));
		terminate(&ret->proc);
		break;
	case TRACE_CLOSE:
		memcpy(ret->final, ((const struct trace_conn *)ret->body.p)->pos,
		       sizeof(ret->final));
		ret->conn = info_of(rec);
		forget(t, rec->conn);
		break;
	default:
		ret->conn = info_of(rec);
		err = remember(t, rec);
		break;
	}
	return err ? err : 1;
}
