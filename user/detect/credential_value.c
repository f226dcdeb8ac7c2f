/* user/detect/credential_value.c - values whose name says that they are secret: assignments in
 * environments, settings, JSON, YAML, code, markup and sentences. The name leads to the value; what
 * the value is made of decides, for most values of such names are references, words and samples.
 */
#include <ctype.h>

#include "base/own.h"
#include "detect/credential.h"

#define NAME_MAX_BYTES 48 /* of a name on either side of what was hit */
#define VALUE_MAX      512
#define GAP_MAX	       40 /* white space around an operator: people align columns */
#define BESIDE_MAX     8  /* ... where there is no operator */
#define PASSWORD_MIN   6
#define SECRET_MIN     16
#define MIXED_MIN      12 /* with capitals, small letters and digits */
#define PART_MIN       12 /* of what is no joined words */
#define KEY_MIN	       20
#define CONTEXT	       200 /* bytes searched for the rest of a connection string */
#define FRAMEWORK_MIN  40
#define TAG_MAX	       80  /* bytes of the attributes of a tag */
#define ROW_BYTES      512 /* of a table, to either side of a name */
#define CLAUSE_MAX     48  /* bytes of what a password is for */
#define CALL_MAX       4   /* bytes of a function's name behind that of the secret: setPassword() */

enum class { PASSWORD, SECRET, KEY, AUTH };

static const struct {
	const char *text;
	enum class class;
} names[] = {
	{ "passw", PASSWORD },
	{ "pw:", PASSWORD },
	{ "pw=", PASSWORD },
	{ "pass:", PASSWORD },
	{ "pass=", PASSWORD },
	{ "pass>", PASSWORD },
	{ "pass\"", PASSWORD },
	{ "pass'", PASSWORD },
	{ "_pass ", PASSWORD },
	{ "psk=", PASSWORD },
	{ "<pass ", PASSWORD },
	{ "identified by", PASSWORD },
	{ "pwd", PASSWORD },
	{ "passphrase", PASSWORD },
	{ "passcode", PASSWORD },
	{ "mot de passe", PASSWORD },
	{ "contraseña", PASSWORD },
	{ "senha", PASSWORD },
	{ "пароль", PASSWORD },
	{ "密码", PASSWORD },
	{ "パスワード", PASSWORD },
	{ "비밀번호", PASSWORD },
	{ "كلمة المرور", PASSWORD },
	{ "hasło", PASSWORD },
	{ "wachtwoord", PASSWORD },
	{ "lösenord", PASSWORD },
	{ "şifre", PASSWORD },
	{ "mật khẩu", PASSWORD },
	{ "kata sandi", PASSWORD },
	{ "secret", SECRET },
	{ "token", SECRET },
	{ "credential", SECRET },
	{ "key", KEY },
	{ "auth", AUTH },
};

const size_t n_secret_names = ARRAY_SIZE(names);

const char *secret_name(size_t i)
{
	return names[i].text;
}

static bool name_char(uint8_t c)
{
	return isalnum(c) || c == '_' || c == '-' || c == '.' || c >= 0x80;
}

/* A name without what joins its words, in small letters. */
static size_t plain(struct span name, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < name.len && n + 1 < size; i++)
		if (isalnum(name.p[i]))
			ret[n++] = (char)tolower(name.p[i]);
	ret[n] = 0;
	return n;
}

static bool any_of(const char *in, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(in, words[i]))
			return true;
	return false;
}

