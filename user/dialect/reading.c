/* user/dialect/reading.c - what the rows of dialects' tables do: values of JSON documents become
 * segments and fields of a turn.
 * Owns the two JSON readers of an exchange and what is being put together in each.
 */
#include "dialect/reading.h"

#include <ctype.h>
#include <errno.h>

#include "base/base64.h"
#include "base/escape.h"
#include "dialect/form_data.h"
#include "dialect/template.h"

#define JSON_DEPTH_MAX 128
#define LOOKBACK       256 /* segments searched, newest first, for the one an event continues */
#define PART_MAX       0xffffff
#define UNPACK_MAX     512
#define PACKED_MIN     16 /* bytes from which on what decodes to text is one */

/* --- segments */

static const struct {
	enum segment_role role;
	enum origin origin;
} fields[FIELD_MAX_] = {
	[FIELD_CONTENT] = { SEG_USER, ORIGIN_UNKNOWN },
	[FIELD_REFUSAL] = { SEG_ASSISTANT, ORIGIN_MODEL },
	[FIELD_TRANSCRIPT] = { SEG_ASSISTANT, ORIGIN_MODEL },
	[FIELD_REASONING] = { SEG_REASONING, ORIGIN_MODEL },
	[FIELD_CALL] = { SEG_TOOL_CALL, ORIGIN_MODEL },
	[FIELD_RESULT] = { SEG_TOOL_RESULT, ORIGIN_TOOL },
	[FIELD_DOCUMENT] = { SEG_DOCUMENT, ORIGIN_RETRIEVED },
	/* The application sends it, who wrote it is not known. */
	[FIELD_TOOL] = { SEG_TOOL_DEFINITION, ORIGIN_UNKNOWN },
	[FIELD_REMOTE_TOOL] = { SEG_TOOL_DEFINITION, ORIGIN_TOOL },
	[FIELD_INSTRUCTIONS] = { SEG_SYSTEM, ORIGIN_OPERATOR },
	[FIELD_INPUT] = { SEG_USER, ORIGIN_USER },
	[FIELD_OUTPUT] = { SEG_ASSISTANT, ORIGIN_MODEL },
};

static uint32_t source_of(enum field_of field, uint32_t part)
{
	return (uint32_t)field << 24 | MIN(part, PART_MAX);
}

static enum field_of field_of(const struct segment *seg)
{
	return seg->source >> 24;
}

bool reading_flat(const struct segment *s)
{
	return field_of(s) == FIELD_INPUT;
}

struct segment *reading_new_segment(struct reading *r, enum field_of field, uint32_t part)
{
	struct port *port = r->now;
	struct segment *seg =
	    turn_segment(&r->t, fields[field].role, fields[field].origin, port->side);

	if (!seg)
		return NULL;
	if (field == FIELD_CONTENT && port->side == SIDE_RESPONSE) {
		seg->role = SEG_ASSISTANT;
		seg->origin = ORIGIN_MODEL;
	}
	seg->message = port->message;
	port->n_messages = MAX(port->n_messages, port->message + 1);
	seg->source = source_of(field, part);
	seg->damaged = port->hole;
	port->hole = false;
	port->last = r->t.n_segments - 1;
	port->has_last = true;
	return seg;
}

/* The newest one, because a call may follow another of the same number. */
static struct segment *find(struct reading *r, enum field_of field, uint32_t part)
{
	struct turn *t = &r->t;
	struct port *port = r->now;
	uint32_t source = source_of(field, part);

	for (size_t i = 0; i <= LOOKBACK; i++) {
		/* The one touched last comes first: it nearly always is the one. */
		size_t at = i ? t->n_segments - i : port->last;
		struct segment *seg;

		if (i > t->n_segments)
			return NULL;
		if (!i && !port->has_last)
			continue;
		seg = &t->segments[at];
		if (seg->side == port->side && seg->message == port->message &&
		    seg->source == source) {
			port->last = at;
			return seg;
		}
	}
	return NULL;
}

struct segment *reading_segment(struct reading *r, enum field_of field, uint32_t part)
{
	struct segment *seg = find(r, field, part);

	return seg ? seg : reading_new_segment(r, field, part);
}

void reading_add(struct reading *r, struct segment *seg, const struct json_event *e)
{
	if (e->kind != JSON_STRING)
		return;
	turn_text(&r->t, seg, e->text);
	if (!seg)
		return;
	seg->damaged |= e->damaged;
	if (field_of(seg) == FIELD_REFUSAL && r->now->side == SIDE_RESPONSE && seg->text.len)
		r->refused = true;
}

void reading_bytes(struct reading *r, struct segment *seg, struct span s)
{
	uint32_t cp;

	while (s.len) {
		size_t n = 0, one;

		while ((one = utf8_decode(span_sub(s, n, s.len), &cp)) != 0)
			n += one;
		turn_text(&r->t, seg, span_sub(s, 0, n));
		if (n < s.len)
			turn_text(&r->t, seg, SPAN_LIT("\xef\xbf\xbd"));
		s = span_sub(s, n + 1, s.len);
	}
}

uint32_t reading_part(const struct reading *r, const struct json_event *e)
{
	const struct port *port = r->now;

	return port->at && e->n_index > port->at->n_index ? e->index[port->at->n_index]
							  : port->part;
}

/* --- messages and their parts */

/* In an event of a stream that tells again what it told. */
static bool retelling(const struct reading *r)
{
	return r->form->retold && r->now->side == SIDE_RESPONSE && r->t.exchange->streamed;
}

/* A result bears its call's id; the call bears the name. */
static void name_result(struct turn *t, size_t at)
{
	struct segment *seg = &t->segments[at];

	for (size_t i = at; i-- > 0 && !seg->name[0];)
		if (t->segments[i].role == SEG_TOOL_CALL &&
		    !strcmp(t->segments[i].call_id, seg->call_id))
			memcpy(seg->name, t->segments[i].name, sizeof(seg->name));
}

static bool ends_with(const char *s, const char *with)
{
	size_t n = strlen(s), w = strlen(with);

	return n >= w && !strcmp(s + n - w, with);
}

