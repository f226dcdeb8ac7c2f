/* user/text/survey.c - classifies the bytes of a text into bit masks of 64, and finds signs of
 * encodings in the masks.
 */
#include "text/survey.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/scan64.h"
#include "text/view.h"

static_assert(SURVEY_BLOCK == SCAN64, "a block is looked at as one");

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
	uint64_t high, alpha, tall /* capitals */, digit, vowel;
	uint64_t code /* + / - _ */, dots /* . - */, escape /* % \ */, angle /* < & */,
	    line /* _ */, emphasis /* * ~ ` */, sign /* @ $ ! | */;
};

static SCAN64_INLINE struct masks classify(const uint8_t p[SURVEY_BLOCK], scan64_fn *of)
{
	uint64_t dash = of(p, 0, '-', 1), line = of(p, 0, '_', 1);

	return (struct masks){
		.high = of(p, 0, 0x80, 0x80),
		.alpha = of(p, 0x20, 'a', 26),
		.tall = of(p, 0, 'A', 26),
		.digit = of(p, 0, '0', 10),
		.vowel = of(p, 0x20, 'a', 1) | of(p, 0x20, 'e', 1) | of(p, 0x20, 'i', 1) |
			 of(p, 0x20, 'o', 1) | of(p, 0x20, 'u', 1),
		.code = dash | line | of(p, 0, '+', 1) | of(p, 0, '/', 1),
		.dots = dash | of(p, 0, '.', 1),
		.escape = of(p, 0, '%', 1) | of(p, 0, '\\', 1),
		.angle = of(p, 0, '<', 1) | of(p, 0, '&', 1),
		.line = line,
		.emphasis = of(p, 0, '*', 1) | of(p, 0, '~', 1) | of(p, 0, '`', 1),
		.sign = of(p, 0, '@', 1) | of(p, 0, '$', 1) | of(p, 0, '!', 1) | of(p, 0, '|', 1),
	};
}

/* Bit i tells of the byte n places before byte i. */
static SCAN64_INLINE uint64_t back(uint64_t now, uint64_t last, unsigned n)
{
	return now << n | last >> (64 - n);
}

/* Where a run of 8 ones ends in now, and (n: 16, 24) of more: told without a branch, for in plain
 * text nobody could foretell it. */
