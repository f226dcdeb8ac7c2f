/* tests/fuzz/fuzz_link.c - any text: addresses lie within it, in order, are what they claim, and
 * are the same when they are read again alone; their one form reads back as itself.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "detect/link_suspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct span text, const struct link *l)
{
	struct suspicion s[3] = { { .score = 0 } };
	enum link_markup markup;
	struct range label;
	char key[URL_KEY_MAX];
	size_t path, query, n;

	assert(l->url.kind != HOST_NONE && l->url.host_len == strlen(l->url.host));
	assert(l->url.authority <= l->where.end - l->where.begin);
	assert(!l->rest.len || l->rest.p + l->rest.len == text.p + l->where.end);
	n = url_key(&l->url, l->rest, key, &path, &query);
	assert(n > l->url.host_len && n <= URL_KEY_MAX && path < query && query <= n);
	assert(key[path] == '/');
	markup = link_markup(text, l, &label);
	assert(label.begin <= label.end && label.end <= text.len);
	suspect_host(&s[0], l, span_sub(text, label.begin, label.end - label.begin));
	suspect_payload(&s[1], l, markup);
	suspect_template(&s[2], l, markup, text);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		assert(s[i].score >= 0 && s[i].score <= 1 && !s[i].type == !(s[i].score > 0));
		if (s[i].score > 0)
			suspect_mention(text, l->where);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* A copy of its own size, so that one byte too many is seen. */
	uint8_t *copy = malloc(len ? len : 1);
	struct span text = { copy, len };
	struct link_scan s;
	size_t last = 0;
	struct link l;

	if (!copy)
		return 0;
	if (len)
		memcpy(copy, data, len);
	link_begin(&s, text);
	while (link_next(&s, &l)) {
		assert(l.where.begin >= last && l.where.begin < l.where.end && l.where.end <= len);
		last = l.where.begin;
		check(text, &l);
	}
	free(copy);
	return 0;
}
