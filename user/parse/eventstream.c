/* user/parse/eventstream.c - AWS event stream messages: prelude (total length, length of headers,
 * checksum), headers, payload, checksum of it all.
 * Owns the headers and payload of the message being read.
 */
#include "parse/eventstream.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/own.h"

#define CRC_LEN	     4
#define OVERHEAD     (EVENTSTREAM_PRELUDE_LEN + CRC_LEN)
#define PRELUDE_DATA (EVENTSTREAM_PRELUDE_LEN - CRC_LEN)

enum where {
	IN_PRELUDE,
	IN_HEADERS,
	IN_PAYLOAD,
	IN_CRC,
	IN_SEEK, /* where a message begins is not known */
};

struct eventstream {
	eventstream_fn *fn;
	void *ctx;
	struct eventstream_stats stats;
	enum where where;
	uint8_t prelude[EVENTSTREAM_PRELUDE_LEN]; /* or the checksum at the end */
	size_t n_prelude;
	uint64_t left, n_payload; /* left: of headers or payload */
	uint32_t crc;
	struct buf headers, payload;
	bool damaged, cut, gapped;
	int err; /* of this feed */
};

int eventstream_new(struct eventstream **ret, size_t max_payload, eventstream_fn *fn, void *ctx)
{
	struct eventstream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->ctx = ctx;
	s->headers = BUF(EVENTSTREAM_HEADERS_MAX);
	s->payload = BUF(max_payload);
	*ret = s;
	return 0;
}

