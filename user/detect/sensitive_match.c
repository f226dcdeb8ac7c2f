/* user/detect/sensitive_match.c - matchers for what has no fixed form: addresses of the net, of the
 * post, of devices, telephone numbers, sums of money, doses, passports' zones.
 */
#include "base/own.h"
#include "detect/sensitive.h"
#include "detect/sensitive_char.h"

#define LOCAL_MAX    64 /* RFC 5321 */
#define DOMAIN_MAX   190
#define PHONE_MIN    8	/* digits with the country's code */
#define PHONE_MAX    15 /* ITU-T E.164 */
#define STREET_MAX   45 /* bytes between a number and what tells that it is in a street */
#define STREET_WORDS 6
#define DOSE_LEN     6 /* digits and the point */

static bool digit(struct span t, size_t i)
{
	return is_kind(byte_at(t, i), CHAR_DIGIT);
}

static bool found(struct match *m, enum sensitive_id id, size_t begin, size_t end, float alone)
{
	m->id = id;
	m->where = (struct range){ begin, end };
	m->alone = alone;
	return true;
}

/* Words with '|' around each; by their first letter, what lengths they have. */
struct list {
	const char *words;
	uint32_t lengths[32];
};

static struct list top_levels = { "|com|org|net|edu|gov|mil|int|info|biz|name|app|dev|cloud|"
				  "online|site|store|shop|tech|xyz|club|"
				  "email|mail|world|life|live|work|agency|company|group|team|"
				  "today|space|website|digital|global|"
				  "solutions|services|systems|network|media|studio|design|"
				  "health|care|clinic|bank|finance|money|law|"
				  "legal|consulting|partners|foundation|social|blog|news|page|"
				  "link|pro|museum|aero|coop|jobs|travel|"
				  "asia|berlin|london|paris|tokyo|" },
		   locals = { "|noreply|no-reply|donotreply|do-not-reply|git|nobody|postmaster|"
			      "mailer-daemon|user|username|you|your|example|name|email|test|foo|"
			      "someone|" },
		   handles = { "|oksbi|okaxis|okhdfcbank|okicici|ybl|paytm|upi|apl|ibl|axl|" },
		   streets = { "|calle|via|rua|avenida|av|piazza|plaza|paseo|corso|viale|ulica|ul|"
			       "улица|ул|проспект|travessa|carrera|avenue|boulevard|strada|" },
		   prefixes = { "|rue|avenue|boulevard|chemin|allee|impasse|quai|route|" },
		   units = { "|mg|mcg|ug|ml|iu|" };

void match_prepare(void)
{
	struct list *const all[] = { &top_levels, &locals, &handles, &streets, &prefixes, &units };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (const char *p = all[i]->words + 1; *p; p += strcspn(p, "|") + 1)
			all[i]->lengths[*p & 31] |= 1u << MIN(strcspn(p, "|"), (size_t)31);
}

/* In any case. */
static bool is_listed(const char *list, struct span word)
{
	for (const char *p = list; *p && p[1];) {
		size_t n = 0;

		for (p++; n < word.len && p[n] != '|' && ascii_lower(word.p[n]) == (uint8_t)p[n];
		     n++)
			;
		if (n == word.len && p[n] == '|')
			return word.len;
		for (p += n; *p != '|'; p++)
			;
	}
	return false;
}

static bool listed(const struct list *list, struct span word)
{
	return word.len && list->lengths[word.p[0] & 31] >> MIN(word.len, (size_t)31) & 1 &&
	       is_listed(list->words, word);
}

/* --- the net */

static bool top_level(struct span name)
{

	if (name.len == 2)
		return is_kind(name.p[0], CHAR_ALPHA) && is_kind(name.p[1], CHAR_ALPHA);
	return listed(&top_levels, name);
}

