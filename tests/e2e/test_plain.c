/* tests/e2e/test_plain.c - plain text of TCP under the loaded BPF programs: every system call that
 * sends or receives, both ends in this process, each byte compared; what cannot be captured is a
 * gap of its size.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/capture.h"
#include "capture/ring.h"
#include "uring.h"

#define MIB	  (1 << 20)
#define ROOM	  (8 * MIB) /* of one direction of one connection */
#define CONNS_MAX 16
#define PIECE	  (256 << 10)

#define EXPECT(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond) && !reason[0]) {                                                       \
			int at_ =                                                                  \
			    snprintf(reason, sizeof(reason), "line %d: %s: ", __LINE__, #cond);    \
			snprintf(reason + at_, sizeof(reason) - (size_t)at_, "" __VA_ARGS__);      \
		}                                                                                  \
	} while (0)

/* What was captured of one direction, each byte in its place, and 1 in known for those. */
struct stream {
	uint8_t *bytes, *known;
	uint64_t end;
};

struct track {
	struct ev_conn conn;
	unsigned closes;
	struct stream s[EV_DIR_MAX_];
};

struct sensor {
	struct capture *c;
	struct ring *data, *control;
	struct track tracks[CONNS_MAX];
	size_t n;
};

struct pair {
	int fd[2];
	uint16_t port[2]; /* local ones */
	uint8_t *sent[2]; /* from this end */
	uint64_t len[2];
};

static char reason[256];
static uint16_t port; /* the selected one */
static uint32_t seed = 1;

/* --- the sensor */

static void on_control(void *ctx, struct span r)
{
	struct sensor *s = ctx;
	const struct ev_ctl *e = (const void *)r.p;

	if (e->hdr.kind == EV_EXIT || e->hdr.tgid != (uint32_t)getpid())
		return;
	if (e->hdr.kind == EV_OPEN && s->n < CONNS_MAX) {
		struct track *t = &s->tracks[s->n++];

		t->conn = e->conn;
		for (int d = 0; d < EV_DIR_MAX_; d++) {
			t->s[d].bytes = calloc(1, ROOM);
			t->s[d].known = calloc(1, ROOM);
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->tracks[i].conn.id != e->conn.id)
			continue;
		s->tracks[i].conn = e->conn;
		s->tracks[i].closes += e->hdr.kind == EV_CLOSE;
	}
}

static void on_data(void *ctx, struct span r)
{
	const struct ev_hdr *h = (const void *)r.p;
	struct sensor *s = ctx;

	for (size_t i = 0; i < s->n; i++) {
		struct stream *st = &s->tracks[i].s[h->flags & EV_F_WRITE ? EV_WRITE : EV_READ];

		if (s->tracks[i].conn.id != h->conn)
			continue;
		EXPECT(h->pos + h->len <= ROOM, "position %llu", (unsigned long long)h->pos);
		if (h->pos + h->len > ROOM)
			return;
		for (uint32_t j = 0; j < h->len; j++) {
			EXPECT(!st->known[h->pos + j], "twice");
			st->known[h->pos + j] = 1;
		}
		memcpy(st->bytes + h->pos, r.p + sizeof(*h), h->len);
		st->end = MAX(st->end, h->pos + h->len);
		return;
	}
	EXPECT(h->tgid != (uint32_t)getpid(), "data before its open");
}

static void drain(struct sensor *s)
{
	uint64_t mark = ring_mark(s->data);

	ring_consume(s->control, on_control, s, 0);
	ring_consume_to(s->data, mark, on_data, s, 0);
}

enum by { BY_NOTHING, BY_PORT, BY_PROC };

static void sensor_open(struct sensor *s, enum by by)
{
	const struct capture_opts o = { .ring_bytes = 64 * MIB,
					.max_conns = 64,
					.max_call_bytes = 16 * MIB,
					.share = 5,
					.plain_ports = &port,
					.n_plain_ports = by == BY_PORT,
					.plain_procs = by == BY_PROC,
					.method = -1 };
	struct capture_fds fds;
	char why[200] = "";
	int err = capture_new(&s->c, &o, why, sizeof(why));

	EXPECT(!err, "capture_new: %s", why);
	if (err)
		return;
	capture_fds(s->c, &fds);
	err = ring_new(&s->data, fds.data_ring, fds.data_ring_bytes);
	EXPECT(!err, "ring_new %d", err);
	err = ring_new(&s->control, fds.control_ring, fds.control_ring_bytes);
	EXPECT(!err, "ring_new %d", err);
}

