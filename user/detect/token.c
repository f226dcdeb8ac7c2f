/* user/detect/token.c - a matcher for the shapes of tokens. */
#include "detect/token.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct match {
	struct span text;
	unsigned steps;
};

/* One element of a shape: what it is and how often it may come. */
struct element {
	const char *at;	       /* its first character */
	const char *inner_end; /* behind it, before the count */
	const char *next;
	unsigned min, max;
};

bool token_class(const char **at, uint8_t c)
{
	const char *p = *at + (**at == '^');
	bool in = false, not = **at == '^';

	for (; *p != ']'; p++) {
		uint8_t from = *p == '\\' ? *++p : *p;
		uint8_t to = from;

		assert(*p);
		if (p[1] == '-' && p[2] != ']') {
			p += 2;
			to = *p;
		}
		in |= c >= from && c <= to;
	}
	*at = p + 1;
	return in != not ;
}

static const char *group_end(const char *p)
{
	unsigned depth = 0;

	for (;; p++) {
		assert(*p);
		if (*p == '\\')
			p++;
		else if (*p == '[')
			while (*++p != ']')
				;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && !--depth)
			return p + 1;
	}
}

static struct element element_at(const char *p)
{
	struct element e = { .at = p, .min = 1, .max = 1 };
	char *end;

	if (*p == '[') {
		e.inner_end = p + 1;
		token_class(&e.inner_end, 0);
	} else if (*p == '(') {
		e.inner_end = group_end(p);
	} else {
		e.inner_end = p + (*p == '\\' ? 2 : 1);
	}
	e.next = e.inner_end;
	if (*e.next == '?') {
		e.min = 0;
		e.next++;
	} else if (*e.next == '{') {
		e.min = e.max = (unsigned)strtoul(e.next + 1, &end, 10);
		if (*end == ',')
			e.max = (unsigned)strtoul(end + 1, &end, 10);
		assert(*end == '}');
		e.next = end + 1;
	}
	return e;
}

/* What remains to be matched: a shape up to its end, ')' or '|', and what comes behind that. */
struct rest {
	const char *at;
	const struct rest *up;
};

static size_t match(struct match *m, size_t at, const struct rest *r, bool *ok);

static size_t match_group(struct match *m, size_t at, const struct element *e,
			  const struct rest *after, bool *ok)
{
	const char *p = e->at + 3; /* "(?:" */
	size_t end;

	for (;;) {
		struct rest branch = { p, after };

		end = match(m, at, &branch, ok);
		if (*ok)
			return end;
		for (unsigned depth = 0; depth || (*p != '|' && *p != ')'); p++) {
			if (*p == '\\')
				p++;
			else if (*p == '[')
				while (*++p != ']')
					;
			else if (*p == '(')
				depth++;
			else if (*p == ')')
				depth--;
		}
		if (*p++ == ')')
			return 0;
	}
}

/* The one character that must come at this place of a shape; 0: there are several. */
static uint8_t plain(const char *p)
{
	if (!*p || strchr("[()|", *p))
		return 0;
	p += *p == '\\';
	return p[1] && strchr("?{", p[1]) ? 0 : (uint8_t)*p;
}

/* Matches the rest from at on; *ok tells whether, the result where it ended. */
static size_t match(struct match *m, size_t at, const struct rest *r, bool *ok)
{
	struct element e;
	unsigned n = 0;
	size_t end;
	uint8_t next;

	*ok = false;
	if (++m->steps > TOKEN_STEPS_MAX)
		return 0;
	while (!*r->at || *r->at == ')' || *r->at == '|') {
		if (!r->up) {
			*ok = true;
			return at;
		}
		r = r->up;
	}
	e = element_at(r->at);
	struct rest after = { e.next, r->up };

	if (*e.at == '(') {
		assert(e.max == 1); /* a group is there, or with ? not */
		end = match_group(m, at, &e, &after, ok);
		return *ok || e.min ? end : match(m, at, &after, ok);
	}
	for (; n < e.max && at + n < m->text.len; n++) {
		uint8_t c = m->text.p[at + n];
		const char *p = e.at + 1;

		if (*e.at == '[' ? !token_class(&p, c) : c != (uint8_t)e.at[*e.at == '\\'])
			break;
	}
	/* Give back one by one. Where a plain character must follow, most places are ruled out by a
	 * look. */
	next = plain(e.next);
	for (; n + 1 > e.min; n--) {
		if (!next || (at + n < m->text.len && m->text.p[at + n] == next)) {
			end = match(m, at + n, &after, ok);
			if (*ok)
				return end;
		}
		if (!n)
			break;
	}
	return 0;
}

size_t token_match(const char *shape, struct span text)
{
	struct match m = { .text = text };
	struct rest whole = { shape, NULL };
	bool ok;
	size_t end = match(&m, 0, &whole, &ok);

	return ok ? end : 0;
}

size_t token_literal(const char *shape)
{
	size_t n = 0;

	while (shape[n] && !strchr("[(\\", shape[n]) &&
	       (!shape[n + 1] || !strchr("?{", shape[n + 1])))
		n++;
	return n;
}
