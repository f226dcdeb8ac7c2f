/* user/dialect/openai_responses.c - the Responses API, whole and as a stream of typed events.
 * A stream tells most texts three times: in deltas, when an item is done, when the response is
 * completed. The first is kept, and of the others what deltas did not give or what a gap took away.
 */
#include "base/own.h"
#include "dialect/openai.h"

static int match(const struct exchange *x)
{
	static const char *const ends[] = { "/v1/responses", "/openai/responses", NULL };

	return openai_match(x, ends);
}

static void on_event_type(void *ctx, const struct shape *at, const struct json_event *e,
			  unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->event.type, sizeof(s->event.type), e);
}

/* arg: offset of the number in struct dialect_state */
static void on_event_number(void *ctx, const struct shape *at, const struct json_event *e,
			    unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	openai_number(e, (uint32_t *)((char *)s + arg));
}

/* What precedes everything else in an event. */
static const struct shape_row envelope_rows[] = {
	{ "type", on_event_type },
	{ "output_index", on_event_number, offsetof(struct dialect_state, event.output) },
	{ "content_index", on_event_number, offsetof(struct dialect_state, event.content) },
	{ "summary_index", on_event_number, offsetof(struct dialect_state, event.summary) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows, 0) };

static void on_delta(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *type;
		enum openai_field field;
		enum segment_role role;
		size_t part; /* offset of the number in struct dialect_state, 0: none */
	} rows[] = {
		{ "response.output_text.delta", FIELD_CONTENT, SEG_ASSISTANT,
		  offsetof(struct dialect_state, event.content) },
		{ "response.refusal.delta", FIELD_REFUSAL, SEG_ASSISTANT,
		  offsetof(struct dialect_state, event.content) },
		{ "response.reasoning_text.delta", FIELD_CONTENT, SEG_REASONING,
		  offsetof(struct dialect_state, event.content) },
		{ "response.reasoning_summary_text.delta", FIELD_REASONING, SEG_REASONING,
		  offsetof(struct dialect_state, event.summary) },
		{ "response.function_call_arguments.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.mcp_call_arguments.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.custom_tool_call_input.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.code_interpreter_call_code.delta", FIELD_CALL, SEG_TOOL_CALL },
	};
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct segment *seg;
		uint32_t part = 0;

		if (e->kind != JSON_STRING || strcmp(s->event.type, rows[i].type))
			continue;
		if (rows[i].part)
			memcpy(&part, (char *)s + rows[i].part, sizeof(part));
		seg = openai_segment(s, rows[i].field, part);
		if (seg)
			seg->role = rows[i].role;
		openai_add(s, seg, e);
	}
}

static void on_status(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->status, sizeof(s->status), e);
	if (e->last && !strcmp(s->status, "failed"))
		s->failed = true;
}

static void on_reason(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	turn_id_piece(s->reason, sizeof(s->reason), e);
}

/* The stream's own error event: {"type":"error","code":...}. */
static void on_event_code(void *ctx, const struct shape *at, const struct json_event *e,
			  unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (strcmp(s->event.type, "error"))
		return;
	s->failed = true;
	turn_id_piece(s->t->error_code, sizeof(s->t->error_code), e);
}