/* What the content of a message is, by its type or role. */
static void set_role(const struct item *item, struct segment *seg)
{
	static const struct {
		const char *word;
		enum segment_role role;
		enum origin origin;
	} rows[] = {
		{ "system", SEG_SYSTEM, ORIGIN_OPERATOR },
		{ "developer", SEG_DEVELOPER, ORIGIN_OPERATOR },
		{ "user", SEG_USER, ORIGIN_USER },
		{ "human", SEG_USER, ORIGIN_USER },
		{ "assistant", SEG_ASSISTANT, ORIGIN_MODEL },
		{ "model", SEG_ASSISTANT, ORIGIN_MODEL },
		{ "chatbot", SEG_ASSISTANT, ORIGIN_MODEL },
		{ "ai", SEG_ASSISTANT, ORIGIN_MODEL },
		{ "tool", SEG_TOOL_RESULT, ORIGIN_TOOL },
		{ "function", SEG_TOOL_RESULT, ORIGIN_TOOL },
		{ "ipython", SEG_TOOL_RESULT, ORIGIN_TOOL },
		{ "document", SEG_DOCUMENT, ORIGIN_RETRIEVED },
		{ "context", SEG_DOCUMENT, ORIGIN_RETRIEVED },
	};

	if (!strcmp(item->type, "reasoning")) {
		seg->role = SEG_REASONING;
		seg->origin = ORIGIN_MODEL;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq_nocase(span_str(item->role), span_str(rows[i].word))) {
			seg->role = rows[i].role;
			seg->origin = rows[i].origin;
		}
}

/* Names that a message or part has are its calls', results' and documents'. */
static void set_names(struct turn *t, const struct item *item, size_t i)
{
	struct segment *seg = &t->segments[i];

	if (seg->role != SEG_TOOL_CALL && seg->role != SEG_TOOL_RESULT &&
	    seg->role != SEG_DOCUMENT && seg->role != SEG_TOOL_DEFINITION)
		return;
	if (!seg->call_id[0])
		memcpy(seg->call_id, item->call_id, sizeof(seg->call_id));
	if (!seg->name[0])
		memcpy(seg->name, item->name, sizeof(seg->name));
	/* A tool of the provider's own is named by the type of its call, which holds the result as
	 * well. */
	if (!seg->name[0] && seg->role != SEG_DOCUMENT && ends_with(item->type, "_call"))
		turn_id(seg->name, sizeof(seg->name), span_str(item->type));
	if (seg->role == SEG_TOOL_RESULT && !seg->name[0] && seg->call_id[0])
		name_result(t, i);
}

/* What content of this media type is; SKIP_MAX_: text, as far as known. */
static enum skipped media_of(struct span type)
{
	static const struct {
		const char *begins;
		enum skipped what;
	} rows[] = {
		{ "image/", SKIP_IMAGE },
		{ "audio/", SKIP_AUDIO },
		{ "video/", SKIP_VIDEO },
		{ "application/pdf", SKIP_FILE },
		{ "application/octet-stream", SKIP_FILE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq_nocase(span_sub(type, 0, strlen(rows[i].begins)),
				   span_str(rows[i].begins)))
			return rows[i].what;
	return SKIP_MAX_;
}

/* What a file is may be told behind it, or by the part's type only. */
static void retype(struct turn *t, struct attached *a, const char *type)
{
	enum skipped what = media_of(span_str(a->media_type));

	if (what == SKIP_MAX_ && !a->media_type[0] && !strcmp(type, "image"))
		what = SKIP_IMAGE;
	if (a->what != SKIP_FILE || what == SKIP_MAX_ || what == a->what)
		return;
	t->skipped[a->what] -= a->size;
	t->skipped[what] += a->size;
	a->what = what;
}

static void set_media(struct turn *t, const struct item *item)
{
	for (size_t i = item->media; i < turn_attachments(t); i++) {
		struct attached *a = &t->attachments[i];

		if (!a->media_type[0])
			memcpy(a->media_type, item->media_type, sizeof(a->media_type));
		if (!a->name[0])
			memcpy(a->name, item->name, sizeof(a->name));
		retype(t, a, item->type);
	}
}

static void begin(struct reading *r, struct item *item)
{
	*item = (struct item){ .open = true,
			       .first = r->t.n_segments,
			       .media = turn_attachments(&r->t) };
}

static void block_end(struct reading *r)
{
	struct turn *t = &r->t;
	struct item *block = &r->now->block;

	if (!block->open)
		return;
	block->open = false;
	for (size_t i = block->first; i < t->n_segments; i++) {
		struct segment *seg = &t->segments[i];

		if (seg->side != r->now->side)
			continue;
		/* What was searched for outside of any tool. */
		if (seg->role == SEG_TOOL_RESULT && !strcmp(block->type, "search_result")) {
			seg->role = SEG_DOCUMENT;
			seg->origin = ORIGIN_RETRIEVED;
		}
		set_names(t, block, i);
	}
	set_media(t, block);
	r->now->part = r->now->event.part;
}

static void item_end(struct reading *r)
{
	struct turn *t = &r->t;
	struct item *item = &r->now->item;
	size_t i = item->first;

	block_end(r);
	if (!item->open)
		return;
	item->open = false;
	/* Events of a stream made some of its segments before. */
	if (r->now->side == SIDE_RESPONSE && t->exchange->streamed)
		i = MIN(i, t->n_segments > LOOKBACK ? t->n_segments - LOOKBACK : 0);
	for (; i < t->n_segments; i++) {
		struct segment *seg = &t->segments[i];

		if (seg->side != r->now->side || seg->message != r->now->message)
			continue;
		if (field_of(seg) == FIELD_CONTENT)
			set_role(item, seg);
		set_names(t, item, i);
	}
	set_media(t, item);
}

void reading_item(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;

	(void)arg;
	if (e->kind == JSON_OBJECT_END)
		item_end(r);
	if (e->kind != JSON_OBJECT)
		return;
	item_end(r);
	begin(r, &port->item);
	/* A response's items are numbered by where they stand, for a stream tells of each more than
	 * once. */
	if (port->side == SIDE_REQUEST)
		port->message = port->n_items++;
	else
		port->message =
		    port->base + (e->n_index ? e->index[e->n_index - 1] : port->event.message);
}

void reading_block(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_OBJECT_END)
		block_end(r);
	if (e->kind != JSON_OBJECT)
		return;
	block_end(r);
	begin(r, &r->now->block);
	if (e->n_index)
		r->now->part = e->index[e->n_index - 1];
}

void reading_mark(struct reading *r, const struct json_event *e, unsigned arg)
{
	turn_id_piece((char *)r->now + (arg >> 16), arg & 0xffff, e);
}

