/* user/dialect/textgen.c - the own APIs of servers that run open models, beside OpenAI's, which
 * they speak as well: Text Generation Inference and Hugging Face's hosted models, llama.cpp,
 * SGLang, vLLM; their adapters.
 */
#include "dialect/reading.h"

/* --- prompts to /generate and to models at Hugging Face */

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "prompt", reading_input },
	{ "prompt[]", reading_input },
	{ "text", reading_input },
	{ "text[]", reading_input },
	{ "input_ids[]", reading_skip, SKIP_TOKENS },
	{ "image_data", reading_media, SKIP_IMAGE },
	{ "image_data[]", reading_media, SKIP_IMAGE },
	{ "inputs", reading_input },
	{ "inputs[]", reading_input },
	{ "inputs[][]", reading_input },
	{ "inputs.text", reading_another, FIELD_INPUT },
	{ "inputs.question", reading_another, FIELD_INPUT },
	{ "inputs.context", reading_another, FIELD_DOCUMENT },
	{ "inputs.source_sentence", reading_another, FIELD_INPUT },
	{ "inputs.sentences[]", reading_another, FIELD_DOCUMENT },
	{ "inputs.query", reading_another, FIELD_INPUT },
	{ "inputs.image", reading_media, SKIP_IMAGE },
	{ "parameters.prompt", reading_another, FIELD_INPUT },
};
static const struct shape request_list[] = {
	SHAPE("", request_rows),
	SHAPE("instances[].", request_rows), /* as Vertex AI hands them on */
};

/* A stream's last event tells the whole text again. */
static void on_generated(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (!r->t.exchange->streamed)
		reading_text(r, e, arg);
}

/* A token that is no text: "</s>". */
static void on_special(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_TRUE)
		strcpy(r->now->event.type, "special");
}

static void on_token(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (strcmp(r->now->event.type, "special"))
		reading_text(r, e, arg);
}

static const struct shape_row response_rows[] = {
	{ "generated_text", on_generated, FIELD_OUTPUT },
	{ "token.text", on_token, FIELD_OUTPUT },
	{ "summary_text", reading_text, FIELD_OUTPUT },
	{ "translation_text", reading_text, FIELD_OUTPUT },
	{ "answer", reading_text, FIELD_OUTPUT },
	{ "details.finish_reason", reading_finish },
	{ "details.generated_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "details.input_length", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "error", reading_error, 0 },
	{ "error_type", reading_error, 2 },
};

/* SGLang's events tell the whole so far, unless it is set to tell what is new. */
static void on_whole(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct segment *seg;
	struct span whole;

	if (e->kind != JSON_STRING || !r->t.exchange->streamed) {
		reading_text(r, e, arg);
		return;
	}
	if (e->first) {
		buf_clear(&r->inside);
		r->inside.max = SEGMENT_MAX;
	}
	if (buf_add(&r->inside, e->text))
		r->now->hole = true;
	whole = buf_span(&r->inside);
	if (!e->last || !whole.len)
		return;
	seg = reading_segment(r, arg, reading_part(r, e));
	if (seg && span_starts(whole, buf_span(&seg->text)))
		whole = span_sub(whole, seg->text.len, whole.len);
	turn_text(&r->t, seg, whole);
	if (seg)
		seg->damaged |= e->damaged;
}

static const struct shape_row own_rows[] = {
	{ "text", on_whole, FIELD_OUTPUT },
	{ "text[]", on_whole, FIELD_OUTPUT },
	{ "meta_info.id", reading_turn_id, TURN_STR(response_id) },
	{ "meta_info.finish_reason.type", reading_finish },
	{ "meta_info.prompt_tokens", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "meta_info.completion_tokens", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "meta_info.cached_tokens", reading_tokens, offsetof(struct turn, cached_tokens) },
};

/* One for each prompt of several. */
static const struct shape_row several_rows[] = {
	{ "[]", reading_item },
	{ "predictions[]", reading_item },
};

static const struct shape response_list[] = {
	SHAPE("", response_rows),    SHAPE("", own_rows),    SHAPE("", several_rows),
	SHAPE("[].", response_rows), SHAPE("[].", own_rows), SHAPE("predictions[].", response_rows),
};

static const struct shape_row envelope_rows[] = { { "token.special", on_special } };
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list),
		     envelope = SHAPES(envelope_list);

