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
#include "patterns.h"
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

/* Who saw it: the process that asked, or the one that answered. */
enum seen { CLIENT, SERVER };

struct sent {
	enum side side;
	struct span bytes;
};

/* Each on a connection of its own. */
static void exchange(enum seen seen, const struct sent *sent, size_t n)
{
	uint64_t pos[EV_DIR_MAX_] = { 0 };
	struct conn_info info = wire_conn(1);
	struct flow_limits limits = flow_defaults;
	struct reader *reader;
	struct flow *flow;
	unsigned before = n_turns;

	limits.max_conns = 1;
	assert_int_equal(reader_new(&reader, &ops, NULL), 0);
	assert_int_equal(flow_new(&flow, &limits, &reader_flow_ops, reader), 0);
	flow_open(flow, &info, pos, 1);
	for (size_t i = 0; i < n; i++) {
		enum ev_dir dir =
		    (sent[i].side == SIDE_REQUEST) == (seen == CLIENT) ? EV_WRITE : EV_READ;

		assert_int_equal(flow_data(flow, &info, dir, pos[dir], sent[i].bytes, i + 2), 0);
		pos[dir] += sent[i].bytes.len;
	}
	flow_free(&flow);
	reader_free(&reader);
	assert_true(n_turns > before);
}

/* A call with this history, one word a message: its first letter says whose it is (s, u, a). The
 * answer is a word of the model's. Returns the conversation's id.
 */
static const char *call_seen(const struct api *api, enum seen seen, const char *who,
			     const char *history, const char *answer)
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
	exchange(seen,
		 (const struct sent[]){ { SIDE_REQUEST, span_str(request) },
					{ SIDE_RESPONSE, span_str(response) } },
		 2);
	at = (at + 1) % ARRAY_SIZE(ids);
	return memcpy(ids[at], id, sizeof(id));
}

static const char *call_as(const struct api *api, const char *who, const char *history,
			   const char *answer)
{
	return call_seen(api, CLIENT, who, history, answer);
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

/* Of one host, client and server are both seen: that is one conversation, whatever carries it. */
static void both_sides(const struct api *api)
{
	const char *first = call(api, "u1", "a1");

	assert_string_equal(call_seen(api, SERVER, "key-one", "u1", "a1"), first);
	assert_string_equal(call_seen(api, SERVER, "key-one", "u1 a1 u2", "a2"), first);
	assert_string_equal(call(api, "u1 a1 u2", "a2"), first);
}

static void test_both_sides(void **state)
{
	(void)state;
	each(both_sides);
}

#define BYTES(side, s)                                                                             \
	{                                                                                          \
		side,                                                                              \
		{                                                                                  \
			(const uint8_t *)(s), sizeof(s) - 1                                        \
		}                                                                                  \
	}
#define H2_BODY "{\"messages\":[{\"role\":\"user\",\"content\":\"u1\"}]}"
static_assert(sizeof(H2_BODY) - 1 == 0x2d, "its length stands in a frame below");
#define H2_ANSWER "{\"choices\":[{\"message\":{\"content\":\"a1\"}}]}"
static_assert(sizeof(H2_ANSWER) - 1 == 0x2a, "and so does this");

static void test_http2(void **state)
{
	/* Literal fields, as the static table names them (RFC 7541 appendix A). */
	static const struct sent sent[] = {
		BYTES(SIDE_REQUEST, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
				    "\0\0\x29\1\4\0\0\0\1\x83\x87\x04\x14/v1/chat/completions"
				    "\x0f\x08\x0e"
				    "Bearer key-one"
				    "\0\0\x2d\0\1\0\0\0\1" H2_BODY),
		BYTES(SIDE_RESPONSE, "\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x88"
				     "\0\0\x2a\0\1\0\0\0\1" H2_ANSWER),
	};
	const char *first;

	(void)state;
	assert_int_equal(conversations_new(&table), 0);
	first = call(&apis[0], "u1", "a1");
	exchange(CLIENT, sent, ARRAY_SIZE(sent));
	assert_string_equal(id, first);
	exchange(SERVER, sent, ARRAY_SIZE(sent));
	assert_string_equal(id, first);
	conversations_free(&table);
}

#define SESSION "{\"type\":\"session.created\",\"session\":{\"id\":\"sess_1\"}}"
static_assert(sizeof(SESSION) - 1 == 0x34, "its length stands in a frame below");
#define SAID                                                                                       \
	"{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":"          \
	"\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"u1\"}]}}"
static_assert(sizeof(SAID) - 1 == 0x79, "and so does this");

static void test_websocket(void **state)
{
	static const struct sent sent[] = {
		BYTES(SIDE_REQUEST, "GET /v1/realtime?model=m HTTP/1.1\r\nHost: h\r\n"
				    "Authorization: Bearer key-one\r\nConnection: Upgrade\r\n"
				    "Upgrade: websocket\r\n\r\n"),
		BYTES(SIDE_RESPONSE, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "
				     "websocket\r\n\r\n\x81\x34" SESSION),
		BYTES(SIDE_REQUEST, "\x81\xfe\0\x79\0\0\0\0" SAID),
	};
	char first[CONVERSATION_ID_SIZE];

	(void)state;
	assert_int_equal(conversations_new(&table), 0);
	exchange(CLIENT, sent, ARRAY_SIZE(sent));
	memcpy(first, id, sizeof(first));
	assert_string_not_equal(first, "");
	exchange(SERVER, sent, ARRAY_SIZE(sent));
	assert_string_equal(id, first);
	conversations_free(&table);
}

static int setup(void **state)
{
	struct detect_opts o;

	(void)state;
	detect_default_opts(&o);
	memcpy(o.key, key, sizeof(o.key));
	detect = test_detect(&o);
	return mac_new(&mac, key);
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
		cmocka_unit_test(test_resent),	   cmocka_unit_test(test_branched),
		cmocka_unit_test(test_truncated),  cmocka_unit_test(test_summarised),
		cmocka_unit_test(test_ambiguous),  cmocka_unit_test(test_provider),
		cmocka_unit_test(test_both_sides), cmocka_unit_test(test_http2),
		cmocka_unit_test(test_websocket),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
