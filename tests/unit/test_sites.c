/* tests/unit/test_sites.c - tables of probe sites: entries by build-id, and everything that makes
 * one void. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "capture/sites.h"
#include "guard.h"

#define TEXT 0x200

#define ID	 "00112233445566778899aabbccddeeff00112233"
#define OTHER_ID "ff112233445566778899aabbccddeeff00112233"

static const uint8_t id[20] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
				0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33 };

/* push rbp; sub $24,%rsp; (bad); push r15 */
static const uint8_t code[] = { 0x55, 0x48, 0x83, 0xec, 0x18, 0x06, 0x41, 0x57 };

/* A program with this code in its one executable segment. */
static int program(void)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
		uint8_t room[TEXT - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr)];
		uint8_t text[sizeof(code)];
	} f = {
		.h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				    EV_CURRENT },
		       .e_type = ET_DYN,
#ifdef __x86_64__
		       .e_machine = EM_X86_64,
#else
		       .e_machine = EM_AARCH64,
#endif
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 1 },
		.p = { .p_type = PT_LOAD,
		       .p_flags = PF_R | PF_X,
		       .p_offset = TEXT,
		       .p_vaddr = 0x401000,
		       .p_filesz = sizeof(code) },
	};
	int fd = memfd_create("program", MFD_CLOEXEC);

	memcpy(f.text, code, sizeof(code));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &f, sizeof(f)), sizeof(f));
	return fd;
}

static int find(struct span table, struct survey *s)
{
	auto_close int fd = program();

	*s = (struct survey){ .build_id_len = sizeof(id), .why = "nothing by name" };
	memcpy(s->build_id, id, sizeof(id));
	return sites_find(fd, table, s);
}

static const char two[] = "# made by hand\n"
			  "file " OTHER_ID " another build\n"
			  "site 0x999 read exported SSL_read\n"
			  "\n"
			  "file " ID " acme-server 2.1\n"
			  "# its sites\n"
			  "site 0x200 read_ex shared-internal SSL_read_ex\n"
			  "site 0x206 write exported SSL_write\n"
			  "site 0x201 free slow SSL_free\n"
			  "file " ID " a second entry\n"
			  "site 0x200 clear exported SSL_clear\n";

static void test_found(void **state)
{
	struct survey s;

	(void)state;
	assert_int_equal(find(SPAN_LIT(two), &s), 1);
	assert_int_equal(s.verdict, SURVEY_TLS);
	assert_string_equal(s.why, "by table: acme-server 2.1");
	assert_int_equal(s.n_sites, 3);
	assert_int_equal(s.sites[0].offset, 0x200);
	assert_int_equal(s.sites[0].site, EV_SITE_READ_EX);
	assert_int_equal(s.sites[0].choice, SITE_INTERNAL_PUSH);
	assert_string_equal(s.sites[0].symbol, "SSL_read_ex");
	assert_int_equal(s.sites[1].offset, 0x206);
	assert_int_equal(s.sites[2].choice, SITE_EXPORT_SLOW);
}

static void test_not_found(void **state)
{
	struct survey s;

	(void)state;
	assert_int_equal(
	    find(SPAN_LIT("file " OTHER_ID " x\nsite 0x200 read exported SSL_read\n"), &s), 0);
	assert_int_equal(find(SPAN_LIT(""), &s), 0);
	assert_int_equal(find(SPAN_LIT("file 0011 x\nsite 0x200 read exported SSL_read\n"), &s), 0);
	assert_int_equal(s.verdict, SURVEY_NONE);
	assert_string_equal(s.why, "nothing by name");
	/* A short build-id tells nothing apart, and none is nobody's. */
	for (uint32_t len = 0; len < SITES_ID_MIN; len++) {
		auto_close int fd = program();
		char table[128];

		s = (struct survey){ .build_id_len = len };
		memcpy(s.build_id, id, len);
		snprintf(table, sizeof(table), "file %.*s x\nsite 0x200 read exported SSL_read\n",
			 (int)(2 * len), ID);
		assert_int_equal(sites_find(fd, span_str(table), &s), 0);
	}
}

