/* user/dialect/openai_inputs.c - OpenAI's calls that take an input and have no conversation:
 * embeddings, moderations, images, speech and its transcription.
 */
#include "dialect/reading.h"

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "input", reading_input },
	{ "input[]", reading_input },
	{ "input[][]", reading_input },
	{ "input[].text", reading_another, FIELD_INPUT },
	{ "input[].image_url.url", reading_media, SKIP_IMAGE },
	{ "prompt", reading_another, FIELD_INPUT },
	{ "instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "image", reading_media, SKIP_IMAGE },
	{ "image[]", reading_media, SKIP_IMAGE },
	{ "images[].image_url", reading_media, SKIP_IMAGE },
	CALLER_ROWS,
};

/* "results[].categories.<category>": true */
static void on_category(struct reading *r, const struct json_event *e, unsigned arg)
{
	static const struct {
		const char *begins;
		enum filter filter;
	} rows[] = {
		{ "hate", FILTER_HATE },	   { "harassment", FILTER_HATE },
		{ "sexual", FILTER_SEXUAL },	   { "violence", FILTER_VIOLENCE },
		{ "self-harm", FILTER_SELF_HARM }, { "self_harm", FILTER_SELF_HARM },
	};
	const char *name = strrchr(e->path, '.');
	enum filter filter = FILTER_OTHER;

	(void)arg;
	if (e->kind != JSON_TRUE || !name)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strncmp(name + 1, rows[i].begins, strlen(rows[i].begins)))
			filter = rows[i].filter;
	reading_filtered(r, filter, false);
}

static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "data[].embedding", reading_skip, SKIP_VECTOR },
	{ "data[].embedding[]", reading_skip, SKIP_VECTOR },
	{ "results[].categories.*", on_category },
	{ "data[].b64_json", reading_media, SKIP_IMAGE },
	{ "data[].url", reading_media_ref, SKIP_IMAGE },
	{ "data[].revised_prompt", reading_another, FIELD_OUTPUT },
	{ "b64_json", reading_media, SKIP_IMAGE },
	/* Transcripts: whole, or pieces and then the whole. */
	{ "text", reading_text, FIELD_TRANSCRIPT },
	{ "delta", reading_delta, FIELD_TRANSCRIPT },
	OPENAI_USAGE_ROWS("usage"),
	FILTER_ROWS("prompt_filter_results[].content_filter_results"),
	FILTER_ROWS("data[].content_filter_results"),
	FILTER_ROWS("data[].prompt_filter_results"),
	BARE_ERROR_ROWS,
	ERROR_ROWS,
};

static const struct shape request_list[] = { SHAPE("", request_rows) },
			  response_list[] = { SHAPE("", response_rows) };
static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

static const char *const embedding_needs[] = { "input", "model", NULL };
static const char *const embedding_hints[] = { "encoding_format", "dimensions", NULL };

static const struct form embedding = {
	.name = "openai-embedding",
	.summary = "OpenAI embeddings, and every server with the same API",
	.operation = OP_EMBEDDING,
	.request = &request,
	.response = &response,
	.needs = embedding_needs,
	.hints = embedding_hints,
};

static const struct form moderation = {
	.name = "openai-moderation",
	.summary = "OpenAI moderations",
	.operation = OP_MODERATION,
	.request = &request,
	.response = &response,
};

static const struct form image = {
	.name = "openai-image",
	.summary = "OpenAI images: made, edited, varied",
	.operation = OP_IMAGE,
	.request = &request,
	.response = &response,
};

static const char *const audio_last[] = { "transcript.text.done", NULL };

static const struct form audio = {
	.name = "openai-audio",
	.summary = "OpenAI speech, transcriptions and translations",
	.operation = OP_AUDIO,
	.request = &request,
	.response = &response,
	.envelope = &envelope_type,
	.retold = "transcript.text.done",
	.last = audio_last,
};

static const struct route routes[] = {
	{ "/embeddings", &embedding },
	{ "/deployments/{model}/embeddings", &embedding },
	{ "/images/embeddings", &embedding },
	{ "/moderations", &moderation },
	{ "/images/generations", &image },
	{ "/images/edits", &image },
	{ "/images/variations", &image },
	{ "/deployments/{model}/images/generations", &image },
	{ "/deployments/{model}/images/edits", &image },
	{ "/audio/speech", &audio },
	{ "/audio/transcriptions", &audio },
	{ "/audio/translations", &audio },
	{ "/deployments/{model}/audio/speech", &audio },
	{ "/deployments/{model}/audio/transcriptions", &audio },
	{ "/deployments/{model}/audio/translations", &audio },
};

const struct dialect dialect_openai_inputs = {
	.name = "openai-inputs",
	.summary =
	    "embeddings, moderations, images and audio of OpenAI, Azure OpenAI and compatible "
	    "servers",
	ROUTES(routes),
};
