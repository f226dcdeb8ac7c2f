/* user/config/config.c - YAML to struct config, by a table of keys. Runs in the sandboxed compiler.
 * Every error is reported with its place, not only the first; the result is written when there was
 * none.
 */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/yamlread.h"

static void set_path(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	const char *s = yamlread_scalar(r, n, k->name);

	if (s && *s != '/')
		yamlread_complain(r, &n->start_mark, "%s: '%s' is not an absolute path", k->name,
				  s);
	else if (s)
		yamlread_string(r, n, k, field);
}

static void set_url(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	const char *s = yamlread_scalar(r, n, k->name);

	if (s && strncmp(s, "https://", 8) != 0)
		yamlread_complain(r, &n->start_mark, "%s: '%s' does not begin with https://",
				  k->name, s);
	else if (s)
		yamlread_string(r, n, k, field);
}

static void set_ring(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	uint64_t v;

	if (!yamlread_number(r, n, k, &v))
		return;
	if (v & (v - 1))
		yamlread_complain(r, &n->start_mark, "%s: not a power of two", k->name);
	else
		*(uint64_t *)field = v;
}

/* `detect.kinds`: a kind's name, its mode. */
static void set_kinds(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	static const char *const names[] = { "alert", "hunt", "off", NULL };
	enum mode *modes = field;

	if (!yamlread_expect(r, n, k->name, YAML_MAPPING_NODE))
		return;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key);
		const char *name = yamlread_scalar(r, kn, k->name);
		enum kind kind = name ? kind_find(name) : KIND_MAX_;
		struct yamlread_key row = { name, yamlread_enum, 0, 0, 0, names };

		if (!name)
			continue;
		if (kind == KIND_MAX_ || strcmp(kinds[kind].name, name))
			yamlread_complain(r, &kn->start_mark, "kinds: '%s' is no kind of alert",
					  name);
		else
			yamlread_enum(r, yaml_document_get_node(r->doc, p->value), &row,
				      &modes[kind]);
	}
}

static const char *const export_types[] = { "https", NULL };
static_assert(ARRAY_SIZE(export_types) == EXPORT_MAX_ + 1, "export type without a name");

