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
/* RFC 8446 section 5.1 */
#define RECORD_CHANGE_CIPHER 20
#define RECORD_HANDSHAKE     22
#define UNSENT_NS                                                                                  \
	1000000000ULL /* output that was not sent by then never will be, or was not seen */

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

/* ssl has output in a memory BIO, which the thread will send. */
static __always_inline void unsent(struct thread *t, __u64 ssl, bool known)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - t->written_ns > UNSENT_NS)
		t->n_unsent = 0;
	t->written_ns = now;
	if (t->n_unsent && t->last == ssl)
		return;
	t->writer = t->n_unsent || known ? 0 : ssl;
	t->last = ssl;
	t->n_unsent++;
}

/* A callback of a call that is still in flight writes the first bytes: what that call was seen to
 * use counts for this one. */
static __always_inline void around(const struct thread *t, struct call *call)
{
	for (int i = 0; i < CALLS_MAX && !call->weight; i++) {
		const struct call *other = &t->call[i];

		if (!other->sp || other->ssl != call->ssl)
			continue;
		call->sock = other->sock;
		call->weight = other->weight;
		call->dirs |= other->dirs;
	}
}

/* n bytes passed. true: the connection's socket is known. */
static __always_inline bool passed(const struct thread *t, struct call *call, __u8 dir, __u64 n)
{
	struct conn_key key = { .ssl = call->ssl };
	struct copy copy = { .buf = call->buf };
	struct ev_proc_stats *proc;
	struct ev_conn *c;
	__u64 id, pos;
	__u32 slot;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = conn_find(&key);
	if (!c) {
		around(t, call);
		c = conn_open(&key, call, dir, n);
	} else if (vote(&c->sock, &c->votes, &c->changes, &call->sock, call->weight)) {
		conn_event(EV_SOCK, c, c->id);
	}
	if (!c)
		return true;
	id = c->id;
	slot = c->slot;
	if (c->dir != dir) {
		c->dir = dir;
		c->turn++;
	}
	pos = __sync_fetch_and_add(&c->pos[dir & 1], n);
	if (!id || c->id != id) {
		/* Freed by another thread under our feet, and the slot may be somebody else's by
		 * now. */
		__sync_fetch_and_add(&c->pos[dir & 1], -n);
		return true;
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
	return c->votes;
}

static __always_inline struct call *call_at(struct thread *t, __u64 sp)
{
	for (int i = 0; i < CALLS_MAX; i++)
		if (t->call[i].sp == sp)
			return &t->call[i];
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
static __always_inline struct call *call_room(struct thread *t, __u64 sp)
{
	struct call *call = call_at(t, sp);

	if (!call)
		call = call_at(t, 0);
	for (int i = 0; i < CALLS_MAX && !call; i++) {
		if (t->call[i].sp < sp) {
			call = &t->call[i];
			missed(call->ssl);
		}
	}
	return call;
}

static __always_inline bool writes(__u32 site)
{
	return site == EV_SITE_WRITE || site == EV_SITE_WRITE_EX || site == EV_SITE_WRITE_EX2 ||
	       site == EV_SITE_SENDFILE;
}

/* What the thread received is for the first SSL that it calls since. Who writes first does not read
 * what came, so that is no evidence. */
static __always_inline void touch(struct thread *t, struct call *call)
{
	if (!t->received.family)
		return;
	if (!t->toucher)
		t->toucher = call->ssl;
	if (writes(call->site))
		return;
	if (t->toucher == call->ssl) {
		call->sock = t->received;
		call->weight = WEIGHT_RECEIVED;
		if (t->record == RECORD_HANDSHAKE || t->record == RECORD_CHANGE_CIPHER)
			call->dirs = DIRS_BOTH;
	}
	t->received.family = 0;
}

/* false: the call cannot be followed. */
static __always_inline bool enter(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), ssl = PT_REGS_PARM1(ctx);
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	struct call *call;
	struct thread *t;
	__u32 site;

	t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	call = t ? call_room(t, sp) : NULL;
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
		.dirs = site == EV_SITE_HANDSHAKE ? DIRS_BOTH : 0,
	};
	touch(t, call);
	return true;
}

/* How many bytes the call passed; 0 also when it failed: "try again" for a write that is repeated
 * with the same bytes, too. */
static __always_inline __u64 passes(struct pt_regs *ctx, const struct call *call)
{
	__u64 n, num = call->num;
	int rc = PT_REGS_RC(ctx);

	if (call->site == EV_SITE_HANDSHAKE)
		return 0;
	if (call->site == EV_SITE_SENDFILE)
		return (__s64)PT_REGS_RC(ctx) > 0 ? PT_REGS_RC(ctx) : 0;
	if (rc <= 0)
		return 0;
	n = rc;
	if (call->site == EV_SITE_READ || call->site == EV_SITE_WRITE)
		num = (__u32)num;
	else if (bpf_probe_read_user(&n, sizeof(n), (const void *)call->done))
		n = 0;
	/* A process can lie about its own calls only. */
	return n > num ? 0 : n;
}

static __always_inline void leave(struct pt_regs *ctx)
{
	struct thread *t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	struct call *found, call;
	bool known = false;
	__u64 n;

	if (!t)
		return;
	found = call_at(t, ENTRY_SP(ctx));
	if (!found || !found->sp)
		return;
	call = *found;
	found->sp = 0;
	n = passes(ctx, &call);
	if (n)
		known = passed(t, &call, writes(call.site) ? EV_WRITE : EV_READ, n);
	else if (call.weight || call.site == EV_SITE_HANDSHAKE)
		sighted(call.ssl, &call.sock, call.weight, call.dirs);
	if (call.weight != WEIGHT_NESTED &&
	    (call.site == EV_SITE_HANDSHAKE || (n && writes(call.site))))
		unsent(t, call.ssl, known);
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
	struct thread *t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	__u64 ssl = PT_REGS_PARM1(ctx);

	/* The next SSL at this address is another one. */
	if (t && t->toucher == ssl)
		t->received.family = 0;
	if (t && t->writer == ssl)
		t->writer = 0;
	conn_end_ssl(ssl);
	return 0;
}
