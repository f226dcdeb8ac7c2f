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
	uint64_t bit = UINT64_C(1) << s->n_wild;
	int n;

	static_assert(SHAPES_WILD <= 64, "a bit for each");
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
	for (size_t c = 0; c < ARRAY_SIZE(s->begins); c++) {
		if (!w->head_len || (uint8_t)w->head[0] == c)
			s->begins[c] |= bit;
		if (!w->tail_len || (uint8_t)w->tail[w->tail_len - 1] == c)
			s->ends[c] |= bit;
	}
}

static void add(struct shapes *s, const struct shape *shape, const struct shape_row *row)
{
	struct shape_ref ref = { .shape = shape,
				 .row = row,
				 .prefix_len = (uint32_t)strlen(shape->prefix),
				 .path_len = (uint32_t)strlen(row->path) };

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

	if (len <= w->head_len + w->tail_len ||
	    memcmp(path + len - w->tail_len, w->tail, w->tail_len) ||
	    memcmp(path, w->head, w->head_len))
		return false;
	return w->any || strcspn(path + w->head_len, ".[") >= between;
}

const struct shape_ref *shapes_find(struct shapes *s, const struct json_event *e)
{
	size_t len = e->path_len;
	uint64_t may;

	if (!s->ready)
		build(s);
	if (e->deep)
		return NULL;
	for (size_t i = e->path_hash % SHAPES_SLOTS; s->slots[i].shape;
	     i = (i + 1) % SHAPES_SLOTS) {
		const struct shape_ref *ref = &s->slots[i];

		if (ref->hash == e->path_hash && ref->prefix_len + ref->path_len == len &&
		    (!ref->prefix_len || !memcmp(e->path, ref->shape->prefix, ref->prefix_len)) &&
		    !memcmp(e->path + ref->prefix_len, ref->row->path, ref->path_len))
			return ref;
	}
	/* The first and the last byte tell nearly all of them apart. */
	if (!len)
		return NULL;
	for (may = s->begins[(uint8_t)e->path[0]] & s->ends[(uint8_t)e->path[len - 1]]; may;
	     may &= may - 1) {
		const struct shape_wild *w = &s->wild[__builtin_ctzll(may)];

		if (wild_match(w, e->path, len))
			return &w->ref;
	}
	return NULL;
}
