/* user/capture/ring.c - consumer of a BPF ring buffer.
 * Owns the two mappings. Its counterpart is kernel/bpf/ringbuf.c: positions count bytes for ever, a
 * record is an 8-byte header (length with two flag bits, page offset) and its data, rounded up to
 * 8; the producer publishes a record by clearing BUSY.
 */
#include "capture/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"

struct ring {
	uint64_t *consumer;	  /* a page, ours to write */
	const uint64_t *producer; /* a page, then the data twice */
	const uint8_t *data;
	uint64_t size, page;
};

int ring_new(struct ring **ret, int fd, uint64_t size)
{
	auto_free(ring) struct ring *r = calloc(1, sizeof(*r));
	void *p;

	if (!r)
		return -ENOMEM;
	r->page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (size < r->page || size > SIZE_MAX / 4 || (size & (size - 1)))
		return -EINVAL;
	r->size = size;
	p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->consumer = p;
	p = mmap(NULL, r->page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
	if (p == MAP_FAILED)
		return -errno;
	r->producer = p;
	r->data = (const uint8_t *)p + r->page;
	*ret = steal(r);
	return 0;
}

void ring_free(struct ring **r)
{
	if (!*r)
		return;
	if ((*r)->consumer)
		munmap((*r)->consumer, (*r)->page);
	if ((*r)->producer)
		munmap((void *)(uintptr_t)(*r)->producer, (*r)->page + 2 * (*r)->size);
	free(*r);
	*r = NULL;
}

uint64_t ring_mark(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

uint64_t ring_pending(const struct ring *r)
{
	return ring_mark(r) - __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
}

long ring_consume(struct ring *r, ring_fn *fn, void *ctx, unsigned max)
{
	return ring_consume_to(r, ring_mark(r), fn, ctx, max);
}

long ring_consume_to(struct ring *r, uint64_t mark, ring_fn *fn, void *ctx, unsigned max)
{
	uint64_t pos = __atomic_load_n(r->consumer, __ATOMIC_RELAXED);
	long n = 0;

	/* Positions are compared by distance; a mark that was passed already is behind. */
	while ((int64_t)(mark - pos) > 0 && (!max || n < max)) {
		const uint8_t *p = r->data + (pos & (r->size - 1));
		uint32_t head =
		    __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
		uint64_t len = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		uint64_t room = (len + BPF_RINGBUF_HDR_SZ + 7) & ~UINT64_C(7);

		if (mark - pos > r->size || (pos & 7))
			return -EBADMSG;
		if (head & BPF_RINGBUF_BUSY_BIT)
			break;
		if (room > mark - pos)
			return -EBADMSG;
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			fn(ctx, span_of(p + BPF_RINGBUF_HDR_SZ, len));
			n++;
		}
		pos += room;
		/* Hands the record's room back to the kernel. */
		__atomic_store_n(r->consumer, pos, __ATOMIC_RELEASE);
	}
	return n;
}
