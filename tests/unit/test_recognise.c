/* tests/unit/test_recognise.c - which form an exchange has: by its path, by its body, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "dialect/recognise.h"
#include "wire.h"

static void test_paths(void **state)
{
	static const struct {
		const char *method, *target, *form, *model, *object; /* form NULL: no route */
	} rows[] = {
		{ "POST", "/v1/messages", "anthropic-messages" },
		{ "POST", "/anthropic/v1/messages?beta=true", "anthropic-messages" },
		{ "GET", "/v1/messages/batches/b_1/results", "anthropic-batch", "", "b_1" },
		{ "POST", "/v1/messages/b_1", NULL },
		{ "POST", "/v1beta/models/gemini-2.5-pro:generateContent", "gemini",
		  "gemini-2.5-pro" },
		{ "POST", "/v1beta/models/a%2Fb%3Ac:generateContent", "gemini", "a/b:c" },
		{ "POST", "/v1beta/models/:generateContent", NULL },
		{ "POST",
		  "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
		  "gemini", "m" },
		{ "POST", "/openai/deployments/My-Depl/embeddings", "openai-embedding", "My-Depl" },
		{ "POST", "/OPENAI/Deployments/My-Depl/Chat/Completions/", "openai-chat",
		  "My-Depl" },
		{ "POST", "/openai/v1/responses", "openai-responses" },
		{ "POST", "/v1/responses/input_tokens", "openai-responses" },
		{ "DELETE", "/v1/responses/resp_1", "openai-responses", "", "resp_1" },
		{ "POST", "/model/anthropic.claude-v2%3A1/converse", "bedrock-converse",
		  "anthropic.claude-v2:1" },
		{ "POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt-router%2Fx/invoke",
		  "bedrock-native", "arn:aws:bedrock:us-east-1:1:prompt-router/x" },
		{ "POST", "/model/m/converse-streams", NULL },
		{ "POST", "/models/m/invoke", NULL },
		{ "GET", "/model/m/invoke", NULL },
		{ "POST", "/agents/s-1", NULL },
		{ "POST", "/endpoints/my-llm/invocations", "bedrock-native", "my-llm" },
		{ "GET", "/v1/realtime?x=1&model=gpt%2Drealtime", "openai-realtime",
		  "gpt-realtime" },
		{ "GET", "/openai/realtime?api-version=1&deployment=rt", "openai-realtime", "rt" },
		{ "GET", "/openai/realtime?model=m", "openai-realtime" },
		{ "POST", "/v1/realtime?model=m", NULL },
		{ "GET", "/v1/realtime/calls", NULL },
		{ "POST", "/v2/models/llm/versions/2/infer", "kserve-infer", "llm" },
		{ "POST", "/serving/v2/models/llm/generate_stream", "triton-generate", "llm" },
		{ "POST", "/v2/repository/models/llm/unload", "kserve-repository", "", "llm" },
		{ "POST", "/inference.GRPCInferenceService/ModelInfer", "kserve-grpc" },
		{ "POST", "/inference.GRPCInferenceService/ModelInferX", NULL },
		{ "POST", "/v2/models/llm", NULL },
		{ "GET", "/v2/models/llm/infer", NULL },
		{ "POST", "/v1/agents/completions", "openai-chat" },
		{ "POST", "/v1/fim/completions", "openai-completion" },
		{ "POST", "/v1/conversations/c/restart", NULL },
		{ "POST", "/v1/load_lora_adapter", "lora-adapter" },
		{ "GET", "/v1/chat/completions", NULL },
		{ "POST", "/", "tgi" },
		{ "POST", "", "tgi" },
		{ "POST", "//?x=1", "tgi" },
		{ "POST", "/x/y", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exchange x = { .method = span_str(rows[i].method),
				      .target = span_str(rows[i].target) };
		struct turn t = { 0 };
		bool named;
		const struct route *route = recognise_path(&x, &t, &named);

		if (!rows[i].form != !route)
			fail_msg("%s: %s", rows[i].target, route ? route->path : "no route");
		if (!route)
			continue;
		assert_string_equal(route->form->name, rows[i].form);
		assert_string_equal(t.request_model, rows[i].model ? rows[i].model : "");
		assert_string_equal(t.object, rows[i].object ? rows[i].object : "");
		assert_int_equal(named, rows[i].model && rows[i].model[0]);
	}
}

