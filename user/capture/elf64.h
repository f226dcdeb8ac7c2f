/* user/capture/elf64.h - reads a hostile ELF file: segments, symbols by name, build-id. By pread
 * only, within a budget. The file may change while it is read: every value is checked where it is
 * used and nothing is read twice to decide once. Spec: System V gABI chapters 4 and 5; GNU hash
 * table as in glibc's elf/dl-lookup.c.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define ELF64_PH_MAX	128 /* program headers; linkers write about 14 */
#define ELF64_NAMES_MAX 32
#define ELF64_READ_MAX	(UINT64_C(512) << 20) /* bytes read from one file, all in all */
#define ELF64_READ_COST 256	   /* charged for each read, so that many small ones end too */
#define ELF64_CHAIN_MAX 4096	   /* symbols in one hash bucket */
#define ELF64_NOTES_MAX (64 << 10) /* bytes of one note segment */

struct elf64 {
	int fd; /* borrowed */
	uint64_t size, budget;
	const char *why; /* set with every error: what is wrong, in words */
	unsigned n_ph;
	Elf64_Phdr ph[ELF64_PH_MAX];
	/* of the dynamic section; addresses */
	uint64_t symtab, strtab, strsz, gnu_hash, hash, jmprel, jmprel_len, rela, rela_len;
};

struct elf64_func {
	uint64_t va;   /* 0: not found */
	uint64_t size; /* 0: unknown */
};

/* Errors of all: -EBADMSG damaged, -E2BIG over a cap or the budget, or what pread returned; why is
 * set. */

/* -EOPNOTSUPP: a sound file, but not 64-bit code for this machine. */
int elf64_open(struct elf64 *e, int fd);
/* Exactly len bytes from the file. */
int elf64_read(struct elf64 *e, uint64_t off, void *buf, size_t len);
/* Where in the file executable address va is. Returns how many bytes are there, 0 when it is not in
 * an executable segment. */
uint64_t elf64_code(const struct elf64 *e, uint64_t va, uint64_t *ret_off);
/* How many bytes of executable segment are at this place in the file; 0: none. */
uint64_t elf64_code_at(const struct elf64 *e, uint64_t off);
/* The functions of these names that the file defines: in its dynamic symbols; in its full symbol
 * table. */
int elf64_dynamic(struct elf64 *e, const char *const *names, unsigned n, struct elf64_func *ret);
int elf64_static(struct elf64 *e, const char *const *names, unsigned n, struct elf64_func *ret);
/* *ret: address of the function of this file that the linker binds the slot (of the global offset
 * table) to, 0 when unknown. */
int elf64_slot(struct elf64 *e, uint64_t slot, uint64_t *ret);
/* At most 20 bytes; 0 without one. */
int elf64_build_id(struct elf64 *e, uint8_t ret[20], uint32_t *ret_len);
