/* tests/unit/test_h2.c - HTTP/2 streams become exchanges. The frames are written here, byte by
 * byte, or by two nghttp2 sessions that talk to each other.
 */
#include <errno.h>
#include <malloc.h>
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"
#include "nomem.h"
#include "parse/http2.h"
#include "wire.h"

/* --- frames by hand */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
/* L, S: one character each, for lengths and streams below 128. */
#define FRAME(L, type, flags, S) "\0\0" L type flags "\0\0\0" S
#define SETTINGS		 FRAME("\0", "\4", "\0", "\0")
/* GET https / at host h; POST /p; a status of 200. */
#define GET_BLOCK    "\x82\x87\x84\x41\1h"
#define GET(S)	     FRAME("\6", "\1", "\5", S) GET_BLOCK
#define POST(S)	     FRAME("\x9", "\1", "\4", S) "\x83\x87\x44\2/p\x41\1h"
#define OK(S)	     FRAME("\1", "\1", "\4", S) "\x88"
#define OK_END(S)    FRAME("\1", "\1", "\5", S) "\x88"
#define DATA4(S)     FRAME("\4", "\0", "\0", S)
#define DATA4_END(S) FRAME("\4", "\0", "\1", S)

enum what { END, OUT, IN, LOSE_OUT, LOSE_IN, CLOSE };

struct step {
	enum what what;
	const char *bytes;
	size_t n; /* of bytes, or how many are lost */
};

#define SEND(what, s)                                                                              \
	{                                                                                          \
		what, s, sizeof(s) - 1                                                             \
	}
#define STEPS(...) ((const struct step[]){ __VA_ARGS__, { END } })

static int play(const struct step *steps, size_t piece, struct evlog *log, struct flow_stats *stats)
{
	auto_free(wire) struct wire *w = NULL;
	int err = wire_new(&w, WIRE_EXCHANGES, log, NULL);

	if (err)
		return err;
	wire_open(w, 1);
	for (; steps->what; steps++) {
		enum ev_dir dir =
		    steps->what == OUT || steps->what == LOSE_OUT ? EV_WRITE : EV_READ;
		int one = 0;

		if (steps->what == CLOSE)
			wire_close(w, 1);
		else if (!steps->bytes)
			wire_lose(w, 1, dir, steps->n);
		else
			one = wire_send(w, 1, dir, span_of(steps->bytes, steps->n), piece);
		err = err ? err : one;
	}
	if (stats)
		*stats = *flow_stats(wire_flow(w));
	return err;
}

static int play_cut(void *ctx)
{
	auto_free(evlog) struct evlog log = { 0 };

	return play(ctx, 11, &log, NULL);
}

static const char *text_of(const struct evlog *log)
{
	return log->p ? log->p : "";
}

/* The same log for the steps as they are and in pieces; and no harm when memory is short. */
static struct flow_stats expect(const struct step *steps, const char *want)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 64 };
	struct flow_stats stats = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		auto_free(evlog) struct evlog log = { 0 };

		assert_int_equal(play(steps, pieces[i], &log, &stats), 0);
		if (strcmp(text_of(&log), want))
			fail_msg("in pieces of %zu:\n%s\nwanted:\n%s", pieces[i], text_of(&log),
				 want);
	}
	nomem_each(play_cut, (void *)(uintptr_t)steps);
	return stats;
}

#define GET_LOG(n)  n " request client GET / host=h\n  host: h\n" n " request end\n"
#define POST_LOG(n) n " request client POST /p host=h\n  host: h\n"
#define END_LOG(n, status, sizes)                                                                  \
	n " end status=" status " request=complete,0+0 response=complete," sizes "\n"

static void test_pair(void **state)
{
	(void)state;
	expect(STEPS(SEND(OUT, PREFACE SETTINGS POST("\1")), SEND(IN, SETTINGS),
		     SEND(OUT, DATA4("\1") "hell" DATA4_END("\1") "o..."),
		     SEND(IN, OK("\1") DATA4_END("\1") "fine")),
	       POST_LOG("1") "1 request body hello...\n1 request end\n1 response 200\n1 response "
			     "body fine\n"
			     "1 end status=200 request=complete,8+0 response=complete,4+0\n");
	/* The captured process is the server, and speaks first. */
	expect(STEPS(SEND(OUT, SETTINGS), SEND(IN, PREFACE SETTINGS GET("\1")),
		     SEND(OUT, OK_END("\1"))),
	       "1 request server GET / host=h\n  host: h\n1 request end\n1 response "
	       "200\n" END_LOG("1", "200", "0+0"));
}

