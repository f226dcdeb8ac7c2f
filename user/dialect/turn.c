/* user/dialect/turn.c - building a turn within its caps, and the names of its enums. */
#include "dialect/turn.h"

#include <errno.h>

#include "base/own.h"
#include "dialect/dialect.h"

#define SEGMENTS_MIN 4

static bool take(struct turn *t, uint64_t n)
{
	if (!t->left)
		return true;
	if (*t->left < n)
		return false;
	*t->left -= n;
	t->taken += n;
	return true;
}

/* Wiped, unlike with realloc(): segments hold ids and names. */
static bool grow(struct turn *t)
{
	size_t room = t->segments_room ? t->segments_room * 2 : SEGMENTS_MIN;
	struct segment *p;

	if (!take(t, (room - t->segments_room) * sizeof(*p)))
		return false;
	p = calloc(room, sizeof(*p));
	if (!p)
		return false;
	if (t->segments) {
		memcpy(p, t->segments, t->n_segments * sizeof(*p));
		explicit_bzero(t->segments, t->n_segments * sizeof(*p));
		free(t->segments);
	}
	t->segments = p;
	t->segments_room = room;
	return true;
}

struct segment *turn_segment(struct turn *t, enum segment_role role, enum origin origin,
			     enum side side)
{
	struct segment *s;

	if (t->n_segments == TURN_SEGMENTS_MAX)
		return NULL;
	if (t->n_segments == t->segments_room && !grow(t))
		return NULL;
	s = &t->segments[t->n_segments++];
	s->role = role;
	s->origin = origin;
	s->side = side;
	s->text = BUF(SEGMENT_MAX);
	return s;
}

/* The longest beginning of s of at most max bytes that does not cut a character. */
static struct span whole_chars(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max && (s.p[max] & 0xc0) == 0x80)
		max--;
	s.len = max;
	return s;
}

void turn_text(struct turn *t, struct segment *s, struct span text)
{
	struct span fit = { 0 };

	if (s) {
		fit = whole_chars(text, MIN(SEGMENT_MAX - s->text.len, TURN_TEXT_MAX - t->held));
		if (!take(t, fit.len) || buf_add(&s->text, fit))
			fit.len = 0;
		if (fit.len < text.len) {
			s->missing += text.len - fit.len;
			s->damaged = true;
		}
	}
	if (fit.len && s->side == SIDE_RESPONSE && !t->first_text_ns && t->exchange)
		t->first_text_ns = t->exchange->last_byte_ns;
	t->held += fit.len;
	t->inspected += fit.len;
	t->uninspected += text.len - fit.len;
}

void turn_id(char *field, size_t size, struct span s)
{
	s = whole_chars(s, size - 1);
	for (size_t i = 0; i < s.len; i++)
		field[i] = s.p[i] ? (char)s.p[i] : '?'; /* a NUL would hide the rest */
	field[s.len] = 0;
}

void turn_id_piece(char *field, size_t size, const struct json_event *e)
{
	size_t was, len;

	if (e->kind != JSON_STRING)
		return;
	/* Events of a stream tell the same each time. */
	if (e->first && e->last && strlen(field) == e->text.len &&
	    !memcmp(field, e->text.p, e->text.len))
		return;
	if (e->first)
		field[0] = field[size - 1] = 0;
	/* The last byte, when it is not the end of the string, says that a character did not fit:
	 * nothing follows. */
	was = len = strlen(field);
	if (field[size - 1])
		return;
	turn_id(field + len, size - len, e->text);
	len += strlen(field + len);
	field[size - 1] = e->text.len > len - was && len < size - 1;
}

void turn_skip(struct turn *t, enum skipped what, size_t n)
{
	t->skipped[what] += n;
	t->uninspected += n;
}

static void give_back(struct turn *t, uint64_t n)
{
	if (!t->left)
		return;
	*t->left += n;
	t->taken -= n;
}

void turn_untext(struct turn *t, struct segment *s)
{
	give_back(t, s->text.len);
	t->held -= s->text.len;
	t->inspected -= s->text.len;
	buf_clear(&s->text);
	s->damaged = false;
	s->missing = 0;
	s->judged = 0;
}

void turn_append(struct turn *t, struct segment *to, struct segment *last)
{
	struct span text = buf_span(&last->text);

	assert(last == &t->segments[t->n_segments - 1] && to < last);
	t->held -= text.len;
	t->inspected -= text.len;
	give_back(t, text.len);
	turn_text(t, to, text);
	buf_free(&last->text);
	explicit_bzero(last, sizeof(*last));
	t->n_segments--;
}

static void segment_free(struct segment *s)
{
	buf_free(&s->text);
	explicit_bzero(s, sizeof(*s));
}

