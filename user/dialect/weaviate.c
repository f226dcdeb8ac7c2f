/* user/dialect/weaviate.c - Weaviate's objects by HTTP and gRPC: texts in their properties, written
 * and found. Numbers of fields: weaviate's grpc/proto/v1.
 */
#include "dialect/grpc_form.h"

static const struct shape_row object_rows[] = {
	{ "class", reading_turn_id, TURN_STR(object) },
	{ "id", reading_mark, PORT_STR(item.name) },
	{ "properties.**", reading_line, FIELD_DOCUMENT },
	{ "vector[]", reading_skip, SKIP_VECTOR },
	{ "vectors.**", reading_skip, SKIP_VECTOR },
};
static const struct shape_row top_rows[] = {
	{ "", reading_item },
	{ "objects[]", reading_item },
	{ "query", reading_another, FIELD_INPUT },
};
static const struct shape_row answer_rows[] = {
	{ "", reading_item },
	{ "objects[]", reading_item },
	{ "data.Get.**", reading_another, FIELD_DOCUMENT },
	{ "error[].message", reading_error, 1 },
};
static const struct shape write_list[] = {
	SHAPE("", top_rows),
	SHAPE("", object_rows),
	SHAPE("objects[].", object_rows),
};
static const struct shape read_list[] = {
	SHAPE("", answer_rows),
	SHAPE("", object_rows),
	SHAPE("objects[].", object_rows),
};
static struct shapes objects = SHAPES(write_list), found = SHAPES(read_list);

/* --- gRPC */

/* Properties as they are written: ObjectPropertiesValue, and of an object the same. */
static const struct grpc_rows properties;
static const struct protobuf_row properties_rows[] = {
	GRPC_INSIDE("1.1.2", &grpc_google_value),
	GRPC_TEXT("4.1", reading_line, FIELD_DOCUMENT),
	GRPC_INSIDE("6.1", &properties),
	GRPC_INSIDE("7.1", &properties),
};
static const struct grpc_rows properties = GRPC_ROWS(properties_rows);

/* Values as they are found. */
static const struct grpc_rows value;
static const struct protobuf_row value_rows[] = {
	GRPC_TEXT("13", reading_line, FIELD_DOCUMENT),
	GRPC_TEXT("5.8.1", reading_line, FIELD_DOCUMENT),
	GRPC_INSIDE("4.1.2", &value),
	GRPC_INSIDE("5.4.1.1.2", &value),
};
static const struct grpc_rows value = GRPC_ROWS(value_rows);

static const struct protobuf_row batch_rows[] = {
	GRPC_ITEM("1"),
	GRPC_TEXT("1.1", reading_mark, PORT_STR(item.name)),
	GRPC_VECTOR("1.2"),
	GRPC_VECTOR("1.6"),
	GRPC_VECTOR("1.23"),
	GRPC_INSIDE("1.3.1.1.2", &grpc_google_value),
	GRPC_TEXT("1.3.6.1", reading_line, FIELD_DOCUMENT),
	GRPC_INSIDE("1.3.8.1", &properties),
	GRPC_INSIDE("1.3.9.1", &properties),
	GRPC_TEXT("1.4", reading_turn_id, TURN_STR(object)),
};
static const struct protobuf_row search_rows[] = {
	GRPC_TEXT("1", reading_turn_id, TURN_STR(object)),
	GRPC_TEXT("41.1", reading_another, FIELD_INPUT),
	GRPC_TEXT("41.8.1", reading_another, FIELD_INPUT),
	GRPC_TEXT("42.1", reading_another, FIELD_INPUT),
	GRPC_TEXT("45.1", reading_another, FIELD_INPUT),
	GRPC_VECTOR("43"),
	/* What the server's own model is asked about what was found. */
	GRPC_TEXT("60.1", reading_another, FIELD_INPUT),
	GRPC_TEXT("60.2", reading_another, FIELD_INPUT),
	GRPC_TEXT("60.4.1", reading_another, FIELD_INPUT),
	GRPC_TEXT("60.5.1", reading_another, FIELD_INPUT),
};
/* clang-format off */
#define FOUND_ROWS(at)                                                          \
	GRPC_ITEM(at),                                                          \
	GRPC_INSIDE(at ".1.11.1.2", &value),                                    \
	GRPC_TEXT(at ".2.1", reading_mark, PORT_STR(item.name)),                \
	GRPC_TEXT(at ".2.16", reading_another, FIELD_OUTPUT),                   \
	GRPC_TEXT(at ".3.1.1", reading_another, FIELD_OUTPUT),                  \
	GRPC_VECTOR(at ".2.2"),                                                 \
	GRPC_VECTOR(at ".2.19"),                                                \
	GRPC_VECTOR(at ".2.23")
/* clang-format on */
static const struct protobuf_row found_rows[] = {
	FOUND_ROWS("2"),
	GRPC_TEXT("3", reading_another, FIELD_OUTPUT),
	FOUND_ROWS("4.5"),
	GRPC_TEXT("4.7.1", reading_another, FIELD_OUTPUT),
	GRPC_TEXT("4.8.1.1", reading_another, FIELD_OUTPUT),
	GRPC_TEXT("5.1.1", reading_another, FIELD_OUTPUT),
};
static const struct grpc_form batch = { { [SIDE_REQUEST] = GRPC_ROWS(batch_rows) } },
			      search = GRPC_FORM(search_rows, found_rows);

/* --- operations */

static const char *const none[] = { NULL };
static const char *const hints[] = { "properties", "objects[].properties", NULL };

#define WRITTEN                                                                                    \
	.name = "weaviate-write", .summary = "Weaviate: objects written",                          \
	.operation = OP_VECTOR_WRITE

/* The answer tells again what was written. */
static const struct form writing = { WRITTEN, .request = &objects, .needs = none, .hints = hints };
static const struct form grpc_batch = { WRITTEN, .grpc = &batch };

static const struct form finding = {
	.name = "weaviate-read",
	.summary = "Weaviate: objects found and read",
	.operation = OP_VECTOR_READ,
	.request = &objects,
	.response = &found,
	.grpc = &search,
};

#define SERVICE "/weaviate.v1.Weaviate/"
#define GRPC	.event = grpc_form_event, .end = grpc_form_end
#define CLIENT	.field = "x-weaviate-client"

static const struct route routes[] = {
	{ "/v1/objects", &writing, .common = true },
	{ "/v1/batch/objects", &writing, .common = true },
	{ "/v1/objects/{object}/{}", &writing, .method = "PUT", .common = true },
	{ "/v1/objects/{object}/{}", &writing, .method = "PATCH", .common = true },
	{ "/v1/objects/{object}/{}", &finding, .method = "GET", CLIENT },
	{ "/v1/objects", &finding, .method = "GET", CLIENT },
	{ "/v1/graphql", &finding, CLIENT },
	{ SERVICE "BatchObjects", &grpc_batch, GRPC },
	{ SERVICE "Search", &finding, GRPC },
};

const struct dialect dialect_weaviate = {
	.name = "weaviate",
	.summary = "Weaviate's objects, written and read",
	ROUTES(routes),
};
