/* user/text/edit.c - views that show decoded places where they stand, and tests of what came out.
 */
#include "base/escape.h"
#include "base/own.h"
#include "text/maker.h"

int view_piece(struct view *w, struct span text, struct range r, struct span says)
{
	int err = view_put(w, r.begin, says, true);

	/* The line's end stands for what follows, so that the piece ends where it does. */
	return err || r.end >= text.len ? err : view_put(w, r.end, SPAN_LIT("\n"), true);
}

static size_t char_start(struct span s, size_t at)
{
	for (unsigned i = 0; i < 3 && at && at < s.len && (s.p[at] & 0xc0) == 0x80; i++)
		at--;
	return at;
}

static int copy(struct edit *e, size_t end)
{
	int err = view_put(e->w, e->at, span_sub(e->text, e->at, end - e->at), false);

	e->at = end;
	return err;
}

int edit_replace(struct edit *e, struct range r, struct span with, bool whole)
{
	int err = 0;

	if (e->open && r.begin - e->at > 2 * EDIT_CONTEXT) {
		err = edit_end(e);
		e->open = false;
	}
	if (!e->open)
		e->at = MAX(e->at, char_start(e->text, r.begin - MIN(r.begin, EDIT_CONTEXT)));
	e->open = true;
	if (!err)
		err = copy(e, r.begin);
	if (!err)
		err = view_put(e->w, r.begin, with, whole);
	e->at = r.end;
	return err;
}

int edit_end(struct edit *e)
{
	int err = 0;

	if (!e->open)
		return 0;
	err = copy(e, char_start(e->text, MIN(e->at + EDIT_CONTEXT, e->text.len)));
	return err || e->at == e->text.len ? err : view_put(e->w, e->at, SPAN_LIT("\n"), true);
}

bool is_text(struct span s)
{
	uint32_t cp;
	size_t n;

	for (size_t i = 0; i < s.len; i += n) {
		n = utf8_decode(span_sub(s, i, 4), &cp);
		if (!n)
			return i && s.len - i < 4 && s.p[i] >= 0xc2;
		/* White space is all that text has of control characters. */
		if ((cp < 0x20 && (cp < '\t' || cp > '\r')) || (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	return s.len > 0;
}

bool is_prose(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] >= 0x80 || s.p[i] == ' ' || s.p[i] == '\n' || ascii_letter(s.p[i]);
	return n * 2 >= s.len && is_text(s);
}
