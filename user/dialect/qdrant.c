/* user/dialect/qdrant.c - Qdrant's points by HTTP and gRPC: texts in payloads, written and found.
 * Numbers of fields: qdrant's points.proto and json_with_int.proto.
 */
#include "dialect/grpc_form.h"

static const struct shape_row point_rows[] = {
	{ "id", reading_mark, PORT_STR(item.name) },
	{ "payload.**", reading_line, FIELD_DOCUMENT },
	{ "vector[]", reading_skip, SKIP_VECTOR },
	{ "vector[][]", reading_skip, SKIP_VECTOR },
	/* Embedded by the server. */
	{ "vector.text", reading_line, FIELD_DOCUMENT },
	{ "vector.*.text", reading_line, FIELD_DOCUMENT },
};

static const struct shape_row write_rows[] = {
	{ "points[]", reading_item },
	{ "batch.payloads[]", reading_item },
	{ "batch.payloads[].**", reading_line, FIELD_DOCUMENT },
	{ "batch.vectors[][]", reading_skip, SKIP_VECTOR },
	{ "payload.**", reading_another, FIELD_DOCUMENT },
	{ "operations[]", reading_item },
	{ "operations[].upsert.points[]", reading_item },
	{ "operations[].upsert.batch.payloads[].**", reading_line, FIELD_DOCUMENT },
	{ "operations[].set_payload.payload.**", reading_line, FIELD_DOCUMENT },
	{ "operations[].overwrite_payload.payload.**", reading_line, FIELD_DOCUMENT },
};
static const struct shape write_list[] = {
	SHAPE("", write_rows),
	SHAPE("points[].", point_rows),
	SHAPE("operations[].upsert.points[].", point_rows),
};

static const struct shape_row query_rows[] = {
	{ "query.text", reading_another, FIELD_INPUT },
	{ "query.nearest.text", reading_another, FIELD_INPUT },
	{ "query.nearest[]", reading_skip, SKIP_VECTOR },
	{ "query[]", reading_skip, SKIP_VECTOR },
	{ "vector[]", reading_skip, SKIP_VECTOR },
	{ "vector.vector[]", reading_skip, SKIP_VECTOR },
	{ "searches[].query.text", reading_another, FIELD_INPUT },
	{ "searches[].query.nearest.text", reading_another, FIELD_INPUT },
	{ "searches[].vector[]", reading_skip, SKIP_VECTOR },
};
static const struct shape query_list[] = { SHAPE("", query_rows) };

static const struct shape_row found_rows[] = {
	{ "result[]", reading_item },
	{ "result[][]", reading_item },
	{ "result.points[]", reading_item },
	{ "result[].points[]", reading_item },
	{ "result.groups[].hits[]", reading_item },
};
static const struct shape found_list[] = {
	SHAPE("", found_rows),
	SHAPE("result.", point_rows),
	SHAPE("result[].", point_rows),
	SHAPE("result[][].", point_rows),
	SHAPE("result.points[].", point_rows),
	SHAPE("result[].points[].", point_rows),
	SHAPE("result.groups[].hits[].", point_rows),
};

static struct shapes write_request = SHAPES(write_list), query_request = SHAPES(query_list),
		     found_response = SHAPES(found_list);

/* --- gRPC */

static const struct grpc_rows value;
static const struct protobuf_row value_rows[] = {
	GRPC_TEXT("4", reading_line, FIELD_DOCUMENT),
	GRPC_INSIDE("6.1.2", &value),
	GRPC_INSIDE("7.1", &value),
};
static const struct grpc_rows value = GRPC_ROWS(value_rows);

/* clang-format off */
#define VECTOR_ROWS(at)                                                         \
	GRPC_VECTOR(at ".1"),                                                   \
	GRPC_VECTOR(at ".101"),                                                 \
	GRPC_VECTOR(at ".102"),                                                 \
	GRPC_VECTOR(at ".103"),                                                 \
	GRPC_TEXT(at ".104.1", reading_line, FIELD_DOCUMENT)
#define POINT_ROWS(at)                                                          \
	GRPC_ITEM(at),                                                          \
	GRPC_TEXT(at ".1.2", reading_mark, PORT_STR(item.name)),                \
	GRPC_INSIDE(at ".3.2", &value),                                         \
	VECTOR_ROWS(at ".4.1"),                                                 \
	VECTOR_ROWS(at ".4.2.1.2")
#define HIT_ROWS(at)                                                            \
	GRPC_ITEM(at),                                                          \
	GRPC_TEXT(at ".1.2", reading_mark, PORT_STR(item.name)),                \
	GRPC_INSIDE(at ".2.2", &value)
#define QUERY_ROWS(at)                                                          \
	GRPC_VECTOR(at "3.1.2"),                                                \
	GRPC_VECTOR(at "3.1.4"),                                                \
	GRPC_TEXT(at "3.1.5.1", reading_another, FIELD_INPUT),                  \
	GRPC_VECTOR(at "2.2.1.2"),                                              \
	GRPC_TEXT(at "2.2.1.5.1", reading_another, FIELD_INPUT)
#define COLLECTION_ROW(at) GRPC_TEXT(at, reading_turn_id, TURN_STR(object))
/* clang-format on */
static const struct protobuf_row upsert_rows[] = { COLLECTION_ROW("1"), POINT_ROWS("3") };
static const struct protobuf_row payload_rows[] = { COLLECTION_ROW("1"),
						    GRPC_INSIDE("3.2", &value) };
