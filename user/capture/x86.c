/* user/capture/x86.c - x86-64 instruction lengths and effects, by table. Owns nothing.
 * Input is hostile: whatever the tables do not list, prefixes that make no sense and cut
 * instructions are refused. Spec: Intel SDM volume 2, chapter 2 (encoding) and appendix A (opcode
 * maps). What uprobes emulate: branch_setup_xol_ops() and push_setup_xol_ops() in the kernel's
 * arch/x86/kernel/uprobes.c.
 */
#include "capture/x86.h"

#include <errno.h>

#include "base/own.h"

#define INSN_MAX 15 /* bytes: longer ones fault */

enum { RCX = 1, RDX = 2, RSP = 4, RSI = 6, RDI = 7, R8 = 8 };
#define REG(r)	 (1u << (r))
#define ARGS	 (REG(RDI) | REG(RSI) | REG(RDX) | REG(RCX) | REG(R8))
#define ALL_REGS 0xffffu

/* What follows an opcode, and which general register the instruction writes. No bit at all:
 * refused. */
enum {
	OK = 1 << 0,   /* known, nothing else to say: no operand bytes, no register written */
	M = 1 << 1,    /* ModRM */
	B = 1 << 2,    /* 8-bit immediate */
	Z = 1 << 3,    /* 32-bit immediate, 16 with an operand size prefix */
	Q = 1 << 4,    /* as Z, but 64-bit with REX.W */
	H = 1 << 5,    /* 16-bit immediate */
	WR = 1 << 6,   /* writes the register of ModRM.reg */
	WM = 1 << 7,   /* writes the register of ModRM.rm */
	WO = 1 << 8,   /* writes the register in the opcode's low bits */
	WA = 1 << 9,   /* writes anything: implicit operands, or not worth knowing */
	SP = 1 << 10,  /* moves the stack pointer */
	PFX = 1 << 11, /* legacy prefix */
};

/* clang-format off */
static const uint16_t one_byte[256] = {
	/* add or adc sbb and sub xor cmp: rm,r r,rm al,imm eax,imm */
#define ALU(base)                                                                                  \
	[base] = M | WM, [base + 1] = M | WM, [base + 2] = M | WR, [base + 3] = M | WR, [base + 4] = B, [base + 5] = Z
	ALU(0x00), ALU(0x08), ALU(0x10), ALU(0x18), ALU(0x20), ALU(0x28), ALU(0x30),
#undef ALU
	[0x38 ... 0x3b] = M, [0x3c] = B, [0x3d] = Z,
	[0x26] = PFX, [0x2e] = PFX, [0x36] = PFX, [0x3e] = PFX, [0x64 ... 0x67] = PFX,
	[0xf0] = PFX, [0xf2 ... 0xf3] = PFX,
	[0x50 ... 0x57] = OK | SP, /* push */
	[0x58 ... 0x5f] = WO | SP, /* pop */
	[0x63] = M | WR, /* movslq */
	[0x68] = Z | SP, [0x6a] = B | SP, [0x69] = M | Z | WR, [0x6b] = M | B | WR,
	[0x70 ... 0x7f] = B, /* jcc */
	[0x80] = M | B | WM, [0x81] = M | Z | WM, [0x83] = M | B | WM,
	[0x84 ... 0x85] = M, /* test */
	[0x86 ... 0x87] = M | WM | WR, /* xchg */
	[0x88 ... 0x89] = M | WM, [0x8a ... 0x8b] = M | WR, [0x8d] = M | WR, /* mov, lea */
	[0x8f] = M | WM | SP, /* pop */
	[0x90 ... 0x97] = WO, /* nop, xchg with rax */
	[0x98] = OK, [0x99] = WA, [0x9c] = OK | SP, [0x9d] = OK | SP, [0x9e ... 0x9f] = OK,
	[0xa4 ... 0xa7] = WA, [0xaa ... 0xaf] = WA, /* string instructions */
	[0xa8] = B, [0xa9] = Z,
	[0xb0 ... 0xb7] = B | WO, [0xb8 ... 0xbf] = Q | WO,
	[0xc0 ... 0xc1] = M | B | WM, [0xd0 ... 0xd3] = M | WM, /* shifts */
	[0xc2] = H | SP, [0xc3] = OK | SP, /* ret */
	[0xc6] = M | B | WM, [0xc7] = M | Z | WM,
	[0xc9] = OK | SP, /* leave */
	[0xcc] = WA, /* int3 */
	[0xd8 ... 0xdf] = M, /* x87 */
	[0xe8] = Z | WA, [0xe9] = Z, [0xeb] = B, /* call, jmp */
	[0xf4] = WA, [0xf5] = OK, [0xf8 ... 0xf9] = OK, [0xfc ... 0xfd] = OK, /* hlt, flags */
	[0xf6 ... 0xf7] = M | WM | WA, /* test has an immediate; not neg mul div */
	[0xfe] = M | WM, [0xff] = M | WM, /* inc dec; call jmp push */
};

