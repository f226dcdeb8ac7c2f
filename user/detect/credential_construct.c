/* user/detect/credential_construct.c - credentials that are more than one token: headers, URLs,
 * keys with their parts, lines of files.
 */
#include <ctype.h>

#include "base/base64.h"
#include "base/own.h"
#include "detect/credential.h"

#define SCHEME_MAX   32	 /* bytes of a URL's scheme */
#define USER_MAX     128 /* bytes of a user's name */
#define PASSWORD_MAX 256 /* bytes of a password */
#define TOKEN_MAX    4096
#define TOKEN_MIN    16	  /* bytes of a token in a header */
#define OBJECT_MAX   4096 /* bytes of a JSON object that are searched */
#define KEY_MIN	     12	  /* bytes of a key that stands for a user's name */
#define PART_MIN     20	  /* base64 characters of a key's private part */
#define VALUES_MAX   16	  /* of a manifest that are looked at */
#define SEARCHED_MAX 400  /* bytes of a line that are searched */

static bool has(struct span t, size_t at, const char *what)
{
	return at < t.len && t.len - at >= strlen(what) && !memcmp(t.p + at, what, strlen(what));
}

/* Where the bytes of s from at on are none of the accepted ones. */
static size_t skip(struct span t, size_t at, const char *accepted)
{
	while (at < t.len && t.p[at] && strchr(accepted, t.p[at]))
		at++;
	return at;
}

/* Behind the run of what is neither white space nor one of these. */
static size_t skip_to(struct span t, size_t at, const char *end, size_t max)
{
	size_t from = at;

	while (at < t.len && at - from < max && t.p[at] > ' ' && !strchr(end, t.p[at]))
		at++;
	return at;
}

static float by_strength(struct span value)
{
	if (value.len < 4 || credential_placeholder(value))
		return 0;
	return credential_random(value) || credential_password(value) ? CREDENTIAL_LIKELY
								      : CREDENTIAL_UNSURE;
}

static bool reference(struct span v)
{
	return !v.len || strchr("$<{[%*(", v.p[0]) || memmem(v.p, v.len, "${", 2) ||
	       memmem(v.p, v.len, "{{", 2);
}

/* Authorization: Basic dXNlcjpwYXNzd29yZA== */
float find_basic(struct candidate *c, struct range anchor)
{
	size_t at = skip(c->text, anchor.end, " "), end = at;

	while (end < c->text.len && end - at < TOKEN_MAX && base64_sextets[c->text.p[end]])
		end++;
	if (end - at < 8)
		return 0;
	end = MIN(skip(c->text, end, "="), end + 2);
	c->where = (struct range){ anchor.begin, end };
	return check_basic(c);
}

/* Authorization: Bearer TOKEN */
float find_bearer(struct candidate *c, struct range anchor)
{
	size_t at = skip(c->text, anchor.end, " "), end = at;
	struct span value;

	while (end < c->text.len && end - at < TOKEN_MAX &&
	       (isalnum(c->text.p[end]) || (c->text.p[end] && strchr("._~+/-", c->text.p[end]))))
		end++;
	value = span_sub(c->text, at, end - at);
	while (value.len && strchr(".", value.p[value.len - 1]))
		value.len--;
	if (value.len < TOKEN_MIN || credential_placeholder(value) || !credential_random(value))
		return 0;
	end = skip(c->text, at + value.len, "=");
	c->where = (struct range){ anchor.begin, end };
	return c->named ? CREDENTIAL_LIKELY : CREDENTIAL_ALERT;
}

static bool scheme_char(uint8_t c)
{
	return isalnum(c) || c == '+' || c == '-' || c == '.';
}

