/* user/detect/ensemble.h - how much a text looks like a prompt attack: the classifier and the
 * rules, put together, on one scale for all surfaces.
 */
#pragma once

#include "detect/classifier.h"
#include "detect/detector.h"

struct opinion {
	struct classified seen; /* of the view that looks most like an attack */
	unsigned view;
	float rules;  /* their score, 0 to 1 */
	float doubt;  /* that they leave in a text of that length */
	float rarity; /* minus log10 of the share of harmless texts that look more like one */
};

/* Reads every view of the segment. */
void ensemble_read(const struct detector_input *in, struct opinion *ret);
/* Adds what the rules found, and writes in->attack. */
void ensemble_weigh(const struct detector_input *in, struct opinion *o, float by_rules);
/* Is a rule's finding of that score too weak for a text that otherwise looks harmless? */
bool ensemble_doubts(const struct opinion *o, float score);
/* Emits a finding when the text is rarer than what harmless texts are. 1 found, 0 clean. */
int ensemble_report(const struct detector_input *in, const struct opinion *o, emit_fn *emit,
		    void *ctx);