void reading_u32(const struct json_event *e, uint32_t *ret)
{
	uint32_t n = 0;

	if (e->kind != JSON_NUMBER || !e->text.len || e->text.len > 6)
		return;
	for (size_t i = 0; i < e->text.len; i++) {
		if (e->text.p[i] < '0' || e->text.p[i] > '9')
			return;
		n = n * 10 + (e->text.p[i] - '0');
	}
	*ret = n;
}

bool reading_decimal(struct span s, uint64_t *ret)
{
	uint64_t n = 0;

	if (!s.len || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (s.p[i] - '0');
	}
	*ret = n;
	return true;
}

void reading_number(struct reading *r, const struct json_event *e, unsigned arg)
{
	reading_u32(e, (uint32_t *)((char *)r->now + arg));
}

bool reading_word(struct reading *r, const struct json_event *e)
{
	turn_id_piece(r->now->word, sizeof(r->now->word), e);
	return e->kind == JSON_STRING && e->last;
}

/* --- texts */

/* Text that belongs to no message is one of its own. */
static void own_message(struct reading *r, const struct json_event *e)
{
	if (r->now->side == SIDE_REQUEST && !r->now->item.open && e->first)
		r->now->message = r->now->n_items++;
}

/* A value that stands whole where the stream may have told it piece by piece. Returns NULL and sets
 * skipping when it did. */
static struct segment *whole(struct reading *r, enum field_of field, uint32_t part,
			     const struct json_event *e)
{
	struct segment *seg = find(r, field, part);

	if (!e->first || !seg || !seg->text.len)
		return seg ? seg : reading_new_segment(r, field, part);
	if (!seg->damaged) {
		r->now->skipping = true;
		return NULL;
	}
	turn_untext(&r->t, seg); /* the pieces had holes */
	return seg;
}

static void text(struct reading *r, const struct json_event *e, enum field_of field, bool another)
{
	uint32_t part = reading_part(r, e);
	struct segment *seg;

	own_message(r, e);
	if (e->first) {
		r->now->skipping = false;
		r->now->another = another;
	}
	/* Nothing said makes no segment; a call without arguments is a call. */
	if (!e->text.len && field != FIELD_CALL && (r->now->another || !find(r, field, part)))
		return;
	if (r->now->skipping)
		return;
	if (r->now->another)
		seg = reading_new_segment(r, field, part);
	else if (retelling(r))
		seg = whole(r, field, part, e);
	else
		seg = reading_segment(r, field, part);
	r->now->another = false;
	if (r->now->skipping)
		return;
	/* A second value for one field: a key stands twice, or a tool has many descriptions. */
	if (e->first && seg && seg->text.len && r->now->side == SIDE_REQUEST)
		turn_text(&r->t, seg, SPAN_LIT("\n"));
	reading_add(r, seg, e);
}

void reading_text(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING)
		text(r, e, arg, false);
}

void reading_delta(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING && e->text.len)
		reading_add(r, reading_segment(r, arg, reading_part(r, e)), e);
}

void reading_line(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct segment *seg;

	if (e->kind != JSON_STRING || !e->text.len)
		return;
	own_message(r, e);
	seg = reading_segment(r, arg, r->now->part);
	if (e->first && seg && seg->text.len)
		turn_text(&r->t, seg, SPAN_LIT("\n"));
	reading_add(r, seg, e);
}

void reading_another(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING)
		text(r, e, arg, true);
}

void reading_input(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_NUMBER)
		turn_skip(&r->t, SKIP_TOKENS, e->text.len);
	else if (e->kind == JSON_STRING)
		text(r, e, FIELD_INPUT, true);
}

void reading_part_begin(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING)
		text(r, e, arg, false);
	else
		reading_block(r, e, arg);
}

void reading_text_name(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct segment *seg =
	    e->kind == JSON_STRING ? reading_segment(r, arg, reading_part(r, e)) : NULL;

	if (seg)
		turn_id_piece(seg->name, sizeof(seg->name), e);
}

void reading_text_id(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct segment *seg =
	    e->kind == JSON_STRING ? reading_segment(r, arg, reading_part(r, e)) : NULL;

	if (seg)
		turn_id_piece(seg->call_id, sizeof(seg->call_id), e);
}

void reading_settle(struct reading *r, size_t at, enum field_of was, enum field_of is)
{
	struct turn *t = &r->t;
	struct segment *seg = &t->segments[at], *before;
	size_t i = at;

	if (seg->side != r->now->side || field_of(seg) != was)
		return;
	if (is != was) {
		seg->role = fields[is].role;
		seg->origin = fields[is].origin;
		seg->source = source_of(is, seg->source & PART_MAX);
	}
	if (seg->side != SIDE_RESPONSE || at != t->n_segments - 1)
		return;
	for (before = NULL; i-- > 0 && at - i <= LOOKBACK && !before;)
		if (t->segments[i].side == seg->side && t->segments[i].message == seg->message &&
		    field_of(&t->segments[i]) == is)
			before = &t->segments[i];
	if (!before)
		return;
	before->damaged |= seg->damaged;
	before->missing += seg->missing;
	turn_append(t, before, seg);
	r->now->last = (size_t)(before - t->segments);
}

/* --- values as JSON text */

static void say(struct reading *r, struct span s)
{
	struct port *port = r->now;

	turn_text(&r->t, reading_segment(r, port->value.field, port->value.part), s);
}

/* The inside of a JSON string. */
static void say_escaped(struct reading *r, struct span s)
{
	static const char digits[] = "0123456789abcdef";
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		char esc[6] = { '\\', (char)c };
		size_t n = 2;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if (c == '\n' || c == '\t' || c == '\r') {
			esc[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
		} else if (c < 0x20) {
			memcpy(esc, "\\u00", 4);
			esc[4] = digits[c >> 4];
			esc[5] = digits[c & 15];
			n = 6;
		}
		say(r, span_sub(s, from, i - from));
		say(r, span_of(esc, n));
		from = i + 1;
	}
	say(r, span_sub(s, from, s.len));
}