static SCAN64_INLINE uint64_t run_of(uint64_t now, uint64_t last, unsigned n)
{
	uint64_t two = now & back(now, last, 1), last_two = last & last << 1;
	uint64_t four = two & back(two, last_two, 2), last_four = last_two & last_two << 2;
	uint64_t eight = four & back(four, last_four, 4), last_eight = last_four & last_four << 4;
	uint64_t sixteen = eight & back(eight, last_eight, 8);

	return n == 16 ? sixteen : sixteen & back(eight, last_eight, 16);
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

/* The same for many at once, which lets some pass that are not odd: a bit for each of eight groups
 * of first letters with rows that are much the same (bf, eo, hktw, u, cgp, s, dlmnrvyz, jqx), and
 * of second ones, those of the groups that have them in a row. */
static const uint8_t odd_first[32] = {
	0x00, 0x00, 0x01, 0x10, 0x40, 0x02, 0x01, 0x10, 0x04, 0x00, 0x80, 0x04, 0x40, 0x40,
	0x40, 0x02, 0x10, 0x80, 0x40, 0x20, 0x04, 0x08, 0x40, 0x04, 0x80, 0x40, 0x40,
};
static const uint8_t odd_second[32] = {
	0x00, 0x88, 0xff, 0xd4, 0xe5, 0x82, 0xfd, 0xf7, 0xcb, 0x00, 0xc0, 0xd6, 0xc4, 0x54,
	0xf5, 0x08, 0x45, 0xd7, 0xe0, 0x24, 0xc5, 0x00, 0xf5, 0x40, 0xf5, 0x88, 0xff,
};

/* How many of the words that begin in the block begin oddly; those of its last letter are left
 * out. */
static SCAN64_INLINE unsigned count_odd(const uint8_t p[SURVEY_BLOCK], uint64_t starts,
					scan64_pairs_fn *pairs)
{
	unsigned n = 0;

	for (starts &= pairs(p, odd_first, odd_second); starts; starts &= starts - 1) {
		unsigned i = (unsigned)__builtin_ctzll(starts);

		n += odd_starts[p[i] & 31] >> ((p[i + 1] - 1) & 31) & 1;
	}
	return n;
}

/* Texts of most languages have 35 to 50 vowels in a hundred letters. */
static SCAN64_INLINE bool sounds_odd(unsigned letters, unsigned vowels, unsigned starts)
{
	return starts >= STARTS_MIN || (starts && vowels * 10 < letters * 3) ||
	       (letters >= LETTERS_MIN && vowels * 5 < letters);
}

/* Signs for letters: between letters, or in front of two. */
static SCAN64_INLINE bool mixes(const struct masks *m, const struct masks *l)
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
static SCAN64_INLINE unsigned number_signs(const struct masks *m, const struct masks *l,
					   const uint8_t *now, const uint8_t *last, scan64_fn *of)
{
	static const uint8_t nothing[SURVEY_BLOCK];
	uint64_t word = m->alpha | m->digit | m->high, last_word = l->alpha | l->digit | l->high;
	uint64_t pairs = ~word, last_pairs = ~last_word;
	uint64_t numbers = m->digit & ~back(m->digit, l->digit, 1);
	uint64_t x = of(now, 0x20, 'x', 1);
	unsigned s = 0;

	last = last ? last : nothing;
	for (unsigned k = 1; k <= 2; k++) {
		pairs &= back(pairs, last_pairs, 3 * k);
		last_pairs &= last_pairs << 3 * k;
	}
	if (pairs ||
	    run_of(m->digit | of(now, 0x20, 'a', 6), l->digit | of(last, 0x20, 'a', 6), 16) ||
	    scan64_count(x & back(m->digit, l->digit, 1)) >= PREFIXES_MIN)
		s |= SURVEY_HEX;
	if (scan64_count(of(now, 0, '0', 2)) + scan64_count(of(last, 0, '0', 2)) >= BITS_MIN)
		s |= SURVEY_BITS;
	if (scan64_count(numbers) >= NUMBERS_MIN && scan64_count(m->alpha) <= NUMBERS_LETTERS_MAX)
		s |= SURVEY_NUMBERS;
	return s;
}

/* A word that has a capital at its end, behind a small letter: "ereirongI". Not across blocks. */
static SCAN64_INLINE bool ends_tall(const struct masks *m)
{
	uint64_t small = m->alpha & ~m->tall;

	return m->tall << 1 & small << 2 & ~(m->alpha | m->digit);
}

/* 16 letters of one case. */
static SCAN64_INLINE bool is_long(const struct masks *m, const struct masks *l)
{
	return run_of(m->alpha, l->alpha, 16) &&
	       (run_of(m->alpha & ~m->tall, l->alpha & ~l->tall, 16) ||
		run_of(m->tall, l->tall, 16));
}

/* Of the block now, behind the last one (NULL: there is none). */
static SCAN64_INLINE uint16_t signs(const struct masks *m, const struct masks *l,
				    const uint8_t *now, const uint8_t *last, unsigned odd,
				    scan64_fn *of)
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
		if (scan64_count(m->digit) <= NAME_DIGITS_MAX &&
		    !(m->code & ~(m->line | m->dots) & back(m->alpha, l->alpha, 1)))
			s |= SURVEY_NAME;
	}
	if ((m->digit | l->digit) && scan64_count(m->digit) + scan64_count(l->digit) >= DIGITS_MIN)
		s |= number_signs(m, l, now, last, of);
	if (single && single & back(single, last_single, 2) & back(single, last_single, 4) &
			  back(single, last_single, 6))
		s |= SURVEY_SINGLES;
	if (m->escape)
		s |= SURVEY_ESCAPE;
	if (m->angle | (m->emphasis & after) | (m->line & back(m->line, l->line, 1)))
		s |= SURVEY_MARKUP;
	if (m->dots | l->dots && scan64_count(m->dots) + scan64_count(l->dots) >= DOTS_MIN)
		s |= SURVEY_DOTS;
	if (mixes(m, l))
		s |= SURVEY_MIXED;
	/* Not in what is one long word: that is a name, a path, a picture. */
	if (!(s & SURVEY_RUN) &&
	    (ends_tall(m) || sounds_odd(scan64_count(m->alpha), scan64_count(m->vowel), odd)))
		s |= SURVEY_ODD;
	if (is_long(m, l))
		s |= SURVEY_LONG;
	return s;
}

