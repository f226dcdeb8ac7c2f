/* user/detect/finding.h - a piece of evidence: which detector saw what, where, how sure, and why in
 * words. Already redacted: evidence holds no sensitive value. Owned by whoever gets it; fixed size,
 * so it can be queued.
 */
#pragma once

#include "base/mac.h"
#include "detect/kind.h"

struct rule;
struct rules;

struct finding {
	enum kind kind;
	const char *detector; /* its row's name, static */
	char type[48];	      /* what exactly: a rule id ("ignore-previous"), a credential type
				 ("openai-project-key"), "tag-characters" */
	enum mode mode;	      /* kinds[kind].mode, or weaker: a lone weak signal is hunt */
	uint8_t raise;	      /* steps of severity above its kind's, for how much of it there is */
	float score;	      /* 0 to 1, calibrated: confidence that this is what kind says */
	uint32_t segment;     /* index in the turn */
	enum segment_role role;
	enum origin origin;
	enum side side;
	uint32_t begin, end; /* bytes of the segment's text; a hit in a decoded view covers the
				smallest encoded run that holds it */
	char view[32];	     /* how the text was read: "" as it stands, "folded", "base64",
				"folded+base64" */
	char why[192];	     /* one sentence for people */
	char
	    evidence[320]; /* the span with its surroundings, every sensitive value masked; UTF-8 */
	struct hash128 fingerprint; /* keyed hash of what was found (rule id and folded span, or the
				       credential): equal means the same */
	bool truncated;		    /* the segment was damaged or cut where this was found */
	/* The operator's own rule that made it, borrowed from whoever judged; NULL: none. */
	const struct rules *rules;
	const struct rule *rule;
};

/* By the rule that made it, else by its kind. */
const char *finding_kind(const struct finding *f); /* "custom.code-name" */
const char *finding_title(const struct finding *f);
enum severity finding_severity(const struct finding *f, enum outcome o);
const char *finding_atlas(const struct finding *f);
const char *finding_owasp(const struct finding *f);
