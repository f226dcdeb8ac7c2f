/* user/parse/json.c - streaming JSON: a state machine over bytes, with a stack of paths.
 * The reader is strict (RFC 8259) until something is wrong; from then on it is "lost": it never
 * gives up inside a container but looks for structure it can believe in, and everything it still
 * gives out is marked damaged. A gap and a broken byte are the same to it, except for the verdict.
 * Strings are decoded into a small block, or given out straight from the input when nothing needs
 * decoding.
 */
#include "parse/json.h"

#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/own.h"
#include "base/scan.h"

#define DEPTH_LIMIT 1024
#define LEVELS_MIN  16	 /* room for them until a document is deeper */
#define OUT_MAX	    1024 /* decoded bytes of a string given out at once */

#define FNV_BASIS UINT32_C(2166136261)
#define FNV_PRIME UINT32_C(16777619)

enum state {
	TOP,	   /* before, between or behind top-level values */
	TOP_SPACE, /* behind a top-level number or literal: white space must follow */
	VALUE,
	FIRST_VALUE, /* behind '[': a value or the end */
	KEY,
	FIRST_KEY, /* behind '{' */
	COLON,
	NEXT,	/* behind a value in a container: ',' or the end */
	STRING, /* a key's or a value's */
	NUMBER,
	LITERAL,
	SKIP, /* inside a container that is nested too deep */
	SKIP_STRING,
	SKIP_ESCAPE,
	RESYNC,	      /* lost */
	RESYNC_QUOTE, /* behind the first quote after a gap: does it open or close a string? */
	DEAD,	      /* not JSON */
};

/* Inside a string. */
enum in_string { PLAIN, ESCAPE, HEX };

/* What RESYNC saw since it began. */
enum seen { SEEN_NOTHING, SEEN_SPACE, SEEN_TEXT };

enum in_number {
	MINUS,
	ZERO,
	DIGITS,
	POINT,
	FRACTION,
	EXP,
	EXP_SIGN,
	EXP_DIGITS,
	NUMBER_MAX_,
	NUMBER_END = NUMBER_MAX_
};

struct level {
	uint32_t hash; /* of the container's own path */
	uint16_t len;
	bool deep, array;
};

struct json {
	json_fn *fn;
	void *ctx;
	uint64_t skipped;
	enum state state;
	bool broken; /* the verdict */
	bool lost;   /* positions are no longer certain */
	bool adrift; /* lost outside of any container */
	bool fresh;  /* nothing read yet: a byte order mark may come */
	enum seen seen;

	unsigned depth, room, max_depth, n_index; /* room: of levels and index */
	uint64_t skip_depth;
	struct level *levels;
	uint32_t *index;

	uint32_t hash;
	uint16_t path_len;
	bool deep;
	char path[JSON_PATH_MAX];

	/* STRING */
	enum in_string in_string;
	bool is_key;
	bool given; /* a piece of the string was given out */
	unsigned n_hex;
	uint32_t unit;		     /* UTF-16 code unit under construction */
	uint32_t high;		     /* a high surrogate that waits for its other half; 0: none */
	uint8_t utf8[4];	     /* an unfinished character */
	uint8_t utf8_low, utf8_high; /* bounds of its next byte */
	unsigned utf8_len, utf8_need;
	size_t out_len;

	/* NUMBER, LITERAL */
	enum in_number in_number;
	size_t number_len; /* may exceed the block: then the number is skipped */
	const struct literal *literal;
	size_t literal_at;

	uint8_t number[JSON_NUMBER_MAX];
	uint8_t out[OUT_MAX];
};

uint32_t json_path_hash(const char *path)
{
	uint32_t h = FNV_BASIS;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * FNV_PRIME;
	return h;
}

void json_reset(struct json *j)
{
	j->state = TOP;
	j->fresh = true;
	j->broken = j->lost = j->adrift = false;
	j->depth = j->n_index = 0;
	j->hash = FNV_BASIS;
	j->path_len = 0;
	j->deep = false;
	j->out_len = j->utf8_len = 0;
}

