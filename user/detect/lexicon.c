/* user/detect/lexicon.c - finds many thousand words at once.
 * A word's key is its first six bytes behind any punctuation, or four, three or two if it has not
 * so many. One bit of a small table says whether any word has the key of a place, and few places
 * pass; those that do are compared with the words of that key.
 */
#include "detect/lexicon.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/own.h"

#define BLOCK	    64
#define KEY_MIN	    2
#define SEEN_BITS   17 /* of a key's hash */
#define BUCKET_BITS 14
#define HEAD	    8	/* bytes of a word that are compared at once */
#define PENDING_MAX 256 /* words that were found and end behind what was asked for */
#define SMALL	    UINT64_C(0x2020202020202020)

/* What a key holds of the first bytes, the lowest being the first. */
static const uint64_t key_masks[] = { 0xffffffffffff, 0xffffffff, 0xffffff, 0xffff };
static const uint8_t key_lens[] = { 6, 4, 3, KEY_MIN };
#define N_KEYS ARRAY_SIZE(key_masks)

struct entry {
	uint64_t value, mask; /* of its first bytes, without what tells the case of a letter */
	uint32_t text;	      /* where it stands whole */
	uint32_t ids, n_ids;  /* of the words that are the same */
	uint16_t len;
	uint8_t lead; /* its punctuation, before its key */
	uint8_t key;
	bool ends;
};

struct found {
	size_t end, words;
	const struct entry *entry;
};

struct lexicon {
	uint64_t seen[(1 << SEEN_BITS) / 64];
	uint32_t first[(1 << BUCKET_BITS) + 1]; /* of the entries of each bucket */
	struct entry *entries;			/* by hash */
	uint8_t *texts;
	uint32_t *ids;
	size_t n;

	struct span text;
	size_t at;	  /* blocks before it were looked at */
	size_t words;	  /* began so far */
	uint32_t *counts; /* of words before each block */
	size_t n_counts, counts_room;
	bool in_word;			   /* the byte before is of a word */
	struct found pending[PENDING_MAX]; /* by end, then in the order of the words */
	size_t n_pending;
};

/* The bytes of punctuation that it begins with. */
static size_t lead_of(struct span word)
{
	size_t n = 0;

	while (n < word.len && word.p[n] < 0x80 && !ascii_alnum(word.p[n]))
		n++;
	return n;
}

bool lexicon_takes(struct span word)
{
	size_t lead = lead_of(word);

	return lead <= UINT8_MAX && word.len <= UINT16_MAX && word.len - lead >= KEY_MIN &&
	       (ascii_alnum(word.p[lead]) || word.p[lead] >= 0xc0);
}

/* Of the key of that length that text with these first bytes, in small letters, has. */
static inline unsigned hash_of(uint64_t head, size_t key)
{
	return (unsigned)((head & key_masks[key]) * UINT64_C(0x9e3779b97f4a7c15) >>
			  (64 - SEEN_BITS));
}

static unsigned hash_of_entry(const struct lexicon *l, const struct entry *e)
{
	uint64_t head = 0;

	memcpy(&head, l->texts + e->text + e->lead, MIN(HEAD, (size_t)(e->len - e->lead)));
	return hash_of(le64toh(head) | SMALL, e->key);
}

/* --- the tables */

