/* tests/unit/test_req.c - the request table: sizes, senders, descriptors, ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/req.h"

struct seen {
	unsigned n;
	size_t len, n_fds;
	int kept_fd;
	int answer;
};

static int on_any(struct peer *p, const struct req_msg *m)
{
	struct seen *s = p->ctx;

	s->n++;
	s->len = m->len;
	s->n_fds = m->n_fds;
	if (m->n_fds)
		s->kept_fd = steal_fd(&m->fds[0]);
	return s->answer;
}

static const struct req_row table[REQ_MAX_] = {
	[REQ_KEEP] = { ROLE_INSPECTOR, 16, 1024, on_any },
	[REQ_SHIPPED] = { ROLE_SHIPPER, 0, 16, on_any },
	[REQ_PEER] = { ROLE_INSPECTOR, 4, 4, on_any },
};

struct fixture {
	int theirs;
	struct seen seen;
	struct peer peer;
};

static int set_up(void **state)
{
	static struct fixture f;
	int pair[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	f = (struct fixture){ .theirs = pair[0],
			      .seen = { .kept_fd = -1 },
			      .peer = { pair[1], ROLE_INSPECTOR, table, &f.seen } };
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	own_close(&f->theirs);
	own_close(&f->peer.fd);
	own_close(&f->seen.kept_fd);
	return 0;
}

static void test_sizes(void **state)
{
	static const struct {
		enum req type;
		size_t len;
		int expect;
	} rows[] = {
		{ REQ_KEEP, 16, 1 },
		{ REQ_KEEP, 1024, 1 },
		{ REQ_KEEP, 15, -EBADMSG },
		{ REQ_KEEP, 1025, -EBADMSG },
		{ REQ_KEEP, 0, -EBADMSG },
		{ REQ_SHIPPED, 4, -EBADMSG /* wrong sender */ },
		{ REQ_STOP, 0, -EBADMSG /* no row */ },
		{ REQ_MAX_, 16, -EBADMSG },
		{ (enum req)0xffffffffu, 16, -EBADMSG },
	};
	static const uint8_t body[2048];
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned before = f->seen.n;

		assert_int_equal(req_send(f->theirs, rows[i].type, body, rows[i].len, NULL, 0), 0);
		assert_int_equal(req_recv(&f->peer), rows[i].expect);
		assert_int_equal(f->seen.n - before, rows[i].expect == 1);
	}
	assert_int_equal(req_recv(&f->peer), 0);
}

static void test_lying_lengths(void **state)
{
	struct fixture *f = *state;
	struct {
		struct req_hdr hdr;
		uint8_t body[64];
	} m = { .hdr = { REQ_KEEP, 16 } };

	/* Trailing bytes. */
	assert_int_equal(send(f->theirs, &m, sizeof(m.hdr) + 17, 0), sizeof(m.hdr) + 17);
	assert_int_equal(req_recv(&f->peer), -EBADMSG);
	/* Fewer than promised. */
	m.hdr.len = 32;
	assert_int_equal(send(f->theirs, &m, sizeof(m.hdr) + 16, 0), sizeof(m.hdr) + 16);
	assert_int_equal(req_recv(&f->peer), -EBADMSG);
	/* Not even a header. */
	assert_int_equal(send(f->theirs, &m, 3, 0), 3);
	assert_int_equal(req_recv(&f->peer), -EBADMSG);
	assert_int_equal(f->seen.n, 0);
}

static void test_handler_error_comes_back(void **state)
{
	static const uint8_t body[16];
	struct fixture *f = *state;

	f->seen.answer = -EBADMSG;
	assert_int_equal(req_send(f->theirs, REQ_KEEP, body, sizeof(body), NULL, 0), 0);
	assert_int_equal(req_recv(&f->peer), -EBADMSG);
}

static int n_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	int before = n_open(), fds[2] = { 0, 1 };
	uint32_t who = 1;

	/* One is taken over by the handler, the other closed for it. */
	assert_int_equal(req_send(f->theirs, REQ_PEER, &who, sizeof(who), fds, 2), 0);
	assert_int_equal(req_recv(&f->peer), 1);
	assert_int_equal(f->seen.n_fds, 2);
	assert_int_equal(n_open(), before + 1);
	assert_true(fcntl(f->seen.kept_fd, F_GETFD) & FD_CLOEXEC);
	/* Refused messages leak none. */
	assert_int_equal(req_send(f->theirs, REQ_STOP, NULL, 0, fds, 2), 0);
	assert_int_equal(req_recv(&f->peer), -EBADMSG);
	assert_int_equal(n_open(), before + 1);
}

static void test_ends(void **state)
{
	static const uint8_t body[REQ_BODY_MAX + 1];
	struct fixture *f = *state;
	int err = 0;

	assert_int_equal(req_send(f->theirs, REQ_KEEP, body, sizeof(body), NULL, 0), -EMSGSIZE);
	for (int i = 0; i < 10000 && !err; i++)
		err = req_send(f->theirs, REQ_KEEP, body, 1024, NULL, 0);
	assert_int_equal(err, -EAGAIN);
	own_close(&f->theirs);
	while ((err = req_recv(&f->peer)) == 1)
		;
	assert_int_equal(err, -EPIPE);
	assert_int_equal(req_send(f->peer.fd, REQ_KEEP, body, 16, NULL, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lying_lengths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_handler_error_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ends, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
