/* user/capture/intake.c - two rings, one sequence.
 * Owns the mappings of the rings and of the connection table, and the ends that wait for the data
 * before them.
 */
#include "capture/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/own.h"
#include "capture/ring.h"

#define ENDED_MAX 4096 /* closes and exits held back until the data before them is read */

struct intake {
	struct ring *data, *control;
	const struct ev_conn *conns;
	uint32_t max_conns;
	const struct intake_ops *ops;
	void *ctx;
	union {
		struct ev_hdr hdr;
		struct ev_ctl ctl;
		struct ev_exit exit;
	} ended[ENDED_MAX];
	size_t n_ended;
	uint64_t bad;
};

int intake_new(struct intake **ret, const struct intake_fds *fds, const struct intake_ops *ops,
	       void *ctx)
{
	auto_free(intake) struct intake *in = calloc(1, sizeof(*in));
	void *conns;
	int err;

	if (!in)
		return -ENOMEM;
	in->ops = ops;
	in->ctx = ctx;
	err = ring_new(&in->data, fds->data_ring, fds->data_ring_bytes);
	if (!err)
		err = ring_new(&in->control, fds->control_ring, fds->control_ring_bytes);
	if (err)
		return err;
	conns =
	    mmap(NULL, fds->max_conns * sizeof(*in->conns), PROT_READ, MAP_SHARED, fds->conns, 0);
	if (conns == MAP_FAILED)
		return -errno;
	in->conns = conns;
	in->max_conns = fds->max_conns;
	*ret = steal(in);
	return 0;
}

void intake_free(struct intake **in)
{
	if (!*in)
		return;
	ring_free(&(*in)->data);
	ring_free(&(*in)->control);
	if ((*in)->conns)
		munmap((void *)(*in)->conns, (*in)->max_conns * sizeof(*(*in)->conns));
	free(*in);
	*in = NULL;
}

/* The table's element may change while it is copied: its id tells. */
static bool conn_copy(const struct intake *in, const struct ev_hdr *h, struct ev_conn *ret)
{
	if (h->slot >= in->max_conns || in->conns[h->slot].id != h->conn)
		return false;
	*ret = in->conns[h->slot];
	return ret->id == h->conn && in->conns[h->slot].id == h->conn;
}

static void on_data(void *ctx, struct span record)
{
	struct intake *in = ctx;
	const struct ev_hdr *h = (const struct ev_hdr *)record.p;
	struct ev_conn c;

	if (record.len < sizeof(*h) || h->kind != EV_DATA || h->len > record.len - sizeof(*h) ||
	    !h->conn)
		in->bad++;
	else
		in->ops->data(in->ctx, h, conn_copy(in, h, &c) ? &c : NULL, span_of(h + 1, h->len));
}

static void on_control(void *ctx, struct span record)
{
	static const size_t sizes[EV_KIND_MAX_] = {
		[EV_OPEN] = sizeof(struct ev_ctl),
		[EV_SOCK] = sizeof(struct ev_ctl),
		[EV_CLOSE] = sizeof(struct ev_ctl),
		[EV_EXIT] = sizeof(struct ev_exit),
	};
	struct intake *in = ctx;
	const struct ev_hdr *h = (const struct ev_hdr *)record.p;
	const struct ev_ctl *c = (const struct ev_ctl *)record.p;

	if (record.len < sizeof(*h) || h->kind >= EV_KIND_MAX_ || !sizes[h->kind] ||
	    record.len < sizes[h->kind])
		in->bad++;
	else if (h->kind == EV_OPEN)
		in->ops->open(in->ctx, &c->conn);
	else if (h->kind == EV_SOCK)
		in->ops->sock(in->ctx, &c->conn);
	else if (in->n_ended < ENDED_MAX)
		memcpy(&in->ended[in->n_ended++], record.p, sizes[h->kind]);
}

long intake_drain(struct intake *in)
{
	/* As many as surely fit in ended[]; the rest comes next time. */
	long control = ring_consume(in->control, on_control, in, ENDED_MAX);
	/* Everything that an ended connection sent stands before this ring's present end. */
	long data = control < 0 ? control : ring_consume(in->data, on_data, in, 0);

	if (data < 0)
		return data;
	for (size_t i = 0; i < in->n_ended; i++) {
		if (in->ended[i].hdr.kind == EV_CLOSE)
			in->ops->close(in->ctx, &in->ended[i].ctl.conn);
		else
			in->ops->exit(in->ctx, &in->ended[i].exit);
	}
	in->n_ended = 0;
	return control + data;
}

bool intake_pending(const struct intake *in)
{
	return ring_pending(in->data) || ring_pending(in->control);
}

uint64_t intake_bad(const struct intake *in)
{
	return in->bad;
}
