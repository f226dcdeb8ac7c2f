/* tests/unit/test_flow.c - connections become exchanges: pairing, codings, gaps, caps, ends. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/own.h"
#include "nomem.h"
#include "wire.h"

enum what { END, OUT, IN, LOSE_OUT, LOSE_IN, CLOSE };

struct step {
	enum what what;
	const char *bytes;
	size_t n; /* of bytes when they hold zeros, and lost ones */
};

static int play_on(struct wire *w, const struct step *steps, size_t piece)
{
	int err = 0;

	for (; steps->what; steps++) {
		enum ev_dir dir =
		    steps->what == OUT || steps->what == LOSE_OUT ? EV_WRITE : EV_READ;
		int one = 0;

		if (steps->what == CLOSE)
			wire_close(w, 1);
		else if (!steps->bytes)
			wire_lose(w, 1, dir, steps->n);
		else
			one = wire_send(
			    w, 1, dir,
			    span_of(steps->bytes, steps->n ? steps->n : strlen(steps->bytes)),
			    piece);
		err = err ? err : one;
	}
	return err;
}

static int play(const struct step *steps, size_t piece, struct evlog *log)
{
	auto_free(wire) struct wire *w = NULL;
	int err = wire_new(&w, WIRE_EXCHANGES, log, NULL);

	if (err)
		return err;
	wire_open(w, 1);
	return play_on(w, steps, piece);
}

static int play_joined(const struct step *steps, struct evlog *log)
{
	auto_free(wire) struct wire *w = NULL;
	int err = wire_new(&w, WIRE_EXCHANGES, log, NULL);

	if (err)
		return err;
	wire_open_midway(w, 1);
	return play_on(w, steps, 0);
}

static int play_cut(void *ctx)
{
	auto_free(evlog) struct evlog log = { 0 };

	return play(ctx, 11, &log);
}

static const char *text_of(const struct evlog *log)
{
	return log->p ? log->p : "";
}

/* The same log for the steps as they are and in pieces; and no harm when memory is short. */
static void expect(const struct step *steps, const char *want)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		auto_free(evlog) struct evlog log = { 0 };

		assert_int_equal(play(steps, pieces[i], &log), 0);
		if (strcmp(text_of(&log), want))
			fail_msg("in pieces of %zu:\n%s\nwanted:\n%s", pieces[i], text_of(&log),
				 want);
	}
	nomem_each(play_cut, (void *)(uintptr_t)steps);
}

#define STEPS(...) ((const struct step[]){ __VA_ARGS__, { END } })

#define GET "GET / HTTP/1.1\r\nHost: Example:80\r\n\r\n"
#define GET_LOG(n)                                                                                 \
	n " request client GET / host=example:80\n  host: Example:80\n" n " request end\n"
#define OK2		 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define OK2_LOG(n, body) n " response 200\n  content-length: 2\n" n " response body " body "\n"
#define END_LOG(n, status, sizes)                                                                  \
	n " end status=" status " request=complete,0+0 response=complete," sizes "\n"

static void test_pair(void **state)
{
	(void)state;
	expect(
	    STEPS({ OUT, "POST /v1/x?q=1 HTTP/1.1\r\nHOST: a\r\nContent-Length: 5\r\n\r\nhello" },
		  { IN, OK2 "ok" }),
	    "1 request client POST /v1/x?q=1 host=a\n  host: a\n  content-length: 5\n1 request "
	    "body hello\n1 request end\n" OK2_LOG(
		"1", "ok") "1 end status=200 request=complete,5+0 response=complete,2+0\n");
	/* The captured process is the server: it reads requests. */
	expect(
	    STEPS({ IN, GET }, { OUT, OK2 "ok" }),
	    "1 request server GET / host=example:80\n  host: Example:80\n1 request end\n" OK2_LOG(
		"1", "ok") END_LOG("1", "200", "2+0"));
	/* The authority of an absolute target goes before Host (RFC 9112 section 3.2.2). */
	expect(STEPS({ OUT, "GET http://Real:81/p HTTP/1.1\r\nHost: other\r\n\r\n" }, { CLOSE }),
	       "1 request client GET http://Real:81/p host=real:81\n  host: other\n1 request end\n"
	       "1 end status=0 request=complete,0+0 response=cut,0+0\n");
}

static void test_pipeline(void **state)
{
	(void)state;
	expect(STEPS({ OUT, GET GET GET }, { IN, OK2 "aa" OK2 "bb" OK2 "cc" }),
	       GET_LOG("1") GET_LOG("2") GET_LOG("3") OK2_LOG("1", "aa") END_LOG("1", "200", "2+0")
		   OK2_LOG("2", "bb") END_LOG("2", "200", "2+0") OK2_LOG("3", "cc")
		       END_LOG("3", "200", "2+0"));
}

static void test_no_body(void **state)
{
	(void)state;
	expect(STEPS({ OUT, "HEAD / HTTP/1.1\r\n\r\n" }, { IN, OK2 }, { OUT, GET },
		     { IN, "HTTP/1.1 304 Not Modified\r\n\r\n" }),
	       "1 request client HEAD / host=\n1 request end\n1 response 200\n  content-length: "
	       "2\n" END_LOG("1", "200", "0+0")
		   GET_LOG("2") "2 response 304\n" END_LOG("2", "304", "0+0"));
	expect(STEPS({ OUT, "PUT / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n" },
		     { IN, "HTTP/1.1 100 Continue\r\n\r\n" }, { OUT, "x" },
		     { IN, "HTTP/1.1 204 No Content\r\n\r\n" }),
	       "1 request client PUT / host=\n  content-length: 1\n  expect: 100-continue\n1 "
	       "request body x\n1 request end\n"
	       "1 response 204\n1 end status=204 request=complete,1+0 response=complete,0+0\n");
}

