/* tools/train/train.c - trains the classifier of prompt attacks.
 *
 *	earshot-train blank MODEL           a model that knows nothing, to build a sensor with
 *	earshot-train cross ROWS SCORES     leaves each fold out in turn and scores it
 *	earshot-train final ROWS SCORES MODEL
 *	                                    trains on all, calibrates by those scores, writes the file
 *
 * ROWS comes from prepare.py: per row a line "id label surface fold group weight train length" and
 * that many bytes of text. SCORES has a line "id score windows evidence" per row. Logistic
 * regression by AdaGrad on the window that looks most like an attack, in a fixed order with a fixed
 * seed: the same rows give the same file, bit for bit.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/own.h"
#include "detect/classifier.h"
#include "detect/detect.h"
#include "detect/features.h"
#include "dialect/dialect.h"

#define FOLDS_MAX   64
#define TEXT_MAX    (1 << 20)
#define WINDOWS_MAX 24 /* of a row, that are trained on; the others are left out evenly */

static const struct {
	unsigned epochs;
	float rate, start; /* AdaGrad: step, and what each sum of squares begins with */
	float decay;	   /* L2 */
	uint64_t seed;
} how = { 5, 0.05f, 0.02f, 0.0004f, 20 };

struct window {
	size_t at; /* in features */
	uint32_t n;
};

struct row {
	char id[24];
	unsigned label, surface, fold, train;
	float weight;
	float evidence; /* of the rules */
	size_t first, n_windows, all_windows;
};

static struct row *rows;
static size_t n_rows, rows_room;
static struct window *windows;
static size_t n_windows, windows_room;
static uint32_t *features;
static size_t n_features, features_room;

static _Noreturn void die(const char *what, const char *name)
{
	fprintf(stderr, "earshot-train: %s%s%s\n", what, *name ? ": " : "", name);
	exit(1);
}

#define GROW(v, n, room, more)                                                                     \
	do {                                                                                       \
		while ((n) + (more) > (room)) {                                                    \
			(room) = (room) ? 2 * (room) : 1 << 16;                                    \
			(v) = realloc((v), (room) * sizeof(*(v)));                                 \
			if (!(v))                                                                  \
				die("no memory", "");                                              \
		}                                                                                  \
	} while (0)

static uint64_t random_state;

static uint64_t random_next(void) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1du;
}

/* --- rows */

/* Adds the different ones of n hashes as a window. */
static void add_window(const uint32_t *hashes, size_t n)
{
	static uint32_t seen[FEATURES_MAX], mark;

	GROW(windows, n_windows, windows_room, 1);
	GROW(features, n_features, features_room, n);
	windows[n_windows].at = n_features;
	mark++;
	for (size_t i = 0; i < n; i++) {
		if (seen[hashes[i]] == mark)
			continue;
		seen[hashes[i]] = mark;
		features[n_features++] = hashes[i];
	}
	windows[n_windows].n = (uint32_t)(n_features - windows[n_windows].at);
	n_windows++;
}

static void add_windows(struct row *r, struct span text)
{
	static uint32_t hashes[(TEXT_MAX + 1) * FEATURES_PER_BYTE];
	static size_t ends[TEXT_MAX / CLASSIFIER_STRIDE + 1];
	size_t n = 0, strides = 0, step;
	struct features f;

	features_begin(&f);
	for (size_t at = 0; at < text.len; at += CLASSIFIER_STRIDE) {
		n += features_add(&f, span_sub(text, at, CLASSIFIER_STRIDE), hashes + n);
		if (at + CLASSIFIER_STRIDE >= text.len)
			n += features_add(&f, SPAN_LIT(" "), hashes + n);
		ends[strides++] = n;
	}
	r->first = n_windows;
	r->all_windows = strides > 1 ? strides - 1 : 1;
	step = (r->all_windows + WINDOWS_MAX - 1) / WINDOWS_MAX;
	for (size_t i = strides > 1; i < strides; i += step) {
		size_t from = i > 1 ? ends[i - 2] : 0;

		add_window(hashes + from, ends[i] - from);
	}
	r->n_windows = n_windows - r->first;
}

static void on_finding(void *ctx, const struct finding *f)
{
	struct row *r = ctx;

	if (!strcmp(f->detector, "prompt-attack") && f->kind != KIND_MAX_)
		r->evidence = MAX(r->evidence, -logf(1 - MIN(f->score, 0.98f)));
}

/* What the rules say of the text: the model's score and theirs are added up. */
static void ask_rules(struct detect *d, struct row *r, struct span text)
{
	struct turn t = { 0 };
	struct segment *s =
	    r->surface == SURFACE_USER
		? turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST)
		: turn_segment(&t, SEG_TOOL_RESULT, ORIGIN_TOOL, SIDE_REQUEST);

	turn_text(&t, s, text);
	if (detect_turn(d, &t, DETECT_REQUEST, on_finding, r))
		die("detectors failed on row", r->id);
	turn_clear(&t);
}

