/* user/dialect/shape.c - finds the row of a table that a JSON value's path names. */
#include "dialect/shape.h"

/* As json_event.path_hash would be for this row. */
static uint32_t hash_of(const char *prefix, const char *path)
{
	char joined[JSON_PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s%s", prefix, path);

	assert(n >= 0 && (size_t)n < sizeof(joined));
	return json_path_hash(joined);
}

static void add_wild(struct shapes *s, struct shape_ref ref)
{
	const char *star = strchr(ref.row->path, '*');
	struct shape_wild *w = &s->wild[s->n_wild];
	int n;

	assert(s->n_wild < SHAPES_WILD);
	s->n_wild++;
	w->ref = ref;
	w->any = star[1] == '*';
	w->tail = star + 1 + w->any;
	w->tail_len = strlen(w->tail);
	n = snprintf(w->head, sizeof(w->head), "%s%.*s", ref.shape->prefix,
		     (int)(star - ref.row->path), ref.row->path);
	assert(n >= 0 && (size_t)n < sizeof(w->head));
	w->head_len = (size_t)n;
}

static void add(struct shapes *s, const struct shape *shape, const struct shape_row *row)
{
	struct shape_ref ref = { .shape = shape, .row = row };

	for (const char *p = shape->prefix; (p = strstr(p, "[]")); p += 2)
		ref.n_index++;
	if (strchr(row->path, '*')) {
		add_wild(s, ref);
		return;
	}
	ref.hash = hash_of(shape->prefix, row->path);
	for (size_t i = ref.hash % SHAPES_SLOTS;; i = (i + 1) % SHAPES_SLOTS) {
		if (s->slots[i].shape)
			continue;
		s->slots[i] = ref;
		return;
	}
}

static void build(struct shapes *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		n += s->list[i].n_rows;
		assert(n <= SHAPES_SLOTS / 2);
		for (size_t k = 0; k < s->list[i].n_rows; k++)
			add(s, &s->list[i], &s->list[i].rows[k]);
	}
	s->ready = true;
}

static bool wild_match(const struct shape_wild *w, const char *path, size_t len)
{
	size_t between = len - w->head_len - w->tail_len;

	/* The first and the last byte tell most of them apart. */
	if (len <= w->head_len + w->tail_len || path[0] != w->head[0] ||
	    (w->tail_len && path[len - 1] != w->tail[w->tail_len - 1]))
		return false;
	if (memcmp(path + len - w->tail_len, w->tail, w->tail_len) ||
	    memcmp(path, w->head, w->head_len))
		return false;
	return w->any || strcspn(path + w->head_len, ".[") >= between;
}

const struct shape_ref *shapes_find(struct shapes *s, const struct json_event *e)
{
	size_t len;

	if (!s->ready)
		build(s);
	if (e->deep)
		return NULL;
	for (size_t i = e->path_hash % SHAPES_SLOTS; s->slots[i].shape;
	     i = (i + 1) % SHAPES_SLOTS) {
		const struct shape_ref *ref = &s->slots[i];
		size_t prefix = strlen(ref->shape->prefix);

		if (ref->hash == e->path_hash && !strncmp(e->path, ref->shape->prefix, prefix) &&
		    !strcmp(e->path + prefix, ref->row->path))
			return ref;
	}
	len = strlen(e->path);
	for (size_t i = 0; i < s->n_wild; i++)
		if (wild_match(&s->wild[i], e->path, len))
			return &s->wild[i].ref;
	return NULL;
}
