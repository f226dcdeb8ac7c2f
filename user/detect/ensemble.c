/* user/detect/ensemble.c - adds up what the classifier and the rules say of a text.
 *
 * The score is the largest over all views of the text, the rules' evidence added to it; the model
 * file says how rare that is among harmless texts. A second opinion, by an encoder, has its place
 * in ensemble_weigh(): for the few texts whose rarity is near RARITY_EVEN it would be one more
 * summand, and the calibration that of the sum.
 */
#include "detect/ensemble.h"

#include <math.h>
#include <stdio.h>

#include "base/own.h"
#include "detect/rules.h"

/* In powers of ten: how rare a text is among harmless ones. */
#define RARITY_EVEN	 2.0f /* attack is .5: one in a hundred */
#define RARITY_FINDING	 3.3f /* a finding to hunt with */
#define RARITY_SUPPORT	 2.6f /* ... when a rule says so, too */
#define RARITY_ALERT	 8.0f /* an alert without any rule */
#define RARITY_SUPPORTED 7.0f /* ... with one */
#define SUPPORT		 0.5f /* what doubt such a rule leaves at most */
#define PHRASES_MAX	 2
#define PHRASE_BYTES	 40 /* of each, in why */

/* What models answer is read like what users write. */
static enum surface surface_of(enum trust trust)
{
	return trust == TRUST_RETRIEVED	 ? SURFACE_CONTENT
	       : trust == TRUST_OPERATOR ? SURFACE_OPERATOR
					 : SURFACE_USER;
}

/* How likely it is an attack when one text in a hundred is one that no harmless text resembles. */
static float attack_of(float rarity)
{
	return 1 / (1 + powf(10, RARITY_EVEN - rarity));
}

static bool hides_secret(const struct detector_input *in, unsigned view, struct range r)
{
	for (size_t i = 0; i < in->n_secrets; i++)
		if (in->secrets[i].view != view ||
		    (in->secrets[i].where.begin < r.end && r.begin < in->secrets[i].where.end))
			return true;
	return false;
}

/* A phrase as it fits into a sentence: one line, whole characters. */
static size_t put_phrase(char *to, size_t room, const char *before, struct span phrase)
{
	size_t n = (size_t)snprintf(to, room, "%s\"", before), len = phrase.len;

	if (len > PHRASE_BYTES)
		for (len = PHRASE_BYTES; len && (phrase.p[len] & 0xc0) == 0x80;)
			len--;
	for (size_t i = 0; i < len; i++)
		to[n++] = phrase.p[i] < ' ' ? ' ' : (char)phrase.p[i];
	to[n++] = '"';
	return n;
}

int ensemble_report(const struct detector_input *in, const struct opinion *o, emit_fn *emit,
		    void *ctx)
{
	enum surface s = surface_of(in->trust);
	bool supported = o->doubt <= SUPPORT;
	struct span text = in->views->view[o->view].text;
	struct range phrases[PHRASES_MAX], span = o->seen.window;
	struct finding f = { .kind = in->trust == TRUST_USER ? KIND_JAILBREAK_CLASSIFIER
							     : KIND_INJECTION_CLASSIFIER,
			     .score = attack_of(o->rarity) };
	size_t at, n;

	/* What rules are sure of they have said. */
	if (!(in->trust & (TRUST_USER | TRUST_RETRIEVED)) || o->rules >= RULES_ALERT ||
	    o->rarity < (supported ? RARITY_SUPPORT : RARITY_FINDING))
		return 0;
	n = classifier_phrases(in->classifier, s, span_sub(text, span.begin, span.end - span.begin),
			       phrases, PHRASES_MAX);
	f.mode =
	    o->rarity >= (supported ? RARITY_SUPPORTED : RARITY_ALERT) ? MODE_ALERT : MODE_HUNT;
	snprintf(f.type, sizeof(f.type), "%s", supported ? "model-and-rules" : "model");
	static_assert(sizeof(f.why) > 64 + PHRASES_MAX * (PHRASE_BYTES + 16),
		      "room for a sentence");
	at = (size_t)snprintf(f.why, sizeof(f.why), "The wording resembles that of prompt attacks");
	for (size_t i = 0; i < n; i++) {
		struct range r = { o->seen.window.begin + phrases[i].begin,
				   o->seen.window.begin + phrases[i].end };

		if (!i)
			span = r;
		span.begin = MIN(span.begin, r.begin);
		span.end = MAX(span.end, r.end);
		if (!hides_secret(in, o->view, r))
			at += put_phrase(f.why + at, sizeof(f.why) - at,
					 i ? " and " : ", most of all ",
					 span_sub(text, r.begin, r.end - r.begin));
	}
	snprintf(f.why + at, sizeof(f.why) - at, ".");
	mac_begin(in->mac, "classifier");
	mac_add(in->mac, span_sub(text, span.begin, span.end - span.begin));
	f.fingerprint = mac_end(in->mac);
	detect_locate(in, &f, o->view, span);
	emit(ctx, &f);
	return 1;
}

void ensemble_read(const struct detector_input *in, struct opinion *ret)
{
	enum surface s = surface_of(in->trust);
	size_t n_windows = 0;

	*ret = (struct opinion){ .seen = { .score = -INFINITY } };
	for (unsigned v = 0; v < in->views->n; v++) {
		struct classified c;

		if (in->views->view[v].superseded)
			continue;
		classifier_score(in->classifier, s, in->views->view[v].text, &c);
		n_windows += c.n_windows;
		if (c.score > ret->seen.score)
			*ret = (struct opinion){ .seen = c, .view = v };
	}
	/* The strongest of all of them, however short the view that it is in. */
	ret->seen.n_windows = n_windows;
}

void ensemble_weigh(const struct detector_input *in, struct opinion *o, float by_rules)
{
	enum surface s = surface_of(in->trust);

	o->rules = by_rules;
	o->doubt = classifier_doubt(in->classifier, s, &o->seen, by_rules);
	o->rarity = classifier_rarity(in->classifier, s, &o->seen, o->doubt);
	/* Other detectors have their say, too. */
	*in->attack = MAX(*in->attack, attack_of(o->rarity));
}

bool ensemble_doubts(const struct opinion *o, float score)
{
	return score < RULES_ALERT && o->rarity < RARITY_SUPPORT;
}