/* Those nobody reads, and those of examples. */
static bool nobody(struct span local, struct span domain)
{
	static const char *const domains[] = { "example.com",	     "example.org",
					       "example.net",	     "example.edu",
					       "noreply.github.com", "domain.com",
					       "yourdomain.com",     "email.com.example",
					       "test.com",	     "localhost.com" };

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		struct span tail = span_str(domains[i]);

		if (domain.len >= tail.len &&
		    span_eq_nocase(span_sub(domain, domain.len - tail.len, tail.len), tail))
			return true;
	}
	return listed(&locals, local);
}

static bool match_upi(struct match *m, size_t begin)
{
	size_t end = m->at + 1;

	while (is_kind(byte_at(m->text, end), CHAR_ALPHA))
		end++;
	return listed(&handles, span_sub(m->text, m->at + 1, end - m->at - 1)) &&
	       !is_kind(byte_at(m->text, end), CHAR_ALNUM) && byte_at(m->text, end) != '.' &&
	       found(m, SENSITIVE_IN_UPI, begin, end, .8f);
}

bool match_email(struct match *m)
{
	struct span t = m->text, local, domain;
	size_t begin = m->at, end = m->at + 1, dot = 0;

	while (begin && m->at - begin <= LOCAL_MAX &&
	       is_kind(t.p[begin - 1], CHAR_ALNUM | CHAR_LOCAL))
		begin--;
	while (begin < m->at && !is_kind(t.p[begin], CHAR_ALNUM))
		begin++;
	while (end < t.len && end - m->at <= DOMAIN_MAX &&
	       (is_kind(t.p[end], CHAR_ALNUM) ||
		(strchr(".-", t.p[end]) && t.p[end] && is_kind(byte_at(t, end + 1), CHAR_ALNUM) &&
		 is_kind(t.p[end - 1], CHAR_ALNUM)))) {
		dot = t.p[end] == '.' ? end : dot;
		end++;
	}
	local = span_sub(t, begin, m->at - begin);
	if (!local.len || local.len > LOCAL_MAX || local.p[local.len - 1] == '.')
		return false;
	if (!dot)
		return local.len >= 2 && match_upi(m, begin);
	domain = span_sub(t, m->at + 1, end - m->at - 1);
	/* A host and a path */
	if (end - dot < 3 || byte_at(t, end) == ':' || byte_at(t, end) == '_' ||
	    (byte_at(t, end) == '/' && is_kind(byte_at(t, end + 1), CHAR_ALNUM)) ||
	    nobody(local, domain))
		return false;
	/* A domain nobody knows may be a firm's own, if a word says so. */
	return found(m, SENSITIVE_EMAIL, begin, end,
		     top_level(span_sub(t, dot + 1, end - dot - 1)) ? .85f : 0);
}

bool match_ipv4(struct match *m)
{
	struct span t = m->text;
	unsigned octets[4];
	size_t i = m->at;

	for (unsigned k = 0; k < 4; k++) {
		size_t first = i;

		if (k && byte_at(t, i++) != '.')
			return false;
		first = i;
		for (octets[k] = 0; digit(t, i) && i - first < 4; i++)
			octets[k] = octets[k] * 10 + (unsigned)(t.p[i] - '0');
		if (i == first || octets[k] > 255 || (t.p[first] == '0' && i - first > 1))
			return false;
	}
	if (is_kind(byte_at(t, i), CHAR_ALNUM) || byte_at(t, i) == '_' ||
	    (byte_at(t, i) == '.' && is_kind(byte_at(t, i + 1), CHAR_ALNUM)) ||
	    (m->at && strchr("._-", t.p[m->at - 1]) && t.p[m->at - 1]))
		return false;
	m->whole = true;
	/* Of no person: private, local, for documentation, multicast, resolvers everybody uses. */
	if (octets[0] == 0 || octets[0] == 10 || octets[0] == 127 || octets[0] >= 224 ||
	    (octets[0] == 169 && octets[1] == 254) || (octets[0] == 192 && octets[1] == 168) ||
	    (octets[0] == 172 && octets[1] >= 16 && octets[1] < 32) ||
	    (octets[0] == 100 && octets[1] >= 64 && octets[1] < 128) ||
	    (octets[0] == 192 && octets[1] == 0) || (octets[0] == 198 && octets[1] == 51) ||
	    (octets[0] == 203 && octets[1] == 0 && octets[2] == 113) ||
	    (octets[0] == octets[1] && octets[1] == octets[2]) ||
	    (octets[0] == 8 && octets[1] == 8) || (octets[0] == 1 && octets[1] <= 2))
		return found(m, SENSITIVE_UUID, m->at, i, 0);
	return found(m, SENSITIVE_IP_ADDRESS, m->at, i, 0);
}

