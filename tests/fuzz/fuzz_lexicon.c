/* tests/fuzz/fuzz_lexicon.c - the words that a lexicon finds are those that a search for each of
 * them finds; a table that was changed opens or does not, and leads nowhere outside itself and the
 * text. The input: how many bytes of the table are changed (a byte), for each where, from its end
 * (two bytes, little endian), and to what; the words, a line each (one that begins with '!' must
 * end there), an empty line, and the text.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "detect/lexicon.h"

#define PATCH	  3 /* bytes */
#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct words {
	struct lexicon_word w[WORDS_MAX];
	size_t n;
};

struct told {
	struct span text;
	const struct words *words; /* NULL: the table was changed */
	size_t n, end;
};

static struct span take_line(struct span *in)
{
	const uint8_t *nl = memchr(in->p, '\n', in->len);
	struct span line = span_sub(*in, 0, nl ? (size_t)(nl - in->p) : in->len);

	*in = span_sub(*in, line.len + 1, in->len);
	return line;
}

static bool stands(struct span text, size_t at, const struct lexicon_word *w)
{
	struct span here = span_sub(text, at, w->text.len);
	size_t end = at + here.len;

	if (at && ascii_alnum(text.p[at]) && ascii_alnum(text.p[at - 1]))
		return false;
	return span_eq_nocase(here, w->text) &&
	       (!w->ends || end == text.len || !ascii_alnum(text.p[end]));
}

static int on_hit(void *ctx, uint32_t id, const struct lexicon_hit *h)
{
	struct told *t = ctx;

	assert(h->where.begin <= h->where.end && h->where.end <= t->text.len);
	assert(id < WORDS_MAX);
	if (t->words) {
		const struct lexicon_word *w = &t->words->w[id];

		assert(h->where.end >= t->end && stands(t->text, h->where.begin, w));
		assert(h->where.end - h->where.begin == w->text.len);
	}
	t->end = h->where.end;
	t->n++;
	return 0;
}

static void search(struct lexicon *l, struct told *t, size_t step)
{
	if (lexicon_begin(l, t->text))
		abort();
	for (size_t at = step; at < t->text.len; at += step)
		if (lexicon_until(l, at, on_hit, t))
			abort();
	if (lexicon_until(l, t->text.len, on_hit, t))
		abort();
	for (size_t i = 0; i < 4; i++)
		assert(lexicon_place(l, i) <= t->text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_of(data, len), patches, line;
	struct words words = { .n = 0 };
	struct lexicon *l = NULL;
	struct told t = { .n = 0 };
	uint8_t *table;
	size_t size, all = 0;
	int err;

	if (!len)
		return 0;
	patches = span_sub(in, 1, data[0] * PATCH);
	patches.len -= patches.len % PATCH;
	in = span_sub(in, 1 + patches.len, len);
	while ((line = take_line(&in)).len) {
		bool ends = line.p[0] == '!' && line.len > 1;
		struct span text = span_sub(line, ends, line.len);

		if (words.n < WORDS_MAX && lexicon_takes(text)) {
			words.w[words.n] = (struct lexicon_word){ text, (uint32_t)words.n, ends };
			words.n++;
		}
	}
	t.text = in;
	t.words = patches.len ? NULL : &words;
	if (lexicon_make(&table, &size, words.w, words.n))
		abort();
	for (; patches.len; patches = span_sub(patches, PATCH, patches.len))
		table[size - 1 - (patches.p[0] | (size_t)patches.p[1] << 8) % size] = patches.p[2];
	err = lexicon_new(&l, span_of(table, size), WORDS_MAX);
	assert(!err || (err == -EINVAL && !t.words));
	if (!err)
		search(l, &t, 1 + data[0] % 7 + in.len / 4);
	for (size_t at = 0; t.words && at < in.len; at++)
		for (size_t i = 0; i < words.n; i++)
			all += stands(in, at, &words.w[i]);
	assert(!t.words || all == t.n);
	lexicon_free(&l);
	free(table);
	return 0;
}