static const char *const needs[] = { "inputs", NULL };
static const char *const hints[] = {
	"parameters.max_new_tokens",
	"parameters.do_sample",
	"parameters.return_full_text",
	"parameters.details",
	"parameters.decoder_input_details",
	"parameters.repetition_penalty",
	"parameters.typical_p",
	"parameters.truncate",
	"parameters.watermark",
	NULL,
};

/* Also where no path tells: "/", "/invocations". */
static const struct form tgi = {
	.name = "tgi",
	.summary = "Text Generation Inference, and Hugging Face's hosted models",
	.operation = OP_COMPLETION,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.needs = needs,
	.hints = hints,
};

static const struct form root = {
	.name = "tgi",
	.summary = "Text Generation Inference at its root, as Hugging Face's endpoints have it",
	.operation = OP_COMPLETION,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.needs = needs,
};

static const char *const generate_hints[] = {
	"inputs", "prompt", "text", "input_ids[]", "input_ids[][]", NULL,
};

static const struct form generate = {
	.name = "generate",
	.summary = "prompts to the own APIs of inference servers: SGLang, vLLM, TGI",
	.operation = OP_COMPLETION,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
	.hints = generate_hints,
};

static const struct form hosted = {
	.name = "hugging-face",
	.summary = "models of any task at Hugging Face",
	.operation = OP_INFERENCE,
	.request = &request,
	.response = &response,
	.envelope = &envelope,
};

/* --- llama.cpp */

static const struct shape_row prompt_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "system_prompt", reading_text, FIELD_INSTRUCTIONS },
	{ "prompt", reading_input },
	{ "prompt[]", reading_input },
	{ "prompt[][]", reading_input },
	{ "prompt.prompt_string", reading_another, FIELD_INPUT },
	{ "prompt.multimodal_data[]", reading_media, SKIP_IMAGE },
	{ "prompt[].prompt_string", reading_another, FIELD_INPUT },
	{ "prompt[].multimodal_data[]", reading_media, SKIP_IMAGE },
	{ "image_data[].data", reading_media, SKIP_IMAGE },
	{ "input_prefix", reading_another, FIELD_INPUT },
	{ "input_suffix", reading_another, FIELD_INPUT },
	{ "input_extra[]", reading_block },
	{ "input_extra[].filename", reading_mark, PORT_STR(block.name) },
	{ "input_extra[].text", reading_another, FIELD_DOCUMENT },
	{ "content", reading_input },
};
static const struct shape_row piece_rows[] = {
	{ "content", reading_text, FIELD_OUTPUT },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "stop", reading_done },
	{ "stop_type", reading_finish },
	{ "tokens_evaluated", reading_tokens, offsetof(struct turn, input_tokens) },
	{ "tokens_predicted", reading_tokens, offsetof(struct turn, output_tokens) },
	{ "tokens_cached", reading_tokens, offsetof(struct turn, cached_tokens) },
	{ "embedding[]", reading_skip, SKIP_VECTOR },
	{ "embedding[][]", reading_skip, SKIP_VECTOR },
	ERROR_ROWS,
};
static const struct shape prompt_list[] = { SHAPE("", prompt_rows) },
			  piece_list[] = { SHAPE("", piece_rows), SHAPE("", several_rows),
					   SHAPE("[].", piece_rows) };
static struct shapes prompt = SHAPES(prompt_list), piece = SHAPES(piece_list);

static const char *const llama_needs[] = { "prompt", NULL };
static const struct form llama = {
	.name = "llama.cpp",
	.summary = "completions of llama.cpp's server",
	.operation = OP_COMPLETION,
	.request = &prompt,
	.response = &piece,
	.needs = llama_needs,
};

