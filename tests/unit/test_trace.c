/* tests/unit/test_trace.c - a trace written is the trace read; a damaged one is refused where the
 * damage is, and nowhere is a byte past its end looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/own.h"
#include "guard.h"
#include "trace/trace.h"

#define SLOTS 4

static const uint8_t hello[] = "hello";

static struct ev_conn conn(uint64_t id, uint32_t slot)
{
	return (
	    struct ev_conn){ .id = id, .slot = slot, .tgid = 7, .comm = "curl", .pos = { 3, 4 } };
}

/* Everything that a recorder may meet, one of each. */
static int write_all(struct trace_writer *w)
{
	const struct ev_conn first = conn(1, 0), joined = conn(2, 1), strange = conn(3, SLOTS);
	const struct ev_hdr of_first = { .kind = EV_DATA, .len = 5, .conn = 1, .ts_ns = 20 };
	const struct ev_hdr of_joined = {
		.kind = EV_DATA, .len = 5, .conn = 2, .ts_ns = 10, .slot = 1
	};
	const struct ev_hdr of_nobody = { .kind = EV_DATA, .len = 0, .conn = 9, .ts_ns = 30 };
	const struct ev_exit gone = { .hdr = { .kind = EV_EXIT, .tgid = 7, .ts_ns = 40 },
				      .start_ns = 5 };
	struct proc_info p = { .tgid = 7 };

	memset(p.exe, 'x', sizeof(p.exe)); /* without its NUL */
	trace_writer_now(w, 15);
	trace_writer_proc(w, &p);
	trace_writer_ops.open(w, &first);
	trace_writer_ops.data(w, &of_first, &first, span_of(hello, 5));
	trace_writer_ops.data(w, &of_joined, &joined, span_of(hello, 5));
	trace_writer_ops.data(w, &of_joined, &joined, span_of(hello, 5));
	trace_writer_ops.sock(w, &joined);
	trace_writer_ops.open(w, &strange);
	trace_writer_ops.data(w, &of_nobody, NULL, span_of(NULL, 0));
	trace_writer_ops.close(w, &first);
	trace_writer_ops.data(w, &of_first, NULL, span_of(hello, 5));
	trace_writer_ops.exit(w, &gone);
	return trace_writer_flush(w);
}

/* The file's bytes, at a guard page and at a multiple of 8. */
static struct span record(struct guard *g)
{
	auto_close int fd = memfd_create("trace", MFD_CLOEXEC);
	struct trace_writer *w;
	struct stat st;
	void *p;