static int by_text(const void *a, const void *b)
{
	const struct lexicon_word *x = a, *y = b;
	int cmp = 0;

	if (x->text.len != y->text.len)
		return x->text.len < y->text.len ? -1 : 1;
	for (size_t i = 0; i < x->text.len && !cmp; i++)
		cmp = ascii_lower(x->text.p[i]) - ascii_lower(y->text.p[i]);
	if (cmp || x->ends != y->ends)
		return cmp ? cmp : x->ends ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* n words that differ in their ids only. */
static void add_entry(struct lexicon *l, const struct lexicon_word *w, size_t n, uint32_t *text,
		      uint32_t *ids)
{
	struct entry *e = &l->entries[l->n++];
	size_t lead = lead_of(w->text), len = w->text.len - lead;

	*e = (struct entry){ .text = *text,
			     .ids = *ids,
			     .n_ids = (uint32_t)n,
			     .len = (uint16_t)w->text.len,
			     .lead = (uint8_t)lead,
			     .ends = w->ends };
	for (size_t i = 0; i < n; i++)
		l->ids[(*ids)++] = w[i].id;
	for (size_t i = 0; i < w->text.len; i++)
		l->texts[(*text)++] = ascii_lower(w->text.p[i]);
	while (key_lens[e->key] > len)
		e->key++;
	for (size_t i = 0; i < MIN(len, HEAD); i++) {
		uint8_t c = l->texts[e->text + lead + i], mask = c >= 'a' && c <= 'z' ? 0xdf : 0xff;

		e->mask |= (uint64_t)mask << 8 * i;
		e->value |= (uint64_t)(c & mask) << 8 * i;
	}
}

/* Sorts them by bucket, those of one as they came. */
static int fill(struct lexicon *l)
{
	struct entry *sorted = calloc(l->n + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		unsigned hash = hash_of_entry(l, &l->entries[i]);

		l->seen[hash / 64] |= UINT64_C(1) << hash % 64;
		l->first[(hash >> (SEEN_BITS - BUCKET_BITS)) + 1]++;
	}
	for (size_t i = 0; i < 1 << BUCKET_BITS; i++)
		l->first[i + 1] += l->first[i];
	for (size_t i = l->n; i--;) {
		unsigned bucket = hash_of_entry(l, &l->entries[i]) >> (SEEN_BITS - BUCKET_BITS);

		sorted[--l->first[bucket + 1]] = l->entries[i];
	}
	/* Now first[b + 1] is where b begins. */
	memmove(l->first, l->first + 1, sizeof(l->first) - sizeof(l->first[0]));
	l->first[1 << BUCKET_BITS] = (uint32_t)l->n;
	free(l->entries);
	l->entries = sorted;
	return 0;
}

static bool same(const struct lexicon_word *a, const struct lexicon_word *b)
{
	struct lexicon_word x = *a;

	x.id = b->id;
	return !by_text(&x, b);
}

int lexicon_new(struct lexicon **ret, const struct lexicon_word *words, size_t n)
{
	auto_free(lexicon) struct lexicon *l = calloc(1, sizeof(*l));
	auto_mem struct lexicon_word *w = calloc(n + 1, sizeof(*w));
	size_t bytes = 0;
	uint32_t text = 0, ids = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		if (!lexicon_takes(words[i].text))
			return -EINVAL;
		bytes += words[i].text.len;
	}
	if (!l || !w || bytes > UINT32_MAX)
		return -ENOMEM;
	l->entries = calloc(n + 1, sizeof(*l->entries));
	l->ids = calloc(n + 1, sizeof(*l->ids));
	l->texts = malloc(bytes + 1);
	if (!l->entries || !l->ids || !l->texts)
		return -ENOMEM;
	if (n)
		memcpy(w, words, n * sizeof(*w));
	qsort(w, n, sizeof(*w), by_text);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && same(&w[i], &w[end]); end++)
			;
		add_entry(l, &w[i], end - i, &text, &ids);
	}
	err = fill(l);
	if (err)
		return err;
	*ret = steal(l);
	return 0;
}

void lexicon_free(struct lexicon **l)
{
	if (!*l)
		return;
	free((*l)->entries);
	free((*l)->texts);
	free((*l)->ids);
	free((*l)->counts);
	free(*l);
	*l = NULL;
}

/* --- the text */

int lexicon_begin(struct lexicon *l, struct span text)
{
	size_t blocks = text.len / BLOCK + 1;

	if (blocks > l->counts_room) {
		uint32_t *counts = realloc(l->counts, blocks * sizeof(*counts));

		if (!counts)
			return -ENOMEM;
		l->counts = counts;
		l->counts_room = blocks;
	}
	l->n_counts = 0;
	l->text = text;
	l->at = 0;
	l->words = 0;
	l->in_word = false;
	l->n_pending = 0;
	return 0;
}

size_t lexicon_place(const struct lexicon *l, size_t word)
{
	size_t lo = 0, hi = l->n_counts;

	if (word >= l->words)
		return l->at;
	/* The last block before which are no more words than that. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		*(l->counts[mid] <= word ? &lo : &hi) = mid;
	}
	return lo * BLOCK;
}

/* Bits of the bytes that are of Latin words, and of those that begin another character. */
#ifdef __SSE2__

/* Bytes from first on, n of them. */
static __m128i among(__m128i v, int first, int n)
{
	__m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(-128 - first)));

	return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(-128 + n)));
}

static void classify(const uint8_t p[BLOCK], uint64_t *ret_alnum, uint64_t *ret_lead)
{
	*ret_alnum = *ret_lead = 0;
	for (unsigned i = 0; i < BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20));
		__m128i word = _mm_or_si128(among(low, 'a', 26), among(v, '0', 10));

		*ret_alnum |= (uint64_t)(uint32_t)_mm_movemask_epi8(word) << i;
		*ret_lead |= (uint64_t)(uint32_t)_mm_movemask_epi8(among(v, 0xc0, 0x40)) << i;
	}
}

#else

static void classify(const uint8_t p[BLOCK], uint64_t *ret_alnum, uint64_t *ret_lead)
{
	*ret_alnum = *ret_lead = 0;
	for (unsigned i = 0; i < BLOCK; i++) {
		*ret_alnum |= (uint64_t)ascii_alnum(p[i]) << i;
		*ret_lead |= (uint64_t)(p[i] >= 0xc0) << i;
	}
}

#endif

