/* user/dialect/ollama.c - Ollama's own API: chat, generate, embeddings, and what changes the models
 * that a server has. Answers are lines of JSON, each a piece.
 */
#include "dialect/reading.h"

/* A message: in the history, or a piece of the answer. */
static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "thinking", reading_text, FIELD_REASONING },
	{ "images[]", reading_media, SKIP_IMAGE },
	{ "tool_name", reading_mark, PORT_STR(item.name) },
	{ "tool_call_id", reading_mark, PORT_STR(item.call_id) },
	{ "tool_calls[]", reading_block },
	{ "tool_calls[].id", reading_mark, PORT_STR(block.call_id) },
	{ "tool_calls[].function.name", reading_mark, PORT_STR(block.name) },
	{ "tool_calls[].function.arguments", reading_value, FIELD_CALL },
};

static const struct shape_row chat_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "messages[]", reading_item },
	{ "tools[]", reading_item },
};

static const struct shape chat_list[] = {
	SHAPE("", chat_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("tools[].function.", tool_rows),
};

static const struct shape_row generate_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "system", reading_text, FIELD_INSTRUCTIONS },
	{ "template", reading_text, FIELD_INSTRUCTIONS },
	{ "prompt", reading_another, FIELD_INPUT },
	{ "suffix", reading_another, FIELD_INPUT },
	{ "images[]", reading_media, SKIP_IMAGE },
	{ "context[]", reading_skip, SKIP_TOKENS },
	{ "input", reading_input },
	{ "input[]", reading_input },
};
static const struct shape generate_list[] = { SHAPE("", generate_rows) };

static const struct shape_row response_rows[] = {
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "response", reading_text, FIELD_OUTPUT },
	{ "thinking", reading_text, FIELD_REASONING },
	{ "context[]", reading_skip, SKIP_TOKENS },
	{ "image", reading_media, SKIP_IMAGE },
	{ "embedding[]", reading_skip, SKIP_VECTOR },
	{ "embeddings[][]", reading_skip, SKIP_VECTOR },
	{ "done", reading_done },
	{ "done_reason", reading_finish },
	{ "prompt_eval_count", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "eval_count", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "error", reading_error },
};
static const struct shape response_list[] = {
	SHAPE("", response_rows),
	SHAPE("message.", message_rows),
};

static struct shapes chat_request = SHAPES(chat_list), generate_request = SHAPES(generate_list),
		     response = SHAPES(response_list);

static const char *const chat_needs[] = { "messages[].role", NULL };
static const char *const hints[] = {
	"keep_alive",	       "options.num_ctx", "options.num_predict",
	"options.temperature", "options.seed",	  "options.top_k",
	"messages[].images[]", "context[]",	  NULL,
};

static const struct form chat = {
	.name = "ollama-chat",
	.summary = "Ollama chat",
	.operation = OP_CHAT,
	.request = &chat_request,
	.response = &response,
	.needs = chat_needs,
	.hints = hints,
	.sure = true,
};

static const char *const generate_needs[] = { "prompt", "model", NULL };

static const struct form generate = {
	.name = "ollama-generate",
	.summary = "Ollama completions",
	.operation = OP_COMPLETION,
	.request = &generate_request,
	.response = &response,
	.needs = generate_needs,
	.hints = hints,
	.sure = true,
};

static const struct form embed = {
	.name = "ollama-embedding",
	.summary = "Ollama embeddings",
	.operation = OP_EMBEDDING,
	.request = &generate_request,
	.response = &response,
};

/* --- models */

/* What is made is the object; what it is made of is the model. */
static const struct shape_row manage_rows[] = {
	{ "model", reading_turn_id, TURN_STR(object) },
	{ "name", reading_turn_id, TURN_STR(object) },
	{ "destination", reading_turn_id, TURN_STR(object) },
	{ "source", reading_turn_id, TURN_STR(request_model) },
	{ "from", reading_turn_id, TURN_STR(request_model) },
	{ "stream", reading_stream },
	{ "system", reading_text, FIELD_INSTRUCTIONS },
	{ "template", reading_text, FIELD_INSTRUCTIONS },
	{ "modelfile", reading_text, FIELD_INSTRUCTIONS },
	{ "messages[]", reading_item },
};
static const struct shape manage_list[] = {
	SHAPE("", manage_rows),
	SHAPE("messages[].", message_rows),
};
static const struct shape_row managed_rows[] = {
	{ "status", reading_turn_id, TURN_STR(finish_reason) },
	{ "error", reading_error },
};
static const struct shape managed_list[] = { SHAPE("", managed_rows) };
static struct shapes manage_request = SHAPES(manage_list), manage_response = SHAPES(managed_list);

static const char *const manage_needs[] = { "model", NULL };

static const struct form manage = {
	.name = "ollama-models",
	.summary = "Ollama's models: pull, push, create, copy, delete",
	.operation = OP_MODEL_MANAGEMENT,
	.request = &manage_request,
	.response = &manage_response,
	.needs = manage_needs,
};

/* A file of a model, and questions about what is there. */
static const struct form server = {
	.name = "ollama-models",
	.summary = "what an Ollama server has",
	.operation = OP_MODEL_MANAGEMENT,
};

static const char *const copy_needs[] = { "source", "destination", NULL };

static const struct form copy = {
	.name = "ollama-models",
	.summary = "Ollama's models, copied",
	.operation = OP_MODEL_MANAGEMENT,
	.request = &manage_request,
	.response = &manage_response,
	.needs = copy_needs,
};

static const struct route routes[] = {
	{ "/api/chat", &chat },
	{ "/api/generate", &generate },
	{ "/api/embed", &embed },
	{ "/api/embeddings", &embed },
	{ "/api/pull", &manage, .common = true },
	{ "/api/push", &manage, .common = true },
	{ "/api/create", &manage, .common = true },
	{ "/api/copy", &copy, .common = true },
	{ "/api/delete", &manage, .method = "DELETE", .common = true },
	{ "/api/show", &manage, OP_MODELS, .common = true },
	{ "/api/blobs/{object}", &server, .provider = "ollama" },
	{ "/api/tags", &server, OP_MODELS, .method = "GET", .provider = "ollama" },
	{ "/api/ps", &server, OP_SERVER, .method = "GET", .provider = "ollama" },
};

const struct dialect dialect_ollama = {
	.name = "ollama",
	.summary = "Ollama: chat, completions, embeddings and its models",
	ROUTES(routes),
};