static const char *const infill_needs[] = { "input_prefix", "input_suffix", NULL };

static const struct form infill = {
	.name = "llama.cpp",
	.summary = "code between two pieces, by llama.cpp's server",
	.operation = OP_COMPLETION,
	.request = &prompt,
	.response = &piece,
	.needs = infill_needs,
};

static const char *const embedding_needs[] = { "content", NULL };

static const struct form embedding = {
	.name = "llama.cpp",
	.summary = "embeddings of llama.cpp's server",
	.operation = OP_EMBEDDING,
	.request = &prompt,
	.response = &piece,
	.needs = embedding_needs,
};

/* --- what servers have loaded */

static const struct shape_row adapter_rows[] = {
	{ "lora_name", reading_turn_id, TURN_STR(object) },
	{ "lora_path", reading_turn_id, TURN_STR(request_model) },
	{ "model_path", reading_turn_id, TURN_STR(object) },
};
static const struct shape adapter_list[] = { SHAPE("", adapter_rows) };
static const struct shape_row done_rows[] = { BARE_ERROR_ROWS, ERROR_ROWS };
static const struct shape done_list[] = { SHAPE("", done_rows) };
static struct shapes adapter_request = SHAPES(adapter_list), adapter_response = SHAPES(done_list);

static const struct form adapter = {
	.name = "lora-adapter",
	.summary = "adapters and weights that an inference server loads or lets go",
	.operation = OP_MODEL_MANAGEMENT,
	.request = &adapter_request,
	.response = &adapter_response,
};

static const struct form server = {
	.name = "inference-server",
	.summary = "the state of an inference server: slots, cache",
	.operation = OP_SERVER,
};

/* What others ask at the moment, and what they are answered. */
static const struct shape_row slot_rows[] = {
	{ "[]", reading_item },
	{ "[].prompt", reading_text, FIELD_DOCUMENT },
	{ "[].generated", reading_text, FIELD_DOCUMENT },
	{ "model_path", reading_turn_id, TURN_STR(response_model) },
	ERROR_ROWS,
};
static const struct shape slot_list[] = { SHAPE("", slot_rows) };
static struct shapes slots = SHAPES(slot_list);

static const struct form state = {
	.name = "inference-server",
	.summary =
	    "what llama.cpp's server tells of itself: slots with others' prompts, properties",
	.operation = OP_SERVER,
	.response = &slots,
};

static const struct route routes[] = {
	{ "/generate", &generate, .common = true },
	{ "/generate_stream", &generate, .stream = true, .common = true },
	{ "^/", &root, .common = true },
	{ "/vertex", &tgi },
	{ "/invocations", &tgi, .common = true, .native = true },
	{ "/models/{model}", &hosted, .provider = "huggingface" },
	{ "/models/{}/{model}", &hosted, .provider = "huggingface" },
	{ "/models/{}/{model}/pipeline/feature-extraction", &hosted, OP_EMBEDDING,
	  .provider = "huggingface" },
	{ "/completion", &llama, .common = true },
	{ "/completions", &llama, .common = true, .native = true },
	{ "/infill", &infill, .common = true },
	{ "/embedding", &embedding, .common = true },
	{ "/slots/{object}", &server, OP_SERVER },
	{ "/slots", &state, .method = "GET", .server = "llama.cpp" },
	{ "/props", &state, .method = "GET", .server = "llama.cpp" },
	{ "/props", &state, .server = "llama.cpp" },
	{ "/lora-adapters", &server, OP_MODELS, .method = "GET" },
	{ "/lora-adapters", &server, OP_MODEL_MANAGEMENT },
	{ "/load_lora_adapter", &adapter },
	{ "/unload_lora_adapter", &adapter },
	{ "/update_weights_from_disk", &adapter },
	{ "/reset_prefix_cache", &server },
};

const struct dialect dialect_textgen = {
	.name = "textgen",
	.summary = "own APIs of inference servers: TGI, llama.cpp, SGLang, vLLM",
	ROUTES(routes),
};
