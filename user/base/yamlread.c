/* user/base/yamlread.c - YAML to structs, by tables of keys. Owns the parsed document while it
 * reads it.
 */
#include "base/yamlread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/own.h"

void yamlread_complain(struct yamlread *r, const yaml_mark_t *at, const char *fmt, ...)
{
	char raw[512], safe[1024];
	size_t left = r->errors_size - r->at;
	va_list args;
	int n;

	va_start(args, fmt);
	vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	escape_str(safe, sizeof(safe), span_str(raw));
	n = snprintf(r->errors + r->at, left, "%s:%zu:%zu: %s\n", r->file, at->line + 1,
		     at->column + 1, safe);
	if (n > 0 && (size_t)n < left)
		r->at += (size_t)n;
	else
		r->errors[r->at] = 0; /* a whole line or none */
	r->failed = true;
}

static const char *const node_kinds[] = { "nothing", "a value", "a list", "a mapping" };

bool yamlread_expect(struct yamlread *r, yaml_node_t *n, const char *name, yaml_node_type_t type)
{
	if (n->type == type)
		return true;
	yamlread_complain(r, &n->start_mark, "%s: expected %s, found %s", name, node_kinds[type],
			  node_kinds[n->type]);
	return false;
}

const char *yamlread_scalar(struct yamlread *r, yaml_node_t *n, const char *name)
{
	if (!yamlread_expect(r, n, name, YAML_SCALAR_NODE))
		return NULL;
	if (strlen((char *)n->data.scalar.value) != n->data.scalar.length) {
		yamlread_complain(r, &n->start_mark, "%s: holds a NUL character", name);
		return NULL;
	}
	return (const char *)n->data.scalar.value;
}

void yamlread_string(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	const char *s = yamlread_scalar(r, n, k->name);

	if (!s)
		return;
	if (strlen(s) >= k->max)
		yamlread_complain(r, &n->start_mark, "%s: longer than %" PRIu64 " bytes", k->name,
				  k->max - 1);
	else
		snprintf(field, k->max, "%s", s);
}

bool yamlread_number(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k,
		     uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	const char *s = yamlread_scalar(r, n, k->name);
	unsigned long long v;
	char *end;

	if (!s)
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (end == s || *s < '0' || *s > '9' || errno) {
		yamlread_complain(r, &n->start_mark, "%s: '%s' is not a number", k->name, s);
		return false;
	}
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (v > UINT64_MAX >> units[i].shift || v << units[i].shift < k->min ||
		    v << units[i].shift > k->max) {
			yamlread_complain(r, &n->start_mark,
					  "%s: %s is out of range, %" PRIu64 " to %" PRIu64,
					  k->name, s, k->min, k->max);
			return false;
		}
		*ret = v << units[i].shift;
		return true;
	}
	yamlread_complain(r, &n->start_mark, "%s: '%s' has an unknown unit (KiB, MiB, GiB)",
			  k->name, s);
	return false;
}

void yamlread_u64(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	yamlread_number(r, n, k, field);
}

void yamlread_u32(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	uint64_t v;

	if (yamlread_number(r, n, k, &v))
		*(uint32_t *)field = (uint32_t)v;
}

void yamlread_enum(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	const char *const *names = k->arg;
	const char *s = yamlread_scalar(r, n, k->name);
	char all[256] = "";
	size_t at = 0;

	if (!s)
		return;
	for (int i = 0; names[i]; i++) {
		if (!strcmp(s, names[i])) {
			*(int *)field = i;
			return;
		}
		if (at < sizeof(all))
			at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "",
					       names[i]);
	}
	yamlread_complain(r, &n->start_mark, "%s: '%s' is none of: %s", k->name, s, all);
}

void yamlread_sub(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	yamlread_table(r, n, k->name, k->arg, field);
}

uint64_t yamlread_table(struct yamlread *r, yaml_node_t *n, const char *name,
			const struct yamlread_key *table, void *base)
{
	uint64_t seen = 0;

	/* `capture:` with nothing behind it is an empty mapping to its writer. */
	if (n->type == YAML_SCALAR_NODE && !n->data.scalar.length &&
	    n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return 0;
	if (!yamlread_expect(r, n, *name ? name : "the document", YAML_MAPPING_NODE))
		return 0;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key);
		const char *key = yamlread_scalar(r, kn, name);
		const struct yamlread_key *k = table;

		if (!key)
			continue;
		while (k->name && strcmp(k->name, key) != 0)
			k++;
		if (!k->name)
			yamlread_complain(r, &kn->start_mark, "unknown key '%s'%s%s", key,
					  *name ? " in " : "", name);
		else if (seen & 1ULL << (k - table))
			yamlread_complain(r, &kn->start_mark, "'%s' is given twice", key);
		else
			k->set(r, yaml_document_get_node(r->doc, p->value), k,
			       (char *)base + k->offset);
		if (k->name)
			seen |= 1ULL << (k - table);
	}
	return seen;
}

/* What libyaml could not read. */
static int broken(struct yamlread *r, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	yamlread_complain(r, &p->problem_mark, "%s", p->problem ? p->problem : "not YAML");
	return -EINVAL;
}

static int read_documents(struct yamlread *r, yaml_parser_t *parser,
			  const struct yamlread_key *table, void *base)
{
	yaml_document_t doc, rest;
	yaml_node_t *root;
	int err = 0;

	if (!yaml_parser_load(parser, &doc))
		return broken(r, parser);
	r->doc = &doc;
	root = yaml_document_get_root_node(&doc);
	if (root) {
		yamlread_table(r, root, "", table, base);
		if (r->done)
			r->done(r, base);
		if (!yaml_parser_load(parser, &rest)) {
			err = broken(r, parser);
		} else {
			yaml_node_t *second = yaml_document_get_root_node(&rest);

			if (second)
				yamlread_complain(r, &second->start_mark, "a second document");
			yaml_document_delete(&rest);
		}
	}
	yaml_document_delete(&doc);
	r->doc = NULL;
	return err;
}

/* Some of libyaml's loops take the square of the depth. What it cannot parse is told later. */
static int check_depth(struct yamlread *r, struct span yaml)
{
	unsigned depth = 0;
	yaml_parser_t parser;
	yaml_event_t e;
	bool more = true;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, yaml.p, yaml.len);
	while (more && yaml_parser_parse(&parser, &e)) {
		if (e.type == YAML_MAPPING_START_EVENT || e.type == YAML_SEQUENCE_START_EVENT)
			depth++;
		else if (e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT)
			depth--;
		if (depth > YAMLREAD_DEPTH_MAX)
			yamlread_complain(r, &e.start_mark, "more than %d levels",
					  YAMLREAD_DEPTH_MAX);
		more = e.type != YAML_STREAM_END_EVENT && !r->failed;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	return r->failed ? -EINVAL : 0;
}

int yamlread_run(struct yamlread *r, struct span yaml, const struct yamlread_key *table, void *base)
{
	yaml_parser_t parser;
	int err;

	*r->errors = 0;
	r->at = 0;
	r->failed = false;
	if (!yaml.len)
		yaml = SPAN_LIT("");
	err = check_depth(r, yaml);
	if (err)
		return err;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, yaml.p, yaml.len);
	err = read_documents(r, &parser, table, base);
	yaml_parser_delete(&parser);
	return err ? err : r->failed ? -EINVAL : 0;
}
