/* user/dialect/generic.c - a model's API of unknown shape. Told by two signs together: language
 * under a key where prompts stand, and a setting that only models have. Texts are then taken by
 * their keys.
 */
#include "dialect/generic.h"

#include <ctype.h>

#include "dialect/reading.h"

#define LANGUAGE_MIN  24  /* bytes of a value from which it may be language */
#define LANGUAGE_LOOK 256 /* bytes that are looked at */

#define WORD_SLOTS 256
#define WORD_MAX   24 /* bytes */

#define NONE FIELD_MAX_

/* Keys of texts, and what they are on either side. */
static const struct {
	const char *key;
	enum field_of request, response;
	bool asks; /* prompts stand here */
} texts[] = {
	{ "prompt", FIELD_INPUT, NONE, true },
	{ "prompts", FIELD_INPUT, NONE, true },
	{ "inputs", FIELD_INPUT, NONE, true },
	{ "input", FIELD_INPUT, NONE, true },
	{ "input_text", FIELD_INPUT, NONE, true },
	{ "text_input", FIELD_INPUT, NONE, true },
	{ "user_input", FIELD_INPUT, NONE, true },
	{ "inputText", FIELD_INPUT, NONE, true },
	{ "user_prompt", FIELD_INPUT, NONE, true },
	{ "query", FIELD_INPUT, NONE, true },
	{ "question", FIELD_INPUT, NONE, true },
	{ "instruction", FIELD_INPUT, NONE, true },
	{ "message", FIELD_INPUT, FIELD_OUTPUT, true },
	{ "messages", FIELD_INPUT, NONE, true },
	{ "content", FIELD_INPUT, FIELD_OUTPUT, true },
	{ "text", FIELD_INPUT, FIELD_OUTPUT, true },
	{ "system", FIELD_INSTRUCTIONS, NONE },
	{ "system_prompt", FIELD_INSTRUCTIONS, NONE },
	{ "instructions", FIELD_INSTRUCTIONS, NONE },
	{ "preamble", FIELD_INSTRUCTIONS, NONE },
	{ "context", FIELD_DOCUMENT, NONE },
	{ "documents", FIELD_DOCUMENT, NONE },
	{ "passages", FIELD_DOCUMENT, NONE },
	{ "output", NONE, FIELD_OUTPUT },
	{ "outputs", NONE, FIELD_OUTPUT },
	{ "outputText", NONE, FIELD_OUTPUT },
	{ "output_text", NONE, FIELD_OUTPUT },
	{ "text_output", NONE, FIELD_OUTPUT },
	{ "generated_text", NONE, FIELD_OUTPUT },
	{ "generation", NONE, FIELD_OUTPUT },
	{ "completion", NONE, FIELD_OUTPUT },
	{ "response", NONE, FIELD_OUTPUT },
	{ "answer", NONE, FIELD_OUTPUT },
	{ "reply", NONE, FIELD_OUTPUT },
	{ "result", NONE, FIELD_OUTPUT },
	{ "delta", NONE, FIELD_OUTPUT },
	{ "token", NONE, FIELD_OUTPUT },
};

/* Settings of a model's sampling. "model" and "stream" are words of other trades, too. */
static const char *const settings[] = {
	"temperature",
	"max_tokens",
	"max_new_tokens",
	"max_output_tokens",
	"maxOutputTokens",
	"max_completion_tokens",
	"maxTokens",
	"maxTokenCount",
	"max_gen_len",
	"max_length",
	"n_predict",
	"num_predict",
	"top_p",
	"top_k",
	"topP",
	"topK",
	"repetition_penalty",
	"repeat_penalty",
	"presence_penalty",
	"frequency_penalty",
	"do_sample",
	"stop_sequences",
	"stopSequences",
	"num_beams",
	"max_tokens_to_sample",
};

/* Which of the words a key is: texts first, then settings. */
static struct {
	bool ready;
	struct {
		const char *word; /* NULL: free */
		int row;	  /* of texts; -1: a setting */
	} slots[WORD_SLOTS];
} words;