/* What stands before a value: a comma, its key. */
static void say_place(struct reading *r, const struct json_event *e)
{
	size_t len = strlen(e->path);
	const char *key;

	if (!r->now->value.fresh)
		say(r, SPAN_LIT(","));
	r->now->value.fresh = false;
	if (len && e->path[len - 1] == ']')
		return;
	key = strrchr(e->path, '.');
	key = e->deep ? "?" : key ? key + 1 : e->path;
	say(r, SPAN_LIT("\""));
	say_escaped(r, span_str(key));
	say(r, SPAN_LIT("\":"));
}

static void value_event(struct reading *r, const struct json_event *e)
{
	struct port *port = r->now;
	struct segment *seg;

	switch (e->kind) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		say_place(r, e);
		say(r, e->kind == JSON_OBJECT ? SPAN_LIT("{") : SPAN_LIT("["));
		port->value.fresh = true;
		break;
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		say(r, e->kind == JSON_OBJECT_END ? SPAN_LIT("}") : SPAN_LIT("]"));
		port->value.fresh = false;
		port->value.on = e->depth > port->value.depth;
		break;
	case JSON_STRING:
		if (e->first) {
			say_place(r, e);
			say(r, SPAN_LIT("\""));
		}
		say_escaped(r, e->text);
		if (e->last)
			say(r, SPAN_LIT("\""));
		break;
	default:
		say_place(r, e);
		say(r, e->kind == JSON_NUMBER  ? e->text
		       : e->kind == JSON_TRUE  ? SPAN_LIT("true")
		       : e->kind == JSON_FALSE ? SPAN_LIT("false")
					       : SPAN_LIT("null"));
		break;
	}
	seg = e->damaged ? find(r, port->value.field, port->value.part) : NULL;
	if (seg)
		seg->damaged = true;
}

void reading_value(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	struct segment *seg;

	if (e->kind == JSON_STRING) {
		text(r, e, arg, true);
		return;
	}
	if (e->kind == JSON_OBJECT || e->kind == JSON_ARRAY) {
		own_message(r, e);
		port->value.on = true;
		port->value.fresh = true;
		port->value.field = arg;
		port->value.part = reading_part(r, e);
		port->value.depth = e->depth;
	} else if (e->kind != JSON_NUMBER && e->kind != JSON_TRUE && e->kind != JSON_FALSE) {
		return;
	}
	/* One that has its name already, and no more. */
	seg = find(r, arg, reading_part(r, e));
	if (!seg || seg->text.len)
		seg = reading_new_segment(r, arg, reading_part(r, e));
	turn_text(&r->t, seg,
		  e->kind == JSON_OBJECT  ? SPAN_LIT("{")
		  : e->kind == JSON_ARRAY ? SPAN_LIT("[")
		  : e->kind == JSON_TRUE  ? SPAN_LIT("true")
		  : e->kind == JSON_FALSE ? SPAN_LIT("false")
					  : e->text);
}

/* --- images and files */

static bool is_base64(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum(s.p[i]) && !strchr("+/=-_\r\n", s.p[i]))
			return false;
	return true;
}

/* What a URL says of itself: the media type of data:, or where it leads. Returns where data begins.
 */
static size_t media_url(struct attached *a, struct span head)
{
	const uint8_t *comma = memchr(head.p, ',', head.len), *end;
	struct span rest = span_sub(head, 5, head.len);

	if (!span_eq_nocase(span_sub(head, 0, 5), SPAN_LIT("data:")) || !comma)
		return 0;
	rest.len = (size_t)(comma - rest.p);
	end = memchr(rest.p, ';', rest.len);
	if (end)
		rest.len = (size_t)(end - rest.p);
	if (a)
		turn_id(a->media_type, sizeof(a->media_type), rest);
	return (size_t)(comma - head.p) + 1;
}

static bool is_reference(struct span head)
{
	static const char *const schemes[] = { "http://", "https://", "gs://", "s3://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (span_starts(head, span_str(schemes[i])))
			return true;
	return false;
}

/* Base64 whose bytes are text: a document that was only packed for the way. */
static bool is_packed_text(struct span base64)
{
	uint8_t bytes[MEDIA_HEAD_MAX];
	size_t whole = base64.len & ~(size_t)3;
	struct span text =
	    span_of(bytes, base64_decode(bytes, span_sub(base64, 0, MIN(whole, sizeof(bytes)))));

	return text.len >= PACKED_MIN && !span_starts(text, SPAN_LIT("%PDF-")) &&
	       utf8_is_text(text, true);
}

static void unpack(struct reading *r, struct span base64)
{
	struct segment *seg = reading_segment(r, FIELD_DOCUMENT, r->now->part);
	struct unpack *u = &r->now->media.unpack;
	uint8_t bytes[UNPACK_MAX], text[UNPACK_MAX];

	while (base64.len) {
		struct span in = span_of(bytes, 0);
		size_t n;

		for (; base64.len && in.len < sizeof(bytes);
		     base64 = span_sub(base64, 1, base64.len)) {
			uint8_t sextet = base64_sextets[base64.p[0]];

			if (!sextet)
				continue; /* line ends, padding */
			u->bits = u->bits << 6 | (sextet - 1u);
			u->n_bits += 6;
			if (u->n_bits < 8)
				continue;
			u->n_bits -= 8;
			bytes[in.len++] = (uint8_t)(u->bits >> u->n_bits);
		}
		while ((n = utf8_clean(&u->utf8, &in, text, sizeof(text))) != 0)
			turn_text(&r->t, seg, span_of(text, n));
	}
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(text, sizeof(text));
}

void reading_media_bytes(struct reading *r, struct span data)
{
	struct port *port = r->now;

	if (port->media.state == MEDIA_TEXT) {
		turn_text(&r->t, reading_segment(r, FIELD_DOCUMENT, port->part), data);
		return;
	}
	if (port->media.state == MEDIA_PACKED) {
		unpack(r, data);
		return;
	}
	port->media.size += data.len;
	turn_skip(&r->t, port->media.what, data.len);
	if (port->media.hash)
		XXH3_128bits_update(port->media.hash, data.p, data.len);
}

static void hash_free(struct port *port)
{
	if (port->media.hash)
		explicit_bzero(port->media.hash, sizeof(*port->media.hash));
	XXH3_freeState(port->media.hash);
	port->media.hash = NULL;
}

/* Without memory it is known by its size only. */
static void hash_begin(struct port *port)
{
	hash_free(port);
	if (port->media.to)
		port->media.hash = XXH3_createState();
	if (port->media.hash)
		XXH3_128bits_reset(port->media.hash);
}

static void media_settle(struct reading *r)
{
	struct port *port = r->now;
	struct span head = span_of(port->media.head, port->media.n);
	size_t from = media_url(NULL, head);

	port->media.state = MEDIA_DATA;
	/* A document may come as text. */
	if (port->media.what == SKIP_FILE && !from && !is_base64(head))
		port->media.state = MEDIA_TEXT;
	else if (port->media.what == SKIP_FILE && is_packed_text(span_sub(head, from, head.len)))
		port->media.state = MEDIA_PACKED;
	if (port->media.state != MEDIA_DATA) {
		port->media.unpack = (struct unpack){ 0 };
		reading_new_segment(r, FIELD_DOCUMENT, port->part);
	} else {
		port->media.to = turn_attachment(&r->t, port->media.what, port->side);
		if (port->media.to)
			port->media.to->message = port->message;
		media_url(port->media.to, head);
		hash_begin(port);
	}
	reading_media_bytes(r, span_sub(head, from, head.len));
}

void reading_media_end(struct reading *r)
{
	struct port *port = r->now;
	struct attached *a = port->media.to;
	XXH128_canonical_t hash;

	if (port->media.state == MEDIA_DATA && a)
		a->size = port->media.size;
	if (port->media.state == MEDIA_DATA && port->media.hash) {
		XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(port->media.hash));
		memcpy(a->hash, hash.digest, sizeof(a->hash));
	}
	if (port->media.state == MEDIA_PACKED && utf8_end(&port->media.unpack.utf8))
		turn_text(&r->t, reading_segment(r, FIELD_DOCUMENT, port->part),
			  SPAN_LIT("\xef\xbf\xbd"));
	hash_free(port);
	port->media.state = MEDIA_NONE;
	port->media.to = NULL;
}

