/* user/detect/features.c - bytes to tokens, tokens to hashes. Owns nothing.
 * ASCII is read in blocks: where tokens begin and end is found for all bytes at once, and each is
 * hashed as a whole, for a loop over its bytes ends at a place that no processor foresees. Tokens
 * wait in a batch until they are many, or until one comes that is hashed with those before it.
 */
#include "detect/features.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/scan.h"
#include "base/wide.h"

#define BLOCK	  64 /* bits of a mask */
#define BLOCK_MIN 8  /* for less than that a block does not pay */

/* Bytes of a longer token that count as its beginning: by the length of its first character. */
#define STEM	  5
#define STEM_2	  8
#define STEM_WIDE 15

/* Odd constants, different for each kind of feature, so that kinds do not meet in one bucket by
 * rule. */
#define MIX_1	 0xc2b2ae3d27d4eb4fu
#define MIX_2	 0x27d4eb2f165667c5u
#define MIX_3	 0x85ebca77c2b2ae63u
#define MIX_WORD 0xff51afd7ed558ccdu
#define MIX_STEM 0x165667b19e3779f9u
#define MIX_PAIR 0xd6e8feb86659fd93u
#define MIX_RUN	 0x9e3779b97f4a7c15u
#define MIX_SUM	 0x01000193u
#define MIX_ENDS 0x85ebca6bu

enum kind { BLANK, WORD, SIGNS };

/* ASCII: letters small, digits as one. */
static inline uint8_t symbol_of(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c >= '0' && c <= '9' ? '0' : c;
}

static inline enum kind kind_of(uint8_t symbol)
{
	if (symbol <= ' ' || symbol == 0x7f)
		return BLANK;
	return symbol == '0' || (symbol >= 'a' && symbol <= 'z') ? WORD : SIGNS;
}

static inline uint32_t bucket(uint64_t x)
{
	return (uint32_t)(x >> (64 - FEATURE_BITS));
}

/* Scripts without blanks between words: Han, kana and their neighbours, those of Thailand, Laos,
 * Burma and Cambodia; and Hangul. */
static bool stands_alone(uint32_t cp)
{
	return (cp >= 0x2e80 && cp < 0xa4d0) || (cp >= 0xac00 && cp < 0xd7b0) ||
	       (cp >= 0xf900 && cp < 0xfb00) || (cp >= 0x20000 && cp < 0x30000) ||
	       (cp >= 0xe00 && cp < 0xf00) || (cp >= 0x1000 && cp < 0x10a0) ||
	       (cp >= 0x1780 && cp < 0x1800);
}

/* --- tokens to hashes */

struct token {
	uint32_t word; /* hash of its bytes */
	uint64_t stem; /* ... of how it begins, if it is longer than that */
	bool longer;
};

static inline size_t stem_len(uint8_t first)
{
	return first < 0x80 ? STEM : first < 0xe0 ? STEM_2 : STEM_WIDE;
}

static inline struct token token_of(const uint64_t *bytes, size_t len)
{
	uint64_t mixed = bytes[0] * MIX_1 ^ bytes[1] * MIX_2 ^ bytes[2] * MIX_3;
	uint64_t stem = bytes[0];

	if (!(bytes[0] & 0x80))
		stem &= (UINT64_C(1) << 8 * STEM) - 1;
	else if ((uint8_t)bytes[0] >= 0xe0)
		stem ^= (bytes[1] & ((UINT64_C(1) << 8 * (STEM_WIDE - 8)) - 1)) * MIX_2;
	mixed = (mixed ^ mixed >> 29) * MIX_WORD;
	return (struct token){ (uint32_t)(mixed >> 32), stem * MIX_STEM, len > STEM };
}

static inline uint16_t slot_of(uint32_t hash, unsigned sense)
{
	return (uint16_t)(hash >> (16 + SENSE_BITS) << SENSE_BITS | sense);
}