static const struct protobuf_row batch_rows[] = {
	COLLECTION_ROW("1"),
	POINT_ROWS("3.1.1"),
	GRPC_INSIDE("3.3.1.2", &value),
	GRPC_INSIDE("3.4.1.2", &value),
};
static const struct protobuf_row ask_rows[] = { COLLECTION_ROW("1"), QUERY_ROWS("") };
static const struct protobuf_row ask_batch_rows[] = { COLLECTION_ROW("2.1"), QUERY_ROWS("2.") };
static const struct protobuf_row search_rows[] = { COLLECTION_ROW("1"), GRPC_VECTOR("2") };
static const struct protobuf_row search_batch_rows[] = { COLLECTION_ROW("2.1"),
							 GRPC_VECTOR("2.2") };
static const struct protobuf_row hit_rows[] = { HIT_ROWS("1") };
static const struct protobuf_row hit_batch_rows[] = { HIT_ROWS("1.1") };
static const struct protobuf_row hit_group_rows[] = { HIT_ROWS("1.1.2") };
static const struct protobuf_row page_rows[] = { HIT_ROWS("2") };

static const struct grpc_form upserting = { { [SIDE_REQUEST] = GRPC_ROWS(upsert_rows) } },
			      labelling = { { [SIDE_REQUEST] = GRPC_ROWS(payload_rows) } },
			      updating = { { [SIDE_REQUEST] = GRPC_ROWS(batch_rows) } },
			      asking = GRPC_FORM(ask_rows, hit_rows),
			      asking_batch = GRPC_FORM(ask_batch_rows, hit_batch_rows),
			      asking_groups = GRPC_FORM(ask_rows, hit_group_rows),
			      searching = GRPC_FORM(search_rows, hit_rows),
			      searching_batch = GRPC_FORM(search_batch_rows, hit_batch_rows),
			      searching_groups = GRPC_FORM(search_rows, hit_group_rows),
			      paging = GRPC_FORM(search_rows, page_rows);

/* --- operations */

static const char *const none[] = { NULL };
static const char *const write_hints[] = { "points[].id", "batch.ids", NULL };
static const char *const retrieve_needs[] = { "ids", NULL };

#define WRITTEN                                                                                    \
	.name = "qdrant-write", .summary = "Qdrant: points written", .operation = OP_VECTOR_WRITE
#define FOUND                                                                                      \
	.name = "qdrant-read", .summary = "Qdrant: points found and read",                         \
	.operation = OP_VECTOR_READ
#define WRITING WRITTEN, .request = &write_request
#define FINDING FOUND, .request = &query_request, .response = &found_response

static const struct form writing = { WRITING }, finding = { FINDING };
static const struct form grpc_upsert = { WRITTEN, .grpc = &upserting },
			 grpc_payload = { WRITTEN, .grpc = &labelling },
			 grpc_batch = { WRITTEN, .grpc = &updating },
			 grpc_query = { FOUND, .grpc = &asking },
			 grpc_query_batch = { FOUND, .grpc = &asking_batch },
			 grpc_query_groups = { FOUND, .grpc = &asking_groups },
			 grpc_search = { FOUND, .grpc = &searching },
			 grpc_search_batch = { FOUND, .grpc = &searching_batch },
			 grpc_search_groups = { FOUND, .grpc = &searching_groups },
			 grpc_scroll = { FOUND, .grpc = &paging };
/* At an address that others have, too. */
static const struct form upsert = { WRITING, .needs = none, .hints = write_hints },
			 retrieval = { FINDING, .needs = retrieve_needs };

/* clang-format off */
#define SERVICE "/qdrant.Points/"
#define GRPC .event = grpc_form_event, .end = grpc_form_end
/* clang-format on */
static const struct route routes[] = {
	{ "/collections/{object}/points", &upsert, .method = "PUT", .common = true },
	{ "/collections/{object}/points", &retrieval, .common = true },
	{ "/collections/{object}/points/payload", &writing, .method = "*" },
	{ "/collections/{object}/points/batch", &writing },
	{ "/collections/{object}/points/delete", &writing },
	{ "/collections/{object}/points/search", &finding },
	{ "/collections/{object}/points/search/batch", &finding },
	{ "/collections/{object}/points/search/groups", &finding },
	{ "/collections/{object}/points/query", &finding },
	{ "/collections/{object}/points/query/batch", &finding },
	{ "/collections/{object}/points/query/groups", &finding },
	{ "/collections/{object}/points/scroll", &finding },
	{ "/collections/{object}/points/recommend", &finding },
	{ "/collections/{object}/points/discover", &finding },
	{ SERVICE "Upsert", &grpc_upsert, GRPC },
	{ SERVICE "SetPayload", &grpc_payload, GRPC },
	{ SERVICE "OverwritePayload", &grpc_payload, GRPC },
	{ SERVICE "UpdateBatch", &grpc_batch, GRPC },
	{ SERVICE "Query", &grpc_query, GRPC },
	{ SERVICE "QueryBatch", &grpc_query_batch, GRPC },
	{ SERVICE "QueryGroups", &grpc_query_groups, GRPC },
	{ SERVICE "Search", &grpc_search, GRPC },
	{ SERVICE "SearchBatch", &grpc_search_batch, GRPC },
	{ SERVICE "SearchGroups", &grpc_search_groups, GRPC },
	{ SERVICE "Recommend", &grpc_search, GRPC },
	{ SERVICE "Discover", &grpc_search, GRPC },
	{ SERVICE "Get", &grpc_search, GRPC },
	{ SERVICE "Scroll", &grpc_scroll, GRPC },
};

const struct dialect dialect_qdrant = {
	.name = "qdrant",
	.summary = "Qdrant's points, written and read",
	ROUTES(routes),
};
