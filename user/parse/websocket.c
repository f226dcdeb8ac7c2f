/* user/parse/websocket.c - WebSocket frames in, messages out.
 * Owns the message being put together and the decompressor of its direction. RFC 6455 section 5,
 * RFC 7692 section 7.
 */
#include "parse/websocket.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"

#define HEAD_MAX    14 /* bytes of a frame's header */
#define SEEK_MAX    (HEAD_MAX + 2)
#define CONTROL_MAX 125 /* bytes of a control frame's payload */

enum opcode { OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

enum where {
	IN_HEAD,
	IN_PAYLOAD,
	IN_SEEK, /* where a frame begins is not known */
};

/* A frame's header. */
struct frame {
	bool fin, deflated, masked;
	uint8_t reserved; /* bits that nothing here gave a meaning */
	enum opcode op;
	uint64_t len;
	uint8_t mask[4];
};

struct websocket {
	struct websocket_opts opts;
	websocket_fn *fn;
	void *ctx;
	struct websocket_stats stats;
	enum where where;
	uint8_t head[SEEK_MAX];
	size_t n_head;

	struct frame frame;
	uint64_t done; /* of its payload */

	/* The message. */
	struct buf text;
	bool open, binary, deflated, damaged, cut;
	bool skip; /* the rest of it cannot be read */
	struct coding *coding;
	bool forgot; /* its messages may refer back to what was lost, or to what did so */
	bool closed;
	int err; /* of this feed */
};

int websocket_new(struct websocket **ret, const struct websocket_opts *opts, websocket_fn *fn,
		  void *ctx)
{
	struct websocket *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->opts = *opts;
	w->fn = fn;
	w->ctx = ctx;
	w->text = BUF(opts->max_message);
	if (opts->joined) {
		w->where = IN_SEEK;
		w->forgot = true;
	}
	*ret = w;
	return 0;
}

void websocket_free(struct websocket **w)
{
	if (!*w)
		return;
	coding_free(&(*w)->coding);
	buf_free(&(*w)->text);
	explicit_bzero(*w, sizeof(**w));
	free(*w);
	*w = NULL;
}

const struct websocket_stats *websocket_stats(const struct websocket *w)
{
	return &w->stats;
}

bool websocket_closed(const struct websocket *w)
{
	return w->closed;
}

/* --- messages */

/* What was decoded and is not known is marked, once and for all: a stream that repeats itself
 * refers back to it for ever. */
static void mark_unknown(struct websocket *w, size_t from)
{
	for (size_t i = from; i < w->text.len; i++) {
		if (w->text.p[i] != CODING_UNKNOWN)
			continue;
		w->text.p[i] = '?';
		w->damaged = true;
	}
}

static void keep(void *ctx, struct span part)
{
	struct websocket *w = ctx;
	size_t from = w->text.len;
	ssize_t n = buf_add_some(&w->text, part);

	if (w->forgot && w->deflated)
		mark_unknown(w, from);
	if (n < 0)
		w->err = (int)n;
	else if ((size_t)n < part.len)
		w->cut = true;
	if (n < 0 || w->cut)
		w->damaged = true;
}

/* The decompressor failed, or was not fed all: what it holds is worth nothing any more. */
static void lose_context(struct websocket *w)
{
	w->damaged = true;
	if (!w->coding)
		return;
	if (!w->opts.takeover) {
		coding_free(&w->coding);
		return;
	}
	w->forgot = true;
	if (coding_forget(w->coding))
		coding_free(&w->coding); /* made anew for the next one */
}

static void decode_failed(struct websocket *w, int err)
{
	if (err == -ENOMEM)
		w->err = err;
	else
		w->stats.broken++;
	lose_context(w);
}

/* The decompressor of the direction, made at its first compressed message. */
static int coding_ready(struct websocket *w)
{
	const struct coding_limits limits = { UINT64_MAX, w->opts.max_ratio, w->opts.left };
	int err;

	if (w->coding)
		return 0;
	err = coding_new(&w->coding, CODING_RAW, &limits, keep, w);
	if (!err && w->forgot) {
		err = coding_forget(w->coding);
		if (err)
			coding_free(&w->coding);
	}
	return err;
}

static void message_begin(struct websocket *w)
{
	int err;

	w->open = true;
	w->binary = w->frame.op == OP_BINARY;
	w->deflated = w->frame.deflated;
	if (!w->deflated)
		return;
	err = coding_ready(w);
	if (err) {
		w->err = err;
		w->damaged = true;
		w->forgot = w->opts.takeover;
	}
}

static void message_clear(struct websocket *w)
{
	buf_free(&w->text); /* an idle connection keeps no buffer */
	w->open = w->deflated = w->damaged = w->cut = w->skip = false;
}

static void message_out(struct websocket *w)
{
	struct websocket_message m;

	/* Without its end, or after bytes of it were lost, a compressed message has no context. */
	if (w->deflated && w->coding) {
		int err = coding_message(w->coding, w->opts.takeover);

		if (err)
			decode_failed(w, err);
	}
	m = (struct websocket_message){ buf_span(&w->text), w->binary, w->damaged };
	w->stats.messages++;
	w->stats.cut += w->cut;
	w->fn(w->ctx, &m);
	message_clear(w);
}

/* The rest of the open message will not come. */
static void message_broken(struct websocket *w)
{
	if (!w->open)
		return;
	w->damaged = true;
	if (w->deflated)
		lose_context(w);
	w->deflated = false;
	message_out(w);
}

static void unmask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] ^= mask[(at + i) & 3];
}

