/* user/dialect/mcp.c - the Model Context Protocol over HTTP: JSON-RPC requests that agents send to
 * tool servers, answered as JSON or as a stream; with sessions (up to 2025-11-25), without
 * (2026-07-28), and over the two paths of before (HTTP with SSE). What a server says is untrusted:
 * descriptions of its tools, results, resources, prompts, and what it asks of model and user.
 */
#include "base/base64.h"
#include "dialect/reading.h"

/* Methods whose object stands in Mcp-Name as well. */
static bool is_named(const char *method)
{
	static const char *const methods[] = { "tools/call", "prompts/get", "resources/read" };

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(method, methods[i]))
			return true;
	return false;
}

/* A field says this of a body that says that. What does not fit into a turn is not compared. */
static bool contradicts(struct span field, const char *body, size_t room)
{
	static const struct span begin = SPAN_LIT("=?base64?"), end = SPAN_LIT("?=");
	uint8_t plain[TURN_ID_MAX];

	if (field.len >= begin.len + end.len && span_starts(field, begin)) {
		struct span coded = span_sub(field, begin.len, field.len - begin.len - end.len);

		if (coded.len > sizeof(plain))
			return false;
		memcpy(plain, coded.p, coded.len);
		field = span_of(plain, base64_decode(plain, span_of(plain, coded.len)));
	}
	return field.len && field.len < room - 1 && !span_eq(field, span_str(body));
}

/* Servers act by the body; gateways, by the fields that repeat parts of it (2026-07-28). */
static void compare(struct reading *r)
{
	const struct port *port = r->now;
	const char *method = port->item.type;
	const struct {
		const char *field, *body;
		size_t room;
		bool given;
	} rows[] = {
		{ "mcp-method", method, sizeof(port->item.type), true },
		{ "mcp-name", r->t.object, sizeof(r->t.object), is_named(method) },
		{ "mcp-protocol-version", port->id, sizeof(port->id), port->id[0] },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].given &&
		    contradicts(exchange_field(r->t.exchange, SIDE_REQUEST, rows[i].field),
				rows[i].body, rows[i].room))
			r->t.contradiction = rows[i].field;
}

/* The session's id in the address that requests are sent to: "?session_id=..." */
static void take_address(struct reading *r, struct span address)
{
	static const char *const names[] = { "session_id=", "sessionId=" };
	struct span query = address;

	span_token(&query, '?');
	while (query.len) {
		struct span pair = span_token(&query, '&');

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (span_starts(pair, span_str(names[i])))
				turn_id(r->t.conversation, sizeof(r->t.conversation),
					span_sub(pair, strlen(names[i]), pair.len));
	}
}

static void take_session(struct reading *r)
{
	for (enum side side = 0; side < SIDE_MAX_ && !r->t.conversation[0]; side++)
		turn_id(r->t.conversation, sizeof(r->t.conversation),
			exchange_field(r->t.exchange, side, "mcp-session-id"));
	if (!r->t.conversation[0])
		take_address(r, r->t.exchange->target);
}

/* Where the requests go whose answers come here. */
static bool on_event(struct reading *r, const struct flow_event *ev)
{
	if (!span_eq(ev->type, SPAN_LIT("endpoint")))
		return false;
	take_address(r, ev->data);
	return true;
}

/* One JSON-RPC message, or one of a batch. */
static void on_message(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	bool call = !strcmp(port->item.type, "tools/call");

	if (e->kind == JSON_OBJECT) {
		port->id[0] = 0;
		take_session(r);
	}
	if (e->kind == JSON_OBJECT_END && port->side == SIDE_REQUEST && port->item.open) {
		/* Arguments of a prompt are given by a person. */
		for (size_t i = port->item.first; i < r->t.n_segments; i++)
			reading_settle(r, i, FIELD_CALL, call ? FIELD_CALL : FIELD_INPUT);
		if (!e->damaged)
			compare(r);
	}
	reading_item(r, e, arg);
	if (e->kind == JSON_OBJECT_END && port->side == SIDE_RESPONSE)
		reading_progress(r, e, arg);
}

/* What a request is about: a tool, a prompt, a resource. */
static void on_object(struct reading *r, const struct json_event *e, unsigned arg)
{
	reading_mark(r, e, PORT_STR(item.name));
	reading_turn_id(r, e, TURN_STR(object));
	(void)arg;
}

