/* user/detect/sensitive_scan.c - finds numbers and codes by their digits: a run of groups is read
 * once, and each stretch of groups is looked up by its length and by where its separators stand.
 * What is of a form is asked for its check digits, then for words near it.
 * Owns the index of forms, made once.
 */
#include <ctype.h>
#include <pthread.h>

#include "base/own.h"
#include "base/scan.h"
#include "detect/sensitive.h"
#include "detect/sensitive_char.h"

#define FORMS_MAX      512
#define ENTRIES_MAX    8192
#define SLOTS	       16384 /* a power of two */
#define SIEVE_BITS     65536
#define FORM_LEN       31 /* characters of the longest form */
#define STRETCH_MAX    9  /* groups of a value */
#define GROUP_LEN      40 /* of a group that a form may hold */
#define WORD_LEN       6  /* of a group of capitals alone, as in IBANs */
#define LEADING_MAX    2  /* such groups before the first digit */
#define GROUPS_MAX     48 /* of a run: more than a value's, so that most are read once */
#define FOUND_MAX      64 /* candidates of a run */
#define IBAN_LEN       34 /* at most */
#define SEPARATORS_MAX 26 /* characters of a form: its separators are bits of a key */
#define HEADS_MAX      32 /* ways to begin, of one length */
#define SHORT_LEN      12 /* characters in which every way that digits may stand has a bit */
#define LONG_LEN       26 /* of a group that may be an address of a currency, a line of a passport */
#define MONEY_LEN      7  /* ... a sum of money, at most */
#define CROWD	       3  /* card numbers without a word that prove each other */
#define COUNTED_MIN    6  /* characters that are more than a chance */
#define LIST_MIN       5  /* digits of a number behind a comma that are no thousands */
#define CHAIN	       200 /* bytes from a value to the next of a list: its word stands at the head */

/* --- forms */

static struct form {
	uint16_t type;
	uint8_t len;
	uint8_t need;	/* enum sensitive_need of its type */
	uint32_t full;	/* bit i: all separators, before the i-th character */
	char separator; /* must be this one; 0: any */
	/* Bit i: the i-th character is a digit, is none, is this very one. */
	uint32_t digits, others, exact;
	char c[FORM_LEN + 1];
} forms[FORMS_MAX];

static struct entry {
	uint32_t key;
	uint16_t form;
} entries[ENTRIES_MAX];

/* Is there an entry at all? Does one go on with a separator after what this key says? Small enough
 * to stay near. */
static uint64_t sieve[SIEVE_BITS / 64], going_on[SIEVE_BITS / 64];

static struct slot {
	uint32_t key;
	uint16_t first, n;
} slots[SLOTS];

/* What values look like up to a place where a separator may stand, or to their end, by the length:
 * bits as in a form. */
static struct head {
	uint32_t digits, others;
} heads[SEPARATORS_MAX][HEADS_MAX];
static uint8_t n_heads[SEPARATORS_MAX];

/* The same of short ones, and short values as a whole: is there any whose digits stand so? */
static uint64_t heads_short[(2 << SHORT_LEN) / 64], wholes_short[(2 << SHORT_LEN) / 64];

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Length, where separators are, whether there are letters. */
static uint32_t key_of(size_t len, uint32_t separators, bool letters)
{
	return (uint32_t)len | (uint32_t)letters << 5 | separators << 6;
}

static uint32_t slot_of(uint32_t key)
{
	return key * 2654435761u >> 18 & (SLOTS - 1);
}

static uint32_t sieve_of(uint32_t key)
{
	return key * 2654435761u >> 16;
}

static void sieve_put(uint64_t *in, uint32_t key)
{
	in[sieve_of(key) / 64] |= UINT64_C(1) << sieve_of(key) % 64;
}

static bool sieve_has(const uint64_t *in, uint32_t key)
{
	return in[sieve_of(key) / 64] >> sieve_of(key) % 64 & 1;
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->key != y->key ? (x->key < y->key ? -1 : 1) : (int)x->form - (int)y->form;
}

/* Every way to leave out separators is an entry. */
static size_t add_entries(size_t n, const struct form *f, bool letters, bool all_or_none)
{
	uint32_t subset = f->full;

	for (;; subset = all_or_none ? 0 : (subset - 1) & f->full) {
		assert(n < ENTRIES_MAX);
		entries[n++] =
		    (struct entry){ key_of(f->len, subset, letters), (uint16_t)(f - forms) };
		if (!subset || f->separator)
			return n;
	}
}

