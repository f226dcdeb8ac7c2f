/* user/text/morse.c - Morse code (ITU-R M.1677): letters apart by one blank, words by a stroke or
 * more blanks.
 */
#include "base/own.h"
#include "text/maker.h"

#define LETTERS_MIN 8
#define LETTER_MAX  6 /* dots and dashes */
#define PIECE	    4096

/* By the bits that a letter's dashes are, with a leading one. */
static char letter_of(unsigned bits)
{
	static const char letters[] =
	    "**ETIANMSURWDKGOHVF*L*PJBXCYZQ**54*3***2*******16*******7***8*90";
	static const struct {
		unsigned bits;
		char c;
	} signs[] = { { 0x55, '.' },  { 0x73, ',' }, { 0x4c, '?' }, { 0x6b, '!' },
		      { 0x5e, '\'' }, { 0x61, '-' }, { 0x32, '/' }, { 0x78, ':' } };

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (signs[i].bits == bits)
			return signs[i].c;
	return bits < sizeof(letters) - 1 && letters[bits] != '*' ? letters[bits] : 0;
}

/* Decodes a run; where it ends, and how many letters there are. */
static size_t decode(struct span t, size_t at, uint8_t *out, size_t *ret_len, size_t *ret_letters)
{
	size_t last = at;

	*ret_len = *ret_letters = 0;
	while (at < t.len && *ret_len + 2 <= PIECE) {
		unsigned bits = 1, n = 0, blanks = 0, strokes = 0;
		char c;

		for (; at < t.len && n <= LETTER_MAX && memchr(".-_", t.p[at], 3); at++, n++)
			bits = bits << 1 | (t.p[at] != '.');
		c = n && n <= LETTER_MAX ? letter_of(bits) : 0;
		if (!c)
			break;
		out[(*ret_len)++] = (uint8_t)c;
		++*ret_letters;
		last = at;
		for (; at < t.len && memchr(" /|\n\t", t.p[at], 5); at++) {
			blanks++;
			strokes += t.p[at] != ' ';
		}
		if (!blanks)
			break;
		if (blanks > 1 || strokes)
			out[(*ret_len)++] = ' ';
	}
	return last;
}

int morse_view(const struct reading *r, struct view *w)
{
	uint8_t out[PIECE];
	struct range where;
	size_t at = 0, end, len, letters;
	int err = 0;

	while (!err && survey_next(r->survey, SURVEY_DOTS, SURVEY_BLOCK, at, &where)) {
		for (at = where.begin; !err && at < where.end;) {
			if ((at && r->text.p[at - 1] > ' ' && r->text.p[at - 1] != '/') ||
			    !memchr(".-_", r->text.p[at], 3)) {
				at++;
				continue;
			}
			end = decode(r->text, at, out, &len, &letters);
			if (letters >= LETTERS_MIN &&
			    words_plausible(r->words, span_of(out, len))) {
				err = view_piece(w, r->text, (struct range){ at, end },
						 span_of(out, len));
			}
			at = MAX(end, at + 1);
		}
		at = MAX(at, where.end);
	}
	return err;
}
