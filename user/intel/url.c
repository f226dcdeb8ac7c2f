/* user/intel/url.c - reads addresses in all their disguises. */
#include "intel/url.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define SCHEME_MAX 11
#define USER_LOOK  128 /* bytes before an '@' */
#define LABEL_MAX  63
#define TLDS_KNOWN 2048 /* answers remembered */

/* What a byte may be in an address. */
enum { C_HOST = 1, C_USER = 2, C_SCHEME = 4, C_DEFANG = 8 };

static const uint8_t class_of[256] = {
	['a' ... 'z'] = C_HOST | C_USER | C_SCHEME,
	['A' ... 'Z'] = C_HOST | C_USER | C_SCHEME,
	['0' ... '9'] = C_HOST | C_USER | C_SCHEME,
	['-'] = C_HOST | C_USER | C_SCHEME,
	['.'] = C_HOST | C_USER | C_SCHEME,
	['+'] = C_USER | C_SCHEME,
	['_'] = C_HOST | C_USER,
	['%'] = C_HOST | C_USER,
	[0x80 ... 0xff] = C_HOST | C_USER,
	['~'] = C_USER,
	['!'] = C_USER,
	['$'] = C_USER,
	['&'] = C_USER,
	['\''] = C_USER,
	['*'] = C_USER,
	[','] = C_USER,
	[';'] = C_USER,
	['='] = C_USER,
	[':'] = C_USER,
	['['] = C_DEFANG,
	['('] = C_DEFANG,
	['{'] = C_DEFANG,
	['\\'] = C_DEFANG,
	[' '] = C_DEFANG,
};

/* Ways to write a character of an address so that nobody follows it by accident. */
static const struct {
	const char *text; /* small letters */
	char means;
} defangs[] = {
	{ "[.]", '.' },	    { "(.)", '.' },   { "{.}", '.' },	  { "[dot]", '.' },
	{ "(dot)", '.' },   { "{dot}", '.' }, { "[:]", ':' },	  { "(:)", ':' },
	{ "[@]", '@' },	    { "[at]", '@' },  { "(at)", '@' },	  { "[/]", '/' },
	{ "\\.", '.' },	    { " [.] ", '.' }, { " [dot] ", '.' }, { " (dot) ", '.' },
	{ " {dot} ", '.' }, { " dot ", '.' },
};

static bool starts_nocase(struct span s, const char *low)
{
	size_t n = strlen(low);

	return s.len >= n && !strncasecmp((const char *)s.p, low, n);
}

/* May it be the second byte of one of these? Most blanks and brackets are none of them. */
static bool second(uint8_t c)
{
	switch (ascii_lower(c)) {
	case '.':
	case ':':
	case '@':
	case '/':
	case '[':
	case '(':
	case '{':
	case 'a':
	case 'd':
		return true;
	default:
		return false;
	}
}

/* Length of what stands for a character, and which; 0: none does. */
static size_t defanged(struct span s, char *ret)
{
	if (s.len < 2 || !(class_of[s.p[0]] & C_DEFANG) || !second(s.p[1]))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(defangs); i++)
		if (s.p[0] == (uint8_t)defangs[i].text[0] &&
		    ascii_lower(s.p[1]) == (uint8_t)defangs[i].text[1] &&
		    starts_nocase(s, defangs[i].text)) {
			*ret = defangs[i].means;
			return strlen(defangs[i].text);
		}
	return 0;
}

static const struct {
	const char *written, *meant;
	uint16_t port;
} schemes[] = {
	{ "http", "http", 80 },	   { "https", "https", 443 }, { "hxxp", "http", 80 },
	{ "hxxps", "https", 443 }, { "htxp", "http", 80 },    { "hxtp", "http", 80 },
	{ "htxps", "https", 443 }, { "ftp", "ftp", 21 },      { "fxp", "ftp", 21 },
	{ "ws", "ws", 80 },	   { "wss", "wss", 443 },
};

/* A slash, plain or as JSON and careless people write it; 0: none. */
static size_t slash(struct span s, unsigned *traits)
{
	if (!s.len)
		return 0;
	if (s.p[0] == '/')
		return 1;
	if (s.p[0] != '\\')
		return 0;
	if (s.len > 1 && s.p[1] == '/')
		return 2;
	*traits |= URL_BACKSLASH;
	return 1;
}