static const uint16_t two_byte[256] = { /* 0f xx */
	[0x01] = M | WA, [0x05] = WA, [0x0b] = WA, [0x0d] = M, /* xgetbv.., syscall, ud2, prefetchw */
	[0x10 ... 0x17] = M, [0x18 ... 0x1d] = M, [0x1e] = M | WM, [0x1f] = M, /* SSE moves, hints (1e: rdssp) */
	[0x28 ... 0x2b] = M, [0x2c ... 0x2d] = M | WR, [0x2e ... 0x2f] = M,
	[0x31] = WA, [0xa2] = WA, /* rdtsc, cpuid */
	[0x40 ... 0x4f] = M | WR, /* cmovcc */
	[0x50] = M | WR, [0x51 ... 0x6f] = M, [0x70 ... 0x73] = M | B, [0x74 ... 0x76] = M, [0x77] = OK,
	[0x7c ... 0x7d] = M, [0x7e] = M | WM, [0x7f] = M,
	[0x80 ... 0x8f] = Z, /* jcc */
	[0x90 ... 0x9f] = M | WM, /* setcc */
	[0xa3] = M, [0xa4] = M | B | WM, [0xa5] = M | WM, [0xab] = M | WM, [0xac] = M | B | WM, [0xad] = M | WM,
	[0xae] = M | WA, [0xaf] = M | WR, [0xb0 ... 0xb1] = M | WM, [0xb3] = M | WM,
	[0xb6 ... 0xb8] = M | WR, [0xba] = M | B | WM, [0xbb] = M | WM, [0xbc ... 0xbf] = M | WR,
	[0xc0 ... 0xc1] = M | WM | WR, [0xc2] = M | B, [0xc3] = M, [0xc4] = M | B, [0xc5] = M | B | WR, [0xc6] = M | B,
	[0xc7] = M | WA, [0xc8 ... 0xcf] = WO,
	[0xd0 ... 0xd6] = M, [0xd7] = M | WR, [0xd8 ... 0xfe] = M,
};
/* clang-format on */

struct cursor {
	const uint8_t *p, *end;
	bool cut;
};

static uint8_t next(struct cursor *c)
{
	if (c->p < c->end)
		return *c->p++;
	c->cut = true;
	return 0;
}

/* A little-endian signed number of n bytes; of 8 only the low half is kept. */
static int32_t number(struct cursor *c, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t b = next(c);

		if (i < 4)
			v |= b << (8 * i);
	}
	return n == 1 ? (int8_t)v : n == 2 ? (int16_t)v : (int32_t)v;
}

struct parts {			   /* of one instruction */
	bool size16, f2, f3, lock; /* prefixes */
	uint8_t rex;
	uint8_t map; /* 1: one byte; 2: 0f; 3: 0f 38; 4: 0f 3a */
	uint8_t op;
	uint8_t modrm;
	uint16_t flags;
};

#define MOD(x) ((x)->modrm >> 6)
#define SUB(x) ((x)->modrm >> 3 & 7)
#define RM(x)  ((x)->modrm & 7)

