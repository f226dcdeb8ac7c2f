/* user/detect/link_host.c - hosts that look like others: letters that resemble letters, a brand's
 * name with words that lure, its domain in front of another, a name before '@'.
 */
#include <idn2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/own.h"
#include "detect/link_suspect.h"
#include "text/confusables.h"

#define LABEL_ROOM   64
#define TYPO_MIN     7	 /* letters of a brand of which a slip is no other word */
#define LOOK_MIN     5	 /* of one that look-alike letters are sought in */
#define MENTION_NEAR 400 /* bytes around */
#define HYPHENS_MANY 3
#define LISTS_MAX    16 /* of words that are asked for again and again */
#define BRANDS_MAX   128
#define OWNERS	     512 /* slots for their domains, twice as many as there are */
#define PAIRS_MISSED 3	 /* of a brand's, where a host still may look like it */

static const char lures[] =
    "login signin logon secure secured security account accounts verify verification verified "
    "update confirm confirmation unlock locked suspended billing invoice wallet recovery recover "
    "helpdesk auth authenticate password passwd banking refund kyc webscr identity validate "
    "validation limited alert signon customer service support help reward rewards claim airdrop "
    "payment bonus";
/* Cheap or free, and full of such hosts; each alone says little. */
static const char abused[] =
    "tk ml ga cf gq top xyz icu cyou buzz rest cam sbs cfd bond monster quest click work zip mov "
    "country stream gdn loan download racing win bid men party review date faith accountant "
    "science trade webcam cricket";
/* Hosts of others by design: proxies, content networks, archives. */
static const char carriers[] =
    "mcas.ms translate.goog edgekey.net edgesuite.net akadns.net akamaized.net akamai.net "
    "cloudflare.net fastly.net azureedge.net archive.org archive.today zscaler.net "
    "safelinks.protection.outlook.com appspot.com";

static bool is_word_of(struct span s, const char *words)
{
	uint8_t first = s.len ? ascii_lower(s.p[0]) : 0;

	while (first && *words) {
		if ((uint8_t)*words == first && !strncasecmp((const char *)s.p, words, s.len) &&
		    (words[s.len] == ' ' || !words[s.len]))
			return true;
		while (*words && *words++ != ' ')
			;
	}
	return false;
}

/* Of a list that was asked before: what lengths its words have, by their first letter. Most that is
 * looked up is in none, and a process has one thread. */
struct lengths {
	const char *words;
	uint32_t of[32];
};

static const struct lengths *lengths_of(const char *words)
{
	static struct lengths known[LISTS_MAX];
	static unsigned next;
	struct lengths *l;

	for (unsigned i = 0; i < LISTS_MAX; i++)
		if (known[i].words == words)
			return &known[i];
	l = &known[next++ % LISTS_MAX];
	*l = (struct lengths){ .words = words };
	for (size_t n; *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		l->of[*words & 31] |= 1u << MIN(n, (size_t)31);
	}
	return l;
}

bool word_of(struct span s, const char *words)
{
	return s.len && lengths_of(words)->of[s.p[0] & 31] >> MIN(s.len, (size_t)31) & 1 &&
	       is_word_of(s, words);
}

void suspect(struct suspicion *s, float weight, const char *type, const char *fmt, ...)
{
	va_list args;

	s->score = 1 - (1 - s->score) * (1 - weight);
	if (weight <= s->most)
		return;
	s->most = weight;
	s->type = type;
	va_start(args, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
}

/* --- letters that look like others */

/* Beside those of Unicode's table: what is like enough in a small font. */
static const struct confusable twins[] = {
	{ 0x432, 'b' }, { 0x43a, 'k' },	 { 0x43c, 'm' }, { 0x43d, 'h' }, { 0x442, 't' },
	{ 0x3ba, 'k' }, { 0x3c4, 't' },	 { 0x3b5, 'e' }, { 0x3b7, 'n' }, { 0x3c9, 'w' },
	{ 0x142, 'l' }, { 0x111, 'd' },	 { 0x127, 'h' }, { 0xf8, 'o' },	 { 0x448, 'w' },
	{ 0x192, 'f' }, { 0x1d0b, 'k' }, { 0x29f, 'l' }, { 0x280, 'r' }, { 0x299, 'b' },
	{ 0x274, 'n' }, { 0x1d07, 'e' },
};

/* The Latin letter that cp looks like, marks left off; 0: none. */
static char latin(uint32_t cp)
{
	/* Latin with marks, by block: what it is a mark on. */
	static const char latin1[] =
	    "aaaaaaaceeeeiiiidnooooo\0ouuuuy\0saaaaaaaceeeeiiiidnooooo\0ouuuuy\0y";
	static const char extended_a[] =
	    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln"
	    "nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

	size_t lo = 0, hi = n_confusables;

	if (cp < 0x80)
		return (char)cp;
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++)
		if (twins[i].cp == cp)
			return twins[i].letter;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		*(confusables[mid].cp <= cp ? &lo : &hi) = mid;
	}
	if (confusables[lo].cp == cp)
		return (char)ascii_lower((uint8_t)confusables[lo].letter);
	if (cp >= 0xc0 && cp < 0xc0 + sizeof(latin1) - 1)
		return latin1[cp - 0xc0];
	if (cp >= 0x100 && cp < 0x100 + sizeof(extended_a) - 1)
		return extended_a[cp - 0x100];
	return 0;
}

