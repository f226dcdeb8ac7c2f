/* user/config/config.c - YAML to struct config, by a table of keys. Runs in the sandboxed compiler.
 * Every error is reported with its place, not only the first; the result is written when there was
 * none.
 */
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/escape.h"
#include "base/own.h"

struct reading {
	yaml_document_t *doc;
	const char *file;
	char *errors;
	size_t at;
	bool failed;
};

struct key;
typedef void set_fn(struct reading *r, yaml_node_t *node, const struct key *key, void *field);

struct key {
	const char *name; /* NULL ends a table */
	set_fn *set;
	size_t offset;	   /* of the field, in the struct that the table describes */
	uint64_t min, max; /* numbers; strings: max is the field's size */
	const void *arg;   /* a sub-table, or the names of an enum */
};

__attribute__((format(printf, 3, 4))) static void complain(struct reading *r, const yaml_mark_t *at,
							   const char *fmt, ...)
{
	char raw[512], safe[1024];
	size_t left = CONFIG_ERRORS_MAX - r->at;
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

static bool expect(struct reading *r, yaml_node_t *n, const char *name, yaml_node_type_t type)
{
	if (n->type == type)
		return true;
	complain(r, &n->start_mark, "%s: expected %s, found %s", name, node_kinds[type],
		 node_kinds[n->type]);
	return false;
}

/* The scalar's text, or NULL after a complaint. */
static const char *scalar(struct reading *r, yaml_node_t *n, const char *name)
{
	if (!expect(r, n, name, YAML_SCALAR_NODE))
		return NULL;
	if (strlen((char *)n->data.scalar.value) != n->data.scalar.length) {
		complain(r, &n->start_mark, "%s: holds a NUL character", name);
		return NULL;
	}
	return (const char *)n->data.scalar.value;
}

static void set_string(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	const char *s = scalar(r, n, k->name);

	if (!s)
		return;
	if (strlen(s) >= k->max)
		complain(r, &n->start_mark, "%s: longer than %" PRIu64 " bytes", k->name,
			 k->max - 1);
	else
		snprintf(field, k->max, "%s", s);
}

static void set_path(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	const char *s = scalar(r, n, k->name);

	if (s && *s != '/')
		complain(r, &n->start_mark, "%s: '%s' is not an absolute path", k->name, s);
	else if (s)
		set_string(r, n, k, field);
}

static void set_url(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	const char *s = scalar(r, n, k->name);

	if (s && strncmp(s, "https://", 8) != 0)
		complain(r, &n->start_mark, "%s: '%s' does not begin with https://", k->name, s);
	else if (s)
		set_string(r, n, k, field);
}

/* A whole number, with KiB, MiB or GiB behind it or not. */
static bool number(struct reading *r, yaml_node_t *n, const struct key *k, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	const char *s = scalar(r, n, k->name);
	unsigned long long v;
	char *end;

	if (!s)
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (end == s || *s < '0' || *s > '9' || errno) {
		complain(r, &n->start_mark, "%s: '%s' is not a number", k->name, s);
		return false;
	}
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (v > UINT64_MAX >> units[i].shift || v << units[i].shift < k->min ||
		    v << units[i].shift > k->max) {
			complain(r, &n->start_mark,
				 "%s: %s is out of range, %" PRIu64 " to %" PRIu64, k->name, s,
				 k->min, k->max);
			return false;
		}
		*ret = v << units[i].shift;
		return true;
	}
	complain(r, &n->start_mark, "%s: '%s' has an unknown unit (KiB, MiB, GiB)", k->name, s);
	return false;
}

static void set_u64(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	number(r, n, k, field);
}

static void set_u32(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	uint64_t v;

	if (number(r, n, k, &v))
		*(uint32_t *)field = (uint32_t)v;
}

static void set_ring(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	uint64_t v;

	if (!number(r, n, k, &v))
		return;
	if (v & (v - 1))
		complain(r, &n->start_mark, "%s: not a power of two", k->name);
	else
		*(uint64_t *)field = v;
}

/* Writes which of the names (ended by NULL) it is. */
static void set_enum(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	const char *const *names = k->arg;
	const char *s = scalar(r, n, k->name);
	char all[128] = "";
	size_t at = 0;

	if (!s)
		return;
	for (int i = 0; names[i]; i++) {
		if (!strcmp(s, names[i])) {
			*(int *)field = i;
			return;
		}
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", names[i]);
	}
	complain(r, &n->start_mark, "%s: '%s' is none of: %s", k->name, s, all);
}

static void read_table(struct reading *r, yaml_node_t *n, const char *name, const struct key *table,
		       void *base);

static void set_table(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	read_table(r, n, k->name, k->arg, field);
}