/* ModRM, SIB, displacement (SDM table 2-2). Returns the displacement. */
static int32_t address(struct cursor *c, struct parts *x)
{
	x->modrm = next(c);
	if (MOD(x) == 3)
		return 0;

	bool base32 = false; /* SIB without base */

	if (RM(x) == 4)
		base32 = (next(c) & 7) == 5;
	if (MOD(x) == 1)
		return number(c, 1);
	if (MOD(x) == 2 || RM(x) == 5 || base32)
		return number(c, 4);
	return 0;
}

/* AVX and BMI: c5, or c4 with three bytes. All take ModRM but vzeroupper. */
static bool vex(struct cursor *c, struct parts *x)
{
	static const uint8_t with_imm[] = { 0x70, 0x71, 0x72, 0x73, 0xc2, 0xc4, 0xc5, 0xc6 };
	bool imm;

	if (x->rex || x->size16 || x->f2 || x->f3 || x->lock)
		return false;
	x->map = 2;
	if (x->op == 0xc4) {
		x->map = (next(c) & 0x1f) + 1;
		if (x->map < 2 || x->map > 4)
			return false;
	}
	next(c);
	x->op = next(c);
	imm = x->map == 4 || (x->map == 2 && memchr(with_imm, x->op, sizeof(with_imm)));
	x->flags = WA | (x->map == 2 && x->op == 0x77 ? 0 : M) | (imm ? B : 0);
	x->map = 5; /* nothing below may take it for something else */
	return true;
}

static bool opcode(struct cursor *c, struct parts *x)
{
	for (x->op = next(c); one_byte[x->op] & PFX; x->op = next(c)) {
		x->size16 |= x->op == 0x66;
		x->f2 |= x->op == 0xf2;
		x->f3 |= x->op == 0xf3;
		x->lock |= x->op == 0xf0;
	}
	if ((x->op & 0xf0) == 0x40) {
		x->rex = x->op;
		x->op = next(c);
	}
	x->map = 1;
	if (x->op == 0xc4 || x->op == 0xc5)
		return vex(c, x);
	if (x->op != 0x0f) {
		x->flags = one_byte[x->op];
		return x->flags && !(x->flags & PFX);
	}
	x->map = 2;
	x->op = next(c);
	if (x->op != 0x38 && x->op != 0x3a) {
		x->flags = two_byte[x->op];
		return x->flags;
	}
	x->map = x->op == 0x38 ? 3 : 4;
	x->op = next(c);
	x->flags = M | WA | (x->map == 4 ? B : 0);
	return true;
}

/* Opcodes whose ModRM.reg selects another instruction. */
static bool group(struct parts *x)
{
	if (x->map == 1 && (x->op == 0xf6 || x->op == 0xf7) && SUB(x) < 4) {
		x->flags = M;
		if (SUB(x) < 2) /* test */
			x->flags |= x->op == 0xf6 ? B : Z;
		else /* not, neg */
			x->flags |= WM;
	}
	if (x->map == 1 && (x->op == 0x80 || x->op == 0x81 || x->op == 0x83) &&
	    SUB(x) == 7) /* cmp */
		x->flags &= ~WM;
	if (x->map == 1 && (x->op == 0x8f || x->op == 0xc6 || x->op == 0xc7) && SUB(x) != 0)
		return false; /* XOP, xabort, xbegin */
	if (x->map == 1 && x->op == 0x8d && MOD(x) == 3)
		return false; /* lea of a register */
	if (x->map == 1 && x->op == 0xfe)
		return SUB(x) < 2;
	if (x->map == 1 && x->op == 0xff) {
		if (SUB(x) == 3 || SUB(x) == 5 || SUB(x) == 7)
			return false; /* far, undefined */
		if (SUB(x) == 2)
			x->flags = M | WA;
		if (SUB(x) == 4)
			x->flags = M;
		if (SUB(x) == 6)
			x->flags = M | SP;
	}
	return true;
}

static bool byte_operand(const struct parts *x)
{
	if (x->map == 2)
		return (x->op & 0xf0) == 0x90 || x->op == 0xb0 ||
		       x->op == 0xc0; /* setcc, cmpxchg, xadd */
	return x->flags & WO ? (x->op & 0xf8) == 0xb0 : !(x->op & 1);
}