/* Streams in any order, priorities, unknown frames, padding, CONTINUATION, trailers, 1xx. */
static void test_frames(void **state)
{
	(void)state;
	expect(STEPS(SEND(OUT, PREFACE SETTINGS GET("\1") GET("\3")),
		     SEND(IN, SETTINGS OK("\3") DATA4("\3") "33.." OK("\1") DATA4("\1") "11.."),
		     SEND(IN, DATA4_END("\3") "3333" DATA4_END("\1") "1111")),
	       GET_LOG("1")
		   GET_LOG("2") "2 response 200\n2 response body 33..\n1 response 200\n1 "
				"response body 11..\n2 response body 3333\n" END_LOG(
				    "2", "200", "8+0") "1 response body "
						       "1111\n" END_LOG("1", "200", "8+0"));
	/* Padded and with a priority; a PRIORITY, a PING and a frame of no type we know between. */
	expect(STEPS(SEND(OUT, PREFACE SETTINGS FRAME("\5", "\2", "\0", "\3") "\0\0\0\0\7" FRAME(
				   "\xf", "\1", "\x2d", "\1") "\3\0\0\0\0\7" GET_BLOCK "\0\0\0"),
		     SEND(IN, SETTINGS FRAME("\x8", "\6", "\0", "\0") "pingping" OK("\1")
				  FRAME("\2", "\x7f", "\xff", "\1") "??" FRAME("\6", "\0", "\x9",
									       "\1") "\3ok\0\0\0")),
	       GET_LOG("1") "1 response 200\n1 response body ok\n" END_LOG("1", "200", "2+0"));
	/* A header section in three frames, one of them empty, cut inside a field. */
	expect(
	    STEPS(SEND(OUT, PREFACE SETTINGS FRAME("\3", "\1", "\1", "\1") "\x82\x87\x84" FRAME(
				"\0", "\x9", "\0", "\1") FRAME("\3", "\x9", "\4", "\1") "\x41\1h"),
		  SEND(IN, OK_END("\1"))),
	    GET_LOG("1") "1 response 200\n" END_LOG("1", "200", "0+0"));
	/* 103 before, trailers behind; of these only what says how a call ended. */
	expect(STEPS(SEND(OUT, PREFACE GET("\1")),
		     SEND(IN, FRAME("\5", "\1", "\4", "\1") "\x08\3"
							    "103" OK("\1") DATA4("\1") "body" FRAME(
								"\x15", "\1", "\5", "\1") "\0\1a\1b"
											  "\0\xb"
											  "grpc-"
											  "status\2"
											  "13")),
	       GET_LOG("1") "1 response 200\n1 response body body\n" END_LOG("1", "200", "4+0"));
}

static void test_ends(void **state)
{
	(void)state;
	/* Reset by either side; the other stream goes on. */
	expect(STEPS(SEND(OUT, PREFACE GET("\1") GET("\3")), SEND(IN, OK("\1") DATA4("\1") "half"),
		     SEND(OUT, FRAME("\4", "\3", "\0", "\1") "\0\0\0\x8"),
		     SEND(IN, DATA4("\1") "late" OK_END("\3"))),
	       GET_LOG("1") GET_LOG("2") "1 response 200\n1 response body half\n"
					 "1 end status=200 request=complete,0+0 response=cut,4+0\n"
					 "2 response 200\n" END_LOG("2", "200", "0+0"));
	/* By a server that has answered and does not wait for the request's empty last frame. */
	expect(
	    STEPS(SEND(OUT, PREFACE FRAME("\xd", "\1", "\4", "\1") "\x83\x87\x44\2/p\x41\1h"
								   "\x0f\xd\1"
								   "4" DATA4("\1") "body"),
		  SEND(IN, OK_END("\1") FRAME("\4", "\3", "\0", "\1") "\0\0\0\0"),
		  SEND(OUT, FRAME("\0", "\0", "\1", "\1") GET("\3")), SEND(IN, OK_END("\3"))),
	    "1 request client POST /p host=h\n  host: h\n  content-length: 4\n1 request body "
	    "body\n1 request end\n1 response 200\n1 end status=200 request=complete,4+0 "
	    "response=complete,0+0\n" GET_LOG("2") "2 response 200\n" END_LOG("2", "200", "0+0"));
	/* Sent away: the second stream will not be answered. */
	expect(STEPS(SEND(OUT, PREFACE GET("\1") GET("\3")),
		     SEND(IN, FRAME("\x8", "\7", "\0", "\0") "\0\0\0\1\0\0\0\0" OK_END("\1"))),
	       GET_LOG("1")
		   GET_LOG("2") "2 end status=0 request=complete,0+0 response=cut,0+0\n1 response "
				"200\n" END_LOG("1", "200", "0+0"));
	/* Data after the end, an old stream's number, an answer to nothing. */
	assert_int_equal(expect(STEPS(SEND(OUT, PREFACE GET("\3") DATA4("\3") "more" GET("\1")),
				      SEND(IN, OK_END("\1") OK_END("\3"))),
				GET_LOG("1") "1 response 200\n" END_LOG("1", "200", "0+0"))
			     .unpaired,
			 1);
	/* What the server pushes is an exchange, too. */
	expect(STEPS(SEND(OUT, PREFACE GET("\1")),
		     SEND(IN, FRAME("\xa", "\5", "\4", "\1") "\0\0\0\2" GET_BLOCK OK_END("\1")
				  OK("\2") DATA4_END("\2") "push")),
	       GET_LOG("1") GET_LOG("2") "1 response 200\n" END_LOG(
		   "1", "200", "0+0") "2 response 200\n2 response body push\n" END_LOG("2", "200",
										       "4+0"));
}

