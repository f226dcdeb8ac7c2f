/* user/dialect/mistral.c - what Mistral has beside OpenAI's form, in which it chats: pages read
 * from documents, conversations with agents.
 */
#include "dialect/reading.h"

/* --- pages */

static const struct shape_row scan_rows[] = {
	{ "model", reading_model },
	{ "document.document_url", reading_media, SKIP_FILE },
	{ "document.document_name", reading_turn_id, TURN_STR(object) },
	{ "document.image_url", reading_media, SKIP_IMAGE },
	{ "document.image_url.url", reading_media, SKIP_IMAGE },
	{ "document.file_id", reading_media_ref, SKIP_FILE },
	{ "document_annotation_prompt", reading_text, FIELD_INSTRUCTIONS },
};
static const struct shape_row page_rows[] = {
	{ "model", reading_turn_id, TURN_STR(response_model) },
	/* A document's words, not the model's. */
	{ "pages[].markdown", reading_another, FIELD_DOCUMENT },
	{ "pages[].images[].image_base64", reading_media, SKIP_IMAGE },
	{ "document_annotation", reading_another, FIELD_OUTPUT },
};
static const struct shape scan_list[] = { SHAPE("", scan_rows) },
			  page_list[] = { SHAPE("", page_rows) };
static struct shapes scan = SHAPES(scan_list), page = SHAPES(page_list);

static const char *const ocr_needs[] = { "model", "document", NULL };

static const struct form ocr = {
	.name = "mistral-ocr",
	.summary = "Mistral OCR: pages of a document as text",
	.operation = OP_OCR,
	.request = &scan,
	.response = &page,
	.needs = ocr_needs,
};

/* --- conversations */

static const struct shape_row entry_rows[] = {
	{ "", reading_item },
	{ ".role", reading_mark, PORT_STR(item.role) },
	{ ".type", reading_mark, PORT_STR(item.type) },
	{ ".name", reading_mark, PORT_STR(item.name) },
	{ ".tool_call_id", reading_mark, PORT_STR(item.call_id) },
	{ ".content", reading_text, FIELD_CONTENT },
	{ ".content[].text", reading_text, FIELD_CONTENT },
	{ ".content[].image_url", reading_media, SKIP_IMAGE },
	{ ".content[].image_url.url", reading_media, SKIP_IMAGE },
	{ ".content[].document_url", reading_media, SKIP_FILE },
	{ ".content[].thinking[].text", reading_text, FIELD_REASONING },
	{ ".arguments", reading_value, FIELD_CALL },
	{ ".result", reading_value, FIELD_RESULT },
};
static const struct shape_row ask_rows[] = {
	{ "model", reading_model },
	{ "stream", reading_stream },
	{ "agent_id", reading_turn_id, TURN_STR(object) },
	{ "instructions", reading_text, FIELD_INSTRUCTIONS },
	{ "inputs", reading_another, FIELD_INPUT },
	{ "tools[]", reading_item },
};
static const struct shape ask_list[] = {
	SHAPE("", ask_rows),
	SHAPE("inputs[]", entry_rows),
	SHAPE("tools[].function.", tool_rows),
};
static const struct shape_row told_rows[] = {
	{ "conversation_id", reading_turn_id, TURN_STR(conversation) },
	/* Of a stream. */
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model", reading_turn_id, TURN_STR(response_model) },
	{ "content", reading_text, FIELD_OUTPUT },
	{ "content.text", reading_text, FIELD_OUTPUT },
	{ "content.thinking[].text", reading_text, FIELD_REASONING },
	{ "name", reading_text_name, FIELD_CALL },
	{ "tool_call_id", reading_text_id, FIELD_CALL },
	{ "arguments", reading_text, FIELD_CALL },
	{ "code", reading_error, 1 },
	OPENAI_USAGE_ROWS("usage"),
	ERROR_ROWS,
};
static const struct shape told_list[] = {
	SHAPE("", told_rows),
	SHAPE("outputs[]", entry_rows),
};
static const struct shape_row envelope_rows[] = {
	{ "type", reading_mark, PORT_STR(event.type) },
	{ "output_index", reading_number, offsetof(struct port, event.message) },
	{ "content_index", reading_number, offsetof(struct port, event.part) },
};
static const struct shape envelope_list[] = { SHAPE("", envelope_rows) };
static struct shapes ask = SHAPES(ask_list), told = SHAPES(told_list),
		     envelope = SHAPES(envelope_list);
static const char *const last[] = { "conversation.response.done", "conversation.response.error",
				    NULL };

static const struct form conversation = {
	.name = "mistral-conversation",
	.summary = "Mistral's conversations with models and agents",
	.operation = OP_RESPONSE,
	.request = &ask,
	.response = &told,
	.envelope = &envelope,
	.last = last,
};

static const struct route routes[] = {
	{ "/v1/ocr", &ocr, .common = true },
	{ "/v1/conversations", &conversation, .provider = "mistral" },
	{ "/v1/conversations/{conversation}", &conversation, .provider = "mistral" },
	{ "/v1/conversations/{conversation}/restart", &conversation, .provider = "mistral" },
};

const struct dialect dialect_mistral = {
	.name = "mistral",
	.summary = "Mistral's OCR and conversations; its chat is OpenAI's",
	ROUTES(routes),
};
