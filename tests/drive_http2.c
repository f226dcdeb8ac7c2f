/* tests/drive_http2.c - HPACK and HTTP/2 behind the face of drive.h. */
#include "drive.h"

#include <errno.h>

#include "base/own.h"
#include "parse/hpack.h"
#include "parse/http2.h"

/* --- hpack: arg is "whole" or "midway". The input is blocks, each behind its length of two bytes.
 */

struct drive_hpack {
	struct hpack *hpack;
	struct evlog *log;
	uint8_t len[2];
	unsigned n_len;
	size_t left;
	bool whole;
};

static void log_field(struct evlog *log, const struct hpack_field *f)
{
	promise(f->name.len + f->value.len <= HPACK_TABLE_MAX);
	promise(!f->name_unknown || !f->name.len);
	promise(!f->value_unknown || !f->value.len);
	evlog_begin(log, "field ");
	evlog_text(log, f->name_unknown ? SPAN_LIT("?") : f->name);
	evlog_text(log, SPAN_LIT(": "));
	evlog_text(log, f->value_unknown ? SPAN_LIT("?") : f->value);
	if (f->cut)
		evlog_text(log, SPAN_LIT(" (cut)"));
	evlog_end(log);
}

static void on_hpack(void *ctx, const struct hpack_field *f)
{
	struct drive_hpack *d = ctx;

	log_field(d->log, f);
}

static int hpack_open(void **ret, struct evlog *log, const char *arg)
{
	struct drive_hpack *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	d->whole = strcmp(arg, "midway") != 0;
	err = hpack_new(&d->hpack, on_hpack, d);
	if (err) {
		free(d);
		return err;
	}
	if (!d->whole)
		hpack_lost(d->hpack, false);
	*ret = d;
	return 0;
}

static int hpack_says(struct drive_hpack *d, int err)
{
	promise(!err || err == -EBADMSG || err == -ENOMEM);
	if (err == -EBADMSG)
		evlog_line(d->log, "broken");
	return err == -ENOMEM ? err : 0;
}

static int hpack_drive(void *p, struct span in)
{
	struct drive_hpack *d = p;
	int err = 0;

	while (in.len && !err) {
		size_t n = 1;

		if (d->n_len < sizeof(d->len)) {
			d->len[d->n_len++] = in.p[0];
			d->left = (size_t)d->len[0] << 8 | d->len[1];
		} else {
			n = MIN(in.len, d->left);
			err = hpack_says(d, hpack_feed(d->hpack, span_sub(in, 0, n)));
			d->left -= n;
		}
		if (d->n_len == sizeof(d->len) && !d->left) {
			err = err ? err : hpack_says(d, hpack_end(d->hpack));
			evlog_line(d->log, "end");
			d->n_len = 0;
		}
		in = span_sub(in, n, in.len);
	}
	return err;
}

static void hpack_drive_gap(void *p, uint64_t n)
{
	struct drive_hpack *d = p;
	bool inside = d->n_len == sizeof(d->len);

	hpack_lost(d->hpack, inside);
	d->whole = false;
	/* As much of the open block as there is. */
	if (inside && n < d->left) {
		d->left -= n;
		return;
	}
	if (inside)
		hpack_end(d->hpack);
	d->n_len = 0;
}

static void hpack_drive_end(void *p)
{
	struct drive_hpack *d = p;
	const struct hpack_stats *s = hpack_stats(d->hpack);

	if (d->n_len == sizeof(d->len))
		hpack_says(d, hpack_end(d->hpack));
	evlog_line(d->log, "fields %llu unknown %llu broken %llu cut %llu",
		   (unsigned long long)s->fields, (unsigned long long)s->unknown,
		   (unsigned long long)s->broken, (unsigned long long)s->cut);
}

static void hpack_drive_free(void *p)
{
	hpack_free(&((struct drive_hpack *)p)->hpack);
	free(p);
}

static const char *const hpack_args[] = { "whole", "midway", NULL };
const struct driver driver_hpack = { "hpack",	      hpack_open,      hpack_drive,
				     hpack_drive_gap, hpack_drive_end, hpack_drive_free,
				     hpack_args };

/* --- http2: arg is "requests" or "responses", from the beginning, or one of them "-midway" */

struct drive_http2 {
	struct http2 *http2;
	struct evlog *log;
	bool in_block, broken;
	size_t n_fields, list_len;
};

