/* user/dialect/openai_assistants.c - what OpenAI's servers keep of a conversation: assistants,
 * their threads, messages and runs, whole and as streams.
 */
#include "dialect/reading.h"

static const struct shape_row part_rows[] = {
	{ "text.value", reading_text, FIELD_CONTENT },
	{ "text", reading_text, FIELD_CONTENT },
	{ "refusal", reading_text, FIELD_REFUSAL },
	{ "image_url.url", reading_media, SKIP_IMAGE },
	{ "image_file.file_id", reading_media_ref, SKIP_IMAGE },
};

/* A piece of one, in a stream. */
static const struct shape_row piece_rows[] = {
	{ "index", reading_number, offsetof(struct port, part) },
	{ "text.value", reading_delta, FIELD_CONTENT },
	{ "refusal", reading_delta, FIELD_REFUSAL },
};

static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "content[]", reading_block },
	{ "attachments[].file_id", reading_media_ref, SKIP_FILE },
};

static const struct shape_row function_rows[] = {
	{ "function.name", reading_text_name, FIELD_TOOL },
	{ "function.description", reading_text, FIELD_TOOL },
	{ "function.parameters.**.description", reading_text, FIELD_TOOL },
};

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "assistant_id", reading_turn_id, TURN_STR(object) },
	{ "instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "additional_instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "description", reading_text, FIELD_INSTRUCTIONS },
	{ "tools[]", reading_item },
	{ "messages[]", reading_item },
	{ "additional_messages[]", reading_item },
	{ "thread.messages[]", reading_item },
	{ "tool_outputs[]", reading_item },
	{ "tool_outputs[].tool_call_id", reading_mark, PORT_STR(item.call_id) },
	{ "tool_outputs[].output", reading_text, FIELD_RESULT },
	CALLER_ROWS,
};

static const struct shape_row top_rows[] = { { "", reading_item } };

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("tools[].", function_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("messages[].content[].", part_rows),
	SHAPE("additional_messages[].", message_rows),
	SHAPE("additional_messages[].content[].", part_rows),
	SHAPE("thread.messages[].", message_rows),
	SHAPE("thread.messages[].content[].", part_rows),
};

/* A message that is the whole body. */
static const struct shape message_list[] = {
	SHAPE("", top_rows),
	SHAPE("", message_rows),
	SHAPE("content[].", part_rows),
};

/* What a run wants of the application, and what it did. */
static const struct shape_row call_rows[] = {
	{ "id", reading_text_id, FIELD_CALL },
	{ "function.name", reading_text_name, FIELD_CALL },
	{ "function.arguments", reading_text, FIELD_CALL },
	{ "function.output", reading_text, FIELD_RESULT },
	{ "code_interpreter.input", reading_text, FIELD_CALL },
	{ "code_interpreter.outputs[].logs", reading_text, FIELD_RESULT },
	{ "file_search.results[].content[].text", reading_text, FIELD_DOCUMENT },
};

static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "thread_id", reading_turn_id, TURN_STR(conversation) },
	{ "assistant_id", reading_turn_id, TURN_STR(object) },
	{ "status", reading_finish },
	{ "last_error.code", reading_error, 1 },
	OPENAI_USAGE_ROWS("usage"),
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "content[]", reading_block },
	{ "delta.role", reading_mark, PORT_STR(item.role) },
	{ "delta.content[]", reading_block },
	{ "data[]", reading_item },
	{ "required_action.submit_tool_outputs.tool_calls[]", reading_block },
	{ "step_details.tool_calls[]", reading_block },
	{ "delta.step_details.tool_calls[]", reading_block },
	ERROR_ROWS,
};

static const struct shape response_list[] = {
	SHAPE("", top_rows),
	SHAPE("", response_rows),
	SHAPE("content[].", part_rows),
	SHAPE("delta.content[].", piece_rows),
	SHAPE("data[].", message_rows),
	SHAPE("data[].content[].", part_rows),
	SHAPE("required_action.submit_tool_outputs.tool_calls[].", call_rows),
	SHAPE("step_details.tool_calls[].", call_rows),
	SHAPE("delta.step_details.tool_calls[].", call_rows),
};

static struct shapes request = SHAPES(request_list), message = SHAPES(message_list),
		     response = SHAPES(response_list);

/* They tell the application what it sent, or nothing yet. */
static const char *const echoes[] = { "thread.created",
				      "thread.run.created",
				      "thread.run.queued",
				      "thread.run.in_progress",
				      "thread.run.step.created",
				      "thread.message.created",
				      "thread.message.in_progress",
				      NULL };
static const char *const last[] = { "done", NULL };

#define FORM                                                                                       \
	.response = &response, .envelope = &envelope_type, .retold = "thread.message.completed",   \
	.ignored = echoes, .last = last

static const struct form assistant = {
	.name = "openai-assistant",
	.summary = "OpenAI assistants, threads and runs",
	.operation = OP_ASSISTANT,
	.request = &request,
	FORM,
};

static const struct form thread_message = {
	.name = "openai-assistant",
	.summary = "OpenAI assistants: messages of a thread",
	.operation = OP_ASSISTANT,
	.request = &message,
	FORM,
};

static const struct route routes[] = {
	{ "/v1/assistants", &assistant },
	{ "/v1/assistants/{object}", &assistant },
	{ "/v1/threads", &assistant },
	{ "/v1/threads/runs", &assistant },
	{ "/threads/{conversation}/messages", &thread_message },
	{ "/threads/{conversation}/messages", &thread_message, .method = "GET" },
	{ "/threads/{conversation}/messages/{}", &thread_message, .method = "GET" },
	{ "/threads/{conversation}/runs", &assistant },
	{ "/threads/{conversation}/runs/{}", &assistant, .method = "GET" },
	{ "/threads/{conversation}/runs/{}/steps", &assistant, .method = "GET" },
	{ "/threads/{conversation}/runs/{}/submit_tool_outputs", &assistant },
	{ "/openai/assistants", &assistant },
	{ "/openai/threads", &assistant },
	{ "/openai/threads/runs", &assistant },
};

const struct dialect dialect_openai_assistants = {
	.name = "openai-assistants",
	.summary = "assistants, threads and runs of OpenAI and Azure OpenAI",
	ROUTES(routes),
};