/* Room for so many levels. */
static bool deepen(struct json *j, unsigned room)
{
	struct level *levels = calloc(room, sizeof(*levels));
	uint32_t *index = calloc(room, sizeof(*index));

	if (!levels || !index) {
		free(levels);
		free(index);
		return false;
	}
	if (j->room) {
		memcpy(levels, j->levels, j->room * sizeof(*levels));
		memcpy(index, j->index, j->room * sizeof(*index));
	}
	free(j->levels);
	free(j->index);
	j->levels = levels;
	j->index = index;
	j->room = room;
	return true;
}

int json_new(struct json **ret, unsigned max_depth, json_fn *fn, void *ctx)
{
	auto_free(json) struct json *j = NULL;

	if (!max_depth || max_depth > DEPTH_LIMIT)
		return -EINVAL;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->fn = fn;
	j->ctx = ctx;
	j->max_depth = max_depth;
	if (!deepen(j, MIN(max_depth, LEVELS_MIN)))
		return -ENOMEM;
	json_reset(j);
	*ret = steal(j);
	return 0;
}

void json_free(struct json **j)
{
	if (!*j)
		return;
	free((*j)->levels);
	free((*j)->index);
	explicit_bzero(*j, sizeof(**j));
	free(*j);
	*j = NULL;
}

uint64_t json_skipped(const struct json *j)
{
	return j->skipped;
}

/* --- path and events */

static void path_add(struct json *j, uint8_t c)
{
	if (j->deep)
		return;
	if (j->path_len == JSON_PATH_MAX - 1) {
		j->deep = true;
		j->skipped++;
		return;
	}
	j->path[j->path_len++] = (char)c;
	j->hash = (j->hash ^ c) * FNV_PRIME;
}

/* Bytes of a key: those that have a meaning in paths come as '_'. */
static void path_add_key(struct json *j, struct span key)
{
	static const bool special[256] = { [0] = true, ['.'] = true, ['['] = true, [']'] = true };
	size_t n = MIN(key.len, (size_t)JSON_PATH_MAX - 1 - j->path_len);
	char *to = j->path + j->path_len;
	uint32_t hash = j->hash;

	if (j->deep)
		return;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = special[key.p[i]] ? '_' : key.p[i];

		to[i] = (char)c;
		hash = (hash ^ c) * FNV_PRIME;
	}
	j->hash = hash;
	j->path_len = (uint16_t)(j->path_len + n);
	if (n < key.len) {
		j->deep = true;
		j->skipped++;
	}
}

static void path_back(struct json *j, const struct level *to)
{
	j->path_len = to->len;
	j->hash = to->hash;
	j->deep = to->deep;
}

static void emit(struct json *j, enum json_kind kind, struct span text, bool first, bool last)
{
	struct json_event e = {
		.kind = kind,
		.path = j->deep ? "" : j->path,
		.path_len = j->deep ? 0 : j->path_len,
		.path_hash = j->deep ? FNV_BASIS : j->hash,
		.index = j->index,
		.n_index = j->n_index,
		.depth = j->depth,
		.text = text,
		.first = first,
		.last = last,
		.damaged = j->lost,
		.deep = j->deep,
	};

	j->path[j->path_len] = 0;
	j->fn(j->ctx, &e);
}

static bool in_array(const struct json *j)
{
	return j->depth && j->levels[j->depth - 1].array;
}

static bool in_object(const struct json *j)
{
	return j->depth && !j->levels[j->depth - 1].array;
}

static void key_begin(struct json *j)
{
	path_back(j, &j->levels[j->depth - 1]);
	if (j->path_len)
		path_add(j, '.');
}

/* The value that comes has a key that was lost. */
static void key_unknown(struct json *j)
{
	if (!in_object(j))
		return;
	key_begin(j);
	path_add(j, '?');
}

static void resync(struct json *j, enum seen seen)
{
	j->state = RESYNC;
	j->seen = seen;
}