/* A label as the eye takes it: look-alike characters and pairs become one letter. */
static void skeleton(const char *s, char *ret, size_t room)
{
	static const struct {
		const char *pair;
		char one;
	} pairs[] = { { "rn", 'm' }, { "vv", 'w' }, { "cl", 'd' } };
	static const char from[] = "0134578i", to[] = "oleastbl";
	size_t n = 0;

	while (*s && n + 1 < room) {
		const char *p = strchr(from, *s);
		char c = p ? to[p - from] : *s;
		size_t used = 1;

		for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
			if (!strncmp(s, pairs[i].pair, 2)) {
				c = pairs[i].one;
				used = 2;
			}
		ret[n++] = c;
		s += used;
	}
	ret[n] = 0;
}

/* One letter more, less, other, or two exchanged? */
static bool slip(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), i = 0;

	if (n < m) {
		const char *t = a;
		size_t k = n;

		a = b;
		b = t;
		n = m;
		m = k;
	}
	if (n - m > 1)
		return false;
	while (i < m && a[i] == b[i])
		i++;
	if (n > m)
		return !strcmp(a + i + 1, b + i);
	if (i + 1 < n && a[i] == b[i + 1] && a[i + 1] == b[i] && !strcmp(a + i + 2, b + i + 2))
		return true;
	return i < n && !strcmp(a + i + 1, b + i + 1);
}

/* --- a host */

struct host {
	const struct link *link;
	const char *registered; /* "evil.co.uk" */
	char label[LABEL_ROOM]; /* "evil" */
	char plain[LABEL_ROOM]; /* the same as Latin letters, when it is an IDN */
	char look[LABEL_ROOM];	/* its skeleton */
	bool idn, mixed;	/* more than one script */
	size_t sub_len;		/* of what stands before registered */
	const char *tld;
};

static void read_idn(struct host *h)
{
	char *wide = NULL;
	size_t n = 0;
	uint32_t cp;
	bool ascii = false, other = false;

	h->idn = !strncmp(h->label, "xn--", 4);
	if (!h->idn || idn2_to_unicode_8z8z(h->label, &wide, 0) != IDN2_OK)
		return;
	for (size_t i = 0, len; wide[i] && n + 1 < sizeof(h->plain); i += len) {
		char c;

		len = utf8_decode(span_str(wide + i), &cp);
		if (!len)
			break;
		c = latin(cp);
		ascii |= cp < 0x80 && cp != '-' && (cp < '0' || cp > '9');
		/* Cyrillic, Greek, Armenian beside Latin. */
		other |= cp >= 0x370 && cp < 0x590;
		if (!c) {
			n = 0;
			break;
		}
		h->plain[n++] = c;
	}
	h->plain[n] = 0;
	h->mixed = ascii && other;
	idn2_free(wide);
}

/* What is known of each brand before any host is: made once, for a process has one thread. */
static struct prepared {
	uint64_t pairs;	       /* a bit for each pair of neighbouring letters of its look */
	char look[LABEL_ROOM]; /* its skeleton */
} prepared[BRANDS_MAX];
static uint16_t owners[OWNERS]; /* by hash of a domain: 1 + the brand's number */
static bool is_prepared;

static uint64_t pairs_of(const char *s)
{
	uint64_t set = 0;

	for (; s[0] && s[1]; s++)
		set |= UINT64_C(1) << ((((uint8_t)s[0] * 31U + (uint8_t)s[1]) * 2654435761U) >> 26);
	return set;
}

static uint32_t hash_of(struct span s)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 16777619U;
	return h % OWNERS;
}

static void prepare(void)
{
	assert(n_brands <= BRANDS_MAX);
	for (size_t i = 0; i < n_brands; i++) {
		const char *d = brands[i].domains;

		skeleton(brands[i].name, prepared[i].look, LABEL_ROOM);
		prepared[i].pairs = pairs_of(prepared[i].look);
		while (*d) {
			struct span word = span_of(d, strcspn(d, " "));
			uint32_t h = hash_of(word);

			while (owners[h])
				h = (h + 1) % OWNERS;
			owners[h] = (uint16_t)(i + 1);
			d += word.len + (d[word.len] == ' ');
		}
	}
	is_prepared = true;
}

