/* user/dialect/gemini.c - Google's Gemini API and Vertex AI: contents of parts, streamed as events
 * or as one array that grows. Names come in camel case and, from some clients, in snake case.
 */
#include "dialect/reading.h"

/* --- parts */

/* Whether a text is a thought is told behind it. In an answer, texts go on where the last one of
 * their kind ended: in the next part, or in the next piece of the stream. */
static void on_part(struct reading *r, const struct json_event *e, unsigned arg)
{
	bool thought = !strcmp(r->now->block.type, "thought");
	size_t i = r->now->block.first;

	reading_block(r, e, arg);
	if (e->kind != JSON_OBJECT_END)
		return;
	for (; i < r->t.n_segments; i++)
		reading_settle(r, i, FIELD_CONTENT, thought ? FIELD_REASONING : FIELD_CONTENT);
}

static void on_thought(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_TRUE)
		strcpy(r->now->block.type, "thought");
}

static const struct shape_row part_rows[] = {
	{ "", on_part },
	{ ".text", reading_another, FIELD_CONTENT },
	{ ".thought", on_thought },
	{ ".inlineData.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ ".inlineData.mime_type", reading_mark, PORT_STR(block.media_type) },
	{ ".inlineData.data", reading_media, SKIP_FILE },
	{ ".fileData.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ ".fileData.mime_type", reading_mark, PORT_STR(block.media_type) },
	{ ".fileData.fileUri", reading_media_ref, SKIP_FILE },
	{ ".fileData.file_uri", reading_media_ref, SKIP_FILE },
	{ ".functionCall.name", reading_mark, PORT_STR(block.name) },
	{ ".functionCall.id", reading_mark, PORT_STR(block.call_id) },
	{ ".functionCall.args", reading_value, FIELD_CALL },
	{ ".functionResponse.name", reading_mark, PORT_STR(block.name) },
	{ ".functionResponse.id", reading_mark, PORT_STR(block.call_id) },
	{ ".functionResponse.response", reading_value, FIELD_RESULT },
	{ ".executableCode.code", reading_another, FIELD_CALL },
	{ ".codeExecutionResult.output", reading_another, FIELD_RESULT },
	{ ".thoughtSignature", reading_skip, SKIP_ENCRYPTED },
	{ ".thought_signature", reading_skip, SKIP_ENCRYPTED },
	{ ".inline_data.mime_type", reading_mark, PORT_STR(block.media_type) },
	{ ".inline_data.data", reading_media, SKIP_FILE },
	{ ".file_data.mime_type", reading_mark, PORT_STR(block.media_type) },
	{ ".file_data.file_uri", reading_media_ref, SKIP_FILE },
	{ ".function_call.name", reading_mark, PORT_STR(block.name) },
	{ ".function_call.args", reading_value, FIELD_CALL },
	{ ".function_response.name", reading_mark, PORT_STR(block.name) },
	{ ".function_response.response", reading_value, FIELD_RESULT },
};

/* --- the request */

static const struct shape_row instruction_rows[] = {
	{ "", reading_text, FIELD_INSTRUCTIONS },
	{ ".parts[].text", reading_text, FIELD_INSTRUCTIONS },
	{ ".parts.text", reading_text, FIELD_INSTRUCTIONS },
};

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "contents", reading_input },
	{ "contents[]", reading_item },
	{ "contents[].role", reading_mark, PORT_STR(item.role) },
	{ "cachedContent", reading_turn_id, TURN_STR(object) },
	{ "tools[].functionDeclarations[]", reading_item },
	{ "tools[].function_declarations[]", reading_item },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("systemInstruction", instruction_rows),
	SHAPE("system_instruction", instruction_rows),
	SHAPE("contents[].parts[]", part_rows),
	SHAPE("contents.parts[]", part_rows),
	SHAPE("tools[].functionDeclarations[].", tool_rows),
	SHAPE("tools[].function_declarations[].", tool_rows),
	/* Counting tokens of a whole request. */
	SHAPE("generateContentRequest.", request_rows),
	SHAPE("generateContentRequest.systemInstruction", instruction_rows),
	SHAPE("generateContentRequest.contents[].parts[]", part_rows),
};

/* --- the response */

static void on_candidate(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	r->now->message = e->index[e->n_index - 1];
	r->t.n_choices = MAX(r->t.n_choices, r->now->message + 1);
}

/* One category's verdict: type, role and name of the block hold it while it comes. */
static void on_rating(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *category;
		enum filter filter;
	} rows[] = {
		{ "HARM_CATEGORY_HATE_SPEECH", FILTER_HATE },
		{ "HARM_CATEGORY_HARASSMENT", FILTER_HATE },
		{ "HARM_CATEGORY_SEXUALLY_EXPLICIT", FILTER_SEXUAL },
		{ "HARM_CATEGORY_DANGEROUS_CONTENT", FILTER_VIOLENCE },
		{ "HARM_CATEGORY_JAILBREAK", FILTER_JAILBREAK },
	};
	const struct item *block = &r->now->block;
	enum filter filter = FILTER_OTHER;
	bool blocked, probable;

	if (e->kind == JSON_OBJECT_END) {
		blocked = block->name[0];
		probable = !strcmp(block->role, "HIGH") || !strcmp(block->role, "MEDIUM");
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (!strcmp(block->type, rows[i].category))
				filter = rows[i].filter;
		if (blocked || probable)
			reading_filtered(r, filter, blocked);
	}
	reading_block(r, e, arg);
}

