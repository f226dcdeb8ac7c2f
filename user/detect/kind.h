/* user/detect/kind.h - every alert kind: one row each in kinds.def, with its mode, severities,
 * texts and mappings. Ids of MITRE ATLAS 5.6.0, OWASP LLM (year in the id) and OWASP Agentic 2026;
 * KIND_DATA_VERSION changes with any row.
 */
#pragma once

#include "dialect/turn.h"

#define KIND_DATA_VERSION 11

enum severity {
	SEVERITY_INFORMATIONAL,
	SEVERITY_LOW,
	SEVERITY_MEDIUM,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
	SEVERITY_MAX_
};

enum mode {
	MODE_ALERT,
	MODE_HUNT, /* stored and counted, not sent as an alert */
	MODE_OFF,
	MODE_MAX_,
};

enum kind {
#define KIND(id, ...) KIND_##id,
#include "detect/kinds.def"
#undef KIND
	KIND_MAX_,
};

struct kind_row {
	const char *name; /* "jailbreak.rules"; family before the dot: jailbreak injection recon
			   * credential data url custom access wallet tool poison model canary taint
			   * filter posture sensor */
	enum mode mode;
	/* By what became of the turn. */
	enum severity severity[OUTCOME_MAX_];
	const char *title; /* for people, without a full stop */
	const char *description;
	const char *remediation;
	const char *atlas;   /* "AML.T0051.000 AML.T0054" */
	const char *owasp;   /* "LLM01:2025 ASI01:2026" */
	const char *tactics; /* ATLAS tactics, "AML.TA0004 ..."; mappings are "" where none fits */
};

extern const struct kind_row kinds[KIND_MAX_];

/* Operators' own rules name their kinds themselves; all of them have one row. */
#define KIND_CUSTOM_PREFIX "custom."

/* KIND_MAX_ when there is none of that name. */
enum kind kind_find(const char *name);
const char *severity_name(enum severity s);    /* "informational" ... */
enum severity severity_find(const char *name); /* SEVERITY_MAX_ when unknown */
const char *mode_name(enum mode m);
enum mode mode_find(const char *name); /* MODE_MAX_ when unknown */