/* "https://" and its disguises: their length, 0: there is no scheme. *ret_port: its own port. */
static size_t read_scheme(struct url *u, struct span s, uint16_t *ret_port)
{
	size_t n = 0, at, more, slashes = 0;
	unsigned traits = 0;
	char low[SCHEME_MAX + 1], c;
	bool special = false;

	while (n < s.len && n < SCHEME_MAX && class_of[s.p[n]] & C_SCHEME) {
		low[n] = (char)ascii_lower(s.p[n]);
		n++;
	}
	low[n] = 0;
	at = n;
	if (!n)
		return 0;
	if (starts_nocase(span_sub(s, at, 5), "[://]")) {
		at += 5;
		slashes = 2;
		traits |= URL_DEFANGED;
	} else if (at < s.len && s.p[at] == ':') {
		at++;
	} else {
		more = defanged(span_sub(s, at, 8), &c);
		if (!more || c != ':')
			return 0;
		at += more;
		traits |= URL_DEFANGED;
	}
	while (slashes < 4 && (more = slash(span_sub(s, at, 2), &traits))) {
		at += more;
		slashes++;
	}
	*ret_port = 0;
	for (size_t i = 0; i < ARRAY_SIZE(schemes) && !special; i++) {
		if (low[0] != schemes[i].written[0] || strcmp(low, schemes[i].written) != 0)
			continue;
		special = true;
		if (schemes[i].written != schemes[i].meant &&
		    strcmp(schemes[i].written, schemes[i].meant) != 0)
			traits |= URL_DEFANGED;
		memcpy(low, schemes[i].meant, strlen(schemes[i].meant) + 1);
		*ret_port = schemes[i].port;
	}
	/* A browser takes "https:host", too; of others two slashes are asked. */
	if (special ? (!slashes && (traits & URL_DEFANGED || u->traits)) : slashes < 2)
		return 0;
	if (special && !slashes && !(at < s.len && class_of[s.p[at]] & C_HOST))
		return 0;
	memcpy(u->scheme, low, sizeof(low));
	u->traits |= traits;
	return at;
}

static int escaped(struct span s)
{
	int hi = s.len > 2 && s.p[0] == '%' ? ascii_hex(s.p[1]) : -1;
	int lo = hi >= 0 ? ascii_hex(s.p[2]) : -1;

	return lo < 0 ? -1 : hi << 4 | lo;
}

/* WHATWG "IPv4 number": decimal, 0octal, 0xhex. False: no number. */
static bool number(const char *s, size_t n, uint64_t *ret, bool *odd)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (n > 1 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
		n -= 2;
	} else if (n > 1 && s[0] == '0') {
		base = 8;
		s++;
		n--;
	}
	*odd |= base != 10;
	if (n > 11 || (!n && base == 10))
		return false;
	for (; n; n--, s++) {
		int d = ascii_hex((uint8_t)*s);

		if (d < 0 || d >= (int)base)
			return false;
		v = v * base + (unsigned)d;
	}
	*ret = v;
	return true;
}

/* As inet_ntop() does, which prints. */
static void write_ipv4(struct url *u)
{
	char *p = u->host;

	for (unsigned i = 0; i < 4; i++) {
		unsigned v = u->ip[i];

		if (v >= 100)
			*p++ = (char)('0' + v / 100);
		if (v >= 10)
			*p++ = (char)('0' + v / 10 % 10);
		*p++ = (char)('0' + v % 10);
		*p++ = i < 3 ? '.' : 0;
	}
	u->host_len = (uint8_t)(p - 1 - u->host);
}

/* Does the host end in a number? Then it is an IPv4 address or nothing. 1 is, 0 is no number, -1
 * nothing. */
static int read_ipv4(struct url *u)
{
	uint64_t part[4], ip = 0;
	const char *last = strrchr(u->host, '.'), *p = u->host;
	bool odd = false;
	size_t n = 0;

	last = last ? last + 1 : u->host;
	if (*last < '0' || *last > '9' || !number(last, strlen(last), &part[0], &odd))
		return 0;
	odd = false;
	for (;; p++) {
		size_t len = strcspn(p, ".");

		if (n == 4 || !number(p, len, &part[n], &odd))
			return -1;
		n++;
		p += len;
		if (!*p)
			break;
	}
	for (size_t i = 0; i + 1 < n; i++) {
		if (part[i] > 255)
			return -1;
		ip |= part[i] << (24 - 8 * i);
	}
	if (part[n - 1] >= UINT64_C(1) << (8 * (5 - n)))
		return -1;
	ip |= part[n - 1];
	for (size_t i = 0; i < 4; i++)
		u->ip[i] = (uint8_t)(ip >> (24 - 8 * i));
	u->traits |= odd || n < 4 ? URL_ODD_IP : 0;
	u->kind = HOST_IPV4;
	write_ipv4(u);
	return 1;
}

