/* user/detect/sensitive_context.c - the words around a value that tell what it is.
 * Owns an index of the table's words by their first three bytes, made once. Texts are folded views:
 * no accents, but ASCII in its own case.
 */
#include <pthread.h>

#include "base/own.h"
#include "base/scan.h"
#include "detect/sensitive.h"
#include "detect/sensitive_char.h"

#define WORDS_MAX 2048
#define BUCKETS	  4096 /* a power of two */
#define NONE	  UINT16_MAX
#define ROWS_MAX  6	/* lines looked at for a head above a row, or a row that is known */
#define ROW_MAX	  1024	/* bytes of a table, to either side of a value */
#define SIEVE	  65536 /* bits */

static struct word {
	const char *p;
	uint8_t len;
	uint8_t fourth; /* byte of the text, in lower case; 0: any */
	bool spoken;	/* an everyday word */
	bool stem;	/* goes on as it likes */
	uint16_t type, next;
} words[WORDS_MAX];

static uint16_t buckets[BUCKETS];
/* Does a word begin with these two bytes, or these four? Seldom wrong when it says yes, and small
 * enough to stay near. */
static uint64_t pairs[1024 / 64], fours[SIEVE / 64];
static struct type_set numbered; /* types that have a word with a digit */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* By the first three bytes; c is 0 for words of two, alone or before another word. */
static unsigned bucket_of(uint8_t a, uint8_t b, uint8_t c)
{
	return (ascii_lower(a) * 961u + ascii_lower(b) * 31u + ascii_lower(c)) & (BUCKETS - 1);
}

static bool has(const uint64_t *set, unsigned bit)
{
	return set[bit / 64] >> bit % 64 & 1;
}

/* Letters in any case are the same in their lowest five bits. */
static unsigned pair_of(uint8_t a, uint8_t b)
{
	return (a & 31u) << 5 | (b & 31u);
}

static unsigned four_of(unsigned pair, uint8_t c, uint8_t d)
{
	return (pair << 10 | (c & 31u) << 5 | (d & 31u)) * 2654435761u >> 16;
}

