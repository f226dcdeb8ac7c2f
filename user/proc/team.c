/* user/proc/team.c - keeper, shipper and inspector (or a recorder alone): started, connected,
 * watched, restarted, stopped. Owns their children, the sockets between them until they are handed
 * over, and a page of counters for each.
 */
#include "proc/team.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"

#define EVENTS_MAX 16
#define STOP_NS	   (5 * NS_PER_SEC)
#define RETRY_MS   10

/* The order of starting: who is sent to must be there first. */
static const enum role members[] = { ROLE_KEEPER, ROLE_SHIPPER, ROLE_INSPECTOR, ROLE_RECORDER,
				     ROLE_CANARY };

struct member {
	struct team *team;
	struct child child;
	struct peer peer;
	struct page *page;
	int page_fd;
	bool wanted; /* the configuration has work for it */
	bool up;     /* said that it is ready */
	bool killed_hanging;
	uint64_t started_ns, started_wall_ns;
	uint64_t restart_ns; /* 0: no restart is due */
	uint32_t restarts;   /* since the monitor began */
	uint32_t recent;     /* within TEAM_CALM_NS */
};

/* What the inspector works with: a sealed file, kept until its socket takes it. */
struct supply {
	int fd; /* borrowed; -1: there is none */
	bool owed;
};

struct team {
	struct loop *loop;
	struct team_opts o;
	struct member member[ROLE_MAX_];
	const struct pulse *pulse; /* NULL: no test calls */
	enum role reader;	   /* of the rings: the inspector or the recorder */
	struct page *pages;	   /* what the keeper sees: copies */
	int pages_fd;
	uint64_t epoch;
	uint64_t skip_conn;
	struct supply patterns, intel;
	bool patterns_asked; /* who has them owes the answer */
	bool stopping;
	struct roles_msg told; /* the keeper that started then */
	uint64_t told_ns;
	char rules[sizeof(((struct roles_msg *)0)->rules)];
	struct sensor_msg events[EVENTS_MAX];
	unsigned n_events;
};

static void publish(void *ctx, uint64_t now_ns);

static void give(struct team *t, struct supply *s, enum req type)
{
	struct member *mb = &t->member[ROLE_INSPECTOR];
	struct stat st;
	uint64_t len;

	if (!s->owed || !mb->up || t->stopping || fstat(s->fd, &st) < 0)
		return;
	len = (uint64_t)st.st_size;
	s->owed = req_send(mb->child.sock, type, &len, sizeof(len), &s->fd, 1) != 0;
}

/* Now, or when a socket that is full has room again. */
static void give_supplies(struct team *t)
{
	give(t, &t->patterns, REQ_PATTERNS);
	give(t, &t->intel, REQ_INTEL);
}

static int on_ready(struct peer *p, const struct req_msg *m)
{
	struct member *mb = p->ctx;

	(void)m;
	mb->up = true;
	log_debug("%s is ready, pid %d", roles[p->role].name, mb->child.pid);
	publish(mb->team, 0); /* who asks the keeper for the status now shall see it */
	if (p->role == mb->team->reader) {
		give_supplies(mb->team);
		mb->team->o.fresh(mb->team->o.ctx);
	}
	return 0;
}

static int on_who(struct peer *p, const struct req_msg *m)
{
	struct member *mb = p->ctx;
	struct who_msg who;

	memcpy(&who, m->body, sizeof(who));
	mb->team->o.who(mb->team->o.ctx, &who);
	return 0;
}

static int on_canary(struct peer *p, const struct req_msg *m)
{
	struct member *mb = p->ctx;

	(void)m;
	mb->team->o.canary(mb->team->o.ctx);
	return 0;
}

static int on_patterns(struct peer *p, const struct req_msg *m)
{
	struct member *mb = p->ctx;
	uint32_t err;

	memcpy(&err, m->body, sizeof(err));
	mb->team->patterns_asked = false;
	mb->team->o.patterns(mb->team->o.ctx, -(int)err);
	return 0;
}

