// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/tls.bpf.c - copies the plaintext of SSL calls, at their return, into the data ring.
 * One set of programs for all probe sites: the attach cookie (enum ev_site) says what arguments and
 * result mean. Data goes straight into the reserved record: a scratch buffer per CPU would mix
 * threads, for uprobe programs can be preempted.
 */
#include "bpf/compat.bpf.h"
#include "bpf/conn.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CHUNK_MAX 16384ULL /* the largest record's payload: what a TLS record holds */
#define VOTES_MAX 8	   /* how many contrary sightings a connection's socket withstands */

const volatile __u64 max_call_bytes = 16 << 20;

/* 64-bit and pinned to one register: the verifier keeps the bound. */
static __always_inline __u64 clamp_len(__u64 n, __u64 max)
{
	barrier_var(n);
	return n < max ? n : max;
}

/* What is to be copied of one call: chunk i is at i * CHUNK_MAX. */
struct copy {
	struct ev_hdr hdr; /* of the first byte */
	__u64 buf, len;
	/* out: what could not be copied, and why last */
	__u64 lost, lost_chunks;
	enum ev_loss why;
};

static __always_inline enum ev_loss put(const struct ev_hdr *hdr, const void *src, __u64 n,
					const __u64 room)
{
	struct ev_hdr *r = bpf_ringbuf_reserve(&data_ring, sizeof(*r) + room, 0);

	if (!r)
		return EV_LOSS_RING;
	*r = *hdr;
	if (bpf_probe_read_user(r + 1, clamp_len(n, room), src)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return EV_LOSS_FAULT;
	}
	bpf_ringbuf_submit(r, wake_flags(&data_ring));
	return EV_LOSS_MAX_;
}

/* Global, so that the verifier walks it once and not once per iteration. */
__noinline int copy_chunk(struct copy *c, __u32 i)
{
	__u64 off = i * CHUNK_MAX, n;
	struct ev_hdr hdr;
	enum ev_loss loss;
	const void *src;

	if (!c || off >= c->len)
		return 1;
	n = clamp_len(c->len - off, CHUNK_MAX);
	src = (const void *)(c->buf + off);
	hdr = c->hdr;
	hdr.pos += off;
	hdr.len = n;
	if (n <= 256)
		loss = put(&hdr, src, n, 256);
	else if (n <= 1024)
		loss = put(&hdr, src, n, 1024);
	else if (n <= 4096)
		loss = put(&hdr, src, n, 4096);
	else
		loss = put(&hdr, src, n, CHUNK_MAX);
	if (loss == EV_LOSS_MAX_) {
		COUNT(records, 1);
	} else {
		c->lost += n;
		c->lost_chunks++;
		c->why = loss;
		count_loss(loss, n);
	}
	return 0;
}

static long copy_next(__u32 i, struct copy *c)
{
	copy_chunk(c, i);
	return 0;
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

static __always_inline bool same_sock(const struct ev_sock *a, const struct ev_sock *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4];
}

/* The first sighting counts at once, for it is nearly always right; later ones outvote it when it
 * was not (a callback that used another socket). true: the connection's socket changed.
 */
static __always_inline bool vote(struct ev_conn *c, const struct ev_sock *sock)
{
	if (!sock->family)
		return false;
	if (same_sock(&c->sock, sock)) {
		if (c->votes < VOTES_MAX)
			c->votes++;
		return false;
	}
	if (c->votes > 1) {
		c->votes--;
		return false;
	}
	c->sock = *sock;
	c->votes = 1;
	return true;
}

/* n bytes passed. */
static __always_inline void passed(const struct call *call, __u8 dir, __u64 n)
{
	struct conn_key key = { .ssl = call->ssl };
	struct copy copy = { .buf = call->buf };
	struct ev_proc_stats *proc;
	struct ev_conn *c;
	__u64 id, pos;
	__u32 slot;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = conn_find(&key);
	if (!c)
		c = conn_open(&key, &call->sock, dir, n);
	if (!c)
		return;
	id = c->id;
	slot = c->slot;
	if (vote(c, &call->sock))
		conn_event(EV_SOCK, c, id);
	if (c->dir != dir) {
		c->dir = dir;
		c->turn++;
	}
	pos = __sync_fetch_and_add(&c->pos[dir & 1], n);
	if (!id || c->id != id) {
		/* Freed by another thread under our feet, and the slot may be somebody else's by
		 * now. */
		__sync_fetch_and_add(&c->pos[dir & 1], -n);
		return;
	}
	COUNT(calls, 1);
	COUNT(bytes, n);
	proc = bpf_map_lookup_elem(&procs, &key.proc);
	if (proc) {
		__sync_fetch_and_add(&proc->calls, 1);
		__sync_fetch_and_add(&proc->bytes, n);
	}
	if (call->site == EV_SITE_SENDFILE) {
		proc_loss(proc, EV_LOSS_SENDFILE, n);
		copy.lost = n;
	} else if (muted(c, id, slot)) {
		proc_loss(proc, EV_LOSS_MUTED, n);
		copy.lost = n;
	} else {
		copy.hdr = (struct ev_hdr){
			.kind = EV_DATA,
			.flags = (dir == EV_WRITE ? EV_F_WRITE : 0) | (__u8)c->turn << 8,
			.ts_ns = bpf_ktime_get_ns(),
			.conn = id,
			.pos = pos,
			.slot = slot,
			.tgid = key.proc.tgid,
		};
		copy.len = n < max_call_bytes ? n : max_call_bytes;
		if (copy.len <= CHUNK_MAX)
			copy_chunk(&copy, 0);
		else
			bpf_loop((copy.len + CHUNK_MAX - 1) / CHUNK_MAX, copy_next, &copy, 0);
		if (copy.lost)
			blame_loss(proc, copy.why, copy.lost_chunks, copy.lost);
		if (n > copy.len) {
			proc_loss(proc, EV_LOSS_CALL, n - copy.len);
			copy.lost += n - copy.len;
		}
	}
	if (copy.lost)
		__sync_fetch_and_add(&c->lost[dir & 1], copy.lost);
}

