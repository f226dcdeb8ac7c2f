/* user/detect/prepare.c - a pattern as Vectorscan gets it. */
#include "detect/prepare.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>

#include "base/own.h"

int pattern_prepare(const struct fold *fold, const struct pattern *p, char **ret, size_t *ret_len,
		    unsigned *ret_flags)
{
	struct view folded = { .bytes = BUF(64 << 10) };
	auto_mem char *s = NULL;
	size_t n = 0;
	int err;

	err = fold_view(fold, span_str(p->text), &folded);
	if (!err) {
		s = malloc(4 * folded.bytes.len + 1);
		err = s ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !err && i < folded.bytes.len; i++) {
		uint8_t c = folded.bytes.p[i];

		if (p->literal && strchr("\\^$.|?*+()[]{}/-", c))
			s[n++] = '\\';
		s[n++] = (char)c;
	}
	*ret_len = folded.bytes.len;
	buf_free(&folded.bytes);
	free(folded.runs);
	if (err)
		return err;
	s[n] = 0;
	*ret = steal(s);
	/* Where a match begins is found afterwards, see narrow() in detect.c: tracking it makes
	 * patterns many times larger. */
	*ret_flags =
	    (p->literal ? 0 : HS_FLAG_DOTALL) | (p->literal && !p->caseless ? 0 : HS_FLAG_CASELESS);
	return 0;
}
