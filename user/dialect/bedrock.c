/* user/dialect/bedrock.c - Amazon Bedrock: Converse, models called in their makers' own forms,
 * guardrails by themselves, agents and knowledge bases. Streams are AWS event streams; those of
 * InvokeModel have a maker's event in base64 inside.
 */
#include "dialect/reading.h"

/* --- what guardrails found */

/* One entry of a policy: type, name and role of the block hold category, "absent" and action while
 * it comes. Entries stand in lists, whose lists are more entries without an action. */
static void on_finding(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *type;
		enum filter filter;
	} rows[] = {
		{ "PROMPT_ATTACK", FILTER_JAILBREAK },
		{ "HATE", FILTER_HATE },
		{ "INSULTS", FILTER_HATE },
		{ "SEXUAL", FILTER_SEXUAL },
		{ "VIOLENCE", FILTER_VIOLENCE },
		{ "PROFANITY", FILTER_PROFANITY },
	};
	const struct item *block = &r->now->block;
	bool words = strstr(e->path, ".customWords[]") || strstr(e->path, ".topics[]");
	enum filter filter = words ? FILTER_BLOCKLIST : FILTER_OTHER;

	if (e->kind == JSON_OBJECT_END && block->open && block->role[0] && !block->name[0]) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (!strcmp(block->type, rows[i].type))
				filter = rows[i].filter;
		reading_filtered(r, filter, !strcmp(block->role, "BLOCKED"));
	}
	reading_block(r, e, arg);
}

static void on_finding_detected(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_FALSE)
		strcpy(r->now->block.name, "absent");
}

static void on_action(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (reading_word(r, e))
		r->blocked |= !strcmp(r->now->word, "INTERVENED") ||
			      !strcmp(r->now->word, "GUARDRAIL_INTERVENED");
}

/* clang-format off */
#define FINDING_ROWS(at)                                          \
	{ at ".**[]", on_finding },                                \
	{ at ".**[].type", reading_mark, PORT_STR(block.type) },   \
	{ at ".**[].action", reading_mark, PORT_STR(block.role) }, \
	{ at ".**[].detected", on_finding_detected }
/* clang-format on */

/* --- Converse, and Nova's own form, which wraps each event in its name */

/* Text that a guardrail shall look at, or shall hold an answer against. */
static void on_block(struct reading *r, const struct json_event *e, unsigned arg)
{
	bool source = !strcmp(r->now->block.type, "grounding_source");
	size_t i = r->now->block.first;

	reading_block(r, e, arg);
	if (e->kind != JSON_OBJECT_END || !source)
		return;
	for (; i < r->t.n_segments; i++)
		reading_settle(r, i, FIELD_CONTENT, FIELD_DOCUMENT);
}

static void on_qualifier(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (strcmp(r->now->block.type, "grounding_source"))
		reading_mark(r, e, arg);
}

/* clang-format off */
#define MEDIA_ROWS(at, what)                                                    \
	{ at ".format", reading_mark, PORT_STR(block.media_type) },             \
	{ at ".source.bytes", reading_media, (what) },                          \
	{ at ".source.s3Location.uri", reading_media_ref, (what) }
#define DOCUMENT_ROWS(at)                                                       \
	MEDIA_ROWS(at "document", SKIP_FILE),                                   \
	{ at "document.context", reading_another, FIELD_DOCUMENT },             \
	{ at "document.source.text", reading_another, FIELD_DOCUMENT },         \
	{ at "document.source.content[].text", reading_another, FIELD_DOCUMENT }, \
	{ at "searchResult.content[].text", reading_another, FIELD_DOCUMENT }
