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
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(request), 0), 0);
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
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(exchange), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(answer), 0), 0);
	assert_null(log.p);
	assert_int_equal(wire_reader_stats(w)->unknown_exchanges, 1);
	assert_int_equal(wire_reader_stats(w)->turns, 0);
}

/* The request is judged when it ends, also when the answer came before. */
static void test_early_answer(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(
	    wire_send(
		w, 1, EV_WRITE,
		SPAN_LIT("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"mod"),
		0),
	    0);
	assert_int_equal(wire_send(w, 1, EV_READ,
				   SPAN_LIT("HTTP/1.1 401 No\r\nContent-Length: "
					    "33\r\n\r\n{\"error\":{\"code\":\"no_key\",\"a\":1}}"),
				   0),
			 0);
	assert_null(log.p);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT("el\":\"m1\"}"), 0), 0);
	assert_string_equal(log.p, "request openai-chat chat\n  model m1\nend error status=401 "
				   "tokens=0/0 inspected=0 uninspected=0\n"
				   "  error no_key\n");
	assert_int_equal(wire_reader_stats(w)->turns, 1);
	assert_int_equal(wire_reader_stats(w)->json_broken, 0);
}

static void test_counts(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(
	    wire_send(
		w, 1, EV_WRITE,
		SPAN_LIT("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 8\r\n\r\n<html>!!"),
		0),
	    0);
	assert_int_equal(
	    wire_send(w, 1, EV_READ, SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 0),
	    0);
	assert_int_equal(wire_reader_stats(w)->json_broken, 1);
	assert_int_equal(wire_reader_stats(w)->text_cut, 0);
	assert_int_equal(wire_reader_stats(w)->failed, 0);
}

/* --- long exchanges */

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
		assert_int_equal(wire_send(w, 1, EV_READ, span_of(chunk, (size_t)len), 0), 0);
	}
}

static void stream_begin(struct wire *w)
{
	static const char request[] =
	    "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 49\r\n\r\n"
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"Go on\"}]}\n";

	wire_open(w, 1);
	wire_progress(w);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(request), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ,
				   SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
					    "Transfer-Encoding: chunked\r\n\r\n"),
				   0),
			 0);
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
		cmocka_unit_test(test_dialects),     cmocka_unit_test(test_providers),
		cmocka_unit_test(test_head),	     cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_early_answer), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_progress),     cmocka_unit_test(test_no_progress),
		cmocka_unit_test(test_retire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
