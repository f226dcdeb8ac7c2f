/* user/detect/credential.c - credentials: literals find them, the row of their type confirms them,
 * the place says what it means.
 */
#include "detect/credential.h"

#include <ctype.h>
#include <stdio.h>

#include "base/own.h"
#include "base/scan.h"
#include "detect/credential_turn.h"
#include "detect/token.h"

#define SHOW_ENDS_MIN                                                                              \
	24 /* bytes of a token of which the beginning and the last four may be shown */
#define SHOW_HEAD_MIN 12 /* ... of which the beginning may be shown */
#define SHOW_HEAD     12 /* bytes of the beginning shown at most */
#define LOOKED_AT                                                                                  \
	200 /* bytes of a token in which words betray a placeholder: long ones hold some by chance \
	     */
#define PAIR_MAX     200  /* bytes between an AWS key id and its secret */
#define INVENTED_MAX 16	  /* bytes of a value that a model may have made up */
#define ROWS_MAX     64	  /* of a table with passwords */
#define RUN_MIN	     51	  /* bytes of the shortest token without a mark */
#define RUNS_MAX     4096 /* of one view that are looked at; a flood of them proves no more */

/* Patterns: anchors of rows, then words, then names of secrets. */
static bool pattern(size_t i, struct pattern *ret)
{
	*ret = (struct pattern){ .literal = true };
	if (i < n_credentials) {
		ret->text = credentials[i].anchor;
		return true;
	}
	i -= n_credentials;
	ret->caseless = true;
	if (i < n_credential_words) {
		ret->text = credential_words[i];
		return true;
	}
	i -= n_credential_words;
	if (i < n_secret_names)
		ret->text = secret_name(i);
	return i < n_secret_names;
}

/* Which of the three; *i becomes the index among its kind. */
static enum { ANCHOR, WORD, NAME } what_is(size_t *i)
{
	if (*i < n_credentials)
		return ANCHOR;
	*i -= n_credentials;
	if (*i < n_credential_words)
		return WORD;
	*i -= n_credential_words;
	return NAME;
}

/* How much a row knows of the type: where two overlap, the one that knows more stays. */
enum rank { RANK_VALUE, RANK_VAGUE, RANK_NEAR, RANK_ANCHOR, RANK_EXACT };

struct pile {
	const struct detector_input *in;
	struct secret *list;
	uint8_t rank[SECRETS_MAX];
	size_t n, max;
};

static bool word_char(uint8_t c)
{
	return isalnum(c) || c == '_';
}

/* Is at a place where a token can begin or end? An escaped character in front of it, or behind a
 * percent sign, does not belong to it. */
static bool clean_edges(const struct credential *row, struct span text, struct range r)
{
	uint8_t before = r.begin ? text.p[r.begin - 1] : ' ',
		after = r.end < text.len ? text.p[r.end] : ' ';
	bool bare = row->flags & CREDENTIAL_BARE;
	bool escaped = (r.begin >= 2 && text.p[r.begin - 2] == '\\' && strchr("nrt", before)) ||
		       (r.begin >= 3 && text.p[r.begin - 3] == '%' &&
			isxdigit(text.p[r.begin - 2]) && isxdigit(before));

	/* "logo.ico-..." */
	if (before == '.' && r.begin >= 2 && isalnum(text.p[r.begin - 2]))
		return false;
	/* A line of a difference, the name or password of a URL. */
	if (bare && r.begin && strchr("+/-", before) &&
	    (r.begin == 1 || text.p[r.begin - 2] == '\n' ||
	     (before == '/' && text.p[r.begin - 2] == '/')))
		before = ' ';
	/* What begins or ends with a sign of its own needs no edge. */
	if (word_char(text.p[r.begin]) && !escaped &&
	    (word_char(before) || (bare && strchr("+/-", before))))
		return false;
	return !word_char(text.p[r.end - 1]) ||
	       !(word_char(after) || (bare && strchr("+/-", after)));
}

static bool matches_at(struct candidate *c, size_t at)
{
	size_t len = token_match(c->row->shape, span_sub(c->text, at, c->text.len));

	c->where = (struct range){ at, at + len };
	return len && clean_edges(c->row, c->text, c->where);
}

