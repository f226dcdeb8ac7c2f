/* user/parse/multipart.c - multipart bodies.
 * Owns one part's header section. No content is held: of a delimiter that is only begun at the end
 * of the input everything is known but the CR before it.
 */
#include "parse/multipart.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/scan.h"

enum where {
	IN_CONTENT,   /* of a part, or before the first, or behind the last one */
	AT_DELIMITER, /* a whole one was read: what follows decides whether it is one */
	IN_DASH,      /* one dash behind it */
	IN_PADDING,   /* the rest of its line */
	IN_HEAD,
};

struct multipart {
	const struct multipart_ops *ops;
	void *ctx;
	struct multipart_stats stats;
	enum where where;
	char delimiter[3 + MULTIPART_BOUNDARY_MAX]; /* LF, two dashes, boundary */
	size_t len;
	bool cr;	/* held: a CR, perhaps of the delimiter's line end */
	size_t matched; /* held: so much of the delimiter */
	bool shared;	/* but for its LF, which ended a line of the head or of a delimiter */
	bool open;	/* a part is */
	bool damaged;
	bool last; /* the delimiter in hand closes the body */
	bool over; /* parts beyond the cap are passed over */
	struct buf head;
	bool head_cut;
	size_t line_len; /* of the head's line in hand */
	int err;	 /* of this feed */
};

/* --- parameters: "form-data; name=\"a\"; filename=\"b\"" */

/* Length of the leading part of s before the next semicolon outside of quotes. */
static size_t until_semicolon(struct span s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.len && (quoted || s.p[i] != ';'); i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\' && i + 1 < s.len)
			i++;
	}
	return i;
}

/* The value of a parameter; empty when there is none. */
static struct span parameter(struct span value, const char *name)
{
	while (value.len) {
		size_t n = until_semicolon(value);
		struct span one = span_trim(span_sub(value, 0, n));
		const uint8_t *eq = one.len ? memchr(one.p, '=', one.len) : NULL;
		struct span v;

		value = span_sub(value, n + 1, value.len);
		if (!eq || !span_eq_nocase(span_trim(span_sub(one, 0, (size_t)(eq - one.p))),
					   span_str(name)))
			continue;
		v = span_trim(span_sub(one, (size_t)(eq - one.p) + 1, one.len));
		if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
			v = span_sub(v, 1, v.len - 2);
		return v;
	}
	return (struct span){ 0 };
}

static bool may_be_boundary(struct span s)
{
	if (!s.len || s.len > MULTIPART_BOUNDARY_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] >= 0x7f)
			return false;
	return true;
}

int multipart_boundary(struct span content_type, struct span *ret)
{
	if (!span_eq_nocase(span_sub(content_type, 0, 10), SPAN_LIT("multipart/")))
		return 0;
	*ret = parameter(content_type, "boundary");
	return may_be_boundary(*ret);
}

/* --- parts */

int multipart_new(struct multipart **ret, struct span boundary, const struct multipart_ops *ops,
		  void *ctx)
{
	struct multipart *m;

	if (!may_be_boundary(boundary))
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->ops = ops;
	m->ctx = ctx;
	memcpy(m->delimiter, "\n--", 3);
	memcpy(m->delimiter + 3, boundary.p, boundary.len);
	m->len = 3 + boundary.len;
	m->matched = m->shared = 1; /* the first one may stand at the very beginning */
	m->head = BUF(MULTIPART_HEAD_MAX);
	*ret = m;
	return 0;
}

void multipart_free(struct multipart **m)
{
	if (!*m)
		return;
	buf_free(&(*m)->head);
	explicit_bzero(*m, sizeof(**m));
	free(*m);
	*m = NULL;
}

const struct multipart_stats *multipart_stats(const struct multipart *m)
{
	return &m->stats;
}

static void part_end(struct multipart *m)
{
	if (m->open)
		m->ops->end(m->ctx, m->damaged);
	m->open = m->damaged = false;
}

static void part_field(struct multipart_part *p, struct span line)
{
	const uint8_t *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
	struct span name, value;

	if (!colon)
		return;
	name = span_trim(span_sub(line, 0, (size_t)(colon - line.p)));
	value = span_trim(span_sub(line, (size_t)(colon - line.p) + 1, line.len));
	if (span_eq_nocase(name, SPAN_LIT("content-type"))) {
		p->type = value;
	} else if (span_eq_nocase(name, SPAN_LIT("content-disposition"))) {
		p->name = parameter(value, "name");
		p->filename = parameter(value, "filename");
		if (!p->filename.len)
			p->filename = parameter(value, "filename*"); /* RFC 8187 */
	}
}