static void media_begin(struct reading *r, enum skipped what)
{
	r->now->media.state = MEDIA_HEAD;
	r->now->media.what = what;
	r->now->media.n = 0;
	r->now->media.size = 0;
}

void reading_media_begin(struct reading *r, enum skipped what, struct span type, struct span name)
{
	struct port *port = r->now;
	enum skipped told = media_of(type);

	media_begin(r, told == SKIP_MAX_ ? what : told);
	port->media.state = MEDIA_DATA;
	port->media.to = turn_attachment(&r->t, port->media.what, port->side);
	hash_begin(port);
	if (!port->media.to)
		return;
	port->media.to->message = port->message;
	turn_id(port->media.to->media_type, sizeof(port->media.to->media_type), type);
	turn_id(port->media.to->name, sizeof(port->media.to->name), name);
}

static void media_reference(struct reading *r)
{
	struct port *port = r->now;
	struct span head = span_of(port->media.head, port->media.n);
	struct attached *a = turn_attachment(&r->t, port->media.what, port->side);
	const uint8_t *query = memchr(head.p, '?', head.len);

	if (query)
		head.len = (size_t)(query - head.p);
	port->media.state = MEDIA_NONE;
	if (!a)
		return;
	a->message = port->message;
	turn_id(a->url, sizeof(a->url), head);
}

/* In a stream that tells things again, the event that counts. */
static bool counts(const struct reading *r)
{
	return !retelling(r) || !strcmp(r->now->event.type, r->form->retold);
}

static void media(struct reading *r, const struct json_event *e, enum skipped what, bool reference)
{
	struct port *port = r->now;
	struct span data = e->text;

	if (e->kind != JSON_STRING || !counts(r))
		return;
	if (e->first) {
		own_message(r, e);
		media_begin(r, what);
	}
	/* Enough of it must be there to tell what it is, however it is cut. */
	if (port->media.state == MEDIA_HEAD) {
		size_t n = MIN(data.len, sizeof(port->media.head) - port->media.n);

		memcpy(port->media.head + port->media.n, data.p, n);
		port->media.n += n;
		data = span_sub(data, n, data.len);
		if (port->media.n && (e->last || port->media.n == sizeof(port->media.head))) {
			if (reference || is_reference(span_of(port->media.head, port->media.n)))
				media_reference(r);
			else
				media_settle(r);
		}
	}
	if (port->media.state >= MEDIA_DATA)
		reading_media_bytes(r, data);
	if (e->last)
		reading_media_end(r);
}

void reading_media(struct reading *r, const struct json_event *e, unsigned arg)
{
	media(r, e, arg, false);
}

void reading_media_ref(struct reading *r, const struct json_event *e, unsigned arg)
{
	media(r, e, arg, true);
}

void reading_skip(struct reading *r, const struct json_event *e, unsigned arg)
{
	if ((e->kind == JSON_STRING || e->kind == JSON_NUMBER) && counts(r))
		turn_skip(&r->t, arg, e->text.len);
}

const struct shape_row tool_rows[6] = {
	{ "name", reading_text_name, FIELD_TOOL },
	{ "description", reading_text, FIELD_TOOL },
	{ "parameters.**.description", reading_text, FIELD_TOOL },
	{ "parameters.description", reading_text, FIELD_TOOL },
	{ "input_schema.**.description", reading_text, FIELD_TOOL },
	{ "input_schema.description", reading_text, FIELD_TOOL },
};

static const struct shape_row type_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
};
static const struct shape type_list[] = { SHAPE("", type_rows) };
struct shapes envelope_type = SHAPES(type_list);

/* --- values of the turn */

void reading_turn_id(struct reading *r, const struct json_event *e, unsigned arg)
{
	turn_id_piece((char *)&r->t + (arg >> 16), arg & 0xffff, e);
}

void reading_tokens(struct reading *r, const struct json_event *e, unsigned arg)
{
	uint64_t n = 0;

	if (e->kind != JSON_NUMBER)
		return;
	for (size_t i = 0; i < e->text.len && i < 18 && e->text.p[i] >= '0' && e->text.p[i] <= '9';
	     i++)
		n = n * 10 + (e->text.p[i] - '0');
	memcpy((char *)&r->t + arg, &n, sizeof(n));
}

void reading_model(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (!r->named)
		turn_id_piece(r->t.request_model, sizeof(r->t.request_model), e);
}

void reading_stream(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	/* Forms have strings only. */
	r->t.stream = e->kind == JSON_TRUE || (reading_word(r, e) && !strcmp(r->now->word, "true"));
}

