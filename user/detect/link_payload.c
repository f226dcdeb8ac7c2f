/* user/detect/link_payload.c - addresses that carry data out: what stands in query and path, and
 * what the text around tells a model to put there.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/own.h"
#include "detect/link_suspect.h"

#define VALUE_MAX   2048 /* bytes of one value looked at */
#define VALUES_MAX  64	 /* of one address */
#define ENCODED_MIN 16	 /* characters of a value that is taken for encoded text */
#define WORDS_MIN   4
#define WORDS_LEN   20
#define ORDERS_NEAR 400 /* bytes around */

/* Who draws what the address says: nobody but the reader gets to know it. */
static const char renderers[] =
    "pollinations.ai unsplash.com picsum.photos placeholder.com placehold.co placehold.it "
    "placekitten.com dummyimage.com shields.io badgen.net quickchart.io codecogs.com "
    "googleapis.com mermaid.ink kroki.io plantuml.com robohash.org dicebear.com ui-avatars.com "
    "gravatar.com demolab.com github-readme-stats.vercel.app herokuapp.com qrserver.com wsrv.nl "
    "weserv.nl latex2image.com wordart.com chart.io staticmap.openstreetmap.de tenor.com "
    "giphy.com wikimedia.org ytimg.com youtube.com googleusercontent.com githubusercontent.com "
    "github.com google.com bing.com duckduckgo.com wolframalpha.com imgflip.com memegen.link "
    "loremflickr.com pexels.com pixabay.com adorable.io";
/* Who collects whatever is sent to it, for anybody. */
static const char collectors[] =
    "webhook.site requestbin.com requestbin.net requestcatcher.com beeceptor.com pipedream.net "
    "hookbin.com interact.sh oast.fun oast.live oast.me oast.online oast.pro oast.site "
    "burpcollaborator.net oastify.com dnslog.cn ceye.io canarytokens.com ngrok.io ngrok.app "
    "ngrok-free.app ngrok.dev trycloudflare.com serveo.net localhost.run loca.lt webhook.cool "
    "postb.in ptsv2.com ptsv3.com putsreq.com mockbin.org typedwebhook.tools smee.io";
/* Parameters that hold such data. */
static const char data_names[] =
    "data d q info secret secrets payload content msg message exfil leak dump history chat "
    "conversation conv summary name email user log b64 base64 token key password pwd cookie text "
    "body query note notes context prompt ctx p c s t x v val value code input output stolen "
    "collect track pixel param";
/* What a placeholder asks for when it asks for more than a template needs. */
static const char *const wanted[] = {
	"data",	    "secret",	"password", "passwd",	    "credential", "conversation",
	"chat",	    "history",	"summar",   "base64",	    "b64",	  "encoded",
	"email",    "api_key",	"apikey",   "api key",	    "api-key",	  "token",
	"system",   "context",	"private",  "confidential", "sensitive",  "personal",
	"message",  "document", "content",  "user_info",    "userinfo",	  "answer",
	"response", "cookie",	"exfil",    "payload",	    "ssn",	  "address",
	"phone",    "name",	"previous", "instructions",
};
static const char *const verbs[] = {
	"encode",   "replac",	  "append",	  "insert",	 "substitut", "fill in",
	"render",   "display",	  "embed",	  "output",	 "send",      "exfiltrat",
	"transmit", "forward",	  "upload",	  "include the", "print",     "begin your",
	"end your", "start your", "respond with", "reply with",	 "visit",     "fetch",
	"open the", "load ",
};
static const char *const objects[] = {
	"conversation",
	"chat history",
	"previous message",
	"secret",
	"password",
	"credential",
	"api key",
	"api_key",
	"system prompt",
	"inbox",
	"confidential",
	"personal",
	"private",
	"sensitive",
	"email",
	"summary",
	"first message",
	"user's message",
	"the user",
	"user data",
	"access token",
	"environment variable",
	"base64",
	"url-encode",
	"url encode",
	"your instructions",
	"bank",
	"account number",
	"phone number",
	"private key",
	"answer",
};

static bool any_of(struct span s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_contains(s, words[i]))
			return true;
	return false;
}

