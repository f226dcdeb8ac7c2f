/* user/dialect/openai.c - JSON of OpenAI's APIs into a turn: the handlers behind the dialects'
 * tables. */
#include "dialect/openai.h"

#include <errno.h>

#include "base/own.h"
#include "dialect/provider.h"

#define JSON_DEPTH_MAX 128
#define LOOKBACK       256 /* segments searched, newest first, for the one an event continues */
#define PART_MAX       0xffffff

/* --- which exchanges */

static int hex(uint8_t c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct span openai_path(char buf[OPENAI_PATH_MAX], const struct exchange *x)
{
	struct span path = exchange_path(x);
	size_t n = 0;

	/* The end of a long path is what tells. */
	if (path.len > OPENAI_PATH_MAX)
		path = span_sub(path, path.len - OPENAI_PATH_MAX, path.len);
	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.p[i];

		if (c == '%' && i + 2 < path.len && hex(path.p[i + 1]) >= 0 &&
		    hex(path.p[i + 2]) >= 0) {
			c = (uint8_t)(hex(path.p[i + 1]) << 4 | hex(path.p[i + 2]));
			i += 2;
		}
		if (c == '/' && n && buf[n - 1] == '/')
			continue;
		buf[n++] = (char)ascii_lower(c);
	}
	while (n && buf[n - 1] == '/')
		n--;
	return span_of(buf, n);
}

bool openai_ends_with(struct span s, const char *with)
{
	struct span end = span_str(with);

	return s.len >= end.len && span_eq(span_sub(s, s.len - end.len, end.len), end);
}

int openai_match(const struct exchange *x, const char *const *ends)
{
	char buf[OPENAI_PATH_MAX], name[64];
	struct span path = openai_path(buf, x);

	if (!span_eq(x->method, SPAN_LIT("POST")))
		return 0;
	for (; *ends; ends++)
		if (openai_ends_with(path, *ends))
			return provider_of(x, name, sizeof(name)) ? 2 : 1;
	return 0;
}

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
};

static uint32_t source_of(enum openai_field field, uint32_t part)
{
	return (uint32_t)field << 24 | MIN(part, PART_MAX);
}

static enum openai_field field_of(const struct segment *seg)
{
	return seg->source >> 24;
}

struct segment *openai_another(struct dialect_state *s, enum openai_field field, uint32_t part)
{
	struct openai_port *port = s->now;
	struct segment *seg =
	    turn_segment(s->t, fields[field].role, fields[field].origin, s->now->side);

	if (!seg)
		return NULL;
	if (field == FIELD_CONTENT && s->now->side == SIDE_RESPONSE) {
		seg->role = SEG_ASSISTANT;
		seg->origin = ORIGIN_MODEL;
	}
	seg->message = s->now->item.message;
	seg->source = source_of(field, part);
	seg->damaged = port->hole;
	port->hole = false;
	s->now->last = s->t->n_segments - 1;
	s->now->has_last = true;
	return seg;
}

/* The newest one, because a call may follow another of the same number. */
static struct segment *find(struct dialect_state *s, enum openai_field field, uint32_t part)
{
	struct turn *t = s->t;
	uint32_t source = source_of(field, part);

	for (size_t i = 0; i <= LOOKBACK; i++) {
		/* The one touched last comes first: it nearly always is the one. */
		size_t at = i ? t->n_segments - i : s->now->last;
		struct segment *seg;

		if (i > t->n_segments)
			return NULL;
		if (!i && !s->now->has_last)
			continue;
		seg = &t->segments[at];
		if (seg->side == s->now->side && seg->message == s->now->item.message &&
		    seg->source == source) {
			s->now->last = at;
			return seg;
		}
	}
	return NULL;
}

struct segment *openai_segment(struct dialect_state *s, enum openai_field field, uint32_t part)
{
	struct segment *seg = find(s, field, part);

	return seg ? seg : openai_another(s, field, part);
}

void openai_add(struct dialect_state *s, struct segment *seg, const struct json_event *e)
{
	if (e->kind != JSON_STRING)
		return;
	turn_text(s->t, seg, e->text);
	if (!seg)
		return;
	seg->damaged |= e->damaged;
	if (field_of(seg) == FIELD_REFUSAL && s->now->side == SIDE_RESPONSE && seg->text.len)
		s->refused = true;
}

/* --- items */

/* In an event of a stream whose items are told again as they grow. */
static bool streamed_item(const struct dialect_state *s)
{
	return s->envelope && s->now->side == SIDE_RESPONSE && s->t->exchange->streamed;
}

