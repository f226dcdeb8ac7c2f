/* user/detect/ensemble.h - how much a text looks like a prompt attack: the classifier and the
 * rules, put together.
 */
#pragma once

#include "detect/detect.h"

/* Judges one segment, given the score of the rules (0 to 1, see RULES_HUNT). Writes in->attack and
 * emits a finding when the text is rarer than what harmless texts are. 1 found, 0 clean. */
int ensemble_scan(const struct detector_input *in, float by_rules, emit_fn *emit, void *ctx);
