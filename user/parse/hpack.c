/* user/parse/hpack.c - HPACK header blocks: table, Huffman code, representations.
 * Owns the dynamic table as a ring, newest entry first. Texts are counted references: a name that
 * many entries share (which three bytes on the wire suffice for) is kept, and copied, once.
 */
#include "parse/hpack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "parse/hpack_data.h"

#define RING_MIN 8

enum where {
	AT_FIELD,
	IN_INDEX,
	AT_NAME,
	IN_NAME_LEN,
	IN_NAME,
	AT_VALUE,
	IN_VALUE_LEN,
	IN_VALUE,
};

enum rep { REP_INDEXED, REP_INSERT, REP_RESIZE, REP_NEVER, REP_PLAIN };

struct text {
	uint32_t refs, len;
	uint8_t bytes[];
};

struct entry {
	struct text *name; /* NULL: static_name, or unknown when that is 0 */
	struct text *value;
	uint32_t size; /* the least it can be, when the name is unknown */
	uint8_t static_name;
};

struct hpack {
	hpack_fn *fn;
	void *ctx;
	struct hpack_stats stats;

	struct entry *ring;
	size_t room, newest, n; /* room is a power of two */
	size_t size;		/* of the known entries */
	uint32_t max;		/* of the encoder's table */
	bool max_known;
	bool whole; /* there is no unknown tail */

	enum where where;
	enum rep rep;
	bool in_block; /* a field was read: too late for a new size (section 4.2) */
	bool skip;     /* the rest of this block cannot be read */
	uint64_t number;
	unsigned shift;
	uint32_t left; /* bytes of the open string */
	bool huffman;  /* it is coded so */
	uint64_t bits; /* what of its code is not decoded yet, right-aligned */
	unsigned n_bits;
	struct entry field; /* name by index: a reference of its own */
	struct buf text;    /* literal name, then value */
	bool literal_name;  /* its name stands in text */
	size_t name_len;    /* there */
	uint64_t text_len;  /* of both, what is not kept included */
};

static void text_drop(struct text **tp)
{
	struct text *t = *tp;

	*tp = NULL;
	if (!t || --t->refs)
		return;
	explicit_bzero(t, sizeof(*t) + t->len);
	free(t);
}

static struct text *text_new(struct span s)
{
	struct text *t = malloc(sizeof(*t) + s.len);

	if (!t)
		return NULL;
	t->refs = 1;
	t->len = (uint32_t)s.len;
	if (s.len)
		memcpy(t->bytes, s.p, s.len);
	return t;
}

static struct span text_span(const struct text *t)
{
	return t ? span_of(t->bytes, t->len) : (struct span){ 0 };
}

/* --- the table */

static struct entry *nth(const struct hpack *h, size_t i)
{
	return &h->ring[(h->newest + i) & (h->room - 1)];
}

static void drop_oldest(struct hpack *h)
{
	struct entry *e = nth(h, --h->n);

	h->size -= e->size;
	text_drop(&e->name);
	text_drop(&e->value);
}

/* Down to what the encoder keeps, and to what we do. */
static void evict(struct hpack *h)
{
	while (h->n && h->size > h->max) {
		drop_oldest(h);
		h->whole |= h->max_known; /* the tail was older, so it went before */
	}
	while (h->n && h->size > HPACK_TABLE_MAX) {
		drop_oldest(h);
		h->whole = false;
	}
	/* No room for even an empty entry behind the known ones. */
	h->whole |= h->max_known && h->max - h->size < HPACK_ENTRY_EXTRA;
}

static void forget(struct hpack *h)
{
	while (h->n)
		drop_oldest(h);
	h->whole = h->max_known = false;
	h->max = HPACK_TABLE_MAX;
}

static void resize(struct hpack *h, uint32_t max)
{
	h->max = max;
	h->max_known = true;
	evict(h);
}

static int ring_grow(struct hpack *h)
{
	size_t room = h->room ? h->room * 2 : RING_MIN;
	struct entry *ring = calloc(room, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++)
		ring[i] = *nth(h, i);
	free(h->ring);
	h->ring = ring;
	h->room = room;
	h->newest = 0;
	return 0;
}

