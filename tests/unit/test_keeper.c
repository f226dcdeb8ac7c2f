/* tests/unit/test_keeper.c - a real earshot-keeper in its cage: the test is monitor, inspector,
 * shipper and CLI at once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "alert/chain.h"
#include "base/clock.h"
#include "keeper.h"
#include "proc/req.h"

#define KIND	"jailbreak.rules"
#define WAIT_MS 5000

static struct {
	char dir[64], binary[512];
	pid_t pid;
	struct peer monitor, inspector, shipper;
	int listener;
	struct page *page;
	struct config config;
	/* what was received */
	bool ready;
	uint64_t kept;
	Earshot__Batch *batch;
	bool deaf; /* the shipper takes no batch */
} w;

static int on_ready(struct peer *p, const struct req_msg *m)
{
	(void)p;
	(void)m;
	w.ready = true;
	return 0;
}

static int on_kept(struct peer *p, const struct req_msg *m)
{
	(void)p;
	memcpy(&w.kept, m->body, sizeof(w.kept));
	return 0;
}

static int on_batch(struct peer *p, const struct req_msg *m)
{
	(void)p;
	if (w.deaf)
		return 0;
	assert_null(w.batch); /* one at a time */
	w.batch = earshot__batch__unpack(NULL, m->len, m->body);
	assert_non_null(w.batch);
	return 0;
}

static const struct req_row reqs[REQ_MAX_] = {
	[REQ_READY] = { ROLE_KEEPER, 0, 0, on_ready },
	[REQ_KEPT] = { ROLE_KEEPER, sizeof(uint64_t), sizeof(uint64_t), on_kept },
	[REQ_BATCH] = { ROLE_KEEPER, 1, REQ_BODY_MAX, on_batch },
};

