/* tests/bench/intel.c [N] - an index of N (10^7) indicators made up here: what it takes to build in
 * time and memory, and what a look-up costs; then what it costs to find the addresses of a text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "detect/link.h"
#include "intel/feed.h"

#define LOOKUPS	  2000000
#define TEXT_SIZE (16 << 20)

static uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static long peak_mib(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss / 1024;
}

/* The i-th of a mixed feed: domains, URLs, addresses, networks. */
static int indicator(uint64_t i, char *ret, size_t size)
{
	uint64_t x = i * UINT64_C(0x9e3779b97f4a7c15);

	switch (i % 8) {
	case 0:
		return snprintf(ret, size, "%u.%u.%u.%u", (unsigned)(x >> 24) % 126 + 11,
				(unsigned)(x >> 32) & 255, (unsigned)(x >> 40) & 255,
				(unsigned)(x >> 48) & 255);
	case 1:
		return snprintf(ret, size, "2001:db8:%x:%x::/64", (unsigned)(x >> 32) & 0xffff,
				(unsigned)(x >> 48) & 0xffff);
	case 2:
	case 3:
	case 4:
		return snprintf(ret, size,
				"http://www.%" PRIx64 ".example.net/%" PRIx64 "/login.php?id=%u",
				x >> 40, x & 0xffffff, (unsigned)i);
	default:
		return snprintf(ret, size, "host-%" PRIx64 ".example%u.com", x >> 20,
				(unsigned)i % 1000);
	}
}

static struct intel_header *build_index(uint64_t n)
{
	auto_free(build) struct build *b = NULL;
	auto_free(feed) struct feed *f = NULL;
	static char block[1 << 20];
	const char *why = NULL;
	uint64_t begin = cpu_ns(), bytes = 0;
	struct intel_header *h;
	size_t at = 0, size;

	if (build_new(&b, 42) || build_feed(b, "made up", false) || feed_new(&f, b, 1))
		exit(1);
	for (uint64_t i = 0; i < n; i++) {
		at += (size_t)indicator(i, block + at, sizeof(block) - at);
		block[at++] = '\n';
		if (at > sizeof(block) - 256 || i + 1 == n) {
			bytes += at;
			if (feed_read(f, span_of(block, at)))
				exit(1);
			at = 0;
		}
	}
	if (feed_end(f, &why))
		exit(1);
	size = build_size(b);
	h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h == MAP_FAILED)
		exit(1);
	build_write(b, 1, h);
	printf(
	    "build: %" PRIu64 " indicators of %" PRIu64 " lines (%" PRIu64
	    " MB) in %.2f s of CPU; index %zu MiB (%.1f bytes each), peak of the process %ld MiB\n",
	    h->n_entries, n, bytes / 1000000, (double)(cpu_ns() - begin) / 1e9, size >> 20,
	    (double)size / (double)h->n_entries, peak_mib());
	return h;
}

/* What: addresses that are listed, or look the same and are not. */
static void look_up(const struct intel_header *h, uint64_t n, bool listed)
{
	static struct {
		struct url u;
		char rest[64];
	} urls[4096];
	size_t found = 0, done = 0;
	uint64_t ns = 0;

	for (uint64_t seed = 1; done < LOOKUPS; seed++) {
		uint64_t begin;

		for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
			uint64_t which = (seed * ARRAY_SIZE(urls) + i) * 2654435761U % n;
			char text[128];
			size_t len, host;

			len = (size_t)indicator(listed ? which : which + 2 * n, text, sizeof(text));
			if (memchr(text, ':', len) && text[0] == '2') {
				memmove(text + 8, text, len - 3);
				memcpy(text, "http://[", 8);
				memcpy(text + 8 + len - 3, "1]/", 4);
				len += 8;
			}
			host = url_read(&urls[i].u, span_of(text, len));
			snprintf(urls[i].rest, sizeof(urls[i].rest), "%.63s", text + host);
		}
		begin = cpu_ns();
		for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
			struct intel_hit hit;

			found += intel_find(h, &urls[i].u, span_str(urls[i].rest), &hit);
		}
		ns += cpu_ns() - begin;
		done += ARRAY_SIZE(urls);
	}
	printf("look-up, %s: %.0f ns an address; %zu of %zu found\n",
	       listed ? "listed" : "not listed", (double)ns / (double)done, found, done);
}

static void find_links(const char *name, const char *pattern)
{
	char *text = malloc(TEXT_SIZE);
	size_t n = strlen(pattern), found = 0;
	struct link_scan s;
	struct link l;
	uint64_t begin;

	if (!text)
		exit(1);
	for (size_t i = 0; i < TEXT_SIZE; i++)
		text[i] = pattern[i % n];
	begin = cpu_ns();
	link_begin(&s, span_of(text, TEXT_SIZE));
	while (link_next(&s, &l))
		found++;
	printf("find, %-28s %6.0f MB/s, %zu addresses\n", name,
	       TEXT_SIZE / ((double)(cpu_ns() - begin) / 1e3), found);
	free(text);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	struct intel_header *h = build_index(n ? n : 1);

	look_up(h, n, true);
	look_up(h, n, false);
	find_links("prose", "The quick brown fox jumps over the lazy dog. It did so twice, "
			    "e.g. on Monday (10:30) and on Tuesday. ");
	find_links("code", "for (i = 0; i < n; i++) { self.items[i].name = obj.get(\"k\"); "
			   "std::move(x.y); }\n");
	find_links("JSON",
		   "{\"id\":12,\"name\":\"a\",\"tags\":[\"x\",\"y\"],\"at\":\"10:30:00\"},");
	find_links("a link in 100 bytes",
		   "See https://docs.example.com/guide/intro.html?lang=en for "
		   "what this does and how it is set up by hand. ");
	find_links("http://", "http://");
	find_links("a.", "a.");
	find_links("http://a.b/", "http://a.b/");
	find_links("(http://a.b/(", "(http://a.b/(");
	find_links("evil[.]com ", "evil[.]com ");
	find_links("one character", "a");
	return 0;
}
