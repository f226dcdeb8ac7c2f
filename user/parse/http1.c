/* user/parse/http1.c - HTTP/1.1 messages of one direction, as a third party reads them.
 * Owns the line that is being read, capped; bodies pass through. One step function per state; a
 * step takes bytes, changes the state, or both. Tolerant where real peers are (bare LF, folding,
 * blanks), exact where framing is at stake: what two readers could frame differently is marked
 * ambiguous. RFC 9112.
 */
#include "parse/http1.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/scan.h"

#define METHOD_MAX 24 /* bytes of a method; the longest registered one has 17 */
#define SEEK_LINE_MAX                                                                              \
	512 /* CHUNK_SEEK: a longer line is neither a chunk's frame nor a start line */
#define CHUNK_DIGITS_TOP (UINT64_C(0xf) << 60) /* another hex digit would overflow */

enum state {
	START, /* between messages: at a start line, or at empty lines before it */
	SEEK,  /* in unknown bytes: looking for a start line */
	FIELDS,
	BODY_LENGTH,
	BODY_CLOSE,
	CHUNK_SIZE,
	CHUNK_EXT,
	CHUNK_DATA,
	CHUNK_END,  /* the line end behind a chunk's data */
	CHUNK_SEEK, /* a gap swallowed a chunk's frame: looking for the next one */
	TRAILERS,
	TUNNEL, /* no longer HTTP/1 */
	STATE_MAX_,
};

struct http1 {
	const struct http1_ops *ops;
	void *ctx;
	struct http1_stats stats;
	struct buf line;
	enum state state;
	int err;       /* of this feed */
	size_t unread; /* of this feed: behind the end of HTTP/1 */
	bool requests;
	bool no_body; /* asked for by http1_no_body() */
	bool tunnel;  /* HTTP/1 ends with the open message */
	bool connect; /* the last request was CONNECT: what follows may be no request */

	/* The message. */
	bool open; /* its head was given out, its end not yet */
	bool request_connect;
	unsigned status, minor;
	bool has_length, bad_length, has_coding, chunked, ambiguous;
	bool ended_lf, ended_crlf; /* lines of its head */
	uint64_t length;
	bool gapped; /* bytes of it are missing */

	/* FIELDS */
	bool pending;	/* the line is whole, unless the next one continues it */
	bool folding;	/* in the blanks that begin a continuation */
	bool skip_line; /* rest of a line that a gap or the cap cut */
	bool line_cr;	/* the last whole line ended with CR LF */

	/* bodies and chunks */
	uint64_t left;	 /* of a body or chunk */
	size_t line_len; /* digits of a chunk size; in a trailer line, whether there is anything */
	bool seen_cr, seen_colon;
	bool seek_first; /* CHUNK_SEEK: nothing was read since the gap */
	bool seek_pass;	 /* CHUNK_SEEK: in a line too long to mean anything */
	bool held_crlf;	 /* CHUNK_SEEK: the last line's end, body or chunk frame */
};

int http1_new(struct http1 **ret, bool requests, const struct http1_ops *ops, void *ctx)
{
	struct http1 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->ops = ops;
	h->ctx = ctx;
	h->requests = requests;
	h->line = BUF(HTTP1_LINE_MAX);
	*ret = h;
	return 0;
}

void http1_free(struct http1 **h)
{
	if (!*h)
		return;
	buf_free(&(*h)->line);
	free(*h);
	*h = NULL;
}

void http1_no_body(struct http1 *h)
{
	h->no_body = true;
}

void http1_tunnel(struct http1 *h)
{
	if (h->open)
		h->tunnel = true;
	else
		h->state = TUNNEL;
}

const struct http1_stats *http1_stats(const struct http1 *h)
{
	return &h->stats;
}

/* --- start lines */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110 section 5.6.2 */
static bool is_token(uint8_t c)
{
	return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static size_t token_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && is_token(s.p[n]))
		n++;
	return n;
}

#define VERSION	    SPAN_LIT("HTTP/1.")
#define VERSION_LEN (sizeof("HTTP/1.1") - 1)

static bool is_version(struct span s)
{
	return s.len >= VERSION_LEN && span_starts(s, VERSION) && is_digit(s.p[VERSION_LEN - 1]);
}

