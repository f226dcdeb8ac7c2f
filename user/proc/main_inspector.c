/* user/proc/main_inspector.c - the inspector: rings in, findings out. No uid of note, no network,
 * no files, no bpf(). One thread: drain the control ring, then the data ring, then what closed;
 * tell the keeper; sleep as long as the traffic allows.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "alert/pack.h"
#include "base/clock.h"
#include "base/own.h"
#include "capture/intake.h"
#include "detect/detect.h"
#include "dialect/canary.h"
#include "dialect/dialect.h"
#include "intel/index.h"
#include "proc/req.h"
#include "proc/sandbox.h"
#include "proc/sendq.h"

#define WAIT_MIN_MS 1 /* after records came */
#define WAIT_MAX_MS 20
#define IDLE_NS	    (250 * NS_PER_MS) /* without a record for so long: ask to be woken */
#define BEAT_MS	    1000
#define WHO_NS	    (100 * NS_PER_MS) /* how long a finding waits to learn who its process is */
#define STOP_NS	    (3 * NS_PER_SEC)  /* for the keeper to commit the last findings */
#define PROCS_MAX   4096	      /* a power of two */

struct inspector {
	struct role_ctx role;
	struct intake *intake;
	uint64_t *slots;
	struct ev_wake *wake;
	struct mac *mac;
	struct flow *flow;
	struct canary *canary;
	uint64_t canary_seen;
	struct reader *reader;
	struct detect *detect;
	void *intel; /* mapped */
	size_t intel_size;
	struct sendq *sendq;
	struct peer monitor, keeper;
	struct proc_info *procs; /* direct mapped by tgid */
	uint64_t now_ns;
	uint64_t base[CTR_MAX_]; /* what the inspectors before this one counted */
	uint64_t drops_told;	 /* of sendq_dropped() */
	struct detect_opts opts;
	struct span image; /* rules and patterns in use, mapped */
	struct fresh {
		int fd; /* an image to be used instead; -1: none */
		uint64_t len;
		uint32_t err;  /* of the last one */
		bool answered; /* the monitor has been told */
	} fresh;
	bool stop;
};

/* --- who */

static struct proc_info *proc_at(struct inspector *in, uint32_t tgid)
{
	return &in->procs[XXH3_64bits(&tgid, sizeof(tgid)) & (PROCS_MAX - 1)];
}

static const struct proc_info *proc_known(struct inspector *in, uint32_t tgid, uint64_t start_ns)
{
	const struct proc_info *p = proc_at(in, tgid);

	/* A record whose connection is gone from the kernel's table tells no start time. */
	return p->tgid == tgid && (!start_ns || proc_same(tgid, start_ns, p)) ? p : NULL;
}

static void ask_who(struct inspector *in, const struct conn_info *c)
{
	struct who_msg who = { .tgid = c->tgid, .ppid = c->ppid, .start_ns = c->start_ns };

	memcpy(who.comm, c->comm, sizeof(who.comm));
	if (!proc_known(in, c->tgid, c->start_ns))
		req_send(in->monitor.fd, REQ_WHO, &who, sizeof(who), NULL, 0);
}

/* Waits a little for the monitor's answer; a process that is gone is answered, too. */
static const struct proc_info *proc_for(struct inspector *in, const struct conn_info *c)
{
	uint64_t deadline = mono_ns() + WHO_NS, now;
	const struct proc_info *p = proc_known(in, c->tgid, c->start_ns);

	if (p)
		return p;
	ask_who(in, c);
	while (!(p = proc_known(in, c->tgid, c->start_ns)) && (now = mono_ns()) < deadline) {
		struct pollfd wait = { .fd = in->monitor.fd, .events = POLLIN };

		if (poll(&wait, 1, (int)((deadline - now) / NS_PER_MS) + 1) == 1 &&
		    req_recv(&in->monitor) < 0)
			break;
	}
	return p;
}

/* --- findings and observations */

static struct pack_prefixes prefixes_of(struct inspector *in, const struct turn *t,
					bool with_response)
{
	struct pack_prefixes p;

	p.n = detect_prefixes(in->detect, t, with_response, p.h, ARRAY_SIZE(p.h));
	p.anchored = detect_anchor(in->detect, t, with_response, &p.anchor);
	return p;
}

