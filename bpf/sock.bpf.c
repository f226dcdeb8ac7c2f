// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/sock.bpf.c - which socket does an SSL call use? A send or receive that a thread makes below a
 * call in flight is that call's. The evidence is kept with the call; tls.bpf.c weighs it when the
 * call returns. Kernel: trace/events/sock.h, sock_send_length and sock_recv_length, 6.3.
 */
#include "bpf/maps.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* How far below a call the system call may be. A call that another stack (a coroutine) left behind
 * is hardly ever so near. */
#define STACK_MAX (64 << 10)

/* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */
static __always_inline bool mapped(const __u8 a[16])
{
	const __u32 *w = (const __u32 *)a;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

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

static __always_inline int used(struct sock *sk, int n)
{
	struct task_struct *task;
	struct ev_sock sock = {};
	struct pt_regs *regs;
	struct calls *cs;
	bool known = false;

	if (n <= 0)
		return 0;
	task = bpf_get_current_task_btf();
	cs = bpf_task_storage_get(&in_flight, task, NULL, 0);
	if (!cs)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	for (int i = 0; i < CALLS_MAX; i++) {
		struct call *call = &cs->call[i];

		/* With TLS inside TLS it is every enclosing call's. */
		if (!call->sp || call->sp - PT_REGS_SP(regs) > STACK_MAX)
			continue;
		if (!known && !describe(sk, &sock))
			return 0;
		known = true;
		call->sock = sock;
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_sent, struct sock *sk, int n)
{
	return used(sk, n);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_received, struct sock *sk, int n)
{
	return used(sk, n);
}