static int on_explain(struct peer *p, const struct req_msg *m)
{
	struct member *mb = p->ctx;
	struct explain_msg q;

	memcpy(&q, m->body, sizeof(q));
	mb->team->o.explain(mb->team->o.ctx, &q);
	return 0;
}

static const struct req_row tables[ROLE_MAX_][REQ_MAX_] = {
	[ROLE_INSPECTOR] = {
		[REQ_READY] = { ROLE_INSPECTOR, 0, 0, on_ready },
		[REQ_WHO] = { ROLE_INSPECTOR, sizeof(struct who_msg), sizeof(struct who_msg), on_who },
		[REQ_PATTERNS] = { ROLE_INSPECTOR, sizeof(uint32_t), sizeof(uint32_t), on_patterns },
	},
	[ROLE_RECORDER] = {
		[REQ_READY] = { ROLE_RECORDER, 0, 0, on_ready },
		[REQ_WHO] = { ROLE_RECORDER, sizeof(struct who_msg), sizeof(struct who_msg), on_who },
	},
	[ROLE_KEEPER] = {
		[REQ_READY] = { ROLE_KEEPER, 0, 0, on_ready },
		[REQ_CANARY] = { ROLE_KEEPER, 0, 0, on_canary },
		[REQ_EXPLAIN] = { ROLE_KEEPER, sizeof(struct explain_msg), sizeof(struct explain_msg), on_explain },
	},
	[ROLE_CANARY] = { [REQ_READY] = { ROLE_CANARY, 0, 0, on_ready } },
	[ROLE_SHIPPER] = { [REQ_READY] = { ROLE_SHIPPER, 0, 0, on_ready } },
};

static int memory(const char *name, size_t size, int *ret_fd, void **ret)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	*ret_fd = steal_fd(&fd);
	return 0;
}

void team_exclude(void *capture, pid_t pid)
{
	if (capture && capture_exclude(capture, pid))
		log_warn("process %d could not be excluded from capture", pid);
}

/* The one process of ours that is captured. */
static void mark_canary(void *capture, pid_t pid)
{
	if (capture && capture_canary(capture, pid))
		log_warn("process %d could not be marked as the canary", pid);
}

static void send_events(struct team *t)
{
	struct member *keeper = &t->member[ROLE_KEEPER];
	unsigned sent = 0;

	if (!keeper->up)
		return;
	while (sent < t->n_events && !req_send(keeper->child.sock, REQ_SENSOR, &t->events[sent],
					       sizeof(t->events[0]), NULL, 0))
		sent++;
	memmove(t->events, t->events + sent, (t->n_events - sent) * sizeof(t->events[0]));
	t->n_events -= sent;
}

void team_event(struct team *t, const char *kind, uint64_t events, uint64_t bytes, const char *why,
		...)
{
	struct sensor_msg m = { .events = events, .bytes = bytes };
	va_list args;

	snprintf(m.kind, sizeof(m.kind), "%s", kind);
	va_start(args, why);
	vsnprintf(m.why, sizeof(m.why), why, args);
	va_end(args);
	/* The newest tell most; the oldest gives way. */
	if (t->n_events == EVENTS_MAX)
		memmove(t->events, t->events + 1, --t->n_events * sizeof(t->events[0]));
	t->events[t->n_events++] = m;
	send_events(t);
}

struct attachment {
	uint32_t kind[REQ_FDS_MAX];
	int fd[REQ_FDS_MAX];
	size_t n;
};

static void attach(struct attachment *a, enum start_fd kind, int fd)
{
	if (fd < 0)
		return;
	a->kind[a->n] = kind;
	a->fd[a->n++] = fd;
}

/* Connects a starting role with another: one end goes along at the start, the other to the role
 * that runs. */
static void connect_peer(struct team *t, struct attachment *a, enum start_fd kind, enum role self,
			 enum role other, int *ret_ours)
{
	struct member *mb = &t->member[other];
	uint32_t who = self;
	int pair[2];

