/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/conn.bpf.h - the life of a connection: found by process and SSL*, opened at its first bytes,
 * ended once. A struct ev_conn never goes away, but its slot may be given to another connection:
 * whoever changes one checks the id.
 */
#pragma once

#include "bpf/share.bpf.h"

__u64 last_conn __weak; /* the latest connection id given out */
/* Of one process, so that none can take the whole table (set). */
const volatile __u32 max_conns_proc __weak = 1;

static __always_inline void proc_of(struct task_struct *task, struct ev_proc *ret)
{
	ret->start_ns = task->group_leader->start_boottime;
	ret->tgid = task->tgid;
	ret->exec = task->self_exec_id;
}

/* Not inlined, like what else needs room of its own: the stack is 512 bytes. */
static __noinline void conn_event(__u16 kind, const struct ev_conn *c, __u64 id)
{
	struct ev_proc key = { c->start_ns, c->tgid, c->exec };
	__u64 fill = bpf_ringbuf_query(&control_ring, BPF_RB_AVAIL_DATA);
	struct ev_proc_stats *proc = NULL;
	struct ev_ctl *e = NULL;

	if (fill >= control_ring_bytes / 2)
		proc = bpf_map_lookup_elem(&procs, &key);
	if (fill < control_ring_bytes / 2 || may_put(EV_RING_CONTROL, fill, proc, sizeof(*e)))
		e = bpf_ringbuf_reserve(&control_ring, sizeof(*e), 0);
	if (!e) {
		proc_loss(proc, EV_LOSS_CONTROL, 0);
		return;
	}
	e->hdr = (struct ev_hdr){
		.kind = kind,
		.len = sizeof(e->conn),
		.ts_ns = bpf_ktime_get_ns(),
		.conn = id,
		.slot = c->slot,
		.tgid = c->tgid,
	};
	e->conn = *c;
	e->conn.id = id;
	bpf_ringbuf_submit(e, wake_flags(fill, control_ring_bytes));
}

static __always_inline struct ev_conn *conn_find(const struct conn_key *key)
{
	struct conn_ref *ref = bpf_map_lookup_elem(&refs, key);
	struct ev_conn *c;

	if (!ref)
		return NULL;
	c = bpf_map_lookup_elem(&conns, &ref->slot);
	return c && c->id == ref->id ? c : NULL;
}

static __always_inline struct ev_proc_stats *proc_get(const struct ev_proc *key)
{
	static const struct ev_proc_stats fresh; /* not on the stack, see conn_open() */
	struct ev_proc_stats *state = bpf_map_lookup_elem(&procs, key);

	if (state)
		return state;
	bpf_map_update_elem(&procs, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&procs, key);
}

static __always_inline void proc_put(struct ev_proc_stats *state)
{
	__sync_fetch_and_add(&state->conns, -1);
}

#define VOTES_MAX   (8 * WEIGHT_NESTED) /* what contrary evidence a socket withstands at most */
#define CHANGES_MAX 3			/* evidence that wavers so often is worth nothing */

static __always_inline bool same_sock(const struct ev_sock *a, const struct ev_sock *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4];
}

/* The first sighting counts at once, for it is nearly always right; later ones outvote it when it
 * was not (a callback that used another socket). What was sent never contradicts: it is the weakest
 * kind. A socket that changes again and again, on no better evidence than receives before a call (a
 * thread receives for others), is unknown. true: it became another one, or unknown.
 */
static __always_inline bool vote(struct ev_sock *sock, __u8 *votes, __u8 *changes,
				 const struct ev_sock *seen, __u8 weight)
{
	if (!weight)
		return false;
	if (same_sock(sock, seen)) {
		if (*votes <= VOTES_MAX - weight)
			*votes += weight;
		return false;
	}
	if (weight < WEIGHT_NESTED && *changes >= CHANGES_MAX)
		return false;
	if (*votes && weight == WEIGHT_SENT)
		return false;
	if (*votes > weight) {
		*votes -= weight;
		return false;
	}
	if (*votes && weight < WEIGHT_NESTED && ++*changes == CHANGES_MAX) {
		__builtin_memset(sock, 0, sizeof(*sock));
		*votes = 0;
		return true;
	}
	*sock = *seen;
	*votes = weight;
	return true;
}

/* A sighting of the socket of an SSL of the current process, outside reads and writes that succeed.
 * Before a connection's first bytes it is kept until these come. */
static __always_inline void sighted(__u64 ssl, const struct ev_sock *seen, __u8 weight, __u8 dirs)
{
	struct conn_key key = { .ssl = ssl };
	struct early *e, fresh = { .dirs = dirs };
	struct ev_conn *c;
	__u64 id;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = conn_find(&key);
	if (c) {
		id = c->id;
		if (vote(&c->sock, &c->votes, &c->changes, seen, weight))
			conn_event(EV_SOCK, c, id);
		return;
	}
	e = bpf_map_lookup_elem(&handshakes, &key);
	if (e) {
		e->dirs |= dirs;
		vote(&e->sock, &e->votes, &e->changes, seen, weight);
		return;
	}
	vote(&fresh.sock, &fresh.votes, &fresh.changes, seen, weight);
	bpf_map_update_elem(&handshakes, &key, &fresh, BPF_ANY);
}

