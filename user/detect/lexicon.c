/* user/detect/lexicon.c - finds many thousand words at once.
 * A word's key is its first eight bytes behind any punctuation, or six, four, three or two if it
 * has not so many. One bit of a small table says whether any word has the key of a place, and few
 * places pass; those that do are compared with the words of that key. The table is made once and
 * shared; owns what is known of the text in hand.
 */
#include "detect/lexicon.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/own.h"

#define BLOCK	    LEXICON_PLACE
#define KEY_MIN	    2
#define BUCKET_BITS 14
#define HEAD	    8	/* bytes of a word that are compared at once */
#define PENDING_MAX 256 /* words that were found and end behind what was asked for */
#define AHEAD	    8	/* blocks that are looked at together */
#define SMALL	    UINT64_C(0x2020202020202020)

/* What a key holds of the first bytes, the lowest being the first; and its part of the table of
 * bits, so large that few of them are set. */
static const struct {
	uint64_t mask;
	uint8_t len, bits;
	uint32_t at;
} keys[] = {
	{ UINT64_MAX, 8, 18, 0 },
	{ 0xffffffffffff, 6, 17, 2 << 17 },
	{ 0xffffffff, 4, 15, 12 << 15 },
	/* Not of its hash: see brief_of(). */
	{ 0xffffff, 3, 0, 0 },
	{ 0xffff, KEY_MIN, 0, 0 },
};
#define SEEN_BITS (13 << 15)
#define N_HASHED  3
#define LETTER	  31 /* what of a byte tells letters apart */
#define N_KEYS	  ARRAY_SIZE(keys)

struct entry {
	uint64_t value, mask; /* of its first bytes, without what tells the case of a letter */
	uint32_t text;	      /* where it stands whole */
	uint32_t ids;	      /* of the words that are the same */
	uint16_t n_ids, len;
	uint8_t lead; /* its punctuation, before its key */
	uint8_t key;
	uint8_t ends; /* nothing may be joined to it */
	uint8_t pad;
};
static_assert(sizeof(struct entry) == 32, "two fit into a line of the cache");

struct found {
	size_t end, words;
	const struct entry *entry;
};

/* What entries, ids, tags and texts follow, in this order. */
struct head {
	uint64_t seen[SEEN_BITS / 64];
	/* Of keys of two and three bytes, by the first two: a bit for each third one; is there one
	 * of two? */
	uint64_t brief[(LETTER + 1) * (LETTER + 1)];
	uint32_t first[(1 << BUCKET_BITS) + 1]; /* of the entries of each bucket */
	uint32_t n, n_ids, n_texts;
};

/* A place where a word may begin: a bit for each of its keys. */
struct candidate {
	uint64_t head; /* the first bytes there */
	uint32_t at, words;
	uint32_t keys;
};

/* ... and one of its keys. */
struct place {
	uint64_t head;
	uint32_t at, words;
	uint32_t first, end; /* entries of that bucket */
	unsigned hash;
	uint8_t key;
};

struct lexicon {
	/* In the table, borrowed. */
	const uint64_t *seen, *brief;
	const uint32_t *first;
	const struct entry *entries; /* by hash */
	const uint32_t *ids;
	const uint16_t *tags; /* of each entry, for most of a bucket have another key */
	const uint8_t *texts;

