/* user/store/main_keeper.c - earshot-keeper, the role that owns the store.
 * Takes findings and observations from the inspector, commits them in groups and only then
 * acknowledges them; hands revisions to the shipper; answers the control socket. Sees redacted
 * findings, never captured text.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/own.h"
#include "ctl/server.h"
#include "proc/pulse.h"
#include "proc/req.h"
#include "proc/sandbox.h"
#include "store/explained.h"
#include "store/keep.h"

#define STORE_PATH "earshot.db" /* in the state directory, which is the working directory */
#define COMMIT_DELAY_NS                                                                            \
	(25 * NS_PER_MS) /* how long the first message of a group waits for others */
#define RETRY_NS                                                                                   \
	NS_PER_SEC /* after the store refused a commit, or upstream took nothing of a batch */
#define TICK_NS	 (NS_PER_SEC / 2)
#define PRUNE_NS (60 * NS_PER_SEC)
#define STALE_NS (5 * NS_PER_SEC) /* a role whose heartbeat is older has a problem */
#define UPSTREAM_QUIET_NS                                                                          \
	(300 * NS_PER_SEC) /* revisions wait and upstream takes none: an alert                     \
			    */
#define DRAIN_MAX    32	   /* messages taken from the inspector before others are looked at */
#define PROBLEMS_MAX 16
#define PROBLEM_MAX  384

struct keeper {
	struct role_ctx role;
	struct loop *loop;
	struct peer monitor, inspector, shipper;
	struct keep *keep;
	struct ctl_server *ctl;
	const struct page *pages; /* ROLE_MAX_ of them, or NULL */
	int timer;		  /* one shot: the group's commit is due */
	bool due;		  /* it is set */
	int trouble;		  /* of the last commit, -errno */
	uint64_t acknowledged;	  /* last number sent with REQ_KEPT */
	bool batch_out;
	uint64_t batch_after_ns;
	uint64_t pruned_ns, started_ns;
	struct roles_msg roles;
	char upstream[256]; /* why the last attempt failed; "" it did not */
	uint64_t upstream_ok_ns;
	uint64_t waiting_since_ns; /* CLOCK_MONOTONIC; 0: nothing waits for upstream */
	bool waiting_told;
	int exit_code;
};

static struct keep_time now(void)
{
	return (struct keep_time){ mono_ns(), wall_ns() };
}

static void end(struct keeper *k, int exit_code)
{
	k->exit_code = exit_code;
	loop_stop(k->loop);
}

static void drop_peer(struct keeper *k, struct peer *p)
{
	loop_del(k->loop, p->fd);
	own_close(&p->fd);
}

/* --- towards inspector and shipper */

static void acknowledge(struct keeper *k)
{
	uint64_t number = keep_committed(k->keep);

	if (k->inspector.fd < 0 || number == k->acknowledged)
		return;
	/* A full socket: the next acknowledgement covers this one. */
	if (!req_send(k->inspector.fd, REQ_KEPT, &number, sizeof(number), NULL, 0))
		k->acknowledged = number;
}

static void offer_batch(struct keeper *k)
{
	auto_mem uint8_t *batch = NULL;
	size_t len;
	int err;

	if (k->shipper.fd < 0 || k->batch_out || mono_ns() < k->batch_after_ns ||
	    !store_outbox(keep_store(k->keep)))
		return;
	err = keep_batch(k->keep, &batch, &len);
	if (err == 1)
		err = req_send(k->shipper.fd, REQ_BATCH, batch, len, NULL, 0);
	if (err) {
		log_warn("cannot hand a batch to the shipper: %s", strerror(-err));
		k->batch_after_ns = mono_ns() + RETRY_NS;
		return;
	}
	k->batch_out = true;
}

static void set_timer(struct keeper *k, uint64_t delay_ns)
{
	struct itimerspec t = { .it_value = { .tv_sec = (time_t)(delay_ns / NS_PER_SEC),
					      .tv_nsec = (long)(delay_ns % NS_PER_SEC) } };

	if (!k->due)
		k->due = !timerfd_settime(k->timer, 0, &t, NULL);
}

static void on_inspector(void *ctx, uint32_t events);

/* Reads from the inspector only while there is room for what it says. */
static void pace_inspector(struct keeper *k)
{
	if (k->inspector.fd < 0)
		return;
	if (keep_full(k->keep))
		loop_del(k->loop,
			 k->inspector
			     .fd); /* not an empty mask: a hang-up would be reported all the same */
	else
		loop_add(k->loop, k->inspector.fd, EPOLLIN, on_inspector, k);
}