static bool parse_status_line(struct span line, struct http1_head *ret)
{
	struct span code;

	if (!is_version(line) || line.len < VERSION_LEN + 4 || line.p[VERSION_LEN] != ' ')
		return false;
	code = span_sub(line, VERSION_LEN + 1, line.len);
	if (code.p[0] < '1' || !is_digit(code.p[0]) || !is_digit(code.p[1]) ||
	    !is_digit(code.p[2]) || (code.len > 3 && !is_blank(code.p[3])))
		return false;
	*ret = (struct http1_head){
		.status = (code.p[0] - '0') * 100u + (code.p[1] - '0') * 10u + (code.p[2] - '0'),
		.minor = line.p[VERSION_LEN - 1] - '0',
	};
	return true;
}

/* A path may hold blanks: some clients send them and some servers take them. */
static bool parse_request_line(struct span line, struct http1_head *ret)
{
	struct span version, target;
	size_t n = token_len(line);

	while (line.len && is_blank(line.p[line.len - 1]))
		line.len--;
	if (!n || n > METHOD_MAX || line.len < n + 1 + VERSION_LEN || line.p[n] != ' ')
		return false;
	version = span_sub(line, line.len - VERSION_LEN, VERSION_LEN);
	target = span_sub(line, n, line.len - VERSION_LEN - n);
	if (!is_version(version) || target.p[target.len - 1] != ' ')
		return false;
	target = span_trim(target);
	if (!target.len || (target.p[0] != '/' && memchr(target.p, ' ', target.len)))
		return false;
	*ret = (struct http1_head){
		.request = true,
		.method = span_sub(line, 0, n),
		.target = target,
		.minor = version.p[VERSION_LEN - 1] - '0',
	};
	return true;
}

static bool parse_start(const struct http1 *h, struct span line, struct http1_head *ret)
{
	return h->requests ? parse_request_line(line, ret) : parse_status_line(line, ret);
}

/* The method that ends s: a body without a line end may stand right before it ("}POST"). */
static size_t method_at_end(struct span s)
{
	static const char *const known[] = { "GET",	"HEAD",	   "POST",  "PUT",  "DELETE",
					     "CONNECT", "OPTIONS", "TRACE", "PATCH" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct span m = span_str(known[i]);

		if (s.len >= m.len && span_eq(span_sub(s, s.len - m.len, m.len), m))
			return m.len;
	}
	while (n < s.len && n <= METHOD_MAX && s.p[s.len - n - 1] >= 'A' &&
	       s.p[s.len - n - 1] <= 'Z')
		n++;
	return n;
}

/* A start line at the end of unknown bytes: the shortest that fits. */
static bool find_start(const struct http1 *h, struct span line, struct http1_head *ret)
{
	size_t at, target;

	if (!h->requests) {
		while (line.len >= VERSION_LEN) {
			const uint8_t *p = memmem(line.p, line.len, VERSION.p, VERSION.len);

			if (!p)
				return false;
			line = span_sub(line, (size_t)(p - line.p), line.len);
			if (parse_status_line(line, ret))
				return true;
			line = span_sub(line, 1, line.len);
		}
		return false;
	}
	if (line.len < VERSION_LEN + 1 ||
	    !is_version(span_sub(line, line.len - VERSION_LEN, VERSION_LEN)))
		return false;
	for (target = line.len - VERSION_LEN - 1; target && line.p[target - 1] != ' '; target--)
		;
	if (!target)
		return false;
	at = target - 1;
	at -= method_at_end(span_sub(line, 0, at));
	return parse_request_line(span_sub(line, at, line.len), ret);
}

int http1_probe(struct span in, bool *request)
{
	struct span version = VERSION;
	size_t n;

	while (in.len && (in.p[0] == '\r' || in.p[0] == '\n'))
		in = span_sub(in, 1, in.len);
	if (span_eq(span_sub(in, 0, version.len), span_sub(version, 0, in.len))) {
		*request = false;
		if (in.len < VERSION_LEN)
			return -EAGAIN; /* "H" may become HEAD, but that takes more bytes as well */
		return is_version(in);
	}
	for (n = 0; n < in.len && n <= METHOD_MAX &&
		    ((in.p[n] >= 'A' && in.p[n] <= 'Z') || in.p[n] == '-' || in.p[n] == '_');
	     n++)
		;
	if (n > METHOD_MAX)
		return 0;
	*request = true;
	if (n == in.len)
		return -EAGAIN;
	if (!n || in.p[n] != ' ')
		return 0;
	if (n + 1 == in.len)
		return -EAGAIN;
	if (span_eq(span_sub(in, 0, n), SPAN_LIT("PRI")))
		return 0; /* HTTP/2's preface */
	if (span_eq(span_sub(in, 0, n), SPAN_LIT("CONNECT")))
		return is_token(in.p[n + 1]) || in.p[n + 1] == '[';
	return in.p[n + 1] == '/' || in.p[n + 1] == '*' || ascii_lower(in.p[n + 1]) == 'h';
}