static struct span name_of(const struct entry *e)
{
	return e->static_name ? hpack_static[e->static_name - 1].name : text_span(e->name);
}

/* The literal field that was read becomes the newest entry. -ENOMEM. */
static int insert(struct hpack *h, const struct hpack_field *f)
{
	uint64_t size = h->text_len + HPACK_ENTRY_EXTRA + (h->literal_name ? 0 : f->name.len);
	struct entry e = { .static_name = h->field.static_name, .size = (uint32_t)size };

	if (size > MIN(h->max, HPACK_TABLE_MAX)) {
		/* Larger than the whole table, it empties it (section 4.4). */
		while (h->n)
			drop_oldest(h);
		h->whole = h->max_known && size > h->max;
		return 0;
	}
	if (h->n == h->room) {
		int err = ring_grow(h);

		if (err)
			return err;
	}
	e.value = text_new(f->value);
	e.name = h->literal_name ? text_new(f->name) : steal(h->field.name);
	if (!e.value || (h->literal_name && !e.name)) {
		text_drop(&e.value);
		text_drop(&e.name);
		return -ENOMEM;
	}
	h->newest = (h->newest - 1) & (h->room - 1);
	h->n++;
	h->size += e.size;
	*nth(h, 0) = e;
	evict(h);
	return 0;
}

/* --- Huffman code */

/* Decodes what is whole. -EBADMSG, -ENOMEM. */
static int unpack(struct hpack *h, struct span in)
{
	uint8_t out[64];
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < in.len && !err; i++) {
		h->bits = h->bits << 8 | in.p[i];
		h->n_bits += 8;
		while (h->n_bits >= 5) {
			/* Filled up with ones, as the code's own end is (section 5.2). */
			uint32_t next =
			    (uint32_t)(h->n_bits < 32 ? (h->bits << 32 | UINT32_MAX) >> h->n_bits
						      : h->bits >> (h->n_bits - 32));
			const struct huffman_row *row = huffman_rows;
			size_t symbol;

			while (next > row->last)
				row++;
			if (row->bits > h->n_bits)
				break;
			symbol = row->index + (next >> (32 - row->bits)) - row->first;
			if (symbol >= HUFFMAN_SYMBOLS)
				return -EBADMSG; /* EOS */
			h->n_bits -= row->bits;
			h->bits &= (UINT64_C(1) << h->n_bits) - 1;
			out[n++] = huffman_symbols[symbol];
		}
		/* One byte holds at most one code more than the last one did: 8 bits, codes of 5.
		 */
		if (n > sizeof(out) - 8 || i + 1 == in.len) {
			h->text_len += n;
			if (buf_add_some(&h->text, span_of(out, n)) < 0)
				err = -ENOMEM;
			n = 0;
		}
	}
	explicit_bzero(out, sizeof(out));
	return err;
}

/* --- representations */

static const struct {
	uint8_t mask, bits; /* of the first byte */
	uint8_t prefix;	    /* bits of it that begin a number */
	enum rep rep;
} reps[] = {
	{ 0x80, 0x80, 7, REP_INDEXED }, { 0xc0, 0x40, 6, REP_INSERT },
	{ 0xe0, 0x20, 5, REP_RESIZE },	{ 0xf0, 0x10, 4, REP_NEVER },
	{ 0xf0, 0x00, 4, REP_PLAIN },
};

static int rep_of(uint8_t byte)
{
	int i = 0;

	while ((byte & reps[i].mask) != reps[i].bits)
		i++;
	return i;
}

static void field_clear(struct hpack *h)
{
	text_drop(&h->field.name);
	h->field = (struct entry){ 0 };
	h->where = AT_FIELD;
	h->literal_name = false;
	h->name_len = 0;
	h->text_len = 0;
	buf_clear(&h->text);
}

static void give(struct hpack *h, const struct hpack_field *f)
{
	h->stats.fields++;
	h->stats.unknown += f->name_unknown || f->value_unknown;
	h->stats.cut += f->cut;
	h->fn(h->ctx, f);
}

/* Sets name, and value unless it is NULL, to what the index stands for. -EBADMSG. */
static int look_up(struct hpack *h, uint64_t index, struct entry *ret_name,
		   struct hpack_field *ret_value)
{
	struct entry *e;