static size_t add_form(size_t n, struct form *f, struct span text)
{
	bool all_or_none = false, letter = false, digits_only = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.p[i];

		if (strchr("-=./", c)) {
			f->full |= 1u << f->len;
			all_or_none |= c == '=';
			f->separator = strchr("./", c) ? c : f->separator;
			continue;
		}
		assert(f->len < FORM_LEN);
		letter |= c == 'A' || islower((unsigned char)c);
		digits_only &= c != 'A' && c != 'X' && !islower((unsigned char)c);
		*(c == '#'   ? &f->digits
		  : c == 'A' ? &f->others
			     : &f->exact) |= c == 'X' ? 0 : 1u << f->len;
		f->c[f->len++] = (char)toupper((unsigned char)c);
	}
	/* 'X' may be either, so that the whole may be of digits. */
	if (!letter)
		n = add_entries(n, f, false, all_or_none);
	return digits_only ? n : add_entries(n, f, true, all_or_none);
}

/* The bit of what is so long and has digits in these places. */
static uint32_t short_of(size_t len, uint32_t digits)
{
	return 1u << len | digits;
}

/* Every way that digits may stand in the first characters of a form. */
static void short_put(uint64_t *in, size_t len, uint32_t digits, uint32_t others)
{
	uint32_t either = ((1u << len) - 1) & ~(digits | others), subset = either, bit;

	if (len > SHORT_LEN)
		return;
	do {
		subset = (subset - 1) & either;
		bit = short_of(len, digits | subset);
		in[bit / 64] |= UINT64_C(1) << bit % 64;
	} while (subset != either);
}

static bool short_has(const uint64_t *in, size_t len, uint32_t digits)
{
	uint32_t bit = short_of(len, digits);

	return in[bit / 64] >> bit % 64 & 1;
}

/* A value of that form goes on with a separator after len characters. */
static void sieve_begun(const struct form *f, uint32_t len, uint32_t separators)
{
	bool letter = false, either = false;

	for (size_t i = 0; i < len; i++) {
		letter |= f->c[i] == 'A' || (f->exact >> i & 1 && isupper((unsigned char)f->c[i]));
		either |= f->c[i] == 'X' && !(f->exact >> i & 1);
	}
	if (letter || either)
		sieve_put(going_on, key_of(len, separators, true));
	if (!letter)
		sieve_put(going_on, key_of(len, separators, false));
}

/* Its beginnings up to each place where a separator may stand, and all of it. */
static void add_heads(const struct form *f)
{
	uint32_t digits = f->digits, others = f->others;

	for (size_t i = 0; i < f->len; i++)
		if (f->exact >> i & 1)
			*(isdigit((unsigned char)f->c[i]) ? &digits : &others) |= 1u << i;
	short_put(wholes_short, f->len, digits, others);
	for (size_t len = 1; len <= f->len && len < SEPARATORS_MAX; len++) {
		uint32_t bits = (1u << len) - 1;
		struct head h = { digits & bits, others & bits };
		size_t i = 0;

		if (len < f->len && !(f->full >> len & 1))
			continue;
		short_put(heads_short, len, h.digits, h.others);
		while (i < n_heads[len] &&
		       (heads[len][i].digits != h.digits || heads[len][i].others != h.others))
			i++;
		assert(i < HEADS_MAX);
		heads[len][i] = h;
		n_heads[len] = MAX(n_heads[len], (uint8_t)(i + 1));
	}
}

static void make_index(void)
{
	size_t n_forms = 0, n = 0;

	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++) {
		struct span list = span_str(sensitive_types[id].forms);

		while (list.len) {
			struct span one = span_token(&list, ' ');

			if (!one.len)
				continue;
			assert(n_forms < FORMS_MAX);
			forms[n_forms].type = id;
			forms[n_forms].need = sensitive_types[id].need;
			n = add_form(n, &forms[n_forms], one);
			add_heads(&forms[n_forms++]);
		}
	}
	match_prepare();
	qsort(entries, n, sizeof(entries[0]), by_key);
	for (size_t i = 0; i < n; i++) {
		uint32_t s = slot_of(entries[i].key);

		while (slots[s].n && slots[s].key != entries[i].key)
			s = (s + 1) & (SLOTS - 1);
		if (!slots[s].n)
			slots[s] = (struct slot){ entries[i].key, (uint16_t)i, 0 };
		slots[s].n++;
		sieve_put(sieve, entries[i].key);
		for (uint32_t rest = entries[i].key >> 6, p; rest; rest &= ~(1u << p)) {
			p = 31 - (uint32_t)__builtin_clz(rest);
			sieve_begun(&forms[entries[i].form], p, rest & ~(1u << p));
		}
	}
}