static void on_failed(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	r->failed |= e->kind == JSON_TRUE;
}

static const struct shape_row begin_rows[] = {
	{ "", on_message },
	{ "[]", on_message },
};

/* --- the client's messages: requests, and answers to what the server asks */

static const struct shape_row request_rows[] = {
	{ "method", reading_mark, PORT_STR(item.type) },
	{ "params.name", on_object },
	{ "params.uri", on_object },
	{ "params.arguments", reading_value, FIELD_CALL },
	{ "params.argument.value", reading_another, FIELD_INPUT },
	{ "params.clientInfo.name", reading_turn_id, TURN_STR(application) },
	{ "params._meta.io_modelcontextprotocol/clientInfo.name", reading_turn_id,
	  TURN_STR(application) },
	{ "params._meta.io_modelcontextprotocol/protocolVersion", reading_mark, PORT_STR(id) },
	{ "params.inputResponses.*.content", reading_value, FIELD_INPUT },
	/* Sampled by the client's model, or filled in by its user. */
	{ "result.model", reading_turn_id, TURN_STR(request_model) },
	{ "result.content.text", reading_another, FIELD_OUTPUT },
	{ "result.content[].text", reading_another, FIELD_OUTPUT },
	{ "result.content[].input", reading_value, FIELD_CALL },
	{ "result.content.type", reading_mark, PORT_STR(block.type) },
	{ "result.content.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "result.content.data", reading_media, SKIP_FILE },
	{ "result.content.*", reading_another, FIELD_INPUT },
};

static const struct shape request_list[] = {
	SHAPE("", begin_rows),
	SHAPE("", request_rows),
	SHAPE("[].", request_rows),
};

/* --- the server's: results, and requests of its own */

/* Part of a result, of a prompt, of what the server asks the client's model. */
static const struct shape_row part_rows[] = {
	{ "text", reading_another, FIELD_RESULT },
	{ "name", reading_mark, PORT_STR(block.name) },
	{ "description", reading_another, FIELD_RESULT },
	{ "mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "data", reading_media, SKIP_FILE },
	{ "uri", reading_media_ref, SKIP_FILE },
	{ "resource.text", reading_another, FIELD_DOCUMENT },
	{ "resource.uri", reading_mark, PORT_STR(block.name) },
	{ "resource.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "resource.blob", reading_media, SKIP_FILE },
};

static const struct shape_row document_rows[] = {
	{ "text", reading_another, FIELD_DOCUMENT },
	{ "uri", reading_mark, PORT_STR(block.name) },
	{ "name", reading_mark, PORT_STR(block.name) },
	{ "mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "blob", reading_media, SKIP_FILE },
	{ "content.text", reading_another, FIELD_DOCUMENT },
	{ "content.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "content.data", reading_media, SKIP_FILE },
	{ "content.resource.text", reading_another, FIELD_DOCUMENT },
	{ "content.resource.uri", reading_mark, PORT_STR(block.name) },
	{ "content.resource.mimeType", reading_mark, PORT_STR(block.media_type) },
	{ "content.resource.blob", reading_media, SKIP_FILE },
};

/* What the server offers. */
static const struct shape_row offer_rows[] = {
	{ "name", reading_text_name, FIELD_REMOTE_TOOL },
	{ "title", reading_line, FIELD_REMOTE_TOOL },
	{ "description", reading_line, FIELD_REMOTE_TOOL },
	{ "annotations.title", reading_line, FIELD_REMOTE_TOOL },
	{ "inputSchema.**.description", reading_line, FIELD_REMOTE_TOOL },
	{ "inputSchema.description", reading_line, FIELD_REMOTE_TOOL },
	{ "outputSchema.**.description", reading_line, FIELD_REMOTE_TOOL },
	{ "arguments[].description", reading_line, FIELD_REMOTE_TOOL },
};

static const struct shape_row response_rows[] = {
	{ "result.instructions", reading_text, FIELD_REMOTE_TOOL },
	{ "result.tools[]", reading_item },
	{ "result.prompts[]", reading_item },
	{ "result.resources[]", reading_item },
	{ "result.resourceTemplates[]", reading_item },
	{ "result.content[]", reading_block },
	{ "result.structuredContent", reading_value, FIELD_RESULT },
	{ "result.isError", on_failed },
	{ "result.contents[]", reading_block },
	{ "result.description", reading_another, FIELD_DOCUMENT },
	{ "result.messages[]", reading_block },
	{ "error", reading_error, 0 },
	{ "error.code", reading_error, 1 },
	{ "error.message", reading_another, FIELD_RESULT },
	/* Elicitation and sampling: asked along the way, or in the place of a result. */
	{ "params.message", reading_another, FIELD_RESULT },
	{ "params.systemPrompt", reading_another, FIELD_RESULT },
	{ "params.messages[].content.text", reading_another, FIELD_RESULT },
	{ "params.messages[].content[].text", reading_another, FIELD_RESULT },
	{ "result.inputRequests.**.message", reading_another, FIELD_RESULT },
	{ "result.inputRequests.**.systemPrompt", reading_another, FIELD_RESULT },
	{ "result.inputRequests.**.text", reading_another, FIELD_RESULT },
};

static const struct shape response_list[] = {
	SHAPE("", begin_rows),
	SHAPE("", response_rows),
	SHAPE("result.tools[].", offer_rows),
	SHAPE("result.prompts[].", offer_rows),
	SHAPE("result.resources[].", offer_rows),
	SHAPE("result.resourceTemplates[].", offer_rows),
	SHAPE("result.content[].", part_rows),
	SHAPE("result.contents[].", document_rows),
	SHAPE("result.messages[].", document_rows),
	SHAPE("[].", response_rows),
	SHAPE("[].result.tools[].", offer_rows),
	SHAPE("[].result.content[].", part_rows),
	SHAPE("[].result.contents[].", document_rows),
	SHAPE("[].result.messages[].", document_rows),
};

static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

/* A result is that of the tool that the request names: it ran. */
static void end(struct reading *r)
{
	bool called = false;

	for (size_t i = 0; i < r->t.n_segments; i++) {
		struct segment *seg = &r->t.segments[i];

		called |= seg->side == SIDE_REQUEST && seg->role == SEG_TOOL_CALL;
		if (seg->side != SIDE_RESPONSE || seg->role != SEG_TOOL_RESULT)
			continue;
		r->executed |= called;
		if (!seg->name[0])
			turn_id(seg->name, sizeof(seg->name), span_str(r->t.object));
	}
}

static const char *const call_needs[] = { "jsonrpc", "method", "params.name", "params.arguments",
					  NULL };
static const char *const request_needs[] = { "jsonrpc", "method", NULL };
static const char *const request_hints[] = {
	"params.protocolVersion",
	"params._meta.progressToken",
	"params._meta.io_modelcontextprotocol/protocolVersion",
	NULL,
};
/* At an address or with a field that speaks for it. */
static const char *const message_needs[] = { NULL };
static const char *const message_hints[] = { "jsonrpc", "[].jsonrpc", NULL };

#define FORM                                                                                       \
	.name = "mcp", .summary = "Model Context Protocol over HTTP",                              \
	.operation = OP_TOOL_PROTOCOL, .request = &request, .response = &response, .end = end

/* Without any sign but the body. */
static const struct form call = { FORM, .needs = call_needs, .sure = true };
static const struct form other = {
	FORM,
	.needs = request_needs,
	.hints = request_hints,
	.sure = true,
};
static const struct form message = { FORM, .needs = message_needs, .hints = message_hints };
/* What a server sends on its own. */
static const struct form stream = { FORM };

static const struct route routes[] = {
	{ "/", &message, .field = "mcp-protocol-version", .common = true },
	{ "/", &message, .field = "mcp-session-id", .common = true },
	{ "/", &message, .field = "mcp-method", .common = true },
	{ "/", &stream, .field = "mcp-protocol-version", .method = "GET", .stream = true },
	{ "/", &stream, .field = "mcp-session-id", .method = "GET", .stream = true },
	{ "/mcp", &message, .common = true },
	{ "/message", &call, .common = true },
	{ "/messages", &other, .common = true },
	{ "/sse", &stream, .method = "GET", .stream = true, .event = on_event },
};

const struct dialect dialect_mcp = {
	.name = "mcp",
	.summary = "the Model Context Protocol over HTTP, with and without sessions",
	ROUTES(routes),
};
