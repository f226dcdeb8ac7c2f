/* user/base/json_out.c - the one place where JSON is written. */
#include "base/json_out.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/scan.h"

#define BIT(n) (UINT64_C(1) << (n))

static_assert(JSON_OUT_DEPTH <= 64, "one bit of arrays per level");

static bool in_array(const struct json_out *o)
{
	return o->depth && o->arrays & BIT(o->depth - 1);
}

static void line_begin(struct json_out *o)
{
	if (o->style == JSON_OUT_PRETTY)
		fprintf(o->f, "\n%*s", (int)o->depth * 2, "");
}

static void separate(struct json_out *o)
{
	if (o->filled)
		fputc(',', o->f);
	if (o->depth)
		line_begin(o);
	o->filled = true;
}

static void value_begin(struct json_out *o)
{
	assert(!o->depth || in_array(o) || o->keyed);
	if (o->keyed)
		o->keyed = false;
	else
		separate(o);
}

/* Beyond the basic plane: a surrogate pair. */
static void escape_unit(struct json_out *o, uint32_t cp)
{
	if (cp >= 0x10000)
		fprintf(o->f, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((cp - 0x10000) >> 10),
			0xdc00 + (cp & 0x3ff));
	else
		fprintf(o->f, "\\u%04" PRIx32, cp);
}

/* A character that means what it says: as it stands, or hidden. Returns its length. */
static size_t text_char(struct json_out *o, struct span s)
{
	uint32_t cp;
	size_t n = utf8_decode(s, &cp);

	if (!n)
		fputs("\xef\xbf\xbd", o->f);
	else if (escape_hidden(cp))
		escape_unit(o, cp);
	else
		fwrite(s.p, 1, n, o->f);
	return n ? n : 1;
}

static void text(struct json_out *o, struct span s)
{
	fputc('"', o->f);
	while (s.len) {
		size_t n = scan_json(s);

		fwrite(s.p, 1, n, o->f);
		s = span_sub(s, n, s.len);
		if (!s.len)
			break;
		n = 1;
		if (*s.p == '"' || *s.p == '\\')
			fprintf(o->f, "\\%c", *s.p);
		else if (*s.p == '\n')
			fputs("\\n", o->f);
		else if (*s.p == '\t')
			fputs("\\t", o->f);
		else
			n = text_char(o, s);
		s = span_sub(s, n, s.len);
	}
	fputc('"', o->f);
}

static void open_container(struct json_out *o, bool array)
{
	assert(o->depth < JSON_OUT_DEPTH);
	value_begin(o);
	fputc(array ? '[' : '{', o->f);
	o->arrays = (o->arrays & ~BIT(o->depth)) | (array ? BIT(o->depth) : 0);
	o->depth++;
	o->filled = false;
}

void json_out_object(struct json_out *o)
{
	open_container(o, false);
}

void json_out_array(struct json_out *o)
{
	open_container(o, true);
}

void json_out_end(struct json_out *o)
{
	bool array = in_array(o);

	assert(o->depth && !o->keyed);
	o->depth--;
	if (o->filled)
		line_begin(o);
	fputc(array ? ']' : '}', o->f);
	o->filled = true;
}

void json_out_key(struct json_out *o, const char *key)
{
	assert(o->depth && !in_array(o) && !o->keyed);
	separate(o);
	text(o, span_str(key));
	fputs(o->style == JSON_OUT_PRETTY ? ": " : ":", o->f);
	o->keyed = true;
}

void json_out_str(struct json_out *o, struct span s)
{
	value_begin(o);
	text(o, s);
}

void json_out_cstr(struct json_out *o, const char *s)
{
	if (s)
		json_out_str(o, span_str(s));
	else
		json_out_null(o);
}

void json_out_u64(struct json_out *o, uint64_t v)
{
	value_begin(o);
	fprintf(o->f, "%" PRIu64, v);
}

void json_out_i64(struct json_out *o, int64_t v)
{
	value_begin(o);
	fprintf(o->f, "%" PRId64, v);
}

void json_out_f64(struct json_out *o, double v)
{
	char s[32];

	if (!isfinite(v)) {
		json_out_null(o);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	value_begin(o);
	fputs(s, o->f);
}

static void word(struct json_out *o, const char *s)
{
	value_begin(o);
	fputs(s, o->f);
}

void json_out_bool(struct json_out *o, bool v)
{
	word(o, v ? "true" : "false");
}

void json_out_null(struct json_out *o)
{
	word(o, "null");
}

void json_out_raw(struct json_out *o, struct span json)
{
	value_begin(o);
	while (json.len) {
		size_t n = 1;

		/* Between values there may be white space, but no line ends. */
		if (*json.p < 0x20)
			fputc(' ', o->f);
		else
			n = text_char(o, json);
		json = span_sub(json, n, json.len);
	}
}

int json_out_done(struct json_out *o)
{
	assert(!o->depth && !o->keyed);
	fputc('\n', o->f);
	o->filled = false;
	return fflush(o->f) || ferror(o->f) ? -EIO : 0;
}
