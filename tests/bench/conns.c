/* tests/bench/conns.c - what an open connection costs flow and reader, for each state in which it
 * may rest. Prints a line for each: bytes allocated a connection; then what 100,000 of them take,
 * mixed. Usage: conns [CONNECTIONS]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "dialect/dialect.h"
#include "flow/flow.h"

#define CONNS 2000
#define MANY  100000

#define CHAT                                                                                       \
	"{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"How do "  \
	"I "                                                                                       \
	"peel a pear without a knife, and is the skin good for anything at all?\"}]}"
#define ANSWER                                                                                     \
	"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{"     \
	"\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"With a peeler.\"},"         \
	"\"finish_reason\":\"stop\"}]}"
#define DELTA                                                                                      \
	"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","       \
	"\"choices\":[{\"index\":0,\"delta\":{\"content\":\"With a peeler. \"}}]}\n\n"
#define UPDATE "{\"type\":\"session.update\",\"session\":{\"instructions\":\"Be kind.\"}}"
#define SAID   "{\"type\":\"response.output_text.done\",\"response_id\":\"r\",\"text\":\"Hello.\"}"

#define POST                                                                                       \
	"POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.com\r\n"                          \
	"Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nUser-Agent: bench/1.0\r\n"      \
	"Content-Type: application/json\r\nContent-Length: "
#define UPGRADE                                                                                    \
	"GET /v1/realtime?model=m HTTP/1.1\r\nHost: api.example.com\r\nUpgrade: websocket\r\n"     \
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                                     \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define SWITCH                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"        \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
#define STREAMED                                                                                   \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Header blocks without Huffman coding, literals that are indexed; lengths below 128. */
#define INDEXED(name, value, n, v) "\x40" n name v value

struct conn {
	struct flow *flow;
	struct conn_info info;
	uint64_t pos[EV_DIR_MAX_];
};

static void pass(struct conn *c, enum ev_dir dir, struct span s)
{
	if (flow_data(c->flow, &c->info, dir, c->pos[dir], s, 1)) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	c->pos[dir] += s.len;
}

static void pass_str(struct conn *c, enum ev_dir dir, const char *s)
{
	pass(c, dir, span_str(s));
}

static void pass_sized(struct conn *c, enum ev_dir dir, const char *head, const char *body)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s%zu\r\n\r\n%s", head, strlen(body), body);
	pass_str(c, dir, text);
}

static void rest_new(struct conn *c)
{
	(void)c;
}

static void rest_idle(struct conn *c)
{
	pass_sized(c, EV_WRITE, POST, CHAT);
	pass_sized(c, EV_READ, OK, ANSWER);
}

static void rest_stream(struct conn *c)
{
	char text[2048];

	pass_sized(c, EV_WRITE, POST, CHAT);
	pass_str(c, EV_READ, STREAMED);
	snprintf(text, sizeof(text), "%zx\r\n%s\r\n", strlen(DELTA), DELTA);
	for (int i = 0; i < 3; i++)
		pass_str(c, EV_READ, text);
}

static void frame(struct conn *c, enum ev_dir dir, const char *text)
{
	uint8_t head[8] = { 0x81 };
	size_t n = 2, len = strlen(text);

	head[1] = (dir == EV_WRITE ? 0x80 : 0) | (len < 126 ? (uint8_t)len : 126);
	if (len >= 126) {
		head[n++] = (uint8_t)(len >> 8);
		head[n++] = (uint8_t)len;
	}
	pass(c, dir, span_of(head, n));
	if (dir == EV_WRITE)
		pass(c, dir, span_of("\0\0\0\0", 4));
	pass_str(c, dir, text);
}

static void rest_websocket(struct conn *c)
{
	pass_str(c, EV_WRITE, UPGRADE);
	pass_str(c, EV_READ, SWITCH);
	frame(c, EV_WRITE, UPDATE);
	frame(c, EV_READ, SAID);
}

static void h2_frame(struct conn *c, enum ev_dir dir, uint8_t type, uint8_t flags, uint8_t stream,
		     struct span s)
{
	uint8_t head[9] = {
		0, (uint8_t)(s.len >> 8), (uint8_t)s.len, type, flags, 0, 0, 0, stream
	};

	pass(c, dir, span_of(head, sizeof(head)));
	pass(c, dir, s);
}

static void rest_h2(struct conn *c)
{
	static const struct span ask = SPAN_LIT(
	    "\x83\x87" INDEXED(":path", "/v1/chat/completions", "\x05",
			       "\x14") INDEXED(":authority", "api.example.com", "\x0a", "\x0f")
		INDEXED("authorization", "Bearer 0123456789abcdef0123456789abcdef", "\x0d", "\x27")
		    INDEXED("content-type", "application/json", "\x0c", "\x10"));
	static const struct span answer =
	    SPAN_LIT("\x88" INDEXED("content-type", "application/json", "\x0c", "\x10"));

	pass_str(c, EV_WRITE, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	h2_frame(c, EV_WRITE, 4, 0, 0, (struct span){ 0 });
	h2_frame(c, EV_READ, 4, 0, 0, (struct span){ 0 });
	h2_frame(c, EV_WRITE, 1, 4, 1, ask);
	h2_frame(c, EV_WRITE, 0, 1, 1, span_str(CHAT));
	h2_frame(c, EV_READ, 1, 4, 1, answer);
	h2_frame(c, EV_READ, 0, 1, 1, span_str(ANSWER));
}

static const struct {
	const char *what;
	void (*bring)(struct conn *c);
	uint64_t turns; /* a connection */
	unsigned share; /* percent of the mix */
} rests[] = {
	{ "accepted, nothing said", rest_new, 0, 0 },
	{ "HTTP/1.1, idle after a chat", rest_idle, 1, 60 },
	{ "HTTP/2, idle after a chat", rest_h2, 1, 30 },
	{ "HTTP/1.1, inside a streamed answer", rest_stream, 1, 5 },
	{ "WebSocket, idle after a turn", rest_websocket, 1, 5 },
};

static void on_turn(void *ctx, struct turn *t)
{
	(void)ctx;
	(void)t;
}

/* Bytes a connection; 0: it did not work. */
static size_t measure(size_t row, uint64_t n)
{
	static const struct reader_ops ops = { .request = on_turn,
					       .progress = on_turn,
					       .end = on_turn };
	auto_free(reader) struct reader *reader = NULL;
	auto_free(flow) struct flow *flow = NULL;
	static const uint64_t begin[EV_DIR_MAX_] = { 0 };
	size_t before;

	if (reader_new(&reader, &ops, NULL) ||
	    flow_new(&flow, &flow_defaults, &reader_flow_ops, reader))
		return 0;
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (uint64_t i = 1; i <= n; i++) {
		struct conn c = { .flow = flow, .info = { .id = i, .tgid = 1 } };

		if (flow_open(flow, &c.info, begin, 1))
			return 0;
		rests[row].bring(&c);
	}
	if (flow_stats(flow)->open_conns != n ||
	    reader_stats(reader)->turns != n * rests[row].turns) {
		fprintf(stderr, "%s: %llu turns\n", rests[row].what,
			(unsigned long long)reader_stats(reader)->turns);
		return 0;
	}
	return (mallinfo2().uordblks + mallinfo2().hblkhd - before) / n;
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : CONNS, mixed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		size_t each = measure(i, n);

		if (!each)
			return 1;
		printf("%-36s %3u %% %8zu bytes\n", rests[i].what, rests[i].share, each);
		mixed += MANY / 100 * rests[i].share * each;
	}
	printf("%d of them %44llu MiB\n", MANY, (unsigned long long)mixed >> 20);
	return 0;
}
