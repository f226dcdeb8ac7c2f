/* tests/unit/test_histories.c - which turns are one conversation, from the bytes on the wire to the
 * id: the histories that clients resend, branch, cut and sum up, in the words of several APIs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alert/pack.h"
#include "base/own.h"
#include "behave/conversation.h"
#include "detect/detect.h"
#include "dialect/dialect.h"
#include "wire.h"

#define BODY_MAX 4096

/* How an API writes a history and an answer. */
struct api {
	const char *name, *path, *key; /* key: the field line that holds one, up to the key */
	const char *system, *user, *assistant; /* a message, %s its text */
	const char *request;		       /* %s: messages joined by commas */
	const char *answer;		       /* %s: the text */
};

static const struct api apis[] = {
	{ "openai-chat", "/v1/chat/completions", "Authorization: Bearer ",
	  "{\"role\":\"system\",\"content\":\"%s\"}", "{\"role\":\"user\",\"content\":\"%s\"}",
	  "{\"role\":\"assistant\",\"content\":\"%s\"}", "{\"model\":\"m\",\"messages\":[%s]}",
	  "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"}}]}" },
	{ "anthropic", "/v1/messages", "x-api-key: ",
	  /* A system prompt has no place among the messages: a user says it. */
	  "{\"role\":\"user\",\"content\":\"%s\"}", "{\"role\":\"user\",\"content\":\"%s\"}",
	  "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}",
	  "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[%s]}",
	  "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
	  "\"%s\"}]}" },
	{ "gemini", "/v1beta/models/m:generateContent",
	  "x-goog-api-key: ", "{\"role\":\"user\",\"parts\":[{\"text\":\"%s\"}]}",
	  "{\"role\":\"user\",\"parts\":[{\"text\":\"%s\"}]}",
	  "{\"role\":\"model\",\"parts\":[{\"text\":\"%s\"}]}", "{\"contents\":[%s]}",
	  "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"%s\"}]}}]}" },
	{ "ollama", "/api/chat", "Authorization: Bearer ",
	  "{\"role\":\"system\",\"content\":\"%s\"}", "{\"role\":\"user\",\"content\":\"%s\"}",
	  "{\"role\":\"assistant\",\"content\":\"%s\"}",
	  "{\"model\":\"m\",\"stream\":false,\"messages\":[%s]}",
	  "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"done\":"
	  "true}" },
};

static struct detect *detect;
static struct mac *mac;
static struct conversations *table;
static const uint8_t key[MAC_KEY_LEN] = "a key that nobody knows";
static char id[CONVERSATION_ID_SIZE]; /* of the last turn */
static unsigned n_turns;

/* --- as inspector and keeper do it */

static void on_turn(void *ctx, struct turn *t)
{
	(void)ctx;
	(void)t;
}

static struct pack_prefixes prefixes_of(const struct turn *t, bool with_response)
{
	struct pack_prefixes p;

	p.n = detect_prefixes(detect, t, with_response, p.h, ARRAY_SIZE(p.h));
	p.anchored = detect_anchor(detect, t, with_response, &p.anchor);
	return p;
}

static void on_end(void *ctx, struct turn *t)
{
	static const uint8_t boot[16];
	static uint8_t msg[PACK_MAX];
	const struct pack_source source = { .turn = t, .mac = mac, .boot = boot, .epoch = 1 };
	struct pack_prefixes before = prefixes_of(t, false), after = prefixes_of(t, true);
	ssize_t len = pack_observation(&source, ++n_turns, &before, &after, msg, sizeof(msg));
	Earshot__ToKeeper *m;

	(void)ctx;
	assert_true(len > 0);
	m = earshot__to_keeper__unpack(NULL, (size_t)len, msg);
	assert_non_null(m);
	assert_int_equal(pack_check(m), 0);
	conversation_end(table, m->observation, id);
	earshot__to_keeper__free_unpacked(m, NULL);
}

static const struct reader_ops ops = { on_turn, on_turn, on_end };

