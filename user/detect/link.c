/* user/detect/link.c - finds addresses. A few neighbouring bytes say where one can be ("s:/", "[.",
 * a dot between letters); 60 places are tried at once, and the rest of the work is done there only.
 */
#include "detect/link.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/scan64.h"

#define FOREIGN_MIN  128 /* names beyond ASCII that are read of any text */
#define FOREIGN_EACH 512 /* ... and one more for so many bytes */
#define SCHEME_BACK  12	 /* bytes before the colon */
#define HOST_BACK    64	 /* before the first dot: a label */
#define IPV6_MAX     45
#define AROUND	     1024 /* bytes read before a link for its markup */
#define LABEL_LEN    512  /* of the text shown in its place */
#define REFERENCES   16	  /* uses of a reference that are looked at */
#define AHEAD	     3	  /* bytes behind a place that say whether an address can be there */
#define LOOK	     (SCAN64 - AHEAD)

void link_begin(struct link_scan *s, struct span text)
{
	*s = (struct link_scan){ .text = text,
				 .end = text.len,
				 .from = SIZE_MAX - LOOK,
				 .foreign.left = (unsigned)MIN(
				     FOREIGN_MIN + text.len / FOREIGN_EACH, (size_t)UINT_MAX) };
}

void link_only(struct link_scan *s, struct range lines)
{
	s->at = lines.begin;
	s->end = lines.end;
}

enum {
	C_WORD = 1 << 0,   /* letters, digits, beyond ASCII */
	C_LABEL = 1 << 1,  /* of a host's label, as it may be written */
	C_DOTTED = 1 << 2, /* of a host */
	C_NAME = 1 << 3,   /* behind a host: it is a call, a member, a variable */
	C_PART = 1 << 4,   /* before a host: it is a part of a path, of a longer name */
	C_PATH = 1 << 5,   /* most of what a path is made of */
	C_SCHEME = 1 << 6,
	C_IPV6 = 1 << 7,    /* of an address between dots */
	C_ON = 1 << 8,	    /* behind a host: it may go on, written for people */
	C_OPEN = 1 << 9,    /* the same behind a blank */
	C_QUOTED = 1 << 10, /* before an address without scheme */
	C_REST = 1 << 11,   /* before path, query, fragment */
};

#define C_ALNUM (C_WORD | C_LABEL | C_DOTTED | C_PATH | C_SCHEME)

static const uint16_t class_of[256] = {
	['a' ... 'c'] = C_ALNUM | C_IPV6,
	['A' ... 'C'] = C_ALNUM | C_IPV6,
	['d'] = C_ALNUM | C_IPV6 | C_OPEN,
	['D'] = C_ALNUM | C_IPV6 | C_OPEN,
	['e' ... 'f'] = C_ALNUM | C_IPV6,
	['E' ... 'F'] = C_ALNUM | C_IPV6,
	['g' ... 'z'] = C_ALNUM,
	['G' ... 'Z'] = C_ALNUM,
	['0' ... '9'] = C_ALNUM | C_IPV6,
	[0x80 ... 0xff] = C_WORD | C_LABEL | C_DOTTED,
	['-'] = C_LABEL | C_DOTTED | C_PATH | C_SCHEME,
	['.'] = C_DOTTED | C_PART | C_PATH | C_SCHEME,
	['+'] = C_SCHEME,
	[':'] = C_IPV6,
	['_'] = C_LABEL | C_NAME | C_ON,
	['%'] = C_LABEL | C_ON,
	['['] = C_ON | C_OPEN,
	['{'] = C_ON | C_OPEN,
	['('] = C_NAME | C_ON | C_OPEN | C_QUOTED,
	['='] = C_NAME | C_QUOTED,
	['"'] = C_QUOTED,
	['\''] = C_QUOTED,
	['$'] = C_NAME | C_PART,
	['/'] = C_PART | C_PATH | C_REST,
	['\\'] = C_PART | C_ON | C_REST,
	['~'] = C_PART,
	['?'] = C_REST,
	['#'] = C_REST,
};

static bool is_class(uint8_t c, unsigned classes)
{
	return class_of[c] & classes;
}

static bool word_char(uint8_t c)
{
	return is_class(c, C_WORD);
}

/* --- candidates */

/* Places where an address can be, among the first bytes of 64:
 *   p:/ s:/ :/ :\ ::       schemes, IPv6; not the colons of sentences
 *   //                     an address without scheme in HTML, Markdown
 *   [. [do [: (. (do {. \. something defanged
 *   x.x _dot               a dot inside of a word, or the word
 * before: the byte in front of them is one of a label.
 */
