/* user/flow/flow.c - the connection table: positions, gaps, which protocol, when a connection is
 * over. Owns the connections, at most max_conns, found by id and by process, and ordered by when
 * they last had bytes.
 */
#include "flow/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/own.h"
#include "flow/exchange.h"
#include "flow/h1.h"
#include "flow/h2.h"
#include "parse/http2.h"
#include "parse/websocket.h"

#define PROBE_MAX  128	      /* bytes held while it is not clear what they begin */
#define SCAN_MAX   (16 << 20) /* bytes of one joined in its middle that are searched */
#define PEEK_MAX   (64 << 10) /* of these, of one that spoke nothing we read, after each mute */
#define MUTE_AFTER 8	      /* exchanges that nobody wanted before answers may be muted */
/* The same on HTTP/2, where the answer to one that is wanted may begin before anybody listens. */
#define MUTE_AFTER_H2 256
#define TABLE_MIN     64

const struct flow_limits flow_defaults = {
	.max_conns = 131072,
	.max_pipeline = 64,
	.max_streams = 256,
	.max_body = 64 << 20,
	.max_ratio = 200,
	.max_event = 2 << 20,
	.idle_ns = UINT64_C(900) * 1000000000,
};

enum conn_state {
	CONN_NEW, /* not clear yet what it speaks */
	CONN_H1,
	CONN_WEBSOCKET, /* is found; then it is CONN_H1, which carries it */
	CONN_H2,
	CONN_OTHER, /* nothing we read, or no more: bytes are only counted */
};

struct half {
	uint64_t first, pos; /* where it was joined; next expected byte */
	bool known;	     /* pos is; else the next record sets it */
	bool midway;	     /* its beginning was not seen: look for a start line */
	struct buf probe;
};

struct conn {
	struct conn_info info;
	LIST_ENTRY(conn) by_id, by_proc;
	TAILQ_ENTRY(conn) by_age;
	uint64_t active_ns;
	enum conn_state state;
	enum ev_dir request_dir; /* in CONN_H1 and CONN_H2 */
	struct half halves[EV_DIR_MAX_];
	uint64_t scanned; /* in CONN_NEW: bytes that began nothing */
	bool other;	  /* was in CONN_OTHER, and counted */
	struct h1 *h1;	  /* in CONN_H1 */
	struct h2 *h2;	  /* in CONN_H2 */
};

LIST_HEAD(bucket, conn);
TAILQ_HEAD(ages, conn);

struct flow {
	struct flow_env env;
	struct bucket *ids, *procs;
	size_t mask;
	struct ages ages; /* longest idle first */
};

static struct bucket *id_bucket(const struct flow *f, uint64_t id)
{
	return &f->ids[XXH3_64bits(&id, sizeof(id)) & f->mask];
}

static struct bucket *proc_bucket(const struct flow *f, uint32_t tgid, uint64_t start_ns)
{
	uint64_t key[2] = { tgid, start_ns };

	return &f->procs[XXH3_64bits(key, sizeof(key)) & f->mask];
}

static struct conn *find(const struct flow *f, uint64_t id)
{
	struct conn *c;

	LIST_FOREACH (c, id_bucket(f, id), by_id)
		if (c->info.id == id)
			return c;
	return NULL;
}

/* The callbacks run from here when a connection ends with exchanges open. */
static void conn_free(struct flow *f, struct conn *c)
{
	if (c->h1)
		h1_close(c->h1);
	if (c->h2)
		h2_close(c->h2);
	h1_free(&c->h1);
	h2_free(&c->h2);
	for (enum ev_dir d = 0; d < EV_DIR_MAX_; d++)
		buf_free(&c->halves[d].probe);
	LIST_REMOVE(c, by_id);
	LIST_REMOVE(c, by_proc);
	TAILQ_REMOVE(&f->ages, c, by_age);
	f->env.stats.open_conns--;
	free(c);
}

static void half_join(const struct conn *c, struct half *half, uint64_t pos)
{
	half->known = true;
	half->midway = pos != 0 || c->info.midway;
	half->first = half->pos = pos;
}

