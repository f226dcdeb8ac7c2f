/* user/scan/intel_tool.h - `earshot intel`: reads feeds of threat intelligence as the sensor would,
 * and says what was taken of them. Needs no sensor and no rights.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Each path is a feed, a file or a directory. Writes to out, as a table or as one JSON object.
 * -errno with a sentence in why; -EBADMSG when one is broken. */
int intel_check(const char *const *paths, size_t n, bool json, FILE *out, char *why,
		size_t why_size);
