/* tests/unit/test_feed.c - the three forms of feeds, whole and in pieces, and what is refused. */
#include "intel/feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/own.h"
#include "guard.h"
#include "nomem.h"

#define NOW 1700000000 /* November 2023 */

struct made {
	struct intel_header *head;
	size_t size;
	int err;
	const char *why;
};

/* An index of one feed, in pieces of that size (0: whole). */
static struct made make_of(struct span text, size_t piece)
{
	auto_free(build) struct build *b = NULL;
	auto_free(feed) struct feed *f = NULL;
	struct made m = { .why = NULL };

	assert_int_equal(build_new(&b, 1), 0);
	assert_int_equal(build_feed(b, "test", false), 0);
	assert_int_equal(feed_new(&f, b, NOW), 0);
	for (size_t at = 0; at < text.len; at += piece ? piece : text.len)
		assert_int_equal(feed_read(f, span_sub(text, at, piece ? piece : text.len)), 0);
	m.err = feed_end(f, &m.why);
	m.size = build_size(b);
	m.head = aligned_alloc(64, (m.size + 63) / 64 * 64);
	assert_non_null(m.head);
	memset(m.head, 0, m.size);
	build_write(b, 7, m.head);
	assert_ptr_equal(intel_open(span_of(m.head, m.size)), m.head);
	return m;
}

static bool listed(const struct intel_header *h, const char *text, char *ret)
{
	struct span in = span_str(text);
	struct intel_hit hit;
	struct url u;
	size_t n = url_read(&u, in);

	assert_int_not_equal(n, 0);
	if (!intel_find(h, &u, span_sub(in, n, in.len), &hit))
		return false;
	assert_string_equal(hit.feed->name, "test");
	if (ret)
		snprintf(ret, sizeof(hit.listed), "%s", hit.listed);
	return true;
}

#define LINES                                                                                      \
	"# comment\r\n"                                                                            \
	"; comment\n"                                                                              \
	"http://evil.example.net/dir/\n"                                                           \
	"https://evil.example.net:8443/x?y=1 # remark\n"                                           \
	"evil-domain.com\n"                                                                        \
	"*.wild.org\n"                                                                             \
	"||adblock.org^\n"                                                                         \
	"203.0.113.0/24\n"                                                                         \
	"198.51.100.7\n"                                                                           \
	"2001:db8:bad::/48\n"                                                                      \
	"0.0.0.0 hosts.example.net\n"                                                              \
	"\"12\",\"2024-01-01 00:00:00\",\"http://csv.example.net/a\",\"online\"\n"                 \
	"http://comma.example.net/a,b\n"                                                           \
	"first.example.net,remark,1\n"                                                             \
	"evil[.]defanged[.]com\n"                                                                  \
	"EVIL-DOMAIN.com\n"                                                                        \
	"no indicator here\n"                                                                      \
	"com\nco.uk\nexpired.onion\n10.1.2.3\n1.0.0.0/7\nlocalhost\n"                              \
	"last.example.net"

static void lines(void **state)
{
	static const struct {
		const char *url, *listed; /* NULL: is not */
	} rows[] = {
		{ "http://evil.example.net/dir/a/b", "evil.example.net/dir/" },
		{ "https://evil.example.net/dir/?q", "evil.example.net/dir/" },
		{ "https://evil.example.net/dirt", NULL },
		{ "https://evil.example.net:8443/x?y=1", "evil.example.net:8443/x?y=1" },
		{ "https://evil.example.net:8443/x", NULL },
		{ "https://a.b.evil-domain.com/", "evil-domain.com" },
		{ "https://notevil-domain.com/", NULL },
		{ "https://x.wild.org/", "wild.org" },
		{ "https://adblock.org/", "adblock.org" },
		{ "https://203.0.113.9/", "203.0.113.9/24" },
		{ "https://203.0.114.9/", NULL },
		{ "http://3325256711/", "198.51.100.7/32" },
		{ "http://[2001:db8:bad:1::9]/", "2001:db8:bad:1::9/48" },
		{ "http://[2001:db8:bae::9]/", NULL },
		{ "hosts.example.net", "hosts.example.net" },
		{ "http://csv.example.net/a", "csv.example.net/a" },
		{ "http://csv.example.net/", NULL },
		{ "http://comma.example.net/a,b", "comma.example.net/a,b" },
		{ "http://first.example.net/", "first.example.net" },
		{ "evil.defanged.com", "evil.defanged.com" },
		{ "last.example.net", "last.example.net" },
		{ "https://example.com/", NULL },
		{ "https://10.1.2.3/", NULL },
	};
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 64 };
	char got[160];

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
		struct made m = make_of(SPAN_LIT(LINES), pieces[p]);
		const struct intel_feed *f = &m.head->feed[0];

		assert_int_equal(m.err, 0);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			bool is = listed(m.head, rows[i].url, got);

			if (is != (rows[i].listed != NULL))
				print_error("%s\n", rows[i].url);
			assert_int_equal(is, rows[i].listed != NULL);
			if (is)
				assert_string_equal(got, rows[i].listed);
		}
		assert_int_equal(f->n[FEED_KNOWN], 1);
		assert_int_equal(f->n[FEED_TOO_WIDE], 3);
		assert_int_equal(f->n[FEED_OTHER], 3); /* com, localhost, a sentence */
		free(m.head);
	}
}

