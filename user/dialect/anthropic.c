/* user/dialect/anthropic.c - Anthropic's Messages, whole and as a stream of typed events, their
 * batches and token counts, and the completions before them. Servers and clouds (Bedrock, Vertex)
 * that take the same bodies come here by what the bodies look like.
 */
#include "dialect/reading.h"

/* In a stream the arguments follow in pieces; where they will stand there is an empty object. */
static void on_input(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (r->now->side == SIDE_REQUEST || !r->t.exchange->streamed)
		reading_value(r, e, arg);
}

/* A part of a message. */
static const struct shape_row block_rows[] = {
	{ "type", reading_mark, PORT_STR(block.type) },
	{ "text", reading_text, FIELD_CONTENT },
	{ "id", reading_mark, PORT_STR(block.call_id) },
	{ "tool_use_id", reading_mark, PORT_STR(block.call_id) },
	{ "name", reading_mark, PORT_STR(block.name) },
	{ "title", reading_mark, PORT_STR(block.name) },
	{ "context", reading_text, FIELD_DOCUMENT },
	{ "input", on_input, FIELD_CALL },
	{ "content", reading_another, FIELD_RESULT },
	{ "content[].text", reading_another, FIELD_RESULT },
	{ "content[].title", reading_another, FIELD_RESULT },
	{ "content[].source.media_type", reading_mark, PORT_STR(block.media_type) },
	{ "content[].source.data", reading_media, SKIP_FILE },
	{ "content[].source.url", reading_media_ref, SKIP_IMAGE },
	{ "content[].encrypted_content", reading_skip, SKIP_ENCRYPTED },
	{ "content.stdout", reading_another, FIELD_RESULT },
	{ "content.stderr", reading_another, FIELD_RESULT },
	{ "content.content", reading_another, FIELD_RESULT },
	{ "content.content.source.data", reading_media, SKIP_FILE },
	{ "source.media_type", reading_mark, PORT_STR(block.media_type) },
	{ "source.data", reading_media, SKIP_FILE },
	{ "source.url", reading_media_ref, SKIP_FILE },
	{ "source.file_id", reading_media_ref, SKIP_FILE },
	{ "source.content", reading_text, FIELD_DOCUMENT },
	{ "source.content[].text", reading_text, FIELD_DOCUMENT },
	{ "thinking", reading_text, FIELD_REASONING },
	{ "signature", reading_skip, SKIP_ENCRYPTED },
	{ "data", reading_skip, SKIP_ENCRYPTED },
};

static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "content[]", reading_part_begin, FIELD_CONTENT },
};

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "system", reading_text, FIELD_INSTRUCTIONS },
	{ "system[].text", reading_text, FIELD_INSTRUCTIONS },
	{ "metadata.user_id", reading_turn_id, TURN_STR(end_user) },
	{ "messages[]", reading_item },
	{ "tools[]", reading_item },
	{ "mcp_servers[]", reading_item },
	{ "mcp_servers[].name", reading_text_name, FIELD_REMOTE_TOOL },
	{ "mcp_servers[].url", reading_text, FIELD_REMOTE_TOOL },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("messages[].content[].", block_rows),
	SHAPE("tools[].", tool_rows),
};

/* The message that answers: the body, or what a stream begins with. */
static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "content[]", reading_block },
	{ "stop_reason", reading_finish },
	{ "input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.output_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "usage.cache_read_input_tokens", reading_tokens, offsetof(struct turn, cached_tokens) },
	{ "usage.cache_creation_input_tokens", reading_tokens,
	  offsetof(struct turn, cache_write_tokens) },
	ERROR_ROWS,
};

static const struct shape_row event_rows[] = {
	{ "content_block", reading_block },
	{ "content_block.name", reading_text_name, FIELD_CALL },
	{ "content_block.id", reading_text_id, FIELD_CALL },
	{ "delta.text", reading_text, FIELD_CONTENT },
	{ "delta.partial_json", reading_text, FIELD_CALL },
	{ "delta.thinking", reading_text, FIELD_REASONING },
	{ "delta.signature", reading_skip, SKIP_ENCRYPTED },
	{ "delta.stop_reason", reading_finish },
};

