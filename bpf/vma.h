/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/vma.h - what bpf/vma.bpf.c tells user space: one struct per executable mapping of a regular
 * file. */
#pragma once

#include <linux/types.h>

struct vma_file {
	__u64 dev, ino;	  /* s_dev and i_ino of the real inode */
	__u64 start, end; /* of the mapping */
	__u64 magic;	  /* of the file system */
	__u32 generation;
	__u32 tgid;
};
_Static_assert(sizeof(struct vma_file) == 48, "wire layout");