static void test_tunnel(void **state)
{
	struct flow_stats st;

	(void)state;
	st = expect(
	    STEPS(SEND(OUT, PREFACE FRAME("\xf", "\1", "\4", "\1") "\x02\7CONNECT\x41\4h:80"),
		  SEND(IN, OK("\1")), SEND(OUT, DATA4("\1") "\x16\3\1\0"),
		  SEND(IN, DATA4_END("\1") "\x16\3\3\0"), { CLOSE }),
	    "1 request client CONNECT h:80 host=h:80\n1 response 200\n1 request end\n"
	    "1 end status=200 request=cut,0+0 response=complete,0+0\n");
	assert_int_equal(st.tunnels, 1);
	/* Extended CONNECT (RFC 8441): a WebSocket on a stream. */
	st = expect(
	    STEPS(SEND(OUT, PREFACE FRAME("\x25", "\1", "\4", "\1") "\x02\7CONNECT\x40\x09:protocol"
								    "\x09websocket\x44\2/p\x41\1h"),
		  SEND(IN, SETTINGS OK("\1") FRAME("\7", "\0", "\0", "\1") "\x81\5hello"),
		  SEND(OUT, FRAME("\6", "\0", "\0",
				  "\1") "\x81\x82"
					"abcd" FRAME("\2", "\0", "\0", "\1") "\x09\x0b" FRAME(
					    "\6", "\0", "\1", "\1") "\x88\x80"
								    "abcd"),
		  SEND(IN, FRAME("\2", "\0", "\1", "\1") "\x88\0")),
	    "1 request client CONNECT /p host=h\n  host: h\n1 response 200\n1 request end\n"
	    "1 event  hello\n1 request event  hi\n"
	    "1 end status=200 request=complete,14+0 response=complete,9+0\n");
	assert_int_equal(st.tunnels, 0);
}

/* --- gaps */

static void test_gap_in_data(void **state)
{
	(void)state;
	/* Inside a frame of known length: exact, and the end of the stream is not lost with it. */
	expect(STEPS(SEND(OUT, PREFACE GET("\1")), SEND(IN, OK("\1") DATA4("\1") "a"),
		     { LOSE_IN, NULL, 2 }, SEND(IN, "d" DATA4_END("\1") "efgh")),
	       GET_LOG("1") "1 response 200\n1 response body a\n1 response gap 2\n1 response body "
			    "defgh\n" END_LOG("1", "200", "6+2"));
	expect(STEPS(SEND(OUT, PREFACE GET("\1")), SEND(IN, OK("\1") DATA4_END("\1") "a"),
		     { LOSE_IN, NULL, 3 }, SEND(IN, SETTINGS), SEND(OUT, GET("\3")),
		     SEND(IN, OK_END("\3"))),
	       GET_LOG("1") "1 response 200\n1 response body a\n1 response gap 3\n" END_LOG(
		   "1", "200", "1+3") GET_LOG("2") "2 response 200\n" END_LOG("2", "200", "0+0"));
}

