/* tests/unit/test_survey.c - ELF files made here, with the code that compilers make of OpenSSL and
 * its relatives, and broken ones. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/elf64.h"
#include "capture/survey.h"

/* One file: headers, then tables, then code, each function on its own 256 bytes; file offset and
 * address differ by BASE. */
#define BASE	 0x400000u
#define DYN	 0x200u
#define NOTE	 0x400u
#define HASH	 0x500u
#define SYM	 0x800u
#define STR	 0x1000u
#define REL	 0x1400u
#define GOT	 0x1800u
#define TEXT	 0x2000u
#define ROOM	 0x100u /* for one function */
#define SECTIONS 0x4000u
#define SIZE	 0x4400u
#define FN_MAX	 24

enum how { GNU_HASH, SYSV_HASH, STATIC }; /* where the symbols are */

struct fn {
	const char *name; /* NULL: no symbol */
	/* Code in hex; "@k" stands for 4 bytes: function k relative to what follows; "#k": the slot
	 * bound to function k. */
	const char *code;
	bool local; /* symbol */
};

struct image {
	uint8_t b[SIZE];
	size_t size[FN_MAX];
};

static void put(struct image *m, uint32_t at, const void *p, size_t len)
{
	assert_true(at + len <= SIZE);
	memcpy(m->b + at, p, len);
}

static void put32(struct image *m, uint32_t at, uint32_t v)
{
	put(m, at, &v, sizeof(v));
}

static uint32_t text_of(unsigned k)
{
	return TEXT + k * ROOM;
}

static size_t assemble(struct image *m, uint32_t at, const char *code)
{
	uint32_t start = at;

	while (*code) {
		char pair[] = { code[0], code[1], '\0' }, *end;

		if (*code == ' ') {
			code++;
		} else if (*code == '@' || *code == '#') {
			unsigned k = (unsigned)strtoul(code + 1, &end, 10);

			put32(m, at, (*code == '@' ? text_of(k) : GOT + 8 * k) - (at + 4));
			at += 4;
			code = end;
		} else {
			m->b[at++] = (uint8_t)strtoul(pair, NULL, 16);
			code += 2;
		}
	}
	return at - start;
}

static uint32_t gnu_hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s; s++)
		h = h * 33 + (uint8_t)*s;
	return h;
}

