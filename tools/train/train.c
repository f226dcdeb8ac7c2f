/* tools/train/train.c - trains the classifier of prompt attacks.
 *
 *	earshot-train blank MODEL           a model that knows nothing, to build with
 *	earshot-train cross SENSES ROWS SCORES
 *	                                    leaves each fold out in turn and scores it
 *	earshot-train final SENSES ROWS SCORES MODEL
 *	                                    trains on all, calibrates by those scores, writes the
 *file
 *
 * SENSES comes from senses.py: "number word" a line, "word*" for the beginning of one. ROWS comes
 *from prepare.py: per row a line "id label surface fold weight train calibrate length" and that
 *many bytes of text. SCORES has a line "id score windows evidence" per row. Logistic regression by
 *AdaGrad on the window that looks most like an attack, in a fixed order with a fixed seed: the same
 *rows give the same file, bit for bit.
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

#define FOLDS_MAX     64
#define SHORT_WINDOWS 3
#define TEXT_MAX      (1 << 20)

/* A text is read in windows, and in sentences. */
enum look { WINDOWS, SENTENCES, LOOK_MAX_ };
/* Of a row, that are trained on; the others are left out evenly. */
static const size_t parts_max[LOOK_MAX_] = { [WINDOWS] = 128, [SENTENCES] = 256 };

static const struct {
	float rate, start; /* AdaGrad: step, and what each sum of squares begins with */
	float decay;	   /* L2 */
	uint64_t seed;
} how = { 0.1f, 0.02f, 0.004f, 20 };

/* For each set of weights. Pairs of senses carry over to other sources, most of all in content:
 * there they learn in longer steps. */
static const struct {
	unsigned epochs, unused; /* of which the first do not count in the mean */
	float pairs;		 /* times a step */
} of_set[CLASSIFIER_WEIGHTS] = { { 20, 5, 1 }, { 10, 4, 2 } };

static const unsigned weights_of[SURFACE_MAX_] = { [SURFACE_CONTENT] = 1 };

struct window {
	size_t at; /* in features */
	uint32_t n;
	uint32_t begin; /* in the text */
};

