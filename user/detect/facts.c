/* user/detect/facts.c - a hash table with a list by last use. */
#include "detect/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define BYTES_PER_BUCKET 256 /* most texts have no findings, so that an entry is about as large */

struct entry {
	struct hash128 key;
	struct entry *next; /* in its bucket */
	struct entry *older, *newer;
	float attack;
	size_t n, n_values;
	struct finding v[]; /* the values are behind them */
};

struct facts {
	struct entry **buckets;
	size_t n_buckets; /* a power of two */
	struct entry *oldest, *newest;
	size_t bytes, max;
	struct fact_list out;
};

int facts_new(struct facts **ret, size_t max_bytes)
{
	auto_free(facts) struct facts *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->max = max_bytes;
	f->n_buckets = 1;
	while (f->n_buckets < max_bytes / BYTES_PER_BUCKET)
		f->n_buckets *= 2;
	f->buckets = calloc(f->n_buckets, sizeof(struct entry *));
	if (!f->buckets)
		return -ENOMEM;
	*ret = steal(f);
	return 0;
}

static struct entry **bucket(struct facts *f, const struct hash128 *key)
{
	size_t h;

	/* The key is a keyed hash: nobody outside can aim at a bucket. */
	memcpy(&h, key, sizeof(h));
	return &f->buckets[h & (f->n_buckets - 1)];
}

static size_t size_of(size_t n, size_t n_values)
{
	return sizeof(struct entry) + n * sizeof(struct finding) +
	       n_values * sizeof(struct fact_value);
}

static struct fact_value *values_of(struct entry *e)
{
	static_assert(_Alignof(struct fact_value) <= _Alignof(struct entry) &&
			  sizeof(struct finding) % _Alignof(struct fact_value) == 0,
		      "values behind findings");
	return (struct fact_value *)(void *)(e->v + e->n);
}

static void unlink_use(struct facts *f, struct entry *e)
{
	*(e->older ? &e->older->newer : &f->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &f->newest) = e->older;
}

static void link_use(struct facts *f, struct entry *e)
{
	e->older = f->newest;
	e->newer = NULL;
	*(f->newest ? &f->newest->newer : &f->oldest) = e;
	f->newest = e;
}

static void drop(struct facts *f, struct entry *e)
{
	struct entry **p = bucket(f, &e->key);

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	unlink_use(f, e);
	f->bytes -= size_of(e->n, e->n_values);
	free(e);
}

void facts_free(struct facts **f)
{
	if (!*f)
		return;
	while ((*f)->oldest)
		drop(*f, (*f)->oldest);
	free((*f)->buckets);
	free(*f);
	*f = NULL;
}

static struct entry *find(struct facts *f, const struct hash128 *key)
{
	struct entry *e = *bucket(f, key);

	while (e && memcmp(&e->key, key, sizeof(*key)))
		e = e->next;
	return e;
}

const struct fact_list *facts_get(struct facts *f, const struct hash128 *key)
{
	struct entry *e = find(f, key);

	if (!e)
		return NULL;
	unlink_use(f, e);
	link_use(f, e);
	f->out.attack = e->attack;
	f->out.n = e->n;
	f->out.n_values = e->n_values;
	memcpy(f->out.v, e->v, e->n * sizeof(e->v[0]));
	memcpy(f->out.values, values_of(e), e->n_values * sizeof(f->out.values[0]));
	return &f->out;
}

size_t facts_put(struct facts *f, const struct hash128 *key, const struct fact_list *list)
{
	size_t size = size_of(list->n, list->n_values), gone = 0;
	struct entry *e = find(f, key);

	if (size > f->max || e)
		return 0;
	for (; f->bytes + size > f->max; gone++)
		drop(f, f->oldest);
	e = malloc(size);
	if (!e)
		return gone;
	e->key = *key;
	e->attack = list->attack;
	e->n = list->n;
	e->n_values = list->n_values;
	memcpy(e->v, list->v, list->n * sizeof(e->v[0]));
	memcpy(values_of(e), list->values, list->n_values * sizeof(list->values[0]));
	e->next = *bucket(f, key);
	*bucket(f, key) = e;
	link_use(f, e);
	f->bytes += size;
	return gone;
}