static void make(struct image *m, const struct fn *fns, enum how how)
{
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
		.e_shoff = SECTIONS,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = how == STATIC ? 3 : 0,
	};
	const Elf64_Phdr ph[] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = BASE,
		  .p_filesz = SECTIONS,
		  .p_memsz = SECTIONS },
		{ .p_type = how == STATIC ? PT_NULL : PT_DYNAMIC,
		  .p_offset = DYN,
		  .p_filesz = 0x180 },
		{ .p_type = PT_NOTE, .p_offset = NOTE, .p_filesz = 40 },
	};
	unsigned n_sym = 1, n_rel = 0, sym_of[FN_MAX] = {};
	uint32_t str = 1;

	memset(m, 0, sizeof(*m));
	put(m, 0, &h, sizeof(h));
	put(m, sizeof(h), ph, sizeof(ph));
	/* Another note first; the build-id after it. */
	put(m, NOTE, "\4\0\0\0\0\0\0\0\x01\0\0\0GNU\0\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef",
	    36);
	for (unsigned k = 0; fns[k].code; k++) {
		m->size[k] = assemble(m, text_of(k), fns[k].code);
		if (!fns[k].name)
			continue;

		Elf64_Sym s = {
			.st_name = str,
			.st_shndx = 1,
			.st_value = BASE + text_of(k),
			.st_size = m->size[k],
			.st_info = ELF64_ST_INFO(fns[k].local ? STB_LOCAL : STB_GLOBAL, STT_FUNC),
		};

		put(m, STR + str, fns[k].name, strlen(fns[k].name) + 1);
		str += (uint32_t)strlen(fns[k].name) + 1;
		sym_of[k] = n_sym;
		put(m, SYM + n_sym++ * (uint32_t)sizeof(s), &s, sizeof(s));

		Elf64_Rela rel = { BASE + GOT + 8 * k, ELF64_R_INFO(sym_of[k], R_X86_64_JUMP_SLOT),
				   0 };

		put(m, REL + n_rel++ * (uint32_t)sizeof(rel), &rel, sizeof(rel));
	}

	const Elf64_Dyn dyn[] = {
		{ DT_SYMTAB, { BASE + SYM } },
		{ DT_STRTAB, { BASE + STR } },
		{ DT_STRSZ, { str } },
		{ how == GNU_HASH ? DT_GNU_HASH : DT_HASH, { BASE + HASH } },
		{ DT_JMPREL, { BASE + REL } },
		{ DT_PLTRELSZ, { n_rel * sizeof(Elf64_Rela) } },
	};
	const Elf64_Shdr sections[] = {
		{ .sh_type = SHT_NULL },
		{ .sh_type = SHT_SYMTAB,
		  .sh_offset = SYM,
		  .sh_size = n_sym * sizeof(Elf64_Sym),
		  .sh_link = 2 },
		{ .sh_type = SHT_STRTAB, .sh_offset = STR, .sh_size = str },
	};

	put(m, DYN, dyn, sizeof(dyn));
	put(m, SECTIONS, sections, sizeof(sections));
	/* One bucket, one chain. */
	if (how == SYSV_HASH) {
		put32(m, HASH, 1);
		put32(m, HASH + 4, n_sym);
		put32(m, HASH + 8, n_sym > 1 ? 1 : 0);
		for (unsigned i = 1; i < n_sym; i++)
			put32(m, HASH + 12 + 4 * i, i + 1 < n_sym ? i + 1 : 0);
	} else if (how == GNU_HASH) {
		const uint32_t head[] = { 1, 1, 1, 6, 0xffffffff, 0xffffffff, n_sym > 1 ? 1 : 0 };

		put(m, HASH, head, sizeof(head));
		for (unsigned k = 0; fns[k].code; k++)
			if (sym_of[k])
				put32(m, HASH + 28 + 4 * (sym_of[k] - 1),
				      (gnu_hash(fns[k].name) & ~1u) | (sym_of[k] == n_sym - 1));
	}
}

static void survey_bytes(const struct image *m, size_t len, struct survey *ret)
{
	auto_close int fd = memfd_create("survey", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, m->b, len), len);
	assert_int_equal(survey_file(fd, ret), 0);
}

/* One expected site: function number, bytes into it. */
struct want {
	unsigned fn, off;
	enum ev_site site;
	enum site_choice choice;
};

static void expect(const struct fn *fns, enum how how, const struct want *want, unsigned n,
		   const char *why)
{
	struct survey s;
	struct image m;

	make(&m, fns, how);
	survey_bytes(&m, SIZE, &s);
	if (s.verdict != SURVEY_TLS || s.n_sites != n || (why && strcmp(s.why, why)))
		fail_msg("verdict %u, %u sites, %s", s.verdict, s.n_sites, s.why);
	for (unsigned i = 0; i < n; i++) {
		const struct survey_site *t = &s.sites[i];

		if (t->offset != text_of(want[i].fn) + want[i].off || t->site != want[i].site ||
		    t->choice != want[i].choice)
			fail_msg("site %u: %#lx site %u choice %u (%s)", i,
				 (unsigned long)t->offset, t->site, t->choice, t->symbol);
	}
	assert_int_equal(s.build_id_len, 4);
	assert_memory_equal(s.build_id, "\xde\xad\xbe\xef", 4);
}

#define EXPECT(fns, how, why, ...)                                                                 \
	expect(fns, how, (const struct want[]){ __VA_ARGS__ },                                     \
	       sizeof((const struct want[]){ __VA_ARGS__ }) / sizeof(struct want), why)

#define SSL_NEW                                                                                    \
	{                                                                                          \
		"SSL_new", "55 c3"                                                                 \
	}
#define INTERNAL "4157 4156 55 53 31c0 5b 5d 415e 415f c3" /* push r15 ... */

