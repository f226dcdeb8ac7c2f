/* tests/unit/test_canary.c - a test call counts when all of it came through, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/canary.h"

struct
try {
	const char *host, *model, *ask, *say; /* NULL: as the canary says it */
	unsigned cut;			      /* bytes of the response that are lost */
	bool server;
};

static uint64_t seen(struct try t)
{
	static const uint64_t zero[EV_DIR_MAX_];
	struct conn_info info = { .id = 1, .tgid = 7, .comm = "canary" };
	enum ev_dir out = t.server ? EV_READ : EV_WRITE, in = t.server ? EV_WRITE : EV_READ;
	char request[1024], response[1024], body[512];
	struct canary *c;
	uint64_t n, len;

	snprintf(body, sizeof(body),
		 "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
		 t.model ? t.model : CANARY_MODEL, t.ask ? t.ask : CANARY_ASK);
	snprintf(request, sizeof(request),
		 "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: "
		 "application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 t.host ? t.host : CANARY_HOST, strlen(body), body);
	snprintf(body, sizeof(body),
		 "{\"object\":\"chat.completion\",\"model\":\"%s\",\"choices\":[{\"index\":0,"
		 "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":"
		 "\"stop\"}]}",
		 t.model ? t.model : CANARY_MODEL, t.say ? t.say : CANARY_SAY);
	snprintf(response, sizeof(response),
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		 "%zu\r\n\r\n%s",
		 strlen(body), body);
	assert_int_equal(canary_new(&c), 0);
	assert_int_equal(flow_open(canary_flow(c), &info, zero, 1), 0);
	flow_data(canary_flow(c), &info, out, 0, span_str(request), 2);
	len = strlen(response);
	flow_data(canary_flow(c), &info, in, 0, span_of(response, len - t.cut), 3);
	flow_close(canary_flow(c), 1,
		   (uint64_t[]){ [EV_READ] = t.server ? strlen(request) : len,
				 [EV_WRITE] = t.server ? len : strlen(request) },
		   4);
	n = canary_seen(c);
	canary_free(&c);
	assert_null(c);
	return n;
}

#define SEEN(...) seen((struct try){ __VA_ARGS__ })

static void test_whole(void **state)
{
	(void)state;
	assert_int_equal(SEEN(.cut = 0), 1);
	assert_int_equal(SEEN(.server = true), 1);
}

static void test_not_whole(void **state)
{
	(void)state;
	assert_int_equal(SEEN(.cut = 1), 0);
	assert_int_equal(SEEN(.cut = 40), 0);
	assert_int_equal(SEEN(.host = "api.openai.com"), 0);
	assert_int_equal(SEEN(.model = "gpt-4o"), 0);
	assert_int_equal(SEEN(.ask = "Is anybody"), 0);
	assert_int_equal(SEEN(.say = "No."), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
