/* user/detect/redact.h - a piece of captured text as it may be shown: every sensitive value masked.
 * Alerting wants precision, redaction wants recall: besides the masks it is given it hides what
 * only looks sensitive (addresses, long numbers, opaque runs, values of passwords).
 */
#pragma once

#include "text/view.h"

#define REDACT_AROUND	40  /* bytes shown on either side of a hit */
#define REDACT_SPAN_MAX 240 /* bytes of text shown in all */

/* A range that must not be shown; instead of it: [type:beginning…end], or its length when neither
 * may be shown. */
struct mask {
	struct range where;
	const char *type;
	uint16_t head, tail; /* bytes of its beginning and end that may be shown */
};

/* Writes hit with its surroundings to out, NUL-terminated valid UTF-8 if text is; control
 * characters pass. "…" marks a cut. */
void redact(char *out, size_t size, struct span text, struct range hit, const struct mask *masks,
	    size_t n);
