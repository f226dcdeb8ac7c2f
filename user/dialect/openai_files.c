/* user/dialect/openai_files.c - OpenAI's files and what is done with them: uploads, batches,
 * training jobs, vector stores. A file of JSON lines is read line by line: examples to train on,
 * calls of a batch and their answers.
 */
#include "dialect/reading.h"

/* --- lines of files */

static const struct shape_row message_rows[] = {
	{ "role", reading_mark, PORT_STR(item.role) },
	{ "name", reading_mark, PORT_STR(item.name) },
	{ "content", reading_text, FIELD_CONTENT },
	{ "content[].type", reading_mark, PORT_STR(block.type) },
	{ "content[].text", reading_text, FIELD_CONTENT },
	{ "content[].image_url.url", reading_media, SKIP_IMAGE },
	{ "tool_calls[].function.arguments", reading_text, FIELD_CALL },
	{ "tool_calls[].function.name", reading_text_name, FIELD_CALL },
	{ "tool_call_id", reading_mark, PORT_STR(item.call_id) },
};

static const struct shape_row line_rows[] = {
	{ "custom_id", reading_mark, PORT_STR(id) },
	{ "method", reading_mark, PORT_STR(id) },
	{ "url", reading_mark, PORT_STR(id) },
	{ "id", reading_mark, PORT_STR(id) },
	{ "prompt", reading_another, FIELD_INPUT },
	{ "completion", reading_another, FIELD_OUTPUT },
	{ "messages[]", reading_item },
	{ "input.messages[]", reading_item },
	{ "preferred_output[]", reading_item },
	{ "non_preferred_output[]", reading_item },
	{ "body.model", reading_model },
	{ "body.messages[]", reading_item },
	{ "body.input", reading_another, FIELD_INPUT },
	{ "body.input[]", reading_item },
	{ "body.instructions", reading_another, FIELD_INSTRUCTIONS },
	{ "body.prompt", reading_another, FIELD_INPUT },
	{ "response.request_id", reading_mark, PORT_STR(id) },
	{ "response.body.id", reading_mark, PORT_STR(id) },
	{ "response.body.object", reading_mark, PORT_STR(id) },
	{ "response.body.model", reading_turn_id, TURN_STR(response_model) },
	{ "response.body.choices[].message.role", reading_mark, PORT_STR(id) },
	{ "response.body.choices[].finish_reason", reading_mark, PORT_STR(id) },
	{ "response.body.choices[].message.content", reading_another, FIELD_OUTPUT },
	{ "response.body.output[].content[].text", reading_another, FIELD_OUTPUT },
};
static const struct shape line_list[] = {
	SHAPE("", line_rows),
	SHAPE("messages[].", message_rows),
	SHAPE("input.messages[].", message_rows),
	SHAPE("preferred_output[].", message_rows),
	SHAPE("non_preferred_output[].", message_rows),
	SHAPE("body.messages[].", message_rows),
	SHAPE("body.input[].", message_rows),
};
static struct shapes lines = SHAPES(line_list);

/* What a line has under names of its own. */
static void on_other(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (r->now->shapes == &lines)
		reading_line(r, e, FIELD_DOCUMENT);
}

/* --- what the API says of them */

static const struct shape_row request_rows[] = {
	{ "model", reading_model },
	{ "filename", reading_turn_id, TURN_STR(object) },
	{ "training_file", reading_media_ref, SKIP_FILE },
	{ "validation_file", reading_media_ref, SKIP_FILE },
	{ "input_file_id", reading_media_ref, SKIP_FILE },
	{ "file_id", reading_media_ref, SKIP_FILE },
	{ "file_ids[]", reading_media_ref, SKIP_FILE },
	{ "query", reading_another, FIELD_INPUT },
	{ "query[]", reading_another, FIELD_INPUT },
};
static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "fine_tuned_model", reading_turn_id, TURN_STR(response_model) },
	{ "status", reading_finish },
	{ "data[]", reading_item },
	{ "data[].filename", reading_mark, PORT_STR(item.name) },
	{ "data[].content[].text", reading_line, FIELD_DOCUMENT },
	ERROR_ROWS,
};
static const struct shape request_list[] = { SHAPE("", request_rows) },
			  response_list[] = { SHAPE("", response_rows) };
static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

#define BODIES .request = &request, .response = &response

static const struct form file = {
	.name = "openai-file",
	.summary = "OpenAI files and uploads",
	.operation = OP_FILE,
	.lines = &lines,
	.any = on_other,
	BODIES,
};

static const struct form batch = {
	.name = "openai-batch",
	.summary = "OpenAI batches",
	.operation = OP_BATCH,
	BODIES,
};

static const struct form job = {
	.name = "openai-fine-tuning",
	.summary = "OpenAI fine-tuning jobs",
	.operation = OP_FINE_TUNE,
	BODIES,
};

static const struct form store = {
	.name = "openai-vector-store",
	.summary = "OpenAI vector stores",
	.operation = OP_VECTOR_STORE,
	BODIES,
};

static const struct route routes[] = {
	{ "/v1/files", &file },
	{ "/openai/files", &file },
	{ "/v1/files/{object}/content", &file, .method = "GET" },
	{ "/openai/files/{object}/content", &file, .method = "GET" },
	{ "/v1/uploads", &file },
	{ "/v1/uploads/{object}/parts", &file },
	{ "/v1/uploads/{object}/complete", &file },
	{ "/v1/batches", &batch },
	{ "/openai/batches", &batch },
	{ "/fine_tuning/jobs", &job },
	{ "/fine_tuning/jobs/{object}", &job, .method = "GET" },
	{ "/fine_tuning/jobs/{object}/cancel", &job },
	{ "/v1/vector_stores", &store },
	{ "/vector_stores/{object}/files", &store },
	{ "/vector_stores/{object}/file_batches", &store },
	{ "/vector_stores/{object}/search", &store, OP_VECTOR_READ },
};

const struct dialect dialect_openai_files = {
	.name = "openai-files",
	.summary = "files, uploads, batches, fine-tuning and vector stores of OpenAI and Azure "
		   "OpenAI",
	ROUTES(routes),
};
