/* user/text/leet.c - w0rd5 with digits and signs for letters. One long word of them, or two, are
 * meant; then those around it are taken for such, too.
 */
#include <assert.h>

#include "base/own.h"
#include "base/scan64.h"
#include "text/maker.h"

#define KNOWN_MIN   3	/* letters of a word that says something */
#define ALONE_MIN   5	/* letters of a word that proves it alone */
#define NEAR	    256 /* bytes around proven words in which others are read like them */
#define TOKENS_MAX  64	/* unproven ones remembered until one is proven */
#define BACK_MIN    2	/* letters of a word spelled backwards, behind one that proves that */
#define GUESSES_MAX 3	/* signs of one word with two meanings */

/* The letter that a character is or stands for, and another one that it may stand for. */
#define LETTER(c) [c] = { c }, [(c)-0x20] = { c }
static const char letters_of[256][2] = {
	/* words_alike() knows of those with two */
	/* clang-format off */
	LETTER('a'), LETTER('b'), LETTER('c'), LETTER('d'), LETTER('e'), LETTER('f'), LETTER('g'),
	LETTER('h'), LETTER('i'), LETTER('j'), LETTER('k'), LETTER('l'), LETTER('m'), LETTER('n'),
	LETTER('o'), LETTER('p'), LETTER('q'), LETTER('r'), LETTER('s'), LETTER('t'), LETTER('u'),
	LETTER('v'), LETTER('w'), LETTER('x'), LETTER('y'), LETTER('z'),
	/* clang-format on */
	['0'] = "o",
	['1'] = "il",
	['2'] = "z",
	['3'] = "e",
	['4'] = "a",
	['5'] = "s",
	['6'] = "gb",
	['7'] = "t",
	['8'] = "b",
	['9'] = "g",
	['@'] = "a",
	['$'] = "s",
	['!'] = "il",
	['|'] = "li",
	['+'] = "t",
};
#undef LETTER
static_assert(WORD_LEN_MAX == sizeof(scan_v), "a word is one vector");

struct token {
	size_t begin, len;
	struct word word; /* what it spells */
	bool is_word;
	bool known;	/* as one that is long enough to say something */
	bool backwards; /* it is known so only */
};

/* 64 bytes of a text: a bit for each that stands for a letter, and for each that is a letter or
 * does. */
struct look {
	size_t from;
	uint64_t sign, either;
};

static SCAN64_INLINE void look_with(struct look *k, struct span t, size_t at, scan64_fn *of)
{
	uint8_t tail[SCAN64];
	const uint8_t *p = scan64_at(t, at, tail);

	k->from = at;
	k->sign = of(p, 0, '0', 10) | of(p, 0, '@', 1) | of(p, 0, '$', 1) | of(p, 0, '!', 1) |
		  of(p, 0, '|', 1) | of(p, 0, '+', 1);
	k->either = k->sign | of(p, 0x20, 'a', 26);
}

SCAN64_FUNCTION(void, look, (struct look * k, struct span t, size_t at), k, t, at)

/* The first n lanes. */
static scan_v first_lanes(size_t n)
{
	static const scan_v place = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	return (scan_v)(place < (uint8_t)n);
}

static size_t first_bit(uint32_t m)
{
	return (size_t)__builtin_ctz(m);
}

/* The signs of a token that have two meanings, each as what turns the first into the other. */
struct unsure {
	scan_v other[GUESSES_MAX];
	size_t n;
};

/* A byte in its place among zeros: not written to memory, from where a vector could be read again
 * only with a delay. */
static scan_v lane(size_t i, unsigned byte)
{
	typedef uint64_t halves __attribute__((vector_size(16)));
	uint64_t bits = (uint64_t)byte << 8 * (i % 8);

	return (scan_v)(halves){ i < 8 ? bits : 0, i < 8 ? 0 : bits };
}

/* Those of the marked bytes of raw that are c, with meant for it. */
static inline scan_v swap(scan_v raw, char c, char meant)
{
	return (scan_v)(raw == (uint8_t)c) & (uint8_t)(c ^ meant);
}

