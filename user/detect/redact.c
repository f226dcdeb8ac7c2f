/* user/detect/redact.c - evidence without the secrets in it. */
#include "detect/redact.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/own.h"

#define LOOK_AROUND	 256 /* bytes outside of the window read, for values that reach into it */
#define DIGITS_MIN	 9   /* digits of a number that could be an account, a card, a telephone */
#define OPAQUE_MIN	 20  /* characters of a run that could be a key */
#define CASE_CHANGES_MIN 6   /* in a run of letters: words have fewer */
#define VALUE_MIN	 4   /* of a password */

struct out {
	char *p;
	size_t size, len;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	va_list args;
	int n;

	if (o->full)
		return;
	va_start(args, fmt);
	n = vsnprintf(o->p + o->len, o->size - o->len, fmt, args);
	va_end(args);
	/* All of a piece or nothing of it: a character is never cut, and a label keeps its bracket.
	 */
	o->full = n < 0 || (size_t)n >= o->size - o->len;
	if (o->full)
		o->p[o->len] = 0;
	else
		o->len += (size_t)n;
}

/* A string of at most max bytes, as "%.*s" would write it: most of a text passes through here. */
static void put_text(struct out *o, const void *p, size_t max)
{
	size_t len = strnlen(p, max);

	o->full |= len >= o->size - o->len;
	if (o->full)
		return;
	memcpy(o->p + o->len, p, len);
	o->len += len;
	o->p[o->len] = 0;
}

static void put_mask(struct out *o, struct span value, const char *type, unsigned head,
		     unsigned tail)
{
	if (head + tail)
		put(o, "[%s:%.*s…%.*s]", type, (int)head, (const char *)value.p, (int)tail,
		    (const char *)value.p + value.len - tail);
	else
		put(o, "[%s:%zu]", type, value.len);
}

static bool opaque_char(uint8_t c)
{
	return isalnum(c) || (c && strchr("+/=_-", c));
}

static bool name_char(uint8_t c)
{
	return isalnum(c) || (c && strchr("._%+-", c));
}

/* Each of these looks at what begins at s, and returns how long it is; 0: nothing to hide. */

static size_t address(struct span s, size_t *ret_at)
{
	size_t i = 0, dot = 0;

	while (i < s.len && name_char(s.p[i]))
		i++;
	*ret_at = i;
	if (!i || i == s.len || s.p[i] != '@')
		return 0;
	for (i++; i < s.len && (isalnum(s.p[i]) || s.p[i] == '.' || s.p[i] == '-'); i++)
		if (s.p[i] == '.')
			dot = i;
	return dot > *ret_at + 1 ? i : 0;
}

static size_t number(struct span s)
{
	size_t i = 0, end = 0, n = 0;

	for (; i < s.len; i++) {
		if (isdigit(s.p[i])) {
			n++;
			end = i + 1;
		} else if (!n || i > end || !strchr(" -./", s.p[i])) {
			break; /* at most one separator between digits */
		}
	}
	return n >= DIGITS_MIN ? end : 0;
}

static size_t opaque(struct span s)
{
	size_t i = 0, digits = 0, upper = 0, lower = 0, slashes = 0, changes = 0;

	for (; i < s.len && opaque_char(s.p[i]); i++) {
		digits += isdigit(s.p[i]) != 0;
		upper += isupper(s.p[i]) != 0;
		lower += islower(s.p[i]) != 0;
		slashes += s.p[i] == '/';
		changes += i && isalpha(s.p[i]) && isalpha(s.p[i - 1]) &&
			   (isupper(s.p[i]) != 0) != (isupper(s.p[i - 1]) != 0);
	}
	if (i < OPAQUE_MIN)
		return 0;
	/* A path has slashes and mostly small letters. */
	if (digits && upper + lower && (!slashes || (upper && lower)))
		return i;
	return changes >= CASE_CHANGES_MIN ? i : 0;
}

/* "password: x", "api_key='x'", "Bearer x": length up to the value in *ret_at, all of it as the
 * result. */
