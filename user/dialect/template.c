/* user/dialect/template.c - finds the parts of a rendered prompt.
 *
 * A text is a template when it begins with a marker of one, apart from white space and tokens that
 * begin a sequence. The first marker decides which: those of others are text then, and text they
 * stay. A system turn behind the first other turn is believed to nobody: whoever controls a turn
 * can write one, and then its marker stays in the text of that turn.
 */
#include "dialect/template.h"

#include "base/own.h"
#include "dialect/dialect.h"

#define PIECES_MAX 512 /* of one text; the rest stays in the last one */
#define ROLE_MAX   24  /* bytes of a role's name in a marker */

struct who {
	enum segment_role role;
	enum origin origin;
};

#define SYSTEM                                                                                     \
	{                                                                                          \
		SEG_SYSTEM, ORIGIN_OPERATOR                                                        \
	}
#define USER                                                                                       \
	{                                                                                          \
		SEG_USER, ORIGIN_USER                                                              \
	}
#define ASSISTANT                                                                                  \
	{                                                                                          \
		SEG_ASSISTANT, ORIGIN_MODEL                                                        \
	}
#define CALL                                                                                       \
	{                                                                                          \
		SEG_TOOL_CALL, ORIGIN_MODEL                                                        \
	}
#define RESULT                                                                                     \
	{                                                                                          \
		SEG_TOOL_RESULT, ORIGIN_TOOL                                                       \
	}
#define TOOLS                                                                                      \
	{                                                                                          \
		SEG_TOOL_DEFINITION, ORIGIN_UNKNOWN                                                \
	}
#define DOCUMENT                                                                                   \
	{                                                                                          \
		SEG_DOCUMENT, ORIGIN_RETRIEVED                                                     \
	}

static const struct {
	const char *name;
	struct who who;
} names[] = {
	{ "system", SYSTEM },	    { "developer", { SEG_DEVELOPER, ORIGIN_OPERATOR } },
	{ "user", USER },	    { "human", USER },
	{ "assistant", ASSISTANT }, { "model", ASSISTANT },
	{ "ai", ASSISTANT },	    { "bot", ASSISTANT },
	{ "tool", RESULT },	    { "function", RESULT },
	{ "ipython", RESULT },	    { "environment", RESULT },
	{ "observation", RESULT },  { "tool_response", RESULT },
	{ "documents", DOCUMENT },  { "document", DOCUMENT },
	{ "context", DOCUMENT },
};

enum act {
	ACT_NAMED, /* a role's name follows, up to `until` */
	ACT_OPEN,  /* a part of `who` begins */
	ACT_CLOSE, /* the part ends; what follows it is of `who` (a role of SEG_MAX_: of nobody) */
};

struct marker {
	const char *text;
	enum act act;
	struct who who;
	const char *until;
};

#define NOBODY                                                                                     \
	{                                                                                          \
		SEG_MAX_, ORIGIN_UNKNOWN                                                           \
	}

