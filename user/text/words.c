/* user/text/words.c - hashed sets of the words in the list, as they stand and up to a shift of the
 * alphabet. A word is a vector of 16 letters, read and hashed as one.
 */
#include "text/words.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/scan.h"

#define SLOTS	    16384 /* twice the words, a power of two */
#define BITS	    131072
#define HASH_BEGIN  2166136261u
#define LETTERS	    26
#define MADE_OF_MIN 3
#define SOUNDS_MIN  16 /* letters that tell how a language sounds */
#define LONG_MIN    60 /* letters of a text that chance does not make, so that a third is enough */

static_assert(WORD_LEN_MAX == sizeof(scan_v), "a word is one vector");

/* Hashes; most that is looked up is not there, which a look at the bits tells. */
struct set {
	uint64_t bits[BITS / 64];
	uint32_t hash[SLOTS];
	uint8_t first[SLOTS]; /* letter, 0..25 */
};

struct words {
	struct set known;
	struct set shifted;
	uint32_t spelled[SLOTS];	/* by hash of letter after letter */
	uint64_t beginnings[BITS / 64]; /* by that hash: some word begins so, or seems to */
	uint64_t alike[BITS / 64];	/* by that of alike(): words, and words spelled backwards */
};

static uint32_t hash_step(uint32_t h, unsigned c)
{
	return (h ^ c) * 16777619u;
}

/* Never 0, which is a free slot. */
static uint32_t hash_end(uint32_t h)
{
	return (h ^ h >> 15) | 1;
}

static unsigned slot_of(uint32_t h)
{
	return (h >> 8 ^ h >> 18) & (SLOTS - 1);
}

static bool in(const uint32_t set[SLOTS], uint32_t h)
{
	for (unsigned i = slot_of(h); set[i]; i = (i + 1) & (SLOTS - 1))
		if (set[i] == h)
			return true;
	return false;
}

/* Returns its slot. */
static unsigned put(uint32_t set[SLOTS], uint32_t h)
{
	unsigned i = slot_of(h);

	while (set[i])
		i = (i + 1) & (SLOTS - 1);
	set[i] = h;
	return i;
}

static bool bit(const uint64_t bits[BITS / 64], uint32_t h)
{
	return bits[h % BITS / 64] >> h % 64 & 1;
}

static void set_bit(uint64_t bits[BITS / 64], uint32_t h)
{
	bits[h % BITS / 64] |= UINT64_C(1) << h % 64;
}

static bool has(const struct set *s, uint32_t h)
{
	return bit(s->bits, h) && in(s->hash, h);
}

static void add(struct set *s, uint32_t h, char first)
{
	set_bit(s->bits, h);
	s->first[put(s->hash, h)] = (uint8_t)(first - 'a');
}

/* The first len bytes of v, zeros behind them. */
static scan_v head(scan_v v, size_t len)
{
	static const uint8_t ends[2 * WORD_LEN_MAX] = { 255, 255, 255, 255, 255, 255, 255, 255,
							255, 255, 255, 255, 255, 255, 255, 255 };
	scan_v mask;

	memcpy(&mask, ends + WORD_LEN_MAX - len, sizeof(mask));
	return v & mask;
}

static scan_v vector(const char s[WORD_LEN_MAX])
{
	scan_v v;

	memcpy(&v, s, sizeof(v));
	return v;
}

static uint32_t hash_of(scan_v v)
{
	uint64_t half[2];
	unsigned __int128 product;

	memcpy(half, &v, sizeof(half));
	product = (unsigned __int128)(half[0] ^ UINT64_C(0x9e3779b97f4a7c15)) *
		  (half[1] ^ UINT64_C(0xd6e8feb86659fd93));
	/* Never 0, which is a free slot. */
	return (uint32_t)((uint64_t)(product >> 64) ^ (uint64_t)product) | 1;
}

/* The distances of a word's letters from the first one, which are the same for all its shifts. */
static scan_v distances(scan_v v, size_t len)
{
	scan_v d = v - v[0];

	d += (scan_v)(d >= 0x80) & LETTERS;
	return head(d, len);
}

/* Those of the word in the mirrored alphabet. */
static scan_v mirrored(scan_v d)
{
	return (LETTERS - d) & (scan_v)(d != 0);
}