void reading_turn(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	uint32_t hash, last, i;

	(void)arg;
	if (!reading_word(r, e))
		return;
	hash = json_path_hash(port->word);
	for (i = 0; i < MIN(port->n_turns, TURNS_AT_ONCE); i++)
		if (port->turns[i].hash == hash) {
			port->base = port->turns[i].base;
			return;
		}
	last = port->n_turns ? port->turns[(port->n_turns - 1) % TURNS_AT_ONCE].base : 0;
	port->base = MAX(port->n_messages, port->n_open ? last + TURN_MESSAGES : 0);
	i = port->n_turns++ % TURNS_AT_ONCE;
	port->turns[i].hash = hash;
	port->turns[i].base = port->base;
	port->n_open++;
}

void reading_progress(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;

	(void)arg;
	r->progress |= e->last;
	if (!e->last)
		return;
	port->base = port->n_messages;
	port->n_open -= port->n_open > 0;
}

void reading_done(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	r->t.ended |= e->kind == JSON_TRUE;
}

void reading_finish(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *word;
		bool refused; /* else blocked */
	} rows[] = {
		{ "content_filter" }, { "content_filtered" }, { "guardrail_intervened" },
		{ "SAFETY" },	      { "BLOCKLIST" },	      { "PROHIBITED_CONTENT" },
		{ "SPII" },	      { "IMAGE_SAFETY" },     { "MODEL_ARMOR" },
		{ "ERROR_TOXIC" },    { "CONTENT_FILTERED" }, { "refusal", true },
	};

	(void)arg;
	if (!reading_word(r, e))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(r->now->word, rows[i].word))
			*(rows[i].refused ? &r->refused : &r->blocked) = true;
	if (!r->now->message || !r->t.finish_reason[0])
		turn_id(r->t.finish_reason, sizeof(r->t.finish_reason), span_str(r->now->word));
}

void reading_error(struct reading *r, const struct json_event *e, unsigned arg)
{
	char *code = r->t.error_code;

	if (!arg) {
		r->failed |= e->kind == JSON_OBJECT || e->kind == JSON_STRING;
		return;
	}
	if (e->kind != JSON_STRING && e->kind != JSON_NUMBER)
		return;
	if (arg == 3) {
		if (reading_word(r, e) && !strcmp(r->now->word, "ResponsibleAIPolicyViolation"))
			r->blocked = true;
		return;
	}
	/* The type stands in where there is no code. */
	if (arg == 1 && e->kind == JSON_NUMBER)
		turn_id(code, sizeof(r->t.error_code), e->text);
	else if (arg == 1)
		turn_id_piece(code, sizeof(r->t.error_code), e);
	else if (reading_word(r, e) && !code[0])
		turn_id(code, sizeof(r->t.error_code), span_str(r->now->word));
}

void reading_bare_error(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (r->t.exchange->status >= 400)
		reading_error(r, e, arg);
}

void reading_filtered(struct reading *r, enum filter f, bool blocked)
{
	r->t.filter_detected |= 1u << f;
	if (!blocked)
		return;
	r->t.filter_blocked |= 1u << f;
	r->blocked = true;
}

void reading_filter(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *name;
		enum filter filter;
	} rows[] = {
		{ "jailbreak", FILTER_JAILBREAK },
		{ "indirect_attack", FILTER_INDIRECT_ATTACK },
		{ "hate", FILTER_HATE },
		{ "sexual", FILTER_SEXUAL },
		{ "violence", FILTER_VIOLENCE },
		{ "self_harm", FILTER_SELF_HARM },
		{ "profanity", FILTER_PROFANITY },
		{ "protected_material_text", FILTER_PROTECTED_TEXT },
		{ "protected_material_code", FILTER_PROTECTED_CODE },
		{ "custom_blocklists", FILTER_BLOCKLIST },
	};
	const char *end = strrchr(e->path, '.'), *from = end;
	enum filter filter = FILTER_OTHER;
	struct span name;

	if (e->kind != JSON_TRUE || !end)
		return;
	while (from > e->path && from[-1] != '.')
		from--;
	name = span_of(from, (size_t)(end - from));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq(name, span_str(rows[i].name)))
			filter = rows[i].filter;
	reading_filtered(r, filter, arg);
}

void reading_block_flag(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	r->blocked |= e->kind == JSON_TRUE;
}

/* --- the life of a reading */

void reading_event_of(struct port *port, const struct json_event *e)
{
	struct reading *r = port->of;

	r->now = port;
	if (port->value.on) {
		value_event(r, e);
		return;
	}
	port->at = shapes_find(port->shapes, e);
	if (!port->at && port->side == SIDE_RESPONSE && r->route && r->route->added)
		port->at = shapes_find(r->route->added, e);
	if (port->at)
		port->at->row->on(r, e, port->at->row->arg);
	else if (r->form->any)
		r->form->any(r, e, 0);
}

static void on_json(void *ctx, const struct json_event *e)
{
	reading_event_of(ctx, e);
}

static struct shapes *shapes_of(const struct form *form, enum side side)
{
	return side == SIDE_REQUEST ? form->request : form->response;
}

/* -ENOMEM. */
static int port_open(struct reading *r, enum side side)
{
	struct port *port = r->ports[side];

	if (!port) {
		port = calloc(1, sizeof(*port));
		if (!port)
			return -ENOMEM;
		port->of = r;
		port->side = side;
		port->shapes = r->form ? shapes_of(r->form, side) : NULL;
		r->ports[side] = port;
	}
	return port->json ? 0 : json_new(&port->json, JSON_DEPTH_MAX, on_json, port);
}

/* As it is, or begun again: a socket's messages come after the request, which was over then. NULL:
 * out of memory. */
static struct port *port_of(struct reading *r, enum side side)
{
	if (!r->ports[side] && port_open(r, side))
		r->t.json_broken++;
	return r->ports[side];
}

int reading_begin(struct reading *r, const struct form *form)
{
	r->form = form;
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		int err = port_open(r, side);

		if (err)
			return err;
		if (form)
			r->ports[side]->shapes = shapes_of(form, side);
	}
	if (!form)
		return 0;
	r->t.dialect = form->name;
	if (!r->t.operation)
		r->t.operation = form->operation;
	return 0;
}

/* What it owns. */
static void port_clear(struct port *port)
{
	if (port->tail)
		buf_free(&port->tail->bytes);
	free(port->tail);
	port->tail = NULL;
	hash_free(port);
	json_free(&port->json);
	form_data_free(&port->form_data);
}

