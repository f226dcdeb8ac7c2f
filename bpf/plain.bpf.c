// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/plain.bpf.c - what passes without TLS: copies what TCP sockets of selected ports or
 * processes send and receive. Loaded only when asked for. A socket is a connection; the system call
 * that has just copied the bytes says where in user memory they are. Positions are the socket's own
 * sequence numbers, so what passes by another way (splice, sendfile, io_uring) is a gap of known
 * size. Where it hooks: bpf/socket.bpf.h.
 */
#include "bpf/copy.bpf.h"
#include "bpf/socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MSG_TRUNC    0x20 /* TCP throws away what it says that it received */
#define IOVS_MAX     1024 /* UIO_MAXIOV */
#define RCV_SHUTDOWN 1
#define SEQ_FIN	     1 /* the peer's end counts like a byte */

enum { TCP_ESTABLISHED = 1, TCP_CLOSE = 7 };

/* Bit per port, in words of 64. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536 / 64);
	__type(key, __u32);
	__type(value, __u64);
} plain_ports SEC(".maps");

const volatile bool plain_by_proc; /* (set) processes are selected, too */

/* Selected processes, by their first thread: the number of their execve() plus one, so that another
 * program is not taken for this one; 0 until they are first met. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} plain_procs SEC(".maps");

/* What is known of a socket. */
struct plain {
	__u64 id; /* of its connection; 0: none */
	__u32 slot;
	__u32 seq[EV_DIR_MAX_]; /* where it stood after the last call that was seen */
	__u8 known;		/* bit per enum ev_dir: seq is */
	__u8 whole;		/* seen from its beginning, and nothing of it missed so far */
	__u8 tls;		/* what passes is no plain text */
	__u8 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct plain);
} plain_socks SEC(".maps");

static __always_inline bool selected_port(__u16 port)
{
	__u32 i = port / 64;
	__u64 *word = bpf_map_lookup_elem(&plain_ports, &i);

	return word && *word >> port % 64 & 1;
}

static __always_inline bool is_tcp(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_MPTCP;
}

static __always_inline bool by_port(const struct sock *sk)
{
	return selected_port(sk->__sk_common.skc_num) ||
	       selected_port(bpf_ntohs(sk->__sk_common.skc_dport));
}

static __always_inline bool by_proc(struct task_struct *task)
{
	__u32 exec = task->self_exec_id + 1, *of;

	if (!plain_by_proc)
		return false;
	of = bpf_task_storage_get(&plain_procs, task->group_leader, NULL, 0);
	if (of && !*of)
		*of = exec;
	return of && *of == exec;
}

static __always_inline __u32 seq_of(const struct sock *sk, enum ev_dir dir)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;

	return dir == EV_READ ? BPF_CORE_READ(tcp, copied_seq) : BPF_CORE_READ(tcp, write_seq);
}

/* By how much the stream moved on since the last call, of which the present one says n. */
static __always_inline __u32 moved(const struct sock *sk, struct plain *p, enum ev_dir dir, __u32 n)
{
	__u32 seq, by;

	if (sk->sk_protocol != IPPROTO_TCP)
		return n;
	seq = seq_of(sk, dir);
	by = p->known & 1 << dir ? seq - p->seq[dir & 1] : n;
	p->seq[dir & 1] = seq;
	p->known |= 1 << dir;
	if (dir == EV_READ && by == n + SEQ_FIN && sk->sk_shutdown & RCV_SHUTDOWN)
		by = n;
	return by;
}

/* The ciphertext of a call that is captured by itself. */
static __always_inline bool below_tls(const struct pt_regs *regs, struct task_struct *task)
{
	struct thread *t = bpf_task_storage_get(&threads, task, NULL, 0);

	for (int i = 0; t && i < CALLS_MAX; i++)
		if (encloses(&t->call[i], regs))
			return true;
	return false;
}

static __always_inline struct ev_conn *plain_conn(struct sock *sk, struct plain *p, enum ev_dir dir,
						  __u64 n, const struct ev_proc *proc)
{
	struct ev_conn *c = p->id ? bpf_map_lookup_elem(&conns, &p->slot) : NULL;
	struct conn_key key = { .proc = *proc };
	struct ev_sock sock = {};

	if (c && c->id == p->id)
		return c;
	if (!describe(sk, &sock))
		return NULL;
	key.ssl = EV_PLAIN_SSL(bpf_get_socket_cookie(sk));
	c = conn_open(&key, &sock, SEEN(WEIGHT_NESTED, p->whole ? DIRS_BOTH : 0), dir, n);
	if (!c)
		return NULL;
	p->id = c->id;
	p->slot = c->slot;
	return c;
}

/* The pieces of a call's buffer. */
struct pieces {
	struct copy copy; /* hdr: of the next byte */
	__u64 iov;	  /* struct iovec[]; 0: one piece, at copy.buf */
	__u64 left;
};

static long piece_next(__u32 i, struct pieces *w)
{
	struct {
		__u64 base, len;
	} iov;

	if (bpf_probe_read_user(&iov, sizeof(iov), (const void *)(w->iov + i * sizeof(iov))))
		return 1;
	w->copy.buf = iov.base;
	w->copy.len = iov.len < w->left ? iov.len : w->left;
	copy_all(&w->copy);
	w->copy.hdr.pos += w->copy.len;
	w->left -= w->copy.len;
	return !w->left;
}