static void exchange(const char *request, const char *response)
{
	const uint64_t pos[EV_DIR_MAX_] = { 0 };
	struct conn_info info = wire_conn(1);
	struct flow_limits limits = flow_defaults;
	struct reader *reader;
	struct flow *flow;
	unsigned before = n_turns;

	limits.max_conns = 1;
	assert_int_equal(reader_new(&reader, &ops, NULL), 0);
	assert_int_equal(flow_new(&flow, &limits, &reader_flow_ops, reader), 0);
	flow_open(flow, &info, pos, 1);
	assert_int_equal(flow_data(flow, &info, EV_WRITE, 0, span_str(request), 2), 0);
	assert_int_equal(flow_data(flow, &info, EV_READ, 0, span_str(response), 3), 0);
	flow_free(&flow);
	reader_free(&reader);
	assert_int_equal(n_turns, before + 1);
}

/* A call with this history, one word a message: its first letter says whose it is (s, u, a). The
 * answer is a word of the model's. Returns the conversation's id.
 */
static const char *call_as(const struct api *api, const char *who, const char *history,
			   const char *answer)
{
	static char ids[16][CONVERSATION_ID_SIZE];
	static size_t at;
	char messages[BODY_MAX] = "", body[BODY_MAX], request[2 * BODY_MAX], response[2 * BODY_MAX];
	auto_mem char *words = strdup(history);
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		const char *form = *w == 's' ? api->system : *w == 'u' ? api->user : api->assistant;

		n += (size_t)snprintf(messages + n, sizeof(messages) - n, "%s", n ? "," : "");
		n += (size_t)snprintf(messages + n, sizeof(messages) - n, form, w);
	}
	snprintf(body, sizeof(body), api->request, messages);
	snprintf(request, sizeof(request),
		 "POST %s HTTP/1.1\r\nHost: h\r\n%s%s\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 api->path, api->key, who, strlen(body), body);
	snprintf(body, sizeof(body), api->answer, answer);
	snprintf(response, sizeof(response),
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		 "%zu\r\n\r\n%s",
		 strlen(body), body);
	exchange(request, response);
	at = (at + 1) % ARRAY_SIZE(ids);
	return memcpy(ids[at], id, sizeof(id));
}

static const char *call(const struct api *api, const char *history, const char *answer)
{
	return call_as(api, "key-one", history, answer);
}

/* Each API begins with an empty table. */
static void each(void (*fn)(const struct api *api))
{
	for (size_t i = 0; i < ARRAY_SIZE(apis); i++) {
		assert_int_equal(conversations_new(&table), 0);
		fn(&apis[i]);
		conversations_free(&table);
	}
}

/* --- histories */

static void resent(const struct api *api)
{
	const char *first = call(api, "u1", "a1");

	assert_string_not_equal(first, "");
	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
	/* Seen at the server as well, or tried again. */
	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
	assert_string_equal(call(api, "u1 a1 u2 a2 u3", "a3"), first);
	/* Two questions at once, and an answer between that nobody saw. */
	assert_string_equal(call(api, "u1 a1 u2 a2 u3 a3 u4 u5", "a5"), first);
	/* Another caller, and another beginning. */
	assert_string_not_equal(call_as(api, "key-two", "u1 a1 u2", "a2"), first);
	assert_string_not_equal(call(api, "u9", "a9"), first);
}

static void branched(const struct api *api)
{
	const char *first = call(api, "u1", "a1"), *other;

	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
	/* The user goes back and asks something else: the first thread goes on as it was. */
	other = call(api, "u1 a1 u3", "a3");
	assert_string_not_equal(other, first);
	assert_string_equal(call(api, "u1 a1 u2 a2 u4", "a4"), first);
	assert_string_equal(call(api, "u1 a1 u3 a3 u5", "a5"), other);
	/* Answered again, in another way: whoever goes on from there is in another one. */
	call(api, "u1 a1 u2 a2 u4", "a6");
	assert_string_not_equal(call(api, "u1 a1 u2 a2 u4 a6 u7", "a7"), first);
	assert_string_equal(call(api, "u1 a1 u2 a2 u4 a4 u8", "a8"), first);
}

