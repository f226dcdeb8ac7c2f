/* tests/unit/test_compile.c - when what was kept is used: only if it is what would be made now, and
 * works.
 */
#include "user/detect/compile.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "patterns.h"

static struct span image;
static struct image_head *copy; /* of it, to be changed */

static int setup(void **state)
{
	(void)state;
	image = test_patterns();
	copy = aligned_alloc(IMAGE_ALIGN, image.len);
	return copy ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(copy);
	return 0;
}

static void begin(void)
{
	memcpy(copy, image.p, image.len);
}

/* As a program with other layouts would have left it: whole. */
static int fits_now(void)
{
	const size_t from = offsetof(struct image_head, inputs);
	const struct compile_opts o = { .cached = span_of(copy, image.len) };
	XXH128_hash_t inputs, x = XXH3_128bits((uint8_t *)copy + from, image.len - from);

	memcpy(copy->digest, &x, sizeof(x));
	memcpy(&inputs, copy->inputs, sizeof(inputs));
	assert_true(image_fits(NULL, o.cached, copy->inputs));
	return fits(&o, &inputs);
}

/* It opens, and one of its parts does not. */
static void test_parts(void **state)
{
	struct image_part *const parts[] = { &copy->rules, &copy->words };

	(void)state;
	begin();
	assert_int_equal(fits_now(), 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		begin();
		parts[i]->len -= 8;
		assert_int_equal(fits_now(), 0);
		begin();
		parts[i]->at += IMAGE_ALIGN;
		parts[i]->len -= IMAGE_ALIGN;
		assert_int_equal(fits_now(), 0);
	}
	begin();
	copy->n_patterns--;
	copy->owners.len -= sizeof(struct image_owner);
	assert_int_equal(fits_now(), 0);
}

/* The same each time, wherever it is made; other words make another one, so every byte of the
 * table counts. */
static void test_layout(void **state)
{
	XXH3_state_t x;
	XXH128_hash_t first, again;

	(void)state;
	XXH3_128bits_reset(&x);
	first = XXH3_128bits_digest(&x);
	assert_int_equal(add_layout(&x), 0);
	again = XXH3_128bits_digest(&x);
	assert_memory_not_equal(&first, &again, sizeof(first));
	first = again;
	for (int i = 0; i < 4; i++) {
		XXH3_128bits_reset(&x);
		assert_int_equal(add_layout(&x), 0);
		again = XXH3_128bits_digest(&x);
		assert_memory_equal(&first, &again, sizeof(first));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
