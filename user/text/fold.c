/* user/text/fold.c - the folded view: one spelling for what a reader takes for the same text.
 * Owns a table of the basic plane, made once; what lies above it is looked up in utf8proc when it
 * comes.
 */
#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <utf8proc.h>

#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"
#include "text/confusables.h"
#include "text/maker.h"

#define PLANE	       0x10000
#define MULTIPLICATION 0xd7 /* stands between numbers */
#define EXPANSION_MAX  32   /* Unicode's longest compatibility decomposition has 18 characters */
#define WORD_MAX       256  /* bytes of a word looked at together */

/* An entry: the character that stands for it, and what else to know. */
#define CODE   0x1fffffu
#define SAME   (1u << 21) /* stays as it is */
#define DROP   (1u << 22)
#define MANY   (1u << 23) /* becomes several characters: ask expand() */
#define LETTER (1u << 24)
#define STRICT (1u << 25) /* looks exactly like a Latin letter */
#define LOOSE  (1u << 26) /* is used for one, in words that mix scripts */

/* Pairs: a character, then the one that it is read as. */
static const char always[] = "‘'’'‚'‛'“\"”\"„\"‟\"«\"»\"‹'›'′'″\"‐-‑-‒-–-—-―-−-⁄/∕/∶:∣|❘|⎮|"
			     "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz"
			     "ɑaɡgıiɩiȷjƙkɭlɱmɳnɵoƥpʂsƭtʋvʐzđdłløoŧtħhƀbɨiæaœoĐDŁLØOŦTĦHÆAŒO"
			     "⠁a⠃b⠉c⠙d⠑e⠋f⠛g⠓h⠊i⠚j⠅k⠇l⠍m⠝n⠕o⠏p⠟q⠗r⠎s⠞t⠥u⠧v⠺w⠭x⠽y⠵z⠀ ";
static const char strict[] = "аaеeоoрpсcуyхxіiѕsјjһhԁdԛqԝwѵvӏlүyАAВBЕEКKМMНHОOРPСCТTХXЅSІIЈJԌGԜWҮY"
			     "οoνvαaρpυuΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXօoսuոnհh";
static const char loose[] = "кkмmтtнhвbгrпnзeєeґrәaӧoυuτtκkιiηnωwγyβbεeσoχxχxցgզqյjկqտu"
			    "ᎪAᏟCᎬEᎻHᎫJᏦKᏞLᎷMᎢTᏔWᎡRᏚSᏢPᏙVᎳWᏃZᏴBᎠD";
/* Letters in circles and squares, which Unicode gives no decomposition: first of the 26, and the
 * letter it stands for. */
static const struct {
	uint32_t first;
	char letter;
} alphabets[] = { { 0x249c, 'a' },  { 0x1f110, 'A' }, { 0x1f130, 'A' },
		  { 0x1f150, 'A' }, { 0x1f170, 'A' }, { 0x1f1e6, 'A' } };

struct fold {
	uint32_t plane[PLANE];
	uint8_t twin[PLANE]; /* the Latin letter of STRICT and LOOSE ones */
};

static bool dropped(uint32_t cp, const utf8proc_property_t *p)
{
	return p->ignorable || p->combining_class || p->category == UTF8PROC_CATEGORY_ME ||
	       (p->category == UTF8PROC_CATEGORY_CF && cp >= 0x80);
}