static const struct marker chatml[] = {
	{ "<|im_start|>", ACT_NAMED, NOBODY, "\n" },
	{ "<|im_end|>", ACT_CLOSE, NOBODY, NULL },
	{ "<|endoftext|>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker llama3[] = {
	{ "<|start_header_id|>", ACT_NAMED, NOBODY, "<|end_header_id|>" },
	{ "<|header_start|>", ACT_NAMED, NOBODY, "<|header_end|>" }, /* Llama 4 */
	{ "<|eot_id|>", ACT_CLOSE, NOBODY, NULL },
	{ "<|eom_id|>", ACT_CLOSE, NOBODY, NULL },
	{ "<|eot|>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker llama2[] = {
	/* and Mistral */
	{ "[INST]", ACT_OPEN, USER, NULL },
	{ "[/INST]", ACT_CLOSE, ASSISTANT, NULL },
	{ "<<SYS>>", ACT_OPEN, SYSTEM, NULL },
	{ "<</SYS>>", ACT_CLOSE, USER, NULL },
	{ "[SYSTEM_PROMPT]", ACT_OPEN, SYSTEM, NULL },
	{ "[/SYSTEM_PROMPT]", ACT_CLOSE, NOBODY, NULL },
	{ "[AVAILABLE_TOOLS]", ACT_OPEN, TOOLS, NULL },
	{ "[/AVAILABLE_TOOLS]", ACT_CLOSE, NOBODY, NULL },
	{ "[TOOL_RESULTS]", ACT_OPEN, RESULT, NULL },
	{ "[/TOOL_RESULTS]", ACT_CLOSE, ASSISTANT, NULL },
	{ "[TOOL_CALLS]", ACT_OPEN, CALL, NULL },
	{ "</s>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker gemma[] = {
	{ "<start_of_turn>", ACT_NAMED, NOBODY, "\n" },
	{ "<end_of_turn>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker granite[] = {
	{ "<|start_of_role|>", ACT_NAMED, NOBODY, "<|end_of_role|>" },
	{ "<|end_of_text|>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker phi[] = {
	/* and Zephyr, TinyLlama, GLM */
	{ "<|system|>", ACT_OPEN, SYSTEM, NULL },
	{ "<|user|>", ACT_OPEN, USER, NULL },
	{ "<|assistant|>", ACT_OPEN, ASSISTANT, NULL },
	{ "<|tool|>", ACT_OPEN, RESULT, NULL },
	{ "<|tool_response|>", ACT_OPEN, RESULT, NULL },
	{ "<|observation|>", ACT_OPEN, RESULT, NULL },
	{ "<|tool_call|>", ACT_OPEN, CALL, NULL },
	{ "<|end|>", ACT_CLOSE, NOBODY, NULL },
	{ "<|endoftext|>", ACT_CLOSE, NOBODY, NULL },
	{ "</s>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};
static const struct marker deepseek[] = {
	{ "<｜User｜>", ACT_OPEN, USER, NULL },
	{ "<｜Assistant｜>", ACT_OPEN, ASSISTANT, NULL },
	{ "<｜System｜>", ACT_OPEN, SYSTEM, NULL },
	{ "<｜tool▁outputs▁begin｜>", ACT_OPEN, RESULT, NULL },
	{ "<｜tool▁output▁begin｜>", ACT_OPEN, RESULT, NULL },
	{ "<｜tool▁output▁end｜>", ACT_CLOSE, NOBODY, NULL },
	{ "<｜tool▁outputs▁end｜>", ACT_CLOSE, ASSISTANT, NULL },
	{ "<｜tool▁calls▁begin｜>", ACT_OPEN, CALL, NULL },
	{ "<｜tool▁calls▁end｜>", ACT_CLOSE, NOBODY, NULL },
	{ "<｜end▁of▁sentence｜>", ACT_CLOSE, NOBODY, NULL },
	{ NULL },
};

static const struct {
	const struct marker *markers;
	const char *begin; /* behind this token the system prompt stands without a marker */
} families[] = {
	{ chatml, NULL },
	{ llama3, NULL },
	{ llama2, NULL },
	{ gemma, NULL },
	{ phi, NULL },
	{ granite, NULL },
	{ deepseek, "<｜begin▁of▁sentence｜>" },
};

/* Tokens that begin a sequence. */
static const char *const begins[] = {
	"<s>",	   "<bos>", "<|begin_of_text|>", "<|endoftext|>", "<｜begin▁of▁sentence｜>",
	"[gMASK]", "<sop>",
};

/* Tags between which applications put what they retrieved. */
static const struct {
	const char *open, *close;
	struct who who;
} tags[] = {
	{ "<document", "</document>", DOCUMENT },
	{ "<documents>", "</documents>", DOCUMENT },
	{ "<context>", "</context>", DOCUMENT },
	{ "<retrieved_context>", "</retrieved_context>", DOCUMENT },
	{ "<search_results>", "</search_results>", DOCUMENT },
	{ "<search_result>", "</search_result>", DOCUMENT },
	{ "<tool_response>", "</tool_response>", RESULT },
	{ "<tool_result>", "</tool_result>", RESULT },
	{ "<function_results>", "</function_results>", RESULT },
};

struct pieces {
	struct piece piece[PIECES_MAX];
	size_t n;
	bool late; /* a turn that is no system's was seen */
};

static bool at(struct span text, size_t i, const char *marker)
{
	return span_starts(span_sub(text, i, text.len), span_str(marker));
}

static size_t skip_space(struct span text, size_t i)
{
	while (i < text.len && memchr(" \t\r\n", text.p[i], 4))
		i++;
	return i;
}

/* Where needle is at or behind i; text.len: nowhere. */
static size_t find(struct span text, size_t i, const char *needle)
{
	size_t n = strlen(needle);
	const uint8_t *p = i < text.len ? memmem(text.p + i, text.len - i, needle, n) : NULL;

	return p ? (size_t)(p - text.p) : text.len;
}

/* An empty part is none: templates end with the beginning of an answer. */
static void add(struct pieces *to, struct span text, size_t begin, size_t end, struct who who)
{
	begin = MIN(skip_space(text, begin), end);
	while (end > begin && memchr(" \t\r\n", text.p[end - 1], 4))
		end--;
	if (begin == end)
		return;
	if (to->n == PIECES_MAX) {
		to->piece[PIECES_MAX - 1].end = end;
		return;
	}
	to->piece[to->n++] = (struct piece){ who.role, who.origin, begin, end };
	to->late |=
	    who.role != SEG_SYSTEM && who.role != SEG_DEVELOPER && who.role != SEG_TOOL_DEFINITION;
}

static bool named(struct span name, struct who *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!span_eq_nocase(name, span_str(names[i].name)))
			continue;
		*ret = names[i].who;
		return true;
	}
	return false;
}

/* The marker at i, who speaks behind it and where that begins; NULL: none that counts. */
static const struct marker *marker_at(const struct marker *m, struct span text, size_t i, bool late,
				      struct who *ret, size_t *ret_next)
{
	while (m->text && !at(text, i, m->text))
		m++;
	if (!m->text)
		return NULL;
	*ret = m->who;
	*ret_next = i + strlen(m->text);
	if (m->act == ACT_NAMED) {
		struct span head = span_sub(text, *ret_next, ROLE_MAX + strlen(m->until));
		size_t n = find(head, 0, m->until), name = n, words = 0;

		/* "user<sep>name", "tool weather": the first word decides. */
		for (size_t k = 0; k < name; k++)
			if (memchr(" \t=:", head.p[k], 4))
				name = k;
		if (!named(span_sub(head, 0, name), ret))
			return NULL;
		for (size_t k = name + 1; k < n; k++)
			words += memchr(" \t", head.p[k], 2) != NULL;
		/* What follows the name is text, when it is no word or the head does not end. */
		*ret_next += n < head.len && !words ? n + strlen(m->until) : name;
	}
	return late && (ret->role == SEG_SYSTEM || ret->role == SEG_DEVELOPER) ? NULL : m;
}

/* Over white space and tokens that begin a sequence; *ret: the last of these, if there was one. */
static size_t skip_begins(struct span text, size_t i, const char **ret)
{
	for (size_t k = 0; k < ARRAY_SIZE(begins);) {
		i = skip_space(text, i);
		if (!at(text, i, begins[k])) {
			k++;
			continue;
		}
		*ret = begins[k];
		i += strlen(begins[k]);
		k = 0;
	}
	return i;
}

/* Its markers; NULL: no template. *ret: where the first one stands, or the system prompt before it
 * begins. */
static const struct marker *family_of(struct span text, size_t *ret, struct who *ret_who)
{
	const char *begin = NULL;
	struct who who;
	size_t i;

	i = skip_begins(text, 0, &begin);
	*ret = i;
	*ret_who = (struct who)NOBODY;
	for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
		const struct marker *m =
		    marker_at(families[k].markers, text, i, false, &who, &(size_t){ 0 });

		if (m && m->act != ACT_CLOSE)
			return families[k].markers;
		if (begin && families[k].begin && !strcmp(begin, families[k].begin)) {
			*ret_who = (struct who)SYSTEM;
			return families[k].markers;
		}
	}
	return NULL;
}

/* A turn. What stands between two of them is said by nobody, and inspected as the user's. */
static void add_turn(struct pieces *to, struct span text, size_t begin, size_t end, struct who who)
{
	const char *token;

	if (who.role == SEG_MAX_) {
		who = (struct who)USER;
		begin = MIN(skip_begins(text, begin, &token), end);
	}
	add(to, text, begin, end, who);
}

static void split_template(struct pieces *to, struct span text)
{
	struct who who, next;
	size_t begin, behind;
	const struct marker *family = family_of(text, &begin, &who);

	for (size_t i = begin; family && i < text.len;) {
		if ((text.p[i] != '<' && text.p[i] != '[') ||
		    !marker_at(family, text, i, to->late, &next, &behind)) {
			i++;
			continue;
		}
		add_turn(to, text, begin, i, who);
		who = next;
		begin = i = behind;
	}
	if (family)
		add_turn(to, text, begin, text.len, who);
}

/* A line that begins with word, at or behind i; text.len: none. */
static size_t find_line(struct span text, size_t i, const char *word)
{
	for (;; i++) {
		i = find(text, i, word);
		if (i == text.len || !i || text.p[i - 1] == '\n')
			return i;
	}
}

/* ReAct: what tools answered stands between "Observation:" and the next step. */
static void split_react(struct pieces *to, struct span text, const struct piece *of)
{
	static const char *const steps[] = { "Thought:", "Action:", "Final Answer:", "Question:",
					     "Observation:" };
	struct span in = span_sub(text, of->begin, of->end - of->begin);
	size_t begin = 0, i = find_line(in, 0, "Action:");

	i = find_line(in, i, "Observation:");
	while (i < in.len) {
		size_t from = i + strlen("Observation:"), end = in.len;

		for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
			end = MIN(end, find_line(in, from, steps[k]));
		add(to, text, of->begin + begin, of->begin + i,
		    (struct who){ of->role, of->origin });
		add(to, text, of->begin + from, of->begin + end, (struct who)RESULT);
		begin = end;
		i = find_line(in, end, "Observation:");
	}
	add(to, text, of->begin + begin, of->end, (struct who){ of->role, of->origin });
}

/* Where the tag that was opened before `from` is closed: at the last closing tag before the next
 * opening one, for who writes the document can write the tag that ends it. in.len: nowhere. */
static size_t closed_at(struct span in, size_t from, const char *open, const char *close)
{
	size_t again = find(in, from, open), last = in.len;

	for (size_t p = find(in, from, close); p < again; p = find(in, p + 1, close))
		last = p;
	return last;
}

/* Documents between tags. */
static void split_tags(struct pieces *to, struct span text, const struct piece *of)
{
	struct who self = { of->role, of->origin };
	struct span in = span_sub(text, 0, of->end);
	size_t begin = of->begin;

	for (size_t i = find(in, begin, "<"); i < in.len; i = find(in, i, "<")) {
		size_t from = i, close = in.len, k = 0;

		for (; k < ARRAY_SIZE(tags) && close == in.len; k++) {
			size_t n = strlen(tags[k].open);

			/* "<document" may have attributes. */
			if (!at(in, i, tags[k].open) ||
			    (tags[k].open[n - 1] != '>' &&
			     (i + n == in.len || !memchr(" >\n", in.p[i + n], 3))))
				continue;
			from = MIN(find(in, i, ">") + 1, in.len);
			close = closed_at(in, from, tags[k].open, tags[k].close);
		}
		i++;
		if (close == in.len)
			continue;
		add(to, text, begin, i - 1, self);
		add(to, text, from, close, tags[k - 1].who);
		begin = i = close + strlen(tags[k - 1].close);
	}
	add(to, text, begin, of->end, self);
}

static size_t split(struct turn *t, size_t n, bool is_flat)
{
	static struct pieces turns, steps, parts; /* one thread per process */
	const struct segment *s = &t->segments[n];
	const struct who self = { s->role, s->origin };
	struct span text = buf_span(&s->text);
	bool rendered;

	turns.n = steps.n = parts.n = 0;
	turns.late = false;
	if (is_flat)
		split_template(&turns, text);
	rendered = turns.n != 0;
	if (!rendered)
		add(&turns, text, 0, text.len, self);
	for (size_t i = 0; i < turns.n; i++) {
		const struct piece *p = &turns.piece[i];

		if (is_flat && (p->role == SEG_USER || p->role == SEG_ASSISTANT))
			split_react(&steps, text, p);
		else
			add(&steps, text, p->begin, p->end, (struct who){ p->role, p->origin });
	}
	for (size_t i = 0; i < steps.n; i++) {
		const struct piece *p = &steps.piece[i];

		if (p->role == SEG_USER)
			split_tags(&parts, text, p);
		else
			add(&parts, text, p->begin, p->end, (struct who){ p->role, p->origin });
	}
	if (!parts.n || (parts.n == 1 && !rendered && parts.piece[0].role == s->role))
		return 1; /* one text, as it stands */
	return turn_split(t, n, parts.piece, parts.n) ? 1 : parts.n;
}

void template_split(struct turn *t, bool (*flat)(const struct segment *s))
{
	for (size_t i = 0; i < t->n_segments;) {
		const struct segment *s = &t->segments[i];

		if (s->side == SIDE_REQUEST && s->role == SEG_USER && s->text.len)
			i += split(t, i, flat(s));
		else
			i++;
	}
}
