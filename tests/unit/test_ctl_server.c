/* tests/unit/test_ctl_server.c - requests over a real socket: good, bad and slow. The server runs
 * in a child, on a real store. */
#include "ctl/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/own.h"
#include "keeper.h"
#include "store/keep.h"

#define SEC	    UINT64_C(1000000000)
#define PROCESSES   3000 /* more than fit into a socket */
#define NOT_ASKABLE 9999

/* What the test tells the child: make so many findings, then answer. */
struct order {
	uint32_t n;
	bool big, hunt;
	char kind[32];
};

static char dir[64];
static pid_t child;
static int orders = -1;

/* --- the child */

static struct {
	struct loop *loop;
	struct keep *keep;
	struct ctl_server *server;
	struct page page;
	enum mode modes[KIND_MAX_];
	struct keep_time now;
	uint64_t number;
	int orders;
	int explaining; /* eventfd: an explanation is asked for */
	uint32_t ticket, pid;
	bool next;
} c = { .now = { 1000 * SEC, 1700000000 * SEC } };

static void status(void *ctx, ctl_answer_fn *answer, void *to)
{
	Earshot__StatusReply s = EARSHOT__STATUS_REPLY__INIT;

	(void)ctx;
	s.host = "testhost";
	answer(to, &s);
}

static int explain(void *ctx, uint32_t ticket, uint32_t pid, bool next)
{
	(void)ctx;
	if (pid == NOT_ASKABLE)
		return -EAGAIN;
	c.ticket = ticket;
	c.pid = pid;
	c.next = next;
	eventfd_write(c.explaining, 1);
	return 0;
}

/* As the monitor would: later. There are processes 1 to PROCESSES; every tenth ends meanwhile. */
static void on_explaining(void *ctx, uint32_t events)
{
	Earshot__ExplainReply e = EARSHOT__EXPLAIN_REPLY__INIT;
	Earshot__Process p = EARSHOT__PROCESS__INIT;
	static char reason[1000];
	uint32_t ticket = c.ticket;
	eventfd_t n;

	(void)ctx;
	(void)events;
	eventfd_read(c.explaining, &n);
	p.pid = c.next ? c.pid + 1 : c.pid;
	if (c.next && p.pid > PROCESSES)
		p.pid = 0;
	memset(reason, 'x', sizeof(reason) - 1);
	e.reason = reason;
	e.process = &p;
	if (p.pid % 10)
		e.state = (char *)"no-tls";
	ctl_server_explained(c.server, ticket - 1, p.pid, &e); /* an old one */
	ctl_server_explained(c.server, ticket, p.pid, &e);
	ctl_server_explained(c.server, ticket, p.pid, &e); /* a second time */
}

static void revised(void *ctx, const Earshot__Body *body)
{
	(void)ctx;
	ctl_server_publish(c.server, body);
}

static void on_order(void *ctx, uint32_t events)
{
	static struct said room;
	struct order o;

	(void)ctx;
	(void)events;
	if (read(c.orders, &o, sizeof(o)) != sizeof(o)) {
		loop_stop(c.loop);
		return;
	}
	for (uint32_t i = 0; i < o.n; i++) {
		char text[301];
		struct say s = { .epoch = 1,
				 .number = ++c.number,
				 .kind = o.kind,
				 .evidence = text,
				 .mode = o.hunt ? MODE_HUNT : MODE_ALERT };

		memset(text, 'x', sizeof(text));
		text[o.big ? 300 : 20] = 0;
		text[snprintf(text, 12, "%08u", (unsigned)c.number)] = 'x';
		c.now.wall_ns += SEC;
		if (keep_take(c.keep, say(&room, &s)))
			_exit(3);
		if ((i % 100 == 99 || i + 1 == o.n) && keep_commit(c.keep, c.now, false) < 0)
			_exit(3);
	}
	if (write(c.orders, "", 1) != 1)
		_exit(4);
}

