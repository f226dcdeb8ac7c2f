/* user/detect/sensitive_words.h - sensitive data without a digit, found by the words that lead to
 * it. */
#pragma once

#include "detect/detector.h"
#include "detect/sensitive.h"

/* The i-th lead; false past the last. */
bool words_pattern(size_t i, struct pattern *ret);
/* What stands behind a lead in text; false: nothing sensitive. */
bool words_value(const struct hit *h, struct span text, struct sensitive_hit *ret);