/* Debian 12: sub, canary, js, call. */
static const struct fn openssl_30[] = {
	[0] = { "SSL_read",
		"4883ec18 64488b042528000000 4889442408 85d2 780c 4889e1 4863d2 e8@2 4883c418 c3" },
	[1] = { "SSL_read_ex", "4883ec08 e8@2 31d2 85c0 0f48c2 4883c408 c3" },
	[2] = { NULL, INTERNAL },
	[3] = { "SSL_write", "4883ec18 85d2 7803 4889e1 4863d2 e8@5 4883c418 c3" },
	[4] = { "SSL_write_ex", "4883ec08 e8@5 31d2 85c0 0f48c2 4883c408 c3" },
	[5] = { NULL, INTERNAL },
	[6] = { "SSL_free", "4885ff 7410 4155 b8ffffffff f00fc187e0090000 415d c3" },
	[7] = { "SSL_clear", "55 53 5b 5d c3" },
	[8] = { "SSL_sendfile", "4156 415e c3" },
	[9] = SSL_NEW,
	[10] = { "SSL_get1_peer_certificate", "c3" },
	{},
};

static const struct want openssl_30_sites[] = {
	{ 2, 0, EV_SITE_READ_EX, SITE_INTERNAL_PUSH },
	{ 5, 0, EV_SITE_WRITE_EX, SITE_INTERNAL_PUSH },
	{ 6, 3, EV_SITE_FREE, SITE_ENTRY_LATER },
	{ 7, 0, EV_SITE_CLEAR, SITE_EXPORT_PUSH },
	{ 8, 0, EV_SITE_SENDFILE, SITE_EXPORT_PUSH },
};