static int serve(int listener)
{
	const struct ctl_ops ops = { .status = status, .explain = explain };
	const struct keep_opts o = { .path = "test.db",
				     .host = "host",
				     .modes = c.modes,
				     .page = &c.page,
				     .revised = revised };

	if (loop_new(&c.loop) || keep_open(&c.keep, &o, c.now) ||
	    ctl_server_new(&c.server, c.loop, listener, keep_store(c.keep), &ops) ||
	    loop_add(c.loop, c.orders, EPOLLIN, on_order, NULL) ||
	    (c.explaining = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    loop_add(c.loop, c.explaining, EPOLLIN, on_explaining, NULL) || loop_run(c.loop))
		return 1;
	close(c.explaining);
	ctl_server_free(&c.server);
	keep_free(&c.keep);
	loop_free(&c.loop);
	return 0;
}

/* --- the test */

static int set_up(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	strcpy(dir, "/dev/shm/earshot-test-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir))
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 64) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -1;
	child = fork();
	if (!child) {
		close(pair[0]);
		c.orders = pair[1];
		exit(serve(listener));
	}
	close(pair[1]);
	close(listener);
	orders = pair[0];
	return child > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];
	int code = -1;

	(void)state;
	own_close(&orders); /* its order to end */
	waitpid(child, &code, 0);
	if (chdir("/"))
		return -1;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || code;
}

static void order(uint32_t n, const char *kind, bool big, bool hunt)
{
	struct order o = { .n = n, .big = big, .hunt = hunt };
	char ok;

	strcpy(o.kind, kind);
	assert_int_equal(write(orders, &o, sizeof(o)), sizeof(o));
	assert_int_equal(read(orders, &ok, 1), 1);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void ask(int fd, const Earshot__CtlRequest *q)
{
	uint8_t raw[4096];
	size_t len = earshot__ctl_request__pack(q, raw);

	assert_int_equal(send(fd, raw, len, MSG_NOSIGNAL), len);
}

/* NULL: the server closed. */
static Earshot__CtlReply *reply(int fd)
{
	static uint8_t raw[CTL_MESSAGE_MAX];
	ssize_t n = recv(fd, raw, sizeof(raw), 0);
	Earshot__CtlReply *r = n > 0 ? earshot__ctl_reply__unpack(NULL, (size_t)n, raw) : NULL;

	assert_false(n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)); /* it hangs */
	assert_true(n <= 0 || r);
	return r;
}

static void done(Earshot__CtlReply *r)
{
	earshot__ctl_reply__free_unpacked(r, NULL);
}

/* The alerts of a list; all of a kind that begins so. */
static size_t count_alerts(int fd, Earshot__AlertsQuery *a, const char *begins)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	uint64_t before = UINT64_MAX;
	size_t n = 0;

	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERTS;
	q.alerts = a;
	ask(fd, &q);
	for (;;) {
		Earshot__CtlReply *r = reply(fd);
		bool last = r->last;

		assert_string_equal(r->error, "");
		if (!last) {
			assert_int_equal(r->body_case, EARSHOT__CTL_REPLY__BODY_ALERT);
			assert_true(r->alert->last_seen_ns <= before); /* newest first */
			before = r->alert->last_seen_ns;
			if (begins)
				assert_memory_equal(r->alert->kind, begins, strlen(begins));
			n++;
		}
		done(r);
		if (last)
			return n;
	}
}

static void test_lists(void **state)
{
	int fd = dial();

	(void)state;
	order(150, "jailbreak.rules", false, false);
	order(3, "credential.leak", false, false);
	order(2, "recon.system-prompt", false, true);
#define COUNT(begins, ...)                                                                         \
	count_alerts(                                                                              \
	    fd,                                                                                    \
	    &(Earshot__AlertsQuery){ PROTOBUF_C_MESSAGE_INIT(&earshot__alerts_query__descriptor),  \
				     .kind = "", __VA_ARGS__ },                                    \
	    begins)
	assert_int_equal(COUNT(NULL, .limit = 0), CTL_ROWS_DEFAULT);
	assert_int_equal(COUNT(NULL, .limit = 1000), 153);
	assert_int_equal(COUNT(NULL, .limit = UINT32_MAX), 153);
	assert_int_equal(COUNT(NULL, .limit = 7), 7);
	assert_int_equal(COUNT(NULL, .limit = 1000, .hunt = true), 155);
	assert_int_equal(COUNT("credential.leak", .kind = "credential."), 3);
	assert_int_equal(COUNT("credential.leak", .kind = "credential.leak"), 3);
	assert_int_equal(COUNT(NULL, .kind = "credential"), 0);
	assert_int_equal(COUNT(NULL, .kind = "' OR 1 --"), 0);
	assert_int_equal(COUNT("credential", .min_severity = EARSHOT__SEVERITY__SEVERITY_HIGH), 3);
	assert_int_equal(COUNT(NULL, .since_ns = (1700000000 + 151) * SEC), 3);
	assert_int_equal(COUNT(NULL, .since_ns = (1700000000 + 101) * SEC), 53);
	assert_int_equal(COUNT(NULL, .since_ns = UINT64_MAX), 0);
	close(fd);
}