static void on_head(void *ctx, uint32_t stream, uint32_t promised)
{
	struct drive_http2 *d = ctx;

	promise(!d->in_block && stream);
	d->in_block = true;
	d->n_fields = d->list_len = 0;
	if (promised)
		evlog_line(d->log, "%u promises %u", stream, promised);
	else
		evlog_line(d->log, "%u head", stream);
}

static void on_field(void *ctx, const struct hpack_field *f)
{
	struct drive_http2 *d = ctx;

	d->list_len += f->name.len + f->value.len;
	promise(d->in_block && ++d->n_fields <= HTTP2_FIELDS_MAX && d->list_len <= HTTP2_HEAD_MAX);
	log_field(d->log, f);
}

static void on_fields_end(void *ctx, bool damaged)
{
	struct drive_http2 *d = ctx;

	promise(d->in_block);
	d->in_block = false;
	evlog_line(d->log, "fields_end%s", damaged ? " damaged" : "");
}

static void on_body(void *ctx, uint32_t stream, struct span data)
{
	struct drive_http2 *d = ctx;
	char tag[32];

	promise(!d->in_block && stream && data.len);
	snprintf(tag, sizeof(tag), "%u body", stream);
	evlog_piece(d->log, tag, data);
}

static void on_gap(void *ctx, uint32_t stream, uint64_t n)
{
	struct drive_http2 *d = ctx;

	promise(!d->in_block && stream && n && n <= HTTP2_FRAME_MAX);
	evlog_line(d->log, "%u gap %llu", stream, (unsigned long long)n);
}

static void on_end(void *ctx, uint32_t stream)
{
	struct drive_http2 *d = ctx;

	promise(!d->in_block && stream);
	evlog_line(d->log, "%u end", stream);
}

static void on_reset(void *ctx, uint32_t stream)
{
	evlog_line(((struct drive_http2 *)ctx)->log, "%u reset", stream);
}

static void on_goaway(void *ctx, uint32_t last)
{
	evlog_line(((struct drive_http2 *)ctx)->log, "goaway %u", last);
}

static void on_max_frame(void *ctx, uint32_t len)
{
	struct drive_http2 *d = ctx;

	promise(len >= HTTP2_FRAME_MIN && len <= HTTP2_FRAME_MAX);
	evlog_line(d->log, "max_frame %u", len);
}

static void on_lost(void *ctx)
{
	struct drive_http2 *d = ctx;

	promise(!d->in_block);
	evlog_line(d->log, "lost");
}

static int http2_open(void **ret, struct evlog *log, const char *arg)
{
	static const struct http2_ops ops = {
		.head = on_head,
		.field = on_field,
		.fields_end = on_fields_end,
		.body = on_body,
		.gap = on_gap,
		.end = on_end,
		.reset = on_reset,
		.goaway = on_goaway,
		.max_frame = on_max_frame,
		.lost = on_lost,
	};
	struct drive_http2 *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->log = log;
	err = http2_new(&d->http2, strncmp(arg, "responses", 9) != 0, &ops, d);
	if (err) {
		free(d);
		return err;
	}
	if (strstr(arg, "-midway"))
		http2_join(d->http2);
	*ret = d;
	return 0;
}

static int http2_drive(void *p, struct span in)
{
	struct drive_http2 *d = p;
	int err = http2_feed(d->http2, in);

	promise(!err || err == -EBADMSG || err == -ENOMEM);
	d->broken |= err == -EBADMSG;
	return err == -ENOMEM ? err : 0;
}

static void http2_drive_gap(void *p, uint64_t n)
{
	http2_gap(((struct drive_http2 *)p)->http2, n);
}

static void http2_drive_end(void *p)
{
	struct drive_http2 *d = p;
	struct http2_stats s;

	http2_end(d->http2);
	promise(!d->in_block);
	s = http2_stats(d->http2);
	promise(!d->broken || s.broken);
	evlog_line(d->log,
		   "frames %llu broken %llu resynced %llu cut %llu floods %llu unknown %llu",
		   (unsigned long long)s.frames, (unsigned long long)s.broken,
		   (unsigned long long)s.resynced, (unsigned long long)s.cut,
		   (unsigned long long)s.floods, (unsigned long long)s.unknown);
}

static void http2_drive_free(void *p)
{
	http2_free(&((struct drive_http2 *)p)->http2);
	free(p);
}

static const char *const http2_args[] = { "requests", "responses", "requests-midway",
					  "responses-midway", NULL };
const struct driver driver_http2 = { "http2",	      http2_open,      http2_drive,
				     http2_drive_gap, http2_drive_end, http2_drive_free,
				     http2_args };