/* --- the life of a message */

static void message_end(struct http1 *h, enum http1_end how)
{
	bool was_open = h->open;

	h->open = false;
	h->state = h->tunnel ? TUNNEL : START;
	h->tunnel = false;
	if (was_open) {
		h->no_body = false;
		h->ops->end(h->ctx, how);
	}
}

/* Ends the message; the line stays, it may hold the next start line. */
static void broken(struct http1 *h, int err)
{
	h->stats.broken++;
	h->err = err;
	message_end(h, HTTP1_BROKEN);
	h->state = SEEK;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

/* h->line is a start line, or ends with one, as head says. */
static void message_begin(struct http1 *h, const struct http1_head *head)
{
	h->open = head->request || head->status >= 200 || head->status == 101;
	h->request_connect = span_eq(head->method, SPAN_LIT("CONNECT"));
	h->status = head->status;
	h->minor = head->minor;
	h->has_length = h->bad_length = h->has_coding = h->chunked = false;
	h->ambiguous = has_control(buf_span(&h->line));
	h->length = 0;
	h->gapped = h->pending = h->folding = h->skip_line = h->connect = false;
	h->ended_lf = !h->line_cr;
	h->ended_crlf = h->line_cr;
	h->state = FIELDS;
	if (h->open) {
		h->stats.messages++;
		h->ops->head(h->ctx, head);
	}
	buf_clear(&h->line);
}

static void body(struct http1 *h, struct span data)
{
	if (data.len)
		h->ops->body(h->ctx, data);
}

/* The header section is complete: how is the body framed? RFC 9112 section 6.3. */
static void fields_end(struct http1 *h)
{
	buf_free(&h->line); /* an idle connection keeps no buffer */
	if (h->has_coding && (h->has_length || h->minor == 0))
		h->ambiguous = true;
	if (h->gapped || (h->ended_lf && h->ended_crlf))
		h->ambiguous = true;
	if (h->open) {
		h->stats.ambiguous += h->ambiguous;
		h->ops->fields_end(h->ctx, h->ambiguous);
	}
	if (!h->requests && h->status == 101)
		h->tunnel = true;
	h->connect = h->request_connect;
	h->seen_cr = false;
	h->line_len = 0;
	h->left = 0;
	if (h->tunnel || h->connect ||
	    (!h->requests &&
	     (h->no_body || h->status < 200 || h->status == 204 || h->status == 304))) {
		message_end(h, HTTP1_COMPLETE);
		if (h->state == TUNNEL)
			h->err = -EOPNOTSUPP;
	} else if (h->chunked) {
		h->state = CHUNK_SIZE;
	} else if (h->has_coding) {
		h->state = BODY_CLOSE;
	} else if (h->bad_length) {
		broken(h, -EBADMSG);
	} else if (h->has_length && h->length) {
		h->state = BODY_LENGTH;
		h->left = h->length;
	} else if (h->has_length || h->requests) {
		message_end(h, HTTP1_COMPLETE);
	} else {
		h->state = BODY_CLOSE;
	}
}

/* --- fields */

/* A leading '+' is what lenient readers of integers accept. Returns false when it is no number. */
static bool parse_length(struct span s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len && s.p[0] == '+')
		s = span_sub(s, 1, s.len);
	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.p[i]) || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s.p[i] - '0', &n))
			return false;
	*ret = n;
	return true;
}

static void framing_length(struct http1 *h, struct span item)
{
	uint64_t n = 0;

	if (h->has_length || !item.len || !is_digit(item.p[0]))
		h->ambiguous = true; /* repeated, or not what every reader accepts */
	if (!parse_length(item, &n))
		h->bad_length = h->ambiguous = true;
	else if (!h->has_length)
		h->length = n;
	h->has_length = true;
}