/* Is the whole word there, its first bytes being at `at`? */
static bool stands(const struct lexicon *l, const struct entry *e, size_t at)
{
	const uint8_t *word = l->texts + e->text;
	size_t begin = at - e->lead, end = begin + e->len;

	if (at < e->lead || end > l->text.len)
		return false;
	for (size_t i = 0; i < e->lead; i++)
		if (l->text.p[begin + i] != word[i])
			return false;
	for (size_t i = (size_t)e->lead + HEAD; i < e->len; i++)
		if (ascii_lower(l->text.p[begin + i]) != word[i])
			return false;
	return !e->ends || end == l->text.len || !ascii_alnum(l->text.p[end]);
}

/* The first n of those that were found. */
static int tell(struct lexicon *l, size_t n, lexicon_fn *fn, void *ctx)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct entry *e = l->pending[i].entry;
		struct lexicon_hit h = { .where = { l->pending[i].end - e->len, l->pending[i].end },
					 .words = l->pending[i].words };

		for (uint32_t k = 0; k < e->n_ids && !err; k++) {
			h.id = l->ids[e->ids + k];
			err = fn(ctx, &h);
		}
	}
	l->n_pending -= n;
	if (l->n_pending)
		memmove(l->pending, l->pending + n, l->n_pending * sizeof(l->pending[0]));
	return err;
}

/* What was found and ends at or before end. */
static int tell_until(struct lexicon *l, size_t end, lexicon_fn *fn, void *ctx)
{
	size_t n = 0;

	while (n < l->n_pending && l->pending[n].end <= end)
		n++;
	return n ? tell(l, n, fn, ctx) : 0;
}

static void put(struct lexicon *l, struct found f)
{
	size_t i = l->n_pending++;

	for (;
	     i && (l->pending[i - 1].end > f.end ||
		   (l->pending[i - 1].end == f.end && l->pending[i - 1].entry->ids > f.entry->ids));
	     i--)
		l->pending[i] = l->pending[i - 1];
	l->pending[i] = f;
}

/* The first bytes of what begins there. */
static inline uint64_t head_at(struct span text, size_t at)
{
	uint64_t head = 0;

	if (text.len - at >= sizeof(head))
		memcpy(&head, text.p + at, sizeof(head));
	else
		memcpy(&head, text.p + at, text.len - at);
	return le64toh(head);
}

/* Compares what begins there with the words of a hash. */
static int compare(struct lexicon *l, unsigned key, unsigned hash, uint64_t head, size_t at,
		   lexicon_fn *fn, void *ctx)
{
	unsigned bucket = hash >> (SEEN_BITS - BUCKET_BITS);
	int err = 0;

	for (uint32_t i = l->first[bucket]; i < l->first[bucket + 1] && !err; i++) {
		const struct entry *e = &l->entries[i];

		if ((head & e->mask) != e->value || e->key != key || !stands(l, e, at))
			continue;
		/* Told out of order rather than not at all. */
		if (l->n_pending == PENDING_MAX)
			err = tell(l, 1, fn, ctx);
		put(l, (struct found){ at - e->lead + e->len, l->words, e });
	}
	return err;
}

static inline bool seen(const struct lexicon *l, unsigned hash)
{
	return l->seen[hash / 64] >> hash % 64 & 1;
}

/* Finds what begins in the next block. */
static int look(struct lexicon *l, lexicon_fn *fn, void *ctx)
{
	const uint8_t *p = l->text.p + l->at;
	uint8_t last[BLOCK] = { 0 };
	uint64_t words, leads, begins;
	int err = 0;

	if (l->text.len - l->at < BLOCK) {
		memcpy(last, p, l->text.len - l->at);
		p = last;
	}
	l->counts[l->n_counts++] = (uint32_t)l->words;
	classify(p, &words, &leads);
	begins = (words & ~(words << 1 | l->in_word)) | leads;
	l->in_word = words >> 63;
	for (; begins && !err; begins &= begins - 1, l->words++) {
		size_t at = l->at + (unsigned)__builtin_ctzll(begins);
		uint64_t head = head_at(l->text, at);
		unsigned hash[N_KEYS], any = 0;

#pragma GCC unroll 4
		for (size_t k = 0; k < N_KEYS; k++) {
			hash[k] = hash_of(head | SMALL, k);
			any |= (unsigned)seen(l, hash[k]) << k;
		}
		for (; any && !err; any &= any - 1) {
			unsigned k = (unsigned)__builtin_ctz(any);

			err = compare(l, k, hash[k], head, at, fn, ctx);
		}
	}
	l->at += MIN(BLOCK, l->text.len - l->at);
	return err;
}

int lexicon_until(struct lexicon *l, size_t end, lexicon_fn *fn, void *ctx)
{
	int err = 0;

	while (l->at < end && l->at < l->text.len && !err) {
		err = look(l, fn, ctx);
		/* What begins later ends later. */
		if (!err)
			err = tell_until(l, MIN(end, l->at), fn, ctx);
	}
	return err ? err : tell_until(l, end, fn, ctx);
}