/* clang-format on */
static const struct shape_row block_rows[] = {
	{ "", on_block },
	{ ".text", reading_text, FIELD_CONTENT },
	{ ".guardContent.text.text", reading_text, FIELD_CONTENT },
	{ ".guardContent.text.qualifiers[]", on_qualifier, PORT_STR(block.type) },
	MEDIA_ROWS(".guardContent.image", SKIP_IMAGE),
	MEDIA_ROWS(".image", SKIP_IMAGE),
	MEDIA_ROWS(".video", SKIP_VIDEO),
	MEDIA_ROWS(".audio", SKIP_AUDIO),
	DOCUMENT_ROWS("."),
	{ ".document.name", reading_mark, PORT_STR(block.name) },
	{ ".searchResult.title", reading_mark, PORT_STR(block.name) },
	{ ".citationsContent.content[].text", reading_text, FIELD_CONTENT },
	{ ".reasoningContent.reasoningText.text", reading_text, FIELD_REASONING },
	{ ".reasoningContent.reasoningText.signature", reading_skip, SKIP_ENCRYPTED },
	{ ".reasoningContent.redactedContent", reading_skip, SKIP_ENCRYPTED },
	{ ".toolUse.toolUseId", reading_mark, PORT_STR(block.call_id) },
	{ ".toolUse.name", reading_mark, PORT_STR(block.name) },
	{ ".toolUse.input", reading_value, FIELD_CALL },
	{ ".toolResult.toolUseId", reading_mark, PORT_STR(block.call_id) },
	{ ".toolResult.content[].text", reading_another, FIELD_RESULT },
	{ ".toolResult.content[].json", reading_value, FIELD_RESULT },
	MEDIA_ROWS(".toolResult.content[].image", SKIP_IMAGE),
	MEDIA_ROWS(".toolResult.content[].video", SKIP_VIDEO),
	DOCUMENT_ROWS(".toolResult.content[]."),
};

static const struct shape_row request_rows[] = {
	{ "system[].text", reading_text, FIELD_INSTRUCTIONS },
	{ "system[].guardContent.text.text", reading_text, FIELD_INSTRUCTIONS },
	{ "promptVariables.*.text", reading_another, FIELD_INPUT },
	{ "requestMetadata.user", reading_turn_id, TURN_STR(end_user) },
	{ "requestMetadata.userId", reading_turn_id, TURN_STR(end_user) },
	{ "requestMetadata.user_id", reading_turn_id, TURN_STR(end_user) },
	{ "messages[]", reading_item },
	{ "messages[].role", reading_mark, PORT_STR(item.role) },
	{ "toolConfig.tools[]", reading_item },
};
static const struct shape_row schema_rows[] = {
	{ "inputSchema.json.**.description", reading_text, FIELD_TOOL },
};

/* clang-format off */
#define REQUEST_SHAPES(at)                                      \
	SHAPE(at, request_rows),                                 \
	SHAPE(at "messages[].content[]", block_rows),            \
	SHAPE(at "toolConfig.tools[].toolSpec.", tool_rows),     \
	SHAPE(at "toolConfig.tools[].toolSpec.", schema_rows)
/* clang-format on */
static const struct shape request_list[] = { REQUEST_SHAPES("") },
			  count_list[] = { REQUEST_SHAPES("input.converse.") };

static const struct shape_row event_rows[] = {
	{ "start.toolUse.toolUseId", reading_text_id, FIELD_CALL },
	{ "start.toolUse.name", reading_text_name, FIELD_CALL },
	{ "delta.text", reading_text, FIELD_CONTENT },
	{ "delta.toolUse.input", reading_text, FIELD_CALL },
	{ "delta.toolResult[].text", reading_text, FIELD_RESULT },
	{ "delta.reasoningContent.text", reading_text, FIELD_REASONING },
	{ "delta.reasoningContent.signature", reading_skip, SKIP_ENCRYPTED },
	{ "delta.reasoningContent.redactedContent", reading_skip, SKIP_ENCRYPTED },
	{ "stopReason", reading_finish },
	{ "usage.inputTokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.outputTokens", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "usage.cacheReadInputTokens", reading_tokens, offsetof(struct turn, cached_tokens) },
	{ "usage.cacheWriteInputTokens", reading_tokens,
	  offsetof(struct turn, cache_write_tokens) },
	/* Nova's names of these, by itself. */
	{ "usage.cacheReadInputTokenCount", reading_tokens, offsetof(struct turn, cached_tokens) },
	{ "usage.cacheWriteInputTokenCount", reading_tokens,
	  offsetof(struct turn, cache_write_tokens) },
	{ "inputTokens", reading_tokens, offsetof(struct turn, input_tokens) },
};
static const struct shape_row trace_rows[] = {
	{ "guardrail.modelOutput[]", reading_another, FIELD_OUTPUT },
	FINDING_ROWS("guardrail"),
};