void eventstream_free(struct eventstream **s)
{
	if (!*s)
		return;
	buf_free(&(*s)->headers);
	buf_free(&(*s)->payload);
	explicit_bzero(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

const struct eventstream_stats *eventstream_stats(const struct eventstream *s)
{
	return &s->stats;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* --- headers */

int eventstream_header(struct span *headers, struct eventstream_header *ret)
{
	/* Bytes of a value; the two that are -1 carry their length. */
	static const int sizes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };
	struct span in = *headers;
	size_t n;

	static_assert(ARRAY_SIZE(sizes) == EVENTSTREAM_TYPE_MAX_, "type without a size");
	if (!in.len)
		return 0;
	n = in.p[0];
	if (!n || in.len < 1 + n + 1 || in.p[1 + n] >= EVENTSTREAM_TYPE_MAX_)
		return -EBADMSG;
	ret->name = span_sub(in, 1, n);
	ret->type = in.p[1 + n];
	in = span_sub(in, 1 + n + 1, in.len);
	if (sizes[ret->type] >= 0) {
		n = (size_t)sizes[ret->type];
	} else {
		if (in.len < 2)
			return -EBADMSG;
		n = (size_t)in.p[0] << 8 | in.p[1];
		in = span_sub(in, 2, in.len);
	}
	if (in.len < n)
		return -EBADMSG;
	ret->value = span_sub(in, 0, n);
	*headers = span_sub(in, n, in.len);
	return 1;
}

/* What the message is, by its headers. 0, -EBADMSG. */
static int read_headers(struct eventstream_message *m)
{
	static const struct {
		const char *name;
		bool failure;
	} types[] = {
		{ ":event-type", false },
		{ ":exception-type", true },
		{ ":error-code", true },
	};
	struct span headers = m->headers;
	struct eventstream_header h;
	int rc;

	while ((rc = eventstream_header(&headers, &h)) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			if (h.type != EVENTSTREAM_STRING ||
			    !span_eq(h.name, span_str(types[i].name)))
				continue;
			m->type = h.value;
			m->failure = types[i].failure;
		}
	return rc;
}

/* --- messages */

static void message_out(struct eventstream *s)
{
	struct eventstream_message m = { .headers = buf_span(&s->headers),
					 .payload = buf_span(&s->payload) };

	if (read_headers(&m)) {
		s->stats.broken += !s->damaged;
		s->damaged = true;
	}
	m.damaged = s->damaged;
	s->stats.messages++;
	s->stats.cut += s->cut;
	s->fn(s->ctx, &m);
	buf_free(&s->headers);
	buf_free(&s->payload);
	s->damaged = s->cut = s->gapped = false;
	s->where = IN_PRELUDE;
	s->n_prelude = 0;
}

/* Is this a prelude? The first bytes decide in most cases. */
static bool is_prelude(const uint8_t *p)
{
	uint32_t total = be32(p), headers = be32(p + 4);

	return total >= OVERHEAD && total <= EVENTSTREAM_MESSAGE_MAX + OVERHEAD &&
	       headers <= EVENTSTREAM_HEADERS_MAX && headers <= total - OVERHEAD &&
	       crc32(0, p, PRELUDE_DATA) == be32(p + PRELUDE_DATA);
}

int eventstream_probe(struct span first)
{
	if (first.len && first.p[0] > 1) /* no length up to 24 MiB begins so */
		return 0;
	return first.len < EVENTSTREAM_PRELUDE_LEN ? -EAGAIN : is_prelude(first.p);
}

static void payload_begin(struct eventstream *s)
{
	s->where = s->n_payload ? IN_PAYLOAD : IN_CRC;
	s->left = s->n_payload;
}

static void message_begin(struct eventstream *s)
{
	s->left = be32(s->prelude + 4);
	s->n_payload = be32(s->prelude) - OVERHEAD - s->left;
	s->crc = (uint32_t)crc32(0, s->prelude, EVENTSTREAM_PRELUDE_LEN);
	s->n_prelude = 0;
	s->where = IN_HEADERS;
	if (!s->left)
		payload_begin(s);
}

static size_t step_prelude(struct eventstream *s, struct span in)
{
	s->prelude[s->n_prelude++] = in.p[0];
	if (s->n_prelude < EVENTSTREAM_PRELUDE_LEN)
		return 1;
	if (is_prelude(s->prelude)) {
		s->stats.resynced += s->where == IN_SEEK;
		message_begin(s);
		return 1;
	}
	s->stats.broken += s->where == IN_PRELUDE;
	s->where = IN_SEEK;
	memmove(s->prelude, s->prelude + 1, --s->n_prelude);
	return 1;
}

static void keep(struct eventstream *s, struct buf *b, struct span part)
{
	ssize_t n = buf_add_some(b, part);

	if (n < 0)
		s->err = (int)n;
	else if ((size_t)n < part.len)
		s->cut = true;
	if (n < 0 || s->cut)
		s->damaged = true;
}

static size_t step_bytes(struct eventstream *s, struct span in)
{
	struct span part = span_sub(in, 0, s->left < in.len ? (size_t)s->left : in.len);

	s->crc = (uint32_t)crc32_z(s->crc, part.p, part.len);
	keep(s, s->where == IN_HEADERS ? &s->headers : &s->payload, part);
	s->left -= part.len;
	if (s->left)
		return part.len;
	if (s->where == IN_HEADERS)
		payload_begin(s);
	else
		s->where = IN_CRC;
	return part.len;
}

static size_t step_crc(struct eventstream *s, struct span in)
{
	s->prelude[s->n_prelude++] = in.p[0];
	if (s->n_prelude < CRC_LEN)
		return 1;
	if (!s->gapped && be32(s->prelude) != s->crc) {
		s->stats.broken++;
		s->damaged = true;
	}
	message_out(s);
	return 1;
}

static size_t (*const steps[])(struct eventstream *, struct span) = {
	[IN_PRELUDE] = step_prelude, [IN_HEADERS] = step_bytes, [IN_PAYLOAD] = step_bytes,
	[IN_CRC] = step_crc,	     [IN_SEEK] = step_prelude,
};

int eventstream_feed(struct eventstream *s, struct span in)
{
	s->err = 0;
	while (in.len)
		in = span_sub(in, steps[s->where](s, in), in.len);
	return s->err;
}

void eventstream_gap(struct eventstream *s, uint64_t n)
{
	if (s->where == IN_PAYLOAD && n && n <= s->left) {
		s->damaged = s->gapped = true;
		s->left -= n;
		if (!s->left)
			s->where = IN_CRC;
		return;
	}
	eventstream_end(s);
	s->where = IN_SEEK;
}

void eventstream_end(struct eventstream *s)
{
	if (s->where != IN_PRELUDE && s->where != IN_SEEK) {
		s->damaged = true;
		message_out(s);
	}
	s->where = IN_PRELUDE;
	s->n_prelude = 0;
}