/* Over frames: what follows is found again, and what of the body is missing cannot be told. */
static void test_gap_over_frames(void **state)
{
	struct flow_stats st;

	(void)state;
	st = expect(
	    STEPS(SEND(OUT, PREFACE GET("\1")),
		  SEND(IN, SETTINGS OK("\1") DATA4("\1") "abcd" DATA4("\1") "e"),
		  { LOSE_IN, NULL, 100 },
		  SEND(IN, "tail of a body" DATA4("\1") "wxyz" DATA4_END("\1") "last"),
		  SEND(OUT, GET("\3")), SEND(IN, OK_END("\3"))),
	    GET_LOG(
		"1") "1 response 200\n1 response body abcde\n1 response gap 3\n1 response gap 0\n1 "
		     "response body wxyzlast\n"
		     "1 end status=200 request=complete,0+0 response=cut,13+3\n" GET_LOG(
			 "2") "2 response 200\n" END_LOG("2", "200", "0+0"));
	assert_int_equal(st.resynced, 1);
	/* The length that the head gave tells. */
	expect(
	    STEPS(SEND(OUT, PREFACE GET("\1")),
		  SEND(IN, FRAME("\6", "\1", "\4", "\1") "\x88\x0f\xd\2"
							 "40" DATA4("\1") "abcd"),
		  { LOSE_IN, NULL, 100 }, SEND(IN, DATA4("\1") "wxyz" DATA4_END("\1") "last")),
	    GET_LOG("1") "1 response 200\n  content-length: 40\n1 response body abcd\n1 response "
			 "gap 0\n1 response body wxyzlast\n1 response gap 28\n" END_LOG("1", "200",
											"12+28"));
}

/* The response's head is lost, not its body. */
static void test_gap_over_head(void **state)
{
	(void)state;
	expect(STEPS(SEND(OUT, PREFACE GET("\1")), SEND(IN, SETTINGS), { LOSE_IN, NULL, 30 },
		     SEND(IN, DATA4("\1") "body" DATA4_END("\1") "body"), { CLOSE }),
	       GET_LOG("1") "1 response 0\n1 response gap 0\n1 response body bodybody\n"
			    "1 end status=0 ambiguous request=complete,0+0 response=cut,8+0\n");
}

/* --- upgraded from HTTP/1.1 (RFC 7540 section 3.2) */

#define UPGRADE(method, length)                                                                    \
	method " /p HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\n" length         \
	       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
#define UPGRADE_LOG(method, length)                                                                \
	"1 request client " method " /p host=h\n  host: h\n  connection: Upgrade, "                \
	"HTTP2-Settings\n" length "  upgrade: h2c\n  http2-settings: AAMAAABk\n"

static void test_upgrade(void **state)
{
	(void)state;
	/* The request is HTTP/1.1, its response stream 1; what follows is HTTP/2. */
	expect(STEPS(SEND(OUT, UPGRADE("POST", "Content-Length: 4\r\n") "body"),
		     SEND(IN, UPGRADED SETTINGS OK("\1") DATA4("\1") "fine"),
		     SEND(OUT, PREFACE SETTINGS), SEND(IN, DATA4_END("\1") "too."),
		     SEND(OUT, GET("\3")), SEND(IN, OK_END("\3"))),
	       UPGRADE_LOG("POST",
			   "  content-length: 4\n") "1 request body body\n1 request end\n1 "
						    "response 200\n1 response body finetoo.\n1 end "
						    "status=200 request=complete,4+0 "
						    "response=complete,8+0\n" GET_LOG(
							"2") "2 response 200\n" END_LOG("2", "200",
											"0+0"));
	/* The server goes on as it was. */
	expect(STEPS(SEND(OUT, UPGRADE("GET", "")),
		     SEND(IN, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), { CLOSE }),
	       UPGRADE_LOG("GET", "") "1 request end\n1 response 200\n  content-length: 2\n"
				      "1 response body ok\n" END_LOG("1", "200", "2+0"));
	/* It answered, and then nothing was seen any more. */
	expect(STEPS(SEND(OUT, UPGRADE("GET", "")), SEND(IN, UPGRADED), { CLOSE }),
	       UPGRADE_LOG("GET", "") "1 request end\n1 end status=0 request=complete,0+0 "
				      "response=cut,0+0\n");
}

/* --- joined midway */

static void test_midway(void **state)
{
	static const struct {
		enum ev_dir dir;
		const char *bytes;
		size_t n;
	} steps[] = {
		/* The tail of a body, then a header section at a record's beginning: POST, a path
		   and a host that stand in the table since before, a known field. */
		SEND(EV_READ, "tail"),
		SEND(EV_WRITE, FRAME("\xb", "\1", "\4", "\7") "\x83\x87\xc0\xbf\0\1a\3bcd"),
		SEND(EV_WRITE, DATA4_END("\7") "{\"a\""),
		SEND(EV_READ, OK("\7") DATA4_END("\7") "fine"),
	};
	struct conn_info info = wire_conn(9);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	uint64_t pos[EV_DIR_MAX_] = { 70000, 50000 };

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(flow_data(wire_flow(w), &info, steps[i].dir, pos[steps[i].dir],
					   span_of(steps[i].bytes, steps[i].n), i + 1),
				 0);
		pos[steps[i].dir] += steps[i].n;
	}
	assert_string_equal(
	    text_of(&log),
	    "1 request client POST  host=\n  a: bcd\n1 request body {\"a\"\n1 request "
	    "end\n1 response 200\n1 response body fine\n"
	    "1 end status=200 request=complete,4+0 response=complete,4+0\n");
	assert_int_equal(flow_stats(wire_flow(w))->unknown_fields, 2);
	assert_int_equal(flow_stats(wire_flow(w))->not_http, 0);
}

