/* user/detect/classifier.c - scores windows of a text with a linear model.
 * Owns one byte per feature: in which stride it was seen last. A window's score counts a feature
 * once, so what counts for the next window is what the stride before did not have; that byte
 * answers it without a set per window.
 */
#include "detect/classifier.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/own.h"
#include "base/scan.h"
#include "detect/features.h"

#define STRIDES_MAX 255 /* that one byte can tell apart */

struct classifier {
	const struct model_header *model;
	const int8_t *weights[CLASSIFIER_WEIGHTS], *sentences[CLASSIFIER_WEIGHTS];
	uint8_t stride; /* the last one used in seen */
	uint8_t seen[FEATURES_MAX];
};

/* The file becomes read-only data; the Makefile knows that this object depends on it. */
__asm__(".pushsection .rodata\n"
	".balign 64\n"
	"earshot_model:\n"
	".incbin \"user/detect/model/prompt-attack.bin\"\n"
	"earshot_model_end:\n"
	".balign 8\n"
	"earshot_model_len:\n"
	".quad earshot_model_end - earshot_model\n"
	".popsection\n");
extern const uint8_t model_bytes[] __asm__("earshot_model");
extern const uint64_t model_len __asm__("earshot_model_len");

struct span classifier_model(void)
{
	return span_of(model_bytes, model_len);
}

static bool intact(const struct model_header *m, size_t len)
{
	size_t from = offsetof(struct model_header, surfaces);

	if (len != MODEL_BYTES)
		return false;
	for (enum surface s = 0; s < SURFACE_MAX_; s++)
		if (m->surfaces[s].weights >= CLASSIFIER_WEIGHTS)
			return false;
	return !memcmp(m->magic, MODEL_MAGIC, sizeof(m->magic)) && m->version == MODEL_VERSION &&
	       m->features == FEATURES_VERSION && m->n_features == FEATURES_MAX &&
	       m->n_surfaces == SURFACE_MAX_ &&
	       m->checksum == XXH3_64bits((const uint8_t *)m + from, len - from);
}

int classifier_new(struct classifier **ret, struct span model)
{
	const struct model_header *m = (const void *)model.p;
	struct classifier *c;

	if ((uintptr_t)m % _Alignof(struct model_header) || !intact(m, model.len))
		return -EBADMSG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->model = m;
	for (size_t i = 0; i < CLASSIFIER_WEIGHTS; i++) {
		c->weights[i] = (const int8_t *)(m + 1) + i * FEATURES_MAX;
		c->sentences[i] = (const int8_t *)(m + 1) + CLASSIFIER_WEIGHTS * FEATURES_MAX +
				  i * SENTENCE_FEATURES;
	}
	*ret = c;
	return 0;
}

void classifier_free(struct classifier **c)
{
	/* What was seen says something of the text. */
	if (*c)
		explicit_bzero(*c, sizeof(**c));
	free(*c);
	*c = NULL;
}

/* Weights of different features, and in the upper half how many there are: both in one addition. */
typedef int64_t tally;
#define TALLY_ONE (INT64_C(1) << 32)

float classifier_share(uint32_t n)
{
	return 1 / sqrtf(sqrtf((float)n + 1));
}

/* What all pairs of these senses weigh, each with itself, too. */
typedef int16_t lanes __attribute__((vector_size(16)));
typedef int32_t pairs_of_lanes __attribute__((vector_size(16)));
#define LANES (sizeof(lanes) / sizeof(int16_t))

static tally weigh_pairs(const struct pairs *p, uint64_t senses)
{
	static const lanes bits = { 1, 2, 4, 8, 16, 32, 64, 128 };
	uint32_t n = (uint32_t)__builtin_popcountll(senses);
	lanes sums[SENSES_MAX / LANES] = { 0 };
	pairs_of_lanes all = { 0 };
	int32_t sum = 0;

	static_assert(CLASSIFIER_PAIR_MAX * SENSES_MAX <= INT16_MAX, "a lane holds a column");
	for (uint64_t left = senses; left; left &= left - 1) {
		const int16_t *row = p->weight[__builtin_ctzll(left)];

#pragma GCC unroll 8 /* so that the sums stay in registers */
		for (unsigned i = 0; i < ARRAY_SIZE(sums); i++) {
			lanes weights;

			memcpy(&weights, row + i * LANES, sizeof(weights));
			sums[i] += weights;
		}
	}
#pragma GCC unroll 8
	for (unsigned i = 0; i < ARRAY_SIZE(sums); i++) {
		lanes wanted = ((int16_t)(senses >> i * LANES & 0xff) & bits) == bits;
		pairs_of_lanes two = (pairs_of_lanes)(sums[i] & wanted);

		all += (two << 16 >> 16) + (two >> 16);
	}
	for (unsigned i = 0; i < LANES / 2; i++)
		sum += all[i];
	return TALLY_ONE * (n * (n + 1) / 2) + sum;
}