static const struct slot *lookup(uint32_t key)
{
	if (!sieve_has(sieve, key))
		return NULL;
	for (uint32_t s = slot_of(key); slots[s].n; s = (s + 1) & (SLOTS - 1))
		if (slots[s].key == key)
			return &slots[s];
	return NULL;
}

/* Can a value begin with so many characters, or be no longer? digits: bit i: the i-th is one. */
static bool begins_form(size_t len, uint32_t digits)
{
	if (len <= SHORT_LEN)
		return short_has(heads_short, len, digits);
	for (size_t i = 0; len < SEPARATORS_MAX && i < n_heads[len]; i++) {
		const struct head *h = &heads[len][i];

		if (!(h->digits & ~digits) && !(h->others & digits))
			return true;
	}
	return false;
}

/* digits: bit i: the i-th of c is one. */
static bool fits(const struct form *f, const char *c, uint32_t digits)
{
	if (f->digits & ~digits || f->others & digits)
		return false;
	for (uint32_t m = f->exact; m; m &= m - 1)
		if (f->c[__builtin_ctz(m)] != c[__builtin_ctz(m)])
			return false;
	return true;
}

/* --- runs */

struct group {
	size_t begin, end; /* in the text */
	uint16_t at;	   /* in the run's characters */
	char separator;	   /* before it; a bracket stands for one */
	bool letters;	   /* has some */
	bool small;	   /* ... in lower case */
	uint64_t digit;	   /* bit i: the i-th character is one */
};

/* Read as far as somebody asks. */
struct run {
	struct span text;
	struct group g[GROUPS_MAX];
	size_t n, next;					 /* next: where somebody looked last */
	bool ended;					 /* there are no more */
	char c[GROUPS_MAX * GROUP_LEN + sizeof(scan_v)]; /* without separators, in capitals */
};

struct scanner {
	struct span text;
	struct context words;
	struct run run;
	struct sensitive_hit *out;
	size_t n, max, per_type;
	uint16_t count[SENSITIVE_MAX_];
	size_t
	    chain[SENSITIVE_MAX_]; /* where the last value of a type ended that a word told, + 1 */
	bool chains;		   /* there are any */
	size_t floor;		   /* nothing before this is looked at again */
	uint32_t crowd[2];	   /* bare numbers of a card's length: others, and those that fit */
	struct range group;	   /* in hand */
	bool asked, asked_head;	   /* told, and what follows it, is of this group */
	struct type_set told;	   /* types that a word near it belongs to */
	bool row;		   /* it stands in a table */
	struct type_set head;	   /* ... in whose head a word of these stands above it */
};

static bool alnum_at(struct span t, size_t i)
{
	return is_kind(byte_at(t, i), CHAR_ALNUM);
}

static bool digit_at(struct span t, size_t i)
{
	return is_kind(byte_at(t, i), CHAR_DIGIT);
}

/* The letters and digits at `at`; the first GROUP_LEN go into ret in capitals, and up to a vector
 * more. */
static void read_group(struct span t, size_t at, struct group *g, char *ret)
{
	uint32_t letter, digit, end, letters = 0, smalls = 0;
	uint64_t digits = 0;

	g->begin = at;
	do {
		size_t len = at - g->begin;
		scan_v v = { 0 }, small, capital;

		if (t.len - at >= sizeof(v))
			memcpy(&v, t.p + at, sizeof(v));
		else
			memcpy(&v, t.p + at, t.len - at);
		small = (scan_v)(v - 'a' < 26);
		capital = (scan_v)(v - 'A' < 26);
		letter = scan_mask(small | capital);
		digit = scan_mask((scan_v)(v - '0' < 10));
		end = ~(letter | digit);
		end &= -end; /* the first that is neither */
		letters |= letter & (end - 1);
		smalls |= scan_mask(small) & (end - 1);
		if (len < GROUP_LEN) {
			digits |= (uint64_t)(digit & (end - 1)) << len;
			v &= ~(small & 0x20);
			memcpy(ret + len, &v, sizeof(v));
		}
		at += (size_t)__builtin_ctz(end);
	} while (end >> sizeof(scan_v) && at < t.len);
	g->end = at;
	g->letters = letters;
	g->small = smalls;
	g->digit = digits;
}