/* What a word of the index, found by three letters or by two, begins with. */
static void sift(const struct word *w, bool three)
{
	unsigned pair = pair_of((uint8_t)w->p[0], (uint8_t)w->p[1]), bit;

	if (!three)
		pairs[pair / 64] |= UINT64_C(1) << pair % 64;
	for (uint8_t d = 0; three && d < 32; d++) {
		bit = four_of(pair, (uint8_t)w->p[2], d);
		if (!w->fourth || (w->fourth & 31) == d)
			fours[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static void make_index(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		buckets[i] = NONE;
	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++)
		for (const char *p = sensitive_types[id].words; *p;) {
			size_t len = strcspn(p, "|");
			struct word w = { .p = p, .type = id };
			bool three;
			unsigned at;

			w.spoken = p[len - 1] == '!';
			w.stem = p[len - 1] == '*';
			w.len = (uint8_t)(len - w.spoken - w.stem);
			three = w.len > 2 && p[2] != ' ';
			at = bucket_of((uint8_t)p[0], (uint8_t)p[1], three ? (uint8_t)p[2] : 0);
			/* A blank may stand for nothing, so that later bytes move up. */
			w.fourth = w.len > 3 && !memchr(p, ' ', 4) ? (uint8_t)p[3] : 0;
			w.next = buckets[at];
			assert(n < WORDS_MAX && w.len >= 2 && w.len <= CONTEXT_WORD);
			sift(&w, three);
			for (size_t i = 0; i < w.len; i++)
				if (is_kind((uint8_t)p[i], CHAR_DIGIT))
					numbered.bits[id / 64] |= UINT64_C(1) << id % 64;
			words[n] = w;
			buckets[at] = n++;
			p += len + (p[len] == '|');
		}
}

void context_begin(struct context *c, struct span text)
{
	pthread_once(&once, make_index);
	c->text = text;
	c->read = 0;
	c->n = 0;
	c->table.row = (struct range){ SIZE_MAX, SIZE_MAX };
	c->table.n = 0;
}

/* Scripts without blanks between words begin at three bytes a character. */
static bool wordless(uint8_t c)
{
	return c >= 0xe0;
}

/* Behind a line end or a tabulator as JSON writes it. */
static bool behind_escape(struct span t, size_t i)
{
	return i >= 2 && t.p[i - 2] == '\\' && strchr("nrt", t.p[i - 1]);
}

static bool starts_word(struct span t, size_t i)
{
	uint8_t c = t.p[i], before = i ? t.p[i - 1] : ' ';

	if (c < 0x80)
		return is_kind(c, CHAR_ALPHA) &&
		       (!is_kind(before, CHAR_ALPHA) || behind_escape(t, i) ||
			(is_kind(before, CHAR_LOWER) && is_kind(c, CHAR_UPPER)));
	return c >= 0xc0 && (wordless(c) || (before < 0x80 && !is_kind(before, CHAR_ALNUM)));
}

static bool ends_word(struct span t, size_t end)
{
	uint8_t last = t.p[end - 1], next = end < t.len ? t.p[end] : ' ';

	if (last >= 0x80)
		return next < 0x80 || wordless(next);
	if (next == 's') /* many of them */
		next = end + 1 < t.len ? t.p[end + 1] : ' ';
	return !is_kind(next, CHAR_LOWER) &&
	       (!is_kind(next, CHAR_UPPER) || is_kind(last, CHAR_LOWER)) && next < 0xc0;
}

/* Where the word ends that begins at i; 0: it does not stand there. A blank is any separator, or
 * the change of case in oneName. */
static size_t match_word(struct span t, size_t i, const struct word *w)
{
	for (size_t k = 0; k < w->len; k++) {
		if (i >= t.len)
			return 0;
		if (w->p[k] == ' ' && memchr(" _-./", t.p[i], 5))
			i++;
		else if (w->p[k] == ' ' && is_kind(t.p[i], CHAR_UPPER) &&
			 is_kind(t.p[i - 1], CHAR_LOWER))
			continue;
		else if (ascii_lower(t.p[i]) == (uint8_t)w->p[k])
			i++;
		else
			return 0;
	}
	return w->stem || ends_word(t, i) ? i : 0;
}

/* What is done with a word of the index that stands in a text; false: no more of them. */
typedef bool word_fn(void *ctx, struct range where, uint16_t word);

static inline __attribute__((always_inline)) bool try_bucket(struct span t, size_t i, uint8_t third,
							     word_fn *fn, void *ctx)
{
	uint8_t fourth = ascii_lower(byte_at(t, i + 3));

	for (uint16_t w = buckets[bucket_of(t.p[i], t.p[i + 1], third)]; w != NONE;
	     w = words[w].next) {
		size_t stop = 0;

		if (!words[w].fourth || words[w].fourth == fourth)
			stop = match_word(t, i, &words[w]);
		if (stop && !fn(ctx, (struct range){ i, stop }, w))
			return false;
	}
	return true;
}

/* The words that begin at i. */
static inline __attribute__((always_inline)) bool try_words(struct span t, size_t i, word_fn *fn,
							    void *ctx)
{
	uint8_t third = byte_at(t, i + 2);
	unsigned pair;

	if (!starts_word(t, i) || i + 1 >= t.len)
		return true;
	pair = pair_of(t.p[i], t.p[i + 1]);
	if (has(pairs, pair) && !try_bucket(t, i, 0, fn, ctx))
		return false;
	return !third || !has(fours, four_of(pair, third, byte_at(t, i + 3))) ||
	       try_bucket(t, i, third, fn, ctx);
}

/* Bits of the 16 bytes at p, behind two others, at which words may begin. */
static uint32_t may_start(const uint8_t *p)
{
	scan_v v, before, first;

	memcpy(&v, p, sizeof(v));
	memcpy(&before, p - 1, sizeof(before));
	memcpy(&first, p - 2, sizeof(first));
	return scan_mask((scan_letters(v) & ~scan_letters(before)) |
			 (scan_v)((v - 'A' < 26) & (before - 'a' < 26)) |
			 (scan_v)((v >= 0xc0) | (first == '\\')));
}

/* The words that begin in a stretch. */
static inline __attribute__((always_inline)) void try_stretch(struct span t, size_t from,
							      size_t end, word_fn *fn, void *ctx)
{
	size_t n;

	for (size_t i = from; i < end; i += n) {
		uint32_t m = 1;

		n = 1;
		if (i >= 2 && t.len - i >= sizeof(scan_v)) {
			n = MIN(end - i, sizeof(scan_v));
			m = may_start(t.p + i) & (uint32_t)((1u << n) - 1);
		}
		for (; m; m &= m - 1)
			if (!try_words(t, i + (size_t)__builtin_ctz(m), fn, ctx))
				return;
	}
}

/* Remembers a word. */
static bool spot(void *ctx, struct range where, uint16_t word)
{
	struct context *c = ctx;

	c->ring[c->n++ % ARRAY_SIZE(c->ring)] =
	    (struct spotted){ (uint32_t)where.begin, (uint32_t)where.end, word };
	return true;
}

static void read_to(struct context *c, size_t end)
{
	end = MIN(end, c->text.len);
	if (c->read < end)
		try_stretch(c->text, c->read, end, spot, c);
	c->read = MAX(c->read, end);
}

/* Calls for what is near where, and reads no more than that. */
static void look(struct context *c, struct range where)
{
	size_t from = where.begin - MIN(where.begin, (size_t)CONTEXT_BEFORE + CONTEXT_WORD);

	if (c->read < from)
		c->read = from;
	read_to(c, where.end + CONTEXT_AFTER);
}

/* The i-th of those that are still known, from the last one on; NULL past them. */
static const struct spotted *recall(const struct context *c, unsigned i)
{
	if (i >= c->n || i >= ARRAY_SIZE(c->ring))
		return NULL;
	return &c->ring[(c->n - 1 - i) % ARRAY_SIZE(c->ring)];
}

struct type_set context_types(struct context *c, struct range where)
{
	struct type_set types = { 0 };
	const struct spotted *s;

	where.end += CONTEXT_REACH;
	look(c, where);
	for (unsigned i = 0; (s = recall(c, i)); i++) {
		unsigned id = words[s->word].type;

		if (s->end + CONTEXT_BEFORE < where.begin)
			break;
		types.bits[id / 64] |= UINT64_C(1) << id % 64;
	}
	return types;
}

size_t context_near(struct context *c, enum sensitive_id id, struct range where)
{
	const struct spotted *s;
	size_t best = SIZE_MAX;

	look(c, where);
	for (unsigned i = 0; (s = recall(c, i)); i++) {
		size_t reach = words[s->word].spoken ? CONTEXT_SPOKEN : CONTEXT_BEFORE;
		bool before = s->end <= where.begin;

		if (s->end + CONTEXT_BEFORE < where.begin)
			break;
		if (words[s->word].type != id || (!before && s->begin < where.end) ||
		    (!before && words[s->word].spoken))
			continue;
		/* What stands behind is less sure to belong to it. */
		if (before && where.begin - s->end <= reach)
			best = MIN(best, where.begin - s->end);
		else if (!before && s->begin - where.end <= CONTEXT_AFTER)
			best = MIN(best, 2 * (s->begin - where.end) + CONTEXT_SPOKEN);
	}
	return best;
}

/* Neither another number nor another line may stand between a key and its value. */
static bool leads_to(struct span t, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (is_kind(t.p[i], CHAR_DIGIT) || t.p[i] == '\n')
			return false;
	return true;
}

struct lead {
	struct span text;
	enum sensitive_id id;
	size_t to;
	bool found;
};

static bool leads(void *ctx, struct range where, uint16_t word)
{
	struct lead *l = ctx;

	l->found = words[word].type == l->id && where.end <= l->to &&
		   l->to - where.end <= CONTEXT_KEY && leads_to(l->text, where.end, l->to);
	return !l->found;
}

bool context_leads(const struct context *c, enum sensitive_id id, size_t to)
{
	struct lead l = { .text = c->text, .id = id, .to = to };
	size_t from = to;

	/* It ends behind the last number or line. */
	while (from && to - from < CONTEXT_KEY && leads_to(c->text, from - 1, from))
		from--;
	if (to - from == CONTEXT_KEY || numbered.bits[id / 64] >> id % 64 & 1)
		from -= MIN(from, (size_t)CONTEXT_WORD);
	try_stretch(c->text, from, to, leads, &l);
	return l.found;
}

size_t context_key(struct context *c, enum sensitive_id id, struct range where)
{
	const struct spotted *s;
	size_t last = 0, mine = 0;

	look(c, where);
	for (unsigned i = 0; (s = recall(c, i)); i++) {
		bool same = words[s->word].type == id;
		size_t reach = words[s->word].spoken ? CONTEXT_SPOKEN : CONTEXT_KEY;

		if (s->end + CONTEXT_BEFORE < where.begin)
			break;
		if (s->end > where.begin || where.begin - s->end > reach)
			continue;
		if (same)
			mine = MAX(mine, s->end);
		else if (!words[s->word].spoken)
			last = MAX(last, s->end);
	}
	return mine && mine >= last && leads_to(c->text, mine, where.begin) ? where.begin - mine
									    : SIZE_MAX;
}

/* --- heads of tables */

static struct range line_at(struct span t, size_t at)
{
	size_t from = at > ROW_MAX ? at - ROW_MAX : 0;
	const uint8_t *before = memrchr(t.p + from, '\n', at - from);
	const uint8_t *behind = memchr(t.p + at, '\n', MIN(t.len - at, (size_t)ROW_MAX));

	return (struct range){ before ? (size_t)(before - t.p) + 1 : from,
			       behind ? (size_t)(behind - t.p) : MIN(t.len, at + (size_t)ROW_MAX) };
}

static struct span of_range(struct span t, struct range r)
{
	return span_sub(t, r.begin, r.end - r.begin);
}

/* "|---|---:|", "-----+----" */
static bool ruled(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr("|-:+= \t\r", line.p[i]))
			return false;
	return true;
}

/* Separators outside of quotes. */
static size_t count(struct span s, char sep)
{
	size_t n = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		quoted ^= s.p[i] == '"';
		n += !quoted && s.p[i] == (uint8_t)sep;
	}
	return n;
}