static float score_of(float bias, float scale, tally s)
{
	int32_t weight = (int32_t)(uint32_t)s;
	uint32_t n = (uint32_t)((s - weight) / TALLY_ONE);

	return bias + scale * (float)weight * classifier_share(n);
}

/* The number of the next stride; leave: this many before it must not count as seen, except for the
 * last one's n hashes. */
static uint8_t next_stride(struct classifier *c, unsigned leave, const uint32_t *last, size_t n)
{
	if (c->stride + leave + 1 > STRIDES_MAX) {
		memset(c->seen, 0, sizeof(c->seen));
		c->stride = 1;
		for (size_t i = 0; i < n; i++)
			c->seen[last[i]] = c->stride;
	}
	c->stride = (uint8_t)(c->stride + leave + 1);
	return c->stride;
}

/* --- sentences */

/* Signs beyond ASCII that end a sentence. */
static bool ends_with_sign(struct span text)
{
	static const char *const signs[] = { "。", "！", "？", "।", "؟", "۔" };

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		size_t n = strlen(signs[i]);

		if (text.len >= n && !memcmp(text.p + text.len - n, signs[i], n))
			return true;
	}
	return false;
}

static bool ends_sentence(struct span text, size_t i)
{
	uint8_t c = text.p[i], next = i + 1 < text.len ? text.p[i + 1] : '\n';

	switch (c) {
	case '\n':
	case '|':
	case '<':
	case '>':
		return true;
	case '.':
	case '!':
	case '?':
		return next <= ' ' || next == '"' || next == '<' || next == '*';
	case '\\':
		return next == 'n';
	case '"':
		return next == ',' || next == ':';
	default:
		return c >= 0x80 && ends_with_sign(span_sub(text, 0, i + 1));
	}
}

size_t sentence_end(struct span text, size_t at)
{
	size_t last = MIN(text.len, at + SENTENCE_MAX);

	for (size_t i = at + SENTENCE_MIN - 1; i < last; i++)
		if (ends_sentence(text, i))
			return i + 1;
	/* Not within a character. */
	while (last < text.len && last > at + SENTENCE_MIN && (text.p[last] & 0xc0) == 0x80)
		last--;
	return last;
}

bool sentence_next(struct span text, struct range window, struct range *s)
{
	size_t at = s->end ? s->end : window.begin - MIN(window.begin, SENTENCE_BEFORE);

	do {
		if (at >= window.end)
			return false;
		*s = (struct range){ at, sentence_end(text, at) };
		at = s->end;
	} while (s->end <= window.begin);
	return true;
}

size_t sentence_features(const struct senses *senses, struct span text,
			 uint32_t ret[SENTENCE_HASHES], uint64_t *ret_meant)
{
	struct features f;
	size_t n;

	features_begin(&f, senses);
	n = features_add(&f, text, ret);
	n += features_add(&f, SPAN_LIT(" "), ret + n);
	for (size_t i = 0; i < n; i++)
		ret[i] %= SENTENCE_FEATURES;
	*ret_meant = f.meant;
	return n;
}

static float score_sentence(struct classifier *c, uint32_t set, struct span text)
{
	const struct model_sentences *m = &c->model->sentences[set];
	uint32_t hashes[SENTENCE_HASHES];
	uint64_t meant;
	size_t n = sentence_features(&c->model->senses, text, hashes, &meant);
	uint8_t now = next_stride(c, 0, NULL, 0);
	tally sum = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t h = hashes[i];

		sum += c->seen[h] != now ? TALLY_ONE + c->sentences[set][h] : 0;
		c->seen[h] = now;
	}
	return score_of(m->bias, m->scale, sum + weigh_pairs(&m->pairs, meant & ~UINT64_C(1)));
}

