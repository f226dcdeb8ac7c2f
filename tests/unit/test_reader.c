/* tests/unit/test_reader.c - which exchanges become turns, and what of their heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "dialect/provider.h"
#include "wire.h"

static void test_dialects(void **state)
{
	(void)state;
	for (size_t i = 0; dialects[i]; i++) {
		const struct dialect *d = dialects[i];

		assert_non_null(d->name);
		assert_non_null(d->summary);
		for (size_t k = 0; k < d->n_routes; k++) {
			const struct route *route = &d->routes[k];

			assert_true(*route->path == '/' || !strncmp(route->path, "^/", 2));
			assert_true(route->form || route->operation);
			if (!route->form)
				continue;
			assert_true(*route->form->name && *route->form->summary);
			assert_true(route->form->operation || route->operation);
		}
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(d->name, dialects[k]->name);
	}
}

static void test_providers(void **state)
{
	static const struct {
		const char *host, *provider;
		bool known;
	} rows[] = {
		{ "api.openai.com", "openai", true },
		{ "api.openai.com:443", "openai", true },
		{ "eu.api.openai.com", "openai", true },
		{ "contoso.openai.azure.com", "azure-openai", true },
		/* The name must begin where a label does. */
		{ "openai.azure.com", "openai.azure.com", false },
		{ "evil-api.openai.com.example", "evil-api.openai.com.example", false },
		{ "xapi.openai.com", "xapi.openai.com", false },
		{ "bedrock-runtime.eu-west-1.amazonaws.com", "aws-bedrock", true },
		{ "bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", "aws-bedrock", true },
		{ "bedrock-runtime.amazonaws.com.example", "bedrock-runtime.amazonaws.com.example",
		  false },
		{ "127.0.0.1:8000", "127.0.0.1", false },
		{ "[::1]:8000", "[::1]", false },
		{ "vllm", "vllm", false },
		{ "gpu7:11434", "ollama", true },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exchange x = { .host = span_str(rows[i].host) };
		char name[64];

		assert_int_equal(provider_of(&x, name, sizeof(name)), rows[i].known);
		assert_string_equal(name, rows[i].provider);
	}
}

static void head(const char *fields, const char *want)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	auto_mem char *request = NULL;

	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	assert_true(asprintf(&request,
			     "POST /v1/chat/completions HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n",
			     fields) > 0);
	wire_open(w, 1);
	wire_pass(w, EV_WRITE, span_str(request));
	if (strncmp(log.p, want, strlen(want)))
		fail_msg("for\n%swanted\n%sgot\n%s", fields, want, log.p);
}

static void test_head(void **state)
{
	(void)state;
	head("Authorization: Bearer sk-1\r\n", "request openai-chat chat\n  credential sk-1\n");
	head("authorization: bearer sk-2\r\nAPI-Key: k\r\n",
	     "request openai-chat chat\n  credential sk-2\n");
	head("API-Key: k3\r\nUser-Agent: curl/8\r\n",
	     "request openai-chat chat\n  credential k3\n  user-agent curl/8\n");
	head("x-api-key: k4\r\n", "request openai-chat chat\n  credential k4\n");
	head("X-Forwarded-For: 10.1.2.3\r\nForwarded: for=9\r\n",
	     "request openai-chat chat\n  forwarded-for 10.1.2.3\n");
	head("Forwarded: for=9\r\n", "request openai-chat chat\n  forwarded-for for=9\n");
	head("", "request openai-chat chat\n");
}

static void test_unknown(void **state)
{
	static const char exchange[] = "GET / HTTP/1.1\r\n\r\n",
			  answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(w, EV_WRITE, SPAN_LIT(exchange));
	wire_pass(w, EV_READ, SPAN_LIT(answer));
	assert_null(log.p);
	assert_int_equal(wire_reader_stats(w)->unknown_exchanges, 1);
	assert_int_equal(wire_reader_stats(w)->turns, 0);
}

