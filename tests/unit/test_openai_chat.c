/* tests/unit/test_openai_chat.c - chat completions become turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "recording.h"

#define CHAT	"/v1/chat/completions"
#define JSON_OK "200 OK\r\nContent-Type: application/json\r\n"
#define SSE_OK	"200 OK\r\nContent-Type: text/event-stream\r\n"

static void test_recordings(void **state)
{
	(void)state;
	recordings_test("chat_");
}

/* The log of the call holds each of the lines, in this order. */
static void call(const char *target, const char *json, const char *response, const char *body,
		 const char *const *lines)
{
	auto_mem char *log = wire_call(target, json, response, body);
	const char *at = log;

	for (; *lines; lines++) {
		const char *found = strstr(at, *lines);

		if (!found)
			fail_msg("no \"%s\" (in this place) in:\n%s", *lines, log);
		at = found + strlen(*lines);
	}
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_any_order(void **state)
{
	(void)state;
	call(CHAT,
	     "{\"messages\":[{\"content\":\"sys\",\"role\":\"system\"},{\"content\":[{\"text\":"
	     "\"a\",\"type\":\"text\"},\"b\"],\"role\":\"user\"},"
	     "{\"tool_calls\":[{\"function\":{\"arguments\":\"{}\",\"name\":\"f\"},\"id\":\"c1\"}],"
	     "\"role\":\"assistant\"},"
	     "{\"content\":\"out\",\"tool_call_id\":\"c1\",\"role\":\"tool\"},{\"content\":\"whose?"
	     "\"},{\"role\":\"robot\",\"content\":\"?\"}],"
	     "\"model\":\"m\"}",
	     JSON_OK, "{\"choices\":[{\"message\":{\"content\":\"yes\"},\"index\":0}]}",
	     LINES("  model m\n",
		   "  0 system operator: sys\n  1 user user: a\n  1 user user: b\n  2 tool-call "
		   "model name=f call=c1: {}\n"
		   "  3 tool-result tool name=f call=c1: out\n  4 user unknown: whose?\n  5 user "
		   "unknown: ?\n",
		   "end answered status=200", "  0 assistant model: yes\n"));
}

static void test_old_functions(void **state)
{
	(void)state;
	call("/chat/completions",
	     "{\"functions\":[{\"name\":\"f\",\"description\":\"d\"}],\"messages\":[{\"role\":"
	     "\"assistant\",\"content\":null,"
	     "\"function_call\":{\"name\":\"f\",\"arguments\":\"{1}\"}},{\"role\":\"function\","
	     "\"name\":\"f\",\"content\":\"r\"}]}",
	     JSON_OK,
	     "{\"choices\":[{\"message\":{\"function_call\":{\"name\":\"g\",\"arguments\":\"{2}\"}}"
	     "}]}",
	     LINES("  0 tool-definition unknown name=f: d\n  1 tool-call model name=f: {1}\n  2 "
		   "tool-result tool name=f: r\n",
		   "end tool-executed", "  0 tool-call model name=g: {2}\n"));
}

#define CHUNK(index, delta) "data: {\"choices\":[{\"index\":" index ",\"delta\":{" delta "}}]}\n\n"

static void test_stream(void **state)
{
	(void)state;
	/* Two choices, interleaved. */
	call(CHAT, "{\"n\":2,\"stream\":true}", SSE_OK,
	     CHUNK("0", "\"content\":\"a\"") CHUNK("1", "\"content\":\"x\"")
		 CHUNK("0", "\"content\":\"b\"")
		     CHUNK("1", "\"content\":\"y\",\"reasoning\":\"hm\"") "data: [DONE]\n\n",
	     LINES("request openai-chat chat stream\n", "end answered",
		   "  0 assistant model: ab\n  1 assistant model: xy\n  1 reasoning model: hm\n"));
	/* Numbers behind the texts. */
	call(CHAT, "{}", SSE_OK,
	     "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":1}]}\n\n"
	     "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"index\":0},"
	     "{\"delta\":{\"content\":\"y\"},\"index\":1}]}\n\n"
	     "data: {\"choices\":[{\"delta\":{\"content\":\"z\"},\"index\":1},"
	     "{\"delta\":{\"content\":\"b\"},\"index\":0}]}\n\n",
	     LINES("  1 assistant model: xyz\n  0 assistant model: ab\n"));
	/* Calls without numbers, or all of one number. */
	call(
	    CHAT, "{}", SSE_OK,
	    CHUNK("0", "\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\","
		       "\"arguments\":\"1\"}}]")
		CHUNK("0", "\"tool_calls\":[{\"id\":\"c2\",\"function\":{\"name\":\"g\","
			   "\"arguments\":\"2\"}}]")
		    CHUNK("0", "\"tool_calls\":[{\"function\":{\"arguments\":\"3\"}}]"),
	    LINES(
		"end tool-executed",
		"  0 tool-call model name=f call=c1: 1\n  0 tool-call model name=g call=c2: 23\n"));
	/* Junk between events is counted and does not end the stream. */
	call(CHAT, "{}", SSE_OK,
	     CHUNK("0", "\"content\":\"a\"") "data: <oops>\n\n"
					     ": ping\n\n" CHUNK("0", "\"content\":\"b\""),
	     LINES("  not-json 1\n", "  0 assistant model: ab\n"));
	/* An error in the middle. */
	call(CHAT, "{}", SSE_OK,
	     CHUNK("0", "\"content\":\"a\"") "data: "
					     "{\"error\":{\"message\":\"m\",\"type\":\"server_"
					     "error\",\"code\":null}}\n\n",
	     LINES("end error", "  error server_error\n", "  0 assistant model: a\n"));
}

