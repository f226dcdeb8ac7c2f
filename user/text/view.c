/* user/text/view.c - makes the views of a text, and leads ranges back through them. */
#include "text/view.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "text/maker.h"

/* What a maker's view is. */
#define SUPERSEDES (1 << 0) /* it holds all that the parent does; such a view is no decoding */
#define ONCE	   (1 << 1) /* makes nothing, or little, of its own views */
#define UNFOLDED   (1 << 2) /* reads what folding takes away, so superseded texts, too */
#define CONCEALING (1 << 3)
#define PARTIAL	   (1 << 4)

struct viewer {
	struct fold *fold;
	struct words *words;
	struct survey survey;
	size_t extra; /* bytes that views may still add to what the text itself is */
	struct views views;
};

int folded_view(const struct reading *r, struct view *w)
{
	return fold_view(r->fold, r->text, w);
}

/* A new way to read a text is one row; those that ask for SURVEY_HIGH alone stand first. */
static const struct maker {
	const char *name;
	unsigned signs; /* tried only where the survey saw one of them */
	make_fn *make;
	unsigned is;
} makers[] = {
	{ "folded", SURVEY_HIGH, folded_view, SUPERSEDES | ONCE },
	{ "hidden", SURVEY_HIGH, hidden_view, CONCEALING | UNFOLDED },
	{ "flipped", SURVEY_HIGH, flipped_view, CONCEALING | UNFOLDED },
	{ "bidi", SURVEY_HIGH, bidi_view, CONCEALING | UNFOLDED },
	{ "json", SURVEY_ESCAPE, json_view, SUPERSEDES },
	{ "markup", SURVEY_MARKUP, markup_view, PARTIAL },
	{ "escapes", SURVEY_ESCAPE, escapes_view, PARTIAL },
	{ "base64", SURVEY_RUN, base64_view, CONCEALING },
	{ "base32", SURVEY_RUN, base32_view, CONCEALING },
	{ "hex", SURVEY_HEX, hex_view, CONCEALING },
	{ "binary", SURVEY_BITS, binary_view, CONCEALING },
	{ "numbers", SURVEY_NUMBERS, numbers_view, CONCEALING },
	{ "morse", SURVEY_DOTS, morse_view, CONCEALING },
	{ "spaced", SURVEY_SINGLES | SURVEY_LONG | SURVEY_NAME, spaced_view,
	  CONCEALING | PARTIAL | ONCE },
	{ "leet", SURVEY_MIXED, leet_view, CONCEALING | PARTIAL },
	{ "rotated", SURVEY_ODD | SURVEY_BRIEF, rotated_view, CONCEALING | PARTIAL },
	{ "reversed", SURVEY_ODD | SURVEY_BRIEF, reversed_view, CONCEALING },
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
	if (!err)
		err = words_new(&v->words);
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
	words_free(&(*v)->words);
	survey_wipe(&(*v)->survey);
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
	struct reading reading = { parent->text, &v->survey, v->fold, v->words };
	/* The text in another form, rather than something more to read. */
	bool same = m->is & SUPERSEDES && !parent->level;
	int err;

	assert(vs->n < VIEWS_MAX);
	buf_clear(&w->bytes);
	w->bytes.max = same ? VIEW_BYTES_MAX : MIN(v->extra, VIEW_BYTES_MAX);
	w->n_runs = 0;
	err = m->make(&reading, w);
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
	w->level = parent->level + !(m->is & SUPERSEDES);
	w->depth = parent->depth + 1;
	w->concealing = parent->concealing || m->is & CONCEALING;
	w->partial = m->is & PARTIAL;
	w->superseded = false;
	parent->superseded |= m->is & SUPERSEDES && !w->cut;
	v->extra -= same ? 0 : w->text.len;
	vs->n++;
	return 0;
}

/* Is the maker worth trying on view p? */
static bool applies(const struct viewer *v, unsigned p, const struct maker *m)
{
	const struct view *w = &v->views.view[p];

	if (!(v->survey.all & m->signs) || w->depth == VIEW_DEPTH_MAX)
		return false;
	if (m->is & ONCE && m->name == w->maker)
		return false;
	if (!(m->is & SUPERSEDES) && w->level == VIEW_LEVELS_MAX)
		return false;
	return !w->superseded || m->is & UNFOLDED;
}

int views_make(struct viewer *v, struct span text, const struct views **ret)
{
	struct views *vs = &v->views;
	int err;

	vs->view[0].text = text;
	vs->view[0].maker = "";
	vs->view[0].level = vs->view[0].depth = 0;
	vs->view[0].superseded = vs->view[0].concealing = vs->view[0].partial = false;
	vs->n = 1;
	v->extra = 2 * text.len + VIEWS_EXTRA_MAX;
	for (unsigned p = 0; p < vs->n; p++) {
		bool whole = false;

		/* The first makers ask for this sign only, and often leave the others nothing. */
		err = survey_make_high(&v->survey, vs->view[p].text);
		for (size_t i = 0; !err && i < ARRAY_SIZE(makers) && vs->n < VIEWS_MAX; i++) {
			if (!whole && makers[i].signs != SURVEY_HIGH) {
				if (vs->view[p].superseded)
					break;
				err = survey_make(&v->survey, vs->view[p].text);
				whole = true;
			}
			if (!err && applies(v, p, &makers[i]))
				err = grow(v, p, &makers[i]);
		}
		if (err)
			return err;
	}
	*ret = vs;
	return 0;
}

void views_clear(struct viewer *v)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++) {
		struct view *w = &v->views.view[i];

		if (w->bytes.room > VIEW_KEPT_MAX) {
			buf_free(&w->bytes);
			free(w->runs);
			w->runs = NULL;
			w->room = 0;
		}
		buf_clear(&w->bytes);
	}
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

bool views_fresh(const struct views *v, unsigned view, struct range r)
{
	while (view) {
		const struct view *w = &v->view[view];
		struct span parent = v->view[w->parent].text;
		struct range up = to_parent(w, parent, r);

		if (w->partial && span_eq(span_sub(w->text, r.begin, r.end - r.begin),
					  span_sub(parent, up.begin, up.end - up.begin)))
			return false;
		r = up;
		view = w->parent;
	}
	return true;
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
