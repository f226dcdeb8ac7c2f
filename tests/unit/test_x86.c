/* tests/unit/test_x86.c - lengths against objdump's, effects against the manual. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "capture/x86.h"

#define SAMPLE	   "tests/data/x86/objdump.txt"
#define SAMPLE_MIN 1900 /* lines in it */

static size_t unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (; n < max && isxdigit((unsigned char)*hex); hex += 2) {
		const char pair[] = { hex[0], hex[1], '\0' };

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* Whole, followed by anything, and cut at every byte: from a block of exactly that size, so that
 * ASan sees a byte too many. */
static void test_lengths(void **state)
{
	auto_file FILE *f = fopen(SAMPLE, "re");
	unsigned lines = 0;
	char line[256];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint8_t b[32];
		struct x86_insn i;

		if (line[0] == '#')
			continue;

		size_t n = unhex(line, b, 15);

		for (unsigned fill = 0; fill < 256; fill += 51) {
			memset(b + n, (int)fill, sizeof(b) - n);
			if (x86_decode(span_of(b, sizeof(b)), &i) || i.len != n)
				fail_msg("%u bytes, not %zu: %s", i.len, n, line);
		}
		for (size_t cut = 0; cut <= n; cut++) {
			auto_mem uint8_t *copy = malloc(cut ? cut : 1);

			assert_non_null(copy);
			memcpy(copy, b, cut);
			assert_int_equal(x86_decode(span_of(copy, cut), &i),
					 cut == n ? 0 : -EBADMSG);
		}
		lines++;
	}
	assert_true(lines >= SAMPLE_MIN);
}

enum { EMU = 1, ARGS = 2, SP = 4, RIP = 8 };

