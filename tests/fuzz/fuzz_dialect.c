/* tests/fuzz/fuzz_dialect.c - hostile bodies for every route of every dialect: the promises that
 * wire.c checks hold, and any cut of the same bytes gives the same turn. The input: which route
 * (two bytes: of the hash of its path, or any), how (a byte of flags), how long the request's body
 * is (two bytes), where a byte of the response is lost (two bytes), then both bodies.
 */
#include <stdlib.h>

#include "base/own.h"
#include "wire.h"

enum { STREAMED = 1, LOSSY = 2, UNKNOWN_PATH = 4, EVENTSTREAM = 8, GRPC = 16, TAIL = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct route *pick(size_t n)
{
	size_t all = 0;

	for (size_t i = 0; dialects[i]; i++)
		all += dialects[i]->n_routes;
	/* A corpus outlives new rows. */
	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++)
			if ((json_path_hash(dialects[i]->routes[k].path) & 0xffff) == n)
				return &dialects[i]->routes[k];
	n %= all;
	for (size_t i = 0;; i++) {
		if (n < dialects[i]->n_routes)
			return &dialects[i]->routes[n];
		n -= dialects[i]->n_routes;
	}
}

/* The route's path with its names filled in. */
static void path_of(const struct route *route, char *out)
{
	for (const char *p = route->path + (*route->path == '^'); *p; p++) {
		if (*p != '{') {
			*out++ = *p;
			continue;
		}
		*out++ = 'x';
		p = strchr(p, '}');
	}
	*out = 0;
}

/* A host of the provider that a route asks for. */
static const char *host_of(const struct route *route)
{
	static const struct {
		const char *provider, *host;
	} rows[] = {
		{ "ollama", "h:11434" },
		{ "aws-bedrock", "bedrock-runtime.x.amazonaws.com" },
		{ "cohere", "api.cohere.com" },
		{ "mistral", "api.mistral.ai" },
		{ "huggingface", "router.huggingface.co" },
	};

	for (size_t i = 0; route->provider && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(route->provider, rows[i].provider))
			return rows[i].host;
	return "h";
}

/* Fields that say what a body is. */
static const char *kind_of(unsigned flags, bool response, struct span body, char out[128])
{
	const uint8_t *end = body.len ? memrchr(body.p, '}', body.len) : NULL;
	const char *type = flags & GRPC		 ? "application/grpc"
			   : !response		 ? NULL
			   : flags & EVENTSTREAM ? "application/vnd.amazon.eventstream"
			   : flags & STREAMED	 ? "text/event-stream"
						 : "application/json";

	*out = 0;
	if (type)
		snprintf(out, 128, "Content-Type: %s\r\n", type);
	if (flags & TAIL && end)
		snprintf(out + strlen(out), 128 - strlen(out),
			 "Inference-Header-Content-Length: %zu\r\n", (size_t)(end - body.p) + 1);
	return out;
}

struct fuzz_case {
	char head[512];
	unsigned flags;
	size_t lost_at;
	struct span request, response;
};

/* Returns how many bodies could not be decoded: how much of such a one comes out depends on how the
 * bytes are cut (coding.h). */
static uint64_t run(const struct fuzz_case *c, size_t piece, struct evlog *log)
{
	auto_free(wire) struct wire *w = NULL;
	struct span before = span_sub(c->response, 0, c->lost_at);
	bool lossy = c->flags & LOSSY && c->response.len;
	char head[256], kind[128];

	if (wire_new(&w, WIRE_TURNS, log, NULL))
		abort();
	wire_open(w, 1);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s\r\n",
		 kind_of(c->flags, true, c->response, kind));
	if (wire_send(w, 1, EV_WRITE, span_str(c->head), piece) ||
	    wire_send(w, 1, EV_WRITE, c->request, piece) ||
	    wire_send(w, 1, EV_READ, span_str(head), piece) ||
	    wire_send(w, 1, EV_READ, before, piece))
		abort();
	if (lossy)
		wire_lose(w, 1, EV_READ, 1);
	if (wire_send(w, 1, EV_READ, span_sub(c->response, before.len + lossy, c->response.len),
		      piece))
		abort();
	wire_close(w, 1);
	return flow_stats(wire_flow(w))->decode_errors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct evlog whole, cut; /* kept: mapping costs more than many runs */
	struct span in = span_of(data, len);
	const struct route *route;
	struct fuzz_case c;
	char path[256], kind[128];
	uint64_t errors;

	if (len < 7)
		return 0;
	route = pick(data[0] | (size_t)data[1] << 8);
	path_of(route, path);
	c.flags = data[2];
	in = span_sub(in, 7, in.len);
	c.request = span_sub(in, 0, data[3] | (size_t)data[4] << 8);
	c.response = span_sub(in, c.request.len, in.len);
	c.lost_at = c.response.len ? (data[5] | (size_t)data[6] << 8) % c.response.len : 0;
	snprintf(c.head, sizeof(c.head),
		 "%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\n\r\n",
		 !route->method		      ? "POST"
		 : strcmp(route->method, "*") ? route->method
					      : "PUT",
		 c.flags & UNKNOWN_PATH ? "/x" : path, host_of(route),
		 kind_of(c.flags, false, c.request, kind), c.request.len);
	errors = run(&c, 0, &whole);
	errors += run(&c, 1 + len % 17, &cut);
	if (!errors && !span_eq(span_of(whole.p, whole.len), span_of(cut.p, cut.len))) {
		fprintf(stderr, "whole:\n%scut:\n%s", whole.p ? whole.p : "", cut.p ? cut.p : "");
		abort();
	}
	evlog_clear(&whole);
	evlog_clear(&cut);
	return 0;
}