/* One separator between groups; a bracket may have one beside it. Its length, 0: none. */
static size_t separator_at(struct span t, size_t at, char *ret)
{
	size_t n = 0;

	if (at < t.len && t.p[at] == ')')
		n++;
	if (is_kind(byte_at(t, at + n), CHAR_SEPARATOR))
		n++;
	if (!n && at < t.len && t.p[at] == '(')
		n++;
	*ret = n ? (char)t.p[at + n - 1] : 0;
	return n && alnum_at(t, at + n) ? n : 0;
}

/* May it be a part of a value? */
static bool usable(const struct group *g)
{
	size_t len = g->end - g->begin;

	return len && len <= GROUP_LEN && (g->digit || len <= (g->small ? 1 : WORD_LEN));
}

static void run_begin(struct run *r, struct span text, size_t begin)
{
	r->text = text;
	read_group(text, begin, &r->g[0], r->c);
	r->g[0].at = 0;
	r->g[0].separator = 0;
	r->next = 0;
	r->n = usable(&r->g[0]);
	r->ended = !r->n;
}

/* The number of the group that begins there. The run begins with it, unless it holds it already and
 * has room for all that may follow it in a value. */
static size_t run_find(struct run *r, struct span text, size_t begin)
{
	while (r->next < r->n && r->g[r->next].begin < begin)
		r->next++;
	if (r->next == r->n || r->g[r->next].begin != begin ||
	    r->next + LEADING_MAX + STRETCH_MAX >= GROUPS_MAX)
		run_begin(r, text, begin);
	return r->next;
}

/* Appends the group behind the last one. */
static bool run_on(struct run *r)
{
	const struct group *last = &r->g[r->n - 1];
	struct group *g = &r->g[r->n];
	size_t len;

	if (r->ended || r->n == GROUPS_MAX)
		return false;
	len = separator_at(r->text, last->end, &g->separator);
	g->at = (uint16_t)(last->at + (last->end - last->begin));
	if (len)
		read_group(r->text, last->end + len, g, r->c + g->at);
	r->ended = !len || !usable(g);
	r->n += !r->ended;
	return !r->ended;
}

/* Is there a group k? It is at most the next. */
static bool has_group(struct run *r, size_t k)
{
	return k < r->n || run_on(r);
}

/* --- candidates */

struct candidate {
	struct sensitive_hit hit;
	size_t distance;
	bool proven; /* by check digits */
};

struct found {
	struct candidate v[FOUND_MAX];
	size_t n;
};

/* Part of something larger: a fraction, a version, a path, a name. */
static bool clean_before(struct span t, size_t begin, size_t len)
{
	uint8_t c = begin ? t.p[begin - 1] : ' ';

	if (c == '_' || c == '/' || c == '\\' || c == '$' || c == '@')
		return false;
	if (begin < 2 || (c != '.' && c != '-' && c != ':' && c != ','))
		return true;
	return !is_kind(t.p[begin - 2], CHAR_DIGIT) || (c == ',' && len >= LIST_MIN);
}

static bool clean_after(struct span t, size_t end, size_t len)
{
	uint8_t c = end < t.len ? t.p[end] : ' ';

	if (c == '_' || c == '%' || c == '@')
		return false;
	if (c == '/' || c == '=' || c == '\\')
		return !alnum_at(t, end + 1) || c == '\\';
	if (c != '.' && c != '-' && c != ':' && c != ',')
		return true;
	return !digit_at(t, end + 1) || (c == ',' && len >= LIST_MIN);
}

static bool in(const struct type_set *set, enum sensitive_id id)
{
	return set->bits[id / 64] >> id % 64 & 1;
}

static bool any(const struct type_set *set)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
		bits |= set->bits[i];
	return bits;
}

/* A value of a list whose head had the word. */
static bool chained(const struct scanner *s, enum sensitive_id id, size_t begin)
{
	return s->chains && s->chain[id] && begin + 1 >= s->chain[id] &&
	       begin + 1 - s->chain[id] <= CHAIN;
}

static bool told_by_head(struct scanner *s, enum sensitive_id id)
{
	if (!s->asked_head)
		s->row = context_head(&s->words, s->group.begin, &s->head);
	s->asked_head = true;
	return in(&s->head, id);
}

/* The words are read when the first form asks for one: next to no number has a form that fits. */
static bool told(struct scanner *s, enum sensitive_id id)
{
	if (!s->asked) {
		s->told = context_types(&s->words, s->group);
		told_by_head(s, id);
		for (size_t i = 0; i < ARRAY_SIZE(s->told.bits); i++)
			s->told.bits[i] |= s->head.bits[i];
	}
	s->asked = true;
	return in(&s->told, id);
}