static void ask_explain(int fd, uint32_t pid)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__ExplainQuery e = EARSHOT__EXPLAIN_QUERY__INIT;

	e.pid = pid;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_EXPLAIN;
	q.explain = &e;
	ask(fd, &q);
}

/* Reads every process in order. */
static void expect_all(int fd)
{
	uint32_t pid = 0;
	bool last;

	do {
		Earshot__CtlReply *r = reply(fd);

		assert_string_equal(r->error, "");
		last = r->last;
		if (!last) {
			assert_int_equal(r->body_case, EARSHOT__CTL_REPLY__BODY_EXPLAINED);
			pid += pid % 10 == 9 ? 2 : 1;
			assert_int_equal(r->explained->process->pid, pid);
		}
		done(r);
	} while (!last);
	assert_int_equal(pid, PROCESSES - 1);
}

static void test_explain(void **state)
{
	int fd = dial(), other = dial(), gone = dial();
	Earshot__CtlReply *r;

	(void)state;
	ask_explain(fd, 42);
	r = reply(fd);
	assert_true(r->last);
	assert_int_equal(r->explained->process->pid, 42);
	done(r);
	ask_explain(fd, NOT_ASKABLE);
	r = reply(fd);
	assert_true(r->last && *r->error);
	done(r);
	/* Slow readers and one that hangs up hold nobody up. */
	ask_explain(gone, 0);
	ask_explain(other, 0);
	ask_explain(fd, 0);
	done(reply(gone));
	close(gone);
	expect_all(fd);
	expect_all(other);
	/* Two requests at once are one too many. */
	ask_explain(fd, 0);
	ask_explain(fd, 7);
	for (;;) {
		r = reply(fd);
		if (!r)
			break;
		if (*r->error)
			assert_true(r->last);
		done(r);
	}
	close(fd);
	close(other);
	/* It still serves. */
	fd = dial();
	ask_explain(fd, 1);
	r = reply(fd);
	assert_int_equal(r->explained->process->pid, 1);
	done(r);
	close(fd);
}

static char *expect_error(int fd, const char *id)
{
	static char error[256];
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__AlertQuery a = EARSHOT__ALERT_QUERY__INIT;
	Earshot__CtlReply *r;

	a.id = (char *)id;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERT;
	q.alert = &a;
	ask(fd, &q);
	r = reply(fd);
	assert_true(r->last);
	snprintf(error, sizeof(error), "%s", r->error);
	if (!*error) {
		char hex[33];

		for (int i = 0; i < 16; i++)
			sprintf(hex + 2 * (ptrdiff_t)i, "%02x", r->alert->id.data[i]);
		assert_int_equal(strncasecmp(hex, id, strlen(id)), 0);
	}
	done(r);
	return error;
}

static void test_by_id(void **state)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__AlertsQuery a = EARSHOT__ALERTS_QUERY__INIT;
	int fd = dial();
	Earshot__CtlReply *r;
	char hex[33];

	(void)state;
	order(1, "jailbreak.rules", false, false);
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_ALERTS;
	q.alerts = &a;
	ask(fd, &q);
	r = reply(fd);
	for (int i = 0; i < 16; i++)
		sprintf(hex + 2 * (ptrdiff_t)i, "%02X", r->alert->id.data[i]);
	done(r);
	done(reply(fd));
	assert_string_equal(expect_error(fd, hex), "");
	hex[7] = 0;
	assert_string_equal(expect_error(fd, hex), "");
	hex[3] = 0;
	assert_non_null(strstr(expect_error(fd, hex), "digits"));
	assert_non_null(strstr(expect_error(fd, "****"), "digits"));
	assert_non_null(strstr(expect_error(fd, ""), "digits"));
	assert_non_null(strstr(expect_error(fd, "00000000000000000000000000000000000"), "digits"));
	assert_non_null(strstr(expect_error(fd, "00000000000000000000000000000000"), "no such"));
	close(fd);
}

