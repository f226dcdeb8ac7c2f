/* user/parse/protobuf.c - the protobuf wire format. Spec: protobuf.dev, "Encoding". */
#include "parse/protobuf.h"

#include <errno.h>

#include "base/own.h"

#define VARINT_MAX 10 /* bytes */
#define NUMBER_MAX ((1u << 29) - 1)
#define END_GROUP  4

/* How many bytes were taken, 0 when it is none or cut. */
static size_t varint(struct span in, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < in.len && i < VARINT_MAX; i++) {
		n |= (uint64_t)(in.p[i] & 0x7f) << (7 * i);
		if (in.p[i] & 0x80)
			continue;
		*ret = n;
		return i + 1;
	}
	return 0;
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/* A number of n bytes. */
static int fixed(struct span *in, size_t n, struct protobuf_field *f)
{
	f->cut = in->len < n;
	if (!f->cut)
		f->value = little_endian(in->p, n);
	*in = span_sub(*in, n, in->len);
	return 1;
}

/* One field; in a group end (number, END_GROUP) as well. */
static int field(struct span *in, struct protobuf_field *f)
{
	uint64_t tag, len;
	size_t n = varint(*in, &tag);
	struct span rest = span_sub(*in, n, in->len);

	if (!n || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
		return -EBADMSG;
	*f = (struct protobuf_field){ .number = (uint32_t)(tag >> 3), .wire = tag & 7 };
	switch ((unsigned)f->wire) {
	case PROTOBUF_VARINT:
		n = varint(rest, &f->value);
		if (!n && rest.len >= VARINT_MAX)
			return -EBADMSG;
		f->cut = !n;
		rest = span_sub(rest, n ? n : rest.len, rest.len);
		break;
	case PROTOBUF_I64:
		fixed(&rest, 8, f);
		break;
	case PROTOBUF_I32:
		fixed(&rest, 4, f);
		break;
	case PROTOBUF_LEN:
		n = varint(rest, &len);
		if (!n && rest.len >= VARINT_MAX)
			return -EBADMSG;
		rest = span_sub(rest, n ? n : rest.len, rest.len);
		f->cut = !n || len > rest.len;
		if (!n)
			break;
		f->bytes = span_sub(rest, 0, f->cut ? rest.len : (size_t)len);
		rest = span_sub(rest, f->bytes.len, rest.len);
		break;
	case PROTOBUF_GROUP:
	case END_GROUP:
		break;
	default:
		return -EBADMSG;
	}
	*in = rest;
	return 1;
}

/* *in stands behind the beginning of group f: takes it up to its end. */
static int group(struct span *in, struct protobuf_field *f)
{
	struct span rest = *in;
	size_t depth = 1;

	while (rest.len) {
		struct span before = rest;
		struct protobuf_field inner;

		if (field(&rest, &inner) < 0)
			return -EBADMSG;
		if (inner.wire == PROTOBUF_GROUP && ++depth > PROTOBUF_DEPTH_MAX)
			return -EBADMSG;
		if ((unsigned)inner.wire != END_GROUP || --depth)
			continue;
		f->bytes = span_of(in->p, (size_t)(before.p - in->p));
		*in = rest;
		return inner.number == f->number ? 1 : -EBADMSG;
	}
	f->bytes = *in;
	f->cut = true;
	*in = rest;
	return 1;
}

int protobuf_next(struct span *message, struct protobuf_field *ret)
{
	struct span in = *message;
	int rc;

	if (!in.len)
		return 0;
	rc = field(&in, ret);
	if (rc > 0 && ret->wire == PROTOBUF_GROUP)
		rc = group(&in, ret);
	else if (rc > 0 && (unsigned)ret->wire == END_GROUP)
		rc = -EBADMSG;
	if (rc > 0)
		*message = in;
	return rc;
}

/* --- tables */

struct walk {
	const struct protobuf_row *rows;
	size_t n_rows;
	void *ctx;
	uint32_t path[PROTOBUF_DEPTH_MAX];
	size_t depth;
	int err;
};

/* How row stands to the path in hand: 1 it is it, 0 it begins with it, -1 another. */
static int compare(const struct walk *w, const struct protobuf_row *row)
{
	const char *s = row->path;

	for (size_t i = 0; i < w->depth; i++) {
		char *end;

		if (!*s || strtoul(s, &end, 10) != w->path[i])
			return -1;
		s = *end ? end + 1 : end;
	}
	return !*s;
}

static void walk(struct walk *w, struct span message)
{
	struct protobuf_field f;
	int rc;

	if (w->depth == PROTOBUF_DEPTH_MAX) {
		w->err = -E2BIG;
		return;
	}
	w->depth++;
	while ((rc = protobuf_next(&message, &f)) > 0) {
		bool inside = false;

		w->path[w->depth - 1] = f.number;
		if (f.cut)
			w->err = -EBADMSG;
		for (size_t i = 0; i < w->n_rows; i++) {
			int is = compare(w, &w->rows[i]);

			if (is > 0)
				w->rows[i].on(w->ctx, &f, w->rows[i].arg);
			inside |= !is;
		}
		if (inside && (f.wire == PROTOBUF_LEN || f.wire == PROTOBUF_GROUP))
			walk(w, f.bytes);
	}
	if (rc < 0)
		w->err = rc;
	w->depth--;
}

int protobuf_walk(struct span message, const struct protobuf_row *rows, size_t n, void *ctx)
{
	struct walk w = { .rows = rows, .n_rows = n, .ctx = ctx };

	walk(&w, message);
	return w.err;
}