/* What the sentences of the strongest window add to its score. */
static float look_again(struct classifier *c, uint32_t set, struct span text, struct range window)
{
	float best = CLASSIFIER_LOOK_FLOOR;
	struct range s = { 0, 0 };

	while (sentence_next(text, window, &s)) {
		float one = score_sentence(c, set, span_sub(text, s.begin, s.end - s.begin));

		best = MAX(best, one);
	}
	return CLASSIFIER_LOOK_SHARE * (best - CLASSIFIER_LOOK_FLOOR);
}

/* --- windows */

#define STRIDE_HASHES ((CLASSIFIER_STRIDE + 1) * FEATURES_PER_BYTE)

/* Of those that are marked. */
struct marked {
	scan_v n;
	lanes sums;
};

static inline void add_marked(struct marked *m, scan_v weights, scan_v marks)
{
	lanes two = (lanes)(weights & marks);

	m->n -= marks;
	m->sums += (two << 8 >> 8) + (two >> 8);
}

static tally tally_of(const struct marked *m)
{
	tally sum = 0;

	for (unsigned i = 0; i < sizeof(m->n); i++)
		sum += m->n[i] * TALLY_ONE;
	for (unsigned i = 0; i < LANES; i++)
		sum += m->sums[i];
	return sum;
}

/* The different features of a stride; *ret_common: those of them that the one before had, too.
 * Where they were seen last is looked up for all of them first, and told apart without branches. */
static tally tell_stride(struct classifier *c, const int8_t *weights, uint8_t now,
			 const uint32_t *hashes, size_t n, tally *ret_common)
{
	uint8_t before[STRIDE_HASHES + sizeof(scan_v)];
	int8_t weight[STRIDE_HASHES + sizeof(scan_v)];
	struct marked own = { 0 }, common = { 0 };

	for (size_t i = 0; i < n; i++) {
		before[i] = c->seen[hashes[i]];
		weight[i] = weights[hashes[i]];
		c->seen[hashes[i]] = now;
	}
	memset(before + n, now, sizeof(scan_v));
	memset(weight + n, 0, sizeof(scan_v));
	static_assert(sizeof(before) / sizeof(scan_v) * 2 * INT8_MAX < INT16_MAX, "of a lane");
	for (size_t i = 0; i < n; i += sizeof(scan_v)) {
		scan_v b, w;

		memcpy(&b, before + i, sizeof(b));
		memcpy(&w, weight + i, sizeof(w));
		add_marked(&own, w, (scan_v)(b != now));
		add_marked(&common, w, (scan_v)(b == (uint8_t)(now - 1)));
	}
	*ret_common = tally_of(&common);
	return tally_of(&own);
}

void classifier_score(struct classifier *c, enum surface surface, struct span text,
		      struct classified *ret)
{
	const struct model_surface *m = &c->model->surfaces[surface];
	const struct pairs *pairs = &c->model->pairs[m->weights];
	const int8_t *weights = c->weights[m->weights];
	uint64_t last_meant = 0;
	uint32_t hashes[STRIDE_HASHES];
	struct features f;
	tally last = 0;
	size_t n = 0;

	*ret = (struct classified){ .score = m->bias };
	features_begin(&f, &c->model->senses);
	for (size_t at = 0; at < text.len; at += CLASSIFIER_STRIDE) {
		struct span part = span_sub(text, at, CLASSIFIER_STRIDE);
		uint8_t now = next_stride(c, at ? 0 : 1, hashes, n);
		tally own, common;
		uint64_t meant, senses;
		float score;

		n = features_add(&f, part, hashes);
		if (at + part.len == text.len)
			n += features_add(&f, SPAN_LIT(" "), hashes + n); /* ends the last word */
		own = tell_stride(c, weights, now, hashes, n, &common);
		meant = f.meant;
		f.meant = 0;
		/* One window for what fits into one. */
		if (!at && text.len > CLASSIFIER_STRIDE) {
			last = own;
			last_meant = meant;
			continue;
		}
		senses = (last_meant | meant) & ~UINT64_C(1);
		score =
		    score_of(m->bias, m->scale, last + own - common + weigh_pairs(pairs, senses));
		last = own;
		last_meant = meant;
		if (!ret->n_windows++ || score > ret->score) {
			ret->score = score;
			ret->window.begin = at - MIN(at, CLASSIFIER_STRIDE);
			ret->window.end = at + part.len;
		}
	}
	if (ret->n_windows && ret->score > CLASSIFIER_LOOK_FROM)
		ret->score += look_again(c, m->weights, text, ret->window);
}

