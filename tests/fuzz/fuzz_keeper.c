/* tests/fuzz/fuzz_keeper.c - everything that others say to the keeper. The first byte says who
 * speaks: f, an inspector: messages, each after its length in two bytes (big endian); c, a client
 * of the control socket: one request; a, upstream: an Ack. Whatever it was, the store commits, its
 * chain holds, and every batch proves itself. Making a store takes longer than most of what is said
 * to it, so that some inputs share one.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/own.h"
#include "ctl/server.h"
#include "keeper.h"
#include "store/keep.h"

#define SEC UINT64_C(1000000000)
/* inputs of one store */
#define SHARED 64
/* revisions looked at again behind each input; all of them, when the store is left */
#define VERIFIED 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static const struct keep_time now = { 1000 * SEC, 1700000000 * SEC };

static struct keep *keep;
static struct chain shipped; /* up to what upstream has said that it has */
static sqlite3 *db;	     /* of the store */
static int listener;	     /* of the control socket */

/* Whose messages those before were, and what more could be merged into: as after very many others.
 */
static const char *const forgotten[] = { "DELETE FROM epoch", "DELETE FROM turn",
					 "DELETE FROM merge_key" };
static sqlite3_stmt *forgets[ARRAY_SIZE(forgotten)];

/* 1: a batch, that proves itself behind what was shipped; *ret: up to where. */
static int next_batch(struct chain *ret)
{
	Earshot__Batch *b;
	uint8_t *raw;
	size_t len;
	int n = keep_batch(keep, &raw, &len);

	must(n >= 0);
	if (!n)
		return 0;
	b = earshot__batch__unpack(NULL, len, raw);
	must(b && len <= KEEP_BATCH_MAX && b->n_revisions);
	*ret = shipped;
	for (size_t i = 0; i < b->n_revisions; i++)
		must(!chain_verify(ret, b->revisions[i]));
	earshot__batch__free_unpacked(b, NULL);
	free(raw);
	return 1;
}

static void prove(void)
{
	Earshot__Ack ack = EARSHOT__ACK__INIT;
	struct chain c;

	must(!store_verify(keep_store(keep), VERIFIED));
	while (next_batch(&c)) {
		ack.through = c.sequence;
		must(keep_ack(keep, &ack) == 1);
		shipped = c;
	}
	must(shipped.sequence == store_chain(keep_store(keep))->sequence);
}

static void inspector(struct span in)
{
	while (in.len >= 2) {
		size_t len = (size_t)in.p[0] << 8 | in.p[1];
		struct span m = span_sub(in, 2, len);

		in = span_sub(in, 2 + m.len, SIZE_MAX);
		if (keep_take(keep, m) == -EAGAIN)
			must(keep_commit(keep, now, false) >= 0);
	}
	must(keep_commit(keep, now, true) >= 0);
}

static void one_alert(void)
{
	static struct said room;

	must(!keep_take(
	    keep,
	    say(&room, &(struct say){
			   .epoch = 1, .number = 1, .kind = "jailbreak.rules", .evidence = "e" })));
	must(!keep_commit(keep, now, false));
}

static void upstream(struct span in)
{
	Earshot__Ack *ack = earshot__ack__unpack(NULL, in.len, in.p);
	struct chain c;
	int n;

	if (!ack)
		return;
	one_alert();
	must(next_batch(&c) == 1);
	n = keep_ack(keep, ack);
	must(n >= 0 && store_outbox(keep_store(keep)) == !n);
	if (n)
		shipped = c;
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

static void client(struct span in)
{
	static uint8_t reply[CTL_MESSAGE_MAX];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct ctl_ops ops = { .status = status, .explain = explain, .canary = canary };
	struct ctl_server *s;
	struct loop *l;
	ssize_t n;

	one_alert();
	must(!getsockname(listener, (struct sockaddr *)&a, &len) &&
	     !connect(fd, (struct sockaddr *)&a, len));
	must(!loop_new(&l) && !ctl_server_new(&s, l, listener, keep_store(keep), &ops));
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
}

static int opened(sqlite3 *d, char **error, const struct sqlite3_api_routines *api)
{
	(void)error;
	(void)api;
	db = d;
	return SQLITE_OK;
}

static void leave(void)
{
	must(!store_verify(keep_store(keep), UINT64_MAX));
	for (size_t i = 0; i < ARRAY_SIZE(forgets); i++)
		sqlite3_finalize(forgets[i]);
	close(listener);
	keep_free(&keep);
}

static void begin(void)
{
	static struct page page;
	static enum mode modes[KIND_MAX_];
	const struct keep_opts o = {
		.path = ":memory:", .host = "host", .modes = modes, .ship = true, .page = &page
	};
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	must(!sqlite3_auto_extension((void (*)(void))opened));
	must(!keep_open(&keep, &o, now));
	for (size_t i = 0; i < ARRAY_SIZE(forgets); i++)
		must(!sqlite3_prepare_v2(db, forgotten[i], -1, &forgets[i], NULL));
	chain_begin(&shipped, store_chain(keep_store(keep))->store);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* Bound to no name, the kernel gives one. */
	must(!bind(listener, (struct sockaddr *)&a, sizeof(a.sun_family)) && !listen(listener, 1));
}

static void forget(void)
{
	keep_new_sender(keep);
	for (size_t i = 0; i < ARRAY_SIZE(forgets); i++)
		must(sqlite3_step(forgets[i]) == SQLITE_DONE && !sqlite3_reset(forgets[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned n;
	struct span in = span_sub(span_of(data, size), 1, SIZE_MAX);

	if (size < 2 || size > 100000)
		return 0;
	if (keep && ++n % SHARED == 0)
		leave();
	if (keep)
		forget();
	else
		begin();
	if (data[0] == 'f')
		inspector(in);
	else if (data[0] == 'c')
		client(in);
	else if (data[0] == 'a')
		upstream(in);
	prove();
	return 0;
}