static bool database(struct span scheme)
{
	static const char *const names[] = { "postgres",   "mysql",	"mariadb",  "mongodb",
					     "redis",	   "amqp",	"mssql",    "sqlserver",
					     "clickhouse", "cockroach", "snowflake" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (scheme.len >= strlen(names[i]) &&
		    !strncasecmp((const char *)scheme.p, names[i], strlen(names[i])))
			return true;
	return false;
}

/* A name that is kept for documentation (RFC 2606)? */
static bool reserved(struct span host)
{
	static const char *const ends[] = { "example", "example.com", "example.net", "example.org",
					    "example.edu" };

	while (host.len && !isalnum(host.p[host.len - 1]))
		host.len--;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);

		if (host.len >= n &&
		    !strncasecmp((const char *)host.p + host.len - n, ends[i], n) &&
		    (host.len == n || !isalnum(host.p[host.len - n - 1])))
			return true;
	}
	return false;
}

/* scheme://user:password@host */
float find_url(struct candidate *c, struct range anchor)
{
	static const char *const samples[] = { "password", "passwd", "pass",	 "secret",
					       "pwd",	   "test",   "changeme", "hunter2",
					       "pw",	   "root",   "admin",	 "guest" };
	struct span t = c->text, password, host;
	size_t user = anchor.end, colon, at, end, begin = anchor.begin;
	bool db;

	colon = skip_to(t, user, "/:@\"'<>\\", USER_MAX);
	if (colon == t.len || t.p[colon] != ':')
		return 0;
	at = skip_to(t, colon + 1, "@/\"'<>\\", PASSWORD_MAX);
	if (at == t.len || t.p[at] != '@')
		return 0;
	/* Passwords hold this sign, too, where nobody wrote it with a percent sign. */
	end = skip_to(t, at + 1, "@/?,\"'<>\\", USER_MAX);
	if (end < t.len && t.p[end] == '@')
		at = end;
	while (begin && anchor.begin - begin < SCHEME_MAX && scheme_char(t.p[begin - 1]))
		begin--;
	/* Not the letter of an escape, either. */
	while (begin < anchor.begin && (!isalpha(t.p[begin]) || (begin && t.p[begin - 1] == '\\' &&
								 strchr("nrt", t.p[begin]))))
		begin++;
	for (end = at + 1; end < t.len && (isalnum(t.p[end]) || strchr("._-[]%{}$", t.p[end]));
	     end++)
		if (!t.p[end])
			break;
	if (begin == anchor.begin || end == at + 1)
		return 0;
	db = database(span_sub(t, begin, anchor.begin - begin));
	password = span_sub(t, colon + 1, at - colon - 1);
	host = span_sub(t, at + 1, end - at - 1);
	if (password.len < 3 || reference(password) ||
	    reference(span_sub(t, user, colon - user + 1)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (password.len == strlen(samples[i]) &&
		    !strncasecmp((const char *)password.p, samples[i], password.len))
			return 0;
	/* "user:user@", "guest:guest@" */
	if (span_eq(password, span_sub(t, user, colon - user)))
		return 0;
	c->where = (struct range){ begin, end };
	if (db)
		c->row = credential_find("db-url");
	if (reserved(host) || ascii_contains(host, "localhost") || has(host, 0, "127.") ||
	    ascii_contains(password, "your") || ascii_contains(password, "xxx") ||
	    ascii_contains(password, "***"))
		return CREDENTIAL_UNSURE;
	return credential_random(password) || credential_password(password) ? CREDENTIAL_LIKELY
									    : CREDENTIAL_UNSURE;
}

/* The JSON object that holds at, as far as it can be told: from its brace to the end of the search.
 */
static struct range object(struct span t, size_t at)
{
	size_t begin = at;

	while (begin && at - begin < OBJECT_MAX && t.p[begin - 1] != '{' && t.p[begin - 1] != '}')
		begin--;
	for (; at < t.len && at - begin < OBJECT_MAX && t.p[at] != '}' && t.p[at] != '{'; at++)
		;
	return (struct range){ begin, at };
}

/* "d" of RSA, EC and OKP keys, "k" of symmetric ones. */
float find_jwk(struct candidate *c, struct range anchor)
{
	struct range o = object(c->text, anchor.begin);
	struct span in = span_sub(c->text, o.begin, o.end - o.begin);

	for (size_t i = 0; i + 3 < in.len; i++) {
		size_t at, end;

		if ((in.p[i] != 'd' && in.p[i] != 'k') || (i && isalnum(in.p[i - 1])) ||
		    isalnum(in.p[i + 1]))
			continue;
		at = skip(in, i + 1, "\\\"': \t\r\n");
		for (end = at; end < in.len && base64_sextets[in.p[end]]; end++)
			;
		if (end - at < PART_MIN || credential_placeholder(span_sub(in, at, end - at)))
			continue;
		c->where = (struct range){ MIN(anchor.begin, o.begin + i),
					   MAX(anchor.end, o.begin + end) };
		return CREDENTIAL_SURE;
	}
	return 0;
}

/* Text in base64, as data: of a manifest holds it. */
static float kube_value(struct span value)
{
	uint8_t bytes[256];
	struct span text = span_of(bytes, credential_base64(value, bytes, sizeof(bytes)));

	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] >= 0x7f || (text.p[i] < 0x20 && !isspace(text.p[i])))
			return 0;
	if (text.len < 6)
		return 0;
	return ascii_contains(text, "\"auth\"") || credential_password(text) ||
		       credential_random(text)
		   ? CREDENTIAL_LIKELY
		   : CREDENTIAL_UNSURE;
}

