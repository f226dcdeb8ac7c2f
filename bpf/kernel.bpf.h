/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/kernel.bpf.h - the few kernel structs that the capture programs read. Only the members named
 * here; their offsets come from the running kernel's BTF when the program is loaded (CO-RE), so the
 * build needs no kernel headers and no BTF.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_INET	      2
#define AF_INET6      10
#define IPPROTO_TCP   6
#define IPPROTO_MPTCP 262

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
};

struct file;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	int tgid;
	struct files_struct *files;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	__u64 start_boottime;
	__u64 self_exec_id; /* 64 bits since d1e7fd6462ca (5.7) */
	char comm[16];
};

struct in6_addr {
	__u8 bytes[16];
} __attribute__((aligned(4)));

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_protocol;
	__u8 sk_shutdown;
};

struct tcp_sock {
	__u32 copied_seq; /* of the next byte to be received by the application */
	__u32 write_seq;  /* of the next byte that it sends */
};

#pragma clang attribute pop
