/* user/base/yamlread.h - YAML to structs, by tables of keys. Every error is reported with its
 * place, "FILE:LINE:COLUMN: what", not only the first. Input may be hostile: depth
 * is bounded before anything is kept.
 */
#pragma once

#include <stdbool.h>
#include <yaml.h>

#include "base/span.h"

#define YAMLREAD_DEPTH_MAX 16 /* lists and mappings inside each other */

struct yamlread {
	const char *file; /* named in errors */
	char *errors;	  /* of errors_size bytes; a line that does not fit is left out */
	size_t errors_size;
	/* Called after the table, while nodes that setters kept still live; NULL: none. */
	void (*done)(struct yamlread *r, void *base);
	void *ctx; /* the setters' own */
	/* Kept by yamlread_run(). */
	yaml_document_t *doc;
	size_t at;
	bool failed;
};

struct yamlread_key;
typedef void yamlread_set(struct yamlread *r, yaml_node_t *node, const struct yamlread_key *key,
			  void *field);

struct yamlread_key {
	const char *name; /* NULL ends a table */
	yamlread_set *set;
	size_t offset;	   /* of the field, in the struct that the table describes */
	uint64_t min, max; /* numbers; strings: max is the field's size */
	const void *arg;   /* a sub-table, or the names of an enum */
};

/* Reads the one document of yaml over base. 0; -EINVAL with the errors; -ENOMEM. */
int yamlread_run(struct yamlread *r, struct span yaml, const struct yamlread_key *table,
		 void *base);

/* --- for setters */

__attribute__((format(printf, 3, 4))) void
yamlread_complain(struct yamlread *r, const yaml_mark_t *at, const char *fmt, ...);
/* False after a complaint. */
bool yamlread_expect(struct yamlread *r, yaml_node_t *n, const char *name, yaml_node_type_t type);
/* The scalar's text, or NULL after a complaint. Never holds a NUL. */
const char *yamlread_scalar(struct yamlread *r, yaml_node_t *n, const char *name);
/* A whole number, with KiB, MiB or GiB behind it or not. False after a complaint. */
bool yamlread_number(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k,
		     uint64_t *ret);
/* Unknown keys and keys given twice are errors. Returns which were given: bit i for row i. */
uint64_t yamlread_table(struct yamlread *r, yaml_node_t *n, const char *name,
			const struct yamlread_key *table, void *base);

/* --- setters */

yamlread_set yamlread_string; /* char[max] */
yamlread_set yamlread_u64;
yamlread_set yamlread_u32;
yamlread_set yamlread_enum; /* int: which of the names in arg, ended by NULL */
yamlread_set yamlread_sub;  /* a table of its own, in arg */
