/* tests/bench/json.c - how fast the JSON reader takes chat bodies, beside jansson and yyjson, which
 * build whole documents in memory. Prints one object: MB/s of each in CPU time, best of the
 * rounds, alternating. Usage: json [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "json_peers.h"
#include "parse/json.h"

#define CHUNK	     (16 << 10) /* what a record of the data ring holds */
#define REPEAT_BYTES (64 << 20)

/* A request of n messages of prose, code and a tool's JSON, as SDKs send them. */
static void body_make(struct buf *b, unsigned n)
{
	static const char prose[] =
	    "The quick brown fox jumps over the lazy dog while rain falls on a quiet town. ";
	static const char code[] = "```c\\nif (n < 0) {\\n\\tfprintf(stderr, \\\"%s\\\\n\\\", "
				   "why);\\n\\treturn -1;\\n}\\n```\\n";
	static const char *const roles[] = { "system", "user", "assistant" };

	buf_add(b, span_str(
		       "{\"model\":\"gpt-4o\",\"temperature\":0.7,\"stream\":true,\"messages\":["));
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_add(b, span_str(","));
		buf_add(b, span_str("{\"role\":\""));
		buf_add(b, span_str(roles[i % ARRAY_SIZE(roles)]));
		buf_add(b, span_str("\",\"content\":[{\"type\":\"text\",\"text\":\""));
		for (unsigned k = 0; k < 6; k++)
			buf_add(b, span_str(prose));
		buf_add(b, span_str(code));
		buf_add(b, span_str("\"}]}"));
	}
	buf_add(b, span_str("],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_"
			    "weather\",\"parameters\":"
			    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
			    "\"required\":[\"city\"]}}}]}"));
}

static uint64_t events;

static void on_event(void *ctx, const struct json_event *e)
{
	(void)ctx;
	events += e->text.len + 1;
}

static int run_ours(struct span in)
{
	static struct json *j;

	if (!j && json_new(&j, 64, on_event, NULL))
		return -1;
	for (size_t i = 0; i < in.len; i += CHUNK)
		if (json_feed(j, span_sub(in, i, MIN(CHUNK, in.len - i))))
			return -1;
	return json_end(j);
}

static const struct {
	const char *name;
	int (*run)(struct span in);
} readers[] = {
	{ "earshot", run_ours },
	{ "jansson", peer_jansson },
#ifdef WITH_YYJSON
	{ "yyjson", peer_yyjson },
#endif
};

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 3, 30, 300 };
	int rounds = argc > 1 ? atoi(argv[1]) : 5;

	printf("{");
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		double best[ARRAY_SIZE(readers)] = { 0 };
		struct buf b = BUF(64 << 20);

		body_make(&b, sizes[s]);
		for (int r = 0; r < rounds; r++) {
			for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
				size_t n = REPEAT_BYTES / b.len;
				uint64_t t = cpu_ns();

				for (size_t k = 0; k < n; k++) {
					if (readers[i].run(buf_span(&b))) {
						fprintf(stderr, "%s refused the body\n",
							readers[i].name);
						return 1;
					}
				}
				t = cpu_ns() - t;
				best[i] = MAX(best[i], (double)(n * b.len) * 1e3 / (double)t);
			}
		}
		printf("%s\"%zu KB\":{", s ? "," : "", b.len >> 10);
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
			printf("%s\"%s\":%.0f", i ? "," : "", readers[i].name, best[i]);
		printf("}");
		buf_free(&b);
	}
	printf("}\n");
	return events ? 0 : 1;
}
