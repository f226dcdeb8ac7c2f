/* tools/train/suffix.c - finds the weights of user/detect/suffix.c: logistic regression on the
 * window of a text that looks most like a suffix, each source scored by weights that never saw it.
 *
 *	suffix.py DATA | earshot-suffix > user/detect/suffix_data.c
 *
 * The threshold is set where so many harmless texts of other sources pass it. Tells on the standard
 * error what part of the suffixes is found then.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "detect/suffix.h"

#define FOLDS	 5
#define ROUNDS	 3 /* the strongest windows are chosen anew */
#define STEPS	 400
#define HARD	 4000  /* harmless windows that look most like one weigh more */
#define PASS	 10000 /* one harmless text in so many */
#define TEXT_MAX (1 << 20)

struct window {
	float x[SUFFIX_MAX_];
	uint32_t row;
	float z, weight;
};

struct row {
	bool suffix;
	unsigned fold;
	float z; /* of the strongest window, -INFINITY: none was measured */
};

struct line {
	double w[SUFFIX_MAX_], bias;
};

static struct window *windows;
static size_t n_windows, room;
static struct row *rows;
static size_t n_rows;

static void *grow(void *p, size_t n, size_t size)
{
	p = realloc(p, n * size);
	if (!p)
		exit(1);
	return p;
}

static void read_rows(void)
{
	static uint8_t text[TEXT_MAX];
	unsigned label, fold;
	size_t len;

	while (scanf("%u %u %zu", &label, &fold, &len) == 3) {
		struct span s = { text, len };
		float x[SUFFIX_MAX_];
		struct suffix_windows w;

		if (getchar() != '\n' || len > TEXT_MAX || fread(text, 1, len, stdin) != len)
			exit(1);
		if (!(n_rows & (n_rows - 1)))
			rows = grow(rows, n_rows ? 2 * n_rows : 1, sizeof(*rows));
		rows[n_rows] = (struct row){ .suffix = label, .fold = fold };
		suffix_begin(&w, s);
		while (suffix_next(&w)) {
			if (!suffix_measure(&w, x))
				continue;
			if (n_windows == room) {
				room = room ? 2 * room : 1024;
				windows = grow(windows, room, sizeof(*windows));
			}
			memcpy(windows[n_windows].x, x, sizeof(x));
			windows[n_windows++].row = (uint32_t)n_rows;
		}
		n_rows++;
	}
}

static double apply(const struct line *l, const float *x)
{
	double z = l->bias;

	for (unsigned i = 0; i < SUFFIX_MAX_; i++)
		z += l->w[i] * x[i];
	return z;
}

/* Adam on all windows that are in, whose measures are scaled alike meanwhile. */
static void fit(struct line *l, unsigned out)
{
	double mean[SUFFIX_MAX_] = { 0 }, scale[SUFFIX_MAX_] = { 0 };
	double m[SUFFIX_MAX_ + 1] = { 0 }, v[SUFFIX_MAX_ + 1] = { 0 };
	double all = 0;
	size_t n = 0;

	for (size_t k = 0; k < n_windows; k++) {
		if (rows[windows[k].row].fold == out)
			continue;
		n++;
		all += windows[k].weight;
		for (unsigned i = 0; i < SUFFIX_MAX_; i++) {
			mean[i] += windows[k].x[i];
			scale[i] += (double)windows[k].x[i] * windows[k].x[i];
		}
	}
	for (unsigned i = 0; i < SUFFIX_MAX_; i++) {
		mean[i] /= (double)n;
		scale[i] = sqrt(scale[i] / (double)n - mean[i] * mean[i]) + 1e-6;
		l->bias += l->w[i] * mean[i];
		l->w[i] *= scale[i];
	}
	for (unsigned step = 1; step <= STEPS; step++) {
		double g[SUFFIX_MAX_ + 1] = { 0 };

		for (size_t k = 0; k < n_windows; k++) {
			const struct window *w = &windows[k];
			double x[SUFFIX_MAX_], z = l->bias, d;

			if (rows[w->row].fold == out || w->weight <= 0)
				continue;
			for (unsigned i = 0; i < SUFFIX_MAX_; i++) {
				x[i] = (w->x[i] - mean[i]) / scale[i];
				z += l->w[i] * x[i];
			}
			d = (1 / (1 + exp(-z)) - rows[w->row].suffix) * w->weight / all;
			for (unsigned i = 0; i < SUFFIX_MAX_; i++)
				g[i] += d * x[i];
			g[SUFFIX_MAX_] += d;
		}
		for (unsigned i = 0; i <= SUFFIX_MAX_; i++) {
			double *p = i < SUFFIX_MAX_ ? &l->w[i] : &l->bias;

			if (i < SUFFIX_MAX_)
				g[i] += 1e-5 * l->w[i];
			m[i] = .9 * m[i] + .1 * g[i];
			v[i] = .999 * v[i] + .001 * g[i] * g[i];
			*p -= .1 * m[i] / (1 - pow(.9, step)) /
			      (sqrt(v[i] / (1 - pow(.999, step))) + 1e-8);
		}
	}
	for (unsigned i = 0; i < SUFFIX_MAX_; i++) {
		l->w[i] /= scale[i];
		l->bias -= l->w[i] * mean[i];
	}
}

