/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/vma.h - what bpf/vma.bpf.c tells user space. */
#pragma once

#include <linux/types.h>

enum vma_event_kind {
	VMA_EXIT = 1, /* the last thread of a process is gone */
	VMA_EXEC,     /* a process executed another program */
	VMA_FORK,     /* a followed process forked this one: parent, start_ns */
	VMA_MAPPED,   /* a process mapped a regular file to execute it: dev, ino, generation */
	VMA_CPU,      /* perf came up or went down on a CPU, whose number tgid is */
};

struct vma_event {
	__u32 kind, tgid;
	__u64 dev, ino; /* as in struct vma_file */
	__u32 generation, parent;
	__u64 start_ns; /* start_boottime */
};
_Static_assert(sizeof(struct vma_event) == 40, "wire layout");

/* Of one executable mapping of a regular file, from the walk. */
struct vma_file {
	__u64 dev, ino;	  /* s_dev and i_ino of the real inode */
	__u64 start, end; /* of the mapping */
	__u64 page;	  /* where it begins in the file */
	__u64 magic;	  /* of the file system */
	__u32 generation;
	__u32 tgid;
	__u32 exe; /* 1: the program that the process runs */
	__u32 pad;
};
_Static_assert(sizeof(struct vma_file) == 64, "wire layout");
