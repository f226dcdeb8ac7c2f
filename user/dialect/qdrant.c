/* user/dialect/qdrant.c - Qdrant's points over HTTP: texts in payloads, written and found. */
#include "dialect/reading.h"

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

static const char *const none[] = { NULL };
static const char *const write_hints[] = { "points[].id", "batch.ids", NULL };
static const char *const retrieve_needs[] = { "ids", NULL };

#define WRITING                                                                                    \
	.name = "qdrant-write", .summary = "Qdrant: points written", .operation = OP_VECTOR_WRITE, \
	.request = &write_request
#define FINDING                                                                                    \
	.name = "qdrant-read", .summary = "Qdrant: points found and read",                         \
	.operation = OP_VECTOR_READ, .request = &query_request, .response = &found_response

static const struct form writing = { WRITING }, finding = { FINDING };
/* At an address that others have, too. */
static const struct form upsert = { WRITING, .needs = none, .hints = write_hints },
			 retrieval = { FINDING, .needs = retrieve_needs };

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
};

const struct dialect dialect_qdrant = {
	.name = "qdrant",
	.summary = "Qdrant's points, written and read",
	ROUTES(routes),
};