static void on_rating_blocked(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_TRUE)
		strcpy(r->now->block.name, "blocked");
}

static void on_block_reason(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *word;
		enum filter filter;
	} rows[] = {
		{ "JAILBREAK", FILTER_JAILBREAK },
		{ "BLOCKLIST", FILTER_BLOCKLIST },
	};

	(void)arg;
	if (!reading_word(r, e) || !r->now->word[0])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(r->now->word, rows[i].word))
			reading_filtered(r, rows[i].filter, true);
	r->blocked = true; /* for what else, the ratings tell */
	turn_id(r->t.finish_reason, sizeof(r->t.finish_reason), span_str(r->now->word));
}

/* clang-format off */
#define RATING_ROWS(at)                                          \
	{ at "[]", on_rating },                                   \
	{ at "[].category", reading_mark, PORT_STR(block.type) }, \
	{ at "[].probability", reading_mark, PORT_STR(block.role) }, \
	{ at "[].blocked", on_rating_blocked }
/* clang-format on */
static const struct shape_row response_rows[] = {
	{ "responseId", reading_turn_id, TURN_STR(response_id) },
	{ "modelVersion", reading_turn_id, TURN_STR(response_model) },
	{ "candidates[]", on_candidate },
	{ "candidates[].finishReason", reading_finish },
	RATING_ROWS("candidates[].safetyRatings"),
	{ "promptFeedback.blockReason", on_block_reason },
	RATING_ROWS("promptFeedback.safetyRatings"),
	{ "usageMetadata.promptTokenCount", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usageMetadata.cachedContentTokenCount", reading_tokens,
	  offsetof(struct turn, cached_tokens) },
	{ "usageMetadata.candidatesTokenCount", reading_tokens,
	  offsetof(struct turn, output_tokens) },
	{ "usageMetadata.thoughtsTokenCount", reading_tokens,
	  offsetof(struct turn, reasoning_tokens) },
	{ "totalTokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "error.status", reading_error, 2 },
	ERROR_ROWS,
};

static const struct shape response_list[] = {
	SHAPE("", response_rows),
	SHAPE("candidates[].content.parts[]", part_rows),
	/* A stream that is no stream of events: an array that grows. */
	SHAPE("[].", response_rows),
	SHAPE("[].candidates[].content.parts[]", part_rows),
};

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

/* Thoughts are counted apart. */
static void end(struct reading *r)
{
	r->t.output_tokens += r->t.reasoning_tokens;
}

static const char *const needs[] = { "contents[].parts[]", NULL };

static const struct form generate = {
	.name = "gemini",
	.summary = "Gemini generateContent, by Google or Vertex AI",
	.operation = OP_CHAT,
	.request = &request,
	.response = &response,
	.end = end,
	.needs = needs,
	.sure = true,
};

/* --- embeddings and predictions */

static const struct shape_row embed_rows[] = {
	{ "model", reading_model },
	{ "content.parts[].text", reading_another, FIELD_INPUT },
	{ "requests[].content.parts[].text", reading_another, FIELD_INPUT },
	{ "instances[].content", reading_another, FIELD_INPUT },
	{ "instances[].prompt", reading_another, FIELD_INPUT },
	{ "instances[].image.bytesBase64Encoded", reading_media, SKIP_IMAGE },
};
static const struct shape_row embedding_rows[] = {
	{ "embedding.values[]", reading_skip, SKIP_VECTOR },
	{ "embeddings[].values[]", reading_skip, SKIP_VECTOR },
	{ "predictions[].embeddings.values[]", reading_skip, SKIP_VECTOR },
	{ "predictions[].content", reading_another, FIELD_OUTPUT },
	{ "predictions[].bytesBase64Encoded", reading_media, SKIP_IMAGE },
	ERROR_ROWS,
};
static const struct shape embed_list[] = { SHAPE("", embed_rows) },
			  embedding_list[] = { SHAPE("", embedding_rows) };
static struct shapes embed_request = SHAPES(embed_list), embed_response = SHAPES(embedding_list);

static const struct form embed = {
	.name = "gemini-embedding",
	.summary = "Gemini and Vertex AI embeddings and predictions",
	.operation = OP_EMBEDDING,
	.request = &embed_request,
	.response = &embed_response,
};

/* --- live: turns over a WebSocket, whose messages are JSON in binary frames */

static bool on_socket(struct reading *r, const struct flow_event *ev)
{
	if (ev->framing != FRAMING_WEBSOCKET)
		return false;
	reading_event(r, ev->side, ev->type, ev->data, ev->damaged);
	return true;
}

static void on_turn_over(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_TRUE || e->kind == JSON_OBJECT_END)
		reading_progress(r, e, arg);
}