static uint32_t part_of(const struct shape *at, const struct json_event *e)
{
	return e->n_index > at->n_index ? e->index[at->n_index] : 0;
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

static void set_role(const struct openai_item *item, struct segment *seg)
{
	static const struct {
		const char *role;
		enum segment_role as;
		enum origin origin;
	} roles[] = {
		{ "system", SEG_SYSTEM, ORIGIN_OPERATOR },
		{ "developer", SEG_DEVELOPER, ORIGIN_OPERATOR },
		{ "user", SEG_USER, ORIGIN_USER },
		{ "assistant", SEG_ASSISTANT, ORIGIN_MODEL },
		{ "tool", SEG_TOOL_RESULT, ORIGIN_TOOL },
		{ "function", SEG_TOOL_RESULT, ORIGIN_TOOL },
	};

	if (!strcmp(item->type, "reasoning")) {
		seg->role = SEG_REASONING;
		seg->origin = ORIGIN_MODEL;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (!strcmp(item->role, roles[i].role)) {
			seg->role = roles[i].as;
			seg->origin = roles[i].origin;
		}
}

static void item_end(struct dialect_state *s)
{
	struct turn *t = s->t;
	struct openai_item *item = &s->now->item;
	size_t i = item->first;

	if (!item->open)
		return;
	item->open = false;
	/* Events of a stream made some of its segments before. */
	if (s->now->side == SIDE_RESPONSE && t->exchange->streamed)
		i = MIN(i, t->n_segments > LOOKBACK ? t->n_segments - LOOKBACK : 0);
	for (; i < t->n_segments; i++) {
		struct segment *seg = &t->segments[i];

		if (seg->side != s->now->side || seg->message != item->message)
			continue;
		if (field_of(seg) == FIELD_CONTENT)
			set_role(item, seg);
		if (seg->role != SEG_TOOL_CALL && seg->role != SEG_TOOL_RESULT)
			continue;
		if (!seg->call_id[0])
			memcpy(seg->call_id, item->call_id, sizeof(seg->call_id));
		if (!seg->name[0])
			memcpy(seg->name, item->name, sizeof(seg->name));
		/* A tool of the provider's own is named by the type of its call, which holds the
		 * result as well. */
		if (!seg->name[0] && openai_ends_with(span_str(item->type), "_call"))
			turn_id(seg->name, sizeof(seg->name), span_str(item->type));
		if (seg->role == SEG_TOOL_RESULT && !seg->name[0] && seg->call_id[0])
			name_result(t, i);
	}
}

void openai_item_edge(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (e->kind == JSON_OBJECT_END)
		item_end(s);
	if (e->kind != JSON_OBJECT)
		return;
	item_end(s);
	s->now->item = (struct openai_item){ .open = true, .first = s->t->n_segments };
	/* A response's items are numbered by where they stand, for a stream tells of each more than
	 * once. */
	if (s->now->side == SIDE_REQUEST)
		s->now->item.message = s->now->n_items++;
	else
		s->now->item.message = e->n_index ? e->index[0] : s->event.output;
}

void openai_role(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->item.role, sizeof(s->now->item.role), e);
}

void openai_type(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->item.type, sizeof(s->now->item.type), e);
}

void openai_name(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->item.name, sizeof(s->now->item.name), e);
}

void openai_call_id(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->item.call_id, sizeof(s->now->item.call_id), e);
}

/* A value that stands whole where the stream may have told it piece by piece. Returns NULL and sets
 * skipping when it did. */
static struct segment *whole(struct dialect_state *s, enum openai_field field, uint32_t part,
			     const struct json_event *e)
{
	struct segment *seg = find(s, field, part);

	if (!e->first || !seg || !seg->text.len)
		return seg ? seg : openai_another(s, field, part);
	if (!seg->damaged) {
		s->now->skipping = true;
		return NULL;
	}
	/* The pieces had holes. */
	s->t->inspected -= seg->text.len;
	buf_clear(&seg->text);
	seg->damaged = false;
	seg->missing = 0;
	return seg;
}

void openai_text(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;
	bool again = streamed_item(s);
	struct segment *seg;

	if (e->kind != JSON_STRING)
		return;
	/* Text that belongs to no item is a message of its own. */
	if (s->now->side == SIDE_REQUEST && !s->now->item.open && e->first)
		s->now->item.message = s->now->n_items++;
	if (e->first)
		s->now->skipping = false;
	/* Nothing said makes no segment; a call without arguments is a call. */
	if (!e->text.len && arg != FIELD_CALL && !find(s, arg, part_of(at, e)))
		return;
	if (s->now->skipping)
		return;
	seg = again ? whole(s, arg, part_of(at, e), e) : openai_segment(s, arg, part_of(at, e));
	if (s->now->skipping)
		return;
	/* A second value for one field: a key stands twice, or a tool has many descriptions. */
	if (e->first && seg && seg->text.len && s->now->side == SIDE_REQUEST)
		turn_text(s->t, seg, SPAN_LIT("\n"));
	openai_add(s, seg, e);
}