static bool hex_or(uint8_t c, char a, char b)
{
	return is_kind(c, CHAR_HEX) || c == (uint8_t)a || c == (uint8_t)b;
}

/* The stretch of hexadecimal digits and those separators around the group. */
static struct range stretch(const struct match *m, char a, char b, size_t max)
{
	struct range r = { m->at, m->end };

	while (r.begin && m->at - r.begin < max && hex_or(m->text.p[r.begin - 1], a, b))
		r.begin--;
	while (r.end < m->text.len && r.end - m->at < max && hex_or(m->text.p[r.end], a, b))
		r.end++;
	return r;
}

bool match_ipv6(struct match *m)
{
	struct range r;
	struct span t;
	size_t colons = 0, in_group = 0, most = 0, digits = 0;
	bool gap = false;

	if (m->end - m->at > 4)
		return false;
	r = stretch(m, ':', ':', 40);
	t = span_sub(m->text, r.begin, r.end - r.begin);
	if (t.len < 8 || t.len > 39 || is_kind(byte_at(m->text, r.end), CHAR_ALNUM) ||
	    (r.begin && is_kind(m->text.p[r.begin - 1], CHAR_ALNUM)))
		return false;
	for (size_t i = 0; i < t.len; i++) {
		bool colon = t.p[i] == ':';

		colons += colon;
		gap |= colon && i && t.p[i - 1] == ':';
		in_group = colon ? 0 : in_group + 1;
		most = MAX(most, in_group);
		digits += !colon;
	}
	if (most > 4 || digits < 6 || (gap ? colons < 2 || colons > 7 : colons != 7))
		return false;
	m->whole = true;
	if (span_eq_nocase(span_sub(t, 0, 8), SPAN_LIT("2001:db8")) ||
	    span_eq_nocase(span_sub(t, 0, 4), SPAN_LIT("fe80")) || t.p[0] == ':')
		return found(m, SENSITIVE_UUID, r.begin, r.end, 0);
	return found(m, SENSITIVE_IP_ADDRESS, r.begin, r.end, 0);
}

/* "0012.3456.789a", as switches print it: a number with dots, unless a word calls it so. */
static bool match_mac_of_words(struct match *m)
{
	struct range r = stretch(m, '.', '.', 15);

	if (r.end - r.begin != 14 || is_kind(byte_at(m->text, r.end), CHAR_ALNUM) ||
	    (r.begin && is_kind(m->text.p[r.begin - 1], CHAR_ALNUM)))
		return false;
	for (size_t i = 0; i < 14; i++)
		if ((i % 5 == 4) != (m->text.p[r.begin + i] == '.'))
			return false;
	return found(m, SENSITIVE_MAC_ADDRESS, r.begin, r.end, 0);
}

static bool divides(struct span t, size_t i)
{
	return byte_at(t, i) == ':' || byte_at(t, i) == '-';
}

/* A time has fewer pairs: of six, three stand behind the one at `at`, or before it. */
static bool of_pairs(struct span t, size_t at)
{
	return (divides(t, at + 2) && divides(t, at + 5) && divides(t, at + 8)) ||
	       (divides(t, at - 1) && divides(t, at - 4) && divides(t, at - 7));
}

