/* user/text/words.c - hashed sets of the words in the list, as they stand and up to a shift of the
 * alphabet.
 */
#include "text/words.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"

#define SLOTS	    4096 /* three times the words, a power of two */
#define PREFIX_BITS 65536
#define HASH_BEGIN  2166136261u
#define LETTERS	    26
#define MADE_OF_MIN 3
#define SOUNDS_MIN  16 /* letters that tell how a language sounds */
#define LONG_MIN    60 /* letters of a text that chance does not make, so that a third is enough */

struct words {
	uint32_t known[SLOTS];
	uint64_t beginnings[PREFIX_BITS / 64]; /* by hash: some word begins so, or seems to */
	struct {
		uint32_t hash;
		uint8_t first; /* letter, 0..25 */
	} shifted[SLOTS];
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
	return (h >> 8 ^ h >> 20) & (SLOTS - 1);
}

static bool known_hash(const struct words *w, uint32_t h)
{
	for (unsigned i = slot_of(h); w->known[i]; i = (i + 1) & (SLOTS - 1))
		if (w->known[i] == h)
			return true;
	return false;
}

/* The same for all shifts of a word: the distances of its letters from the first one. */
static uint32_t shape(const char *s, size_t len, bool mirrored)
{
	uint32_t h = HASH_BEGIN;

	for (size_t i = 1; i < len; i++) {
		int d = mirrored ? s[0] - s[i] : s[i] - s[0];

		h = hash_step(h, (unsigned)(d < 0 ? d + LETTERS : d));
	}
	return hash_end(hash_step(h, (unsigned)len));
}

static uint32_t hash_of(const char *s, size_t len)
{
	uint32_t h = HASH_BEGIN;

	for (size_t i = 0; i < len; i++)
		h = hash_step(h, (uint8_t)s[i]);
	return hash_end(h);
}

static void note_beginnings(struct words *w, const char *s, size_t len)
{
	uint32_t h = HASH_BEGIN;

	for (size_t i = 0; i < len; i++) {
		h = hash_step(h, (uint8_t)s[i]);
		w->beginnings[h % PREFIX_BITS / 64] |= UINT64_C(1) << h % 64;
	}
}

static bool begins_word(const struct words *w, uint32_t h)
{
	return w->beginnings[h % PREFIX_BITS / 64] >> h % 64 & 1;
}

static void learn(struct words *w, const char *s, size_t len)
{
	uint32_t h = hash_of(s, len);
	unsigned i;

	if (known_hash(w, h))
		return;
	for (i = slot_of(h); w->known[i]; i = (i + 1) & (SLOTS - 1))
		;
	w->known[i] = h;
	note_beginnings(w, s, len);
	h = shape(s, len, false);
	for (i = slot_of(h); w->shifted[i].hash; i = (i + 1) & (SLOTS - 1))
		;
	w->shifted[i].hash = h;
	w->shifted[i].first = (uint8_t)(s[0] - 'a');
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

static bool letter(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < LETTERS;
}

bool word_next(struct span text, size_t at, size_t end, struct word *ret)
{
	const uint8_t *p = text.p + at, *last = text.p + text.len;
	size_t n = 0;

	end = MIN(end, text.len);
	while (at < end && !letter(*p)) {
		at++;
		p++;
	}
	if (at >= end)
		return false;
	ret->begin = at;
	while (n < WORD_LEN_MAX && p + n < last && letter(p[n])) {
		ret->s[n] = (char)(p[n] | 0x20);
		n++;
	}
	while (p + n < last && letter(p[n]))
		n++;
	ret->len = n;
	return true;
}

bool words_known(const struct words *w, const struct word *x)
{
	return x->len <= WORD_LEN_MAX && known_hash(w, hash_of(x->s, x->len));
}

bool words_known_reversed(const struct words *w, const struct word *x)
{
	uint32_t h = HASH_BEGIN;

	if (x->len > WORD_LEN_MAX)
		return false;
	for (size_t i = x->len; i; i--)
		h = hash_step(h, (uint8_t)x->s[i - 1]);
	return known_hash(w, hash_end(h));
}

uint32_t words_shifts(const struct words *w, const struct word *x)
{
	uint32_t ret = 0;

	if (x->len > WORD_LEN_MAX)
		return 0;
	for (unsigned mirrored = 0; mirrored < 2; mirrored++) {
		uint32_t h = shape(x->s, x->len, mirrored);
		unsigned first = (unsigned)(mirrored ? 'z' - x->s[0] : x->s[0] - 'a');

		for (unsigned i = slot_of(h); w->shifted[i].hash; i = (i + 1) & (SLOTS - 1)) {
			unsigned n = (first + LETTERS - w->shifted[i].first) % LETTERS;

			if (w->shifted[i].hash != h)
				continue;
			if (!mirrored)
				ret |= 1u << n;
			else if (!n)
				ret |= 1u << WORDS_MIRRORED;
		}
	}
	return ret;
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
		letters += letter(text.p[i]);
		vowels += letter(text.p[i]) && strchr("aeiouy", text.p[i] | 0x20);
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
	uint32_t cost[WORDS_JOINED_MAX + 1] = { 0 };
	uint8_t piece[WORDS_JOINED_MAX];
	bool known[WORDS_JOINED_MAX];
	size_t n = MIN(letters.len, WORDS_JOINED_MAX), out = 0, good = 0;

	for (size_t i = n; i--;) {
		uint32_t h = HASH_BEGIN;

		cost[i] = cost[i + 1] + 16;
		piece[i] = 1;
		known[i] = false;
		for (size_t len = 1; len <= WORD_LEN_MAX && i + len <= n; len++) {
			h = hash_step(h, ascii_lower(letters.p[i + len - 1]));
			if (!begins_word(w, h))
				break;
			if (cost[i + len] + 3 <= cost[i] && known_hash(w, hash_end(h))) {
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