static void test_shared_internal(void **state)
{
	/* GCC 13 on OpenSSL 3.5: the internal function asks for NULL before it pushes. */
	static const struct fn shrink_wrapped[] = {
		[0] = { "SSL_read", "4883ec18 85d2 780a 488d4c2408 4863d2 e8@2 4883c418 c3" },
		[1] = { "SSL_read_ex", "4883ec08 e8@2 31d2 85c0 0f48c2 4883c408 c3" },
		[2] = { NULL, "4885ff 7405 4156 4989f6 415e c3" },
		[3] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(shrink_wrapped, GNU_HASH, NULL, { 2, 3, EV_SITE_READ_EX, SITE_INTERNAL_PUSH });
	for (enum how how = GNU_HASH; how <= STATIC; how++)
		expect(openssl_30, how, openssl_30_sites, ARRAY_SIZE(openssl_30_sites),
		       "OpenSSL 3.0 or 3.1; reads: shared internal; writes: shared internal");
}

/* SSL_write_ex hands on to SSL_write_ex2, through the linkage table; with endbr64 everywhere. */
static void test_write_ex2(void **state)
{
	static const struct fn fns[] = {
		[0] = { "SSL_write", "f30f1efa 4883ec18 31c9 4863d2 4c8d442408 e8@3 4883c418 c3" },
		[1] = { "SSL_write_ex", "f30f1efa 4989c8 31c9 e9@4" },
		[2] = { "SSL_write_ex2", "f30f1efa 4883ec08 e8@3 4883c408 c3" },
		[3] = { NULL, "f30f1efa " INTERNAL },
		[4] = { NULL, "f30f1efa f2ff25#2" },
		[5] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(fns, GNU_HASH, "OpenSSL 3.3 or later; writes: shared internal",
	       { 3, 4, EV_SITE_WRITE_EX2, SITE_INTERNAL_PUSH });
}

/* The same without an internal that can be used: SSL_write_ex must not have its own beside
 * SSL_write_ex2's. */
static void test_wrappers(void **state)
{
	static const struct fn direct[] = {
		[0] = { "SSL_write", "55 31c0 5d c3" },
		[1] = { "SSL_write_ex", "4989c8 31c9 e9@2" },
		[2] = { "SSL_write_ex2", "55 31c0 5d c3" },
		[3] = SSL_NEW,
		{},
	};
	static const struct fn through_slot[] = {
		[0] = { "SSL_write", "55 31c0 5d c3" },
		[1] = { "SSL_write_ex", "4883ec08 ff15#0 4883c408 c3" }, /* LibreSSL, -fno-plt */
		[2] = SSL_NEW,
		{},
	};
	static const struct fn each_other[] = {
		[0] = { "SSL_read", "55 e8@1 5d c3" },
		[1] = { "SSL_read_ex", "55 e8@0 5d c3" },
		[2] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(direct, GNU_HASH, NULL, { 0, 0, EV_SITE_WRITE, SITE_EXPORT_PUSH },
	       { 2, 0, EV_SITE_WRITE_EX2, SITE_EXPORT_PUSH });
	EXPECT(through_slot, GNU_HASH, NULL, { 0, 0, EV_SITE_WRITE, SITE_EXPORT_PUSH });
	EXPECT(each_other, GNU_HASH, NULL, { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_PUSH });
}

/* One form has the internal function inlined, the other calls it: only the exported ones see every
 * call once. */
static void test_half_inlined(void **state)
{
	static const struct fn fns[] = {
		[0] = { "SSL_read", "55 488b4708 ff5038 5d c3" },
		[1] = { "SSL_read_ex", "4883ec08 e8@2 4883c408 c3" },
		[2] = { NULL, INTERNAL },
		[3] = SSL_NEW,
		{},
	};
	/* Calls it, but has another way too. */
	static const struct fn two_ways[] = {
		[0] = { "SSL_read", "55 85d2 7405 e8@2 ff5038 5d c3" },
		[1] = { "SSL_read_ex", "4883ec08 e8@2 4883c408 c3" },
		[2] = { NULL, INTERNAL },
		[3] = SSL_NEW,
		{},
	};
	/* Returns early on a condition. */
	static const struct fn early[] = {
		[0] = { "SSL_read", "4883ec18 e8@2 4883c418 c3" },
		[1] = { "SSL_read_ex", "4883ec08 48837f3000 7405 e8@2 4883c408 c3" },
		[2] = { NULL, INTERNAL },
		[3] = SSL_NEW,
		{},
	};
	/* Changes an argument. */
	static const struct fn changed[] = {
		[0] = { "SSL_read", "4883ec18 e8@2 4883c418 c3" },
		[1] = { "SSL_read_ex", "4883ec08 488b3f e8@2 4883c408 c3" },
		[2] = { NULL, INTERNAL },
		[3] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(fns, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_PUSH },
	       { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_SLOW });
	EXPECT(two_ways, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_PUSH },
	       { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_SLOW });
	EXPECT(early, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_SLOW },
	       { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_SLOW });
	EXPECT(changed, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_SLOW },
	       { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_SLOW });
}

/* Node.js: all inlined, all begin with push; BoringSSL: no _ex, SSL_read calls SSL_peek. */
static void test_exports(void **state)
{
	static const struct fn node[] = {
		[0] = { "SSL_read", "55 4889e5 ff5038 5d c3" },
		[1] = { "SSL_read_ex", "55 4889e5 ff5038 5d c3" },
		[2] = { "SSL_write", "f30f1efa 0f1f00 55 5d c3" },
		[3] = SSL_NEW,
		{},
	};
	static const struct fn boring[] = {
		[0] = { "SSL_read", "55 e8@1 5d c3" },
		[1] = { "SSL_peek", "55 5d c3" },
		[2] = { "SSL_write", "85d2 7801 c3 c3" },
		[3] = { "SSL_CTX_set_grease_enabled", "c3" },
		[4] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(node, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_PUSH },
	       { 1, 0, EV_SITE_READ_EX, SITE_EXPORT_PUSH },
	       { 2, 7, EV_SITE_WRITE, SITE_EXPORT_PUSH });
	EXPECT(boring, STATIC, "BoringSSL; reads: exported; writes: exported, past its beginning",
	       { 0, 0, EV_SITE_READ, SITE_EXPORT_PUSH }, { 2, 2, EV_SITE_WRITE, SITE_ENTRY_LATER });
}