static void test_leaves_http(void **state)
{
	(void)state;
	expect(STEPS({ OUT, "CONNECT h:443 HTTP/1.1\r\n\r\n" }, { IN, "HTTP/1.1 200 OK\r\n\r\n" },
		     { OUT, "\x16\x03\x01" GET }, { IN, "\x16\x03\x03" OK2 }),
	       "1 request client CONNECT h:443 host=h:443\n1 request end\n1 response 200\n" END_LOG(
		   "1", "200", "0+0"));
	expect(STEPS({ OUT, "GET /x HTTP/1.1\r\nUpgrade: other\r\n\r\n" },
		     { IN, "HTTP/1.1 101 Switching Protocols\r\n\r\nwhatever" }, { OUT, GET }),
	       "1 request client GET /x host=\n  upgrade: other\n1 request end\n1 response "
	       "101\n" END_LOG("1", "101", "0+0"));
}

/* The server answers before the request is complete; the exchange lasts until both are over. */
static void test_early_response(void **state)
{
	(void)state;
	expect(STEPS({ OUT, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab" },
		     { IN, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno" },
		     { OUT, "cd" GET }, { IN, OK2 "ok" }),
	       "1 request client POST / host=\n  content-length: 4\n1 request body ab\n1 response "
	       "413\n  content-length: 2\n"
	       "1 response body no\n1 request body cd\n1 request end\n"
	       "1 end status=413 request=complete,4+0 response=complete,2+0\n" GET_LOG("2")
		   OK2_LOG("2", "ok") END_LOG("2", "200", "2+0"));
}

static void test_unpaired(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") OK2_LOG("1", "ok") END_LOG("1", "200", "2+0"));
	assert_int_equal(flow_stats(wire_flow(w))->unpaired, 1);
	assert_int_equal(flow_stats(wire_flow(w))->exchanges, 1);
}

/* --- gaps */

#define OK100 "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"

static void test_gap_in_body(void **state)
{
	(void)state;
	expect(STEPS({ OUT, GET }, { IN, OK100 "abc" }, { LOSE_IN, NULL, 90 }, { IN, "tuvwxyz" }),
	       GET_LOG("1") "1 response 200\n  content-length: 100\n1 response body abc\n1 "
			    "response gap 90\n"
			    "1 response body tuvwxyz\n" END_LOG("1", "200", "10+90"));
	/* The end itself is lost: known at the close. */
	expect(STEPS({ OUT, GET }, { IN, OK100 "abc" }, { LOSE_IN, NULL, 97 }, { CLOSE }),
	       GET_LOG("1") "1 response 200\n  content-length: 100\n1 response body abc\n1 "
			    "response gap 97\n" END_LOG("1", "200", "3+97"));
	/* It never came. */
	expect(STEPS({ OUT, GET }, { IN, OK100 "abc" }, { CLOSE }),
	       GET_LOG("1") "1 response 200\n  content-length: 100\n1 response body abc\n"
			    "1 end status=200 request=complete,0+0 response=cut,3+0\n");
}

/* A response is lost whole. The next one must not be taken for it. */
static void test_gap_over_response(void **state)
{
	static const char second[] = "GET /2 HTTP/1.1\r\n\r\n";

	(void)state;
	expect(STEPS({ OUT, GET }, { LOSE_IN, NULL, 300 }, { OUT, second }, { IN, OK2 "ok" }),
	       GET_LOG("1") "2 request client GET /2 host=\n2 request end\n"
			    "1 end status=0 request=complete,0+0 response=cut,0+0\n" OK2_LOG(
				"2", "ok") "2 end status=200 ambiguous request=complete,0+0 "
					   "response=complete,2+0\n");
}

/* A client that pipelines has lost who knows which responses: none is taken for another. */
static void test_gap_in_pipeline(void **state)
{
	(void)state;
	expect(STEPS({ OUT, GET GET }, { IN, OK2 "aa" OK2 "bb" }, { OUT, GET GET GET },
		     { LOSE_IN, NULL, 300 }, { IN, OK2 "xx" }, { OUT, GET }, { IN, OK2 "yy" }),
	       GET_LOG("1") GET_LOG("2") OK2_LOG("1", "aa") END_LOG("1", "200", "2+0")
		   OK2_LOG("2", "bb") END_LOG("2", "200", "2+0") GET_LOG("3") GET_LOG("4") GET_LOG(
		       "5") "3 end status=0 request=complete,0+0 response=cut,0+0\n"
			    "4 end status=0 request=complete,0+0 response=cut,0+0\n"
			    "5 end status=0 ambiguous request=complete,0+0 "
			    "response=cut,0+0\n" GET_LOG("6") OK2_LOG(
				"6", "yy") "6 end status=200 ambiguous request=complete,0+0 "
					   "response=complete,2+0\n");
}

/* A request is lost whole: its response has no request. */
static void test_gap_over_request(void **state)
{
	(void)state;
	expect(STEPS({ OUT, GET }, { IN, OK2 "aa" }, { LOSE_OUT, NULL, 40 }, { IN, OK2 "bb" },
		     { OUT, GET }, { IN, OK2 "cc" }),
	       GET_LOG("1") OK2_LOG("1", "aa") END_LOG("1", "200", "2+0") GET_LOG("2")
		   OK2_LOG("2", "cc") END_LOG("2", "200", "2+0"));
}

/* The end of a request is lost, and seen to be when the server goes on to the next. */
static void test_gap_over_request_end(void **state)
{
	(void)state;
	expect(STEPS({ OUT, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab" },
		     { LOSE_OUT, NULL, 60 }, { IN, OK2 "aa" }, { IN, OK2 "bb" }, { OUT, GET },
		     { IN, OK2 "cc" }),
	       "1 request client POST / host=\n  content-length: 9\n1 request body ab\n" OK2_LOG(
		   "1", "aa") "1 request end\n1 end status=200 request=cut,2+0 "
			      "response=complete,2+0\n" GET_LOG("2") OK2_LOG("2", "cc")
				  END_LOG("2", "200", "2+0"));
}

static void test_positions(void **state)
{
	struct conn_info info = wire_conn(9);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	const struct flow_stats *st;
	enum ev_dir dir;
	struct flow *f;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	f = wire_flow(w);
	st = flow_stats(f);
	/* Joined in its middle by the data itself, behind a response's tail. */
	assert_int_equal(flow_data(f, &info, EV_READ, 5000, SPAN_LIT("tail of a body"), 1), 0);
	assert_int_equal(flow_mutable(f, 9, &dir), FLOW_WATCH);
	assert_int_equal(flow_data(f, &info, EV_WRITE, 700, SPAN_LIT(GET), 2), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, 5014, SPAN_LIT("end\r\n" OK100), 3), 0);
	assert_int_equal(st->gap_bytes, 0);
	/* 10 bytes, then 4 of them again with 3 new ones, then 20 lost ones, then 6. */
	assert_int_equal(
	    flow_data(f, &info, EV_READ, 5019 + sizeof(OK100) - 1, SPAN_LIT("0123456789"), 4), 0);
	assert_int_equal(
	    flow_data(f, &info, EV_READ, 5019 + sizeof(OK100) - 1 + 6, SPAN_LIT("6789abc"), 5), 0);
	assert_int_equal(
	    flow_data(f, &info, EV_READ, 5019 + sizeof(OK100) - 1 + 33, SPAN_LIT("xyzxyz"), 6), 0);
	assert_int_equal(st->duplicate_bytes, 4);
	assert_int_equal(st->gaps, 1);
	assert_int_equal(st->gap_bytes, 20);
	assert_true(flow_undecided(f) > 0);
	flow_close(
	    f, 9,
	    (const uint64_t[]){
		[EV_READ] = 5019 + sizeof(OK100) - 1 + 100, [EV_WRITE] = 700 + sizeof(GET) - 1 },
	    7);
	assert_int_equal(st->gap_bytes, 20 + 61);
	assert_int_equal(flow_undecided(f), 0);
	assert_string_equal(
	    text_of(&log),
	    GET_LOG("1") "1 response 200\n  content-length: 100\n1 response body 0123456789abc\n"
			 "1 response gap 20\n1 response body xyzxyz\n1 response gap 61\n" END_LOG(
			     "1", "200", "19+81"));
}

/* Its handshake was not seen: what stands at position 0 may be the tail of anything. */
static void test_midway(void **state)
{
	static const uint64_t zero[EV_DIR_MAX_];
	struct conn_info info = wire_conn(9);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	struct flow *f;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	f = wire_flow(w);
	info.midway = true;
	assert_int_equal(flow_open(f, &info, zero, 1), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, 0, SPAN_LIT("tail of a body"), 1), 0);
	assert_int_equal(flow_data(f, &info, EV_WRITE, 0, SPAN_LIT(GET), 2), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, 14, SPAN_LIT(OK2), 3), 0);
	assert_int_equal(flow_data(f, &info, EV_READ, 14 + sizeof(OK2) - 1, SPAN_LIT("aa"), 4), 0);
	assert_int_equal(flow_stats(f)->not_http, 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") OK2_LOG("1", "aa") END_LOG("1", "200", "2+0"));
}

/* The data ring may be ahead of the control ring. */
static void test_data_before_open(void **state)
{
	static const uint64_t zero[EV_DIR_MAX_];
	struct conn_info info = wire_conn(9);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	struct ev_sock sock = { .family = 2, .remote_port = 443 };

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	assert_int_equal(flow_data(wire_flow(w), &info, EV_WRITE, 10, SPAN_LIT(GET), 1), 0);
	info.tgid = 101;
	assert_int_equal(flow_open(wire_flow(w), &info, zero, 2), 0);
	assert_int_equal(flow_stats(wire_flow(w))->gap_bytes, 10);
	assert_int_equal(flow_stats(wire_flow(w))->open_conns, 1);
	flow_sock(wire_flow(w), 9, &sock);
	flow_exit(wire_flow(w), 100, 5, 3);
	assert_int_equal(flow_stats(wire_flow(w))->open_conns, 1);
	flow_exit(wire_flow(w), 101, 5, 3);
	assert_int_equal(flow_stats(wire_flow(w))->open_conns, 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") "1 end status=0 request=complete,0+0 response=cut,0+0\n");
}

/* --- content codings */

static struct span pack(int window, const char *text, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)text,
		       .avail_in = (unsigned)len,
		       .next_out = out,
		       .avail_out = (unsigned)room };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return span_of(out, room - z.avail_out);
}

