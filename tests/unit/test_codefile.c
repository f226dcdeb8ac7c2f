/* tests/unit/test_codefile.c - the table of files with code: what a full one forgets, and what is
 * surveyed once more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "proc/codefile.h"

static struct inode_key key(uint64_t ino)
{
	return (struct inode_key){ .dev = 1, .ino = ino };
}

static int meet(struct codefiles *fs, uint64_t ino)
{
	const struct inode_key k = key(ino);

	return codefile_met(fs, &k);
}

static struct codefile *get(struct codefiles *fs, uint64_t ino)
{
	const struct inode_key k = key(ino);

	return codefile_of(fs, &k);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct codefiles));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	codefiles_free(*state);
	free(*state);
	return 0;
}

static void test_surveyed_once(void **state)
{
	struct codefiles *fs = *state;

	assert_null(get(fs, 7));
	assert_int_equal(meet(fs, 7), 1);
	assert_int_equal(get(fs, 7)->state, CODEFILE_WAITING);
	for (int s = CODEFILE_WAITING; s <= CODEFILE_FAILED; s++) {
		get(fs, 7)->state = (enum codefile_state)s;
		assert_int_equal(meet(fs, 7), 0);
		assert_int_equal(get(fs, 7)->state, s);
	}
	/* Its next user may map the rest. */
	get(fs, 7)->state = CODEFILE_PARTIAL;
	assert_int_equal(meet(fs, 7), 1);
	assert_int_equal(get(fs, 7)->state, CODEFILE_WAITING);
	assert_int_equal(fs->n, 1);
}

static void test_told(void **state)
{
	struct codefiles *fs = *state;
	struct survey s = { .n_sites = 1, .build_id_len = UINT32_MAX, .hints = 2 };
	char path[1000];
	const struct explained_file *e;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memset(s.build_id, 9, sizeof(s.build_id));
	/* What a surveyor says may lack its end. */
	memset(s.sites[0].symbol, 'S', sizeof(s.sites[0].symbol));
	meet(fs, 7);
	codefile_tell(get(fs, 7), path, EXPLAIN_CAPTURED, &s, "because");
	e = get(fs, 7)->told;
	assert_non_null(e);
	assert_int_equal(strlen(e->path), sizeof(e->path) - 1);
	assert_string_equal(e->why, "because");
	assert_int_equal(e->build_id_len, sizeof(e->build_id));
	assert_int_equal(strlen(e->sites[0].symbol), sizeof(e->sites[0].symbol) - 1);
	/* Told anew without a survey: what it found stays. */
	codefile_tell(get(fs, 7), "p", EXPLAIN_FAILED, NULL, "it was busy");
	assert_ptr_equal(get(fs, 7)->told, e);
	assert_int_equal(e->state, EXPLAIN_FAILED);
	assert_int_equal(e->n_sites, 1);
	assert_int_equal(e->hints, 2);
}

static void test_full(void **state)
{
	struct codefiles *fs = *state;

	for (uint64_t i = 1; i <= CODEFILES_MAX; i++) {
		assert_int_equal(meet(fs, i), 1);
		if (i % 2) {
			get(fs, i)->state = i % 4 == 1 ? CODEFILE_PLAIN : CODEFILE_FAILED;
			codefile_tell(get(fs, i), "p", EXPLAIN_FOREIGN, NULL, "");
		} else if (i % 4 == 2) {
			get(fs, i)->state = CODEFILE_TLS;
		}
	}
	assert_int_equal(fs->n, CODEFILES_MAX);
	assert_int_equal(meet(fs, 2), 0); /* a known one takes no room */
	assert_int_equal(fs->n, CODEFILES_MAX);
	assert_int_equal(meet(fs, CODEFILES_MAX + 1), 1);
	assert_int_equal(fs->n, CODEFILES_MAX / 2 + 1);
	for (uint64_t i = 1; i <= CODEFILES_MAX; i++)
		assert_int_equal(!get(fs, i), i % 2);
	/* Nothing can be forgotten: the next is refused, and nothing else happens. */
	for (uint64_t i = CODEFILES_MAX + 2; fs->n < CODEFILES_MAX; i++)
		assert_int_equal(meet(fs, i), 1);
	assert_int_equal(meet(fs, UINT64_MAX), -ENOSPC);
	assert_null(get(fs, UINT64_MAX));
	assert_int_equal(fs->n, CODEFILES_MAX);
	assert_int_equal(meet(fs, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_surveyed_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
