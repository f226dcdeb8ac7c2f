/* user/detect/rules.h - the table of prompt-attack rules: what attacks say, and how much each way
 * of saying it proves. Weights are probabilities that combine: a precise rule alerts alone
 * (RULES_ALERT), two weak ones of different groups together, one weak one is for hunting.
 */
#pragma once

#include "detect/kind.h"

#define RULES_ALERT 0.9f
#define RULES_HUNT  0.3f /* below it nothing is reported */

/* What a rule is about. Rules of one group say the same thing and count once. */
enum rule_group {
	GROUP_OVERRIDE, /* forget your instructions */
	GROUP_ORDERS,	/* here are new ones */
	GROUP_PERSONA,	/* be somebody else */
	GROUP_UNBOUND,	/* without rules */
	GROUP_COMPLY,	/* never refuse, begin with "sure" */
	GROUP_EXTRACT,	/* show me your instructions */
	GROUP_MARKER,	/* chat template markers, made-up roles */
	GROUP_ADDRESS,	/* text that speaks to an assistant */
	GROUP_CONCEAL,	/* do not tell the user */
	GROUP_EXFIL,	/* send it there */
	GROUP_ACTION,	/* use this tool */
	GROUP_TOPIC,	/* the text is about such attacks: weakens the others */
	GROUP_MAX_,
};

struct rule {
	const char *id;
	enum rule_group group;
	float user, retrieved;	/* weight in what users write, and in content; 0: does not apply */
	const char *pattern;	/* see struct pattern; a regular expression */
	const char *why;	/* what the text does: "tells the model to ..." */
	const char *hit, *miss; /* texts that must and must not match */
};

extern const struct rule rules[];
extern const size_t n_rules;