/* The end of a stream may be what was lost: it is not waited for without end. */
static void test_sweep(void **state)
{
	struct conn_info info = wire_conn(9);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	struct flow *f;
	static const char out[] = PREFACE GET("\1") GET("\3"), in[] = SETTINGS OK("\1") OK("\3");
	static const char more[] = DATA4("\3") "more";
	uint64_t second = 1000000000, in_len = sizeof(in) - 1;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	f = wire_flow(w);
	assert_int_equal(flow_data(f, &info, EV_WRITE, 0, span_of(out, sizeof(out) - 1), 1), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, 0, span_of(in, in_len), 2), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, in_len + 100, span_of(more, sizeof(more) - 1),
				   20 * second),
			 0);
	assert_int_equal(flow_data(f, &info, EV_READ, in_len + 100 + sizeof(more) - 1,
				   span_of(more, sizeof(more) - 1), 40 * second),
			 0);
	assert_non_null(
	    strstr(text_of(&log), "1 end status=200 request=complete,0+0 response=cut,0+0\n"));
	assert_null(strstr(text_of(&log), "2 end"));
	assert_non_null(strstr(text_of(&log), "2 response body moremore\n"));
}

/* --- a session as nghttp2 has it: three exchanges at once, then one more */

#define MESSAGES_MAX 64

struct message {
	enum ev_dir dir;
	size_t at, len;
};

struct session {
	struct message messages[MESSAGES_MAX];
	size_t n;
	size_t n_before; /* messages before the last exchange */
	struct buf bytes;
};

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
			     strlen(value), 0 };
}

/* The whole body in one frame. */
static ssize_t body_of(nghttp2_session *s, int32_t stream, uint8_t *out, size_t room,
		       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	(void)s;
	(void)stream;
	(void)ctx;
	assert_true(strlen(source->ptr) <= room);
	*flags = NGHTTP2_DATA_FLAG_EOF;
	memcpy(out, source->ptr, strlen(source->ptr));
	return (ssize_t)strlen(source->ptr);
}

static nghttp2_data_provider body_source(const char *text)
{
	return (nghttp2_data_provider){ { .ptr = (void *)(uintptr_t)text }, body_of };
}

static bool pass(struct session *to, nghttp2_session *from, nghttp2_session *at, enum ev_dir dir)
{
	struct message m = { dir, to->bytes.len, 0 };
	const uint8_t *p;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(from, &p)) > 0) {
		assert_int_equal(nghttp2_session_mem_recv(at, p, (size_t)n), n);
		assert_int_equal(buf_add(&to->bytes, span_of(p, (size_t)n)), 0);
		m.len += (size_t)n;
	}
	assert_int_equal(n, 0);
	if (m.len) {
		assert_true(to->n < MESSAGES_MAX);
		to->messages[to->n++] = m;
	}
	return m.len;
}

static void talk(struct session *to, nghttp2_session *client, nghttp2_session *server)
{
	while (pass(to, client, server, EV_WRITE) | pass(to, server, client, EV_READ))
		;
}