/* Addresses that vector databases share with the rest of the world. */
static void test_shared_paths(void **state)
{
	static const struct {
		const char *target, *body;
	} rows[] = {
		{ "/query", "{\"query\":\"select all that is new since monday\",\"topk\":3}" },
		{ "/vectors/upsert", "{\"vectors\":[{\"id\":1,\"svg\":\"m0\"}]}" },
		{ "/collections/7/add", "{\"ids\":[1,2]}" },
		{ "/collections/7/get", "{\"ids\":[1,2]}" },
		{ "/collections/7/points", "{\"points\":[{\"x\":1,\"y\":2}]}" },
		{ "/v1/objects", "{\"class\":\"shoe\",\"text\":\"leather\"}" },
		{ "/api/objects", "{\"properties\":{\"text\":\"leather\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem char *log = wire_call(rows[i].target, rows[i].body, "200 OK\r\n", "{}");

		if (log && *log)
			fail_msg("%s %s\n%s", rows[i].target, rows[i].body, log);
	}
}

/* The request is judged when it ends, also when the answer came before. */
/* A path that others have, too, and no body: the server says whose it is. */
static void test_told_by_server(void **state)
{
	static const struct {
		const char *head;
		bool is;
	} rows[] = {
		{ "200 OK\r\nServer: llama.cpp\r\n", true },
		{ "200 OK\r\nServer: LLAMA.CPP/1\r\n", true },
		{ "200 OK\r\nServer: nginx\r\n", false },
		{ "200 OK\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = wire_turns(&log);

		wire_pass(w, EV_WRITE, SPAN_LIT("GET /slots HTTP/1.1\r\nHost: h\r\n\r\n"));
		assert_null(log.p);
		wire_pass(w, EV_READ, SPAN_LIT("HTTP/1.1 "));
		wire_pass(w, EV_READ, span_str(rows[i].head));
		wire_pass(w, EV_READ, SPAN_LIT("\r\n[{\"prompt\":\"p\"}]"));
		wire_close(w, 1);
		assert_int_equal(log.p != NULL, rows[i].is);
		assert_int_equal(wire_reader_stats(w)->turns, rows[i].is);
		assert_int_equal(wire_reader_stats(w)->unknown_exchanges, !rows[i].is);
	}
}

/* A request that asks for another protocol is told by its body all the same. */
static void test_upgrade_asked(void **state)
{
	static const char request[] =
	    "POST /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Content-Length: 60\r\n\r\n"
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}  ";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(w, EV_WRITE, SPAN_LIT(request));
	wire_pass(w, EV_READ, SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n{}"));
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "request openai-chat chat\n"));
	assert_non_null(strstr(log.p, "user user: hi\n"));
}