/* Writes it with letters for signs, each in its first meaning, as letters_of says. */
static scan_v spell(struct span t, size_t at, size_t len, struct unsure *u)
{
	scan_v raw = scan_load(t, at) & first_lanes(len);
	scan_v v = raw | (scan_letters(raw) & 0x20);
	uint32_t two;

	v ^= swap(raw, '0', 'o') | swap(raw, '1', 'i') | swap(raw, '2', 'z') | swap(raw, '3', 'e') |
	     swap(raw, '4', 'a') | swap(raw, '5', 's') | swap(raw, '6', 'g') | swap(raw, '7', 't') |
	     swap(raw, '8', 'b') | swap(raw, '9', 'g') | swap(raw, '@', 'a') | swap(raw, '$', 's') |
	     swap(raw, '!', 'i') | swap(raw, '|', 'l') | swap(raw, '+', 't');
	u->n = 0;
	two = scan_mask((scan_v)((raw == '1') | (raw == '6') | (raw == '!') | (raw == '|')));
	for (; two && u->n < GUESSES_MAX; two &= two - 1) {
		size_t i = first_bit(two);
		const char *meant = letters_of[t.p[at + i]];

		u->other[u->n++] = lane(i, (unsigned)(meant[0] ^ meant[1]));
	}
	return v;
}

/* Makes it a known word, if it can be one. Backwards it is read by the view of that name, behind
 * this one: short words only where others are spelled so. */
static bool guess(const struct words *words, struct token *x, scan_v first, const struct unsure *u,
		  bool backwards)
{
	memcpy(x->word.s, &first, sizeof(first));
	if (!words_alike(words, &x->word))
		return false;
	for (unsigned turn = 0; turn < 2; turn++) {
		x->backwards = turn ? !backwards : backwards;
		if (x->backwards && x->word.len < (size_t)(backwards ? BACK_MIN : ALONE_MIN))
			continue;
		for (unsigned which = 0; which < 1u << u->n; which++) {
			scan_v v = first;

			for (size_t k = 0; k < u->n; k++)
				v ^= which >> k & 1 ? u->other[k] : (scan_v){ 0 };
			memcpy(x->word.s, &v, sizeof(v));
			if (x->backwards ? words_known_reversed(words, &x->word)
					 : words_known(words, &x->word))
				return true;
		}
	}
	memcpy(x->word.s, &first, sizeof(first));
	return false;
}

/* What it may spell. */
static void read_token(const struct reading *r, struct token *x, size_t at, size_t len,
		       bool backwards)
{
	struct unsure u;
	scan_v first = spell(r->text, at, len, &u);

	x->begin = at;
	x->word.len = x->len = len;
	x->is_word = guess(r->words, x, first, &u, backwards);
	x->known = x->is_word && len >= KNOWN_MIN;
}

/* Where the run of letters and signs ends that at is in. */
static size_t run_end(struct span t, size_t at)
{
	while (at < t.len && letters_of[t.p[at]][0])
		at++;
	return at;
}

/* The next run of letters and signs that has a sign and is no longer than a word; it begins at or
 * behind at, and up to end. Which of its bytes are signs; 0: there is none. */
static uint32_t next_mixed(struct look *k, struct span t, size_t at, size_t end, struct range *ret)
{
	if (at >= end)
		return 0;
	while (at <= end && at < t.len) {
		uint64_t sign, gaps;
		unsigned first;
		size_t begin, len;

		if (at - k->from >= SCAN64)
			look(k, t, at);
		sign = k->sign & ~UINT64_C(0) << (at - k->from);
		if (!sign) {
			/* What the last bytes are part of may have one further on. */
			len = ~k->either ? (size_t)__builtin_clzll(~k->either) : SCAN64;
			begin = MAX(at, k->from + SCAN64 - len);
			at = len > WORD_LEN_MAX ? run_end(t, k->from + SCAN64) : begin;
			k->from = at - SCAN64;
			continue;
		}
		first = (unsigned)__builtin_ctzll(sign);
		gaps = ~k->either & ((UINT64_C(1) << first) - 1);
		begin = k->from + (gaps ? SCAN64 - (size_t)__builtin_clzll(gaps) : 0);
		begin = MAX(at, begin);
		gaps = ~k->either >> first;
		if (begin > end)
			return 0;
		if (!gaps && begin > k->from) {
			at = begin;
			k->from = at - SCAN64;
			continue;
		}
		len = gaps ? k->from + first + (size_t)__builtin_ctzll(gaps) - begin : SCAN64;
		if (len > WORD_LEN_MAX) {
			at = run_end(t, k->from + first);
			continue;
		}
		*ret = (struct range){ begin, begin + len };
		return (uint32_t)(k->sign >> (begin - k->from)) & ((1u << len) - 1);
	}
	return 0;
}