void openai_text_name(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;
	struct segment *seg =
	    e->kind == JSON_STRING ? openai_segment(s, arg, part_of(at, e)) : NULL;

	if (seg)
		turn_id_piece(seg->name, sizeof(seg->name), e);
}

void openai_skip(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	if (e->kind != JSON_STRING)
		return;
	/* A stream tells of an item up to three times. */
	if (streamed_item(s) && strcmp(s->event.type, "response.output_item.done"))
		return;
	turn_skip(s->t, arg, e->text.len);
}

const struct shape_row openai_tool_rows[4] = {
	{ "name", openai_text_name, FIELD_TOOL },
	{ "description", openai_text, FIELD_TOOL },
	{ "parameters.**.description", openai_text, FIELD_TOOL },
	{ "parameters.description", openai_text, FIELD_TOOL },
};

/* --- values of the turn */

void openai_turn_id(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	turn_id_piece((char *)s->t + (arg >> 16), arg & 0xffff, e);
}

void openai_tokens(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;
	uint64_t n = 0;

	(void)at;
	if (e->kind != JSON_NUMBER)
		return;
	for (size_t i = 0; i < e->text.len && i < 18 && e->text.p[i] >= '0' && e->text.p[i] <= '9';
	     i++)
		n = n * 10 + (e->text.p[i] - '0');
	memcpy((char *)s->t + arg, &n, sizeof(n));
}

void openai_number(const struct json_event *e, uint32_t *ret)
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

void openai_model(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (!s->deployed)
		turn_id_piece(s->t->request_model, sizeof(s->t->request_model), e);
}

void openai_stream(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	s->t->stream = e->kind == JSON_TRUE;
}

void openai_finish(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (e->kind != JSON_STRING)
		return;
	turn_id_piece(s->now->word, sizeof(s->now->word), e);
	if (e->last && !strcmp(s->now->word, "content_filter"))
		s->blocked = true;
	if (e->last && !s->now->choice)
		turn_id(s->t->finish_reason, sizeof(s->t->finish_reason), span_str(s->now->word));
}

void openai_error(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;
	char *code = s->t->error_code;

	(void)at;
	if (!arg) {
		s->failed |= e->kind == JSON_OBJECT || e->kind == JSON_STRING;
		return;
	}
	if (e->kind != JSON_STRING && e->kind != JSON_NUMBER)
		return;
	/* The type stands in where there is no code. */
	if (arg == 1 && e->kind == JSON_NUMBER)
		turn_id(code, sizeof(s->t->error_code), e->text);
	else if (arg == 1)
		turn_id_piece(code, sizeof(s->t->error_code), e);
	else
		turn_id_piece(s->now->word, sizeof(s->now->word), e);
	if (arg == 2 && e->last && !code[0])
		turn_id(code, sizeof(s->t->error_code), span_str(s->now->word));
}

void openai_inner_error(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->word, sizeof(s->now->word), e);
	if (e->last && !strcmp(s->now->word, "ResponsibleAIPolicyViolation"))
		s->blocked = true;
}

void openai_filter(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
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
	struct dialect_state *s = ctx;
	const char *end = strrchr(e->path, '.'), *begin = end;
	enum filter filter = FILTER_OTHER;
	struct span name;

	(void)at;
	if (e->kind != JSON_TRUE || !end)
		return;
	while (begin > e->path && begin[-1] != '.')
		begin--;
	name = span_of(begin, (size_t)(end - begin));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (span_eq(name, span_str(rows[i].name)))
			filter = rows[i].filter;
	s->t->filter_detected |= 1u << filter;
	if (arg) {
		s->t->filter_blocked |= 1u << filter;
		s->blocked = true;
	}
}

void openai_filter_block(void *ctx, const struct shape *at, const struct json_event *e,
			 unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	s->blocked |= e->kind == JSON_TRUE;
}

/* --- the life of a turn */

static void on_json(void *ctx, const struct json_event *e)
{
	struct openai_port *port = ctx;

	port->of->now = port;
	shapes_run(port->shapes, port->of, e);
}

int openai_open(struct dialect_state **ret, struct turn *t, struct shapes *request,
		struct shapes *response, struct shapes *envelope)
{
	struct dialect_state *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->t = t;
	s->envelope = envelope;
	s->ports[SIDE_REQUEST].shapes = request;
	s->ports[SIDE_RESPONSE].shapes = response;
	for (enum side side = 0; side < SIDE_MAX_; side++) {
		struct openai_port *port = &s->ports[side];

		port->of = s;
		port->side = side;
		if (json_new(&port->json, JSON_DEPTH_MAX, on_json, port)) {
			openai_close(&s);
			return -ENOMEM;
		}
	}
	*ret = s;
	return 0;
}