static size_t named_value(struct span s, size_t *ret_at)
{
	static const char *const names[] = { "password", "passwd", "pwd",     "passphrase",
					     "secret",	 "token",  "api_key", "apikey",
					     "api-key",	 "bearer" };
	size_t i = 0, at;
	bool assigned = false;

	if (!strchr("abpst", s.p[0] | 0x20))
		return 0;
	for (size_t k = 0; k < ARRAY_SIZE(names) && !i; k++)
		if ((s.p[0] | 0x20) == names[k][0] && s.len > strlen(names[k]) &&
		    !strncasecmp((const char *)s.p, names[k], strlen(names[k])))
			i = strlen(names[k]);
	if (!i)
		return 0;
	for (at = i; at < s.len && at - i < 6 && strchr("\"'\\ \t:=", s.p[at]); at++)
		assigned |= s.p[at] == ':' || s.p[at] == '=';
	if (!assigned && (tolower(s.p[0]) != 'b' || at == i))
		return 0;
	for (i = at; i < s.len && !isspace(s.p[i]) && !strchr("\"'\\,;", s.p[i]); i++)
		;
	*ret_at = at;
	return i - at >= VALUE_MIN ? i : 0;
}

static size_t char_start(struct span s, size_t at)
{
	while (at && at < s.len && (s.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* Writes what stands for the value that begins at s; returns the value's length, 0 when none does.
 */
static size_t hide(struct out *o, struct span s, bool word_start)
{
	size_t n, at;

	n = named_value(s, &at);
	if (n) {
		put(o, "%.*s[value:%zu]", (int)at, (const char *)s.p, n - at);
		return n;
	}
	n = word_start ? address(s, &at) : 0;
	if (n) {
		put(o, "%c…%.*s", s.p[0], (int)MIN(n - at, 64), (const char *)s.p + at);
		return n;
	}
	n = word_start ? number(s) : 0;
	if (n) {
		put(o, "[digits:%zu]", n);
		return n;
	}
	n = word_start ? opaque(s) : 0;
	if (n)
		put(o, "[opaque:%zu]", n);
	return n;
}

/* A text on its way, and what is to be masked in it. */
struct walk {
	struct span text;
	const struct mask *masks;
	size_t n;
	size_t clear; /* up to here none of them begins, and none holds the place in hand */
};

/* The mask that holds at, or NULL. */
static const struct mask *mask_at(struct walk *w, size_t at)
{
	if (at < w->clear)
		return NULL;
	w->clear = w->text.len;
	for (size_t i = 0; i < w->n; i++) {
		struct range r = w->masks[i].where;

		if (at >= r.begin && at < r.end) {
			w->clear = 0;
			return &w->masks[i];
		}
		if (r.begin > at)
			w->clear = MIN(w->clear, r.begin);
	}
	return NULL;
}

/* Writes what stands for the value or the character at at, reading up to end; returns its length.
 */
static size_t step(struct out *o, struct walk *w, size_t at, size_t end, bool word_start)
{
	const struct mask *m = mask_at(w, at);
	size_t len;
	uint32_t cp;

	if (m) {
		put_mask(o, span_sub(w->text, m->where.begin, m->where.end - m->where.begin),
			 m->type, m->head, m->tail);
		return m->where.end - at;
	}
	len = hide(o, span_sub(w->text, at, MIN(end, w->clear) - at), word_start);
	if (!len) {
		len = utf8_decode(span_sub(w->text, at, 4), &cp);
		len = len ? len : 1;
		put_text(o, w->text.p + at, len);
	}
	return len;
}

void redact(char *out, size_t size, struct span text, struct range hit, const struct mask *masks,
	    size_t n)
{
	struct out o = { .p = out, .size = size };
	struct walk walk = { text, masks, n, 0 };
	size_t begin = char_start(text, hit.begin > REDACT_AROUND ? hit.begin - REDACT_AROUND : 0);
	size_t end =
	    char_start(text, MIN(MIN(hit.end + REDACT_AROUND, begin + REDACT_SPAN_MAX), text.len));
	size_t first = char_start(text, begin > LOOK_AROUND ? begin - LOOK_AROUND : 0);
	size_t len;

	out[0] = 0;
	if (begin)
		put(&o, "…");
	for (size_t at = first; at < end; at += len) {
		char piece[256];
		struct out one = { .p = piece, .size = sizeof(piece) };
		bool word_start = at == first || !isalnum(text.p[at - 1]) || !isalnum(text.p[at]);

		piece[0] = 0;
		len = step(&one, &walk, at, MIN(text.len, end + LOOK_AROUND), word_start);
		if (at + len > begin)
			put_text(&o, piece, sizeof(piece));
	}
	if (end < text.len)
		put(&o, "…");
}