static SCAN64_INLINE void make_with(struct survey *s, struct span text, scan64_fn *of,
				    scan64_pairs_fn *pairs)
{
	uint16_t brief = s->n <= BRIEF_MAX ? SURVEY_BRIEF : 0;
	struct masks now, last = { 0 };
	unsigned odd, last_odd = 0;
	const uint8_t *before = NULL;
	uint8_t tail[SURVEY_BLOCK];

	for (size_t i = 0; i < s->n; i++) {
		const uint8_t *p = scan64_at(text, i * SURVEY_BLOCK, tail);

		now = classify(p, of);
		odd = count_odd(p,
				now.alpha & now.alpha >> 1 &
				    ~back(now.alpha | now.digit | now.line | now.escape,
					  last.alpha | last.digit | last.line | last.escape, 1),
				pairs);
		s->blocks[i] = signs(&now, &last, p, before, last_odd + odd, of) | brief;
		s->all |= s->blocks[i];
		last = now;
		last_odd = odd;
		before = p;
	}
}

SCAN64_FUNCTION_OF_PAIRS(void, make, (struct survey * s, struct span text), s, text)

static int begin(struct survey *s, struct span text)
{
	size_t n = (text.len + SURVEY_BLOCK - 1) / SURVEY_BLOCK;

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
	return 0;
}

int survey_make(struct survey *s, struct span text)
{
	int err = begin(s, text);

	if (!err)
		make(s, text);
	return err;
}

/* From block i on. */
static SCAN64_INLINE void make_high_with(struct survey *s, struct span text, size_t i,
					 scan64_fn *of)
{
	uint8_t tail[SURVEY_BLOCK];

	for (; i < s->n; i++) {
		const uint8_t *p = scan64_at(text, i * SURVEY_BLOCK, tail);

		s->blocks[i] = of(p, 0, 0x80, 0x80) ? SURVEY_HIGH : 0;
	}
	s->all = SURVEY_HIGH;
}

SCAN64_FUNCTION(void, make_high, (struct survey * s, struct span text, size_t i), s, text, i)

int survey_make_high(struct survey *s, struct span text)
{
	size_t at = ascii_len(text);
	int err = begin(s, at < text.len ? text : span_of(NULL, 0));

	if (err || !s->n)
		return err;
	memset(s->blocks, 0, at / SURVEY_BLOCK * sizeof(*s->blocks));
	make_high(s, text, at / SURVEY_BLOCK);
	return 0;
}

void survey_wipe(struct survey *s)
{
	free(s->blocks);
	*s = (struct survey){ 0 };
}

/* The next block at or behind i that has the sign, or s->n. */
static size_t next_block(const struct survey *s, unsigned sign, size_t i)
{
	uint64_t four, signs_of_four = sign * UINT64_C(0x0001000100010001);

	for (; s->n - i >= 4; i += 4) {
		memcpy(&four, s->blocks + i, sizeof(four));
		if (four & signs_of_four)
			break;
	}
	while (i < s->n && !(s->blocks[i] & sign))
		i++;
	return i;
}

bool survey_next(const struct survey *s, unsigned sign, size_t margin, size_t at, struct range *ret)
{
	size_t i = at / SURVEY_BLOCK, end;

	if (!(s->all & sign) || at >= s->len)
		return false;
	i = next_block(s, sign, i);
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