static struct pack_source source_of(struct inspector *in, const struct turn *t)
{
	const struct proc_info *p = proc_for(in, t->exchange->conn);

	return (struct pack_source){
		.turn = t,
		.proc = p && *p->comm ? p : NULL, /* a process that is gone has no name here: the
						     connection knows more */
		.mac = in->mac,
		.boot = in->role.start.boot,
		.epoch = in->role.start.epoch,
		.evidence = in->role.config->evidence,
	};
}

/* Sent at once: what the keeper's socket holds outlives this process. */
static void queue(struct inspector *in, const uint8_t *msg, ssize_t len)
{
	if (len > 0 && !sendq_add(in->sendq, span_of(msg, (size_t)len)) && in->keeper.fd >= 0)
		sendq_flush(in->sendq, in->keeper.fd);
}

struct emit_ctx {
	struct inspector *in;
	struct turn *turn;
	struct pack_prefixes before;
	bool have_before;
};

static void on_finding(void *ctx, const struct finding *f)
{
	static uint8_t msg[PACK_MAX];
	struct emit_ctx *e = ctx;
	struct pack_source s;

	/* Hashing the conversation is for turns that need it. */
	if (!e->have_before)
		e->before = prefixes_of(e->in, e->turn, false);
	e->have_before = true;
	s = source_of(e->in, e->turn);
	e->turn->n_findings++;
	queue(e->in, msg,
	      pack_finding(&s, sendq_next(e->in->sendq), f, &e->before, msg, sizeof(msg)));
}

static void judge(struct inspector *in, struct turn *t, enum detect_phase phase)
{
	struct emit_ctx e = { .in = in, .turn = t };

	detect_turn(in->detect, t, phase, on_finding, &e);
}

static void on_request(void *ctx, struct turn *t)
{
	judge(ctx, t, DETECT_REQUEST);
}

static void observe(struct inspector *in, struct turn *t)
{
	static uint8_t msg[PACK_MAX];
	struct pack_prefixes before = prefixes_of(in, t, false), after = prefixes_of(in, t, true);
	struct pack_source s = source_of(in, t);

	queue(in, msg,
	      pack_observation(&s, sendq_next(in->sendq), &before, &after, msg, sizeof(msg)));
}

/* What is new on either side. */
static void on_progress(void *ctx, struct turn *t)
{
	judge(ctx, t, DETECT_REQUEST);
	judge(ctx, t, DETECT_RESPONSE);
	if (!t->turn_ended)
		return;
	observe(ctx, t);
	turn_tell(t);
}

static void on_turn_end(void *ctx, struct turn *t)
{
	judge(ctx, t, DETECT_REQUEST);
	judge(ctx, t, DETECT_RESPONSE);
	/* Behind the last turn of a socket there may be nothing. */
	if (!t->told.any || t->inspected > t->told.inspected || t->n_findings > t->told.n_findings)
		observe(ctx, t);
}

/* --- rings */

/* The kernel's word about a connection is left alone while it says the same and is young. */
static void set_policy(struct inspector *in, const struct ev_hdr *h, uint8_t about,
		       enum ev_policy policy)
{
	uint64_t word;

	if (h->slot >= in->role.start.max_conns)
		return;
	word = __atomic_load_n(&in->slots[h->slot], __ATOMIC_RELAXED);
	if (word >> 32 != (uint32_t)h->conn) {
		if (policy == EV_WATCH)
			return;
	} else if (EV_SLOT_POLICY(word) == policy && EV_SLOT_ABOUT(word) == about &&
		   (policy == EV_WATCH || EV_SLOT_AGE(word, in->now_ns) < EV_MUTE_S / 2)) {
		return;
	}
	__atomic_store_n(&in->slots[h->slot], EV_SLOT(h->conn, in->now_ns, about, policy),
			 __ATOMIC_RELAXED);
}

/* Answers are muted in two steps. First BPF is told to look at requests. When a record says that it
 * does, all that were sent before have been read here, and were of no interest: then to mute. After
 * a request that is not plain it begins again, with another number.
 */