/* Finds the token that belongs to an anchor. */
static bool find_token(struct candidate *c, struct range anchor)
{
	size_t lead = token_literal(c->row->shape);

	for (size_t back = c->row->min; back <= c->row->max && back <= anchor.begin; back++) {
		size_t at = anchor.begin - back;

		if (!memcmp(c->text.p + at, c->row->shape, MIN(lead, c->text.len - at)) &&
		    matches_at(c, at) && c->where.end >= anchor.end)
			return true;
	}
	return false;
}

/* Adds s unless a token that is known better, or covers as much, stands there already; those that
 * it covers give way. */
static void add(struct pile *p, const struct secret *s, enum rank rank)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct secret *o = &p->list[i];
		bool apart = o->view != s->view || o->where.end <= s->where.begin ||
			     s->where.end <= o->where.begin;

		if (!apart && (p->rank[i] > rank ||
			       (p->rank[i] == rank &&
				o->where.end - o->where.begin >= s->where.end - s->where.begin)))
			return;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct secret *o = &p->list[i];

		if (o->view == s->view && o->where.begin < s->where.end &&
		    s->where.begin < o->where.end)
			continue;
		p->list[kept] = p->list[i];
		p->rank[kept++] = p->rank[i];
	}
	p->n = kept;
	if (p->n == p->max)
		return;
	p->list[p->n] = *s;
	p->rank[p->n++] = rank;
}

static const char *why(const struct candidate *c, float score)
{
	return c->row->check == check_not_secret ? "public or for tests by design"
	       : score >= CREDENTIAL_PROVEN	 ? "its checksum fits"
	       : score >= CREDENTIAL_SURE	 ? "its shape and fixed marks fit"
	       : score >= CREDENTIAL_ALERT
		   ? c->named ? "its shape fits and what stands beside it names it"
			      : "its shape and randomness fit"
		   : "its shape fits, which alone proves little";
}

static void confirm(struct pile *p, struct candidate *c, unsigned view, float score, enum rank rank)
{
	struct secret s = { .type = c->row->type, .view = view, .where = c->where };
	size_t len = c->where.end - c->where.begin, head;

	if (!score || c->where.begin == c->where.end)
		return;
	s.score = score;
	s.why = why(c, score);
	s.unsure = score < CREDENTIAL_ALERT;
	/* What every token of the type begins with. */
	head = c->row->shape && c->row->anchor && !c->row->min
		   ? MIN(MAX(strlen(c->row->anchor), token_literal(c->row->shape)), SHOW_HEAD)
		   : 0;
	s.head = c->row->flags & CREDENTIAL_WHOLE || len < SHOW_HEAD_MIN ? 0 : head;
	s.tail = c->row->flags & CREDENTIAL_WHOLE || len < SHOW_ENDS_MIN ? 0 : 4;
	add(p, &s, rank);
}

/* A token that has the shape of its row. */
static void grade(struct pile *p, struct candidate *c, unsigned view, enum rank rank)
{
	float score = c->row->check ? c->row->check(c) : CREDENTIAL_LIKELY;
	size_t body = MIN(c->where.begin + token_literal(c->row->shape), c->where.end);

	if (!score ||
	    (score < CREDENTIAL_PROVEN &&
	     credential_placeholder(span_sub(c->text, body, MIN(c->where.end - body, LOOKED_AT)))))
		return;
	if (c->row->flags & CREDENTIAL_CONTEXT && !c->named && score < CREDENTIAL_PROVEN)
		score = MIN(score, CREDENTIAL_UNSURE);
	confirm(p, c, view, score, rank);
}

/* Does the name of a secret, or one of these words, stand before from (that is hit i, or what
 * follows it), and no further away than CREDENTIAL_NEAR? */