/* The next token at or behind at that mixes letters and signs. backwards: those before it were
 * spelled so. */
static bool next(const struct reading *r, struct look *k, size_t at, size_t end, bool backwards,
		 struct token *ret)
{
	struct range at_token;
	uint32_t is_sign;

	for (; (is_sign = next_mixed(k, r->text, at, end, &at_token)) != 0; at = at_token.end) {
		size_t len = at_token.end - at_token.begin, n_signs = scan64_count(is_sign);

		read_token(r, ret, at_token.begin, len, backwards);
		/* Mostly signs: a number, if not a word. A short one proves nothing. */
		if (n_signs > 2 * (len - n_signs)) {
			if (!ret->is_word)
				continue;
			ret->known &= len > n_signs;
			return true;
		}
		/* A sentence may end with the sign, or begin with it when it is turned round. */
		if (!ret->known &&
		    r->text.p[backwards ? at_token.begin : at_token.end - 1] == '!') {
			if (n_signs == 1)
				continue;
			read_token(r, ret, at_token.begin + backwards, len - 1, backwards);
		}
		return true;
	}
	return false;
}

/* Writes a token over what stands there, in the case of the letters that are there. A vector must
 * fit behind out. */
static void put(const struct token *x, struct span text, uint8_t *out)
{
	/* Not from out, where another token was just written. */
	scan_v raw = scan_load(text, x->begin), v, small, capital;
	uint32_t capitals;

	memcpy(&v, x->word.s, sizeof(v));
	small = (scan_v)(raw - 'a' < 26);
	capital = (scan_v)(raw - 'A' < 26) & first_lanes(x->len);
	capitals = scan_mask(capital);
	if (capitals &&
	    scan64_count(capitals) > scan64_count(scan_mask(small & first_lanes(x->len))))
		v &= (uint8_t)~0x20;
	v = (raw & (small | capital)) | (v & ~(small | capital));
	v = (v & first_lanes(x->len)) | (raw & ~first_lanes(x->len));
	memcpy(out, &v, sizeof(v));
}

/* What was read, as one piece: each letter stands where its sign stood. */
static int flush(struct edit *e, const struct token *v, size_t n)
{
	uint8_t out[TOKENS_MAX * (NEAR + WORD_LEN_MAX) + sizeof(scan_v)];
	size_t known = 0, letters = 0, longest = 0;
	struct range r;

	for (size_t i = 0; i < n; i++)
		if (v[i].known) {
			known++;
			letters += v[i].len;
			longest = MAX(longest, v[i].len);
		}
	if (longest < ALONE_MIN && (known < 2 || letters < ALONE_MIN + 1))
		return 0;
	/* Among many that are no words it is chance. */
	if (known * 6 < n)
		return 0;
	r = (struct range){ v[0].begin, v[n - 1].begin + v[n - 1].len };
	assert(r.end - r.begin + sizeof(scan_v) <= sizeof(out));
	memcpy(out, e->text.p + r.begin, r.end - r.begin);
	memset(out + (r.end - r.begin), 0, sizeof(scan_v));
	/* "Q2" stays what it is. */
	for (size_t i = 0; i < n; i++)
		if (v[i].is_word || v[i].len >= KNOWN_MIN)
			put(&v[i], e->text, out + (v[i].begin - r.begin));
	return edit_replace(e, r, span_of(out, r.end - r.begin), false);
}

int leet_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	struct token v[TOKENS_MAX + 1];
	struct look k = { .from = SIZE_MAX - SCAN64 + 1 };
	struct range where;
	size_t at = 0, n = 0;
	bool backwards = false;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_MIXED, WORD_LEN_MAX, at, &where)) {
		at = where.begin;
		/* Not from the middle of a word. */
		while (at && at < where.end && letters_of[r->text.p[at - 1]][0])
			at++;
		while (!err && next(r, &k, at, where.end, backwards, &v[n])) {
			at = v[n].begin + v[n].len;
			if (v[n].known && v[n].len >= ALONE_MIN)
				backwards = v[n].backwards;
			if (n && (n == TOKENS_MAX || v[n].begin - v[n - 1].begin > NEAR)) {
				err = flush(&e, v, n);
				v[0] = v[n];
				n = 0;
			}
			n++;
		}
		at = MAX(at, where.end);
	}
	if (!err)
		err = flush(&e, v, n);
	return err ? err : edit_end(&e);
}