static void choose_answers(struct inspector *in, const struct ev_hdr *h, const struct ev_conn *c,
			   enum ev_dir dir)
{
	uint64_t word = __atomic_load_n(&in->slots[h->slot], __ATOMIC_RELAXED);
	enum ev_policy policy = EV_SLOT_POLICY(word);
	unsigned number = EV_SLOT_ABOUT(word) >> 1;

	if (word >> 32 != (uint32_t)h->conn ||
	    (policy != EV_MUTE_ANSWERS && policy != EV_WATCH_ANSWERS) ||
	    (c->watched == number && c->lifted)) {
		policy = EV_WATCH_ANSWERS;
		number = c->watched % EV_WATCHED_MAX + 1;
	} else if (EV_WATCHED(h->flags) == number) {
		policy = EV_MUTE_ANSWERS;
	}
	set_policy(in, h, EV_ABOUT_ANSWERS(dir, number), policy);
}

/* What else of this connection need the kernel not copy? */
static void choose_policy(struct inspector *in, const struct ev_hdr *h, const struct ev_conn *c)
{
	enum ev_dir dir;

	if (!in->role.config->capture.mute || !c || h->flags & EV_F_CANARY)
		return;
	switch (flow_mutable(in->flow, h->conn, &dir)) {
	case FLOW_WATCH:
		set_policy(in, h, 0, EV_WATCH);
		break;
	case FLOW_MUTE_TURN:
		if (dir == (h->flags & EV_F_WRITE ? EV_WRITE : EV_READ))
			set_policy(in, h, EV_TURN(h->flags), EV_MUTE_TURN);
		break;
	case FLOW_MUTE_ANSWERS:
		choose_answers(in, h, c, dir);
		break;
	case FLOW_MUTE_DIR:
		set_policy(in, h, dir, EV_MUTE_DIR);
		break;
	case FLOW_MUTE_ALL:
		set_policy(in, h, 0, EV_MUTE);
		break;
	}
}

/* Test calls of the sensor show in nobody's figures. */
static struct flow *flow_for(struct inspector *in, bool canary)
{
	return canary ? canary_flow(in->canary) : in->flow;
}

static void on_data(void *ctx, const struct ev_hdr *h, const struct ev_conn *c, struct span bytes)
{
	struct inspector *in = ctx;
	struct conn_info info;
	struct flow *flow;

	if (h->conn == in->role.start.skip_conn) {
		/* The last inspector died on it. */
		page_add(in->role.page, CTR_LOST_CRASH, h->len);
		set_policy(in, h, 0, EV_MUTE);
		return;
	}
	in->role.page->pos = h->pos;
	__atomic_store_n(&in->role.page->conn, h->conn, __ATOMIC_RELEASE);
	info = conn_info_of_record(h, c);
	flow = flow_for(in, h->flags & EV_F_CANARY);
	if (EV_SKIPPED(h->flags))
		flow_skipped(flow, h->conn, EV_SKIPPED(h->flags));
	flow_data(flow, &info, h->flags & EV_F_WRITE ? EV_WRITE : EV_READ, h->pos, bytes,
		  in->now_ns);
	__atomic_store_n(&in->role.page->undecided, flow_undecided(in->flow), __ATOMIC_RELAXED);
	__atomic_store_n(&in->role.page->conn, 0, __ATOMIC_RELEASE);
	choose_policy(in, h, c);
}

static void on_open(void *ctx, const struct ev_conn *c)
{
	static const uint64_t zero[EV_DIR_MAX_];
	struct inspector *in = ctx;
	struct conn_info info = conn_info_of(c);

	if (!(c->flags & EV_CONN_CANARY))
		ask_who(in, &info);
	flow_open(flow_for(in, c->flags & EV_CONN_CANARY), &info, zero, in->now_ns);
}

static void on_sock(void *ctx, const struct ev_conn *c)
{
	struct inspector *in = ctx;

	flow_sock(flow_for(in, c->flags & EV_CONN_CANARY), c->id, &c->sock);
}