/* What cp becomes, look-alikes aside. */
static size_t expand(uint32_t cp, uint32_t out[EXPANSION_MAX])
{
	utf8proc_int32_t raw[EXPANSION_MAX];
	utf8proc_ssize_t n;
	size_t kept = 0;
	int boundary = 0;

	for (size_t i = 0; i < ARRAY_SIZE(alphabets); i++)
		if (cp >= alphabets[i].first && cp < alphabets[i].first + 26) {
			out[0] = alphabets[i].letter + (cp - alphabets[i].first);
			return 1;
		}
	/* A syllable of Hangul is one character to everybody: leave it whole. */
	if (cp >= 0xac00 && cp <= 0xd7a3) {
		out[0] = cp;
		return 1;
	}
	n = utf8proc_decompose_char((utf8proc_int32_t)cp, raw, EXPANSION_MAX,
				    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
	if (n < 0 || n > EXPANSION_MAX) {
		out[0] = cp;
		return 1;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++) {
		const utf8proc_property_t *p = utf8proc_get_property(raw[i]);
		uint32_t c = (uint32_t)raw[i];

		if (dropped(c, p))
			continue;
		if (p->category == UTF8PROC_CATEGORY_ZS)
			c = ' ';
		else if (p->category == UTF8PROC_CATEGORY_ZL || p->category == UTF8PROC_CATEGORY_ZP)
			c = '\n';
		else if (c >= 0x80)
			c = (uint32_t)utf8proc_tolower(raw[i]);
		out[kept++] = c;
	}
	return kept;
}

static bool letter(uint32_t cp)
{
	utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);

	return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

static uint32_t entry(uint32_t cp)
{
	uint32_t out[EXPANSION_MAX];
	uint32_t e = letter(cp) ? LETTER : 0;
	size_t n = expand(cp, out);

	if (!n)
		return e | DROP;
	if (n > 1)
		return e | MANY;
	return e | out[0] | (out[0] == cp ? SAME : 0);
}

/* Unicode's own table, for all that the lists do not say better. */
static void look_alikes(struct fold *f)
{
	for (size_t i = 0; i < n_confusables && confusables[i].cp < PLANE; i++) {
		uint32_t cp = confusables[i].cp;

		if (f->twin[cp] || cp == MULTIPLICATION)
			continue;
		f->twin[cp] = (uint8_t)confusables[i].letter;
		f->plane[cp] |= LOOSE | LETTER;
	}
}

/* Above the basic plane the table is searched. */
static uint8_t twin_of(const struct fold *f, uint32_t cp)
{
	size_t lo = 0, hi = n_confusables;

	if (cp < PLANE)
		return f->twin[cp];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (confusables[mid].cp == cp)
			return (uint8_t)confusables[mid].letter;
		if (confusables[mid].cp < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

static void pairs(struct fold *f, const char *list, uint32_t flag)
{
	struct span s = span_str(list);
	uint32_t from, to;

	while (s.len) {
		s = span_sub(s, utf8_decode(s, &from), s.len);
		s = span_sub(s, utf8_decode(s, &to), s.len);
		assert(from < PLANE && to < 0x80);
		f->twin[from] = to;
		if (flag)
			f->plane[from] |= flag;
		else
			f->plane[from] = (f->plane[from] & LETTER) | to;
	}
}

/* The same for all, and slow to make. */
static struct fold table;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	for (uint32_t cp = 0; cp < PLANE; cp++)
		table.plane[cp] = cp < 0x80			? cp | SAME
				  : cp >= 0xd800 && cp < 0xe000 ? DROP
								: entry(cp);
	pairs(&table, always, 0);
	pairs(&table, loose, LOOSE);
	pairs(&table, strict, STRICT);
	look_alikes(&table);
}

int fold_new(struct fold **ret)
{
	pthread_once(&once, make_table);
	*ret = &table;
	return 0;
}

void fold_free(struct fold **f)
{
	*f = NULL;
}

static uint32_t lookup(const struct fold *f, uint32_t cp)
{
	if (cp < PLANE)
		return f->plane[cp];
	/* Pictures make up nearly all of what chats hold up here, and stay. */
	if (cp >= 0x1f300 && cp < 0x1fb00)
		return cp | SAME;
	return entry(cp) | (twin_of(f, cp) ? LOOSE | LETTER : 0);
}

size_t ascii_len(struct span s)
{
	uint64_t w[8];
	size_t i = 0;

	for (; s.len - i >= sizeof(w); i += sizeof(w)) {
		memcpy(w, s.p + i, sizeof(w));
		if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) &
		    UINT64_C(0x8080808080808080))
			break;
	}
	for (; s.len - i >= sizeof(*w); i += sizeof(*w)) {
		memcpy(w, s.p + i, sizeof(*w));
		if (*w & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < s.len && s.p[i] < 0x80)
		i++;
	return i;
}

static bool word_at(const uint8_t *p, const char *word, size_t len)
{
	size_t n = 0;

	while (n < len && ascii_lower(p[n]) == (uint8_t)word[n])
		n++;
	return n == len;
}

bool ascii_contains(struct span s, const char *word)
{
	uint8_t first = (uint8_t)word[0] | 0x20;
	size_t len = strlen(word), i = 0, end = s.len < len ? 0 : s.len - len + 1;

	/* Most places are passed over by their first byte. */
	for (; end - i >= sizeof(scan_v); i += sizeof(scan_v)) {
		scan_v v;

		memcpy(&v, s.p + i, sizeof(v));
		for (uint32_t at = scan_mask((scan_v)((v | 0x20) == first)); at; at &= at - 1)
			if (word_at(s.p + i + __builtin_ctz(at), word, len))
				return true;
	}
	for (; i < end; i++)
		if (word_at(s.p + i, word, len))
			return true;
	return false;
}

/* Writes what the character at [at, at + len) becomes. */
static int put(struct view *w, size_t at, struct span src, uint32_t cp, uint32_t e, uint8_t twin)
{
	uint32_t out[EXPANSION_MAX];
	uint8_t bytes[4 * EXPANSION_MAX];
	size_t n = 0, len = 0;

	if (twin) {
		out[n++] = twin;
	} else if (e & MANY) {
		n = expand(cp, out);
	} else if (e & SAME) {
		return view_put(w, at, src, false);
	} else if (!(e & DROP)) {
		out[n++] = e & CODE;
	}
	for (size_t i = 0; i < n; i++)
		len += utf8_encode(out[i], bytes + len);
	return view_put(w, at, span_of(bytes, len), false);
}

/* A number for each script that look-alikes come from; near enough to tell whether a word mixes
 * them. */
static unsigned script(uint32_t cp)
{
	return cp >= 0x400 && cp < 0x530 ? 8 : cp >= 0x370 && cp < 0x400 ? 7 : cp >> 7;
}

/* The usual cases of utf8_decode(). */
static inline size_t decode(struct span t, size_t at, uint32_t *ret)
{
	const uint8_t *p = t.p + at;
	size_t left = t.len - at;

	if (left >= 2 && p[0] >= 0xc2 && p[0] < 0xe0 && (p[1] & 0xc0) == 0x80) {
		*ret = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	}
	if (left >= 3 && p[0] > 0xe0 && p[0] < 0xf0 && p[0] != 0xed && (p[1] & 0xc0) == 0x80 &&
	    (p[2] & 0xc0) == 0x80) {
		*ret = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		return 3;
	}
	return utf8_decode(span_sub(t, at, 4), ret);
}

/* Folding under way: [plain, at) goes over as it is, when something else follows. */
struct folding {
	const struct fold *fold;
	struct span text;
	struct view *w;
	size_t at, plain;
};

static int put_plain(struct folding *x)
{
	return view_put(x->w, x->plain, span_sub(x->text, x->plain, x->at - x->plain), false);
}

/* The character at x->at, len bytes, in another form. */
static int put_other(struct folding *x, size_t len, uint32_t cp, uint32_t e, uint8_t twin)
{
	int err = put_plain(x);

	if (!err)
		err = put(x->w, x->at, span_sub(x->text, x->at, len), cp, e, twin);
	x->at += len;
	x->plain = x->at;
	return err;
}

static bool behind_latin(const struct folding *x)
{
	const struct buf *done = &x->w->bytes;

	if (x->at > x->plain)
		return ascii_letter(x->text.p[x->at - 1]);
	return done->len && ascii_letter(done->p[done->len - 1]);
}

/* A word with a look-alike in it, from x->at on: are they meant as Latin? */
static int put_word(struct folding *x)
{
	struct span text = x->text;
	unsigned latin = behind_latin(x), n_strict = 0, n_loose = 0, n_other = 0, first = 0;
	bool mixed = false, same = true, twins;
	size_t at = x->at, end = at, len;
	uint32_t cp, e;
	int err = 0;

	while (end < text.len && end - at < WORD_MAX) {
		len = decode(text, end, &cp);
		if (!len)
			break;
		e = lookup(x->fold, cp);
		if (cp < 0x80 ? !ascii_letter(cp) : !(e & (LETTER | DROP)))
			break;
		if (e & (STRICT | LOOSE)) {
			mixed |= first && first != script(cp);
			first = script(cp);
		}
		if (e & STRICT)
			n_strict++;
		else if (e & LOOSE)
			n_loose++;
		else if (ascii_letter(e & CODE))
			latin++;
		else if (!(e & DROP))
			n_other++;
		same &= (e & SAME) != 0;
		end += len;
	}
	twins = latin || (n_strict >= 3 && !n_loose && !n_other) ||
		(mixed && n_strict + n_loose >= 3 && n_other * 4 <= n_strict + n_loose);
	if (!twins && same)
		x->at = end;
	while (!err && x->at < end) {
		bool twin;

		len = decode(text, x->at, &cp);
		e = lookup(x->fold, cp);
		twin = twins && e & (STRICT | LOOSE);
		if (e & SAME && !twin)
			x->at += len;
		else
			err = put_other(x, len, cp, e, twin ? twin_of(x->fold, cp) : 0);
	}
	return err;
}

int fold_view(const struct fold *f, struct span text, struct view *w)
{
	struct folding x = { .fold = f, .text = text, .w = w };
	uint32_t cp, e;
	size_t len;
	int err = 0;

	while (!err) {
		/* Mostly one blank or none is between words of other scripts. */
		if (x.at < text.len && text.p[x.at] < 0x80)
			x.at++;
		if (x.at < text.len && text.p[x.at] < 0x80)
			x.at += ascii_len(span_sub(text, x.at, text.len));
		if (x.at == text.len)
			return put_plain(&x);
		len = decode(text, x.at, &cp);
		e = len ? lookup(f, cp) : SAME;
		if (e & (STRICT | LOOSE))
			err = put_word(&x);
		else if (e & SAME)
			x.at += len ? len : 1;
		else
			err = put_other(&x, len, cp, e, 0);
	}
	return err;
}