/* Where the system call has its bytes. false: it is none that is known. */
static __always_inline bool find_pieces(const struct pt_regs *regs, struct pieces *w)
{
	__u64 p = PT_REGS_PARM2(regs);

	switch (SYSCALL_NR(regs)) {
	case NR_READ:
	case NR_WRITE:
	case NR_RECVFROM:
	case NR_SENDTO:
		w->copy.buf = p;
		return true;
	case NR_RECVMSG:
	case NR_SENDMSG:
		return !bpf_probe_read_user(&w->iov, sizeof(w->iov), (const void *)(p + MSG_IOV)) &&
		       w->iov;
	case NR_READV:
	case NR_WRITEV:
		w->iov = p;
		return true;
	}
	return false;
}

static __always_inline void lose(struct pieces *w, struct ev_proc_stats *proc, enum ev_loss why,
				 __u64 n)
{
	if (!n)
		return;
	proc_loss(proc, why, n);
	w->copy.lost += n;
}

static __always_inline void copy_pieces(struct pieces *w, struct ev_proc_stats *proc, __u64 n)
{
	w->left = n < max_call_bytes ? n : max_call_bytes;
	lose(w, proc, EV_LOSS_CALL, n - w->left);
	if (w->iov) {
		bpf_loop(IOVS_MAX, piece_next, w, 0);
		lose(w, proc, EV_LOSS_FAULT, w->left);
	} else {
		w->copy.len = w->left;
		copy_all(&w->copy);
	}
}

static __always_inline int passed(struct sock *sk, int n, int flags, enum ev_dir dir)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pieces w = {};
	struct ev_proc_stats *proc;
	struct pt_regs *regs;
	struct ev_conn *c;
	struct plain *p;
	__u32 by;
	__u64 id;

	if (n <= 0 || flags & MSG_PEEK || !is_tcp(sk) || (!by_port(sk) && !by_proc(task)))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	p = bpf_sk_storage_get(&plain_socks, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!p) {
		count_loss(EV_LOSS_CONNS, n);
		return 0;
	}
	if (p->tls || below_tls(regs, task))
		return 0;
	/* Its first bytes tell. Later ones could be made to look so by who wants not to be seen. */
	if (!p->id && record_type(regs)) {
		p->tls = 1;
		return 0;
	}
	by = moved(sk, p, dir, n);
	proc_of(task, &w.copy.proc);
	c = plain_conn(sk, p, dir, n, &w.copy.proc);
	if (!c)
		return 0;
	id = p->id;
	/* Two threads at once on one socket: whose bytes come first is not known. */
	if (by < n) {
		n = by;
		flags = MSG_TRUNC;
	}
	if (!conn_advance(c, id, dir, by, &w.copy.hdr))
		return 0;
	proc = proc_passed(&w.copy.proc, by);
	lose(&w, proc, EV_LOSS_NO_BUFFER, by - n);
	w.copy.hdr.pos += by - n;
	if (muted(c, policy_of(id, w.copy.hdr.slot), dir))
		lose(&w, proc, EV_LOSS_MUTED, n);
	else if (flags & MSG_TRUNC || !named(task, regs, sk) || !find_pieces(regs, &w))
		lose(&w, proc, EV_LOSS_NO_BUFFER, n);
	else if (!may_call(proc, w.copy.hdr.ts_ns))
		lose(&w, proc, EV_LOSS_BUDGET, n);
	else
		copy_pieces(&w, proc, n);
	if (w.copy.lost)
		__sync_fetch_and_add(&c->lost[dir & 1], w.copy.lost);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(plain_sent, struct sock *sk, int n)
{
	return passed(sk, n, 0, EV_WRITE);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(plain_received, struct sock *sk, int n, int flags)
{
	return passed(sk, n, flags, EV_READ);
}

SEC("fexit/inet_sendmsg")
int BPF_PROG(plain_sent4, struct socket *sock, void *msg, size_t size, int n)
{
	return passed(sock->sk, n, 0, EV_WRITE);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(plain_sent6, struct socket *sock, void *msg, size_t size, int n)
{
	return passed(sock->sk, n, 0, EV_WRITE);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(plain_recv4, struct socket *sock, void *msg, size_t size, int flags, int n)
{
	return passed(sock->sk, n, flags, EV_READ);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(plain_recv6, struct socket *sock, void *msg, size_t size, int flags, int n)
{
	return passed(sock->sk, n, flags, EV_READ);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(plain_state, struct sock *sk, int old, int state)
{
	struct ev_conn *c;
	struct plain *p;

	if (state == TCP_CLOSE) {
		/* It may have given up its port by now. */
		p = bpf_sk_storage_get(&plain_socks, sk, NULL, 0);
		c = p && p->id ? bpf_map_lookup_elem(&conns, &p->slot) : NULL;
		if (c)
			conn_end(c, p->id);
		return 0;
	}
	/* Whose it is shows when it passes something: the current task is anybody. */
	if (state != TCP_ESTABLISHED || !is_tcp(sk) || (!plain_by_proc && !by_port(sk)))
		return 0;
	p = bpf_sk_storage_get(&plain_socks, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!p)
		return 0;
	p->whole = 1;
	for (int dir = 0; dir < EV_DIR_MAX_ && sk->sk_protocol == IPPROTO_TCP; dir++) {
		p->seq[dir] = seq_of(sk, dir);
		p->known |= 1 << dir;
	}
	return 0;
}

/* Threads pass here, too. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(plain_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 *of, *its;

	if (parent->tgid == child->tgid)
		return 0;
	of = bpf_task_storage_get(&plain_procs, parent->group_leader, NULL, 0);
	its = of ? bpf_task_storage_get(&plain_procs, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE)
		 : NULL;
	if (its)
		*its = *of;
	return 0;
}