/* A path longer than anything is compared all the same. */
static void test_long_path(void **state)
{
	struct exchange x = { .method = SPAN_LIT("POST") };
	struct turn t = { 0 };
	char path[4096];
	bool named;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	strcpy(path + 4000, "/v1/chat/completions");
	x.target = span_str(path);
	assert_string_equal(recognise_path(&x, &t, &named)->form->name, "openai-chat");
	strcpy(path + 4000, ":generateContent");
	x.target = span_str(path);
	assert_null(recognise_path(&x, &t, &named));
}

#define ASK "\"Please write a poem about the sea and its sailors.\""

static const struct {
	const char *form; /* NULL: none */
	const char *body;
} bodies[] = {
	{ "openai-chat", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}" },
	{ "openai-chat",
	  "{\"messages\":[{\"content\":\"x\",\"role\":\"user\"}],\"max_tokens\":5}" },
	{ "anthropic-messages", "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":5,"
				"\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}" },
	{ "anthropic-messages", "{\"model\":\"m\",\"max_tokens\":5,\"system\":\"s\",\"messages\":[{"
				"\"role\":\"user\",\"content\":\"x\"}]}" },
	{ "bedrock-converse",
	  "{\"schemaVersion\":\"messages-v1\",\"system\":[{\"text\":\"s\"}],\"messages\":[{"
	  "\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}],\"inferenceConfig\":{"
	  "\"maxTokens\":5}}" },
	{ "gemini", "{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}" },
	{ "ollama-chat", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
			 "\"keep_alive\":0}" },
	{ "ollama-generate", "{\"model\":\"m\",\"prompt\":\"x\",\"options\":{\"num_ctx\":9}}" },
	{ "openai-completion", "{\"model\":\"m\",\"prompt\":\"x\",\"max_tokens\":9}" },
	{ "openai-responses", "{\"model\":\"m\",\"input\":\"x\",\"instructions\":\"y\"}" },
	{ "mcp",
	  "{\"params\":{\"name\":\"t\",\"arguments\":{}},\"method\":\"tools/call\",\"jsonrpc\":"
	  "\"2.0\",\"id\":1}" },
	{ "openai-embedding", "{\"model\":\"m\",\"input\":[\"x\"],\"encoding_format\":\"float\"}" },
	{ "tgi", "{\"inputs\":" ASK ",\"parameters\":{\"max_new_tokens\":20}}" },
	{ "generic", "{\"inputs\":" ASK ",\"options\":{\"max_tokens\":20}}" },
	{ "cohere-chat-v1",
	  "{\"message\":\"x\",\"chat_history\":[{\"role\":\"USER\",\"message\":\"y\"}]}" },
	{ "generic", "{\"data\":{\"query\":" ASK "},\"config\":{\"temperature\":0.7}}" },
	{ "generic", "{\"text\":\"\xe8\xaf\xb7\xe5\x86\x99\xe4\xb8\x80\xe9\xa6\x96\xe5\x85\xb3\xe4"
		     "\xba\x8e\xe5\xa4\xa7\xe6\xb5\xb7\xe7\x9a\x84\xe8\xaf\x97\",\"top_p\":1}" },
	/* Cut after what tells. */
	{ "openai-chat", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x" },
	/* Near misses: people's messages, thermostats, searches, cars, comments, lists. */
	{ NULL, "{\"messages\":[{\"from\":\"a\",\"body\":" ASK "}]}" },
	{ NULL, "{\"messages\":[{\"role\":\"admin\",\"content\":" ASK "}]}" },
	{ NULL, "{\"device\":\"t1\",\"temperature\":21.5,\"text\":\"ok\"}" },
	{ NULL, "{\"query\":" ASK ",\"size\":10,\"from\":0}" },
	{ NULL, "{\"model\":\"T5\",\"description\":" ASK ",\"price\":100}" },
	{ NULL, "{\"title\":\"x\",\"body\":" ASK ",\"labels\":[\"bug\"]}" },
	{ NULL, "{\"prompt\":\"Continue?\",\"model\":\"dialog\"}" },
	{ NULL, "{\"input\":\"x\",\"model\":\"m\"}" },
	{ NULL, "{\"text\":\"0123456789abcdef0123456789abcdef0123456789\",\"top_k\":5}" },
	{ NULL, "{\"contents\":[{\"id\":1}]}" },
	{ NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"workspace/executeCommand\",\"params\":{"
		"\"command\":\"x\",\"arguments\":[]},\"id\":1}" },
	{ NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{\"processId\":1,"
		"\"clientInfo\":{\"name\":\"vim\"},\"capabilities\":{}},\"id\":1}" },
	{ NULL, "{\"inputs\":[1,2,3],\"parameters\":{\"gain\":2}}" },
	{ NULL, "{\"message\":" ASK ",\"chat_id\":7}" },
	{ NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\",\"params\":[],\"id\":1}" },
	{ NULL, "[]" },
	{ NULL, "null" },
	{ NULL, "not JSON at all, but " ASK " temperature max_tokens" },
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct form *form = recognise_body(span_str(bodies[i].body), NULL);

		if (!form != !bodies[i].form || (form && strcmp(form->name, bodies[i].form)))
			fail_msg("%s: %s", bodies[i].body, form ? form->name : "none");
	}
}

static char *unknown(const char *target, const char *type, const char *body, size_t piece,
		     struct reader_stats *ret)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				     "Content-Length: 24\r\n\r\n{\"output\":\"Waves, ahoy\"}";
	auto_free(evlog) struct evlog log = { 0 };
	auto_mem char *request = NULL;
	auto_free(wire) struct wire *w = NULL;

	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	assert_true(asprintf(&request,
			     "POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n"
			     "Content-Length: %zu\r\n\r\n%s",
			     target, type, strlen(body), body) > 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(request), piece), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(answer), piece), 0);
	wire_close(w, 1);
	*ret = *wire_reader_stats(w);
	return log.p ? strdup(log.p) : NULL;
}