static bool host_in(const struct url *u, const char *domains)
{
	for (const char *p = u->host; p; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL)
		if (word_of(span_str(p), domains))
			return true;
	return false;
}

/* --- values */

struct value {
	struct span name, raw;
	bool path;
};

/* The parts of a path, then the parameters of a query. False: no more. */
static bool next_value(struct span rest, size_t *at, struct value *ret)
{
	const char *ends;
	size_t n = 0, eq;

	if (*at >= rest.len || rest.p[*at] == '#')
		return false;
	if (!*at || rest.p[*at] == '/')
		ret->path = true;
	if (rest.p[*at] == '?')
		ret->path = false;
	++*at;
	ends = ret->path ? "/?#" : "&;#";
	while (*at + n < rest.len && !(rest.p[*at + n] && strchr(ends, rest.p[*at + n])))
		n++;
	ret->raw = span_sub(rest, *at, n);
	ret->name = span_of(NULL, 0);
	*at += n;
	if (ret->path)
		return true;
	for (eq = 0; eq < ret->raw.len && ret->raw.p[eq] != '='; eq++)
		;
	if (eq < ret->raw.len) {
		ret->name = span_sub(ret->raw, 0, eq);
		ret->raw = span_sub(ret->raw, eq + 1, ret->raw.len);
		if (span_starts(ret->name, SPAN_LIT("amp;")))
			ret->name = span_sub(ret->name, 4, ret->name.len);
	}
	return true;
}

/* Percent signs and plus signs undone. */
static size_t unescape(struct span s, bool path, uint8_t ret[VALUE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && n < VALUE_MAX; i++) {
		int hi = s.p[i] == '%' && i + 2 < s.len ? ascii_hex(s.p[i + 1]) : -1;
		int lo = hi >= 0 ? ascii_hex(s.p[i + 2]) : -1;

		if (lo >= 0) {
			ret[n++] = (uint8_t)(hi << 4 | lo);
			i += 2;
		} else {
			ret[n++] = s.p[i] == '+' && !path ? ' ' : s.p[i];
		}
	}
	return n;
}

/* Is it what people read: printable, with blanks or signs between words, not one long token? */
static bool readable(const uint8_t *p, size_t n)
{
	size_t good = 0, letters = 0, breaks = 0;

	for (size_t i = 0; i < n; i++) {
		good += (p[i] >= 0x20 && p[i] < 0x7f) || p[i] == '\n' || p[i] == '\t';
		letters += isalnum(p[i]) != 0;
		breaks += strchr(" :,.@_-=\n", p[i]) && p[i];
	}
	return n >= 8 && good == n && letters * 10 >= n * 6 && (breaks || letters == n);
}

/* Base64 or hex of something readable. The text in out. */
static size_t decode(struct span s, uint8_t out[VALUE_MAX])
{
	const uint8_t *dot;
	size_t n = 0, digits = 0;

	/* dGV4dA.png */
	dot = s.len ? memrchr(s.p, '.', s.len) : NULL;
	if (dot && s.p + s.len - dot <= 6)
		s.len = (size_t)(dot - s.p);
	if (s.len < ENCODED_MIN || s.len > VALUE_MAX)
		return 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!base64_sextets[s.p[i]] && s.p[i] != 'A' && s.p[i] != '=')
			return 0;
		digits += ascii_hex(s.p[i]) >= 0;
	}
	if (digits == s.len && s.len % 2 == 0) {
		for (size_t i = 0; i < s.len; i += 2)
			out[n++] = (uint8_t)(ascii_hex(s.p[i]) << 4 | ascii_hex(s.p[i + 1]));
		if (readable(out, n))
			return n;
	}
	n = base64_decode(out, s);
	return readable(out, n) ? n : 0;
}

static size_t count_words(const uint8_t *p, size_t n)
{
	size_t words = 0;
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		bool w = isalnum(p[i]) || p[i] >= 0x80 || p[i] == '\'';

		words += w && !in;
		in = w;
	}
	return words;
}