static void sensor_close(struct sensor *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (int d = 0; d < EV_DIR_MAX_; d++) {
			free(s->tracks[i].s[d].bytes);
			free(s->tracks[i].s[d].known);
		}
	}
	ring_free(&s->data);
	ring_free(&s->control);
	capture_free(&s->c);
}

/* --- two ends of a connection */

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 sa; /* the port is at the same place in both families */
	socklen_t len = sizeof(sa);

	EXPECT(!getsockname(fd, (struct sockaddr *)&sa, &len), "getsockname");
	return ntohs(sa.sin6_port);
}

static int listen_at(int family, uint16_t at)
{
	struct sockaddr_in sa4 = { .sin_family = AF_INET,
				   .sin_port = htons(at),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 sa6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(at),
				    .sin6_addr = in6addr_loopback };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	EXPECT(!bind(fd, family == AF_INET ? (struct sockaddr *)&sa4 : (struct sockaddr *)&sa6,
		     family == AF_INET ? sizeof(sa4) : sizeof(sa6)) &&
		   !listen(fd, 1),
	       "port %u: %s", at, strerror(errno));
	return fd;
}

static void pair_open(struct pair *p, int family, uint16_t at)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int listener = listen_at(family, at), room = 16 * MIB;

	*p = (struct pair){ .fd = { socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), -1 } };
	EXPECT(!getsockname(listener, (struct sockaddr *)&sa, &len) &&
		   !connect(p->fd[0], (struct sockaddr *)&sa, len),
	       "connect: %s", strerror(errno));
	p->fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	for (int i = 0; i < 2; i++) {
		setsockopt(p->fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		setsockopt(p->fd[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		p->port[i] = port_of(p->fd[i]);
		p->sent[i] = calloc(1, ROOM);
	}
}

static void pair_close(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		own_close(&p->fd[i]);
		free(p->sent[i]);
	}
}

/* The next n bytes of an end's stream: to be sent now. */
static uint8_t *next(struct pair *p, int from, size_t n)
{
	uint8_t *at = p->sent[from] + p->len[from];

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		at[i] = (uint8_t)(seed >> 16);
	}
	/* Not a TLS record. */
	if (!p->len[from])
		at[0] = 'G';
	p->len[from] += n;
	return at;
}

static void receive(int fd, size_t n)
{
	static uint8_t in[PIECE];

	while (n) {
		ssize_t got = read(fd, in, MIN(n, sizeof(in)));

		EXPECT(got > 0, "read: %s", strerror(errno));
		if (got <= 0)
			return;
		n -= (size_t)got;
	}
}

static struct track *track_of(struct sensor *s, const struct pair *p, int end)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->tracks[i].conn.sock.local_port == p->port[end] &&
		    s->tracks[i].conn.sock.remote_port == p->port[!end])
			return &s->tracks[i];
	return NULL;
}

