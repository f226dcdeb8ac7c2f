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
	    "body\n1 response 200\n1 request end\n1 end status=200 request=complete,4+0 "
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair),	      cmocka_unit_test(test_frames),
		cmocka_unit_test(test_ends),	      cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_gap_in_data),   cmocka_unit_test(test_gap_over_frames),
		cmocka_unit_test(test_gap_over_head), cmocka_unit_test(test_midway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
