/* tests/fuzz/fuzz_keeper.c - everything that others say to the keeper. The first byte says who
 * speaks: f  an inspector: messages, each after its length in two bytes (big endian) c  a client of
 * the control socket: one request a  upstream: an Ack Whatever it was, the store commits, its chain
 * holds, and every batch proves itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/own.h"
#include "ctl/server.h"
#include "keeper.h"
#include "store/keep.h"

#define SEC UINT64_C(1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static const struct keep_time now = { 1000 * SEC, 1700000000 * SEC };

static void prove(struct keep *k)
{
	struct chain c;
	uint8_t *raw;
	size_t len;

	must(!store_verify(keep_store(k), UINT64_MAX));
	chain_begin(&c, store_chain(keep_store(k))->store);
	while (keep_batch(k, &raw, &len) == 1) {
		Earshot__Batch *b = earshot__batch__unpack(NULL, len, raw);
		Earshot__Ack ack = EARSHOT__ACK__INIT;

		must(b && len <= KEEP_BATCH_MAX && b->n_revisions);
		for (size_t i = 0; i < b->n_revisions; i++)
			must(!chain_verify(&c, b->revisions[i]));
		ack.through = c.sequence;
		must(keep_ack(k, &ack) == 1);
		earshot__batch__free_unpacked(b, NULL);
		free(raw);
	}
	must(c.sequence == store_chain(keep_store(k))->sequence);
}

static void inspector(struct keep *k, struct span in)
{
	while (in.len >= 2) {
		size_t len = (size_t)in.p[0] << 8 | in.p[1];
		struct span m = span_sub(in, 2, len);

		in = span_sub(in, 2 + m.len, SIZE_MAX);
		if (keep_take(k, m) == -EAGAIN)
			must(keep_commit(k, now, false) >= 0);
	}
	must(keep_commit(k, now, true) >= 0);
	prove(k);
}

static void one_alert(struct keep *k)
{
	static struct said room;

	must(!keep_take(
	    k,
	    say(&room, &(struct say){
			   .epoch = 1, .number = 1, .kind = "jailbreak.rules", .evidence = "e" })));
	must(!keep_commit(k, now, false));
}

static void upstream(struct keep *k, struct span in)
{
	Earshot__Ack *ack = earshot__ack__unpack(NULL, in.len, in.p);
	uint8_t *raw;
	size_t len;

	if (!ack)
		return;
	one_alert(k);
	must(keep_batch(k, &raw, &len) == 1);
	free(raw);
	must(keep_ack(k, ack) >= 0);
	must(store_outbox(keep_store(k)) <= 1);
	earshot__ack__free_unpacked(ack, NULL);
}

static void status(void *ctx, ctl_answer_fn *answer, void *to)
{
	Earshot__StatusReply s = EARSHOT__STATUS_REPLY__INIT;

	(void)ctx;
	answer(to, &s);
}

/* As a monitor that takes its time, or has none. */
static int explain(void *ctx, uint32_t ticket, uint32_t pid, bool next)
{
	(void)ctx;
	(void)ticket;
	(void)next;
	return pid % 2 ? -EAGAIN : 0;
}

static int canary(void *ctx)
{
	(void)ctx;
	return -EAGAIN;
}

/* The loop has had its turns for accept, request and answer. */
static void stop_soon(void *ctx, uint64_t now_ns)
{
	static int turns;

	(void)now_ns;
	if (++turns % 4 == 0)
		loop_stop(ctx);
}

static void client(struct keep *k, struct span in)
{
	static uint8_t reply[CTL_MESSAGE_MAX];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct ctl_ops ops = { .status = status, .explain = explain, .canary = canary };
	struct ctl_server *s;
	struct loop *l;
	ssize_t n;

	one_alert(k);
	/* Bound to no name, the kernel gives one. */
	must(!bind(listener, (struct sockaddr *)&a, sizeof(a.sun_family)) && !listen(listener, 1) &&
	     !getsockname(listener, (struct sockaddr *)&a, &len) &&
	     !connect(fd, (struct sockaddr *)&a, len));
	must(!loop_new(&l) && !ctl_server_new(&s, l, listener, keep_store(k), &ops));
	must(send(fd, in.p, in.len, MSG_NOSIGNAL) == (ssize_t)in.len);
	must(!loop_every(l, 1, stop_soon, l) && !loop_run(l));
	while ((n = recv(fd, reply, sizeof(reply), 0)) > 0) {
		Earshot__CtlReply *r = earshot__ctl_reply__unpack(NULL, (size_t)n, reply);

		must(r);
		earshot__ctl_reply__free_unpacked(r, NULL);
	}
	close(fd);
	ctl_server_free(&s);
	loop_free(&l);
	close(listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct page page;
	static enum mode modes[KIND_MAX_];
	const struct keep_opts o = {
		.path = ":memory:", .host = "host", .modes = modes, .ship = true, .page = &page
	};
	struct span in = span_sub(span_of(data, size), 1, SIZE_MAX);
	struct keep *k;

	if (size < 2 || size > 100000)
		return 0;
	must(!keep_open(&k, &o, now));
	if (data[0] == 'f')
		inspector(k, in);
	else if (data[0] == 'c')
		client(k, in);
	else if (data[0] == 'a')
		upstream(k, in);
	keep_free(&k);
	return 0;
}
