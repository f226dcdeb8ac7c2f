/* user/detect/prepare.h - a pattern as Vectorscan gets it. */
#pragma once

#include "base/buf.h"
#include "detect/detector.h"

/* Folded like the texts it is to be found in; ret, of PATTERN_VIEW, can be used again. -ENOMEM,
 * -E2BIG. */
int pattern_fold(const struct fold *fold, const char *text, struct view *ret);
void pattern_view_free(struct view *w);
#define PATTERN_VIEW ((struct view){ .bytes = BUF(64 << 10) })
/* Folded like the texts it is to be found in, a literal with its special characters escaped. *ret,
 * to be freed; *ret_len: bytes of a literal. -ENOMEM, -E2BIG. */
int pattern_prepare(const struct fold *fold, const struct pattern *p, char **ret, size_t *ret_len,
		    unsigned *ret_flags);