static void coded(const char *coding, struct span body, size_t lost, const char *want_body,
		  const char *want_end, unsigned errors)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	char head[256], want[512];

	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", coding,
		 body.len);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT("GET / HTTP/1.1\r\n\r\n"), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, span_str(head), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, span_sub(body, 0, body.len - lost - 1), 0), 0);
	wire_lose(w, 1, EV_READ, lost);
	assert_int_equal(wire_send(w, 1, EV_READ, span_sub(body, body.len - 1, 1), 0), 0);
	snprintf(want, sizeof(want),
		 "1 request client GET / host=\n1 request end\n1 response 200\n  content-encoding: "
		 "%s\n  content-length: %zu\n"
		 "%s1 end status=200%s request=complete,0+0 response=complete,%zu+%zu\n",
		 coding, body.len, want_body, want_end, body.len - lost, lost);
	assert_string_equal(text_of(&log), want);
	assert_int_equal(flow_stats(wire_flow(w))->decode_errors, errors);
}

static void test_codings(void **state)
{
	uint8_t out[256];
	static const char text[] = "the same again, the same again";
	static const char decoded[] = "1 response body the same again, the same again\n";
	struct span gz = pack(31, text, sizeof(text) - 1, out, sizeof(out));
	size_t len;

	(void)state;
	coded("gzip", gz, 0, decoded, "", 0);
	coded("X-GZIP", gz, 0, decoded, "", 0);
	coded("identity, gzip", gz, 0, decoded, "", 0);
	/* A gap ends the decoding; the wire is still counted. */
	coded("gzip", gz, 24, "1 response body the\n1 response gap 0\n", "", 0);
	coded("deflate", pack(15, text, sizeof(text) - 1, out, sizeof(out)), 0, decoded, "", 0);
	coded("deflate", pack(-15, text, sizeof(text) - 1, out, sizeof(out)), 0, decoded, "", 0);
	coded("identity", SPAN_LIT("plain"), 0, "1 response body plain\n", "", 0);
	len = sizeof(out);
	assert_true(BrotliEncoderCompress(5, 18, BROTLI_MODE_TEXT, sizeof(text) - 1,
					  (const uint8_t *)text, &len, out));
	coded("br", span_of(out, len), 0, decoded, "", 0);
	coded("br", SPAN_LIT("\xff\xff\xff\xff"), 0, "1 response gap 0\n", " ambiguous", 1);
	len = ZSTD_compress(out, sizeof(out), text, sizeof(text) - 1, 3);
	coded("zstd", span_of(out, len), 0, decoded, "", 0);
	/* What the bytes show goes before what the head says. */
	coded("identity", span_of(out, len), 0, decoded, " ambiguous", 0);
	coded("gzip", span_of(out, len), 0, decoded, " ambiguous", 1);
	coded("gzip", SPAN_LIT("no gzip at all, but it says so"), 0,
	      "1 response body no gzip at all, but it says so\n", " ambiguous", 1);
	coded("utf-8", SPAN_LIT("plain"), 0, "1 response body plain\n", " ambiguous", 1);
}