static bool digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_kind(s.p[i], CHAR_DIGIT))
			return true;
	return false;
}

/* The types that have a word in a field of a head. Everyday words are no proof where nothing can be
 * checked. */
static struct type_set types_of(struct span text, struct range field)
{
	struct context c;
	struct type_set types = { 0 };
	const struct spotted *s;

	context_begin(&c, text);
	c.read = field.begin;
	read_to(&c, field.end);
	for (unsigned i = 0; (s = recall(&c, i)); i++) {
		unsigned id = words[s->word].type;

		if (s->end <= field.end && (!words[s->word].spoken || sensitive_types[id].check))
			types.bits[id / 64] |= UINT64_C(1) << id % 64;
	}
	return types;
}

/* Reads the names in head, with sep between. */
static void read_head(struct table *ret, struct span text, struct range head, char sep)
{
	struct range field = { head.begin, head.begin };

	ret->sep = sep;
	for (ret->n = 0; ret->n < FIELDS_MAX && field.begin <= head.end; ret->n++) {
		for (field.end = field.begin; field.end < head.end;)
			if (text.p[field.end++] == (uint8_t)sep) {
				field.end--;
				break;
			}
		ret->fields[ret->n] = types_of(text, field);
		field.begin = field.end + 1;
	}
}

/* "INSERT INTO t (a, b) VALUES (1, 2)" */
static bool inserted(struct table *ret, struct span t, size_t row, size_t at)
{
	static const char values[] = "values (";
	const uint8_t *bracket = memrchr(t.p + row, '(', at - row);
	size_t open = bracket ? (size_t)(bracket - t.p) + 1 : 0, n = strlen(values);
	struct range names;

	if (open < row + n || strncasecmp((const char *)t.p + open - n, values, n))
		return false;
	for (names.end = open - n; names.end > row && t.p[names.end] != ')';)
		names.end--;
	for (names.begin = names.end; names.begin > row && t.p[names.begin - 1] != '(';)
		names.begin--;
	read_head(ret, t, names, ',');
	ret->row.begin = open;
	return true;
}