/* pos NULL: the next record of each direction tells. */
static int conn_new(struct flow *f, struct conn **ret, const struct conn_info *info,
		    const uint64_t *pos)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (f->env.stats.open_conns >= f->env.limits.max_conns) {
		f->env.stats.evicted++;
		conn_free(f, TAILQ_FIRST(&f->ages));
	}
	c->info = *info;
	c->active_ns = f->env.now_ns;
	for (enum ev_dir d = 0; d < EV_DIR_MAX_; d++) {
		c->halves[d].probe = BUF(PROBE_MAX);
		if (pos)
			half_join(c, &c->halves[d], pos[d]);
	}
	LIST_INSERT_HEAD(id_bucket(f, info->id), c, by_id);
	LIST_INSERT_HEAD(proc_bucket(f, info->tgid, info->start_ns), c, by_proc);
	TAILQ_INSERT_TAIL(&f->ages, c, by_age);
	f->env.stats.conns++;
	f->env.stats.open_conns++;
	*ret = c;
	return 0;
}

int flow_new(struct flow **ret, const struct flow_limits *limits, const struct flow_ops *ops,
	     void *ctx)
{
	auto_free(flow) struct flow *f = NULL;
	size_t n = TABLE_MIN;

	if (!limits->max_conns || !limits->max_pipeline || !limits->max_streams ||
	    !limits->max_body || !limits->max_ratio || !limits->max_event || !limits->idle_ns)
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	TAILQ_INIT(&f->ages);
	f->env.limits = *limits;
	f->env.ops = ops;
	f->env.ctx = ctx;
	f->env.coding_left = CODINGS_MAX;
	while (n < limits->max_conns)
		n *= 2;
	f->mask = n - 1;
	f->ids = calloc(n, sizeof(*f->ids));
	f->procs = calloc(n, sizeof(*f->procs));
	if (!f->ids || !f->procs)
		return -ENOMEM;
	*ret = steal(f);
	return 0;
}

void flow_free(struct flow **fp)
{
	struct flow *f = *fp;

	if (!f)
		return;
	*fp = NULL;
	while (!TAILQ_EMPTY(&f->ages))
		conn_free(f, TAILQ_FIRST(&f->ages));
	free(f->ids);
	free(f->procs);
	free(f);
}

/* What callees report out of band, once. */
static int take_err(struct flow *f)
{
	int err = f->env.err;

	f->env.err = 0;
	return err;
}

static void leave(struct conn *c)
{
	c->state = CONN_OTHER;
	c->other = true;
	h1_free(&c->h1);
}

static enum side side_of(const struct conn *c, enum ev_dir dir)
{
	return dir == c->request_dir ? SIDE_REQUEST : SIDE_RESPONSE;
}

/* HTTP/1 ended: what follows may be HTTP/2, and an exchange's answer in it. */
static void after_h1(struct flow *f, struct conn *c, enum ev_dir dir, struct span in)
{
	size_t unread;
	struct exch *e = h1_upgraded(c->h1, side_of(c, dir), &unread);
	int err;

	if (!e) {
		leave(c);
		return;
	}
	err = h2_new(&c->h2, &f->env, &c->info, c->request_dir == EV_WRITE);
	if (!err)
		err = h2_adopt(c->h2, e);
	if (err) {
		f->env.err = err;
		exch_free(&e);
		h2_free(&c->h2);
		leave(c);
		return;
	}
	h1_free(&c->h1);
	c->state = CONN_H2;
	h2_feed(c->h2, side_of(c, dir), span_sub(in, in.len - unread, unread));
}

static void give(struct flow *f, struct conn *c, enum ev_dir dir, struct span in)
{
	if (c->state == CONN_H1 && h1_feed(c->h1, side_of(c, dir), in) == -EOPNOTSUPP)
		after_h1(f, c, dir, in);
	else if (c->state == CONN_H2)
		h2_feed(c->h2, side_of(c, dir), in);
}

/* n 0: nobody knows how many bytes are missing. */
static void lose(struct conn *c, enum ev_dir dir, uint64_t n)
{
	if (c->state == CONN_H1)
		h1_gap(c->h1, side_of(c, dir), n);
	else if (c->state == CONN_H2)
		h2_gap(c->h2, side_of(c, dir), n);
}