static const struct shape response_list[] = {
	SHAPE("", event_rows),
	SHAPE("output.message.content[]", block_rows),
	SHAPE("trace.", trace_rows),
	SHAPE("contentBlockStart.", event_rows),
	SHAPE("contentBlockDelta.", event_rows),
	SHAPE("messageStop.", event_rows),
	SHAPE("metadata.", event_rows),
};

static const struct shape_row envelope_rows[] = {
	{ "contentBlockIndex", reading_number, offsetof(struct port, event.part) },
	{ "contentBlockStart.contentBlockIndex", reading_number,
	  offsetof(struct port, event.part) },
	{ "contentBlockDelta.contentBlockIndex", reading_number,
	  offsetof(struct port, event.part) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static struct shapes request = SHAPES(request_list), count = SHAPES(count_list),
		     response = SHAPES(response_list), envelope = SHAPES(envelope_list);

/* Reported input is without what came from, or went to, the cache. */
static void end(struct reading *r)
{
	r->t.input_tokens += r->t.cached_tokens + r->t.cache_write_tokens;
}

static const char *const needs[] = { "messages[].role", "messages[].content[]", NULL };
static const char *const hints[] = {
	"schemaVersion",
	"inferenceConfig",
	"inferenceConfig.topP",
	"inferenceConfig.maxTokens",
	"toolConfig.toolChoice",
	"toolConfig.tools[].toolSpec.name",
	NULL,
};

/* Its metadata is the last event. */
static const char *const last[] = { "metadata", NULL };

static const struct form converse = {
	.name = "bedrock-converse",
	.summary = "Amazon Bedrock Converse, and Amazon Nova",
	.operation = OP_CHAT,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.last = last,
	.end = end,
	.needs = needs,
	.hints = hints,
	.sure = true,
};

static const struct form count_tokens = {
	.name = "bedrock-converse",
	.summary = "Amazon Bedrock CountTokens",
	.operation = OP_TOKEN_COUNT,
	.request = &count,
	.response = &response,
};

/* --- models that take a prompt: Llama, Titan, Mistral, Command, pictures, embeddings */

static const struct shape_row native_rows[] = {
	{ "prompt", reading_another, FIELD_INPUT },
	{ "inputText", reading_another, FIELD_INPUT },
	{ "message", reading_another, FIELD_INPUT },
	{ "query", reading_another, FIELD_INPUT },
	{ "texts[]", reading_another, FIELD_INPUT },
	{ "documents[]", reading_another, FIELD_DOCUMENT },
	{ "text_prompts[].text", reading_another, FIELD_INPUT },
	{ "negative_prompt", reading_another, FIELD_INPUT },
	{ "textToImageParams.text", reading_another, FIELD_INPUT },
	{ "textToImageParams.negativeText", reading_another, FIELD_INPUT },
	{ "inPaintingParams.text", reading_another, FIELD_INPUT },
	{ "outPaintingParams.text", reading_another, FIELD_INPUT },
	{ "imageVariationParams.text", reading_another, FIELD_INPUT },
	{ "imageVariationParams.images[]", reading_media, SKIP_IMAGE },
	{ "image", reading_media, SKIP_IMAGE },
	{ "images[]", reading_media, SKIP_IMAGE },
	{ "inputImage", reading_media, SKIP_IMAGE },
};

/* What the answer holds tells what the model does. */
static void on_vector(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_NUMBER)
		r->t.operation = OP_EMBEDDING;
	reading_skip(r, e, arg);
}

static void on_picture(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_STRING)
		r->t.operation = OP_IMAGE;
	reading_media(r, e, arg);
}