/* Every byte that was captured is right, and all but gaps[end][dir] were; final positions agree. */
static void check(struct sensor *s, const struct pair *p, const uint64_t gaps[2][EV_DIR_MAX_])
{
	uint64_t missing = 0, counted;
	struct ev_stats st;

	drain(s);
	for (int end = 0; end < 2; end++) {
		struct track *t = track_of(s, p, end);

		EXPECT(t, "end %d was not seen", end);
		for (int d = 0; t && d < EV_DIR_MAX_; d++) {
			int from = d == EV_WRITE ? end : !end;
			uint64_t got = 0;

			for (uint64_t i = 0; i < p->len[from]; i++) {
				got += t->s[d].known[i];
				EXPECT(!t->s[d].known[i] || t->s[d].bytes[i] == p->sent[from][i],
				       "end %d, direction %d: byte %llu differs", end, d,
				       (unsigned long long)i);
			}
			EXPECT(t->s[d].end <= p->len[from], "more than was sent");
			EXPECT(got + gaps[end][d] == p->len[from],
			       "end %d, direction %d: %llu of %llu", end, d,
			       (unsigned long long)got, (unsigned long long)p->len[from]);
			EXPECT(!t->closes || (t->conn.pos[d] == p->len[from] &&
					      t->conn.lost[d] == gaps[end][d]),
			       "final position %llu, %llu lost", (unsigned long long)t->conn.pos[d],
			       (unsigned long long)t->conn.lost[d]);
			missing += gaps[end][d];
		}
	}
	EXPECT(!capture_stats(s->c, &st), "stats");
	counted = st.lost_bytes[EV_LOSS_NO_BUFFER];
	EXPECT(counted == missing, "%llu counted, %llu missing", (unsigned long long)counted,
	       (unsigned long long)missing);
}

static const uint64_t no_gaps[2][EV_DIR_MAX_];

/* --- the tests */

static void all_calls(struct pair *p, int from)
{
	static const size_t sizes[] = { 1, 255, 256, 257, 4096, 16384, 16385, 70000 };
	static uint8_t in[PIECE];
	int a = p->fd[from], b = p->fd[!from];
	struct iovec out[6], got[5];
	struct msghdr m = { .msg_iov = out, .msg_iovlen = ARRAY_SIZE(out) };
	size_t total;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i];

		EXPECT(write(a, next(p, from, n), n) == (ssize_t)n, "write");
		receive(b, n);
		EXPECT(send(a, next(p, from, n), n, 0) == (ssize_t)n, "send");
		EXPECT(recv(b, in, n, MSG_PEEK | MSG_WAITALL) == (ssize_t)n, "peek");
		EXPECT(recv(b, in, n, MSG_WAITALL) == (ssize_t)n, "recv");
		total = 0;
		for (size_t j = 0; j < ARRAY_SIZE(out); j++) {
			size_t len = j == 2 ? 0 : n / (j + 1) + j;

			out[j] = (struct iovec){ next(p, from, len), len };
			total += len;
		}
		if (i & 1)
			EXPECT(writev(a, out, ARRAY_SIZE(out)) == (ssize_t)total, "writev");
		else
			EXPECT(sendmsg(a, &m, 0) == (ssize_t)total, "sendmsg");
		for (size_t left = total, part = total / 4 + 1; left;) {
			struct msghdr r = { .msg_iov = got, .msg_iovlen = ARRAY_SIZE(got) };
			ssize_t done;

			for (size_t j = 0; j < ARRAY_SIZE(got); j++)
				got[j] = (struct iovec){ in + j * part, j == 1 ? 0 : part };
			done = i & 2 ? readv(b, got, ARRAY_SIZE(got)) : recvmsg(b, &r, 0);
			EXPECT(done > 0, "receive: %s", strerror(errno));
			if (done <= 0)
				return;
			left -= (size_t)done;
		}
	}
}

static void test_calls(struct sensor *s, int family)
{
	static const uint8_t lo4[16] = { 127, 0, 0, 1 }, lo6[16] = { [15] = 1 };
	struct pair p;

	pair_open(&p, family, port);
	all_calls(&p, 0);
	all_calls(&p, 1);
	check(s, &p, no_gaps);
	EXPECT(s->n == 2, "%zu connections", s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct ev_conn *c = &s->tracks[i].conn;

		EXPECT(c->sock.family == family &&
			   !memcmp(c->sock.local, family == AF_INET ? lo4 : lo6, 16) &&
			   !memcmp(c->sock.remote, family == AF_INET ? lo4 : lo6, 16),
		       "addresses");
		EXPECT(c->flags == EV_CONN_PLAIN, "flags %u", c->flags);
	}
	shutdown(p.fd[0], SHUT_WR);
	receive(p.fd[1], 0);
	pair_close(&p);
	usleep(10000);
	drain(s);
	EXPECT(s->tracks[0].closes == 1 && s->tracks[1].closes == 1, "not closed");
}

