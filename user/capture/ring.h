/* user/capture/ring.h - consumer of a BPF ring buffer through plain mmap, without bpf(): runs in
 * the sandboxed inspector. Layout: kernel/bpf/ringbuf.c (consumer page read-write, producer page
 * and data read-only, data mapped twice).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct ring;

/* fd: the ring buffer map (not owned); size: its max_entries. -EINVAL: not a power of two of at
 * least a page; -errno of mmap. */
int ring_new(struct ring **ret, int fd, uint64_t size);
void ring_free(struct ring **r);

/* Calls fn for each record that was submitted, at most max records (0: all up to the producer
 * position at the time of the call), freeing each after fn returned. Stops early at a record that
 * is still being written. Returns how many, or -EBADMSG when the ring is inconsistent. The record
 * is borrowed, and the kernel does not write to it any more. */
typedef void ring_fn(void *ctx, struct span record);
long ring_consume(struct ring *r, ring_fn *fn, void *ctx, unsigned max);
/* The producer position, and the same as ring_consume() up to such a mark. Lets two rings be read
 * in a known order. */
uint64_t ring_mark(const struct ring *r);
long ring_consume_to(struct ring *r, uint64_t mark, ring_fn *fn, void *ctx, unsigned max);
/* Bytes that wait. */
uint64_t ring_pending(const struct ring *r);
