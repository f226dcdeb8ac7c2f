// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/exec.bpf.c - the end of processes that had connections, and of the connections that they leave behind. */
#include "bpf/conn.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* In do_exit(), after the thread was taken from signal->live. Two last threads at once may both find 0. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(proc_exit, struct task_struct *task)
{
	struct proc_state *state;
	struct ev_proc key;
	struct ev_exit *e;

	if (task->signal->live.counter)
		return 0;
	proc_of(task, &key);
	state = bpf_map_lookup_elem(&procs, &key);
	if (!state || __sync_lock_test_and_set(&state->exited, 1))
		return 0;
	e = bpf_ringbuf_reserve(&control_ring, sizeof(*e), 0);
	if (!e) {
		count_loss(EV_LOSS_CONTROL, 0);
		return 0;
	}
	e->hdr = (struct ev_hdr){
		.kind = EV_EXIT,
		.len = sizeof(*e) - sizeof(e->hdr),
		.ts_ns = bpf_ktime_get_ns(),
		.tgid = key.tgid,
	};
	e->start_ns = key.start_ns;
	bpf_ringbuf_submit(e, wake_flags(&control_ring));
	return 0;
}

/* Run by user space (BPF_PROG_TEST_RUN) for a connection whose process is gone, so that every connection ends in one place.
 * Never attached. Not a syscall program: those sleep, and may not use a queue.
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