struct row {
	char id[24];
	unsigned label, surface, fold, train, calibrate;
	float weight;
	float evidence;	  /* of the rules */
	struct span text; /* as people read it */
	struct {
		size_t first, n;
	} part[LOOK_MAX_];
	size_t all_windows;
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

static struct senses senses;

static void read_senses(const char *path)
{
	auto_file FILE *f = fopen(path, "r");
	unsigned sense, n = 0, left_out = 0;
	char word[256];

	if (!f)
		die("cannot read", path);
	for (; fscanf(f, "%u %255s", &sense, word) == 2; n++) {
		size_t len = strlen(word);
		bool begins = len > 1 && word[len - 1] == '*';
		int err = senses_add(&senses, span_of(word, len - begins), begins, sense);

		if (!sense || sense >= SENSES_MAX || err == -EINVAL)
			die("bad sense", word);
		left_out += err == -ENOSPC;
	}
	printf("%u words with a sense, %u left out\n", n, left_out);
}

/* Behind the hashes: pairs of senses. */
#define FEATURES_ALL (FEATURES_MAX + SENSES_MAX * SENSES_MAX)

static size_t list_pairs(uint64_t meant, uint32_t *ret)
{
	size_t n = 0;

	for (unsigned a = 1; a < SENSES_MAX; a++)
		for (unsigned b = a; b < SENSES_MAX; b++)
			if (meant >> a & meant >> b & 1)
				ret[n++] = FEATURES_MAX + a * SENSES_MAX + b;
	return n;
}

/* Adds the different ones of n hashes as a window, and the pairs of what is meant in it. */
static void add_window(const uint32_t *hashes, size_t n, uint64_t meant)
{
	static uint32_t seen[FEATURES_MAX], mark;

	GROW(windows, n_windows, windows_room, 1);
	GROW(features, n_features, features_room, n + SENSES_MAX * SENSES_MAX);
	windows[n_windows].at = n_features;
	mark++;
	for (size_t i = 0; i < n; i++) {
		if (seen[hashes[i]] == mark)
			continue;
		seen[hashes[i]] = mark;
		features[n_features++] = hashes[i];
	}
	n_features += list_pairs(meant, features + n_features);
	windows[n_windows].n = (uint32_t)(n_features - windows[n_windows].at);
	n_windows++;
}

static void add_windows(struct row *r, struct span text)
{
	static uint32_t hashes[(TEXT_MAX + 1) * FEATURES_PER_BYTE];
	static size_t ends[TEXT_MAX / CLASSIFIER_STRIDE + 1];
	static uint64_t meant[TEXT_MAX / CLASSIFIER_STRIDE + 1];
	size_t n = 0, strides = 0, step;
	struct features f;

	features_begin(&f, &senses);
	for (size_t at = 0; at < text.len; at += CLASSIFIER_STRIDE) {
		n += features_add(&f, span_sub(text, at, CLASSIFIER_STRIDE), hashes + n);
		if (at + CLASSIFIER_STRIDE >= text.len)
			n += features_add(&f, SPAN_LIT(" "), hashes + n);
		meant[strides] = f.meant;
		f.meant = 0;
		ends[strides++] = n;
	}
	r->part[WINDOWS].first = n_windows;
	r->all_windows = strides > 1 ? strides - 1 : 1;
	step = (r->all_windows + parts_max[WINDOWS] - 1) / parts_max[WINDOWS];
	for (size_t i = strides > 1; i < strides; i += step) {
		size_t from = i > 1 ? ends[i - 2] : 0;

		add_window(hashes + from, ends[i] - from, meant[i] | (i ? meant[i - 1] : 0));
		windows[n_windows - 1].begin = (uint32_t)((i - (i > 0)) * CLASSIFIER_STRIDE);
	}
	r->part[WINDOWS].n = n_windows - r->part[WINDOWS].first;
}

static void add_sentence(struct span text)
{
	uint32_t hashes[SENTENCE_HASHES];
	uint64_t meant;
	size_t n = sentence_features(&senses, text, hashes, &meant);

	add_window(hashes, n, meant);
}

static void add_sentences(struct row *r, struct span text)
{
	size_t n = 0, step;

	r->part[SENTENCES].first = n_windows;
	for (size_t at = 0; at < text.len; at = sentence_end(text, at))
		n++;
	step = (n + parts_max[SENTENCES] - 1) / parts_max[SENTENCES];
	n = 0;
	for (size_t at = 0, end; at < text.len; at = end, n++) {
		end = sentence_end(text, at);
		if (n % step == 0)
			add_sentence(span_sub(text, at, end - at));
	}
	r->part[SENTENCES].n = n_windows - r->part[SENTENCES].first;
}

/* What the model itself says is none, nor are questions, which the sensor does not add either. */
static bool is_evidence(enum kind k)
{
	return k != KIND_JAILBREAK_CLASSIFIER && k != KIND_INJECTION_CLASSIFIER &&
	       k != KIND_RECON_MODEL && k != KIND_RECON_TOOLS && k != KIND_RECON_ENVIRONMENT;
}

static void on_finding(void *ctx, const struct finding *f)
{
	struct row *r = ctx;

	if (!strcmp(f->detector, "prompt-attack") && is_evidence(f->kind))
		r->evidence = MAX(r->evidence, -logf(MAX(1 - f->score, CLASSIFIER_DOUBT)));
}

/* What the rules say of the text: the model's score and theirs are added up. */
static void ask_rules(struct detect *d, struct row *r, struct span text)
{
	struct turn t = { 0 };
	struct segment *s = r->surface != SURFACE_CONTENT
				? turn_segment(&t, SEG_USER, ORIGIN_USER, SIDE_REQUEST)
				: turn_segment(&t, SEG_TOOL_RESULT, ORIGIN_TOOL, SIDE_REQUEST);

	turn_text(&t, s, text);
	if (detect_turn(d, &t, DETECT_REQUEST, on_finding, r))
		die("detectors failed on row", r->id);
	turn_clear(&t);
}

static void keep_text(struct row *r, struct span text)
{
	uint8_t *copy = malloc(text.len + 1);

	if (!copy)
		die("no memory", "");
	r->text = span_of(memcpy(copy, text.p, text.len), text.len);
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
	       fscanf(f, "%23s %u %u %u %f %u %u %zu", r.id, &r.label, &r.surface, &r.fold,
		      &r.weight, &r.train, &r.calibrate, &len) == 8) {
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
				keep_text(&r, vs->view[v].text);
				add_windows(&r, r.text);
				add_sentences(&r, r.text);
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
	float pairs; /* see of_set */
	float w[FEATURES_ALL], squares[FEATURES_ALL];
};

static float score_window(const struct weights *m, const struct window *w)
{
	float sum = 0;

	for (uint32_t i = 0; i < w->n; i++)
		sum += m->w[features[w->at + i]];
	return m->bias + sum * classifier_share(w->n);
}

static size_t strongest(const struct weights *m, const struct row *r, enum look look, float *ret)
{
	size_t best = 0;

	*ret = -INFINITY;
	for (size_t i = 0; i < r->part[look].n; i++) {
		float s = score_window(m, &windows[r->part[look].first + i]);

		if (s > *ret) {
			*ret = s;
			best = i;
		}
	}
	return best;
}

static void learn(struct weights *m, const struct window *w, unsigned label, float weight)
{
	float x = classifier_share(w->n);
	float g = (1 / (1 + expf(-score_window(m, w))) - (float)label) * weight;

	m->bias_squares += g * g;
	m->bias -= how.rate * 10 * g / sqrtf(m->bias_squares + 1);
	for (uint32_t i = 0; i < w->n; i++) {
		uint32_t h = features[w->at + i];
		float d = g * x + how.decay * weight * m->w[h];

		m->squares[h] += d * d;
		m->w[h] -= (h < FEATURES_MAX ? 1 : m->pairs) * how.rate * d / sqrtf(m->squares[h]);
	}
}

/* What a row counts for in the training of a surface. What users write also stands in content. */
static float weight_on(const struct row *r, unsigned surface)
{
	if (!r->train || !r->part[WINDOWS].n)
		return 0;
	if (r->surface == surface)
		return r->weight;
	return surface == SURFACE_CONTENT && r->surface == SURFACE_USER ? r->weight / 2 : 0;
}

/* Each epoch ends somewhere around the best weights: their mean is nearer. */
static void add_to_mean(struct weights *mean, const struct weights *m, float share)
{
	mean->bias += m->bias * share;
	for (size_t i = 0; i < FEATURES_ALL; i++)
		mean->w[i] += m->w[i] * share;
}

static void train(struct weights *m, unsigned surface, unsigned without, enum look look)
{
	static struct weights mean;
	auto_mem uint32_t *order = malloc(n_rows * sizeof(*order));
	unsigned epochs = of_set[surface].epochs, unused = of_set[surface].unused;
	size_t n = 0;

	if (!order)
		die("no memory", "");
	memset(m, 0, sizeof(*m));
	memset(&mean, 0, sizeof(mean));
	m->pairs = of_set[surface].pairs;
	for (size_t i = 0; i < FEATURES_ALL; i++)
		m->squares[i] = how.start;
	random_state = how.seed;
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].fold != without && weight_on(&rows[i], surface))
			order[n++] = (uint32_t)i;
	for (unsigned epoch = 0; epoch < epochs; epoch++) {
		for (size_t i = n; i > 1; i--) {
			size_t k = random_next() % i;
			uint32_t t = order[k];

			order[k] = order[i - 1];
			order[i - 1] = t;
		}
		for (size_t i = 0; i < n; i++) {
			const struct row *r = &rows[order[i]];
			size_t parts = r->part[look].n, k = random_next() % parts;
			float score;

			/* Nobody knows yet which window of a long one is the attack. */
			if (!epoch && r->label && parts > SHORT_WINDOWS)
				continue;

			/* An attack is one window of its text; a harmless text has none. */
			if (epoch && (r->label || random_next() % 4))
				k = strongest(m, r, look, &score);
			learn(m, &windows[r->part[look].first + k], r->label,
			      weight_on(r, surface));
		}
		if (epoch >= unused)
			add_to_mean(&mean, m, 1.0f / (float)(epochs - unused));
	}
	*m = mean;
}

