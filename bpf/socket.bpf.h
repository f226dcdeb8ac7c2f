/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/socket.bpf.h - a socket on which the current task has just sent or received: its addresses,
 * and what the system call that did it says. For what runs in the caller's context after the copy:
 * trace/events/sock.h, sock_send_length and sock_recv_length (6.3), or, on kernels without these,
 * the exits of what they were put behind, net/ipv4/af_inet.c, inet_sendmsg() and inet_recvmsg(),
 * and the same two of net/ipv6/af_inet6.c.
 */
#pragma once

#include "bpf/compat.bpf.h"
#include "bpf/maps.bpf.h"

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

/* The system call is made below this SSL call. */
static __always_inline bool encloses(const struct call *call, const struct pt_regs *regs)
{
	return call->sp && call->sp - PT_REGS_SP(regs) <= STACK_MAX;
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
