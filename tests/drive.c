/* tests/drive.c - every parser behind one face. */
#include "drive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/own.h"
#include "guard.h"
#include "parse/coding.h"
#include "parse/http1.h"
#include "parse/json.h"
#include "parse/sse.h"

#define JSON_DEPTH   16
#define SSE_MAX	     64
#define CODING_OUT   (1 << 20)
#define CODING_RATIO 100

/* Which errors came, however often: how often depends on how the input was cut. */
struct verdict {
	bool badmsg, e2big, opnotsupp;
};

/* Returns what a test must hear of: -ENOMEM. */
static int verdict_add(struct verdict *v, int err)
{
	v->badmsg |= err == -EBADMSG;
	v->e2big |= err == -E2BIG;
	v->opnotsupp |= err == -EOPNOTSUPP;
	promise(!err || err == -ENOMEM || err == -EBADMSG || err == -E2BIG || err == -EOPNOTSUPP);
	return err == -ENOMEM ? err : 0;
}

static void verdict_log(const struct verdict *v, struct evlog *log)
{
	evlog_line(log, "verdict%s%s%s%s", v->badmsg ? " EBADMSG" : "", v->e2big ? " E2BIG" : "",
		   v->opnotsupp ? " EOPNOTSUPP" : "",
		   v->badmsg || v->e2big || v->opnotsupp ? "" : " ok");
}

/* --- json */

struct drive_json {
	struct json *json;
	struct evlog *log;
	struct verdict verdict;
	unsigned depth;
	bool in_string;
};

static bool is_utf8(struct span s)
{
	uint32_t cp;

	while (s.len) {
		size_t n = utf8_decode(s, &cp);

		if (!n)
			return false;
		s = span_sub(s, n, s.len);
	}
	return true;
}

static void on_json(void *ctx, const struct json_event *e)
{
	static const char *const kinds[] = { "object", "object_end", "array", "array_end", "string",
					     "number", "true",	     "false", "null" };
	struct drive_json *d = ctx;

	static_assert(ARRAY_SIZE(kinds) == JSON_KIND_MAX_, "kind without a name");
	if (e->kind == JSON_OBJECT_END || e->kind == JSON_ARRAY_END)
		d->depth--;
	promise(e->depth == d->depth && e->depth <= JSON_DEPTH && e->n_index <= e->depth);
	if (e->kind == JSON_OBJECT || e->kind == JSON_ARRAY)
		d->depth++;
	promise(e->path_hash == json_path_hash(e->path) && strlen(e->path) < JSON_PATH_MAX &&
		is_utf8(span_str(e->path)));
	promise(e->kind == JSON_STRING || (e->first && e->last));
	promise(e->first == !d->in_string);
	promise(e->kind != JSON_STRING || is_utf8(e->text));
	promise(e->kind != JSON_NUMBER || (e->text.len && e->text.len <= JSON_NUMBER_MAX));
	if (e->first) {
		evlog_begin(d->log, "%s ", kinds[e->kind]);
		evlog_text(d->log, span_str(e->path));
		for (unsigned i = 0; i < e->n_index; i++) {
			char s[16];

			snprintf(s, sizeof(s), "%s%u", i ? "," : " #", e->index[i]);
			evlog_text(d->log, span_str(s));
		}
		evlog_text(d->log, e->kind == JSON_STRING || e->kind == JSON_NUMBER
				       ? SPAN_LIT(" = ")
				       : SPAN_LIT(""));
	}
	evlog_text(d->log, e->text);
	d->in_string = !e->last;
	if (e->last) {
		evlog_text(d->log, span_str(e->deep ? " (deep)" : ""));
		evlog_text(d->log, span_str(e->damaged ? " (damaged)" : ""));
		evlog_end(d->log);
	}
}