/* In the order in which they were applied. */
static void test_stacked(void **state)
{
	static const char text[] = "the same again, the same again";
	static const char decoded[] = "1 response body the same again, the same again\n";
	uint8_t one[256], two[256], three[256];
	struct span gz = pack(31, text, sizeof(text) - 1, one, sizeof(one)), deflated;
	size_t len = sizeof(three);

	(void)state;
	deflated = pack(15, (const char *)gz.p, gz.len, two, sizeof(two));
	coded("gzip, deflate", deflated, 0, decoded, "", 0);
	assert_true(BrotliEncoderCompress(5, 18, BROTLI_MODE_GENERIC, deflated.len, deflated.p,
					  &len, three));
	coded("gzip,deflate , br", span_of(three, len), 0, decoded, "", 0);
	coded("gzip, gzip", gz, 0, "1 response gap 0\n", " ambiguous", 1);
	coded("br, br, br, br, br", SPAN_LIT("x"), 0, "1 response body x\n", " ambiguous", 1);
}

/* Zeros without end, in one coding or in several: a fraction of them comes out, the decoders'
 * memory is given back at once though the body goes on, and the turn says what of it was not read.
 */
static struct span pack_by(const char *coding, struct span in, uint8_t *out, size_t room)
{
	size_t len = room;

	if (!strcmp(coding, "gzip"))
		return pack(31, (const char *)in.p, in.len, out, room);
	if (!strcmp(coding, "deflate"))
		return pack(15, (const char *)in.p, in.len, out, room);
	if (!strcmp(coding, "zstd")) {
		len = ZSTD_compress(out, room, in.p, in.len, 3);
		assert_false(ZSTD_isError(len));
	} else {
		assert_true(
		    BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, in.len, in.p, &len, out));
	}
	return span_of(out, len);
}

static void bomb(const char *const *codings, size_t n)
{
	enum { LEN = 16 << 20, ROOM = LEN / 16, HELD = 1 << 20 };
	static uint8_t zeros[LEN], rooms[2][ROOM];
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	struct span body = span_of(zeros, LEN);
	const struct flow_stats *st;
	const struct reader_stats *rs;
	char head[256], names[64] = "";
	size_t before;

	for (size_t i = 0; i < n; i++) {
		body = pack_by(codings[i], body, rooms[i % 2], ROOM);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", codings[i]);
	}
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, NULL), 0);
	st = flow_stats(wire_flow(w));
	rs = wire_reader_stats(w);
	wire_open(w, 1);
	/* What is behind it belongs to the body still, so that this is open when it is looked at.
	 */
	snprintf(head, sizeof(head),
		 "POST /v1/chat/completions HTTP/1.1\r\nContent-Encoding: %s\r\nContent-Length: "
		 "%zu\r\n\r\n",
		 names, body.len + 10000);
	before = mallinfo2().uordblks;
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(head), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_WRITE, body, 4096), 0);
	assert_int_equal(st->decode_errors, 1);
	assert_int_equal(st->bombs, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT("more"), 0), 0);
	assert_in_range(mallinfo2().uordblks - before, 0, HELD);
	wire_close(w, 1);
	assert_in_range(rs->skipped[SKIP_CODING], 4, body.len + 4);
}

static void test_bombs(void **state)
{
	static const char *const stacks[][3] = {
		{ "gzip" },	    { "deflate" },	    { "br" },
		{ "zstd" },	    { "gzip", "gzip" },	    { "br", "gzip" },
		{ "zstd", "br" },   { "gzip", "zstd" },	    { "gzip", "gzip", "gzip" },
		{ "zstd", "zstd" }, { "br", "zstd", "br" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		size_t n = 0;

		while (n < 3 && stacks[i][n])
			n++;
		bomb(stacks[i], n);
	}
}

/* What a message says of its length takes no memory; what did not come of it is not there. */
static void test_huge_lengths(void **state)
{
	static const char *const messages[] = {
		"PUT / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\nten bytes.",
		"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\nten bytes.",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = NULL;
		size_t before;

		assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
		before = mallinfo2().uordblks;
		wire_open(w, 1);
		assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(messages[i]), 0), 0);
		assert_in_range(mallinfo2().uordblks - before, 0, 16 << 10);
		wire_close(w, 1);
		assert_non_null(strstr(text_of(&log), "request body ten bytes.\n"));
		assert_non_null(strstr(text_of(&log), " request=cut,10+0 "));
	}
}

/* A coding that nobody knows is counted apart from one that broke. */
static void test_unknown_coding(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE,
				   SPAN_LIT("PUT / HTTP/1.1\r\nContent-Encoding: exi\r\n"
					    "Content-Length: 4\r\n\r\n\x80\x40\x01\x02"),
				   0),
			 0);
	assert_int_equal(flow_stats(wire_flow(w))->unknown_codings, 1);
	assert_int_equal(flow_stats(wire_flow(w))->decode_errors, 1);
	assert_int_equal(flow_stats(wire_flow(w))->bombs, 0);
}