bool match_mac(struct match *m)
{
	struct range r;
	struct span t;
	size_t same = 0;

	if (m->end - m->at == 4)
		return match_mac_of_words(m);
	if (m->end - m->at != 2 || !of_pairs(m->text, m->at))
		return false;
	r = stretch(m, ':', '-', 18);
	t = span_sub(m->text, r.begin, r.end - r.begin);
	if (t.len != 17 || is_kind(byte_at(m->text, r.end), CHAR_ALNUM) ||
	    (r.begin && is_kind(m->text.p[r.begin - 1], CHAR_ALNUM)))
		return false;
	for (size_t i = 0; i < t.len; i++) {
		if ((i % 3 == 2) != !is_kind(t.p[i], CHAR_HEX))
			return false;
		same += i % 3 != 2 && t.p[i] == t.p[0];
	}
	m->whole = true;
	return found(m, SENSITIVE_MAC_ADDRESS, r.begin, r.end, same == 12 ? 0 : .75f);
}

bool match_uuid(struct match *m)
{
	bool before = m->at && m->text.p[m->at - 1] == '-', after = byte_at(m->text, m->end) == '-';
	size_t len = m->end - m->at;
	struct range r;
	struct span t;

	/* The first of its groups, one in the middle, the last. */
	if (!(len == 8 && after) && !(len == 4 && before && after) && !(len == 12 && before))
		return false;
	r = stretch(m, '-', '-', 37);
	t = span_sub(m->text, r.begin, r.end - r.begin);
	if (t.len != 36)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if ((i == 8 || i == 13 || i == 18 || i == 23) != (t.p[i] == '-'))
			return false;
	m->whole = true;
	return found(m, SENSITIVE_ADVERTISING_ID, r.begin, r.end, 0);
}

/* --- telephones */

/* (212) 555-3456 */
static bool match_bracketed(struct match *m)
{
	struct span t = m->text;
	char c[11] = "";
	size_t i = m->at, n = 0;

	if (m->end - m->at != 3 || byte_at(t, m->end) != ')')
		return false;
	for (; n < 10; i++) {
		if (digit(t, i))
			c[n++] = (char)t.p[i];
		else if (!strchr(" .-)", byte_at(t, i)) || !byte_at(t, i) || i - m->at > 14)
			return false;
	}
	return !digit(t, i) && check_nanp(c, 10) &&
	       found(m, SENSITIVE_PHONE_NANP, m->at - 1, i, .8f);
}

bool match_phone(struct match *m)
{
	struct span t = m->text;
	size_t i = m->at, n = 0, end = 0, others = 0;
	char c[PHONE_MAX + 2] = "";

	if (t.p[m->at - 1] == '(')
		return match_bracketed(m);
	if ((m->at >= 2 && is_kind(t.p[m->at - 2], CHAR_ALNUM)) || t.p[m->at] == '0')
		return false;
	/* At most two other characters between digits; a group that makes it too long is not of
	 * it. */
	for (; i < t.len && others <= 2; i++) {
		size_t group = i;

		if (!digit(t, i)) {
			if (!t.p[i] || !strchr(" .-()/", t.p[i]))
				break;
			others++;
			continue;
		}
		while (digit(t, group))
			group++;
		if (n + group - i > (c[0] == '1' || (!n && t.p[i] == '1') ? 11 : PHONE_MAX))
			break;
		memcpy(c + n, t.p + i, group - i);
		n += group - i;
		others = 0;
		end = group;
		i = group - 1;
	}
	if (n < PHONE_MIN || is_kind(byte_at(t, end), CHAR_ALPHA) || digit(t, end) ||
	    byte_at(t, end) == '_' || strspn(c, (const char[]){ c[1], 0 }) >= n - 1)
		return false;
	if (c[0] == '1' && !memcmp(c + 4, "55501", 5))
		return false; /* fiction */
	return found(m, SENSITIVE_PHONE_E164, m->at - 1, end, .85f);
}

/* --- cards, passports */

