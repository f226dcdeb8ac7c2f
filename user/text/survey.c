/* user/text/survey.c - classifies the bytes of a text into bit masks of 64, and finds signs of
 * encodings in the masks.
 */
#include "text/survey.h"

#include <errno.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/own.h"
#include "text/view.h"

#define DIGITS_MIN	    12 /* in two neighbouring blocks; the same for bits and dots */
#define BITS_MIN	    28
#define PREFIXES_MIN	    3 /* 0x in one block */
#define NUMBERS_MIN	    5 /* in one block */
#define NUMBERS_LETTERS_MAX 24
#define DOTS_MIN	    20
#define LETTERS_MIN	    24 /* in one block, from which on the vowels among them are counted */
#define NAME_DIGITS_MAX	    3  /* in one block */
#define BRIEF_MAX	    3  /* blocks */
#define STARTS_MIN	    2 /* odd beginnings of words in two neighbouring blocks; one and few vowels */

/* One bit for each of 64 bytes. */
struct masks {
	uint64_t high, alpha, digit, vowel, code /* + / - _ */, dots /* . - */;
	uint64_t escape /* % \ */, angle /* < & */, line /* _ */, emphasis /* * ~ ` */,
	    sign /* @ $ ! | */;
};

#ifdef __SSE2__

static uint64_t bits(__m128i v)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(v);
}

/* Bytes from first on, n of them. */
static __m128i among(__m128i v, int first, int n)
{
	__m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(-128 - first)));

	return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(-128 + n)));
}

static __m128i is(__m128i v, int c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c));
}

static __m128i either(__m128i a, __m128i b)
{
	return _mm_or_si128(a, b);
}

/* The bytes from first on, n of them, when these bits are set in all. */
static uint64_t range_of(const uint8_t p[SURVEY_BLOCK], uint8_t set, uint8_t first, uint8_t n)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < SURVEY_BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));

		ret |= bits(among(either(v, _mm_set1_epi8((char)set)), first, n)) << i;
	}
	return ret;
}

/* Letters, digits, and the most usual marks; all others are in *ret_others. */
static void classify_plain(const uint8_t p[SURVEY_BLOCK], struct masks *m, uint64_t *ret_others)
{
	uint64_t usual = 0;

	for (unsigned i = 0; i < SURVEY_BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i low = either(v, _mm_set1_epi8(0x20)), dot = is(v, '.');
		__m128i alpha = among(low, 'a', 26), digit = among(v, '0', 10);

		m->high |= bits(v) << i;
		m->alpha |= bits(alpha) << i;
		m->digit |= bits(digit) << i;
		m->dots |= bits(dot) << i;
		m->vowel |= bits(either(either(either(is(low, 'a'), is(low, 'e')),
					       either(is(low, 'i'), is(low, 'o'))),
					is(low, 'u')))
			    << i;
		/* Controls and blanks are less than '!'; so are bytes beyond ASCII, to this
		 * instruction. */
		usual |= bits(either(either(either(alpha, digit), either(dot, is(v, ','))),
				     _mm_cmplt_epi8(v, _mm_set1_epi8('!'))))
			 << i;
	}
	*ret_others = ~usual;
}

static void classify_marks(const uint8_t p[SURVEY_BLOCK], struct masks *m)
{
	for (unsigned i = 0; i < SURVEY_BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i dash = is(v, '-'), line = is(v, '_');

		m->line |= bits(line) << i;
		m->code |= bits(either(either(dash, line), either(is(v, '+'), is(v, '/')))) << i;
		m->dots |= bits(dash) << i;
		m->escape |= bits(either(is(v, '%'), is(v, '\\'))) << i;
		m->angle |= bits(either(is(v, '<'), is(v, '&'))) << i;
		m->emphasis |= bits(either(is(v, '*'), either(is(v, '~'), is(v, '`')))) << i;
		m->sign |=
		    bits(either(either(is(v, '@'), is(v, '$')), either(is(v, '!'), is(v, '|'))))
		    << i;
	}
}

