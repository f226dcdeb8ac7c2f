/* tests/unit/test_client.c - the asking side of the control socket, against a server that may be
 * absent, late or mad. */
#include "ctl/client.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/own.h"

static char dir[] = "/tmp/earshot-client-XXXXXX";

static int listen_there(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/control.sock", dir);
	unlink(at.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_nobody(void **state)
{
	char path[128], lengthy[200];
	struct client *c = NULL;

	(void)state;
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = 0;
	assert_int_equal(client_new(&c, dir, 0), -ENOENT);
	assert_int_equal(client_new(&c, lengthy, 0), -ENAMETOOLONG);
	/* A socket that a killed sensor left behind. */
	close(listen_there());
	assert_int_equal(client_new(&c, dir, 0), -ECONNREFUSED);
	assert_null(c);
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	unlink(path);
}

static void *come_late(void *ctx)
{
	const struct timespec pause = { .tv_nsec = 200000000 };

	nanosleep(&pause, NULL);
	*(int *)ctx = listen_there();
	return NULL;
}

static void test_waits(void **state)
{
	struct client *c = NULL;
	pthread_t t;
	int fd = -1;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, come_late, &fd), 0);
	assert_int_equal(client_new(&c, dir, 10), 0);
	pthread_join(t, NULL);
	client_free(&c);
	close(fd);
}

static void test_replies(void **state)
{
	static uint8_t huge[CLIENT_REPLY_MAX + 1];
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT, *got;
	Earshot__TailQuery t = EARSHOT__TAIL_QUERY__INIT;
	Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT, *reply;
	auto_close int fd = listen_there(), conn = -1;
	struct client *c = NULL;
	uint8_t room[4096];
	ssize_t n;
	int size = 2 * CLIENT_REPLY_MAX;

	(void)state;
	assert_int_equal(client_new(&c, dir, 0), 0);
	conn = accept(fd, NULL, NULL);
	setsockopt(conn, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_TAIL;
	q.tail = &t;
	t.hunt = 1;
	assert_int_equal(client_send(c, &q), 0);
	n = recv(conn, room, sizeof(room), 0);
	assert_true(n > 0);
	got = earshot__ctl_request__unpack(NULL, (size_t)n, room);
	assert_non_null(got);
	assert_int_equal(got->verb_case, EARSHOT__CTL_REQUEST__VERB_TAIL);
	assert_true(got->tail->hunt);
	earshot__ctl_request__free_unpacked(got, NULL);

	r.error = "no";
	r.last = 1;
	assert_int_equal(send(conn, room, earshot__ctl_reply__pack(&r, room), 0),
			 (ssize_t)earshot__ctl_reply__get_packed_size(&r));
	assert_int_equal(client_recv(c, &reply), 0);
	assert_string_equal(reply->error, "no");
	assert_true(reply->last);
	earshot__ctl_reply__free_unpacked(reply, NULL);

	assert_int_equal(send(conn, "\xff\xff", 2, 0), 2);
	assert_int_equal(client_recv(c, &reply), -EBADMSG);
	if (send(conn, huge, sizeof(huge), 0) > 0)
		assert_int_equal(client_recv(c, &reply), -EBADMSG);
	own_close(&conn);
	assert_int_equal(client_recv(c, &reply), -EPIPE);
	assert_int_equal(client_send(c, &q), -EPIPE);
	client_free(&c);
	client_free(&c);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_replies),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