static void framing_coding(struct http1 *h, struct span item)
{
	if (!item.len || span_eq_nocase(item, SPAN_LIT("identity"))) {
		h->ambiguous = true; /* no coding, but a strict reader refuses it */
		return;
	}
	if (h->chunked)
		h->ambiguous = true; /* chunked must be last and only once */
	h->has_coding = true;
	h->chunked = span_eq_nocase(item, SPAN_LIT("chunked"));
	if (!h->chunked)
		h->ambiguous = true; /* a coding that is not removed here */
}

static void each_item(struct http1 *h, struct span list, void (*fn)(struct http1 *, struct span))
{
	for (;;) {
		const uint8_t *comma = list.len ? memchr(list.p, ',', list.len) : NULL;
		size_t n = comma ? (size_t)(comma - list.p) : list.len;

		fn(h, span_trim(span_sub(list, 0, n)));
		if (!comma)
			return;
		list = span_sub(list, n + 1, list.len);
	}
}

static const struct {
	const char *name;
	void (*item)(struct http1 *, struct span);
} framing[] = {
	{ "content-length", framing_length },
	{ "transfer-encoding", framing_coding },
};

/* h->line is a whole field line, unfolded. */
static void field_out(struct http1 *h)
{
	struct span line = buf_span(&h->line), name, value;
	const uint8_t *colon = line.len ? memchr(line.p, ':', line.len) : NULL;

	if (h->gapped && (!colon || token_len(line) != (size_t)(colon - line.p))) {
		/* The gap swallowed the end of the header section: these are other bytes. */
		message_end(h, HTTP1_CUT);
		h->state = SEEK;
		return;
	}
	if (line.len && is_blank(line.p[0]))
		h->ambiguous = true; /* a continuation of the start line; some read it as a field */
	if (!colon) {
		h->ambiguous = true;
		h->stats.fields_skipped++;
		goto out;
	}
	name = span_trim(span_sub(line, 0, (size_t)(colon - line.p)));
	value = span_trim(span_sub(line, (size_t)(colon - line.p) + 1, line.len));
	if (token_len(name) != name.len || !name.len || has_control(value))
		h->ambiguous = true;
	for (size_t i = 0; i < ARRAY_SIZE(framing); i++) {
		if (!span_eq_nocase(name, span_str(framing[i].name)))
			continue;
		if (name.p + name.len != colon || h->skip_line)
			h->ambiguous = true; /* a blank here, or cut: some readers miss the field */
		each_item(h, value, framing[i].item);
	}
	if (!name.len || h->skip_line)
		h->stats.fields_skipped++;
	if (name.len && h->open)
		h->ops->field(h->ctx, name, value);
out:
	buf_clear(&h->line);
}

static void line_chomp(struct http1 *h)
{
	h->line_cr = h->line.len && h->line.p[h->line.len - 1] == '\r';
	h->line.len -= h->line_cr;
}

/* Takes bytes up to the end of the line into h->line. *whole: the line end was among them. Returns
 * how many were taken; err: 0, -E2BIG (then a part of them is in the line), -ENOMEM.
 */
static size_t line_take(struct http1 *h, struct span in, bool *whole, int *err)
{
	const uint8_t *lf = memchr(in.p, '\n', in.len);
	size_t n = lf ? (size_t)(lf - in.p) : in.len;
	ssize_t took = buf_add_some(&h->line, span_sub(in, 0, n));

	*whole = lf;
	*err = took < 0 ? (int)took : (size_t)took < n ? -E2BIG : 0;
	if (*err == -E2BIG) {
		*whole = false;
		return (size_t)took;
	}
	return n + *whole;
}

/* --- one step per state: how many bytes were taken */

/* h->line is a whole line of unknown bytes. */
static void seek_line(struct http1 *h)
{
	struct http1_head head;

	if (find_start(h, buf_span(&h->line), &head)) {
		h->stats.resynced++;
		message_begin(h, &head);
	}
	buf_clear(&h->line);
}