static SCAN64_INLINE uint64_t places_in(const uint8_t p[SCAN64], bool before, scan64_fn *of)
{
	uint64_t word = of(p, 0x20, 'a', 26) | of(p, 0, '0', 10) | of(p, 0, 0x80, 0x80);
	uint64_t label = word | of(p, 0, '-', 1) | of(p, 0, '_', 1) | of(p, 0, '%', 1);
	uint64_t dot = of(p, 0, '.', 1), colon = of(p, 0, ':', 1), slash = of(p, 0, '/', 1);
	uint64_t back = of(p, 0, '\\', 1), d_o = of(p, 0x20, 'd', 1) & of(p, 0x20, 'o', 1) >> 1;
	uint64_t open = of(p, 0x20, '[' | 0x20, 1) | of(p, 0, '(', 1); /* '{', too */
	uint64_t scheme = ((of(p, 0x20, 'p', 1) | of(p, 0x20, 's', 1)) & colon >> 1 &
			   (word | slash | back | open) >> 2) |
			  (colon & (slash | back | colon) >> 1);
	uint64_t defanged = (open | back) & (dot | d_o | colon) >> 1;
	uint64_t spelled = of(p, 0, ' ', 1) & d_o >> 1 & of(p, 0x20, 't', 1) >> 3;

	return (scheme | (dot & word >> 1 & (label << 1 | before)) | defanged | spelled |
		(slash & slash >> 1)) &
	       ~UINT64_C(0) >> AHEAD;
}

/* The first LOOK bytes at or behind *at, and before end, that have some; 0 when none have. */
static SCAN64_INLINE uint64_t look_with(struct span t, size_t *at, size_t end, scan64_fn *of)
{
	uint8_t tail[SCAN64];

	for (; *at < end; *at += LOOK) {
		uint64_t m =
		    places_in(scan64_at(t, *at, tail), *at && is_class(t.p[*at - 1], C_LABEL), of);

		if (m)
			return m;
	}
	return 0;
}

SCAN64_FUNCTION(uint64_t, look, (struct span t, size_t *at, size_t end), t, at, end)

/* The next one at or behind s->at; s->end when there is none. */
static size_t next_candidate(struct link_scan *s)
{
	size_t i = s->at;

	if (i - s->from < LOOK) {
		s->left &= ~UINT64_C(0) << (i - s->from);
		i = s->from + LOOK;
	} else {
		s->left = 0;
	}
	if (!s->left) {
		s->from = i;
		s->left = look(s->text, &s->from, s->end);
	}
	i = s->left ? s->from + (size_t)__builtin_ctzll(s->left) : s->end;
	return MIN(i, s->end);
}

/* --- how far it goes */

/* Punctuation beyond ASCII that ends an address: quotes, dashes, CJK and full-width signs. */
static bool ends_wide(struct span s)
{
	return s.len >= 3 &&
	       ((s.p[0] == 0xe2 && s.p[1] == 0x80) || (s.p[0] == 0xe3 && s.p[1] == 0x80) ||
		(s.p[0] == 0xef && s.p[1] == 0xbc) || (s.p[0] == 0xc2 && s.p[1] == 0xa0));
}

/* Where the run of bytes that path and query may have ends; Markdown goes on with "](". */
static size_t run_end(struct link_scan *s, size_t from)
{
	struct span t = s->text;
	size_t i = from;

	if (from < s->run_end)
		return s->run_end;
	for (; i < t.len; i++) {
		uint8_t c = t.p[i];

		if (is_class(c, C_PATH))
			continue;
		if (c <= 0x20 || c == 0x7f || c == '"' || c == '<' || c == '>' || c == '`' ||
		    (c == '\\' && !(i + 1 < t.len && t.p[i + 1] == '/')) ||
		    (c == ']' && i + 1 < t.len && t.p[i + 1] == '(') ||
		    (c >= 0x80 && ends_wide(span_sub(t, i, 3))))
			break;
	}
	s->run_end = i;
	return i;
}

/* The bracket that closes the one before an address. */
static size_t closing(struct link_scan *s, size_t begin, size_t from, size_t end)
{
	uint8_t open = begin ? s->text.p[begin - 1] : 0;
	uint8_t close = open == '(' ? ')' : open == '[' ? ']' : open == '{' ? '}' : open;
	size_t depth = 0, i;

	if (!open || !strchr("([{'|*_", open) || s->paired > 2 * s->text.len)
		return end;
	for (i = from; i < end; i++) {
		uint8_t c = s->text.p[i];

		if (c == close && !depth--)
			break;
		depth += c == open;
	}
	s->paired += i - from;
	return i;
}

