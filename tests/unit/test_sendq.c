/* tests/unit/test_sendq.c - uncommitted messages: numbered, bounded, sent again to a new keeper. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/req.h"
#include "proc/sendq.h"

struct got {
	char text[4096];
};

static int on_keep(struct peer *p, const struct req_msg *m)
{
	struct got *g = p->ctx;

	strncat(g->text, m->body, m->len);
	strcat(g->text, " ");
	return 0;
}

static const struct req_row table[REQ_MAX_] = { [REQ_KEEP] = { ROLE_INSPECTOR, 1, 64, on_keep } };

static void add(struct sendq *q, const char *s)
{
	assert_int_equal(sendq_add(q, span_str(s)), 0);
}

/* Everything that waits at the other end, joined. */
static const char *received(int fd)
{
	static struct got g;
	struct peer p = { fd, ROLE_INSPECTOR, table, &g };

	g.text[0] = 0;
	while (req_recv(&p) == 1)
		;
	return g.text;
}

static void test_again_after_a_new_keeper(void **state)
{
	struct sendq *q;
	int one[2], two[2];

	(void)state;
	assert_int_equal(sendq_new(&q), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, one), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, two), 0);
	assert_int_equal(sendq_next(q), 1);
	add(q, "a");
	add(q, "b");
	add(q, "c");
	assert_int_equal(sendq_next(q), 4);
	assert_int_equal(sendq_flush(q, one[0]), 0);
	assert_string_equal(received(one[1]), "a b c ");
	assert_int_equal(sendq_flush(q, one[0]), 0);
	assert_string_equal(received(one[1]), "");
	assert_int_equal(sendq_done(q, 2), 0);
	assert_int_equal(sendq_waiting(q), 1);
	/* Committed twice is no news; committed before it was sent is a lie. */
	assert_int_equal(sendq_done(q, 1), 0);
	assert_int_equal(sendq_done(q, 4), -EBADMSG);
	/* The keeper dies; the next one gets what was not committed, and what came since. */
	own_close(&one[1]);
	add(q, "d");
	assert_int_equal(sendq_flush(q, one[0]), -EPIPE);
	sendq_rewind(q);
	assert_int_equal(sendq_flush(q, two[0]), 0);
	assert_string_equal(received(two[1]), "c d ");
	assert_int_equal(sendq_done(q, 4), 0);
	assert_int_equal(sendq_waiting(q), 0);
	sendq_free(&q);
	own_close(&one[0]);
	own_close(&two[0]);
	own_close(&two[1]);
}

static void test_bounds(void **state)
{
	struct sendq *q;
	auto_mem char *big = calloc(1, SENDQ_BYTES_MAX);

	(void)state;
	assert_int_equal(sendq_new(&q), 0);
	for (int i = 0; i < SENDQ_MAX; i++)
		add(q, "x");
	assert_int_equal(sendq_add(q, SPAN_LIT("y")), -ENOSPC);
	assert_int_equal(sendq_dropped(q), 1);
	/* A dropped message used no number. */
	assert_int_equal(sendq_next(q), SENDQ_MAX + 1);
	sendq_free(&q);
	assert_int_equal(sendq_new(&q), 0);
	assert_int_equal(sendq_add(q, span_of(big, SENDQ_BYTES_MAX)), 0);
	assert_int_equal(sendq_add(q, SPAN_LIT("y")), -ENOSPC);
	assert_int_equal(sendq_dropped(q), 1);
	sendq_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again_after_a_new_keeper),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