static const struct {
	const char *hex, *text;
	enum x86_class class;
	unsigned has;
	int32_t rel;
} rows[] = {
	{ "f30f1efa", "endbr64", X86_ENDBR, 0, 0 },
	{ "90", "nop", X86_NOP, EMU, 0 },
	{ "6690", "xchg ax, ax: kernels before 6.17 single-step it", X86_NOP, 0, 0 },
	{ "f390", "pause", X86_NOP, 0, 0 },
	{ "4190", "xchg r8, rax", X86_OTHER, ARGS, 0 },
	{ "0f1f440000", "nopl", X86_NOP, 0, 0 },
	{ "66662e0f1f840000000000", "data16 cs nopw", X86_NOP, 0, 0 },
	{ "55", "push rbp", X86_PUSH, EMU | SP, 0 },
	{ "4157", "push r15", X86_PUSH, EMU | SP, 0 },
	{ "4855", "push rbp with a needless REX.W: not emulated", X86_PUSH, SP, 0 },
	{ "6655", "push bp", X86_OTHER, SP, 0 },
	{ "6a10", "push 16", X86_OTHER, SP, 0 },
	{ "ff7708", "push [rdi+8]", X86_OTHER, SP, 0 },
	{ "5d", "pop rbp", X86_OTHER, SP, 0 },
	{ "5f", "pop rdi", X86_OTHER, SP | ARGS, 0 },
	{ "4158", "pop r8", X86_OTHER, SP | ARGS, 0 },
	{ "4159", "pop r9", X86_OTHER, SP, 0 },
	{ "c9", "leave", X86_OTHER, SP, 0 },
	{ "4883ec18", "sub rsp, 24", X86_OTHER, SP, 0 },
	{ "4883f818", "cmp rax, 24", X86_OTHER, 0, 0 },
	{ "4883ff00", "cmp rdi, 0", X86_OTHER, 0, 0 },
	{ "4889e5", "mov rbp, rsp", X86_OTHER, 0, 0 },
	{ "4889ec", "mov rsp, rbp", X86_OTHER, SP, 0 },
	{ "4889fb", "mov rbx, rdi", X86_OTHER, 0, 0 },
	{ "4889df", "mov rdi, rbx", X86_OTHER, ARGS, 0 },
	{ "48891f", "mov [rdi], rbx", X86_OTHER, 0, 0 },
	{ "4c8b07", "mov r8, [rdi]", X86_OTHER, ARGS, 0 },
	{ "4c8b0f", "mov r9, [rdi]", X86_OTHER, 0, 0 },
	{ "64488b042528000000", "mov rax, fs:28", X86_OTHER, 0, 0 },
	{ "488d4c2408", "lea rcx, [rsp+8]", X86_OTHER, ARGS, 0 },
	{ "4863d2", "movslq edx, rdx", X86_OTHER, ARGS, 0 },
	{ "85d2", "test edx, edx", X86_OTHER, 0, 0 },
	{ "31c0", "xor eax, eax", X86_OTHER, 0, 0 },
	{ "31f6", "xor esi, esi", X86_OTHER, ARGS, 0 },
	{ "b601", "mov dh, 1: part of rdx", X86_OTHER, ARGS, 0 },
	{ "b701", "mov bh, 1", X86_OTHER, 0, 0 },
	{ "40b601", "mov sil, 1", X86_OTHER, ARGS, 0 },
	{ "88c6", "mov dh, al", X86_OTHER, ARGS, 0 },
	{ "89c5", "mov ebp, eax", X86_OTHER, 0, 0 },
	{ "0f4fd1", "cmovg edx, ecx", X86_OTHER, ARGS, 0 },
	{ "0f95c0", "setne al", X86_OTHER, 0, 0 },
	{ "0fb6c9", "movzx ecx, cl", X86_OTHER, ARGS, 0 },
	{ "f00fc187e0090000", "lock xadd [rdi+9e0], eax", X86_OTHER, 0, 0 },
	{ "f00fc18fe0090000", "lock xadd [rdi+9e0], ecx", X86_OTHER, ARGS, 0 },
	{ "0f1006", "movups xmm0, [rsi]", X86_OTHER, 0, 0 },
	{ "660fefc0", "pxor xmm0, xmm0", X86_OTHER, 0, 0 },
	{ "f7f1", "div ecx: writes edx", X86_OTHER, ARGS | SP, 0 },
	{ "f3aa", "rep stosb: writes rdi, rcx", X86_OTHER, ARGS | SP, 0 },
	{ "0fa2", "cpuid", X86_OTHER, ARGS | SP, 0 },
	{ "c4e2f8f2d9", "andn: any register, for all we say", X86_OTHER, ARGS | SP, 0 },
	{ "48b8efcdab8967452301", "movabs rax", X86_OTHER, 0, 0 },
	{ "7410", "je +16", X86_JCC, EMU, 16 },
	{ "0f84f0ffffff", "je -16", X86_JCC, EMU, -16 },
	{ "eb80", "jmp -128", X86_JMP, EMU, -128 },
	{ "f2e978563412", "bnd jmp", X86_JMP, EMU, 0x12345678 },
	{ "e8feffffff", "call -2", X86_CALL, EMU | ARGS | SP, -2 },
	{ "ff25feffffff", "jmp [rip-2]", X86_JMP_IND, RIP, -2 },
	{ "f2ff2510000000", "bnd jmp [rip+16]", X86_JMP_IND, RIP, 16 },
	{ "ff1510000000", "call [rip+16]", X86_CALL_IND, ARGS | SP | RIP, 16 },
	{ "ffe0", "jmp rax", X86_JMP_IND, 0, 0 },
	{ "ff5038", "call [rax+56]", X86_CALL_IND, ARGS | SP, 0 },
	{ "c3", "ret", X86_RET, SP, 0 },
	{ "f3c3", "repz ret", X86_RET, SP, 0 },
	{ "c20800", "ret 8", X86_RET, SP, 0 },
};

static void test_effects(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		uint8_t b[16];
		size_t n = unhex(rows[k].hex, b, sizeof(b));
		struct x86_insn i;

		if (x86_decode(span_of(b, n), &i))
			fail_msg("refused: %s", rows[k].text);

		unsigned has = (i.emulated ? EMU : 0) | (i.writes_args ? ARGS : 0) |
			       (i.moves_sp ? SP : 0) | (i.rip ? RIP : 0);

		if (i.len != n || i.class != rows[k].class || has != rows[k].has ||
		    i.rel != rows[k].rel)
			fail_msg("%s: len %u class %d has %u rel %d", rows[k].text, i.len, i.class,
				 has, i.rel);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"06",
		"0f04",
		"0f24c0",
		"27",
		"60",
		"62f17c48",
		"8dc0",
		"8fe878",
		"9a",
		"c7f800000000",
		"d6",
		"ea",
		"f1",
		"fed0",
		"ffd8",
		"fff8",
		"4045",
		"66e800000000",
		"660f8400000000",
		"c4e0f8f2d9",
		"66c5f877",
		"666666666666666666666666666666",
		"2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90",
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		uint8_t b[32] = {};
		struct x86_insn i;

		/* With zeros after it: refused for what it is, not for being cut. */
		unhex(bad[k], b, sizeof(b));
		if (x86_decode(span_of(b, sizeof(b)), &i) != -EBADMSG)
			fail_msg("not refused: %s", bad[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_effects),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
