/* user/dialect/scoring.c - models that are asked for numbers: rerankers, scores, classes, vectors,
 * tokens; of Cohere, Jina, vLLM, Text Embeddings Inference, llama.cpp. They share their paths.
 */
#include "dialect/reading.h"

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "query", reading_another, FIELD_INPUT },
	{ "query.text", reading_another, FIELD_INPUT },
	{ "documents[]", reading_value, FIELD_DOCUMENT },
	{ "texts[]", reading_another, FIELD_DOCUMENT },
	{ "text_1", reading_another, FIELD_INPUT },
	{ "text_1[]", reading_another, FIELD_INPUT },
	{ "text_2", reading_another, FIELD_INPUT },
	{ "text_2[]", reading_another, FIELD_INPUT },
	{ "queries", reading_another, FIELD_INPUT },
	{ "queries[]", reading_another, FIELD_INPUT },
	{ "documents", reading_another, FIELD_DOCUMENT },
	{ "input", reading_input },
	{ "input[]", reading_input },
	{ "input[][]", reading_input },
	{ "inputs", reading_input },
	{ "inputs[]", reading_input },
	{ "inputs[][]", reading_input },
	{ "examples[].text", reading_another, FIELD_INPUT },
	{ "prompt", reading_another, FIELD_INPUT },
	{ "content", reading_another, FIELD_INPUT },
	{ "text", reading_another, FIELD_INPUT },
	{ "tokens[]", reading_skip, SKIP_TOKENS },
	{ "messages[]", reading_item },
	{ "messages[].role", reading_mark, PORT_STR(item.role) },
	{ "messages[].content", reading_text, FIELD_CONTENT },
	{ "messages[].content[].text", reading_text, FIELD_CONTENT },
	{ "messages[].content[].image_url.url", reading_media, SKIP_IMAGE },
};
static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "data[].data[]", reading_skip, SKIP_VECTOR },
	{ "data[].data[][]", reading_skip, SKIP_VECTOR },
	{ "[][]", reading_skip, SKIP_VECTOR },
	{ "tokens[]", reading_skip, SKIP_TOKENS },
	OPENAI_USAGE_ROWS("usage"),
	{ "meta.billed_units.input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	BARE_ERROR_ROWS,
	ERROR_ROWS,
};
/* What the tokens were. */
static const struct shape_row words_rows[] = {
	{ "prompt", reading_another, FIELD_OUTPUT },
	{ "content", reading_another, FIELD_OUTPUT },
	{ "text", reading_another, FIELD_OUTPUT },
};
static const struct shape request_list[] = { SHAPE("", request_rows) },
			  response_list[] = { SHAPE("", response_rows) },
			  words_list[] = { SHAPE("", words_rows) };
static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     words = SHAPES(words_list);

static const char *const rerank_needs[] = { "query", NULL };
static const char *const rerank_hints[] = { "documents", "texts", NULL };

static const struct form rerank = {
	.name = "rerank",
	.summary = "documents put in order for a query: Cohere, Jina, vLLM, TEI",
	.operation = OP_RERANK,
	.request = &request,
	.response = &response,
	.needs = rerank_needs,
	.hints = rerank_hints,
};

static const char *const score_hints[] = { "text_1", "queries", "data_1", NULL };

static const struct form score = {
	.name = "score",
	.summary = "how much texts have in common: vLLM",
	.operation = OP_CLASSIFY,
	.request = &request,
	.response = &response,
	.hints = score_hints,
};

static const char *const classify_hints[] = { "input", "inputs", NULL };

static const struct form classify = {
	.name = "classify",
	.summary = "classes of texts: Cohere, vLLM, TEI",
	.operation = OP_CLASSIFY,
	.request = &request,
	.response = &response,
	.hints = classify_hints,
};

static const char *const pooling_needs[] = { "model", NULL };
static const char *const pooling_hints[] = { "input", "messages", NULL };

static const struct form pooling = {
	.name = "pooling",
	.summary = "what a model's last layers hold: vLLM",
	.operation = OP_CLASSIFY,
	.request = &request,
	.response = &response,
	.needs = pooling_needs,
	.hints = pooling_hints,
};

static const char *const tei_needs[] = { "inputs", NULL };

static const struct form tei = {
	.name = "tei-embedding",
	.summary = "Text Embeddings Inference",
	.operation = OP_EMBEDDING,
	.request = &request,
	.response = &response,
	.needs = tei_needs,
};

static const char *const tokenize_hints[] = { "prompt", "content",  "text",
					      "inputs", "messages", NULL };

static const struct form tokenize = {
	.name = "tokenize",
	.summary = "texts made tokens: vLLM, llama.cpp, TEI, Cohere",
	.operation = OP_TOKEN_COUNT,
	.request = &request,
	.response = &response,
	.hints = tokenize_hints,
};

static const char *const detokenize_needs[] = { "tokens", NULL };

static const struct form detokenize = {
	.name = "tokenize",
	.summary = "tokens made texts: vLLM, llama.cpp, Cohere",
	.operation = OP_TOKEN_COUNT,
	.request = &request,
	.response = &words,
	.needs = detokenize_needs,
};

static const char *const template_needs[] = { "messages[].role", NULL };

static const struct form template = {
	.name = "tokenize",
	.summary = "messages made a prompt: llama.cpp",
	.operation = OP_TOKEN_COUNT,
	.request = &request,
	.response = &response,
	.needs = template_needs,
};

static const struct route routes[] = {
	{ "/rerank", &rerank, .common = true },
	{ "/reranking", &rerank, .common = true },
	{ "/score", &score, .common = true },
	{ "/classify", &classify, .common = true },
	{ "/predict", &tei, OP_CLASSIFY, .common = true },
	{ "/pooling", &pooling, .common = true },
	{ "/embed", &tei, .common = true },
	{ "/embed_all", &tei, .common = true },
	{ "/embed_sparse", &tei, .common = true },
	{ "/tokenize", &tokenize, .common = true },
	{ "/detokenize", &detokenize, .common = true },
	{ "/apply-template", &template, .common = true },
};

const struct dialect dialect_scoring = {
	.name = "scoring",
	.summary = "rerankers, scores, classes and tokens of many servers",
	ROUTES(routes),
};