	if (!mb->wanted)
		return;
	if (!mb->child.pid ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return; /* it gets its end when it starts */
	attach(a, kind, pair[0]);
	*ret_ours = pair[0];
	if (req_send(mb->child.sock, REQ_PEER, &who, sizeof(who), &pair[1], 1))
		log_warn("%s could not be told of a new %s", roles[other].name, roles[self].name);
	own_close(&pair[1]);
}

static int send_start(struct team *t, struct member *mb)
{
	struct {
		struct start start;
		uint32_t kinds[REQ_FDS_MAX];
	} msg = { .start = { .role = mb->child.role, .generation = 1, .epoch = ++t->epoch } };
	auto_close int first = -1, second = -1;
	struct attachment a = { .n = 0 };
	struct capture_fds c;
	enum role role = mb->child.role;
	int err;

	memcpy(msg.start.boot, t->o.boot, sizeof(msg.start.boot));
	memcpy(msg.start.host, t->o.host, sizeof(msg.start.host));
	attach(&a, START_CONFIG, t->o.config_fd);
	attach(&a, START_PAGE, mb->page_fd);
	if (role == t->reader) {
		capture_fds(t->o.capture, &c);
		msg.start.data_ring_bytes = c.data_ring_bytes;
		msg.start.control_ring_bytes = c.control_ring_bytes;
		msg.start.max_conns = c.max_conns;
		attach(&a, START_DATA_RING, c.data_ring);
		attach(&a, START_CONTROL_RING, c.control_ring);
		attach(&a, START_CONNS, c.conns);
	}
	switch (role) {
	case ROLE_INSPECTOR:
		memcpy(msg.start.key, t->o.key, sizeof(msg.start.key));
		msg.start.skip_conn = t->skip_conn;
		attach(&a, START_PATTERNS, t->patterns.fd);
		attach(&a, START_SLOTS, c.slots);
		attach(&a, START_WAKE, c.wake);
		connect_peer(t, &a, START_KEEPER, role, ROLE_KEEPER, &first);
		break;
	case ROLE_RECORDER:
		attach(&a, START_FILE, t->o.trace_fd);
		break;
	case ROLE_KEEPER:
		attach(&a, START_PAGES, t->pages_fd);
		attach(&a, START_CONTROL, t->o.control_fd);
		attach(&a, START_STATE, t->o.store_fd);
		connect_peer(t, &a, START_INSPECTOR, role, ROLE_INSPECTOR, &first);
		connect_peer(t, &a, START_SHIPPER, role, ROLE_SHIPPER, &second);
		break;
	case ROLE_SHIPPER:
		attach(&a, START_CA, t->o.ca_fd);
		attach(&a, START_CERT, t->o.cert_fd);
		attach(&a, START_KEY, t->o.key_fd);
		connect_peer(t, &a, START_KEEPER, role, ROLE_KEEPER, &first);
		break;
	case ROLE_CANARY:
		break;
	default:
		return -EINVAL;
	}
	memcpy(msg.kinds, a.kind, a.n * sizeof(a.kind[0]));
	err = req_send(mb->child.sock, REQ_START, &msg, sizeof(msg.start) + a.n * sizeof(a.kind[0]),
		       a.fd, a.n);
	explicit_bzero(&msg, sizeof(msg)); /* it held the key */
	return err;
}

static void on_death(void *ctx, uint32_t events);
static void on_message(void *ctx, uint32_t events);

static int start_member(struct team *t, enum role role)
{
	struct member *mb = &t->member[role];
	int err =
	    spawn_role(t->o.binaries, role, true, role == ROLE_CANARY ? mark_canary : team_exclude,
		       t->o.capture, &mb->child);

	if (err)
		return err;
	mb->up = mb->killed_hanging = false;
	mb->restart_ns = 0;
	mb->started_ns = mono_ns();
	mb->started_wall_ns = wall_ns();
	mb->page->heartbeat_ns = mb->started_ns;
	mb->page->conn = mb->page->undecided = 0;
	mb->peer = (struct peer){ mb->child.sock, role, tables[role], mb };
	err = loop_add(t->loop, mb->child.pidfd, EPOLLIN, on_death, mb);
	if (!err)
		err = loop_add(t->loop, mb->child.sock, EPOLLIN, on_message, mb);
	if (!err)
		err = send_start(t, mb);
	if (err) {
		loop_del(t->loop, mb->child.pidfd);
		loop_del(t->loop, mb->child.sock);
		child_end(&mb->child);
	} else if (role == ROLE_INSPECTOR) {
		t->patterns.owed = false; /* it started with them */
		t->intel.owed = t->intel.fd >= 0;
		if (t->patterns_asked) {
			t->patterns_asked = false;
			t->o.patterns(t->o.ctx, 0);
		}
	}
	return err;
}

/* A new process of the role, at once or later when it keeps dying. */
static void schedule(struct team *t, struct member *mb, enum role role)
{
	uint64_t now = mono_ns();

	if (t->stopping)
		return;
	if (now - mb->started_ns > TEAM_CALM_NS)
		mb->recent = 0;
	mb->restarts++;
	mb->recent++;
	page_add(t->member[ROLE_MONITOR].page, CTR_ROLE_RESTARTS, 1);
	if (mb->recent <= TEAM_QUICK) {
		int err = start_member(t, role);

		if (!err)
			return;
		log_error("%s cannot be started: %s", roles[role].name, strerror(-err));
	}
	mb->restart_ns = now + (NS_PER_SEC << MIN(mb->recent, 5u));
	log_warn("%s keeps ending, next start in %u s", roles[role].name,
		 1u << MIN(mb->recent, 5u));
	team_event(t, "sensor.crash-loop", mb->recent, 0,
		   "the %s ended %u times, next start in %u s", roles[role].name, mb->recent,
		   1u << MIN(mb->recent, 5u));
}

static void on_death(void *ctx, uint32_t events)
{
	struct member *mb = ctx;
	struct team *t = mb->team;
	enum role role = mb->child.role;
	uint64_t undecided = __atomic_load_n(&mb->page->undecided, __ATOMIC_RELAXED);
	char how[64];
	int status;

	(void)events;
	if (waitpid(mb->child.pid, &status, WNOHANG) != mb->child.pid)
		return;
	loop_del(t->loop, mb->child.pidfd);
	loop_del(t->loop, mb->child.sock);
	if (t->o.capture)
		capture_include(t->o.capture, mb->child.pid);
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d (%s)%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), mb->killed_hanging ? " because it hung" : "");
	else
		snprintf(how, sizeof(how), "exited with code %d", WEXITSTATUS(status));
	child_close(&mb->child);
	mb->up = false;
	if (t->stopping)
		return;
	log_error("%s %s", roles[role].name, how);
	if (role == ROLE_RECORDER) {
		t->o.over(t->o.ctx); /* a trace with a hole would not be one */
		return;
	}
	if (role == ROLE_INSPECTOR) {
		/* What it was at when it died may be what killed it: the next one leaves that
		 * connection alone. */
		t->skip_conn = __atomic_load_n(&mb->page->conn, __ATOMIC_RELAXED);
		page_add(t->member[ROLE_MONITOR].page, CTR_LOST_CRASH, undecided);
	}
	schedule(t, mb, role);
	team_event(t, "sensor.restart", 1, role == ROLE_INSPECTOR ? undecided : 0, "%s %s",
		   roles[role].name, how);
}