/* An e-mail address, a password, a key, a long number: what nobody puts into a link. */
static bool sensitive(struct span s)
{
	size_t digits = 0, run = 0;
	const uint8_t *at = s.len ? memchr(s.p, '@', s.len) : NULL;

	for (size_t i = 0; i < s.len; i++) {
		run = isdigit(s.p[i]) || ((s.p[i] == ' ' || s.p[i] == '-') && run)
			  ? run + (isdigit(s.p[i]) != 0)
			  : 0;
		digits = MAX(digits, run);
	}
	return (at && at > s.p && memchr(at, '.', (size_t)(s.p + s.len - at))) || digits >= 13 ||
	       ascii_contains(s, "password") || ascii_contains(s, "secret") ||
	       ascii_contains(s, "sk-") || ascii_contains(s, "akia") || ascii_contains(s, "ssn");
}

/* Signed addresses are long for a reason, and what counts visits is not read from a text. */
static bool signature(struct span rest)
{
	static const char *const marks[] = { "x-amz-",	 "x-goog-", "signature=", "sig=",
					     "expires=", "policy=", "hmac=",	  "oe=",
					     "rscc=",	 "rscd=",   "&sp=r" };

	return any_of(rest, marks, ARRAY_SIZE(marks));
}

static bool counts_visits(struct span name)
{
	return span_starts(name, SPAN_LIT("utm_")) ||
	       word_of(name, "fbclid gclid msclkid mc_cid mc_eid ref ref_src igshid si");
}

void suspect_payload(struct suspicion *s, const struct link *l, enum link_markup markup)
{
	bool fetched = markup == MARKUP_IMAGE, is_signed;
	uint8_t plain[VALUE_MAX], decoded[VALUE_MAX];
	struct value v = { .path = true };
	size_t at = 0;

	if (host_in(&l->url, renderers))
		return;
	is_signed = signature(l->rest);
	for (unsigned n = 0; n < VALUES_MAX && next_value(l->rest, &at, &v); n++) {
		bool named = v.name.len && word_of(v.name, data_names);
		size_t len, n_decoded;
		struct span text;

		if (v.raw.len < 8 || counts_visits(v.name))
			continue;
		len = unescape(v.raw, v.path, plain);
		n_decoded = decode(span_of(plain, len), decoded);
		text = n_decoded ? span_of(decoded, n_decoded) : span_of(plain, len);
		if (n_decoded && (!is_signed || count_words(decoded, n_decoded) > 1))
			suspect(s, fetched ? .75F : .5F, fetched ? "image-data" : "link-data",
				"carries encoded text out");
		else if (fetched && !v.path && len >= WORDS_LEN &&
			 count_words(plain, len) >= WORDS_MIN && !is_signed)
			suspect(s, named ? .65F : .4F, "image-data", "carries a sentence out");
		else
			continue;
		if (sensitive(text))
			suspect(s, .6F, fetched ? "image-data" : "link-data",
				"carries personal or secret values out");
	}
	/* Asking for the name is enough for its owner to know: 68656c6c6f.evil.example */
	for (const char *p = l->url.host; l->url.kind == HOST_NAME && strchr(p, '.');
	     p = strchr(p, '.') + 1) {
		size_t len = decode(span_of(p, strcspn(p, ".")), decoded);

		if (len)
			suspect(s, fetched ? .75F : .5F, fetched ? "image-data" : "link-data",
				"carries encoded text in its name");
		if (len && sensitive(span_of(decoded, len)))
			suspect(s, .6F, fetched ? "image-data" : "link-data",
				"carries personal or secret values out");
	}
	if (s->score > 0 && host_in(&l->url, collectors))
		suspect(s, .6F, "collector", "collects what anybody sends to it");
	if (s->score > 0 && l->url.kind != HOST_NAME)
		suspect(s, .3F, "ip", "is a bare IP address");
}

/* --- templates */

/* A placeholder in the address: what stands between its brackets, or 0. */
static struct span placeholder(struct span s, size_t *at)
{
	static const struct {
		const char *open;
		char close;
	} brackets[] = { { "{{", '}' }, { "${", '}' },	{ "{", '}' },	{ "[", ']' },
			 { "<", '>' },	{ "%7B", '%' }, { "%5B", '%' }, { "%3C", '%' } };

