// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/exec.bpf.c - the end of processes that had connections, and of the connections that they
 * leave behind. */
#include "bpf/conn.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 n_exited; /* processes that had connections: read by user space */

static __always_inline int gone(const struct ev_proc *proc)
{
	struct ev_proc_stats *state = bpf_map_lookup_elem(&procs, proc);
	struct ev_exit *e;

	if (!state || __sync_lock_test_and_set(&state->exited, 1))
		return 0;
	__sync_fetch_and_add(&n_exited, 1);
	e = bpf_ringbuf_reserve(&control_ring, sizeof(*e), 0);
	if (!e) {
		count_loss(EV_LOSS_CONTROL, 0);
		return 0;
	}
	e->hdr = (struct ev_hdr){
		.kind = EV_EXIT,
		.len = sizeof(*e) - sizeof(e->hdr),
		.ts_ns = bpf_ktime_get_ns(),
		.tgid = proc->tgid,
	};
	e->start_ns = proc->start_ns;
	bpf_ringbuf_submit(
	    e, wake_flags(bpf_ringbuf_query(&control_ring, BPF_RB_AVAIL_DATA), control_ring_bytes));
	return 0;
}

/* In do_exit(), after the thread was taken from signal->live. Two last threads at once may both
 * find 0. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(proc_exit, struct task_struct *task)
{
	struct ev_proc proc;

	if (task->signal->live.counter)
		return 0;
	proc_of(task, &proc);
	return gone(&proc);
}

/* After begin_new_exec() ended the other threads and counted this execve. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(proc_exec, struct task_struct *task)
{
	struct ev_proc proc;

	proc_of(task, &proc);
	proc.exec--;
	bpf_task_storage_delete(&threads, task); /* of calls that never return */
	return gone(&proc);
}

/* Run by user space (BPF_PROG_TEST_RUN) for a connection whose process is gone, so that every
 * connection ends in one place. Never attached. Not a syscall program: those sleep, and may not use
 * a queue.
 */
SEC("raw_tp")
int conn_reap(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 slot = ctx->args[0];
	struct ev_conn *c = bpf_map_lookup_elem(&conns, &slot);

	if (c)
		conn_end(c, ctx->args[1]);
	return 0;
}