/* The table whose row is the line that holds at: the lines above it have as many fields, and the
 * first of them no digits. */
static void find_table(struct context *c, size_t at)
{
	struct table *table = &c->table;
	struct range row = line_at(c->text, at), line = row;
	size_t last = table->row.begin;
	char sep = 0;

	table->row = row;
	if (inserted(table, c->text, row.begin, at))
		return;
	for (unsigned i = 0; i < ROWS_MAX && line.begin && c->text.p[line.begin - 1] == '\n'; i++) {
		struct span head;

		line = line_at(c->text, line.begin - 1);
		head = of_range(c->text, line);
		if (!head.len)
			break;
		if (ruled(head))
			continue;
		/* It goes on, or there was none. */
		if (line.begin == last && !table->n)
			return;
		for (const char *s = "\t|;,"; *s && !sep; s++)
			sep = memchr(head.p, *s, head.len) ? *s : 0;
		if (!sep || count(head, sep) != count(of_range(c->text, row), sep))
			break;
		if (line.begin == last && sep == table->sep)
			return;
		if (!digits(head)) {
			read_head(table, c->text, line, sep);
			return;
		}
	}
	table->n = 0;
}

bool context_head(struct context *c, size_t at, struct type_set *ret)
{
	struct table *table = &c->table;
	size_t k;

	if (at < table->row.begin || at >= table->row.end)
		find_table(c, at);
	k = table->n ? count(span_sub(c->text, table->row.begin, at - table->row.begin), table->sep)
		     : 0;
	*ret = k < table->n ? table->fields[k] : (struct type_set){ 0 };
	return table->n > 0;
}