static void on_close(void *ctx, const struct ev_conn *c)
{
	const uint64_t final[EV_DIR_MAX_] = { c->pos[EV_READ], c->pos[EV_WRITE] };
	struct inspector *in = ctx;

	flow_close(flow_for(in, c->flags & EV_CONN_CANARY), c->id, final, in->now_ns);
}

static void on_exit_of(void *ctx, const struct ev_exit *e)
{
	struct inspector *in = ctx;

	flow_exit(in->flow, e->hdr.tgid, e->start_ns, in->now_ns);
	flow_exit(canary_flow(in->canary), e->hdr.tgid, e->start_ns, in->now_ns);
}

static const struct intake_ops intake_ops = { on_open, on_sock, on_data, on_close, on_exit_of };

/* Returns how many records there were, or -EBADMSG. */
static long drain(struct inspector *in)
{
	long n;

	in->now_ns = mono_ns();
	n = intake_drain(in->intake);
	if (canary_seen(in->canary) > in->canary_seen)
		__atomic_store_n(&in->role.page->canary_ns, in->now_ns, __ATOMIC_RELAXED);
	in->canary_seen = canary_seen(in->canary);
	return n;
}

/* --- the other roles */

static int on_proc(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;
	struct proc_info info;

	memcpy(&info, m->body, sizeof(info));
	*proc_at(in, info.tgid) = info;
	return 0;
}

static int on_peer(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;

	if (m->n_fds != 1)
		return -EBADMSG;
	own_close(&in->keeper.fd);
	in->keeper.fd = steal_fd(&m->fds[0]);
	sendq_rewind(in->sendq);
	return 0;
}

static int on_stop(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;

	(void)m;
	in->stop = true;
	return 0;
}

static int on_kept(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;
	uint64_t number;

	memcpy(&number, m->body, sizeof(number));
	return sendq_done(in->sendq, number);
}

