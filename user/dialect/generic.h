/* user/dialect/generic.h - a model's API of unknown shape: language in JSON, with the settings that
 * models have. */
#pragma once

#include "dialect/dialect.h"

/* What a request's values say of it. */
struct generic_signs {
	bool asks;     /* language where prompts stand */
	bool settings; /* a model's settings */
	uint32_t last; /* path looked at last */
};

void generic_look(struct generic_signs *s, const struct json_event *e);
/* Do they make a model's API? */
bool generic_is(const struct generic_signs *s);
extern const struct form form_generic;