/* As classifier_score() does it. */
static float score_text(const struct weights *m, const struct row *r)
{
	float score, one, best = CLASSIFIER_LOOK_FLOOR;
	size_t k = strongest(&m[WINDOWS], r, WINDOWS, &score);
	size_t begin = windows[r->part[WINDOWS].first + k].begin;
	struct range window = { begin, MIN(begin + 2 * CLASSIFIER_STRIDE, r->text.len) };
	struct range s = { 0, 0 };
	size_t kept = n_features;

	if (score <= CLASSIFIER_LOOK_FROM)
		return score;
	while (sentence_next(r->text, window, &s)) {
		add_sentence(span_sub(r->text, s.begin, s.end - s.begin));
		one = score_window(&m[SENTENCES], &windows[--n_windows]);
		best = MAX(best, one);
		n_features = kept;
	}
	return score + CLASSIFIER_LOOK_SHARE * (best - CLASSIFIER_LOOK_FLOOR);
}

static void cross(const char *path)
{
	auto_mem struct weights *m = malloc(LOOK_MAX_ * sizeof(*m));
	auto_file FILE *f = fopen(path, "w");

	if (!f || !m)
		die("cannot write", path);
	for (unsigned s = 0; s < CLASSIFIER_WEIGHTS; s++)
		for (unsigned fold = 0; fold < FOLDS_MAX; fold++) {
			size_t n = 0;

			for (size_t i = 0; i < n_rows; i++)
				n += weights_of[rows[i].surface] == s && rows[i].fold == fold;
			if (!n)
				continue;
			for (enum look look = 0; look < LOOK_MAX_; look++)
				train(&m[look], s, fold, look);
			for (size_t i = 0; i < n_rows; i++) {
				const struct row *r = &rows[i];

				if (weights_of[r->surface] != s || r->fold != fold ||
				    !r->part[WINDOWS].n)
					continue;
				fprintf(f, "%s %.5f %zu %.4f\n", r->id, (double)score_text(m, r),
					r->all_windows, (double)r->evidence);
			}
		}
}

