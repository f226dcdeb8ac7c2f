/* tests/e2e/conns_driver.c - capture alone, for test_identity.py: which socket is each connection
 * said to have? usage: conns_driver FILE... attaches to these TLS libraries or programs, prints
 * "ready", and captures until stdin ends. Then a line for each connection whose payload names its
 * socket:
 *   PID SSL TRUTH OPEN FINAL CHANGES MIDWAY MIXED
 * TRUTH, OPEN (when it opened) and FINAL are LOCAL-REMOTE ports, 0-0: unknown. CHANGES: how many
 * different sockets it was said to have; MIXED: tokens of other connections in its streams. A
 * token is "<me LOCAL REMOTE>", written by each end of a connection about itself. The last line is
 * "lost", then REASON:EVENTS/BYTES for each enum ev_loss that happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "capture/capture.h"
#include "capture/ring.h"
#include "capture/survey.h"

#define CONNS_MAX 65536
#define TOKEN_MAX 20 /* <me 65535 65535> */

struct ports {
	unsigned local, remote;
};

struct seen {
	uint64_t id, ssl;
	uint32_t tgid;
	struct ports truth, open, final;
	unsigned changes, mixed;
	bool midway;
	char tail[EV_DIR_MAX_][TOKEN_MAX]; /* the end of the last record */
	size_t tail_len[EV_DIR_MAX_];
};

static struct seen conns[CONNS_MAX]; /* by id, modulo: ids ascend from 1 */

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "conns_driver: %s: %s\n", what, why);
	exit(1);
}

static bool same(struct ports a, struct ports b)
{
	return a.local == b.local && a.remote == b.remote;
}

static struct ports ports_of(const struct ev_sock *s)
{
	return (struct ports){ s->local_port, s->remote_port };
}

static void on_control(void *ctx, struct span r)
{
	const struct ev_ctl *e = (const void *)r.p;
	struct seen *c;

	(void)ctx;
	if (r.len < sizeof(*e) || (e->hdr.kind != EV_OPEN && e->hdr.kind != EV_SOCK))
		return;
	if (e->conn.id >= CONNS_MAX)
		die("control", "too many connections");
	c = &conns[e->conn.id];
	if (e->hdr.kind == EV_OPEN) {
		*c = (struct seen){ .id = e->conn.id, .ssl = e->conn.ssl, .tgid = e->conn.tgid };
		c->open = ports_of(&e->conn.sock);
		c->midway = e->conn.flags & EV_CONN_MIDWAY;
	}
	if (!same(c->final, ports_of(&e->conn.sock)))
		c->changes++;
	c->final = ports_of(&e->conn.sock);
}

/* Every token in text, which a NUL ends. */
static void tokens(struct seen *c, const char *text, size_t len, enum ev_dir dir)
{
	const char *p = text, *end = text + len;
	struct ports at;

	while ((p = memmem(p, (size_t)(end - p), "<me ", 4))) {
		int n = 0;

		if (sscanf(p, dir == EV_WRITE ? "<me %u %u>%n" : "<me %u %u>%n",
			   dir == EV_WRITE ? &at.local : &at.remote,
			   dir == EV_WRITE ? &at.remote : &at.local, &n) == 2 &&
		    n) {
			if (!c->truth.local)
				c->truth = at;
			c->mixed += !same(c->truth, at);
		}
		p += 4;
	}
}

static void on_data(void *ctx, struct span r)
{
	static char text[TOKEN_MAX + 65536 + 1];
	const struct ev_hdr *h = (const void *)r.p;
	enum ev_dir dir = h->flags & EV_F_WRITE ? EV_WRITE : EV_READ;
	struct seen *c = h->conn < CONNS_MAX ? &conns[h->conn] : NULL;
	size_t len;

	(void)ctx;
	if (!c || !c->id || r.len < sizeof(*h) || h->len > 65536)
		return;
	memcpy(text, c->tail[dir], c->tail_len[dir]);
	memcpy(text + c->tail_len[dir], h + 1, h->len);
	len = c->tail_len[dir] + h->len;
	text[len] = '\0';
	tokens(c, text, len, dir);
	/* A token that was cut begins in what is kept; one that was whole does not. */
	for (c->tail_len[dir] = 0; c->tail_len[dir] < MIN(len, TOKEN_MAX - 1);) {
		if (text[len - ++c->tail_len[dir]] == '>') {
			c->tail_len[dir]--;
			break;
		}
	}
	memcpy(c->tail[dir], text + len - c->tail_len[dir], c->tail_len[dir]);
}

static long drain(struct ring *data, struct ring *control)
{
	uint64_t mark = ring_mark(data);
	long a = ring_consume(control, on_control, NULL, 0);
	long b = ring_consume_to(data, mark, on_data, NULL, 0);

	if (a < 0 || b < 0)
		die("ring", "bad record");
	return a + b;
}

static void attach(struct capture *c, const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct inode_key key = {};
	struct survey s;
	struct stat st;
	int err;

	if (fd < 0 || fstat(fd, &st))
		die(path, strerror(errno));
	key.ino = st.st_ino;
	err = survey_file(fd, &s);
	if (err || s.verdict != SURVEY_TLS)
		die(path, s.why);
	err = capture_attach(c, &key, fd, &s);
	if (err && err != -EEXIST)
		die(path, strerror(-err));
}

int main(int argc, char **argv)
{
	struct capture_opts o = { .ring_bytes = 256 << 20,
				  .max_conns = 16384,
				  .max_call_bytes = 16 << 20,
				  .share = 100,
				  .method = -1 };
	struct pollfd in = { .fd = 0, .events = POLLIN };
	struct ring *data = NULL, *control = NULL;
	struct capture *c = NULL;
	struct capture_fds fds;
	struct ev_stats st;
	char why[200];

	if (argc < 2)
		die("usage", "conns_driver FILE...");
	if (capture_new(&c, &o, why, sizeof(why)))
		die("capture", why);
	capture_fds(c, &fds);
	if (ring_new(&data, fds.data_ring, fds.data_ring_bytes) ||
	    ring_new(&control, fds.control_ring, fds.control_ring_bytes))
		die("ring", strerror(errno));
	for (int i = 1; i < argc; i++)
		attach(c, argv[i]);
	puts("ready");
	fflush(stdout);
	while (poll(&in, 1, 0) == 0)
		if (!drain(data, control))
			usleep(1000);
	drain(data, control);
	for (size_t i = 0; i < CONNS_MAX; i++) {
		const struct seen *s = &conns[i];

		if (s->truth.local)
			printf("%u %" PRIx64 " %u-%u %u-%u %u-%u %u %d %u\n", s->tgid, s->ssl,
			       s->truth.local, s->truth.remote, s->open.local, s->open.remote,
			       s->final.local, s->final.remote, s->changes, s->midway, s->mixed);
	}
	if (capture_stats(c, &st))
		die("statistics", strerror(errno));
	printf("lost");
	for (int i = 0; i < EV_LOSS_MAX_; i++)
		if (st.lost_events[i])
			printf(" %d:%llu/%llu", i, (unsigned long long)st.lost_events[i],
			       (unsigned long long)st.lost_bytes[i]);
	printf("\n");
	ring_free(&data);
	ring_free(&control);
	capture_free(&c);
	return 0;
}