static void make_session(struct session *ret)
{
	const nghttp2_settings_entry setting = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100 };
	nghttp2_nv ok[] = { nv(":status", "200"), nv("server", "nghttp2"),
			    nv("content-type", "application/json") };
	nghttp2_nv fields[] = { nv(":method", "POST"), nv(":scheme", "https"),
				nv(":authority", "api.example"), nv(":path", "/v1/chat"),
				nv("user-agent", "test of earshot") };
	nghttp2_data_provider body = body_source("{\"messages\": \"a body of a request\"}");
	nghttp2_data_provider answer = body_source("{\"text\": \"the answer that came\"}");
	nghttp2_data_provider last = body_source("the last answer");
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *client, *server;

	*ret = (struct session){ .bytes = BUF(1 << 16) };
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	assert_int_equal(nghttp2_session_client_new(&client, callbacks, NULL), 0);
	assert_int_equal(nghttp2_session_server_new(&server, callbacks, NULL), 0);
	nghttp2_submit_settings(client, 0, &setting, 1);
	nghttp2_submit_settings(server, 0, &setting, 1);
	talk(ret, client, server);
	for (int i = 0; i < 3; i++)
		assert_int_equal(nghttp2_submit_request(client, NULL, fields, 5, &body, NULL),
				 2 * i + 1);
	talk(ret, client, server);
	for (int i = 3; i--;)
		assert_int_equal(nghttp2_submit_response(server, 2 * i + 1, ok, 3, &answer), 0);
	talk(ret, client, server);
	ret->n_before = ret->n;
	fields[3] = nv(":path", "/last");
	assert_int_equal(nghttp2_submit_request(client, NULL, fields, 5, &body, NULL), 7);
	talk(ret, client, server);
	assert_int_equal(nghttp2_submit_response(server, 7, ok, 3, &last), 0);
	talk(ret, client, server);
	nghttp2_session_del(client);
	nghttp2_session_del(server);
	nghttp2_session_callbacks_del(callbacks);
}

struct loss {
	size_t at, n; /* in session.bytes */
};

static void play_session(const struct session *s, size_t piece, struct loss loss, struct evlog *log)
{
	auto_free(wire) struct wire *w = NULL;

	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, log, NULL), 0);
	wire_open(w, 1);
	for (size_t i = 0; i < s->n; i++) {
		const struct message *m = &s->messages[i];
		struct span all = span_sub(buf_span(&s->bytes), m->at, m->len);
		size_t from = loss.at < m->at ? 0 : MIN(loss.at - m->at, m->len);
		size_t to = loss.at + loss.n < m->at ? 0 : MIN(loss.at + loss.n - m->at, m->len);

		assert_int_equal(wire_send(w, 1, m->dir, span_sub(all, 0, from), piece), 0);
		wire_lose(w, 1, m->dir, to - from);
		assert_int_equal(wire_send(w, 1, m->dir, span_sub(all, to, all.len), piece), 0);
	}
	wire_close(w, 1);
}

static void test_every_size(void **state)
{
	static const struct loss none = { SIZE_MAX / 2, 0 };
	auto_free(evlog) struct evlog whole = { 0 };
	struct session s;

	(void)state;
	make_session(&s);
	play_session(&s, 0, none, &whole);
	assert_non_null(strstr(text_of(&whole), "4 response body the last answer\n4 end status=200 "
						"request=complete,35+0 response=complete,15+0\n"));
	for (size_t piece = 1; piece <= s.bytes.len; piece++) {
		auto_free(evlog) struct evlog cut = { 0 };

		play_session(&s, piece, none, &cut);
		assert_string_equal(text_of(&cut), text_of(&whole));
	}
	buf_free(&s.bytes);
}

static void lose_at(const struct session *s, struct loss loss)
{
	auto_free(evlog) struct evlog whole = { 0 }, cut = { 0 };

	play_session(s, 0, loss, &whole);
	play_session(s, 3, loss, &cut);
	if (!strstr(text_of(&whole), "response body the last answer\n"))
		fail_msg("%zu lost at %zu:\n%s", loss.n, loss.at, text_of(&whole));
	assert_string_equal(text_of(&cut), text_of(&whole));
}

/* Whatever is lost, the exchange behind it is read whole, and any cut of the rest gives the same.
 */
static void test_gaps_everywhere(void **state)
{
	static const size_t sizes[] = { 1, 9, 60, 200 };
	struct session s;

	(void)state;
	make_session(&s);
	/* The client's preface, whole: a part of it is the beginning of nothing. */
	lose_at(&s, (struct loss){ 0, s.messages[0].len });
	for (size_t i = 1; i < s.n_before; i++)
		for (size_t at = 0; at < s.messages[i].len; at++)
			for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
				lose_at(&s, (struct loss){ s.messages[i].at + at,
							   MIN(sizes[k], s.messages[i].len - at) });
	buf_free(&s.bytes);
}

/* --- hostile peers */

#define CONN_BYTES (1 << 20) /* what one connection may take */

struct siege {
	struct wire *w;
	struct evlog log;
	size_t before;
};

static void siege_begin(struct siege *s)
{
	*s = (struct siege){ 0 };
	assert_int_equal(wire_new(&s->w, WIRE_EXCHANGES, &s->log, NULL), 0);
	s->before = mallinfo2().uordblks;
	wire_open(s->w, 1);
	assert_int_equal(wire_send(s->w, 1, EV_WRITE, SPAN_LIT(PREFACE SETTINGS), 0), 0);
}