/* --- the file */

static struct {
	struct model_header header;
	int8_t weights[CLASSIFIER_WEIGHTS][FEATURES_MAX];
	int8_t sentences[CLASSIFIER_WEIGHTS][SENTENCE_FEATURES];
} file;
static_assert(sizeof(file) == MODEL_BYTES, "the file's layout");

static void write_model(const char *path)
{
	auto_file FILE *f = fopen(path, "w");
	struct model_header *h = &file.header;
	size_t from = offsetof(struct model_header, surfaces);

	memcpy(h->magic, MODEL_MAGIC, sizeof(h->magic));
	h->version = MODEL_VERSION;
	h->features = FEATURES_VERSION;
	h->n_features = FEATURES_MAX;
	h->n_surfaces = SURFACE_MAX_;
	for (unsigned s = 0; s < SURFACE_MAX_; s++)
		h->surfaces[s].weights = weights_of[s];
	h->checksum = XXH3_64bits((uint8_t *)&file + from, sizeof(file) - from);
	if (!f || fwrite(&file, sizeof(file), 1, f) != 1)
		die("cannot write", path);
}

/* The rarest hundredth of a percent of weights are cut off for a finer scale of the others. */
static float unit_of(const struct weights *m, size_t n)
{
	static float sorted[FEATURES_MAX];
	unsigned counts[2048] = { 0 };
	float most = 0;
	size_t left = n / 10000;
	unsigned i = ARRAY_SIZE(counts);

	for (size_t k = 0; k < n; k++) {
		sorted[k] = fabsf(m->w[k]);
		most = MAX(most, sorted[k]);
	}
	for (size_t k = 0; k < n; k++)
		counts[(unsigned)(sorted[k] / most * (ARRAY_SIZE(counts) - 1))]++;
	while (i > 1 && counts[i - 1] <= left)
		left -= counts[--i];
	return most * (float)i / ARRAY_SIZE(counts) / INT8_MAX;
}

