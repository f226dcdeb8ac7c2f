/* user/detect/credential.c - credentials: literals find them, the row of their type confirms them,
 * the place says what it means. */
#include "detect/credential.h"

#include <ctype.h>
#include <stdio.h>

#include "base/own.h"
#include "detect/detect.h"
#include "detect/token.h"

#define SHOW_ENDS_MIN                                                                              \
	24 /* bytes of a token of which the beginning and the last four may be shown */
#define SHOW_HEAD_MIN 12 /* ... of which the beginning may be shown */
#define LOOKED_AT                                                                                  \
	200 /* bytes of a token in which words betray a placeholder: long ones hold some by chance \
	     */
#define PAIR_MAX 200 /* bytes between an AWS key id and its secret */

static bool pattern(size_t i, struct pattern *ret)
{
	if (i >= n_credentials)
		return false;
	*ret = (struct pattern){ .text = credentials[i].anchor, .literal = !credentials[i].keyed };
	return true;
}

static bool word_char(uint8_t c)
{
	return isalnum(c) || c == '_';
}

/* Is at a place where a token can begin or end? An escaped line end in front of it counts as white
 * space. */
static bool clean_edges(const struct credential *row, struct span text, struct range r)
{
	uint8_t before = r.begin ? text.p[r.begin - 1] : ' ',
		after = r.end < text.len ? text.p[r.end] : ' ';
	bool escaped = r.begin >= 2 && text.p[r.begin - 2] == '\\' && strchr("nrt", before);

	if (!escaped && (word_char(before) || (row->bare && strchr("+/-", before))))
		return false;
	return !word_char(after) && !(row->bare && strchr("+/-", after));
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

	if (c->row->keyed) {
		for (size_t at = anchor.end; at < c->text.len && at - anchor.end <= c->row->reach;
		     at++)
			if (!isalnum(c->text.p[at - 1]) && matches_at(c, at))
				return true;
		return false;
	}
	for (size_t back = 0; back <= c->row->reach && back <= anchor.begin; back++) {
		size_t at = anchor.begin - back;

		if (!memcmp(c->text.p + at, c->row->shape, MIN(lead, c->text.len - at)) &&
		    matches_at(c, at) && c->where.end >= anchor.end)
			return true;
	}
	return false;
}

static bool overlap(const struct secret *a, const struct secret *b)
{
	return a->view == b->view && a->where.begin < b->where.end && b->where.begin < a->where.end;
}

/* Adds s unless a token that covers as much stands there already; a shorter or less sure one gives
 * way. */
static size_t add(struct secret *list, size_t n, size_t max, const struct secret *s)
{
	for (size_t i = 0; i < n; i++)
		if (overlap(&list[i], s)) {
			if (s->where.end - s->where.begin > list[i].where.end - list[i].where.begin)
				list[i] = *s;
			return n;
		}
	if (n < max)
		list[n++] = *s;
	return n;
}

static const char *why(float score)
{
	return score >= CREDENTIAL_PROVEN  ? "its checksum fits"
	       : score >= CREDENTIAL_SURE  ? "its shape and fixed marks fit"
	       : score >= CREDENTIAL_ALERT ? "its shape and randomness fit"
					   : "its shape fits, which alone proves little";
}

/* An id of AWS opens nothing without its secret; beside it, it does. */
static void pair(struct secret *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			size_t a = list[i].where.end, b = list[k].where.begin;

			if (!strcmp(list[i].type, "aws-access-key-id") &&
			    !strcmp(list[k].type, "aws-secret-access-key") &&
			    list[i].view == list[k].view && (a > b ? a - b : b - a) <= PAIR_MAX) {
				list[i].score = CREDENTIAL_SURE;
				list[i].unsure = false;
				list[i].why = "its secret stands beside it";
			}
		}
}

static size_t mask(const struct detector_input *in, struct secret *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_hits; i++) {
		const struct hit *h = &in->hits[i];
		struct candidate c = { .row = &credentials[h->pattern],
				       .text = in->views->view[h->view].text };
		struct secret s = { .type = c.row->type, .view = h->view };
		size_t body, len, head;

		if (!find_token(&c, h->where))
			continue;
		s.score = c.row->check ? c.row->check(&c) : CREDENTIAL_LIKELY;
		body = c.where.begin + token_literal(c.row->shape);
		if (!s.score || (s.score < CREDENTIAL_PROVEN &&
				 credential_placeholder(
				     span_sub(c.text, body, MIN(c.where.end - body, LOOKED_AT)))))
			continue;
		s.where = c.where;
		s.why = why(s.score);
		s.unsure = s.score < CREDENTIAL_ALERT;
		len = c.where.end - c.where.begin;
		head = c.row->keyed ? 0 : MIN(h->where.end - c.where.begin, 12);
		s.head = c.row->whole || len < SHOW_HEAD_MIN ? 0 : head;
		s.tail = c.row->whole || len < SHOW_ENDS_MIN ? 0 : 4;
		n = add(ret, n, max, &s);
	}
	pair(ret, n);
	return n;
}

static const char *name_of(const char *type)
{
	size_t i = 0;

	while (strcmp(credentials[i].type, type))
		i++;
	return credentials[i].name;
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

static int scan(const struct detector_input *in, emit_fn *emit, void *ctx)
{
	/* What a model said before was looked at when it said it. */
	bool history =
	    in->trust == TRUST_MODEL && in->turn->segments[in->segment].side == SIDE_REQUEST;
	int found = 0;

	for (size_t i = 0; i < in->n_secrets; i++) {
		const struct secret *s = &in->secrets[i];
		struct span value = span_sub(in->views->view[s->view].text, s->where.begin,
					     s->where.end - s->where.begin);
		struct finding f = { .kind = kind_of(in), .score = s->score };

		if (s->owner != &detector_credential || s->repeated)
			continue;
		f.mode = s->unsure || history ? MODE_HUNT : MODE_ALERT;
		snprintf(f.type, sizeof(f.type), "%s", s->type);
		snprintf(f.why, sizeof(f.why), "%s: %s.", name_of(s->type), s->why);
		mac_begin(in->mac, "credential");
		mac_add(in->mac, span_str(s->type));
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
	/* near misses */
	{ "stripe.api_key = \"%{stripe-test}\"", SEG_USER, KIND_MAX_, NULL },
	{ "the id %{aws-access-key-id} alone", SEG_USER, KIND_MAX_, NULL },
	{ "Authorization: Bearer %{jwt}", SEG_USER, KIND_MAX_, NULL },
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
	.samples = samples,
};
