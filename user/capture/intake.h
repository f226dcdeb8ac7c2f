/* user/capture/intake.h - the two rings of one inspector become one sequence of events, in the
 * order in which they mean something: a connection's open before its data, its close and its
 * process's exit after them. Runs in the sandboxed inspector or recorder.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"
#include "bpf/event.h"

/* What is given is borrowed until the return. */
struct intake_ops {
	/* A connection begins, with its bytes at position 0. */
	void (*open)(void *ctx, const struct ev_conn *c);
	/* Its socket became known or changed. */
	void (*sock)(void *ctx, const struct ev_conn *c);
	/* c: what the kernel's table says of its connection now; NULL when that has ended and the
	 * slot has another user already. */
	void (*data)(void *ctx, const struct ev_hdr *h, const struct ev_conn *c, struct span bytes);
	void (*close)(void *ctx, const struct ev_conn *c);
	void (*exit)(void *ctx, const struct ev_exit *e);
};

/* The maps of capture.h, borrowed while the intake lives. */
struct intake_fds {
	int data_ring, control_ring, conns;
	uint64_t data_ring_bytes, control_ring_bytes;
	uint32_t max_conns;
};

struct intake;

/* ops is borrowed. -EINVAL, -ENOMEM, -errno of mmap. */
int intake_new(struct intake **ret, const struct intake_fds *fds, const struct intake_ops *ops,
	       void *ctx);
void intake_free(struct intake **in);
/* Handles what waits. How many records that were, or -EBADMSG: a ring is inconsistent. */
long intake_drain(struct intake *in);
/* Something waits. */
bool intake_pending(const struct intake *in);
/* Records that made no sense, so far. */
uint64_t intake_bad(const struct intake *in);
