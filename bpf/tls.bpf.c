// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/tls.bpf.c - copies the plaintext of SSL calls, at their return, into the data ring.
 * One set of programs for all probe sites: the attach cookie (enum ev_site) says what arguments and
 * result mean.
 */
#include "bpf/compat.bpf.h"
#include "bpf/copy.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SHED_NS 1000000000ULL /* for so long a process over its calls is not followed */
/* RFC 8446 section 5.1 */
#define RECORD_CHANGE_CIPHER 20
#define RECORD_HANDSHAKE     22
#define UNSENT_NS                                                                                  \
	1000000000ULL /* output that was not sent by then never will be, or was not seen */

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

/* A process with more calls than it may have is left alone for a while: at the entry, which spares
 * it the return. Each of its threads notices for itself. */
static __always_inline bool shed(struct thread *t)
{
	if (!t->shed_until_ns)
		return false;
	if (bpf_ktime_get_ns() < t->shed_until_ns)
		return true;
	t->shed_until_ns = 0;
	return false;
}

/* n bytes passed. true: the connection's socket is known. */
static __always_inline bool passed(struct thread *t, struct call *call, __u8 dir, __u64 n)
{
	struct conn_key key = { .ssl = call->ssl };
	struct copy copy = { .buf = call->buf };
	struct ev_proc_stats *proc;
	struct ev_conn *c;
	__u64 id, word;
	__u8 number;
	bool again;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = bpf_map_lookup_elem(&conns, &call->conn.slot);
	if (!c || !call->conn.id || c->id != call->conn.id)
		c = conn_find(&key);
	if (!c) {
		around(t, call);
		c = conn_open(&key, &call->sock, SEEN(call->weight, call->dirs), dir, n);
	} else if (vote(&c->sock, &c->votes, &c->changes, &call->sock, call->weight)) {
		conn_event(EV_SOCK, c, c->id);
	}
	if (!c)
		return true;
	id = c->id;
	/* A request before the last one had any answer: the client does not wait for them. */
	again = c->dir == dir && !c->skipped;
	if (!conn_advance(c, id, dir, n, &copy.hdr))
		return true;
	c->direct = call->weight == WEIGHT_NESTED || (c->direct && !call->weight);
	word = policy_of(id, copy.hdr.slot);
	number = watches(word, dir);
	proc = proc_passed(&key.proc, n);
	if (call->site == EV_SITE_SENDFILE) {
		proc_loss(proc, EV_LOSS_SENDFILE, n);
		copy.lost = n;
	} else if (muted(c, word, dir)) {
		proc_loss(proc, EV_LOSS_MUTED, n);
		copy.lost = n;
	} else {
		copy.proc = key.proc;
		copy.len = n < max_call_bytes ? n : max_call_bytes;
		copy.skipped = c->skipped << EV_SKIPPED_AT;
		copy.look = number;
		copy.hdr.flags |= number << EV_WATCHED_AT;
		copy_all(&copy);
		c->skipped = copy.skipped >> EV_SKIPPED_AT;
		if (number) {
			c->lifted = !copy.plain || again || (c->watched == number && c->lifted);
			c->watched = number;
		}
		if (n > copy.len) {
			proc_loss(proc, EV_LOSS_CALL, n - copy.len);
			copy.lost += n - copy.len;
		}
	}
	if (copy.lost)
		__sync_fetch_and_add(&c->lost[dir & 1], copy.lost);
	if (!may_call(proc, copy.hdr.ts_ns))
		t->shed_until_ns = copy.hdr.ts_ns + SHED_NS;
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
static __always_inline void missed(__u64 ssl, enum ev_loss why)
{
	struct ev_proc proc;

	proc_of(bpf_get_current_task_btf(), &proc);
	proc_loss(bpf_map_lookup_elem(&procs, &proc), why, 0);
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
			missed(call->ssl, EV_LOSS_NESTED);
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

/* May this call be passed over? Not while the socket is not known: what the call does to it would
 * be taken for somebody else's. */
static __noinline bool passed_over(struct thread *t, __u64 ssl, __u32 site, struct conn_ref *ret)
{
	__u8 dir = writes(site) ? EV_WRITE : EV_READ;
	struct conn_key key = { .ssl = ssl };
	struct ev_conn *c;
	__u64 id;

	proc_of(bpf_get_current_task_btf(), &key.proc);
	c = conn_find(&key);
	if (!c)
		return false;
	id = c->id;
	ret->id = id;
	ret->slot = c->slot;
	if (!c->votes || !muted(c, policy_of(id, c->slot), dir))
		return false;
	c->skipped |= 1 << dir;
	COUNT(lost_events[EV_LOSS_MUTED], 1);
	/* As if it were followed, for whoever comes next on this thread. */
	if (!t->toucher)
		t->toucher = ssl;
	if (dir == EV_READ)
		t->received.family = 0;
	else if (!c->direct)
		unsent(t, ssl, true);
	t->passed_over = c->slot + 1;
	return true;
}

/* false: the call cannot be followed. */
static __always_inline bool enter(struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx), ssl = PT_REGS_PARM1(ctx);
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	struct conn_ref conn = {};
	struct call *call;
	struct thread *t;
	__u32 site;

	t = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL,
				 BPF_LOCAL_STORAGE_GET_F_CREATE);
	site = bpf_get_attach_cookie(ctx);
	if (call_ns && t && site != EV_SITE_HANDSHAKE && shed(t)) {
		missed(ssl, EV_LOSS_BUDGET);
		return false;
	}
	if (t && site != EV_SITE_HANDSHAKE && passed_over(t, ssl, site, &conn)) {
		/* What another call left behind at this place is not the one that returns here. */
		call = call_at(t, sp);
		if (call)
			call->sp = 0;
		return false;
	}
	call = t ? call_room(t, sp) : NULL;
	if (!call) {
		missed(ssl, EV_LOSS_NESTED);
		return false;
	}
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
		.conn = conn,
	};
	touch(t, call);
	t->passed_over = 0;
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
	struct call *call;
	bool known = false;
	__u64 n;

	if (!t)
		return;
	call = call_at(t, ENTRY_SP(ctx));
	if (!call || !call->sp)
		return;
	call->sp = 0; /* free, but nobody else's before this thread enters the next */
	n = passes(ctx, call);
	if (n)
		known = passed(t, call, writes(call->site) ? EV_WRITE : EV_READ, n);
	else if (call->weight || call->site == EV_SITE_HANDSHAKE)
		sighted(call->ssl, &call->sock, call->weight, call->dirs);
	if (call->weight != WEIGHT_NESTED &&
	    (call->site == EV_SITE_HANDSHAKE || (n && writes(call->site))))
		unsent(t, call->ssl, known);
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
