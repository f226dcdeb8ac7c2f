/* user/text/markup.c - what a page or a Markdown text shows when it is rendered: tags and emphasis
 * gone from the middle of words and sentences, entities as characters. Comments stay as they are:
 * models read them.
 */
#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"
#include "text/maker.h"

#define TAG_MAX	   512 /* bytes of a tag */
#define ENTITY_MAX 12

/* Tags that stand inside text, and whether they join what is left and right of them. A '<' before
 * anything else is no tag, but a comparison, a type ... */
static const struct {
	char name[8];
	bool joins;
} tags[] = {
	{ "a", true },	  { "abbr", true },   { "b", true },	  { "bdi", true },
	{ "bdo", true },  { "big", true },    { "br", false },	  { "center", false },
	{ "code", true }, { "del", true },    { "div", false },	  { "em", true },
	{ "font", true }, { "h", false },     { "i", true },	  { "ins", true },
	{ "kbd", true },  { "li", false },    { "mark", true },	  { "p", false },
	{ "q", false },	  { "s", true },      { "samp", true },	  { "small", true },
	{ "span", true }, { "strike", true }, { "strong", true }, { "sub", true },
	{ "sup", true },  { "td", false },    { "tt", true },	  { "u", true },
	{ "wbr", true },
};

/* Is it one of them? 1 yes, 2 and it joins. */
static int find_tag(struct span name)
{
	char low[8] = { 0 };

	if (!name.len || name.len >= sizeof(low))
		return 0;
	for (size_t i = 0; i < name.len; i++)
		low[i] = (char)(name.p[i] | 0x20);
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (!memcmp(tags[i].name, low, sizeof(low)))
			return 1 + tags[i].joins;
	return 0;
}

static bool letter(struct span t, size_t at)
{
	return at < t.len && (ascii_letter(t.p[at]) || t.p[at] >= 0x80);
}

/* The tag at at, or 0; does it join what is left and right of it? */
static size_t tag(struct span t, size_t at, bool *ret_joins)
{
	struct span s = span_sub(t, at + 1, TAG_MAX), name;
	const uint8_t *end;
	int found;

	/* A comment between two letters says nothing but hides what they spell. */
	if (span_starts(s, SPAN_LIT("!--")) && at && letter(t, at - 1)) {
		end = memmem(s.p, s.len, "-->", 3);
		*ret_joins = true;
		return end && letter(t, (size_t)(end + 3 - t.p)) ? (size_t)(end + 3 - t.p) - at : 0;
	}
	s = span_sub(s, s.len && s.p[0] == '/', s.len);
	name = s;
	for (name.len = 0; name.len < s.len && ascii_letter(s.p[name.len]);)
		name.len++;
	found = find_tag(name);
	if (!found)
		return 0;
	end = memchr(s.p + name.len, '>', s.len - name.len);
	if (!end || (end > name.p + name.len && !strchr(" \t\r\n/123456", name.p[name.len])))
		return 0;
	*ret_joins = found > 1;
	return (size_t)(end + 1 - t.p) - at;
}

