/* user/base/utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <string.h>

#include "base/escape.h"

/* May what is held be the beginning of a character? */
static bool is_begun(const uint8_t *p, size_t n)
{
	static const uint8_t least[] = { 0xc2, 0xe0, 0xf0 };
	size_t want = p[0] >= least[2] && p[0] < 0xf5 ? 4 : p[0] >= least[1] && p[0] < 0xf0 ? 3 : 2;

	if (p[0] < least[0] || p[0] >= 0xf5 || n >= want)
		return false;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t utf8_clean(struct utf8 *u, struct span *in, uint8_t *out, size_t room)
{
	size_t n = 0;

	while (in->len && room - n >= sizeof(u->cut)) {
		uint32_t cp;
		size_t len;

		u->cut[u->n_cut++] = in->p[0];
		*in = span_sub(*in, 1, in->len);
		len = utf8_decode(span_of(u->cut, u->n_cut), &cp);
		if (!len && is_begun(u->cut, u->n_cut))
			continue;
		if (len)
			memcpy(out + n, u->cut, len);
		n += len ? len : utf8_encode(0xfffd, out + n);
		/* The byte that ended a character too early may begin the next one. */
		if (!len && u->n_cut > 1)
			*in = span_of(in->p - 1, in->len + 1);
		u->n_cut = 0;
	}
	return n;
}

bool utf8_end(struct utf8 *u)
{
	bool cut = u->n_cut;

	u->n_cut = 0;
	return cut;
}

bool utf8_is_text(struct span s, bool cut)
{
	uint32_t cp;
	size_t n;

	for (size_t i = 0; i < s.len; i += n) {
		n = utf8_decode(span_sub(s, i, s.len), &cp);
		if (!n)
			return cut && is_begun(s.p + i, s.len - i);
		if (cp < 0x20 && cp != '\n' && cp != '\r' && cp != '\t' && cp != '\f')
			return false;
	}
	return true;
}
