/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bpf/compat.bpf.h - what differs between kernels and architectures, beside the commit that changed
 * it. */
#pragma once

#include "bpf/kernel.bpf.h"

/* d920179b3d4 (6.13) adds the kernel function; "bpf: Change prototype of
 * bpf_session_{cookie,is_return}" (7.0) gives it the context. The suffix after ___ is not part of
 * the name that libbpf looks up.
 */
extern bool bpf_session_is_return(void) __ksym __weak;
extern bool bpf_session_is_return___ctx(void *ctx) __ksym __weak;

static __always_inline bool session_is_return(void *ctx)
{
	if (bpf_ksym_exists(bpf_session_is_return___ctx))
		return bpf_session_is_return___ctx(ctx);
	return bpf_session_is_return();
}

/* Where a function's entry finds the stack pointer, given what its return probe sees: x86 has
 * popped the return address. */
#ifdef __TARGET_ARCH_x86
#define ENTRY_SP(ctx) (PT_REGS_SP(ctx) - 8)
#else
#define ENTRY_SP(ctx) PT_REGS_SP(ctx)
#endif

/* System calls that send or receive, and how to tell them: <asm/unistd.h> has no numbers for the
 * target "bpf". */
#ifdef __TARGET_ARCH_x86
#define SYSCALL_NR(regs) ((regs)->orig_rax)
enum { NR_READ = 0, NR_WRITE = 1, NR_READV = 19, NR_WRITEV = 20 };
enum { NR_SENDTO = 44, NR_RECVFROM = 45, NR_SENDMSG = 46, NR_RECVMSG = 47 };
#else
#define SYSCALL_NR(regs) ((regs)->regs[8])
enum { NR_READ = 63, NR_WRITE = 64, NR_READV = 65, NR_WRITEV = 66 };
enum { NR_SENDTO = 206, NR_RECVFROM = 207, NR_SENDMSG = 211, NR_RECVMSG = 212 };
#endif
