/* user/parse/sse.h - server-sent events (WHATWG HTML, "Parsing an event stream").
 * Owns one event of carry-over, capped by max_event. Input is hostile and may be cut anywhere.
 */
#pragma once

#include "base/span.h"

struct sse_event {
	struct span type; /* the event field; empty means "message" */
	struct span data; /* data lines joined by LF */
	bool damaged;	  /* bytes were lost in it, or the cap cut it */
};

typedef void sse_fn(void *ctx, const struct sse_event *e); /* spans are borrowed until it returns */

struct sse;

/* -ENOMEM. */
int sse_new(struct sse **ret, size_t max_event, sse_fn *fn, void *ctx);
void sse_free(struct sse **s);
/* Consumes all of in. Any split of the same bytes gives the same callbacks. 0, -ENOMEM. */
int sse_feed(struct sse *s, struct span in);
/* n bytes were lost here (0: nobody knows how many): the open event is given out damaged; the
 * reader goes on at the next line.
 */
void sse_gap(struct sse *s, uint64_t n);
/* End of stream: unlike a browser, gives out an unfinished event (damaged when its last line was
 * not ended). */
void sse_end(struct sse *s);
/* Can a stream begin with these bytes? 1, 0, -EAGAIN. */
int sse_probe(struct span first);
uint64_t sse_cut(const struct sse *s); /* events the cap cut */