	struct span text;
	size_t at;	  /* blocks before it were told of */
	size_t ahead;	  /* ... were looked at */
	size_t words;	  /* began before that */
	uint32_t *counts; /* of words before each block */
	size_t n_counts, counts_room;
	bool in_word; /* the byte before is of a word */
	struct candidate candidates[AHEAD * BLOCK + 1];
	struct place places[AHEAD * BLOCK * N_KEYS];
	size_t n_places, next_place;	   /* those from next on are in blocks not told of */
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
	return (unsigned)((head & keys[key].mask) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* The bit of a hash. */
static inline unsigned bit_of(unsigned hash, size_t key)
{
	return keys[key].at + (hash >> (32 - keys[key].bits));
}

static inline unsigned brief_of(uint64_t head)
{
	return (unsigned)((head & LETTER) | (head >> 3 & (LETTER << 5)));
}

static inline unsigned bucket_of(unsigned hash)
{
	return hash >> (32 - BUCKET_BITS);
}

/* What of a hash its bucket does not say. */
static inline uint16_t tag_of(unsigned hash)
{
	return (uint16_t)hash;
}
static_assert(BUCKET_BITS + 16 <= 32, "bucket and tag share bits");

/* --- the table */

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

struct making {
	struct head head;
	struct entry *entries;
	uint32_t *ids;
	uint8_t *texts;
};

/* n words that differ in their ids only. */
static void add_entry(struct making *m, const struct lexicon_word *w, size_t n)
{
	struct entry *e = &m->entries[m->head.n++];
	size_t lead = lead_of(w->text), len = w->text.len - lead;

	*e = (struct entry){ .text = m->head.n_texts,
			     .ids = m->head.n_ids,
			     .len = (uint16_t)w->text.len,
			     .lead = (uint8_t)lead,
			     .ends = w->ends };
	for (size_t i = 0; i < n; i++)
		if (!i || w[i].id != w[i - 1].id)
			m->ids[m->head.n_ids++] = w[i].id;
	e->n_ids = (uint16_t)(m->head.n_ids - e->ids);
	for (size_t i = 0; i < w->text.len; i++)
		m->texts[m->head.n_texts++] = ascii_lower(w->text.p[i]);
	while (keys[e->key].len > len)
		e->key++;
	for (size_t i = 0; i < MIN(len, HEAD); i++) {
		uint8_t c = m->texts[e->text + lead + i], mask = c >= 'a' && c <= 'z' ? 0xdf : 0xff;

		e->mask |= (uint64_t)mask << 8 * i;
		e->value |= (uint64_t)(c & mask) << 8 * i;
	}
}

static uint64_t head_of_entry(const struct making *m, const struct entry *e)
{
	uint64_t head = 0;

	memcpy(&head, m->texts + e->text + e->lead, MIN(HEAD, (size_t)(e->len - e->lead)));
	return le64toh(head) | SMALL;
}

static unsigned hash_of_entry(const struct making *m, const struct entry *e)
{
	return hash_of(head_of_entry(m, e), e->key);
}

/* Places with that key pass. */
static void mark(struct head *h, uint64_t head, size_t key)
{
	unsigned bit;

	if (keys[key].bits) {
		bit = bit_of(hash_of(head, key), key);
		h->seen[bit / 64] |= UINT64_C(1) << bit % 64;
		return;
	}
	h->brief[brief_of(head)] |= UINT64_C(1)
				    << (keys[key].len == 3 ? head >> 16 & LETTER : LETTER + 1);
}

/* The entries by bucket, those of one as they came, and their tags. */
static void sort(struct making *m, struct entry *sorted, uint16_t *tags)
{
	struct head *h = &m->head;

	for (size_t i = 0; i < h->n; i++) {
		mark(h, head_of_entry(m, &m->entries[i]), m->entries[i].key);
		h->first[bucket_of(hash_of_entry(m, &m->entries[i])) + 1]++;
	}
	for (size_t i = 0; i < 1 << BUCKET_BITS; i++)
		h->first[i + 1] += h->first[i];
	for (size_t i = h->n; i--;) {
		unsigned bucket = bucket_of(hash_of_entry(m, &m->entries[i]));

		sorted[--h->first[bucket + 1]] = m->entries[i];
	}
	/* Now first[b + 1] is where b begins. */
	memmove(h->first, h->first + 1, sizeof(h->first) - sizeof(h->first[0]));
	h->first[1 << BUCKET_BITS] = h->n;
	for (size_t i = 0; i < h->n; i++)
		tags[i] = tag_of(hash_of_entry(m, &sorted[i]));
}

static bool same(const struct lexicon_word *a, const struct lexicon_word *b)
{
	struct lexicon_word x = *a;

	x.id = b->id;
	return !by_text(&x, b);
}

static uint64_t table_len(const struct head *h)
{
	return sizeof(*h) + h->n * (sizeof(struct entry) + sizeof(uint16_t)) +
	       h->n_ids * sizeof(uint32_t) + h->n_texts;
}

static int lay_out(struct making *m, uint8_t **ret, size_t *ret_len)
{
	size_t len = table_len(&m->head);
	uint8_t *table = malloc(len);
	struct entry *entries;
	uint32_t *ids;
	uint16_t *tags;

	if (!table)
		return -ENOMEM;
	entries = (struct entry *)(table + sizeof(m->head));
	ids = (uint32_t *)(entries + m->head.n);
	tags = (uint16_t *)(ids + m->head.n_ids);
	sort(m, entries, tags);
	memcpy(ids, m->ids, m->head.n_ids * sizeof(*ids));
	memcpy(tags + m->head.n, m->texts, m->head.n_texts);
	memcpy(table, &m->head, sizeof(m->head));
	*ret = table;
	*ret_len = len;
	return 0;
}

int lexicon_make(uint8_t **ret, size_t *ret_len, const struct lexicon_word *words, size_t n)
{
	auto_mem struct making *m = calloc(1, sizeof(*m));
	auto_mem struct lexicon_word *w = calloc(n + 1, sizeof(*w));
	auto_mem struct entry *entries = calloc(n + 1, sizeof(*entries));
	auto_mem uint32_t *ids = calloc(n + 1, sizeof(*ids));
	auto_mem uint8_t *texts = NULL;
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		if (!lexicon_takes(words[i].text))
			return -EINVAL;
		bytes += words[i].text.len;
	}
	texts = malloc(bytes + 1);
	if (!m || !w || !entries || !ids || !texts || bytes > UINT32_MAX || n > UINT32_MAX)
		return -ENOMEM;
	*m = (struct making){ .entries = entries, .ids = ids, .texts = texts };
	if (n)
		memcpy(w, words, n * sizeof(*w));
	qsort(w, n, sizeof(*w), by_text);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && same(&w[i], &w[end]); end++)
			;
		if (end - i > UINT16_MAX)
			return -EINVAL;
		add_entry(m, &w[i], end - i);
	}
	return lay_out(m, ret, ret_len);
}