/* The value under data: of a manifest that is most likely secret. */
float find_kube_secret(struct candidate *c, struct range anchor)
{
	size_t from = anchor.begin > OBJECT_MAX / 2 ? anchor.begin - OBJECT_MAX / 2 : 0;
	struct span in = span_sub(c->text, from, OBJECT_MAX);
	float best = 0;

	for (size_t i = 0; i < in.len && !best; i++) {
		size_t at = i, end;

		if (i && isalnum(in.p[i - 1]))
			continue;
		at += has(in, i, "data:") ? 5 : has(in, i, "\"data\":") ? 7 : 0;
		/* The values behind the colons that follow, up to the next document. */
		for (unsigned n = 0; at > i && n < VALUES_MAX; n++) {
			const uint8_t *colon = memchr(in.p + at, ':', in.len - at);
			size_t gap = colon ? (size_t)(colon - in.p) - at : 0;
			float score;

			if (!colon || memmem(in.p + at, gap, "\n---", 4))
				break;
			at = skip(in, at + gap + 1, " \"'|>-\r\n\t");
			for (end = at; end < in.len && base64_sextets[in.p[end]]; end++)
				;
			score = kube_value(span_sub(in, at, end - at));
			if (score > best) {
				best = score;
				c->where = (struct range){ from + at, from + skip(in, end, "=") };
			}
			at = end;
		}
	}
	return best;
}

/* machine HOST login USER password PASSWORD */
float find_netrc(struct candidate *c, struct range anchor)
{
	struct span t = span_sub(c->text, 0, anchor.end + SEARCHED_MAX);
	size_t at = skip_to(t, skip(t, anchor.end, " \t"), "", SEARCHED_MAX), end;

	at = skip(t, at, " \t\r\n");
	if (!has(t, at, "login "))
		return 0;
	at = skip(t, skip_to(t, skip(t, at + 6, " \t"), "", SEARCHED_MAX), " \t\r\n");
	if (!has(t, at, "password "))
		return 0;
	at = skip(t, at + 9, " \t");
	end = skip_to(t, at, "\"", PASSWORD_MAX);
	c->where = (struct range){ anchor.begin, end };
	return reference(span_sub(t, at, end - at)) ? 0 : by_strength(span_sub(t, at, end - at));
}

/* user:rid:lm:nt::: */
float find_ntlm(struct candidate *c, struct range anchor)
{
	struct span t = c->text;
	size_t at = anchor.begin, digits, begin;

	if (at < 68)
		return 0;
	for (unsigned part = 0; part < 2; part++) {
		for (unsigned i = 0; i < 32; i++)
			if (!isxdigit(t.p[--at]))
				return 0;
		if (t.p[--at] != ':')
			return 0;
	}
	digits = at;
	while (at && isdigit(t.p[at - 1]))
		at--;
	if (at == digits || digits - at > 8 || !at || t.p[--at] != ':')
		return 0;
	for (begin = at;
	     begin && at - begin < 64 && t.p[begin - 1] > ' ' && !strchr(":=\"'`", t.p[begin - 1]);
	     begin--)
		;
	if (begin == at)
		return 0;
	c->where = (struct range){ begin, anchor.end };
	return CREDENTIAL_SURE;
}

