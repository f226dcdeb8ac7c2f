/* user/export/main_shipper.c - earshot-shipper, the role that talks to upstream.
 * Takes one batch at a time from the keeper, has an exporter deliver it and answers with upstream's
 * Ack. Holds nothing that the keeper does not have in its outbox: when in trouble it ends, and its
 * successor gets the batch again.
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/own.h"
#include "export/delivery.h"
#include "export/export.h"
#include "proc/req.h"
#include "proc/sandbox.h"

#define TICK_NS	      NS_PER_SEC       /* heartbeat; retries are due to the tick */
#define STOP_GRACE_NS (5 * NS_PER_SEC) /* for the attempt under way when told to stop */

struct shipper {
	struct role_ctx role;
	struct loop *loop;
	struct peer monitor, keeper;
	const struct exporter *exporter;
	void *export;
	struct delivery *delivery;
	struct buf piece;
	bool sending;
	uint64_t stop_by_ns; /* 0: not told to stop */
	int exit_code;
};

static void end(struct shipper *s, int exit_code)
{
	s->exit_code = exit_code;
	loop_stop(s->loop);
}

static void drop_batch(struct shipper *s)
{
	s->exporter->cancel(s->export);
	s->sending = false;
	delivery_drop(s->delivery);
}

static void drop_keeper(struct shipper *s)
{
	loop_del(s->loop, s->keeper.fd);
	own_close(&s->keeper.fd);
	drop_batch(s);
}

/* A keeper that cannot take a message of ours is gone or stuck; both end in a new socket. */
static void tell_keeper(struct shipper *s, enum req type, const void *body, size_t len)
{
	int err = s->keeper.fd < 0 ? 0 : req_send(s->keeper.fd, type, body, len, NULL, 0);

	if (err == -EPIPE) {
		drop_keeper(s);
	} else if (err) {
		log_error("cannot answer the keeper: %s", strerror(-err));
		end(s, 1);
	}
}

static void send_ack(struct shipper *s, const Earshot__Ack *ack)
{
	size_t len = earshot__ack__get_packed_size(ack);
	auto_mem uint8_t *packed = malloc(len);

	if (!packed) {
		log_error("out of memory");
		end(s, 1);
		return;
	}
	earshot__ack__pack(ack, packed);
	page_add(s->role.page, CTR_SHIP_BATCHES, 1);
	page_add(s->role.page, CTR_SHIP_REVISIONS, delivery_stored(s->delivery));
	page_add(s->role.page, CTR_SHIP_REJECTED, ack->n_rejected);
	tell_keeper(s, REQ_SHIPPED, packed, len);
}