/* Does it lead nowhere else? */
static bool table_ok(const struct head *h, const struct entry *entries, const uint32_t *ids,
		     uint32_t ids_end)
{
	for (size_t i = 0; i < 1 << BUCKET_BITS; i++)
		if (h->first[i] > h->first[i + 1])
			return false;
	for (size_t i = 0; i < h->n; i++) {
		const struct entry *e = &entries[i];

		if (e->text > h->n_texts || e->len > h->n_texts - e->text || e->lead > e->len ||
		    e->ids > h->n_ids || e->n_ids > h->n_ids - e->ids)
			return false;
	}
	for (size_t i = 0; i < h->n_ids; i++)
		if (ids[i] >= ids_end)
			return false;
	return h->first[1 << BUCKET_BITS] <= h->n;
}

int lexicon_new(struct lexicon **ret, struct span table, uint32_t ids_end)
{
	const struct head *h = (const struct head *)table.p;
	auto_free(lexicon) struct lexicon *l = NULL;

	if (table.len < sizeof(*h) || (uintptr_t)h % alignof(struct head) ||
	    table.len != table_len(h))
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->seen = h->seen;
	l->brief = h->brief;
	l->first = h->first;
	l->entries = (const struct entry *)(h + 1);
	l->ids = (const uint32_t *)(l->entries + h->n);
	l->tags = (const uint16_t *)(l->ids + h->n_ids);
	l->texts = (const uint8_t *)(l->tags + h->n);
	if (!table_ok(h, l->entries, l->ids, ids_end))
		return -EINVAL;
	*ret = steal(l);
	return 0;
}

void lexicon_free(struct lexicon **l)
{
	if (!*l)
		return;
	free((*l)->counts);
	explicit_bzero(*l, sizeof(**l)); /* it holds what words of the text begin with */
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
	l->at = l->ahead = 0;
	l->words = 0;
	l->n_places = l->next_place = 0;
	l->in_word = false;
	l->n_pending = 0;
	return 0;
}