	assert_true(fd >= 0);
	assert_int_equal(trace_writer_new(&w, fd, SLOTS), 0);
	assert_int_equal(write_all(w), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(trace_writer_bytes(w), st.st_size);
	trace_writer_free(&w);
	assert_int_equal(st.st_size % 8, 0);
	*g = guard_new((size_t)st.st_size);
	p = g->map + g->room - st.st_size;
	assert_int_equal(pread(fd, p, (size_t)st.st_size, 0), st.st_size);
	return span_of(p, (size_t)st.st_size);
}

static void test_round_trip(void **state)
{
	static const struct {
		uint32_t kind;
		uint64_t ts_ns, conn;
		bool told; /* of the connection */
	} want[] = {
		{ TRACE_PROC, 15 },	 { TRACE_OPEN, 15, 1 },	      { TRACE_DATA, 20, 1, true },
		{ TRACE_JOINED, 20, 2 }, { TRACE_DATA, 20, 2, true }, { TRACE_DATA, 20, 2, true },
		{ TRACE_SOCK, 20, 2 },	 { TRACE_OPEN, 20, 3 },	      { TRACE_DATA, 30, 9 },
		{ TRACE_CLOSE, 30, 1 },	 { TRACE_DATA, 30, 1 },	      { TRACE_EXIT, 40 },
	};
	auto_free(trace) struct trace *t = NULL;
	struct trace_event e;
	struct guard g;
	struct span file = record(&g);
	char why[128];

	(void)state;
	assert_int_equal(trace_new(&t, file, why, sizeof(why)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(trace_next(t, &e, why, sizeof(why)), 1);
		assert_int_equal(e.kind, want[i].kind);
		assert_int_equal(e.ts_ns, want[i].ts_ns);
		assert_int_equal(e.rec->conn, want[i].conn);
		if (want[i].conn)
			assert_int_equal(e.conn.id, want[i].conn);
		if (e.kind == TRACE_DATA)
			assert_string_equal(e.conn.comm, want[i].told ? "curl" : "");
		if (e.kind == TRACE_DATA && e.body.len)
			assert_true(span_eq(e.body, span_of(hello, 5)));
		if (e.kind == TRACE_CLOSE)
			assert_int_equal(e.final[EV_WRITE], 4);
		if (e.kind == TRACE_PROC)
			assert_int_equal(strlen(e.proc.exe), sizeof(e.proc.exe) - 1);
		if (e.kind == TRACE_EXIT)
			assert_int_equal(e.start_ns, 5);
	}
	assert_int_equal(trace_next(t, &e, why, sizeof(why)), 0);
	guard_free(&g);
}

/* Events until the end; the last result. */
static int read_all(struct span file, unsigned *ret_events)
{
	auto_free(trace) struct trace *t = NULL;
	struct trace_event e;
	char why[128];
	int n = trace_new(&t, file, why, sizeof(why));

	*ret_events = 0;
	if (n)
		return n;
	while ((n = trace_next(t, &e, why, sizeof(why))) == 1)
		++*ret_events;
	return n;
}

static void test_cut_anywhere(void **state)
{
	struct guard g, cut;
	struct span file = record(&g);
	unsigned whole, events, last = 0, ends = 0;

	(void)state;
	assert_int_equal(read_all(file, &whole), 0);
	cut = guard_new(file.len);
	for (size_t n = 0; n < file.len; n++) {
		/* Begins at a multiple of 8, so only every eighth cut ends at the guard page. */
		uint8_t *p = cut.map + cut.room - ((n + 7) & ~(size_t)7);
		int err;

		memcpy(p, file.p, n);
		err = read_all(span_of(p, n), &events);
		assert_true(err == 0 || err == -EBADMSG);
		assert_true(events >= last && events < whole);
		ends += err == 0;
		last = events;
	}
	/* A cut between records cannot be told from an end. */
	assert_int_equal(ends, whole);
	guard_free(&cut);
	guard_free(&g);
}

static void test_damage(void **state)
{
	struct guard g;
	struct span file = record(&g);
	struct trace_head *head = (struct trace_head *)file.p;
	struct trace_rec *first = (struct trace_rec *)(file.p + sizeof(*head));
	const uint32_t len = first->len;
	unsigned events, whole;

	(void)state;
	head->version++;
	assert_int_equal(read_all(file, &events), -EBADMSG);
	head->version--;
	first->kind = 99;
	assert_int_equal(read_all(file, &events), -EBADMSG);
	first->kind = TRACE_EXIT;
	assert_int_equal(read_all(file, &events), -EBADMSG);
	first->kind = TRACE_DATA; /* of connection 0 */
	assert_int_equal(read_all(file, &events), -EBADMSG);
	first->kind = TRACE_PROC;
	first->dir = EV_DIR_MAX_;
	assert_int_equal(read_all(file, &events), -EBADMSG);
	first->dir = 0;
	assert_int_equal(read_all(file, &whole), 0);
	first->len--; /* of a build that knows less of a process */
	assert_int_equal(read_all(file, &events), 0);
	assert_int_equal(events, whole - 1);
	first->len = len;
	first->len = UINT32_MAX;
	assert_int_equal(read_all(file, &events), -EBADMSG);
	guard_free(&g);
}

static void test_disk_full(void **state)
{
	auto_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct trace_writer *w = NULL;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(trace_writer_new(&w, fd, SLOTS), -ENOSPC);
	assert_null(w);
}

/* More connections than the reader's table begins with, closed in another order. */
static void test_many_connections(void **state)
{
	enum { N = 3000 };
	auto_close int fd = memfd_create("trace", MFD_CLOEXEC);
	struct trace_writer *w;
	struct trace *t;
	struct trace_event e;
	struct stat st;
	unsigned told = 0;
	char why[128];
	void *p;

	(void)state;
	assert_int_equal(trace_writer_new(&w, fd, SLOTS), 0);
	for (uint64_t i = 1; i <= N; i++)
		trace_writer_ops.open(w, &(struct ev_conn){ .id = i, .uid = 1 });
	for (uint64_t i = 1; i <= N; i += 2)
		trace_writer_ops.close(w, &(struct ev_conn){ .id = i });
	for (uint64_t i = 1; i <= N; i++)
		trace_writer_ops.data(w, &(struct ev_hdr){ .kind = EV_DATA, .len = 5, .conn = i },
				      NULL, span_of(hello, 5));
	assert_int_equal(trace_writer_flush(w), 0);
	trace_writer_free(&w);
	fstat(fd, &st);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(trace_new(&t, span_of(p, (size_t)st.st_size), why, sizeof(why)), 0);
	while (trace_next(t, &e, why, sizeof(why)) == 1) {
		if (e.kind != TRACE_DATA)
			continue;
		assert_int_equal(e.conn.id, e.rec->conn);
		assert_int_equal(e.conn.uid == 1, e.rec->conn % 2 == 0);
		told += e.conn.uid == 1;
	}
	assert_int_equal(told, N / 2);
	trace_free(&t);
	munmap(p, (size_t)st.st_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_damage),		 cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_many_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