/* Cuts what stands behind an address in a sentence. */
static size_t trim(struct span t, size_t from, size_t end)
{
	while (end > from) {
		uint8_t c = t.p[end - 1];
		uint8_t open = c == ')' ? '(' : c == ']' ? '[' : c == '}' ? '{' : 0;

		if (!strchr(".,;:!?'*_)]}|", c) || !c ||
		    (open && memchr(t.p + from, open, end - from)))
			break;
		end--;
	}
	return end;
}

static void take_rest(struct link_scan *s, struct link *l)
{
	size_t from = l->where.begin + l->url.authority, end = from;

	l->rest = span_of(NULL, 0);
	if (from < s->text.len && is_class(s->text.p[from], C_REST)) {
		/* Nothing but an escape of JSON or C behind a host. */
		if (s->text.p[from] == '\\' && from + 1 < s->text.len &&
		    strchr("nrtu\"'\\", s->text.p[from + 1]))
			end = from;
		else if (s->text.p[from] == '\\')
			end = MAX(run_end(s, from + 1), from + 1);
		else
			end = run_end(s, from);
		end = MIN(end, from + LINK_REST_MAX);
		end = closing(s, l->where.begin, from, end);
		end = trim(s->text, from, end);
		l->rest = span_sub(s->text, from, end - from);
	}
	l->where.end = MAX(end, from);
}

/* --- the address at a candidate */

static bool before_is(struct span t, size_t at, const char *low)
{
	size_t n = strlen(low);

	if (at < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(t.p[at - n + i]) != (uint8_t)low[i])
			return false;
	return true;
}

/* Begin of the scheme that ends before at, or at. */
static size_t scheme_back(const struct link_scan *s, size_t at)
{
	size_t i = at;

	while (i > s->floor && at - i < SCHEME_BACK && is_class(s->text.p[i - 1], C_SCHEME))
		i--;
	/* What precedes the scheme without a blank: "(see:https", "u003dhttps". */
	while (i < at && !ascii_letter(s->text.p[i]))
		i++;
	return i;
}

static bool with_scheme(struct link_scan *s, size_t colon, struct link *ret)
{
	uint8_t after = colon + 1 < s->text.len ? s->text.p[colon + 1] : 0;
	size_t begin;

	/* Most colons stand in sentences. */
	if (s->text.p[colon] == ':' && after != '/' && after != '\\' && after != '[' &&
	    !(word_char(after) &&
	      (before_is(s->text, colon, "http") || before_is(s->text, colon, "https"))))
		return false;
	for (begin = scheme_back(s, colon); begin < colon; begin++) {
		struct span t = span_sub(s->text, begin, s->text.len);

		if (url_read_of_many(&ret->url, t, &s->foreign) && *ret->url.scheme) {
			ret->form = LINK_URL;
			ret->where.begin = begin;
			return true;
		}
		/* "xhttps:": the known ones are tried behind what is in front of them. */
		if (colon - begin <= 2)
			break;
	}
	return false;
}

static bool ipv6(struct link_scan *s, size_t at, struct link *ret)
{
	size_t a = at, z = at;
	char text[IPV6_MAX + 1];

	while (a > s->floor && at - a < IPV6_MAX && is_class(s->text.p[a - 1], C_IPV6))
		a--;
	/* Names of programs: "std::string". */
	if (a && word_char(s->text.p[a - 1]))
		return false;
	while (z < s->text.len && z - a < IPV6_MAX &&
	       (is_class(s->text.p[z], C_IPV6) || s->text.p[z] == '.'))
		z++;
	while (z > at + 2 && (s->text.p[z - 1] == ':' || s->text.p[z - 1] == '.'))
		z--;
	if (z - a < 7 || z - a > IPV6_MAX || (z < s->text.len && word_char(s->text.p[z])))
		return false;
	memcpy(text, s->text.p + a, z - a);
	text[z - a] = 0;
	ret->url = (struct url){ .kind = HOST_IPV6, .traits = URL_NO_SCHEME, .authority = z - a };
	if (inet_pton(AF_INET6, text, ret->url.ip) != 1)
		return false;
	inet_ntop(AF_INET6, ret->url.ip, ret->url.host, sizeof(ret->url.host));
	ret->url.host_len = (uint8_t)strlen(ret->url.host);
	ret->form = LINK_BARE;
	ret->where.begin = a;
	return true;
}

/* All of an IPv4 address but its first number and the dot behind that? */
static bool three_numbers(struct span s)
{
	unsigned dots = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.')
			dots++;
		else if ((uint8_t)(s.p[i] - '0') >= 10)
			return false;
	}
	return dots == 2;
}