	if (!index)
		return -EBADMSG;
	if (index <= HPACK_STATIC_TABLE) {
		ret_name->static_name = (uint8_t)index;
		ret_value->value = hpack_static[index - 1].value;
		return 0;
	}
	index -= HPACK_STATIC_TABLE + 1;
	if (index >= h->n) {
		ret_value->value_unknown = true;
		return h->whole ? -EBADMSG : 0;
	}
	e = nth(h, index);
	ret_name->static_name = e->static_name;
	ret_name->name = e->name;
	if (e->name)
		e->name->refs++;
	ret_value->value = text_span(e->value);
	return 0;
}

/* The number that begins a representation is read. */
static int on_index(struct hpack *h)
{
	struct hpack_field f = { 0 };
	int err;

	if (h->rep == REP_RESIZE) {
		if (h->in_block)
			return -EBADMSG;
		h->where = AT_FIELD;
		resize(h, (uint32_t)h->number);
		return 0;
	}
	h->in_block = true;
	h->where = AT_NAME;
	if (h->rep != REP_INDEXED && !h->number)
		return 0;
	err = look_up(h, h->number, &h->field, &f);
	if (err)
		return err;
	h->where = AT_VALUE;
	if (h->rep != REP_INDEXED)
		return 0;
	f.name = name_of(&h->field);
	f.name_unknown = f.value_unknown || (!h->field.static_name && !h->field.name);
	give(h, &f);
	field_clear(h);
	return 0;
}

/* A field with a literal value is complete. */
static int on_literal(struct hpack *h)
{
	struct span text = buf_span(&h->text);
	struct hpack_field f = {
		.name = h->literal_name ? span_sub(text, 0, h->name_len) : name_of(&h->field),
		.value = span_sub(text, h->name_len, text.len),
		.name_unknown = !h->literal_name && !h->field.static_name && !h->field.name,
		.cut = h->text_len > text.len,
	};
	int err = 0;

	give(h, &f);
	if (h->rep == REP_INSERT)
		err = insert(h, &f);
	field_clear(h);
	return err;
}

static int on_string(struct hpack *h)
{
	/* What is left of the last byte is the beginning of EOS (section 5.2). */
	if (h->n_bits > 7 || h->bits != (UINT64_C(1) << h->n_bits) - 1)
		return -EBADMSG;
	h->bits = h->n_bits = 0;
	if (h->where == IN_VALUE)
		return on_literal(h);
	h->literal_name = true;
	h->name_len = h->text.len;
	h->where = AT_VALUE;
	return 0;
}

/* --- bytes */

/* A number begins with the low bits of a byte (section 5.1). 1: it is complete. */
static int number_begin(struct hpack *h, uint8_t byte, unsigned prefix)
{
	uint8_t most = (uint8_t)((1u << prefix) - 1);

	h->number = byte & most;
	h->shift = 0;
	return h->number < most;
}

/* 1: it is complete; 0, -EBADMSG. */
static int number_more(struct hpack *h, uint8_t byte)
{
	if (h->shift > 28)
		return -EBADMSG;
	h->number += (uint64_t)(byte & 0x7f) << h->shift;
	h->shift += 7;
	if (h->number > UINT32_MAX)
		return -EBADMSG;
	return !(byte & 0x80);
}

/* The number that was read ends: an index, or the length of a string. */
static int on_number(struct hpack *h)
{
	if (h->where == IN_INDEX)
		return on_index(h);
	h->left = (uint32_t)h->number;
	h->where++;
	return h->left ? 0 : on_string(h);
}

static int on_byte(struct hpack *h, uint8_t byte)
{
	int i, is;

	switch (h->where) {
	case AT_FIELD:
		i = rep_of(byte);
		h->rep = reps[i].rep;
		is = number_begin(h, byte, reps[i].prefix);
		h->where++;
		break;
	case AT_NAME:
	case AT_VALUE:
		h->huffman = byte & 0x80;
		is = number_begin(h, byte, 7);
		h->where++;
		break;
	default:
		is = number_more(h, byte);
		break;
	}
	return is == 1 ? on_number(h) : is;
}

