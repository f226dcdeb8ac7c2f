/* tests/unit/test_ring.c - the ring consumer against a ring that this test plays the kernel for, in
 * a memfd. The kernel maps its data twice; a file cannot, so each byte is written at both places.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "base/own.h"
#include "capture/ring.h"

#define SIZE 8192u

struct fake {
	int fd;
	struct ring *ring;
	uint64_t *consumer, *producer;
	uint8_t *data;
	size_t len, page;
};

static int setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));
	uint8_t *p;

	assert_non_null(f);
	f->page = (size_t)sysconf(_SC_PAGESIZE);
	f->len = 2 * f->page + 2 * SIZE;
	f->fd = memfd_create("ring", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, (off_t)f->len), 0);
	p = mmap(NULL, f->len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	assert_true(p != MAP_FAILED);
	f->consumer = (uint64_t *)(void *)p;
	f->producer = (uint64_t *)(void *)(p + f->page);
	f->data = p + 2 * f->page;
	assert_int_equal(ring_new(&f->ring, f->fd, SIZE), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	ring_free(&f->ring);
	assert_null(f->ring);
	munmap(f->consumer, f->len);
	close(f->fd);
	free(f);
	return 0;
}

static void put(struct fake *f, uint64_t at, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t off = (at + i) % SIZE;

		f->data[off] = f->data[off + SIZE] = ((const uint8_t *)p)[i];
	}
}

/* Reserves and fills a record of len bytes v; returns where it is. */
static uint64_t produce(struct fake *f, uint32_t len, uint32_t flags, uint8_t v)
{
	uint64_t at = *f->producer;
	uint32_t head[2] = { len | flags, 0 };

	put(f, at, head, sizeof(head));
	for (uint32_t i = 0; i < len; i++)
		put(f, at + 8 + i, &v, 1);
	*f->producer = at + ((len + 8 + 7) & ~7u);
	return at;
}

struct seen {
	const struct fake *f;
	size_t n, bytes;
	uint8_t first[64];
	uint64_t consumer[64]; /* during the callback */
};

static void on_record(void *ctx, struct span r)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_SIZE(s->first));
	s->first[s->n] = r.len ? r.p[0] : 0;
	s->consumer[s->n++] = *s->f->consumer;
	for (size_t i = 0; i < r.len; i++)
		assert_int_equal(r.p[i], r.p[0]);
	s->bytes += r.len;
}

static void test_order_and_release(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };

	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 0);
	assert_int_equal(ring_pending(f->ring), 0);
	produce(f, 1, 0, 'a');
	produce(f, 0, 0, 'b');
	produce(f, 100, 0, 'c');
	assert_int_equal(ring_pending(f->ring), 16 + 8 + 112);
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 3);
	assert_int_equal(s.bytes, 101);
	assert_int_equal(s.first[0], 'a');
	assert_int_equal(s.first[2], 'c');
	/* A record's room is given back after its callback, not before. */
	assert_int_equal(s.consumer[0], 0);
	assert_int_equal(s.consumer[1], 16);
	assert_int_equal(s.consumer[2], 24);
	assert_int_equal(*f->consumer, *f->producer);
}

static void test_limits(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };
	uint64_t mark;

	for (uint8_t i = 0; i < 5; i++)
		produce(f, 8, 0, i);
	mark = ring_mark(f->ring);
	for (uint8_t i = 5; i < 10; i++)
		produce(f, 8, 0, i);
	assert_int_equal(ring_consume(f->ring, on_record, &s, 2), 2);
	assert_int_equal(ring_consume_to(f->ring, mark, on_record, &s, 0), 3);
	assert_int_equal(ring_consume_to(f->ring, mark, on_record, &s, 0), 0);
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 5);
	/* A mark that was passed. */
	assert_int_equal(ring_consume_to(f->ring, mark, on_record, &s, 0), 0);
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(s.first[i], i);
}

static void test_busy_and_discarded(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };
	uint32_t len = 20;
	uint64_t busy;

	produce(f, 40, BPF_RINGBUF_DISCARD_BIT, 'x');
	produce(f, 10, 0, 'a');
	busy = produce(f, 20, BPF_RINGBUF_BUSY_BIT, 'b');
	produce(f, 30, 0, 'c');
	/* Nothing overtakes a record that is still being written. */
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 1);
	assert_int_equal(*f->consumer, busy);
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 0);
	put(f, busy, &len, sizeof(len));
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 2);
	assert_memory_equal(s.first, "abc", 3);
	/* One that is given up while at the head frees its room too. */
	produce(f, 40, BPF_RINGBUF_DISCARD_BIT, 'x');
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 0);
	assert_int_equal(ring_pending(f->ring), 0);
}

static void test_wraps(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };

	/* Records that lie across the end are whole, for the data is mapped twice. */
	for (int i = 0; i < 40; i++) {
		s.n = s.bytes = 0;
		produce(f, 1000, 0, (uint8_t)i);
		produce(f, 3333, 0, (uint8_t)(i + 1));
		assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 2);
		assert_int_equal(s.bytes, 4333);
		assert_int_equal(s.first[1], i + 1);
	}
	assert_true(*f->consumer > 10 * SIZE);
	/* Full to the last byte. */
	s.n = s.bytes = 0;
	produce(f, SIZE - 8, 0, 'f');
	assert_int_equal(ring_pending(f->ring), SIZE);
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 1);
	assert_int_equal(s.bytes, SIZE - 8);
}

static void test_position_overflow(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };

	*f->consumer = *f->producer = UINT64_MAX - 7;
	produce(f, 8, 0, 'a');
	produce(f, 8, 0, 'b');
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), 2);
	assert_memory_equal(s.first, "ab", 2);
}

static void test_inconsistent(void **state)
{
	struct fake *f = *state;
	struct seen s = { .f = f };
	uint32_t lie[] = { 17, SIZE, SIZE - 7, 0x3fffffff };

	/* Longer than what was produced. */
	for (size_t i = 0; i < ARRAY_SIZE(lie); i++) {
		*f->consumer = *f->producer = 0;
		put(f, produce(f, 16, 0, 'a'), &lie[i], sizeof(lie[i]));
		assert_int_equal(ring_consume(f->ring, on_record, &s, 0), -EBADMSG);
		assert_int_equal(*f->consumer, 0);
	}
	/* More than the ring holds; a position between records. */
	*f->producer = SIZE + 8;
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), -EBADMSG);
	*f->consumer = 4;
	*f->producer = 32;
	assert_int_equal(ring_consume(f->ring, on_record, &s, 0), -EBADMSG);
	assert_int_equal(s.n, 0);
}

static void test_new_refuses(void **state)
{
	struct fake *f = *state;
	struct ring *r = NULL;

	assert_int_equal(ring_new(&r, f->fd, 0), -EINVAL);
	assert_int_equal(ring_new(&r, f->fd, 12288), -EINVAL);
	assert_int_equal(ring_new(&r, f->fd, 2048), -EINVAL);
	assert_int_equal(ring_new(&r, f->fd, UINT64_C(1) << 63), -EINVAL);
	assert_int_equal(ring_new(&r, -1, SIZE), -EBADF);
	assert_null(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_and_discarded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_position_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inconsistent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