/* `detect.kinds`: a kind's name, its mode. */
static void set_kinds(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	static const char *const names[] = { "alert", "hunt", "off", NULL };
	enum mode *modes = field;

	if (!expect(r, n, k->name, YAML_MAPPING_NODE))
		return;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key);
		const char *name = scalar(r, kn, k->name);
		enum kind kind = name ? kind_find(name) : KIND_MAX_;
		struct key row = { name, set_enum, 0, 0, 0, names };

		if (!name)
			continue;
		if (kind == KIND_MAX_)
			complain(r, &kn->start_mark, "kinds: '%s' is no kind of alert", name);
		else
			set_enum(r, yaml_document_get_node(r->doc, p->value), &row, &modes[kind]);
	}
}

static const char *const export_types[] = { "https", NULL };
static_assert(ARRAY_SIZE(export_types) == EXPORT_MAX_ + 1, "export type without a name");

#define EXPORT_FIELD(f) offsetof(struct config_export, f), 0, sizeof(((struct config_export *)0)->f)
static const struct key export_keys[] = {
	{ "type", set_enum, offsetof(struct config_export, type), 0, 0, export_types },
	{ "url", set_url, EXPORT_FIELD(url), NULL },
	{ "ca", set_path, EXPORT_FIELD(ca), NULL },
	{ "cert", set_path, EXPORT_FIELD(cert), NULL },
	{ "key", set_path, EXPORT_FIELD(key), NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* `export`: a list; its field is the whole struct config. */
static void set_exports(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	struct config *c = field;

	if (!expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	c->n_exports = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		struct config_export *e = &c->export[c->n_exports];

		if (c->n_exports == CONFIG_EXPORTS_MAX) {
			complain(r, &item->start_mark, "export: more than %d", CONFIG_EXPORTS_MAX);
			return;
		}
		*e = (struct config_export){ .type = EXPORT_MAX_ };
		read_table(r, item, k->name, export_keys, e);
		if (item->type != YAML_MAPPING_NODE)
			continue;
		if (e->type == EXPORT_MAX_)
			complain(r, &item->start_mark, "export: type is missing");
		if (!*e->url)
			complain(r, &item->start_mark, "export: url is missing");
		if (!*e->cert != !*e->key)
			complain(r, &item->start_mark, "export: cert and key go together");
		c->n_exports++;
	}
}

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static_assert(ARRAY_SIZE(log_levels) == LOG_LEVEL_MAX_ + 1, "log level without a name");
static const char *const evidence_modes[] = { "redacted", "none", NULL };
static_assert(ARRAY_SIZE(evidence_modes) == EVIDENCE_MAX_ + 1, "evidence mode without a name");

static const char *const switches[] = { "off", "on", NULL };
static const char *const methods[] = { "auto", "uprobe.session", "uprobe_multi", "perf", NULL };

#define FIELD(f)  offsetof(struct config, f)
#define STRING(f) offsetof(struct config, f), 0, sizeof(((struct config *)0)->f)

/* `capture.plaintext.ports`: a list; its field is the whole struct config. */
static void set_ports(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	struct config *c = field;

	if (!expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	c->capture.n_plain_ports = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		uint64_t port;

		if (c->capture.n_plain_ports == CONFIG_PORTS_MAX) {
			complain(r, &item->start_mark, "%s: more than %d", k->name,
				 CONFIG_PORTS_MAX);
			return;
		}
		if (number(r, item, k, &port))
			c->capture.plain_ports[c->capture.n_plain_ports++] = (uint16_t)port;
	}
}

/* A list of patterns; what matches none is no path. */
static void set_globs(struct reading *r, yaml_node_t *n, const struct key *k, void *field)
{
	struct config_globs *g = field;

	if (!expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	g->n = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		const char *s = scalar(r, item, k->name);

		if (g->n == CONFIG_GLOBS_MAX) {
			complain(r, &item->start_mark, "%s: more than %d", k->name,
				 CONFIG_GLOBS_MAX);
			return;
		}
		if (s && *s != '/' && *s != '*')
			complain(r, &item->start_mark,
				 "%s: '%s' begins with neither a slash nor an asterisk", k->name,
				 s);
		else if (s)
			set_string(r, item, k, g->glob[g->n++]);
	}
}

static const struct key plaintext_keys[] = {
	{ "ports", set_ports, 0, 1, UINT16_MAX, NULL },
	{ "executables", set_globs, FIELD(capture.plain_executables), 0, CONFIG_PATH_MAX, NULL },
	{ "cgroups", set_globs, FIELD(capture.plain_cgroups), 0, CONFIG_PATH_MAX, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key budget_keys[] = {
	{ "share", set_u32, FIELD(capture.share), 1, 100, NULL },
	{ "calls", set_u64, FIELD(capture.max_calls), 0, 1 << 30, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key capture_keys[] = {
	{ "method", set_enum, FIELD(capture.method), 0, 0, methods },
	{ "ring_size", set_ring, FIELD(capture.ring_bytes), 256 << 10, 1 << 30, NULL },
	{ "max_connections", set_u32, FIELD(capture.max_connections), 64, 1 << 20, NULL },
	{ "max_call_size", set_u64, FIELD(capture.max_call_bytes), 16 << 10, 1 << 30, NULL },
	{ "budget", set_table, 0, 0, 0, budget_keys },
	{ "mute", set_enum, FIELD(capture.mute), 0, 0, switches },
	{ "plaintext", set_table, 0, 0, 0, plaintext_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key detect_keys[] = {
	{ "cache_size", set_u64, FIELD(detect.cache_bytes), 0, 1 << 30, NULL },
	{ "kinds", set_kinds, FIELD(detect.modes), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key canary_keys[] = {
	{ "interval", set_u32, FIELD(canary.interval_s), 0, 3600, NULL },
	{ "limit", set_u32, FIELD(canary.limit_s), 1, 86400, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key evidence_keys[] = {
	{ "mode", set_enum, FIELD(evidence), 0, 0, evidence_modes },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct key top_keys[] = {
	{ "state_dir", set_path, STRING(state_dir), NULL },
	{ "run_dir", set_path, STRING(run_dir), NULL },
	{ "host", set_string, STRING(host), NULL },
	{ "log_level", set_enum, FIELD(log_level), 0, 0, log_levels },
	{ "capture", set_table, 0, 0, 0, capture_keys },
	{ "detect", set_table, 0, 0, 0, detect_keys },
	{ "canary", set_table, 0, 0, 0, canary_keys },
	{ "evidence", set_table, 0, 0, 0, evidence_keys },
	{ "export", set_exports, 0, 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static void read_table(struct reading *r, yaml_node_t *n, const char *name, const struct key *table,
		       void *base)
{
	uint64_t seen = 0;

	/* `capture:` with nothing behind it is an empty mapping to its writer. */
	if (n->type == YAML_SCALAR_NODE && !n->data.scalar.length &&
	    n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return;
	if (!expect(r, n, *name ? name : "the document", YAML_MAPPING_NODE))
		return;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key);
		const char *key = scalar(r, kn, name);
		const struct key *k = table;

		if (!key)
			continue;
		while (k->name && strcmp(k->name, key) != 0)
			k++;
		if (!k->name)
			complain(r, &kn->start_mark, "unknown key '%s'%s%s", key,
				 *name ? " in " : "", name);
		else if (seen & 1ULL << (k - table))
			complain(r, &kn->start_mark, "'%s' is given twice", key);
		else
			k->set(r, yaml_document_get_node(r->doc, p->value), k,
			       (char *)base + k->offset);
		if (k->name)
			seen |= 1ULL << (k - table);
	}
}

void config_defaults(struct config *c)
{
	*c = (struct config){
		.state_dir = "/var/lib/earshot",
		.run_dir = "/run/earshot",
		.log_level = LOG_LEVEL_INFO,
		.capture = { .ring_bytes = 16 << 20,
			     .max_connections = 65536,
			     .max_call_bytes = 64 << 20,
			     .share = 5,
			     .max_calls = 200000,
			     .mute = 1 },
		.detect = { .cache_bytes = 8 << 20 },
		.canary = { .interval_s = 20, .limit_s = 60 },
		.evidence = EVIDENCE_REDACTED,
	};
	for (int i = 0; i < KIND_MAX_; i++)
		c->detect.modes[i] = kinds[i].mode;
}

int config_parse(struct config *ret, struct span yaml, const char *file,
		 char errors[CONFIG_ERRORS_MAX])
{
	struct reading r = { .file = file, .errors = errors };
	yaml_parser_t parser;
	yaml_document_t doc, rest;
	struct config c;
	yaml_node_t *root;

	*errors = 0;
	config_defaults(&c);
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, yaml.len ? yaml.p : (const uint8_t *)"", yaml.len);
	if (!yaml_parser_load(&parser, &doc)) {
		complain(&r, &parser.problem_mark, "%s",
			 parser.problem ? parser.problem : "not YAML");
		yaml_parser_delete(&parser);
		return -EINVAL;
	}
	r.doc = &doc;
	root = yaml_document_get_root_node(&doc);
	if (root) {
		read_table(&r, root, "", top_keys, &c);
		if (!yaml_parser_load(&parser, &rest)) {
			complain(&r, &parser.problem_mark, "%s",
				 parser.problem ? parser.problem : "not YAML");
		} else {
			yaml_node_t *second = yaml_document_get_root_node(&rest);

			if (second)
				complain(&r, &second->start_mark, "a second document");
			yaml_document_delete(&rest);
		}
	}
	yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	if (r.failed)
		return -EINVAL;
	*ret = c;
	return 0;
}