/* Neither a word near the group nor the head of a list says what any number is. */
static bool untold(const struct scanner *s)
{
	return s->asked && !any(&s->told) && !s->chains;
}

/* How sure that a value of that type stands there; 0: not at all. */
static float grade(struct scanner *s, enum sensitive_id id, struct range where, bool grouped,
		   size_t *ret_distance)
{
	const struct sensitive_type *t = &sensitive_types[id];
	size_t near;

	near = t->need == NEED_KEY ? context_key(&s->words, id, where)
				   : context_near(&s->words, id, where);
	/* The head of its column knows best. */
	if (s->asked && in(&s->head, id))
		near = 0;
	else if (near == SIZE_MAX && chained(s, id, where.begin) && !(s->asked && s->row))
		near = CONTEXT_BEFORE;
	*ret_distance = near;
	if (t->need == NEED_KEY)
		return near == SIZE_MAX ? 0 : .8f;
	if (t->need == NEED_NOTHING)
		return near == SIZE_MAX ? .95f : .99f;
	if (near != SIZE_MAX)
		return .9f;
	return t->need == NEED_GROUPS && grouped ? .8f : 0;
}

static void consider(struct scanner *s, struct found *found, enum sensitive_id id,
		     struct range where, bool grouped, bool proven)
{
	struct candidate c = { .hit = { .id = id, .where = where }, .proven = proven };

	c.hit.score = grade(s, id, where, grouped, &c.distance);
	c.hit.worded = c.distance != SIZE_MAX;
	if (c.hit.score > 0 && found->n < FOUND_MAX)
		found->v[found->n++] = c;
}

/* Do all separators of a stretch look alike, other than blanks? */
static bool dashed(const struct run *r, size_t first, size_t last)
{
	for (size_t i = first + 1; i <= last; i++)
		if (r->g[i].separator == ' ')
			return false;
	return true;
}

/* Of numbers in a row that no word tells, one in fourteen is a card's by chance; three, and hardly
 * any others between them, are a list of cards. */
static bool in_crowd(struct scanner *s, const char *c, size_t len, size_t begin)
{
	bool fits_too = len >= 15 && check_payment_card(c, len);

	s->crowd[fits_too]++;
	if (!fits_too || s->crowd[true] < CROWD || s->crowd[true] < 4 * s->crowd[false])
		return false;
	s->chain[SENSITIVE_PAYMENT_CARD] = begin + 1;
	s->chains = true;
	return true;
}

/* "12345678", "9876543210", "000000": what people write where a number is to stand. */
static bool counted(const char *c, size_t len)
{
	int step = c[1] - c[0];

	for (size_t i = 1; i < len; i++)
		if (c[i] - c[i - 1] != step && !(step == 1 && c[i] == '0' && c[i - 1] == '9'))
			return false;
	return len >= COUNTED_MIN && step >= -1 && step <= 1;
}

static void try_forms(struct scanner *s, struct found *found, size_t first, size_t last, size_t len,
		      uint32_t separators, uint32_t digits, bool letters, bool small)
{
	const struct run *r = &s->run;
	struct range where = { r->g[first].begin, r->g[last].end };
	const struct slot *slot;
	char c[FORM_LEN + 1];

	if (len <= SHORT_LEN && !short_has(wholes_short, len, digits))
		return;
	slot = lookup(key_of(len, separators, letters));
	if (!slot || !clean_before(s->text, where.begin, len) ||
	    !clean_after(s->text, where.end, len))
		return;
	memcpy(c, r->c + r->g[first].at, len);
	c[len] = 0;
	for (unsigned i = 0; i < slot->n; i++) {
		const struct form *f = &forms[entries[slot->first + i].form];
		bool worded = f->need == NEED_WORD || f->need == NEED_KEY;
		bool grouped = separators && separators == f->full && !small;
		const struct sensitive_type *t;

		if ((worded && untold(s)) || !fits(f, c, digits) ||
		    (f->separator && r->g[last].separator != f->separator))
			continue;
		/* Most numbers have no word near them that says what they are. */
		if (f->need == NEED_KEY && !s->asked && !told_by_head(s, f->type) &&
		    !chained(s, f->type, where.begin) &&
		    !context_leads(&s->words, f->type, where.begin))
			continue;
		if ((worded || (f->need == NEED_GROUPS && !grouped)) && !told(s, f->type) &&
		    !chained(s, f->type, where.begin) &&
		    (f->type != SENSITIVE_PAYMENT_CARD || separators ||
		     !in_crowd(s, c, len, where.begin)))
			continue;
		t = &sensitive_types[f->type];
		if (t->check ? !t->check(c, len) : counted(c, len))
			continue;
		/* Without check digits, blanks prove nothing. */
		grouped =
		    grouped && (letters || t->check != check_us_ssn || dashed(r, first, last));
		grouped = grouped && (t->check != check_nanp || dashed(r, first, last));
		consider(s, found, f->type, where, grouped, t->check != NULL);
	}
}

