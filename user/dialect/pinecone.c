/* user/dialect/pinecone.c - Pinecone's vectors with their metadata, by HTTP and gRPC, and records,
 * a line each: written and found. Numbers of fields: Pinecone's vector_service.proto.
 */
#include "dialect/grpc_form.h"

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

/* --- gRPC */

/* clang-format off */
#define HIT_ROWS(at)                                                            \
	GRPC_ITEM(at),                                                          \
	GRPC_TEXT(at ".1", reading_mark, PORT_STR(item.name)),                  \
	GRPC_VECTOR(at ".3"),                                                   \
	GRPC_INSIDE(at ".4.1.2", &grpc_google_value)
#define STORED_ROWS(at)                                                         \
	GRPC_ITEM(at),                                                          \
	GRPC_TEXT(at ".1", reading_mark, PORT_STR(item.name)),                  \
	GRPC_VECTOR(at ".2"),                                                   \
	GRPC_INSIDE(at ".3.1.2", &grpc_google_value)
#define NAMESPACE_ROW(at) GRPC_TEXT(at, reading_turn_id, TURN_STR(object))
/* clang-format on */
static const struct protobuf_row upsert_rows[] = { STORED_ROWS("1"), NAMESPACE_ROW("2") };
static const struct protobuf_row update_rows[] = {
	GRPC_VECTOR("2"),
	GRPC_INSIDE("3.1.2", &grpc_google_value),
	NAMESPACE_ROW("4"),
};
static const struct protobuf_row ask_rows[] = { NAMESPACE_ROW("1"), GRPC_VECTOR("7"),
						GRPC_VECTOR("6.1") };
static const struct protobuf_row hit_rows[] = { HIT_ROWS("2"), HIT_ROWS("1.1") };
static const struct protobuf_row fetch_rows[] = { NAMESPACE_ROW("2") };
static const struct protobuf_row fetched_rows[] = { STORED_ROWS("1.2") };
static const struct grpc_form upserting = { { [SIDE_REQUEST] = GRPC_ROWS(upsert_rows) } },
			      updating = { { [SIDE_REQUEST] = GRPC_ROWS(update_rows) } },
			      asking = GRPC_FORM(ask_rows, hit_rows),
			      fetching = GRPC_FORM(fetch_rows, fetched_rows);

/* --- operations */

static const char *const none[] = { NULL };
static const char *const write_hints[] = { "vectors[].values", "vectors[].sparseValues",
					   "setMetadata", NULL };
static const char *const query_needs[] = { "topK", NULL };

#define WRITTEN                                                                                    \
	.name = "pinecone-write", .summary = "Pinecone: vectors written",                          \
	.operation = OP_VECTOR_WRITE

static const struct form writing = { WRITTEN, .request = &vectors, .needs = none,
				     .hints = write_hints };
static const struct form grpc_upsert = { WRITTEN, .grpc = &upserting },
			 grpc_update = { WRITTEN, .grpc = &updating };

static const struct form record = {
	.name = "pinecone-write",
	.summary = "Pinecone: records written",
	.operation = OP_VECTOR_WRITE,
	.request = &records,
	.any = on_field,
};

#define FOUND                                                                                      \
	.name = "pinecone-read", .summary = "Pinecone: vectors and records found and read",        \
	.operation = OP_VECTOR_READ
#define FINDING FOUND, .request = &query_request, .response = &matches

static const struct form grpc_query = { FOUND, .grpc = &asking },
			 grpc_fetch = { FOUND, .grpc = &fetching };
static const struct form finding = { FINDING };
/* At an address that others have, too. */
static const struct form query = { FINDING, .needs = query_needs };

/* clang-format off */
#define SERVICE "/VectorService/"
#define GRPC .event = grpc_form_event, .end = grpc_form_end
/* clang-format on */
static const struct route routes[] = {
	{ "/vectors/upsert", &writing, .common = true },
	{ "/vectors/update", &writing, .common = true },
	{ "/records/namespaces/{object}/upsert", &record },
	{ "/records/namespaces/{object}/search", &query },
	{ "/query", &query, .common = true },
	{ SERVICE "Upsert", &grpc_upsert, GRPC },
	{ SERVICE "Update", &grpc_update, GRPC },
	{ SERVICE "Query", &grpc_query, GRPC },
	{ SERVICE "Fetch", &grpc_fetch, GRPC },
	{ "/vectors/fetch", &finding, .method = "GET", .field = "x-pinecone-api-version" },
};

const struct dialect dialect_pinecone = {
	.name = "pinecone",
	.summary = "Pinecone's vectors and records, written and read",
	ROUTES(routes),
};