/* Payload of a data frame. Masked bytes are copied in blocks: in is borrowed. */
static void payload(struct websocket *w, struct span in)
{
	uint8_t plain[4096];
	uint64_t at = w->done;

	while (in.len) {
		struct span part = in;

		if (w->frame.masked) {
			part = span_sub(in, 0, sizeof(plain));
			memcpy(plain, part.p, part.len);
			unmask(plain, part.len, w->frame.mask, at);
			part.p = plain;
		}
		at += part.len;
		in = span_sub(in, part.len, in.len);
		if (!w->deflated) {
			keep(w, part);
		} else if (w->coding) {
			int err = coding_feed(w->coding, part);

			if (err) {
				decode_failed(w, err);
				w->deflated = false;
				w->skip = true;
				break;
			}
		}
	}
	explicit_bzero(plain, sizeof(plain));
}

/* --- frames */

/* 1 and the header's length, 0 when in is too short, -EBADMSG. */
static int parse_frame(struct span in, struct frame *ret, size_t *ret_len)
{
	size_t n_len, n;

	if (in.len < 2)
		return 0;
	*ret = (struct frame){ .fin = in.p[0] & 0x80,
			       .deflated = in.p[0] & 0x40,
			       .reserved = in.p[0] & 0x30,
			       .op = in.p[0] & 0xf,
			       .masked = in.p[1] & 0x80,
			       .len = in.p[1] & 0x7f };
	if (ret->op > OP_PONG || (ret->op > OP_BINARY && ret->op < OP_CLOSE))
		return -EBADMSG;
	if (ret->op >= OP_CLOSE && (!ret->fin || ret->len > CONTROL_MAX || ret->deflated))
		return -EBADMSG;
	n_len = ret->len == 126 ? 2 : ret->len == 127 ? 8 : 0;
	n = 2 + n_len + (ret->masked ? sizeof(ret->mask) : 0);
	if (in.len < n)
		return 0;
	if (n_len) {
		ret->len = 0;
		for (size_t i = 0; i < n_len; i++)
			ret->len = ret->len << 8 | in.p[2 + i];
		/* The shortest form is the only one (section 5.2), and the sign bit is none. */
		if (ret->len < (n_len == 2 ? 126u : 65536u) || ret->len >> 63)
			return -EBADMSG;
	}
	if (ret->masked)
		memcpy(ret->mask, in.p + 2 + n_len, sizeof(ret->mask));
	*ret_len = n;
	return 1;
}

static bool is_data(const struct frame *f)
{
	return f->op < OP_CLOSE;
}

static void frame_end(struct websocket *w)
{
	w->where = IN_HEAD;
	if (w->frame.op == OP_CLOSE)
		w->closed = true;
	if (is_data(&w->frame) && w->frame.fin && w->open)
		message_out(w);
}

/* w->frame was read. */
static void frame_begin(struct websocket *w)
{
	struct frame *f = &w->frame;

	w->n_head = 0;
	w->done = 0;
	w->where = IN_PAYLOAD;
	if (is_data(f)) {
		/* The end of the message before was lost, or never sent. */
		if (f->op != OP_CONTINUATION) {
			message_broken(w);
			message_begin(w);
		} else if (!w->open) {
			message_begin(w);
			w->damaged = true;
			w->deflated = false;
			w->skip = w->opts.deflate; /* perhaps compressed, who knows */
		}
		if (f->reserved ||
		    (f->deflated && (!w->opts.deflate || f->op == OP_CONTINUATION))) {
			w->stats.broken++;
			w->skip = w->damaged = true;
		}
	}
	if (!f->len)
		frame_end(w);
}

/* Bytes break the protocol, or are lost: where the next frame begins is not known. */
static void seek(struct websocket *w)
{
	message_broken(w);
	w->where = IN_SEEK;
	w->n_head = 0;
}

static size_t step_head(struct websocket *w, struct span in)
{
	size_t len;
	int rc;

	w->head[w->n_head++] = in.p[0];
	rc = parse_frame(span_of(w->head, w->n_head), &w->frame, &len);
	if (rc > 0) {
		frame_begin(w);
	} else if (rc < 0) {
		w->stats.broken++;
		seek(w);
	}
	return 1;
}

static size_t step_payload(struct websocket *w, struct span in)
{
	struct frame *f = &w->frame;
	uint64_t left = f->len - w->done;
	struct span part = span_sub(in, 0, left < in.len ? (size_t)left : in.len);

	if (is_data(f) && !w->skip)
		payload(w, part);
	w->done += part.len;
	if (w->done == f->len)
		frame_end(w);
	return part.len;
}