/* A return probe swaps the word at [rsp]: not after sub. A probe for entry alone may go there, but
 * not where it could be passed twice, and not where rdi is lost. */
static void test_later(void **state)
{
	static const struct fn fns[] = {
		[0] = { "SSL_read", "4883ec18 55 5d 4883c418 c3" },
		[1] = { "SSL_free", "4883ec18 55 5d 4883c418 c3" },
		[2] = { "SSL_clear", "4885ff 4885ff 7401 c3 ebf8" }, /* jumps back to before je */
		[3] = { "SSL_sendfile", "31ff 7400 c3" },
		[4] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(fns, GNU_HASH, NULL, { 0, 0, EV_SITE_READ, SITE_EXPORT_SLOW },
	       { 1, 4, EV_SITE_FREE, SITE_ENTRY_LATER }, { 2, 0, EV_SITE_CLEAR, SITE_EXPORT_SLOW },
	       { 3, 0, EV_SITE_SENDFILE, SITE_EXPORT_SLOW });
}

static void test_not_ours(void **state)
{
	static const struct fn interposer[] = { { "SSL_read", "55 c3" },
						{ "SSL_write", "55 c3" },
						{} };
	static const struct fn not_code[] = {
		{ "SSL_read", "0f04 55 c3" }, { "SSL_write", "55 c3" }, SSL_NEW, {}
	};
	struct survey s;
	struct image m;

	(void)state;
	make(&m, interposer, GNU_HASH);
	survey_bytes(&m, SIZE, &s);
	assert_int_equal(s.verdict, SURVEY_NONE);
	assert_int_equal(s.n_sites, 0);
	EXPECT(not_code, GNU_HASH, NULL, { 1, 0, EV_SITE_WRITE, SITE_EXPORT_PUSH });

	/* A data page. */
	make(&m, openssl_30, GNU_HASH);
	m.b[sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_flags)] = PF_R | PF_W;
	survey_bytes(&m, SIZE, &s);
	assert_int_equal(s.n_sites, 0);
	/* 32-bit; another machine. */
	make(&m, openssl_30, GNU_HASH);
	m.b[EI_CLASS] = ELFCLASS32;
	survey_bytes(&m, SIZE, &s);
	assert_int_equal(s.verdict, SURVEY_NONE);
	make(&m, openssl_30, GNU_HASH);
	m.b[offsetof(Elf64_Ehdr, e_machine)] = EM_386;
	survey_bytes(&m, SIZE, &s);
	assert_int_equal(s.verdict, SURVEY_NONE);
}

/* A static program: a global symbol wins over a local one; a local one is taken when there is no
 * other. */
static void test_static(void **state)
{
	static const struct fn fns[] = {
		[0] = { "SSL_write", "55 c3", .local = true },
		[1] = { "SSL_read", "55 c3", .local = true },
		[2] = { "SSL_write", "55 c3" },
		[3] = { "xSSL_read", "55 c3" }, /* the name is a tail of this one */
		[4] = { "SSL_write", "55 c3", .local = true },
		[5] = SSL_NEW,
		{},
	};

	(void)state;
	EXPECT(fns, STATIC, NULL, { 1, 0, EV_SITE_READ, SITE_EXPORT_PUSH },
	       { 2, 0, EV_SITE_WRITE, SITE_EXPORT_PUSH });
}

/* Whatever is said, it is inside the file, on executable bytes. */
static void check_sane(const struct survey *s, size_t len)
{
	assert_true(s->verdict < SURVEY_VERDICT_MAX_);
	assert_true(s->n_sites <= SURVEY_SITES_MAX);
	assert_true(s->verdict == SURVEY_TLS || !s->n_sites);
	assert_true(s->why[0]);
	for (unsigned i = 0; i < s->n_sites; i++)
		assert_true(s->sites[i].offset < len && s->sites[i].site < EV_SITE_MAX_ &&
			    s->sites[i].choice < SITE_CHOICE_MAX_);
}