/* ISO 7813: number, name, expiry; or number and expiry. */
bool match_track(struct match *m)
{
	struct span t = m->text;
	bool first = t.p[m->at] == 'B';
	size_t begin = m->at + first, i = begin, carets = 0;
	char c[20] = "";

	while (digit(t, i) && i - begin < 19)
		i++;
	memcpy(c, t.p + begin, i - begin);
	if (i - begin < 12 || !m->at || t.p[m->at - 1] != (first ? '%' : ';') ||
	    byte_at(t, i) != (first ? '^' : '=') || !check_payment_card(c, i - begin))
		return false;
	for (begin = i; i < t.len && i - begin < 70 && t.p[i] != '?' && t.p[i] != '\n'; i++)
		carets += t.p[i] == '^';
	if (byte_at(t, i) != '?' || i - begin < 8 || (first && carets != 2))
		return false;
	return found(m, first ? SENSITIVE_CARD_TRACK1 : SENSITIVE_CARD_TRACK2, m->at - 1, i + 1,
		     .98f);
}

static bool zone_char(uint8_t c)
{
	return is_kind(c, CHAR_UPPER) || is_kind(c, CHAR_DIGIT) || c == '<';
}

bool match_mrz(struct match *m)
{
	struct range r = { m->at, m->end };
	char c[48];
	size_t n;

	while (r.begin && m->at - r.begin < 45 && zone_char(m->text.p[r.begin - 1]))
		r.begin--;
	while (r.end < m->text.len && r.end - m->at < 45 && zone_char(m->text.p[r.end]))
		r.end++;
	n = r.end - r.begin;
	if (n != 44 && n != 36 && n != 30)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!zone_char(m->text.p[r.begin + i]))
			return false;
	memcpy(c, m->text.p + r.begin, n);
	c[n] = 0;
	return check_mrz(c, n) && found(m, SENSITIVE_PASSPORT_MRZ, r.begin, r.end, .98f);
}

bool match_coin(struct match *m)
{
	size_t n = m->end - m->at;
	const uint8_t *p = m->text.p + m->at;
	char c[100];

	if (n >= sizeof(c) || (m->at && strchr("_/+=", m->text.p[m->at - 1]) && p[-1]) ||
	    byte_at(m->text, m->end) == '_')
		return false;
	memcpy(c, p, n);
	c[n] = 0;
	if (n == 42 && p[0] == '0' && p[1] == 'x' && strspn(c + 2, "0123456789abcdefABCDEF") == 40)
		return found(m, SENSITIVE_CRYPTO_ETH, m->at, m->end, check_eth(c, n) ? .75f : 0);
	if (n == 95 && (p[0] == '4' || p[0] == '8'))
		return found(m, SENSITIVE_CRYPTO_XMR, m->at, m->end, check_xmr(c, n) ? .97f : 0);
	return check_btc(c, n) && found(m, SENSITIVE_CRYPTO_BTC, m->at, m->end, .97f);
}

/* --- places and sums */

static size_t decimal(struct span t, size_t i, unsigned places, double *ret)
{
	double scale = 1, v = 0;
	size_t whole = i, n;

	for (; digit(t, i) && i - whole < 4; i++)
		v = v * 10 + t.p[i] - '0';
	if (i == whole || byte_at(t, i) != '.')
		return 0;
	for (n = ++i; digit(t, i) && i - n < 20; i++)
		v += (t.p[i] - '0') * (scale /= 10);
	*ret = v;
	return i - n >= places ? i : 0;
}