size_t lexicon_place(const struct lexicon *l, size_t word)
{
	size_t lo = 0, hi = l->n_counts;

	if (word >= l->words)
		return l->ahead;
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

		for (uint32_t k = 0; k < e->n_ids && !err; k++)
			err = fn(ctx, l->ids[e->ids + k], &h);
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

static inline bool seen(const struct lexicon *l, unsigned bit)
{
	return l->seen[bit / 64] >> bit % 64 & 1;
}

/* Adds the places in the next block where words of the table may begin to the n that are known; of
 * those where any may. Without branches: which way they go is as good as random. */
static unsigned find_candidates(struct lexicon *l, unsigned n)
{
	size_t left = l->text.len - l->ahead, word = l->words;
	const uint8_t *p = l->text.p + l->ahead;
	uint8_t last[BLOCK] = { 0 };
	uint64_t words, leads, begins, brief;

	if (left < BLOCK)
		p = memcpy(last, p, left);
	l->counts[l->n_counts++] = (uint32_t)word;
	classify(p, &words, &leads);
	begins = (words & ~(words << 1 | l->in_word)) | leads;
	l->in_word = words >> 63;
	for (; begins; begins &= begins - 1, word++) {
		size_t at = l->ahead + (size_t)__builtin_ctzll(begins);
		struct candidate c = { .head = head_at(l->text, at),
				       .at = (uint32_t)at,
				       .words = (uint32_t)word };

#pragma GCC unroll 3
		for (unsigned k = 0; k < N_HASHED; k++)
			c.keys |= (uint32_t)seen(l, bit_of(hash_of(c.head | SMALL, k), k)) << k;
		brief = l->brief[brief_of(c.head | SMALL)];
		c.keys |= (uint32_t)(brief >> ((c.head | SMALL) >> 16 & LETTER) & 1) << N_HASHED;
		c.keys |= (uint32_t)(brief >> (LETTER + 1) & 1) << (N_HASHED + 1);
		l->candidates[n] = c;
		n += c.keys != 0;
	}
	l->words = word;
	l->ahead += MIN(BLOCK, left);
	return n;
}

/* Looks at the next blocks. Each step for all places together, so that none waits for what the one
 * before loads from far. */
static void look_ahead(struct lexicon *l)
{
	unsigned n_candidates = 0;
	size_t n = 0;

	l->n_places = l->next_place = 0;
	for (unsigned i = 0; i < AHEAD && l->ahead < l->text.len; i++)
		n_candidates = find_candidates(l, n_candidates);
	for (unsigned i = 0; i < n_candidates; i++) {
		const struct candidate *c = &l->candidates[i];

		for (uint32_t any = c->keys; any; any &= any - 1) {
			uint8_t key = (uint8_t)__builtin_ctz(any);
			unsigned hash = hash_of(c->head | SMALL, key);

			__builtin_prefetch(&l->first[bucket_of(hash)]);
			l->places[l->n_places++] = (struct place){
				.head = c->head,
				.at = c->at,
				.words = c->words,
				.hash = hash,
				.key = key,
			};
		}
	}
	for (size_t i = 0; i < l->n_places; i++) {
		struct place *p = &l->places[i];

		p->first = l->first[bucket_of(p->hash)];
		p->end = l->first[bucket_of(p->hash) + 1];
		__builtin_prefetch(&l->tags[p->first]);
	}
	/* Those are left that have an entry of their tag. */
	for (size_t i = 0; i < l->n_places; i++) {
		struct place p = l->places[i];

		while (p.first < p.end && l->tags[p.first] != tag_of(p.hash))
			p.first++;
		__builtin_prefetch(&l->entries[p.first]);
		l->places[n] = p;
		n += p.first < p.end;
	}
	l->n_places = n;
}

/* Compares what begins there with the words of that key. */
static int compare(struct lexicon *l, const struct place *p, lexicon_fn *fn, void *ctx)
{
	int err = 0;

	for (uint32_t i = p->first; i < p->end && !err; i++) {
		const struct entry *e = &l->entries[i];

		if (l->tags[i] != tag_of(p->hash) || (p->head & e->mask) != e->value ||
		    e->key != p->key || !stands(l, e, p->at))
			continue;
		/* Told out of order rather than not at all. */
		if (l->n_pending == PENDING_MAX)
			err = tell(l, 1, fn, ctx);
		put(l, (struct found){ p->at - e->lead + e->len, p->words, e });
	}
	return err;
}

/* Finds what begins in the next block. */
static int look(struct lexicon *l, lexicon_fn *fn, void *ctx)
{
	int err = 0;

	if (l->at == l->ahead)
		look_ahead(l);
	l->at += MIN(BLOCK, l->text.len - l->at);
	while (l->next_place < l->n_places && l->places[l->next_place].at < l->at && !err)
		err = compare(l, &l->places[l->next_place++], fn, ctx);
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