/* clang-format off */
#define LIVE_ROWS(content, input, chunks)                                \
	{ content ".turns[]", reading_item },                             \
	{ content ".turns[].role", reading_mark, PORT_STR(item.role) },   \
	{ input ".text", reading_another, FIELD_INPUT },                  \
	{ input ".audio.data", reading_skip, SKIP_AUDIO },                \
	{ input ".video.data", reading_skip, SKIP_VIDEO },                \
	{ input chunks "[].data", reading_skip, SKIP_AUDIO }
/* clang-format on */
static const struct shape_row client_rows[] = {
	LIVE_ROWS("clientContent", "realtimeInput", ".mediaChunks"),
	LIVE_ROWS("client_content", "realtime_input", ".media_chunks"),
};
static const struct shape_row answer_rows[] = {
	{ "", reading_item },
	{ ".name", reading_mark, PORT_STR(item.name) },
	{ ".id", reading_mark, PORT_STR(item.call_id) },
	{ ".response", reading_value, FIELD_RESULT },
};
static const struct shape client_list[] = {
	SHAPE("", client_rows),
	SHAPE("setup.", request_rows),
	SHAPE("setup.systemInstruction", instruction_rows),
	SHAPE("setup.system_instruction", instruction_rows),
	SHAPE("setup.tools[].functionDeclarations[].", tool_rows),
	SHAPE("setup.tools[].function_declarations[].", tool_rows),
	SHAPE("toolResponse.functionResponses[]", answer_rows),
	SHAPE("tool_response.functionResponses[]", answer_rows),
	SHAPE("tool_response.function_responses[]", answer_rows),
	SHAPE("clientContent.turns[].parts[]", part_rows),
	SHAPE("client_content.turns[].parts[]", part_rows),
};

static const struct shape_row server_rows[] = {
	{ "setupComplete.sessionId", reading_turn_id, TURN_STR(conversation) },
	{ "serverContent.inputTranscription.text", reading_delta, FIELD_INPUT },
	{ "serverContent.outputTranscription.text", reading_delta, FIELD_TRANSCRIPT },
	{ "serverContent.turnComplete", on_turn_over },
	{ "toolCall", on_turn_over },
	{ "toolCall.functionCalls[]", reading_item },
	{ "toolCall.functionCalls[].name", reading_mark, PORT_STR(item.name) },
	{ "toolCall.functionCalls[].id", reading_mark, PORT_STR(item.call_id) },
	{ "toolCall.functionCalls[].args", reading_value, FIELD_CALL },
	{ "usageMetadata.promptTokenCount", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usageMetadata.responseTokenCount", reading_tokens,
	  offsetof(struct turn, output_tokens) },
};
static const struct shape server_list[] = {
	SHAPE("", server_rows),
	SHAPE("serverContent.modelTurn.parts[]", part_rows),
};
static struct shapes client = SHAPES(client_list), server = SHAPES(server_list);

static const char *const socket_keys[] = {
	"setup",
	"setup.model",
	"clientContent",
	"clientContent.turns[].parts[].text",
	"client_content",
	"client_content.turns[].parts[].text",
	"realtimeInput",
	"realtimeInput.text",
	"realtime_input",
	"realtime_input.text",
	"serverContent",
	"serverContent.modelTurn.parts[].text",
	"serverContent.outputTranscription.text",
	"serverContent.turnComplete",
	"toolCall",
	"toolCall.functionCalls[].name",
	NULL,
};

static const struct form live = {
	.name = "gemini-live",
	.summary = "Gemini Live: turns over a WebSocket, by Google or Vertex AI",
	.operation = OP_REALTIME,
	.request = &client,
	.response = &server,
	.socket = socket_keys,
};

#define LIVE &live, .method = "GET", .stream = true, .event = on_socket

static const struct route routes[] = {
	{ "/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent", LIVE },
	{ "/google.cloud.aiplatform.{}.LlmBidiService/BidiGenerateContent", LIVE },
	{ "/models/{model}:generateContent", &generate },
	{ "/models/{model}:streamGenerateContent", &generate, .stream = true },
	{ "/tunedModels/{model}:generateContent", &generate },
	{ "/tunedModels/{model}:streamGenerateContent", &generate, .stream = true },
	{ "/endpoints/{model}:generateContent", &generate },
	{ "/endpoints/{model}:streamGenerateContent", &generate, .stream = true },
	{ "/models/{model}:countTokens", &generate, OP_TOKEN_COUNT },
	{ "/cachedContents", &generate, OP_CONVERSATION },
	{ "/models/{model}:embedContent", &embed },
	{ "/models/{model}:batchEmbedContents", &embed },
	{ "/models/{model}:predict", &embed, OP_INFERENCE },
	/* Bodies of whoever made the model. */
	{ "/models/{model}:rawPredict", NULL, OP_CHAT },
	{ "/models/{model}:streamRawPredict", NULL, OP_CHAT, .stream = true },
};

const struct dialect dialect_gemini = {
	.name = "gemini",
	.summary = "Google's Gemini API and Vertex AI",
	ROUTES(routes),
};