/* 52.51630, 13.37770 or 40.7128° N, 74.0060° W. */
bool match_coordinates(struct match *m)
{
	struct span t = m->text;
	size_t i, begin = m->at;
	double lat, lon;
	bool comma = false;

	begin -= begin && t.p[begin - 1] == '-';
	i = decimal(t, m->at, 4, &lat);
	if (!i || lat > 90 ||
	    (begin && (is_kind(t.p[begin - 1], CHAR_ALNUM) || t.p[begin - 1] == '.')))
		return false;
	for (size_t k = i; i < t.len && i - k < 24 && !digit(t, i); i++) {
		if (t.p[i] < 0x80 && (!strchr(" ,-NSEWnsew;\t", t.p[i]) || !t.p[i]))
			return false;
		comma |= t.p[i] == ',' || t.p[i] == ';';
	}
	if (!comma || !digit(t, i))
		return false;
	i = decimal(t, i, 4, &lon);
	/* One of three and more numbers is a vector. */
	if (!i || lon > 180 ||
	    (byte_at(t, i) == ',' &&
	     strchr("0123456789-", byte_at(t, i + 1 + (byte_at(t, i + 1) == ' ')))))
		return false;
	return found(m, SENSITIVE_GEO_COORDINATES, begin, i, 0);
}

static size_t currency_before(struct span t, size_t i)
{
	static const char *const signs[] = { "$",   "€",   "£",	  "¥",	 "₹",
					     "USD", "EUR", "GBP", "INR", "CHF" };

	i -= i && t.p[i - 1] == ' ';
	if (!i || (t.p[i - 1] != '$' && t.p[i - 1] < 0x80 && !is_kind(t.p[i - 1], CHAR_UPPER)))
		return SIZE_MAX;
	for (size_t k = 0; k < ARRAY_SIZE(signs); k++) {
		size_t n = strlen(signs[k]);

		if (i >= n && !memcmp(t.p + i - n, signs[k], n))
			return i - n;
	}
	return SIZE_MAX;
}

/* A sum of thousands behind a currency. */
bool match_money(struct match *m)
{
	struct span t = m->text;
	size_t begin, i = m->end, digits = m->end - m->at;

	if (!m->at || digits > 7)
		return false;
	begin = currency_before(t, m->at);
	if (begin == SIZE_MAX)
		return false;
	while (strchr(",. '", byte_at(t, i)) && byte_at(t, i) && digit(t, i + 1) &&
	       digit(t, i + 2) && digit(t, i + 3) && i - m->at < 40) {
		digits += 3;
		i += 4;
	}
	while (digit(t, i) && i - m->at < 50)
		i++;
	return (digits >= 4 || byte_at(t, m->end - 1) == 'k') &&
	       found(m, SENSITIVE_SALARY, begin, i, 0);
}

/* The word that ends right before i; empty when there is none. */
static struct span word_before(struct span t, size_t i)
{
	size_t end = i;

	while (i && (is_kind(t.p[i - 1], CHAR_ALPHA) || t.p[i - 1] >= 0x80) && end - i < 40)
		i--;
	return span_sub(t, i, end - i);
}

static bool ends_in(struct span word, const char *const *ends, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(ends[i]);

		if (word.len > len + 1 &&
		    span_eq_nocase(span_sub(word, word.len - len, len), span_of(ends[i], len)))
			return true;
	}
	return false;
}

/* Hauptstrasse 5, via Roma 10, calle Mayor 3: the number stands behind. */
static bool street_before(struct match *m, size_t i)
{
	static const char *const ends[] = { "strasse", "straße", "gasse",  "allee", "platz",
					    "straat",  "laan",	 "gracht", "vagen", "gatan",
					    "veien",   "gade",	 "katu",   "utca",  "damm",
					    "weg",     "kanaal" };
	struct span t = m->text, word;

	i -= i && t.p[i - 1] == ' ';
	i -= i && t.p[i - 1] == ',';
	for (unsigned n = 0; n < 4; n++) {
		word = word_before(t, i);
		if (!word.len)
			return false;
		if ((n == 0 && is_kind(word.p[0], CHAR_UPPER) &&
		     ends_in(word, ends, ARRAY_SIZE(ends))) ||
		    (n && listed(&streets, word)))
			return found(m, SENSITIVE_POSTAL_ADDRESS, (size_t)(word.p - t.p), m->end,
				     .7f);
		i = (size_t)(word.p - t.p);
		while (i && strchr(" .", t.p[i - 1]) && t.p[i - 1])
			i--;
	}
	return false;
}

