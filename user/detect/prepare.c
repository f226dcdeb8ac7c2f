/* user/detect/prepare.c - a pattern as Vectorscan gets it. */
#include "detect/prepare.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>

#include "base/own.h"

int pattern_fold(const struct fold *fold, const char *text, struct buf *ret)
{
	struct view folded = { .bytes = BUF(64 << 10) };
	int err = fold_view(fold, span_str(text), &folded);

	free(folded.runs);
	if (err)
		buf_free(&folded.bytes);
	else
		*ret = folded.bytes;
	return err;
}

int pattern_prepare(const struct fold *fold, const struct pattern *p, char **ret, size_t *ret_len,
		    unsigned *ret_flags)
{
	auto_mem char *s = NULL;
	struct buf folded;
	size_t n = 0;
	int err = pattern_fold(fold, p->text, &folded);

	if (err)
		return err;
	s = malloc(4 * folded.len + 1);
	for (size_t i = 0; s && i < folded.len; i++) {
		uint8_t c = folded.p[i];

		if (p->literal && strchr("\\^$.|?*+()[]{}/-", c))
			s[n++] = '\\';
		s[n++] = (char)c;
	}
	*ret_len = folded.len;
	buf_free(&folded);
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
