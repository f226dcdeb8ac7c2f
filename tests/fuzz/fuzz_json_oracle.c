/* tests/fuzz/fuzz_json_oracle.c - the JSON reader against jansson: what jansson takes, we take,
 * with the same values in the same order; what it refuses, we refuse, but for what we mean to be
 * lenient with.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Both have these names. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE   JANSSON_TRUE
#define JSON_FALSE  JANSSON_FALSE
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#include "base/buf.h"
#include "parse/json.h"

#define DEPTH	1024 /* jansson goes to 2048: deeper inputs are left out */
#define LOG_MAX (64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void put(struct buf *log, char kind, struct span s)
{
	assert(!buf_add(log, span_of(&kind, 1)));
	assert(!buf_add(log, s));
}

/* jansson's whole numbers have no negative zero. */
static void put_number(struct buf *log, double d)
{
	if (d == 0)
		d = 0;
	put(log, 'n', span_of(&d, sizeof(d)));
}

/* A string's end is told, so that pieces need no joining. */
static void on_event(void *ctx, const struct json_event *e)
{
	static const char kinds[JSON_KIND_MAX_] = {
		[JSON_OBJECT] = '{',	[JSON_OBJECT_END] = '}', [JSON_ARRAY] = '[',
		[JSON_ARRAY_END] = ']', [JSON_TRUE] = 't',	 [JSON_FALSE] = 'f',
		[JSON_NULL] = '0',
	};
	char number[JSON_NUMBER_MAX + 1];

	switch (e->kind) {
	case JSON_STRING:
		if (e->first)
			put(ctx, 's', span_of(NULL, 0));
		assert(!buf_add(ctx, e->text));
		if (e->last)
			put(ctx, '"', span_of(NULL, 0));
		break;
	case JSON_NUMBER:
		memcpy(number, e->text.p, e->text.len);
		number[e->text.len] = 0;
		put_number(ctx, strtod(number, NULL));
		break;
	default:
		put(ctx, kinds[e->kind], span_of(NULL, 0));
		break;
	}
}

static void walk(struct buf *log, json_t *v)
{
	json_t *child;
	size_t i;

	switch ((int)json_typeof(v)) {
	case JANSSON_OBJECT:
		put(log, '{', span_of(NULL, 0));
		for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
			walk(log, json_object_iter_value(it));
		put(log, '}', span_of(NULL, 0));
		break;
	case JANSSON_ARRAY:
		put(log, '[', span_of(NULL, 0));
		for (i = 0; (child = json_array_get(v, i)); i++)
			walk(log, child);
		put(log, ']', span_of(NULL, 0));
		break;
	case JANSSON_STRING:
		put(log, 's', span_of(json_string_value(v), json_string_length(v)));
		put(log, '"', span_of(NULL, 0));
		break;
	case JANSSON_TRUE:
		put(log, 't', span_of(NULL, 0));
		break;
	case JANSSON_FALSE:
		put(log, 'f', span_of(NULL, 0));
		break;
	case JANSSON_NULL:
		put(log, '0', span_of(NULL, 0));
		break;
	default:
		put_number(log, json_number_value(v));
		break;
	}
}

/* What jansson refuses and we mean to take: text after text (NDJSON), nothing at all, a byte order
 * mark, strings that are not UTF-8, lone surrogates, the same key twice, a NUL in a key, numbers
 * that no double holds.
 */
static bool lenient(const json_error_t *e, struct span in)
{
	switch (json_error_code(e)) {
	case json_error_end_of_input_expected:
	case json_error_invalid_utf8:
	case json_error_duplicate_key:
	case json_error_null_byte_in_key:
	case json_error_numeric_overflow:
		return true;
	case json_error_premature_end_of_input:
	case json_error_invalid_syntax:
		break;
	default:
		return false;
	}
	if (!strncmp(e->text, "invalid Unicode", strlen("invalid Unicode")) ||
	    span_starts(in, SPAN_LIT("\xef\xbb\xbf")))
		return true;
	for (size_t i = 0; i < in.len; i++)
		if (!memchr(" \t\r\n", in.p[i], 4))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf ours = BUF(LOG_MAX), theirs = BUF(LOG_MAX);
	struct span in = span_of(data, len);
	struct json *j = NULL;
	json_error_t error;
	json_t *doc = json_loadb((const char *)data, len,
				 JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	int verdict;

	/* jansson loses a NUL that it has to look at twice. */
	if (memchr(data, 0, len)) {
		json_decref(doc);
		return 0;
	}
	assert(!json_new(&j, DEPTH, on_event, &ours));
	json_feed(j, in);
	verdict = json_end(j);
	if (json_skipped(j)) {
		/* A cap of ours: too deep, a path or number too long. */
	} else if (doc) {
		assert(!verdict);
		walk(&theirs, doc);
		assert(span_eq(buf_span(&ours), buf_span(&theirs)));
	} else {
		assert(verdict || lenient(&error, in));
	}
	json_decref(doc);
	json_free(&j);
	buf_free(&ours);
	buf_free(&theirs);
	return 0;
}
