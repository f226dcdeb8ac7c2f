/* user/base/buf.h - a growing byte buffer with a cap given at birth.
 * Its bytes are captured text: every block it lets go is wiped first.
 */
#pragma once

#include <sys/types.h>

#include "base/span.h"

struct buf {
	uint8_t *p;
	size_t len;
	size_t room;
	size_t max; /* never grows past this */
};

#define BUF(cap) ((struct buf){ .max = (cap) })

/* Appends all of s. -E2BIG when the cap would be passed (nothing appended), -ENOMEM. */
int buf_add(struct buf *b, struct span s);
/* Appends what fits under the cap; returns how many bytes that were, or -ENOMEM. */
ssize_t buf_add_some(struct buf *b, struct span s);
/* Drops the first n bytes. */
void buf_drop(struct buf *b, size_t n);
/* Empties and wipes, keeping the block. */
void buf_clear(struct buf *b);
/* Wipes and frees; the cap stays, so the buffer can be used again. */
void buf_free(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->p, b->len);
}