/* What tells that a number stands before a street, by its first letter. */
static const char *const street_words[26] = {
	['a' - 'a'] = "|ave|avenue|",
	['b' - 'a'] = "|blvd|boulevard|",
	['c' - 'a'] = "|court|ct|crescent|close|circle|cir|",
	['d' - 'a'] = "|drive|dr|",
	['h' - 'a'] = "|highway|hwy|",
	['l' - 'a'] = "|lane|ln|",
	['p' - 'a'] = "|place|pl|parkway|pkwy|",
	['r' - 'a'] = "|rd|road|",
	['s' - 'a'] = "|st|street|square|sq|",
	['t' - 'a'] = "|terrace|trail|",
	['w' - 'a'] = "|way|",
};

/* 12 Main Street, 12 rue de la Paix: the number stands before. */
bool match_address(struct match *m)
{
	struct span t = m->text;
	size_t i = m->end;

	if (!digit(t, m->end - 1) || !digit(t, m->at))
		return false;
	if (m->at >= 2 && street_before(m, m->at))
		return true;
	if (m->at && t.p[m->at - 1] != ' ' && t.p[m->at - 1] != '\n' &&
	    (is_kind(t.p[m->at - 1], CHAR_DIGIT | CHAR_SEPARATOR) || strchr(":#$", t.p[m->at - 1])))
		return false;
	for (unsigned n = 0; n < STREET_WORDS && i - m->end < STREET_MAX; n++) {
		size_t first;
		unsigned letter;

		i += !n && byte_at(t, i) == ',';
		if (byte_at(t, i) != ' ')
			return false;
		while (byte_at(t, i) == ' ' && i - m->end < STREET_MAX)
			i++;
		first = i;
		while ((is_kind(byte_at(t, i), CHAR_ALNUM) || byte_at(t, i) >= 0x80) &&
		       i - first < STREET_MAX)
			i++;
		if (i == first || is_kind(t.p[first], CHAR_DIGIT))
			return false;
		if (!n && listed(&prefixes, span_sub(t, first, i - first)) &&
		    byte_at(t, i) == ' ') {
			/* up to the end of the name */
			while (i < t.len && i - first < STREET_MAX && !strchr(",\n;.\"|(<", t.p[i]))
				i++;
			return found(m, SENSITIVE_POSTAL_ADDRESS, m->at, i, .7f);
		}
		if (!is_kind(t.p[first], CHAR_UPPER))
			return false;
		letter = (unsigned)ascii_lower(t.p[first]) - 'a';
		if (n && street_words[letter] &&
		    is_listed(street_words[letter], span_sub(t, first, i - first)))
			return found(m, SENSITIVE_POSTAL_ADDRESS, m->at, i, .7f);
		i += byte_at(t, i) == '.';
	}
	return false;
}

/* Metformin 500 mg */
bool match_dose(struct match *m)
{
	struct span t = m->text, word;
	size_t i = m->at, unit, begin;

	if (m->at < 5 || t.p[m->at - 1] != ' ')
		return false;
	while (i - m->at <= DOSE_LEN && (digit(t, i) || (byte_at(t, i) == '.' && digit(t, i + 1))))
		i++;
	if (i == m->at || i - m->at > DOSE_LEN)
		return false;
	i += byte_at(t, i) == ' ';
	if (!is_kind(byte_at(t, i), CHAR_ALPHA))
		return false;
	for (unit = i; is_kind(byte_at(t, i), CHAR_ALPHA) && i - unit < 4; i++)
		;
	if (!listed(&units, span_sub(t, unit, i - unit)))
		return false;
	for (begin = m->at; begin && t.p[begin - 1] == ' '; begin--)
		;
	word = word_before(t, begin);
	return word.len >= 4 && is_kind(word.p[0], CHAR_UPPER) &&
	       found(m, SENSITIVE_MEDICATION, (size_t)(word.p - t.p), i, 0);
}