static void test_truncated(void **state)
{
	auto_close int fd = memfd_create("survey", MFD_CLOEXEC);
	struct survey s;
	struct image m;

	(void)state;
	make(&m, openssl_30, STATIC);
	assert_int_equal(write(fd, m.b, SIZE), SIZE);
	for (size_t len = SECTIONS + 3 * sizeof(Elf64_Shdr); len;) {
		len -= len < 0x800 ? 1 : 37;
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		assert_int_equal(survey_file(fd, &s), 0);
		check_sane(&s, len);
		assert_int_equal(s.verdict, SURVEY_BAD);
	}
}

static void test_flipped(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x80, 0xff };
	auto_close int fd = memfd_create("survey", MFD_CLOEXEC);
	struct survey s;
	struct image m;

	(void)state;
	for (enum how how = GNU_HASH; how <= STATIC; how++) {
		make(&m, openssl_30, how);
		assert_int_equal(pwrite(fd, m.b, SIZE, 0), SIZE);
		for (size_t at = 0; at < SIZE; at++) {
			/* Far into the zeros between tables nobody looks. */
			if (at >= 64 && !memcmp(m.b + at - 64, (const uint8_t[64]){}, 64))
				continue;
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				assert_int_equal(pwrite(fd, &values[v], 1, (off_t)at), 1);
				assert_int_equal(survey_file(fd, &s), 0);
				check_sane(&s, SIZE);
			}
			assert_int_equal(pwrite(fd, &m.b[at], 1, (off_t)at), 1);
		}
	}
}

static void test_circular(void **state)
{
	struct survey s;
	struct image m;

	(void)state;
	make(&m, openssl_30, SYSV_HASH);
	put32(&m, HASH + 12 + 4 * 3, 1); /* 1 -> 2 -> 3 -> 1 */
	survey_bytes(&m, SIZE, &s);
	assert_int_equal(s.verdict, SURVEY_BAD);
	assert_string_equal(s.why, "hash chain too long or circular");
}

/* A terabyte of nothing, with tables as large: refused at once, having read little. */
static void test_sparse(void **state)
{
	const uint64_t tb = UINT64_C(1) << 40;
	uint64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	const Elf64_Shdr sections[] = {
		{ .sh_type = SHT_NULL },
		{ .sh_type = SHT_SYMTAB, .sh_offset = SIZE, .sh_size = tb - SIZE, .sh_link = 2 },
		{ .sh_type = SHT_STRTAB, .sh_offset = SIZE, .sh_size = tb - SIZE },
	};
	struct survey s;
	struct image m;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		auto_close int fd = memfd_create("survey", MFD_CLOEXEC);

		make(&m, openssl_30, STATIC);
		put(&m, SECTIONS, sections, sizeof(sections));
		if (round) { /* an executable segment of nearly all of it, and no sections */
			Elf64_Phdr ph = {
				.p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = tb, .p_memsz = tb
			};

			make(&m, openssl_30, GNU_HASH);
			ph.p_vaddr = BASE;
			put(&m, sizeof(Elf64_Ehdr), &ph, sizeof(ph));
			put32(&m, DYN + 2 * 16 + 8, UINT32_MAX); /* DT_STRSZ */
			put32(&m, HASH, 0x7fffffff);		 /* buckets */
		}
		assert_int_equal(write(fd, m.b, SIZE), SIZE);
		assert_int_equal(ftruncate(fd, (off_t)tb), 0);
		assert_int_equal(survey_file(fd, &s), 0);
		check_sane(&s, tb);
		if (!round)
			assert_string_equal(s.why, "symbol table too large");
	}
	assert_true(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began < NS_PER_SEC);
}

static void test_not_regular(void **state)
{
	struct survey s;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(survey_file(p[0], &s), 0);
	assert_int_equal(s.verdict, SURVEY_BAD);
	assert_string_equal(s.why, "not a regular file");
	close(p[0]);
	close(p[1]);
}

/* A program of 200 MiB whose symbols are at its end: read in pieces, in little memory. Not sparse,
 * so that nothing is free. */
