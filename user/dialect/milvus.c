/* user/dialect/milvus.c - Milvus and Zilliz over HTTP: texts in the fields of entities, written and
 * found. */
#include "dialect/reading.h"

static const struct shape_row entity_rows[] = {
	{ "collectionName", reading_turn_id, TURN_STR(object) },
	{ "data[]", reading_item },
	{ "data[].**", reading_line, FIELD_DOCUMENT },
	{ "data[][]", reading_skip, SKIP_VECTOR },
	{ "data[][].**", reading_line, FIELD_DOCUMENT },
};
/* What is searched for by its text, and embedded by the server. */
static const struct shape_row search_rows[] = {
	{ "collectionName", reading_turn_id, TURN_STR(object) },
	{ "data[]", reading_another, FIELD_INPUT },
	{ "data[][]", reading_skip, SKIP_VECTOR },
	{ "search[].data[]", reading_another, FIELD_INPUT },
	{ "search[].data[][]", reading_skip, SKIP_VECTOR },
};
static const struct shape entity_list[] = { SHAPE("", entity_rows) },
			  search_list[] = { SHAPE("", search_rows) };
static struct shapes entities = SHAPES(entity_list), search = SHAPES(search_list);

static const struct form writing = {
	.name = "milvus-write",
	.summary = "Milvus: entities written",
	.operation = OP_VECTOR_WRITE,
	.request = &entities,
};

static const struct form finding = {
	.name = "milvus-read",
	.summary = "Milvus: entities found and read",
	.operation = OP_VECTOR_READ,
	.request = &search,
	.response = &entities,
};

static const struct route routes[] = {
	{ "/v2/vectordb/entities/insert", &writing },
	{ "/v2/vectordb/entities/upsert", &writing },
	{ "/v2/vectordb/entities/delete", &writing },
	{ "/v2/vectordb/entities/search", &finding },
	{ "/v2/vectordb/entities/advanced_search", &finding },
	{ "/v2/vectordb/entities/hybrid_search", &finding },
	{ "/v2/vectordb/entities/query", &finding },
	{ "/v2/vectordb/entities/get", &finding },
};

const struct dialect dialect_milvus = {
	.name = "milvus",
	.summary = "Milvus' entities, written and read",
	ROUTES(routes),
};
