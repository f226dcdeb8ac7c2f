/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/copy.bpf.h - bytes that passed on a connection: their position, and their copy in the data
 * ring or the loss that is counted instead. Data goes straight into the reserved record: a scratch
 * buffer per CPU would mix threads, for the programs can be preempted.
 */
#pragma once

#include "bpf/conn.bpf.h"

#define CHUNK_MAX 16384ULL /* the largest record's payload: what a TLS record holds */

const volatile __u64 max_call_bytes __weak = 16 << 20; /* (set) */

/* 64-bit and pinned to one register: the verifier keeps the bound. */
static __always_inline __u64 clamp_len(__u64 n, __u64 max)
{
	barrier_var(n);
	return n < max ? n : max;
}

/* What is to be copied of one call: chunk i is at i * CHUNK_MAX. */
struct copy {
	struct ev_hdr hdr; /* of the first byte */
	struct ev_proc proc;
	__u64 buf, len;
	__u64 lost; /* out: bytes not copied, which were counted */
};

static __always_inline enum ev_loss put(const struct ev_hdr *hdr, const void *src, __u64 n,
					__u64 fill, const __u64 room)
{
	struct ev_hdr *r = bpf_ringbuf_reserve(&data_ring, sizeof(*r) + room, 0);

	if (!r)
		return EV_LOSS_RING;
	*r = *hdr;
	if (bpf_probe_read_user(r + 1, clamp_len(n, room), src)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return EV_LOSS_FAULT;
	}
	bpf_ringbuf_submit(r, wake_flags(fill, data_ring_bytes));
	return EV_LOSS_MAX_;
}

/* Global, so that the verifier walks it once and not once per iteration. */
__weak __noinline int copy_chunk(struct copy *c, __u32 i)
{
	__u64 off = i * CHUNK_MAX, n, fill;
	struct ev_proc_stats *proc = NULL;
	enum ev_loss loss;
	struct ev_proc who;
	struct ev_hdr hdr;
	const void *src;

	if (!c || off >= c->len)
		return 1;
	n = clamp_len(c->len - off, CHUNK_MAX);
	src = (const void *)(c->buf + off);
	hdr = c->hdr;
	hdr.pos += off;
	hdr.len = n;
	who = c->proc;
	fill = bpf_ringbuf_query(&data_ring, BPF_RB_AVAIL_DATA);
	if (fill >= data_ring_bytes / 2)
		proc = bpf_map_lookup_elem(&procs, &who);
	if (fill >= data_ring_bytes / 2 && !may_put(EV_RING_DATA, fill, proc, n))
		loss = EV_LOSS_BUDGET;
	else if (n <= 256)
		loss = put(&hdr, src, n, fill, 256);
	else if (n <= 1024)
		loss = put(&hdr, src, n, fill, 1024);
	else if (n <= 4096)
		loss = put(&hdr, src, n, fill, 4096);
	else
		loss = put(&hdr, src, n, fill, CHUNK_MAX);
	if (loss == EV_LOSS_MAX_) {
		if (!(hdr.flags & EV_F_CANARY))
			COUNT(records, 1);
		return 0;
	}
	if (!proc)
		proc = bpf_map_lookup_elem(&procs, &who);
	c->lost += n;
	proc_loss(proc, loss, n);
	return 0;
}

static long copy_next(__u32 i, struct copy *c)
{
	copy_chunk(c, i);
	return 0;
}

/* Copies what c says. */
static __always_inline void copy_all(struct copy *c)
{
	if (c->len <= CHUNK_MAX)
		copy_chunk(c, 0);
	else
		bpf_loop((c->len + CHUNK_MAX - 1) / CHUNK_MAX, copy_next, c, 0);
}

static __always_inline bool muted(const struct ev_conn *c, __u64 id, __u32 slot)
{
	__u64 *word = bpf_map_lookup_elem(&slots, &slot);
	__u64 w;

	if (!word)
		return false;
	w = *word;
	if (w >> 32 != (__u32)id)
		return false;
	return (__u8)w == EV_MUTE || ((__u8)w == EV_MUTE_TURN && (__u8)(w >> 8) == (__u8)c->turn);
}

/* n bytes passed on connection id. Fills in the header of their first. false: the connection is
 * gone. */
static __always_inline bool conn_advance(struct ev_conn *c, __u64 id, __u8 dir, __u64 n,
					 struct ev_hdr *ret)
{
	__u32 slot = c->slot, tgid = c->tgid;
	__u64 pos;

	if (c->dir != dir) {
		c->dir = dir;
		c->turn++;
	}
	pos = __sync_fetch_and_add(&c->pos[dir & 1], n);
	if (!id || c->id != id) {
		/* Freed by another thread under our feet, and the slot may be somebody else's by
		 * now. */
		__sync_fetch_and_add(&c->pos[dir & 1], -n);
		return false;
	}
	*ret = (struct ev_hdr){
		.kind = EV_DATA,
		.flags = (dir == EV_WRITE ? EV_F_WRITE : 0) |
			 (c->flags & EV_CONN_CANARY ? EV_F_CANARY : 0) | (__u8)c->turn << 8,
		.ts_ns = bpf_ktime_get_ns(),
		.conn = id,
		.pos = pos,
		.slot = slot,
		.tgid = tgid,
	};
	return true;
}

static __always_inline struct ev_proc_stats *proc_passed(const struct ev_proc *key, __u64 n)
{
	struct ev_proc_stats *proc = bpf_map_lookup_elem(&procs, key);

	if (!proc || !proc->canary) {
		COUNT(calls, 1);
		COUNT(bytes, n);
	}
	if (proc) {
		__sync_fetch_and_add(&proc->calls, 1);
		__sync_fetch_and_add(&proc->bytes, n);
	}
	return proc;
}