static void port_free(struct port **port)
{
	if (!*port)
		return;
	port_clear(*port);
	explicit_bzero(*port, sizeof(**port));
	free(*port);
	*port = NULL;
}

void reading_clear(struct reading *r)
{
	for (enum side side = 0; side < SIDE_MAX_; side++)
		port_free(&r->ports[side]);
	for (enum side side = 0; side < SIDE_MAX_; side++)
		buf_free(&r->held[side]);
	buf_free(&r->inside);
	turn_clear(&r->t);
	explicit_bzero(r, sizeof(*r));
}

/* What a body is: by its content type, for JSON is what most do not even declare. */
static void body_begin(struct port *port, struct span first)
{
	struct reading *r = port->of;
	struct span type = exchange_field(r->t.exchange, port->side, "content-type");
	enum skipped what = media_of(type);

	port->body = BODY_JSON;
	if (r->form->lines && what == SKIP_FILE && first.len && *first.p == '{') {
		port->shapes = r->form->lines;
	} else if (what != SKIP_MAX_) {
		port->body = BODY_MEDIA;
		reading_media_begin(r, what, type, (struct span){ 0 });
	} else if (!port->shapes) {
		port->body = BODY_UNREAD;
	} else if (form_data_new(&port->form_data, type, port)) {
		port->body = port->form_data ? BODY_FORM : BODY_UNREAD;
	}
}

static void on_utf8(void *ctx, struct span data)
{
	struct port *port = ctx;

	if (json_feed(port->json, data) && !port->broken) {
		port->broken = true;
		port->of->t.json_broken++;
	}
}

/* A body that is JSON with other bytes behind it. */
static void tail_begin(struct port *port)
{
	const struct route *route = port->of->route;
	uint64_t json;

	if (!route || !route->json_len ||
	    !reading_decimal(exchange_field(port->of->t.exchange, port->side, route->json_len),
			     &json))
		return;
	port->tail = calloc(1, sizeof(*port->tail));
	if (!port->tail)
		return;
	port->body = BODY_JSON;
	port->tail->json_left = json;
	port->tail->bytes.max = SEGMENT_MAX;
}

/* Takes what is not JSON away. */
static struct span tail_take(struct port *port, struct span data)
{
	struct tail *tail = port->tail;
	struct span json = span_sub(data, 0, tail->json_left),
		    rest = span_sub(data, json.len, data.len);
	ssize_t n = 0;

	tail->json_left -= json.len;
	if (!tail->cut && rest.len)
		n = buf_add_some(&tail->bytes, rest);
	if (n < 0)
		n = 0;
	tail->cut |= (size_t)n < rest.len;
	turn_skip(&port->of->t, SKIP_FILE, rest.len - (size_t)n);
	return json;
}

/* n bytes are lost: 0, nobody knows how many. Returns whether they are, or may be, of the JSON. */
static bool tail_gap(struct tail *tail, uint64_t n)
{
	bool json = tail->json_left;

	tail->cut |= !n || n > tail->json_left;
	tail->json_left = tail->cut ? 0 : tail->json_left - n;
	return json;
}

void reading_body(struct reading *r, enum side side, struct span data)
{
	struct port *port = port_of(r, side);

	if (!port)
		return;
	r->now = port;
	if (port->body == BODY_NEW)
		tail_begin(port);
	if (port->body == BODY_NEW)
		body_begin(port, data);
	if (port->tail)
		data = tail_take(port, data);
	if (port->body == BODY_MEDIA)
		reading_media_bytes(r, data);
	if (port->body == BODY_FORM)
		form_data_feed(port->form_data, data);
	if (port->body != BODY_JSON)
		return;
	charset_feed(&port->charset, data, on_utf8, port);
}

void reading_gap(struct reading *r, enum side side, uint64_t n)
{
	struct port *port = port_of(r, side);

	if (!port)
		return;
	/* It belongs to the text being read, as far as can be told; or to what comes. */
	if (port->has_last) {
		r->t.segments[port->last].damaged = true;
		r->t.segments[port->last].missing += n;
	} else {
		port->hole = true;
	}
	if (port->form_data)
		form_data_gap(port->form_data, n);
	if (port->body == BODY_NEW)
		tail_begin(port);
	if (port->tail && !tail_gap(port->tail, n))
		return;
	if (port->body <= BODY_JSON && port->json && r->t.exchange->framing[side] == FRAMING_NONE) {
		charset_gap(&port->charset, n);
		json_gap(port->json, n);
	}
}

static bool read_json(struct port *port, struct shapes *shapes, struct span data)
{
	struct shapes *own = port->shapes;
	bool bad;

	port->shapes = shapes;
	port->value.on = false;
	json_reset(port->json);
	bad = json_feed(port->json, data) != 0;
	bad |= json_end(port->json) != 0;
	port->shapes = own;
	return !bad;
}

void reading_scan(struct reading *r, struct shapes *shapes, struct span data)
{
	read_json(r->now, shapes, data);
}

void reading_packed(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_STRING && buf_add(&r->inside, e->text))
		r->now->hole = true;
}

struct span reading_inside(struct reading *r, struct shapes *scan, const struct flow_event *ev)
{
	struct port *port = port_of(r, ev->side);

	buf_clear(&r->inside);
	r->inside.max = ev->data.len;
	if (!port)
		return (struct span){ 0 };
	r->now = port;
	if (port->json)
		reading_scan(r, scan, ev->data);
	return span_of(r->inside.p, base64_decode(r->inside.p, buf_span(&r->inside)));
}

static bool is_among(const char *const *types, const char *type)
{
	for (; types && *types; types++)
		if (!strcmp(type, *types))
			return true;
	return false;
}

void reading_event(struct reading *r, enum side side, struct span type, struct span data,
		   bool damaged)
{
	bool socket = r->t.exchange->framing[side] == FRAMING_WEBSOCKET;
	struct port *port;

	if (socket && port_open(r, side))
		r->t.json_broken++;
	port = r->ports[side];
	if (!port || !port->json || !port->shapes)
		return;
	if (span_eq(data, SPAN_LIT("[DONE]"))) {
		r->t.ended = true;
		return;
	}
	r->now = port;
	memset(&port->event, 0, sizeof(port->event));
	if (r->form->envelope && (!r->form->ahead || r->form->ahead(data)))
		reading_scan(r, r->form->envelope, data);
	if (type.len && !port->event.type[0])
		turn_id(port->event.type, sizeof(port->event.type), type);
	if (is_among(r->form->ignored, port->event.type))
		return;
	r->t.ended |= is_among(r->form->last, port->event.type);
	port->message = port->base + port->event.message;
	port->part = port->event.part;
	if (!read_json(port, port->shapes, data))
		r->t.json_broken++;
	item_end(r);
	if (damaged)
		reading_gap(r, side, 0);
	/* Each message is a document, and a socket may rest for hours. */
	if (socket)
		json_free(&port->json);
}

