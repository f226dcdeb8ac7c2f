/* user/dialect/openai_chat.c - chat completions and the completions before them, whole and
 * streamed, of OpenAI, Azure and everyone who speaks their shape: vLLM, Ollama, llama.cpp,
 * gateways.
 */
#include "dialect/reading.h"

/* --- choices */

static void on_choice(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	uint32_t at = e->index[0];

	(void)arg;
	port->message = at < port->event.n_order ? port->event.order[at] : at;
	r->t.n_choices = MAX(r->t.n_choices, port->message + 1);
}

/* A chunk of a stream holds one choice, or a few: its place there does not tell which. */
static void on_choice_index(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (!r->t.exchange->streamed)
		return;
	reading_u32(e, &r->now->message);
	r->t.n_choices = MAX(r->t.n_choices, r->now->message + 1);
}

/* Of a chunk that tells a choice's number behind its text: the numbers, read ahead. */
static void on_order(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	uint32_t at = e->index[0];

	(void)arg;
	for (; at < ORDER_MAX && port->event.n_order <= at; port->event.n_order++)
		port->event.order[port->event.n_order] = port->event.n_order;
	if (at < ORDER_MAX)
		reading_u32(e, &port->event.order[at]);
}

static const struct shape_row order_rows[] = { { "choices[].index", on_order } };
static const struct shape order_list[] = { SHAPE("", order_rows) };
static struct shapes order = SHAPES(order_list);

/* Few letters are as rare as its x. */
static const uint8_t *index_key(struct span data)
{
	static const struct span key = SPAN_LIT("\"index\"");

	for (size_t at = 5; at < data.len; at++) {
		const uint8_t *x = memchr(data.p + at, 'x', data.len - at);

		if (!x)
			break;
		at = (size_t)(x - data.p);
		if (span_starts(span_sub(data, at - 5, data.len), key))
			return x - 5;
	}
	return NULL;
}

static bool is_out_of_order(struct span data)
{
	const uint8_t *index = index_key(data);

	/* Mostly it is the first key of its choice. */
	return index && index > data.p && index[-1] != '{' &&
	       memmem(data.p, (size_t)(index - data.p), "\"delta\"", 7);
}

/* --- calls */

static void on_call(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	r->now->part = e->kind == JSON_OBJECT ? e->index[r->now->at->n_index] : 0;
}

/* Some servers number every call 0: another id begins another call. */
static void on_call_id(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	struct segment *seg;

	(void)arg;
	turn_id_piece(port->id, sizeof(port->id), e);
	if (e->kind != JSON_STRING || !e->last || !port->id[0])
		return;
	seg = reading_segment(r, FIELD_CALL, port->part);
	if (seg && seg->call_id[0] && strcmp(seg->call_id, port->id))
		seg = reading_new_segment(r, FIELD_CALL, port->part);
	if (seg)
		memcpy(seg->call_id, port->id, sizeof(seg->call_id));
}

static void on_call_name(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct segment *seg =
	    e->kind == JSON_STRING ? reading_segment(r, FIELD_CALL, r->now->part) : NULL;

	(void)arg;
	if (seg)
		turn_id_piece(seg->name, sizeof(seg->name), e);
}

/* Some servers give them as an object. */
static void on_call_text(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING)
		reading_add(r, reading_segment(r, FIELD_CALL, r->now->part), e);
	else
		reading_value(r, e, arg);
}

/* A message, in the request's history, in a response, or piece by piece in a stream. */
static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "name", reading_mark, PORT_STR(item.name) },
	{ "tool_call_id", reading_mark, PORT_STR(item.call_id) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "content[]", reading_part_begin, FIELD_CONTENT },
	{ "content[].type", reading_mark, PORT_STR(block.type) },
	{ "content[].text", reading_text, FIELD_CONTENT },
	{ "content[].refusal", reading_text, FIELD_REFUSAL },
	{ "content[].thinking[].text", reading_text, FIELD_REASONING },
	{ "content[].image_url", reading_media, SKIP_IMAGE },
	{ "content[].image_url.url", reading_media, SKIP_IMAGE },
	{ "content[].video_url.url", reading_media, SKIP_VIDEO },
	{ "content[].audio_url.url", reading_media, SKIP_AUDIO },
	{ "content[].document_url", reading_media, SKIP_FILE },
	{ "content[].input_audio.data", reading_media, SKIP_AUDIO },
	{ "content[].input_audio.format", reading_mark, PORT_STR(block.media_type) },
	{ "content[].file.file_data", reading_media, SKIP_FILE },
	{ "content[].file.file_id", reading_media_ref, SKIP_FILE },
	{ "content[].file.filename", reading_mark, PORT_STR(block.name) },
	{ "refusal", reading_text, FIELD_REFUSAL },
	{ "reasoning_content", reading_text, FIELD_REASONING },
	{ "reasoning", reading_text, FIELD_REASONING },
	{ "audio.data", reading_media, SKIP_AUDIO },
	{ "audio.transcript", reading_text, FIELD_TRANSCRIPT },
	{ "tool_calls[]", on_call },
	{ "tool_calls[].index", reading_number, offsetof(struct port, part) },
	{ "tool_calls[].id", on_call_id },
	{ "tool_calls[].function.name", on_call_name },
	{ "tool_calls[].function.arguments", on_call_text, FIELD_CALL },
	{ "tool_calls[].custom.name", on_call_name },
	{ "tool_calls[].custom.input", on_call_text, FIELD_CALL },
	{ "function_call.name", reading_text_name, FIELD_CALL },
	{ "function_call.arguments", reading_text, FIELD_CALL },
};

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	CALLER_ROWS,
	{ "messages[]", reading_item },
	{ "tools[]", reading_item },
	{ "functions[]", reading_item },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("tools[].function.", tool_rows),
	SHAPE("tools[].custom.", tool_rows),
	SHAPE("functions[].", tool_rows),
};