static void follow(int fd, bool hunt)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__TailQuery t = EARSHOT__TAIL_QUERY__INIT;

	t.hunt = hunt;
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_TAIL;
	q.tail = &t;
	ask(fd, &q);
	usleep(50000);
}

/* A follower that does not read: it loses the newest, is told how many, and nobody waits for it. */
static void test_slow_follower(void **state)
{
	uint64_t got = 0, dropped = 0, last = 0;
	const uint32_t n = 2000;
	int slow = dial(), other = dial();

	(void)state;
	follow(slow, false);
	order(n, "jailbreak.rules", true, false);
	assert_int_equal(
	    count_alerts(other, &(Earshot__AlertsQuery)EARSHOT__ALERTS_QUERY__INIT, NULL),
	    CTL_ROWS_DEFAULT);
	while (got + dropped < n) {
		Earshot__CtlReply *r = reply(slow);

		dropped += r->dropped;
		if (r->body_case == EARSHOT__CTL_REPLY__BODY_REVISION) {
			assert_true(r->revision->findings[0]->number > last);
			last = r->revision->findings[0]->number;
			got++;
		}
		done(r);
	}
	assert_int_equal(got + dropped, n);
	assert_true(dropped > 0 && got > 0);
	/* And follows on. */
	order(1, "jailbreak.rules", false, false);
	done(reply(slow));
	close(slow);
	close(other);
}

static void test_follow_hunt(void **state)
{
	int alerts = dial(), all = dial();
	Earshot__CtlReply *r;

	(void)state;
	follow(alerts, false);
	follow(all, true);
	order(1, "jailbreak.rules", false, true);
	order(1, "credential.leak", false, false);
	r = reply(alerts);
	assert_string_equal(r->revision->alert->kind, "credential.leak");
	done(r);
	r = reply(all);
	assert_string_equal(r->revision->alert->kind, "jailbreak.rules");
	done(r);
	close(alerts);
	close(all);
}

/* Frames that are none: an error, and the end; the others do not notice. */
static void test_malformed(void **state)
{
	static uint8_t junk[CTL_REQUEST_MAX + 1];
	int good = dial();
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int fd = dial();
		size_t len = i == 0 ? sizeof(junk) : (size_t)(1 + i % 64);
		Earshot__CtlReply *r;

		for (size_t j = 0; j < len; j++)
			junk[j] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		junk[0] |= 7; /* a wire type that does not exist */
		assert_int_equal(send(fd, junk, len, MSG_NOSIGNAL), len);
		r = reply(fd);
		assert_non_null(strstr(r->error, "malformed"));
		assert_true(r->last);
		done(r);
		assert_null(reply(fd));
		close(fd);
	}
	assert_int_equal(
	    count_alerts(good, &(Earshot__AlertsQuery)EARSHOT__ALERTS_QUERY__INIT, NULL), 0);
	close(good);
}

static void test_unknown_verb(void **state)
{
	int fd = dial();
	Earshot__CtlReply *r;

	(void)state;
	assert_int_equal(send(fd, "\xfa\x01\x00", 3, MSG_NOSIGNAL), 3); /* field 31 */
	r = reply(fd);
	assert_string_equal(r->error, "unknown request");
	done(r);
	assert_int_equal(count_alerts(fd, &(Earshot__AlertsQuery)EARSHOT__ALERTS_QUERY__INIT, NULL),
			 0);
	close(fd);
}

/* One more than there is room for is turned away; a place that gets free serves the next. */
static void test_crowd(void **state)
{
	int fd[CTL_CLIENTS_MAX], one_more;

	(void)state;
	for (int i = 0; i < CTL_CLIENTS_MAX; i++) {
		fd[i] = dial();
		assert_int_equal(
		    count_alerts(fd[i], &(Earshot__AlertsQuery)EARSHOT__ALERTS_QUERY__INIT, NULL),
		    0);
	}
	one_more = dial();
	assert_null(reply(one_more));
	close(one_more);
	close(fd[3]);
	usleep(50000);
	fd[3] = dial();
	assert_int_equal(
	    count_alerts(fd[3], &(Earshot__AlertsQuery)EARSHOT__ALERTS_QUERY__INIT, NULL), 0);
	for (int i = 0; i < CTL_CLIENTS_MAX; i++)
		close(fd[i]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lists),	   T(test_by_id),	 T(test_slow_follower), T(test_follow_hunt),
		T(test_malformed), T(test_unknown_verb), T(test_crowd),		T(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