/* Country and check digits. */
static bool begins_account(const char *c, size_t len)
{
	return len >= 4 && isupper((unsigned char)c[0]) && isupper((unsigned char)c[1]) &&
	       isdigit((unsigned char)c[2]) && isdigit((unsigned char)c[3]);
}

/* Countries give their account numbers lengths of their own: no form. */
static void try_iban(struct scanner *s, struct found *found, size_t first, size_t last, size_t len)
{
	const struct run *r = &s->run;
	const char *c = r->c + r->g[first].at;
	struct range where = { r->g[first].begin, r->g[last].end };
	char whole[36];

	if (len < 15 || len > IBAN_LEN)
		return;
	/* In groups of four, if in groups. */
	for (size_t i = first; i < last; i++)
		if (r->g[i].end - r->g[i].begin != 4 || r->g[i + 1].separator == '/')
			return;
	memcpy(whole, c, len);
	whole[len] = 0;
	if (check_iban(whole, len) && clean_before(s->text, where.begin, len))
		consider(s, found, SENSITIVE_IBAN, where, last > first, true);
}

static bool dashed_char(char c)
{
	return c == '-' || c == '.' || c == '/';
}

/* Do a dash and another number follow group k? */
static bool goes_on(struct run *r, size_t k)
{
	uint8_t c = byte_at(r->text, r->g[k].end);

	return (c == ')' || dashed_char((char)c)) && has_group(r, k + 1) && r->g[k + 1].digit &&
	       dashed_char(r->g[k + 1].separator);
}

/* Every stretch of groups that begins with the first one. */
static void try_stretches(struct scanner *s, struct found *found, size_t first)
{
	struct run *r = &s->run;
	uint32_t separators = 0;
	uint64_t digits = 0;
	bool letters = false, small = false;
	bool account = begins_account(r->c + r->g[first].at, r->g[first].end - r->g[first].begin);
	size_t len = 0;

	for (size_t k = first; k < first + STRETCH_MAX && has_group(r, k); k++) {
		const struct group *g = &r->g[k];

		if (k > first)
			separators |= len < SEPARATORS_MAX ? 1u << len : 0;
		if (len + g->end - g->begin > IBAN_LEN)
			return;
		digits |= g->digit << len;
		len += g->end - g->begin;
		letters |= g->letters;
		small |= g->small;
		/* Dashes and dots go on to the end. */
		if (digits && !goes_on(r, k)) {
			if (account)
				try_iban(s, found, first, k, len);
			if (len < SEPARATORS_MAX)
				try_forms(s, found, first, k, len, separators, (uint32_t)digits,
					  letters, small);
		}
		/* Account numbers come in groups of four. */
		if (!(account && len % 4 == 0) &&
		    !(sieve_has(going_on, key_of(len, separators, letters)) &&
		      begins_form(len, (uint32_t)digits)))
			return;
	}
}

static bool better(const struct candidate *a, const struct candidate *b)
{
	size_t alen = a->hit.where.end - a->hit.where.begin;
	size_t blen = b->hit.where.end - b->hit.where.begin;

	if (a->proven != b->proven && a->distance != SIZE_MAX)
		return a->proven;
	if (a->hit.score != b->hit.score)
		return a->hit.score > b->hit.score;
	if (alen != blen)
		return alen > blen;
	return a->distance < b->distance;
}

static bool overlap(struct range a, struct range b)
{
	return a.begin < b.end && b.begin < a.end;
}

static void put(struct scanner *s, const struct sensitive_hit *h)
{
	if (h->where.begin < s->floor)
		return;
	s->floor = h->where.end;
	if (h->score <= 0)
		return;
	if (h->worded) {
		s->chain[h->id] = h->where.end + 1;
		s->chains = true;
	}
	if (sensitive_types[h->id].class == DATA_NEGATIVE || s->n == s->max ||
	    s->count[h->id] == s->per_type)
		return;
	s->count[h->id]++;
	s->out[s->n++] = *h;
}