static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "choices[]", on_choice },
	{ "choices[].index", on_choice_index },
	{ "choices[].finish_reason", reading_finish },
	OPENAI_USAGE_ROWS("usage"),
	FILTER_ROWS("choices[].content_filter_results"),
	FILTER_ROWS("choices[].content_filter_result"),
	FILTER_ROWS("prompt_filter_results[].content_filter_results"),
	FILTER_ROWS("prompt_annotations[].content_filter_results"),
	BARE_ERROR_ROWS,
	ERROR_ROWS,
};

static const struct shape_row text_rows[] = { { "text", reading_text, FIELD_OUTPUT } };

static const struct shape response_list[] = {
	SHAPE("", response_rows),
	SHAPE("choices[].", text_rows),
	SHAPE("choices[].message.", message_rows),
	SHAPE("choices[].delta.", message_rows),
};

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

static const char *const needs[] = { "messages[].role", NULL };
static const char *const hints[] = {
	"model",
	"temperature",
	"max_tokens",
	"max_completion_tokens",
	"top_p",
	"stream",
	"tools[].function",
	"stream_options.include_usage",
	"response_format.type",
	"messages[].tool_calls[].function.name",
	"messages[].content[].image_url.url",
	NULL,
};

static const struct form chat = {
	.name = "openai-chat",
	.summary = "OpenAI chat completions, and every server with the same API",
	.operation = OP_CHAT,
	.request = &request,
	.response = &response,
	.envelope = &order,
	.ahead = is_out_of_order,
	.needs = needs,
	.hints = hints,
};

/* --- completions */

static const struct shape_row prompt_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "prompt", reading_input },
	{ "prompt[]", reading_input },
	{ "prompt[][]", reading_input },
	{ "suffix", reading_another, FIELD_INPUT },
	CALLER_ROWS,
};
static const struct shape prompt_list[] = { SHAPE("", prompt_rows) };
static struct shapes prompt = SHAPES(prompt_list);

static const char *const prompt_needs[] = { "prompt", "model", NULL };
static const char *const prompt_hints[] = {
	"max_tokens", "temperature", "top_p", "logprobs", "echo", "best_of", "suffix", NULL,
};

static const struct form completion = {
	.name = "openai-completion",
	.summary = "OpenAI completions of a prompt, and every server with the same API",
	.operation = OP_COMPLETION,
	.request = &prompt,
	.response = &response,
	.envelope = &order, /* the number stands behind the text */
	.needs = prompt_needs,
	.hints = prompt_hints,
};

/* --- models */

static const struct form models = {
	.name = "openai-models",
	.summary = "the models that a server has",
	.operation = OP_MODELS,
};

static const struct route routes[] = {
	{ "/v1/models", &models, .method = "GET" },
	{ "/v1/models/{object}", &models, .method = "GET" },
	{ "/v1/models/{object}", &models, OP_MODEL_MANAGEMENT, .method = "DELETE" },
	{ "/openai/models", &models, .method = "GET" },
	{ "/chat/completions", &chat },
	{ "/deployments/{model}/chat/completions", &chat },
	{ "/deployments/{model}/extensions/chat/completions", &chat },
	/* Mistral's agents, and code between two pieces. */
	{ "/agents/completions", &chat },
	{ "/fim/completions", &completion },
	{ "/v1/completions", &completion },
	{ "/openai/completions", &completion },
	{ "/engines/{model}/completions", &completion },
	{ "/deployments/{model}/completions", &completion },
};

const struct dialect dialect_openai_chat = {
	.name = "openai-chat",
	.summary = "chat and text completions of OpenAI, Azure OpenAI and compatible servers",
	ROUTES(routes),
};
