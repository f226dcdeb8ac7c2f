// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/sock.bpf.c - which socket does an SSL use? A send or receive that a thread makes below a call
 * in flight is that call's. Where TLS works on memory and others move the bytes (event loops), what
 * was received is for the next SSL that the thread calls, and what is sent is of the only SSL that
 * has output. tls.bpf.c and conn.bpf.h weigh the evidence. Where it hooks: bpf/socket.bpf.h.
 */
#include "bpf/conn.bpf.h"
#include "bpf/socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
		if (!encloses(call, regs))
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

SEC("fexit/inet_sendmsg")
int BPF_PROG(sock_sent4, struct socket *sock, void *msg, size_t size, int n)
{
	return used(sock->sk, n, EV_WRITE);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(sock_sent6, struct socket *sock, void *msg, size_t size, int n)
{
	return used(sock->sk, n, EV_WRITE);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(sock_recv4, struct socket *sock, void *msg, size_t size, int flags, int n)
{
	return flags & MSG_PEEK ? 0 : used(sock->sk, n, EV_READ);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(sock_recv6, struct socket *sock, void *msg, size_t size, int flags, int n)
{
	return flags & MSG_PEEK ? 0 : used(sock->sk, n, EV_READ);
}
