/* user/detect/prepare.c - a pattern as Vectorscan gets it. */
#include "detect/prepare.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>

#include "base/own.h"

int pattern_fold(const struct fold *fold, const char *text, struct view *ret)
{
	ret->bytes.len = 0;
	ret->n_runs = 0;
	return fold_view(fold, span_str(text), ret);
}

void pattern_view_free(struct view *w)
{
	buf_free(&w->bytes);
	free(w->runs);
	*w = (struct view){ 0 };
}

int pattern_prepare(const struct fold *fold, const struct pattern *p, char **ret, size_t *ret_len,
		    unsigned *ret_flags)
{
	auto_mem char *s = NULL;
	struct view folded = PATTERN_VIEW;
	size_t n = 0;
	int err = pattern_fold(fold, p->text, &folded);

	if (err) {
		pattern_view_free(&folded);
		return err;
	}
	s = malloc(4 * folded.bytes.len + 1);
	for (size_t i = 0; s && i < folded.bytes.len; i++) {
		uint8_t c = folded.bytes.p[i];

		if (p->literal && strchr("\\^$.|?*+()[]{}/-", c))
			s[n++] = '\\';
		s[n++] = (char)c;
	}
	*ret_len = folded.bytes.len;
	pattern_view_free(&folded);
	if (!s)
		return -ENOMEM;
	s[n] = 0;
	*ret = steal(s);
	/* Where a match begins is found afterwards, see narrow() in detect.c: tracking it makes
	 * patterns many times larger. */
	*ret_flags =
	    (p->literal ? 0 : HS_FLAG_DOTALL) | (p->literal && !p->caseless ? 0 : HS_FLAG_CASELESS);
	return 0;
}