/* Does the run of letters, digits, dots and hyphens that ends at z, and holds a dot at at, end in
 * no top-level domain, so that it is no host whatever stands before it? */
static bool no_host(struct span t, size_t at, size_t z)
{
	uint8_t after = z < t.len ? t.p[z] : 0, then = z + 1 < t.len ? t.p[z + 1] : 0;
	size_t label;

	if (z - at > URL_AUTHORITY_MAX)
		return false;
	if (after == ' ' ? is_class(then, C_OPEN) : is_class(after, C_ON))
		return false;
	while (z > at && (t.p[z - 1] == '.' || t.p[z - 1] == '-'))
		z--;
	for (label = z; label > at && t.p[label - 1] != '.'; label--)
		if (t.p[label - 1] >= 0x80)
			return false;
	if (label <= at)
		return true;
	if ((uint8_t)(t.p[label] - '0') < 10)
		return !three_numbers(span_sub(t, at + 1, z - at - 1));
	return !url_top_level(span_sub(t, label, z - label));
}

/* A host whose first dot, plain, defanged or spelled out, is at. */
static bool bare(struct link_scan *s, size_t at, struct link *ret)
{
	size_t i, z, n;
	uint8_t before;
	bool wide = false;

	/* evil [dot] com */
	if (at > s->floor && s->text.p[at - 1] == ' ' && s->text.p[at] != '.' &&
	    strchr("[({", s->text.p[at]))
		at--;
	i = z = at;
	/* A call, a member, a file: foo.id(x), foo.py_old. Most dots in code end here. */
	if (s->dotted_end <= at) {
		for (s->dotted = 0; z < s->text.len && is_class(s->text.p[z], C_DOTTED); z++)
			s->dotted |= s->text.p[z];
		s->dotted_end = z;
	}
	z = s->dotted_end;
	if (z < s->text.len && is_class(s->text.p[z], C_NAME) && z > at) {
		s->at = MAX(s->at, z);
		return false;
	}
	if (s->text.p[at] == '.' && no_host(s->text, at, z)) {
		/* Nor do its other dots make it one. A scheme may end with it. */
		if (s->dotted < 0x80)
			s->at = MAX(s->at, z - 1);
		return false;
	}
	for (; i > s->floor && at - i < HOST_BACK && is_class(s->text.p[i - 1], C_LABEL); i--)
		wide |= s->text.p[i - 1] >= 0x80;
	/* A blank beyond ASCII, a quote. */
	for (size_t k = i; wide && k + 3 <= at; k++)
		if (ends_wide(span_sub(s->text, k, 3)))
			i = k + 3;
	while (i < at && s->text.p[i] == '-')
		i++;
	before = i > s->floor ? s->text.p[i - 1] : 0;
	/* Part of a path, a file name, a longer name that was refused. */
	if (i == at || is_class(before, C_PART))
		return false;
	n = url_read_of_many(&ret->url, span_sub(s->text, i, s->text.len), &s->foreign);
	if (!n || *ret->url.scheme)
		return false;
	ret->form = before == '@' ? LINK_MAIL : LINK_BARE;
	ret->where.begin = i;
	return true;
}

/* "//host" where HTML or Markdown has an address. */
static bool without_scheme(struct link_scan *s, size_t at, struct link *ret)
{
	uint8_t before = at > s->floor ? s->text.p[at - 1] : 0;
	size_t n;

	if (!is_class(before, C_QUOTED))
		return false;
	n = url_read_of_many(&ret->url, span_sub(s->text, at + 2, s->text.len), &s->foreign);
	if (!n || *ret->url.scheme)
		return false;
	ret->form = LINK_URL;
	ret->where.begin = at;
	ret->url.authority += 2;
	return true;
}

static bool at_candidate(struct link_scan *s, size_t i, struct link *ret)
{
	uint8_t a = s->text.p[i], b = s->text.p[i + 1];

	if (b == ':' && word_char(a))
		return with_scheme(s, i + 1, ret);
	if (a == ':' && b == ':')
		return ipv6(s, i, ret);
	if (a == ':')
		return with_scheme(s, i, ret);
	if (a == '/')
		return without_scheme(s, i, ret);
	if (a == '.')
		return bare(s, i, ret);
	if (a == ' ' &&
	    strncasecmp((const char *)s->text.p + i, " dot ", MIN(s->text.len - i, (size_t)5)) != 0)
		return false;
	/* "hxxp[:]//": the bracket stands in the colon's place. */
	return b == ':' ? with_scheme(s, i, ret) : bare(s, i, ret);
}

