/* tests/e2e/http1_verdict.c - what parse/http1 says of inputs, for test_smuggling.py. Reads cases:
 * a line "requests N" or "responses N", then N bytes. Prints one line of JSON for each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "parse/http1.h"

#define CASE_MAX (1 << 20)

struct verdict {
	bool any;
	bool ambiguous;
};

static void hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		printf("%02x", s.p[i]);
}

static void on_head(void *ctx, const struct http1_head *h)
{
	struct verdict *v = ctx;

	printf("%s{\"start\":\"", v->any ? "," : "");
	if (h->request) {
		hex(h->method);
		printf("20");
		hex(h->target);
	} else {
		printf("%u", h->status);
	}
	printf("\",\"body\":\"");
	v->any = true;
	v->ambiguous = false;
}

static void on_field(void *ctx, struct span name, struct span value)
{
	(void)ctx;
	(void)name;
	(void)value;
}

static void on_fields_end(void *ctx, bool ambiguous)
{
	((struct verdict *)ctx)->ambiguous = ambiguous;
}

static void on_doubtful(void *ctx)
{
	((struct verdict *)ctx)->ambiguous = true;
}

static void on_body(void *ctx, struct span data)
{
	(void)ctx;
	hex(data);
}

static void on_gap(void *ctx, uint64_t n)
{
	(void)ctx;
	(void)n;
}

static void on_end(void *ctx, enum http1_end how)
{
	static const char *const names[] = { "complete", "cut", "broken" };

	static_assert(ARRAY_SIZE(names) == HTTP1_END_MAX_, "end without a name");
	printf("\",\"ambiguous\":%s,\"end\":\"%s\"}",
	       ((struct verdict *)ctx)->ambiguous ? "true" : "false", names[how]);
}

int main(void)
{
	static const struct http1_ops ops = { on_head, on_field, on_fields_end, on_doubtful,
					      on_body, on_gap,	 on_end };
	static uint8_t in[CASE_MAX];
	char kind[16];
	size_t n;

	while (scanf("%15s %zu", kind, &n) == 2 && n <= sizeof(in) && getchar() == '\n' &&
	       fread(in, 1, n, stdin) == n) {
		struct verdict v = { 0 };
		struct http1 *h;
		int err;

		if (http1_new(&h, !strcmp(kind, "requests"), &ops, &v))
			return 1;
		printf("{\"messages\":[");
		err = http1_feed(h, span_of(in, n));
		http1_end(h);
		printf("],\"left\":%s,\"error\":%s}\n", err == -EOPNOTSUPP ? "true" : "false",
		       http1_stats(h)->broken ? "\"broken\"" : "null");
		fflush(stdout);
		http1_free(&h);
	}
	return 0;
}