static uint64_t fresh_random(void)
{
	uint64_t r = 0;

	/* Only spreads retries: a failure costs nothing. */
	(void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
	return r;
}

/* Makes the next attempt when there is one to make and its time has come. */
static void go_on(struct shipper *s)
{
	int err;

	if (s->sending || s->stop_by_ns || !delivery_busy(s->delivery) ||
	    delivery_due_ns(s->delivery) > mono_ns())
		return;
	err = delivery_next(s->delivery, &s->piece);
	if (!err)
		err = s->exporter->send(s->export, buf_span(&s->piece));
	if (err) {
		log_error("cannot send a batch: %s", strerror(-err));
		end(s, 1);
		return;
	}
	s->sending = true;
}

static void on_done(void *ctx, const struct export_result *r)
{
	struct shipper *s = ctx;
	const char *trouble;
	int done;

	s->sending = false;
	done = delivery_result(s->delivery, r, mono_ns(), fresh_random());
	trouble = delivery_trouble(s->delivery);
	if (*trouble)
		page_add(s->role.page, CTR_SHIP_RETRIES, 1);
	tell_keeper(s, REQ_UPSTREAM, trouble, strlen(trouble));
	if (done)
		send_ack(s, delivery_ack(s->delivery));
	if (s->stop_by_ns)
		end(s, s->exit_code);
	else
		go_on(s);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct shipper *s = ctx;

	__atomic_store_n(&s->role.page->heartbeat_ns, now_ns, __ATOMIC_RELAXED);
	if (s->stop_by_ns && now_ns >= s->stop_by_ns)
		end(s, s->exit_code);
	go_on(s);
}

/* --- requests */

static void on_keeper(void *ctx, uint32_t events);

static int on_batch(struct peer *p, const struct req_msg *m)
{
	struct shipper *s = p->ctx;
	int err = delivery_begin(s->delivery, span_of(m->body, m->len));

	/* Two batches at once are as wrong as a broken one. */
	if (err == -EBUSY)
		err = -EBADMSG;
	if (!err)
		go_on(s);
	return err;
}

static int on_peer(struct peer *p, const struct req_msg *m)
{
	struct shipper *s = p->ctx;
	uint32_t role;

	memcpy(&role, m->body, sizeof(role));
	if (role != ROLE_KEEPER || m->n_fds != 1)
		return -EBADMSG;
	drop_keeper(s);
	s->keeper.fd = steal_fd(&m->fds[0]);
	return loop_add(s->loop, s->keeper.fd, EPOLLIN, on_keeper, s);
}

static int on_stop(struct peer *p, const struct req_msg *m)
{
	struct shipper *s = p->ctx;

	(void)m;
	s->stop_by_ns = mono_ns() + STOP_GRACE_NS;
	if (!s->sending)
		end(s, 0);
	return 0;
}

static const struct req_row reqs[REQ_MAX_] = {
	[REQ_BATCH] = { ROLE_KEEPER, 1, DELIVERY_BATCH_MAX, on_batch },
	[REQ_PEER] = { ROLE_MONITOR, sizeof(uint32_t), sizeof(uint32_t), on_peer },
	[REQ_STOP] = { ROLE_MONITOR, 0, 0, on_stop },
};

static void on_monitor(void *ctx, uint32_t events)
{
	struct shipper *s = ctx;
	int err = req_recv(&s->monitor);

	(void)events;
	if (err >= 0)
		return;
	if (err != -EPIPE)
		log_error("bad message from the monitor: %s", strerror(-err));
	end(s, err == -EPIPE ? 0 : 1);
}

static void on_keeper(void *ctx, uint32_t events)
{
	struct shipper *s = ctx;
	int err = req_recv(&s->keeper);

	(void)events;
	if (err >= 0)
		return;
	if (err == -EPIPE) { /* the monitor brings the socket of the next one */
		drop_keeper(s);
		return;
	}
	log_error("bad message from the keeper: %s", strerror(-err));
	end(s, 1);
}

static int open_export(struct shipper *s)
{
	const struct config *c = s->role.config;
	struct export_env env = {
		.config = &c->export[0],
		.ca = s->role.fds[START_CA],
		.cert = s->role.fds[START_CERT],
		.key = s->role.fds[START_KEY],
		.loop = s->loop,
		.done = on_done,
		.ctx = s,
	};
	int err;

	if (!c->n_exports) {
		log_error("no export is configured");
		return -EINVAL;
	}
	s->exporter = exporters[env.config->type];
	err = s->exporter->open(&s->export, &env);
	for (enum start_fd f = START_CA; f <= START_KEY; f++)
		own_close(&s->role.fds[f]);
	return err;
}

static int set_up(struct shipper *s)
{
	int err = loop_new(&s->loop);

	if (!err)
		err = delivery_new(&s->delivery);
	if (!err)
		err = open_export(s);
	if (!err)
		err = loop_add(s->loop, s->monitor.fd, EPOLLIN, on_monitor, s);
	if (!err && s->keeper.fd >= 0)
		err = loop_add(s->loop, s->keeper.fd, EPOLLIN, on_keeper, s);
	if (!err)
		err = loop_every(s->loop, TICK_NS, on_tick, s);
	if (!err)
		err = sandbox_enter(ROLE_SHIPPER, -1, NULL);
	if (!err)
		err = req_send(s->monitor.fd, REQ_READY, NULL, 0, NULL, 0);
	return err;
}

int main(void)
{
	static struct shipper s = { .piece = { .max = DELIVERY_BATCH_MAX } };
	int err;

	role_begin(ROLE_SHIPPER, &s.role);
	s.monitor = (struct peer){ ROLE_SOCKET, ROLE_MONITOR, reqs, &s };
	s.keeper = (struct peer){ s.role.fds[START_KEEPER], ROLE_KEEPER, reqs, &s };
	/* Reads openssl.cnf and loads error texts while files are still within reach. */
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);
	err = set_up(&s);
	if (err) {
		log_error("cannot start: %s", strerror(-err));
		return 1;
	}
	err = loop_run(s.loop);
	if (err)
		log_error("event loop: %s", strerror(-err));
	s.exporter->close(&s.export);
	delivery_free(&s.delivery);
	buf_free(&s.piece);
	loop_free(&s.loop);
	own_close(&s.keeper.fd);
	return err ? 1 : s.exit_code;
}