static void test_early_answer(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(
	    w, EV_WRITE,
	    SPAN_LIT("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"mod"));
	wire_pass(w, EV_READ,
		  SPAN_LIT("HTTP/1.1 401 No\r\nContent-Length: "
			   "33\r\n\r\n{\"error\":{\"code\":\"no_key\",\"a\":1}}"));
	assert_null(log.p);
	wire_pass(w, EV_WRITE, SPAN_LIT("el\":\"m1\"}"));
	assert_string_equal(log.p, "request openai-chat chat\n  model m1\nend error status=401 "
				   "tokens=0/0 inspected=0 uninspected=0\n"
				   "  error no_key\n");
	assert_int_equal(wire_reader_stats(w)->turns, 1);
	assert_int_equal(wire_reader_stats(w)->json_broken, 0);
}

/* Events of so many bytes, until the stream holds total of them. */
static void stream_text(struct wire *w, size_t each, size_t total)
{
	auto_mem char *event = malloc(each + 128), *chunk = malloc(each + 160);

	for (size_t n = 0; n < total; n += each) {
		int len =
		    sprintf(event, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");

		for (size_t i = 0; i < each; i++)
			event[len++] = (char)('a' + (n + i) / each % 26);
		len += sprintf(event + len, "\"}}]}\n\n");
		len = sprintf(chunk, "%x\r\n%.*s\r\n", (unsigned)len, len, event);
		wire_pass(w, EV_READ, span_of(chunk, (size_t)len));
	}
}

/* An answer's text that came before its request's end is new to the judge: in a stream at the next
 * occasion, else at the end.
 */
static void test_early_text(void **state)
{
	static const char request[] =
	    "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 48\r\n\r\n"
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"Go on\"}]}";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);
	size_t half = strlen(request) / 2 + 40;

	(void)state;
	wire_progress(w);
	wire_pass(w, EV_WRITE, span_of(request, half));
	wire_pass(w, EV_READ,
		  SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"));
	stream_text(w, 1024, PROGRESS_BYTES);
	assert_null(log.p);
	wire_pass(w, EV_WRITE, span_str(request + half));
	assert_non_null(strstr(log.p, "  0 user user: Go on\n"));
	assert_non_null(strstr(log.p, "progress 0 assistant 0: aaa"));
	assert_null(strstr(log.p, "end answered"));
	stream_text(w, 1024, PROGRESS_BYTES);
	assert_non_null(strstr(log.p, "progress 0 assistant 16384: aaa"));
}

/* A rendered prompt is cut into its turns, and what the answer says goes on where it was. */
static void test_early_template(void **state)
{
	static const char begin[] =
	    "POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "7a\r\n{\"prompt\":\"<|im_start|>system\\nBe brief<|im_end|>\\n"
	    "<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n\",\"stream\":true,\r\n";
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	    "data: "
	    "{\"choices\":[{\"index\":1,\"text\":\"one\"},{\"index\":0,\"text\":\"Hel\"}]}\n\n";
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(w, EV_WRITE, SPAN_LIT(begin));
	wire_pass(w, EV_READ, SPAN_LIT(answer));
	assert_null(log.p);
	wire_pass(w, EV_WRITE, SPAN_LIT("a\r\n\"model\":1}\r\n0\r\n\r\n"));
	assert_string_equal(log.p, "request openai-completion completion stream\n"
				   "  0 system operator: Be brief\n"
				   "  0 user user: Hi\n");
	wire_pass(w, EV_READ,
		  SPAN_LIT("data: {\"choices\":[{\"index\":0,\"text\":\"lo\"}]}\n\n"
			   "data: {\"choices\":[{\"index\":1,\"text\":\" more\"}]}\n\n"));
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "  1 assistant model: one more\n"
				      "  0 assistant model: Hello\n"));
}

/* What only its body tells is told by the whole of it. */
static void test_early_unknown(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(w, EV_WRITE,
		  SPAN_LIT("POST /talk HTTP/1.1\r\nContent-Type: application/json\r\n"
			   "Content-Length: 57\r\n\r\n{\"model\":\"m\","));
	wire_pass(w, EV_READ,
		  SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 53\r\n\r\n"
			   "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Yes"));
	wire_pass(w, EV_WRITE, SPAN_LIT("\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"));
	wire_pass(w, EV_READ, SPAN_LIT("\"}}]}"));
	assert_non_null(strstr(log.p, "request openai-chat chat\n"));
	assert_non_null(strstr(log.p, "  0 assistant model: Yes\n"));
	assert_int_equal(wire_reader_stats(w)->unknown_exchanges, 0);
}

static void test_counts(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);

	(void)state;
	wire_pass(
	    w, EV_WRITE,
	    SPAN_LIT("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 8\r\n\r\n<html>!!"));
	wire_pass(w, EV_READ, SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
	assert_int_equal(wire_reader_stats(w)->json_broken, 1);
	assert_int_equal(wire_reader_stats(w)->text_cut, 0);
	assert_int_equal(wire_reader_stats(w)->failed, 0);
}

/* --- long exchanges */

static void stream_begin(struct wire *w)
{
	static const char request[] =
	    "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 49\r\n\r\n"
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"Go on\"}]}\n";

	wire_open(w, 1);
	wire_progress(w);
	wire_pass(w, EV_WRITE, SPAN_LIT(request));
	wire_pass(w, EV_READ,
		  SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"));
}

/* A stream is judged as it goes, each byte of it once. */
static void test_progress(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	size_t judged = 0, n = 0, total = 5 * PROGRESS_BYTES + 1024;
	const char *at;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	stream_begin(w);
	stream_text(w, 1024, total);
	assert_null(strstr(log.p, "end "));
	for (at = log.p; (at = strstr(at, "progress 0 assistant ")); n++) {
		const char *text = strchr(at, ':') + 2;

		assert_int_equal(strtoul(at + 21, NULL, 10), judged);
		judged += strcspn(text, "\n");
		at = text;
	}
	assert_int_equal(n, 5);
	assert_true(total - judged < PROGRESS_BYTES);
	wire_close(w, 1);
	assert_non_null(strstr(log.p, "end answered"));
}

/* So are lines of JSON, at the end of one. */
static void test_lines(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);
	static char line[PROGRESS_BYTES / 4 + 256], chunk[sizeof(line) + 32];
	int len = sprintf(line, "{\"message\":{\"role\":\"assistant\",\"content\":\"%0*d\"}}\n",
			  PROGRESS_BYTES / 4, 0);

	(void)state;
	wire_progress(w);
	wire_pass(w, EV_WRITE,
		  SPAN_LIT("POST /api/chat HTTP/1.1\r\nContent-Length: 48\r\n\r\n"
			   "{\"messages\":[{\"role\":\"user\",\"content\":\"Go on\"}]}"));
	wire_pass(w, EV_READ,
		  SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 4; i++) {
		int n = sprintf(chunk, "%x\r\n%.*s\r\n", (unsigned)len, len, line);

		assert_null(strstr(log.p, "progress"));
		assert_int_equal(wire_send(w, 1, EV_READ, span_of(chunk, (size_t)n), 100), 0);
	}
	assert_non_null(strstr(log.p, "progress 0 assistant 0: 000"));
	assert_null(strstr(log.p, "end "));
}

/* A short answer is judged at its end only. */
static void test_no_progress(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	stream_begin(w);
	stream_text(w, 1000, PROGRESS_BYTES - 1000);
	wire_close(w, 1);
	assert_null(strstr(log.p, "progress"));
}

/* What was judged goes when there is much of it: a stream of many texts never fills a turn. */
static void test_retire(void **state)
{
	uint64_t left = 64 << 20;
	struct turn t = { .left = &left };

	(void)state;
	for (int i = 0; i < 8; i++)
		turn_text(&t, turn_segment(&t, SEG_ASSISTANT, ORIGIN_MODEL, SIDE_RESPONSE),
			  SPAN_LIT("12345"));
	for (int i = 0; i < 8; i++)
		t.segments[i].judged = i % 2 ? 5 : 3;
	turn_retire(&t);
	assert_int_equal(t.n_segments, 4);
	assert_int_equal(t.held, 20);
	assert_int_equal(t.inspected, 40);
	for (int i = 0; i < 4; i++)
		assert_int_equal(t.segments[i].judged, 3);
	turn_clear(&t);
	assert_int_equal(left, 64 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects),      cmocka_unit_test(test_providers),
		cmocka_unit_test(test_head),	      cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_shared_paths),  cmocka_unit_test(test_told_by_server),
		cmocka_unit_test(test_upgrade_asked), cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_early_text),    cmocka_unit_test(test_early_template),
		cmocka_unit_test(test_early_unknown), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_counts),	      cmocka_unit_test(test_progress),
		cmocka_unit_test(test_no_progress),   cmocka_unit_test(test_retire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
