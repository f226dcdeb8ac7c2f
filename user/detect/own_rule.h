/* user/detect/own_rule.h - what the operator's own rules ask of a text, and of its turn. */
#pragma once

#include "detect/detector.h"

/* Model, provider and application are those that the rule is for. */
bool own_rule_fits(const struct rules *rs, const struct rule *r, const struct turn *t);
/* Does the rule match what in is about, in whatever role? 1, 0, -ENOMEM. */
int own_rule_matches(const struct detector_input *in, const struct rule *r);
