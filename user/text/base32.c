/* user/text/base32.c - the base32 view: runs of base32 that hold text (RFC 4648 section 6). */
#include "base/own.h"
#include "text/maker.h"

#define RUN_MIN 24   /* characters */
#define PIECE	4096 /* bytes decoded of one run; the rest is another one */

static int quintet(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Where the next run of RUN_MIN characters begins, at or behind at and before end; end: there is
 * none. Looks at every RUN_MINth byte only where it can. */
static size_t next_run(struct span t, size_t at, size_t end)
{
	while (at < end && at + RUN_MIN <= t.len) {
		size_t i = at + RUN_MIN;

		while (i > at && quintet(t.p[i - 1]) >= 0)
			i--;
		if (i == at)
			return at;
		at = i;
	}
	return end;
}

/* Decodes from at on; where that ends. */
static size_t decode(struct span t, size_t at, uint8_t out[PIECE], size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned n = 0;

	*ret_len = 0;
	for (; at < t.len && quintet(t.p[at]) >= 0 && *ret_len < PIECE; at++) {
		bits = bits << 5 | (unsigned)quintet(t.p[at]);
		n += 5;
		if (n >= 8) {
			n -= 8;
			out[(*ret_len)++] = (uint8_t)(bits >> n);
		}
	}
	return at;
}

int base32_view(const struct reading *r, struct view *w)
{
	uint8_t out[PIECE];
	struct range where;
	size_t at = 0, end, len;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_RUN, SURVEY_BLOCK, at, &where)) {
		for (at = where.begin; !err; at = end) {
			at = next_run(r->text, at, where.end);
			if (at >= where.end)
				break;
			end = decode(r->text, at, out, &len);
			if (is_prose(span_of(out, len)))
				err = view_piece(w, r->text, (struct range){ at, end },
						 span_of(out, len));
		}
		at = MAX(at, where.end);
	}
	return err;
}
