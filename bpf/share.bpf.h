/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/share.bpf.h - who may put how much into a ring when room is scarce, and how many calls of a
 * process are followed.
 *
 * The first half of a ring is for whoever comes. Of the second half each process has a share: a
 * number of bytes per second, and a burst. So who floods fills the first half, and sheds there
 * before anybody else loses a byte; and while a ring is not half full nobody is asked anything.
 * Many processes of one cgroup together get no further than three quarters, beyond which the cgroup
 * has a share, too.
 */
#pragma once

#include "bpf/maps.bpf.h"

/* Set before the load. A share as the time after which a process may put another KiB. */
const volatile __u64 share_kib_ns __weak = 1;
const volatile __u64 share_burst_ns __weak = 1;
const volatile __u64 data_ring_bytes __weak = 1;
const volatile __u64 control_ring_bytes __weak = 1;
const volatile __u64 call_ns __weak = 0; /* between the calls of one process; 0: no limit */

#define CGROUP_SHARES 4 /* a cgroup has as much as so many processes */
/* Of the control ring's second half: events per second and burst of one process. */
#define CONTROL_NS	 1000000ULL
#define CONTROL_BURST_NS (128 * CONTROL_NS)
#define CALL_BURST_NS	 1000000000ULL

struct cgroup_share {
	__u64 data_ns, control_ns; /* as in struct ev_proc_stats */
};

/* The least recently used makes way: it comes back with a whole burst. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct cgroup_share);
} cgroups __weak SEC(".maps");

/* A token bucket in one word: when all that was taken so far will have been paid for. Who shares
 * it may overdraw it by what each takes once. false: nothing was taken. */
static __always_inline bool take(__u64 *paid_ns, __u64 now, __u64 cost_ns, __u64 burst_ns)
{
	__u64 paid = *paid_ns;

	if (paid < now) {
		__sync_val_compare_and_swap(paid_ns, paid, now);
		paid = now;
	}
	if (paid - now > burst_ns)
		return false;
	__sync_fetch_and_add(paid_ns, cost_ns);
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

/* In the second half of the data ring, which holds fill bytes, is room for n more of this process.
 */
static __always_inline bool may_put_data(struct ev_proc_stats *proc, __u64 fill, __u64 n)
{
	__u64 now = bpf_ktime_get_ns(), cost = (n * share_kib_ns) >> 10;
	struct cgroup_share *cgroup;

	if (!proc || !take(&proc->data_ns, now, cost, share_burst_ns))
		return false;
	cgroup = cgroup_get();
	if (!cgroup)
		return false;
	return take(&cgroup->data_ns, now, cost / CGROUP_SHARES, share_burst_ns) ||
	       fill < data_ring_bytes / 4 * 3;
}

/* The same for an event in the control ring. */
static __always_inline bool may_put_event(struct ev_proc_stats *proc, __u64 fill)
{
	__u64 now = bpf_ktime_get_ns();
	struct cgroup_share *cgroup;

	if (!proc || !take(&proc->control_ns, now, CONTROL_NS, CONTROL_BURST_NS))
		return false;
	cgroup = cgroup_get();
	if (!cgroup)
		return false;
	return take(&cgroup->control_ns, now, CONTROL_NS / CGROUP_SHARES, CONTROL_BURST_NS) ||
	       fill < control_ring_bytes / 4 * 3;
}

/* One more call of a process. */
static __always_inline bool may_call(struct ev_proc_stats *proc, __u64 now)
{
	return !call_ns || !proc || take(&proc->call_ns, now, call_ns, CALL_BURST_NS);
}
