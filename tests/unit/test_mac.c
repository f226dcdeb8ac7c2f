/* tests/unit/test_mac.c - keyed fingerprints. Expected values come from another implementation of
 * HMAC-SHA-256 (Python's hmac). */
#include "base/mac.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "nomem.h"

static void key_fill(uint8_t key[MAC_KEY_LEN], uint8_t first)
{
	for (unsigned i = 0; i < MAC_KEY_LEN; i++)
		key[i] = (uint8_t)(first + i);
}

static struct mac *mac_with(uint8_t first)
{
	uint8_t key[MAC_KEY_LEN];
	struct mac *m;

	key_fill(key, first);
	assert_int_equal(mac_new(&m, key), 0);
	memset(key, 0, sizeof(key)); /* it was copied */
	return m;
}

static void assert_hex(struct hash128 h, const char *want)
{
	char s[33];

	for (unsigned i = 0; i < sizeof(h.b); i++)
		snprintf(s + 2 * i, 3, "%02x", h.b[i]);
	assert_string_equal(s, want);
}

static void test_known(void **state)
{
	auto_free(mac) struct mac *m = mac_with(0);

	(void)state;
	assert_hex(mac_of(m, "segment", SPAN_LIT("hello")), "f61f1d92a708c68b786b80f049cfb8eb");
	mac_begin(m, "segment");
	assert_hex(mac_end(m), "13589b48527230e7b5cbb5da872ed469");
	mac_begin(m, "segment");
	mac_add(m, SPAN_LIT("ab"));
	mac_add(m, SPAN_LIT("c"));
	assert_hex(mac_end(m), "4a5df4136b2f4fee6626bc1feb312d1c");
	/* The context can be used again. */
	assert_hex(mac_of(m, "segment", SPAN_LIT("hello")), "f61f1d92a708c68b786b80f049cfb8eb");
}

/* Another key, label or division into parts is another fingerprint. */
static void test_separation(void **state)
{
	auto_free(mac) struct mac *m = mac_with(0), *other = mac_with(1);
	struct hash128 h[6];

	(void)state;
	h[0] = mac_of(m, "a", SPAN_LIT("bc"));
	h[1] = mac_of(m, "ab", SPAN_LIT("c"));
	h[2] = mac_of(m, "abc", span_of(NULL, 0));
	h[3] = mac_of(other, "a", SPAN_LIT("bc"));
	mac_begin(m, "a");
	mac_add(m, SPAN_LIT("b"));
	mac_add(m, SPAN_LIT("c"));
	h[4] = mac_end(m);
	mac_begin(m, "a");
	mac_add(m, SPAN_LIT("bc"));
	mac_add(m, span_of(NULL, 0));
	h[5] = mac_end(m);
	for (size_t i = 0; i < ARRAY_SIZE(h); i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(&h[i], &h[k], sizeof(h[i]));
}

static int make(void *ctx)
{
	uint8_t key[MAC_KEY_LEN];
	struct mac *m = NULL;
	int err;

	(void)ctx;
	key_fill(key, 0);
	err = mac_new(&m, key);
	mac_free(&m);
	return err;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_int_equal(nomem_each(make, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_separation),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
