/* user/capture/x86.h - the small x86-64 instruction decoder that picks and verifies probe sites.
 * Knows lengths of the instructions that compilers put into function prologues; anything it does not know it refuses.
 */
#pragma once

#include "base/span.h"

enum x86_class {
	X86_ENDBR, /* endbr64 */
	X86_NOP, /* any length */
	X86_PUSH, /* push of a 64-bit register: emulated by uprobes */
	X86_JCC, /* conditional jump, emulated */
	X86_JMP, /* unconditional, emulated */
	X86_CALL, /* call rel32 */
	X86_RET,
	X86_OTHER, /* known length, single-stepped */
	X86_CLASS_MAX_,
};

struct x86_insn {
	enum x86_class class;
	uint8_t len;
	bool writes_args; /* may change rdi, rsi, rdx, rcx or r8 (conservative) */
	bool moves_sp; /* changes rsp (push counts) */
	int32_t rel; /* JCC, JMP, CALL: target relative to the next instruction */
};

/* Decodes the first instruction of code. 0; -EBADMSG: unknown or cut. */
int x86_decode(struct span code, struct x86_insn *ret);
