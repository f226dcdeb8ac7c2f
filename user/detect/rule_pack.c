/* user/detect/rule_pack.c - reads packs of rules and lays them out as one image.
 * Owns the rows until they are laid out. Packs may be hostile: sizes and counts are capped, and
 * nothing of a pack is used that another key of it does not allow.
 */
#include "detect/rule_pack.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/yamlread.h"
#include "detect/packs.h"

#define NAME_MAX_BYTES 64 /* of fragments and named patterns */
#define WORDS_MAX      512

struct rule_packs {
	struct buf rules, patterns, lists, text; /* of struct rule, struct rule_pattern, uint32_t */
	size_t n_words;				 /* lists of words */
	bool built_in;				 /* the files that are being added are ours */
};

struct fragment {
	char name[NAME_MAX_BYTES];
	rule_text text;
};

/* A pack being read. */
struct pack {
	struct rule_packs *to;
	char name[NAME_MAX_BYTES];
	rule_text file, pack;
	yaml_node_t *define, *words, *rules, *off;
	struct word_list {
		char name[NAME_MAX_BYTES];
	} lists[PACK_FRAGMENTS_MAX];
	size_t n_lists, first_list;
	struct fragment fragments[PACK_FRAGMENTS_MAX];
	size_t n_fragments;
	int err; /* -ENOMEM, -E2BIG */
};

/* What the keys of a rule gave: nodes are read when all of them are there. */
struct draft {
	char id[RULE_ID_MAX];
	int group, severity, mode; /* < 0: not given */
	float user, retrieved;
	const char *why, *title, *kind;
	char atlas[WORDS_MAX], owasp[WORDS_MAX];
	uint32_t roles;
	yaml_node_t *patterns, *literals, *sequences, *conditions, *hits, *misses;
};

enum rule_key {
	KEY_ID,
	KEY_GROUP,
	KEY_WEIGHT,
	KEY_PATTERNS,
	KEY_LITERALS,
	KEY_SEQUENCES,
	KEY_WHY,
	KEY_HITS,
	KEY_MISSES,
	KEY_MODE,
	KEY_TITLE,
	KEY_SEVERITY,
	KEY_SURFACES,
	KEY_CONDITIONS,
	KEY_MAPPING,
	KEY_KIND,
	KEY_MAX_,
};

/* --- the image's parts */

static size_t n_rules(const struct rule_packs *p)
{
	return p->rules.len / sizeof(struct rule);
}

static size_t n_lists(const struct rule_packs *p)
{
	return p->lists.len / sizeof(uint32_t);
}

static struct rule *rules_of(const struct rule_packs *p)
{
	return (struct rule *)p->rules.p;
}

static rule_text put_text(struct pack *k, struct span s)
{
	struct rule_packs *p = k->to;
	rule_text at = (rule_text)p->text.len;
	int err = s.len ? buf_add(&p->text, s) : 0;

	if (!s.len)
		return 0;
	if (!err)
		err = buf_add(&p->text, span_of("", 1));
	if (err) {
		p->text.len = at;
		k->err = err;
		return 0;
	}
	return at;
}

static rule_text put_str(struct pack *k, const char *s)
{
	return s ? put_text(k, span_str(s)) : 0;
}

static const char *text_at(const struct rule_packs *p, rule_text t)
{
	return (const char *)p->text.p + t;
}

static void put_listed(struct pack *k, struct rule_texts *l, rule_text t)
{
	if (!l->n)
		l->first = (uint32_t)n_lists(k->to);
	if (k->err || (k->err = buf_add(&k->to->lists, span_of(&t, sizeof(t)))))
		return;
	l->n++;
}

/* --- fragments */

static bool fragment_char(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (!first && ((c >= '0' && c <= '9') || c == '_'));
}

/* The length of a fragment's name behind an opening brace; 0: there is none. */
static size_t fragment_name(const char *s)
{
	size_t n = 0;

	while (fragment_char(s[n], !n))
		n++;
	return s[n] == '}' ? n : 0;
}

static const struct fragment *fragment_find(const struct pack *k, const char *name, size_t len)
{
	for (size_t i = 0; i < k->n_fragments; i++)
		if (!strncmp(k->fragments[i].name, name, len) && !k->fragments[i].name[len])
			return &k->fragments[i];
	return NULL;
}