static void on_message(void *ctx, uint32_t events)
{
	struct member *mb = ctx;
	int n;

	(void)events;
	/* A bounded number, so that one talkative role cannot hold the loop. */
	for (int i = 0; i < 64; i++) {
		n = req_recv(&mb->peer);
		if (n == 0)
			return;
		if (n < 0)
			break;
	}
	if (n == 1)
		return;
	/* -EPIPE is followed by its death; anything else earns it. */
	loop_del(mb->team->loop, mb->child.sock);
	if (n != -EPIPE) {
		log_error("%s broke the protocol: %s", roles[mb->child.role].name, strerror(-n));
		kill(mb->child.pid, SIGKILL);
	}
}

/* Copies pages for the keeper and tells it who runs. */
static void publish(void *ctx, uint64_t now_ns)
{
	struct team *t = ctx;
	struct roles_msg m = { 0 };

	(void)now_ns;
	for (int r = 0; r < ROLE_MAX_; r++)
		if (t->member[r].page)
			memcpy(&t->pages[r], t->member[r].page, sizeof(t->pages[r]));
	give_supplies(t);
	if (!t->member[ROLE_KEEPER].up)
		return;
	for (int r = 0; r < ROLE_MAX_; r++) {
		const struct member *mb = &t->member[r];

		if (!mb->wanted)
			continue;
		m.role[r].pid = r == ROLE_MONITOR ? (uint32_t)getpid() : (uint32_t)mb->child.pid;
		m.role[r].started_ns = mb->started_wall_ns;
		m.role[r].restarts = mb->restarts;
		m.role[r].up = mb->up;
	}
	snprintf(m.method, sizeof(m.method), "%s",
		 t->o.capture ? capture_method_names[capture_method(t->o.capture)] : "none");
	memcpy(m.rules, t->rules, sizeof(m.rules));
	if (t->pulse) {
		m.canary = t->pulse->state;
		m.canary_ns = t->pulse->seen_ns;
	}
	/* What it knows need not wake it. */
	if (t->member[ROLE_KEEPER].started_ns != t->told_ns || memcmp(&m, &t->told, sizeof(m))) {
		if (!req_send(t->member[ROLE_KEEPER].child.sock, REQ_ROLES, &m, sizeof(m), NULL,
			      0)) {
			t->told = m;
			t->told_ns = t->member[ROLE_KEEPER].started_ns;
		}
	}
	send_events(t);
}