/* Whose domain is it? NULL: no brand's. */
static const struct brand *owner(struct span domain)
{
	for (uint32_t h = hash_of(domain); owners[h]; h = (h + 1) % OWNERS)
		if (is_word_of(domain, brands[owners[h] - 1].domains))
			return &brands[owners[h] - 1];
	return NULL;
}

/* Does what precedes the registered domain hold one of the brand's own domains, as whole labels? */
static bool borrows_domain(const struct brand *b, const struct host *h)
{
	const char *d = b->domains;

	while (*d) {
		size_t n = strcspn(d, " ");
		const char *at = memmem(h->link->url.host, h->sub_len, d, n);

		if (at && (at == h->link->url.host || at[-1] == '.' || at[-1] == '-') &&
		    (at[n] == '.' || at[n] == '-'))
			return true;
		d += n + (d[n] == ' ');
	}
	return false;
}

/* Words of a label that lure, apart from the brand's. */
static unsigned count_lures(const char *s, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0, k; i < len; i += k + 1) {
		for (k = 0; i + k < len && ((s[i + k] >= 'a' && s[i + k] <= 'z') ||
					    (s[i + k] >= 'A' && s[i + k] <= 'Z'));)
			k++;
		n += word_of(span_of(s + i, k), lures);
	}
	return n;
}

/* Is it one of the words of a label, or all of it? */
static bool looks_like(const char *brand, const char *label)
{
	size_t n = strlen(brand);

	for (const char *at = label; (at = strstr(at, brand)); at++)
		if ((at == label || at[-1] == '-') && (!at[n] || at[n] == '-'))
			return true;
	return false;
}

static void look_at_brand(struct suspicion *s, const struct host *h, size_t brand, unsigned n_lures)
{
	const struct brand *b = &brands[brand];
	const char *name = b->name;
	const char *l = *h->plain ? h->plain : h->label;
	size_t n = strlen(name);
	const char *at;

	if (h->idn && *h->plain && !strcmp(h->look, prepared[brand].look)) {
		suspect(s, .95F, "homoglyph", "is written with letters that look like \"%s\"",
			name);
		return;
	}
	if (!strcmp(l, name)) {
		/* paypal.fr is PayPal's; paypal.tk is anybody's. */
		if (word_of(span_str(h->tld), abused))
			suspect(s, .6F, "brand-domain", "is \"%s\" under another top-level domain",
				name);
		return;
	}
	if (n >= LOOK_MIN && looks_like(prepared[brand].look, h->look) && !strstr(l, name)) {
		suspect(s, .88F, "look-alike", "is written to look like \"%s\"", name);
		return;
	}
	/* A part of it: paypal-login, loginpaypal. */
	at = n > 4 || strchr(l, '-') ? strstr(l, name) : NULL;
	if (at) {
		const char *end = at + n;
		bool alone = (at == l || at[-1] == '-') && (!*end || *end == '-');
		bool glued = (at == l && word_of(span_str(end), lures)) ||
			     (!*end && word_of(span_of(l, (size_t)(at - l)), lures));

		if ((alone && n_lures) || glued)
			suspect(s, n_lures > 1 ? .75F : .6F, "brand-lure",
				"puts \"%s\" beside words that lure", name);
	}
	if (n >= TYPO_MIN && slip(l, name))
		suspect(s, .55F, "typo", "is one letter from \"%s\"", name);
	if (h->sub_len && borrows_domain(b, h))
		suspect(s, .86F, "borrowed-domain", "puts the domain of \"%s\" before its own",
			name);
	else if (h->sub_len && n_lures && (at = memmem(h->link->url.host, h->sub_len, name, n)) &&
		 (at == h->link->url.host || at[-1] == '.' || at[-1] == '-') &&
		 (at[n] == '.' || at[n] == '-'))
		suspect(s, .45F, "borrowed-name", "puts \"%s\" before its own domain", name);
}

/* Shown instead of the address, or in front of it: another host's name. */
static void look_at_claim(struct suspicion *s, const struct host *h, struct span claim,
			  float weight, const char *type, const char *what)
{
	struct url u;
	const char *registered;

	while (claim.len && strchr(" \t*_`[", claim.p[0]) && claim.p[0])
		claim = span_sub(claim, 1, claim.len);
	if (!claim.len || !url_read(&u, claim) || u.kind != HOST_NAME)
		return;
	registered = url_registered(&u);
	if (!registered || (h->registered && !strcmp(registered, h->registered)))
		return;
	if (owner(span_str(registered)))
		suspect(s, weight, type, "%s %.64s", what, registered);
	else
		suspect(s, weight * .75F, type, "%s %.64s", what, registered);
}