static void read_rows(const char *path)
{
	static char text[TEXT_MAX];
	auto_file FILE *f = fopen(path, "r");
	struct viewer *viewer;
	struct detect *detect;
	char why[256];
	struct row r;
	size_t len;

	if (!f)
		die("cannot read", path);
	if (viewer_new(&viewer) || detect_new_default(&detect, why, sizeof(why)))
		die("no detectors", why);
	while (memset(&r, 0, sizeof(r)),
	       fscanf(f, "%23s %u %u %u %f %u %zu", r.id, &r.label, &r.surface, &r.fold, &r.weight,
		      &r.train, &len) == 7) {
		const struct views *vs;

		if (fgetc(f) != '\n' || len > TEXT_MAX || r.surface >= SURFACE_MAX_ ||
		    r.fold >= FOLDS_MAX || fread(text, 1, len, f) != len)
			die("bad row", r.id);
		ask_rules(detect, &r, span_of(text, len));
		if (views_make(viewer, span_of(text, len), &vs))
			die("no memory", "");
		/* As people read it; what is decoded is scored with the same weights. */
		for (unsigned v = 0; v < vs->n; v++)
			if (!vs->view[v].superseded && !vs->view[v].level) {
				add_windows(&r, vs->view[v].text);
				break;
			}
		GROW(rows, n_rows, rows_room, 1UL);
		rows[n_rows++] = r;
	}
	viewer_free(&viewer);
	detect_free(&detect);
}

/* --- training */

struct weights {
	float bias, bias_squares;
	float w[FEATURES_MAX], squares[FEATURES_MAX];
};

static float score_window(const struct weights *m, const struct window *w)
{
	float sum = 0;

	for (uint32_t i = 0; i < w->n; i++)
		sum += m->w[features[w->at + i]];
	return m->bias + sum / sqrtf((float)w->n + 1);
}

static size_t strongest(const struct weights *m, const struct row *r, float *ret)
{
	size_t best = 0;

	*ret = -INFINITY;
	for (size_t i = 0; i < r->n_windows; i++) {
		float s = score_window(m, &windows[r->first + i]);

		if (s > *ret) {
			*ret = s;
			best = i;
		}
	}
	return best;
}

static void learn(struct weights *m, const struct window *w, unsigned label, float weight)
{
	float x = 1 / sqrtf((float)w->n + 1);
	float g = (1 / (1 + expf(-score_window(m, w))) - (float)label) * weight;

	m->bias_squares += g * g;
	m->bias -= how.rate * 10 * g / sqrtf(m->bias_squares + 1);
	for (uint32_t i = 0; i < w->n; i++) {
		uint32_t h = features[w->at + i];
		float d = g * x + how.decay * weight * m->w[h];

		m->squares[h] += d * d;
		m->w[h] -= how.rate * d / sqrtf(m->squares[h]);
	}
}

static void train(struct weights *m, unsigned surface, unsigned without)
{
	auto_mem uint32_t *order = malloc(n_rows * sizeof(*order));
	size_t n = 0;

	if (!order)
		die("no memory", "");
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < FEATURES_MAX; i++)
		m->squares[i] = how.start;
	random_state = how.seed;
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].train && rows[i].surface == surface && rows[i].fold != without &&
		    rows[i].n_windows)
			order[n++] = (uint32_t)i;
	for (unsigned epoch = 0; epoch < how.epochs; epoch++) {
		for (size_t i = n; i > 1; i--) {
			size_t k = random_next() % i;
			uint32_t t = order[k];

			order[k] = order[i - 1];
			order[i - 1] = t;
		}
		for (size_t i = 0; i < n; i++) {
			const struct row *r = &rows[order[i]];
			size_t k = random_next() % r->n_windows;
			float score;

			/* An attack is one window of its text; a harmless text has none. */
			if (epoch && (r->label || random_next() % 4))
				k = strongest(m, r, &score);
			learn(m, &windows[r->first + k], r->label, r->weight);
		}
	}
}

static void cross(const char *path)
{
	auto_mem struct weights *m = malloc(sizeof(*m));
	auto_file FILE *f = fopen(path, "w");

	if (!f || !m)
		die("cannot write", path);
	for (unsigned s = 0; s < SURFACE_MAX_; s++)
		for (unsigned fold = 0; fold < FOLDS_MAX; fold++) {
			size_t n = 0;

			for (size_t i = 0; i < n_rows; i++)
				n += rows[i].surface == s && rows[i].fold == fold;
			if (!n)
				continue;
			train(m, s, fold);
			for (size_t i = 0; i < n_rows; i++) {
				const struct row *r = &rows[i];
				float score;

				if (r->surface != s || r->fold != fold || !r->n_windows)
					continue;
				strongest(m, r, &score);
				fprintf(f, "%s %.5f %zu %.4f\n", r->id, (double)score,
					r->all_windows, (double)r->evidence);
			}
		}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "cross")) {
		read_rows(argv[2]);
		cross(argv[3]);
	}
	return 0;
}