static void test_void(void **state)
{
	static const struct {
		const char *lines, *why;
	} rows[] = {
		{ "", "no sites" },
		{ "site 0x1ff read exported SSL_read", "an offset outside the code" },
		{ "site 0x208 read exported SSL_read", "an offset outside the code" },
		{ "site 0xffffffffffffffff read exported SSL_read", "an offset outside the code" },
#ifdef __x86_64__
		{ "site 0x205 read exported SSL_read", "an offset without an instruction" },
		{ "site 0x201 read exported SSL_read", "another instruction than it says" },
#endif
		{ "site 0x11111111111111111 read exported SSL_read",
		  "a site that is not understood" },
		{ "site 200 read exported SSL_read", "a site that is not understood" },
		{ "site 0x20G read exported SSL_read", "a site that is not understood" },
		{ "site 0x200 peek exported SSL_read", "a site that is not understood" },
		{ "site 0x200 read quickly SSL_read", "a site that is not understood" },
		{ "site 0x200", "a site that is not understood" },
		{ "sites 0x200 read exported SSL_read", "a line that is not understood" },
		/* One bad line spoils the entry. */
		{ "site 0x200 read exported SSL_read\nsite", "a site that is not understood" },
	};
	char table[256], why[128];
	struct survey s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(table, sizeof(table), "file " ID " x\n%s\n", rows[i].lines);
		snprintf(why, sizeof(why), "its table of sites is void: %s", rows[i].why);
		assert_int_equal(find(span_str(table), &s), -EBADMSG);
		assert_string_equal(s.why, why);
		assert_int_equal(s.n_sites, 0);
		assert_int_equal(s.verdict, SURVEY_NONE);
	}
}

static void test_too_many(void **state)
{
	char table[4096] = "file " ID " x\n";
	struct survey s;

	(void)state;
	for (unsigned i = 0; i <= SURVEY_SITES_MAX; i++) {
		assert_int_equal(find(span_str(table), &s), i ? 1 : -EBADMSG);
		assert_int_equal(s.n_sites, i);
		strcat(table, "site 0x200 read exported SSL_read\n");
	}
	assert_int_equal(find(span_str(table), &s), -EBADMSG);
	assert_string_equal(s.why, "its table of sites is void: too many sites");
}

/* What the monitor makes sure of, whatever the surveyor says. */
static void test_checked(void **state)
{
	auto_close int fd = program();
	struct survey good, s;

	(void)state;
	assert_int_equal(find(SPAN_LIT(two), &good), 1);
	assert_int_equal(sites_check(fd, &good, TEXT, TEXT + sizeof(code)), 0);
	assert_int_equal(sites_check(fd, &good, TEXT + 1, TEXT + sizeof(code)), -EBADMSG);
	assert_int_equal(sites_check(fd, &good, TEXT, TEXT + 6), -EBADMSG);
	s = good;
	s.sites[0].site = EV_SITE_MAX_;
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + sizeof(code)), -EBADMSG);
	s = good;
	s.sites[0].choice = SITE_CHOICE_MAX_;
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + sizeof(code)), -EBADMSG);
	s = good;
	s.sites[0].offset = TEXT + 0x1000; /* mapped, but behind the end of the file */
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + 0x2000), -EBADMSG);
#ifdef __x86_64__
	s = good;
	s.sites[0].offset = TEXT + 5; /* no instruction */
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + sizeof(code)), -EBADMSG);
	s.sites[0].offset = TEXT + 1; /* one, but not cheap */
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + sizeof(code)), -EBADMSG);
	s.sites[0].choice = SITE_EXPORT_SLOW;
	assert_int_equal(sites_check(fd, &s, TEXT, TEXT + sizeof(code)), 0);
#endif
}

/* Wherever it ends, nothing behind its end is read. */
static void test_cut(void **state)
{
	struct guard g = guard_new(sizeof(two));
	struct survey s;

	(void)state;
	for (size_t n = 0; n < sizeof(two); n++) {
		int r = find(guard_put(&g, span_of(two, n)), &s);

		assert_true(r == 0 || r == 1 || r == -EBADMSG);
		assert_int_equal(r == 1, s.verdict == SURVEY_TLS);
	}
	guard_free(&g);
}

/* What is printed is read again. */
static void test_printed(void **state)
{
	auto_mem char *text = NULL;
	struct survey s, again;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(find(SPAN_LIT(two), &s), 1);
	assert_int_equal(sites_print(to, &s, "acme-server 2.1"), 0);
	s.build_id_len = 4;
	assert_int_equal(sites_print(to, &s, "x"), -EINVAL);
	fclose(to);
	assert_int_equal(find(span_of(text, len), &again), 1);
	s.build_id_len = sizeof(id);
	assert_memory_equal(&s, &again, sizeof(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),	cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_void),	cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_cut),	cmocka_unit_test(test_printed),
		cmocka_unit_test(test_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