/* A regular expression with its fragments put in, as a text of the image; 0 after a complaint. */
static rule_text expand(struct yamlread *r, yaml_node_t *n, const char *key, const char *s)
{
	struct pack *k = r->ctx;
	struct buf out = BUF(PACK_PATTERN_MAX);
	rule_text ret = 0;
	int err = 0;

	while (*s && !err) {
		size_t len = *s == '{' ? fragment_name(s + 1) : 0;
		const struct fragment *f;

		if (!len) {
			/* What is escaped begins no fragment. */
			size_t take = *s == '\\' && s[1] ? 2 : 1;

			err = buf_add(&out, span_of(s, take));
			s += take;
			continue;
		}
		f = fragment_find(k, s + 1, len);
		if (!f) {
			yamlread_complain(r, &n->start_mark,
					  "%s: {%.*s} is not defined before this place", key,
					  (int)len, s + 1);
			buf_free(&out);
			return 0;
		}
		err = buf_add(&out, span_str(text_at(k->to, f->text)));
		s += len + 2;
	}
	if (err == -E2BIG)
		yamlread_complain(r, &n->start_mark, "%s: longer than %d bytes", key,
				  PACK_PATTERN_MAX);
	else if (err)
		k->err = err;
	else if (!out.len)
		yamlread_complain(r, &n->start_mark, "%s: empty", key);
	else
		ret = put_text(k, buf_span(&out));
	buf_free(&out);
	return ret;
}

static void read_fragments(struct yamlread *r, yaml_node_t *n)
{
	struct pack *k = r->ctx;

	if (!yamlread_expect(r, n, "define", YAML_MAPPING_NODE))
		return;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top && !k->err; p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key),
			    *vn = yaml_document_get_node(r->doc, p->value);
		const char *name = yamlread_scalar(r, kn, "define"),
			   *value = name ? yamlread_scalar(r, vn, name) : NULL;
		size_t len = 0;
		rule_text text;

		if (!value)
			continue;
		while (fragment_char(name[len], !len))
			len++;
		if (!len || name[len] || len >= NAME_MAX_BYTES) {
			yamlread_complain(
			    r, &kn->start_mark,
			    "define: '%s' is no name: capitals, digits and _, at most %d", name,
			    NAME_MAX_BYTES - 1);
			continue;
		}
		if (fragment_find(k, name, len)) {
			yamlread_complain(r, &kn->start_mark, "define: '%s' is given twice", name);
			continue;
		}
		if (k->n_fragments == PACK_FRAGMENTS_MAX) {
			yamlread_complain(r, &kn->start_mark, "define: more than %d",
					  PACK_FRAGMENTS_MAX);
			return;
		}
		text = expand(r, vn, name, value);
		if (!text)
			continue;
		memcpy(k->fragments[k->n_fragments].name, name, len + 1);
		k->fragments[k->n_fragments++].text = text;
	}
}

/* --- lists of words */

static bool put_word(struct yamlread *r, yaml_node_t *n, const char *name, bool literal)
{
	struct pack *k = r->ctx;
	const char *s = yamlread_scalar(r, n, name);
	size_t len = s ? strlen(s) : 0;
	/* The first rule of the pack: it says whose patterns they are. */
	struct rule_pattern p = { .line = (uint32_t)n->start_mark.line + 1,
				  .column = (uint32_t)n->start_mark.column + 1,
				  .rule = (uint16_t)n_rules(k->to),
				  .sort = literal ? RULE_WORD : RULE_WORD_LIKE,
				  .words = (uint16_t)(k->first_list + k->n_lists) };

	if (!s)
		return false;
	if (literal && len && s[len - 1] == '$') {
		p.ends = true;
		len--;
	}
	if (!len || len > PACK_PATTERN_MAX)
		yamlread_complain(r, &n->start_mark, "%s: a word is empty, or longer than %d bytes",
				  name, PACK_PATTERN_MAX);
	else
		p.text = literal ? put_text(k, span_of(s, len)) : expand(r, n, name, s);
	if (p.text && !k->err)
		k->err = buf_add(&k->to->patterns, span_of(&p, sizeof(p)));
	return p.text;
}

/* A list may hold other ones, which YAML's aliases name. */
static void put_words(struct yamlread *r, const yaml_node_t *list, const char *name, bool nested)
{
	const struct pack *k = r->ctx;

	for (yaml_node_item_t *i = list->data.sequence.items.start;
	     i < list->data.sequence.items.top && !k->err; i++) {
		yaml_node_t *n = yaml_document_get_node(r->doc, *i);

		if (n->type == YAML_SEQUENCE_NODE && !nested)
			put_words(r, n, name, true);
		else
			put_word(r, n, name, true);
	}
}

/* Behind the fragments, before the rules: expressions may use fragments, sequences name lists. */
static void read_words(struct yamlread *r, yaml_node_t *n)
{
	struct pack *k = r->ctx;

	k->first_list = k->to->n_words;
	if (!yamlread_expect(r, n, "words", YAML_MAPPING_NODE))
		return;
	if (k->rules->data.sequence.items.start == k->rules->data.sequence.items.top) {
		yamlread_complain(r, &n->start_mark, "words: there is no rule");
		return;
	}
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top && !k->err; p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key),
			    *vn = yaml_document_get_node(r->doc, p->value);
		const char *name = yamlread_scalar(r, kn, "words");

		if (!name)
			continue;
		if (!fragment_char(*name, true) || strlen(name) >= NAME_MAX_BYTES) {
			yamlread_complain(r, &kn->start_mark, "words: '%s' is no name", name);
			continue;
		}
		if (k->n_lists == PACK_FRAGMENTS_MAX || k->to->n_words == RULE_WORD_LISTS_MAX) {
			yamlread_complain(r, &kn->start_mark, "words: too many lists");
			return;
		}
		if (vn->type == YAML_SEQUENCE_NODE)
			put_words(r, vn, name, false);
		else
			put_word(r, vn, name, false);
		snprintf(k->lists[k->n_lists].name, NAME_MAX_BYTES, "%s", name);
		k->n_lists++;
		k->to->n_words++;
	}
}

