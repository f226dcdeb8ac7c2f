/* user/capture/x86.h - the small x86-64 instruction decoder that picks and verifies probe sites.
 * Knows the length of what compilers emit, and the effect of what they put into function prologues;
 * refuses the rest.
 */
#pragma once

#include "base/span.h"

enum x86_class {
	X86_ENDBR,   /* endbr64 */
	X86_NOP,     /* any length */
	X86_PUSH,    /* push of a 64-bit register */
	X86_JCC,     /* conditional jump */
	X86_JMP,     /* unconditional, rel8 or rel32 */
	X86_CALL,    /* call rel32 */
	X86_JMP_IND, /* through a register or memory */
	X86_CALL_IND,
	X86_RET,
	X86_OTHER,
	X86_CLASS_MAX_,
};

struct x86_insn {
	enum x86_class class;
	uint8_t len;
	bool emulated;	  /* by uprobes of every kernel: a probe here is cheap, elsewhere it is
			     single-stepped */
	bool writes_args; /* may change rdi, rsi, rdx, rcx or r8 (conservative) */
	bool moves_sp;	  /* may change rsp (push counts; conservative) */
	bool rip;	  /* JMP_IND, CALL_IND: the operand is the memory at rel */
	int32_t rel;	  /* JCC, JMP, CALL, and rip: relative to the next instruction */
};

/* Decodes the first instruction of code. 0; -EBADMSG: unknown or cut. */
int x86_decode(struct span code, struct x86_insn *ret);