static void watch(void *ctx, uint64_t now_ns)
{
	struct team *t = ctx;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		struct member *mb = &t->member[members[i]];
		uint64_t beat;

		if (!mb->wanted)
			continue;
		beat = __atomic_load_n(&mb->page->heartbeat_ns, __ATOMIC_RELAXED);
		if (mb->restart_ns && now_ns >= mb->restart_ns) {
			int err = start_member(t, members[i]);

			if (err) {
				mb->restart_ns = now_ns + 30 * NS_PER_SEC;
				log_error("%s cannot be started: %s", roles[members[i]].name,
					  strerror(-err));
			}
		} else if (mb->up && now_ns > beat && now_ns - beat > TEAM_HANG_NS) {
			log_error("%s hangs: no heartbeat for %" PRIu64 " s",
				  roles[members[i]].name, (now_ns - beat) / NS_PER_SEC);
			mb->killed_hanging = true;
			kill(mb->child.pid, SIGKILL);
		}
	}
}

int team_new(struct team **ret, struct loop *l, const struct team_opts *o)
{
	auto_free(team) struct team *t = calloc(1, sizeof(*t));
	void *p;
	int err;

	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->o = *o;
	t->epoch = mono_ns();
	t->pages_fd = -1;
	t->patterns.fd = o->patterns_fd;
	t->intel.fd = -1;
	for (int r = 0; r < ROLE_MAX_; r++)
		t->member[r] = (struct member){ .team = t,
						.page_fd = -1,
						.child = { .role = r, .pidfd = -1, .sock = -1 } };
	err = memory("earshot-pages", ROLE_MAX_ * sizeof(struct page), &t->pages_fd, &p);
	if (err)
		return err;
	t->pages = p;
	t->member[ROLE_MONITOR].wanted = t->member[ROLE_MONITOR].up = true;
	t->member[ROLE_MONITOR].started_wall_ns = wall_ns();
	t->reader = o->trace_fd >= 0 ? ROLE_RECORDER : ROLE_INSPECTOR;
	t->member[t->reader].wanted = true;
	t->member[ROLE_KEEPER].wanted = t->reader == ROLE_INSPECTOR;
	t->member[ROLE_CANARY].wanted = t->reader == ROLE_INSPECTOR && o->config->canary.interval_s;
	t->member[ROLE_SHIPPER].wanted = t->reader == ROLE_INSPECTOR && o->config->n_exports > 0;
	for (int r = 0; r < ROLE_MAX_; r++) {
		if (!t->member[r].wanted)
			continue;
		err = memory("earshot-page", sizeof(struct page), &t->member[r].page_fd, &p);
		if (err)
			return err;
		t->member[r].page = p;
	}
	err = loop_every(l, NS_PER_SEC / 2, publish, t);
	if (!err)
		err = loop_every(l, NS_PER_SEC, watch, t);
	if (err)
		return err;
	*ret = steal(t);
	return 0;
}