static int falling(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The n-th largest of what the harmless windows (rows: of the harmless rows) score. */
static float threshold(bool of_rows, unsigned out, size_t nth)
{
	float *z = grow(NULL, n_windows + n_rows, sizeof(*z)), ret;
	size_t n = 0;

	for (size_t i = 0; of_rows && i < n_rows; i++)
		if (!rows[i].suffix)
			z[n++] = rows[i].z;
	for (size_t k = 0; !of_rows && k < n_windows; k++)
		if (!rows[windows[k].row].suffix && rows[windows[k].row].fold != out)
			z[n++] = windows[k].z;
	qsort(z, n, sizeof(*z), falling);
	ret = n ? z[MIN(nth, n - 1)] : 0;
	free(z);
	return ret;
}

/* Of a text with a suffix only the strongest window is one for sure. */
static void weigh(const struct line *l, unsigned out, bool first)
{
	size_t best = 0;
	float hard;

	for (size_t k = 0; k < n_windows; k++)
		windows[k].z = (float)apply(l, windows[k].x);
	hard = threshold(false, out, HARD);
	for (size_t k = 0; k < n_windows; k++) {
		struct window *w = &windows[k];
		bool last = k + 1 == n_windows || windows[k + 1].row != w->row;

		if (!k || windows[k - 1].row != w->row || w->z >= windows[best].z || first)
			best = k; /* at first the last one: it holds most of the suffix */
		w->weight = rows[w->row].suffix ? 0 : w->z >= hard && !first ? 20 : 1;
		if (last && rows[w->row].suffix)
			windows[best].weight = 10;
	}
}

static struct line train(unsigned out)
{
	struct line l = { .bias = 0 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		weigh(&l, out, !i);
		fit(&l, out);
	}
	return l;
}

int main(void)
{
	size_t harmless = 0, suffixes = 0, found = 0;
	struct line l;
	float pass;

	read_rows();
	for (size_t i = 0; i < n_rows; i++)
		rows[i].z = -INFINITY;
	for (unsigned out = 0; out < FOLDS; out++) {
		l = train(out);
		for (size_t k = 0; k < n_windows; k++)
			if (rows[windows[k].row].fold == out)
				rows[windows[k].row].z =
				    fmaxf(rows[windows[k].row].z, (float)apply(&l, windows[k].x));
	}
	for (size_t i = 0; i < n_rows; i++)
		*(rows[i].suffix ? &suffixes : &harmless) += 1;
	pass = threshold(true, FOLDS, harmless / PASS);
	for (size_t i = 0; i < n_rows; i++)
		found += rows[i].suffix && rows[i].z > pass;
	fprintf(stderr,
		"%zu windows; one of %d of %zu harmless texts passes, and %zu of %zu suffixes\n",
		n_windows, PASS, harmless, found, suffixes);
	l = train(FOLDS);
	printf("/* user/detect/suffix_data.c - printed by tools/train/suffix.c. */\n"
	       "#include \"detect/suffix.h\"\n\n"
	       "const float suffix_weights[SUFFIX_MAX_] = {\n");
	for (unsigned i = 0; i < SUFFIX_MAX_; i++)
		printf("\t%.5ff,\n", l.w[i]);
	printf("};\nconst float suffix_bias = %.5ff;\n", l.bias - pass);
	return 0;
}
