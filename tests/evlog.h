/* tests/evlog.h - what a parser said, as text: one line per event, so that two runs can be
 * compared. Where an input was cut shows in how a text arrives in pieces, and nowhere else: pieces
 * of one text are joined.
 */
#pragma once

#include <stddef.h>

#include "base/span.h"

struct evlog {
	char *p; /* NUL-terminated */
	size_t len, room;
	bool in_text; /* the last line is open for more pieces */
};

/* A line of its own. */
__attribute__((format(printf, 2, 3))) void evlog_line(struct evlog *l, const char *fmt, ...);
/* Begins a line that texts are added to. */
__attribute__((format(printf, 2, 3))) void evlog_begin(struct evlog *l, const char *fmt, ...);
/* Adds a text to the open line: printable ASCII as it is, the rest as \n, \r, \t, \\ or \xNN. */
void evlog_text(struct evlog *l, struct span s);
/* "tag text": a piece of the same tag right before is continued. */
void evlog_piece(struct evlog *l, const char *tag, struct span s);
/* Ends the open line. */
void evlog_end(struct evlog *l);
/* Empties it, keeping the block. */
void evlog_clear(struct evlog *l);
void evlog_free(struct evlog *l);