static const struct shape_row generation_rows[] = {
	{ "generation", reading_text, FIELD_OUTPUT },
	{ "completion", reading_text, FIELD_OUTPUT },
	{ "outputText", reading_text, FIELD_OUTPUT },
	{ "text", reading_text, FIELD_OUTPUT },
	{ "outputs[].text", reading_text, FIELD_OUTPUT },
	{ "results[].outputText", reading_text, FIELD_OUTPUT },
	{ "generations[].text", reading_text, FIELD_OUTPUT },
	{ "completions[].data.text", reading_text, FIELD_OUTPUT },
	{ "choices[].text", reading_text, FIELD_OUTPUT },
	{ "choices[].message.content", reading_text, FIELD_OUTPUT },
	{ "stop_reason", reading_finish },
	{ "finish_reason", reading_finish },
	{ "completionReason", reading_finish },
	{ "outputs[].stop_reason", reading_finish },
	{ "results[].completionReason", reading_finish },
	{ "generations[].finish_reason", reading_finish },
	{ "choices[].stop_reason", reading_finish },
	{ "choices[].finish_reason", reading_finish },
	{ "images[]", on_picture, SKIP_IMAGE },
	{ "artifacts[].base64", on_picture, SKIP_IMAGE },
	{ "embedding[]", on_vector, SKIP_VECTOR },
	{ "embeddings[][]", on_vector, SKIP_VECTOR },
	{ "embeddings.float[][]", on_vector, SKIP_VECTOR },
	{ "embeddingsByType.float[]", on_vector, SKIP_VECTOR },
	{ "prompt_token_count", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "generation_token_count", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "inputTextTokenCount", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "totalOutputTextTokenCount", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "results[].tokenCount", reading_tokens, offsetof(struct turn, output_tokens) },
};
static const struct shape native_list[] = { SHAPE("", native_rows) },
			  generation_list[] = { SHAPE("", generation_rows) };
static struct shapes native_request = SHAPES(native_list),
		     native_response = SHAPES(generation_list);

static const struct form native = {
	.name = "bedrock-native",
	.summary = "prompts in the own forms of models that Amazon Bedrock hosts, and what they "
		   "make of them",
	.operation = OP_COMPLETION,
	.request = &native_request,
	.response = &native_response,
};

/* --- what Bedrock adds to their answers */

static const struct shape_row added_rows[] = {
	{ "amazon-bedrock-invocationMetrics.inputTokenCount", reading_tokens,
	  offsetof(struct turn, input_tokens) },
	{ "amazon-bedrock-invocationMetrics.outputTokenCount", reading_tokens,
	  offsetof(struct turn, output_tokens) },
	{ "amazon-bedrock-guardrailAction", on_action },
	FINDING_ROWS("amazon-bedrock-trace.guardrail"),
};
static const struct shape added_list[] = { SHAPE("", added_rows) };
static struct shapes added = SHAPES(added_list);

static const struct shape_row chunk_rows[] = { { "bytes", reading_packed } };
static const struct shape chunk_list[] = { SHAPE("", chunk_rows) };
static struct shapes chunk = SHAPES(chunk_list);

static bool on_chunk(struct reading *r, const struct flow_event *ev)
{
	if (!span_eq(ev->type, SPAN_LIT("chunk")))
		return false;
	reading_event(r, ev->side, SPAN_LIT(""), reading_inside(r, &chunk, ev), ev->damaged);
	return true;
}

static void head_tokens(const struct reading *r, const char *name, uint64_t *to)
{
	if (!*to)
		reading_decimal(exchange_field(r->t.exchange, SIDE_RESPONSE, name), to);
}

/* Heads say what many a maker's body does not: numbers of tokens, and of an error only a sentence
 * is in the body. */