static void value_end(struct json *j, enum state at_top)
{
	if (j->depth) {
		j->state = NEXT;
	} else if (j->adrift) {
		resync(j, SEEN_SPACE);
	} else {
		j->lost = false;
		j->state = at_top;
	}
}

static void push(struct json *j, bool array)
{
	if (j->depth == j->max_depth || (j->depth == j->room && !deepen(j, j->max_depth))) {
		j->skipped++;
		j->skip_depth = 1;
		j->state = SKIP;
		return;
	}
	emit(j, array ? JSON_ARRAY : JSON_OBJECT, span_of(NULL, 0), true, true);
	j->levels[j->depth++] = (struct level){ j->hash, j->path_len, j->deep, array };
	j->state = array ? FIRST_VALUE : FIRST_KEY;
	if (array) {
		j->index[j->n_index++] = 0;
		path_add(j, '[');
		path_add(j, ']');
	}
}

static void pop(struct json *j)
{
	bool array = in_array(j);

	path_back(j, &j->levels[--j->depth]);
	j->n_index -= array;
	emit(j, array ? JSON_ARRAY_END : JSON_OBJECT_END, span_of(NULL, 0), true, true);
	value_end(j, TOP);
}

/* The byte at hand cannot be JSON: the caller looks at it again in the new state. */
static void unexpected(struct json *j)
{
	if (!j->lost) {
		j->broken = true;
		if (!j->depth) {
			j->state = DEAD;
			return;
		}
		j->lost = true;
	}
	resync(j, SEEN_NOTHING);
}

/* --- strings */

static void out_flush(struct json *j, bool last)
{
	struct span text = span_of(j->out, j->out_len);

	if (!text.len && !last)
		return;
	j->out_len = 0;
	emit(j, JSON_STRING, text, !j->given, last);
	j->given = true;
}

/* Decoded text, valid UTF-8. */
static void string_add(struct json *j, struct span s)
{
	if (j->is_key) {
		path_add_key(j, s);
		return;
	}
	if (s.len > OUT_MAX - j->out_len)
		out_flush(j, false);
	if (s.len > OUT_MAX) {
		emit(j, JSON_STRING, s, !j->given, false);
		j->given = true;
		return;
	}
	memcpy(j->out + j->out_len, s.p, s.len);
	j->out_len += s.len;
}

static void string_char(struct json *j, uint32_t cp)
{
	uint8_t c[4];

	string_add(j, span_of(c, utf8_encode(cp, c)));
}

#define REPLACEMENT 0xfffd

/* What was begun and can no longer be completed becomes one replacement character. */
static void string_settle(struct json *j)
{
	if (j->high || j->utf8_need)
		string_char(j, REPLACEMENT);
	j->high = 0;
	j->utf8_need = 0;
}

static void string_begin(struct json *j, bool is_key)
{
	j->state = STRING;
	j->in_string = PLAIN;
	j->is_key = is_key;
	j->given = false;
	j->high = 0;
	j->utf8_need = 0;
	j->out_len = 0;
	if (is_key)
		key_begin(j);
}

static void string_end(struct json *j)
{
	string_settle(j);
	if (j->is_key) {
		j->state = COLON;
		return;
	}
	out_flush(j, true);
	value_end(j, TOP);
}

/* Broken inside a string: it goes on. */
static void string_broken(struct json *j)
{
	if (!j->lost)
		j->broken = true;
	j->lost = true;
}

/* A byte of a multi-byte character, RFC 3629; what cannot be one becomes a replacement character
 * for each maximal part, as the Unicode standard recommends (section 3.9). Returns whether the byte
 * was taken.
 */