/* The end of a side; nothing more comes. */
static void port_end(struct reading *r, enum side side)
{
	const struct exchange *x = r->t.exchange;
	struct port *port = r->ports[side];
	bool documented;

	if (!port || !port->json)
		return;
	documented = x->framing[side] == FRAMING_NONE && port->body == BODY_JSON;
	r->now = port;
	turn_skip(&r->t, SKIP_CODING, x->body[side].unread);
	turn_skip(&r->t, SKIP_CHARSET, port->charset.unread);
	if (documented)
		charset_end(&port->charset, on_utf8, port);
	if (documented && json_end(port->json) && !port->broken)
		r->t.json_broken++;
	if (port->tail)
		r->route->tail(r, side, buf_span(&port->tail->bytes));
	if (port->body == BODY_MEDIA)
		reading_media_end(r);
	if (port->form_data)
		form_data_end(port->form_data);
	r->t.json_skipped += json_skipped(port->json);
	item_end(r);
	port_clear(port);
}

void reading_request_end(struct reading *r)
{
	/* A socket's messages come after it. */
	if (r->t.exchange->framing[SIDE_REQUEST] != FRAMING_NONE)
		return;
	port_end(r, SIDE_REQUEST);
	/* An answer may go on for hours. */
	port_free(&r->ports[SIDE_REQUEST]);
	r->now = r->ports[SIDE_RESPONSE];
}

bool reading_between(const struct reading *r)
{
	const struct port *port = r->ports[SIDE_RESPONSE];

	return port->body == BODY_JSON && json_between(port->json);
}

/* A place among the segments by how many of the response stand before it, and back. */
static size_t rank_of(const struct turn *t, size_t at)
{
	size_t rank = 0;

	for (size_t i = 0; i < MIN(at, t->n_segments); i++)
		rank += t->segments[i].side == SIDE_RESPONSE;
	return rank;
}

static size_t place_of(const struct turn *t, size_t rank)
{
	size_t at = 0;

	for (; at < t->n_segments; at++)
		if (t->segments[at].side == SIDE_RESPONSE && !rank--)
			break;
	return at;
}

/* An answer may have begun before its request was complete: its segments move. */
void reading_split(struct reading *r)
{
	struct port *port = r->ports[SIDE_RESPONSE];
	size_t *const places[] = { &port->last, &port->item.first, &port->block.first };
	size_t ranks[ARRAY_SIZE(places)];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		ranks[i] = rank_of(&r->t, *places[i]);
	template_split(&r->t, reading_flat);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		*places[i] = place_of(&r->t, ranks[i]);
}

/* The model says no in words of its own. Few and at the very beginning only: a wrong "refused"
 * would lower severities. */
static bool refuses(struct span text)
{
	static const char *const phrases[] = {
		"i'm sorry, but i can't",   "i'm sorry, but i cannot",
		"i'm sorry, i can't",	    "i'm sorry, i cannot",
		"i am sorry, but i can't",  "i am sorry, but i cannot",
		"sorry, but i can't",	    "sorry, i can't",
		"i apologize, but i can't", "i apologize, but i cannot",
		"i can't assist with",	    "i cannot assist with",
		"i can't help with",	    "i cannot help with",
		"i can't comply",	    "i cannot comply",
		"i won't help with",	    "i'm unable to assist",
		"i'm unable to help",	    "i'm not able to help with",
		"i must decline",
	};
	static const struct span curly = { (const uint8_t *)"\xe2\x80\x99", 3 };
	char start[64];
	size_t n = 0;

	while (text.len && (text.p[0] == ' ' || text.p[0] == '\n'))
		text = span_sub(text, 1, text.len);
	while (text.len && n < sizeof(start)) {
		bool is_curly = span_starts(text, curly);

		start[n++] = is_curly ? '\'' : (char)ascii_lower(text.p[0]);
		text = span_sub(text, is_curly ? curly.len : 1, text.len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (span_starts(span_of(start, n), span_str(phrases[i])))
			return true;
	return false;
}

static enum outcome outcome_of(const struct reading *r)
{
	const struct turn *t = &r->t;
	bool refused = false, called = false, said = false;

	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *seg = &t->segments[i];

		if (seg->side != SIDE_RESPONSE || !turn_in_hand(t, i))
			continue;
		/* What the model says first. */
		if (seg->role == SEG_ASSISTANT && !said)
			refused = refuses(buf_span(&seg->text));
		said |= seg->role == SEG_ASSISTANT;
		called |= seg->role == SEG_TOOL_CALL;
	}
	if (r->blocked || !strcmp(t->error_code, "content_filter"))
		return OUTCOME_BLOCKED;
	if (r->failed || t->exchange->status >= 400)
		return OUTCOME_ERROR;
	if (r->refused)
		return OUTCOME_REFUSED;
	if (called || r->executed)
		return OUTCOME_TOOL_EXECUTED;
	if (refused)
		return OUTCOME_REFUSED;
	return said ? OUTCOME_ANSWERED : OUTCOME_UNKNOWN;
}

void reading_turn_end(struct reading *r)
{
	r->t.turn_ended = true;
	r->t.outcome = outcome_of(r);
}

void reading_turn_begin(struct reading *r)
{
	r->t.turn_ended = r->blocked = r->refused = r->failed = r->executed = false;
	r->t.first = r->t.n_segments;
	r->turned = true;
}

void reading_end(struct reading *r)
{
	enum outcome outcome;

	for (enum side side = 0; side < SIDE_MAX_; side++)
		port_end(r, side);
	if (r->form->end)
		r->form->end(r);
	if (r->route && r->route->end)
		r->route->end(r);
	outcome = outcome_of(r);
	/* What follows the last turn of a socket may say nothing. */
	if (outcome != OUTCOME_UNKNOWN || !r->turned)
		r->t.outcome = outcome;
}