	for (; *at < s.len; ++*at)
		for (size_t k = 0; k < ARRAY_SIZE(brackets); k++) {
			size_t n = strlen(brackets[k].open);
			struct span in = span_sub(s, *at + n, 64);
			const uint8_t *close;

			if (!span_starts(span_sub(s, *at, n), span_str(brackets[k].open)))
				continue;
			close = in.len ? memchr(in.p, brackets[k].close, in.len) : NULL;
			if (!close)
				continue;
			*at += n + (size_t)(close - in.p) + 1;
			return span_sub(in, 0, (size_t)(close - in.p));
		}
	return span_of(NULL, 0);
}

/* The address up to where a reader sees it end: placeholders hold characters that end an address
 * otherwise. */
static struct span with_placeholders(struct span text, const struct link *l)
{
	size_t begin = l->where.begin + l->url.authority, i;
	struct span t = span_sub(text, begin, 512);
	uint8_t close = 0;

	for (i = 0; i < t.len && t.p[i] != '\n'; i++) {
		uint8_t c = t.p[i];

		if (close) {
			close = c == close ? 0 : close;
			continue;
		}
		if (c == '{' || c == '[' || (c == '<' && i && strchr("=/{", t.p[i - 1])))
			close = c == '<' ? '>' : (uint8_t)(c + 2);
		else if (c <= 0x20 || c == '"' || c == ')' || c == '`' || c == '<' || c == '>' ||
			 c == ']')
			break;
	}
	return span_sub(t, 0, i);
}

/* Capitals that stand for something: YOUR_DATA, SECRET, BASE64_OF_CHAT. */
static bool shouted(struct span raw)
{
	size_t upper = 0;

	for (size_t i = 0; i < raw.len; i++) {
		if (!isupper(raw.p[i]) && !isdigit(raw.p[i]) && !strchr("_-+", raw.p[i]))
			return false;
		upper += isupper(raw.p[i]) != 0;
	}
	return upper >= 4 && any_of(raw, wanted, ARRAY_SIZE(wanted));
}

void suspect_template(struct suspicion *s, const struct link *l, enum link_markup markup,
		      struct span text)
{
	static const struct suspicion none;
	struct span rest = with_placeholders(text, l), hole;
	size_t begin = l->where.begin > ORDERS_NEAR ? l->where.begin - ORDERS_NEAR : 0;
	struct span before = span_sub(text, begin, l->where.begin - begin);
	struct span after =
	    span_sub(text, l->where.begin + l->url.authority + rest.len, ORDERS_NEAR);
	bool ordered, asks = false, is_renderer = host_in(&l->url, renderers);
	struct value v = { .path = true };
	size_t at = 0;

	if (!rest.len)
		return;
	while ((hole = placeholder(rest, &at)).p) {
		bool data = any_of(hole, wanted, ARRAY_SIZE(wanted));

		asks |= data;
		suspect(s, data ? .45F : .1F, "template", "has a place for what the model knows");
	}
	at = 0;
	for (unsigned n = 0; n < VALUES_MAX && next_value(rest, &at, &v); n++)
		if (!v.path && shouted(v.raw)) {
			suspect(s, .4F, "template", "has a place for what the model knows");
			asks = true;
		}
	if (rest.p[rest.len - 1] == '=' && !signature(rest)) {
		suspect(s, .3F, "template", "ends where data is to be put");
		asks = true;
	}
	if (is_renderer)
		*s = none;
	if (s->score == 0)
		return;
	/* Orders to fill in what no template needs, or what is fetched by itself. */
	ordered =
	    (asks || markup == MARKUP_IMAGE) &&
	    (any_of(before, verbs, ARRAY_SIZE(verbs)) || any_of(after, verbs, ARRAY_SIZE(verbs))) &&
	    (any_of(before, objects, ARRAY_SIZE(objects)) ||
	     any_of(after, objects, ARRAY_SIZE(objects)));
	/* Every description of an API has holes. */
	if (!ordered && markup != MARKUP_IMAGE && !host_in(&l->url, collectors)) {
		*s = none;
		return;
	}
	if (ordered)
		suspect(s, .55F, "template", "is to be filled with what the model knows");
	if (markup == MARKUP_IMAGE)
		suspect(s, .45F, "image-template",
			"is an image to be filled with what the model knows");
	if (host_in(&l->url, collectors))
		suspect(s, .6F, "collector", "collects what anybody sends to it");
}
