/* user/text/escapes.c - texts in which characters are written by their numbers: JSON, and what
 * programming languages, URLs and mails do.
 */
#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"
#include "text/maker.h"

/* --- JSON (RFC 8259) */

static bool is_json(struct span t)
{
	const uint8_t *p = t.p, *end = t.p + t.len;

	while (p < end && *p <= ' ')
		p++;
	while (end > p && end[-1] <= ' ')
		end--;
	return end - p >= 2 && ((*p == '{' && end[-1] == '}') || (*p == '[' && end[-1] == ']'));
}

/* Of at most 8 digits; -1: they are not all there, or no character has that number. */
static int32_t hex_number(struct span s, size_t at, size_t n)
{
	uint32_t v = 0;

	if (at + n > s.len)
		return -1;
	for (size_t i = at; i < at + n; i++) {
		if (ascii_hex(s.p[i]) < 0)
			return -1;
		v = v << 4 | (uint32_t)ascii_hex(s.p[i]);
	}
	return v > 0x10ffff ? -1 : (int32_t)v;
}

/* \uXXXX, or a pair of them that is one character; its length, 0 for none. */
static size_t utf16_escape(struct span s, uint32_t *ret)
{
	int32_t v, low;

	if (s.len < 6 || s.p[0] != '\\' || s.p[1] != 'u')
		return 0;
	v = hex_number(s, 2, 4);
	if (v < 0)
		return 0;
	*ret = (uint32_t)v;
	if (v < 0xd800 || v >= 0xe000)
		return 6;
	low = s.len >= 12 && s.p[6] == '\\' && s.p[7] == 'u' ? hex_number(s, 8, 4) : -1;
	if (v >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
		return 0;
	*ret = 0x10000 + ((uint32_t)(v - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
	return 12;
}

/* One escape of JSON; its length, 0 for none. */
static size_t json_escape(struct span s, uint32_t *ret)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *p = s.len > 1 && s.p[1] ? strchr(names, s.p[1]) : NULL;

	if (!p)
		return utf16_escape(s, ret);
	*ret = (uint8_t)values[p - names];
	return 2;
}

int json_view(const struct reading *r, struct view *w)
{
	struct span t = r->text;
	size_t done = 0, at = 0, len;
	uint8_t bytes[4];
	const uint8_t *p;
	uint32_t cp;
	int err = 0;

	if (!is_json(t))
		return 0;
	while (!err && (p = memchr(t.p + at, '\\', t.len - at)) != NULL) {
		at = (size_t)(p - t.p);
		len = json_escape(span_sub(t, at, 12), &cp);
		if (len) {
			err = view_put(w, done, span_sub(t, done, at - done), false);
			if (!err)
				err = view_put(w, at, span_of(bytes, utf8_encode(cp, bytes)), true);
			done = at + len;
		}
		at += len ? len : 1;
	}
	return err || !done ? err : view_put(w, done, span_sub(t, done, t.len), false);
}

/* --- everything else */

/* A byte, or a character, by its number. */
struct code {
	size_t len;
	uint32_t cp;
	bool byte; /* one of those that UTF-8 consists of */
};

static struct code octal(struct span s)
{
	size_t n = 1;
	uint32_t v = 0;

	while (n < s.len && n <= 3 && s.p[n] >= '0' && s.p[n] <= '7')
		v = v * 8 + (s.p[n++] - '0');
	return (struct code){ n == 4 && v < 256 ? n : 0, v, true };
}

/* %XX %uXXXX \xXX \uXXXX \u{X} \UXXXXXXXX \NNN */
static struct code code_at(struct span s)
{
	size_t n = 3;
	int32_t v = -1;
	uint32_t cp;

	if (s.len < 3)
		return (struct code){ 0 };
	if (s.p[0] == '%' && s.p[1] == 'u')
		return (struct code){ hex_number(s, 2, 4) < 0 ? 0 : 6,
				      (uint32_t)hex_number(s, 2, 4), false };
	if (s.p[0] == '%')
		return (struct code){ hex_number(s, 1, 2) < 0 ? 0 : 3,
				      (uint32_t)hex_number(s, 1, 2), true };
	if (s.p[0] != '\\')
		return (struct code){ 0 };
	switch (s.p[1]) {
	case 'x':
		v = hex_number(s, 2, 2);
		return (struct code){ v < 0 ? 0 : 4, (uint32_t)v, true };
	case 'U':
		v = hex_number(s, 2, 8);
		return (struct code){ v < 0 ? 0 : 10, (uint32_t)v, false };
	case 'u':
		if (s.p[2] != '{')
			return (struct code){ utf16_escape(s, &cp), cp, false };
		while (n < s.len && n < 9 && ascii_hex(s.p[n]) >= 0)
			n++;
		v = n > 3 && n < s.len && s.p[n] == '}' ? hex_number(s, 3, n - 3) : -1;
		return (struct code){ v < 0 ? 0 : n + 1, (uint32_t)v, false };
	default:
		return octal(s);
	}
}

#define PIECE 4096 /* bytes of one run of codes decoded at a time */

/* Decodes the run of codes that begins at at; where it ends. */
static size_t decode_run(struct span t, size_t at, uint8_t *out, size_t *ret_len)
{
	struct code c;

	*ret_len = 0;
	while ((c = code_at(span_sub(t, at, 12))).len) {
		/* Full: at the end of a character, or at once. */
		if (*ret_len + 8 >= PIECE && (*ret_len + 4 >= PIECE || c.cp < 0x80))
			break;
		if (c.byte)
			out[(*ret_len)++] = (uint8_t)c.cp;
		else
			*ret_len += utf8_encode(c.cp, out + *ret_len);
		at += c.len;
	}
	return at;
}

/* In what a form sent, a plus sign stands for a blank: those of the range. */
static int put_blanks(struct edit *e, size_t begin, size_t end)
{
	int err = 0;

	for (size_t i = begin; !err && i < end; i++)
		if (e->text.p[i] == '+')
			err = edit_replace(e, (struct range){ i, i + 1 }, SPAN_LIT(" "), false);
	return err;
}

/* Where the run without blanks begins that at is in, not before from. */
static size_t run_begin(struct span t, size_t at, size_t from)
{
	while (at > from && t.p[at - 1] > ' ')
		at--;
	return at;
}

/* Where it ends, or goes on with another code. */
static size_t run_end(struct span t, size_t at)
{
	while (at < t.len && t.p[at] > ' ' && t.p[at] != '%' && t.p[at] != '\\')
		at++;
	return at;
}

/* The next byte that may begin a code, or end. */
static size_t next_code(struct span t, size_t at, size_t end)
{
	for (; at < end; at += sizeof(scan_v)) {
		scan_v v = scan_load(t, at);
		int n = scan_hit((scan_v)((v == '%') | (v == '\\')));

		if (n >= 0)
			return MIN(at + (size_t)n, end);
	}
	return MAX(at, end);
}

int escapes_view(const struct reading *r, struct view *w)
{
	struct edit e = { .w = w, .text = r->text };
	struct range where;
	uint8_t out[PIECE];
	size_t at = 0, done = 0, end, len;
	bool form;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_ESCAPE, 0, at, &where))
		for (at = next_code(r->text, where.begin, where.end); !err && at < where.end;
		     at = next_code(r->text, at + 1, where.end)) {
			end = decode_run(r->text, at, out, &len);
			/* Not text: colours of a terminal, bytes of a program. */
			if (!len || !is_text(span_of(out, len)))
				continue;
			form = r->text.p[at] == '%';
			if (form)
				err = put_blanks(&e, run_begin(r->text, at, done), at);
			if (!err)
				err = edit_replace(&e, (struct range){ at, end }, span_of(out, len),
						   true);
			done = form ? run_end(r->text, end) : end;
			if (!err)
				err = put_blanks(&e, end, done);
			at = done - 1;
		}
	return err ? err : edit_end(&e);
}