/* A message, call, result or thought: in the input, in the output, and in a stream's events. */
static const struct shape_row item_rows[] = {
	{ "type", openai_type },
	{ "role", openai_role },
	{ "name", openai_name },
	{ "call_id", openai_call_id },
	{ "content", openai_text, FIELD_CONTENT },
	{ "content[].text", openai_text, FIELD_CONTENT },
	{ "content[].refusal", openai_text, FIELD_REFUSAL },
	{ "content[].image_url", openai_skip, SKIP_IMAGE },
	{ "content[].file_data", openai_skip, SKIP_FILE },
	{ "content[].input_audio.data", openai_skip, SKIP_AUDIO },
	{ "arguments", openai_text, FIELD_CALL },
	{ "input", openai_text, FIELD_CALL },
	{ "code", openai_text, FIELD_CALL },
	{ "action.query", openai_text, FIELD_CALL },
	{ "action.command[]", openai_text, FIELD_CALL },
	{ "queries[]", openai_text, FIELD_CALL },
	{ "output", openai_text, FIELD_RESULT },
	{ "output[].text", openai_text, FIELD_RESULT },
	{ "output[].image_url", openai_skip, SKIP_IMAGE },
	{ "output[].file_data", openai_skip, SKIP_FILE },
	{ "output.image_url", openai_skip, SKIP_IMAGE },
	{ "outputs[].logs", openai_text, FIELD_RESULT },
	{ "result", openai_skip, SKIP_IMAGE },
	{ "results[].text", openai_text, FIELD_DOCUMENT },
	{ "results[].filename", openai_text_name, FIELD_DOCUMENT },
	{ "summary[].text", openai_text, FIELD_REASONING },
	{ "encrypted_content", openai_skip, SKIP_ENCRYPTED },
	{ "tools[].name", openai_text_name, FIELD_REMOTE_TOOL },
	{ "tools[].description", openai_text, FIELD_REMOTE_TOOL },
};

static const struct shape_row request_rows[] = {
	{ "model", openai_model },
	{ "stream", openai_stream },
	{ "instructions", openai_text, FIELD_INSTRUCTIONS },
	{ "input", openai_text, FIELD_INPUT },
	{ "input[]", openai_item_edge },
	{ "tools[]", openai_item_edge },
	{ "previous_response_id", openai_turn_id, OPENAI_ID(previous_id) },
	{ "conversation", openai_turn_id, OPENAI_ID(conversation) },
	{ "conversation.id", openai_turn_id, OPENAI_ID(conversation) },
	OPENAI_CALLER_ROWS,
};

static const struct shape_row server_rows[] = {
	{ "server_label", openai_text_name, FIELD_TOOL },
	{ "server_description", openai_text, FIELD_TOOL },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows, 0),
	SHAPE("tools[].", server_rows, 1),
	SHAPE("input[].", item_rows, 1),
	SHAPE("tools[].", openai_tool_rows, 1),
};

/* The response object: the body, or part of a stream's first and last events. */
static const struct shape_row response_rows[] = {
	{ "id", openai_turn_id, OPENAI_ID(response_id) },
	{ "model", openai_turn_id, OPENAI_ID(response_model) },
	{ "conversation.id", openai_turn_id, OPENAI_ID(conversation) },
	{ "status", on_status },
	{ "incomplete_details.reason", on_reason },
	{ "usage.input_tokens", openai_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.output_tokens", openai_tokens, offsetof(struct turn, output_tokens) },
	{ "output[]", openai_item_edge },
	{ "content_filters[].blocked", openai_filter_block },
	OPENAI_FILTER_ROWS("content_filters[].content_filter_results"),
	OPENAI_ERROR_ROWS,
};

static const struct shape_row event_rows[] = {
	{ "item", openai_item_edge },
	{ "delta", on_delta },
	{ "code", on_event_code },
};

static const struct shape response_list[] = {
	SHAPE("", response_rows, 0),
	SHAPE("output[].", item_rows, 1),
	SHAPE("", event_rows, 0),
	SHAPE("item.", item_rows, 0),
	SHAPE("response.", response_rows, 0),
	SHAPE("response.output[].", item_rows, 1),
};

static int open(struct dialect_state **ret, struct turn *t)
{
	static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
			     envelope = SHAPES(envelope_list);
	int err = openai_open(ret, t, &request, &response, &envelope);

	if (!err)
		t->operation = OP_RESPONSE;
	return err;
}

const struct dialect dialect_openai_responses = {
	.name = "openai-responses",
	.summary = "OpenAI Responses, and every server with the same API",
	.match = match,
	.open = open,
	.on_body = openai_body,
	.on_gap = openai_gap,
	.on_event = openai_event,
	.on_request_end = openai_request_end,
	.on_end = openai_end,
	.close = openai_close,
};