static int on_bytes(struct hpack *h, struct span part)
{
	ssize_t n;
	int err = 0;

	h->left -= (uint32_t)part.len;
	if (h->huffman) {
		err = unpack(h, part);
	} else {
		h->text_len += part.len;
		n = buf_add_some(&h->text, part);
		err = n < 0 ? (int)n : 0;
	}
	if (!err && !h->left)
		err = on_string(h);
	return err;
}

static void skip_block(struct hpack *h)
{
	forget(h);
	field_clear(h);
	h->bits = h->n_bits = 0;
	h->skip = true;
}

static int failed(struct hpack *h, int err)
{
	skip_block(h);
	h->stats.broken++;
	return err;
}

int hpack_feed(struct hpack *h, struct span in)
{
	while (in.len && !h->skip) {
		bool bytes = h->where == IN_NAME || h->where == IN_VALUE;
		size_t n = bytes ? MIN(in.len, h->left) : 1;
		int err = bytes ? on_bytes(h, span_sub(in, 0, n)) : on_byte(h, in.p[0]);

		if (err)
			return failed(h, err);
		in = span_sub(in, n, in.len);
	}
	return 0;
}

int hpack_end(struct hpack *h)
{
	bool inside = !h->skip && h->where != AT_FIELD;

	if (inside)
		failed(h, -EBADMSG);
	h->skip = h->in_block = false;
	buf_free(&h->text); /* idle connections are many */
	return inside ? -EBADMSG : 0;
}

void hpack_lost(struct hpack *h, bool inside)
{
	skip_block(h);
	h->skip = inside;
}

/* Pseudo-header fields in the static table. */
#define STATIC_AUTHORITY   1
#define STATIC_SCHEME_LAST 7
#define STATIC_STATUS_LAST 14

/* A number at *at, which moves behind it. 0, -EBADMSG, -EAGAIN. */
static int number_at(struct span in, size_t *at, unsigned prefix, uint64_t *ret)
{
	struct hpack h;
	int is;

	if (*at >= in.len)
		return -EAGAIN;
	is = number_begin(&h, in.p[(*at)++], prefix);
	while (!is && *at < in.len)
		is = number_more(&h, in.p[(*at)++]);
	*ret = h.number;
	return is == 1 ? 0 : is ? is : -EAGAIN;
}

int hpack_probe(struct span in, bool *request)
{
	unsigned n_request = 0;
	size_t at = 0;

	while (at < in.len) {
		int i = rep_of(in.p[at]), err;
		uint64_t index, len;

		err = number_at(in, &at, reps[i].prefix, &index);
		if (err)
			return err == -EAGAIN ? err : 0;
		if (reps[i].rep == REP_RESIZE)
			continue;
		*request = index && index <= STATIC_SCHEME_LAST;
		n_request += *request;
		if (n_request == 2 || (index > STATIC_SCHEME_LAST && index <= STATIC_STATUS_LAST))
			return 1;
		/* A field that stands in the dynamic table may be any; these are not pseudo-header
		 * fields, which come first (RFC 9113 section 8.3). */
		if (!index || (index > STATIC_STATUS_LAST && index <= HPACK_STATIC_TABLE) ||
		    (reps[i].rep == REP_INDEXED && index == STATIC_AUTHORITY))
			return 0;
		if (reps[i].rep == REP_INDEXED)
			continue;
		err = number_at(in, &at, 7, &len);
		if (err)
			return err == -EAGAIN ? err : 0;
		at += len;
	}
	return -EAGAIN;
}

const struct hpack_stats *hpack_stats(const struct hpack *h)
{
	return &h->stats;
}

int hpack_new(struct hpack **ret, hpack_fn *fn, void *ctx)
{
	struct hpack *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->fn = fn;
	h->ctx = ctx;
	h->text = BUF(HPACK_TABLE_MAX);
	h->max = HPACK_TABLE_START;
	h->max_known = h->whole = true;
	*ret = h;
	return 0;
}

void hpack_free(struct hpack **hp)
{
	struct hpack *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	forget(h);
	text_drop(&h->field.name);
	buf_free(&h->text);
	free(h->ring);
	explicit_bzero(h, sizeof(*h));
	free(h);
}