/* Names of what is about secrets, and is none. */
static bool harmless(const char *name, size_t len)
{
	static const char *const anywhere[] = {
		"public",	"pubkey",
		"tokeniz",	"keyboard",
		"keyword",	"monkey",
		"turkey",	"hockey",
		"donkey",	"primarykey",
		"foreignkey",	"cachekey",
		"sortkey",	"rowkey",
		"keyframe",	"keyup",
		"keydown",	"keypress",
		"keycode",	"pagetoken",
		"nexttoken",	"continuationtoken",
		"maxtoken",	"numtoken",
		"inputtoken",	"csrf",
		"xsrf",		"encryptedkey",
		"wrappedkey",	"outputtoken",
		"prompttoken",	"completiontoken",
		"partitionkey", "idempot",
		"keyspace",	"objectkey",
		"integrity",	"lastkey",
		"resetkey",	"keystone",
		"keynote",	"hotkey",
		"passwordless", "authenticity",
		"requestverif", "websocketkey",
	};
	static const char *const endings[] = {
		"id",	    "ids",	"name",	       "names",	      "path",	     "file",
		"files",    "url",	"uri",	       "urls",	      "type",	     "types",
		"count",    "length",	"len",	       "size",	      "limit",	     "max",
		"min",	    "expiry",	"expires",     "expiresin",   "expiration",  "ttl",
		"field",    "label",	"hint",	       "title",	      "text",	     "message",
		"error",    "policy",	"format",      "algorithm",   "alg",	     "prefix",
		"suffix",   "version",	"endpoint",    "host",	      "server",	     "port",
		"status",   "state",	"enabled",     "required",    "class",	     "method",
		"header",   "param",	"index",       "page",	      "tokens",	     "arn",
		"ref",	    "date",	"time",	       "at",	      "scope",	     "scopes",
		"regex",    "pattern",	"email",       "user",	      "username",    "dir",
		"location", "provider", "mode",	       "placeholder", "description", "column",
		"hash",	    "digest",	"fingerprint", "checksum",    "sha",	     "commit",
		"revision", "etag",	"md5",	       "author",      "authors",     "authority",
		"keys",	    "selector", "input",       "icon",	      "link",	     "button",
		"service",  "manager",	"helper",      "handler",     "audience",    "issuer",
		"realm",    "tenant",
	};

	if (any_of(name, anywhere, ARRAY_SIZE(anywhere)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (len >= strlen(endings[i]) &&
		    !strcmp(name + len - strlen(endings[i]), endings[i]))
			return true;
	return false;
}

bool secret_harmless(struct span t, size_t at)
{
	char word[NAME_MAX_BYTES + 1];
	size_t end, begin;

	while (at && strchr("\"'=: \\", t.p[at - 1]) && t.p[at - 1])
		at--;
	end = begin = at;
	while (begin && end - begin < NAME_MAX_BYTES && name_char(t.p[begin - 1]))
		begin--;
	return harmless(word, plain(span_sub(t, begin, end - begin), word, sizeof(word)));
}

/* A key of what? Most keys open nothing. */
static bool opens(const char *name)
{
	static const char *const words[] = {
		"apikey",	   "accesskey",	    "secretkey",   "privatekey",     "authkey",
		"encryptionkey",   "signingkey",    "masterkey",   "accountkey",     "sharedkey",
		"subscriptionkey", "licensekey",    "appkey",	   "clientkey",	     "storagekey",
		"hmackey",	   "sessionkey",    "consumerkey", "servicekey",     "cryptkey",
		"encryptkey",	   "secret",	    "token",	   "applicationkey", "passkey",
		"adminkey",	   "authorization", "keyvalue",
	};

	return any_of(name, words, ARRAY_SIZE(words));
}

static size_t blanks(struct span t, size_t at)
{
	size_t from = at;

	while (at < t.len && at - from < GAP_MAX && (t.p[at] == ' ' || t.p[at] == '\t'))
		at++;
	return at;
}

static bool has(struct span t, size_t at, const char *what)
{
	return at < t.len && t.len - at >= strlen(what) && !memcmp(t.p + at, what, strlen(what));
}

/* Length of a quote at at, with what escapes it; 0: none stands there. */
static size_t quote_at(struct span t, size_t at)
{
	static const char *const entities[] = { "&quot;", "&#34;", "&#39;", "&apos;", "&#x27;" };
	size_t i = at;

	while (i < t.len && i - at < 3 && t.p[i] == '\\')
		i++;
	for (size_t k = 0; k < ARRAY_SIZE(entities); k++)
		if (has(t, i, entities[k]))
			return i + strlen(entities[k]) - at;
	return i < t.len && t.p[i] && strchr("\"'`", t.p[i]) ? i + 1 - at : 0;
}

/* Behind what makes a word bold in Markdown. */
static size_t stars(struct span t, size_t at)
{
	return has(t, at, "**") ? at + 2 : at;
}

/* Does a bar stand before the name? "| Password | x |" */
static bool in_cell(struct span t, size_t begin)
{
	while (begin && strchr(" *`", t.p[begin - 1]) && t.p[begin - 1])
		begin--;
	return begin && t.p[begin - 1] == '|';
}

/* Is at behind the bracket of a call that gives things their values? HashPassword("x", "y") is
 * none. */
static bool setter(struct span t, size_t at)
{
	static const char *const verbs[] = { "define", "set", "put", "add", "env", "prop" };
	size_t begin = --at;
	struct span name;

	while (begin && at - begin < NAME_MAX_BYTES && isalnum(t.p[begin - 1]))
		begin--;
	name = span_sub(t, begin, at - begin);
	for (size_t i = 0; t.p[at] == '(' && i < ARRAY_SIZE(verbs); i++)
		if (ascii_contains(name, verbs[i]))
			return true;
	return false;
}

enum how { NONE, ASSIGNED, CALLED, SAID, MARKUP, BESIDE };

/* Passes over what stands between a name and its value. */
static enum how operator_at(struct span t, struct range name, size_t hit_end, size_t *at)
{
	static const char *const said[] = { "is ",	"ist ", "es ",	"est ", "e ",	"to ",
					    "是",	"は",	"was ", "=",	"is: ", "lautet ",
					    "lautet: ", "это ", "är ",	"jest " };
	static const char *const pairs[] = { "\"value\":", "value:", "'value':", "value=" };
	size_t i = name.end, quote = quote_at(t, i), gap;
	bool cli = name.begin >= 2 && has(t, name.begin - 2, "--");

	i += quote;
	if (i < t.len && t.p[i] == ']')
		i++;
	i = stars(t, i);
	gap = blanks(t, i);
	/* {"name": "DB_PASSWORD", "value": "..."} */
	if (quote || has(t, gap, "\n")) {
		size_t next = gap;

		while (next < t.len && next - gap < 24 && t.p[next] &&
		       strchr(", \r\n\t", t.p[next]))
			next++;
		for (size_t k = 0; next > name.end + quote && k < ARRAY_SIZE(pairs); k++)
			if (has(t, next, pairs[k])) {
				*at = blanks(t, next + strlen(pairs[k]));
				return ASSIGNED;
			}
	}
	if (has(t, gap, "==") || has(t, gap, "=~") || has(t, gap, "::"))
		return NONE;
	if (has(t, gap, "=>") || has(t, gap, ":=")) {
		*at = blanks(t, gap + 2);
		return ASSIGNED;
	}
	if (has(t, gap, "=") || has(t, gap, ":")) {
		size_t value = blanks(t, stars(t, gap + 1)), type = value;

		/* "name: type = value" */
		while (type < t.len && type - value < 24 &&
		       (isalnum(t.p[type]) || t.p[type] == '_'))
			type++;
		if (t.p[gap] == ':' && type > value && has(t, blanks(t, type), "= "))
			value = blanks(t, blanks(t, type) + 1);
		*at = value;
		return ASSIGNED;
	}
	/* define('DB_PASSWORD', 'x') */
	if (quote && has(t, gap, ",") && name.begin > quote && setter(t, name.begin - quote) &&
	    quote_at(t, blanks(t, gap + 1))) {
		*at = blanks(t, gap + 1);
		return ASSIGNED;
	}
	if (has(t, gap, "| ") && in_cell(t, name.begin)) {
		*at = blanks(t, gap + 1);
		return ASSIGNED;
	}
	if (name.begin && t.p[name.begin - 1] == '<') {
		size_t tag = i;

		/* <password type="text">x</password> */
		while (tag < t.len && tag - i < TAG_MAX && t.p[tag] >= ' ' &&
		       !strchr("<>/", t.p[tag]))
			tag++;
		if (has(t, tag, ">") && (tag == i || t.p[i] == ' ')) {
			*at = tag + 1;
			return MARKUP;
		}
	}
	if (has(t, i, "(") && quote_at(t, i + 1) && name.end - hit_end <= CALL_MAX) {
		*at = i + 1;
		return CALLED;
	}
	if (cli && gap > i) {
		*at = gap;
		return ASSIGNED;
	}
	for (size_t k = 0; gap >= i && k < ARRAY_SIZE(said); k++)
		if (has(t, gap, said[k])) {
			*at = blanks(t, gap + strlen(said[k]));
			return SAID;
		}
	/* "password for the router is x" */
	if (gap > i && (has(t, gap, "for ") || has(t, gap, "of "))) {
		size_t is = gap;

		while (is < t.len && is - gap < CLAUSE_MAX &&
		       (isalnum(t.p[is]) || t.p[is] == ' ') && !has(t, is, " is "))
			is++;
		if (has(t, is, " is ")) {
			*at = blanks(t, is + 4);
			return SAID;
		}
	}
	/* IDENTIFIED BY 'x', "login root password x" */
	if (!quote && gap > i && gap - i <= BESIDE_MAX) {
		*at = gap;
		return BESIDE;
	}
	return NONE;
}

/* "&name=": the next field of a form. */
static bool query(struct span t, size_t at)
{
	size_t i = at + 1;

	while (i < t.len && (isalnum(t.p[i]) || t.p[i] == '_' || t.p[i] == '-'))
		i++;
	return i > at + 1 && has(t, i, "=");
}

/* The value at at; *quoted tells whether quotes hold it. */
static struct range value_at(struct span t, size_t at, enum how how, bool *quoted)
{
	size_t quote, end;

	/* b"...", @"...", f'...' */
	if (at + 1 < t.len && t.p[at] && strchr("bruf@", t.p[at]) && quote_at(t, at + 1))
		at++;
	quote = quote_at(t, at);
	*quoted = quote > 0;
	at += quote;
	for (end = at; end < t.len && end - at <= VALUE_MAX; end++) {
		uint8_t c = t.p[end];

		if (quote ? quote_at(t, end) >= quote && c == t.p[at - quote] : c <= ' ')
			break;
		if (!quote && c == '&' && query(t, end))
			break;
		if (c < ' ' || (!quote && (c >= 0x80 || strchr("\"'`,;<>", c))) ||
		    (how == MARKUP && c == '<'))
			break;
	}
	if (has(t, end - MIN(end - at, (size_t)3), "..."))
		return (struct range){ at, at }; /* cut short by who wrote it */
	if (!quote)
		while (end > at && strchr(".,;)]}!?", t.p[end - 1]))
			end--;
	return (struct range){ at, end };
}

/* "Authorization: Token x", "Authorization: Token token=x": what stands before x says what it is.
 */
static size_t behind_scheme(struct span t, size_t at)
{
	static const char *const known[] = { "basic", "bearer", "digest" };
	size_t i = at + quote_at(t, at), word = i;

	while (i < t.len && (isalpha(t.p[i]) || t.p[i] == '-'))
		i++;
	if (i == word || blanks(t, i) == i)
		return at;
	/* These have rows of their own. */
	for (size_t k = 0; k < ARRAY_SIZE(known); k++)
		if (i - word == strlen(known[k]) &&
		    !strncasecmp((const char *)t.p + word, known[k], i - word))
			return at;
	word = i = blanks(t, i);
	while (i < t.len && (isalpha(t.p[i]) || t.p[i] == '_'))
		i++;
	return i > word && has(t, i, "=") ? i + 1 : word;
}

/* The longest part between what joins words and numbers. */
static size_t longest(struct span v)
{
	size_t most = 0, run = 0;

	for (size_t i = 0; i < v.len; i++) {
		run = strchr("-_.:", v.p[i]) ? 0 : run + 1;
		most = MAX(most, run);
	}
	return most;
}

/* Names joined by dots: a variable of some program. */
static bool member(struct span v)
{
	bool dot = false;

	for (size_t i = 0; i < v.len; i++) {
		if (!isalnum(v.p[i]) && v.p[i] != '_' && v.p[i] != '.')
			return false;
		dot |= v.p[i] == '.';
	}
	return dot && !credential_random(v);
}

/* Stands for a value that is elsewhere. */
static bool reference(struct span v, bool quoted)
{
	static const char *const parts[] = {
		"${",	    "{{",  "}}",      "$(",    "<%",	"process.env", "environ", "getenv",
		"secrets.", "://", "config.", "self.", "this.", "%s",	       "{0}"
	};

	if (strchr("$<{[%*(&@,;:)", v.p[0]))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (memmem(v.p, v.len, parts[i], strlen(parts[i])))
			return true;
	/* f(x), a[i]: code */
	return !quoted && (member(v) || memchr(v.p, '(', v.len) || memchr(v.p, '[', v.len) ||
			   memchr(v.p, '{', v.len));
}

static bool all(struct span v, const char *accepted)
{
	for (size_t i = 0; i < v.len; i++)
		if (!isalnum(v.p[i]) && !strchr(accepted, v.p[i]))
			return false;
	return true;
}

static bool uuid(struct span v)
{
	return v.len == 36 && v.p[8] == '-' && v.p[13] == '-' && v.p[18] == '-' && v.p[23] == '-';
}

/* A path, a name of a file or a class, a version, a number. */
static bool pointer(struct span v)
{
	size_t digits = 0, slashes = 0, dots = 0;

	for (size_t i = 0; i < v.len; i++) {
		digits += isdigit(v.p[i]) || strchr("-:. ", v.p[i]);
		slashes += v.p[i] == '/';
		dots += v.p[i] == '.';
	}
	return digits == v.len || v.p[0] == '/' || has(v, 0, "./") || has(v, 0, "~/") ||
	       (v.len < 64 && slashes >= 2) || dots >= 3;
}

static bool near_server(struct candidate *c)
{
	static const char *const words[] = { "server=", "data source=", "jdbc:",
					     "uid=",	"user id=",	"initial catalog=" };
	size_t begin = c->where.begin > CONTEXT ? c->where.begin - CONTEXT : 0;
	struct span around = span_sub(c->text, begin, c->where.end - begin + CONTEXT);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (ascii_contains(around, words[i]))
			return true;
	return false;
}

static bool digits(struct span v)
{
	for (size_t i = 0; i < v.len; i++)
		if (isdigit(v.p[i]))
			return true;
	return false;
}

static bool mixed(struct span v)
{
	bool upper = false, lower = false, digit = false;

	for (size_t i = 0; i < v.len; i++) {
		upper |= isupper(v.p[i]) != 0;
		lower |= islower(v.p[i]) != 0;
		digit |= isdigit(v.p[i]) != 0;
	}
	return upper && lower && digit;
}

static float strength(struct span v, enum class class, const char *name, enum how how, bool quoted)
{
	bool random = credential_random(v);

	if (class == PASSWORD) {
		if (v.len < PASSWORD_MIN)
			return 0;
		/* Words of other languages surprise as well. */
		if (how == BESIDE && !quoted && !(random && digits(v)))
			return 0;
		if (!random && !credential_password(v))
			return quoted && v.len >= PASSWORD_MIN ? CREDENTIAL_UNSURE : 0;
		return how == SAID || quoted || random || !all(v, "_.") ? CREDENTIAL_LIKELY
									: CREDENTIAL_ALERT;
	}
	if (!random)
		return class == SECRET && quoted && credential_password(v) ? CREDENTIAL_UNSURE : 0;
	if (v.len < (mixed(v) ? MIXED_MIN : SECRET_MIN))
		return CREDENTIAL_UNSURE;
	if (uuid(v))
		return class == SECRET || opens(name) ? CREDENTIAL_ALERT : CREDENTIAL_UNSURE;
	if ((longest(v) < PART_MIN && !(mixed(v) && v.len >= KEY_MIN)) ||
	    (!quoted && !all(v, "_+/=.~-")))
		return CREDENTIAL_UNSURE;
	if (class == SECRET || opens(name))
		return CREDENTIAL_LIKELY;
	/* "pastebin_key": a key of something */
	return class == KEY && strlen(name) > 5 && !strcmp(name + strlen(name) - 3, "key") &&
		       v.len >= KEY_MIN
		   ? CREDENTIAL_ALERT
		   : CREDENTIAL_UNSURE;
}

/* Grades the value at c->where of what has this name. */
static float judge(struct candidate *c, enum class class, const char *name, enum how how,
		   bool quoted)
{
	struct span v = span_sub(c->text, c->where.begin, c->where.end - c->where.begin);
	float score;

	if (v.len < 4 || v.len > VALUE_MAX || memchr(v.p, ' ', v.len) || reference(v, quoted) ||
	    pointer(v) || harmless(name, strlen(name)) || credential_placeholder(v))
		return 0;
	score = strength(v, class, name, how, quoted);
	c->named = true;
	c->row = credential_find(
	    class == PASSWORD && near_server(c)			   ? "ado-conn-string"
	    : class == PASSWORD && (how == SAID || how == BESIDE)  ? "natural-language-password"
	    : how == SAID					   ? "generic-high-entropy"
	    : v.len >= FRAMEWORK_MIN && !strcmp(name, "secretkey") ? "django-secret"
								   : "env-assignment");
	return how == SAID && class != PASSWORD ? MIN(score, CREDENTIAL_UNSURE) : score;
}

float credential_value(struct candidate *c, struct range hit, size_t which)
{
	static const char header[] = "authorization";
	enum class class = names[which].class;
	struct span t = c->text;
	struct range name = hit;
	char word[2 * NAME_MAX_BYTES + 32];
	size_t at, len;
	enum how how;
	bool quoted;

	/* Short words are names where they end in what assigns, and begin where a word does. */
	if (strchr(":=>\"' ", t.p[hit.end - 1])) {
		if (hit.begin && isalpha(t.p[hit.begin]) && isalpha(t.p[hit.begin - 1]))
			return 0;
		name.end = --hit.end;
		hit.begin += t.p[hit.begin] == '<';
		name.begin = hit.begin;
	}
	while (name.begin && hit.begin - name.begin < NAME_MAX_BYTES &&
	       name_char(t.p[name.begin - 1]))
		name.begin--;
	/* Where words stand together, the next one is none of the name. */
	while (name.end < t.len && name.end - hit.end < NAME_MAX_BYTES && t.p[name.end] < 0x80 &&
	       name_char(t.p[name.end]))
		name.end++;
	/* "(password):" */
	while (name.begin < hit.begin && t.p[name.begin] == '-')
		name.begin++;
	len = plain(span_sub(t, name.begin, name.end - name.begin), word, sizeof(word));
	how = operator_at(t, name, hit.end, &at);
	if (how == NONE || (how == BESIDE && class != PASSWORD))
		return 0;
	if (len >= strlen(header) && !strcmp(word + len - strlen(header), header))
		at = behind_scheme(t, at);
	c->where = value_at(t, at, how, &quoted);
	return judge(c, class, word, how, quoted);
}

/* "|---|---:|" */
static bool ruled(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr("|-:+= \t\r", line.p[i]))
			return false;
	return true;
}

static struct range line_at(struct span t, size_t at)
{
	size_t from = at > ROW_BYTES ? at - ROW_BYTES : 0;
	const uint8_t *before = memrchr(t.p + from, '\n', at - from);
	const uint8_t *behind = memchr(t.p + at, '\n', MIN(t.len - at, (size_t)ROW_BYTES));

	return (struct range){ before ? (size_t)(before - t.p) + 1 : from,
			       behind ? (size_t)(behind - t.p)
				      : MIN(t.len, at + (size_t)ROW_BYTES) };
}

/* Where the field begins that n others stand before, and how many there are when n is SIZE_MAX. */
static size_t field_at(struct span t, struct range line, char sep, size_t n)
{
	size_t i = line.begin, seen = 0;
	bool inside = false;

	for (; i < line.end && seen < n; i++) {
		inside ^= t.p[i] == '"';
		seen += !inside && t.p[i] == (uint8_t)sep;
	}
	return n == SIZE_MAX ? seen : i;
}

/* Names with sep between, and nothing else: code and sentences are none. */
static bool titled(struct span line, char sep)
{
	size_t seps = 0;
	bool name = false, end = sep == '|';

	while (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (!line.len || isspace(line.p[0]))
		return false;
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.p[i];

		if (c == (uint8_t)sep) {
			if (!name && !end)
				return false;
			name = false;
			seps++;
		} else if (isalpha(c) || c >= 0x80) {
			name = true;
		} else if (!strchr(" _-*`\"", c) || !c || (c == ' ' && sep == ',')) {
			return false;
		}
	}
	return seps >= (sep == ',' ? 2 : 1) && (name || end);
}

bool credential_below(struct candidate *c, struct range hit, size_t which, size_t *row,
		      float *score)
{
	static const char separators[] = "\t|;,";
	struct range head = line_at(c->text, hit.begin), line;
	struct span t = c->text, titles = span_sub(t, head.begin, head.end - head.begin);
	const char *sep = separators;
	char word[2 * NAME_MAX_BYTES];
	size_t begin = hit.begin, end = hit.end;
	bool quoted;

	while (*sep && !memchr(titles.p, *sep, titles.len))
		sep++;
	if (names[which].class != PASSWORD || !*sep || !titled(titles, *sep))
		return false;
	while (begin > head.begin && t.p[begin - 1] != (uint8_t)*sep)
		begin--;
	while (end < head.end && t.p[end] != (uint8_t)*sep)
		end++;
	if (end - begin > NAME_MAX_BYTES)
		return false;
	plain(span_sub(t, begin, end - begin), word, sizeof(word));
	do {
		if ((*row ? *row : head.end + 1) >= t.len)
			return false;
		line = line_at(t, *row ? *row : head.end + 1);
		*row = line.end + 1;
	} while (line.end > line.begin && ruled(span_sub(t, line.begin, line.end - line.begin)));
	if (field_at(t, line, *sep, SIZE_MAX) != field_at(t, head, *sep, SIZE_MAX))
		return false;
	begin = field_at(t, line, *sep,
			 field_at(t, (struct range){ head.begin, begin }, *sep, SIZE_MAX));
	c->where = value_at(t, blanks(t, begin), ASSIGNED, &quoted);
	*score = judge(c, PASSWORD, word, ASSIGNED, quoted);
	return true;
}
