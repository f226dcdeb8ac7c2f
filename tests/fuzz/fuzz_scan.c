/* tests/fuzz/fuzz_scan.c - lines of conversations as `earshot scan --jsonl` takes them from anyone:
 * each that is not blank is answered by one line of sound JSON, with its id or with its number, and
 * the same lines again are answered in the same way.
 */
#include <assert.h>

#include "patterns.h"
#include "user/scan/scan.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct scan scan;
static struct json *reader; /* of answers */
static bool answered;	    /* the line in hand names an error or an id */

static void on_answer(void *ctx, const struct json_event *e)
{
	(void)ctx;
	assert(e->kind != JSON_STRING || !e->damaged);
	if (!strcmp(e->path, "error") || !strcmp(e->path, "id"))
		answered = true;
}

/* Called by the fuzzer before its clock for one input runs; by replay, not at all. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct scan_opts opts = { .jsonl = true, .role = "user" };

	(void)argc;
	(void)argv;
	scan = (struct scan){ .o = &opts, .detect = test_detect(NULL) };
	scan.found = calloc(FINDINGS_MAX, sizeof(*scan.found));
	if (!scan.found || json_new(&scan.json, JSON_DEPTH, on_value, &scan) ||
	    json_new(&reader, 2 * JSON_DEPTH, on_answer, NULL))
		abort();
	return 0;
}

/* What is answered to in, to be freed. */
static char *answer(struct span in, size_t *ret_len)
{
	char *out = NULL;
	FILE *from = fmemopen((void *)in.p, in.len, "r");

	scan.out = open_memstream(&out, ret_len);
	scan.lines = 0;
	if (!from || !scan.out || scan_lines(&scan, from) || fclose(scan.out))
		abort();
	fclose(from);
	assert(!scan.n_words && !scan.turn.n_segments);
	return out;
}

/* How many lines are to be answered. */
static size_t lines(struct span in)
{
	size_t n = 0;
	bool blank = true;

	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '\n') {
			n += !blank;
			blank = true;
		} else if (!memchr(" \t\r", in.p[i], 3)) {
			blank = false;
		}
	}
	return n + !blank;
}

static size_t check(struct span out)
{
	size_t n = 0;

	while (out.len) {
		const uint8_t *nl = memchr(out.p, '\n', out.len);

		assert(nl);
		answered = false;
		if (json_feed(reader, span_sub(out, 0, (size_t)(nl - out.p))) || json_end(reader))
			abort();
		assert(answered);
		out = span_sub(out, (size_t)(nl - out.p) + 1, out.len);
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_of(data, len);
	size_t n_first, n_again;
	char *first, *again;

	if (!len)
		return 0;
	if (!scan.detect)
		LLVMFuzzerInitialize(NULL, NULL);
	first = answer(in, &n_first);
	assert(check(span_of(first, n_first)) == lines(in));
	again = answer(in, &n_again);
	assert(n_first == n_again && !memcmp(first, again, n_first));
	free(first);
	free(again);
	return 0;
}
