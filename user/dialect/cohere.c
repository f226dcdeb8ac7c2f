/* user/dialect/cohere.c - Cohere's chat in both versions, and its calls of one answer: generate,
 * embed, summarise. The first version streams lines of JSON, the second typed events.
 */
#include "dialect/reading.h"

/* --- version 2 */

/* A message, in the history or the answer. */
static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "tool_call_id", reading_mark, PORT_STR(item.call_id) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "content[]", reading_part_begin, FIELD_CONTENT },
	{ "content[].type", reading_mark, PORT_STR(block.type) },
	{ "content[].text", reading_text, FIELD_CONTENT },
	{ "content[].thinking", reading_text, FIELD_REASONING },
	{ "content[].image_url.url", reading_media, SKIP_IMAGE },
	{ "content[].document.id", reading_mark, PORT_STR(block.name) },
	{ "content[].document.data", reading_value, FIELD_DOCUMENT },
	{ "tool_plan", reading_another, FIELD_REASONING },
	{ "tool_calls[]", reading_block },
	{ "tool_calls[].id", reading_mark, PORT_STR(block.call_id) },
	{ "tool_calls[].function.name", reading_mark, PORT_STR(block.name) },
	{ "tool_calls[].function.arguments", reading_text, FIELD_CALL },
};

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "messages[]", reading_item },
	{ "tools[]", reading_item },
	{ "documents[]", reading_value, FIELD_DOCUMENT },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("tools[].function.", tool_rows),
};

static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "finish_reason", reading_finish },
	{ "usage.tokens.input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.tokens.output_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "usage.cached_tokens", reading_tokens, offsetof(struct turn, cached_tokens) },
	{ "error", reading_error },
};

static const struct shape_row delta_rows[] = {
	{ "content.text", reading_text, FIELD_CONTENT },
	{ "content.thinking", reading_text, FIELD_REASONING },
	{ "tool_plan", reading_text, FIELD_REASONING },
	{ "tool_calls.id", reading_text_id, FIELD_CALL },
	{ "tool_calls.function.name", reading_text_name, FIELD_CALL },
	{ "tool_calls.function.arguments", reading_text, FIELD_CALL },
};

static const struct shape response_list[] = {
	SHAPE("", response_rows),
	SHAPE("message.", message_rows),
	SHAPE("delta.", response_rows),
	SHAPE("delta.message.", delta_rows),
};

static const struct shape_row envelope_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
	{ "index", reading_number, offsetof(struct port, event.part) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     envelope = SHAPES(envelope_list);

static const char *const last[] = { "message-end", NULL };
static const char *const needs[] = { "messages[].role", NULL };

static const struct form chat = {
	.name = "cohere-chat",
	.summary = "Cohere chat",
	.operation = OP_CHAT,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.last = last,
	.needs = needs,
};

/* --- version 1 */

static const struct shape_row result_rows[] = {
	{ "", reading_block },
	{ ".call.name", reading_mark, PORT_STR(block.name) },
	{ ".outputs[]", reading_value, FIELD_RESULT },
};

static const struct shape_row call_rows[] = {
	{ "", reading_block },
	{ ".name", reading_mark, PORT_STR(block.name) },
	{ ".parameters", reading_value, FIELD_CALL },
};

static const struct shape_row ask_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "preamble", reading_text, FIELD_INSTRUCTIONS },
	{ "message", reading_another, FIELD_INPUT },
	{ "conversation_id", reading_turn_id, TURN_STR(conversation) },
	{ "chat_history[]", reading_item },
	{ "chat_history[].role", reading_mark, PORT_STR(item.role) },
	{ "chat_history[].message", reading_text, FIELD_CONTENT },
	{ "documents[]", reading_value, FIELD_DOCUMENT },
	{ "tools[]", reading_item },
};
static const struct shape_row definition_rows[] = {
	{ "parameter_definitions.*.description", reading_text, FIELD_TOOL },
};

static const struct shape ask_list[] = {
	SHAPE("", ask_rows),
	SHAPE("tools[].", tool_rows),
	SHAPE("tools[].", definition_rows),
	SHAPE("tool_results[]", result_rows),
	SHAPE("chat_history[].tool_calls[]", call_rows),
	SHAPE("chat_history[].tool_results[]", result_rows),
};

/* Of a stream: the calls come with the words that came before them. */
static void on_words(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (strcmp(r->now->item.type, "tool-calls-generation"))
		reading_text(r, e, arg);
}