static size_t step_start(struct http1 *h, struct span in)
{
	struct http1_head head;
	bool whole, request;
	size_t n;
	int err;

	if (!h->line.len && (in.p[0] == '\r' || in.p[0] == '\n'))
		return 1; /* section 2.2: empty lines before a message mean nothing */
	n = line_take(h, in, &whole, &err);
	if (err == -ENOMEM)
		buf_clear(&h->line);
	if (h->connect && (err || http1_probe(buf_span(&h->line), &request) == 0)) {
		h->state = TUNNEL;
		h->err = -EOPNOTSUPP;
		buf_free(&h->line);
		return n;
	}
	if (err) {
		broken(h, err == -E2BIG ? -EBADMSG : err);
		return n;
	}
	if (!whole)
		return n;
	line_chomp(h);
	if (parse_start(h, buf_span(&h->line), &head)) {
		message_begin(h, &head);
		return n;
	}
	broken(h, -EBADMSG);
	seek_line(h);
	return n;
}

static size_t step_seek(struct http1 *h, struct span in)
{
	bool whole;
	int err;
	size_t n = line_take(h, in, &whole, &err);

	if (err == -ENOMEM) {
		h->err = err;
		buf_clear(&h->line);
	} else if (err) {
		buf_drop(&h->line, h->line.len / 2); /* only the end of a line matters */
	}
	if (whole) {
		line_chomp(h);
		seek_line(h);
	}
	return n;
}

/* The line is as long as a line may be, or memory is short. */
static void field_cut(struct http1 *h, int err)
{
	if (err == -E2BIG) {
		h->skip_line = true;
		field_out(h);
		h->folding = false;
	} else {
		broken(h, err);
		buf_clear(&h->line); /* no part of what is looked for next */
	}
}

static size_t step_fields(struct http1 *h, struct span in)
{
	bool whole;
	size_t n;
	int err;

	if (h->skip_line) {
		const uint8_t *lf = memchr(in.p, '\n', in.len);

		h->skip_line = !lf;
		return lf ? (size_t)(lf - in.p) + 1 : in.len;
	}
	if (h->pending) {
		h->pending = false;
		h->folding = is_blank(in.p[0]);
		h->ambiguous |= h->folding; /* some read the continuation as a field */
		err = h->folding ? buf_add(&h->line, SPAN_LIT(" ")) : 0;
		if (err)
			field_cut(h, err);
		else if (!h->folding)
			field_out(h);
		return 0;
	}
	if (h->folding && is_blank(in.p[0])) {
		n = 1;
		whole = false;
	} else {
		n = line_take(h, in, &whole, &err);
		if (err) {
			field_cut(h, err);
			return n;
		}
		h->folding = false;
	}
	if (whole) {
		line_chomp(h);
		h->ended_lf |= !h->line_cr;
		h->ended_crlf |= h->line_cr;
		if (h->line.len)
			h->pending = true;
		else
			fields_end(h);
	}
	return n;
}

static size_t step_length(struct http1 *h, struct span in)
{
	struct span data = span_sub(in, 0, h->left < in.len ? (size_t)h->left : in.len);

	h->left -= data.len;
	body(h, data);
	if (!h->left)
		message_end(h, HTTP1_COMPLETE);
	return data.len;
}

static size_t step_close(struct http1 *h, struct span in)
{
	body(h, in);
	return in.len;
}

static void chunk_seek(struct http1 *h)
{
	h->state = CHUNK_SEEK;
	h->seek_first = true;
	h->seek_pass = h->held_crlf = false;
	buf_clear(&h->line);
}

/* After a gap the frame that was believed may have been none. */
static void chunk_broken(struct http1 *h)
{
	if (h->gapped)
		chunk_seek(h);
	else
		broken(h, -EBADMSG);
}

/* Others may see the chunk end, or begin, elsewhere. */
static void doubtful(struct http1 *h)
{
	if (h->ambiguous || h->gapped)
		return;
	h->ambiguous = true;
	h->stats.ambiguous++;
	h->ops->doubtful(h->ctx);
}

static void chunk_begin(struct http1 *h)
{
	h->state = h->left ? CHUNK_DATA : TRAILERS;
	h->line_len = 0;
	h->seen_cr = h->seen_colon = false;
}

