/* user/intel/feed.c - the three forms of feeds.
 * Owns a line or the object in hand, capped.
 */
#include "intel/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "parse/json.h"

#define JSON_DEPTH 32
#define DATE_ROOM  40

enum form { FORM_UNKNOWN, FORM_LINES, FORM_JSON };

struct feed {
	struct build *build;
	uint64_t now_s;
	enum form form;
	struct buf line; /* carried over; of a pattern, a value */
	bool long_line;
	struct json *json;
	bool binary; /* holds a NUL */
	int err;
	/* The JSON object in hand: a STIX object or a MISP attribute. */
	struct object {
		char type[40], until[DATE_ROOM], pattern_type[16];
		bool revoked, deleted, to_ids, has_value, too_long;
	} object;
};

/* --- lines */

static void add(struct feed *f, struct span text, uint64_t expires_s, enum feed_count *ret)
{
	int err = build_add(f->build, text, expires_s, ret);

	f->err = f->err ? f->err : err;
}

static bool separates(uint8_t c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '"' || c == '\'';
}

/* The first field that is an indicator. */
static void take_line(struct feed *f, struct span line)
{
	enum feed_count best = FEED_OTHER, got;

	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	line = span_trim(line);
	if (!line.len || memchr("#;!", line.p[0], 3) || span_starts(line, SPAN_LIT("//")))
		return;
	while (line.len && separates(line.p[0]))
		line = span_sub(line, 1, line.len);
	while (line.len && best != FEED_TAKEN) {
		size_t n = 0;

		while (n < line.len && !separates(line.p[n]))
			n++;
		if (line.p[0] == '#' && n)
			break;
		if (n) {
			add(f, span_sub(line, 0, n), 0, &got);
			/* Commas are part of some URLs, and end others: both are taken. */
			if (got == FEED_TAKEN && n < line.len && memchr(",;'", line.p[n], 3) &&
			    memchr(line.p, '/', n)) {
				size_t all = n;

				while (all < line.len && !memchr(" \t\"", line.p[all], 3))
					all++;
				add(f, span_sub(line, 0, all), 0, &got);
			}
			/* In a hosts file the domain stands behind an address of this host. */
			best = got == FEED_OTHER ? best : got;
		}
		while (n < line.len && separates(line.p[n]))
			n++;
		line = span_sub(line, n, line.len);
	}
	build_count(f->build, best);
}

static void end_line(struct feed *f)
{
	if (f->long_line)
		build_count(f->build, FEED_LONG);
	else
		take_line(f, buf_span(&f->line));
	buf_clear(&f->line);
	f->long_line = false;
}

static void read_lines(struct feed *f, struct span in)
{
	while (in.len && !f->err) {
		const uint8_t *nl = memchr(in.p, '\n', in.len);
		size_t n = nl ? (size_t)(nl - in.p) : in.len;
		struct span piece = span_sub(in, 0, n);

		f->binary |= memchr(piece.p, 0, n) != NULL;
		if (nl && !f->line.len && !f->long_line && piece.len <= FEED_LINE_MAX) {
			take_line(f, piece);
		} else {
			int err = f->long_line ? 0 : buf_add(&f->line, piece);

			f->long_line |= err == -E2BIG;
			if (err == -ENOMEM)
				f->err = err;
			if (nl)
				end_line(f);
		}
		in = span_sub(in, n + (nl != NULL), in.len);
	}
}

/* --- STIX */

/* Unix time of an RFC 3339 date; 0: none. Offsets are rare, and hours. Not by timegm(), which looks
 * for files of time zones. */
