/* user/detect/ensemble.c - how much a text looks like a prompt attack, on one scale for all
 * surfaces.
 *
 * The score is the largest over all views of the text, the rules' evidence added to it; the model
 * file says how rare that is among harmless texts of as many windows. A second opinion for texts
 * that are neither clearly harmless nor clearly an attack belongs behind ensemble_scan(): the
 * uncertain band is ATTACK_LIKELY > attack > ATTACK_UNCERTAIN, and what it says would be one more
 * summand of the evidence.
 */
#include "detect/ensemble.h"

#include <math.h>
#include <stdio.h>

#include "base/own.h"
#include "detect/classifier.h"
#include "detect/rules.h"

/* In powers of ten: how rare a text must be among harmless ones. */
#define RARITY_EVEN	 2.0f /* attack is .5: one in a hundred harmless texts */
#define RARITY_FINDING	 3.4f /* a finding to hunt with */
#define RARITY_SUPPORT	 2.6f /* ... when a rule says so, too */
#define RARITY_ALERT	 6.5f /* an alert without any rule */
#define RARITY_SUPPORTED 4.0f /* ... with one */
#define SUPPORT		 0.5f /* what such a rule scores at least */
#define RULES_SURE	 0.98f
#define PHRASES_MAX	 2
#define PHRASE_BYTES	 48 /* of each, in why */

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

static void report(const struct detector_input *in, unsigned view, const struct classified *c,
		   float rarity, bool supported, emit_fn *emit, void *ctx)
{
	enum surface s = surface_of(in->trust);
	struct span text = in->views->view[view].text;
	struct range phrases[PHRASES_MAX], span = c->window;
	size_t n = classifier_phrases(
	    in->classifier, s, span_sub(text, c->window.begin, c->window.end - c->window.begin),
	    phrases, PHRASES_MAX);
	struct finding f = { .kind = in->trust == TRUST_USER ? KIND_JAILBREAK_CLASSIFIER
							     : KIND_INJECTION_CLASSIFIER,
			     .score = attack_of(rarity) };
	size_t at;

	f.mode = rarity >= (supported ? RARITY_SUPPORTED : RARITY_ALERT) ? MODE_ALERT : MODE_HUNT;
	snprintf(f.type, sizeof(f.type), "%s", supported ? "model-and-rules" : "model");
	at = (size_t)snprintf(f.why, sizeof(f.why), "The wording resembles that of prompt attacks");
	for (size_t i = 0; i < n; i++) {
		struct range r = { c->window.begin + phrases[i].begin,
				   c->window.begin + phrases[i].end };

		if (!i)
			span = r;
		span.begin = MIN(span.begin, r.begin);
		span.end = MAX(span.end, r.end);
		if (hides_secret(in, view, r))
			continue;
		at += (size_t)snprintf(f.why + at, sizeof(f.why) - at, "%s\"%.*s\"",
				       i ? " and " : ", most of all ",
				       (int)MIN(r.end - r.begin, PHRASE_BYTES), text.p + r.begin);
	}
	snprintf(f.why + at, sizeof(f.why) - at, ".");
	mac_begin(in->mac, "classifier");
	mac_add(in->mac, span_sub(text, span.begin, span.end - span.begin));
	f.fingerprint = mac_end(in->mac);
	detect_locate(in, &f, view, span);
	emit(ctx, &f);
}

int ensemble_scan(const struct detector_input *in, float by_rules, emit_fn *emit, void *ctx)
{
	enum surface s = surface_of(in->trust);
	bool supported = by_rules >= SUPPORT;
	struct classified best = { 0 };
	unsigned best_view = 0;
	float rarity = -INFINITY;

	for (unsigned v = 0; v < in->views->n; v++) {
		struct classified c;
		float r;

		if (in->views->view[v].superseded)
			continue;
		classifier_score(in->classifier, s, in->views->view[v].text, &c);
		r = classifier_rarity(in->classifier, s, &c, -logf(1 - MIN(by_rules, RULES_SURE)));
		if (r > rarity) {
			rarity = r;
			best = c;
			best_view = v;
		}
	}
	*in->attack = attack_of(rarity);
	/* What rules are sure of they have said. */
	if (!(in->trust & (TRUST_USER | TRUST_RETRIEVED)) || by_rules >= RULES_ALERT ||
	    rarity < (supported ? RARITY_SUPPORT : RARITY_FINDING))
		return 0;
	report(in, best_view, &best, rarity, supported, emit, ctx);
	return 1;
}