/* What stands between brackets. */
static bool read_ipv6(struct url *u, const char *s, size_t n)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char text[INET6_ADDRSTRLEN];

	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	if (inet_pton(AF_INET6, text, u->ip) != 1)
		return false;
	u->kind = HOST_IPV6;
	if (!memcmp(u->ip, mapped, sizeof(mapped))) {
		memmove(u->ip, u->ip + 12, 4);
		u->kind = HOST_IPV4;
		u->traits |= URL_ODD_IP;
	}
	inet_ntop(u->kind == HOST_IPV6 ? AF_INET6 : AF_INET, u->ip, u->host, sizeof(u->host));
	u->host_len = (uint8_t)strlen(u->host);
	return true;
}

static bool good_labels(const char *host, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i == len || host[i] == '.') {
			if (!label || label > LABEL_MAX)
				return false;
			label = 0;
		} else {
			label++;
		}
	}
	return true;
}

/* Non-ASCII names in their form for the wire. */
static bool to_ascii(struct url *u, const char *name)
{
	uint8_t *wire = NULL;
	bool ok;

	if (idn2_lookup_u8((const uint8_t *)name, &wire, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
	    IDN2_OK)
		return false;
	ok = strlen((char *)wire) <= URL_HOST_MAX;
	if (ok)
		snprintf(u->host, sizeof(u->host), "%s", (char *)wire);
	idn2_free(wire);
	return ok;
}

/* Where a name ends whose last label goes over from ASCII into another script, as where no blank
 * is set behind an address; n when it does not. */
static size_t end_of_ascii(const char *s, size_t n)
{
	size_t label = n;

	while (label && s[label - 1] != '.')
		label--;
	if (!label || (uint8_t)s[label] >= 0x80)
		return n;
	while (label < n && (uint8_t)s[label] < 0x80)
		label++;
	return label;
}

/* A name or an IPv4 address from n bytes as written. */
static bool read_host(struct url *u, char *s, size_t n, struct url_foreign *foreign)
{
	bool ascii = true;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];
		int v = c == '%' ? escaped(span_of(s + i, n - i)) : -1;

		if (v > 0x20) {
			c = (uint8_t)v;
			i += 2;
			u->traits |= URL_ESCAPED_HOST;
		}
		if (!(class_of[c] & C_HOST) || c == '%')
			return false;
		ascii &= c < 0x80;
		s[len++] = (char)ascii_lower(c);
	}
	if (len && s[len - 1] == '.')
		len--;
	if (!len || (ascii && len > URL_HOST_MAX))
		return false;
	s[len] = 0;
	if (!ascii && !foreign->left) {
		foreign->unread++;
		return false;
	}
	foreign->left -= !ascii;
	if (ascii)
		memcpy(u->host, s, len + 1);
	else if (!to_ascii(u, s))
		return false;
	u->host_len = (uint8_t)(ascii ? len : strlen(u->host));
	if (!good_labels(u->host, u->host_len))
		return false;
	u->kind = HOST_NAME;
	return read_ipv4(u) >= 0;
}

static const psl_ctx_t *suffixes(void)
{
	return psl_builtin();
}

