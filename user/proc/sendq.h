/* user/proc/sendq.h - what the inspector has told the keeper and the keeper has not committed yet.
 * Numbered, in order, bounded; sent again from the start to a new keeper. Beyond the bounds
 * messages are dropped and counted.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define SENDQ_MAX	1024 /* messages */
#define SENDQ_BYTES_MAX (8 << 20)

struct sendq;

int sendq_new(struct sendq **ret); /* -ENOMEM */
void sendq_free(struct sendq **q);
/* The number for the next message: 1, 2, ... A number is used by sendq_add() only when it returns
 * 0. */
uint64_t sendq_next(const struct sendq *q);
/* Copies msg. 0; -ENOSPC, -ENOMEM: dropped and counted. */
int sendq_add(struct sendq *q, struct span msg);
/* Sends what fits to fd. 0; -EPIPE: the keeper is gone. */
int sendq_flush(struct sendq *q, int fd);
/* The keeper committed everything up to number. -EBADMSG: it cannot have. */
int sendq_done(struct sendq *q, uint64_t number);
/* A new keeper: everything uncommitted goes again. */
void sendq_rewind(struct sendq *q);
size_t sendq_waiting(const struct sendq *q);
uint64_t sendq_dropped(const struct sendq *q);