void openai_close(struct dialect_state **sp)
{
	struct dialect_state *s = *sp;

	if (!s)
		return;
	for (enum side side = 0; side < SIDE_MAX_; side++)
		json_free(&s->ports[side].json);
	explicit_bzero(s, sizeof(*s));
	free(s);
	*sp = NULL;
}

void openai_body(struct dialect_state *s, enum side side, struct span data)
{
	if (json_feed(s->ports[side].json, data) && !s->ports[side].broken) {
		s->ports[side].broken = true;
		s->t->json_broken++;
	}
}

void openai_gap(struct dialect_state *s, enum side side, uint64_t n)
{
	struct openai_port *port = &s->ports[side];

	/* It belongs to the text being read, as far as can be told; or to what comes. */
	if (port->has_last) {
		s->t->segments[port->last].damaged = true;
		s->t->segments[port->last].missing += n;
	} else {
		port->hole = true;
	}
	if (side == SIDE_REQUEST || !s->t->exchange->streamed)
		json_gap(port->json, n);
}

static void read_event(struct dialect_state *s, struct shapes *shapes, struct span data)
{
	struct openai_port *port = &s->ports[SIDE_RESPONSE];
	struct shapes *own = port->shapes;
	bool bad;

	port->shapes = shapes;
	json_reset(port->json);
	bad = json_feed(port->json, data) != 0;
	bad |= json_end(port->json) != 0;
	port->shapes = own;
	if (bad && shapes == own)
		s->t->json_broken++;
}

/* The last event of a stream of the Responses API. */
static bool is_last(const char *type)
{
	static const char *const last[] = { "response.completed", "response.incomplete",
					    "response.failed" };

	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		if (!strcmp(type, last[i]))
			return true;
	return false;
}

void openai_event(struct dialect_state *s, const struct flow_event *ev)
{
	if (ev->framing != FRAMING_SSE || ev->side != SIDE_RESPONSE)
		return; /* no stream of these APIs */
	if (span_eq(ev->data, SPAN_LIT("[DONE]"))) {
		s->t->ended = true;
		return;
	}
	s->now = &s->ports[SIDE_RESPONSE];
	if (s->envelope) {
		memset(&s->event, 0, sizeof(s->event));
		read_event(s, s->envelope, ev->data);
		if (ev->type.len && !s->event.type[0])
			turn_id(s->event.type, sizeof(s->event.type), ev->type);
		s->t->ended |= is_last(s->event.type);
		s->now->item.message = s->event.output;
	}
	read_event(s, s->ports[SIDE_RESPONSE].shapes, ev->data);
	item_end(s);
	if (ev->damaged)
		openai_gap(s, SIDE_RESPONSE, 0);
}

/* The end of a side's document; nothing more comes. */
static void port_end(struct dialect_state *s, enum side side, bool documented)
{
	struct openai_port *port = &s->ports[side];

	if (!port->json)
		return;
	s->now = port;
	if (documented && json_end(port->json) && !port->broken)
		s->t->json_broken++;
	s->t->json_skipped += json_skipped(port->json);
	item_end(s);
	json_free(&port->json);
}

void openai_request_end(struct dialect_state *s)
{
	const struct coverage *c = &s->t->exchange->body[SIDE_REQUEST];

	port_end(s, SIDE_REQUEST, c->seen || c->lost);
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

static enum outcome outcome_of(const struct dialect_state *s)
{
	const struct turn *t = s->t;
	bool refused = false, called = false, said = false;

	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *seg = &t->segments[i];

		if (seg->side != SIDE_RESPONSE)
			continue;
		/* What the model says first. */
		if (seg->role == SEG_ASSISTANT && !said)
			refused = refuses(buf_span(&seg->text));
		said |= seg->role == SEG_ASSISTANT;
		called |= seg->role == SEG_TOOL_CALL;
	}
	if (s->blocked || !strcmp(t->error_code, "content_filter"))
		return OUTCOME_BLOCKED;
	if (s->failed || t->exchange->status >= 400)
		return OUTCOME_ERROR;
	if (s->refused)
		return OUTCOME_REFUSED;
	if (called)
		return OUTCOME_TOOL_EXECUTED;
	if (refused)
		return OUTCOME_REFUSED;
	return said ? OUTCOME_ANSWERED : OUTCOME_UNKNOWN;
}

void openai_end(struct dialect_state *s)
{
	const struct exchange *x = s->t->exchange;
	const struct coverage *c = &x->body[SIDE_RESPONSE];

	port_end(s, SIDE_RESPONSE, !x->streamed && (c->seen || c->lost));
	if (s->reason[0])
		turn_id(s->t->finish_reason, sizeof(s->t->finish_reason), span_str(s->reason));
	else if (s->status[0])
		turn_id(s->t->finish_reason, sizeof(s->t->finish_reason), span_str(s->status));
	s->blocked |= !strcmp(s->reason, "content_filter");
	s->t->outcome = outcome_of(s);
}