/* A bit for the sense, if it has one; bit 0 is without meaning. */
static inline uint64_t meaning(const struct senses *s, uint32_t hash)
{
	typedef uint16_t slot_lanes __attribute__((vector_size(SENSE_SLOTS * sizeof(uint16_t))));
	slot_lanes v;
	uint64_t all;

	memcpy(&v, s->slots[hash % SENSE_BUCKETS], sizeof(v));
	v ^= slot_of(hash, 0);
	v &= (slot_lanes)(v < SENSES_MAX);
	/* One slot at most is left: their sum is in the highest one. */
	memcpy(&all, &v, sizeof(all));
	return UINT64_C(1) << (all * UINT64_C(0x0001000100010001) >> 48);
}

/* --- words that are runs of characters */

static inline size_t ends_in(uint32_t before, uint32_t last)
{
	return (before * 3 ^ last) * MIX_ENDS >> 20;
}
static_assert(SENSE_ENDS == 1 << 12, "what is left of 32 bits");

/* Of the last n characters. */
static uint32_t hash_run(const struct features *f, unsigned n)
{
	uint32_t power = 1, sum;

	for (unsigned i = 0; i < n; i++)
		power *= MIX_SUM;
	sum = f->sums[f->run % FEATURES_RUN] - f->sums[(f->run - n) % FEATURES_RUN] * power;
	return (uint32_t)((sum ^ sum >> 15) * MIX_WORD >> 32);
}

/* One more character, which is not f->last yet. */
static __attribute__((noinline)) void add_to_run(struct features *f, uint32_t hash)
{
	uint32_t sum = f->sums[f->run % FEATURES_RUN] * MIX_SUM + hash;
	unsigned lengths;

	f->sums[++f->run % FEATURES_RUN] = sum;
	if (f->run < 2)
		return;
	lengths = f->senses->ends[ends_in(f->last, hash)];
	for (; lengths; lengths &= lengths - 1) {
		unsigned n = (unsigned)__builtin_ctz(lengths) + 2;

		if (n <= f->run)
			f->meant |= meaning(f->senses, hash_run(f, n));
	}
}

/* Compiled into each caller, so that where tokens are words of ASCII nothing else is asked. */
static inline __attribute__((always_inline)) size_t
hash_token(struct features *f, const uint64_t *bytes, size_t len, bool alone, uint32_t *ret)
{
	struct token t = token_of(bytes, len);

	f->meant |= meaning(f->senses, t.word);
	f->meant |= meaning(f->senses, (uint32_t)(t.stem >> 32)) & -(uint64_t)t.longer;
	if (alone)
		add_to_run(f, t.word);
	else
		f->run = 0;
	ret[0] = t.word >> (32 - FEATURE_BITS);
	ret[1] = bucket((f->last ^ (uint64_t)t.word << 32) * MIX_PAIR);
	ret[2] = alone ? bucket(((f->last ^ f->before * 3) ^ (uint64_t)t.word << 32) * MIX_RUN)
		       : bucket(t.stem);
	f->before = f->last;
	f->last = t.word;
	return 2 + (alone || t.longer);
}

/* Leaves the bytes of a token that count. */
static inline void mask(uint64_t bytes[FEATURES_TOKEN / 8], size_t len)
{
	static const uint64_t first[9] = {
		0,	    0xff,	  0xffff,	  0xffffff,
		0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
		UINT64_MAX,
	};

	bytes[0] &= first[MIN(len, 8)];
	bytes[1] &= first[len > 8 ? MIN(len - 8, 8) : 0];
	bytes[2] &= first[len > 16 ? MIN(len - 16, 8) : 0];
}

static inline void load(const uint8_t *p, size_t len, uint64_t ret[FEATURES_TOKEN / 8])
{
	memcpy(ret, p, FEATURES_TOKEN);
	mask(ret, len);
}

/* Tokens of ASCII, to be hashed together. */
#define LANES 8
typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));
typedef uint32_t half_lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t slot_lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

#define BATCH (3 * BLOCK)
struct batch {
	unsigned n;
	bool others;				   /* than ASCII are among them */
	uint64_t bytes[FEATURES_TOKEN / 8][BATCH]; /* and what stands behind a token */
	uint64_t len[BATCH];
};

