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
	__u64 lost;   /* out: bytes not copied, which were counted */
	__u8 skipped; /* for the first record: EV_SKIPPED() in its place; out: 0 when there was one
		       */
	bool look;    /* is it a plain request? */
	bool plain;   /* out */
};

/* A request that cannot be the beginning of anything but its own answer: see EV_MUTE_ANSWERS. */
#define PLAIN_MAX 1024

static __always_inline bool plain_request(const __u8 *p, __u64 n, const __u64 room)
{
	const __u32 *head = (const __u32 *)p;
	__u32 line = 0; /* the latest four bytes, in lower case */

	if (n < 16 || n > room ||
	    (*head != bpf_htonl(0x47455420) && *head != bpf_htonl(0x48454144)))
		return false; /* "GET ", "HEAD" */
	for (__u32 i = 0; i < room; i++) {
		if (i >= n)
			break;
		line = line << 8 | p[i];
		/* An empty line ends the head: nothing may follow it. */
		if (line == 0x0d0a0d0a || (__u16)line == 0x0a0a)
			return i + 1 == n;
		/* \nUpg(rade) */
		if ((line | 0x202020) == 0x0a757067)
			return false;
	}
	return false;
}

static __always_inline enum ev_loss put(struct copy *c, const struct ev_hdr *hdr, const void *src,
					__u64 n, __u64 fill, const __u64 room)
{
	struct ev_hdr *r = bpf_ringbuf_reserve(&data_ring, sizeof(*r) + room, 0);

	if (!r)
		return EV_LOSS_RING;
	*r = *hdr;
	if (bpf_probe_read_user(r + 1, clamp_len(n, room), src)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return EV_LOSS_FAULT;
	}
	if (room <= PLAIN_MAX && c->look)
		c->plain = plain_request((const __u8 *)(r + 1), n, room);
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
	hdr.flags |= c->skipped;
	who = c->proc;
	fill = bpf_ringbuf_query(&data_ring, BPF_RB_AVAIL_DATA);
	if (fill >= data_ring_bytes / 2)
		proc = bpf_map_lookup_elem(&procs, &who);
	if (fill >= data_ring_bytes / 2 && !may_put(EV_RING_DATA, fill, proc, n))
		loss = EV_LOSS_BUDGET;
	else if (n <= 256)
		loss = put(c, &hdr, src, n, fill, 256);
	else if (n <= 1024)
		loss = put(c, &hdr, src, n, fill, 1024);
	else if (n <= 4096)
		loss = put(c, &hdr, src, n, fill, 4096);
	else
		loss = put(c, &hdr, src, n, fill, CHUNK_MAX);
	if (loss == EV_LOSS_MAX_) {
		if (!(hdr.flags & EV_F_CANARY))
			COUNT(records, 1);
		c->skipped = 0;
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

/* What the inspector wants of connection id; EV_WATCH when it said nothing, or too long ago. */
static __always_inline __u64 policy_of(__u64 id, __u32 slot)
{
	__u64 *word = bpf_map_lookup_elem(&slots, &slot);
	__u64 w = word ? *word : 0;

	if (w >> 32 != (__u32)id || EV_SLOT_AGE(w, bpf_ktime_get_ns()) >= EV_MUTE_S)
		return EV_WATCH;
	return w;
}

/* Are bytes in this direction of no interest? */
static __always_inline bool muted(const struct ev_conn *c, __u64 word, __u8 dir)
{
	__u8 about = EV_SLOT_ABOUT(word);

	switch (EV_SLOT_POLICY(word)) {
	case EV_MUTE:
		return true;
	case EV_MUTE_TURN:
		return c->dir == dir && about == (__u8)c->turn;
	case EV_MUTE_DIR:
		return about == dir;
	case EV_MUTE_ANSWERS:
		return about == EV_ABOUT_ANSWERS(dir, c->watched) && !c->lifted;
	}
	return false;
}

/* The number of a word for which bytes in this direction are requests to be looked at; 0: none is.
 */
static __always_inline __u8 watches(__u64 word, __u8 dir)
{
	__u8 about = EV_SLOT_ABOUT(word), policy = EV_SLOT_POLICY(word);

	if (policy != EV_MUTE_ANSWERS && policy != EV_WATCH_ANSWERS)
		return 0;
	return (about & 1) == dir ? 0 : about >> 1;
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