/* The first bytes of what state speaks were seen in dir: what was held goes to the parsers. */
static int begin(struct flow *f, struct conn *c, enum conn_state state, enum ev_dir dir,
		 bool request)
{
	enum ev_dir request_dir = request ? dir : EV_DIR_MAX_ - 1 - dir;
	bool client = request_dir == EV_WRITE;
	int err = state == CONN_H2 ? h2_new(&c->h2, &f->env, &c->info, client)
				   : h1_new(&c->h1, &f->env, &c->info, client);

	if (!err && state == CONN_WEBSOCKET)
		err = h1_join(c->h1);
	if (err) {
		h1_free(&c->h1);
		return err;
	}
	c->state = state == CONN_H2 ? CONN_H2 : CONN_H1;
	c->request_dir = request_dir;
	for (enum ev_dir d = 0; d < EV_DIR_MAX_; d++) {
		struct half *half = &c->halves[d];

		if (half->midway && d != dir)
			lose(c, d, 0);
		else if (half->midway && state == CONN_H2)
			h2_join(c->h2, side_of(c, d));
		give(f, c, d, buf_span(&half->probe));
		buf_free(&half->probe);
	}
	return 0;
}

/* What begins with in? 1 (then *ret says what, and *request whose it is), 0, -EAGAIN. */
static int recognise(struct span in, bool midway, enum conn_state *ret, bool *request)
{
	int is = http2_probe(in, midway, request);

	*ret = CONN_H2;
	if (is)
		return is;
	*ret = CONN_H1;
	return http1_probe(in, request);
}

/* in does not continue anything that is held, or is what is held. */
static int probe(struct flow *f, struct conn *c, enum ev_dir dir, struct span in)
{
	struct half *half = &c->halves[dir];
	size_t held = half->probe.len;
	enum conn_state state;
	bool request;
	ssize_t n;
	int is, err;

	if (half->midway && !held && websocket_probe(in, &request)) {
		err = begin(f, c, CONN_WEBSOCKET, dir, request);
		if (!err)
			give(f, c, dir, in);
		return err;
	}
	n = buf_add_some(&half->probe, in);
	if (n < 0)
		return (int)n;
	is = recognise(buf_span(&half->probe), half->midway, &state, &request);
	if (is == -EAGAIN && half->probe.len < PROBE_MAX)
		return 0;
	if (is == 1) {
		err = begin(f, c, state, dir, request);
		if (!err)
			give(f, c, dir, span_sub(in, (size_t)n, in.len));
		return err;
	}
	buf_clear(&half->probe);
	c->scanned += held + in.len;
	/* A connection joined in its middle may yet come to a message's beginning; records mostly
	 * begin where messages do. */
	if (half->midway && c->scanned < SCAN_MAX)
		return 0;
	f->env.stats.not_http += !c->other;
	leave(c);
	return 0;
}

static void count_gap(struct flow *f, uint64_t n)
{
	f->env.stats.gaps++;
	f->env.stats.gap_bytes += n;
}

static void gap(struct flow *f, struct conn *c, enum ev_dir dir, uint64_t n)
{
	struct half *half = &c->halves[dir];

	half->pos += n;
	if (c->state == CONN_OTHER)
		return;
	count_gap(f, n);
	if (c->state != CONN_NEW) {
		lose(c, dir, n);
		return;
	}
	c->scanned += half->probe.len;
	buf_clear(&half->probe);
	half->midway = true;
}

static void touch(struct flow *f, struct conn *c)
{
	c->active_ns = f->env.now_ns;
	TAILQ_REMOVE(&f->ages, c, by_age);
	TAILQ_INSERT_TAIL(&f->ages, c, by_age);
}

int flow_open(struct flow *f, const struct conn_info *info, const uint64_t pos[EV_DIR_MAX_],
	      uint64_t now_ns)
{
	struct conn *c = find(f, info->id);

	f->env.now_ns = now_ns;
	if (!c)
		return conn_new(f, &c, info, pos);
	/* Its data came first: data and control have a ring each. What lies before that data is
	 * missing. */
	for (enum ev_dir d = 0; d < EV_DIR_MAX_; d++) {
		struct half *half = &c->halves[d];

		if (!half->known)
			half_join(c, half, pos[d]);
		else if (pos[d] < half->first)
			count_gap(f, half->first - pos[d]);
		half->first = MIN(half->first, pos[d]);
	}
	LIST_REMOVE(c, by_proc);
	c->info = *info;
	LIST_INSERT_HEAD(proc_bucket(f, info->tgid, info->start_ns), c, by_proc);
	return 0;
}

void flow_sock(struct flow *f, uint64_t conn, const struct ev_sock *sock)
{
	struct conn *c = find(f, conn);

	if (c)
		c->info.sock = *sock;
}