static inline void put(struct batch *b, const uint8_t *p, size_t len)
{
	for (unsigned i = 0; i < FEATURES_TOKEN / 8; i++)
		memcpy(&b->bytes[i][b->n], p + 8 * i, 8);
	b->len[b->n++] = len;
}

/* f gets what it would if each were hashed when it ended. */
static size_t hash_batch(struct features *f, const struct batch *b, uint32_t *ret)
{
	size_t n = 0;

	for (unsigned i = 0; i < b->n; i++) {
		uint64_t bytes[FEATURES_TOKEN / 8];

		for (unsigned k = 0; k < ARRAY_SIZE(bytes); k++)
			bytes[k] = b->bytes[k][i];
		mask(bytes, b->len[i]);
		n += hash_token(f, bytes, b->len[i], false, ret + n);
	}
	return n;
}

/* --- the same, LANES tokens at a time */

/* Adds what meaning() tells of each hash that is wanted; the others may be anything. */
static inline __attribute__((always_inline)) void
add_meanings(const struct senses *s, const lanes *of, const lanes *wanted, lanes *meant)
{
	const uint64_t each = UINT64_C(0x0001000100010001);
	const lanes one = { 1, 1, 1, 1, 1, 1, 1, 1 };
	lanes found = { 0 };
	uint64_t at[LANES];
	slot_lanes v;

	memcpy(at, of, sizeof(at));
	for (unsigned i = 0; i < LANES; i++) {
		uint64_t bucket_slots;

		memcpy(&bucket_slots, s->slots[at[i] % SENSE_BUCKETS], sizeof(bucket_slots));
		found[i] = bucket_slots;
	}
	v = (slot_lanes)(found ^ (*of >> (16 + SENSE_BITS) << SENSE_BITS) * each);
	v &= (slot_lanes)(v < SENSES_MAX);
	*meant |= one << ((lanes)v * each >> 48) & *wanted;
}

/* b is not empty. */
static WIDE size_t hash_wide(struct features *f, const struct batch *b, uint32_t *ret)
{
	const lanes one = { 1, 1, 1, 1, 1, 1, 1, 1 }, places = { 0, 1, 2, 3, 4, 5, 6, 7 };
	lanes meant = { 0 }, last = { 0, 0, 0, 0, 0, 0, f->before, f->last };
	uint32_t words[BATCH], pairs[BATCH], stems[BATCH], more[BATCH];
	lanes before = { 0 };
	size_t n = 0;

	for (unsigned i = 0; i < b->n; i += LANES) {
		lanes bytes[FEATURES_TOKEN / 8], len, rest, word, stem, wanted, high;
		half_lanes h;

		for (unsigned k = 0; k < ARRAY_SIZE(bytes); k++)
			memcpy(&bytes[k], &b->bytes[k][i], sizeof(bytes[k]));
		memcpy(&len, &b->len[i], sizeof(len));
		/* The eight that a token ends in are its own up to there. */
		rest = (one << (len % 8 * 8)) - 1;
		bytes[0] &= rest | (lanes)(len >= 8);
		bytes[1] &= (rest | (lanes)(len >= 16)) & (lanes)(len > 8);
		bytes[2] &= (rest | (lanes)(len >= 24)) & (lanes)(len > 16);
		word = bytes[0] * MIX_1 ^ bytes[1] * MIX_2 ^ bytes[2] * MIX_3;
		word = (word ^ word >> 29) * MIX_WORD >> 32;
		stem = bytes[0] & ((UINT64_C(1) << 8 * STEM) - 1);
		if (b->others) {
			lanes first = bytes[0] & UINT8_MAX;

			stem |= bytes[0] & (lanes)(first >= 0x80);
			stem ^= (bytes[1] & ((UINT64_C(1) << 8 * (STEM_WIDE - 8)) - 1)) * MIX_2 &
				(lanes)(first >= 0xe0);
		}
		stem *= MIX_STEM;
		before = __builtin_shufflevector(last, word, 7, 8, 9, 10, 11, 12, 13, 14);
		last = word;
		h = __builtin_convertvector(word >> (32 - FEATURE_BITS), half_lanes);
		memcpy(&words[i], &h, sizeof(h));
		h = __builtin_convertvector((before ^ word << 32) * MIX_PAIR >> (64 - FEATURE_BITS),
					    half_lanes);
		memcpy(&pairs[i], &h, sizeof(h));
		h = __builtin_convertvector(stem >> (64 - FEATURE_BITS), half_lanes);
		memcpy(&stems[i], &h, sizeof(h));
		h = __builtin_convertvector(2 - (lanes)(len > STEM), half_lanes);
		memcpy(&more[i], &h, sizeof(h));
		wanted = (lanes)(places < (uint64_t)(b->n - i));
		add_meanings(f->senses, &word, &wanted, &meant);
		high = stem >> 32;
		wanted &= (lanes)(len > STEM);
		add_meanings(f->senses, &high, &wanted, &meant);
	}
	for (unsigned i = 0; i < b->n; i++) {
		ret[n] = words[i];
		ret[n + 1] = pairs[i];
		ret[n + 2] = stems[i];
		n += more[i];
	}
	for (unsigned i = 0; i < LANES; i++)
		f->meant |= meant[i];
	f->before = (uint32_t)before[(b->n - 1) % LANES];
	f->last = (uint32_t)last[(b->n - 1) % LANES];
	f->run = 0;
	return n;
}

