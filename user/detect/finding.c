/* user/detect/finding.c - what a finding is called, and how bad it is: its kind says it, or, of an
 * operator's own kind, the rule that made it. */
#include "detect/finding.h"

#include "base/own.h"
#include "detect/rules.h"

static bool of_rule(const struct finding *f)
{
	return f->kind == KIND_CUSTOM;
}

const char *finding_kind(const struct finding *f)
{
	return of_rule(f) ? rules_text(f->rules, f->rule->kind) : kinds[f->kind].name;
}

const char *finding_title(const struct finding *f)
{
	return of_rule(f) ? rules_text(f->rules, f->rule->title) : kinds[f->kind].title;
}

enum severity finding_severity(const struct finding *f, enum outcome o)
{
	if (of_rule(f))
		return (enum severity)f->rule->severity;
	return MIN(kinds[f->kind].severity[o] + f->raise, SEVERITY_CRITICAL);
}

const char *finding_atlas(const struct finding *f)
{
	return of_rule(f) ? rules_text(f->rules, f->rule->atlas) : kinds[f->kind].atlas;
}

const char *finding_owasp(const struct finding *f)
{
	return of_rule(f) ? rules_text(f->rules, f->rule->owasp) : kinds[f->kind].owasp;
}
