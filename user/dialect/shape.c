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

static void add(struct shapes *s, const struct shape *shape, const struct shape_row *row)
{
	struct shape_ref ref = { .shape = shape, .row = row };

	if (strchr(row->path, '*')) {
		assert(s->n_wild < SHAPES_WILD);
		s->wild[s->n_wild++] = ref;
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

/* path is prefix and then, for the one run of stars in it, pattern. */
static bool wild_match(const struct shape_ref *ref, const char *path)
{
	const char *pattern = ref->row->path, *star = strchr(pattern, '*');
	size_t prefix = strlen(ref->shape->prefix), before = (size_t)(star - pattern), len;
	bool any = star[1] == '*';
	const char *after = star + (any ? 2 : 1);

	if (strncmp(path, ref->shape->prefix, prefix))
		return false;
	path += prefix;
	if (strncmp(path, pattern, before))
		return false;
	path += before;
	len = strlen(path);
	if (len <= strlen(after) || strcmp(path + len - strlen(after), after))
		return false;
	return any || strcspn(path, ".[") >= len - strlen(after);
}

static const struct shape_ref *find(struct shapes *s, const struct json_event *e)
{
	for (size_t i = e->path_hash % SHAPES_SLOTS; s->slots[i].shape; i = (i + 1) % SHAPES_SLOTS) {
		const struct shape_ref *ref = &s->slots[i];
		size_t prefix = strlen(ref->shape->prefix);

		if (ref->hash == e->path_hash && !strncmp(e->path, ref->shape->prefix, prefix) &&
		    !strcmp(e->path + prefix, ref->row->path))
			return ref;
	}
	for (size_t i = 0; i < s->n_wild; i++)
		if (wild_match(&s->wild[i], e->path))
			return &s->wild[i];
	return NULL;
}

void shapes_run(struct shapes *s, void *ctx, const struct json_event *e)
{
	const struct shape_ref *ref;

	if (!s->ready)
		build(s);
	if (e->deep)
		return;
	ref = find(s, e);
	if (ref)
		ref->row->on(ctx, ref->shape, e, ref->row->arg);
}
