/* tools/cut/cut.c - earshot-cut: a part of a trace, with nothing in it of the host it was taken on.
 * Keeps the connections of one process whose first bytes passed in a span of time. Numbers of
 * processes and connections, users, ports and times are replaced; the texts that are named are
 * overwritten, length for length, wherever they stand in what was said.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/own.h"
#include "trace/trace.h"

#define CONNS_MAX  256 /* of one part */
#define TEXT_MIN   3   /* shorter ones would hit anything */
#define FIRST_PORT 40000
#define FIRST_NS   1000000000
#define PID	   4711
#define USER_ID	   1000

struct part {
	uint32_t pid;
	uint64_t from, to;
	char **texts;
	unsigned n_texts;
	uint64_t conns[CONNS_MAX]; /* the part's number of one is its index + 1 */
	unsigned n_conns;
	uint64_t first_ns;
};

static unsigned number_of(const struct part *p, uint64_t conn)
{
	for (unsigned i = 0; i < p->n_conns; i++)
		if (p->conns[i] == conn)
			return i + 1;
	return 0;
}

/* Which connections belong to the part: told by when their data begins, since the kernel does not
 * date an open. */
static int choose(void *ctx, const struct trace_event *e)
{
	struct part *p = ctx;

	if (e->kind != TRACE_DATA || e->rec->tgid != p->pid || e->rec->pos ||
	    e->rec->ts_ns < p->from || e->rec->ts_ns >= p->to || number_of(p, e->rec->conn))
		return 0;
	if (p->n_conns == CONNS_MAX)
		return -E2BIG;
	p->conns[p->n_conns++] = e->rec->conn;
	return 0;
}

static void overwrite(const struct part *p, uint8_t *bytes, size_t len)
{
	for (unsigned i = 0; i < p->n_texts; i++) {
		size_t n = strlen(p->texts[i]);
		uint8_t *at = bytes;

		while ((at = memmem(at, len - (size_t)(at - bytes), p->texts[i], n)))
			memset(at, 'x', n);
	}
}

struct cutter {
	struct part *part;
	struct trace_writer *out;
};

static int keep(void *ctx, const struct trace_event *e)
{
	const struct cutter *c = ctx;
	struct part *p = c->part;
	struct trace_rec rec = *e->rec;
	unsigned number = number_of(p, rec.conn);
	auto_mem uint8_t *body = NULL;

	if (!number)
		return 0;
	body = malloc(e->body.len + 1);
	if (!body)
		return -ENOMEM;
	memcpy(body, e->body.p, e->body.len);
	if (!p->first_ns)
		p->first_ns = e->ts_ns;
	rec.conn = number;
	rec.tgid = PID;
	rec.ts_ns = FIRST_NS + e->ts_ns - p->first_ns;
	if (rec.kind == TRACE_DATA) {
		overwrite(p, body, e->body.len);
	} else {
		struct trace_conn *conn = (struct trace_conn *)body;

		conn->start_ns = 1;
		conn->cgroup = 1;
		conn->tgid = PID;
		conn->ppid = 1;
		conn->uid = USER_ID;
		if (conn->family)
			conn->local_port = (uint16_t)(FIRST_PORT + number);
	}
	trace_writer_record(c->out, &rec, span_of(body, e->body.len));
	return 0;
}

static int each(struct span file, int (*fn)(void *, const struct trace_event *), void *ctx,
		char *why, size_t why_size)
{
	auto_free(trace) struct trace *t = NULL;
	struct trace_event e;
	int err = trace_new(&t, file, why, why_size), n = 0;

	while (!err && (n = trace_next(t, &e, why, why_size)) == 1)
		err = fn(ctx, &e);
	return err ? err : n;
}

static int cut(struct part *p, const char *from, const char *to, char *why, size_t why_size)
{
	auto_free(trace_writer) struct trace_writer *out = NULL;
	auto_close int in_fd = open(from, O_RDONLY | O_CLOEXEC), out_fd = -1;
	struct cutter c = { .part = p };
	struct span file;
	struct stat st;
	void *map;
	int err;

	if (in_fd < 0 || fstat(in_fd, &st) < 0)
		return -errno;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, in_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	file = span_of(map, (size_t)st.st_size);
	err = each(file, choose, p, why, why_size);
	if (err)
		return err;
	if (!p->n_conns) {
		snprintf(why, why_size, "no connection of process %" PRIu32 " then", p->pid);
		return -ENOENT;
	}
	out_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out_fd < 0)
		return -errno;
	err = trace_writer_new(&out, out_fd, 0);
	c.out = out;
	if (!err)
		err = each(file, keep, &c, why, why_size);
	return err ? err : trace_writer_flush(out);
}

int main(int argc, char **argv)
{
	struct part p = { 0 };
	char why[256] = "";
	int err;

	if (argc < 6) {
		fprintf(stderr, "usage: earshot-cut TRACE PART PID FROM_NS TO_NS [TEXT]...\n");
		return 2;
	}
	p.pid = (uint32_t)strtoul(argv[3], NULL, 10);
	p.from = strtoull(argv[4], NULL, 10);
	p.to = strtoull(argv[5], NULL, 10);
	p.texts = argv + 6;
	p.n_texts = (unsigned)argc - 6;
	for (unsigned i = 0; i < p.n_texts; i++)
		if (strlen(p.texts[i]) < TEXT_MIN) {
			fprintf(stderr, "earshot-cut: too short a text: %s\n", p.texts[i]);
			return 2;
		}
	err = cut(&p, argv[1], argv[2], why, sizeof(why));
	if (err)
		fprintf(stderr, "earshot-cut: %s: %s\n", argv[1], *why ? why : strerror(-err));
	return err ? 1 : 0;
}