static bool named(const struct pile *p, size_t i, size_t from, const char *words, bool names)
{
	const struct hit *h = p->in->hits;

	for (size_t k = i + 1; k--;) {
		size_t what = h[k].pattern;

		if (h[k].view != h[i].view || h[k].where.end + CREDENTIAL_NEAR < from)
			break;
		if (h[k].where.end > from)
			continue;
		switch (what_is(&what)) {
		case WORD:
			if (credential_word(words, credential_words[what]))
				return true;
			break;
		case NAME:
			if (names && h[k].where.end + CREDENTIAL_NEAR / 2 >= from)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

static void by_anchor(struct pile *p, size_t i, size_t which)
{
	const struct hit *h = &p->in->hits[i];
	struct candidate c = { .row = credential_row(which),
			       .text = p->in->views->view[h->view].text };
	enum rank rank = c.row->flags & CREDENTIAL_EXACT   ? RANK_EXACT
			 : c.row->flags & CREDENTIAL_VAGUE ? RANK_VAGUE
							   : RANK_ANCHOR;

	if (c.row->find) {
		c.named = named(p, i, h->where.begin, c.row->words, true);
		confirm(p, &c, h->view, c.row->find(&c, h->where), rank);
		return;
	}
	if (!find_token(&c, h->where))
		return;
	if (c.row->flags & CREDENTIAL_WORDED && !named(p, i, c.where.begin, c.row->words, false))
		return;
	c.named = named(p, i, c.where.begin, c.row->words, true);
	grade(p, &c, h->view, rank);
}

/* Is what stands between a word and a token an assignment? "DEEPGRAM_API_KEY = '", "deepgram: " */
static bool assigned(struct span text, size_t from, size_t to)
{
	for (; from < to; from++)
		if (text.p[from] == '=' || (text.p[from] == ':' && text.p[from + 1] != '/'))
			return true;
	return false;
}

/* Parts of paths are names of things. */
static bool of_a_path(const struct candidate *c)
{
	return c->where.begin && c->text.p[c->where.begin - 1] == '/';
}

/* The token of this row that stands closest behind a word, or else before it ("curl -H 'Bearer ...'
 * https://api.deepgram.com"). */
static bool token_near(struct candidate *c, struct range word)
{
	size_t end = MIN(word.end + CREDENTIAL_NEAR, c->text.len);
	size_t begin = word.begin > CREDENTIAL_NEAR ? word.begin - CREDENTIAL_NEAR : 0;

	for (size_t at = word.end; at < end; at++)
		if (!isalnum(c->text.p[at - 1]) && matches_at(c, at))
			return !of_a_path(c) && !secret_harmless(c->text, at);
	for (size_t at = word.begin; at-- > begin;)
		if ((!at || !isalnum(c->text.p[at - 1])) && matches_at(c, at) &&
		    c->where.end <= word.begin)
			return !of_a_path(c) && !secret_harmless(c->text, at);
	return false;
}

/* What has the shape of a row that has the word. */
static void by_word(struct pile *p, size_t i, size_t which)
{
	const struct hit *h = &p->in->hits[i];
	const char *word = credential_words[which];
	struct span text = p->in->views->view[h->view].text;

	/* "rookTable" does not speak of Okta. */
	if (h->where.begin && isalpha(text.p[h->where.begin - 1]) &&
	    !(islower(text.p[h->where.begin - 1]) && isupper(text.p[h->where.begin])))
		return;
	for (size_t k = 0; k < n_credentials_near; k++) {
		struct candidate c = { .row = &credentials_near[k], .text = text };
		size_t last = i;

		if (!credential_word(c.row->words, word) || !token_near(&c, h->where))
			continue;
		while (last + 1 < p->in->n_hits && p->in->hits[last + 1].view == h->view &&
		       p->in->hits[last + 1].where.end <= c.where.begin)
			last++;
		c.named = assigned(c.text, h->where.end, c.where.begin) ||
			  named(p, last, c.where.begin, "", true);
		grade(p, &c, h->view, RANK_NEAR);
	}
}

static void by_name(struct pile *p, size_t i, size_t which)
{
	const struct hit *h = &p->in->hits[i];
	struct candidate c = { .text = p->in->views->view[h->view].text };
	float score = credential_value(&c, h->where, which);

	if (score)
		confirm(p, &c, h->view, score, RANK_VALUE);
	for (size_t row = 0, n = 0; !score && n < ROWS_MAX; n++) {
		float below;

		if (!credential_below(&c, h->where, which, &row, &below))
			break;
		if (below)
			confirm(p, &c, h->view, below, RANK_VALUE);
	}
}

static const bool run_char[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
	['_'] = true,	      ['-'] = true,	    ['.'] = true,
};

/* How many of the sixteen bytes before end are of a run that reaches it. */
static size_t run_before(const uint8_t *end)
{
	scan_v v;
	uint32_t others;

	memcpy(&v, end - sizeof(v), sizeof(v));
	others = ~scan_mask(scan_alnums(v) | (scan_v)((v == '_') | (v == '-') | (v == '.')))
		 << sizeof(v);
	return others ? (size_t)__builtin_clz(others) : sizeof(v);
}

/* Tokens without a mark are long: where a byte is none of theirs, no run reaches over it, so that
 * most of a text is never looked at. */
static void by_run(struct pile *p, unsigned view)
{
	struct span text = p->in->views->view[view].text;
	size_t at = 0, runs = 0;
	bool escape;

	while (at + RUN_MIN <= text.len && runs < RUNS_MAX) {
		size_t last = at + RUN_MIN;

		last -= run_before(text.p + last);
		while (last > at && run_char[text.p[last - 1]])
			last--;
		if (last > at) {
			at = last;
			continue;
		}
		runs++;
		escape = at && text.p[at - 1] == '\\' && strchr("nrt", text.p[at]);
		for (size_t k = 0; k < n_credentials_run; k++) {
			struct candidate c = { .row = &credentials_run[k], .text = text };

			if (matches_at(&c, at) || (escape && matches_at(&c, at + 1)))
				grade(p, &c, view, RANK_ANCHOR);
		}
		for (at += RUN_MIN; at < text.len && run_char[text.p[at]]; at++)
			;
	}
}

/* An id of AWS opens nothing without its secret; beside it, it does. */
static void pair(struct secret *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n && !strcmp(list[i].type, "aws-access-key-id"); k++) {
			size_t a = list[i].where.end, b = list[k].where.begin;

			if (!strcmp(list[k].type, "aws-secret-access-key") &&
			    list[i].view == list[k].view && (a > b ? a - b : b - a) <= PAIR_MAX) {
				list[i].score = CREDENTIAL_SURE;
				list[i].unsure = false;
				list[i].why = "its secret stands beside it";
			}
		}
}

static size_t mask(const struct detector_input *in, struct secret *ret, size_t max)
{
	struct pile p = { .in = in, .list = ret, .max = MIN(max, (size_t)SECRETS_MAX) };

	for (size_t i = 0; i < in->n_hits; i++) {
		size_t which = in->hits[i].pattern;

		switch (what_is(&which)) {
		case ANCHOR:
			by_anchor(&p, i, which);
			break;
		case WORD:
			by_word(&p, i, which);
			break;
		case NAME:
			by_name(&p, i, which);
			break;
		}
	}
	for (unsigned v = 0; v < in->views->n; v++)
		if (!in->views->view[v].superseded)
			by_run(&p, v);
	pair(ret, p.n);
	return p.n;
}

static enum kind kind_of(const struct detector_input *in)
{
	if (in->trust == TRUST_RETRIEVED)
		return KIND_CREDENTIAL_IN_TOOL_RESULT;
	if (in->turn->segments[in->segment].side == SIDE_RESPONSE)
		return KIND_CREDENTIAL_LEAK; /* unless the request held it: see the rules over the
						turn */
	return KIND_CREDENTIAL_EXPOSED;
}

/* Models make up passwords for examples; those are short, and people can read them. */
static bool invented(const struct secret *s, struct span value)
{
	const struct credential *row = credential_find(s->type);

	return row >= credentials_value && row < credentials_value + n_credentials_value &&
	       (value.len < INVENTED_MAX || !credential_random(value));
}

static struct span value_of(const struct detector_input *in, const struct secret *s)
{
	return span_sub(in->views->view[s->view].text, s->where.begin,
			s->where.end - s->where.begin);
}

/* Was the same value read in a more direct way, too? That one is told. */
static bool told_elsewhere(const struct detector_input *in, const struct secret *s)
{
	const struct view *v = &in->views->view[s->view];
	struct span value = value_of(in, s);

	for (size_t i = 0; s->view && i < in->n_secrets; i++) {
		const struct secret *o = &in->secrets[i];
		const struct view *w = &in->views->view[o->view];

		if (o->owner == s->owner && !o->repeated && o->unsure <= s->unsure &&
		    (w->depth < v->depth || (w->depth == v->depth && o->view < s->view)) &&
		    !strcmp(o->type, s->type) && span_eq(value_of(in, o), value))
			return true;
	}
	return false;
}

static int scan(const struct detector_input *in, emit_fn *emit, void *ctx)
{
	/* What a model said before was looked at when it said it. */
	bool history =
	    in->trust == TRUST_MODEL && in->turn->segments[in->segment].side == SIDE_REQUEST;
	int found = 0;

	/* What may alert first: of one text, so many findings are kept and no more. */
	for (size_t k = 0; k < 2 * in->n_secrets; k++) {
		size_t i = k % in->n_secrets;
		const struct secret *s = &in->secrets[i];
		struct span value = value_of(in, s);
		struct finding f = { .kind = kind_of(in), .score = s->score };

		if (s->owner != &detector_credential || s->repeated ||
		    s->unsure != (k >= in->n_secrets) || told_elsewhere(in, s))
			continue;
		f.mode =
		    s->unsure || history || (f.kind == KIND_CREDENTIAL_LEAK && invented(s, value))
			? MODE_HUNT
			: MODE_ALERT;
		snprintf(f.type, sizeof(f.type), "%s", s->type);
		snprintf(f.why, sizeof(f.why), "%s: %s.", credential_find(s->type)->name, s->why);
		mac_begin(in->mac, "credential");
		mac_add(in->mac, value);
		f.fingerprint = mac_end(in->mac);
		detect_locate(in, &f, s->view, s->where);
		emit(ctx, &f);
		found = 1;
	}
	return found;
}

static const struct sample samples[] = {
	{ "use %{openai-project-key} for the call", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "openai-project-key" },
	{ "OPENAI_API_KEY=%{openai-legacy-key}", SEG_SYSTEM, KIND_CREDENTIAL_EXPOSED,
	  "openai-legacy-key" },
	{ "{\"key\": \"%{anthropic-api-key}\"}", SEG_TOOL_RESULT, KIND_CREDENTIAL_IN_TOOL_RESULT,
	  "anthropic-api-key" },
	{ "curl 'https://example.org/v1?key=%{google-api-key}'", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "google-api-key" },
	{ "HF_TOKEN: %{huggingface-user}\n", SEG_DOCUMENT, KIND_CREDENTIAL_IN_TOOL_RESULT,
	  "huggingface-user" },
	{ "api-key: %{azure-openai-key}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "azure-openai-key" },
	{ "aws_access_key_id = %{aws-access-key-id}\naws_secret_access_key = "
	  "%{aws-secret-access-key}",
	  SEG_TOOL_RESULT, KIND_CREDENTIAL_IN_TOOL_RESULT, "aws-secret-access-key" },
	{ "%{aws-access-key-id} %{aws-secret-access-key}", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "aws-access-key-id" },
	{ "git clone https://me:%{github-pat-classic}@github.com/a/b", SEG_USER,
	  KIND_CREDENTIAL_EXPOSED, "github-pat-classic" },
	{ "token is %{github-oauth}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "github-oauth" },
	{ "line\\n%{github-app-server}\\nline", SEG_TOOL_RESULT, KIND_CREDENTIAL_IN_TOOL_RESULT,
	  "github-app-server" },
	{ "(%{github-app-user})", SEG_USER, KIND_CREDENTIAL_EXPOSED, "github-app-user" },
	{ "refresh with %{github-refresh}.", SEG_USER, KIND_CREDENTIAL_EXPOSED, "github-refresh" },
	{ "Here you are: %{github-fine-grained}", SEG_ASSISTANT, KIND_CREDENTIAL_LEAK,
	  "github-fine-grained" },
	{ "{\"cmd\":\"glab auth --token %{gitlab-pat}\"}", SEG_TOOL_CALL, KIND_CREDENTIAL_LEAK,
	  "gitlab-pat" },
	{ "PRIVATE-TOKEN: %{gitlab-routable}", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "gitlab-routable" },
	{ "//registry.npmjs.org/:_authToken=%{npm-token}", SEG_TOOL_RESULT,
	  KIND_CREDENTIAL_IN_TOOL_RESULT, "npm-token" },
	{ "SLACK=%{slack-bot}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "slack-bot" },
	{ "SLACK=%{slack-user}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "slack-user" },
	{ "SLACK=%{slack-app}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "slack-app" },
	{ "stripe.api_key = \"%{stripe-secret}\"", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "stripe-secret" },
	{ "%{pem-private-key}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "pem-private-key" },
	{ "Authorization: Bearer %{jwt}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "jwt" },
	{ "DEEPGRAM_API_KEY=%{deepgram-key}", SEG_TOOL_RESULT, KIND_CREDENTIAL_IN_TOOL_RESULT,
	  "deepgram-key" },
	{ "curl -H 'token: %{snyk-token}' https://api.snyk.io/", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "snyk-token" },
	{ "seed %{nats-seed}", SEG_USER, KIND_CREDENTIAL_EXPOSED, "nats-seed" },
	{ "DB_PASSWORD='%{password}'", SEG_TOOL_RESULT, KIND_CREDENTIAL_IN_TOOL_RESULT,
	  "env-assignment" },
	{ "{\\\"password\\\": \\\"%{password}\\\"}", SEG_TOOL_RESULT,
	  KIND_CREDENTIAL_IN_TOOL_RESULT, "env-assignment" },
	{ "- name: DB_PASSWORD\n  value: %{password}\n", SEG_TOOL_RESULT,
	  KIND_CREDENTIAL_IN_TOOL_RESULT, "env-assignment" },
	{ "my password is %{password}, please log in", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "natural-language-password" },
	{ "Server=db;Database=x;User Id=sa;Password=%{password};", SEG_USER,
	  KIND_CREDENTIAL_EXPOSED, "ado-conn-string" },
	{ "postgres://app:%{password}@db.internal:5432/app", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "db-url" },
	{ "ftp://app:%{password}@files.internal/", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "url-credentials" },
	{ "machine files.internal login app password %{password}", SEG_TOOL_RESULT,
	  KIND_CREDENTIAL_IN_TOOL_RESULT, "netrc" },
	{ "curl -u app:%{password} https://files.internal/", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "cli-password" },
	{ "host 10.1.2.3, id: root, pw: %{password}", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "env-assignment" },
	{ "CREATE USER 'app'@'%' IDENTIFIED BY '%{password}';", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "natural-language-password" },
	{ "<add key=\"DbPassword\" value=\"%{password}\"/>", SEG_TOOL_RESULT,
	  KIND_CREDENTIAL_IN_TOOL_RESULT, "env-assignment" },
	{ "我的密码是%{password}，请登录", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "natural-language-password" },
	{ "Mi contraseña es %{password} gracias", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "natural-language-password" },
	{ "the password for the old router is %{password}", SEG_USER, KIND_CREDENTIAL_EXPOSED,
	  "natural-language-password" },
	/* near misses */
	{ "stripe.api_key = \"%{stripe-test}\"", SEG_USER, KIND_MAX_, NULL },
	{ "the id %{aws-access-key-id} alone", SEG_USER, KIND_MAX_, NULL },
	{ "%{jwt} is all I know", SEG_USER, KIND_MAX_, NULL },
	{ "deepgram %{github-pat-classic}x is not one, nor "
	  "0123456789abcdef0123456789abcdef01234567",
	  SEG_USER, KIND_MAX_, NULL },
	{ "the password for the router is required, the password of a user is his own", SEG_USER,
	  KIND_MAX_, NULL },
	{ "password = getPassword(user), token: process.env.TOKEN, api_key: ${API_KEY}", SEG_USER,
	  KIND_MAX_, NULL },
	{ "{\"password\": \"<your-password>\", \"max_tokens\": 4096, \"secret\": \"changeme\"}",
	  SEG_TOOL_RESULT, KIND_MAX_, NULL },
	{ "postgres://user:password@localhost/db, https://example.org/a:b@c", SEG_USER, KIND_MAX_,
	  NULL },
	{ "x%{github-pat-classic}", SEG_USER, KIND_MAX_, NULL },
	{ "%{github-pat-classic}x", SEG_USER, KIND_MAX_, NULL },
	{ "set OPENAI_API_KEY=sk-proj-xxxxxxxxxxxxxxxxxxxxT3BlbkFJxxxxxxxxxxxxxxxxxxxx", SEG_USER,
	  KIND_MAX_, NULL },
	{ "export GITHUB_TOKEN=ghp_YOUR_TOKEN_HERE and hf_SponsoredProductsRecommendationList",
	  SEG_USER, KIND_MAX_, NULL },
	{ "a file that begins with -----BEGIN PRIVATE KEY----- is a key", SEG_USER, KIND_MAX_,
	  NULL },
	{ "[REDACTED:github-pat:9f3a] and [github-pat-classic:ghp_…9f3a]", SEG_USER, KIND_MAX_,
	  NULL },
	{ "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG call_abc123DEF456ghi789JKL012 fp_44709d6fcb",
	  SEG_TOOL_RESULT, KIND_MAX_, NULL },
	{ NULL },
};

const struct detector detector_credential = {
	.name = "credential",
	.summary = "API keys, tokens and private keys, confirmed by shape, checksum and randomness",
	.surfaces = TRUST_ALL,
	.pattern = pattern,
	.mask = mask,
	.scan = scan,
	.turn = credential_turn,
	.amend = credential_amend,
	.samples = samples,
};
