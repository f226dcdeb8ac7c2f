/* user/text/base64.c - the base64 view: runs of base64 or base64url that hold text (RFC 4648).
 * Keys, digests and pictures decode to noise and are passed over after a look at their beginning
 * and middle.
 */
#include <errno.h>

#include "base/base64.h"
#include "base/own.h"
#include "text/maker.h"

#define RUN_MIN	   24	/* characters; shorter runs are words */
#define TURNED_MAX 8192 /* characters of a run that was turned */
#define PROBE	   48	/* characters decoded to see whether a run holds text; a multiple of 4 */
#define SOON	   8	/* ... by which noise shows mostly */

/* Length of a line end that may break a run: "\n", "\r\n", or these as JSON escapes them. */
static size_t line_end(struct span s)
{
	static const char *const ends[] = { "\r\n", "\n", "\\r\\n", "\\n" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (s.len >= strlen(ends[i]) && !memcmp(s.p, ends[i], strlen(ends[i])))
			return strlen(ends[i]);
	return 0;
}

/* The next run of at least RUN_MIN characters that begins at or behind at and before end. Looks at
 * every RUN_MINth byte only where it can. */
static bool next_run(struct span t, size_t at, size_t end, struct range *ret)
{
	size_t i;

	while (at < end && at + RUN_MIN <= t.len) {
		for (i = at + RUN_MIN; i > at && base64_sextets[t.p[i - 1]]; i--)
			;
		if (i > at) {
			at = i;
			continue;
		}
		for (i = at + RUN_MIN; i < t.len && base64_sextets[t.p[i]]; i++)
			;
		*ret = (struct range){ at, i };
		/* Wrapped base64 goes on behind the line end, the last line being as short as it
		 * likes. */
		for (size_t n; (n = line_end(span_sub(t, i, t.len))) != 0; ret->end = i) {
			size_t line = i + n;

			for (i = line; i < t.len && base64_sextets[t.p[i]]; i++)
				;
			if (i == line)
				break;
			if (i - line < RUN_MIN) {
				/* A word of the next paragraph is no last line: that one is padded
				 * or ends the text. */
				if (i == t.len || t.p[i] == '=' || t.p[i] == '"')
					ret->end = i;
				break;
			}
		}
		return true;
	}
	return false;
}

/* Decodes from *at up to end, line ends skipped, at most max bytes; *at moves. With max a multiple
 * of 3 the next call goes on. */
static size_t decode(struct span t, size_t *at, size_t end, uint8_t *out, size_t max)
{
	size_t len = 0, n;
	uint32_t acc = 0;
	unsigned bits = 0;

	while (*at < end && len < max) {
		n = !base64_sextets[t.p[*at]] ? line_end(span_sub(t, *at, end - *at)) : 0;
		if (n) {
			*at += n;
			continue;
		}
		acc = acc << 6 | (base64_sextets[t.p[(*at)++]] - 1u);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = acc >> bits;
		}
	}
	return len;
}

static bool text_at(struct span t, size_t at, size_t end)
{
	uint8_t out[PROBE];
	size_t from = at;

	return is_text(span_of(out, decode(t, &from, MIN(end, at + SOON), out, sizeof(out)))) &&
	       is_text(span_of(out, decode(t, &at, end, out, sizeof(out))));
}

/* Where in the run the encoding begins: a path or a name may stand glued to its front. */
static bool find_start(struct span t, struct range r, size_t *ret)
{
	size_t middle = r.begin + (r.end - r.begin) / 8 * 4;
	size_t last = MIN(r.begin + PROBE, r.end - RUN_MIN);

	for (*ret = r.begin; *ret <= last; ++*ret)
		if ((*ret < r.begin + 4 || strchr("/-_+", t.p[*ret - 1])) &&
		    text_at(t, *ret, MIN(r.end, *ret + PROBE)))
			return true;
	/* Noise in front of the text: whole groups of four from the middle on. */
	*ret = middle;
	return middle > r.begin + PROBE && text_at(t, middle, middle + PROBE);
}

/* --- runs that were turned round, or whose letters were, after they were encoded */

static uint8_t half_way_round(uint8_t c)
{
	uint8_t n = (uint8_t)((c | 0x20) - 'a');

	return n < 26 ? (uint8_t)(c - n + (n + 13) % 26) : c;
}

/* At most max of the run's characters, without line ends: from the last to the first, or in ROT13.
 */
static size_t turn(struct span t, struct range r, bool backwards, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = r.begin; i < r.end && n < max; i++) {
		uint8_t c = t.p[backwards ? r.end - 1 - (i - r.begin) : i];

		if (base64_sextets[c])
			out[n++] = backwards ? c : half_way_round(c);
	}
	return n;
}

/* Do so many of its characters say so? */
static bool turned_text(struct span t, struct range r, bool backwards, size_t max)
{
	uint8_t turned[PROBE];
	size_t n = turn(t, r, backwards, turned, max);

	return text_at(span_of(turned, n), 0, n);
}

/* What the run says, when it does so in one of these ways. */
static int put_turned(struct view *w, struct span t, struct range r)
{
	uint8_t turned[TURNED_MAX], piece[TURNED_MAX];
	int err = 0;

	for (unsigned backwards = 0; !err && backwards < 2; backwards++) {
		size_t at = 0, n, len;

		if (!turned_text(t, r, backwards, SOON) || !turned_text(t, r, backwards, PROBE))
			continue;
		n = turn(t, r, backwards, turned, sizeof(turned));
		len = decode(span_of(turned, n), &at, n, piece, sizeof(piece));
		err = view_piece(w, t, r, span_of(piece, len));
	}
	return err;
}

int base64_view(const struct reading *in, struct view *w)
{
	struct span text = in->text;
	uint8_t piece[3 * 1024];
	struct range where, r;
	size_t at = 0, from, len;
	int err = 0;

	while (!err && survey_next(in->survey, SURVEY_RUN, SURVEY_BLOCK, at, &where)) {
		for (at = where.begin; !err && next_run(text, at, where.end, &r); at = r.end) {
			if (!find_start(text, r, &from)) {
				err = put_turned(w, text, r);
				continue;
			}
			while (!err &&
			       (len = decode(text, &from, r.end, piece, sizeof(piece))) != 0)
				err = view_put(w, r.begin, span_of(piece, len), true);
			if (!err)
				err = view_put(w, r.end, SPAN_LIT("\n"), true);
		}
		at = MAX(at, where.end);
	}
	return err;
}
