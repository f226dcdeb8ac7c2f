/* tests/uring.h - io_uring by hand: one operation after the other, by one thread. */
#pragma once

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

/* -1: not allowed here, as in many containers. Its mappings stay until the process ends. */
static inline int uring_open(struct uring *u)
{
	struct io_uring_params p = { 0 };
	uint8_t *sq, *cq;

	u->fd = (int)syscall(SYS_io_uring_setup, 8, &p);
	if (u->fd < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE,
		  MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*u->cqes), PROT_READ | PROT_WRITE,
		  MAP_SHARED, u->fd, IORING_OFF_CQ_RING);
	u->sqes = mmap(NULL, p.sq_entries * sizeof(*u->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       u->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || u->sqes == MAP_FAILED)
		return -1;
	u->sq_tail = (void *)(sq + p.sq_off.tail);
	u->sq_mask = (void *)(sq + p.sq_off.ring_mask);
	u->sq_array = (void *)(sq + p.sq_off.array);
	u->cq_head = (void *)(cq + p.cq_off.head);
	u->cq_tail = (void *)(cq + p.cq_off.tail);
	u->cq_mask = (void *)(cq + p.cq_off.ring_mask);
	u->cqes = (void *)(cq + p.cq_off.cqes);
	return 0;
}

/* Begins an operation. 1: it is submitted. */
static inline int uring_post(struct uring *u, uint8_t op, int fd, void *buf, size_t n,
			     uint8_t flags)
{
	unsigned tail = *u->sq_tail, i = tail & *u->sq_mask;

	u->sqes[i] = (struct io_uring_sqe){
		.opcode = op, .flags = flags, .fd = fd, .addr = (uintptr_t)buf, .len = (unsigned)n
	};
	u->sq_array[i] = i;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return (int)syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0);
}

/* The result of the oldest operation; may sleep for it. */
static inline int uring_take(struct uring *u)
{
	unsigned head = *u->cq_head;
	int res;

	while (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			return -errno;
	res = u->cqes[head & *u->cq_mask].res;
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	return res;
}