int turn_split(struct turn *t, size_t segment, const struct piece *pieces, size_t n)
{
	struct segment old = t->segments[segment], *fresh;
	size_t kept = 0;
	int err = 0;

	assert(n);
	if (t->n_segments + n - 1 > TURN_SEGMENTS_MAX)
		return -E2BIG;
	while (t->segments_room < t->n_segments + n - 1)
		if (!grow(t))
			return -ENOMEM;
	fresh = calloc(n, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		size_t len = pieces[i].end - pieces[i].begin;

		fresh[i] = old;
		fresh[i].role = pieces[i].role;
		fresh[i].origin = pieces[i].origin;
		fresh[i].text = BUF(SEGMENT_MAX);
		if (i + 1 < n)
			fresh[i].missing = 0;
		err = buf_add(&fresh[i].text, span_sub(buf_span(&old.text), pieces[i].begin, len));
		kept += len;
	}
	if (!err) {
		struct segment *place = &t->segments[segment];

		memmove(place + n, place + 1, (t->n_segments - segment - 1) * sizeof(*place));
		memcpy(place, fresh, n * sizeof(*place));
		t->n_segments += n - 1;
		t->held -= old.text.len - kept;
		give_back(t, old.text.len - kept);
		buf_free(&old.text);
	}
	for (size_t i = 0; err && i < n; i++)
		segment_free(&fresh[i]);
	explicit_bzero(fresh, n * sizeof(*fresh));
	explicit_bzero(&old, sizeof(old));
	free(fresh);
	return err;
}

void turn_retire(struct turn *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_segments; i++) {
		struct segment *s = &t->segments[i];

		if (s->judged < s->text.len) {
			t->segments[n++] = *s;
			continue;
		}
		t->held -= s->text.len;
		give_back(t, s->text.len);
		buf_free(&s->text);
	}
	explicit_bzero(&t->segments[n], (t->n_segments - n) * sizeof(*t->segments));
	t->n_segments = n;
}

struct attached *turn_attachment(struct turn *t, enum skipped what, enum side side)
{
	struct attached *a;

	if (t->n_attachments++ >= ATTACHMENTS_MAX)
		return NULL;
	if (!t->attachments && take(t, ATTACHMENTS_MAX * sizeof(*a))) {
		t->attachments = calloc(ATTACHMENTS_MAX, sizeof(*a));
		if (!t->attachments)
			give_back(t, ATTACHMENTS_MAX * sizeof(*a));
	}
	if (!t->attachments) {
		t->n_attachments = ATTACHMENTS_MAX + 1; /* none from here on */
		return NULL;
	}
	a = &t->attachments[t->n_attachments - 1];
	a->what = what;
	a->side = side;
	return a;
}

bool turn_in_hand(const struct turn *t, size_t segment)
{
	const struct segment *s = &t->segments[segment];

	return segment >= t->first || s->judged < s->text.len;
}

void turn_tell(struct turn *t)
{
	t->told = (struct turn_told){
		.any = true,
		.n_findings = t->n_findings,
		.inspected = t->inspected,
		.input_tokens = t->input_tokens,
		.output_tokens = t->output_tokens,
		.cached_tokens = t->cached_tokens,
		.cache_write_tokens = t->cache_write_tokens,
		.reasoning_tokens = t->reasoning_tokens,
	};
}

size_t turn_attachments(const struct turn *t)
{
	return t->attachments ? MIN(t->n_attachments, (size_t)ATTACHMENTS_MAX) : 0;
}

void turn_clear(struct turn *t)
{
	for (size_t i = 0; i < t->n_segments; i++)
		buf_free(&t->segments[i].text);
	if (t->attachments)
		explicit_bzero(t->attachments, ATTACHMENTS_MAX * sizeof(*t->attachments));
	free(t->attachments);
	if (t->segments)
		explicit_bzero(t->segments, t->n_segments * sizeof(*t->segments));
	free(t->segments);
	if (t->left)
		*t->left += t->taken;
	explicit_bzero(t, sizeof(*t));
}

enum trust segment_trust(const struct segment *s)
{
	static const enum trust by_origin[ORIGIN_MAX_] = {
		[ORIGIN_OPERATOR] = TRUST_OPERATOR,   [ORIGIN_USER] = TRUST_USER,
		[ORIGIN_MODEL] = TRUST_MODEL,	      [ORIGIN_TOOL] = TRUST_RETRIEVED,
		[ORIGIN_RETRIEVED] = TRUST_RETRIEVED,
	};
	/* Who wrote it is not known. An application hands on tool definitions that remote servers
	 * wrote. */
	static const enum trust by_role[SEG_MAX_] = {
		[SEG_SYSTEM] = TRUST_OPERATOR,
		[SEG_DEVELOPER] = TRUST_OPERATOR,
		[SEG_USER] = TRUST_USER,
		[SEG_ASSISTANT] = TRUST_MODEL,
		[SEG_TOOL_CALL] = TRUST_MODEL,
		[SEG_TOOL_RESULT] = TRUST_RETRIEVED,
		[SEG_DOCUMENT] = TRUST_RETRIEVED,
		[SEG_REASONING] = TRUST_MODEL,
		[SEG_TOOL_DEFINITION] = TRUST_RETRIEVED,
	};

	return s->origin == ORIGIN_UNKNOWN ? by_role[s->role] : by_origin[s->origin];
}