bool link_next(struct link_scan *s, struct link *ret)
{
	while ((s->at = next_candidate(s)) < s->end) {
		size_t i = s->at++;

		if (i < s->floor || !at_candidate(s, i, ret))
			continue;
		take_rest(s, ret);
		/* Go on behind the host: a path may hold other addresses. */
		s->floor = ret->where.begin + ret->url.authority;
		s->at = MAX(s->floor, s->at);
		return true;
	}
	return false;
}

/* --- markup */

/* Where the tag that is open at begins ('<'), looking back; at when there is none. */
static size_t tag_of(struct span t, size_t at)
{
	size_t from = at > AROUND ? at - AROUND : 0;

	for (size_t i = at; i > from; i--) {
		if (t.p[i - 1] == '>')
			break;
		if (t.p[i - 1] == '<')
			return i - 1;
	}
	return at;
}

static bool tag_is(struct span t, size_t at, const char *const *names)
{
	for (; *names; names++) {
		size_t n = strlen(*names);

		if (t.len - at > n + 1 && !strncasecmp((const char *)t.p + at + 1, *names, n) &&
		    !word_char(t.p[at + 1 + n]))
			return true;
	}
	return false;
}

static enum link_markup html(struct span t, const struct link *l, struct range *ret_label)
{
	static const char *const fetched[] = { "img",	"iframe", "script", "link",   "source",
					       "audio", "video",  "embed",  "object", "input",
					       "image", "use",	  "body",   "frame",  NULL };
	static const char *const clicked[] = { "a", "area", "form", "button", NULL };
	size_t at = l->where.begin, tag;

	/* url(address), url("address") */
	while (at && strchr("\"' ", t.p[at - 1]) && t.p[at - 1])
		at--;
	if (before_is(t, at, "url("))
		return MARKUP_IMAGE;
	tag = tag_of(t, l->where.begin);
	if (tag == l->where.begin)
		return MARKUP_NONE;
	if (tag_is(t, tag, fetched))
		return MARKUP_IMAGE;
	if (tag_is(t, tag, clicked)) {
		const uint8_t *p =
		    memchr(t.p + l->where.end, '>', MIN(t.len - l->where.end, (size_t)AROUND));
		const uint8_t *q =
		    p ? memchr(p, '<', MIN((size_t)(t.p + t.len - p), (size_t)LABEL_LEN)) : NULL;

		if (q)
			*ret_label = (struct range){ (size_t)(p - t.p) + 1, (size_t)(q - t.p) };
		return MARKUP_LINK;
	}
	return MARKUP_NONE;
}

/* The '[' of the label that ends before close, and is it an image's? */
static bool label(struct span t, size_t close, struct range *ret_label, bool *ret_image)
{
	size_t from = close > LABEL_LEN ? close - LABEL_LEN : 0, depth = 0;

	for (size_t i = close; i > from; i--) {
		uint8_t c = t.p[i - 1];

		if (c == ']')
			depth++;
		if (c == '[' && !depth--) {
			*ret_label = (struct range){ i, close };
			*ret_image = i > 1 && t.p[i - 2] == '!';
			return true;
		}
	}
	return false;
}

/* [name]: address - is it used as ![...][name] or ![name]? */
static enum link_markup reference(struct span t, size_t close)
{
	struct range name;
	size_t len;
	bool image;
	size_t at = 0;

	if (!label(t, close, &name, &image))
		return MARKUP_NONE;
	len = name.end - name.begin + 2;
	for (unsigned n = 0; n < REFERENCES && at < t.len; n++) {
		const uint8_t *p =
		    memmem(t.p + at, t.len - at, t.p + name.begin - 1, len); /* with brackets */
		struct range shown;
		size_t i;

		if (!p)
			break;
		i = (size_t)(p - t.p);
		at = i + len;
		if (i + 1 == name.begin)
			continue;
		if (i && t.p[i - 1] == '!')
			return MARKUP_IMAGE;
		if (i && t.p[i - 1] == ']' && label(t, i - 1, &shown, &image) && image)
			return MARKUP_IMAGE;
	}
	return MARKUP_LINK;
}

enum link_markup link_markup(struct span text, const struct link *l, struct range *ret_label)
{
	size_t at = l->where.begin;
	bool image;

	*ret_label = (struct range){ 0, 0 };
	if (at && text.p[at - 1] == '<')
		at--;
	while (at && text.p[at - 1] == ' ')
		at--;
	if (before_is(text, at, "](") && label(text, at - 2, ret_label, &image))
		return image ? MARKUP_IMAGE : MARKUP_LINK;
	if (before_is(text, at, "]:"))
		return reference(text, at - 2);
	return html(text, l, ret_label);
}