/* --- keys of a rule */

static void set_node(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
		     void *field)
{
	(void)r;
	(void)key;
	*(yaml_node_t **)field = n;
}

/* A text of any length that libyaml takes; borrowed from the document. */
static void set_text(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
		     void *field)
{
	const char *s = yamlread_scalar(r, n, key->name);

	if (s && (!*s || strlen(s) >= key->max))
		yamlread_complain(r, &n->start_mark, "%s: empty, or longer than %zu bytes",
				  key->name, (size_t)key->max - 1);
	else if (s)
		*(const char **)field = s;
}

static void set_id(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key, void *field)
{
	const char *s = yamlread_scalar(r, n, key->name);

	if (!s)
		return;
	if (!*s || strlen(s) >= key->max || s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.")])
		yamlread_complain(
		    r, &n->start_mark,
		    "%s: '%s' is not 1 to %zu of small letters, digits, '-', '_' and '.'",
		    key->name, s, (size_t)key->max - 1);
	else
		snprintf(field, key->max, "%s", s);
}

/* 0 to 1, with at most four digits behind the point. */
static void set_weight(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
		       void *field)
{
	const char *s = yamlread_scalar(r, n, key->name), *p = s;
	unsigned v = 0, unit = 10000;

	if (!s)
		return;
	if (*p == '0' || *p == '1')
		v = (unsigned)(*p++ - '0') * unit;
	if (p > s && *p == '.')
		for (p++; *p >= '0' && *p <= '9' && unit > 1; p++)
			v += (unsigned)(*p - '0') * (unit /= 10);
	if (p == s || *p || v > 10000)
		yamlread_complain(r, &n->start_mark, "%s: '%s' is not a number from 0 to 1",
				  key->name, s);
	else
		*(float *)field = (float)v / 10000;
}

/* One of the table's. */
static void set_kind(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
		     void *field)
{
	const char *s = yamlread_scalar(r, n, key->name);
	enum kind k = s ? kind_find(s) : KIND_MAX_;

	if (!s)
		return;
	if (k == KIND_CUSTOM)
		yamlread_complain(r, &n->start_mark,
				  "kind: '%s': leave it out, it is " KIND_CUSTOM_PREFIX "ID", s);
	else if (k == KIND_MAX_)
		yamlread_complain(r, &n->start_mark, "kind: there is no kind '%s'", s);
	else
		*(const char **)field = s;
}

static void add_word(struct yamlread *r, yaml_node_t *n, const char *name, char *words)
{
	const char *s = yamlread_scalar(r, n, name);
	size_t at = strlen(words);

	if (!s)
		return;
	if (!*s || strlen(s) > 32 ||
	    s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-_")])
		yamlread_complain(r, &n->start_mark, "%s: '%s' is no id", name, s);
	else if (at + 1 + strlen(s) >= WORDS_MAX)
		yamlread_complain(r, &n->start_mark, "%s: too many", name);
	else
		snprintf(words + at, WORDS_MAX - at, "%s%s", at ? " " : "", s);
}

static void set_words(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
		      void *field)
{
	if (!yamlread_expect(r, n, key->name, YAML_SEQUENCE_NODE))
		return;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++)
		add_word(r, yaml_document_get_node(r->doc, *i), key->name, field);
}

#define ROLE(r) (1U << SEG_##r)
static const struct surface {
	const char *name;
	uint32_t roles;
} surfaces[] = {
	{ "user", ROLE(USER) },
	{ "system", ROLE(SYSTEM) | ROLE(DEVELOPER) },
	{ "assistant", ROLE(ASSISTANT) | ROLE(REASONING) },
	{ "tool", ROLE(TOOL_RESULT) },
	{ "tool-call", ROLE(TOOL_CALL) },
	{ "tool-definition", ROLE(TOOL_DEFINITION) },
	{ "document", ROLE(DOCUMENT) },
};

static void set_surfaces(struct yamlread *r, yaml_node_t *n, const struct yamlread_key *key,
			 void *field)
{
	if (!yamlread_expect(r, n, key->name, YAML_SEQUENCE_NODE))
		return;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		const char *s = yamlread_scalar(r, item, key->name);
		size_t at = 0;

		if (!s)
			continue;
		while (at < ARRAY_SIZE(surfaces) && strcmp(surfaces[at].name, s))
			at++;
		if (at == ARRAY_SIZE(surfaces))
			yamlread_complain(r, &item->start_mark,
					  "surfaces: '%s' is none of: user, system, assistant, "
					  "tool, tool-call, tool-definition, document",
					  s);
		else
			*(uint32_t *)field |= surfaces[at].roles;
	}
}

