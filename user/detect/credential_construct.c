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
#define PART_MIN     20	  /* base64 characters of a key's private part */
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
	at = skip_to(t, colon + 1, "@\"'<>\\", PASSWORD_MAX);
	if (at == t.len || t.p[at] != '@' || memchr(t.p + colon + 1, '/', at - colon - 1))
		return 0;
	while (begin && anchor.begin - begin < SCHEME_MAX && scheme_char(t.p[begin - 1]))
		begin--;
	while (begin < anchor.begin && !isalpha(t.p[begin]))
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
	if (ascii_contains(host, "example") || ascii_contains(host, "localhost") ||
	    has(host, 0, "127.") || ascii_contains(password, "your") ||
	    ascii_contains(password, "xxx") || ascii_contains(password, "***"))
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

/* A value in base64 under data: of a manifest. */
float find_kube_secret(struct candidate *c, struct range anchor)
{
	size_t from = anchor.begin > OBJECT_MAX / 2 ? anchor.begin - OBJECT_MAX / 2 : 0;
	struct span in = span_sub(c->text, from, OBJECT_MAX);
	uint8_t text[256];

	for (size_t i = 0; i + 5 < in.len; i++) {
		size_t at, end, n;

		if (!has(in, i, "data:") && !has(in, i, "\"data\":"))
			continue;
		/* The first value: what follows the next colon. */
		at = skip_to(in, skip(in, i + (in.p[i] == '"' ? 7 : 5), " \r\n\t{"), ":", 80);
		at = skip(in, at, ": \"'");
		for (end = at; end < in.len && base64_sextets[in.p[end]]; end++)
			;
		n = credential_base64(span_sub(in, at, end - at), text, sizeof(text));
		for (size_t k = 0; k < n; k++)
			if (text[k] >= 0x7f || (text[k] < 0x20 && !isspace(text[k])))
				n = 0;
		if (n < 6)
			continue;
		c->where = (struct range){ from + at, from + skip(in, end, "=") };
		return credential_password(span_of(text, n)) || credential_random(span_of(text, n))
			   ? CREDENTIAL_LIKELY
			   : CREDENTIAL_UNSURE;
	}
	return 0;
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

/* curl -u user:password, mysql -ppassword, sshpass -p password */
float find_cli(struct candidate *c, struct range anchor)
{
	struct span t = span_sub(c->text, 0, anchor.end + SEARCHED_MAX);
	bool curl = has(t, anchor.begin, "curl");

	for (size_t i = anchor.end - 1; i + 3 < t.len; i++) {
		size_t at, end;
		float score;

		/* A command goes on behind a backslash. */
		if (t.p[i] == '\n' && t.p[i - 1] != '\\')
			break;
		if (t.p[i] != ' ' || t.p[i + 1] != '-' || t.p[i + 2] != (curl ? 'u' : 'p'))
			continue;
		at = i + 3;
		if (curl || has(t, anchor.begin, "sshpass"))
			at = skip(t, at, " ");
		at = skip(t, at, "\"'");
		if (curl) {
			at = skip_to(t, at, ":\"'", USER_MAX);
			if (at == t.len || t.p[at++] != ':')
				continue;
		}
		end = skip_to(t, at, "\"'", PASSWORD_MAX);
		if (end == at || reference(span_sub(t, at, end - at)))
			continue;
		c->where = (struct range){ at, end };
		score = by_strength(span_sub(t, at, end - at));
		if (score)
			return score;
	}
	return 0;
}