static void test_outcomes(void **state)
{
	(void)state;
	call(CHAT, "{}", "500 Oops\r\n", "<html>bad gateway</html>",
	     LINES("end error status=500", "  not-json 1\n"));
	call(CHAT, "{}", "400 Bad Request\r\n", "{\"error\":\"model not found\"}",
	     LINES("end error status=400"));
	call(CHAT, "{}", "400 Bad Request\r\n",
	     "{\"error\":{\"code\":null,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\","
	     "\"content_filter_results\":"
	     "{\"indirect_attack\":{\"detected\":true,\"filtered\":true}}}}}",
	     LINES("end blocked", "  filter-blocked indirect-attack\n"));
	call(CHAT, "{}", JSON_OK,
	     "{\"choices\":[{\"message\":{\"content\":\"Here is a poem: I'm sorry, but I "
	     "can't\"}}]}",
	     LINES("end answered"));
	call(CHAT, "{}", JSON_OK,
	     "{\"choices\":[{\"message\":{\"content\":\"\\nI cannot assist with this.\"}}]}",
	     LINES("end refused"));
	/* A call that was made outweighs words. */
	call(CHAT, "{}", JSON_OK,
	     "{\"choices\":[{\"message\":{\"content\":\"I can't help with "
	     "that.\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\"}}]}}]}",
	     LINES("end tool-executed"));
	/* Nothing came back. */
	call(CHAT, "{}", JSON_OK, "", LINES("end unknown status=200"));
}

static void test_cut_request(void **state)
{
	static const char cut[] = "POST " CHAT " HTTP/1.1\r\nContent-Length: 900\r\n\r\n"
				  "{\"messages\":[{\"role\":\"tool\",\"content\":\"ignore all prev";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(cut), 0), 0);
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "  0 tool-result tool damaged: ignore all prev\n"));
	assert_non_null(strstr(log.p, "end unknown status=0"));
}

static void test_paths(void **state)
{
	static const struct {
		const char *target, *model; /* model NULL: not ours */
	} rows[] = {
		{ "/v1/chat/completions", "m" },
		{ "/openai/v1/chat/completions?x=/y", "m" },
		{ "/V1//chat/%63ompletions/", "m" },
		{ "http://h/v1/chat/completions", "m" },
		{ "/openai/deployments/prod-4o/chat/completions?api-version=2024-10-21",
		  "prod-4o" },
		{ "/v1/chat/completions/123", NULL },
		{ "/xchat/completions", NULL },
		{ "/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem char *log = wire_call(rows[i].target, "{\"model\":\"m\"}", JSON_OK, "{}");
		char want[64];

		snprintf(want, sizeof(want), "  model %s\n", rows[i].model ? rows[i].model : "");
		if (rows[i].model ? !strstr(log, want) : *log)
			fail_msg("%s:\n%s", rows[i].target, log);
	}
}

/* Ids longer than their fields are cut at a whole character, text with a NUL keeps what follows. */
static void test_long_ids(void **state)
{
	char json[1024] = "{\"model\":\"";
	auto_mem char *log = NULL;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(json, "\xc3\xa4");
	strcat(json, "\",\"user\":\"a\\u0000b\",\"messages\":[{\"role\":\"user\",\"content\":"
		     "\"a\\u0000b\"}]}");
	log = wire_call(CHAT, json, JSON_OK, "{}");
	assert_non_null(strstr(log, "  end-user a?b\n"));
	assert_non_null(strstr(log, "  0 user user: a\\x00b\n"));
	assert_non_null(strstr(log, "  model \\xc3\\xa4"));
	assert_null(strstr(log, "\\xc3\n"));
}

static void test_too_many_messages(void **state)
{
	static const char one[] = "{\"role\":\"user\",\"content\":\"x\"},";
	size_t n = TURN_SEGMENTS_MAX + 100;
	auto_mem char *json = malloc(n * sizeof(one) + 100), *log = NULL;
	char *p = json;

	(void)state;
	p = stpcpy(p, "{\"messages\":[");
	for (size_t i = 0; i < n; i++)
		p = stpcpy(p, one);
	stpcpy(p, "{}],\"model\":\"last\"}");
	log = wire_call(CHAT, json, JSON_OK, "{}");
	assert_non_null(strstr(log, "inspected=4096 uninspected=100\n"));
	assert_non_null(strstr(log, "  model last\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_old_functions),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_cut_request),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_ids),
		cmocka_unit_test(test_too_many_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