const char *segment_role_name(enum segment_role r)
{
	static const char *const names[SEG_MAX_] = {
		[SEG_SYSTEM] = "system",
		[SEG_DEVELOPER] = "developer",
		[SEG_USER] = "user",
		[SEG_ASSISTANT] = "assistant",
		[SEG_TOOL_CALL] = "tool-call",
		[SEG_TOOL_RESULT] = "tool-result",
		[SEG_DOCUMENT] = "document",
		[SEG_REASONING] = "reasoning",
		[SEG_TOOL_DEFINITION] = "tool-definition",
	};

	return names[r];
}

const char *origin_name(enum origin o)
{
	static const char *const names[ORIGIN_MAX_] = {
		[ORIGIN_OPERATOR] = "operator",	  [ORIGIN_USER] = "user",
		[ORIGIN_MODEL] = "model",	  [ORIGIN_TOOL] = "tool",
		[ORIGIN_RETRIEVED] = "retrieved", [ORIGIN_UNKNOWN] = "unknown",
	};

	return names[o];
}

const char *operation_name(enum operation o)
{
	static const char *const names[OP_MAX_] = {
		[OP_UNKNOWN] = "unknown",
		[OP_CHAT] = "chat",
		[OP_COMPLETION] = "completion",
		[OP_RESPONSE] = "response",
		[OP_REALTIME] = "realtime",
		[OP_EMBEDDING] = "embedding",
		[OP_RERANK] = "rerank",
		[OP_CLASSIFY] = "classify",
		[OP_MODERATION] = "moderation",
		[OP_IMAGE] = "image",
		[OP_AUDIO] = "audio",
		[OP_VIDEO] = "video",
		[OP_OCR] = "ocr",
		[OP_TOKEN_COUNT] = "token-count",
		[OP_INFERENCE] = "inference",
		[OP_FILE] = "file",
		[OP_BATCH] = "batch",
		[OP_FINE_TUNE] = "fine-tune",
		[OP_ASSISTANT] = "assistant",
		[OP_CONVERSATION] = "conversation",
		[OP_VECTOR_STORE] = "vector-store",
		[OP_VECTOR_READ] = "vector-read",
		[OP_VECTOR_WRITE] = "vector-write",
		[OP_MODELS] = "models",
		[OP_MODEL_MANAGEMENT] = "model-management",
		[OP_TOOL_PROTOCOL] = "tool-protocol",
		[OP_SERVER] = "server",
	};

	return names[o];
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[OUTCOME_MAX_] = {
		[OUTCOME_UNKNOWN] = "unknown",
		[OUTCOME_ANSWERED] = "answered",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_BLOCKED] = "blocked",
		[OUTCOME_TOOL_EXECUTED] = "tool-executed",
		[OUTCOME_ERROR] = "error",
	};

	return names[o];
}

const char *filter_name(enum filter f)
{
	static const char *const names[FILTER_MAX_] = {
		[FILTER_OTHER] = "other",
		[FILTER_JAILBREAK] = "jailbreak",
		[FILTER_INDIRECT_ATTACK] = "indirect-attack",
		[FILTER_HATE] = "hate",
		[FILTER_SEXUAL] = "sexual",
		[FILTER_VIOLENCE] = "violence",
		[FILTER_SELF_HARM] = "self-harm",
		[FILTER_PROFANITY] = "profanity",
		[FILTER_PROTECTED_TEXT] = "protected-text",
		[FILTER_PROTECTED_CODE] = "protected-code",
		[FILTER_BLOCKLIST] = "blocklist",
	};

	return names[f];
}

static uint64_t since(uint64_t begin, uint64_t at)
{
	return at > begin ? at - begin : 0;
}

struct timing turn_timing(const struct turn *t)
{
	const struct exchange *x = t->exchange;
	struct timing r = {
		.first_byte_ns = since(x->begin_ns, x->first_byte_ns),
		.first_token_ns =
		    t->stream || x->streamed ? since(x->begin_ns, t->first_text_ns) : 0,
		.duration_ns = since(x->begin_ns, x->last_byte_ns ? x->last_byte_ns : x->end_ns),
	};
	uint64_t ns = r.duration_ns - r.first_token_ns;

	if (r.duration_ns > r.first_token_ns && t->output_tokens &&
	    x->framing[SIDE_REQUEST] != FRAMING_WEBSOCKET)
		r.tokens_per_second = (float)((double)t->output_tokens * 1e9 / (double)ns);
	return r;
}

const char *skipped_name(enum skipped s)
{
	static const char *const names[SKIP_MAX_] = {
		[SKIP_IMAGE] = "image",		[SKIP_AUDIO] = "audio",
		[SKIP_VIDEO] = "video",		[SKIP_FILE] = "file",
		[SKIP_TOKENS] = "token-ids",	[SKIP_VECTOR] = "vector",
		[SKIP_ENCRYPTED] = "encrypted", [SKIP_CHARSET] = "charset",
		[SKIP_CODING] = "coding",
	};

	return names[s];
}