/* Each of two codings keeps its ratio; what comes out of both does not. */
static void test_nested_bomb(void **state)
{
	enum { LEN = 32 << 20 };
	auto_mem char *text = malloc(LEN);
	auto_mem uint8_t *once = malloc(LEN), *twice = malloc(LEN);
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	struct flow_limits limits = flow_defaults;
	struct span z;
	char head[128];

	(void)state;
	/* 100 bytes that repeat, and every 10,000 something new: about 1:100 each time. */
	for (size_t i = 0; i < LEN; i++)
		text[i] = (char)(i % 10000 < 60 ? i / 10000 * 31 + i * 7 : i % 100);
	z = pack(31, text, LEN, once, LEN);
	z = pack(31, (const char *)z.p, z.len, twice, LEN);
	limits.max_conns = 8;
	limits.max_ratio = 250;
	assert_true(LEN / z.len > limits.max_ratio * 2);
	assert_int_equal(wire_new(&w, WIRE_TURNS, &log, &limits), 0);
	wire_open(w, 1);
	snprintf(head, sizeof(head),
		 "POST /v1/chat/completions HTTP/1.1\r\nContent-Encoding: gzip, "
		 "gzip\r\nContent-Length: %zu\r\n\r\n",
		 z.len);
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(head), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_WRITE, z, 4096), 0);
	assert_int_equal(flow_stats(wire_flow(w))->bombs, 1);
}

/* --- event streams */

static void test_events(void **state)
{
	(void)state;
	expect(
	    STEPS({ OUT, GET }, { IN, "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream ; "
				      "charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "14\r\nevent: a\ndata: one\n\n\r\n"
				      "c\r\ndata: two\n\nd\r\n"
				      "8\r\nata: x\n\n\r\n"
				      "0\r\n\r\n" }),
	    GET_LOG(
		"1") "1 response 200 streamed\n  content-type: Text/Event-Stream ; charset=utf-8\n"
		     "  transfer-encoding: chunked\n1 event a one\n1 event  two\n1 event  "
		     "x\n" END_LOG("1", "200", "40+0"));
	/* A stream that loses bytes goes on with its next event. */
	expect(STEPS({ OUT, GET },
		     { IN, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "
			   "one\n\ndata: t" },
		     { LOSE_IN, NULL, 12 }, { IN, "ree\n\ndata: four\n\n" }, { CLOSE }),
	       GET_LOG("1") "1 response 200 streamed\n  content-type: text/event-stream\n1 event  "
			    "one\n1 event damaged  t\n"
			    "1 response gap 12\n1 event  four\n" END_LOG("1", "200", "35+12"));
}

/* What says that it is framed and is not is a body. */
static void test_framing_doubted(void **state)
{
	(void)state;
	expect(STEPS({ OUT, "POST / HTTP/1.1\r\nContent-Type: application/grpc\r\n"
			    "Content-Length: 7\r\n\r\n{\"a\":1}" },
		     { IN, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			   "Content-Length: 7\r\n\r\n{\"b\":2}" }),
	       "1 request client POST / host=\n  content-type: application/grpc\n  "
	       "content-length: 7\n1 request body {\"a\":1}\n1 request end\n"
	       "1 response 200 streamed\n  content-type: text/event-stream\n  content-length: 7\n"
	       "1 response body {\"b\":2}\n1 end status=200 request=complete,7+0 "
	       "response=complete,7+0\n");
	expect(STEPS({ OUT, GET }, { IN, "HTTP/1.1 200 OK\r\nContent-Type: "
					 "application/vnd.amazon.eventstream\r\n"
					 "Content-Length: 14\r\n\r\n\1 other things" }),
	       GET_LOG("1") "1 response 200 streamed\n  content-type: "
			    "application/vnd.amazon.eventstream\n  content-length: 14\n"
			    "1 response body \\x01 other things\n" END_LOG("1", "200", "14+0"));
}

#define GRPC(type, len)                                                                            \
	"HTTP/1.1 200 OK\r\nContent-Type: " type "\r\nContent-Length: " len "\r\n\r\n"

static void test_grpc(void **state)
{
	static const char request[] =
	    "POST /pkg.Service/Call HTTP/1.1\r\nContent-Type: application/grpc-web+proto\r\n"
	    "Content-Length: 8\r\n\r\n\0\0\0\0\3abc";
	static const char response[] =
	    GRPC("application/grpc+proto", "13") "\0\0\0\0\2hi\x80\0\0\0\1x";

	(void)state;
	expect(STEPS({ OUT, request, sizeof(request) - 1 }, { IN, response, sizeof(response) - 1 }),
	       "1 request client POST /pkg.Service/Call host=\n  content-type: "
	       "application/grpc-web+proto\n  content-length: 8\n1 request event binary  abc\n"
	       "1 request end\n1 response 200 streamed\n  content-type: application/grpc+proto\n  "
	       "content-length: 13\n1 event binary  hi\n1 event trailers x\n"
	       "1 end status=200 request=complete,8+0 response=complete,13+0\n");
}

/* gRPC-Web's text form: base64, a padded piece for each flush; compressed on top of that, too. */
static void test_grpc_text(void **state)
{
	(void)state;
	expect(
	    STEPS({ OUT,
		    "POST /pkg.Service/Call HTTP/1.1\r\nContent-Type: "
		    "application/grpc-web-text+proto\r\nContent-Length: 12\r\n\r\nAAAAAANhYmM=" },
		  { IN, GRPC("application/grpc-web-text", "22") "AAAAAAJoaQ==gAAAAAF4\r\n" }),
	    "1 request client POST /pkg.Service/Call host=\n  content-type: "
	    "application/grpc-web-text+proto\n  content-length: 12\n1 request event binary  abc\n"
	    "1 request end\n1 response 200 streamed\n  content-type: application/grpc-web-text\n  "
	    "content-length: 22\n1 event binary  hi\n1 event trailers x\n"
	    "1 end status=200 request=complete,12+0 response=complete,22+0\n");
	/* Not what the head says. */
	expect(STEPS({ OUT, GET }, { IN, GRPC("application/grpc-web-text", "7") "{\"a\":1}" }),
	       GET_LOG("1") "1 response 200 streamed\n  content-type: application/grpc-web-text\n  "
			    "content-length: 7\n1 response gap 0\n1 end status=200 ambiguous "
			    "request=complete,0+0 response=complete,7+0\n");
}