static const struct shape_row meta_rows[] = {
	{ "response_id", reading_turn_id, TURN_STR(response_id) },
	{ "meta.tokens.input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "meta.tokens.output_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
};
static const struct shape_row answer_rows[] = {
	{ "event_type", reading_mark, PORT_STR(item.type) },
	{ "text", on_words, FIELD_OUTPUT },
	{ "generation_id", reading_turn_id, TURN_STR(response_id) },
	{ "documents[]", reading_value, FIELD_DOCUMENT },
	{ "finish_reason", reading_finish },
	{ "is_finished", reading_done },
};
static const struct shape answer_list[] = {
	SHAPE("", answer_rows),
	SHAPE("", meta_rows),
	SHAPE("tool_calls[]", call_rows),
	/* A stream tells the whole answer again in its end. */
	SHAPE("response.", meta_rows),
};
static struct shapes ask = SHAPES(ask_list), answer = SHAPES(answer_list);

static const char *const ask_needs[] = { "message", NULL };
static const char *const ask_hints[] = {
	"model",      "preamble",	 "chat_history", "documents",
	"connectors", "conversation_id", "max_tokens",	 "temperature",
	"tools",      "tool_results",	 "stream",	 NULL,
};

static const struct form chat_v1 = {
	.name = "cohere-chat-v1",
	.summary = "Cohere chat of the first version",
	.operation = OP_CHAT,
	.request = &ask,
	.response = &answer,
	.needs = ask_needs,
	.hints = ask_hints,
};

static const char *const body_needs[] = { "message", "chat_history[].message", NULL };

/* At home, and where no path tells: at other clouds. */
static const struct form chat_hosted = {
	.name = "cohere-chat-v1",
	.summary = "Cohere chat of the first version",
	.operation = OP_CHAT,
	.request = &ask,
	.response = &answer,
	.needs = body_needs,
};

/* --- one answer */

static const struct shape_row input_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "prompt", reading_another, FIELD_INPUT },
	{ "text", reading_another, FIELD_INPUT },
	{ "texts[]", reading_another, FIELD_INPUT },
	{ "images[]", reading_media, SKIP_IMAGE },
	{ "inputs[].content[].text", reading_another, FIELD_INPUT },
	{ "inputs[].content[].image_url.url", reading_media, SKIP_IMAGE },
};
static const struct shape_row output_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "text", reading_text, FIELD_OUTPUT },
	{ "generations[].text", reading_text, FIELD_OUTPUT },
	{ "generations[].finish_reason", reading_finish },
	{ "summary", reading_text, FIELD_OUTPUT },
	{ "finish_reason", reading_finish },
	{ "is_finished", reading_done },
	{ "embeddings[][]", reading_skip, SKIP_VECTOR },
	{ "embeddings.*[][]", reading_skip, SKIP_VECTOR },
	{ "meta.billed_units.input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "meta.billed_units.output_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
};
static const struct shape input_list[] = { SHAPE("", input_rows) },
			  output_list[] = { SHAPE("", output_rows) };
static struct shapes input = SHAPES(input_list), output = SHAPES(output_list);

static const char *const prompt_needs[] = { "prompt", NULL };
static const char *const text_needs[] = { "text", NULL };
static const char *const embed_hints[] = { "texts[]", "images[]", "inputs[].content[]", NULL };

static const struct form generate = {
	.name = "cohere-generate",
	.summary = "Cohere's text completions",
	.operation = OP_COMPLETION,
	.request = &input,
	.response = &output,
	.needs = prompt_needs,
};

static const struct form summarise = {
	.name = "cohere-generate",
	.summary = "Cohere's summaries",
	.operation = OP_COMPLETION,
	.request = &input,
	.response = &output,
	.needs = text_needs,
};

static const struct form embed = {
	.name = "cohere-embedding",
	.summary = "Cohere embeddings",
	.operation = OP_EMBEDDING,
	.request = &input,
	.response = &output,
	.hints = embed_hints,
};

static const struct route routes[] = {
	{ "/v2/chat", &chat, .common = true },
	{ "/v1/chat", &chat_v1, .common = true },
	{ "/v1/chat", &chat_hosted, .provider = "cohere" },
	{ "/v1/generate", &generate, .common = true, .provider = "cohere" },
	{ "/v1/summarize", &summarise, .common = true, .provider = "cohere" },
	{ "/v1/embed", &embed, .common = true },
	{ "/v2/embed", &embed, .common = true },
};

const struct dialect dialect_cohere = {
	.name = "cohere",
	.summary = "Cohere: chat, completions, embeddings",
	ROUTES(routes),
};
