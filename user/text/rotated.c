/* user/text/rotated.c - ROT13 and every other shift of the alphabet, and the alphabet mirrored. */
#include "base/own.h"
#include "text/stretch.h"

#define KEYS	    (WORDS_MIRRORED + 1)
#define LETTERS_MIN 12 /* in words that a key explains */
#define WORD_MIN    4

/* The key that explains most of a slice; 0: none does. */
static unsigned find_key(const struct reading *r, struct range in)
{
	unsigned letters[KEYS] = { 0 }, best = 0;
	struct word x;

	for (size_t at = in.begin; word_next_long(r->text, at, in.end, WORD_MIN, &x);
	     at = x.begin + x.len) {
		if (x.len > WORD_LEN_MAX || words_known(r->words, &x))
			continue;
		for (uint32_t m = words_shifts(r->words, &x); m; m &= m - 1)
			letters[__builtin_ctz(m)] += (unsigned)x.len;
	}
	for (unsigned k = 1; k < KEYS; k++)
		if (letters[k] > letters[best] || !best)
			best = k;
	return letters[best] >= LETTERS_MIN ? best : 0;
}

static void turn_back(struct span s, unsigned key, uint8_t *out)
{
	uint8_t of[256];

	for (unsigned c = 0; c < 256; c++) {
		unsigned n = (uint8_t)((c | 0x20) - 'a');

		of[c] = (uint8_t)c;
		if (n < 26)
			of[c] = (uint8_t)((c & 0x20 ? 'a' : 'A') +
					  (key == WORDS_MIRRORED ? 25 - n : (n + 26 - key) % 26));
	}
	for (size_t i = 0; i < s.len; i++)
		out[i] = of[s.p[i]];
}

int rotated_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	uint8_t out[STRETCH_MAX];
	struct slices slices = { r };
	struct range slice, s;
	int err = 0;

	while (!err && slices_next(&slices, &slice)) {
		unsigned key = find_key(r, slice);

		while (!err && key && stretch_next(r, slice, words_shifted, key, &s)) {
			size_t n = MIN(s.end - s.begin, sizeof(out));

			turn_back(span_sub(r->text, s.begin, n), key, out);
			s.end = s.begin + n;
			err = edit_replace(&e, s, span_of(out, n), false);
			slice.begin = s.end;
		}
	}
	return err ? err : edit_end(&e);
}