static bool string_utf8(struct json *j, uint8_t c)
{
	if (j->utf8_need) {
		if (c < j->utf8_low || c > j->utf8_high) {
			string_settle(j);
			return false;
		}
		j->utf8[j->utf8_len++] = c;
		j->utf8_low = 0x80;
		j->utf8_high = 0xbf;
		if (j->utf8_len == j->utf8_need) {
			j->utf8_need = 0;
			string_add(j, span_of(j->utf8, j->utf8_len));
		}
		return true;
	}
	if (c < 0xc2 || c > 0xf4) {
		string_char(j, REPLACEMENT);
		return true;
	}
	j->utf8_need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	j->utf8_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	j->utf8_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	j->utf8[0] = c;
	j->utf8_len = 1;
	return true;
}

/* A whole \uXXXX. */
static void string_unit(struct json *j)
{
	uint32_t high = j->high, unit = j->unit;
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (high && is_low) {
		j->high = 0;
		string_char(j, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
		return;
	}
	string_settle(j);
	if (unit >= 0xd800 && unit <= 0xdbff)
		j->high = unit;
	else
		string_char(j, is_low ? REPLACEMENT : unit);
}

static const uint8_t escapes[256] = {
	['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
	['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

static void string_escape(struct json *j, uint8_t c)
{
	if (c == 'u') {
		j->in_string = HEX;
		j->n_hex = 0;
		j->unit = 0;
		return;
	}
	string_settle(j);
	j->in_string = PLAIN;
	if (!escapes[c])
		string_broken(j);
	if (c < 0x80)
		string_char(j, escapes[c] ? escapes[c] : c);
	else
		string_utf8(j, c);
}

/* One byte that may not stand for itself. Returns whether it was taken. */
static bool string_step(struct json *j, uint8_t c)
{
	int digit;

	switch (j->in_string) {
	case ESCAPE:
		string_escape(j, c);
		return true;
	case HEX:
		digit = ascii_hex(c);
		if (digit < 0) {
			string_broken(j);
			string_settle(j);
			string_char(j, REPLACEMENT);
			j->in_string = PLAIN;
			return false;
		}
		j->unit = j->unit << 4 | (uint32_t)digit;
		if (++j->n_hex == 4) {
			j->in_string = PLAIN;
			string_unit(j);
		}
		return true;
	case PLAIN:
		break;
	}
	if (j->utf8_need)
		return string_utf8(j, c);
	if (c == '\\') {
		j->in_string = ESCAPE; /* a high surrogate still waits */
		return true;
	}
	string_settle(j);
	if (c == '"') {
		string_end(j);
	} else if (c >= 0x80) {
		string_utf8(j, c);
	} else {
		if (c < 0x20)
			string_broken(j);
		string_char(j, c);
	}
	return true;
}

/* Length of the leading run that stands for itself: ASCII and whole valid characters. */
static size_t string_plain(struct span in)
{
	size_t n = scan_json(in);
	uint32_t cp;

	while (n < in.len && in.p[n] >= 0x80) {
		size_t len = utf8_decode(span_sub(in, n, in.len), &cp);

		if (!len)
			break;
		n += len;
		if (n < in.len && in.p[n] < 0x80)
			n += scan_json(span_sub(in, n, in.len));
	}
	return n;
}

/* A run of whole \uXXXX, which some clients write for every character that is not ASCII; returns
 * how many bytes were taken. */
static size_t string_units(struct json *j, struct span in)
{
	size_t i = 0;

	for (; in.len - i >= 6 && in.p[i] == '\\' && in.p[i + 1] == 'u'; i += 6) {
		uint32_t unit = 0;
		int any = 0;

		for (size_t k = 2; k < 6; k++) {
			int digit = ascii_hex(in.p[i + k]);

			any |= digit; /* negative when one is no digit */
			unit = unit << 4 | (digit & 0xf);
		}
		if (any < 0)
			break;
		j->unit = unit;
		string_unit(j);
	}
	return i;
}

/* Up to the end of the string or of the input; returns how many bytes were taken. */
static size_t string_run(struct json *j, struct span in)
{
	size_t i = 0;

	while (i < in.len && j->state == STRING) {
		size_t n = 0;

		if (j->in_string == PLAIN && !j->high && !j->utf8_need)
			n = string_plain(span_sub(in, i, in.len));
		if (n && i + n < in.len && in.p[i + n] == '"' && j->is_key) {
			path_add_key(j, span_sub(in, i, n));
			i += n + 1;
			j->state = i < in.len && in.p[i] == ':' ? VALUE : COLON;
			return i + (j->state == VALUE);
		}
		if (n && i + n < in.len && in.p[i + n] == '"' && !j->out_len) {
			/* The rest of the string as it stands: nothing to copy. */
			emit(j, JSON_STRING, span_sub(in, i, n), !j->given, true);
			value_end(j, TOP);
			return i + n + 1;
		}
		if (n)
			string_add(j, span_sub(in, i, n));
		i += n;
		if (j->in_string == PLAIN && !j->utf8_need)
			i += string_units(j, span_sub(in, i, in.len));
		if (i < in.len)
			i += string_step(j, in.p[i]);
	}
	if (j->state == STRING && !j->is_key)
		out_flush(j, false);
	return i;
}

/* --- numbers and literals */

static enum in_number number_next(enum in_number at, uint8_t c)
{
	bool digit = c >= '0' && c <= '9';

	switch (at) {
	case MINUS:
		return c == '0' ? ZERO : digit ? DIGITS : NUMBER_END;
	case DIGITS:
		if (digit)
			return DIGITS;
		/* fall through */
	case ZERO:
		return c == '.' ? POINT : (c | 0x20) == 'e' ? EXP : NUMBER_END;
	case POINT:
		return digit ? FRACTION : NUMBER_END;
	case FRACTION:
		return digit ? FRACTION : (c | 0x20) == 'e' ? EXP : NUMBER_END;
	case EXP:
		if (c == '+' || c == '-')
			return EXP_SIGN;
		/* fall through */
	case EXP_SIGN:
	case EXP_DIGITS:
		return digit ? EXP_DIGITS : NUMBER_END;
	case NUMBER_MAX_:
		break;
	}
	return NUMBER_END;
}

static bool number_whole(const struct json *j)
{
	return j->in_number == ZERO || j->in_number == DIGITS || j->in_number == FRACTION ||
	       j->in_number == EXP_DIGITS;
}

static void number_out(struct json *j, struct span text)
{
	if (text.len > JSON_NUMBER_MAX)
		j->skipped++;
	else
		emit(j, JSON_NUMBER, text, true, true);
	value_end(j, TOP_SPACE);
}

static size_t number_run(struct json *j, struct span in)
{
	size_t n = 0, kept = MIN(j->number_len, (size_t)JSON_NUMBER_MAX), more;

	for (; n < in.len; n++) {
		enum in_number next = number_next(j->in_number, in.p[n]);

		if (next == NUMBER_END)
			break;
		j->in_number = next;
	}
	if (n < in.len && !number_whole(j)) {
		unexpected(j);
		return n;
	}
	if (n < in.len && !j->number_len) {
		number_out(j, span_sub(in, 0, n));
		return n;
	}
	more = MIN(n, JSON_NUMBER_MAX - kept);
	memcpy(j->number + kept, in.p, more);
	j->number_len += n;
	if (n < in.len)
		number_out(j, span_of(j->number, j->number_len));
	return n;
}

static const struct literal {
	struct span text;
	enum json_kind kind;
} literals[] = {
	{ { (const uint8_t *)"true", 4 }, JSON_TRUE },
	{ { (const uint8_t *)"false", 5 }, JSON_FALSE },
	{ { (const uint8_t *)"null", 4 }, JSON_NULL },
};

static size_t literal_run(struct json *j, struct span in)
{
	size_t n = 0;

	while (n < in.len && j->literal_at < j->literal->text.len &&
	       in.p[n] == j->literal->text.p[j->literal_at]) {
		n++;
		j->literal_at++;
	}
	if (j->literal_at == j->literal->text.len) {
		emit(j, j->literal->kind, span_of(NULL, 0), true, true);
		value_end(j, TOP_SPACE);
	} else if (n < in.len) {
		unexpected(j);
	}
	return n;
}

/* --- what is nested too deep */

static size_t skip_run(struct json *j, struct span in)
{
	size_t i = 0;

	while (i < in.len && j->state == SKIP) {
		uint8_t c = in.p[i++];

		if (c == '"')
			j->state = SKIP_STRING;
		else if (c == '[' || c == '{')
			j->skip_depth++;
		else if ((c == ']' || c == '}') && !--j->skip_depth)
			value_end(j, TOP);
	}
	return i;
}

static size_t skip_string(struct json *j, struct span in)
{
	size_t n = scan_json(in);

	if (n == in.len)
		return n;
	if (in.p[n] == '"')
		j->state = SKIP;
	else if (in.p[n] == '\\')
		j->state = SKIP_ESCAPE;
	return n + 1;
}

/* --- structure */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* c begins a value, or is unexpected. Returns whether it was taken. */
static bool value_begin(struct json *j, uint8_t c)
{
	switch (c) {
	case '"':
		string_begin(j, false);
		return true;
	case '{':
	case '[':
		push(j, c == '[');
		return true;
	case '-':
	case '0' ... '9':
		j->state = NUMBER;
		j->in_number = MINUS;
		j->number_len = 0;
		if (c == '-') {
			j->number[j->number_len++] = c;
			return true;
		}
		return false; /* number_run() takes it */
	default:
		for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
			if (c != literals[i].text.p[0])
				continue;
			j->state = LITERAL;
			j->literal = &literals[i];
			j->literal_at = 0;
			return false;
		}
		unexpected(j);
		return false;
	}
}

static bool comma(struct json *j)
{
	if (in_array(j))
		j->index[j->n_index - 1]++;
	j->state = in_array(j) ? VALUE : KEY;
	return true;
}

/* The end of the container that is open, or unexpected. */
static bool close_container(struct json *j, uint8_t c)
{
	if (c == ']' ? !in_array(j) : !in_object(j)) {
		unexpected(j);
		return false;
	}
	pop(j);
	return true;
}

/* Lost: believes structural bytes, and quotes as far as what stood before them tells what they do.
 */
static bool resync_step(struct json *j, uint8_t c)
{
	switch (c) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		if (j->seen == SEEN_NOTHING)
			j->seen = SEEN_SPACE;
		if (c == '\n' && !j->depth) {
			/* The next line of NDJSON. */
			j->state = TOP;
			j->lost = j->adrift = false;
		}
		return true;
	case ',':
		if (j->depth)
			return comma(j);
		j->seen = SEEN_SPACE;
		return true;
	case ':':
		key_unknown(j);
		j->state = VALUE;
		return true;
	case '{':
	case '[':
		key_unknown(j);
		push(j, c == '[');
		return true;
	case '}':
	case ']':
		/* One that closes nothing belongs to a container whose beginning was lost. */
		if (c == ']' ? in_array(j) : in_object(j))
			pop(j);
		else if (j->depth)
			j->state = NEXT;
		else
			j->seen = SEEN_SPACE;
		return true;
	case '"':
		if (j->seen == SEEN_NOTHING)
			j->state = RESYNC_QUOTE;
		else if (j->seen == SEEN_SPACE)
			string_begin(j, in_object(j));
		else if (j->depth)
			j->state = NEXT; /* the end of a string whose beginning was lost */
		else
			j->seen = SEEN_SPACE;
		return true;
	default:
		j->seen = SEEN_TEXT;
		return true;
	}
}

/* Returns whether c was taken. */
static bool step(struct json *j, uint8_t c)
{
	switch (j->state) {
	case RESYNC:
		return resync_step(j, c);
	case RESYNC_QUOTE:
		if (is_space(c) || c == ',' || c == ':' || c == '}' || c == ']')
			resync(j, SEEN_SPACE);
		else
			string_begin(j, in_object(j));
		return false;
	case SKIP_ESCAPE:
		j->state = SKIP_STRING;
		return true;
	case TOP_SPACE:
		if (!is_space(c)) {
			unexpected(j);
			return false;
		}
		j->state = TOP;
		return true;
	default:
		break;
	}
	if (is_space(c))
		return true;
	switch (j->state) {
	case FIRST_VALUE:
		if (c == ']')
			return close_container(j, c);
		return value_begin(j, c);
	case TOP:
	case VALUE:
		return value_begin(j, c);
	case FIRST_KEY:
	case KEY:
		if (c == '"') {
			string_begin(j, true);
			return true;
		}
		if (c == '}' && j->state == FIRST_KEY)
			return close_container(j, c);
		break;
	case COLON:
		if (c == ':') {
			j->state = VALUE;
			return true;
		}
		break;
	case NEXT:
		if (c == ',')
			return comma(j);
		if (c == ']' || c == '}')
			return close_container(j, c);
		break;
	default:
		break;
	}
	unexpected(j);
	return false;
}

/* A byte order mark at the very beginning is passed over: servers' readers accept it. Returns
 * whether c was taken. */
static bool take_bom(struct json *j, uint8_t c)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };

	if (j->utf8_len < sizeof(bom) && c == bom[j->utf8_len]) {
		j->utf8_len++;
		return true;
	}
	j->fresh = false;
	if (j->utf8_len && j->utf8_len < sizeof(bom))
		unexpected(j);
	return false;
}

