/* tests/drive_http2.c - HPACK and HTTP/2 behind the face of drive.h. */
#include "drive.h"

#include <errno.h>

#include "base/own.h"
#include "parse/hpack.h"

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