int flow_data(struct flow *f, const struct conn_info *info, enum ev_dir dir, uint64_t pos,
	      struct span data, uint64_t now_ns)
{
	struct conn *c = find(f, info->id);
	struct half *half;
	int err = 0;

	f->env.now_ns = now_ns;
	if (!c)
		err = conn_new(f, &c, info, NULL);
	if (err)
		return err;
	touch(f, c);
	half = &c->halves[dir];
	if (!half->known) {
		half_join(c, half, pos);
		if (half->midway && c->state != CONN_NEW)
			lose(c, dir, 0);
	}
	if (pos > half->pos)
		gap(f, c, dir, pos - half->pos);
	if (pos < half->pos) {
		uint64_t twice = MIN(half->pos - pos, data.len);

		f->env.stats.duplicate_bytes += twice;
		data = span_sub(data, twice, data.len);
	}
	if (!data.len)
		return take_err(f);
	half->pos += data.len;
	f->env.stats.bytes += data.len;
	if (c->state == CONN_NEW)
		err = probe(f, c, dir, data);
	else
		give(f, c, dir, data);
	if (err) {
		/* What could not be held is missing. */
		buf_clear(&half->probe);
		half->midway = true;
	}
	return err ? err : take_err(f);
}

void flow_close(struct flow *f, uint64_t conn, const uint64_t pos[EV_DIR_MAX_], uint64_t now_ns)
{
	struct conn *c = find(f, conn);

	f->env.now_ns = now_ns;
	if (!c)
		return;
	for (enum ev_dir d = 0; pos && d < EV_DIR_MAX_; d++)
		if (c->halves[d].known && pos[d] > c->halves[d].pos)
			gap(f, c, d, pos[d] - c->halves[d].pos);
	conn_free(f, c);
	take_err(f);
}

void flow_exit(struct flow *f, uint32_t tgid, uint64_t start_ns, uint64_t now_ns)
{
	struct conn *c, *next;

	f->env.now_ns = now_ns;
	for (c = LIST_FIRST(proc_bucket(f, tgid, start_ns)); c; c = next) {
		next = LIST_NEXT(c, by_proc);
		if (c->info.tgid == tgid && c->info.start_ns == start_ns)
			conn_free(f, c);
	}
	take_err(f);
}

void flow_tick(struct flow *f, uint64_t now_ns)
{
	struct conn *c;

	f->env.now_ns = now_ns;
	while ((c = TAILQ_FIRST(&f->ages)) && now_ns > c->active_ns &&
	       now_ns - c->active_ns >= f->env.limits.idle_ns)
		conn_free(f, c);
	take_err(f);
}

void flow_skipped(struct flow *f, uint64_t conn, unsigned dirs)
{
	struct conn *c = find(f, conn);

	if (!c)
		return;
	/* It may have begun to speak something else while nobody listened. */
	if (c->state == CONN_OTHER) {
		c->state = CONN_NEW;
		c->scanned = SCAN_MAX - PEEK_MAX;
		dirs = 1 << EV_READ | 1 << EV_WRITE;
	}
	for (enum ev_dir d = 0; d < EV_DIR_MAX_; d++) {
		struct half *half = &c->halves[d];

		if (!(dirs & 1u << d))
			continue;
		f->env.stats.skips++;
		if (c->state == CONN_H1)
			h1_skipped(c->h1, side_of(c, d));
		else if (c->state == CONN_H2)
			h2_skipped(c->h2, side_of(c, d));
		buf_clear(&half->probe);
		half->midway = true;
	}
	take_err(f);
}

enum flow_mute flow_mutable(const struct flow *f, uint64_t conn, enum ev_dir *ret_dir)
{
	const struct conn *c = find(f, conn);

	if (!c || c->state == CONN_NEW)
		return FLOW_WATCH;
	*ret_dir = EV_DIR_MAX_ - 1 - c->request_dir;
	if (c->state == CONN_H1)
		return h1_mutable(c->h1, MUTE_AFTER);
	if (c->state == CONN_H2)
		return h2_unwanted(c->h2) >= MUTE_AFTER_H2 ? FLOW_MUTE_DIR : FLOW_WATCH;
	return FLOW_MUTE_ALL;
}

const struct flow_stats *flow_stats(const struct flow *f)
{
	return &f->env.stats;
}

uint64_t flow_undecided(const struct flow *f)
{
	return f->env.undecided;
}