static void truncated(const struct api *api)
{
	const char *first = call(api, "u1", "a1");

	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
	/* The last three messages only, each time. */
	assert_string_equal(call(api, "u2 a2 u3", "a3"), first);
	assert_string_equal(call(api, "u3 a3 u4", "a4"), first);
	assert_string_equal(call(api, "u4 a4 u5", "a5"), first);
	/* It begins with an answer. */
	assert_string_equal(call(api, "a4 u5 a5 u6", "a6"), first);
	assert_string_not_equal(call_as(api, "key-two", "u6 a6 u7", "a7"), first);
}

static void summarised(const struct api *api)
{
	const char *first = call(api, "u1", "a1");

	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
	/* What was said stands in a message at the beginning, with the last question as it was. */
	assert_string_equal(call(api, "summary-of-one u2 a2 u3", "a3"), first);
	assert_string_equal(call(api, "summary-of-one u2 a2 u3 a3 u4", "a4"), first);
	assert_string_equal(call(api, "summary-of-three u4 a4 u5", "a5"), first);
	/* All of it is gone: nothing tells, and it is another one. */
	assert_string_not_equal(call(api, "summary-of-all u6", "a6"), first);
}

static void ambiguous(const struct api *api)
{
	const char *a = call(api, "u1", "a1"), *b = call(api, "u2", "a2");

	assert_string_not_equal(a, b);
	assert_string_equal(call(api, "u1 a1 u3", "a3"), a);
	assert_string_equal(call(api, "u2 a2 u3", "a3"), b);
	assert_string_equal(call(api, "u3 a3 u4", "a4"), "");
	assert_string_equal(call(api, "u2 a2 u3 a3 u4", "a4"), b);
}

static void test_resent(void **state)
{
	(void)state;
	each(resent);
}

static void test_branched(void **state)
{
	(void)state;
	each(branched);
}

static void test_truncated(void **state)
{
	(void)state;
	each(truncated);
}

static void test_summarised(void **state)
{
	(void)state;
	each(summarised);
}

static void test_ambiguous(void **state)
{
	(void)state;
	each(ambiguous);
}

/* What the provider calls a conversation is one, whatever its texts are. */
static void test_provider(void **state)
{
	static const struct api responses = {
		"openai-responses",
		"/v1/responses",
		"Authorization: Bearer ",
		"%s",
		"%s",
		"%s",
		"{\"model\":\"m\",%s}",
		"{\"id\":\"%s\",\"object\":\"response\",\"output\":[{\"type\":\"message\",\"role\":"
		"\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Yes.\"}]}]}",
	};
	const char *first, *thread;

	(void)state;
	assert_int_equal(conversations_new(&table), 0);
	first = call(&responses, "\"input\":\"one\"", "resp_1");
	assert_string_equal(
	    call(&responses, "\"previous_response_id\":\"resp_1\",\"input\":\"two\"", "resp_2"),
	    first);
	assert_string_equal(
	    call(&responses, "\"previous_response_id\":\"resp_2\",\"input\":\"one\"", "resp_3"),
	    first);
	assert_string_not_equal(call_as(&responses, "key-two",
					"\"previous_response_id\":\"resp_2\",\"input\":\"one\"",
					"resp_4"),
				first);
	thread = call(&responses, "\"conversation\":\"conv_7\",\"input\":\"one\"", "resp_5");
	assert_string_not_equal(thread, first);
	assert_string_equal(
	    call(&responses, "\"conversation\":{\"id\":\"conv_7\"},\"input\":\"x\"", "resp_6"),
	    thread);
	conversations_free(&table);
}

static int setup(void **state)
{
	struct detect_opts o;
	auto_mem uint8_t *db = NULL;
	char why[256];
	size_t len;

	(void)state;
	detect_default_opts(&o);
	memcpy(o.key, key, sizeof(o.key));
	if (detect_compile(&db, &len, why, sizeof(why)))
		return -1;
	return detect_new(&detect, &o, span_of(db, len)) || mac_new(&mac, key);
}

static int teardown(void **state)
{
	(void)state;
	detect_free(&detect);
	mac_free(&mac);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resent),	  cmocka_unit_test(test_branched),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_summarised),
		cmocka_unit_test(test_ambiguous), cmocka_unit_test(test_provider),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