/* Returns how many hashes; the batch is empty then. */
static size_t hash_all(struct features *f, struct batch *b, uint32_t *ret)
{
	size_t n = wide() && b->n > LANES / 2 ? hash_wide(f, b, ret) : hash_batch(f, b, ret);

	b->n = 0;
	b->others = false;
	return n;
}

/* --- bytes to tokens, one by one */

/* The token in hand is complete. */
static void end_token(struct features *f, struct batch *tokens)
{
	if (!f->len)
		return;
	put(tokens, (const uint8_t *)f->hand, f->len);
	tokens->others |= (f->hand[0] & 0x80) != 0;
	memset(f->hand, 0, sizeof(f->hand));
	f->len = 0;
}

static void take(struct features *f, uint32_t bytes, unsigned n)
{
	unsigned at = f->len / 8, within = f->len % 8;

	if (at < ARRAY_SIZE(f->hand))
		f->hand[at] |= (uint64_t)bytes << 8 * within;
	if (at + 1 < ARRAY_SIZE(f->hand) && within + n > 8)
		f->hand[at + 1] |= bytes >> 8 * (8 - within);
	f->len += n;
}

static void add_ascii(struct features *f, struct batch *tokens, uint8_t c)
{
	uint8_t symbol = symbol_of(c);
	enum kind kind = kind_of(symbol);

	if (kind != f->kind)
		end_token(f, tokens);
	f->missing = 0;
	f->kind = kind;
	if (kind != BLANK)
		take(f, symbol, 1);
}

/* A character beyond ASCII is complete; one that stands alone is a token. */
static size_t add_character(struct features *f, struct batch *tokens, uint32_t *ret)
{
	uint64_t bytes[FEATURES_TOKEN / 8] = { f->raw };
	bool alone = stands_alone(f->code_point);
	size_t n;

	if (alone || f->kind != WORD)
		end_token(f, tokens);
	f->kind = alone ? BLANK : WORD;
	if (!alone) {
		take(f, f->raw, f->more + 1u);
		return 0;
	}
	n = hash_all(f, tokens, ret);
	return n + hash_token(f, bytes, f->more + 1u, true, ret + n);
}

/* A character beyond ASCII that is there as a whole, all of its bytes: how many, 0: there is none.
 */
