/* user/dialect/shape.h - which values of a JSON document mean what: tables of paths, found by hash.
 * A shape is a table of rows below one prefix, so that an object that stands in several places is
 * described once.
 */
#pragma once

#include "base/own.h"
#include "parse/json.h"

struct reading;

/* What a row does with its value; arg is the row's. Strings come in pieces. */
typedef void row_fn(struct reading *r, const struct json_event *e, unsigned arg);

struct shape_row {
	/* Path below the prefix. One star in it stands for one key, two for any number:
	 * "results.*.filtered". */
	const char *path;
	row_fn *on;
	unsigned arg;
};

struct shape {
	const char *prefix; /* "messages[]." */
	const struct shape_row *rows;
	size_t n_rows;
};

/* clang-format off */
#define SHAPE(prefix_, rows_) { .prefix = (prefix_), .rows = (rows_), .n_rows = ARRAY_SIZE(rows_) }
#define SHAPES(list_) { .list = (list_), .n = ARRAY_SIZE(list_) }
/* clang-format on */

#define SHAPES_SLOTS   512 /* power of two, at least twice the rows */
#define SHAPES_WILD    48
#define SHAPE_HEAD_MAX 96

struct shape_ref {
	uint32_t hash;
	const struct shape *shape; /* NULL: free */
	const struct shape_row *row;
	uint32_t prefix_len, path_len; /* of the shape's prefix and the row's path */
	unsigned n_index; /* arrays in the prefix: the row's own begin there in json_event.index */
};

/* A row with stars: the path begins with head, ends with tail and has something between them. */
struct shape_wild {
	struct shape_ref ref;
	char head[SHAPE_HEAD_MAX];
	const char *tail;
	size_t head_len, tail_len;
	bool any; /* any number of keys between */
};

/* Shapes that make up one document. The index is filled at first use and never changes again:
 * static per dialect, for the one thread that a process has.
 */
struct shapes {
	const struct shape *list;
	size_t n;
	bool ready;
	size_t n_wild;
	struct shape_wild wild[SHAPES_WILD];
	uint64_t begins[256], ends[256]; /* by first and by last byte: bit per element of wild that
					    a path with it may match */
	struct shape_ref slots[SHAPES_SLOTS];
};

/* The row that stands for e's path, or NULL. */
const struct shape_ref *shapes_find(struct shapes *s, const struct json_event *e);
