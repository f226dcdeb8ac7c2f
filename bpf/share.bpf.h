/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/share.bpf.h - who may put how much into a ring when room is scarce, and how many calls of a
 * process are followed.
 *
 * The first half of a ring is for whoever comes. Of the second half each process has a share: for
 * all that the consumer takes out of the ring, it may put a part of that, and once a burst. So who
 * floods fills the first half, and sheds there before anybody else loses a byte, also when the
 * consumer stands still; and while a ring is not half full nobody is asked anything. Many processes
 * of one cgroup together get no further than three quarters, beyond which the cgroup has a share,
 * too.
 */
#pragma once

#include "bpf/maps.bpf.h"

/* Set before the load. */
const volatile __u64 share_cost __weak = 1; /* bytes consumed for each that a process puts */
const volatile __u64 data_ring_bytes __weak = 1;
const volatile __u64 control_ring_bytes __weak = 1;
const volatile __u64 call_ns __weak = 0; /* between the calls of one process; 0: no limit */

#define BURSTS_PER_RING 8 /* a burst is such a part of a ring */
#define CGROUP_SHARES	4 /* a cgroup has as much as so many processes */
#define CALL_BURST_NS	1000000000ULL

struct cgroup_share {
	__u64 paid[EV_RING_MAX_]; /* as in struct ev_proc_stats */
};

/* The least recently used makes way: it comes back with a whole burst. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct cgroup_share);
} cgroups __weak SEC(".maps");

/* A token bucket in one word: at which reading of a clock all that was taken will have been paid
 * for. Who shares it may overdraw it by what each takes once. false: nothing was taken. */
static __always_inline bool take(__u64 *paid, __u64 clock, __u64 cost, __u64 burst)
{
	__u64 then = *paid;

	if (then < clock) {
		__sync_val_compare_and_swap(paid, then, clock);
		then = clock;
	}
	if (then - clock > burst)
		return false;
	__sync_fetch_and_add(paid, cost);
	return true;
}

static __always_inline struct cgroup_share *cgroup_get(void)
{
	__u64 id = bpf_get_current_cgroup_id();
	struct cgroup_share *share = bpf_map_lookup_elem(&cgroups, &id), fresh = {};

	if (share)
		return share;
	bpf_map_update_elem(&cgroups, &id, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&cgroups, &id);
}

/* A ring that holds fill bytes, half of it or more, has room for n of this process. The clock is
 * how much was consumed. */
static __always_inline bool may_put(enum ev_ring which, __u64 fill, struct ev_proc_stats *proc,
				    __u64 n)
{
	__u64 size = which == EV_RING_DATA ? data_ring_bytes : control_ring_bytes;
	__u64 burst = size / BURSTS_PER_RING * share_cost;
	struct cgroup_share *cgroup;
	__u64 consumed;

	consumed = which == EV_RING_DATA ? bpf_ringbuf_query(&data_ring, BPF_RB_CONS_POS)
					 : bpf_ringbuf_query(&control_ring, BPF_RB_CONS_POS);
	if (!proc || !take(&proc->paid[which], consumed, n * share_cost, burst))
		return false;
	cgroup = cgroup_get();
	if (!cgroup)
		return false;
	return take(&cgroup->paid[which], consumed, n * share_cost / CGROUP_SHARES, burst) ||
	       fill < size / 4 * 3;
}

/* One more call of a process. */
static __always_inline bool may_call(struct ev_proc_stats *proc, __u64 now)
{
	return !call_ns || !proc || take(&proc->call_ns, now, call_ns, CALL_BURST_NS);
}