/* Handles what the keeper says until what is asked for holds. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		uint64_t until_ = mono_ns() + WAIT_MS * NS_PER_MS;                                 \
		while (!(condition) && mono_ns() < until_)                                         \
			listen_once();                                                             \
		assert_true(condition);                                                            \
	} while (0)

static void listen_once(void)
{
	struct peer *peers[] = { &w.monitor, &w.inspector, &w.shipper };
	struct pollfd p[3];

	for (size_t i = 0; i < 3; i++)
		p[i] = (struct pollfd){ .fd = peers[i]->fd, .events = POLLIN };
	if (poll(p, 3, 50) <= 0)
		return;
	for (size_t i = 0; i < 3; i++)
		if (p[i].revents && req_recv(peers[i]) < 0)
			own_close(&peers[i]->fd);
}

static int memfd_of(const void *p, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, p, len) == (ssize_t)len);
	return fd;
}

/* A socket pair; the keeper's end is returned. */
static int pair_with(struct peer *p)
{
	int fd[2];

	own_close(&p->fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	*p = (struct peer){ .fd = fd[0], .role = ROLE_KEEPER, .table = reqs };
	return fd[1];
}

static void start(void)
{
	enum { N = 7 };
	const uint32_t kinds_of_fd[N] = { START_CONFIG,	   START_PAGE,	  START_PAGES,	START_STATE,
					  START_INSPECTOR, START_SHIPPER, START_CONTROL };
	static struct page pages[ROLE_MAX_];
	struct page empty = { 0 };
	uint8_t msg[sizeof(struct start) + sizeof(kinds_of_fd)];
	struct start s = { .role = ROLE_KEEPER, .epoch = 1, .host = "testhost" };
	int theirs = pair_with(&w.monitor), fds[N];

	w.ready = false;
	w.kept = 0;
	page_set(&pages[ROLE_INSPECTOR], CTR_TURNS, 5);
	fds[0] = memfd_of(&w.config, sizeof(w.config));
	fds[1] = memfd_of(&empty, sizeof(empty));
	fds[2] = memfd_of(pages, sizeof(pages));
	fds[3] = open(w.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fds[4] = pair_with(&w.inspector);
	fds[5] = pair_with(&w.shipper);
	fds[6] = fcntl(w.listener, F_DUPFD_CLOEXEC, 0);
	w.page = mmap(NULL, sizeof(*w.page), PROT_READ, MAP_SHARED, fds[1], 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (!w.pid) {
		if (dup2(theirs, ROLE_SOCKET) < 0 || fcntl(ROLE_SOCKET, F_SETFD, 0) < 0 ||
		    chdir(w.dir))
			_exit(1);
		/* The leak check of a sanitized build needs calls that the cage kills. */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		execl(w.binary, "earshot-keeper", (char *)NULL);
		_exit(127);
	}
	memcpy(msg, &s, sizeof(s));
	memcpy(msg + sizeof(s), kinds_of_fd, sizeof(kinds_of_fd));
	assert_int_equal(req_send(w.monitor.fd, REQ_START, msg, sizeof(msg), fds, N), 0);
	close(theirs);
	for (size_t i = 0; i < N; i++)
		close(fds[i]);
	AWAIT(w.ready);
}

/* Exit status as wait() gives it. */
static int ended(void)
{
	int status = -1;

	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	w.pid = 0;
	munmap(w.page, sizeof(*w.page));
	return status;
}

static int stop(void)
{
	assert_int_equal(req_send(w.monitor.fd, REQ_STOP, NULL, 0, NULL, 0), 0);
	return ended();
}

static int set_up(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	ssize_t n;

	(void)state;
	memset(&w, 0, sizeof(w));
	w.monitor.fd = w.inspector.fd = w.shipper.fd = -1;
	config_defaults(&w.config);
	w.config.n_exports = 1;
	n = readlink("/proc/self/exe", w.binary, sizeof(w.binary) - 64);
	w.binary[n] = 0;
	strcpy(strstr(w.binary, "/tests/unit/"), "/earshot-keeper");
	strcpy(w.dir, "/tmp/earshot-test-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	w.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", w.dir);
	assert_int_equal(bind(w.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w.listener, 4), 0);
	start();
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	if (w.pid) {
		kill(w.pid, SIGKILL);
		ended();
	}
	if (w.batch)
		earshot__batch__free_unpacked(w.batch, NULL);
	own_close(&w.monitor.fd);
	own_close(&w.inspector.fd);
	own_close(&w.shipper.fd);
	own_close(&w.listener);
	snprintf(command, sizeof(command), "rm -rf %s", w.dir);
	return system(command);
}

static void send_say(const struct say *s)
{
	static struct said room;
	struct span m = say(&room, s);
	int err;

	while ((err = req_send(w.inspector.fd, REQ_KEEP, m.p, m.len, NULL, 0)) == -EAGAIN)
		listen_once();
	assert_int_equal(err, 0);
}

#define FIND(n, ...)                                                                               \
	send_say(&(struct say){ .epoch = 1,                                                        \
				.number = (n),                                                     \
				.exchange = (n),                                                   \
				.kind = KIND,                                                      \
				.evidence = "e",                                                   \
				.key = "k",                                                        \
				.turns = "su",                                                     \
				__VA_ARGS__ })

static void ack(uint64_t through)
{
	Earshot__Ack a = EARSHOT__ACK__INIT;
	uint8_t raw[32];

	a.through = through;
	earshot__batch__free_unpacked(w.batch, NULL);
	w.batch = NULL;
	assert_int_equal(
	    req_send(w.shipper.fd, REQ_SHIPPED, raw, earshot__ack__pack(&a, raw), NULL, 0), 0);
}

static int connect_control(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", w.dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void ask(int fd, const Earshot__CtlRequest *q)
{
	uint8_t raw[256];
	size_t len = earshot__ctl_request__pack(q, raw);

	assert_int_equal(send(fd, raw, len, 0), len);
}

static Earshot__CtlReply *reply(int fd)
{
	static uint8_t raw[REQ_BODY_MAX];
	ssize_t n = recv(fd, raw, sizeof(raw), 0);
	Earshot__CtlReply *r;

	assert_true(n > 0);
	r = earshot__ctl_reply__unpack(NULL, (size_t)n, raw);
	assert_non_null(r);
	return r;
}

static Earshot__CtlReply *get_status(void)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__StatusQuery s = EARSHOT__STATUS_QUERY__INIT;
	int fd = connect_control();
	Earshot__CtlReply *r;

	q.verb_case = EARSHOT__CTL_REQUEST__VERB_STATUS;
	q.status = &s;
	ask(fd, &q);
	r = reply(fd);
	assert_int_equal(r->body_case, EARSHOT__CTL_REPLY__BODY_STATUS);
	assert_true(r->last);
	close(fd);
	return r;
}

static uint64_t counter_of(const Earshot__StatusReply *s, const char *name)
{
	for (size_t i = 0; i < s->n_counters; i++)
		if (!strcmp(s->counters[i]->key, name))
			return s->counters[i]->value;
	fail_msg("no counter %s", name);
	return 0;
}

static void test_finding_to_upstream(void **state)
{
	Earshot__CtlReply *r;
	struct chain c;
	uint8_t store[CHAIN_STORE_LEN];

	(void)state;
	for (uint64_t n = 1; n <= 600; n++)
		FIND(n, .key = (char[]){ (char)('a' + n / 24), 0 });
	AWAIT(w.kept == 600);
	AWAIT(w.batch);
	memcpy(store, w.batch->store.data, sizeof(store));
	chain_begin(&c, store);
	for (uint64_t seen = 0; seen < 26;) {
		AWAIT(w.batch);
		for (size_t i = 0; i < w.batch->n_revisions; i++)
			assert_int_equal(chain_verify(&c, w.batch->revisions[i]), 0);
		assert_memory_equal(w.batch->store.data, store, sizeof(store));
		seen = c.sequence;
		ack(seen);
	}
	r = get_status();
	assert_string_equal(r->status->host, "testhost");
	assert_string_equal(r->status->upstream, "ok");
	assert_true(r->status->healthy);
	assert_int_equal(r->status->alerts_open, 26);
	assert_int_equal(counter_of(r->status, "keep.findings"), 600);
	assert_int_equal(counter_of(r->status, "keep.alerts"), 26);
	assert_int_equal(counter_of(r->status, "dialect.turns"), 5); /* of the inspector's page */
	earshot__ctl_reply__free_unpacked(r, NULL);
	assert_int_equal(stop(), 0);
}

static void test_upstream_trouble(void **state)
{
	static const char why[] = "connection refused";
	Earshot__CtlReply *r;

	(void)state;
	assert_int_equal(req_send(w.shipper.fd, REQ_UPSTREAM, why, sizeof(why) - 1, NULL, 0), 0);
	FIND(1);
	AWAIT(w.kept == 1 && w.batch);
	r = get_status();
	assert_string_equal(r->status->upstream, why);
	assert_false(r->status->healthy);
	assert_int_equal(r->status->n_problems, 1);
	assert_int_equal(r->status->outbox, 1);
	earshot__ctl_reply__free_unpacked(r, NULL);
}

static void test_sensor_event(void **state)
{
	const struct sensor_msg m = { .kind = "sensor.restart",
				      .why = "inspector was killed by signal 9" };

	(void)state;
	assert_int_equal(req_send(w.monitor.fd, REQ_SENSOR, &m, sizeof(m), NULL, 0), 0);
	AWAIT(w.batch);
	assert_int_equal(w.batch->n_revisions, 1);
}

/* Killed, started again: the inspector sends what was not acknowledged, and no finding is there
 * twice or missing. */
static void test_killed(void **state)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__AlertsQuery a = EARSHOT__ALERTS_QUERY__INIT;
	uint64_t sent = 0, kept;
	Earshot__CtlReply *r;
	int fd;

	(void)state;
	w.deaf = true;
	for (int round = 0; round < 5; round++) {
		for (uint64_t n = sent + 1; n <= sent + 300; n++)
			FIND(n);
		sent += 300;
		AWAIT(w.kept > sent - 300); /* the first of them; others are under way */
		kept = w.kept;
		kill(w.pid, SIGKILL);
		assert_int_equal(ended(), SIGKILL);
		start();
		for (uint64_t n = kept + 1; n <= sent; n++)
			FIND(n);
		AWAIT(w.kept == sent || kept == sent);
	}
	assert_int_equal(stop(), 0);
	start();
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERTS;
	q.alerts = &a;
	fd = connect_control();
	ask(fd, &q);
	r = reply(fd);
	assert_int_equal(r->body_case, EARSHOT__CTL_REPLY__BODY_ALERT);
	assert_int_equal(r->alert->count, sent);
	earshot__ctl_reply__free_unpacked(r, NULL);
	r = reply(fd);
	assert_true(r->last);
	earshot__ctl_reply__free_unpacked(r, NULL);
	close(fd);
}

/* What sits in the socket when the order to stop comes is kept and acknowledged. */
static void test_stop_finishes(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 100; n++)
		FIND(n);
	assert_int_equal(stop(), 0);
	AWAIT(w.kept == 100);
}

/* The monitor is gone: no order will come any more. */
static void test_orphan_finishes(void **state)
{
	(void)state;
	FIND(1);
	own_close(&w.monitor.fd);
	assert_int_equal(ended(), 0);
	AWAIT(w.kept == 1);
}

static void test_bad_inspector(void **state)
{
	Earshot__CtlReply *r;
	uint32_t role = ROLE_INSPECTOR;
	int theirs;

	(void)state;
	FIND(1);
	AWAIT(w.kept == 1);
	assert_int_equal(req_send(w.inspector.fd, REQ_KEEP, "\xff\xff\xff", 3, NULL, 0), 0);
	AWAIT(w.inspector.fd < 0); /* its socket is closed, the keeper lives */
	r = get_status();
	assert_int_equal(counter_of(r->status, "keep.bad_messages"), 1);
	earshot__ctl_reply__free_unpacked(r, NULL);
	theirs = pair_with(&w.inspector);
	w.kept = 0;
	assert_int_equal(req_send(w.monitor.fd, REQ_PEER, &role, sizeof(role), &theirs, 1), 0);
	close(theirs);
	FIND(1, .epoch = 2);
	AWAIT(w.kept == 1);
}

/* A file that is none: set aside in the cage, said so, and work goes on. */
static void test_damaged_store(void **state)
{
	char command[160];
	Earshot__CtlReply *r;

	(void)state;
	w.deaf = true;
	FIND(1);
	AWAIT(w.kept == 1);
	assert_int_equal(stop(), 0);
	snprintf(command, sizeof(command),
		 "dd if=/dev/urandom of=%s/earshot.db bs=4096 count=3 conv=notrunc 2>/dev/null",
		 w.dir);
	assert_int_equal(system(command), 0);
	start();
	FIND(2);
	AWAIT(w.kept == 2);
	r = get_status();
	assert_int_equal(r->status->alerts_open, 2);
	earshot__ctl_reply__free_unpacked(r, NULL);
	snprintf(command, sizeof(command), "test -e %s/earshot.db.corrupt-*Z", w.dir);
	assert_int_equal(system(command), 0);
}

static void test_tail(void **state)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__TailQuery t = EARSHOT__TAIL_QUERY__INIT;
	int fd = connect_control();
	Earshot__CtlReply *r;

	(void)state;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_TAIL;
	q.tail = &t;
	ask(fd, &q);
	/* Its answer proves that the other client was served after it. */
	earshot__ctl_reply__free_unpacked(get_status(), NULL);
	FIND(1, .mode = MODE_HUNT, .key = "other");
	FIND(2);
	FIND(3, .evidence = "f");
	r = reply(fd);
	assert_int_equal(r->body_case, EARSHOT__CTL_REPLY__BODY_REVISION);
	assert_int_equal(r->revision->action, EARSHOT__BODY__ACTION__CREATE);
	assert_int_equal(r->revision->findings[0]->number, 2);
	earshot__ctl_reply__free_unpacked(r, NULL);
	r = reply(fd);
	assert_int_equal(r->revision->action, EARSHOT__BODY__ACTION__UPDATE);
	assert_int_equal(r->revision->alert->n_evidence, 2);
	earshot__ctl_reply__free_unpacked(r, NULL);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_finding_to_upstream), T(test_upstream_trouble),
		T(test_sensor_event),	     T(test_killed),
		T(test_stop_finishes),	     T(test_orphan_finishes),
		T(test_bad_inspector),	     T(test_tail),
		T(test_damaged_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