static void head_end(struct multipart *m)
{
	struct multipart_part p = { 0 };
	struct span head = buf_span(&m->head);

	while (head.len) {
		const uint8_t *lf = memchr(head.p, '\n', head.len);
		size_t n = lf ? (size_t)(lf - head.p) : head.len;

		struct span line = span_sub(head, 0, n);

		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		part_field(&p, line);
		head = span_sub(head, n + 1, head.len);
	}
	m->where = IN_CONTENT;
	m->matched = m->shared = 1; /* an empty part's delimiter stands right here */
	m->over = m->stats.parts == MULTIPART_PARTS_MAX;
	m->stats.cut += m->over || m->head_cut;
	if (!m->over) {
		m->stats.parts++;
		m->open = true;
		m->ops->part(m->ctx, &p);
	}
	buf_free(&m->head);
	m->head_cut = false;
}

static void data(struct multipart *m, struct span s)
{
	if (m->open && s.len)
		m->ops->data(m->ctx, s);
}

/* What is held was no delimiter. */
static void release(struct multipart *m)
{
	if (m->cr)
		data(m, SPAN_LIT("\r"));
	data(m, span_of(m->delimiter + m->shared, m->matched - m->shared));
	m->cr = m->shared = false;
	m->matched = 0;
}

/* --- one step per state: how many bytes were taken */

static size_t step_content(struct multipart *m, struct span in)
{
	uint8_t c = in.p[0];
	size_t n;

	if (m->matched) {
		if (c != (uint8_t)m->delimiter[m->matched]) {
			release(m);
			return 0;
		}
		if (++m->matched == m->len) {
			m->where = AT_DELIMITER;
			m->last = false;
		}
		return 1;
	}
	if (c == '\n') {
		m->matched = 1;
		return 1;
	}
	if (c == '\r') {
		release(m);
		m->cr = true;
		return 1;
	}
	release(m);
	n = scan_line(in);
	data(m, span_sub(in, 0, n));
	return n;
}

/* The delimiter holds: the part before it ends. */
static void delimited(struct multipart *m)
{
	m->cr = m->shared = false;
	m->matched = 0;
	part_end(m);
	m->where = IN_PADDING;
}

static size_t step_delimiter(struct multipart *m, struct span in)
{
	uint8_t c = in.p[0];

	if (c == '-') {
		m->where = IN_DASH;
		return 1;
	}
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
		delimited(m);
		return 0;
	}
	m->where = IN_CONTENT; /* a longer word */
	release(m);
	return 0;
}

static size_t step_dash(struct multipart *m, struct span in)
{
	if (in.p[0] == '-') {
		m->last = true;
		delimited(m);
		return 1;
	}
	m->where = IN_CONTENT;
	release(m);
	data(m, SPAN_LIT("-"));
	return 0;
}

static size_t step_padding(struct multipart *m, struct span in)
{
	const uint8_t *lf = memchr(in.p, '\n', in.len);

	if (!lf)
		return in.len;
	m->where = m->last ? IN_CONTENT : IN_HEAD;
	m->matched = m->shared = m->last;
	m->line_len = 0;
	return (size_t)(lf - in.p) + 1;
}

static size_t step_head(struct multipart *m, struct span in)
{
	const uint8_t *lf = memchr(in.p, '\n', in.len);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.len;
	ssize_t took = buf_add_some(&m->head, span_sub(in, 0, n));

	if (took < 0)
		m->err = (int)took;
	m->head_cut |= took < (ssize_t)n;
	for (size_t i = 0; i < n; i++)
		m->line_len += in.p[i] != '\r' && in.p[i] != '\n';
	if (lf && !m->line_len)
		head_end(m);
	if (lf)
		m->line_len = 0;
	return n;
}

static size_t (*const steps[])(struct multipart *, struct span) = {
	[IN_CONTENT] = step_content, [AT_DELIMITER] = step_delimiter, [IN_DASH] = step_dash,
	[IN_PADDING] = step_padding, [IN_HEAD] = step_head,
};

int multipart_feed(struct multipart *m, struct span in)
{
	m->err = 0;
	while (in.len)
		in = span_sub(in, steps[m->where](m, in), in.len);
	return m->err;
}

void multipart_gap(struct multipart *m, uint64_t n)
{
	(void)n; /* how many bytes were lost makes no difference */
	if (m->where == AT_DELIMITER || m->where == IN_DASH) {
		delimited(m); /* most likely */
	} else if (m->where == IN_CONTENT) {
		release(m);
	}
	m->damaged = m->open;
	m->where = IN_CONTENT;
	buf_free(&m->head);
	m->head_cut = false;
}

void multipart_end(struct multipart *m)
{
	if (m->where == AT_DELIMITER || m->where == IN_DASH)
		delimited(m); /* the last line need not end */
	else if (m->where == IN_CONTENT)
		release(m);
	m->damaged = true; /* no delimiter closed it */
	part_end(m);
	buf_free(&m->head);
	m->where = IN_CONTENT;
	m->matched = m->shared = 1;
	m->damaged = false;
}