static void commit(struct keeper *k, bool all)
{
	int err;

	do
		err = keep_commit(k->keep, now(), all);
	while (err == 1);
	if (err) {
		if (k->trouble != err)
			log_error("the store refuses to commit: %s", strerror(-err));
		/* A damaged file is set aside at the next start. */
		if (err == -EBADMSG)
			end(k, 1);
		set_timer(k, RETRY_NS);
	}
	k->trouble = err;
	if (!err) {
		acknowledge(k);
		offer_batch(k);
	}
	pace_inspector(k);
}

static void on_due(void *ctx, uint32_t events)
{
	struct keeper *k = ctx;
	uint64_t n;

	(void)events;
	if (read(k->timer, &n, sizeof(n)) != sizeof(n))
		return;
	k->due = false;
	commit(k, false);
}

/* --- requests */

static int on_keep(struct peer *p, const struct req_msg *m)
{
	struct keeper *k = p->ctx;
	int err = keep_take(k->keep, span_of(m->body, m->len));

	if (!err)
		set_timer(k, COMMIT_DELAY_NS);
	return err;
}

static void on_inspector(void *ctx, uint32_t events)
{
	struct keeper *k = ctx;
	int err = 1;

	(void)events;
	for (int i = 0; i < DRAIN_MAX && err == 1 && !keep_full(k->keep); i++)
		err = req_recv(&k->inspector);
	if (err >= 0) {
		if (keep_full(k->keep))
			commit(k, false);
		return;
	}
	if (err != -EPIPE) {
		page_add(k->role.page, CTR_KEEPER_BAD, 1);
		log_error("bad message from the inspector: %s; its socket is closed",
			  strerror(-err));
	}
	drop_peer(k, &k->inspector);
}

static int on_shipped(struct peer *p, const struct req_msg *m)
{
	struct keeper *k = p->ctx;
	Earshot__Ack *ack;
	int progress;

	if (!k->batch_out)
		return -EBADMSG;
	ack = earshot__ack__unpack(NULL, m->len, m->body);
	if (!ack)
		return -EBADMSG;
	k->batch_out = false;
	progress = keep_ack(k->keep, ack);
	earshot__ack__free_unpacked(ack, NULL);
	if (progress <= 0) {
		k->batch_after_ns = mono_ns() + RETRY_NS;
	} else {
		k->upstream_ok_ns = wall_ns();
		k->waiting_since_ns = 0;
		k->waiting_told = false;
	}
	offer_batch(k);
	return 0;
}

static int on_upstream(struct peer *p, const struct req_msg *m)
{
	struct keeper *k = p->ctx;

	escape_str(k->upstream, sizeof(k->upstream), span_of(m->body, m->len));
	return 0;
}

static void on_shipper(void *ctx, uint32_t events)
{
	struct keeper *k = ctx;
	int err = req_recv(&k->shipper);

	(void)events;
	if (err >= 0)
		return;
	if (err != -EPIPE) {
		page_add(k->role.page, CTR_KEEPER_BAD, 1);
		log_error("bad message from the shipper: %s; its socket is closed", strerror(-err));
	}
	drop_peer(k, &k->shipper);
}

/* Takes everything that is in the inspector's socket. */
static void drain_inspector(struct keeper *k)
{
	int err = 1;

	while (err == 1 && k->inspector.fd >= 0) {
		if (keep_full(k->keep))
			commit(k, false);
		err = keep_full(k->keep) ? -ENOSPC : req_recv(&k->inspector);
	}
}

/* A new process at the other end: nothing is under way with it. */
static int take_peer(struct keeper *k, enum role role, int fd)
{
	struct peer *p = role == ROLE_INSPECTOR ? &k->inspector : &k->shipper;

	/* What the one before had sent is in its socket still. */
	if (role == ROLE_INSPECTOR)
		drain_inspector(k);
	drop_peer(k, p);
	p->fd = fd;
	if (role == ROLE_INSPECTOR) {
		keep_new_sender(k->keep);
		k->acknowledged = 0;
		pace_inspector(k);
		return 0;
	}
	k->batch_out = false;
	offer_batch(k);
	return loop_add(k->loop, fd, EPOLLIN, on_shipper, k);
}

static int on_peer(struct peer *p, const struct req_msg *m)
{
	uint32_t role;

	memcpy(&role, m->body, sizeof(role));
	if ((role != ROLE_INSPECTOR && role != ROLE_SHIPPER) || m->n_fds != 1)
		return -EBADMSG;
	return take_peer(p->ctx, role, steal_fd(&m->fds[0]));
}