/* --- WebSocket */

#define UPGRADE	 "GET /v1/realtime HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
#define UPGRADED_LOG                                                                               \
	"1 request client GET /v1/realtime host=\n  connection: Upgrade\n  upgrade: "              \
	"websocket\n1 request end\n1 response 101\n  upgrade: WebSocket\n"

static void test_websocket(void **state)
{
	(void)state;
	/* Its messages come as they are complete, of both sides; control frames between them. */
	expect(STEPS({ OUT, UPGRADE }, { IN, UPGRADED "\r\n\x81\x05hello" },
		     { OUT, "\x81\x82"
			    "abcd\x09\x0b" },
		     { IN, "\x01\x03one\x89\x01p\x80\x03two" },
		     { OUT, "\x88\x80"
			    "abcd" },
		     { IN, "\x88\x01x" }, { CLOSE }),
	       UPGRADED_LOG "1 event  hello\n1 request event  hi\n1 event  onetwo\n"
			    "1 end status=101 request=complete,14+0 response=complete,23+0\n");
	/* Bytes are lost: inside of a frame, then over the beginning of one. */
	expect(STEPS({ OUT, UPGRADE }, { IN, UPGRADED "\r\n\x81\x07{\"a\"" }, { LOSE_IN, NULL, 2 },
		     { IN, "}\x81\x04"
			   "next\x81" },
		     { LOSE_IN, NULL, 30 }, { IN, "tail\x81\x07{\"b\":1}" }, { CLOSE }),
	       UPGRADED_LOG
	       "1 response gap 2\n1 event damaged  {\"a\"}\n1 event  next\n1 response gap 30\n"
	       "1 event  {\"b\":1}\n"
	       "1 end status=101 request=cut,0+0 response=cut,27+32\n");
}

/* One that was open before anybody listened. Nothing is known of its upgrade, nor of what its
 * messages refer back to; records begin with frames, mostly.
 */
static void test_websocket_joined(void **state)
{
	static const struct step steps[] = {
		{ IN, "tail\"}" },
		{ IN, "\x89\x01p" },			  /* a ping alone is too little */
		{ OUT, "\x81\x87\0\0\0\0{\"a\":1}", 13 }, /* the client speaks */
		{ IN, "rest of a frame" },
		{ IN, "\xc1\x12\xaa\xc6\"\x9d\x97Z\x0e\x92T\xc8*\xcd-(V\xaa\5\0", 20 },
		{ IN, "\x81\x04next" },
		{ OUT, "\x81\x82\0\0\0\0hi", 8 },
		{ CLOSE },
		{ END },
	};
	auto_free(evlog) struct evlog log = { 0 };

	(void)state;
	assert_int_equal(play_joined(steps, &log), 0);
	assert_string_equal(
	    text_of(&log),
	    "1 request client   host=\n1 request end\n1 response 0 streamed\n1 response gap 0\n"
	    "1 request event  {\"a\":1}\n"
	    "1 event damaged  {???????????????????new???? jumps\"}\n1 event  next\n"
	    "1 request event  hi\n1 end status=0 request=cut,21+0 response=cut,41+0\n");
}

/* The extension's parameters are each direction's own: here the server forgets, the client does
 * not.
 */
static void test_websocket_deflate(void **state)
{
	char out[64], in[256], want[1024];
	struct step steps[] = { { OUT, UPGRADE },     { IN, in }, { OUT, out },
				{ IN, "\x81\x02ok" }, { CLOSE },  { END } };
	z_stream z = { 0 };
	uint8_t packed[32];
	size_t n = 0;

	(void)state;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (unsigned i = 0; i < 2; i++) {
		size_t len;

		z.next_in = (uint8_t *)(uintptr_t) "{\"same\":\"words\"}";
		z.avail_in = 16;
		z.next_out = packed;
		z.avail_out = sizeof(packed);
		assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
		len = sizeof(packed) - z.avail_out - 4;
		out[n++] = (char)0xc1;
		out[n++] = (char)(0x80 | len);
		memcpy(out + n, "\0\0\0\0", 4); /* a mask that changes nothing */
		memcpy(out + n + 4, packed, len);
		n += 4 + len;
	}
	deflateEnd(&z);
	steps[2].n = n;
	snprintf(in, sizeof(in),
		 UPGRADED "Sec-WebSocket-Extensions: permessage-deflate; "
			  "server_no_context_takeover\r\n\r\n");
	snprintf(want, sizeof(want),
		 UPGRADED_LOG
		 "  sec-websocket-extensions: permessage-deflate; server_no_context_takeover\n"
		 "1 request event  {\"same\":\"words\"}\n1 request event  {\"same\":\"words\"}\n"
		 "1 event  ok\n1 end status=101 request=cut,%zu+0 response=cut,4+0\n",
		 n);
	expect(steps, want);
}

/* --- what is not for us */

static enum flow_mute mutable(struct wire *w, uint64_t conn) {
	enum ev_dir dir = EV_DIR_MAX_; enum flow_mute m = flow_mutable(wire_flow(w), conn, &dir);

	if (m != FLOW_WATCH && m != FLOW_MUTE_ALL) assert_int_equal(dir, EV_READ);
	return m;
}