static void words_add(const char *word, int row)
{
	size_t i = json_path_hash(word) % WORD_SLOTS;

	while (words.slots[i].word)
		i = (i + 1) % WORD_SLOTS;
	words.slots[i].word = word;
	words.slots[i].row = row;
}

static void words_make(void)
{
	static_assert(2 * (ARRAY_SIZE(texts) + ARRAY_SIZE(settings)) <= WORD_SLOTS, "room");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		words_add(texts[i].key, (int)i);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		words_add(settings[i], -1);
	words.ready = true;
}

enum word { WORD_NONE, WORD_TEXT, WORD_SETTING };

/* What the last key of a path, without array steps, is. */
static enum word word_of(const char *path, int *ret_row)
{
	const char *dot = strrchr(path, '.');
	struct span key = span_str(dot ? dot + 1 : path);
	char word[WORD_MAX + 1];

	if (!words.ready)
		words_make();
	while (key.len >= 2 && key.p[key.len - 1] == ']')
		key.len -= 2;
	if (!key.len || key.len > WORD_MAX)
		return WORD_NONE;
	memcpy(word, key.p, key.len);
	word[key.len] = 0;
	for (size_t i = json_path_hash(word) % WORD_SLOTS; words.slots[i].word;
	     i = (i + 1) % WORD_SLOTS) {
		if (strcmp(words.slots[i].word, word))
			continue;
		*ret_row = words.slots[i].row;
		return *ret_row < 0 ? WORD_SETTING : WORD_TEXT;
	}
	return WORD_NONE;
}

/* Words with spaces between them, or a script that has none. */
static bool is_language(struct span s)
{
	size_t letters = 0, spaces = 0, foreign = 0;

	if (s.len < LANGUAGE_MIN)
		return false;
	s = span_sub(s, 0, LANGUAGE_LOOK);
	for (size_t i = 0; i < s.len; i++) {
		letters += isalpha(s.p[i]) != 0;
		spaces += isspace(s.p[i]) != 0;
		foreign += s.p[i] >= 0x80;
	}
	return 5 * (letters + spaces + foreign) >= 4 * s.len &&
	       (10 * spaces >= s.len || 2 * foreign >= s.len);
}

void generic_look(struct generic_signs *s, const struct json_event *e)
{
	bool text = e->kind == JSON_STRING;
	int row;

	/* Arrays of values say nothing new. */
	if (e->kind == JSON_OBJECT || (text ? s->asks : s->settings) ||
	    (!text && e->path_hash == s->last))
		return;
	s->last = e->path_hash;
	switch (word_of(e->path, &row)) {
	case WORD_TEXT:
		s->asks |= text && texts[row].asks && is_language(e->text);
		break;
	case WORD_SETTING:
		s->settings |= !text;
		break;
	default:
		break;
	}
}

static void any(struct reading *r, const struct json_event *e, unsigned arg)
{
	enum field_of field;
	int row;

	(void)arg;
	if (e->kind != JSON_STRING || word_of(e->path, &row) != WORD_TEXT)
		return;
	field = r->now->side == SIDE_REQUEST ? texts[row].request : texts[row].response;
	r->now->part = (uint32_t)row;
	if (field != NONE)
		reading_text(r, e, field);
}

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	CALLER_ROWS,
};
static const struct shape request_list[] = { SHAPE("", request_rows) };

static const struct shape_row response_rows[] = {
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "finish_reason", reading_finish },
	{ "stop_reason", reading_finish },
	{ "usage.prompt_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.completion_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
	ERROR_ROWS,
};
static const struct shape response_list[] = { SHAPE("", response_rows) };

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

const struct form form_generic = {
	.name = "generic",
	.summary = "An unknown model's API: language in JSON beside the settings of a model",
	.operation = OP_UNKNOWN,
	.request = &request,
	.response = &response,
	.any = any,
};

bool generic_is(const struct generic_signs *s)
{
	return s->asks && s->settings;
}

const struct dialect dialect_generic = {
	.name = "generic",
	.summary = "AI APIs of unknown shape, told by what their requests hold",
};
