/* user/detect/gate.c - where in a text an expression is worth trying.
 * Owns for each unit the latest place of either set of its anchors, the windows so far, and what
 * they cost for each database.
 */
#include "detect/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"

#define WINDOW_COST 256 /* of a window beside its bytes */
#define WORD_BYTES  8	/* for the cost of a window that is known in words */
#define NONE	    UINT32_MAX
#define ROOM_MIN    256

struct place {
	size_t begin, end, words;
	bool known;
};

struct window {
	uint32_t unit;
	struct range where; /* of an expression without a limit: numbers of words */
};

/* What the windows of a database cost: more than the text, and it is searched once as a whole. */
struct db_state {
	uint64_t round; /* of another one: nothing */
	size_t cost;
};

struct unit_state {
	uint64_t round; /* of another one: nothing is known */
	uint32_t last;	/* window; NONE */
	struct place at[2];
};

struct gate {
	const struct image_unit *units;
	const struct image_anchor *anchors;
	struct unit_state *states;
	uint64_t round;
	struct span text;
	const struct lexicon *lexicon;
	struct window *windows;
	struct gate_window *settled; /* theirs in the end */
	size_t n, room;
	struct db_state dbs[IMAGE_DBS_MAX];
	size_t n_dbs;
};

static int grow(struct gate *g)
{
	size_t room = g->room ? 2 * g->room : ROOM_MIN;
	struct window *w = reallocarray(g->windows, room, sizeof(*w));
	/* One for each database that is searched as a whole. */
	struct gate_window *s = reallocarray(g->settled, room + IMAGE_DBS_MAX, sizeof(*s));

	g->windows = w ? w : g->windows;
	g->settled = s ? s : g->settled;
	if (!w || !s)
		return -ENOMEM;
	g->room = room;
	return 0;
}

int gate_new(struct gate **ret, const struct image_head *image)
{
	auto_free(gate) struct gate *g = calloc(1, sizeof(*g));
	const uint8_t *base = (const uint8_t *)image;

	if (!g)
		return -ENOMEM;
	g->units = (const struct image_unit *)(base + image->units.at);
	g->anchors = (const struct image_anchor *)(base + image->anchors.at);
	g->n_dbs = image->n_dbs;
	g->states = calloc(image->units.len / sizeof(*g->units) + 1, sizeof(*g->states));
	if (!g->states || grow(g))
		return -ENOMEM;
	*ret = steal(g);
	return 0;
}

void gate_free(struct gate **g)
{
	if (!*g)
		return;
	free((*g)->states);
	free((*g)->windows);
	free((*g)->settled);
	free(*g);
	*g = NULL;
}

void gate_begin(struct gate *g, struct span text, const struct lexicon *lexicon)
{
	g->text = text;
	g->lexicon = lexicon;
	g->n = 0;
	g->round++;
}

static bool of_word(uint8_t c)
{
	return ascii_alnum(c) || c == '_';
}

/* A window of the unit, joined with its last one where they meet. */
static int open_window(struct gate *g, uint32_t unit, struct range where, size_t unit_bytes)
{
	size_t *cost = &g->dbs[g->units[unit].db].cost;
	struct unit_state *s = &g->states[unit];
	struct range *last = s->last == NONE ? NULL : &g->windows[s->last].where;

	if (last && where.begin <= last->end) {
		if (where.end <= last->end)
			return 0;
		*cost += (where.end - last->end) * unit_bytes;
		last->end = where.end;
		return 0;
	}
	if (g->n == g->room && grow(g))
		return -ENOMEM;
	s->last = (uint32_t)g->n;
	g->windows[g->n++] = (struct window){ unit, where };
	*cost += (where.end - where.begin) * unit_bytes + WINDOW_COST;
	return 0;
}

static bool too_much(struct gate *g, size_t db)
{
	struct db_state *d = &g->dbs[db];

	if (d->round != g->round)
		*d = (struct db_state){ .round = g->round };
	return d->cost > g->text.len + WINDOW_COST;
}

int gate_seen(struct gate *g, uint32_t id, const struct lexicon_hit *h)
{
	const struct image_anchor *a = &g->anchors[id];
	const struct image_unit *u = &g->units[a->unit];
	struct unit_state *s = &g->states[a->unit];
	const struct place *other;
	size_t first, last;

	if (too_much(g, u->db))
		return 0;
	if (s->round != g->round)
		*s = (struct unit_state){ .round = g->round, .last = NONE };
	s->at[a->set] = (struct place){ h->where.begin, h->where.end, h->words, true };
	other = &s->at[u->sets > 1 ? !a->set : a->set];
	if (!other->known)
		return 0;
	if (!u->reach) {
		first = MIN(other->words, h->words);
		last = MAX(other->words, h->words);
		if (last - first > u->words)
			return 0;
		return open_window(g, a->unit,
				   (struct range){ last - MIN(last, u->words), first + u->words },
				   WORD_BYTES);
	}
	first = MIN(other->begin, h->where.begin);
	last = MAX(other->end, h->where.end);
	if (last - first > u->reach)
		return 0;
	/* One byte more: expressions look at what is around a match. */
	return open_window(g, a->unit,
			   (struct range){ last - MIN(last, (size_t)u->reach + 1),
					   MIN(first + u->reach + 1, g->text.len) },
			   1);
}

/* Expressions see the same there as in the whole text: no boundary of a word where none is. */
static struct range settled(const struct gate *g, const struct window *w)
{
	struct range r = w->where;

	if (!g->units[w->unit].reach) {
		r.begin = lexicon_place(g->lexicon, r.begin);
		r.end = lexicon_place(g->lexicon, r.end + 1) + LEXICON_PLACE;
		r.end = MIN(r.end, g->text.len);
	}
	while (r.begin && of_word(g->text.p[r.begin - 1]))
		r.begin--;
	while (r.end < g->text.len && of_word(g->text.p[r.end]))
		r.end++;
	return r;
}

static int by_db(const void *a, const void *b)
{
	const struct gate_window *x = a, *y = b;

	if (x->db != y->db)
		return x->db < y->db ? -1 : 1;
	return x->where.begin < y->where.begin ? -1 : x->where.begin > y->where.begin;
}

size_t gate_windows(struct gate *g, const struct gate_window **ret)
{
	struct gate_window *w = g->settled;
	size_t n = 0, n_joined = 0;

	*ret = w;
	for (size_t i = 0; i < g->n_dbs; i++)
		if (too_much(g, i))
			w[n++] = (struct gate_window){ i, { 0, g->text.len } };
	for (size_t i = 0; i < g->n; i++) {
		size_t db = g->units[g->windows[i].unit].db;

		if (!too_much(g, db))
			w[n++] = (struct gate_window){ db, settled(g, &g->windows[i]) };
	}
	qsort(w, n, sizeof(*w), by_db);
	for (size_t i = 0; i < n; i++) {
		struct gate_window *last = n_joined ? &w[n_joined - 1] : NULL;

		if (last && last->db == w[i].db && w[i].where.begin <= last->where.end)
			last->where.end = MAX(last->where.end, w[i].where.end);
		else
			w[n_joined++] = w[i];
	}
	return n_joined;
}