static bool look_up_top_level(const char *tld)
{
	/* Outside of the public tree, or kept for examples and networks of one's own. */
	static const char *const others[] = { "onion",	 "i2p",	  "example", "test",
					      "invalid", "local", "internal" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(tld, others[i]))
			return true;
	return psl_is_public_suffix2(suffixes(), tld, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

bool url_top_level(struct span name)
{
	/* Answers are remembered: most are asked for again (code is full of "x.name"), and a
	 * process has one thread. */
	static struct {
		uint64_t tld[2];
		bool is;
	} known[TLDS_KNOWN];
	uint64_t key[2] = { 0 }, h;
	char tld[LABEL_MAX + 1];

	if (!name.len || name.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		tld[i] = (char)ascii_lower(name.p[i]);
	tld[name.len] = 0;
	if (name.len >= sizeof(key))
		return look_up_top_level(tld);
	for (size_t i = 0; i < name.len; i++)
		key[i / 8] |= (uint64_t)(uint8_t)tld[i] << i % 8 * 8;
	h = (key[0] ^ key[1] * 31) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (TLDS_KNOWN - 1);
	if (known[h].tld[0] != key[0] || known[h].tld[1] != key[1]) {
		known[h].tld[0] = key[0];
		known[h].tld[1] = key[1];
		known[h].is = look_up_top_level(tld);
	}
	return known[h].is;
}

/* Written without scheme: is it meant as an address? */
static bool plausible(const struct url *u)
{
	const char *dot = strrchr(u->host, '.');

	if (u->kind == HOST_IPV4)
		return !(u->traits & URL_ODD_IP);
	return u->kind == HOST_NAME && dot &&
	       url_top_level(span_of(dot + 1, u->host_len - (size_t)(dot + 1 - u->host)));
}

size_t url_read(struct url *u, struct span s)
{
	struct url_foreign foreign = { .left = 1 };

	return url_read_of_many(u, s, &foreign);
}

size_t url_read_of_many(struct url *u, struct span s, struct url_foreign *foreign)
{
	char auth[URL_AUTHORITY_MAX + 1], c;
	size_t at, n = 0, host, end, more;
	bool plain = false; /* a dot as it is */
	uint16_t own = 0;
	uint32_t port = 0;

	u->scheme[0] = 0;
	u->kind = HOST_NONE;
	u->traits = 0;
	u->port = 0;
	u->user = span_of(NULL, 0);
	at = read_scheme(u, s, &own);
	if (!at)
		u->traits |= URL_NO_SCHEME;
	/* Somebody in front of the host, who may look like one. */
	if (at && at < s.len && memchr(s.p + at, '@', MIN(s.len - at, USER_LOOK))) {
		const uint8_t *last = NULL;

		/* The last one counts: user@example.com@host */
		for (size_t i = at; i < s.len && i < at + USER_LOOK &&
				    (s.p[i] == '@' || class_of[s.p[i]] & C_USER);
		     i++)
			last = s.p[i] == '@' ? s.p + i : last;
		if (last) {
			u->user = span_sub(s, at, (size_t)(last - s.p) - at);
			u->traits |= URL_USERINFO;
			at = (size_t)(last - s.p) + 1;
		}
	}
	if (at < s.len && s.p[at] == '[') {
		const uint8_t *close = memchr(s.p + at, ']', MIN(s.len - at, 48));

		if (close &&
		    read_ipv6(u, (const char *)s.p + at + 1, (size_t)(close - s.p) - at - 1))
			at = (size_t)(close - s.p) + 1;
	}
	while (u->kind == HOST_NONE && at < s.len) {
		if (class_of[s.p[at]] & C_HOST) {
			c = (char)s.p[at];
			more = 1;
			plain |= c == '.';
		} else {
			more = defanged(span_sub(s, at, 8), &c);
			/* What is in front of an '@' written out is a name. */
			if (!more || c != '.')
				break;
			/* The word alone is one where a name without scheme is spelled out. */
			if (s.p[at] == ' ' && (s.p[at + 1] | 0x20) == 'd' && (*u->scheme || plain))
				break;
			u->traits |= URL_DEFANGED;
		}
		if (n == URL_AUTHORITY_MAX)
			return 0;
		auth[n++] = c;
		at += more;
	}
	if (u->kind == HOST_NONE) {
		size_t cut;

		/* Sentences end in a dot. */
		while (n && (auth[n - 1] == '.' || auth[n - 1] == '-' || auth[n - 1] == '%')) {
			n--;
			at--;
		}
		host = n;
		cut = end_of_ascii(auth, n);
		if (cut < n && memrchr(auth, '.', cut)) {
			at -= n - cut;
			host = cut;
		}
		if (!host || !read_host(u, auth, host, foreign) ||
		    (u->traits & URL_NO_SCHEME && !plausible(u))) {
			u->kind = HOST_NONE;
			return 0;
		}
	}
	end = at;
	if (end < s.len && s.p[end] == ':') {
		more = 1;
	} else {
		more = defanged(span_sub(s, end, 8), &c);
		more = more && c == ':' ? more : 0;
	}
	for (end += more; more && end < s.len && s.p[end] >= '0' && s.p[end] <= '9' && port < 65536;
	     end++)
		port = port * 10 + s.p[end] - '0';
	if (more && port && port < 65536) {
		at = end;
		u->port = port == own ? 0 : (uint16_t)port;
	}
	u->authority = at;
	return at;
}

/* --- the one form */

struct key {
	char *p;
	size_t len;
};

static void put(struct key *k, char c)
{
	if (k->len < URL_KEY_MAX)
		k->p[k->len++] = c;
}

static bool unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c > 0 && strchr("-._~", c));
}

/* One character of path or query, escaped as it must be and not more. */
static size_t put_char(struct key *k, struct span s)
{
	static const char digits[] = "0123456789ABCDEF";
	int v = escaped(s);
	uint8_t c = v >= 0 ? (uint8_t)v : s.p[0];

	if (v >= 0 ? unreserved(c) : c > 0x20 && c < 0x7f) {
		put(k, (char)c);
	} else {
		put(k, '%');
		put(k, digits[c >> 4]);
		put(k, digits[c & 15]);
	}
	return v >= 0 ? 3 : 1;
}

/* Takes "." and ".." out of the path that begins at k->p[path]; its last segment is whole. */
static void fold_dots(struct key *k, size_t path)
{
	size_t from = k->len;

	while (from > path && k->p[from - 1] != '/')
		from--;
	if (k->len - from == 1 && k->p[from] == '.') {
		k->len = from;
	} else if (k->len - from == 2 && !memcmp(k->p + from, "..", 2)) {
		if (from > path + 1)
			from--; /* the slash before it */
		while (from > path + 1 && k->p[from - 1] != '/')
			from--;
		k->len = from;
	}
}

size_t url_key(const struct url *u, struct span rest, char ret[URL_KEY_MAX], size_t *ret_path,
	       size_t *ret_query)
{
	struct key k = { .p = ret };
	char port[8];
	size_t i = 0;

	for (size_t h = 0; h < u->host_len; h++)
		put(&k, u->host[h]);
	if (u->port) {
		snprintf(port, sizeof(port), ":%u", u->port);
		for (const char *p = port; *p; p++)
			put(&k, *p);
	}
	*ret_path = k.len;
	put(&k, '/');
	while (i < rest.len && rest.p[i] != '?' && rest.p[i] != '#' && k.len < URL_KEY_MAX) {
		unsigned traits = 0;
		size_t n = slash(span_sub(rest, i, 2), &traits);

		if (!n) {
			i += put_char(&k, span_sub(rest, i, 3));
			continue;
		}
		fold_dots(&k, *ret_path);
		if (k.p[k.len - 1] != '/')
			put(&k, '/');
		i += n;
	}
	fold_dots(&k, *ret_path);
	*ret_query = k.len;
	while (i < rest.len && rest.p[i] != '#' && k.len < URL_KEY_MAX) {
		/* HTML writes the ampersand so. */
		bool amp = starts_nocase(span_sub(rest, i, 5), "&amp;");

		i += put_char(&k, span_sub(rest, i, 3));
		i += amp ? 4 : 0;
	}
	return k.len;
}

const char *url_registered(const struct url *u)
{
	return u->kind == HOST_NAME && strchr(u->host, '.')
		   ? psl_registrable_domain(suffixes(), u->host)
		   : NULL;
}

bool url_suffix(const char *host)
{
	return !strchr(host, '.') || psl_is_public_suffix(suffixes(), host);
}

bool url_private(bool v6, const uint8_t *ip)
{
	static const struct {
		uint32_t net;
		unsigned length;
	} v4[] = {
		{ 0x00000000, 8 },  { 0x0a000000, 8 },	{ 0x7f000000, 8 }, { 0xa9fe0000, 16 },
		{ 0xac100000, 12 }, { 0xc0a80000, 16 }, { 0xe0000000, 3 },
	};
	static const uint8_t zero[15];
	uint32_t a = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];

	if (v6)
		return (!memcmp(ip, zero, 15) && ip[15] <= 1) || (ip[0] & 0xfe) == 0xfc ||
		       (ip[0] == 0xfe && (ip[1] & 0x80)) || ip[0] == 0xff;
	for (size_t i = 0; i < ARRAY_SIZE(v4); i++)
		if ((a ^ v4[i].net) >> (32 - v4[i].length) == 0)
			return true;
	return false;
}
