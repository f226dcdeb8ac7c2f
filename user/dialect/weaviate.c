/* user/dialect/weaviate.c - Weaviate's objects over HTTP: texts in their properties, written and
 * found. */
#include "dialect/reading.h"

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

static const char *const none[] = { NULL };
static const char *const hints[] = { "properties", "objects[].properties", NULL };

/* The answer tells again what was written. */
static const struct form writing = {
	.name = "weaviate-write",
	.summary = "Weaviate: objects written",
	.operation = OP_VECTOR_WRITE,
	.request = &objects,
	.needs = none,
	.hints = hints,
};

static const struct form finding = {
	.name = "weaviate-read",
	.summary = "Weaviate: objects found and read",
	.operation = OP_VECTOR_READ,
	.request = &objects,
	.response = &found,
};

#define CLIENT .field = "x-weaviate-client"

static const struct route routes[] = {
	{ "/v1/objects", &writing, .common = true },
	{ "/v1/batch/objects", &writing, .common = true },
	{ "/v1/objects/{object}/{}", &writing, .method = "PUT", .common = true },
	{ "/v1/objects/{object}/{}", &writing, .method = "PATCH", .common = true },
	{ "/v1/objects/{object}/{}", &finding, .method = "GET", CLIENT },
	{ "/v1/objects", &finding, .method = "GET", CLIENT },
	{ "/v1/graphql", &finding, CLIENT },
};

const struct dialect dialect_weaviate = {
	.name = "weaviate",
	.summary = "Weaviate's objects, written and read",
	ROUTES(routes),
};