#define EXPORT_FIELD(f) offsetof(struct config_export, f), 0, sizeof(((struct config_export *)0)->f)
static const struct yamlread_key export_keys[] = {
	{ "type", yamlread_enum, offsetof(struct config_export, type), 0, 0, export_types },
	{ "url", set_url, EXPORT_FIELD(url), NULL },
	{ "ca", set_path, EXPORT_FIELD(ca), NULL },
	{ "cert", set_path, EXPORT_FIELD(cert), NULL },
	{ "key", set_path, EXPORT_FIELD(key), NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* `export`: a list; its field is the whole struct config. */
static void set_exports(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k,
			void *field)
{
	struct config *c = field;

	if (!yamlread_expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	c->n_exports = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		struct config_export *e = &c->export[c->n_exports];

		if (c->n_exports == CONFIG_EXPORTS_MAX) {
			yamlread_complain(r, &item->start_mark, "export: more than %d",
					  CONFIG_EXPORTS_MAX);
			return;
		}
		*e = (struct config_export){ .type = EXPORT_MAX_ };
		yamlread_table(r, item, k->name, export_keys, e);
		if (item->type != YAML_MAPPING_NODE)
			continue;
		if (e->type == EXPORT_MAX_)
			yamlread_complain(r, &item->start_mark, "export: type is missing");
		if (!*e->url)
			yamlread_complain(r, &item->start_mark, "export: url is missing");
		if (!*e->cert != !*e->key)
			yamlread_complain(r, &item->start_mark, "export: cert and key go together");
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
static void set_ports(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	struct config *c = field;

	if (!yamlread_expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	c->capture.n_plain_ports = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		uint64_t port;

		if (c->capture.n_plain_ports == CONFIG_PORTS_MAX) {
			yamlread_complain(r, &item->start_mark, "%s: more than %d", k->name,
					  CONFIG_PORTS_MAX);
			return;
		}
		if (yamlread_number(r, item, k, &port))
			c->capture.plain_ports[c->capture.n_plain_ports++] = (uint16_t)port;
	}
}

/* A list of patterns; what matches none is no path. */
static void set_globs(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	struct config_globs *g = field;

	if (!yamlread_expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	g->n = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		const char *s = yamlread_scalar(r, item, k->name);

		if (g->n == CONFIG_GLOBS_MAX) {
			yamlread_complain(r, &item->start_mark, "%s: more than %d", k->name,
					  CONFIG_GLOBS_MAX);
			return;
		}
		if (s && *s != '/' && *s != '*')
			yamlread_complain(r, &item->start_mark,
					  "%s: '%s' begins with neither a slash nor an asterisk",
					  k->name, s);
		else if (s)
			yamlread_string(r, item, k, g->glob[g->n++]);
	}
}

static const struct yamlread_key plaintext_keys[] = {
	{ "ports", set_ports, 0, 1, UINT16_MAX, NULL },
	{ "executables", set_globs, FIELD(capture.plain_executables), 0, CONFIG_PATH_MAX, NULL },
	{ "cgroups", set_globs, FIELD(capture.plain_cgroups), 0, CONFIG_PATH_MAX, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct yamlread_key budget_keys[] = {
	{ "share", yamlread_u32, FIELD(capture.share), 1, 100, NULL },
	{ "calls", yamlread_u64, FIELD(capture.max_calls), 0, 1 << 30, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct yamlread_key capture_keys[] = {
	{ "method", yamlread_enum, FIELD(capture.method), 0, 0, methods },
	{ "ring_size", set_ring, FIELD(capture.ring_bytes), 256 << 10, 1 << 30, NULL },
	{ "max_connections", yamlread_u32, FIELD(capture.max_connections), 64, 1 << 20, NULL },
	{ "max_call_size", yamlread_u64, FIELD(capture.max_call_bytes), 16 << 10, 1 << 30, NULL },
	{ "budget", yamlread_sub, 0, 0, 0, budget_keys },
	{ "mute", yamlread_enum, FIELD(capture.mute), 0, 0, switches },
	{ "plaintext", yamlread_sub, 0, 0, 0, plaintext_keys },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const char *const intel_modes[] = { "alert", "hunt", NULL };
static_assert(MODE_ALERT == 0 && MODE_HUNT == 1, "modes by their numbers");

#define INTEL_FIELD(f) offsetof(struct config_intel, f), 0, sizeof(((struct config_intel *)0)->f)
static const struct yamlread_key intel_keys[] = {
	{ "path", set_path, INTEL_FIELD(path), NULL },
	{ "name", yamlread_string, INTEL_FIELD(name), NULL },
	{ "mode", yamlread_enum, offsetof(struct config_intel, mode), 0, 0, intel_modes },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* `detect.intel`: a list; its field is the whole struct config. */
static void set_intel(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *k, void *field)
{
	struct config *c = field;

	if (!yamlread_expect(r, n, k->name, YAML_SEQUENCE_NODE))
		return;
	c->detect.n_intel = 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		struct config_intel *f = &c->detect.intel[c->detect.n_intel];

		if (c->detect.n_intel == CONFIG_INTEL_MAX) {
			yamlread_complain(r, &item->start_mark, "intel: more than %d",
					  CONFIG_INTEL_MAX);
			return;
		}
		*f = (struct config_intel){ .mode = MODE_ALERT };
		yamlread_table(r, item, k->name, intel_keys, f);
		if (item->type != YAML_MAPPING_NODE)
			continue;
		if (!*f->path) {
			yamlread_complain(r, &item->start_mark, "intel: path is missing");
			continue;
		}
		if (!*f->name)
			snprintf(f->name, sizeof(f->name), "%.63s", strrchr(f->path, '/') + 1);
		for (size_t o = 0; o < c->detect.n_intel; o++)
			if (!strcmp(c->detect.intel[o].name, f->name))
				yamlread_complain(r, &item->start_mark,
						  "intel: two feeds are called '%s'", f->name);
		c->detect.n_intel++;
	}
}

static const struct yamlread_key detect_keys[] = {
	{ "cache_size", yamlread_u64, FIELD(detect.cache_bytes), 0, 1 << 30, NULL },
	{ "kinds", set_kinds, FIELD(detect.modes), 0, 0, NULL },
	{ "rules_dir", set_path, STRING(detect.rules_dir), NULL },
	{ "intel", set_intel, 0, 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct yamlread_key canary_keys[] = {
	{ "interval", yamlread_u32, FIELD(canary.interval_s), 0, 3600, NULL },
	{ "limit", yamlread_u32, FIELD(canary.limit_s), 1, 86400, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct yamlread_key evidence_keys[] = {
	{ "mode", yamlread_enum, FIELD(evidence), 0, 0, evidence_modes },
	{ NULL, NULL, 0, 0, 0, NULL },
};

static const struct yamlread_key top_keys[] = {
	{ "state_dir", set_path, STRING(state_dir), NULL },
	{ "run_dir", set_path, STRING(run_dir), NULL },
	{ "host", yamlread_string, STRING(host), NULL },
	{ "log_level", yamlread_enum, FIELD(log_level), 0, 0, log_levels },
	{ "capture", yamlread_sub, 0, 0, 0, capture_keys },
	{ "detect", yamlread_sub, 0, 0, 0, detect_keys },
	{ "canary", yamlread_sub, 0, 0, 0, canary_keys },
	{ "evidence", yamlread_sub, 0, 0, 0, evidence_keys },
	{ "export", set_exports, 0, 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

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
		.detect = { .cache_bytes = 8 << 20, .rules_dir = CONFIG_RULES_DIR },
		.canary = { .interval_s = 20, .limit_s = 60 },
		.evidence = EVIDENCE_REDACTED,
	};
	for (int i = 0; i < KIND_MAX_; i++)
		c->detect.modes[i] = kinds[i].mode;
}

int config_parse(struct config *ret, struct span yaml, const char *file,
		 char errors[CONFIG_ERRORS_MAX])
{
	struct yamlread r = { .file = file, .errors = errors, .errors_size = CONFIG_ERRORS_MAX };
	struct config c;
	int err;

	config_defaults(&c);
	err = yamlread_run(&r, yaml, top_keys, &c);
	if (!err)
		*ret = c;
	return err;
}