/* Of candidates that overlap the best one stays. In the order of the text. */
static void settle(struct scanner *s, struct found *found)
{
	for (size_t i = 0; i < found->n; i++)
		for (size_t k = 0; k < found->n && found->v[i].hit.score > 0; k++)
			if (k != i && found->v[k].hit.score > 0 &&
			    overlap(found->v[i].hit.where, found->v[k].hit.where) &&
			    (better(&found->v[k], &found->v[i]) ||
			     (k < i && !better(&found->v[i], &found->v[k]))))
				found->v[i].hit.score = 0;
	for (;;) {
		struct candidate *next = NULL;

		for (size_t i = 0; i < found->n; i++)
			if (found->v[i].hit.score > 0 &&
			    (!next || found->v[i].hit.where.begin < next->hit.where.begin))
				next = &found->v[i];
		if (!next)
			return;
		put(s, &next->hit);
		next->hit.score = 0;
	}
}

/* --- what has no form */

/* What a matcher found counts when a word tells, or when it is sure without. Returns where to go
 * on, 0: it does not count. */
static size_t emit(struct scanner *s, const struct match *m)
{
	struct sensitive_hit h = { .id = m->id, .where = m->where };

	/* What only looks like a value is passed over, whatever is said of it. */
	if (m->whole && sensitive_types[m->id].class == DATA_NEGATIVE) {
		put(s, &h);
		return m->where.end;
	}
	h.worded = context_near(&s->words, m->id, m->where) != SIZE_MAX ||
		   chained(s, m->id, m->where.begin);
	h.score = h.worded ? MAX(.85f, m->alone) : m->alone;
	if (h.score > 0 || m->whole)
		put(s, &h);
	return h.score > 0 || m->whole ? m->where.end : 0;
}

/* What has a sign of its own beside the group. Returns where to go on, 0: nothing of that kind. */
static size_t try_signed(struct scanner *s, struct match *m, uint8_t before, uint8_t after)
{
	size_t len = m->end - m->at;

	if ((before == '+' || before == '(') && match_phone(m))
		return emit(s, m);
	if (len > 12 && (before == '%' || before == ';') && match_track(m))
		return emit(s, m);
	if (len >= 26 && match_coin(m))
		return emit(s, m);
	if ((after == '<' || before == '<' || len >= 28) && match_mrz(m))
		return emit(s, m);
	if ((after == '-' || before == '-') && match_uuid(m))
		return emit(s, m);
	if ((after == ':' || before == ':' || after == '-' || before == '-' ||
	     (after == '.' && m->end - m->at == 4)) &&
	    match_mac(m))
		return emit(s, m);
	if ((after == ':' || before == ':') && match_ipv6(m))
		return emit(s, m);
	if (after == '.' && len <= 3 && (match_ipv4(m) || match_coordinates(m)))
		return emit(s, m);
	return 0;
}

/* Looks at the group of letters and digits. Returns where to go on, 0: nothing of that kind. */
static size_t try_matchers(struct scanner *s, const struct group *g)
{
	struct span t = s->text;
	uint8_t before = g->begin ? t.p[g->begin - 1] : ' ', after = byte_at(t, g->end);
	struct match m = { .text = t, .at = g->begin, .end = g->end };
	size_t len = g->end - g->begin, next = 0;

	if ((char_kinds[before] | char_kinds[after]) & CHAR_SIGN || len >= LONG_LEN)
		next = try_signed(s, &m, before, after);
	if (next)
		return next;
	if (len <= MONEY_LEN && match_money(&m) && emit(s, &m))
		return m.where.end;
	if (!(g->digit & 1))
		return 0;
	if (before == ' ' && match_dose(&m) && emit(s, &m))
		return m.where.end;
	if (len <= 5 && g->digit >> (len - 1) && match_address(&m))
		return emit(s, &m);
	return 0;
}

/* A number that a word calls a telephone, in whatever form its country has. */
static void try_national(struct scanner *s, size_t first)
{
	struct sensitive_hit h = { .id = SENSITIVE_PHONE_NATIONAL, .score = .8f, .worded = true };
	const struct group *g = s->run.g + first;
	size_t last = 0, digits = 0;

	for (size_t i = 0; i < STRETCH_MAX && has_group(&s->run, first + i) && !g[i].letters; i++) {
		digits += g[i].end - g[i].begin;
		if (digits > 13)
			return;
		last = i;
	}
	if (g[0].letters || digits < 7 || !clean_before(s->text, g[0].begin, digits) ||
	    !clean_after(s->text, g[last].end, digits))
		return;
	h.where = (struct range){ g[0].begin, g[last].end };
	if (!counted(s->run.c + g[0].at, digits) && told(s, h.id) &&
	    (in(&s->head, h.id) || context_key(&s->words, h.id, h.where) != SIZE_MAX))
		put(s, &h);
}