static void head(struct reading *r)
{
	struct span type = exchange_field(r->t.exchange, SIDE_RESPONSE, "x-amzn-errortype");

	head_tokens(r, "x-amzn-bedrock-input-token-count", &r->t.input_tokens);
	head_tokens(r, "x-amzn-bedrock-output-token-count", &r->t.output_tokens);
	head_tokens(r, "x-amzn-bedrock-cache-read-input-token-count", &r->t.cached_tokens);
	head_tokens(r, "x-amzn-bedrock-cache-write-input-token-count", &r->t.cache_write_tokens);
	if (type.len && !r->t.error_code[0])
		turn_id(r->t.error_code, sizeof(r->t.error_code), span_token(&type, ':'));
}

/* --- guardrails asked by themselves */

static const struct shape_row check_rows[] = {
	{ "content[].text.text", reading_another, FIELD_INPUT },
	MEDIA_ROWS("content[].image", SKIP_IMAGE),
};
static const struct shape_row verdict_rows[] = {
	{ "action", on_action },
	FINDING_ROWS("assessments[]"),
};
static const struct shape check_list[] = { SHAPE("", check_rows) },
			  verdict_list[] = { SHAPE("", verdict_rows) };
static struct shapes check = SHAPES(check_list), verdict = SHAPES(verdict_list);

static const struct form guardrail = {
	.name = "bedrock-guardrail",
	.summary = "Amazon Bedrock guardrails, asked by themselves",
	.operation = OP_MODERATION,
	.request = &check,
	.response = &verdict,
};

/* --- agents and knowledge bases */

static const struct shape_row ask_rows[] = {
	{ "foundationModel", reading_model },
	{ "instruction", reading_text, FIELD_INSTRUCTIONS },
	{ "inputText", reading_another, FIELD_INPUT },
	{ "input.text", reading_another, FIELD_INPUT },
	{ "inputs[].content.document", reading_value, FIELD_INPUT },
	{ "retrievalQuery.text", reading_another, FIELD_INPUT },
	{ "sessionId", reading_turn_id, TURN_STR(conversation) },
	{ "queries[].textQuery.text", reading_another, FIELD_INPUT },
	{ "sources[].inlineDocumentSource.textDocument.text", reading_another, FIELD_DOCUMENT },
	{ "sources[].inlineDocumentSource.jsonDocument", reading_value, FIELD_DOCUMENT },
	{ "retrieveAndGenerateConfiguration.knowledgeBaseConfiguration.modelArn", reading_model },
	{ "retrieveAndGenerateConfiguration.knowledgeBaseConfiguration.knowledgeBaseId",
	  reading_turn_id, TURN_STR(object) },
};
static const struct shape_row state_rows[] = {
	{ "conversationHistory.messages[]", reading_item },
	{ "conversationHistory.messages[].role", reading_mark, PORT_STR(item.role) },
	{ "conversationHistory.messages[].content[].text", reading_text, FIELD_CONTENT },
	{ "files[].name", reading_mark, PORT_STR(block.name) },
	{ "files[].source.byteContent.data", reading_media, SKIP_FILE },
	{ "returnControlInvocationResults[].functionResult.responseBody.*.body", reading_another,
	  FIELD_RESULT },
	{ "returnControlInvocationResults[].apiResult.responseBody.*.body", reading_another,
	  FIELD_RESULT },
};
/* clang-format off */
#define OBSERVED "trace.orchestrationTrace.observation."
/* clang-format on */
static const struct shape_row told_rows[] = {
	{ "sessionId", reading_turn_id, TURN_STR(conversation) },
	{ "output.text", reading_another, FIELD_OUTPUT },
	{ "text", reading_text, FIELD_OUTPUT },
	{ "content.document", reading_value, FIELD_OUTPUT },
	{ "guardrailAction", on_action },
	{ "action", on_action },
	{ "retrievalResults[].content.text", reading_another, FIELD_DOCUMENT },
	{ "citations[].retrievedReferences[].content.text", reading_another, FIELD_DOCUMENT },
	{ "retrievedReferences[].content.text", reading_another, FIELD_DOCUMENT },
	{ "attribution.citations[].retrievedReferences[].content.text", reading_another,
	  FIELD_DOCUMENT },
	{ "trace.orchestrationTrace.rationale.text", reading_another, FIELD_REASONING },
	{ OBSERVED "actionGroupInvocationOutput.text", reading_another, FIELD_RESULT },
	{ OBSERVED "codeInterpreterInvocationOutput.executionOutput", reading_another,
	  FIELD_RESULT },
	{ OBSERVED "knowledgeBaseLookupOutput.retrievedReferences[].content.text", reading_another,
	  FIELD_DOCUMENT },
	{ "trace.guardrailTrace.action", on_action },
	FINDING_ROWS("trace.guardrailTrace"),
	/* The application is to make these calls. */
	{ "invocationInputs[].functionInvocationInput", reading_value, FIELD_CALL },
	{ "invocationInputs[].apiInvocationInput", reading_value, FIELD_CALL },
};
static const struct shape ask_list[] = {
	SHAPE("", ask_rows),
	SHAPE("sessionState.", state_rows),
	SHAPE("inlineSessionState.", state_rows),
};
static const struct shape told_list[] = { SHAPE("", told_rows) };
static struct shapes ask = SHAPES(ask_list), told = SHAPES(told_list);