static const struct shape response_list[] = {
	SHAPE("", event_rows),
	SHAPE("", response_rows),
	SHAPE("content[].", block_rows),
	SHAPE("message.", response_rows),
	SHAPE("content_block.", block_rows),
};

static const struct shape_row envelope_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
	{ "index", reading_number, offsetof(struct port, event.part) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     envelope = SHAPES(envelope_list);

/* Reported input is without what came from, or went to, the cache. */
static void end(struct reading *r)
{
	r->t.input_tokens += r->t.cached_tokens + r->t.cache_write_tokens;
}

static const char *const last[] = { "message_stop", "error", NULL };
static const char *const needs[] = { "messages[].role", NULL };
static const char *const hints[] = {
	"anthropic_version",
	"system",
	"system[].text",
	"metadata.user_id",
	"thinking.type",
	"stop_sequences",
	"mcp_servers[].url",
	"tools[].input_schema.type",
	"messages[].content[].source.type",
	"messages[].content[].tool_use_id",
	NULL,
};

static const struct form messages = {
	.name = "anthropic-messages",
	.summary = "Anthropic Messages, and every server with the same API",
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

/* --- batches of messages, and their results line by line */

static const struct shape_row batch_rows[] = { { "id", reading_turn_id, TURN_STR(object) } };
static const struct shape batch_list[] = {
	SHAPE("requests[].params.", request_rows),
	SHAPE("requests[].params.messages[].", message_rows),
	SHAPE("requests[].params.messages[].content[].", block_rows),
	SHAPE("requests[].params.tools[].", tool_rows),
};
static const struct shape result_list[] = {
	SHAPE("", batch_rows),
	SHAPE("result.message.", response_rows),
	SHAPE("result.message.content[].", block_rows),
};
static struct shapes batch_request = SHAPES(batch_list), batch_response = SHAPES(result_list);

static const struct form batch = {
	.name = "anthropic-batch",
	.summary = "Anthropic message batches and their results",
	.operation = OP_BATCH,
	.request = &batch_request,
	.response = &batch_response,
};

/* --- completions */

static const struct shape_row prompt_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "prompt", reading_input },
	{ "metadata.user_id", reading_turn_id, TURN_STR(end_user) },
};
static const struct shape_row completion_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "completion", reading_text, FIELD_OUTPUT },
	{ "stop_reason", reading_finish },
	ERROR_ROWS,
};
static const struct shape prompt_list[] = { SHAPE("", prompt_rows) },
			  completion_list[] = { SHAPE("", completion_rows) };
static struct shapes prompt = SHAPES(prompt_list), completion = SHAPES(completion_list);

static const char *const prompt_needs[] = { "prompt", "max_tokens_to_sample", NULL };

static const struct form complete = {
	.name = "anthropic-completion",
	.summary = "Anthropic's text completions",
	.operation = OP_COMPLETION,
	.request = &prompt,
	.response = &completion,
	.needs = prompt_needs,
};

static const struct route routes[] = {
	{ "/v1/messages", &messages },
	{ "/v1/messages/count_tokens", &messages, OP_TOKEN_COUNT },
	{ "/v1/messages/batches", &batch },
	{ "/v1/messages/batches", &batch, .method = "GET" },
	{ "/v1/messages/batches/{object}", &batch, .method = "*" },
	{ "/v1/messages/batches/{object}/cancel", &batch },
	{ "/v1/messages/batches/{object}/results", &batch, .method = "GET" },
	{ "/v1/complete", &complete },
};

const struct dialect dialect_anthropic = {
	.name = "anthropic",
	.summary = "Anthropic's Messages, batches, token counts and completions",
	ROUTES(routes),
};