static void test_not_http(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(mutable(w, 1), FLOW_WATCH);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT("PRI * HTTP/2.0\r\n\r\nSM?"), 1), 0);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(flow_stats(wire_flow(w))->not_http, 1);
	assert_int_equal(mutable(w, 1), FLOW_MUTE_ALL);
	assert_string_equal(text_of(&log), "");
	wire_open(w, 2);
	assert_int_equal(wire_send(w, 2, EV_READ, SPAN_LIT("* OK IMAP4rev1 ready\r\n"), 0), 0);
	assert_int_equal(flow_stats(wire_flow(w))->not_http, 2);
	assert_int_equal(mutable(w, 3), FLOW_WATCH);
	/* When the mute lapses, it may speak HTTP after all. */
	flow_skipped(wire_flow(w), 2, 1 << EV_WRITE);
	assert_int_equal(mutable(w, 2), FLOW_WATCH);
	assert_int_equal(wire_send(w, 2, EV_READ, SPAN_LIT("* 4 EXISTS\r\n"), 0), 0);
	assert_int_equal(wire_send(w, 2, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(wire_send(w, 2, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") OK2_LOG("1", "ok") END_LOG("1", "200", "2+0"));
	/* Or not: it is muted again soon, and counted once. */
	flow_skipped(wire_flow(w), 1, 1 << EV_WRITE);
	for (int i = 0; mutable(w, 1) == FLOW_WATCH; i++) {
		assert_in_range(i, 0, 100);
		assert_int_equal(
		    wire_send(w, 1, EV_WRITE, span_of(memset((char[1024]){}, 'x', 1024), 1024), 0),
		    0);
	}
	assert_int_equal(flow_stats(wire_flow(w))->not_http, 2);
}

#define UNWANTED "GET /unwanted HTTP/1.1\r\n\r\n"

static void ask(struct wire *w, const char *request)
{
	assert_int_equal(wire_send(w, 1, EV_WRITE, span_str(request), 0), 0);
}

static void answer(struct wire *w, const char *response)
{
	assert_int_equal(wire_send(w, 1, EV_READ, span_str(response), 0), 0);
}

/* What is missing in an answer that nobody wants is no loss, in one of interest it is. */
static void test_lost_unwanted(void **state)
{
	static const struct {
		const char *request, *head;
		uint64_t lost;
	} rows[] = {
		{ UNWANTED, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12", 0 },
		{ UNWANTED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12", 0 },
		{ GET, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12", 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = NULL;

		assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
		wire_open(w, 1);
		ask(w, rows[i].request);
		answer(w, rows[i].head);
		wire_lose(w, 1, EV_READ, 8);
		wire_close(w, 1);
		assert_int_equal(flow_stats(wire_flow(w))->gaps, 1);
		assert_int_equal(flow_stats(wire_flow(w))->gap_bytes, rows[i].lost);
	}
}

/* What the kernel does to answers: no byte, no position. */
static void skip_answer(struct wire *w)
{
	flow_skipped(wire_flow(w), 1, 1 << EV_READ);
}

static struct wire *muted(struct evlog *log)
{
	struct wire *w;
	int n = 0;

	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, log, NULL), 0);
	wire_open(w, 1);
	for (; n < 100 && mutable(w, 1) != FLOW_MUTE_ANSWERS; n++) {
		ask(w, UNWANTED);
		answer(w, OK2 "ok");
	}
	assert_true(n > 1 && n < 100);
	/* Nothing but their beginnings and ends was given out. */
	assert_null(strstr(text_of(log), "body"));
	assert_non_null(
	    strstr(text_of(log), "1 end status=200 request=complete,0+0 response=complete,2+0\n"));
	evlog_free(log);
	return w;
}

/* The log from the first line with "host=example", which is what follows is about. */
static const char *wanted(const struct evlog *log)
{
	const char *at = strstr(text_of(log), "host=example");

	while (at && at > log->p && at[-1] != '\n')
		at--;
	return at ? at : "";
}

static void test_mutable(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = muted(&log);

	(void)state;
	ask(w, GET);
	assert_int_equal(mutable(w, 1), FLOW_WATCH);
	answer(w, OK2 "ok");
	/* It may ask for something like that again. */
	assert_int_equal(mutable(w, 1), FLOW_WATCH);
}

/* However many answers nobody captured before it, an exchange of interest is whole. */
static void test_muted_answers(void **state)
{
	(void)state;
	for (int n = 0; n < 200; n += 7) {
		auto_free(evlog) struct evlog log = { 0 };
		auto_free(wire) struct wire *w = muted(&log);

		for (int i = 0; i < n; i++) {
			ask(w, UNWANTED);
			/* The last ones before the kernel heard of it were captured. */
			if (i < 3)
				answer(w, OK2 "no");
			else
				skip_answer(w);
			assert_int_equal(mutable(w, 1), FLOW_MUTE_ANSWERS);
		}
		ask(w, GET);
		answer(w, OK2 "ok");
		assert_true(strstr(wanted(&log), "response 200\n") &&
			    strstr(wanted(&log), "response body ok\n") &&
			    strstr(wanted(&log), "end status=200 request=complete,0+0 "
						 "response=complete,2+0\n"));
		assert_int_equal(flow_stats(wire_flow(w))->unpaired, 0);
		assert_int_equal(flow_stats(wire_flow(w))->cut, 0);
	}
}

/* The tail of an answer that is not captured from its beginning stands before one that is. */
static void test_muted_pipeline(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = muted(&log);

	(void)state;
	ask(w, UNWANTED UNWANTED UNWANTED);
	skip_answer(w);
	ask(w, GET);
	answer(w, "tail of the third answer" OK2 "ok");
	ask(w, UNWANTED);
	answer(w, OK2 "no");
	assert_true(strstr(wanted(&log), "response 200\n") &&
		    strstr(wanted(&log), "response body ok\n"));
	assert_null(strstr(wanted(&log), "response body no\n"));
	assert_int_equal(flow_stats(wire_flow(w))->unpaired, 0);
}

/* Wanted and unwanted in turn: never muted once one was wanted, but for the rest of a long answer.
 */
static void test_alternating(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	for (int i = 0; i < 50; i++) {
		ask(w, UNWANTED);
		assert_int_equal(mutable(w, 1), FLOW_WATCH);
		answer(w, OK100 "some of it");
		assert_int_equal(mutable(w, 1), FLOW_MUTE_TURN);
		skip_answer(w);
		ask(w, GET);
		assert_int_equal(mutable(w, 1), FLOW_WATCH);
		answer(w, OK2 "ok");
		assert_int_equal(mutable(w, 1), FLOW_WATCH);
		assert_non_null(strstr(wanted(&log), "response body ok\n"));
		evlog_free(&log);
	}
	/* Two requests before an answer: the second's is not muted with the first's. */
	ask(w, UNWANTED GET);
	answer(w, OK100 "some of it");
	assert_int_equal(mutable(w, 1), FLOW_WATCH);
	assert_int_equal(flow_stats(wire_flow(w))->unpaired, 0);
}

/* --- caps */

static void test_limits(void **state)
{
	struct flow_limits l = flow_defaults;
	struct flow *f = NULL;

	(void)state;
	l.max_pipeline = 0;
	assert_int_equal(flow_new(&f, &l, &reader_flow_ops, NULL), -EINVAL);
	assert_null(f);
}

static void test_table_full(void **state)
{
	struct flow_limits l = flow_defaults;
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	l.max_conns = 2;
	l.idle_ns = 1000;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, &l), 0);
	wire_open(w, 1);
	wire_open(w, 2);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	wire_open(w, 3);
	/* The second was idle longest. */
	assert_int_equal(flow_stats(wire_flow(w))->evicted, 1);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") OK2_LOG("1", "ok") END_LOG("1", "200", "2+0"));
	flow_tick(wire_flow(w), 1500);
	assert_int_equal(flow_stats(wire_flow(w))->open_conns, 2);
	flow_tick(wire_flow(w), 5000);
	assert_int_equal(flow_stats(wire_flow(w))->open_conns, 0);
	assert_int_equal(flow_stats(wire_flow(w))->evicted, 1);
}

static void test_too_many_requests(void **state)
{
	struct flow_limits l = flow_defaults;
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	l.max_conns = 2;
	l.max_pipeline = 2;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, &l), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET GET GET GET), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "aa" OK2 "bb" OK2 "cc" OK2 "dd"), 0),
			 0);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ee"), 0), 0);
	assert_string_equal(text_of(&log),
			    GET_LOG("1") GET_LOG("2") OK2_LOG("1", "aa") END_LOG("1", "200", "2+0")
				OK2_LOG("2", "bb") END_LOG("2", "200", "2+0") GET_LOG("3")
				    OK2_LOG("3", "ee") END_LOG("3", "200", "2+0"));
	assert_int_equal(flow_stats(wire_flow(w))->unpaired, 2);
	assert_int_equal(flow_stats(wire_flow(w))->cut, 2);
}