/* On an unknown path the body decides, however it comes in pieces. */
static void test_unknown_path(void **state)
{
	static const char json[] = "application/json";
	struct reader_stats stats;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		auto_mem char *whole = unknown("/x", json, bodies[i].body, 0, &stats);
		char want[64];

		assert_int_equal(stats.turns, bodies[i].form != NULL);
		assert_int_equal(stats.by_shape, stats.turns);
		assert_int_equal(stats.unknown_exchanges, !stats.turns);
		if (!bodies[i].form) {
			assert_null(whole);
			continue;
		}
		snprintf(want, sizeof(want), "request %s ", bodies[i].form);
		assert_memory_equal(whole, want, strlen(want));
		for (size_t piece = 1; piece < 9; piece++) {
			auto_mem char *cut = unknown("/x", json, bodies[i].body, piece, &stats);

			assert_string_equal(cut, whole);
		}
	}
	/* No JSON is not looked at. */
	assert_null(unknown("/x", "text/plain", bodies[0].body, 0, &stats));
}

/* Paths that others have, too, need a body that fits. */
static void test_common_paths(void **state)
{
	static const struct {
		const char *target, *body, *form; /* form NULL: none */
	} rows[] = {
		{ "/api/create", "{\"model\":\"mine\",\"from\":\"theirs\"}", "ollama-models" },
		{ "/api/create", "{\"name\":\"a customer\"}", NULL },
		{ "/v1/chat", "{\"message\":\"Hello\",\"preamble\":\"Be kind.\"}",
		  "cohere-chat-v1" },
		{ "/v1/chat", "{\"message\":\"Hello\",\"to\":\"anna\",\"room\":7}", NULL },
		{ "/v2/chat", "{\"room\":7,\"messages\":[{\"from\":\"anna\"}]}", NULL },
		{ "/generate", "{\"inputs\":\"Once\"}", "generate" },
		{ "/reports/generate", "{\"template\":\"invoice\",\"format\":\"pdf\"}", NULL },
		{ "/completion", "{\"prompt\":\"Once\"}", "llama.cpp" },
		{ "/tasks/7/completion", "{\"done\":true}", NULL },
		{ "/completions", "{\"prompt\":\"Once\",\"model\":\"m\",\"max_tokens\":5}",
		  "openai-completion" },
		{ "/completions", "{\"prompt\":\"Once\"}", "llama.cpp" },
		{ "/courses/completions", "{\"course\":5}", NULL },
		{ "/invocations", "{\"inputs\":\"Once\",\"parameters\":{\"details\":true}}",
		  "tgi" },
		{ "/invocations",
		  "{\"model\":\"m\",\"temperature\":0,\"messages\":[{\"role\":\"user\"}]}",
		  "openai-chat" },
		{ "/invocations", "{\"dataframe_split\":{\"data\":[[1,2]]}}", NULL },
		{ "/v1/rerank", "{\"query\":\"q\",\"documents\":[\"d\"]}", "rerank" },
		{ "/rerank", "{\"query\":\"q\",\"texts\":[\"d\"]}", "rerank" },
		{ "/search/rerank", "{\"query\":\"q\",\"ids\":[1]}", NULL },
		{ "/score", "{\"game\":1,\"score\":100}", NULL },
		{ "/classify", "{\"image\":\"a.png\"}", NULL },
		{ "/tokenize", "{\"card\":\"4111111111111111\"}", NULL },
		{ "/tokenize", "{\"content\":\"Cut me\"}", "tokenize" },
		{ "/v1/ocr", "{\"image\":\"a.png\"}", NULL },
		{ "/v1/embed", "{\"url\":\"https://example.com/video\"}", NULL },
		{ "/embed", "{\"inputs\":\"Embed me\"}", "tei-embedding" },
		{ "/vertex", "{\"instances\":[{\"inputs\":\"Once\"}]}", "tgi" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reader_stats stats;
		auto_mem char *log =
		    unknown(rows[i].target, "application/json", rows[i].body, 0, &stats);
		char want[64];

		if (!log != !rows[i].form)
			fail_msg("%s %s: %s", rows[i].target, rows[i].body, log ? log : "none");
		if (!log)
			continue;
		snprintf(want, sizeof(want), "request %s ", rows[i].form);
		assert_memory_equal(log, want, strlen(want));
	}
}

static void test_generic(void **state)
{
	struct reader_stats stats;
	auto_mem char *log =
	    unknown("/llm/run", "application/json",
		    "{\"job\":{\"system_prompt\":\"Be kind.\",\"prompt\":" ASK
		    ",\"documents\":[\"One.\",\"Two.\"]},\"note\":\"not read\",\"temperature\":1}",
		    0, &stats);

	(void)state;
	assert_string_equal(
	    log,
	    "request generic unknown\n  provider h\n  0 system operator: Be kind.\n  1 user user: "
	    "Please write a poem about the sea and its sailors.\n  2 document retrieved: One.\n"
	    "  3 document retrieved: Two.\nend answered status=200 tokens=0/0 inspected=77 "
	    "uninspected=0\n  0 assistant model: Waves, ahoy\n");
}

/* What is held to be looked at has an end: beyond it, what is there decides. */
static void test_big(void **state)
{
	size_t n = RECOGNISE_MAX;
	auto_mem char *late = malloc(n + 200);
	struct reader_stats stats;
	auto_mem char *log = NULL;

	(void)state;
	n = (size_t)sprintf(late,
			    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"");
	memset(late + n, 'x', RECOGNISE_MAX);
	strcpy(late + n + RECOGNISE_MAX, "\"}],\"user\":\"last\"}");
	log = unknown("/x", "application/json", late, 0, &stats);
	assert_int_equal(stats.by_shape, 1);
	assert_non_null(strstr(log, "  end-user last\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),	     cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_bodies),	     cmocka_unit_test(test_unknown_path),
		cmocka_unit_test(test_generic),	     cmocka_unit_test(test_big),
		cmocka_unit_test(test_common_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
