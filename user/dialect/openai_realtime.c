/* user/dialect/openai_realtime.c - OpenAI's Realtime API: a WebSocket on which the client tells
 * what the session is and adds to the conversation, and the server answers in responses, each of
 * which is a turn of its own; and the calls that prepare such a session. Events have other names
 * since the API left its beta: both are read.
 */
#include "dialect/openai_items.h"

/* What precedes everything else in an event. */
static const struct shape_row envelope_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
	{ "output_index", reading_number, offsetof(struct port, event.message) },
	{ "content_index", reading_number, offsetof(struct port, event.part) },
	{ "response_id", reading_turn },
	{ "response.id", reading_turn },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static void on_delta(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *type;
		enum field_of field;
	} rows[] = {
		{ "response.output_text.delta", FIELD_CONTENT },
		{ "response.text.delta", FIELD_CONTENT },
		{ "response.output_audio_transcript.delta", FIELD_TRANSCRIPT },
		{ "response.audio_transcript.delta", FIELD_TRANSCRIPT },
		{ "response.function_call_arguments.delta", FIELD_CALL },
		{ "response.mcp_call_arguments.delta", FIELD_CALL },
		{ "response.output_audio.delta", FIELD_MAX_ },
		{ "response.audio.delta", FIELD_MAX_ },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (e->kind != JSON_STRING || strcmp(r->now->event.type, rows[i].type))
			continue;
		if (rows[i].field == FIELD_MAX_)
			turn_skip(&r->t, SKIP_AUDIO, e->text.len);
		else
			reading_delta(r, e, rows[i].field);
	}
}

/* Each response tells its own. */
static void on_tokens(struct reading *r, const struct json_event *e, unsigned arg)
{
	uint64_t before, sum;

	memcpy(&before, (char *)&r->t + arg, sizeof(before));
	reading_tokens(r, e, arg);
	memcpy(&sum, (char *)&r->t + arg, sizeof(sum));
	sum = e->kind == JSON_NUMBER ? sum + before : before;
	memcpy((char *)&r->t + arg, &sum, sizeof(sum));
}

static void on_response(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (e->kind == JSON_OBJECT_END && !strcmp(r->now->event.type, "response.done"))
		reading_progress(r, e, arg);
}

static void on_status(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (!reading_word(r, e))
		return;
	r->failed |= !strcmp(r->now->word, "failed");
	turn_id(r->t.finish_reason, sizeof(r->t.finish_reason), span_str(r->now->word));
}

/* What the user said, as a model heard it. */
static void on_transcript(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (!strcmp(r->now->event.type, "conversation.item.input_audio_transcription.completed"))
		reading_another(r, e, FIELD_INPUT);
}

/* A session, or a response that is asked for. */
static const struct shape_row session_rows[] = {
	{ "model", reading_model },
	{ "instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "input[]", reading_item },
	{ "tools[]", reading_item },
	{ "tools[].server_label", reading_text_name, FIELD_TOOL },
	{ "tools[].server_description", reading_text, FIELD_TOOL },
};

static const struct shape_row client_rows[] = {
	{ "item", reading_item },
	{ "audio", reading_skip, SKIP_AUDIO },
};

static const struct shape request_list[] = {
	SHAPE("", client_rows),
	SHAPE("item.", openai_item_rows),
	SHAPE("session.", session_rows),
	SHAPE("session.tools[].", tool_rows),
	SHAPE("response.", session_rows),
	SHAPE("response.input[].", openai_item_rows),
	SHAPE("response.tools[].", tool_rows),
	/* A session of the beta, asked for ahead. */
	SHAPE("", session_rows),
	SHAPE("tools[].", tool_rows),
};

static const struct shape_row server_rows[] = {
	{ "session.id", reading_turn_id, TURN_STR(conversation) },
	{ "session.model", reading_turn_id, TURN_STR(response_model) },
	{ "delta", on_delta },
	{ "item", reading_item },
	{ "transcript", on_transcript },
	{ "response", on_response },
	{ "response.id", reading_turn_id, TURN_STR(response_id) },
	{ "response.output[]", reading_item },
	{ "response.status", on_status },
	{ "response.status_details.reason", reading_finish },
	{ "response.status_details.error.code", reading_error, 1 },
	{ "response.status_details.error.type", reading_error, 2 },
	{ "response.usage.input_tokens", on_tokens, offsetof(struct turn, input_tokens) },
	{ "response.usage.output_tokens", on_tokens, offsetof(struct turn, output_tokens) },
	{ "response.usage.input_token_details.cached_tokens", on_tokens,
	  offsetof(struct turn, cached_tokens) },
	{ "id", reading_turn_id, TURN_STR(conversation) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	ERROR_ROWS,
};

static const struct shape response_list[] = {
	SHAPE("", server_rows),
	SHAPE("item.", openai_item_rows),
	SHAPE("response.output[].", openai_item_rows),
};

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     envelope = SHAPES(envelope_list);

/* They tell the client what it said. */
static const char *const echoes[] = { "conversation.item.created", "conversation.item.added",
				      "conversation.item.done", "conversation.item.retrieved",
				      NULL };

static const char *const socket_keys[] = {
	"type",		"event_id",	 "item.type",	"item.role",	     "session.instructions",
	"session.type", "session.model", "response_id", "response.output[]", "session.tools[].type",
	NULL,
};

static const struct form form = {
	.name = "openai-realtime",
	.summary = "OpenAI Realtime: turns over a WebSocket",
	.operation = OP_REALTIME,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.retold = "response.output_item.done",
	.ignored = echoes,
	.socket = socket_keys,
};

static const struct route routes[] = {
	{ "/v1/realtime", &form, .method = "GET", .stream = true, .query = "model" },
	{ "/openai/realtime", &form, .method = "GET", .stream = true, .query = "deployment" },
	{ "/v1/realtime/client_secrets", &form },
	{ "/v1/realtime/sessions", &form },
	{ "/v1/realtime/transcription_sessions", &form },
	{ "/v1/realtime/calls", &form },
	{ "/openai/realtimeapi/sessions", &form },
};

const struct dialect dialect_openai_realtime = {
	.name = "openai-realtime",
	.summary = "the Realtime API of OpenAI and Azure OpenAI",
	ROUTES(routes),
};
