/* tests/unit/test_footprint.c - what open connections hold: flow and reader together, as in an
 * inspector. A bound for each kind of connection, and for a hundred thousand of them at once.
 */
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "dialect/dialect.h"
#include "wire.h"

#define CONNS 100000
/* Of connections and their readers, with so many; an inspector's patterns and segment cache come on
 * top. */
#define RSS_MAX (256u << 20)

struct world {
	struct flow *flow;
	struct reader *reader;
	uint64_t now_ns;
	unsigned n_ended;
};

static void on_turn(void *ctx, struct turn *t)
{
	(void)ctx;
	(void)t;
}

static void on_end(void *ctx, struct turn *t)
{
	struct world *w = ctx;

	(void)t;
	w->n_ended++;
}

static const struct reader_ops ops = { on_turn, on_turn, on_end };

static void world_begin(struct world *w, const struct flow_limits *limits)
{
	*w = (struct world){ .now_ns = 1 };
	assert_int_equal(reader_new(&w->reader, &ops, w), 0);
	assert_int_equal(flow_new(&w->flow, limits, &reader_flow_ops, w->reader), 0);
}

static void world_end(struct world *w)
{
	flow_free(&w->flow);
	reader_free(&w->reader);
}

/* --- kinds of connections */

struct message {
	enum ev_dir dir;
	struct span bytes;
};

#define MESSAGE(dir, s)                                                                            \
	{                                                                                          \
		dir,                                                                               \
		{                                                                                  \
			(const uint8_t *)(s), sizeof(s) - 1                                        \
		}                                                                                  \
	}

#define FIELDS                                                                                     \
	"Host: api.openai.com\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"   \
	"User-Agent: OpenAI/Python 1.99.0\r\nX-Stainless-Lang: python\r\n"                         \
	"X-Stainless-Package-Version: 1.99.0\r\nX-Stainless-OS: Linux\r\n"                         \
	"X-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"                                \
	"X-Stainless-Runtime-Version: 3.12.4\r\nX-Stainless-Retry-Count: 0\r\n"                    \
	"Authorization: Bearer of-nothing-at-all-that-is-as-long-as-keys-are\r\n"

#define ASK                                                                                        \
	"{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":"    \
	"\"You help with trains.\"},{\"role\":\"user\",\"content\":\"When does the last train to " \
	"the coast leave?\"}]}"
static_assert(sizeof(ASK) - 1 == 170, "its length stands in heads below");

#define POST_CHAT                                                                                  \
	"POST /v1/chat/completions HTTP/1.1\r\n" FIELDS                                            \
	"Content-Type: application/json\r\nContent-Length: 170\r\n\r\n" ASK
#define CHUNK                                                                                      \
	"data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"At ten "  \
	"past eleven, \"}}]}\n\n"

static const struct message idle_http1[] = {
	MESSAGE(EV_WRITE, POST_CHAT),
	MESSAGE(EV_READ, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
			 "2\r\n\r\n{}"),
};

/* Fields that are literals and go into the dynamic table, as clients send them. */
static const struct message idle_http2[] = {
	MESSAGE(EV_WRITE, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
			  "\0\0\x4c\1\4\0\0\0\1\x83\x87\x44\x14/v1/chat/completions\x41\x0e"
			  "api.openai.com\x7a\x17OpenAI/Python of a vers\x40\3x-a\5of it"
			  "\0\0\xaa\0\1\0\0\0\1" ASK),
	MESSAGE(EV_READ, "\0\0\0\4\0\0\0\0\0"
			 "\0\0\x13\1\4\0\0\0\1\x88\x5f\x10"
			 "application/json"
			 "\0\0\2\0\1\0\0\0\1{}"),
};

