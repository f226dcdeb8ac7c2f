/* user/proc/sendq.c - the bounded queue of uncommitted messages. */
#include "proc/sendq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "proc/req.h"

struct entry {
	uint8_t *p;
	size_t len;
};

struct sendq {
	struct entry entry[SENDQ_MAX]; /* a ring: number n is at n % SENDQ_MAX */
	uint64_t first;		       /* the oldest uncommitted number */
	uint64_t next;		       /* the number of the next message */
	uint64_t sent;		       /* everything below went to the present keeper */
	size_t bytes;
	uint64_t dropped;
};

int sendq_new(struct sendq **ret)
{
	struct sendq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->first = q->next = q->sent = 1;
	*ret = q;
	return 0;
}

static void drop_first(struct sendq *q)
{
	struct entry *e = &q->entry[q->first++ % SENDQ_MAX];

	q->bytes -= e->len;
	free(e->p);
	*e = (struct entry){ NULL, 0 };
}

void sendq_free(struct sendq **q)
{
	if (!*q)
		return;
	while ((*q)->first < (*q)->next)
		drop_first(*q);
	free(*q);
	*q = NULL;
}

uint64_t sendq_next(const struct sendq *q)
{
	return q->next;
}

int sendq_add(struct sendq *q, struct span msg)
{
	uint8_t *copy;

	if (q->next - q->first == SENDQ_MAX || msg.len > SENDQ_BYTES_MAX - q->bytes) {
		q->dropped++;
		return -ENOSPC;
	}
	copy = malloc(msg.len ? msg.len : 1);
	if (!copy) {
		q->dropped++;
		return -ENOMEM;
	}
	memcpy(copy, msg.p, msg.len);
	q->entry[q->next++ % SENDQ_MAX] = (struct entry){ copy, msg.len };
	q->bytes += msg.len;
	return 0;
}

int sendq_flush(struct sendq *q, int fd)
{
	while (q->sent < q->next) {
		const struct entry *e = &q->entry[q->sent % SENDQ_MAX];
		int err = req_send(fd, REQ_KEEP, e->p, e->len, NULL, 0);

		if (err == -EAGAIN)
			return 0;
		if (err)
			return -EPIPE;
		q->sent++;
	}
	return 0;
}

int sendq_done(struct sendq *q, uint64_t number)
{
	if (number >= q->sent)
		return -EBADMSG;
	while (q->first <= number)
		drop_first(q);
	return 0;
}

void sendq_rewind(struct sendq *q)
{
	q->sent = q->first;
}

size_t sendq_waiting(const struct sendq *q)
{
	return (size_t)(q->next - q->first);
}

uint64_t sendq_dropped(const struct sendq *q)
{
	return q->dropped;
}
