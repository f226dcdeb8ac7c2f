/* tests/unit/test_openai_responses.c - the Responses API becomes turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "recording.h"

#define PATH	"/v1/responses"
#define JSON_OK "200 OK\r\nContent-Type: application/json\r\n"
#define SSE_OK	"200 OK\r\nContent-Type: text/event-stream\r\n"

static void test_recordings(void **state)
{
	(void)state;
	recordings_test("responses_");
	recordings_test("conversations_");
}

/* The log of the call holds each of the lines, in this order, and not the last one, if given. */
static void call(const char *json, const char *response, const char *body, const char *const *lines,
		 const char * not )
{
	auto_mem char *log = wire_call(PATH, json, response, body);
	const char *at = log;

	for (; *lines; lines++) {
		const char *found = strstr(at, *lines);

		if (!found)
			fail_msg("no \"%s\" (in this place) in:\n%s", *lines, log);
		at = found + strlen(*lines);
	}
	if (not &&strstr(log, not ))
		fail_msg("\"%s\" in:\n%s", not, log);
}

#define LINES(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define EVENT(json) "data: {" json "}\n\n"
#define DELTA(n, text)                                                                             \
	EVENT("\"type\":\"response.output_text.delta\",\"output_index\":" n                        \
	      ",\"content_index\":0,\"delta\":\"" text "\"")
#define MESSAGE(text)                                                                              \
	"{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","     \
	"\"text\":\"" text "\"}]}"

static void test_stream(void **state)
{
	(void)state;
	/* Texts that come in deltas, when done and when completed are there once. Numbers may
	 * follow what they number. */
	call(
	    "{\"stream\":true}", SSE_OK,
	    EVENT("\"item\":{\"id\":\"fc\",\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":"
		  "\"f\",\"arguments\":\"\"},\"output_index\":1,"
		  "\"type\":\"response.output_item.added\"") DELTA("0", "a")
		EVENT("\"delta\":\"{1\",\"output_index\":1,\"type\":\"response.function_call_"
		      "arguments.delta\"") DELTA("0",
						 "b") EVENT("\"delta\":\"}\",\"output_index\":1,"
							    "\"type\":\"response.function_call_"
							    "arguments.delta\"")
		    EVENT(
			"\"type\":\"response.output_text.done\",\"output_index\":0,\"text\":"
			"\"ab\"") EVENT("\"type\":\"response.output_item.done\",\"output_index\":0,"
					"\"item\":" MESSAGE("ab"))
			EVENT(
			    "\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"model\":"
			    "\"m1\",\"status\":\"completed\",\"output\":[" MESSAGE(
				"ab") ",{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":"
				      "\"f\",\"arguments\":\"{1}\"}],\"usage\":{\"input_tokens\":5,"
				      "\"output_tokens\":6}}"),
	    LINES("end tool-executed status=200 tokens=5/6 inspected=5 ",
		  "  model m1\n  id r1\n  finish completed\n",
		  "  1 tool-call model name=f call=c1: {1}\n  0 assistant model: ab\n"),
	    "damaged");
}

/* What a gap took from the deltas, the completed object gives back. */
static void test_stream_gap(void **state)
{
	static const char request[] = "POST " PATH " HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	static const char begin[] = "HTTP/1.1 " SSE_OK "\r\n" DELTA("0", "Hello, ");
	static const char rest[] = DELTA("0", "!");
	static const char end[] = EVENT("\"type\":\"response.completed\",\"response\":{\"status\":"
					"\"completed\",\"output\":[" MESSAGE("Hello, world!") "]}");

	(void)state;
	for (int completed = 0; completed < 2; completed++) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = NULL;

		assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
		wire_open(w, 1);
		assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(request), 0), 0);
		assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(begin), 0), 0);
		wire_lose(w, 1, EV_READ, 100);
		assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT("\n\n"), 0), 0);
		assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(rest), 0), 0);
		if (completed)
			assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(end), 0), 0);
		wire_close(w, 1);
		assert_non_null(strstr(
		    log.p, completed ? "  0 assistant model: Hello, world!\n"
				     : "  0 assistant model damaged missing=100: Hello, !\n"));
	}
}

static void test_outcomes(void **state)
{
	(void)state;
	call("{}", JSON_OK,
	     "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},"
	     "\"output\":[" MESSAGE("a") "]}",
	     LINES("end blocked", "  finish content_filter\n"), NULL);
	call("{}", JSON_OK,
	     "{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"status\":\"incomplete\","
	     "\"output\":[" MESSAGE("a") "]}",
	     LINES("end answered", "  finish max_output_tokens\n"), NULL);
	call("{}", JSON_OK,
	     "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\"},\"output\":[]}",
	     LINES("end error", "  error server_error\n"), NULL);
	call("{}", SSE_OK, EVENT("\"type\":\"error\",\"code\":\"ERR_1\",\"message\":\"m\""),
	     LINES("end error", "  error ERR_1\n"), NULL);
	call("{}", SSE_OK,
	     EVENT("\"type\":\"response.refusal.delta\",\"output_index\":0,\"content_index\":0,"
		   "\"delta\":\"I'd rather not.\""),
	     LINES("end refused", "  0 assistant model: I'd rather not.\n"), NULL);
	call("{}", JSON_OK,
	     "{\"status\":\"completed\",\"output\":[" MESSAGE(
		 "a") "],\"content_filters\":[{\"blocked\":false,\"source_type\":\"prompt\","
		      "\"content_filter_results\":{\"jailbreak\":{\"detected\":true,\"filtered\":"
		      "false}}}]}",
	     LINES("end answered", "  filter-detected jailbreak\n"), "filter-blocked");
	call("{}", JSON_OK,
	     "{\"status\":\"completed\",\"output\":[],\"content_filters\":[{\"blocked\":true}]}",
	     LINES("end blocked"), NULL);
}

static void test_items(void **state)
{
	(void)state;
	call("{\"input\":[{\"output\":[{\"type\":\"input_text\",\"text\":\"r1\"},{\"type\":\"input_"
	     "text\",\"text\":\"r2\"}],\"call_id\":\"c\","
	     "\"type\":\"function_call_output\"},{\"summary\":[{\"text\":\"s\"}],\"content\":[{"
	     "\"text\":\"t\",\"type\":\"reasoning_text\"}],"
	     "\"encrypted_content\":\"12345\",\"type\":\"reasoning\"},{\"role\":\"system\","
	     "\"content\":\"x\"},\"stray\"],"
	     "\"conversation\":{\"id\":\"conv\"},\"previous_response_id\":\"p\"}",
	     JSON_OK,
	     "{\"output\":[{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\",\"query\":"
	     "\"q\"}},{\"type\":\"code_interpreter_call\","
	     "\"code\":\"1+1\",\"outputs\":[{\"type\":\"logs\",\"logs\":\"2\"}]},{\"type\":\"image_"
	     "generation_call\",\"result\":\"aGk=\"}]}",
	     LINES("  previous p\n  conversation conv\n",
		   "  0 tool-result tool call=c: r1\n  0 tool-result tool call=c: r2\n  1 "
		   "reasoning model: s\n  1 reasoning model: t\n"
		   "  2 system operator: x\n",
		   "  skipped image 4\n  skipped encrypted 5\n",
		   "  0 tool-call model name=web_search_call: q\n  1 tool-call model "
		   "name=code_interpreter_call: 1+1\n"
		   "  1 tool-result tool name=code_interpreter_call: 2\n"),
	     NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_gap), cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