static unsigned reg_written(const struct parts *x, unsigned low, bool ext)
{
	/* Without REX, ah ch dh bh have the numbers of rsp rbp rsi rdi. */
	if (!x->rex && byte_operand(x))
		return REG(low & 3);
	return REG(low | (ext ? 8 : 0));
}

static unsigned written(const struct parts *x)
{
	unsigned set = 0;

	if (x->flags & WA)
		return ALL_REGS;
	if (x->flags & WR)
		set |= reg_written(x, SUB(x), x->rex & 4);
	if (x->flags & WM && MOD(x) == 3)
		set |= reg_written(x, RM(x), x->rex & 1);
	if (x->flags & WO)
		set |= reg_written(x, x->op & 7, x->rex & 1);
	return set;
}

static enum x86_class classify(const struct parts *x, bool *ret_rel)
{
	*ret_rel = false;
	if (x->map == 2) {
		if (x->op == 0x1e && x->f3 && x->modrm == 0xfa)
			return X86_ENDBR;
		if (x->op == 0x1f)
			return X86_NOP;
		*ret_rel = (x->op & 0xf0) == 0x80;
		return *ret_rel ? X86_JCC : X86_OTHER;
	}
	if (x->map != 1)
		return X86_OTHER;
	if ((x->op & 0xf0) == 0x70) {
		*ret_rel = true;
		return X86_JCC;
	}
	if ((x->op & 0xf8) == 0x50)
		return x->size16 ? X86_OTHER : X86_PUSH;
	switch (x->op) {
	case 0x90:
		return x->rex & 1 ? X86_OTHER : X86_NOP; /* else xchg r8, rax */
	case 0xe8:
		*ret_rel = true;
		return X86_CALL;
	case 0xe9:
	case 0xeb:
		*ret_rel = true;
		return X86_JMP;
	case 0xc2:
	case 0xc3:
		return X86_RET;
	case 0xff:
		return SUB(x) == 2 ? X86_CALL_IND : SUB(x) == 4 ? X86_JMP_IND : X86_OTHER;
	}
	return X86_OTHER;
}

int x86_decode(struct span code, struct x86_insn *ret)
{
	struct cursor c = { code.p, code.p + MIN(code.len, INSN_MAX), false };
	struct parts x = {};
	int32_t disp = 0, imm = 0;
	bool rel;

	if (!opcode(&c, &x) || c.cut)
		return -EBADMSG;
	if (x.flags & M) {
		disp = address(&c, &x);
		if (c.cut || !group(&x))
			return -EBADMSG;
	}

	enum x86_class class = classify(&x, &rel);
	bool wide = x.rex & 8;

	/* Intel ignores an operand size prefix on a branch, AMD does not: nobody can say how long
	 * it is. */
	if (rel && x.size16 && !wide)
		return -EBADMSG;
	if (x.flags & B)
		imm = number(&c, 1);
	if (x.flags & H)
		imm = number(&c, 2);
	if (x.flags & Z)
		imm = number(&c, x.size16 && !wide ? 2 : 4);
	if (x.flags & Q)
		imm = number(&c, wide ? 8 : x.size16 ? 2 : 4);
	if (c.cut)
		return -EBADMSG;

	unsigned set = written(&x);
	bool bare = c.p - code.p == 1;

	*ret = (struct x86_insn){ .class = class, .len = c.p - code.p };
	if (class == X86_NOP || class == X86_ENDBR)
		set = 0;
	ret->writes_args = set & ARGS;
	ret->moves_sp = x.flags & SP || set & REG(RSP);
	ret->rip = (class == X86_JMP_IND || class == X86_CALL_IND) && MOD(&x) == 0 && RM(&x) == 5;
	ret->rel = rel ? imm : ret->rip ? disp : 0;
	/* push with no other prefix than 41, nop without any, direct branches. */
	ret->emulated = class == X86_PUSH
			    ? bare || (ret->len == 2 && x.rex == 0x41)
			    : (class == X86_NOP && bare) || (rel && !x.size16 && !x.lock);
	return 0;
}
