/* user/dialect/rows.c - what the rows of dialects' tables do: values of JSON documents become
 * segments and fields of a turn.
 */
#include "dialect/reading_own.h"

#include "base/escape.h"

#define LOOKBACK 256 /* segments searched, newest first, for the one an event continues */
#define PART_MAX 0xffffff

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

bool reading_retelling(const struct reading *r)
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
	media_named(t, block);
	r->now->part = r->now->event.part;
}

void reading_item_end(struct reading *r)
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
	media_named(t, item);
}

void reading_item(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;

	(void)arg;
	if (e->kind == JSON_OBJECT_END)
		reading_item_end(r);
	if (e->kind != JSON_OBJECT)
		return;
	reading_item_end(r);
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

void reading_own_message(struct reading *r, const struct json_event *e)
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

	reading_own_message(r, e);
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
	else if (reading_retelling(r))
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
	reading_own_message(r, e);
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

void reading_value_event(struct reading *r, const struct json_event *e)
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
		reading_own_message(r, e);
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