#define DRAFT(f)      offsetof(struct draft, f)
#define DRAFT_TEXT(f) DRAFT(f), 0, sizeof(((struct draft *)0)->f)
static const struct yamlread_key weight_keys[] = {
	{ "user", set_weight, DRAFT(user), 0, 0, NULL },
	{ "retrieved", set_weight, DRAFT(retrieved), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};
static const struct yamlread_key mapping_keys[] = {
	{ "atlas", set_words, DRAFT(atlas), 0, 0, NULL },
	{ "owasp", set_words, DRAFT(owasp), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};
static const char *const mode_names[] = { "alert", "hunt", "off", NULL };
static_assert(ARRAY_SIZE(mode_names) == MODE_MAX_ + 1, "mode without a name");
static const char *const severity_names[] = { "informational", "low",	   "medium",
					      "high",	       "critical", NULL };
static_assert(ARRAY_SIZE(severity_names) == SEVERITY_MAX_ + 1, "severity without a name");

static const struct yamlread_key rule_keys[KEY_MAX_ + 1] = {
	[KEY_ID] = { "id", set_id, DRAFT_TEXT(id), NULL },
	[KEY_GROUP] = { "group", yamlread_enum, DRAFT(group), 0, 0, rule_group_names },
	[KEY_WEIGHT] = { "weight", yamlread_sub, 0, 0, 0, weight_keys },
	[KEY_PATTERNS] = { "patterns", set_node, DRAFT(patterns), 0, 0, NULL },
	[KEY_LITERALS] = { "literals", set_node, DRAFT(literals), 0, 0, NULL },
	[KEY_SEQUENCES] = { "sequences", set_node, DRAFT(sequences), 0, 0, NULL },
	[KEY_WHY] = { "why", set_text, DRAFT(why), 0, 120, NULL },
	[KEY_HITS] = { "hits", set_node, DRAFT(hits), 0, 0, NULL },
	[KEY_MISSES] = { "misses", set_node, DRAFT(misses), 0, 0, NULL },
	[KEY_MODE] = { "mode", yamlread_enum, DRAFT(mode), 0, 0, mode_names },
	[KEY_TITLE] = { "title", set_text, DRAFT(title), 0, 120, NULL },
	[KEY_SEVERITY] = { "severity", yamlread_enum, DRAFT(severity), 0, 0, severity_names },
	[KEY_SURFACES] = { "surfaces", set_surfaces, DRAFT(roles), 0, 0, NULL },
	[KEY_CONDITIONS] = { "conditions", set_node, DRAFT(conditions), 0, 0, NULL },
	[KEY_MAPPING] = { "mapping", yamlread_sub, 0, 0, 0, mapping_keys },
	[KEY_KIND] = { "kind", set_kind, DRAFT(kind), 0, 0, NULL },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* --- patterns, and what must be true of them */

/* Patterns by name; those without one share the bit of "". */
struct names {
	char name[RULE_NAMES_MAX][NAME_MAX_BYTES];
	size_t n;
	size_t n_patterns;
};

/* RULE_NAMES_MAX: there is none, and no room for it. */
static size_t name_bit(struct names *s, const char *name, bool make)
{
	size_t i = 0;

	while (i < s->n && strcmp(s->name[i], name))
		i++;
	if (i < s->n)
		return i;
	if (!make || s->n == RULE_NAMES_MAX)
		return RULE_NAMES_MAX;
	snprintf(s->name[i], sizeof(s->name[i]), "%s", name);
	s->n++;
	return i;
}

static void put_pattern(struct yamlread *r, yaml_node_t *n, const char *name, bool literal,
			struct names *names)
{
	struct pack *k = r->ctx;
	const char *key = literal ? "literals" : "patterns", *s = yamlread_scalar(r, n, key);
	struct rule_pattern p = { .line = (uint32_t)n->start_mark.line + 1,
				  .column = (uint32_t)n->start_mark.column + 1,
				  .rule = (uint16_t)n_rules(k->to),
				  .sort = literal ? RULE_LITERAL : RULE_EXPRESSION };
	size_t bit;

	if (!s)
		return;
	if (names->n_patterns++ == PACK_PATTERNS_MAX) {
		yamlread_complain(r, &n->start_mark, "%s: more than %d in one rule", key,
				  PACK_PATTERNS_MAX);
		return;
	}
	if (names->n_patterns > PACK_PATTERNS_MAX)
		return;
	bit = name_bit(names, name, true);
	if (bit == RULE_NAMES_MAX) {
		yamlread_complain(r, &n->start_mark, "%s: more than %d names", key, RULE_NAMES_MAX);
		return;
	}
	p.name = (uint8_t)bit;
	if (literal && (!*s || strlen(s) > PACK_PATTERN_MAX))
		yamlread_complain(r, &n->start_mark, "%s: empty, or longer than %d bytes", key,
				  PACK_PATTERN_MAX);
	else
		p.text = literal ? put_str(k, s) : expand(r, n, key, s);
	if (p.text && !k->err)
		k->err = buf_add(&k->to->patterns, span_of(&p, sizeof(p)));
}

/* One, or a list of alternatives. */
static void put_patterns(struct yamlread *r, yaml_node_t *n, const char *name, bool literal,
			 struct names *names)
{
	struct pack *k = r->ctx;

	if (n->type != YAML_SEQUENCE_NODE) {
		put_pattern(r, n, name, literal, names);
		return;
	}
	for (yaml_node_item_t *i = n->data.sequence.items.start;
	     i < n->data.sequence.items.top && !k->err; i++)
		put_pattern(r, yaml_document_get_node(r->doc, *i), name, literal, names);
}

/* A list, or (for conditions) a mapping of names. */
static void read_patterns(struct yamlread *r, yaml_node_t *n, bool literal, struct names *names)
{
	struct pack *k = r->ctx;

	if (n->type != YAML_MAPPING_NODE) {
		if (yamlread_expect(r, n, literal ? "literals" : "patterns", YAML_SEQUENCE_NODE))
			put_patterns(r, n, "", literal, names);
		return;
	}
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top && !k->err; p++) {
		yaml_node_t *kn = yaml_document_get_node(r->doc, p->key);
		const char *name = yamlread_scalar(r, kn, "patterns");

		if (name && (!*name || strlen(name) >= NAME_MAX_BYTES))
			yamlread_complain(r, &kn->start_mark,
					  "patterns: a name is 1 to %d bytes long",
					  NAME_MAX_BYTES - 1);
		else if (name)
			put_patterns(r, yaml_document_get_node(r->doc, p->value), name, literal,
				     names);
	}
}

/* Names of lists; one that shall stand close to the one before has a '~' in front. */
static void put_sequence(struct yamlread *r, yaml_node_t *n, struct names *names)
{
	struct pack *k = r->ctx;
	const char *s = yamlread_scalar(r, n, "sequences");
	struct rule_pattern p = { .line = (uint32_t)n->start_mark.line + 1,
				  .column = (uint32_t)n->start_mark.column + 1,
				  .rule = (uint16_t)n_rules(k->to),
				  .sort = RULE_SEQUENCE };
	size_t bit = name_bit(names, "", true);

	if (!s)
		return;
	while (*s && p.n_steps < SEQUENCE_STEPS_MAX) {
		size_t len, i = 0;

		if (*s == '~')
			p.near |= (uint8_t)(1u << p.n_steps);
		s += *s == '~';
		len = strcspn(s, " ");
		while (i < k->n_lists &&
		       (strncmp(k->lists[i].name, s, len) || k->lists[i].name[len]))
			i++;
		if (i == k->n_lists) {
			yamlread_complain(r, &n->start_mark, "sequences: no words are named '%.*s'",
					  (int)len, s);
			return;
		}
		p.step[p.n_steps++] = (uint16_t)(k->first_list + i);
		s += len;
		s += strspn(s, " ");
	}
	if (*s || p.n_steps < 2) {
		yamlread_complain(r, &n->start_mark, "sequences: of 2 to %d lists of words",
				  SEQUENCE_STEPS_MAX);
		return;
	}
	if (bit == RULE_NAMES_MAX) {
		yamlread_complain(r, &n->start_mark, "sequences: more than %d names",
				  RULE_NAMES_MAX);
		return;
	}
	p.name = (uint8_t)bit;
	k->err = buf_add(&k->to->patterns, span_of(&p, sizeof(p)));
}

static void read_sequences(struct yamlread *r, yaml_node_t *n, struct names *names)
{
	struct pack *k = r->ctx;

	if (!yamlread_expect(r, n, "sequences", YAML_SEQUENCE_NODE))
		return;
	for (yaml_node_item_t *i = n->data.sequence.items.start;
	     i < n->data.sequence.items.top && !k->err; i++)
		put_sequence(r, yaml_document_get_node(r->doc, *i), names);
}

struct condition_draft {
	yaml_node_t *all, *any, *none, *count, *models, *providers, *apps;
};

#define CONDITION(f) offsetof(struct condition_draft, f), 0, 0, NULL
static const struct yamlread_key condition_keys[] = {
	{ "all", set_node, CONDITION(all) },	  { "any", set_node, CONDITION(any) },
	{ "not", set_node, CONDITION(none) },	  { "count", set_node, CONDITION(count) },
	{ "model", set_node, CONDITION(models) }, { "provider", set_node, CONDITION(providers) },
	{ "app", set_node, CONDITION(apps) },	  { NULL, NULL, 0, 0, 0, NULL },
};

/* The bit of a pattern that is named in a condition; RULE_NAMES_MAX after a complaint. */
static size_t named(struct yamlread *r, yaml_node_t *n, struct names *names)
{
	const char *s = yamlread_scalar(r, n, "conditions");
	size_t bit = s && *s ? name_bit(names, s, false) : RULE_NAMES_MAX;

	if (s && bit == RULE_NAMES_MAX)
		yamlread_complain(r, &n->start_mark, "conditions: no pattern is named '%s'", s);
	return bit;
}

static uint32_t read_names(struct yamlread *r, yaml_node_t *n, struct names *names)
{
	uint32_t bits = 0;

	if (!n || !yamlread_expect(r, n, "conditions", YAML_SEQUENCE_NODE))
		return 0;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		size_t bit = named(r, yaml_document_get_node(r->doc, *i), names);

		if (bit < RULE_NAMES_MAX)
			bits |= 1U << bit;
	}
	return bits;
}

static void read_counts(struct yamlread *r, yaml_node_t *n, struct names *names, struct rule *rule)
{
	const struct yamlread_key row = { "count", NULL, 0, 1, UINT16_MAX, NULL };

	if (!n || !yamlread_expect(r, n, "count", YAML_MAPPING_NODE))
		return;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		size_t bit = named(r, yaml_document_get_node(r->doc, p->key), names);
		uint64_t v;

		if (yamlread_number(r, yaml_document_get_node(r->doc, p->value), &row, &v) &&
		    bit < RULE_NAMES_MAX)
			rule->at_least[bit] = (uint16_t)v;
	}
}

