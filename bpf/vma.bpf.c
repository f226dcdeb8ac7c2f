// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/* bpf/vma.bpf.c - what perf events and /proc do not say: the real inode behind an executable
 * mapping (overlayfs shows another one to user space), and when the last thread of a process is
 * gone. Where perf events are closed to us, new mappings and programs as well; else which CPUs come
 * and go.
 */
#include "bpf/vma.h"
#include "bpf/kernel.bpf.h"

#define VM_EXEC 0x4
#define S_IFMT	0170000
#define S_IFREG 0100000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_generation;
};

struct file {
	struct inode *f_inode;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags, vm_pgoff;
	struct file *vm_file;
};

struct mm_struct {
	unsigned long start_code;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u32 only_tgid;  /* 0: all */
__u64 also_start; /* a mapping that counts although it is not executable */
__u64 lost_events;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} events SEC(".maps");

/* Processes whose children are to be told of: they map what their parent does, without an event. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} followed SEC(".maps");

static __always_inline int lost(void)
{
	__sync_fetch_and_add(&lost_events, 1);
	return 0;
}

static __always_inline int tell(__u32 kind, __u32 tgid, const struct inode *inode)
{
	struct vma_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return lost();
	*e = (struct vma_event){ .kind = kind, .tgid = tgid };
	if (inode) {
		e->dev = inode->i_sb->s_dev;
		e->ino = inode->i_ino;
		e->generation = inode->i_generation;
	}
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* Links iter/task_vma were new in 5.12; links for one process in 6.1. */
SEC("iter/task_vma")
int vma_files(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct vma_file f = {};
	struct inode *inode;
	struct file *file;

	if (!vma || !task || (only_tgid && task->tgid != only_tgid))
		return 0;
	/* Threads share what their leader has, unless it is gone already. */
	if (task != task->group_leader && task->group_leader->mm)
		return 0;
	file = vma->vm_file;
	if (!file || !(vma->vm_flags & VM_EXEC || vma->vm_start == also_start))
		return 0;
	inode = file->f_inode;
	if (!inode || (inode->i_mode & S_IFMT) != S_IFREG)
		return 0;
	f.dev = inode->i_sb->s_dev;
	f.ino = inode->i_ino;
	f.generation = inode->i_generation;
	f.magic = inode->i_sb->s_magic;
	f.start = vma->vm_start;
	f.end = vma->vm_end;
	f.page = vma->vm_pgoff;
	f.tgid = task->tgid;
	/* Not by mm->exe_file: on overlayfs that has another inode than what is mapped. */
	f.exe =
	    task->mm && task->mm->start_code >= vma->vm_start && task->mm->start_code < vma->vm_end;
	bpf_seq_write(ctx->meta->seq, &f, sizeof(f));
	return 0;
}

/* In do_exit(), after the thread was taken from signal->live. Two last threads at once may both
 * find 0. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(vma_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (task->signal->live.counter)
		return 0;
	bpf_map_delete_elem(&followed, &tgid);
	return tell(VMA_EXIT, tgid, NULL);
}

/* Threads pass here, too. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(vma_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, tgid = child->tgid, yes = 1;
	struct vma_event *e;

	if (from == tgid || !bpf_map_lookup_elem(&followed, &from))
		return 0;
	bpf_map_update_elem(&followed, &tgid, &yes, BPF_ANY);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return lost();
	*e = (struct vma_event){
		.kind = VMA_FORK, .tgid = tgid, .parent = from, .start_ns = child->start_boottime
	};
	bpf_ringbuf_submit(e, 0);
	return 0;
}

enum cpuhp_state { CPUHP_AP_PERF_ONLINE = 1 }; /* the number is the running kernel's, by CO-RE */

/* Perf came up on a CPU, or went down: perf events that were there are gone for good. */
SEC("tp_btf/cpuhp_exit")
int BPF_PROG(vma_cpu, unsigned int cpu, int state, int step, int ret)
{
	if (step != bpf_core_enum_value(enum cpuhp_state, CPUHP_AP_PERF_ONLINE))
		return 0;
	return tell(VMA_CPU, cpu, NULL);
}

/* Called for every new mapping, whether perf has listeners or not. */
SEC("fentry/perf_event_mmap")
int BPF_PROG(vma_mapped, struct vm_area_struct *vma)
{
	struct inode *inode;

	if (!(vma->vm_flags & VM_EXEC) || !vma->vm_file)
		return 0;
	inode = vma->vm_file->f_inode;
	if (!inode || (inode->i_mode & S_IFMT) != S_IFREG)
		return 0;
	return tell(VMA_MAPPED, bpf_get_current_pid_tgid() >> 32, inode);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(vma_exec, struct task_struct *task)
{
	return tell(VMA_EXEC, task->tgid, NULL);
}