static uint64_t date(const char *text)
{
	static const unsigned before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	unsigned y, m, d, h = 0, min = 0, s = 0;
	uint64_t days;

	if (sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u", &y, &m, &d, &h, &min, &s) < 3 || y < 1970 ||
	    m < 1 || m > 12 || d < 1 || d > 31)
		return 0;
	days = (y - 1970) * 365ULL + (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400 +
	       before[m - 1] + d - 1;
	days += m > 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
	return days * 86400 + h * 3600 + min * 60 + s;
}

struct pattern {
	struct span s;
	size_t at;
	bool unescape; /* texts, where they stand: once only */
};

static void skip_blank(struct pattern *p)
{
	while (p->at < p->s.len && strchr(" \t\r\n", p->s.p[p->at]) && p->s.p[p->at])
		p->at++;
}

/* The next word, sign or quoted text, which keeps its first quote. */
static struct span token(struct pattern *p)
{
	static const char signs[] = "[](),=";
	struct span t;
	size_t n = 0;
	uint8_t *q;

	skip_blank(p);
	t = span_sub(p->s, p->at, p->s.len);
	if (!t.len)
		return t;
	if (t.p[0] == '\'') {
		q = (uint8_t *)t.p;
		for (size_t i = 1; i < t.len && t.p[i] != '\''; i++) {
			i += t.p[i] == '\\' && i + 1 < t.len;
			n++;
			if (p->unescape)
				q[n] = t.p[i];
			p->at = (size_t)(t.p - p->s.p) + i + 1;
		}
		p->at = MAX(p->at, (size_t)(t.p - p->s.p) + 1) + 1;
		p->at = MIN(p->at, p->s.len);
		return span_sub(t, 0, n + 1);
	}
	if (strchr(signs, t.p[0]) && t.p[0]) {
		p->at++;
		return span_sub(t, 0, 1);
	}
	while (n < t.len && !(t.p[n] && strchr("[](),='\t\r\n ", t.p[n])))
		n++;
	p->at += n;
	return span_sub(t, 0, n);
}

static bool is(struct span t, const char *word)
{
	return span_eq_nocase(t, span_str(word));
}

static bool network_object(struct span t)
{
	static const char *const paths[] = { "url:value", "domain-name:value", "ipv4-addr:value",
					     "ipv6-addr:value" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (is(t, paths[i]))
			return true;
	return false;
}

/* Only "one of these addresses" is what an index can say. take: adds them, and counts those
 * added. */
static enum feed_count walk(struct feed *f, struct span text, uint64_t expires_s, bool take)
{
	struct pattern p = { .s = text, .unescape = take };
	enum feed_count ret = take ? FEED_TAKEN : FEED_OTHER, got;
	bool network = false, list = false;
	struct span t;

	while ((t = token(&p)).len) {
		if (is(t, "AND") || is(t, "FOLLOWEDBY") || is(t, "NOT") || is(t, "LIKE") ||
		    is(t, "MATCHES") || is(t, "!=") || is(t, "START") || is(t, "REPEATS") ||
		    is(t, "WITHIN") || t.p[0] == '!' || t.p[0] == '<' || t.p[0] == '>')
			return FEED_COMPLEX;
		if (is(t, "IN"))
			list = true;
		if (t.p[0] == '\'' && network) {
			if (take) {
				add(f, span_sub(t, 1, t.len), expires_s, &got);
				if (got == FEED_TAKEN)
					build_count(f->build, got);
				else
					ret = got;
			} else {
				ret = FEED_TAKEN;
			}
			network = list;
		}
		if (t.p[0] == ')')
			network = list = false;
		if (t.len > 8 && memchr(t.p, ':', t.len) && t.p[0] != '\'')
			network = network_object(t);
	}
	return ret;
}

static void take_indicator(struct feed *f)
{
	const struct object *o = &f->object;
	uint64_t until = date(o->until);
	enum feed_count why;

	if (o->too_long)
		why = FEED_LONG;
	else if (!o->has_value || (*o->pattern_type && strcmp(o->pattern_type, "stix") != 0))
		why = FEED_OTHER;
	else if (o->revoked || (until && until <= f->now_s))
		why = FEED_OUTDATED;
	else
		why = walk(f, buf_span(&f->line), until, false);
	if (why == FEED_TAKEN)
		why = walk(f, buf_span(&f->line), until, true);
	/* Those taken are counted one by one. */
	if (why != FEED_TAKEN)
		build_count(f->build, why);
}

/* --- MISP */

static void take_attribute(struct feed *f)
{
	static const char *const types[] = { "url",	    "domain",	   "hostname",
					     "ip-src",	    "ip-dst",	   "domain|ip",
					     "ip-src|port", "ip-dst|port", "hostname|port" };
	struct span v = buf_span(&f->line);
	const uint8_t *bar = v.len ? memchr(v.p, '|', v.len) : NULL;
	enum feed_count why = FEED_OTHER;

	for (size_t i = 0; i < ARRAY_SIZE(types) && why == FEED_OTHER; i++)
		if (!strcmp(f->object.type, types[i]))
			why = FEED_TAKEN;
	if (why == FEED_TAKEN && f->object.deleted)
		why = FEED_OUTDATED;
	else if (why == FEED_TAKEN && !f->object.to_ids)
		why = FEED_UNFIT;
	else if (why == FEED_TAKEN && f->object.too_long)
		why = FEED_LONG;
	/* Of a pair the first says it; the other is what it was seen with. */
	if (why == FEED_TAKEN)
		add(f, bar && strchr(f->object.type, '|') ? span_sub(v, 0, (size_t)(bar - v.p)) : v,
		    0, &why);
	build_count(f->build, why);
}

/* --- JSON */

static bool ends(const char *path, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && !memcmp(path + len - n, with, n);
}

static void put(char *to, size_t size, const struct json_event *e)
{
	size_t n = e->first ? 0 : strlen(to);

	snprintf(to + n, size - n, "%.*s", (int)MIN(e->text.len, size), (const char *)e->text.p);
}

/* Where objects of interest stand: alone, in a list, in a bundle; attributes anywhere in MISP's. */
static bool in_object(const char *path, size_t len, bool *ret_attribute)
{
	static const char *const places[] = { "", "[]", "objects[]" };

	*ret_attribute = ends(path, len, "Attribute[]");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (len == strlen(places[i]) && !memcmp(path, places[i], len))
			return true;
	return *ret_attribute;
}

static void on_member(struct feed *f, const struct json_event *e, const char *key, bool attribute)
{
	struct object *o = &f->object;
	int err;

	if (!strcmp(key, "revoked")) {
		o->revoked = e->kind == JSON_TRUE;
	} else if (!strcmp(key, "deleted")) {
		o->deleted = e->kind == JSON_TRUE;
	} else if (!strcmp(key, "to_ids")) {
		/* Also 1 and "1", which may come in pieces. */
		o->to_ids = e->kind == JSON_TRUE || (e->first ? span_eq(e->text, SPAN_LIT("1"))
							      : !e->text.len && o->to_ids);
	} else if (e->kind != JSON_STRING) {
		return;
	} else if (!strcmp(key, "type")) {
		put(o->type, sizeof(o->type), e);
	} else if (!strcmp(key, "valid_until")) {
		put(o->until, sizeof(o->until), e);
	} else if (!strcmp(key, "pattern_type")) {
		put(o->pattern_type, sizeof(o->pattern_type), e);
	} else if (!strcmp(key, attribute ? "value" : "pattern")) {
		if (e->first)
			buf_clear(&f->line);
		f->line.max = attribute ? FEED_LINE_MAX : FEED_PATTERN_MAX;
		err = buf_add(&f->line, e->text);
		o->has_value = true;
		o->too_long |= err == -E2BIG;
		f->err = err == -ENOMEM ? err : f->err;
	}
}

static void on_value(void *ctx, const struct json_event *e)
{
	const char *dot = strrchr(e->path, '.');
	struct feed *f = ctx;
	bool attribute;

	if (f->err || e->deep)
		return;
	if (e->kind == JSON_OBJECT || e->kind == JSON_OBJECT_END) {
		if (!in_object(e->path, e->path_len, &attribute))
			return;
		if (e->kind == JSON_OBJECT_END && attribute)
			take_attribute(f);
		else if (e->kind == JSON_OBJECT_END && !strcmp(f->object.type, "indicator"))
			take_indicator(f);
		memset(&f->object, 0, sizeof(f->object));
		buf_clear(&f->line);
	} else if (in_object(e->path, dot ? (size_t)(dot - e->path) : 0, &attribute)) {
		on_member(f, e, dot ? dot + 1 : e->path, attribute);
	}
}

/* --- a file */

int feed_new(struct feed **ret, struct build *b, uint64_t now_s)
{
	auto_free(feed) struct feed *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->build = b;
	f->now_s = now_s;
	f->line = BUF(FEED_LINE_MAX);
	err = json_new(&f->json, JSON_DEPTH, on_value, f);
	if (err)
		return err;
	*ret = steal(f);
	return 0;
}

void feed_free(struct feed **f)
{
	if (!*f)
		return;
	buf_free(&(*f)->line);
	json_free(&(*f)->json);
	free(*f);
	*f = NULL;
}

int feed_read(struct feed *f, struct span in)
{
	if (f->form == FORM_UNKNOWN) {
		/* A byte order mark, blanks. */
		while (in.len && strchr("\xef\xbb\xbf \t\r\n", in.p[0]) && in.p[0])
			in = span_sub(in, 1, in.len);
		if (in.len)
			f->form = in.p[0] == '{' || in.p[0] == '[' ? FORM_JSON : FORM_LINES;
	}
	if (f->form == FORM_JSON)
		json_feed(f->json, in);
	else if (f->form == FORM_LINES)
		read_lines(f, in);
	return f->err;
}

int feed_end(struct feed *f, const char **ret_why)
{
	int bad;

	if (f->form == FORM_LINES) {
		if (f->line.len || f->long_line)
			end_line(f);
	} else if (f->form == FORM_JSON) {
		bad = json_end(f->json);
		if (!f->err && bad) {
			*ret_why = "not complete JSON";
			return -EBADMSG;
		}
	}
	if (!f->err && f->binary) {
		*ret_why = "not text";
		return -EBADMSG;
	}
	return f->err;
}