void team_free(struct team **t)
{
	if (!*t)
		return;
	for (int r = 0; r < ROLE_MAX_; r++) {
		struct member *mb = &(*t)->member[r];

		child_end(&mb->child);
		if (mb->page)
			munmap(mb->page, sizeof(*mb->page));
		own_close(&mb->page_fd);
	}
	if ((*t)->pages)
		munmap((*t)->pages, ROLE_MAX_ * sizeof(struct page));
	own_close(&(*t)->pages_fd);
	explicit_bzero(*t, sizeof(**t));
	free(*t);
	*t = NULL;
}

int team_start(struct team *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		int err = t->member[members[i]].wanted ? start_member(t, members[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

bool team_ready(const struct team *t)
{
	for (int r = 0; r < ROLE_MAX_; r++)
		if (t->member[r].wanted && !t->member[r].up)
			return false;
	return true;
}

void team_proc(struct team *t, const struct proc_info *p)
{
	struct member *mb = &t->member[t->reader];

	if (mb->up)
		req_send(mb->child.sock, REQ_PROC, p, sizeof(*p), NULL, 0);
}

enum role team_role(const struct team *t, pid_t pid)
{
	enum role r = 0;

	if (pid == getpid())
		return ROLE_MONITOR;
	while (r < ROLE_MAX_ && t->member[r].child.pid != pid)
		r++;
	return r;
}

void team_intel(struct team *t, int fd)
{
	t->intel = (struct supply){ .fd = fd, .owed = t->member[ROLE_INSPECTOR].child.pid > 0 };
	give_supplies(t);
}

void team_canary(struct team *t)
{
	struct member *mb = &t->member[ROLE_CANARY];

	if (mb->up)
		req_send(mb->child.sock, REQ_CANARY, NULL, 0, NULL, 0);
}

void team_pulse(struct team *t, const struct pulse *p)
{
	t->pulse = p;
	publish(t, 0);
}

bool team_patterns(struct team *t, int fd)
{
	bool runs = t->member[ROLE_INSPECTOR].child.pid > 0;

	t->patterns = (struct supply){ .fd = fd, .owed = runs };
	t->patterns_asked = runs;
	give_supplies(t);
	return runs;
}

void team_rules(struct team *t, const char *why)
{
	snprintf(t->rules, sizeof(t->rules), "%s", why);
	publish(t, 0);
}

void team_explained(struct team *t, const struct explained *e)
{
	struct member *mb = &t->member[ROLE_KEEPER];

	if (mb->up)
		req_send(mb->child.sock, REQ_EXPLAINED, e, sizeof(*e), NULL, 0);
}

struct page *team_page(struct team *t, enum role role)
{
	return t->member[role].page;
}

void team_stop(struct team *t)
{
	static const enum role order[] = { ROLE_CANARY, ROLE_INSPECTOR, ROLE_RECORDER, ROLE_KEEPER,
					   ROLE_SHIPPER };

	t->stopping = true;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct member *mb = &t->member[order[i]];
		uint64_t deadline = mono_ns() + STOP_NS, now;
		struct pollfd p = { .fd = mb->child.pidfd, .events = POLLIN };
		bool told = false;

		if (!mb->child.pid)
			continue;
		loop_del(t->loop, mb->child.pidfd);
		loop_del(t->loop, mb->child.sock);
		do {
			if (!told)
				told = !req_send(mb->child.sock, REQ_STOP, NULL, 0, NULL, 0);
			now = mono_ns();
		} while (now < deadline &&
			 poll(&p, 1, told ? (int)((deadline - now) / NS_PER_MS) + 1 : RETRY_MS) <=
			     0);
		if (!(p.revents & POLLIN))
			log_warn("%s did not stop in time", roles[order[i]].name);
		child_end(&mb->child);
	}
}