static __always_inline struct call *call_at(struct calls *cs, __u64 sp)
{
	for (int i = 0; i < CALLS_MAX; i++)
		if (cs->call[i].sp == sp)
			return &cs->call[i];
	return NULL;
}

/* A call's bytes will be missing where nobody can say: its connection ends, rather than join what
 * does not belong. */
static __always_inline void missed(__u64 ssl)
{
	count_loss(EV_LOSS_NESTED, 0);
	conn_end_ssl(ssl);
}

/* Room for a call at sp. When all is taken, one further down the stack has not returned and hardly
 * will (longjmp); those further up are live, and the first of them carries what the application
 * itself reads or writes: they stay.
 */
static __always_inline struct call *call_room(struct calls *cs, __u64 sp)
{
	struct call *call = call_at(cs, sp);

	if (!call)
		call = call_at(cs, 0);
	for (int i = 0; i < CALLS_MAX && !call; i++) {
		if (cs->call[i].sp < sp) {
			call = &cs->call[i];
			missed(call->ssl);
		}
	}
	return call;
}

/* false: the call cannot be followed. */
static __always_inline bool enter(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), ssl = PT_REGS_PARM1(ctx);
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	struct call *call;
	struct calls *cs;
	__u32 site;

	cs = bpf_task_storage_get(&in_flight, bpf_get_current_task_btf(), NULL,
				  BPF_LOCAL_STORAGE_GET_F_CREATE);
	call = cs ? call_room(cs, sp) : NULL;
	if (!call) {
		missed(ssl);
		return false;
	}
	site = bpf_get_attach_cookie(ctx);
	/* Both are read: the verifier wants constant offsets into the registers. */
	barrier_var(fourth);
	barrier_var(fifth);
	*call = (struct call){
		.sp = sp,
		.ssl = ssl,
		.buf = PT_REGS_PARM2(ctx),
		.num = PT_REGS_PARM3(ctx),
		.done = site == EV_SITE_WRITE_EX2 ? fifth : fourth,
		.site = site,
	};
	return true;
}

static __always_inline void leave(struct pt_regs *ctx)
{
	struct calls *cs = bpf_task_storage_get(&in_flight, bpf_get_current_task_btf(), NULL, 0);
	struct call *found, call;
	__u64 n;

	if (!cs)
		return;
	found = call_at(cs, ENTRY_SP(ctx));
	if (!found || !found->sp)
		return;
	call = *found;
	found->sp = 0;
	if (call.site == EV_SITE_HANDSHAKE) {
		return;
	} else if (call.site == EV_SITE_SENDFILE) {
		n = (__s64)PT_REGS_RC(ctx) > 0 ? PT_REGS_RC(ctx) : 0;
	} else {
		int rc = PT_REGS_RC(ctx);

		/* Failure, also "try again" for a write that is repeated with the same bytes. */
		if (rc <= 0)
			return;
		n = rc;
		if (call.site == EV_SITE_READ || call.site == EV_SITE_WRITE)
			call.num = (__u32)call.num;
		else if (bpf_probe_read_user(&n, sizeof(n), (const void *)call.done))
			n = 0;
		/* A process can lie about its own calls only. */
		if (n > call.num)
			n = 0;
	}
	if (!n)
		return;
	passed(&call,
	       call.site == EV_SITE_READ || call.site == EV_SITE_READ_EX ? EV_READ : EV_WRITE, n);
}

/* Literal results: 1 spares the return leg. */
SEC("uprobe.multi")
int tls_session(struct pt_regs *ctx)
{
	if (session_is_return(ctx)) {
		leave(ctx);
		return 0;
	}
	if (enter(ctx))
		return 0;
	return 1;
}

SEC("uprobe.multi")
int tls_enter(struct pt_regs *ctx)
{
	enter(ctx);
	return 0;
}

SEC("uretprobe.multi")
int tls_leave(struct pt_regs *ctx)
{
	leave(ctx);
	return 0;
}

/* SSL_free, SSL_clear */
SEC("uprobe.multi")
int tls_end(struct pt_regs *ctx)
{
	conn_end_ssl(PT_REGS_PARM1(ctx));
	return 0;
}