static float rarity_of(const struct tail *t, float score)
{
	unsigned i = 1;

	while (i < CLASSIFIER_KNOTS - 1 && score > t->score[i])
		i++;
	return t->rarity[i - 1] + (score - t->score[i - 1]) * (t->rarity[i] - t->rarity[i - 1]) /
				      (t->score[i] - t->score[i - 1]);
}

float classifier_windows(const struct model_surface *m, size_t n)
{
	return n > CLASSIFIER_USUAL ? powf((float)n / CLASSIFIER_USUAL, m->spread) : 1;
}

float classifier_doubt(const struct classifier *c, enum surface s, const struct classified *r,
		       float by_rules)
{
	float doubt = (1 - by_rules) * classifier_windows(&c->model->surfaces[s], r->n_windows);

	return MAX(MIN(doubt, 1), CLASSIFIER_DOUBT);
}

float classifier_rarity(const struct classifier *c, enum surface s, const struct classified *r,
			float doubt)
{
	const struct model_surface *m = &c->model->surfaces[s];

	return rarity_of(&m->tail, r->score - m->rules * logf(doubt)) -
	       log10f(classifier_windows(m, r->n_windows));
}

/* --- explanation */

#define WINDOW_BYTES (2 * CLASSIFIER_STRIDE)
#define WORDS_MAX    (WINDOW_BYTES / 2)

struct word {
	struct range where;
	int32_t weight;
};

static bool blank(uint8_t c)
{
	return c <= ' ';
}

/* The words of a window, each with the weights of the features that end in it or right behind it.
 */
static size_t weigh_words(const struct classifier *c, const int8_t *weights, struct span window,
			  struct word *words)
{
	uint8_t seen[FEATURES_MAX / 8] = { 0 };
	uint32_t hashes[FEATURES_PER_BYTE];
	struct features f;
	size_t n_words = 0;

	features_begin(&f, &c->model->senses);
	for (size_t i = 0; i < window.len; i++) {
		size_t n = features_add(&f, span_sub(window, i, 1), hashes);
		bool begins = !blank(window.p[i]) && (!i || blank(window.p[i - 1]));

		if (begins && n_words < WORDS_MAX)
			words[n_words++] = (struct word){ { i, i }, 0 };
		if (!n_words)
			continue;
		if (!blank(window.p[i]))
			words[n_words - 1].where.end = i + 1;
		for (size_t k = 0; k < n; k++) {
			uint8_t *byte = &seen[hashes[k] / 8], bit = 1 << hashes[k] % 8;

			if (!(*byte & bit))
				words[n_words - 1].weight += weights[hashes[k]];
			*byte |= bit;
		}
	}
	return n_words;
}

size_t classifier_phrases(const struct classifier *c, enum surface s, struct span window,
			  struct range *ret, size_t max)
{
	const int8_t *weights = c->weights[c->model->surfaces[s].weights];
	struct word words[WORDS_MAX];
	size_t n_words, n = 0;

	n_words = weigh_words(c, weights, span_sub(window, 0, WINDOW_BYTES), words);
	while (n < max) {
		size_t first = 0, last = 0;
		int32_t most = 0;

		for (size_t i = 0; i < n_words; i++) {
			int32_t sum = 0;

			for (size_t k = i; k < n_words && k < i + PHRASE_WORDS; k++) {
				sum += words[k].weight;
				if (sum > most) {
					most = sum;
					first = i;
					last = k;
				}
			}
		}
		if (!most)
			break;
		ret[n++] = (struct range){ words[first].where.begin, words[last].where.end };
		/* Taken: no other phrase reaches across it. */
		for (size_t k = first; k <= last; k++)
			words[k].weight = -(most + 1) * PHRASE_WORDS;
	}
	return n;
}