/* Where the group around a digit begins: behind an escape of JSON, not inside it. */
static size_t group_begin(struct span t, size_t at, size_t floor)
{
	size_t begin = at;

	while (begin > floor && is_kind(t.p[begin - 1], CHAR_ALNUM) && at - begin < 100)
		begin--;
	if (begin && begin < at && t.p[begin - 1] == '\\' && strchr("nrt", t.p[begin]))
		begin++;
	return begin;
}

/* Short groups of capitals right before belong to it, as in codes that begin with letters. */
static size_t with_letters(struct span t, size_t begin, size_t floor)
{
	for (unsigned n = 0; n < LEADING_MAX; n++) {
		size_t i = begin;

		if (begin < floor + 2 || !is_kind(t.p[begin - 1], CHAR_SEPARATOR))
			break;
		for (i--; i > floor && is_kind(t.p[i - 1], CHAR_UPPER) && begin - i <= WORD_LEN;
		     i--)
			;
		if (i == begin - 1 || (i && alnum_at(t, i - 1)))
			break;
		begin = i;
	}
	return begin;
}

/* Can a value begin with this group of letters and digits? Most are parts of names and words. */
static bool begins_value(const struct group *g)
{
	size_t len = g->end - g->begin;

	/* An account number, in groups of four or as one. */
	return !g->letters || (len >= 4 && (g->digit & 15) == 12) ||
	       begins_form(len, (uint32_t)g->digit);
}

/* Looks at the digit at `at`; returns where to go on: behind its group, for others may begin in the
 * middle of what this one could have been a part of. */
static size_t on_digit(struct scanner *s, size_t at)
{
	struct run *r = &s->run;
	size_t first = run_find(r, s->text, group_begin(s->text, at, s->floor));
	const struct group *g = &r->g[first];
	size_t begin, end = g->end, next;
	struct found found;

	s->group = (struct range){ g->begin, end };
	next = try_matchers(s, g);
	if (next)
		return MAX(next, end);
	if (end - g->begin > GROUP_LEN)
		return end;
	begin = with_letters(s->text, g->begin, s->floor);
	if (begin < g->begin)
		first = run_find(r, s->text, begin);
	else if (!begins_value(g))
		return MAX(s->floor, end);
	if (!r->n)
		return end;
	found.n = 0; /* the rest is large, and written before it is read */
	s->group.begin = begin;
	s->asked = s->asked_head = false;
	for (;; first++) {
		try_stretches(s, &found, first);
		if (r->g[first].digit || !has_group(r, first + 1))
			break;
	}
	if (found.n)
		settle(s, &found);
	else if (r->g[first].digit)
		try_national(s, first);
	return MAX(s->floor, end);
}

/* Looks at the '@' at `at`; returns where to go on, 0: no address is there. */
static size_t on_sign(struct scanner *s, size_t at)
{
	struct match m = { .text = s->text, .at = at, .end = at + 1 };

	return match_email(&m) ? emit(s, &m) : 0;
}

/* The next byte that may belong to a value. */
static size_t next_of_interest(struct span t, size_t at)
{
	for (; t.len - at >= sizeof(scan_v); at += sizeof(scan_v)) {
		scan_v v;
		int hit;

		memcpy(&v, t.p + at, sizeof(v));
		hit = scan_hit((scan_v)(((v - '0') < 10) | (v == '@')));
		if (hit >= 0)
			return at + (size_t)hit;
	}
	while (at < t.len && !is_kind(t.p[at], CHAR_DIGIT) && t.p[at] != '@')
		at++;
	return at;
}

size_t sensitive_scan(struct span text, struct sensitive_hit *ret, size_t max, size_t per_type)
{
	struct scanner s;

	pthread_once(&once, make_index);
	memset(&s, 0, offsetof(struct scanner, run));
	memset(s.count, 0, sizeof(s.count));
	memset(s.chain, 0, sizeof(s.chain));
	memset(s.crowd, 0, sizeof(s.crowd));
	s.text = text;
	s.out = ret;
	s.n = s.floor = s.run.n = s.run.next = 0;
	s.chains = false;
	s.max = max;
	s.per_type = per_type;
	context_begin(&s.words, text);
	for (size_t at = 0, next; (at = next_of_interest(text, at)) < text.len;) {
		next = text.p[at] == '@' ? on_sign(&s, at) : on_digit(&s, at);
		at = MAX(next, at + 1);
	}
	return s.n;
}
