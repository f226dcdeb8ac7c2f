/* user/base/buf.c - a growing byte buffer with a cap, wiped on release. */
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/own.h"

static int reserve(struct buf *b, size_t need)
{
	size_t room = b->room ? b->room : 64;
	uint8_t *p;

	if (need <= b->room)
		return 0;
	/* need is at most max, so this ends before room overflows. */
	while (room < need)
		room = room > b->max / 2 ? b->max : room * 2;
	room = MIN(room, b->max);
	/* Not realloc(): the old block must be wiped. */
	p = malloc(room);
	if (!p)
		return -ENOMEM;
	if (b->p) {
		memcpy(p, b->p, b->len);
		explicit_bzero(b->p, b->len);
		free(b->p);
	}
	b->p = p;
	b->room = room;
	return 0;
}

int buf_add(struct buf *b, struct span s)
{
	int err;

	if (!s.len)
		return 0;
	if (s.len > b->max || b->len > b->max - s.len)
		return -E2BIG;
	err = reserve(b, b->len + s.len);
	if (err)
		return err;
	memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
	return 0;
}

ssize_t buf_add_some(struct buf *b, struct span s)
{
	size_t left = b->max - b->len;
	int err;

	if (s.len > left)
		s.len = left;
	err = buf_add(b, s);
	return err ? err : (ssize_t)s.len;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->p, b->p + n, b->len - n);
	explicit_bzero(b->p + b->len - n, n);
	b->len -= n;
}

void buf_clear(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->len);
	b->len = 0;
}

void buf_free(struct buf *b)
{
	buf_clear(b);
	free(b->p);
	b->p = NULL;
	b->room = 0;
}