int json_feed(struct json *j, struct span in)
{
	size_t i = 0;

	if (j->fresh)
		while (i < in.len && j->fresh)
			i += take_bom(j, in.p[i]);
	while (i < in.len && j->state != DEAD) {
		struct span rest = span_sub(in, i, in.len);

		switch (j->state) {
		case STRING:
			i += string_run(j, rest);
			break;
		case NUMBER:
			i += number_run(j, rest);
			break;
		case LITERAL:
			i += literal_run(j, rest);
			break;
		case SKIP:
			i += skip_run(j, rest);
			break;
		case SKIP_STRING:
			i += skip_string(j, rest);
			break;
		case NEXT:
			/* What mostly follows a value: another key. */
			if (rest.len > 1 && rest.p[0] == ',' && rest.p[1] == '"' && in_object(j)) {
				string_begin(j, true);
				i += 2;
				break;
			}
			/* fall through */
		default:
			i += step(j, in.p[i]);
			break;
		}
	}
	return j->broken ? -EBADMSG : 0;
}

void json_gap(struct json *j, uint64_t n)
{
	(void)n; /* how many bytes were lost makes no difference */
	if (j->state == DEAD)
		return;
	j->fresh = false;
	j->lost = true;
	if (!j->depth)
		j->adrift = true;
	switch (j->state) {
	case STRING:
		string_settle(j);
		if (j->in_string != PLAIN)
			string_char(j, REPLACEMENT);
		if (j->is_key)
			path_add(j, '?'); /* no key that was cut matches a whole one */
		else
			out_flush(j, false);
		j->in_string = PLAIN;
		break;
	case SKIP:
	case SKIP_STRING:
	case SKIP_ESCAPE:
		break;
	default:
		resync(j, SEEN_NOTHING);
		break;
	}
}

bool json_between(const struct json *j)
{
	return (j->state == TOP || j->state == TOP_SPACE) && !j->fresh;
}

int json_end(struct json *j)
{
	bool whole;

	if (j->state == NUMBER && !j->depth && number_whole(j))
		number_out(j, span_of(j->number, j->number_len));
	if (j->fresh)
		take_bom(j, 0);
	whole = !j->broken && (j->state == TOP || j->state == TOP_SPACE);
	j->lost = true;
	if (j->state == STRING && j->in_string != PLAIN)
		string_char(j, REPLACEMENT);
	if (j->state == STRING)
		string_end(j);
	while (j->depth)
		pop(j);
	json_reset(j);
	return whole ? 0 : -EBADMSG;
}
