/* user/text/confusables.h - characters that look like a Latin letter. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct confusable {
	uint32_t cp;
	char letter;
};

extern const struct confusable confusables[]; /* ascending */
extern const size_t n_confusables;