static size_t step_chunk_size(struct http1 *h, struct span in)
{
	uint8_t c = in.p[0];
	int digit = ascii_hex(c);

	if (digit >= 0 && !(h->left & CHUNK_DIGITS_TOP)) {
		h->left = h->left << 4 | (unsigned)digit;
		h->line_len++;
	} else if (!h->line_len || digit >= 0) {
		chunk_broken(h);
		return 0;
	} else if (c == '\n') {
		doubtful(h);
		chunk_begin(h);
	} else if (c == '\r' || c == ';' || is_blank(c)) {
		if (is_blank(c))
			doubtful(h);
		h->seen_cr = c == '\r';
		h->state = CHUNK_EXT;
	} else {
		chunk_broken(h);
		return 0;
	}
	return 1;
}

static size_t step_chunk_ext(struct http1 *h, struct span in)
{
	if (in.p[0] == '\n') {
		if (!h->seen_cr)
			doubtful(h);
		chunk_begin(h);
		return 1;
	}
	if (h->seen_cr)
		doubtful(h); /* a CR alone */
	h->seen_cr = in.p[0] == '\r';
	return h->seen_cr ? 1 : scan_line(in);
}

static size_t step_chunk_data(struct http1 *h, struct span in)
{
	struct span data = span_sub(in, 0, h->left < in.len ? (size_t)h->left : in.len);

	h->left -= data.len;
	if (!h->left) {
		h->state = CHUNK_END;
		h->seen_cr = false;
	}
	body(h, data);
	return data.len;
}

static size_t step_chunk_end(struct http1 *h, struct span in)
{
	if (in.p[0] == '\r' && !h->seen_cr) {
		h->seen_cr = true;
		return 1;
	}
	if (in.p[0] != '\n') {
		chunk_broken(h);
		return 0;
	}
	if (!h->seen_cr)
		doubtful(h);
	h->state = CHUNK_SIZE;
	h->line_len = 0;
	h->left = 0;
	return 1;
}

static size_t step_trailers(struct http1 *h, struct span in)
{
	size_t n;

	if (in.p[0] == '\n') {
		if (!h->seen_cr || (h->line_len && !h->seen_colon))
			doubtful(h);
		h->seen_cr = h->seen_colon = false;
		if (!h->line_len)
			message_end(h, HTTP1_COMPLETE);
		h->line_len = 0;
		return 1;
	}
	if (h->seen_cr)
		doubtful(h); /* a CR alone */
	h->seen_cr = in.p[0] == '\r';
	if (h->seen_cr)
		return 1;
	n = scan_line(in);
	h->line_len = 1;
	h->seen_colon |= memchr(in.p, ':', n) != NULL;
	return n;
}

/* "1a2b", perhaps with extensions. */
static bool parse_chunk_line(struct span line, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < line.len && ascii_hex(line.p[i]) >= 0; i++) {
		if (n & CHUNK_DIGITS_TOP)
			return false;
		n = n << 4 | (unsigned)ascii_hex(line.p[i]);
	}
	*ret = n;
	return i && (i == line.len || line.p[i] == ';');
}

/* What was held back turned out to be body. */
static void seek_release(struct http1 *h)
{
	if (h->held_crlf)
		body(h, SPAN_LIT("\r\n"));
	h->held_crlf = false;
	body(h, buf_span(&h->line));
	buf_clear(&h->line);
}

/* Through a line too long to mean anything, but for the CR LF at its end. */
static size_t seek_long_line(struct http1 *h, struct span in)
{
	const uint8_t *lf = memchr(in.p, '\n', in.len);
	struct span part = span_sub(in, 0, lf ? (size_t)(lf - in.p) : in.len);
	size_t n = part.len;

	if (!n) {
		h->held_crlf = h->seen_cr;
		if (!h->seen_cr)
			body(h, SPAN_LIT("\n"));
		h->seek_pass = false;
		return 1;
	}
	if (h->seen_cr)
		body(h, SPAN_LIT("\r"));
	h->seen_cr = part.p[n - 1] == '\r';
	part.len -= h->seen_cr;
	body(h, part);
	return n;
}

/* Reads lines. A chunk's frame is CR LF size CR LF, so a line's CR LF is held back until the next
 * line is known; what is no frame is the data of a chunk whose size was lost.
 */