/* Cookie: a=b; session=VALUE */
float find_cookie(struct candidate *c, struct range anchor)
{
	static const char *const names[] = { "session", "sessid", "sid", "auth", "token" };
	struct span t = span_sub(c->text, 0, anchor.end + SEARCHED_MAX);

	for (size_t at = anchor.end; at < t.len && t.p[at] != '\n'; at++) {
		size_t value, end;

		if (t.p[at] != '=')
			continue;
		value = at + 1;
		while (at > anchor.end && !strchr(" ;:", t.p[at - 1]))
			at--;
		end = skip_to(t, value, ";\"',\\", TOKEN_MAX);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (end - value >= 20 &&
			    ascii_contains(span_sub(t, at, value - at), names[i]) &&
			    !credential_placeholder(span_sub(t, value, end - value)) &&
			    credential_random(span_sub(t, value, end - value))) {
				c->where = (struct range){ value, end };
				return CREDENTIAL_ALERT;
			}
		at = end;
	}
	return 0;
}

/* How commands take a password. */
static const struct command {
	const char *name;
	const char *flags; /* with spaces around each */
	bool user;	   /* a user's name and a colon stand before it */
	bool apart;	   /* white space stands before it */
} commands[] = {
	{ "curl", " -u --user -U --proxy-user ", true, true },
	{ "mysql", " -p ", false, false },
	{ "sshpass", " -p ", false, true },
	{ "docker login", " -p ", false, true },
	{ "psexec", " -p ", false, true },
	{ "redis-cli", " -a ", false, true },
	{ "ldap", " -w ", false, true },
	{ "mongo", " -p ", false, true },
};

/* The end of the flag that begins at at; 0: it is none of these. */
static size_t flag_at(struct span t, size_t at, const char *flags)
{
	for (const char *f = flags; *++f;) {
		size_t n = strcspn(f, " ");

		if (t.len - at > n && !memcmp(t.p + at, f, n))
			return at + n;
		f += n;
	}
	return 0;
}

/* curl -u user:password, mysql -ppassword, sshpass -p password */
float find_cli(struct candidate *c, struct range anchor)
{
	struct span t = span_sub(c->text, 0, anchor.end + SEARCHED_MAX);
	const struct command *cmd = commands;

	while (strncasecmp((const char *)t.p + anchor.begin, cmd->name, strlen(cmd->name)))
		if (++cmd == commands + ARRAY_SIZE(commands))
			return 0;
	for (size_t i = anchor.end - 1; i + 3 < t.len; i++) {
		size_t at, end, user;
		struct span password;
		float score;

		/* A command goes on behind a backslash. */
		if (t.p[i] == '\n' && t.p[i - 1] != '\\')
			break;
		if (!isspace(t.p[i]) || !(at = flag_at(t, i + 1, cmd->flags)))
			continue;
		end = at;
		if (cmd->apart)
			at = skip(t, at, " =");
		/* "--username" is another flag. */
		if (cmd->apart && end == at && t.p[i + 2] == '-')
			continue;
		at = skip(t, at, "\"'");
		user = at;
		if (cmd->user) {
			at = skip_to(t, at, ":\"'", USER_MAX);
			/* -u "user":"password" */
			at = skip(t, at, "\"'");
			if (at == t.len || t.p[at++] != ':')
				continue;
			at = skip(t, at, "\"'");
		}
		end = skip_to(t, at, "\"'", PASSWORD_MAX);
		password = span_sub(t, at, end - at);
		/* A key may take the place of the user's name. */
		if (end == at && cmd->user && at - user > KEY_MIN)
			password = span_sub(t, user, at - 1 - user);
		if (!password.len || reference(password))
			continue;
		c->where = (struct range){ (size_t)(password.p - t.p),
					   (size_t)(password.p - t.p) + password.len };
		score = by_strength(password);
		if (score)
			return score;
	}
	return 0;
}