static uint32_t shape(scan_v distances, size_t len)
{
	return hash_of(distances ^ (scan_v){ (uint8_t)len });
}

/* The same for words that differ in i and l, or in g and b. */
static scan_v alike(scan_v v)
{
	v ^= (scan_v)(v == 'l') & ('l' ^ 'i');
	return v ^ ((scan_v)(v == 'b') & ('b' ^ 'g'));
}

static scan_v backwards(scan_v v, size_t len)
{
	uint64_t half[2];
	unsigned __int128 turned;

	memcpy(half, &v, sizeof(half));
	turned = (unsigned __int128)__builtin_bswap64(half[0]) << 64 | __builtin_bswap64(half[1]);
	turned >>= 8 * (WORD_LEN_MAX - len);
	memcpy(&v, &turned, sizeof(v));
	return v;
}

/* Returns the hash of the whole word. */
static uint32_t note_beginnings(struct words *w, const char *s, size_t len)
{
	uint32_t h = HASH_BEGIN;

	for (size_t i = 0; i < len; i++) {
		h = hash_step(h, (uint8_t)s[i]);
		set_bit(w->beginnings, h);
	}
	return hash_end(h);
}

static void learn(struct words *w, const char *s, size_t len)
{
	char padded[WORD_LEN_MAX] = { 0 };
	uint32_t h;

	memcpy(padded, s, len);
	h = hash_of(vector(padded));
	if (has(&w->known, h))
		return;
	add(&w->known, h, s[0]);
	add(&w->shifted, shape(distances(vector(padded), len), len), s[0]);
	put(w->spelled, note_beginnings(w, s, len));
	set_bit(w->alike, hash_of(alike(vector(padded))));
	set_bit(w->alike, hash_of(alike(backwards(vector(padded), len))));
}

int words_new(struct words **ret)
{
	struct words *w = calloc(1, sizeof(*w));
	size_t n = 0;

	if (!w)
		return -ENOMEM;
	for (const char *s = words_list; *s; n++) {
		size_t len = strcspn(s, " ");

		assert(len && len <= WORD_LEN_MAX && n < SLOTS / 2);
		learn(w, s, len);
		s += len;
		s += strspn(s, " ");
	}
	*ret = w;
	return 0;
}

void words_free(struct words **w)
{
	free(*w);
	*w = NULL;
}

/* The word that begins at at. */
static void word_read(struct span text, size_t at, struct word *ret)
{
	scan_v v = scan_load(text, at);
	size_t len = (size_t)__builtin_ctz(~scan_mask(scan_letters(v)));

	ret->begin = at;
	v = head(v | 0x20, len);
	memcpy(ret->s, &v, sizeof(v));
	while (len >= sizeof(v) && at + len < text.len && ascii_letter(text.p[at + len]))
		len++;
	ret->len = len;
}

bool word_next(struct span text, size_t at, size_t end, struct word *ret)
{
	end = MIN(end, text.len);
	/* Mostly one or two bytes lie between words. */
	for (unsigned i = 0; at < end && !ascii_letter(text.p[at]); i++) {
		int n = i < 3 ? 1 : scan_hit(scan_letters(scan_load(text, at)));

		at += n < 0 ? sizeof(scan_v) : (size_t)n;
	}
	if (at >= end)
		return false;
	word_read(text, at, ret);
	return true;
}

bool word_next_long(struct span text, size_t at, size_t end, size_t min, struct word *ret)
{
	end = MIN(end, text.len);
	while (at < end) {
		uint32_t m = scan_mask(scan_letters(scan_load(text, at)));

		for (size_t i = 1; i < min; i++)
			m &= m >> 1;
		if (!m) {
			at += sizeof(scan_v) + 1 - min;
			continue;
		}
		at += (size_t)__builtin_ctz(m);
		if (at >= end)
			break;
		word_read(text, at, ret);
		return true;
	}
	return false;
}

bool words_known(const struct words *w, const struct word *x)
{
	return x->len <= WORD_LEN_MAX && has(&w->known, hash_of(vector(x->s)));
}

bool words_known_reversed(const struct words *w, const struct word *x)
{
	return x->len && x->len <= WORD_LEN_MAX &&
	       has(&w->known, hash_of(backwards(vector(x->s), x->len)));
}

bool words_alike(const struct words *w, const struct word *x)
{
	return x->len <= WORD_LEN_MAX && bit(w->alike, hash_of(alike(vector(x->s))));
}

