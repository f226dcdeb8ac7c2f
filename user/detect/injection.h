/* user/detect/injection.h - which kind of injected instructions it is: what they are
 * after and where they hide. Asked only when a rule found some, so it costs nothing elsewhere.
 */
#pragma once

#include "detect/detector.h"

struct injection {
	enum kind kind;
	const char *place; /* where it hides: "in an HTML comment"; NULL: in plain sight */
};

/* Of what stands at where in a view of retrieved content. otherwise: its kind when the text tells
 * nothing more. */
struct injection injection_of(const struct detector_input *in, unsigned view, struct range where,
			      enum kind otherwise);
