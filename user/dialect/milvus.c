/* user/dialect/milvus.c - Milvus and Zilliz by HTTP and gRPC: texts in the fields of entities,
 * written and found. Numbers of fields: milvus-proto, milvus.proto and schema.proto.
 */
#include "dialect/grpc_form.h"

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

/* --- gRPC: a column for each field, with the values of all entities */

#define PLACEHOLDER_TEXT 21 /* DataType.VarChar */

/* What is searched for: vectors, or texts that the server embeds. */
static void on_placeholder(void *ctx, const struct protobuf_field *f, const void *arg)
{
	static const struct grpc_to query = { reading_another, FIELD_INPUT };
	struct span in = f->bytes;
	struct protobuf_field inner;
	bool text = false;

	(void)arg;
	while (protobuf_next(&in, &inner) > 0) {
		if (inner.number == 2)
			text = inner.value == PLACEHOLDER_TEXT;
		else if (inner.number == 3 && text)
			grpc_text(ctx, &inner, &query);
		else if (inner.number == 3)
			grpc_vector(ctx, &inner, NULL);
	}
}

/* clang-format off */
#define COLUMN_ROWS(at)                                                         \
	GRPC_TEXT(at ".3.6.1", reading_another, FIELD_DOCUMENT),                \
	GRPC_TEXT(at ".3.8.1.6.1", reading_another, FIELD_DOCUMENT),            \
	GRPC_TEXT(at ".3.9.1", reading_another, FIELD_DOCUMENT),                \
	GRPC_VECTOR(at ".4")
/* clang-format on */
static const struct protobuf_row insert_rows[] = {
	GRPC_TEXT("3", reading_turn_id, TURN_STR(object)),
	COLUMN_ROWS("5"),
};
static const struct protobuf_row seek_rows[] = {
	GRPC_TEXT("3", reading_turn_id, TURN_STR(object)),
	{ "6.1", on_placeholder },
	{ "5.6.1", on_placeholder }, /* of a hybrid search */
};
static const struct protobuf_row query_rows[] = {
	GRPC_TEXT("3", reading_turn_id, TURN_STR(object)),
};
static const struct protobuf_row hit_rows[] = { COLUMN_ROWS("2.3") };
static const struct protobuf_row row_rows[] = { COLUMN_ROWS("2") };
static const struct grpc_form inserting = { { [SIDE_REQUEST] = GRPC_ROWS(insert_rows) } },
			      seeking = GRPC_FORM(seek_rows, hit_rows),
			      querying = GRPC_FORM(query_rows, row_rows);

/* --- operations */

#define WRITING                                                                                    \
	.name = "milvus-write", .summary = "Milvus: entities written", .operation = OP_VECTOR_WRITE
#define FINDING                                                                                    \
	.name = "milvus-read", .summary = "Milvus: entities found and read",                       \
	.operation = OP_VECTOR_READ

static const struct form writing = { WRITING, .request = &entities, .grpc = &inserting };
static const struct form finding = { FINDING, .request = &search, .response = &entities,
				     .grpc = &seeking };
static const struct form query = { FINDING, .grpc = &querying };

/* clang-format off */
#define SERVICE "/milvus.proto.milvus.MilvusService/"
#define GRPC .event = grpc_form_event, .end = grpc_form_end
/* clang-format on */
static const struct route routes[] = {
	{ "/v2/vectordb/entities/insert", &writing },
	{ "/v2/vectordb/entities/upsert", &writing },
	{ "/v2/vectordb/entities/delete", &writing },
	{ "/v2/vectordb/entities/search", &finding },
	{ "/v2/vectordb/entities/advanced_search", &finding },
	{ "/v2/vectordb/entities/hybrid_search", &finding },
	{ "/v2/vectordb/entities/query", &finding },
	{ "/v2/vectordb/entities/get", &finding },
	{ SERVICE "Insert", &writing, GRPC },
	{ SERVICE "Upsert", &writing, GRPC },
	{ SERVICE "Search", &finding, GRPC },
	{ SERVICE "HybridSearch", &finding, GRPC },
	{ SERVICE "Query", &query, GRPC },
};

const struct dialect dialect_milvus = {
	.name = "milvus",
	.summary = "Milvus' entities, written and read",
	ROUTES(routes),
};