static int on_sensor(struct peer *p, const struct req_msg *m)
{
	struct keeper *k = p->ctx;
	struct sensor_msg s;

	memcpy(&s, m->body, sizeof(s));
	s.kind[sizeof(s.kind) - 1] = s.why[sizeof(s.why) - 1] = 0;
	keep_sensor(k->keep, s.kind, s.why, s.events, s.bytes);
	set_timer(k, COMMIT_DELAY_NS);
	return 0;
}

static int on_roles(struct peer *p, const struct req_msg *m)
{
	struct keeper *k = p->ctx;

	memcpy(&k->roles, m->body, sizeof(k->roles));
	k->roles.method[sizeof(k->roles.method) - 1] = 0;
	k->roles.rules[sizeof(k->roles.rules) - 1] = 0;
	return 0;
}

static int explain(void *ctx, uint32_t ticket, uint32_t pid, bool next)
{
	struct keeper *k = ctx;
	struct explain_msg q = { .ticket = ticket, .pid = pid, .next = next };

	return req_send(k->monitor.fd, REQ_EXPLAIN, &q, sizeof(q), NULL, 0);
}

static int canary(void *ctx)
{
	struct keeper *k = ctx;

	return req_send(k->monitor.fd, REQ_CANARY, NULL, 0, NULL, 0);
}

static int on_explained(struct peer *p, const struct req_msg *m)
{
	static struct explained e;
	struct keeper *k = p->ctx;
	struct explain_reply r;

	memcpy(&e, m->body, sizeof(e));
	explain_reply(&r, &e, tally_of(keep_tally(k->keep), e.proc.tgid, e.proc.start_ns),
		      mono_ns());
	if (k->ctl)
		ctl_server_explained(k->ctl, e.ticket, e.pid, &r.reply);
	return 0;
}

static int on_stop(struct peer *p, const struct req_msg *m)
{
	(void)m;
	end(p->ctx, 0);
	return 0;
}

static const struct req_row reqs[REQ_MAX_] = {
	[REQ_KEEP] = { ROLE_INSPECTOR, 1, REQ_BODY_MAX, on_keep },
	[REQ_SHIPPED] = { ROLE_SHIPPER, 0, REQ_BODY_MAX, on_shipped },
	[REQ_UPSTREAM] = { ROLE_SHIPPER, 0, 1024, on_upstream },
	[REQ_PEER] = { ROLE_MONITOR, sizeof(uint32_t), sizeof(uint32_t), on_peer },
	[REQ_SENSOR] = { ROLE_MONITOR, sizeof(struct sensor_msg), sizeof(struct sensor_msg),
			 on_sensor },
	[REQ_ROLES] = { ROLE_MONITOR, sizeof(struct roles_msg), sizeof(struct roles_msg),
			on_roles },
	[REQ_EXPLAINED] = { ROLE_MONITOR, sizeof(struct explained), sizeof(struct explained),
			    on_explained },
	[REQ_STOP] = { ROLE_MONITOR, 0, 0, on_stop },
};

static void on_monitor(void *ctx, uint32_t events)
{
	struct keeper *k = ctx;
	int err = req_recv(&k->monitor);

	(void)events;
	if (err >= 0)
		return;
	if (err != -EPIPE)
		log_error("bad message from the monitor: %s", strerror(-err));
	end(k, err == -EPIPE ? 0 : 1);
}

/* An outage is told once, however long it is. */
static void watch_upstream(struct keeper *k, uint64_t now_ns)
{
	char why[320];

	if (!k->role.config->n_exports || !store_outbox(keep_store(k->keep)) || k->waiting_told)
		return;
	if (!k->waiting_since_ns)
		k->waiting_since_ns = now_ns;
	if (now_ns - k->waiting_since_ns < UPSTREAM_QUIET_NS)
		return;
	snprintf(why, sizeof(why), "Upstream has acknowledged nothing for %llu minutes%s%s",
		 (unsigned long long)(UPSTREAM_QUIET_NS / NS_PER_SEC / 60),
		 k->upstream[0] ? ": " : "", k->upstream);
	keep_sensor(k->keep, "sensor.upstream", why, 0, 0);
	k->waiting_told = true;
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct keeper *k = ctx;

	__atomic_store_n(&k->role.page->heartbeat_ns, now_ns, __ATOMIC_RELAXED);
	watch_upstream(k, now_ns);
	if (!k->trouble)
		commit(k, false);
	if (now_ns - k->pruned_ns >= PRUNE_NS) {
		k->pruned_ns = now_ns;
		keep_prune(k->keep);
	}
	acknowledge(k);
	offer_batch(k);
}