/* Can a message that is a JSON object begin with this frame? 1, 0, -EAGAIN: too short to say. */
static int is_object(struct span s, size_t *ret_len)
{
	struct frame f;
	uint8_t c[2];
	int rc = parse_frame(s, &f, ret_len);

	if (rc < 0 || (rc && f.len < sizeof(c)))
		return 0;
	if (!rc || s.len < *ret_len + sizeof(c))
		return -EAGAIN;
	memcpy(c, s.p + *ret_len, sizeof(c));
	if (f.masked)
		unmask(c, sizeof(c), f.mask, 0);
	return c[0] == '{' && c[1] && strchr("\"} \r\n\t", c[1]);
}

/* Can s begin a whole text message that is a JSON object? */
static int plausible(const struct websocket *w, struct span s, size_t *ret_len)
{
	if (s.p[0] != (0x80 | OP_TEXT) || (s.len > 1 && (s.p[1] >> 7) != w->opts.masked))
		return 0;
	return is_object(s, ret_len);
}

bool websocket_probe(struct span record, bool *ret_masked)
{
	bool compressed = false;
	struct frame f;
	size_t len;

	if (record.len < 2)
		return false;
	*ret_masked = record.p[1] & 0x80;
	/* With any FIN, no RSV. */
	if (((record.p[0] & 0x7f) == OP_TEXT || (record.p[0] & 0x7f) == OP_BINARY) &&
	    is_object(record, &len) == 1)
		return true;
	while (record.len) {
		if (parse_frame(record, &f, &len) != 1 || f.reserved || f.masked != *ret_masked ||
		    f.len > record.len - len)
			return false;
		compressed |= f.deflated && f.op == OP_TEXT && f.len;
		record = span_sub(record, len + (size_t)f.len, record.len);
	}
	return compressed;
}

static void run(struct websocket *w, struct span in);

static size_t step_seek(struct websocket *w, struct span in)
{
	uint8_t held[SEEK_MAX];
	size_t len, n = 1;
	int rc;

	if (!w->n_head) {
		const uint8_t *p = memchr(in.p, 0x80 | OP_TEXT, in.len);

		if (!p)
			return in.len;
		n = (size_t)(p - in.p) + 1;
	}
	w->head[w->n_head++] = in.p[n - 1];
	while (w->n_head) {
		rc = plausible(w, span_of(w->head, w->n_head), &len);
		if (rc == -EAGAIN)
			break;
		if (!rc) {
			memmove(w->head, w->head + 1, --w->n_head);
			continue;
		}
		w->stats.resynced++;
		parse_frame(span_of(w->head, w->n_head), &w->frame, &len);
		rc = (int)(w->n_head - len);
		memcpy(held, w->head + len, (size_t)rc);
		frame_begin(w);
		run(w, span_of(held, (size_t)rc));
		explicit_bzero(held, sizeof(held));
		break;
	}
	return n;
}

static size_t (*const steps[])(struct websocket *, struct span) = {
	[IN_HEAD] = step_head,
	[IN_PAYLOAD] = step_payload,
	[IN_SEEK] = step_seek,
};

static void run(struct websocket *w, struct span in)
{
	while (in.len)
		in = span_sub(in, steps[w->where](w, in), in.len);
}

int websocket_feed(struct websocket *w, struct span in)
{
	bool masked;

	w->err = 0;
	if (w->opts.joined && websocket_probe(in, &masked) && masked == w->opts.masked) {
		w->where = IN_HEAD;
		w->n_head = 0;
	}
	run(w, in);
	w->opts.joined &= w->where == IN_SEEK;
	return w->err;
}

void websocket_gap(struct websocket *w, uint64_t n)
{
	uint64_t left = w->frame.len - w->done;

	if (w->where != IN_PAYLOAD || !n || n > left) {
		seek(w);
		if (w->opts.deflate && w->opts.takeover)
			w->forgot = true;
		lose_context(w);
		w->damaged = false; /* nothing is open */
		return;
	}
	if (is_data(&w->frame)) {
		w->damaged = true;
		if (w->deflated) {
			lose_context(w);
			w->deflated = false;
			w->skip = true;
		}
	}
	w->done += n;
	if (w->done == w->frame.len)
		frame_end(w);
}

void websocket_end(struct websocket *w)
{
	message_broken(w);
}

/* --- the handshake */

int websocket_extensions(struct span value, bool *ret_client, bool *ret_server)
{
	while (value.len) {
		struct span one = span_token(&value, ',');

		if (!span_eq_nocase(span_token(&one, ';'), SPAN_LIT("permessage-deflate")))
			continue;
		*ret_client = *ret_server = true;
		while (one.len) {
			struct span param = span_token(&one, ';');

			if (span_eq_nocase(param, SPAN_LIT("client_no_context_takeover")))
				*ret_client = false;
			else if (span_eq_nocase(param, SPAN_LIT("server_no_context_takeover")))
				*ret_server = false;
		}
		return 1;
	}
	return 0;
}
