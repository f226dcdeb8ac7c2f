/* user/parse/sse.c - server-sent events: lines in, events out.
 * Owns the data and the type of one event; a field's name is matched as it arrives and a comment is
 * passed over, so no line is kept. Input is hostile and may be cut anywhere. Spec: WHATWG HTML,
 * "Parsing an event stream".
 */
#include "parse/sse.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/scan.h"

#define NAME_MAX_ 5   /* "event": the longest field name that matters */
#define TYPE_MAX  256 /* bytes of an event's type; more is cut */

enum where {
	AT_BOM,	 /* first bytes of the stream */
	AT_LINE, /* at the beginning of a line */
	IN_NAME,
	AT_VALUE, /* past the colon: one space is not part of the value */
	IN_DATA,
	IN_TYPE,
	IN_SKIP, /* comment, unknown field, or the rest of a line that a gap cut */
};

struct sse {
	sse_fn *fn;
	void *ctx;
	struct buf data, type;
	uint64_t n_cut;
	enum where where;
	size_t n_bom;
	uint8_t name[NAME_MAX_ + 1]; /* one more, to tell a longer name */
	size_t n_name;
	bool after_cr; /* an LF now belongs to the line that already ended */
	bool has_data; /* at least one data field, even an empty one */
	bool damaged, cut;
	int err;
};

int sse_new(struct sse **ret, size_t max_event, sse_fn *fn, void *ctx)
{
	struct sse *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->ctx = ctx;
	s->data = BUF(max_event);
	s->type = BUF(TYPE_MAX);
	*ret = s;
	return 0;
}

void sse_free(struct sse **s)
{
	if (!*s)
		return;
	buf_free(&(*s)->data);
	buf_free(&(*s)->type);
	explicit_bzero(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

static void event_clear(struct sse *s)
{
	buf_clear(&s->data);
	buf_clear(&s->type);
	s->has_data = s->damaged = s->cut = false;
}

static void event_out(struct sse *s)
{
	struct sse_event e = { buf_span(&s->type), buf_span(&s->data), s->damaged };

	s->n_cut += s->cut;
	if (s->has_data)
		s->fn(s->ctx, &e);
	event_clear(s);
}

static void keep(struct sse *s, struct buf *b, struct span part)
{
	ssize_t n = buf_add_some(b, part);

	if (n < 0)
		s->err = (int)n;
	else if ((size_t)n < part.len)
		s->cut = true;
	if (n < 0 || s->cut)
		s->damaged = true;
}

/* The name is complete: where does its value go? */
static enum where field_begin(struct sse *s)
{
	struct span name = span_of(s->name, s->n_name);

	if (span_eq(name, SPAN_LIT("data"))) {
		if (s->has_data)
			keep(s, &s->data, SPAN_LIT("\n"));
		s->has_data = true;
		return IN_DATA;
	}
	if (span_eq(name, SPAN_LIT("event"))) {
		buf_clear(&s->type);
		return IN_TYPE;
	}
	return IN_SKIP; /* id and retry steer a browser's reconnection; others mean nothing */
}

static void line_end(struct sse *s)
{
	if (s->where == AT_LINE)
		event_out(s);
	else if (s->where == IN_NAME)
		field_begin(s); /* no colon: an empty value */
	s->where = AT_LINE;
	s->n_name = 0;
}

/* A byte order mark is passed over, whole or not at all; returns how many bytes of in were taken.
 */
static size_t take_bom(struct sse *s, struct span in)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };
	size_t i = 0;

	while (i < in.len && s->n_bom < sizeof(bom) && in.p[i] == bom[s->n_bom]) {
		i++;
		s->n_bom++;
	}
	if (s->n_bom == sizeof(bom) || (i < in.len && !s->n_bom))
		s->where = AT_LINE;
	else if (i < in.len)
		s->where = IN_SKIP; /* part of a mark begins a name that is no field's */
	return i;
}

/* Takes a part of one line, free of line ends. */
static void take(struct sse *s, struct span part)
{
	while (part.len) {
		size_t n = 1;

		switch (s->where) {
		case AT_LINE:
			s->where = part.p[0] == ':' ? IN_SKIP : IN_NAME;
			n = 0;
			break;
		case IN_NAME:
			if (part.p[0] == ':') {
				s->where = AT_VALUE;
			} else if (s->n_name == sizeof(s->name)) {
				s->where = IN_SKIP;
			} else {
				s->name[s->n_name++] = part.p[0];
			}
			break;
		case AT_VALUE:
			s->where = field_begin(s);
			n = part.p[0] == ' ';
			break;
		case IN_DATA:
		case IN_TYPE:
			keep(s, s->where == IN_DATA ? &s->data : &s->type, part);
			n = part.len;
			break;
		case AT_BOM: /* taken before */
		case IN_SKIP:
			n = part.len;
			break;
		}
		part = span_sub(part, n, part.len);
	}
}

int sse_feed(struct sse *s, struct span in)
{
	size_t i = 0;

	s->err = 0;
	while (i < in.len) {
		size_t n;

		if (s->where == AT_BOM) {
			i += take_bom(s, span_sub(in, i, in.len));
			continue;
		}
		if (s->after_cr) {
			s->after_cr = false;
			if (in.p[i] == '\n') {
				i++;
				continue;
			}
		}
		n = scan_line(span_sub(in, i, in.len));
		take(s, span_sub(in, i, n));
		i += n;
		if (i == in.len)
			break;
		s->after_cr = in.p[i] == '\r';
		i++;
		/* A line that ends right behind the colon has an empty value. */
		if (s->where == AT_VALUE)
			field_begin(s);
		line_end(s);
	}
	return s->err;
}

void sse_gap(struct sse *s, uint64_t n)
{
	(void)n; /* how many bytes were lost makes no difference */
	s->damaged = true;
	event_out(s);
	/* Where the next bytes stand in their line is unknown, and the event they belong to began
	 * before them. */
	s->damaged = true;
	s->where = IN_SKIP;
	s->n_name = 0;
	s->after_cr = false;
}

void sse_end(struct sse *s)
{
	if (s->where != AT_LINE)
		s->damaged = true;
	event_out(s);
	s->where = AT_BOM;
	s->n_bom = s->n_name = 0;
	s->after_cr = false;
}

uint64_t sse_cut(const struct sse *s)
{
	return s->n_cut;
}

int sse_probe(struct span first)
{
	/* No field's name begins so: a JSON document under the wrong content type. */
	return first.len ? first.p[0] != '{' && first.p[0] != '[' : -EAGAIN;
}