/* --- status */

struct problems {
	char text[PROBLEMS_MAX][PROBLEM_MAX];
	char *list[PROBLEMS_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void problem(struct problems *p, const char *fmt, ...)
{
	va_list args;

	if (p->n == PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(p->text[p->n], PROBLEM_MAX, fmt, args);
	va_end(args);
	p->list[p->n] = p->text[p->n];
	p->n++;
}

static void find_problems(const struct keeper *k, struct problems *p)
{
	uint64_t t = mono_ns();

	for (int i = 0; i < ROLE_MAX_; i++) {
		uint64_t beat =
		    k->pages ? __atomic_load_n(&k->pages[i].heartbeat_ns, __ATOMIC_RELAXED) : 0;

		if (k->roles.role[i].started_ns && !k->roles.role[i].up)
			problem(p, "%s is down", roles[i].name);
		else if (beat && k->roles.role[i].up && t > beat && t - beat > STALE_NS)
			problem(p, "%s has not moved for %llu s", roles[i].name,
				(unsigned long long)((t - beat) / NS_PER_SEC));
	}
	if (k->roles.canary == PULSE_BLIND)
		problem(p, "blind: no test call came through for %llu s",
			(unsigned long long)((t - k->roles.canary_ns) / NS_PER_SEC));
	if (k->roles.rules[0])
		problem(p, "rules: not those of their folder are in use: %s", k->roles.rules);
	if (k->trouble)
		problem(p, "the store refuses to commit: %s", strerror(-k->trouble));
	if (k->upstream[0])
		problem(p, "upstream: %s", k->upstream);
	if (k->role.config->n_exports && store_outbox(keep_store(k->keep)) >= STORE_OUTBOX_MAX)
		problem(p,
			"the outbox is full: alerts wait to be revised until upstream takes some");
}

static uint64_t counter_sum(const struct keeper *k, enum counter c)
{
	uint64_t sum = page_get(k->role.page, c);

	/* Ours first hand, the others from their copies. */
	for (int i = 0; k->pages && i < ROLE_MAX_; i++)
		if (i != ROLE_KEEPER)
			sum += page_get(&k->pages[i], c);
	return sum;
}

static void status(void *ctx, ctl_answer_fn *answer, void *to)
{
	struct keeper *k = ctx;
	Earshot__StatusReply s = EARSHOT__STATUS_REPLY__INIT;
	Earshot__StatusReply__CountersEntry counter[CTR_MAX_], *counter_list[CTR_MAX_];
	Earshot__RoleStatus role[ROLE_MAX_], *role_list[ROLE_MAX_];
	struct problems problems = { .n = 0 };

	for (int i = 0; i < CTR_MAX_; i++) {
		earshot__status_reply__counters_entry__init(&counter[i]);
		counter[i].key = (char *)counters[i].name;
		counter[i].value = counter_sum(k, (enum counter)i);
		counter_list[i] = &counter[i];
	}
	for (int i = 0; i < ROLE_MAX_; i++) {
		if (!k->roles.role[i].started_ns)
			continue;
		earshot__role_status__init(&role[i]);
		role[i].name = (char *)roles[i].name;
		role[i].pid = k->roles.role[i].pid;
		role[i].started_ns = k->roles.role[i].started_ns;
		role[i].restarts = k->roles.role[i].restarts;
		role[i].up = k->roles.role[i].up;
		role_list[s.n_roles++] = &role[i];
	}
	find_problems(k, &problems);
	s.version = EARSHOT_VERSION;
	s.host = k->role.start.host;
	s.started_ns = k->roles.role[ROLE_MONITOR].started_ns
			   ? k->roles.role[ROLE_MONITOR].started_ns
			   : k->started_ns;
	s.roles = role_list;
	s.capture_method = k->roles.method;
	s.n_counters = CTR_MAX_;
	s.counters = counter_list;
	if (store_alerts_open(keep_store(k->keep), &s.alerts_open))
		problem(&problems, "the store cannot be read");
	s.canary = (char *)(k->roles.canary < PULSE_STATE_MAX_ ? pulse_names[k->roles.canary] : "");
	if (k->roles.canary == PULSE_SEEN || k->roles.canary == PULSE_BLIND)
		s.canary_age_ns = mono_ns() - k->roles.canary_ns;
	s.outbox = store_outbox(keep_store(k->keep));
	s.upstream = !k->role.config->n_exports ? "none" : k->upstream[0] ? k->upstream : "ok";
	s.upstream_ok_ns = k->upstream_ok_ns;
	s.healthy = !problems.n;
	s.n_problems = problems.n;
	s.problems = problems.list;
	answer(to, &s);
}

static void revised(void *ctx, const Earshot__Body *body)
{
	struct keeper *k = ctx;

	if (k->ctl)
		ctl_server_publish(k->ctl, body);
}

/* --- begin and end */

/* What would open files later, while files can be opened: algorithms of libcrypto, SQLite's random
 * numbers. */
static void warm_up(void)
{
	uint8_t hash[CHAIN_HASH_LEN];

	chain_hash(SPAN_LIT(""), hash);
	sqlite3_initialize();
	sqlite3_randomness(sizeof(hash), hash);
	(void)strerror(EIO);
}

static int set_up(struct keeper *k)
{
	const struct role_ctx *r = &k->role;
	const struct keep_opts opts = {
		.path = STORE_PATH,
		.host = r->start.host,
		.modes = r->config->detect.modes,
		.ship = r->config->n_exports,
		.page = r->page,
		.revised = revised,
		.ctx = k,
	};
	const struct ctl_ops ctl = {
		.status = status, .explain = explain, .canary = canary, .ctx = k
	};
	bool landlock;
	int err;

	if (r->fds[START_PAGES] >= 0) {
		void *p = mmap(NULL, ROLE_MAX_ * sizeof(struct page), PROT_READ, MAP_SHARED,
			       r->fds[START_PAGES], 0);

		k->pages = p == MAP_FAILED ? NULL : p;
	}
	if ((err = loop_new(&k->loop)) ||
	    (err = sandbox_enter(ROLE_KEEPER, r->fds[START_STATE], &landlock)))
		return err;
	if (!landlock)
		log_warn("this kernel has no Landlock: the keeper is confined by seccomp and its "
			 "uid only");
	err = keep_open(&k->keep, &opts, now());
	if (err) {
		log_error("cannot open %s/store/%s: %s", r->config->state_dir, STORE_PATH,
			  err == -EPROTO ? "it was written by a newer version" : strerror(-err));
		return err;
	}
	if ((err = loop_add(k->loop, k->timer, EPOLLIN, on_due, k)) ||
	    (err = loop_add(k->loop, k->monitor.fd, EPOLLIN, on_monitor, k)) ||
	    (err = loop_every(k->loop, TICK_NS, on_tick, k)))
		return err;
	if (r->fds[START_CONTROL] >= 0) {
		err = ctl_server_new(&k->ctl, k->loop, r->fds[START_CONTROL], keep_store(k->keep),
				     &ctl);
		if (err)
			return err;
	}
	if (r->fds[START_INSPECTOR] >= 0 &&
	    (err = take_peer(k, ROLE_INSPECTOR, r->fds[START_INSPECTOR])))
		return err;
	if (r->fds[START_SHIPPER] >= 0 && (err = take_peer(k, ROLE_SHIPPER, r->fds[START_SHIPPER])))
		return err;
	if (keep_waiting(k->keep))
		set_timer(k, COMMIT_DELAY_NS);
	return 0;
}

/* Takes what is in the inspector's socket still, writes every revision that waits, says what is
 * committed. */
static void finish(struct keeper *k)
{
	drain_inspector(k);
	commit(k, true);
}

int main(void)
{
	static struct keeper k;
	int err;

	umask(077);
	role_begin(ROLE_KEEPER, &k.role);
	k.monitor =
	    (struct peer){ .fd = ROLE_SOCKET, .role = ROLE_MONITOR, .table = reqs, .ctx = &k };
	k.inspector = (struct peer){ .fd = -1, .role = ROLE_INSPECTOR, .table = reqs, .ctx = &k };
	k.shipper = (struct peer){ .fd = -1, .role = ROLE_SHIPPER, .table = reqs, .ctx = &k };
	k.started_ns = wall_ns();
	k.pruned_ns = mono_ns();
	k.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	warm_up();
	err = k.timer < 0 ? -errno : set_up(&k);
	if (!err)
		err = req_send(ROLE_SOCKET, REQ_READY, NULL, 0, NULL, 0);
	if (!err)
		err = loop_run(k.loop);
	if (err) {
		log_error("the keeper ends: %s", strerror(-err));
		k.exit_code = 1;
	}
	if (k.keep && !err)
		finish(&k);
	ctl_server_free(&k.ctl);
	keep_free(&k.keep);
	loop_free(&k.loop);
	return k.exit_code;
}