#else

static uint64_t range_of(const uint8_t p[SURVEY_BLOCK], uint8_t set, uint8_t first, uint8_t n)
{
	uint64_t ret = 0;

	for (unsigned i = 0; i < SURVEY_BLOCK; i++)
		ret |= (uint64_t)((uint8_t)((p[i] | set) - first) < n) << i;
	return ret;
}

static void classify_plain(const uint8_t p[SURVEY_BLOCK], struct masks *m, uint64_t *ret_others)
{
	uint64_t usual = 0;

	for (unsigned i = 0; i < SURVEY_BLOCK; i++) {
		uint8_t c = p[i], low = c | 0x20;

		m->high |= (uint64_t)(c >> 7) << i;
		m->alpha |= (uint64_t)(low >= 'a' && low <= 'z') << i;
		m->digit |= (uint64_t)(c >= '0' && c <= '9') << i;
		m->dots |= (uint64_t)(c == '.') << i;
		m->vowel |=
		    (uint64_t)(low == 'a' || low == 'e' || low == 'i' || low == 'o' || low == 'u')
		    << i;
		usual |= (uint64_t)(c <= ' ' || c == ',') << i;
	}
	*ret_others = ~(usual | m->high | m->alpha | m->digit | m->dots);
}

static void classify_marks(const uint8_t p[SURVEY_BLOCK], struct masks *m)
{
	for (unsigned i = 0; i < SURVEY_BLOCK; i++) {
		uint8_t c = p[i];

		m->line |= (uint64_t)(c == '_') << i;
		m->code |= (uint64_t)(c == '+' || c == '/' || c == '-' || c == '_') << i;
		m->dots |= (uint64_t)(c == '-') << i;
		m->escape |= (uint64_t)(c == '%' || c == '\\') << i;
		m->angle |= (uint64_t)(c == '<' || c == '&') << i;
		m->emphasis |= (uint64_t)(c == '*' || c == '~' || c == '`') << i;
		m->sign |= (uint64_t)(c == '@' || c == '$' || c == '!' || c == '|') << i;
	}
}

#endif

static void classify(const uint8_t p[SURVEY_BLOCK], struct masks *m)
{
	uint64_t others;

	*m = (struct masks){ 0 };
	classify_plain(p, m, &others);
	if (others)
		classify_marks(p, m);
}

/* Bit i tells of the byte n places before byte i. */
static uint64_t back(uint64_t now, uint64_t last, unsigned n)
{
	return now << n | last >> (64 - n);
}

/* Where a run of 8 ones ends in now, and (n: 16, 24) of more: told without a branch, for in plain
 * text nobody could foretell it. */
static uint64_t run_of(uint64_t now, uint64_t last, unsigned n)
{
	uint64_t a = now, b = last, eight, last_eight;

	for (unsigned step = 1; step < 8; step *= 2) {
		a &= back(a, b, step);
		b &= b << step;
	}
	eight = a;
	last_eight = b;
	a &= back(eight, last_eight, 8);
	b &= last_eight << 8;
	return n == 16 ? a : a & back(eight, last_eight, 16);
}

/* First two letters with which next to no word begins, but many do that are spelled backwards or
 * were shifted. Bit of the second letter in the word of the first. */