static size_t step_chunk_seek(struct http1 *h, struct span in)
{
	struct http1_head head;
	struct span line;
	bool whole, crlf;
	size_t n;
	int err;

	if (h->seek_pass)
		return seek_long_line(h, in);
	in.len = MIN(in.len, SEEK_LINE_MAX - h->line.len);
	n = line_take(h, in, &whole, &err);
	if (err || (!whole && h->line.len == SEEK_LINE_MAX)) {
		h->err = err ? err : h->err;
		h->seen_cr = h->line.len && h->line.p[h->line.len - 1] == '\r';
		h->line.len -= h->seen_cr;
		seek_release(h);
		h->seek_first = false;
		h->seek_pass = !whole;
		return n;
	}
	if (!whole)
		return n;
	line = buf_span(&h->line);
	crlf = line.len && line.p[line.len - 1] == '\r';
	line.len -= crlf;
	if (crlf && (h->seek_first || h->held_crlf) && parse_chunk_line(line, &h->left)) {
		h->held_crlf = false;
		buf_clear(&h->line);
		chunk_begin(h);
		return n;
	}
	h->line.len -= crlf;
	if (parse_start(h, line, &head)) {
		message_end(h, HTTP1_CUT);
		h->stats.resynced++;
		h->held_crlf = false;
		message_begin(h, &head);
		return n;
	}
	seek_release(h);
	h->held_crlf = crlf;
	if (!crlf)
		body(h, SPAN_LIT("\n"));
	h->seek_first = false;
	return n;
}

static size_t (*const steps[])(struct http1 *, struct span) = {
	[START] = step_start,	      [SEEK] = step_seek,
	[FIELDS] = step_fields,	      [BODY_LENGTH] = step_length,
	[BODY_CLOSE] = step_close,    [CHUNK_SIZE] = step_chunk_size,
	[CHUNK_EXT] = step_chunk_ext, [CHUNK_DATA] = step_chunk_data,
	[CHUNK_END] = step_chunk_end, [CHUNK_SEEK] = step_chunk_seek,
	[TRAILERS] = step_trailers,   [TUNNEL] = NULL, /* takes nothing */
};
static_assert(ARRAY_SIZE(steps) == STATE_MAX_, "state without a step");

int http1_feed(struct http1 *h, struct span in)
{
	h->err = h->state == TUNNEL ? -EOPNOTSUPP : 0;
	while (in.len && h->state != TUNNEL)
		in = span_sub(in, steps[h->state](h, in), in.len);
	h->unread = in.len;
	return h->err;
}

size_t http1_unread(const struct http1 *h)
{
	return h->unread;
}

void http1_gap(struct http1 *h, uint64_t n)
{
	uint64_t in_body;

	if (h->state == TUNNEL)
		return;
	h->gapped = true;
	switch (n ? h->state : START) {
	case FIELDS:
		if (h->pending)
			field_out(h);
		if (h->state == FIELDS) {
			buf_clear(&h->line);
			h->pending = h->folding = false;
			h->skip_line = true;
			return;
		}
		break;
	case BODY_LENGTH:
		in_body = MIN(n, h->left);
		h->left -= in_body;
		h->ops->gap(h->ctx, in_body);
		if (h->left)
			return;
		if (n > in_body)
			break;
		message_end(h, HTTP1_COMPLETE);
		return; /* the next byte is a start line's first */
	case BODY_CLOSE:
		h->ops->gap(h->ctx, n);
		return;
	case CHUNK_DATA:
		if (n <= h->left) {
			h->left -= n;
			h->state = h->left ? CHUNK_DATA : CHUNK_END;
			h->seen_cr = false;
			h->ops->gap(h->ctx, n);
			return;
		}
		/* fall through */
	case CHUNK_SIZE:
	case CHUNK_EXT:
	case CHUNK_END:
	case CHUNK_SEEK:
		if (h->state == CHUNK_SEEK)
			seek_release(h);
		h->ops->gap(h->ctx, n);
		chunk_seek(h);
		return;
	case TRAILERS:
	case START:
	case SEEK:
	case TUNNEL:
	case STATE_MAX_:
		break;
	}
	message_end(h, HTTP1_CUT);
	if (h->state == START)
		h->state = SEEK;
	buf_clear(&h->line);
}

void http1_end(struct http1 *h)
{
	bool to_close = h->state == BODY_CLOSE;

	if (h->state == FIELDS && h->pending)
		field_out(h);
	if (h->state == CHUNK_SEEK)
		seek_release(h);
	message_end(h, to_close ? HTTP1_COMPLETE : HTTP1_CUT);
	buf_free(&h->line);
	h->state = START;
	h->connect = false;
}