static void test_ipv4(struct sensor *s)
{
	test_calls(s, AF_INET);
}

static void test_ipv6(struct sensor *s)
{
	test_calls(s, AF_INET6);
}

static void test_large(struct sensor *s)
{
	struct pair p;

	pair_open(&p, AF_INET, port);
	EXPECT(write(p.fd[0], next(&p, 0, 5 * MIB), 5 * MIB) == 5 * MIB, "write");
	receive(p.fd[1], 5 * MIB);
	check(s, &p, no_gaps);
	pair_close(&p);
}

/* The end of the stream stands in the sequence like a byte, and arrives with the last ones. */
static void test_end(struct sensor *s)
{
	struct pair p;

	pair_open(&p, AF_INET, port);
	EXPECT(write(p.fd[0], next(&p, 0, 1000), 1000) == 1000, "write");
	shutdown(p.fd[0], SHUT_WR);
	usleep(1000);
	receive(p.fd[1], 1000);
	EXPECT(write(p.fd[1], next(&p, 1, 10), 10) == 10, "write");
	receive(p.fd[0], 10);
	own_close(&p.fd[0]);
	own_close(&p.fd[1]);
	usleep(10000);
	check(s, &p, no_gaps);
	EXPECT(s->n == 2 && s->tracks[0].closes == 1 && s->tracks[1].closes == 1, "not closed");
	pair_close(&p);
}

static void around(struct pair *p, int from, size_t n)
{
	EXPECT(write(p->fd[from], next(p, from, n), n) == (ssize_t)n, "write");
	receive(p->fd[!from], n);
}

