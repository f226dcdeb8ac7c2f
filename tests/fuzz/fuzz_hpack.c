/* tests/fuzz/fuzz_hpack.c - the driver's promises hold, any cut of the input gives the same fields,
 * and the table is nghttp2's. The first byte chooses: the driver's input follows, or blocks, each
 * behind its length of two bytes, for both decoders.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>

#include "base/own.h"
#include "drive.h"
#include "parse/hpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct ours {
	struct evlog log;
	bool beyond; /* something we do not keep, and nghttp2 does */
};

static void log_pair(struct evlog *log, struct span name, struct span value)
{
	evlog_begin(log, " ");
	evlog_text(log, name);
	evlog_text(log, SPAN_LIT(": "));
	evlog_text(log, value);
	evlog_end(log);
}

static void on_field(void *ctx, const struct hpack_field *f)
{
	struct ours *o = ctx;

	o->beyond |= f->name_unknown || f->value_unknown || f->cut;
	log_pair(&o->log, f->name, f->value);
}

/* 0 or -EBADMSG, as hpack_feed() and hpack_end() would say. */
static int theirs(nghttp2_hd_inflater *in, struct span block, struct evlog *log)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(in, &nv, &flags, block.p, block.len, 1);

		if (n < 0)
			return -EBADMSG;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			log_pair(log, span_of(nv.name, nv.namelen), span_of(nv.value, nv.valuelen));
		block = span_sub(block, (size_t)n, block.len);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!block.len && !(flags & NGHTTP2_HD_INFLATE_EMIT))
			break;
	}
	nghttp2_hd_inflate_end_headers(in);
	return 0;
}

static void against_nghttp2(struct span in)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(hpack) struct hpack *h = NULL;
	struct ours o = { 0 };
	nghttp2_hd_inflater *inflater;
	int err = 0, want = 0;

	if (hpack_new(&h, on_field, &o) || nghttp2_hd_inflate_new(&inflater) ||
	    nghttp2_hd_inflate_change_table_size(inflater, UINT32_MAX))
		abort();
	while (in.len >= 2 && !want && !o.beyond) {
		struct span block = span_sub(in, 2, (size_t)in.p[0] << 8 | in.p[1]);

		err = hpack_feed(h, block);
		if (hpack_end(h))
			err = -EBADMSG;
		want = theirs(inflater, block, &log);
		in = span_sub(in, 2 + block.len, in.len);
		if (o.beyond)
			break;
		if (err != want || !span_eq(span_of(o.log.p, o.log.len), span_of(log.p, log.len))) {
			fprintf(stderr, "ours: %d\n%s\nnghttp2: %d\n%s\n", err, o.log.p, want,
				log.p);
			abort();
		}
	}
	nghttp2_hd_inflate_del(inflater);
	evlog_free(&o.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && data[0] & 1)
		drive_fuzz(&driver_hpack, span_of(data + 1, len - 1));
	else if (len)
		against_nghttp2(span_of(data + 1, len - 1));
	return 0;
}
