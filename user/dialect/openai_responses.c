/* user/dialect/openai_responses.c - the Responses API, whole and as a stream of typed events.
 * A stream tells most texts three times: in deltas, when an item is done, when the response is
 * completed. The first is kept, and of the others what deltas did not give or what a gap took away.
 */
#include "dialect/openai_items.h"

/* What precedes everything else in an event. */
static const struct shape_row envelope_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
	{ "output_index", reading_number, offsetof(struct port, event.message) },
	{ "content_index", reading_number, offsetof(struct port, event.part) },
	{ "summary_index", reading_number, offsetof(struct port, event.summary) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static void on_delta(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *type;
		enum field_of field;
		enum segment_role role;
		size_t part; /* offset of the number in struct port, 0: none */
	} rows[] = {
		{ "response.output_text.delta", FIELD_CONTENT, SEG_ASSISTANT,
		  offsetof(struct port, event.part) },
		{ "response.refusal.delta", FIELD_REFUSAL, SEG_ASSISTANT,
		  offsetof(struct port, event.part) },
		{ "response.reasoning_text.delta", FIELD_CONTENT, SEG_REASONING,
		  offsetof(struct port, event.part) },
		{ "response.reasoning_summary_text.delta", FIELD_REASONING, SEG_REASONING,
		  offsetof(struct port, event.summary) },
		{ "response.function_call_arguments.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.mcp_call_arguments.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.custom_tool_call_input.delta", FIELD_CALL, SEG_TOOL_CALL },
		{ "response.code_interpreter_call_code.delta", FIELD_CALL, SEG_TOOL_CALL },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct segment *seg;
		uint32_t part = 0;

		if (e->kind != JSON_STRING || strcmp(r->now->event.type, rows[i].type))
			continue;
		if (rows[i].part)
			memcpy(&part, (char *)r->now + rows[i].part, sizeof(part));
		seg = reading_segment(r, rows[i].field, part);
		if (seg)
			seg->role = rows[i].role;
		reading_add(r, seg, e);
	}
}

static void on_status(struct reading *r, const struct json_event *e, unsigned arg)
{

	(void)arg;
	turn_id_piece(r->status, sizeof(r->status), e);
	if (e->last && !strcmp(r->status, "failed"))
		r->failed = true;
}

static void on_reason(struct reading *r, const struct json_event *e, unsigned arg)
{

	(void)arg;
	turn_id_piece(r->reason, sizeof(r->reason), e);
}

/* The stream's own error event: {"type":"error","code":...}. */
static void on_event_code(struct reading *r, const struct json_event *e, unsigned arg)
{

	(void)arg;
	if (strcmp(r->now->event.type, "error"))
		return;
	r->failed = true;
	turn_id_piece(r->t.error_code, sizeof(r->t.error_code), e);
}

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "input", reading_text, FIELD_INPUT },
	{ "input[]", reading_item },
	{ "tools[]", reading_item },
	{ "previous_response_id", reading_turn_id, TURN_STR(previous_id) },
	{ "conversation", reading_turn_id, TURN_STR(conversation) },
	{ "conversation.id", reading_turn_id, TURN_STR(conversation) },
	CALLER_ROWS,
};

static const struct shape_row server_rows[] = {
	{ "server_label", reading_text_name, FIELD_TOOL },
	{ "server_description", reading_text, FIELD_TOOL },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("tools[].", server_rows),
	SHAPE("input[].", openai_item_rows),
	SHAPE("tools[].", tool_rows),
};

/* The response object: the body, or part of a stream's first and last events. */
static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "conversation.id", reading_turn_id, TURN_STR(conversation) },
	{ "status", on_status },
	{ "incomplete_details.reason", on_reason },
	OPENAI_USAGE_ROWS("usage"),
	{ "output[]", reading_item },
	{ "content_filters[].blocked", reading_block_flag },
	FILTER_ROWS("content_filters[].content_filter_results"),
	ERROR_ROWS,
};

static const struct shape_row event_rows[] = {
	{ "item", reading_item },
	{ "delta", on_delta },
	{ "code", on_event_code },
};

static const struct shape response_list[] = {
	SHAPE("", response_rows),
	SHAPE("output[].", openai_item_rows),
	SHAPE("", event_rows),
	SHAPE("item.", openai_item_rows),
	SHAPE("response.", response_rows),
	SHAPE("response.output[].", openai_item_rows),
};

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     envelope = SHAPES(envelope_list);

static void end(struct reading *r)
{
	struct span why = span_str(r->reason[0] ? r->reason : r->status);

	turn_id(r->t.finish_reason, sizeof(r->t.finish_reason), why);
	r->blocked |= !strcmp(r->reason, "content_filter");
}

static const char *const last[] = { "response.completed", "response.incomplete", "response.failed",
				    NULL };
static const char *const needs[] = { "input", "model", NULL };
static const char *const hints[] = {
	"instructions",
	"input[].type",
	"max_output_tokens",
	"previous_response_id",
	"input[].content[].type",
	"reasoning.effort",
	"text.format.type",
	"tools[].parameters.type",
	NULL,
};

static const struct form form = {
	.name = "openai-responses",
	.summary = "OpenAI Responses, and every server with the same API",
	.operation = OP_RESPONSE,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.retold = "response.output_item.done",
	.last = last,
	.end = end,
	.needs = needs,
	.hints = hints,
};

/* A stored response, read or deleted. */
static const struct form stored = {
	.name = "openai-responses",
	.summary = "stored responses",
	.operation = OP_CONVERSATION,
	.response = &response,
};

/* What the servers keep of a conversation: items that are added, and read. */
static const struct shape_row added_rows[] = {
	{ "items[]", reading_item },
	CALLER_ROWS,
};
static const struct shape_row kept_rows[] = {
	{ "", reading_item }, /* one that is the whole body */
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "data[]", reading_item },
	ERROR_ROWS,
};
static const struct shape added_list[] = {
	SHAPE("", added_rows),
	SHAPE("items[].", openai_item_rows),
};
static const struct shape kept_list[] = {
	SHAPE("", kept_rows),
	SHAPE("", openai_item_rows),
	SHAPE("data[].", openai_item_rows),
};
static struct shapes added = SHAPES(added_list), kept = SHAPES(kept_list);

static const struct form conversation = {
	.name = "openai-conversation",
	.summary = "OpenAI conversations: stored items",
	.operation = OP_CONVERSATION,
	.request = &added,
	.response = &kept,
};

static const struct route routes[] = {
	{ "/v1/responses", &form },
	{ "/openai/responses", &form },
	{ "/v1/responses/compact", &form },
	{ "/v1/responses/input_tokens", &form, OP_TOKEN_COUNT },
	{ "/v1/responses/{object}", &stored, .method = "GET" },
	{ "/v1/responses/{object}", &stored, .method = "DELETE" },
	{ "/v1/responses/{object}/cancel", &stored },
	{ "/openai/responses/{object}", &stored, .method = "GET" },
	{ "/v1/responses/{object}/input_items", &conversation, .method = "GET" },
	{ "/v1/conversations", &conversation },
	{ "/v1/conversations/{conversation}/items", &conversation },
	{ "/v1/conversations/{conversation}/items", &conversation, .method = "GET" },
	{ "/v1/conversations/{conversation}/items/{object}", &conversation, .method = "GET" },
};

const struct dialect dialect_openai_responses = {
	.name = "openai-responses",
	.summary = "the Responses API of OpenAI, Azure OpenAI and compatible servers, and its "
		   "conversations",
	ROUTES(routes),
};