/* Ways that do not tell where the bytes are, with others before and behind. */
static void test_gaps(struct sensor *s)
{
	enum { N = 3000 };
	uint64_t gaps[2][EV_DIR_MAX_] = { { 0 } };
	auto_close int file = memfd_create("plain", MFD_CLOEXEC);
	uint8_t untouched[N];
	int pipes[2];
	struct mmsghdr mm[2] = { 0 };
	struct iovec iov[2];
	struct pair p;
	off_t off = 0;

	pair_open(&p, AF_INET, port);
	EXPECT(!pipe2(pipes, O_CLOEXEC), "pipe");
	around(&p, 0, 100);
	EXPECT(write(file, next(&p, 0, N), N) == N, "file");
	EXPECT(sendfile(p.fd[0], file, &off, N) == N, "sendfile");
	gaps[0][EV_WRITE] += N;
	receive(p.fd[1], N);
	around(&p, 0, 100);
	/* Received by splice: no trace but the socket's own position. */
	EXPECT(write(p.fd[0], next(&p, 0, N), N) == N, "write");
	for (int left = N; left > 0;) {
		ssize_t n = splice(p.fd[1], NULL, pipes[1], NULL, (size_t)left, 0);

		EXPECT(n > 0, "splice: %s", strerror(errno));
		if (n <= 0)
			break;
		left -= (int)n;
	}
	gaps[1][EV_READ] += N;
	around(&p, 0, 100);
	for (int i = 0; i < 2; i++) {
		iov[i] = (struct iovec){ next(&p, 0, N), N };
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	EXPECT(sendmmsg(p.fd[0], mm, 2, 0) == 2, "sendmmsg");
	gaps[0][EV_WRITE] += 2 * N;
	receive(p.fd[1], 2 * N);
	around(&p, 0, 100);
	EXPECT(write(p.fd[0], next(&p, 0, N), N) == N, "write");
	EXPECT(recv(p.fd[1], untouched, N, MSG_TRUNC | MSG_WAITALL) == N, "thrown away");
	gaps[1][EV_READ] += N;
	around(&p, 0, 100);
	check(s, &p, (const uint64_t(*)[EV_DIR_MAX_])gaps);
	close(pipes[0]);
	close(pipes[1]);
	pair_close(&p);
}

static void test_not_plain(struct sensor *s)
{
	static const uint8_t hello[] = { 22, 3, 1, 0, 5, 1, 0, 0, 1, 0 };
	struct ev_stats st;
	struct pair p;

	pair_open(&p, AF_INET, port);
	EXPECT(write(p.fd[0], hello, sizeof(hello)) == sizeof(hello), "write");
	receive(p.fd[1], sizeof(hello));
	around(&p, 0, 1000);
	around(&p, 1, 1000);
	drain(s);
	EXPECT(!capture_stats(s->c, &st) && !s->n && !st.bytes, "ciphertext was captured");
	pair_close(&p);
}

static void test_other_port(struct sensor *s)
{
	struct ev_stats st;
	struct pair p;

	pair_open(&p, AF_INET, 0);
	around(&p, 0, 1000);
	drain(s);
	EXPECT(!capture_stats(s->c, &st) && !s->n && !st.bytes, "captured");
	pair_close(&p);
}

static void test_excluded(struct sensor *s)
{
	struct pair p;

	EXPECT(!capture_exclude(s->c, getpid()), "exclude");
	pair_open(&p, AF_INET, port);
	around(&p, 0, 1000);
	drain(s);
	EXPECT(!s->n, "captured");
	pair_close(&p);
}

/* Older than the sensor: marked, and its positions begin with what was first seen. */
static void test_midway(struct sensor *s)
{
	struct pair p;

	sensor_close(s);
	*s = (struct sensor){ 0 };
	pair_open(&p, AF_INET, port);
	around(&p, 0, 1000);
	p.len[0] = 0;
	sensor_open(s, BY_PORT);
	around(&p, 0, 1000);
	check(s, &p, no_gaps);
	EXPECT(s->n == 2 && s->tracks[0].conn.flags == (EV_CONN_PLAIN | EV_CONN_MIDWAY), "%u",
	       s->tracks[0].conn.flags);
	pair_close(&p);
}

static void test_off(struct sensor *s)
{
	struct ev_stats st;
	struct pair p;

	sensor_close(s);
	*s = (struct sensor){ 0 };
	sensor_open(s, BY_NOTHING);
	pair_open(&p, AF_INET, port);
	around(&p, 0, 1000);
	drain(s);
	EXPECT(!capture_plain(s->c) && !capture_stats(s->c, &st) && !s->n && !st.bytes, "captured");
	pair_close(&p);
}

static uint64_t bytes_seen(struct sensor *s)
{
	struct ev_stats st;

	EXPECT(!capture_stats(s->c, &st), "stats");
	return st.bytes;
}

static void choose(struct sensor *s, bool chosen)
{
	auto_close int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	EXPECT(!capture_choose(s->c, self, chosen), "choose");
	EXPECT(capture_chosen(s->c, self) == chosen, "chosen");
}

static void test_process(struct sensor *s)
{
	enum { BEFORE = 1000 };
	const uint64_t gaps[2][EV_DIR_MAX_] = { { [EV_WRITE] = BEFORE }, { [EV_READ] = BEFORE } };
	struct pair p;

	sensor_close(s);
	*s = (struct sensor){ 0 };
	sensor_open(s, BY_PROC);
	pair_open(&p, AF_INET, 0);
	around(&p, 0, BEFORE);
	EXPECT(!bytes_seen(s), "captured of a process that is not chosen");
	choose(s, true);
	around(&p, 0, 3000);
	around(&p, 1, 3000);
	check(s, &p, gaps);
	EXPECT(s->n == 2 && s->tracks[0].conn.flags == EV_CONN_PLAIN, "flags %u",
	       s->tracks[0].conn.flags);
	choose(s, false);
	EXPECT(write(p.fd[0], "1234", 4) == 4, "write");
	receive(p.fd[1], 4);
	check(s, &p, gaps);
	pair_close(&p);
}

static void passes(struct pair *p)
{
	around(p, 0, 1000);
	_exit(0);
}

static void executes(struct pair *p)
{
	auto_close int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(p->fd[1], STDIN_FILENO);
	dup2(nowhere, STDOUT_FILENO);
	EXPECT(write(p->fd[0], next(p, 0, 7), 7) == 7, "write");
	execlp("head", "head", "-c5", NULL);
	_exit(1);
}

static void in_child(void (*run)(struct pair *p), struct pair *p)
{
	pid_t child = fork();
	int status = -1;

	if (!child)
		run(p);
	EXPECT(waitpid(child, &status, 0) == child && !status, "the child ended with %d", status);
}

static void test_children(struct sensor *s)
{
	struct pair p;

	sensor_close(s);
	*s = (struct sensor){ 0 };
	sensor_open(s, BY_PROC);
	choose(s, true);
	pair_open(&p, AF_INET, 0);
	in_child(passes, &p);
	EXPECT(bytes_seen(s) == 2000, "%llu bytes", (unsigned long long)bytes_seen(s));
	in_child(executes, &p);
	EXPECT(bytes_seen(s) == 2007, "%llu bytes", (unsigned long long)bytes_seen(s));
	pair_close(&p);
}

/* Its operations carry no arguments of a system call: what they move is a gap of its size,
 * whichever thread does it, and what passes otherwise before and behind is in its place. */
static void test_uring(struct sensor *s)
{
	uint64_t gaps[2][EV_DIR_MAX_] = { { 0 } };
	static uint8_t in[3000];
	struct uring u;
	struct pair p;

	if (uring_open(&u))
		return; /* not allowed here */
	pair_open(&p, AF_INET, port);
	for (int i = 0; i < 8; i++) {
		uint8_t flags = i & 1 ? IOSQE_ASYNC : 0; /* a thread of the kernel's does it */
		int n = 100 + 300 * i;

		around(&p, 0, 10);
		EXPECT(uring_post(&u, IORING_OP_SEND, p.fd[0], next(&p, 0, n), n, flags) == 1 &&
			   uring_take(&u) == n,
		       "send by io_uring");
		gaps[0][EV_WRITE] += n;
		receive(p.fd[1], n);
		around(&p, 1, 10);
		/* Posted first, and finished in the middle of the other end's own call. */
		EXPECT(uring_post(&u, IORING_OP_RECV, p.fd[1], in, sizeof(in), flags) == 1, "post");
		EXPECT(write(p.fd[0], next(&p, 0, n), n) == n && uring_take(&u) == n,
		       "receive by io_uring");
		gaps[1][EV_READ] += n;
	}
	around(&p, 0, 10);
	check(s, &p, (const uint64_t(*)[EV_DIR_MAX_])gaps);
	close(u.fd);
	pair_close(&p);
}

static const struct {
	const char *name;
	void (*run)(struct sensor *s);
} tests[] = {
	{ "every system call, vectors, peeks: each byte once, in its place", test_ipv4 },
	{ "the same over IPv6", test_ipv6 },
	{ "a write of megabytes", test_large },
	{ "the end of a stream is no byte of it", test_end },
	{ "sendfile, splice, sendmmsg, bytes thrown away: gaps of their size", test_gaps },
	{ "io_uring: gaps of their size", test_uring },
	{ "TLS on a selected port is not taken for plain text", test_not_plain },
	{ "a port that was not selected", test_other_port },
	{ "an excluded process", test_excluded },
	{ "a connection older than the sensor", test_midway },
	{ "off: nothing", test_off },
	{ "a process: from when it is chosen, what passed before being a gap", test_process },
	{ "a process's children, until they execute another program", test_children },
};

int main(void)
{
	bool require = getenv("EARSHOT_REQUIRE_BPF") && !strcmp(getenv("EARSHOT_REQUIRE_BPF"), "1");
	int failed = 0, fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = listen_at(AF_INET, 0);
	port = port_of(fd);
	close(fd);
	printf("1..%zu\n", ARRAY_SIZE(tests));
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		struct sensor s = { 0 };
		bool skip;

		reason[0] = 0;
		sensor_open(&s, BY_PORT);
		skip = !require && (!s.c || !capture_plain(s.c));
		if (s.c && capture_plain(s.c))
			tests[i].run(&s);
		else
			EXPECT(false, "no way to tell sockets");
		sensor_close(&s);
		printf("%sok %zu - %s%s%s\n", reason[0] && !skip ? "not " : "", i + 1,
		       tests[i].name, reason[0] ? skip ? " # SKIP " : "\n# " : "", reason);
		failed += reason[0] && !skip;
	}
	return failed ? 1 : 0;
}