static const struct form agent = {
	.name = "bedrock-agent",
	.summary = "agents and knowledge bases of Amazon Bedrock",
	.operation = OP_ASSISTANT,
	.request = &ask,
	.response = &told,
};

/* An agent's words come in base64. */
static bool on_agent_chunk(struct reading *r, const struct flow_event *ev)
{
	struct segment *seg;
	struct span words;

	if (!span_eq(ev->type, SPAN_LIT("chunk")) || ev->side != SIDE_RESPONSE)
		return false;
	words = reading_inside(r, &chunk, ev);
	seg = words.len ? reading_segment(r, FIELD_OUTPUT, 0) : NULL;
	reading_bytes(r, seg, words);
	if (seg)
		seg->damaged |= ev->damaged;
	return false; /* and whom they cite */
}

/* clang-format off */
#define RUNTIME .end = head
#define INVOKE .native = true, .added = &added, .event = on_chunk, RUNTIME
#define AGENT .event = on_agent_chunk, RUNTIME
/* clang-format on */
static const struct route routes[] = {
	{ "/model/{model}/converse", &converse, RUNTIME },
	{ "/model/{model}/converse-stream", &converse, .stream = true, RUNTIME },
	{ "/model/{model}/count-tokens", &count_tokens, RUNTIME },
	{ "/model/{model}/invoke", &native, INVOKE },
	{ "/model/{model}/invoke-with-response-stream", &native, .stream = true, INVOKE },
	{ "/guardrail/{object}/version/{}/apply", &guardrail, RUNTIME },
	{ "/agents/{object}/agentAliases/{}/sessions/{conversation}/text", &agent, .stream = true,
	  AGENT },
	{ "/agents/{conversation}", &agent, .stream = true, .provider = "aws-bedrock", AGENT },
	{ "/flows/{object}/aliases/{}", &agent, .stream = true, .provider = "aws-bedrock", AGENT },
	{ "/knowledgebases/{object}/retrieve", &agent, OP_VECTOR_READ, RUNTIME },
	{ "/retrieveAndGenerate", &agent, RUNTIME },
	{ "/retrieveAndGenerateStream", &agent, .stream = true, RUNTIME },
	{ "/rerank", &agent, OP_RERANK, .provider = "aws-bedrock", RUNTIME },
	/* SageMaker does not look into bodies at all. */
	{ "/endpoints/{model}/invocations", &native, OP_INFERENCE, .native = true },
};

const struct dialect dialect_bedrock = {
	.name = "bedrock",
	.summary = "Amazon Bedrock: models, guardrails, agents, knowledge bases",
	ROUTES(routes),
};