static int json_open(void **ret, struct evlog *log, const char *arg)
{
	struct drive_json *d = calloc(1, sizeof(*d));
	int err;

	(void)arg;
	if (!d)
		return -ENOMEM;
	d->log = log;
	err = json_new(&d->json, JSON_DEPTH, on_json, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int json_drive(void *p, struct span in)
{
	struct drive_json *d = p;

	return verdict_add(&d->verdict, json_feed(d->json, in));
}

static void json_drive_gap(void *p, uint64_t n)
{
	json_gap(((struct drive_json *)p)->json, n);
}

static void json_drive_end(void *p)
{
	struct drive_json *d = p;
	uint64_t skipped;

	verdict_add(&d->verdict, json_end(d->json));
	promise(!d->depth && !d->in_string);
	skipped = json_skipped(d->json);
	if (skipped)
		evlog_line(d->log, "skipped %llu", (unsigned long long)skipped);
	verdict_log(&d->verdict, d->log);
}

static void json_drive_free(void *p)
{
	json_free(&((struct drive_json *)p)->json);
	free(p);
}

static const char *const no_args[] = { "", NULL };
const struct driver driver_json = { "json",	    json_open,	     json_drive, json_drive_gap,
				    json_drive_end, json_drive_free, no_args };

/* --- http1: arg is "requests", "responses" or "head" (responses to HEAD) */

struct drive_http1 {
	struct http1 *http1;
	struct evlog *log;
	struct verdict verdict;
	bool no_body, doubtful;
	enum { OUTSIDE, IN_FIELDS, IN_BODY } at;
};

static void on_head(void *ctx, const struct http1_head *h)
{
	struct drive_http1 *d = ctx;

	promise(d->at == OUTSIDE);
	d->at = IN_FIELDS;
	if (h->request) {
		promise(h->method.len && h->target.len);
		evlog_begin(d->log, "request 1.%u ", h->minor);
		evlog_text(d->log, h->method);
		evlog_text(d->log, SPAN_LIT(" "));
		evlog_text(d->log, h->target);
		evlog_end(d->log);
	} else {
		promise(h->status == 101 || (h->status >= 200 && h->status <= 999));
		evlog_line(d->log, "response 1.%u %u", h->minor, h->status);
	}
	if (d->no_body)
		http1_no_body(d->http1);
}

static void on_field(void *ctx, struct span name, struct span value)
{
	struct drive_http1 *d = ctx;

	promise(d->at == IN_FIELDS && name.len && value.len < HTTP1_LINE_MAX);
	evlog_begin(d->log, "field ");
	evlog_text(d->log, name);
	evlog_text(d->log, SPAN_LIT(": "));
	evlog_text(d->log, value);
	evlog_end(d->log);
}

static void on_fields_end(void *ctx, bool ambiguous)
{
	struct drive_http1 *d = ctx;

	promise(d->at == IN_FIELDS);
	d->at = IN_BODY;
	evlog_line(d->log, "fields_end%s", ambiguous ? " ambiguous" : "");
}

static void on_doubtful(void *ctx)
{
	struct drive_http1 *d = ctx;

	promise(d->at == IN_BODY && !d->doubtful);
	d->doubtful = true;
}

static void on_body(void *ctx, struct span data)
{
	struct drive_http1 *d = ctx;

	promise(d->at == IN_BODY && data.len);
	evlog_piece(d->log, "body", data);
}

static void on_gap(void *ctx, uint64_t n)
{
	struct drive_http1 *d = ctx;

	promise(d->at == IN_BODY && n);
	evlog_line(d->log, "gap %llu", (unsigned long long)n);
}

static void on_end(void *ctx, enum http1_end how)
{
	static const char *const names[] = { "complete", "cut", "broken" };
	struct drive_http1 *d = ctx;

	static_assert(ARRAY_SIZE(names) == HTTP1_END_MAX_, "end without a name");
	promise(d->at != OUTSIDE);
	d->at = OUTSIDE;
	evlog_line(d->log, "end %s%s", names[how], d->doubtful ? " doubtful" : "");
	d->doubtful = false;
}

static int http1_open(void **ret, struct evlog *log, const char *arg)
{
	static const struct http1_ops ops = { on_head, on_field, on_fields_end, on_doubtful,
					      on_body, on_gap,	 on_end };
	struct drive_http1 *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	d->no_body = !strcmp(arg, "head");
	err = http1_new(&d->http1, !*arg || !strcmp(arg, "requests"), &ops, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int http1_drive(void *p, struct span in)
{
	struct drive_http1 *d = p;

	return verdict_add(&d->verdict, http1_feed(d->http1, in));
}

static void http1_drive_gap(void *p, uint64_t n)
{
	http1_gap(((struct drive_http1 *)p)->http1, n);
}

static void http1_drive_end(void *p)
{
	struct drive_http1 *d = p;
	const struct http1_stats *s = http1_stats(d->http1);

	http1_end(d->http1);
	promise(d->at == OUTSIDE);
	evlog_line(d->log, "messages %llu broken %llu resynced %llu skipped %llu ambiguous %llu",
		   (unsigned long long)s->messages, (unsigned long long)s->broken,
		   (unsigned long long)s->resynced, (unsigned long long)s->fields_skipped,
		   (unsigned long long)s->ambiguous);
	/* One feed has one error: a tunnel may hide the breakage before it. */
	promise(!d->verdict.badmsg || s->broken);
	d->verdict.badmsg = s->broken;
	verdict_log(&d->verdict, d->log);
}

static void http1_drive_free(void *p)
{
	http1_free(&((struct drive_http1 *)p)->http1);
	free(p);
}

static const char *const http1_args[] = { "requests", "responses", "head", NULL };
const struct driver driver_http1 = { "http1",	      http1_open,      http1_drive,
				     http1_drive_gap, http1_drive_end, http1_drive_free,
				     http1_args };

/* --- sse */

struct drive_sse {
	struct sse *sse;
	struct evlog *log;
};

static void on_sse(void *ctx, const struct sse_event *e)
{
	struct drive_sse *d = ctx;

	promise(e->data.len <= SSE_MAX);
	evlog_begin(d->log, "event ");
	evlog_text(d->log, e->type);
	evlog_text(d->log, SPAN_LIT("|"));
	evlog_text(d->log, e->data);
	evlog_text(d->log, e->damaged ? SPAN_LIT("| damaged") : SPAN_LIT("|"));
	evlog_end(d->log);
}

static int sse_open(void **ret, struct evlog *log, const char *arg)
{
	struct drive_sse *d = calloc(1, sizeof(*d));
	int err;

	(void)arg;
	if (!d)
		return -ENOMEM;
	d->log = log;
	err = sse_new(&d->sse, SSE_MAX, on_sse, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int sse_drive(void *p, struct span in)
{
	int err = sse_feed(((struct drive_sse *)p)->sse, in);

	promise(!err || err == -ENOMEM);
	return err;
}

static void sse_drive_gap(void *p, uint64_t n)
{
	sse_gap(((struct drive_sse *)p)->sse, n);
}

static void sse_drive_end(void *p)
{
	struct drive_sse *d = p;

	sse_end(d->sse);
	evlog_line(d->log, "cut %llu", (unsigned long long)sse_cut(d->sse));
}

static void sse_drive_free(void *p)
{
	sse_free(&((struct drive_sse *)p)->sse);
	free(p);
}

const struct driver driver_sse = { "sse",	  sse_open,	  sse_drive, sse_drive_gap,
				   sse_drive_end, sse_drive_free, no_args };

/* --- coding: arg is its name; a gap cannot be told to it and is passed over */

struct drive_coding {
	struct coding *coding;
	struct evlog *log;
	struct verdict verdict;
	uint64_t n_out;
	bool ahead; /* the library decodes ahead: how much comes out before an error depends on the
		       cut */
};

static void on_coding(void *ctx, struct span out)
{
	struct drive_coding *d = ctx;

	d->n_out += out.len;
	promise(out.len && d->n_out <= CODING_OUT);
	evlog_piece(d->log, "out", out);
}

static int coding_open(void **ret, struct evlog *log, const char *arg)
{
	struct drive_coding *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	d->ahead = !strcmp(arg, "br") || !strcmp(arg, "zstd");
	err = coding_new(&d->coding, coding_named(span_str(*arg ? arg : "gzip")),
			 &(struct coding_limits){ CODING_OUT, CODING_RATIO, NULL }, on_coding, d);
	if (err) {
		free(d);
		return err;
	}
	*ret = d;
	return 0;
}

static int coding_drive(void *p, struct span in)
{
	struct drive_coding *d = p;

	return verdict_add(&d->verdict, coding_feed(d->coding, in));
}

static void coding_drive_gap(void *p, uint64_t n)
{
	(void)p;
	(void)n;
}

static void coding_drive_end(void *p)
{
	struct drive_coding *d = p;

	verdict_add(&d->verdict, coding_end(d->coding));
	if (d->ahead && (d->verdict.badmsg || d->verdict.e2big))
		evlog_clear(d->log);
	verdict_log(&d->verdict, d->log);
}

static void coding_drive_free(void *p)
{
	coding_free(&((struct drive_coding *)p)->coding);
	free(p);
}

/* How far a library decodes ahead decides which error it meets first. */
static bool coding_alike(const char *a, const char *b)
{
	return !strncmp(a, "verdict E", 9) && !strncmp(b, "verdict E", 9);
}

static const char *const coding_args[] = { "gzip", "deflate", "br", "zstd", "base64", NULL };
const struct driver driver_coding = {
	"coding",	  coding_open,	     coding_drive, coding_drive_gap,
	coding_drive_end, coding_drive_free, coding_args,  coding_alike,
};

/* --- */

static int feed_pieces(const struct driver *d, void *p, struct span bytes, size_t piece,
		       struct guard *g)
{
	for (size_t i = 0; i < bytes.len; i += piece) {
		int err = d->feed(p, guard_put(g, span_sub(bytes, i, piece)));

		if (err)
			return err;
	}
	return 0;
}

int drive(const struct driver *d, const char *arg, const struct drive_step *steps, size_t n_steps,
	  size_t piece, struct evlog *log)
{
	static struct guard g; /* kept: mapping costs more than most runs */
	size_t most = 1;
	void *p;
	int err = d->open(&p, log, arg);

	if (err)
		return err;
	for (size_t i = 0; i < n_steps; i++)
		most = MAX(most, steps[i].bytes.len);
	piece = MIN(piece, most);
	if (g.room < piece) {
		if (g.map)
			guard_free(&g);
		g = guard_new(piece);
	}
	for (size_t i = 0; i < n_steps && !err; i++) {
		err = feed_pieces(d, p, steps[i].bytes, piece, &g);
		if (!err && steps[i].gap)
			d->gap(p, steps[i].gap);
	}
	if (!err)
		d->end(p);
	d->free(p);
	return err;
}

void drive_fuzz(const struct driver *d, struct span data)
{
	static struct evlog whole, cut;
	struct drive_step steps[2] = { 0 };
	size_t n_args = 0, gap_at;

	while (d->args[n_args])
		n_args++;
	if (data.len < 4)
		return;
	gap_at = data.p[2] * (data.len - 4) / 255;
	steps[0] =
	    (struct drive_step){ span_sub(data, 4, data.p[1] ? gap_at : data.len), data.p[1] };
	steps[1] = (struct drive_step){ span_sub(data, 4 + steps[0].bytes.len, data.len), 0 };
	if (drive(d, d->args[data.p[0] % n_args], steps, ARRAY_SIZE(steps), SIZE_MAX, &whole) ||
	    drive(d, d->args[data.p[0] % n_args], steps, ARRAY_SIZE(steps), 1u + data.p[3], &cut))
		abort();
	if (strcmp(whole.p, cut.p) && !(d->alike && d->alike(whole.p, cut.p))) {
		fprintf(stderr, "whole:\n%s\nin pieces of %u:\n%s\n", whole.p, 1u + data.p[3],
			cut.p);
		abort();
	}
	evlog_clear(&whole);
	evlog_clear(&cut);
}
