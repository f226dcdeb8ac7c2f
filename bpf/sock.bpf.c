// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/sock.bpf.c - which socket does an SSL use? A send or receive that a thread makes below a call
 * in flight is that call's. Where TLS works on memory and others move the bytes (event loops), what
 * was received is for the next SSL that the thread calls, and what is sent is of the only SSL that
 * has output. tls.bpf.c and conn.bpf.h weigh the evidence. Kernel: trace/events/sock.h,
 * sock_send_length and sock_recv_length, 6.3.
 */
#include "bpf/compat.bpf.h"
#include "bpf/conn.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* How far below a call the system call may be. A call that another stack (a coroutine) left behind
 * is hardly ever so near. */
#define STACK_MAX  (64 << 10)
#define MSG_IOV	   16 /* offset of struct msghdr's msg_iov */
#define MSG_PEEK   2
#define RECORD_MAX (16384 + 2048) /* RFC 5246 section 6.2.3 */

/* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */
static __always_inline bool mapped(const __u8 a[16])
{
	const __u32 *w = (const __u32 *)a;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

/* false: no connected TCP socket. */
static __always_inline bool describe(struct sock *sk, struct ev_sock *ret)
{
	struct sock_common *k = &sk->__sk_common;

	if (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP)
		return false;
	ret->family = k->skc_family;
	ret->local_port = k->skc_num;
	ret->remote_port = bpf_ntohs(k->skc_dport);
	if (!ret->remote_port)
		return false;
	if (ret->family == AF_INET6 && bpf_core_field_exists(k->skc_v6_daddr)) {
		BPF_CORE_READ_INTO(&ret->local, k, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&ret->remote, k, skc_v6_daddr);
		if (!mapped(ret->remote))
			return true;
		ret->family = AF_INET;
		__builtin_memset(ret->local, 0, sizeof(ret->local));
		__builtin_memset(ret->remote, 0, sizeof(ret->remote));
	}
	if (ret->family != AF_INET)
		return false;
	*(__u32 *)ret->local = k->skc_rcv_saddr;
	*(__u32 *)ret->remote = k->skc_daddr;
	return true;
}

/* Is this the socket that the thread's system call names? Else it is one that io_uring completes
 * for somebody, in whatever call the thread happens to be. */
static __always_inline bool named(struct task_struct *task, const struct pt_regs *regs,
				  struct sock *sk)
{
	struct fdtable *fds = task->files->fdt;
	__u32 fd = PT_REGS_PARM1(regs);
	struct file *file = NULL;

	if (fd >= fds->max_fds || bpf_probe_read_kernel(&file, sizeof(file), fds->fd + fd))
		return false;
	return file && file == sk->sk_socket->file;
}

/* The type of the TLS record that what was just sent or received begins with. 0: it begins with
 * none, being another socket's plain text, or the middle of one: it says nothing of any SSL.
 * RFC 8446 section 5.1 */
static __always_inline __u8 record_type(const struct pt_regs *regs)
{
	__u64 p = PT_REGS_PARM2(regs);
	__u8 head[5];

	switch (SYSCALL_NR(regs)) {
	case NR_READ:
	case NR_WRITE:
	case NR_RECVFROM:
	case NR_SENDTO:
		break;
	case NR_RECVMSG:
	case NR_SENDMSG:
		if (bpf_probe_read_user(&p, sizeof(p), (const void *)(p + MSG_IOV)))
			return 0;
		/* fallthrough */
	case NR_READV:
	case NR_WRITEV:
		if (bpf_probe_read_user(&p, sizeof(p), (const void *)p))
			return 0;
		break;
	default:
		return 0;
	}
	if (bpf_probe_read_user(head, sizeof(head), (const void *)p) || head[0] < 20 ||
	    head[0] > 24 || head[1] != 3 || head[2] > 4 || (head[3] << 8 | head[4]) > RECORD_MAX)
		return 0;
	return head[0];
}

/* Bytes received outside any call: for the next SSL. */
static __always_inline void keep(struct thread *t, const struct pt_regs *regs, struct sock *sk)
{
	struct ev_sock sock = {};

	t->record = record_type(regs);
	t->received.family = 0;
	t->toucher = 0;
	if (t->record && describe(sk, &sock))
		t->received = sock;
}

/* Bytes sent outside any call: of the only SSL that has any to send, if there is but one. */
static __always_inline void deliver(struct thread *t, const struct pt_regs *regs, struct sock *sk)
{
	struct ev_sock sock = {};
	__u64 writer = t->writer;

	if (!t->n_unsent || !record_type(regs))
		return;
	t->n_unsent--;
	t->writer = 0;
	if (writer && describe(sk, &sock))
		sighted(writer, &sock, WEIGHT_SENT, 0);
}

/* Does the call that the thread last made, and that is not followed, use this socket itself? */
static __always_inline bool of_passed_over(const struct thread *t, struct sock *sk)
{
	__u32 slot = t->passed_over - 1;
	struct ev_sock sock = {};
	struct ev_conn *c = t->passed_over ? bpf_map_lookup_elem(&conns, &slot) : NULL;

	return c && c->direct && describe(sk, &sock) && same_sock(&c->sock, &sock);
}

static __always_inline int used(struct sock *sk, int n, enum ev_dir dir)
{
	struct task_struct *task;
	struct ev_sock sock = {};
	struct pt_regs *regs;
	struct thread *t;
	bool nested = false;

	if (n <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	t = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!t)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (!named(task, regs, sk))
		return 0;
	for (int i = 0; i < CALLS_MAX; i++) {
		struct call *call = &t->call[i];

		/* With TLS inside TLS it is every enclosing call's. */
		if (!call->sp || call->sp - PT_REGS_SP(regs) > STACK_MAX)
			continue;
		if (!nested && !describe(sk, &sock))
			return 0;
		nested = true;
		call->sock = sock;
		call->weight = WEIGHT_NESTED;
		call->dirs |= 1 << dir;
	}
	if (nested || of_passed_over(t, sk))
		return 0;
	if (dir == EV_READ)
		keep(t, regs, sk);
	else
		deliver(t, regs, sk);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_sent, struct sock *sk, int n)
{
	return used(sk, n, EV_WRITE);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_received, struct sock *sk, int n, int flags)
{
	return flags & MSG_PEEK ? 0 : used(sk, n, EV_READ);
}