/* What decides how a body is read counts even where the head is too long to be kept. */
static void test_long_head(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;
	char field[1200];

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT("HTTP/1.1 200 OK\r\n"), 0), 0);
	memset(field, 'x', sizeof(field));
	memcpy(field + sizeof(field) - 6, ": v\r\n", 5);
	for (int i = 0; i < 70; i++)
		assert_int_equal(wire_send(w, 1, EV_READ, span_of(field, sizeof(field) - 1), 0), 0);
	assert_int_equal(
	    wire_send(
		w, 1, EV_READ,
		SPAN_LIT("Content-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: x\n\n"),
		0),
	    0);
	assert_non_null(strstr(text_of(&log), "1 response 200 streamed\n"));
	assert_non_null(strstr(text_of(&log), "1 event  x\n"));
	assert_int_equal(flow_stats(wire_flow(w))->cut, 1);
}

static void test_body_cap(void **state)
{
	struct flow_limits l = flow_defaults;
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	l.max_conns = 2;
	l.max_body = 5;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, &l), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE,
				   SPAN_LIT("PUT / HTTP/1.1\r\nContent-Length: 8\r\n\r\n12345678"),
				   3),
			 0);
	assert_string_equal(
	    text_of(&log),
	    "1 request client PUT / host=\n  content-length: 8\n1 request body 12345\n"
	    "1 request gap 0\n1 request end\n");
	assert_int_equal(flow_stats(wire_flow(w))->cut, 1);
}

/* Contradictory framing is marked; it must not stop what follows. */
static void test_ambiguous(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE,
				   SPAN_LIT("POST / HTTP/1.1\r\nContent-Length: "
					    "3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
				   0),
			 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_non_null(strstr(text_of(&log), "1 end status=200 ambiguous "));
	assert_int_equal(flow_stats(wire_flow(w))->ambiguous, 1);
}

static void test_broken(void **state)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = NULL;

	(void)state;
	assert_int_equal(wire_new(&w, WIRE_EXCHANGES, &log, NULL), 0);
	wire_open(w, 1);
	assert_int_equal(
	    wire_send(w, 1, EV_WRITE,
		      SPAN_LIT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 0),
	    0);
	assert_int_equal(
	    wire_send(w, 1, EV_READ,
		      SPAN_LIT("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), 0),
	    0);
	assert_non_null(
	    strstr(text_of(&log), "1 end status=400 request=broken,0+0 response=complete,0+0\n"));
	assert_int_equal(flow_stats(wire_flow(w))->broken, 1);
	assert_int_equal(wire_send(w, 1, EV_WRITE, SPAN_LIT(GET), 0), 0);
	assert_int_equal(wire_send(w, 1, EV_READ, SPAN_LIT(OK2 "ok"), 0), 0);
	assert_non_null(strstr(text_of(&log), END_LOG("2", "200", "2+0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_unwanted),
		cmocka_unit_test(test_pair),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_leaves_http),
		cmocka_unit_test(test_early_response),
		cmocka_unit_test(test_unpaired),
		cmocka_unit_test(test_gap_in_body),
		cmocka_unit_test(test_gap_over_response),
		cmocka_unit_test(test_gap_in_pipeline),
		cmocka_unit_test(test_gap_over_request),
		cmocka_unit_test(test_gap_over_request_end),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_midway),
		cmocka_unit_test(test_data_before_open),
		cmocka_unit_test(test_codings),
		cmocka_unit_test(test_stacked),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_unknown_coding),
		cmocka_unit_test(test_huge_lengths),
		cmocka_unit_test(test_nested_bomb),
		cmocka_unit_test(test_framing_doubted),
		cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_grpc_text),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_websocket_joined),
		cmocka_unit_test(test_websocket_deflate),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_not_http),
		cmocka_unit_test(test_mutable),
		cmocka_unit_test(test_muted_answers),
		cmocka_unit_test(test_muted_pipeline),
		cmocka_unit_test(test_alternating),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_too_many_requests),
		cmocka_unit_test(test_long_head),
		cmocka_unit_test(test_body_cap),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