static unsigned read_character(struct features *f, struct span text)
{
	uint8_t c = text.p[0];
	unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	uint32_t code_point = c & (0x3fu >> more), raw = c;

	if (c < 0xc0 || text.len <= more)
		return 0;
	for (unsigned i = 1; i <= more; i++) {
		c = text.p[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		code_point = code_point << 6 | (c & 0x3f);
		raw |= (uint32_t)c << 8 * i;
	}
	f->more = (uint8_t)more;
	f->missing = 0;
	f->code_point = code_point;
	f->raw = raw;
	return more + 1;
}

static size_t add_byte(struct features *f, struct batch *tokens, uint8_t c, uint32_t *ret)
{
	if (c < 0x80) {
		add_ascii(f, tokens, c);
	} else if (c >= 0xc0) {
		f->missing = f->more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		f->code_point = c & (0x3f >> f->missing);
		f->raw = c;
	} else if (f->missing) {
		f->code_point = f->code_point << 6 | (c & 0x3f);
		f->raw |= (uint32_t)c << 8 * (f->more - f->missing + 1);
		if (!--f->missing)
			return add_character(f, tokens, ret);
	}
	return 0;
}

/* --- bytes to tokens, a block at a time */

struct block {
	uint64_t word, signs; /* which bytes are */
	/* Room for what is in hand before the first one, and to load behind the last. */
	uint8_t symbols[FEATURES_TOKEN + BLOCK + FEATURES_TOKEN];
};

static void sort(struct block *b, const uint8_t *p)
{
	b->word = b->signs = 0;
	for (unsigned i = 0; i < BLOCK; i += sizeof(scan_v)) {
		scan_v v, digit, letter, seen;

		memcpy(&v, p + i, sizeof(v));
		digit = (scan_v)(v - '0' <= '9' - '0');
		v |= (scan_v)(v - 'A' <= 'Z' - 'A') & 0x20;
		v = (v & ~digit) | (digit & '0');
		letter = (scan_v)(v - 'a' <= 'z' - 'a');
		seen = (scan_v)(v - '!' <= '~' - '!');
		b->word |= (uint64_t)scan_mask(letter | digit) << i;
		b->signs |= (uint64_t)scan_mask(seen & ~(letter | digit)) << i;
		memcpy(b->symbols + FEATURES_TOKEN + i, &v, sizeof(v));
	}
}

/* p: a whole block to read, of which n bytes are ASCII and wanted. */
static void add_block(struct features *f, struct batch *tokens, const uint8_t *p, unsigned len)
{
	uint64_t valid = len < BLOCK ? (UINT64_C(1) << len) - 1 : UINT64_MAX;
	uint64_t before_word, before_signs, starts, ends;
	struct block b;
	uint8_t *first = b.symbols + FEATURES_TOKEN, *hand = first - MIN(f->len, FEATURES_TOKEN);

	memcpy(hand, f->hand, sizeof(f->hand));
	sort(&b, p);
	b.word &= valid;
	b.signs &= valid;
	before_word = b.word << 1 | (f->kind == WORD);
	before_signs = b.signs << 1 | (f->kind == SIGNS);
	starts = (b.word & ~before_word) | (b.signs & ~before_signs);
	ends = ((before_word & ~b.word) | (before_signs & ~b.signs)) & valid;
	if (f->len) {
		f->len += ends ? (unsigned)__builtin_ctzll(ends) : len;
		load(hand, f->len, f->hand);
		if (ends)
			end_token(f, tokens);
		ends &= ends - 1;
	}
	for (; ends; ends &= ends - 1, starts &= starts - 1) {
		const uint8_t *start = first + __builtin_ctzll(starts);

		put(tokens, start, (size_t)(first + __builtin_ctzll(ends) - start));
	}
	if (starts) {
		unsigned start = (unsigned)__builtin_ctzll(starts);

		f->len = len - start;
		load(first + start, f->len, f->hand);
	}
	f->kind = b.word >> (len - 1) & 1 ? WORD : b.signs >> (len - 1) & 1 ? SIGNS : BLANK;
	f->missing = 0;
}

/* How many bytes of a whole block are ASCII before the first that is not. */
static unsigned ascii_run(const uint8_t *p)
{
	for (unsigned i = 0; i < BLOCK; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		word &= 0x8080808080808080u;
		if (word)
			return i + (unsigned)__builtin_ctzll(word) / 8;
	}
	return BLOCK;
}

void features_begin(struct features *f, const struct senses *senses)
{
	*f = (struct features){ .senses = senses };
}

/* To the end of what is not ASCII, and of what is between such characters; so far, a block. */
static size_t add_others(struct features *f, struct batch *tokens, struct span text, size_t *at,
			 uint32_t *ret)
{
	size_t n = 0, end = *at + BLOCK;

	do {
		unsigned len = read_character(f, span_sub(text, *at, text.len));

		n += len ? add_character(f, tokens, ret + n)
			 : add_byte(f, tokens, text.p[*at], ret + n);
		*at += len ? len : 1;
	} while (*at < MIN(text.len, end) && (f->missing || text.p[*at] >= 0x80 ||
					      (*at + 1 < text.len && text.p[*at + 1] >= 0x80)));
	return n;
}

size_t features_add(struct features *f, struct span text, uint32_t *ret)
{
	struct features own = *f; /* which ret cannot point into */
	struct batch tokens;
	size_t n = 0, at = 0;

	tokens.n = 0;
	tokens.others = false;
	while (at < text.len) {
		size_t left = text.len - at;
		uint8_t last[BLOCK];
		const uint8_t *p = text.p + at;
		unsigned run;

		if (left < BLOCK) {
			memset(last, UINT8_MAX, sizeof(last));
			p = memcpy(last, p, left);
		}
		run = ascii_run(p);
		if (run >= BLOCK_MIN) {
			add_block(&own, &tokens, p, run);
			at += run;
		} else {
			n += add_others(&own, &tokens, text, &at, ret + n);
		}
		if (tokens.n + BLOCK >= BATCH)
			n += hash_all(&own, &tokens, ret + n);
	}
	n += hash_all(&own, &tokens, ret + n);
	*f = own;
	return n;
}

/* Adds what hashes so; 0 also when it has a sense already. */
static int add_sense(struct senses *senses, uint32_t hash, unsigned sense)
{
	uint16_t *slots = senses->slots[hash % SENSE_BUCKETS];

	for (unsigned i = 0; i < SENSE_SLOTS; i++) {
		if (!slots[i])
			slots[i] = slot_of(hash, sense);
		if ((uint16_t)(slots[i] ^ slot_of(hash, 0)) < SENSES_MAX)
			return 0;
	}
	return -ENOSPC;
}

/* A word of several tokens: characters that each are one. */
static int add_run(struct senses *senses, const struct features *f, size_t len, unsigned sense)
{
	int err;

	if (f->run > SENSE_RUN || f->run * 3 != len)
		return -EINVAL;
	err = add_sense(senses, hash_run(f, f->run), sense);
	if (!err)
		senses->ends[ends_in(f->before, f->last)] |= (uint8_t)(1 << (f->run - 2));
	return err;
}
static_assert(SENSE_RUN - 2 < 8, "a byte has a bit for each length");

int senses_add(struct senses *senses, struct span word, bool begins, unsigned sense)
{
	static const struct senses none;
	uint32_t hashes[3 * (SENSE_RUN + 1) * FEATURES_PER_BYTE];
	uint64_t bytes[3] = { 0 };
	struct features f;
	struct token t;

	features_begin(&f, &none);
	features_add(&f, span_sub(word, 0, sizeof(hashes) / sizeof(*hashes) / FEATURES_PER_BYTE),
		     hashes);
	if (begins && (f.run || !word.len || word.len < stem_len(word.p[0])))
		return -EINVAL;
	if (f.run > 1)
		return add_run(senses, &f, word.len, sense);
	for (size_t i = 0; i < MIN(word.len, FEATURES_TOKEN); i++)
		bytes[i / 8] |= (uint64_t)symbol_of(word.p[i]) << i % 8 * 8;
	t = token_of(bytes, word.len);
	return add_sense(senses, begins ? (uint32_t)(t.stem >> 32) : t.word, sense);
}
