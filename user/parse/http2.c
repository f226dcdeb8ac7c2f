/* user/parse/http2.c - HTTP/2 frames of one direction.
 * Owns nine bytes of a frame's header and fourteen of its payload, an HPACK decoder, and the window
 * of a search.
 */
#include "parse/http2.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"

#define FRAME_HEAD	  9
#define PREFIX_MAX	  14 /* a GOAWAY's 8, a padded HEADERS' 6: the longest, and some */
#define SETTING_LEN	  6
#define SETTING_MAX_FRAME 5
#define PLACES_MAX	  16 /* where frames may begin, at a time; more are passed over */
#define STREAM_LIKELY                                                                              \
	(1 << 24) /* connections with more streams exist, but none worth a false match */
#define SETTINGS_LIKELY (32 * SETTING_LEN)

static const struct span preface = { (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24 };

enum type {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION,
	TYPE_MAX_,
};

enum flag {
	END_STREAM = 0x1, /* of SETTINGS and PING: ACK */
	END_HEADERS = 0x4,
	PADDED = 0x8,
	WITH_PRIORITY = 0x20,
};

enum on { ON_STREAM = 1, ON_CONNECTION = 2 };

/* RFC 9113 section 6. */
static const struct {
	uint8_t flags;
	uint8_t on; /* enum on */
	uint8_t
	    prefix; /* bytes that we read before the rest, padding's and priority's not counted */
	uint8_t least;
	bool fixed; /* exactly that many bytes */
} types[] = {
	[DATA] = { END_STREAM | PADDED, ON_STREAM },
	[HEADERS] = { END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY, ON_STREAM },
	[PRIORITY] = { 0, ON_STREAM, .least = 5, .fixed = true },
	[RST_STREAM] = { 0, ON_STREAM, .least = 4, .fixed = true },
	[SETTINGS] = { END_STREAM, ON_CONNECTION },
	[PUSH_PROMISE] = { END_HEADERS | PADDED, ON_STREAM, .prefix = 4, .least = 4 },
	[PING] = { END_STREAM, ON_CONNECTION, .least = 8, .fixed = true },
	[GOAWAY] = { 0, ON_CONNECTION, .prefix = 4, .least = 8 },
	[WINDOW_UPDATE] = { 0, ON_STREAM | ON_CONNECTION, .least = 4, .fixed = true },
	[CONTINUATION] = { END_HEADERS, ON_STREAM },
};
static_assert(ARRAY_SIZE(types) == TYPE_MAX_, "frame type without a row");

struct frame {
	uint32_t len, stream;
	uint8_t type, flags;
	bool reserved; /* the bit before the stream's number is set */
};

/* An offset in the window, and how much of it must be there to decide. */
struct place {
	uint32_t at, need;
};

enum where { IN_PREFACE, IN_HEAD, IN_PAYLOAD, SEARCHING };

struct http2 {
	const struct http2_ops *ops;
	void *ctx;
	bool requests;
	struct hpack *hpack;
	struct http2_stats stats;
	uint32_t max_frame;
	int err;

	enum where where;
	bool joined; /* midway, and nothing was read yet */
	uint8_t head[FRAME_HEAD];
	size_t n_head; /* of head or of the preface */
	struct frame frame;
	uint32_t left; /* bytes of its payload to come */
	uint8_t prefix[PREFIX_MAX];
	size_t n_prefix, prefix_len;
	uint32_t pad;	 /* the last bytes of left */
	bool skip;	 /* the payload cannot be read */
	uint64_t n_idle; /* frames in a row that carried nothing */

	bool in_block; /* a header block is open, on this stream: */
	uint32_t block_stream;
	bool block_ends_stream, block_damaged;
	size_t block_len, n_continuations;
	size_t n_fields, list_len; /* given out */

	/* A search: what came, how much of it was looked at, and where frames may begin. */
	struct buf window;
	size_t looked, n_places;
	struct place places[PLACES_MAX];
};

static struct frame frame_of(const uint8_t *p)
{
	return (struct frame){
		.len = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
		.type = p[3],
		.flags = p[4],
		.reserved = p[5] & 0x80,
		.stream = (uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 |
			  (uint32_t)p[7] << 8 | p[8],
	};
}

static uint32_t number_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What an endpoint must close the connection for; to us it says that this is no frame's header. */
static bool may_be(const struct frame *f)
{
	if (f->type >= TYPE_MAX_)
		return true;
	if (!(types[f->type].on & (f->stream ? ON_STREAM : ON_CONNECTION)))
		return false;
	if (f->len < types[f->type].least ||
	    (types[f->type].fixed && f->len > types[f->type].least))
		return false;
	return f->type != SETTINGS || f->len % SETTING_LEN == 0;
}

/* What real endpoints send: for where nothing else tells that here is a frame. */
static bool likely(const struct frame *f)
{
	return f->type < TYPE_MAX_ && may_be(f) && f->len <= HTTP2_FRAME_MIN && !f->reserved &&
	       !(f->flags & ~types[f->type].flags) && f->stream < STREAM_LIKELY &&
	       (f->stream % 2 || !f->stream) && (f->type != SETTINGS || f->len <= SETTINGS_LIKELY);
}

/* Bytes before a header block: padding's length, priority. */
static size_t block_prefix(const struct frame *f)
{
	return (f->flags & PADDED ? 1 : 0) + (f->flags & WITH_PRIORITY ? 5 : 0);
}

/* A header section that can be recognised by itself, in the frame at the beginning of in? 1 (then
 * *request says whose), 0, -EAGAIN.
 */
static int head_here(struct span in, const struct frame *f, bool *request)
{
	struct span block = span_sub(in, FRAME_HEAD, f->len);
	int is;

	if (f->type != HEADERS || !(f->flags & END_HEADERS))
		return 0;
	is = hpack_probe(span_sub(block, block_prefix(f), block.len), request);
	return is == -EAGAIN && block.len == f->len ? 0 : is;
}

/* Does a frame begin here, in a direction of which nothing else is known? Its header and the next
 * one's have no fault and follow each other, or it is a header section of that direction. 1, 0,
 * -EAGAIN: ask again with *ret_need bytes.
 */
static int frame_here(struct span in, bool requests, size_t *ret_need)
{
	struct frame f = frame_of(in.p), next;
	bool request;
	int is;

	if (!likely(&f))
		return 0;
	*ret_need = in.len + 1;
	is = head_here(in, &f, &request);
	if (is)
		return is == 1 ? request == requests : is;
	*ret_need = FRAME_HEAD + f.len + FRAME_HEAD;
	if (in.len < *ret_need)
		return -EAGAIN;
	next = frame_of(in.p + FRAME_HEAD + f.len);
	if ((f.type == HEADERS || f.type == CONTINUATION) && !(f.flags & END_HEADERS))
		return next.type == CONTINUATION && next.stream == f.stream && likely(&next);
	return next.type != CONTINUATION && likely(&next);
}

int http2_probe(struct span in, bool midway, bool *request)
{
	struct span begin = span_sub(in, 0, preface.len);
	struct frame f;

	*request = true;
	if (span_starts(preface, begin))
		return begin.len == preface.len ? 1 : -EAGAIN;
	*request = false;
	while (in.len >= FRAME_HEAD) {
		int is;

		f = frame_of(in.p);
		if (!likely(&f))
			return 0;
		/* A server's first frame (section 3.4). */
		if (!midway)
			return f.type == SETTINGS && !f.flags;
		is = head_here(in, &f, request);
		if (is)
			return is;
		in = span_sub(in, FRAME_HEAD + f.len, in.len);
	}
	return in.len && in.p[0] ? 0 : -EAGAIN;
}

static void broken(struct http2 *h)
{
	h->stats.broken++;
	h->err = h->err ? h->err : -EBADMSG;
}

static void note(struct http2 *h, int err)
{
	if (err == -EBADMSG)
		broken(h);
	else if (err)
		h->err = err;
}

/* --- header blocks */

static void block_damage(struct http2 *h)
{
	h->block_damaged = true;
	hpack_lost(h->hpack, true);
}

static void block_begin(struct http2 *h, uint32_t promised)
{
	h->in_block = true;
	h->block_stream = h->frame.stream;
	h->block_ends_stream = h->frame.type == HEADERS && h->frame.flags & END_STREAM;
	h->block_damaged = false;
	h->block_len = h->n_continuations = h->n_fields = h->list_len = 0;
	h->ops->head(h->ctx, h->block_stream, promised);
}

static void block_end(struct http2 *h)
{
	uint32_t stream = h->block_stream;
	int err = hpack_end(h->hpack);

	h->in_block = false;
	note(h, err);
	h->block_damaged |= err != 0;
	h->ops->fields_end(h->ctx, h->block_damaged);
	if (h->block_ends_stream)
		h->ops->end(h->ctx, stream);
}

static void on_field(void *ctx, const struct hpack_field *f)
{
	struct http2 *h = ctx;

	if (h->n_fields == HTTP2_FIELDS_MAX ||
	    f->name.len + f->value.len > HTTP2_HEAD_MAX - h->list_len) {
		h->stats.cut++;
		return;
	}
	h->n_fields++;
	h->list_len += f->name.len + f->value.len;
	h->ops->field(h->ctx, f);
}

static void block_bytes(struct http2 *h, struct span part)
{
	bool over = h->block_len + part.len > HTTP2_BLOCK_MAX ||
		    h->n_continuations > HTTP2_CONTINUATIONS_MAX;
	int err;

	if (h->block_damaged)
		return;
	h->block_len += part.len;
	if (over) {
		h->stats.floods++;
		block_damage(h);
		return;
	}
	err = hpack_feed(h->hpack, part);
	h->block_damaged |= err != 0;
	note(h, err);
}

/* --- frames */

/* Everything that is known of the other frames is void. */
static void search(struct http2 *h)
{
	if (h->in_block) {
		block_damage(h);
		h->block_ends_stream = false;
		block_end(h);
	}
	hpack_lost(h->hpack, false);
	h->where = SEARCHING;
	h->n_head = 0;
	h->max_frame = HTTP2_FRAME_MAX; /* SETTINGS may have passed */
	h->ops->lost(h->ctx);
}

/* The payload cannot be read, or no more of it. */
static void skip_payload(struct http2 *h)
{
	if (h->skip)
		return;
	h->skip = true;
	if (h->frame.type == HEADERS && !h->in_block)
		block_begin(h, 0);
	if (h->in_block)
		block_damage(h);
	else if (h->frame.type == PUSH_PROMISE)
		hpack_lost(h->hpack, false);
	if (h->frame.type == DATA && h->left)
		h->ops->gap(h->ctx, h->frame.stream, h->left);
}

static void frame_end(struct http2 *h)
{
	const struct frame *f = &h->frame;

	h->where = IN_HEAD;
	h->n_head = 0;
	if (f->type == DATA && f->flags & END_STREAM)
		h->ops->end(h->ctx, f->stream);
	if (f->type == RST_STREAM)
		h->ops->reset(h->ctx, f->stream);
	if (h->in_block && f->flags & END_HEADERS)
		block_end(h);
}

/* Padding's length and what else stands before the rest of a payload. */
static void on_prefix(struct http2 *h)
{
	const struct frame *f = &h->frame;
	const uint8_t *p = h->prefix;

	if (f->type >= TYPE_MAX_)
		return;
	if (f->flags & PADDED && types[f->type].flags & PADDED)
		h->pad = *p++;
	if (h->pad > h->left) {
		broken(h);
		h->pad = 0;
		skip_payload(h);
		return;
	}
	if (f->type == HEADERS)
		block_begin(h, 0);
	else if (f->type == PUSH_PROMISE)
		block_begin(h, number_of(p) & INT32_MAX);
	else if (f->type == GOAWAY)
		h->ops->goaway(h->ctx, number_of(p) & INT32_MAX);
}

static void on_setting(struct http2 *h)
{
	uint32_t value = number_of(h->prefix + 2);

	if (h->prefix[0] == 0 && h->prefix[1] == SETTING_MAX_FRAME && value >= HTTP2_FRAME_MIN &&
	    value <= HTTP2_FRAME_MAX)
		h->ops->max_frame(h->ctx, value);
}

static void count_idle(struct http2 *h)
{
	const struct frame *f = &h->frame;

	if (f->type == HEADERS || (f->type == DATA && f->len) || f->flags & END_STREAM)
		h->n_idle = 0;
	else if (++h->n_idle == HTTP2_IDLE_FRAMES_MAX)
		h->stats.floods++;
}

static void frame_begin(struct http2 *h)
{
	struct frame *f = &h->frame;

	*f = frame_of(h->head);
	if (f->len > h->max_frame || !may_be(f)) {
		broken(h);
		search(h);
		return;
	}
	h->stats.frames++;
	count_idle(h);
	h->where = IN_PAYLOAD;
	h->left = f->len;
	h->pad = 0;
	h->skip = false;
	h->n_prefix = h->prefix_len = 0;
	if (h->in_block && (f->type != CONTINUATION || f->stream != h->block_stream)) {
		/* Nothing may come between (section 4.3). */
		broken(h);
		block_damage(h);
		h->block_ends_stream = false;
		block_end(h);
	}
	if (f->type == CONTINUATION && h->in_block) {
		h->n_continuations++;
	} else if (f->type == CONTINUATION) {
		/* Its block began in a loss, or never. */
		hpack_lost(h->hpack, false);
		h->skip = true;
	} else if (f->type < TYPE_MAX_) {
		h->prefix_len =
		    types[f->type].prefix +
		    block_prefix(&(struct frame){ .flags = f->flags & types[f->type].flags });
	}
	if (f->type == SETTINGS)
		h->prefix_len = f->len ? SETTING_LEN : 0;
	if (h->prefix_len > h->left) {
		broken(h);
		h->prefix_len = 0;
		skip_payload(h);
	} else if (!h->prefix_len) {
		on_prefix(h);
	}
	if (!h->left)
		frame_end(h);
}

/* A part of the payload. */
static void take(struct http2 *h, struct span part)
{
	const struct frame *f = &h->frame;

	while (part.len) {
		bool prefix = !h->skip && h->n_prefix < h->prefix_len;
		size_t n = prefix ? MIN(part.len, h->prefix_len - h->n_prefix) : part.len;
		struct span now;

		/* Content, then padding. */
		if (!prefix && h->left > h->pad)
			n = MIN(n, h->left - h->pad);
		now = span_sub(part, 0, n);
		part = span_sub(part, n, part.len);
		if (prefix) {
			memcpy(h->prefix + h->n_prefix, now.p, n);
			h->n_prefix += n;
			h->left -= (uint32_t)n;
			if (h->n_prefix < h->prefix_len)
				break;
			if (f->type == SETTINGS) {
				on_setting(h);
				h->n_prefix = 0;
			} else {
				on_prefix(h);
			}
			continue;
		}
		if (!h->skip && h->left > h->pad) {
			if (f->type == DATA)
				h->ops->body(h->ctx, f->stream, now);
			else if (h->in_block)
				block_bytes(h, now);
		}
		h->left -= (uint32_t)n;
	}
	if (!h->left)
		frame_end(h);
}

static void on_preface(struct http2 *h, uint8_t byte)
{
	if (byte != preface.p[h->n_head++]) {
		broken(h);
		search(h);
	} else if (h->n_head == preface.len) {
		h->where = IN_HEAD;
		h->n_head = 0;
	}
}

/* Reads on until the end of in, or until it must search. Returns how much it took. */
static size_t read_frames(struct http2 *h, struct span in)
{
	size_t at = 0;

	while (at < in.len && h->where != SEARCHING) {
		size_t n = 1;

		if (h->joined && in.p[at] == preface.p[0])
			h->where = IN_PREFACE;
		h->joined = false;
		if (h->where == IN_PREFACE) {
			on_preface(h, in.p[at]);
		} else if (h->where == IN_HEAD) {
			n = MIN(in.len - at, FRAME_HEAD - h->n_head);
			memcpy(h->head + h->n_head, in.p + at, n);
			h->n_head += n;
			if (h->n_head == FRAME_HEAD)
				frame_begin(h);
		} else {
			n = MIN(in.len - at, h->left);
			take(h, span_sub(in, at, n));
		}
		at += n;
	}
	return at;
}

/* One more byte of the window is looked at, the last of `seen`; those before `base` are done with.
 * Returns where frames begin, if it decides that, else -1. Byte by byte, so that how the input was
 * cut makes no difference to which of several places is found.
 */
static ssize_t look(struct http2 *h, size_t base, size_t seen)
{
	const uint8_t *p = h->window.p;
	size_t n = 0;

	/* Frames longer than HTTP2_FRAME_MIN are not searched: the first byte is 0. */
	if (seen - base >= FRAME_HEAD && !p[seen - FRAME_HEAD] && h->n_places < PLACES_MAX)
		h->places[h->n_places++] =
		    (struct place){ (uint32_t)(seen - FRAME_HEAD), (uint32_t)seen };
	for (size_t i = 0; i < h->n_places; i++) {
		struct place place = h->places[i];
		size_t need;

		if (place.need <= seen) {
			int is =
			    frame_here(span_of(p + place.at, seen - place.at), h->requests, &need);

			if (is == 1)
				return (ssize_t)place.at;
			if (is == 0)
				continue;
			place.need = place.at + (uint32_t)need;
		}
		h->places[n++] = place;
	}
	h->n_places = n;
	return -1;
}

/* Forgets of the window what no place needs. */
static void window_drop(struct http2 *h, size_t base)
{
	size_t n =
	    h->n_places ? h->places[0].at : MAX(base, h->looked - MIN(h->looked, FRAME_HEAD - 1));

	buf_drop(&h->window, n);
	h->looked -= n;
	for (size_t i = 0; i < h->n_places; i++) {
		h->places[i].at -= (uint32_t)n;
		h->places[i].need -= (uint32_t)n;
	}
}

static void window_free(struct http2 *h)
{
	buf_free(&h->window);
	h->n_places = h->looked = 0;
}

/* Looks for the next frame. Returns how much of in it took: all, or what fits in the window. */
static size_t find_frame(struct http2 *h, struct span in)
{
	ssize_t n = buf_add_some(&h->window, in);
	size_t base = 0;

	if (n < 0) {
		h->err = (int)n;
		window_free(h);
		return in.len;
	}
	while (h->where == SEARCHING && h->looked < h->window.len) {
		ssize_t at = look(h, base, ++h->looked);

		if (at < 0)
			continue;
		h->stats.resynced++;
		h->where = IN_HEAD;
		h->n_places = 0;
		base = (size_t)at +
		       read_frames(h, span_sub(buf_span(&h->window), (size_t)at, h->window.len));
		h->looked = base;
	}
	if (h->where == SEARCHING)
		window_drop(h, base);
	else
		window_free(h);
	return (size_t)n;
}

int http2_feed(struct http2 *h, struct span in)
{
	h->err = 0;
	while (in.len) {
		size_t n = h->where == SEARCHING ? find_frame(h, in) : read_frames(h, in);

		in = span_sub(in, n, in.len);
	}
	return h->err;
}

/* n bytes of the open frame are lost. */
static void lose(struct http2 *h, uint32_t n)
{
	const struct frame *f = &h->frame;

	if (f->type == DATA && !h->skip && h->n_prefix == h->prefix_len) {
		uint32_t content = h->left - MIN(h->left, h->pad);

		if (content)
			h->ops->gap(h->ctx, f->stream, MIN(n, content));
	} else {
		skip_payload(h);
	}
	h->left -= n;
	if (!h->left)
		frame_end(h);
}

/* The header of this frame is lost but for its length: what it was is not known, where it ends is.
 */
static void lose_frame(struct http2 *h, uint32_t left)
{
	search(h);
	h->where = IN_PAYLOAD;
	h->frame = (struct frame){ .type = TYPE_MAX_ };
	h->left = left;
	h->skip = true;
	if (!left)
		frame_end(h);
}

void http2_gap(struct http2 *h, uint64_t n)
{
	if (h->where == SEARCHING) {
		window_free(h);
		return;
	}
	if (n && h->where == IN_HEAD && h->n_head >= 3) {
		uint32_t left = frame_of(h->head).len + (uint32_t)(FRAME_HEAD - h->n_head);

		if (n <= left) {
			lose_frame(h, left - (uint32_t)n);
			return;
		}
	}
	if (n && h->where == IN_PAYLOAD) {
		uint32_t now = (uint32_t)MIN(n, h->left);

		lose(h, now);
		n -= now;
		if (!n)
			return;
	}
	search(h);
}

void http2_end(struct http2 *h)
{
	if (!h->in_block)
		return;
	block_damage(h);
	h->block_ends_stream = false;
	block_end(h);
}

void http2_join(struct http2 *h)
{
	hpack_lost(h->hpack, false);
	h->where = IN_HEAD;
	h->joined = true;
	h->max_frame = HTTP2_FRAME_MAX;
}

void http2_take_frames(struct http2 *h, uint32_t len)
{
	h->max_frame = MAX(h->max_frame, len);
}

int http2_new(struct http2 **ret, bool requests, const struct http2_ops *ops, void *ctx)
{
	struct http2 *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = hpack_new(&h->hpack, on_field, h);
	if (err) {
		free(h);
		return err;
	}
	h->ops = ops;
	h->ctx = ctx;
	h->requests = requests;
	h->where = requests ? IN_PREFACE : IN_HEAD;
	h->max_frame = HTTP2_FRAME_MIN;
	h->window = BUF(HTTP2_WINDOW);
	*ret = h;
	return 0;
}

void http2_free(struct http2 **hp)
{
	struct http2 *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	hpack_free(&h->hpack);
	buf_free(&h->window);
	free(h);
}

struct http2_stats http2_stats(const struct http2 *h)
{
	struct http2_stats s = h->stats;

	s.unknown = hpack_stats(h->hpack)->unknown;
	s.cut += hpack_stats(h->hpack)->cut;
	return s;
}