/* By how many places the letter is behind the first ones of words of that shape. */
static uint32_t shifts_of(const struct words *w, uint32_t h, unsigned first)
{
	uint32_t ret = 0;

	if (!bit(w->shifted.bits, h))
		return 0;
	for (unsigned i = slot_of(h); w->shifted.hash[i]; i = (i + 1) & (SLOTS - 1))
		if (w->shifted.hash[i] == h)
			ret |= 1u << (first + LETTERS - w->shifted.first[i]) % LETTERS;
	return ret;
}

uint32_t words_shifts(const struct words *w, const struct word *x)
{
	unsigned first = (unsigned)(x->s[0] - 'a');
	uint32_t ret;
	scan_v d;

	if (x->len > WORD_LEN_MAX)
		return 0;
	d = distances(vector(x->s), x->len);
	ret = shifts_of(w, shape(d, x->len), first);
	if (shifts_of(w, shape(mirrored(d), x->len), LETTERS - 1 - first) & 1)
		ret |= 1u << WORDS_MIRRORED;
	return ret;
}

bool words_shifted(const struct words *w, const struct word *x, unsigned by)
{
	scan_v v = vector(x->s) - 'a';

	if (x->len > WORD_LEN_MAX)
		return false;
	if (by == WORDS_MIRRORED) {
		v = LETTERS - 1 - v;
	} else {
		v -= (uint8_t)by;
		v += (scan_v)(v >= 0x80) & LETTERS;
	}
	return has(&w->known, hash_of(head(v + 'a', x->len)));
}

bool words_made_of(const struct words *w, struct span text)
{
	size_t letters = 0, known = 0, n = 0;
	struct word x;

	for (size_t at = 0; word_next(text, at, text.len, &x); at = x.begin + x.len) {
		letters += x.len;
		if (words_known(w, &x)) {
			known += x.len;
			n++;
		}
	}
	return n >= MADE_OF_MIN && known * (letters < LONG_MIN ? 2 : 3) >= letters;
}

bool words_plausible(const struct words *w, struct span text)
{
	size_t letters = 0, blanks = 0, vowels = 0;

	for (size_t i = 0; i < text.len; i++) {
		letters += ascii_letter(text.p[i]);
		vowels += ascii_letter(text.p[i]) && strchr("aeiouy", text.p[i] | 0x20);
		blanks += text.p[i] <= ' ';
	}
	if (letters >= SOUNDS_MIN && (letters + blanks) * 5 >= text.len * 4 &&
	    blanks * 14 >= text.len && vowels * 4 >= letters && vowels * 2 <= letters)
		return true;
	return words_made_of(w, text);
}

size_t words_cut(const struct words *w, struct span letters, uint8_t ret[WORDS_JOINED_MAX + 1])
{
	/* From each place to the end: the least cost, and the length of the piece that begins
	 * there. A letter in no word costs most; a word costs a little, so that long ones win. */
	uint32_t cost[WORDS_JOINED_MAX + 1];
	uint8_t piece[WORDS_JOINED_MAX];
	bool known[WORDS_JOINED_MAX];
	size_t n = MIN(letters.len, WORDS_JOINED_MAX), out = 0, good = 0;

	cost[n] = 0;
	for (size_t i = n; i--;) {
		uint32_t h = HASH_BEGIN;

		cost[i] = cost[i + 1] + 16;
		piece[i] = 1;
		known[i] = false;
		for (size_t len = 1; len <= WORD_LEN_MAX && i + len <= n; len++) {
			h = hash_step(h, ascii_lower(letters.p[i + len - 1]));
			if (!bit(w->beginnings, h))
				break;
			if (cost[i + len] + 3 <= cost[i] && in(w->spelled, hash_end(h))) {
				cost[i] = cost[i + len] + 3;
				piece[i] = (uint8_t)len;
				known[i] = true;
			}
		}
	}
	for (size_t i = 0; i < n; i += piece[i]) {
		/* Letters of no word stay together. */
		if (!known[i] && out && i && !known[i - 1])
			ret[out - 1]++;
		else
			ret[out++] = piece[i];
		good += known[i] ? piece[i] : 0;
		if (known[i])
			memset(known + i, true, piece[i]);
	}
	ret[out] = 0;
	return good;
}
