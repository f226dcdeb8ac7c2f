/* user/dialect/chroma.c - Chroma's collections: documents and what is told of them, written and
 * found. */
#include "dialect/reading.h"

static const struct shape_row entry_rows[] = {
	{ "documents[]", reading_another, FIELD_DOCUMENT },
	{ "documents[][]", reading_another, FIELD_DOCUMENT },
	{ "metadatas[]", reading_item },
	{ "metadatas[].**", reading_line, FIELD_DOCUMENT },
	{ "metadatas[][]", reading_item },
	{ "metadatas[][].**", reading_line, FIELD_DOCUMENT },
	{ "embeddings[][]", reading_skip, SKIP_VECTOR },
	{ "embeddings[][][]", reading_skip, SKIP_VECTOR },
	{ "query_texts[]", reading_another, FIELD_INPUT },
	{ "query_embeddings[][]", reading_skip, SKIP_VECTOR },
	{ "error", reading_error, 1 },
};
static const struct shape entry_list[] = { SHAPE("", entry_rows) };
static struct shapes entries = SHAPES(entry_list);

static const char *const write_needs[] = { "ids", NULL };
static const char *const write_hints[] = { "documents", "embeddings", "metadatas", NULL };
static const char *const read_needs[] = { "include", NULL };

static const struct form writing = {
	.name = "chroma-write",
	.summary = "Chroma: documents written",
	.operation = OP_VECTOR_WRITE,
	.request = &entries,
	.response = &entries,
	.needs = write_needs,
	.hints = write_hints,
};

static const struct form finding = {
	.name = "chroma-read",
	.summary = "Chroma: documents found and read",
	.operation = OP_VECTOR_READ,
	.request = &entries,
	.response = &entries,
	.needs = read_needs,
};

static const struct route routes[] = {
	{ "/collections/{object}/add", &writing, .common = true },
	{ "/collections/{object}/upsert", &writing, .common = true },
	{ "/collections/{object}/update", &writing, .common = true },
	{ "/collections/{object}/query", &finding, .common = true },
	{ "/collections/{object}/get", &finding, .common = true },
};

const struct dialect dialect_chroma = {
	.name = "chroma",
	.summary = "Chroma's collections, written and read",
	ROUTES(routes),
};