static const struct message streaming[] = {
	MESSAGE(EV_WRITE, POST_CHAT),
	MESSAGE(
	    EV_READ,
	    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" CHUNK CHUNK CHUNK CHUNK),
};

static const struct message websocket[] = {
	MESSAGE(EV_WRITE, "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\n" FIELDS
			  "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
	MESSAGE(EV_READ, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
	MESSAGE(EV_WRITE, "\x81\xd8\0\0\0\0"
			  "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\","
			  "\"role\":\"user\",\"content\":[]}}"),
	MESSAGE(EV_READ, "\x81\x32"
			 "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}"),
};

struct kind {
	const char *name;
	const struct message *messages;
	size_t n;
	unsigned share;	  /* of a hundred connections */
	size_t max;	  /* bytes each may hold */
	unsigned n_ended; /* turns that are over */
};

#define KIND(name, messages, share, max, ended)                                                    \
	{                                                                                          \
		name, messages, ARRAY_SIZE(messages), share, max, ended                            \
	}

static const struct kind kinds[] = {
	KIND("idle HTTP/1", idle_http1, 60, 1 << 10, 1),
	KIND("idle HTTP/2", idle_http2, 30, 3 << 10, 1),
	KIND("in mid-stream", streaming, 5, 14 << 10, 0),
	KIND("WebSocket", websocket, 5, 14 << 10, 0),
};

static void connect_(struct world *w, const struct kind *k, uint64_t conn)
{
	struct conn_info info = wire_conn(conn);
	uint64_t pos[EV_DIR_MAX_] = { 0 };

	assert_int_equal(flow_open(w->flow, &info, pos, w->now_ns++), 0);
	for (size_t i = 0; i < k->n; i++) {
		const struct message *m = &k->messages[i];

		assert_int_equal(
		    flow_data(w->flow, &info, m->dir, pos[m->dir], m->bytes, w->now_ns++), 0);
		pos[m->dir] += m->bytes.len;
	}
}

static size_t held(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void test_each(void **state)
{
	enum { N = 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct world w;
		size_t before, each;

		world_begin(&w, &flow_defaults);
		connect_(&w, &kinds[i], N); /* tables that are made once */
		before = held();
		for (uint64_t n = 0; n < N; n++)
			connect_(&w, &kinds[i], n);
		each = (held() - before) / N;
		print_message("# %s: %zu bytes\n", kinds[i].name, each);
		assert_int_equal(w.n_ended, (N + 1) * kinds[i].n_ended);
		assert_int_equal(flow_stats(w.flow)->exchanges, N + 1);
		assert_int_equal(flow_stats(w.flow)->broken, 0);
		assert_in_range(each, 0, kinds[i].max);
		world_end(&w);
	}
}

static size_t rss(void)
{
	auto_file FILE *f = fopen("/proc/self/statm", "re");
	size_t total, resident;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu %zu", &total, &resident), 2);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void test_all(void **state)
{
	struct world w;
	size_t before, after;
	uint64_t n = 0;

	(void)state;
	malloc_trim(0);
	before = rss();
	world_begin(&w, &flow_defaults);
	/* Mixed, as they come. */
	for (unsigned round = 0; round < CONNS / 100; round++)
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			for (unsigned k = 0; k < kinds[i].share; k++)
				connect_(&w, &kinds[i], n++);
	after = rss();
	print_message("# %d connections: %zu MiB\n", CONNS, (after - before) >> 20);
	assert_int_equal(n, CONNS);
	assert_int_equal(flow_stats(w.flow)->open_conns, CONNS);
	assert_int_equal(flow_stats(w.flow)->evicted, 0);
#ifndef __SANITIZE_ADDRESS__ /* which has memory of its own for each block */
	assert_in_range(after - before, 0, RSS_MAX);
#endif
	world_end(&w);
}

/* --- too many: the longest idle ones go */

/* Ten thousand that send a byte a minute, and one that works, in a table for a thousand. */
static void test_slow(void **state)
{
	enum { SLOW = 10000, ROOM = 1000 };
	const uint64_t minute = UINT64_C(60) * 1000000000;
	struct flow_limits limits = flow_defaults;
	static const char request[] = "POST /v1/chat/completions HTTP/1.1\r\n" FIELDS;
	const struct message *work = streaming;
	struct conn_info busy = wire_conn(SLOW);
	uint64_t pos[EV_DIR_MAX_] = { 0 };
	struct world w;

	(void)state;
	limits.max_conns = ROOM;
	world_begin(&w, &limits);
	assert_int_equal(flow_open(w.flow, &busy, pos, w.now_ns), 0);
	assert_int_equal(flow_data(w.flow, &busy, EV_WRITE, 0, work[0].bytes, w.now_ns), 0);
	assert_int_equal(flow_data(w.flow, &busy, EV_READ, 0, work[1].bytes, w.now_ns), 0);
	pos[EV_READ] = work[1].bytes.len;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned n = 0; n < SLOW; n++) {
			struct conn_info info = wire_conn(n);

			w.now_ns += minute / SLOW;
			flow_data(w.flow, &info, EV_WRITE, round, span_of(request + round, 1),
				  w.now_ns);
			if (n % 100)
				continue;
			assert_int_equal(flow_data(w.flow, &busy, EV_READ, pos[EV_READ],
						   SPAN_LIT(CHUNK), w.now_ns),
					 0);
			pos[EV_READ] += sizeof(CHUNK) - 1;
			flow_tick(w.flow, w.now_ns);
		}
	assert_int_equal(flow_stats(w.flow)->open_conns, ROOM);
	assert_int_equal(flow_stats(w.flow)->evicted, 3 * SLOW + 1 - ROOM);
	/* The one that works never lost its place: its exchange ends whole. */
	assert_int_equal(w.n_ended, 0);
	flow_close(w.flow, SLOW, pos, w.now_ns);
	assert_int_equal(w.n_ended, 1);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