#define L(c) (1u << ((c) - 'a'))
static const uint32_t odd_starts[32] = {
	['b' - 'a' + 1] =
	    L('b') | L('f') | L('g') | L('h') | L('n') | L('q') | L('t') | L('z') | L('x'),
	['c' - 'a' + 1] = L('b') | L('f') | L('g') | L('n') | L('q') | L('x') | L('z'),
	['d' - 'a' + 1] =
	    L('f') | L('g') | L('h') | L('k') | L('l') | L('n') | L('q') | L('t') | L('x') | L('z'),
	['e' - 'a' + 1] = L('b') | L('e') | L('h') | L('k') | L('z'),
	['f' - 'a' + 1] =
	    L('b') | L('d') | L('g') | L('h') | L('n') | L('p') | L('q') | L('v') | L('z'),
	['g' - 'a' + 1] =
	    L('b') | L('f') | L('g') | L('k') | L('n') | L('q') | L('v') | L('z') | L('x'),
	['h' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('p') | L('q') | L('s') |
			  L('t') | L('v') | L('z') | L('x'),
	['j' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('k') | L('l') |
			  L('n') | L('r') | L('v') | L('y') | L('z') | L('x'),
	['k' - 'a' + 1] =
	    L('b') | L('c') | L('d') | L('g') | L('p') | L('q') | L('v') | L('z') | L('x'),
	['l' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('k') | L('l') |
			  L('n') | L('p') | L('r') | L('t') | L('v') | L('z') | L('q'),
	['m' - 'a' + 1] = L('b') | L('d') | L('f') | L('g') | L('h') | L('k') | L('l') | L('n') |
			  L('r') | L('v') | L('z'),
	['n' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('k') | L('m') |
			  L('n') | L('q') | L('r') | L('t') | L('v') | L('w') | L('z') | L('x'),
	['o' - 'a' + 1] = L('e') | L('g') | L('q') | L('z'),
	['p' - 'a' + 1] = L('b') | L('c') | L('f') | L('g') | L('k') | L('m') | L('n') | L('q') |
			  L('v') | L('z') | L('x'),
	['q' - 'a' + 1] = L('a') | L('b') | L('c') | L('d') | L('e') | L('f') | L('g') | L('h') |
			  L('j') | L('l') | L('n') | L('r') | L('t') | L('v') | L('y') | L('z'),
	['r' - 'a' + 1] = L('b') | L('d') | L('f') | L('g') | L('j') | L('k') | L('l') | L('n') |
			  L('p') | L('r') | L('t') | L('v') | L('z') | L('q'),
	['s' - 'a' + 1] =
	    L('b') | L('d') | L('f') | L('g') | L('n') | L('r') | L('s') | L('v') | L('x') | L('z'),
	['t' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('k') | L('l') | L('n') |
			  L('p') | L('t') | L('v') | L('x') | L('z') | L('q'),
	['u' - 'a' + 1] = L('a') | L('b') | L('f') | L('h') | L('o') | L('y') | L('z'),
	['v' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('k') | L('l') |
			  L('n') | L('q') | L('r') | L('t') | L('v') | L('z') | L('x'),
	['w' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('k') | L('l') | L('m') |
			  L('n') | L('p') | L('q') | L('t') | L('v') | L('x') | L('z'),
	['x' - 'a' + 1] = L('a') | L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('n') |
			  L('q') | L('r') | L('t') | L('v') | L('z'),
	['y' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('h') | L('k') | L('l') |
			  L('m') | L('n') | L('q') | L('r') | L('t') | L('v') | L('z'),
	['z' - 'a' + 1] = L('b') | L('c') | L('d') | L('f') | L('g') | L('k') | L('n') | L('q') |
			  L('r') | L('t') | L('v') | L('x'),
};
#undef L

/* How many of the words that begin in the block begin oddly; those of its last letter are left
 * out. */
static unsigned count_odd(const uint8_t p[SURVEY_BLOCK], uint64_t starts)
{
	unsigned n = 0;

	for (starts &= ~(UINT64_C(1) << 63); starts; starts &= starts - 1) {
		unsigned i = (unsigned)__builtin_ctzll(starts);

		n += odd_starts[p[i] & 31] >> ((p[i + 1] - 1) & 31) & 1;
	}
	return n;
}

/* Without the instruction, which not every x86-64 has, the compiler calls a function. */
static unsigned count(uint64_t m)
{
	m -= m >> 1 & 0x5555555555555555;
	m = (m & 0x3333333333333333) + (m >> 2 & 0x3333333333333333);
	m = (m + (m >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned)(m * 0x0101010101010101 >> 56);
}

/* Texts of most languages have 35 to 50 vowels in a hundred letters. */
static bool sounds_odd(unsigned letters, unsigned vowels, unsigned starts)
{
	return starts >= STARTS_MIN || (starts && vowels * 10 < letters * 3) ||
	       (letters >= LETTERS_MIN && vowels * 5 < letters);
}

/* Signs for letters: between letters, or in front of two. */
static bool mixes(const struct masks *m, const struct masks *l)
{
	uint64_t sign = m->digit | m->sign, last_sign = l->digit | l->sign;
	uint64_t behind = m->alpha & back(sign, last_sign, 1); /* letters behind a sign */
	uint64_t last_behind = l->alpha & last_sign << 1;

	if (!(sign | last_sign))
		return false;
	return behind & (back(m->alpha, l->alpha, 2) |
			 (back(sign, last_sign, 2) & back(m->alpha, l->alpha, 3))) ||
	       (m->alpha & back(behind, last_behind, 1) &
		~back(m->alpha | sign, l->alpha | last_sign, 3));
}

/* Numbers in the block now (or, of those that need many digits, in it and the last one). */
static unsigned number_signs(const struct masks *m, const struct masks *l, const uint8_t *now,
			     const uint8_t *last)
{
	static const uint8_t nothing[SURVEY_BLOCK];
	uint64_t word = m->alpha | m->digit | m->high, last_word = l->alpha | l->digit | l->high;
	uint64_t pairs = ~word, last_pairs = ~last_word;
	uint64_t numbers = m->digit & ~back(m->digit, l->digit, 1);
	uint64_t x = range_of(now, 0x20, 'x', 1);
	unsigned s = 0;

	last = last ? last : nothing;
	for (unsigned k = 1; k <= 2; k++) {
		pairs &= back(pairs, last_pairs, 3 * k);
		last_pairs &= last_pairs << 3 * k;
	}
	if (pairs ||
	    run_of(m->digit | range_of(now, 0x20, 'a', 6), l->digit | range_of(last, 0x20, 'a', 6),
		   16) ||
	    count(x & back(m->digit, l->digit, 1)) >= PREFIXES_MIN)
		s |= SURVEY_HEX;
	if (count(range_of(now, 0, '0', 2)) + count(range_of(last, 0, '0', 2)) >= BITS_MIN)
		s |= SURVEY_BITS;
	if (count(numbers) >= NUMBERS_MIN && count(m->alpha) <= NUMBERS_LETTERS_MAX)
		s |= SURVEY_NUMBERS;
	return s;
}

/* A word that has a capital at its end, behind a small letter: "ereirongI". Not across blocks. */
static bool ends_tall(const struct masks *m, const uint8_t *now)
{
	uint64_t tall = range_of(now, 0, 'A', 26), small = m->alpha & ~tall;

	return tall << 1 & small << 2 & ~(m->alpha | m->digit);
}

/* 16 letters of one case. */
static bool is_long(const struct masks *m, const struct masks *l, const uint8_t *now,
		    const uint8_t *last)
{
	uint64_t lower, last_lower;

	if (!run_of(m->alpha, l->alpha, 16))
		return false;
	lower = range_of(now, 0, 'a', 26);
	last_lower = last ? range_of(last, 0, 'a', 26) : 0;
	return run_of(lower, last_lower, 16) ||
	       run_of(m->alpha & ~lower, l->alpha & ~last_lower, 16);
}

/* Of the block now, behind the last one (NULL: there is none). */
static uint16_t signs(const struct masks *m, const struct masks *l, const uint8_t *now,
		      const uint8_t *last, unsigned odd)
{
	uint64_t word = m->alpha | m->digit | m->high, last_word = l->alpha | l->digit | l->high;
	uint64_t single = back(m->alpha, l->alpha, 1) & ~word & ~back(word, last_word, 2);
	uint64_t last_single = back(l->alpha, 0, 1) & ~last_word & ~back(last_word, 0, 2);
	uint64_t after = back(m->alpha, l->alpha, 1);
	uint16_t s = 0;

	if (m->high)
		s |= SURVEY_HIGH;
	if (run_of(m->alpha | m->digit | m->code, l->alpha | l->digit | l->code, 24)) {
		s |= SURVEY_RUN;
		/* Paths are no sentences. */
		if (count(m->digit) <= NAME_DIGITS_MAX &&
		    !(m->code & ~(m->line | m->dots) & back(m->alpha, l->alpha, 1)))
			s |= SURVEY_NAME;
	}
	if ((m->digit | l->digit) && count(m->digit) + count(l->digit) >= DIGITS_MIN)
		s |= number_signs(m, l, now, last);
	if (single && single & back(single, last_single, 2) & back(single, last_single, 4) &
			  back(single, last_single, 6))
		s |= SURVEY_SINGLES;
	if (m->escape)
		s |= SURVEY_ESCAPE;
	if (m->angle | (m->emphasis & after) | (m->line & back(m->line, l->line, 1)))
		s |= SURVEY_MARKUP;
	if (m->dots | l->dots && count(m->dots) + count(l->dots) >= DOTS_MIN)
		s |= SURVEY_DOTS;
	if (mixes(m, l))
		s |= SURVEY_MIXED;
	/* Not in what is one long word: that is a name, a path, a picture. */
	if (!(s & SURVEY_RUN) &&
	    (ends_tall(m, now) || sounds_odd(count(m->alpha), count(m->vowel), odd)))
		s |= SURVEY_ODD;
	if (is_long(m, l, now, last))
		s |= SURVEY_LONG;
	return s;
}

int survey_make(struct survey *s, struct span text)
{
	size_t n = (text.len + SURVEY_BLOCK - 1) / SURVEY_BLOCK;
	uint16_t brief = n <= BRIEF_MAX ? SURVEY_BRIEF : 0;
	struct masks m[2] = { 0 };
	unsigned odd[2] = { 0 };
	const uint8_t *before = NULL;
	uint8_t tail[SURVEY_BLOCK] = { 0 };

	if (n > s->room) {
		uint16_t *p = realloc(s->blocks, n * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->blocks = p;
		s->room = n;
	}
	s->n = n;
	s->len = text.len;
	s->all = 0;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = text.p + i * SURVEY_BLOCK;
		struct masks *now = &m[i & 1], *last = &m[~i & 1];

		if (text.len - i * SURVEY_BLOCK < SURVEY_BLOCK) {
			memcpy(tail, p, text.len - i * SURVEY_BLOCK);
			p = tail;
		}
		classify(p, now);
		odd[i & 1] = count_odd(
		    p, now->alpha & now->alpha >> 1 &
			   ~back(now->alpha | now->digit | now->line | now->escape,
				 last->alpha | last->digit | last->line | last->escape, 1));
		s->blocks[i] = signs(now, last, p, before, odd[0] + odd[1]) | brief;
		s->all |= s->blocks[i];
		before = p;
	}
	return 0;
}

void survey_wipe(struct survey *s)
{
	free(s->blocks);
	*s = (struct survey){ 0 };
}

bool survey_next(const struct survey *s, unsigned sign, size_t margin, size_t at, struct range *ret)
{
	size_t i = at / SURVEY_BLOCK, end;

	if (!(s->all & sign) || at >= s->len)
		return false;
	while (i < s->n && !(s->blocks[i] & sign))
		i++;
	if (i >= s->n)
		return false;
	ret->begin = i * SURVEY_BLOCK;
	end = (i + 1) * SURVEY_BLOCK;
	for (i++; i < s->n && i * SURVEY_BLOCK <= end + 2 * margin; i++)
		if (s->blocks[i] & sign)
			end = (i + 1) * SURVEY_BLOCK;
	ret->begin = MAX(at, ret->begin - MIN(ret->begin, margin));
	ret->end = MIN(end + margin, s->len);
	return true;
}
