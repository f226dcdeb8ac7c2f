/* user/text/view.c - makes the views of a text, and leads ranges back through them. */
#include "text/view.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"

struct viewer {
	struct fold *fold;
	struct views views;
};

static bool worth_folding(struct span text)
{
	return ascii_len(text) < text.len;
}

static int make_folded(const struct viewer *v, struct span text, struct view *w)
{
	return fold_view(v->fold, text, w);
}

static int make_hidden(const struct viewer *v, struct span text, struct view *w)
{
	(void)v;
	return hidden_view(text, w);
}

static int make_base64(const struct viewer *v, struct span text, struct view *w)
{
	(void)v;
	return base64_view(text, w);
}

/* A new way to read a text is one row. */
static const struct maker {
	const char *name;
	bool (*worth)(struct span text); /* cheap; NULL: the maker is quick to find nothing */
	int (*make)(const struct viewer *v, struct span text, struct view *w);
	bool supersedes; /* its view holds all that the parent does; such a view is not made twice
			    over */
} makers[] = {
	{ "folded", worth_folding, make_folded, true },
	{ "hidden", worth_folding, make_hidden, false },
	{ "base64", NULL, make_base64, false },
};

int viewer_new(struct viewer **ret)
{
	auto_free(viewer) struct viewer *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	for (unsigned i = 0; i < VIEWS_MAX; i++)
		v->views.view[i].bytes = BUF(VIEW_BYTES_MAX);
	err = fold_new(&v->fold);
	if (err)
		return err;
	*ret = steal(v);
	return 0;
}

void viewer_free(struct viewer **v)
{
	if (!*v)
		return;
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		buf_free(&(*v)->views.view[i].bytes);
		free((*v)->views.view[i].runs);
	}
	fold_free(&(*v)->fold);
	free(*v);
	*v = NULL;
}

static int add_run(struct view *w, size_t src, bool whole)
{
	const struct view_run *last = w->n_runs ? &w->runs[w->n_runs - 1] : NULL;

	/* Goes on where the last run left off: the same distance, or another part of the same
	 * piece. */
	if (last && whole == last->whole &&
	    (whole ? src == last->src : src - last->src == w->bytes.len - last->at))
		return 0;
	if (w->n_runs == VIEW_RUNS_MAX)
		return -E2BIG;
	if (w->n_runs == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct view_run *p = realloc(w->runs, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		w->runs = p;
		w->room = room;
	}
	w->runs[w->n_runs++] = (struct view_run){ .at = w->bytes.len, .src = src, .whole = whole };
	return 0;
}

int view_put(struct view *w, size_t src, struct span bytes, bool whole)
{
	int err = bytes.len ? add_run(w, src, whole) : 0;

	return err ? err : buf_add(&w->bytes, bytes);
}

/* Tries one maker on view p; a view comes into being when it yields something new. */
static int grow(struct viewer *v, unsigned p, const struct maker *m)
{
	struct views *vs = &v->views;
	struct view *parent = &vs->view[p], *w = &vs->view[vs->n];
	int err;

	assert(vs->n < VIEWS_MAX);
	buf_clear(&w->bytes);
	w->n_runs = 0;
	err = m->make(v, parent->text, w);
	w->cut = err == -E2BIG;
	if (err && !w->cut)
		return err;
	w->text = buf_span(&w->bytes);
	if (!w->text.len || span_eq(w->text, parent->text))
		return 0;
	/* Without room for the closing run, the last one closes the table. */
	err = add_run(w, parent->text.len, false);
	if (err && err != -E2BIG)
		return err;
	w->maker = m->name;
	w->parent = p;
	w->level = parent->level + !m->supersedes;
	w->superseded = false;
	parent->superseded |= m->supersedes && !w->cut;
	vs->n++;
	return 0;
}

int views_make(struct viewer *v, struct span text, const struct views **ret)
{
	struct views *vs = &v->views;
	int err;

	vs->view[0].text = text;
	vs->view[0].maker = "";
	vs->view[0].level = 0;
	vs->view[0].superseded = false;
	vs->n = 1;
	for (unsigned p = 0; p < vs->n; p++)
		for (size_t i = 0; i < ARRAY_SIZE(makers) && vs->n < VIEWS_MAX; i++) {
			const struct maker *m = &makers[i];
			bool again = m->name == vs->view[p].maker && m->supersedes;

			/* Invisible characters are gone from a folded text; everything else is
			 * found there as well. */
			if (again || (!m->supersedes && vs->view[p].level == VIEW_LEVELS_MAX) ||
			    (m->worth && !m->worth(vs->view[p].text)) ||
			    (vs->view[p].superseded && m->make != make_hidden))
				continue;
			err = grow(v, p, m);
			if (err)
				return err;
		}
	*ret = vs;
	return 0;
}

void views_clear(struct viewer *v)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		buf_clear(&v->views.view[i].bytes);
	v->views.n = 0;
}

/* The last run that begins at or before at. */
static size_t run_at(const struct view *w, size_t at)
{
	size_t lo = 0, hi = w->n_runs;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (w->runs[mid].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static bool inside_char(struct span s, size_t at)
{
	return at < s.len && (s.p[at] & 0xc0) == 0x80;
}

/* One step back, from a view to its parent. */
static struct range to_parent(const struct view *w, struct span parent, struct range r)
{
	size_t first = run_at(w, r.begin), last = run_at(w, r.end ? r.end - 1 : 0);
	const struct view_run *a = &w->runs[first], *z = &w->runs[last];
	/* Where the text of a run ends in the parent: no part of it can lie further on. */
	size_t a_end = first + 1 < w->n_runs ? a[1].src : parent.len;
	size_t z_end = last + 1 < w->n_runs ? z[1].src : parent.len;
	struct range up;

	up.begin = a->whole ? a->src : MIN(a->src + (r.begin - a->at), a_end);
	up.end = z->whole || (last + 1 < w->n_runs && z[1].at == r.end)
		     ? z_end
		     : MIN(z->src + (r.end - z->at), z_end);
	for (unsigned i = 0; i < 3 && up.begin && inside_char(parent, up.begin); i++)
		up.begin--;
	for (unsigned i = 0; i < 3 && inside_char(parent, up.end); i++)
		up.end++;
	up.end = MAX(up.end, up.begin);
	return up;
}

struct range views_range(const struct views *v, unsigned view, struct range r, unsigned ancestor)
{
	while (view != ancestor && view) {
		const struct view *w = &v->view[view];

		r = to_parent(w, v->view[w->parent].text, r);
		view = w->parent;
	}
	return r;
}

bool views_descends(const struct views *v, unsigned view, unsigned ancestor)
{
	while (view != ancestor && view)
		view = v->view[view].parent;
	return view == ancestor;
}

void views_name(const struct views *v, unsigned view, struct range r, char ret[VIEW_NAME_MAX])
{
	const char *steps[VIEWS_MAX];
	unsigned n = 0;
	size_t at = 0;

	while (view) {
		const struct view *w = &v->view[view];
		const struct view *parent = &v->view[w->parent];
		struct range up = to_parent(w, parent->text, r);

		if (!span_eq(span_sub(w->text, r.begin, r.end - r.begin),
			     span_sub(parent->text, up.begin, up.end - up.begin)))
			steps[n++] = w->maker;
		r = up;
		view = w->parent;
	}
	ret[0] = 0;
	while (n-- && at < VIEW_NAME_MAX)
		at +=
		    (size_t)snprintf(ret + at, VIEW_NAME_MAX - at, "%s%s", at ? "+" : "", steps[n]);
}