static void quantise(const struct weights *m, size_t n, float *ret_bias, float *ret_scale,
		     int8_t *ret, struct pairs *ret_pairs)
{
	float scale = unit_of(m, n);

	*ret_bias = m->bias;
	*ret_scale = scale;
	for (size_t i = 0; i < n; i++) {
		float w = roundf(m->w[i] / scale);

		ret[i] = (int8_t)MAX(-INT8_MAX, MIN(INT8_MAX, w));
	}
	for (size_t i = 0; i < SENSES_MAX * SENSES_MAX; i++) {
		float w = roundf(m->w[FEATURES_MAX + i] / scale);

		w = MAX(-CLASSIFIER_PAIR_MAX, MIN(CLASSIFIER_PAIR_MAX, w));
		ret_pairs->weight[i / SENSES_MAX][i % SENSES_MAX] = (int16_t)w;
	}
}

/* --- calibration */

struct scored {
	float score;
	float windows; /* how many texts of usual length it counts for */
};

static int by_score(const void *a, const void *b)
{
	float x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Where the knots are. So few rows are beyond the last one that is measured that the slope there is
 * chance (0.3 to 1.2 from one training to the next, and what alerts with it): how the tail goes on
 * from there to the far one is given, by what alerts of all harmless rows there are. Among those
 * that users wrote are real attacks; documents and tool results are clean, and their tail is short.
 */
static const float rarities[CLASSIFIER_KNOTS] = {
	0.1f, 0.2f,  0.3f, 0.45f, 0.6f, 0.8f, 1.0f, 1.25f,
	1.5f, 1.75f, 2.0f, 2.25f, 2.5f, 2.8f, 3.2f, 8.0f,
};
#define KNOT_1	  10 /* one in a hundred */
#define KNOT_LAST (CLASSIFIER_KNOTS - 2)
static const float tail_slopes[SURFACE_MAX_] = { 0.8f, 1.4f, 0.8f };

/* How rare scores are among the harmless rows of a surface, none of which was trained on for its
 * score. */
static void calibrate(struct model_surface *m, struct scored *v, size_t n, float tail_slope)
{
	float all = 0, above = 0;
	size_t i = 0;

	if (n < 1000)
		die("too few harmless rows to calibrate with", "");
	for (size_t k = 0; k < n; k++)
		all += v[k].windows;
	qsort(v, n, sizeof(*v), by_score);
	for (unsigned k = KNOT_LAST + 1; k-- > 0;) {
		while (i < n - 1 && above + v[i].windows < all * powf(10, -rarities[k]))
			above += v[i++].windows;
		m->tail.rarity[k] = rarities[k];
		m->tail.score[k] = v[i].score;
		if (k < KNOT_LAST)
			m->tail.score[k] = MIN(m->tail.score[k], m->tail.score[k + 1] - 0.001f);
	}
	m->tail.rarity[KNOT_LAST + 1] = rarities[KNOT_LAST + 1];
	m->tail.score[KNOT_LAST + 1] =
	    m->tail.score[KNOT_LAST] + (rarities[KNOT_LAST + 1] - rarities[KNOT_LAST]) / tail_slope;
}

static const char *const surface_names[SURFACE_MAX_] = { "user", "content", "operator" };

static void calibrate_all(const char *path)
{
	auto_file FILE *f = fopen(path, "r");
	auto_mem struct scored *v = malloc(n_rows * sizeof(*v));

	if (!f || !v)
		die("cannot read", path);
	for (unsigned s = 0; s < SURFACE_MAX_; s++) {
		struct model_surface *m = &file.header.surfaces[s];
		char id[24];
		float score, evidence;
		size_t n_all, n = 0, i = 0;

		rewind(f);
		while (fscanf(f, "%23s %f %zu %f", id, &score, &n_all, &evidence) == 4) {
			while (i < n_rows && strcmp(rows[i].id, id))
				i = (i + 1) % n_rows;
			if (rows[i].surface != s || rows[i].label || !rows[i].calibrate)
				continue;
			v[n].windows = classifier_windows(m, n_all);
			v[n].score = score + m->rules * MAX(0, evidence - logf(v[n].windows));
			n++;
		}
		calibrate(m, v, n, tail_slopes[s]);
		printf("%-9s %6zu harmless rows; 1 %% score above %.3f, 0.06 %% above %.3f\n",
		       surface_names[s], n, (double)m->tail.score[KNOT_1],
		       (double)m->tail.score[KNOT_LAST]);
	}
}

static void final(const char *scores, const char *path)
{
	static const struct model_surface given[SURFACE_MAX_] = {
		[SURFACE_USER] = { .rules = 2.5f, .spread = 1.25f },
		[SURFACE_CONTENT] = { .rules = 3, .spread = 1.25f },
		[SURFACE_OPERATOR] = { .rules = 0, .spread = 1.25f },
	};
	auto_mem struct weights *m = malloc(sizeof(*m));
	struct model_header *h = &file.header;

	if (!m)
		die("no memory", "");
	memcpy(file.header.surfaces, given, sizeof(given));
	file.header.senses = senses;
	for (unsigned s = 0; s < CLASSIFIER_WEIGHTS; s++) {
		struct model_surface *windowed = &h->surfaces[s];
		struct model_sentences *sentences = &h->sentences[s];

		train(m, s, FOLDS_MAX, WINDOWS);
		quantise(m, FEATURES_MAX, &windowed->bias, &windowed->scale, file.weights[s],
			 &h->pairs[s]);
		train(m, s, FOLDS_MAX, SENTENCES);
		quantise(m, SENTENCE_FEATURES, &sentences->bias, &sentences->scale,
			 file.sentences[s], &sentences->pairs);
	}
	file.header.surfaces[SURFACE_OPERATOR].bias = file.header.surfaces[SURFACE_USER].bias;
	file.header.surfaces[SURFACE_OPERATOR].scale = file.header.surfaces[SURFACE_USER].scale;
	calibrate_all(scores);
	write_model(path);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "blank")) {
		for (unsigned s = 0; s < SURFACE_MAX_; s++)
			for (unsigned k = 0; k < CLASSIFIER_KNOTS; k++) {
				/* Doubts no rule. */
				file.header.surfaces[s].tail.score[k] = (float)k;
				file.header.surfaces[s].tail.rarity[k] = 9;
			}
		write_model(argv[2]);
	} else if (argc == 5 && !strcmp(argv[1], "cross")) {
		read_senses(argv[2]);
		read_rows(argv[3]);
		cross(argv[4]);
	} else if (argc == 6 && !strcmp(argv[1], "final")) {
		read_senses(argv[2]);
		read_rows(argv[3]);
		final(argv[4], argv[5]);
	} else {
		fprintf(stderr, "usage: earshot-train blank MODEL | cross SENSES ROWS SCORES | "
				"final SENSES ROWS SCORES MODEL\n");
		return 2;
	}
	return 0;
}