static void read_texts(struct yamlread *r, yaml_node_t *n, const char *key, struct rule_texts *to)
{
	struct pack *k = r->ctx;

	if (!n || !yamlread_expect(r, n, key, YAML_SEQUENCE_NODE))
		return;
	for (yaml_node_item_t *i = n->data.sequence.items.start;
	     i < n->data.sequence.items.top && !k->err; i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		const char *s = yamlread_scalar(r, item, key);

		if (!s)
			continue;
		if (!*s) {
			yamlread_complain(r, &item->start_mark, "%s: empty", key);
		} else if (to->n == PACK_TESTS_MAX) {
			yamlread_complain(r, &item->start_mark, "%s: more than %d", key,
					  PACK_TESTS_MAX);
			return;
		} else {
			put_listed(k, to, put_str(k, s));
		}
	}
}

static void read_conditions(struct yamlread *r, yaml_node_t *n, struct names *names,
			    struct rule *rule)
{
	struct condition_draft d = { 0 };
	uint32_t every = names->n < 32 ? (1U << names->n) - 1 : UINT32_MAX;

	if (n)
		yamlread_table(r, n, "conditions", condition_keys, &d);
	for (size_t i = 0; i < RULE_NAMES_MAX; i++)
		rule->at_least[i] = 1;
	read_counts(r, d.count, names, rule);
	rule->all = read_names(r, d.all, names);
	rule->any = read_names(r, d.any, names);
	rule->none = read_names(r, d.none, names);
	if (!d.all && !d.any)
		rule->any = every & ~rule->none;
	if (n && !rule->all && !rule->any)
		yamlread_complain(r, &n->start_mark, "conditions: nothing is left that must match");
	read_texts(r, d.models, "model", &rule->models);
	read_texts(r, d.providers, "provider", &rule->providers);
	read_texts(r, d.apps, "app", &rule->apps);
}

