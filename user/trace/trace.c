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
	const struct trace_head head = { TRACE_MAGIC, TRACE_VERSION, sizeof(struct ev_conn),
					 sizeof(struct proc_info), 0 };
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

static void put_conn(struct trace_writer *w, unsigned kind, const struct ev_conn *c)
{
	const struct ev_hdr h = { .kind = (uint16_t)kind,
				  .len = sizeof(*c),
				  .ts_ns = w->now_ns,
				  .conn = c->id,
				  .slot = c->slot,
				  .tgid = c->tgid };

	if (c->slot < w->max_conns)
		w->told[c->slot] = c->id;
	put(w, &h, sizeof(h));
	put(w, c, sizeof(*c));
	static_assert(sizeof(struct ev_ctl) % 8 == 0, "needs no padding");
}

static void on_open(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, EV_OPEN, c);
}

static void on_sock(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, EV_SOCK, c);
}

static void on_data(void *ctx, const struct ev_hdr *h, const struct ev_conn *c, struct span bytes)
{
	struct trace_writer *w = ctx;

	if (c && c->slot < w->max_conns && w->told[c->slot] != c->id)
		put_conn(w, TRACE_JOINED, c);
	put(w, h, sizeof(*h));
	put(w, bytes.p, bytes.len);
	pad(w, bytes.len);
}

static void on_close(void *ctx, const struct ev_conn *c)
{
	put_conn(ctx, EV_CLOSE, c);
}

static void on_exit_of(void *ctx, const struct ev_exit *e)
{
	struct ev_exit x = *e;

	x.hdr.len = sizeof(x) - sizeof(x.hdr);
	put(ctx, &x, sizeof(x));
	static_assert(sizeof(x) % 8 == 0, "needs no padding");
}

const struct intake_ops trace_writer_ops = { on_open, on_sock, on_data, on_close, on_exit_of };

void trace_writer_proc(struct trace_writer *w, const struct proc_info *p)
{
	const struct ev_hdr h = {
		.kind = TRACE_PROC, .len = sizeof(*p), .ts_ns = w->now_ns, .tgid = p->tgid
	};

	put(w, &h, sizeof(h));
	put(w, p, sizeof(*p));
	pad(w, sizeof(*p));
}

/* --- reading */

struct trace {
	struct span file;
	size_t at;
	uint64_t ts_ns;
	const struct ev_conn **conns; /* open addressing by id, at most half full */
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
	if (head.version != TRACE_VERSION || head.conn_len != sizeof(struct ev_conn) ||
	    head.proc_len != sizeof(struct proc_info)) {
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
static size_t place(const struct ev_conn **conns, size_t room, uint64_t id)
{
	size_t i = XXH3_64bits(&id, sizeof(id)) & (room - 1);

	while (conns[i] && conns[i]->id != id)
		i = (i + 1) & (room - 1);
	return i;
}

static int grow(struct trace *t)
{
	size_t room = t->room * 2;
	const struct ev_conn **conns = calloc(room, sizeof(*conns));

	if (!conns)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->conns[i])
			conns[place(conns, room, t->conns[i]->id)] = t->conns[i];
	free(t->conns);
	t->conns = conns;
	t->room = room;
	return 0;
}

static int remember(struct trace *t, const struct ev_conn *c)
{
	size_t i = place(t->conns, t->room, c->id);

	if (!t->conns[i]) {
		if (t->n_conns == CONNS_MAX)
			return 0; /* its data goes without */
		if (t->n_conns >= t->room / 2) {
			int err = grow(t);

			if (err)
				return err;
			i = place(t->conns, t->room, c->id);
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
		const struct ev_conn *c = t->conns[i];

		t->conns[i] = NULL;
		t->conns[place(t->conns, t->room, c->id)] = c;
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

int trace_next(struct trace *t, struct trace_event *ret, char *why, size_t why_size)
{
	struct span rest = span_sub(t->file, t->at, t->file.len);
	const struct ev_hdr *h = (const struct ev_hdr *)rest.p;
	const void *body;
	size_t fixed = 0;
	int err = 0;

	if (!rest.len)
		return 0;
	if (rest.len < sizeof(*h) || rest.len - sizeof(*h) < PAD((size_t)h->len))
		return bad(t, why, why_size, "the trace was cut");
	body = h + 1;
	switch (h->kind) {
	case EV_DATA:
		break;
	case EV_OPEN:
	case EV_SOCK:
	case EV_CLOSE:
	case TRACE_JOINED:
		fixed = sizeof(struct ev_conn);
		break;
	case EV_EXIT:
		fixed = sizeof(struct ev_exit) - sizeof(*h);
		break;
	case TRACE_PROC:
		fixed = sizeof(struct proc_info);
		break;
	default:
		return bad(t, why, why_size, "an unknown record");
	}
	if (fixed && h->len != fixed)
		return bad(t, why, why_size, "a record of the wrong size");
	t->ts_ns = MAX(t->ts_ns, h->ts_ns);
	*ret = (struct trace_event){ .kind = h->kind, .ts_ns = t->ts_ns };
	if (h->kind == EV_DATA) {
		if (!h->conn)
			return bad(t, why, why_size, "data of no connection");
		ret->hdr = h;
		ret->bytes = span_of(body, h->len);
		ret->conn = t->conns[place(t->conns, t->room, h->conn)];
	} else if (h->kind == EV_EXIT) {
		ret->exit = (const struct ev_exit *)h;
	} else if (h->kind == TRACE_PROC) {
		memcpy(&ret->proc, body, sizeof(ret->proc));
		terminate(&ret->proc);
	} else {
		ret->conn = body;
		if (!ret->conn->id)
			return bad(t, why, why_size, "a connection without a number");
		if (h->kind == EV_CLOSE)
			forget(t, ret->conn->id);
		else
			err = remember(t, ret->conn);
	}
	t->at += sizeof(*h) + PAD((size_t)h->len);
	return err ? err : 1;
}
