/* tests/unit/test_openai_realtime.c - a socket's turns, judged one by one, however they lie in each
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "recording.h"

static void test_recordings(void **state)
{
	(void)state;
	recordings_test("realtime_");
}

/* --- turns inside of each other */

static const char up[] =
    "GET /openai/realtime?api-version=2025-04-01-preview&deployment=my%2Drt HTTP/1.1\r\n"
    "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		  upped[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
			    "websocket\r\n\r\n";

/* One text message; a client's is masked, with zeros. */
static void say(struct wire *w, enum ev_dir dir, const char *json)
{
	size_t len = strlen(json), at = 0;
	uint8_t frame[1024] = { 0x81 };

	assert_true(len < sizeof(frame) - 8);
	frame[++at] = (uint8_t)(MIN(len, 126) | (dir == EV_WRITE) << 7);
	if (len > 125) {
		frame[++at] = (uint8_t)(len >> 8);
		frame[++at] = (uint8_t)len;
	}
	at += dir == EV_WRITE ? 5 : 1;
	memcpy(frame + at, json, len);
	wire_pass(w, dir, span_of(frame, at + len));
}

#define DELTA(id, text)                                                                            \
	"{\"type\":\"response.text.delta\",\"response_id\":\"" id "\",\"output_index\":0,"         \
	"\"content_index\":0,\"delta\":\"" text "\"}"
#define DONE(id, text)                                                                             \
	"{\"type\":\"response.done\",\"response\":{\"id\":\"" id "\",\"status\":\"completed\","    \
	"\"output\":[{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":"         \
	"\"text\","                                                                                \
	"\"text\":\"" text "\"}]}],\"usage\":{\"input_tokens\":10,\"output_tokens\":2}}}"

static void test_interleaved(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);
	const char *before;

	(void)state;
	wire_progress(w);
	wire_pass(w, EV_WRITE, SPAN_LIT(up));
	wire_pass(w, EV_READ, SPAN_LIT(upped));
	say(w, EV_WRITE,
	    "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":"
	    "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Count\"}]}}");
	say(w, EV_READ, DELTA("a", "one, "));
	say(w, EV_READ, DELTA("b", "eins, "));
	say(w, EV_READ, DELTA("a", "two"));
	assert_null(strstr(log.p, "progress"));
	say(w, EV_READ, DONE("a", "one, two"));
	before = log.p + log.len;
	assert_non_null(strstr(log.p, "progress 0 user 0: Count\n"
				      "progress 0 assistant 0: one, two\n"
				      "progress 64 assistant 0: eins, \n"
				      "turn answered from 0\n"));
	say(w, EV_READ, DELTA("b", "zwei"));
	assert_ptr_equal(before, log.p + log.len);
	say(w, EV_READ, DONE("b", "eins, zwei"));
	assert_non_null(strstr(log.p, "progress 64 assistant 6: zwei\n"
				      "turn answered from 3\n"));
	/* A turn of which only the end came. */
	say(w, EV_READ, DONE("c", "drei"));
	assert_non_null(strstr(log.p, "progress 65 assistant 0: drei\n"));
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "request openai-realtime realtime stream\n  provider h\n"
				      "  model my-rt\n"));
	assert_non_null(strstr(log.p, "end answered status=101 tokens=30/6 inspected=27 "));
	assert_int_equal(wire_reader_stats(w)->turns, 1);
}

/* --- a socket that was open before anybody listened */

static void test_joined_recordings(void **state)
{
	(void)state;
	recordings_test_joined("realtime_");
}

static struct wire *joined(struct evlog *log)
{
	struct wire *w;

	assert_int_equal(wire_new(&w, WIRE_TURNS, log, NULL), 0);
	wire_open_midway(w, 1);
	wire_progress(w);
	return w;
}

static void test_joined(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = joined(&log);

	(void)state;
	/* The tail of a message, and one that says nothing of whose it is. */
	wire_pass(w, EV_READ, SPAN_LIT("g end of a sentence.\"}"));
	say(w, EV_READ, "{\"type\":\"pong\"}");
	say(w, EV_WRITE,
	    "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":"
	    "\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Count\"}]}}");
	say(w, EV_READ, DELTA("a", "one, "));
	say(w, EV_READ, DELTA("a", "two"));
	say(w, EV_READ, DONE("a", "one, two"));
	assert_non_null(strstr(log.p, "progress 0 user 0: Count\n"
				      "progress 0 assistant 0: one, two\n"
				      "turn answered from 0\n"));
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "request openai-realtime realtime stream\n"));
	assert_non_null(strstr(log.p, "end answered status=0 tokens=10/2 "));
	assert_int_equal(wire_reader_stats(w)->by_shape, 1);
}

/* A gateway's path, that nobody knows. */
static void test_unknown_path(void **state)
{
	static const char gateway[] =
	    "GET /bots/7/talk HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
	    "Upgrade: WebSocket\r\n\r\n";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_progress(w);
	wire_pass(w, EV_WRITE, SPAN_LIT(gateway));
	wire_pass(w, EV_READ, SPAN_LIT(upped));
	assert_null(log.p);
	say(w, EV_READ, DELTA("a", "one, "));
	say(w, EV_READ, DELTA("a", "two"));
	say(w, EV_READ, DONE("a", "one, two"));
	assert_non_null(strstr(log.p, "request openai-realtime realtime stream\n"));
	assert_non_null(strstr(log.p, "progress 0 assistant 0: one, two\nturn answered from 0\n"));
	wire_close(w, 1);
	/* What only asks to become one is none. */
	assert_int_equal(wire_send(w, 2, EV_WRITE, SPAN_LIT(gateway), 0), 0);
	assert_int_equal(wire_send(w, 2, EV_READ, SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n{}"), 0), 0);
	wire_close(w, 2);
	assert_int_equal(wire_reader_stats(w)->turns, 1);
	assert_int_equal(wire_reader_stats(w)->unknown_exchanges, 1);
}

/* Nobody's API: after some messages nobody looks any more. */
static void test_joined_other(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = joined(&log);
	enum ev_dir dir;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(flow_mutable(wire_flow(w), 1, &dir), FLOW_WATCH);
		say(w, EV_READ, "{\"type\":\"tick\",\"price\":1}");
	}
	assert_int_equal(flow_mutable(wire_flow(w), 1, &dir), FLOW_MUTE_ALL);
	wire_close(w, 1);
	assert_null(log.p);
	assert_int_equal(wire_reader_stats(w)->unknown_exchanges, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),	  cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_joined_recordings), cmocka_unit_test(test_joined),
		cmocka_unit_test(test_unknown_path),	  cmocka_unit_test(test_joined_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