/* &#105; &#x69; &amp;: its length, or 0. */
static size_t entity(struct span s, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t cp;
	} names[] = { { "amp;", '&' },	   { "lt;", '<' },
		      { "gt;", '>' },	   { "quot;", '"' },
		      { "apos;", '\'' },   { "nbsp;", ' ' },
		      { "ensp;", ' ' },	   { "emsp;", ' ' },
		      { "thinsp;", ' ' },  { "shy;", 0xad },
		      { "zwnj;", 0x200c }, { "zwj;", 0x200d },
		      { "colon;", ':' },   { "comma;", ',' },
		      { "period;", '.' },  { "excl;", '!' },
		      { "sol;", '/' },	   { "lpar;", '(' },
		      { "rpar;", ')' },	   { "lsqb;", '[' },
		      { "rsqb;", ']' },	   { "hyphen;", '-' },
		      { "ndash;", '-' },   { "mdash;", '-' },
		      { "lsquo;", '\'' },  { "rsquo;", '\'' },
		      { "ldquo;", '"' },   { "rdquo;", '"' },
		      { "Tab;", ' ' },	   { "NewLine;", '\n' },
		      { "lowbar;", '_' },  { "ZeroWidthSpace;", 0x200b } };
	bool hex = s.len > 2 && (s.p[2] | 0x20) == 'x';
	size_t n = hex ? 3 : 2;
	uint32_t v = 0;

	if (s.len < 4 || s.p[0] != '&')
		return 0;
	if (s.p[1] == '#') {
		for (; n < MIN(s.len, ENTITY_MAX); n++) {
			int d = ascii_hex(s.p[n]);

			if (d < 0 || (!hex && d > 9) || v > 0x10ffff)
				break;
			v = v * (hex ? 16 : 10) + (uint32_t)d;
		}
		*ret = v;
		/* Browsers do without the semicolon. */
		return n > 3 || (n == 3 && !hex) ? n + (n < s.len && s.p[n] == ';') : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (s.p[1] == (uint8_t)names[i].name[0] &&
		    span_starts(span_sub(s, 1, s.len), span_str(names[i].name))) {
			*ret = names[i].cp;
			return 1 + strlen(names[i].name);
		}
	return 0;
}

/* Emphasis that begins or ends inside a word: ig**no**re. Its length, or 0. A single line below
 * joins a name, as in file_name, rather than that it emphasises. */
static size_t emphasis(struct span t, size_t at)
{
	uint8_t c = t.p[at];
	size_t n = at;

	if (!at || !letter(t, at - 1))
		return 0;
	while (n < t.len && t.p[n] == c && n - at < 4)
		n++;
	return letter(t, n) && (c != '_' || n - at >= 2) ? n - at : 0;
}

/* Lanes of letters as letter() says. */
static scan_v letters(scan_v v)
{
	return scan_letters(v) | (scan_v)(v >= 0x80);
}

/* The next byte that may be markup, by what is before and behind it, or end. */
static size_t next_mark(struct span t, size_t at, size_t end)
{
	for (; at && at < end && t.len - at > sizeof(scan_v); at += sizeof(scan_v)) {
		scan_v before, v, behind, opens, emphasis, line;
		uint32_t m;

		memcpy(&before, t.p + at - 1, sizeof(before));
		memcpy(&v, t.p + at, sizeof(v));
		memcpy(&behind, t.p + at + 1, sizeof(behind));
		opens = (scan_v)(((v == '<') & ((behind == '/') | (behind == '!'))) |
				 ((v == '&') & (behind == '#')) |
				 (((v == '<') | (v == '&')) & scan_letters(behind)));
		emphasis = (scan_v)((v == '*') | (v == '~') | (v == '`'));
		line = (scan_v)((v == '_') & (behind == '_'));
		m = scan_mask(opens | ((emphasis | line) & letters(before)));
		if (m)
			return MIN(at + (size_t)__builtin_ctz(m), end);
	}
	return MIN(at, end);
}

int markup_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	struct span t = r->text;
	struct range where;
	uint8_t bytes[4];
	size_t at = 0, len;
	uint32_t cp;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_MARKUP, 0, at, &where))
		for (at = next_mark(t, where.begin, where.end); !err && at < where.end;
		     at = next_mark(t, at + MAX(len, (size_t)1), where.end)) {
			struct span with = { 0 };
			bool joins = false;

			len = 0;
			switch (t.p[at]) {
			case '<':
				len = tag(t, at, &joins);
				with = joins ? with : SPAN_LIT(" ");
				break;
			case '&':
				len = entity(span_sub(t, at, 20), &cp);
				with = span_of(bytes, len ? utf8_encode(cp, bytes) : 0);
				break;
			case '*':
			case '_':
			case '~':
			case '`':
				len = emphasis(t, at);
				break;
			default:
				break;
			}
			if (len)
				err = edit_replace(&e, (struct range){ at, at + len }, with, true);
		}
	return err ? err : edit_end(&e);
}