static void test_large(void **state)
{
	enum { FILL = 200 << 20, CHUNK = 1 << 20, MAX_KIB = 64 << 10 };
	auto_close int fd = memfd_create("large", MFD_CLOEXEC);
	struct rusage before, after;
	uint8_t *junk = malloc(CHUNK);
	Elf64_Shdr sh[3] = {};
	Elf64_Sym sym[64] = {};
	char names[1024] = "";
	size_t len = 1, n = 0;
	struct survey s;
	struct image m;
	Elf64_Ehdr h;

	(void)state;
	make(&m, openssl_30, STATIC);
	memcpy(&h, m.b, sizeof(h));
	assert_int_equal(write(fd, m.b, SIZE), SIZE);
	for (size_t i = 0; i < CHUNK; i++)
		junk[i] = (uint8_t)(i * 2654435761u >> 13);
	/* The fill is the string table: the names stand behind it, and all of it is searched. */
	for (unsigned i = 0; i < FILL / CHUNK; i++)
		assert_int_equal(write(fd, junk, CHUNK), CHUNK);
	for (const struct fn *f = openssl_30; f->code; f++, n++) {
		if (!f->name)
			continue;
		sym[n] = (Elf64_Sym){ .st_name = FILL + (uint32_t)len,
				      .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				      .st_shndx = 1,
				      .st_value = BASE + text_of((unsigned)n),
				      .st_size = m.size[n] };
		strcpy(names + len, f->name);
		len += strlen(f->name) + 1;
	}
	assert_int_equal(write(fd, names, sizeof(names)), sizeof(names));
	assert_int_equal(write(fd, sym, sizeof(sym)), sizeof(sym));
	sh[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
			      .sh_link = 2,
			      .sh_offset = SIZE + FILL + sizeof(names),
			      .sh_size = sizeof(sym) };
	sh[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
			      .sh_offset = SIZE,
			      .sh_size = FILL + sizeof(names) };
	h.e_shoff = SIZE + FILL + sizeof(names) + sizeof(sym);
	h.e_shnum = 3;
	h.e_shentsize = sizeof(*sh);
	assert_int_equal(write(fd, sh, sizeof(sh)), sizeof(sh));
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	free(junk);

	assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
	assert_int_equal(survey_file(fd, &s), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
	assert_string_equal(s.why,
			    "OpenSSL 3.0 or 3.1; reads: shared internal; writes: shared internal");
	assert_int_equal(s.n_sites, ARRAY_SIZE(openssl_30_sites));
	assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, MAX_KIB);
}

/* The real thing, where Debian has put it: the one site for plain and _ex, at a push. */
static void test_system(void **state)
{
	auto_close int fd = open("/usr/lib/x86_64-linux-gnu/libssl.so.3", O_RDONLY | O_CLOEXEC);
	unsigned seen = 0;
	struct survey s;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(survey_file(fd, &s), 0);
	assert_int_equal(s.verdict, SURVEY_TLS);
	assert_int_equal(s.build_id_len, 20);
	check_sane(&s, SIZE_MAX);
	for (unsigned i = 0; i < s.n_sites; i++) {
		seen |= 1u << s.sites[i].site;
		assert_int_not_equal(s.sites[i].choice, SITE_EXPORT_SLOW);
	}
	assert_true(seen & (1u << EV_SITE_READ_EX));
	assert_true(seen & (1u << EV_SITE_WRITE_EX | 1u << EV_SITE_WRITE_EX2));
	assert_true(seen & (1u << EV_SITE_FREE));
	assert_true(seen & (1u << EV_SITE_CLEAR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_internal), cmocka_unit_test(test_write_ex2),
		cmocka_unit_test(test_wrappers),	cmocka_unit_test(test_half_inlined),
		cmocka_unit_test(test_exports),		cmocka_unit_test(test_later),
		cmocka_unit_test(test_not_ours),	cmocka_unit_test(test_static),
		cmocka_unit_test(test_truncated),	cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_circular),	cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_not_regular),	cmocka_unit_test(test_large),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