/* --- rules */

#define BIT(key)   (1ULL << KEY_##key)
#define GRADE_KEYS (BIT(SEVERITY) | BIT(MAPPING))
#define OWN_KEYS   (BIT(TITLE) | BIT(SURFACES) | BIT(CONDITIONS) | BIT(KIND) | GRADE_KEYS)

/* The sorts of rules: the keys that one needs, those that it cannot have, and whose they are. */
static const struct rule_sort_keys {
	uint64_t need, wrong;
	const char *whose;
} sort_keys[] = {
	{ BIT(TITLE) | BIT(SEVERITY), BIT(WEIGHT), "with a group" },
	{ 0, BIT(WEIGHT) | GRADE_KEYS, "without a kind, or with a group" },
	{ BIT(WEIGHT), OWN_KEYS, "without a group" },
};

static void check_keys(struct yamlread *r, yaml_node_t *n, const struct draft *d, uint64_t seen)
{
	bool grouped = seen & BIT(GROUP);
	const struct rule_sort_keys *sort = &sort_keys[grouped ? 2 : seen & BIT(KIND) ? 1 : 0];
	uint64_t need = BIT(ID) | BIT(WHY) | sort->need, wrong = seen & sort->wrong;

	for (enum rule_key i = 0; i < KEY_MAX_; i++) {
		if (need & ~seen & 1ULL << i)
			yamlread_complain(r, &n->start_mark, "rule %s: %s is missing", d->id,
					  rule_keys[i].name);
		if (wrong & 1ULL << i)
			yamlread_complain(r, &n->start_mark, "rule %s: %s is for rules %s", d->id,
					  rule_keys[i].name, sort->whose);
	}
	if (!d->patterns && !d->literals && !d->sequences)
		yamlread_complain(r, &n->start_mark, "rule %s: it has no patterns", d->id);
	if (grouped && seen & BIT(WEIGHT) && d->user + d->retrieved <= 0)
		yamlread_complain(r, &n->start_mark, "rule %s: it weighs nothing", d->id);
}