static void *map(int fd, size_t size, int prot)
{
	void *p = fd < 0
		      ? MAP_FAILED
		      : mmap(NULL, size, prot, prot & PROT_WRITE ? MAP_SHARED : MAP_PRIVATE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* A new index of threat intelligence: the monitor saw that nobody can change or shrink it. */
static int on_intel(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;
	const struct intel_header *head;
	uint64_t size;
	void *mem;

	memcpy(&size, m->body, sizeof(size));
	if (m->n_fds != 1)
		return -EBADMSG;
	mem = map(m->fds[0], size, PROT_READ);
	head = mem ? intel_open(span_of(mem, size)) : NULL;
	if (!head) {
		log_error("the index of threat intelligence cannot be used; the last one stays");
		if (mem)
			munmap(mem, size);
		return 0;
	}
	detect_intel(in->detect, head);
	if (in->intel)
		munmap(in->intel, in->intel_size);
	in->intel = mem;
	in->intel_size = size;
	return 0;
}

/* Kept until no turn is in hand: this may come while a finding waits to learn who its process is.
 */
static int on_patterns(struct peer *p, const struct req_msg *m)
{
	struct inspector *in = p->ctx;

	if (m->n_fds != 1)
		return -EBADMSG;
	own_close(&in->fresh.fd);
	in->fresh.fd = steal_fd(&m->fds[0]);
	memcpy(&in->fresh.len, m->body, sizeof(in->fresh.len));
	return 0;
}

static const struct req_row monitor_table[REQ_MAX_] = {
	[REQ_INTEL] = { ROLE_MONITOR, sizeof(uint64_t), sizeof(uint64_t), on_intel },
	[REQ_PATTERNS] = { ROLE_MONITOR, sizeof(uint64_t), sizeof(uint64_t), on_patterns },
	[REQ_PROC] = { ROLE_MONITOR, sizeof(struct proc_info), sizeof(struct proc_info), on_proc },
	[REQ_PEER] = { ROLE_MONITOR, sizeof(uint32_t), sizeof(uint32_t), on_peer },
	[REQ_STOP] = { ROLE_MONITOR, 0, 0, on_stop },
};
static const struct req_row keeper_table[REQ_MAX_] = {
	[REQ_KEPT] = { ROLE_KEEPER, sizeof(uint64_t), sizeof(uint64_t), on_kept },
};

static void talk(struct inspector *in)
{
	static uint8_t msg[PACK_MAX];
	uint64_t dropped = sendq_dropped(in->sendq);
	int n;

	while ((n = req_recv(&in->monitor)) > 0)
		;
	if (n < 0)
		in->stop = true; /* the monitor is gone, or talks nonsense: nothing to work for */
	if (in->keeper.fd < 0)
		return;
	while ((n = req_recv(&in->keeper)) > 0)
		;
	if (n == 0)
		n = sendq_flush(in->sendq, in->keeper.fd);
	if (n == 0 && dropped > in->drops_told) {
		ssize_t len = pack_dropped(dropped - in->drops_told, msg, sizeof(msg));

		if (len > 0 && !req_send(in->keeper.fd, REQ_KEEP, msg, (size_t)len, NULL, 0))
			in->drops_told = dropped;
	}
	/* A new keeper comes with a new socket. */
	if (n < 0)
		own_close(&in->keeper.fd);
}

/* Captured but not read, by reason. */
static const enum counter unread[] = {
	[SKIP_IMAGE] = CTR_UNREAD_IMAGE,     [SKIP_AUDIO] = CTR_UNREAD_AUDIO,
	[SKIP_VIDEO] = CTR_UNREAD_VIDEO,     [SKIP_FILE] = CTR_UNREAD_FILE,
	[SKIP_TOKENS] = CTR_UNREAD_TOKENS,   [SKIP_VECTOR] = CTR_UNREAD_VECTOR,
	[SKIP_CODING] = CTR_UNREAD_CODING,   [SKIP_ENCRYPTED] = CTR_UNREAD_ENCRYPTED,
	[SKIP_CHARSET] = CTR_UNREAD_CHARSET,
};
static_assert(ARRAY_SIZE(unread) == SKIP_MAX_, "content that is not read, without a counter");

static void publish(struct inspector *in)
{
	const struct flow_stats *f = flow_stats(in->flow);
	const struct reader_stats *r = reader_stats(in->reader);
	const struct detect_stats *d = detect_stats(in->detect);
	struct page *p = in->role.page;
	const struct {
		enum counter counter;
		uint64_t value;
	} rows[] = {
		{ CTR_FLOW_BYTES, f->bytes },
		{ CTR_FLOW_GAP_BYTES, f->gap_bytes },
		{ CTR_FLOW_CONNS, f->conns },
		{ CTR_FLOW_OPEN, f->open_conns },
		{ CTR_FLOW_EVICTED, f->evicted },
		{ CTR_FLOW_NOT_HTTP, f->not_http },
		{ CTR_FLOW_EXCHANGES, f->exchanges },
		{ CTR_FLOW_UNPAIRED, f->unpaired },
		{ CTR_FLOW_BROKEN, f->broken },
		{ CTR_FLOW_AMBIGUOUS, f->ambiguous },
		{ CTR_FLOW_DECODE_ERRORS, f->decode_errors },
		{ CTR_FLOW_BOMBS, f->bombs },
		{ CTR_FLOW_UNKNOWN_CODINGS, f->unknown_codings },
		{ CTR_FLOW_EVENTS_BROKEN, f->events_broken },
		{ CTR_FLOW_RESYNCED, f->resynced },
		{ CTR_FLOW_UNKNOWN_FIELDS, f->unknown_fields },
		{ CTR_FLOW_STREAMS_EVICTED, f->streams_evicted },
		{ CTR_FLOW_TUNNELS, f->tunnels },
		{ CTR_FLOW_FLOODS, f->floods },
		{ CTR_FLOW_CUT, f->cut },
		{ CTR_TURNS, r->turns },
		{ CTR_TURNS_UNKNOWN, r->unknown_exchanges },
		{ CTR_JSON_BROKEN, r->json_broken },
		{ CTR_JSON_SKIPPED, r->json_skipped },
		{ CTR_TEXT_CUT, r->text_cut },
		{ CTR_SEGMENTS, d->segments },
		{ CTR_SEGMENT_BYTES, d->bytes },
		{ CTR_CACHE_HITS, d->cache_hits },
		{ CTR_FINDINGS, d->findings },
		{ CTR_DETECT_ERRORS, d->errors },
		{ CTR_NAMES_UNREAD, d->names_unread },
		{ CTR_FINDINGS_DROPPED, sendq_dropped(in->sendq) },
		{ CTR_RING_BAD, intake_bad(in->intake) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		page_set(p, rows[i].counter, in->base[rows[i].counter] + rows[i].value);
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		page_set(p, unread[s], in->base[unread[s]] + r->skipped[s]);
	__atomic_store_n(&p->undecided, flow_undecided(in->flow), __ATOMIC_RELAXED);
	__atomic_store_n(&p->heartbeat_ns, in->now_ns, __ATOMIC_RELAXED);
}

/* Waits for a message, at most ms: is there one? sleeping: also for a record, with the kernel asked
 * to wake us for the next one. */
static bool rest(struct inspector *in, int ms, bool sleeping)
{
	struct pollfd fds[] = {
		{ .fd = in->monitor.fd, .events = POLLIN },
		{ .fd = in->keeper.fd, .events = POLLIN },
		{ .fd = sleeping ? in->role.fds[START_DATA_RING] : -1, .events = POLLIN },
		{ .fd = sleeping ? in->role.fds[START_CONTROL_RING] : -1, .events = POLLIN },
	};

	if (sleeping) {
		__atomic_store_n(&in->wake->asleep, 1, __ATOMIC_SEQ_CST);
		/* A record may have come between the last look and the flag. */
		if (intake_pending(in->intake))
			ms = 0;
	}
	poll(fds, ARRAY_SIZE(fds), ms);
	if (sleeping)
		__atomic_store_n(&in->wake->asleep, 0, __ATOMIC_SEQ_CST);
	return fds[0].revents || fds[1].revents;
}

/* What the detectors counted so far goes on counting. */
static void keep_counts(struct inspector *in)
{
	const struct detect_stats *d = detect_stats(in->detect);

	in->base[CTR_SEGMENTS] += d->segments;
	in->base[CTR_SEGMENT_BYTES] += d->bytes;
	in->base[CTR_CACHE_HITS] += d->cache_hits;
	in->base[CTR_FINDINGS] += d->findings;
	in->base[CTR_DETECT_ERRORS] += d->errors;
	in->base[CTR_NAMES_UNREAD] += d->names_unread;
}

/* Rules and patterns of this image from now on; after an error, those before. */
static int use_image(struct inspector *in, int fd, size_t len)
{
	struct span image = span_of(map(fd, len, PROT_READ), len);
	struct detect *fresh = NULL;
	int err = image.p ? detect_new(&fresh, &in->opts, image) : -ENOMEM;

	if (err) {
		if (image.p)
			munmap((void *)image.p, image.len);
		return err;
	}
	if (in->detect) {
		keep_counts(in);
		detect_free(&in->detect);
		munmap((void *)in->image.p, in->image.len);
	}
	in->detect = fresh;
	in->image = image;
	detect_intel(in->detect, in->intel);
	return 0;
}

static void answer(struct inspector *in)
{
	in->fresh.answered =
	    !req_send(in->monitor.fd, REQ_PATTERNS, &in->fresh.err, sizeof(in->fresh.err), NULL, 0);
}

/* Between turns: from here on another image counts, or the one before stays. */
static void take_patterns(struct inspector *in)
{
	in->fresh.err = (uint32_t)-use_image(in, in->fresh.fd, in->fresh.len);
	own_close(&in->fresh.fd);
	malloc_trim(0);
	answer(in);
}

static int work(struct inspector *in)
{
	uint64_t last_ns = mono_ns(), tick_ns = 0;
	int wait = WAIT_MIN_MS;
	bool told = true;

	while (!in->stop) {
		long n = drain(in);
		bool sleeping, due = in->now_ns - tick_ns >= NS_PER_SEC / 4;

		if (n < 0) {
			log_error("the ring is inconsistent");
			return 1;
		}
		if (told || due)
			talk(in);
		if (in->fresh.fd >= 0)
			take_patterns(in);
		if (due) {
			if (!in->fresh.answered)
				answer(in);
			flow_tick(in->flow, in->now_ns);
			flow_tick(canary_flow(in->canary), in->now_ns);
			publish(in);
			tick_ns = in->now_ns;
		}
		if (n) {
			last_ns = in->now_ns;
			wait = WAIT_MIN_MS;
		} else {
			wait = MIN(wait * 2, WAIT_MAX_MS);
		}
		sleeping = in->now_ns - last_ns > IDLE_NS;
		told = rest(in, sleeping ? BEAT_MS : wait, sleeping);
	}
	return 0;
}

/* What is captured is judged, what is judged is kept. */
static void finish(struct inspector *in)
{
	uint64_t deadline;

	drain(in);
	flow_free(&in->flow);
	deadline = mono_ns() + STOP_NS;
	talk(in);
	while (sendq_waiting(in->sendq) && in->keeper.fd >= 0 && mono_ns() < deadline) {
		rest(in, 50, false);
		talk(in);
	}
	if (sendq_waiting(in->sendq))
		log_warn("%zu findings and observations were not committed",
			 sendq_waiting(in->sendq));
}

static int set_up(struct inspector *in)
{
	static const struct reader_ops ops = { on_request, on_progress, on_turn_end };
	const struct role_ctx *r = &in->role;
	const struct intake_fds fds = {
		.data_ring = r->fds[START_DATA_RING],
		.control_ring = r->fds[START_CONTROL_RING],
		.conns = r->fds[START_CONNS],
		.data_ring_bytes = r->start.data_ring_bytes,
		.control_ring_bytes = r->start.control_ring_bytes,
		.max_conns = r->start.max_conns,
	};
	struct stat st;
	int err;

	err = intake_new(&in->intake, &fds, &intake_ops, in);
	if (err)
		return err;
	in->slots = map(r->fds[START_SLOTS], r->start.max_conns * sizeof(*in->slots),
			PROT_READ | PROT_WRITE);
	in->wake = map(r->fds[START_WAKE], sizeof(*in->wake), PROT_READ | PROT_WRITE);
	in->procs = calloc(PROCS_MAX, sizeof(*in->procs));
	if (!in->slots || !in->wake || !in->procs || fstat(r->fds[START_PATTERNS], &st) < 0)
		return -ENOMEM;
	detect_default_opts(&in->opts);
	memcpy(in->opts.key, r->start.key, sizeof(in->opts.key));
	memcpy(in->opts.modes, r->config->detect.modes, sizeof(in->opts.modes));
	in->opts.cache_bytes = r->config->detect.cache_bytes;
	err = use_image(in, r->fds[START_PATTERNS], (size_t)st.st_size);
	if (!err)
		err = mac_new(&in->mac, r->start.key);
	if (!err)
		err = reader_new(&in->reader, &ops, in);
	if (!err)
		err = flow_new(&in->flow, &flow_defaults, &reader_flow_ops, in->reader);
	if (!err)
		err = canary_new(&in->canary);
	if (!err)
		err = sendq_new(&in->sendq);
	memcpy(in->base, r->page->counter, sizeof(in->base));
	in->base[CTR_FLOW_OPEN] = 0; /* a gauge */
	explicit_bzero(in->role.start.key, sizeof(in->role.start.key));
	return err;
}

int main(void)
{
	static struct inspector in = { .fresh = { .fd = -1, .answered = true } };
	bool landlock;
	int err, code;

	role_begin(ROLE_INSPECTOR, &in.role);
	in.monitor = (struct peer){ ROLE_SOCKET, ROLE_MONITOR, monitor_table, &in };
	in.keeper = (struct peer){ in.role.fds[START_KEEPER], ROLE_KEEPER, keeper_table, &in };
	err = set_up(&in);
	if (!err)
		err = sandbox_enter(ROLE_INSPECTOR, -1, &landlock);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return 1;
	}
	if (!landlock)
		log_warn("this kernel has no Landlock; seccomp alone confines the inspector");
	req_send(ROLE_SOCKET, REQ_READY, NULL, 0, NULL, 0);
	malloc_trim(0); /* what compiling took and needs no more */
	code = work(&in);
	finish(&in);
	return code;
}