#define STIX                                                                                       \
	"{\"type\":\"bundle\",\"objects\":["                                                       \
	"{\"type\":\"indicator\",\"pattern_type\":\"stix\",\"pattern\":"                           \
	"\"[url:value = 'http://a.example.net/x'] OR [domain-name:value IN ('b.com', "             \
	"'c.com')]\"},"                                                                            \
	"{\"pattern\":\"[ipv4-addr:value = '198.51.100.7']\",\"type\":\"indicator\","              \
	"\"valid_until\":\"2021-01-01T00:00:00Z\"},"                                               \
	"{\"pattern\":\"[ipv4-addr:value = '198.51.100.8']\",\"type\":\"indicator\","              \
	"\"valid_until\":\"2037-05-06T07:08:09.123Z\"},"                                           \
	"{\"pattern\":\"[domain-name:value = 'revoked.com']\",\"type\":\"indicator\","             \
	"\"revoked\":true},"                                                                       \
	"{\"pattern\":\"[domain-name:value = 'both.com' AND file:name = 'x']\","                   \
	"\"type\":\"indicator\"},"                                                                 \
	"{\"pattern\":\"[domain-name:value LIKE '%.com']\",\"type\":\"indicator\"},"               \
	"{\"pattern\":\"[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']\","                 \
	"\"type\":\"indicator\"},"                                                                 \
	"{\"pattern\":\"alert tcp any\",\"pattern_type\":\"snort\",\"type\":\"indicator\"},"       \
	"{\"pattern\":\"[url:value = 'http://it\\\\'s.example.net/']\",\"type\":\"indicator\","    \
	"\"external_references\":[{\"type\":\"x\",\"url\":\"http://ref.example.net/\"}]},"         \
	"{\"type\":\"malware\",\"name\":\"domain.com\"}]}"

static void stix(void **state)
{
	static const size_t pieces[] = { 0, 1, 5, 100 };

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
		struct made m = make_of(SPAN_LIT(STIX), pieces[p]);
		const struct intel_feed *f = &m.head->feed[0];

		assert_int_equal(m.err, 0);
		assert_true(listed(m.head, "http://a.example.net/x", NULL));
		assert_true(listed(m.head, "https://www.b.com/", NULL));
		assert_true(listed(m.head, "https://c.com/", NULL));
		assert_false(listed(m.head, "http://198.51.100.7/", NULL));
		assert_true(listed(m.head, "http://198.51.100.8/", NULL));
		assert_false(listed(m.head, "http://revoked.com/", NULL));
		assert_false(listed(m.head, "http://both.com/", NULL));
		assert_false(listed(m.head, "http://ref.example.net/", NULL));
		assert_int_equal(f->n[FEED_TAKEN], 4);
		assert_int_equal(f->n[FEED_OUTDATED], 2);
		assert_int_equal(f->n[FEED_COMPLEX], 2);
		/* hashes, snort, and a host that is none */
		assert_int_equal(f->n[FEED_OTHER], 3);
		/* 2037-05-06T07:08:09Z */
		assert_int_equal(m.head->expires_s, 2125206489);
		free(m.head);
	}
}

#define MISP                                                                                       \
	"{\"Event\":{\"info\":\"evil.com\",\"Attribute\":["                                        \
	"{\"type\":\"url\",\"value\":\"http://a.example.net/x\",\"to_ids\":true},"                 \
	"{\"type\":\"domain\",\"value\":\"b.com\",\"to_ids\":true,\"Tag\":[{\"name\":\"t\"}]},"    \
	"{\"type\":\"ip-dst|port\",\"value\":\"198.51.100.7|443\",\"to_ids\":true},"               \
	"{\"type\":\"domain\",\"value\":\"unfit.com\",\"to_ids\":false},"                          \
	"{\"type\":\"domain\",\"value\":\"gone.com\",\"to_ids\":true,\"deleted\":true},"           \
	"{\"type\":\"md5\",\"value\":\"d41d8cd98f00b204e9800998ecf8427e\",\"to_ids\":true}],"      \
	"\"Object\":[{\"name\":\"domain-ip\",\"Attribute\":["                                      \
	"{\"type\":\"hostname\",\"value\":\"c.example.net\",\"to_ids\":\"1\"}]}]}}"

