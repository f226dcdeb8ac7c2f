/* tests/unit/test_hint.c - texts at every place of a segment, real libraries, broken files. */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "capture/hint.h"

#define CHUNK (128 << 10) /* what hint.c reads at once */

/* One file: headers and code at 0, texts in a segment of their own at 4096. */
static int image(const void *text, size_t len, size_t at, uint32_t flags)
{
	static uint8_t b[4096 + 2 * CHUNK + 64];
	Elf64_Ehdr *h = (Elf64_Ehdr *)b;
	Elf64_Phdr *p = (Elf64_Phdr *)(b + sizeof(*h));
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0 && at + len <= sizeof(b) - 4096);
	memset(b, 'x', sizeof(b));
	*h = (Elf64_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
					EV_CURRENT },
			   .e_type = ET_DYN,
#ifdef __x86_64__
			   .e_machine = EM_X86_64,
#else
			   .e_machine = EM_AARCH64,
#endif
			   .e_phoff = sizeof(*h),
			   .e_phentsize = sizeof(*p),
			   .e_phnum = 2 };
	p[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 4096, .p_memsz = 4096
	};
	p[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
			     .p_flags = flags,
			     .p_offset = 4096,
			     .p_vaddr = 4096,
			     .p_filesz = sizeof(b) - 4096,
			     .p_memsz = sizeof(b) - 4096 };
	memcpy(b + 4096 + at, text, len);
	assert_int_equal(write(fd, b, sizeof(b)), sizeof(b));
	return fd;
}

static uint32_t hints_of(int fd)
{
	uint32_t hints = hint_find(fd);

	close(fd);
	return hints;
}

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		uint32_t hints;
	} rows[] = {
#define ROW(t, h) { t, sizeof(t) - 1, h }
		ROW("crypto/tls.(*Conn).Read", 1u << HINT_GO),
		ROW("/cargo/registry/src/rustls-0.23.12/src/conn.rs", 1u << HINT_RUSTLS),
		ROW("third_party/boringssl/src/ssl/ssl_lib.cc\0", 1u << HINT_BORINGSSL),
		ROW("../ssl/ssl_lib.c\0", 1u << HINT_OPENSSL),
		ROW("ssl/ssl_lib.conf\0", 0),
		ROW("rustls", 0),
		ROW("crypto/tls", 0),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(hints_of(image(rows[i].text, rows[i].len, 100, PF_R)),
				 rows[i].hints);
		assert_int_equal(hints_of(image(rows[i].text, rows[i].len, 100, PF_R | PF_W)),
				 rows[i].hints);
		assert_int_equal(hints_of(image(rows[i].text, rows[i].len, 100, PF_R | PF_X)),
				 rows[i].hints);
		/* Across the border of two pieces. */
		for (size_t back = 0; back <= rows[i].len; back++)
			assert_int_equal(
			    hints_of(image(rows[i].text, rows[i].len, CHUNK - back, PF_R)),
			    rows[i].hints);
	}
}

static void test_broken(void **state)
{
	Elf64_Phdr p;
	int fd = image("ssl/ssl_lib.cc", 15, 100, PF_R);

	(void)state;
	/* A segment that lies about its size. */
	assert_int_equal(pread(fd, &p, sizeof(p), sizeof(Elf64_Ehdr) + sizeof(p)), sizeof(p));
	p.p_filesz = UINT64_MAX / 2;
	assert_int_equal(pwrite(fd, &p, sizeof(p), sizeof(Elf64_Ehdr) + sizeof(p)), sizeof(p));
	assert_int_equal(hint_find(fd), 0);
	p.p_offset = UINT64_MAX - 8;
	assert_int_equal(pwrite(fd, &p, sizeof(p), sizeof(Elf64_Ehdr) + sizeof(p)), sizeof(p));
	assert_int_equal(hint_find(fd), 0);
	assert_int_equal(ftruncate(fd, 40), 0);
	assert_int_equal(hint_find(fd), 0);
	close(fd);
	assert_int_equal(hint_find(-1), 0);
}

static void test_system(void **state)
{
	static const struct {
		const char *path;
		uint32_t hints;
	} rows[] = {
		{ "/usr/lib/x86_64-linux-gnu/libgnutls.so.30", 1u << HINT_GNUTLS },
		{ "/usr/lib/x86_64-linux-gnu/libnss3.so", 0 },
		{ "/usr/lib/x86_64-linux-gnu/libc.so.6", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = open(rows[i].path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			assert_int_equal(hints_of(fd), rows[i].hints);
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (int i = 0; i < HINT_MAX_; i++)
		assert_true(hint_rows[i].name && *hint_rows[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
