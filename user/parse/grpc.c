/* user/parse/grpc.c - gRPC's length-prefixed messages.
 * Owns the message being put together and the decompressor of the one in hand.
 */
#include "parse/grpc.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"

enum { FLAG_COMPRESSED = 1, FLAG_TRAILERS = 0x80 };

struct grpc {
	struct grpc_opts opts;
	grpc_fn *fn;
	void *ctx;
	struct grpc_stats stats;
	uint8_t head[GRPC_HEAD_LEN];
	size_t n_head;
	uint64_t left; /* of the payload, once the head is whole */
	struct buf text;
	struct coding *coding;
	bool damaged, cut, skip;
	bool deaf;
	int err; /* of this feed */
};

int grpc_new(struct grpc **ret, const struct grpc_opts *opts, grpc_fn *fn, void *ctx)
{
	struct grpc *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->opts = *opts;
	g->fn = fn;
	g->ctx = ctx;
	g->text = BUF(opts->max_message);
	*ret = g;
	return 0;
}

void grpc_free(struct grpc **g)
{
	if (!*g)
		return;
	coding_free(&(*g)->coding);
	buf_free(&(*g)->text);
	explicit_bzero(*g, sizeof(**g));
	free(*g);
	*g = NULL;
}

const struct grpc_stats *grpc_stats(const struct grpc *g)
{
	return &g->stats;
}

static void keep(void *ctx, struct span part)
{
	struct grpc *g = ctx;
	ssize_t n = buf_add_some(&g->text, part);

	if (n < 0)
		g->err = (int)n;
	else if ((size_t)n < part.len)
		g->cut = true;
	if (n < 0 || g->cut)
		g->damaged = true;
}

/* The rest of this message cannot be read. */
static void skip(struct grpc *g, int err)
{
	if (err == -ENOMEM)
		g->err = err;
	else if (err)
		g->stats.broken++;
	g->damaged = g->skip = true;
	coding_free(&g->coding);
}

static void message_out(struct grpc *g)
{
	struct grpc_message m;

	if (g->coding && coding_end(g->coding))
		skip(g, coding_end(g->coding));
	coding_free(&g->coding);
	m = (struct grpc_message){ buf_span(&g->text), g->head[0] & FLAG_TRAILERS, g->damaged };
	g->stats.messages++;
	g->stats.cut += g->cut;
	g->fn(g->ctx, &m);
	buf_free(&g->text);
	g->damaged = g->cut = g->skip = false;
	g->n_head = 0;
}

static bool is_flags(uint8_t c)
{
	return !(c & ~(FLAG_COMPRESSED | FLAG_TRAILERS));
}

static void message_begin(struct grpc *g)
{
	const struct coding_limits limits = { UINT64_MAX, g->opts.max_ratio, g->opts.left };

	g->left = (uint64_t)g->head[1] << 24 | g->head[2] << 16 | g->head[3] << 8 | g->head[4];
	if (g->head[0] & FLAG_COMPRESSED) {
		int err = -EOPNOTSUPP;

		if (g->opts.coding != CODING_MAX_)
			err = coding_new(&g->coding, g->opts.coding, &limits, keep, g);
		if (err)
			skip(g, err);
	}
	if (!g->left)
		message_out(g);
}

static size_t step_head(struct grpc *g, struct span in)
{
	if (!g->n_head && !is_flags(in.p[0])) {
		g->deaf = true;
		return in.len;
	}
	g->head[g->n_head++] = in.p[0];
	if (g->n_head == GRPC_HEAD_LEN)
		message_begin(g);
	return 1;
}

static size_t step_payload(struct grpc *g, struct span in)
{
	struct span part = span_sub(in, 0, g->left < in.len ? (size_t)g->left : in.len);
	int err = 0;

	if (g->coding)
		err = coding_feed(g->coding, part);
	else if (!g->skip)
		keep(g, part);
	if (err)
		skip(g, err);
	g->left -= part.len;
	if (!g->left)
		message_out(g);
	return part.len;
}

int grpc_feed(struct grpc *g, struct span in)
{
	g->err = 0;
	while (in.len && !g->deaf) {
		size_t n = g->n_head < GRPC_HEAD_LEN ? step_head(g, in) : step_payload(g, in);

		in = span_sub(in, n, in.len);
	}
	return g->deaf ? -EBADMSG : g->err;
}

int grpc_gap(struct grpc *g, uint64_t n)
{
	bool inside = g->n_head == GRPC_HEAD_LEN;

	if (g->deaf)
		return -EBADMSG;
	if (inside) {
		if (g->coding)
			skip(g, 0); /* compressed bytes cannot be picked up again */
		g->damaged = true;
	}
	if (!inside || !n || n > g->left) {
		grpc_end(g);
		g->deaf = true;
		return -EBADMSG;
	}
	g->left -= n;
	if (!g->left)
		message_out(g);
	return 0;
}

void grpc_end(struct grpc *g)
{
	if (g->deaf || g->n_head < GRPC_HEAD_LEN)
		return;
	g->damaged = true;
	if (g->coding)
		skip(g, 0);
	message_out(g);
}

int grpc_probe(struct span first)
{
	return first.len ? is_flags(first.p[0]) : -EAGAIN;
}
