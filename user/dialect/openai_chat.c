/* user/dialect/openai_chat.c - chat completions, whole and streamed, of OpenAI, Azure and everyone
 * who speaks their shape: vLLM, Ollama, llama.cpp, gateways.
 */
#include "base/own.h"
#include "dialect/openai.h"

static int match(const struct exchange *x)
{
	static const char *const ends[] = { "/chat/completions", NULL };

	return openai_match(x, ends);
}

static void on_choice(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (e->kind == JSON_OBJECT)
		s->now->choice = e->index[0];
	s->now->item.message = s->now->choice;
}

/* A chunk of a stream holds one choice, or a few: its place there does not tell which. */
static void on_choice_index(void *ctx, const struct shape *at, const struct json_event *e,
			    unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	openai_number(e, &s->now->choice);
	s->now->item.message = s->now->choice;
}

static void on_call(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)arg;
	if (e->kind == JSON_OBJECT)
		s->now->call = e->index[at->n_index];
}

static void on_call_index(void *ctx, const struct shape *at, const struct json_event *e,
			  unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	openai_number(e, &s->now->call);
}

/* Some servers number every call 0: another id begins another call. */
static void on_call_id(void *ctx, const struct shape *at, const struct json_event *e, unsigned arg)
{
	struct dialect_state *s = ctx;
	struct segment *seg;

	(void)at;
	(void)arg;
	turn_id_piece(s->now->id, sizeof(s->now->id), e);
	if (e->kind != JSON_STRING || !e->last || !s->now->id[0])
		return;
	seg = openai_segment(s, FIELD_CALL, s->now->call);
	if (seg && seg->call_id[0] && strcmp(seg->call_id, s->now->id))
		seg = openai_another(s, FIELD_CALL, s->now->call);
	if (seg)
		memcpy(seg->call_id, s->now->id, sizeof(seg->call_id));
}

static void on_call_name(void *ctx, const struct shape *at, const struct json_event *e,
			 unsigned arg)
{
	struct dialect_state *s = ctx;
	struct segment *seg =
	    e->kind == JSON_STRING ? openai_segment(s, FIELD_CALL, s->now->call) : NULL;

	(void)at;
	(void)arg;
	if (seg)
		turn_id_piece(seg->name, sizeof(seg->name), e);
}

static void on_call_text(void *ctx, const struct shape *at, const struct json_event *e,
			 unsigned arg)
{
	struct dialect_state *s = ctx;

	(void)at;
	(void)arg;
	if (e->kind == JSON_STRING)
		openai_add(s, openai_segment(s, FIELD_CALL, s->now->call), e);
}

/* A message, in the request's history, in a response, or piece by piece in a stream. */
static const struct shape_row message_rows[] = {
	{ "role", openai_role },
	{ "name", openai_name },
	{ "tool_call_id", openai_call_id },
	{ "content", openai_text, FIELD_CONTENT },
	{ "content[]", openai_text, FIELD_CONTENT },
	{ "content[].text", openai_text, FIELD_CONTENT },
	{ "content[].refusal", openai_text, FIELD_REFUSAL },
	{ "content[].image_url", openai_skip, SKIP_IMAGE },
	{ "content[].image_url.url", openai_skip, SKIP_IMAGE },
	{ "content[].input_audio.data", openai_skip, SKIP_AUDIO },
	{ "content[].file.file_data", openai_skip, SKIP_FILE },
	{ "refusal", openai_text, FIELD_REFUSAL },
	{ "reasoning_content", openai_text, FIELD_REASONING },
	{ "reasoning", openai_text, FIELD_REASONING },
	{ "audio.data", openai_skip, SKIP_AUDIO },
	{ "audio.transcript", openai_text, FIELD_TRANSCRIPT },
	{ "tool_calls[]", on_call },
	{ "tool_calls[].index", on_call_index },
	{ "tool_calls[].id", on_call_id },
	{ "tool_calls[].function.name", on_call_name },
	{ "tool_calls[].function.arguments", on_call_text },
	{ "tool_calls[].custom.name", on_call_name },
	{ "tool_calls[].custom.input", on_call_text },
	{ "function_call.name", openai_text_name, FIELD_CALL },
	{ "function_call.arguments", openai_text, FIELD_CALL },
};

static const struct shape_row request_rows[] = {
	{ "model", openai_model },
	{ "stream", openai_stream },
	OPENAI_CALLER_ROWS,
	{ "messages[]", openai_item_edge },
	{ "tools[]", openai_item_edge },
	{ "functions[]", openai_item_edge },
};

static const struct shape request_list[] = {
	SHAPE("", request_rows, 0),
	SHAPE("messages[].", message_rows, 1),
	SHAPE("tools[].function.", openai_tool_rows, 1),
	SHAPE("tools[].custom.", openai_tool_rows, 1),
	SHAPE("functions[].", openai_tool_rows, 1),
};

static const struct shape_row response_rows[] = {
	{ "id", openai_turn_id, OPENAI_ID(response_id) },
	{ "model", openai_turn_id, OPENAI_ID(response_model) },
	{ "choices[]", on_choice },
	{ "choices[].index", on_choice_index },
	{ "choices[].finish_reason", openai_finish },
	{ "usage.prompt_tokens", openai_tokens, offsetof(struct turn, input_tokens) },
	{ "usage.completion_tokens", openai_tokens, offsetof(struct turn, output_tokens) },
	OPENAI_FILTER_ROWS("choices[].content_filter_results"),
	OPENAI_FILTER_ROWS("prompt_filter_results[].content_filter_results"),
	OPENAI_ERROR_ROWS,
};

static const struct shape response_list[] = {
	SHAPE("", response_rows, 0),
	SHAPE("choices[].message.", message_rows, 1),
	SHAPE("choices[].delta.", message_rows, 1),
};

static int open(struct dialect_state **ret, struct turn *t)
{
	static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);
	static const struct span before = { (const uint8_t *)"/deployments/", 13 };
	struct span path = exchange_path(t->exchange);
	int err = openai_open(ret, t, &request, &response, NULL);

	if (err)
		return err;
	t->operation = OP_CHAT;
	/* Azure names the deployment in the path, and that decides, not the body. */
	for (size_t i = 0; i + before.len < path.len; i++) {
		struct span name = span_sub(path, i + before.len, path.len);
		const uint8_t *end = memchr(name.p, '/', name.len);

		if (!end || !span_starts(span_sub(path, i, path.len), before))
			continue;
		name.len = (size_t)(end - name.p);
		turn_id(t->request_model, sizeof(t->request_model), name);
		(*ret)->deployed = true;
		break;
	}
	return 0;
}

const struct dialect dialect_openai_chat = {
	.name = "openai-chat",
	.summary = "OpenAI chat completions, and every server with the same API",
	.match = match,
	.open = open,
	.on_body = openai_body,
	.on_gap = openai_gap,
	.on_event = openai_event,
	.on_request_end = openai_request_end,
	.on_end = openai_end,
	.close = openai_close,
};