static void siege_send(struct siege *s, const void *p, size_t n)
{
	assert_int_equal(wire_send(s->w, 1, EV_WRITE, span_of(p, n), 0), 0);
}

/* A frame's header, with numbers of any size. */
static void siege_frame(struct siege *s, size_t len, int type, int flags, uint32_t stream)
{
	const uint8_t head[] = {
		(uint8_t)(len >> 16),	 (uint8_t)(len >> 8),	 (uint8_t)len,
		(uint8_t)type,		 (uint8_t)flags,	 (uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream
	};

	siege_send(s, head, sizeof(head));
}

/* Memory is as it must be, and a new exchange is read. */
static struct flow_stats siege_end(struct siege *s, uint32_t stream, const char *target)
{
	uint8_t block[64] = { 0x83, 0x87, 0x04 };
	struct flow_stats stats;
	char want[64];

	assert_true(mallinfo2().uordblks - s->before <= CONN_BYTES);
	block[3] = (uint8_t)strlen(target);
	memcpy(block + 4, target, strlen(target));
	siege_frame(s, 4 + strlen(target), 1, 5, stream);
	siege_send(s, block, 4 + strlen(target));
	snprintf(want, sizeof(want), " POST %s host=\n", target);
	assert_non_null(strstr(text_of(&s->log), want));
	stats = *flow_stats(wire_flow(s->w));
	wire_free(&s->w);
	evlog_free(&s->log);
	return stats;
}

static void test_streams(void **state)
{
	struct siege s;
	struct flow_stats st;

	(void)state;
	siege_begin(&s);
	for (uint32_t i = 0; i < 100000; i++) {
		siege_frame(&s, sizeof(GET_BLOCK) - 1, 1, 5, 2 * i + 1);
		siege_send(&s, GET_BLOCK, sizeof(GET_BLOCK) - 1);
	}
	st = siege_end(&s, 200001, "/after");
	assert_int_equal(st.exchanges, 100001);
	assert_int_equal(st.streams_evicted, 100001 - flow_defaults.max_streams);
}

static void test_heads(void **state)
{
	struct siege s;
	static uint8_t block[16000] = { 0x82, 0x87, 0x84, 0x00, 1, 'n', 0x7f };
	struct flow_stats st;

	(void)state;
	siege_begin(&s);
	memset(block + 9, 'v', sizeof(block) - 9);
	block[7] = (uint8_t)(0x80 | ((sizeof(block) - 9 - 0x7f) & 0x7f));
	block[8] = (uint8_t)((sizeof(block) - 9 - 0x7f) >> 7);
	for (uint32_t i = 0; i < 2000; i++) {
		siege_frame(&s, sizeof(block), 1, 5, 2 * i + 1);
		siege_send(&s, block, sizeof(block));
	}
	st = siege_end(&s, 4001, "/after");
	assert_int_equal(st.exchanges, 2001);
	assert_true(st.streams_evicted > 1900);
	assert_int_equal(st.broken, 0);
}

/* One byte each for a field of 4,000: what is given out has a cap. */
static void test_hpack_bomb(void **state)
{
	static uint8_t bomb[16384];
	struct siege s;
	uint8_t entry[4000];
	struct flow_stats st;

	(void)state;
	siege_begin(&s);
	memset(entry, 'v', sizeof(entry));
	siege_frame(&s, sizeof(GET_BLOCK) - 1 + 6 + sizeof(entry), 1, 5, 1);
	siege_send(&s, GET_BLOCK "\x40\1n\x7f\xa1\x1e", sizeof(GET_BLOCK) - 1 + 6);
	siege_send(&s, entry, sizeof(entry));
	memset(bomb, 0xbe, sizeof(bomb));
	for (uint32_t i = 1; i < 200; i++) {
		siege_frame(&s, sizeof(bomb), 1, 5, 2 * i + 1);
		siege_send(&s, bomb, sizeof(bomb));
	}
	st = siege_end(&s, 401, "/after");
	assert_true(st.cut >= 199 * (sizeof(bomb) - HTTP2_FIELDS_MAX));
	assert_int_equal(st.broken, 0);
}

/* Header blocks without end: of many frames, and of many bytes. */
static void test_continuations(void **state)
{
	static uint8_t frame[16384];
	struct siege s;
	struct flow_stats st;

	(void)state;
	siege_begin(&s);
	for (uint32_t stream = 1; stream <= 3; stream += 2) {
		size_t len = stream == 1 ? 1 : sizeof(frame);

		memset(frame, 0x82, sizeof(frame));
		siege_frame(&s, 3, 1, 0, stream);
		siege_send(&s, "\x83\x87\x84", 3);
		for (int i = 0; i < 1000; i++) {
			siege_frame(&s, len, 9, 0, stream);
			siege_send(&s, frame, len);
		}
		siege_frame(&s, 0, 9, 4, stream);
	}
	st = siege_end(&s, 5, "/after");
	assert_int_equal(st.floods, 2);
	assert_int_equal(st.exchanges, 3);
}

static void test_idle_frames(void **state)
{
	struct siege s;
	struct flow_stats st;

	(void)state;
	siege_begin(&s);
	for (int i = 0; i < 2 * HTTP2_IDLE_FRAMES_MAX; i++) {
		siege_frame(&s, 8, 6, 0, 0);
		siege_send(&s, "pingping", 8);
	}
	st = siege_end(&s, 1, "/after");
	assert_int_equal(st.floods, 1);
}

/* Frames that look like frames, but never quite, on a side that lost its place. */
static void test_search(void **state)
{
	static uint8_t noise[1 << 20];
	struct siege s;
	uint32_t seed = 1;

	(void)state;
	siege_begin(&s);
	wire_lose(s.w, 1, EV_WRITE, 100);
	for (size_t i = 0; i < sizeof(noise); i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = i % 9 && seed >> 28 ? (uint8_t)(seed >> 24) & 3 : 0;
	}
	siege_send(&s, noise, sizeof(noise));
	assert_true(mallinfo2().uordblks - s.before <= CONN_BYTES);
	wire_free(&s.w);
	evlog_free(&s.log);
}

/* What is left of a connection between its exchanges: hosts have many that wait. */
static void test_idle(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	const uint64_t n = 50;
	struct session s;
	size_t before;

	(void)state;
	make_session(&s);
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	before = mallinfo2().uordblks;
	for (uint64_t conn = 1; conn <= n; conn++) {
		wire_open(w, conn);
		for (size_t i = 0; i < s.n; i++)
			assert_int_equal(wire_send(w, conn, s.messages[i].dir,
						   span_sub(buf_span(&s.bytes), s.messages[i].at,
							    s.messages[i].len),
						   0),
					 0);
	}
	assert_true((mallinfo2().uordblks - before) / n <= 5120);
	buf_free(&s.bytes);
}

/* --- muting */

static void test_mutable(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	char get[] = GET("\1"), ok[] = OK_END("\1");
	enum ev_dir dir;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(PREFACE SETTINGS), 0), 0);
	for (; n < 300 && !flow_mutable(wire_flow(w), 1, &dir); n++) {
		char request[] = FRAME("\xd", "\1", "\5", "\0") "\x82\x87\x44\x9/unwanted";
		char response[] = OK_END("\0");

		request[7] = response[7] = (char)((2 * n + 1) >> 8);
		request[8] = response[8] = (char)(2 * n + 1);
		assert_int_equal(
		    wire_send(w, 1, EV_WRITE, span_of(request, sizeof(request) - 1), 0), 0);
		assert_int_equal(
		    wire_send(w, 1, EV_READ, span_of(response, sizeof(response) - 1), 0), 0);
	}
	assert_true(n > 1 && n < 300);
	get[7] = ok[7] = 3; /* a stream that was not there before */
	/* Muted for a while, it is joined midway: the next request is found, and wanted. */
	wire_lose(w, 1, EV_WRITE, 5000);
	wire_lose(w, 1, EV_READ, 70000);
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_of(get, sizeof(get) - 1), 0), 0);
	assert_int_equal(flow_mutable(wire_flow(w), 1, &dir), FLOW_WATCH);
	assert_int_equal(wire_send(w, 1, EV_READ, span_of(ok, sizeof(ok) - 1), 0), 0);
	assert_non_null(strstr(text_of(&log), "request client GET / host=h\n"));
	assert_non_null(strstr(text_of(&log), " response 200\n"));
	assert_int_equal(flow_stats(wire_flow(w))->resynced, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair),	      cmocka_unit_test(test_frames),
		cmocka_unit_test(test_ends),	      cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_gap_in_data),   cmocka_unit_test(test_gap_over_frames),
		cmocka_unit_test(test_gap_over_head), cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_midway),	      cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_every_size),    cmocka_unit_test(test_gaps_everywhere),
		cmocka_unit_test(test_streams),	      cmocka_unit_test(test_heads),
		cmocka_unit_test(test_hpack_bomb),    cmocka_unit_test(test_continuations),
		cmocka_unit_test(test_idle_frames),   cmocka_unit_test(test_search),
		cmocka_unit_test(test_mutable),	      cmocka_unit_test(test_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