static void look_at_user(struct suspicion *s, const struct host *h)
{
	const struct url *u = &h->link->url;
	char user[URL_HOST_MAX + 1];
	size_t n = MIN(u->user.len, sizeof(user) - 1);

	if (!(u->traits & URL_USERINFO) || !n)
		return;
	/* user:password@ is no disguise; a name with a dot in it is one. */
	for (size_t i = 0; i < n; i++)
		user[i] = (char)ascii_lower(u->user.p[i]);
	user[n] = 0;
	n = strcspn(user, ":%&=");
	look_at_claim(s, h, span_of(user, n), .9F, "userinfo", "is hidden behind the name of");
}

void suspect_host(struct suspicion *s, const struct link *l, struct span label)
{
	const struct url *u = &l->url;
	struct host h = { .link = l };
	unsigned n_lures, path_lures, hyphens = 0;
	char whole[URL_HOST_MAX + 1];
	uint64_t pairs;
	size_t n;

	if (!is_prepared)
		prepare();
	/* Within a network it is usual; hidden, it is meant to pass a check that knows these. */
	if (u->kind != HOST_NAME && !(u->traits & URL_ODD_IP) &&
	    url_private(u->kind == HOST_IPV6, u->ip))
		return;
	h.registered = url_registered(u);
	if (u->kind == HOST_NAME) {
		if (!h.registered || word_of(span_str(h.registered), carriers))
			return;
		n = strcspn(h.registered, ".");
		if (n >= sizeof(h.label))
			return;
		memcpy(h.label, h.registered, n);
		h.tld = strrchr(h.registered, '.') + 1;
		h.sub_len = (size_t)(h.registered - u->host);
		for (const char *p = u->host; *p; p++)
			hyphens += *p == '-';
		read_idn(&h);
		skeleton(*h.plain ? h.plain : h.label, h.look, sizeof(h.look));
		if (owner(span_str(h.registered)))
			goto claims; /* whose own hosts have any name they like */
	}
	path_lures =
	    l->rest.len ? count_lures((const char *)l->rest.p, MIN(l->rest.len, (size_t)128)) : 0;
	if (u->kind == HOST_NAME) {
		n_lures = count_lures(u->host, u->host_len);
		skeleton(u->host, whole, sizeof(whole));
		pairs = pairs_of(whole) | pairs_of(h.look);
		for (size_t i = 0; i < n_brands; i++)
			if (__builtin_popcountll(prepared[i].pairs & ~pairs) <= PAIRS_MISSED)
				look_at_brand(s, &h, i, n_lures);
		if (h.mixed)
			suspect(s, .5F, "mixed-script", "mixes letters of different scripts");
	} else if (path_lures && l->form == LINK_URL) {
		suspect(s, .45F, "ip-login", "is an IP address with a page to log in");
	}
	/* A browser reads it; elsewhere it is part of a password that was taken for a host. */
	if (u->traits & URL_ODD_IP && !strncmp(u->scheme, "http", 4))
		suspect(s, .7F, "odd-ip", "is an IP address that is written to hide it");
	if (u->traits & URL_ESCAPED_HOST)
		suspect(s, .4F, "escaped-host", "is written with escapes");
	/* Of no weight alone. */
	if (s->score > 0) {
		if (h.tld && word_of(span_str(h.tld), abused))
			suspect(s, .25F, "top-level-domain", "is under an abused top-level domain");
		if (hyphens >= HYPHENS_MANY)
			suspect(s, .15F, "hyphens", "has many hyphens");
		if (path_lures)
			suspect(s, .2F, "lure", "has a path that lures");
		if (u->port)
			suspect(s, .15F, "port", "has a port of its own");
	}
claims:
	look_at_user(s, &h);
	look_at_claim(s, &h, label, .55F, "label", "is shown as");
}

bool suspect_mention(struct span text, struct range where)
{
	static const char *const words[] = {
		"phish",     "typosquat", "look-alike", "lookalike",  "homograph",   "homoglyph",
		"spoof",     "scam",	  "fraudulent", "malicious",  "indicator",   "impersonat",
		"fake site", "fake dom",  "deceptive",	"suspicious", "for example", "such as",
	};
	size_t begin = where.begin > MENTION_NEAR ? where.begin - MENTION_NEAR : 0;
	struct span near = span_sub(text, begin, MIN(text.len, where.end + MENTION_NEAR) - begin);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ascii_contains(near, words[i]))
			return true;
	return false;
}
