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