/* NULL: there is none. */
static struct rule *find(const struct rule_packs *p, const char *id)
{
	for (size_t i = 0; i < n_rules(p); i++)
		if (!strcmp(text_at(p, rules_of(p)[i].id), id))
			return &rules_of(p)[i];
	return NULL;
}

static void read_rule(struct yamlread *r, yaml_node_t *n)
{
	struct draft d = { .group = GROUP_MAX_, .severity = SEVERITY_MEDIUM, .mode = MODE_ALERT };
	struct pack *k = r->ctx;
	struct names names = { .n = 0 };
	struct rule rule = { .file = k->file, .pack = k->pack, .built_in = k->to->built_in };
	char kind[sizeof(KIND_CUSTOM_PREFIX) + RULE_ID_MAX];
	uint64_t seen;

	if (n_rules(k->to) == PACK_RULES_MAX) {
		k->err = -E2BIG;
		return;
	}
	if (!yamlread_expect(r, n, "rules", YAML_MAPPING_NODE))
		return;
	seen = yamlread_table(r, n, "a rule", rule_keys, &d);
	check_keys(r, n, &d, seen);
	if (*d.id && find(k->to, d.id))
		yamlread_complain(r, &n->start_mark, "rule %s: there is one of this id already",
				  d.id);
	rule.id = put_str(k, d.id);
	rule.title = put_str(k, d.title);
	rule.why = put_str(k, d.why);
	rule.atlas = put_str(k, d.atlas);
	rule.owasp = put_str(k, d.owasp);
	rule.user = d.user;
	rule.retrieved = d.retrieved;
	rule.group = (uint8_t)d.group;
	rule.severity = (uint8_t)d.severity;
	rule.mode = (uint8_t)d.mode;
	rule.roles = seen & BIT(SURFACES) ? d.roles : (1U << SEG_MAX_) - 1;
	if (d.group == GROUP_MAX_) {
		snprintf(kind, sizeof(kind), KIND_CUSTOM_PREFIX "%s", d.id);
		rule.kind = put_str(k, d.kind ? d.kind : kind);
	}
	if (d.patterns)
		read_patterns(r, d.patterns, false, &names);
	if (d.literals)
		read_patterns(r, d.literals, true, &names);
	if (d.sequences)
		read_sequences(r, d.sequences, &names);
	read_conditions(r, d.conditions, &names, &rule);
	read_texts(r, d.hits, "hits", &rule.hits);
	read_texts(r, d.misses, "misses", &rule.misses);
	if (!k->err)
		k->err = buf_add(&k->to->rules, span_of(&rule, sizeof(rule)));
}

#define PACK_NODE(f) offsetof(struct pack, f), 0, 0, NULL
static const struct yamlread_key pack_keys[] = {
	{ "pack", set_id, offsetof(struct pack, name), 0, NAME_MAX_BYTES, NULL },
	{ "define", set_node, PACK_NODE(define) },
	{ "words", set_node, PACK_NODE(words) },
	{ "rules", set_node, PACK_NODE(rules) },
	{ "off", set_node, PACK_NODE(off) },
	{ NULL, NULL, 0, 0, 0, NULL },
};

/* Rules that we brought and the operator does not want. */
static void read_off(struct yamlread *r, yaml_node_t *n)
{
	struct pack *k = r->ctx;

	if (!yamlread_expect(r, n, "off", YAML_SEQUENCE_NODE))
		return;
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		yaml_node_t *item = yaml_document_get_node(r->doc, *i);
		const char *id = yamlread_scalar(r, item, "off");
		struct rule *rule = id ? find(k->to, id) : NULL;

		if (rule && rule->built_in)
			rule->mode = MODE_OFF;
		else if (id)
			yamlread_complain(r, &item->start_mark,
					  "off: no built-in rule is called '%s'", id);
	}
}

/* The keys of the document are read: fragments first, wherever they stand. */
static void read_pack(struct yamlread *r, void *base)
{
	struct pack *k = base;

	if (!*k->name)
		yamlread_complain(r, &(yaml_mark_t){ 0 }, "pack is missing");
	k->pack = put_str(k, k->name);
	if (k->define)
		read_fragments(r, k->define);
	if (k->off)
		read_off(r, k->off);
	if (!k->rules || !yamlread_expect(r, k->rules, "rules", YAML_SEQUENCE_NODE))
		return;
	if (k->words)
		read_words(r, k->words);
	for (yaml_node_item_t *i = k->rules->data.sequence.items.start;
	     i < k->rules->data.sequence.items.top && !k->err; i++)
		read_rule(r, yaml_document_get_node(r->doc, *i));
}

