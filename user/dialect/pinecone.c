/* user/dialect/pinecone.c - Pinecone's vectors with their metadata, and records, a line each:
 * written and found. */
#include "dialect/reading.h"

static const struct shape_row vector_rows[] = {
	{ "namespace", reading_turn_id, TURN_STR(object) },
	{ "vectors[]", reading_item },
	{ "vectors[].id", reading_mark, PORT_STR(item.name) },
	{ "vectors[].values[]", reading_skip, SKIP_VECTOR },
	{ "vectors[].metadata.**", reading_line, FIELD_DOCUMENT },
	{ "setMetadata.**", reading_another, FIELD_DOCUMENT },
};

/* "vectors.<id>.metadata.<key>" */
static void on_fetched(struct reading *r, const struct json_event *e, unsigned arg)
{
	if (strstr(e->path, ".metadata."))
		reading_another(r, e, arg);
}

static const struct shape_row query_rows[] = {
	{ "namespace", reading_turn_id, TURN_STR(object) },
	{ "vector[]", reading_skip, SKIP_VECTOR },
	{ "query.inputs.*", reading_another, FIELD_INPUT },
};
static const struct shape_row match_rows[] = {
	{ "matches[]", reading_item },
	{ "matches[].id", reading_mark, PORT_STR(item.name) },
	{ "matches[].values[]", reading_skip, SKIP_VECTOR },
	{ "matches[].metadata.**", reading_line, FIELD_DOCUMENT },
	{ "result.hits[]", reading_item },
	{ "result.hits[]._id", reading_mark, PORT_STR(item.name) },
	{ "result.hits[].fields.**", reading_line, FIELD_DOCUMENT },
	{ "vectors.**", on_fetched, FIELD_DOCUMENT },
	{ "message", reading_error, 1 },
};
/* Other keys of a record are the index's own: texts, until they prove to be ids. */
static const struct shape_row record_rows[] = {
	{ "", reading_item },
	{ "_id", reading_mark, PORT_STR(item.name) },
	{ "id", reading_mark, PORT_STR(item.name) },
};
static const struct shape vector_list[] = { SHAPE("", vector_rows) },
			  query_list[] = { SHAPE("", query_rows) },
			  match_list[] = { SHAPE("", match_rows) },
			  record_list[] = { SHAPE("", record_rows) };
static struct shapes vectors = SHAPES(vector_list), query_request = SHAPES(query_list),
		     matches = SHAPES(match_list), records = SHAPES(record_list);

static void on_field(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (r->now->side == SIDE_REQUEST)
		reading_line(r, e, FIELD_DOCUMENT);
}

static const char *const none[] = { NULL };
static const char *const write_hints[] = { "vectors[].values", "vectors[].sparseValues",
					   "setMetadata", NULL };
static const char *const query_needs[] = { "topK", NULL };

static const struct form writing = {
	.name = "pinecone-write",
	.summary = "Pinecone: vectors written",
	.operation = OP_VECTOR_WRITE,
	.request = &vectors,
	.needs = none,
	.hints = write_hints,
};

static const struct form record = {
	.name = "pinecone-write",
	.summary = "Pinecone: records written",
	.operation = OP_VECTOR_WRITE,
	.request = &records,
	.any = on_field,
};

#define FINDING                                                                                    \
	.name = "pinecone-read", .summary = "Pinecone: vectors and records found and read",        \
	.operation = OP_VECTOR_READ, .request = &query_request, .response = &matches

static const struct form finding = { FINDING };
/* At an address that others have, too. */
static const struct form query = { FINDING, .needs = query_needs };

static const struct route routes[] = {
	{ "/vectors/upsert", &writing, .common = true },
	{ "/vectors/update", &writing, .common = true },
	{ "/records/namespaces/{object}/upsert", &record },
	{ "/records/namespaces/{object}/search", &query },
	{ "/query", &query, .common = true },
	{ "/vectors/fetch", &finding, .method = "GET", .field = "x-pinecone-api-version" },
};

const struct dialect dialect_pinecone = {
	.name = "pinecone",
	.summary = "Pinecone's vectors and records, written and read",
	ROUTES(routes),
};
