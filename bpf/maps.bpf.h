/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/maps.bpf.h - the maps that the capture programs share. Weak, so that each object may include
 * them and the linker keeps one of each. Sizes marked (set) are set before the load.
 */
#pragma once

#include "bpf/event.h"
#include "bpf/kernel.bpf.h"

struct conn_key {
	struct ev_proc proc;
	__u64 ssl;
};

struct conn_ref {
	__u64 id;
	__u32 slot, pad;
};

#define CALLS_MAX 4 /* in flight on one thread: TLS inside TLS, three deep, and one to spare */

#define DIRS_BOTH (1 << EV_READ | 1 << EV_WRITE)

/* What a sighting of a socket is worth, that of one below the SSL call itself being next to
 * certain. */
enum weight { WEIGHT_SENT = 1, WEIGHT_RECEIVED = 2, WEIGHT_NESTED = 4 };

/* A call in flight. */
struct call {
	__u64 sp; /* at entry; 0: free. Tells calls of one thread apart */
	__u64 ssl, buf, num, done;
	__u32 site;
	__u8 weight; /* of sock, 0: none was seen */
	__u8 dirs;   /* bit per enum ev_dir: it sent, it received. Who does both in a call makes a
			handshake */
	__u16 pad;
	struct ev_sock sock;  /* what it was seen to use */
	struct conn_ref conn; /* its connection, if there was one at its entry; else id 0 */
};

/* What a thread is about. Outside any call: what it received last, until an SSL has had it, and
 * whose output it has not yet sent. */
struct thread {
	struct call call[CALLS_MAX];
	__u64 shed_until_ns; /* 0: its calls are followed */
	struct ev_sock received;
	__u32 record;	   /* the type of TLS record that it began with */
	__u32 n_unsent;	   /* outputs not yet sent, of different SSLs in a row counted each */
	__u64 toucher;	   /* the first SSL that the thread called since then */
	__u64 writer;	   /* the only SSL with output to send; 0: its socket is known */
	__u64 written_ns;  /* the latest output */
	__u64 last;	   /* SSL with output, known or not */
	__u64 passed_over; /* slot of the connection of the latest call, which was not followed, and
			    * 1; 0: it was */
};

/* What is known of a connection before its first bytes. */
struct early {
	struct ev_sock sock;
	__u8 votes, changes, dirs, pad[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* (set) */
} data_ring __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18); /* (set) */
} control_ring __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* (set) */
	__type(key, __u32);
	__type(value, struct ev_conn);
} conns __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* (set) */
	__type(key, __u32);
	__type(value, __u64);
} slots __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_wake);
} wake __weak SEC(".maps");

/* First in, first out: a slot rests as long as possible before it is used again. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1); /* (set) */
	__type(value, __u32);
} free_slots __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* (set) */
	__type(key, struct conn_key);
	__type(value, struct conn_ref);
} refs __weak SEC(".maps");

/* Processes that had connections, until user space has collected those. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* (set) */
	__type(key, struct ev_proc);
	__type(value, struct ev_proc_stats);
} procs __weak SEC(".maps");

/* Processes of the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);   /* tgid */
	__type(value, __u32); /* enum ev_own */
} own __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads __weak SEC(".maps");

/* The least recently used makes way: what is lost is a hint. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* (set) */
	__type(key, struct conn_key);
	__type(value, struct early);
} handshakes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ev_stats);
} stats __weak SEC(".maps");

/* Atomic although per CPU: uprobe programs can be preempted. */
#define COUNT(member, n)                                                                           \
	({                                                                                         \
		__u32 zero_ = 0;                                                                   \
		struct ev_stats *stats_ = bpf_map_lookup_elem(&stats, &zero_);                     \
		if (stats_)                                                                        \
			__sync_fetch_and_add(&stats_->member, n);                                  \
	})

static __always_inline void count_loss(enum ev_loss why, __u64 bytes)
{
	COUNT(lost_events[why], 1);
	COUNT(lost_bytes[why], bytes);
}

/* The same for the process, if it is known, whose loss it is. */
static __always_inline void proc_loss(struct ev_proc_stats *proc, enum ev_loss why, __u64 bytes)
{
	__u64 now;

	if (!proc || !proc->canary)
		count_loss(why, bytes);
	if (!proc)
		return;
	if (why == EV_LOSS_MUTED) {
		__sync_fetch_and_add(&proc->muted_bytes, bytes);
		return;
	}
	now = bpf_ktime_get_ns();
	__sync_fetch_and_add(&proc->lost_events, 1);
	__sync_fetch_and_add(&proc->lost_bytes, bytes);
	proc->lost_why = why;
	proc->lost_ns = now;
	if (why != EV_LOSS_BUDGET)
		return;
	__sync_fetch_and_add(&proc->shed_events, 1);
	__sync_fetch_and_add(&proc->shed_bytes, bytes);
	proc->shed_ns = now;
}

/* How to submit a record into a ring that held fill bytes: quietly, unless the consumer sleeps for
 * long or the ring begins its second quarter. Only a sixteenth of the ring past that wakes: one
 * wakeup can cost more than the rest of a probe, and a consumer that got it needs no other. Well
 * below the half, about which the ring stays when somebody floods (bpf/share.bpf.h). Call after the
 * reserve: it moved the producer position that a consumer checks between setting asleep and
 * sleeping.
 */
static __always_inline __u64 wake_flags(__u64 fill, __u64 ring_bytes)
{
	struct ev_wake *w;
	__u32 zero = 0;

	w = bpf_map_lookup_elem(&wake, &zero);
	if (w && w->asleep && __sync_val_compare_and_swap(&w->asleep, 1, 0) == 1)
		return BPF_RB_FORCE_WAKEUP;
	return fill - ring_bytes / 4 < ring_bytes / 16 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}