int rule_packs_add(struct rule_packs *p, struct span yaml, const char *file, char *errors,
		   size_t errors_size)
{
	auto_mem struct pack *k = calloc(1, sizeof(*k));
	struct yamlread r = { .file = file,
			      .errors = errors,
			      .errors_size = errors_size,
			      .done = read_pack,
			      .ctx = k };
	int err;

	*errors = 0;
	if (!k)
		return -ENOMEM;
	if (yaml.len > PACK_FILE_MAX) {
		snprintf(errors, errors_size, "%s: larger than %d MiB\n", file,
			 PACK_FILE_MAX >> 20);
		return -E2BIG;
	}
	k->to = p;
	k->file = put_str(k, file);
	err = yamlread_run(&r, yaml, pack_keys, k);
	if (k->err == -E2BIG)
		snprintf(errors, errors_size,
			 "%s: all packs together hold more than %d rules or %d MiB of text\n", file,
			 PACK_RULES_MAX, PACK_TEXTS_MAX >> 20);
	return k->err ? k->err : err;
}

int rule_packs_add_bundle(struct rule_packs *p, struct span bundle, char *errors,
			  size_t errors_size)
{
	struct pack_file f;

	*errors = 0;
	while (bundle.len) {
		int err;

		if (bundle.len < sizeof(f))
			return -EBADMSG;
		memcpy(&f, bundle.p, sizeof(f));
		bundle = span_sub(bundle, sizeof(f), bundle.len);
		if (f.len > bundle.len || !memchr(f.name, 0, sizeof(f.name)))
			return -EBADMSG;
		err = rule_packs_add(p, span_sub(bundle, 0, f.len), f.name, errors, errors_size);
		if (err)
			return err;
		bundle = span_sub(bundle, f.len, bundle.len);
	}
	return 0;
}

int rule_packs_new(struct rule_packs **ret)
{
	auto_free(rule_packs) struct rule_packs *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->rules = BUF(PACK_RULES_MAX * sizeof(struct rule));
	p->patterns = BUF(PACK_RULES_MAX * PACK_PATTERNS_MAX * sizeof(struct rule_pattern));
	p->lists = BUF(PACK_TEXTS_MAX);
	p->text = BUF(PACK_TEXTS_MAX);
	err = buf_add(&p->text, span_of("", 1));
	if (err)
		return err;
	*ret = steal(p);
	return 0;
}

int rule_packs_add_built_in(struct rule_packs *p, char *errors, size_t errors_size)
{
	const char *name;
	struct span yaml;
	int err = 0;

	p->built_in = true;
	for (size_t i = 0; !err && packs_built_in(i, &yaml, &name); i++)
		err = rule_packs_add(p, yaml, name, errors, errors_size);
	p->built_in = false;
	return err;
}

void rule_packs_free(struct rule_packs **p)
{
	if (!*p)
		return;
	buf_free(&(*p)->rules);
	buf_free(&(*p)->patterns);
	buf_free(&(*p)->lists);
	buf_free(&(*p)->text);
	free(*p);
	*p = NULL;
}

/* Nobody looks for the patterns of a rule that is off; words of its pack are other rules', too. */
static bool wanted(const struct rule *r, const struct rule_pattern *p)
{
	return r->mode != MODE_OFF || p->sort == RULE_WORD || p->sort == RULE_WORD_LIKE;
}

/* The patterns of one list. Returns how many they are. */
static size_t lay_patterns(const struct rule_packs *p, bool own, uint8_t **at)
{
	size_t n = 0;

	for (size_t i = 0; i < p->patterns.len / sizeof(struct rule_pattern); i++) {
		const struct rule_pattern *x = &((const struct rule_pattern *)p->patterns.p)[i];

		const struct rule *r = &rules_of(p)[x->rule];

		if ((r->group == GROUP_MAX_) != own || !wanted(r, x))
			continue;
		memcpy(*at, x, sizeof(*x));
		*at += sizeof(*x);
		n++;
	}
	return n;
}

int rule_packs_image(const struct rule_packs *p, uint8_t **ret, size_t *ret_len)
{
	struct rules_head h = { .magic = RULES_MAGIC, .version = RULES_VERSION };
	uint8_t *image =
	    malloc(sizeof(h) + p->rules.len + p->patterns.len + p->lists.len + p->text.len);
	uint8_t *at;

	if (!image)
		return -ENOMEM;
	at = image + sizeof(h);
	if (p->rules.len)
		memcpy(at, p->rules.p, p->rules.len);
	at += p->rules.len;
	h.n_rules = (uint32_t)n_rules(p);
	h.n_attack_patterns = (uint32_t)lay_patterns(p, false, &at);
	h.n_patterns = h.n_attack_patterns + (uint32_t)lay_patterns(p, true, &at);
	h.n_lists = (uint32_t)n_lists(p);
	h.text_len = (uint32_t)p->text.len;
	if (p->lists.len)
		memcpy(at, p->lists.p, p->lists.len);
	memcpy(at + p->lists.len, p->text.p, p->text.len);
	memcpy(image, &h, sizeof(h));
	*ret = image;
	*ret_len = (size_t)(at - image) + p->lists.len + p->text.len;
	return 0;
}