/* What a call was seen to do, in one register: a whole struct call is too much for some stacks. */
#define SEEN(weight, dirs) ((__u32)(weight) | (__u32)(dirs) << 8)

/* A connection of the current task, at the end of its first call that passed bytes: n of them.
 * NULL: excluded, or no room (they are counted as lost). */
__attribute__((unused)) static __noinline struct ev_conn *
conn_open(const struct conn_key *key, const struct ev_sock *sock, __u32 seen, __u8 dir, __u64 n)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *leader = task->group_leader;
	struct conn_ref ref = {};
	struct ev_proc_stats *state;
	__u8 dirs = seen >> 8;
	struct early *early;
	struct ev_conn *c;
	__u32 *role;

	role = bpf_map_lookup_elem(&own, &key->proc.tgid);
	if (role && *role != EV_OWN_CANARY)
		return NULL;
	state = proc_get(&key->proc);
	if (!state)
		goto full;
	state->canary = !!role;
	if (__sync_fetch_and_add(&state->conns, 1) >= max_conns_proc ||
	    bpf_map_pop_elem(&free_slots, &ref.slot)) {
		proc_put(state);
		goto full;
	}
	c = bpf_map_lookup_elem(&conns, &ref.slot);
	if (!c)
		goto full;
	/* In place: what is put together on the stack is too much of it for kernels that add up the
	 * frames of the calls. */
	__builtin_memset(c, 0, sizeof(*c));
	c->ssl = key->ssl;
	c->start_ns = key->proc.start_ns;
	c->tgid = key->proc.tgid;
	c->exec = key->proc.exec;
	c->ppid = task->real_parent->tgid;
	c->cgroup = bpf_get_current_cgroup_id();
	c->uid = bpf_get_current_uid_gid();
	c->slot = ref.slot;
	c->dir = dir;
	early = bpf_map_lookup_elem(&handshakes, key);
	if (early) {
		c->sock = early->sock;
		c->votes = early->votes;
		c->changes = early->changes;
		dirs |= early->dirs;
		bpf_map_delete_elem(&handshakes, key);
	}
	vote(&c->sock, &c->votes, &c->changes, sock, (__u8)seen);
	c->flags = (dirs == DIRS_BOTH ? 0 : EV_CONN_MIDWAY) |
		   (key->ssl & EV_PLAIN_SSL(0) ? EV_CONN_PLAIN : 0) |
		   (state->canary ? EV_CONN_CANARY : 0);
	bpf_probe_read_kernel_str(c->comm, sizeof(c->comm), leader->comm);
	ref.id = __sync_fetch_and_add(&last_conn, 1) + 1;
	__sync_lock_test_and_set(&c->id, ref.id); /* a barrier: the rest is visible before */
	if (bpf_map_update_elem(&refs, key, &ref, BPF_NOEXIST)) {
		/* Another thread of the process was faster. */
		__sync_lock_test_and_set(&c->id, 0);
		bpf_map_push_elem(&free_slots, &ref.slot, 0);
		proc_put(state);
		c = conn_find(key);
		if (!c)
			goto full;
		return c;
	}
	if (!state->canary)
		COUNT(opened, 1);
	conn_event(EV_OPEN, c, ref.id);
	return c;
full:
	proc_loss(state, EV_LOSS_CONNS, n);
	return NULL;
}

/* Ends connection id of c, unless somebody else has. */
static __always_inline void conn_end(struct ev_conn *c, __u64 id)
{
	struct conn_key key = { .proc = { c->start_ns, c->tgid, c->exec }, .ssl = c->ssl };
	bool canary = c->flags & EV_CONN_CANARY;
	__u32 slot = c->slot;
	struct ev_proc_stats *state;
	struct conn_ref *ref;

	if (!id || __sync_val_compare_and_swap(&c->id, id, 0) != id)
		return;
	ref = bpf_map_lookup_elem(&refs, &key);
	if (ref && ref->id == id)
		bpf_map_delete_elem(&refs, &key);
	state = bpf_map_lookup_elem(&procs, &key.proc);
	if (state)
		proc_put(state);
	if (!canary)
		COUNT(closed, 1);
	conn_event(EV_CLOSE, c, id);
	bpf_map_push_elem(&free_slots, &slot, 0);
}

/* Ends what the current process has at this SSL*, if anything. */
static __always_inline void conn_end_ssl(__u64 ssl)
{
	struct conn_key key = { .ssl = ssl };
	struct ev_conn *c;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = conn_find(&key);
	if (c)
		conn_end(c, c->id);
	else
		bpf_map_delete_elem(&handshakes, &key);
}