static void misp(void **state)
{
	struct made m = make_of(SPAN_LIT(MISP), 0);
	const struct intel_feed *f = &m.head->feed[0];

	(void)state;
	assert_int_equal(m.err, 0);
	assert_true(listed(m.head, "http://a.example.net/x", NULL));
	assert_true(listed(m.head, "http://b.com/", NULL));
	assert_true(listed(m.head, "http://198.51.100.7/", NULL));
	assert_true(listed(m.head, "http://c.example.net/", NULL));
	assert_false(listed(m.head, "http://unfit.com/", NULL));
	assert_false(listed(m.head, "http://gone.com/", NULL));
	assert_false(listed(m.head, "http://evil.com/", NULL));
	assert_int_equal(f->n[FEED_TAKEN], 4);
	assert_int_equal(f->n[FEED_UNFIT], 1);
	assert_int_equal(f->n[FEED_OUTDATED], 1);
	assert_int_equal(f->n[FEED_OTHER], 1);
	free(m.head);
}

/* A search result, a manifest, a list of indicators, one a line. */
static void other_json(void **state)
{
	static const struct {
		const char *text;
		uint64_t taken;
	} rows[] = {
		{ "{\"response\":[{\"Event\":{\"Attribute\":[{\"type\":\"domain\",\"value\":"
		  "\"b.com\",\"to_ids\":true}]}}]}",
		  1 },
		{ "{\"5ba0-uuid\":{\"info\":\"x\",\"Orgc\":{\"name\":\"evil.com\"}}}", 0 },
		{ "[{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = 'b.com']\"}]", 1 },
		{ "{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = 'b.com']\"}\n"
		  "{\"type\":\"indicator\",\"pattern\":\"[domain-name:value = 'c.com']\"}\n",
		  2 },
		{ "\xef\xbb\xbf\n {}", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made m = make_of(span_str(rows[i].text), 0);

		assert_int_equal(m.err, 0);
		assert_int_equal(m.head->n_entries, rows[i].taken);
		free(m.head);
	}
}

static void broken(void **state)
{
	static const struct {
		struct span text;
		const char *why;
	} rows[] = {
		{ SPAN_LIT("{\"objects\":[{\"type\":\"indicator\""), "not complete JSON" },
		{ SPAN_LIT("{\"objects\":[}"), "not complete JSON" },
		{ SPAN_LIT("evil.com\n\0\1\2\n"), "not text" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made m = make_of(rows[i].text, 0);

		assert_int_equal(m.err, -EBADMSG);
		assert_string_equal(m.why, rows[i].why);
		free(m.head);
	}
}

static void long_lines(void **state)
{
	size_t n = FEED_LINE_MAX + 100;
	char *text = malloc(n + 20);
	struct made m;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', n);
	memcpy(text + n, "\nb.com\n", 7);
	for (size_t piece = 0; piece < 9000; piece += 4096) {
		m = make_of(span_of(text, n + 7), piece);
		/* Whole in one piece it needs no memory, and its end is cut all the same. */
		assert_int_equal(m.head->feed[0].n[FEED_LONG], 1);
		assert_true(listed(m.head, "http://b.com/", NULL));
		free(m.head);
	}
	free(text);
}

/* Any end of a file: no byte beyond it is read. */
static void any_end(void **state)
{
	static const struct span texts[] = { SPAN_LIT(LINES), SPAN_LIT(STIX), SPAN_LIT(MISP) };

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
		struct guard g = guard_new(texts[t].len);

		for (size_t n = 0; n <= texts[t].len; n += 3) {
			struct made m = make_of(guard_put(&g, span_of(texts[t].p, n)), 0);

			free(m.head);
		}
		guard_free(&g);
	}
}

static int with_less(void *ctx)
{
	auto_free(build) struct build *b = NULL;
	auto_free(feed) struct feed *f = NULL;
	struct span text = *(struct span *)ctx;
	const char *why;
	int err = build_new(&b, 1);

	if (!err)
		err = build_feed(b, "test", false);
	if (!err)
		err = feed_new(&f, b, NOW);
	for (size_t at = 0; at < text.len && !err; at += 50)
		err = feed_read(f, span_sub(text, at, 50));
	return err ? err : feed_end(f, &why);
}

static void memory_runs_out(void **state)
{
	struct span lines_text = SPAN_LIT(LINES), misp_text = SPAN_LIT(MISP);

	(void)state;
	assert_true(nomem_each(with_less, &lines_text) > 3);
	nomem_each(with_less, &misp_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),   cmocka_unit_test(stix),
		cmocka_unit_test(misp),	   cmocka_unit_test(other_json),
		cmocka_unit_test(broken),  cmocka_unit_test(long_lines),
		cmocka_unit_test(any_end), cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
