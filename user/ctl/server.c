/* user/ctl/server.c - the control socket's end in the keeper. */
#include "ctl/server.h"

#include <ctype.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"

struct out {
	struct out *next;
	size_t len;
	uint8_t bytes[];
};

struct client {
	struct ctl_server *server;
	int fd;			   /* -1: free */
	struct out *first, **last; /* packed replies that wait for the socket */
	size_t n_bytes;		   /* in them */
	int64_t *rows;		   /* alerts still to be answered: rows[at..n_rows) */
	size_t at, n_rows;
	bool follows, follows_hunt;
	bool explains, explains_all;
	uint32_t explain_pid; /* all: explained so far */
	bool ending;	      /* close when everything is out */
	uint64_t dropped;     /* revisions since the last one queued */
};

struct ctl_server {
	struct loop *loop;
	struct store *store;
	struct ctl_ops ops;
	int fd;
	struct client clients[CTL_CLIENTS_MAX];
	struct client *asked; /* for whom an explanation is under way; NULL: none is */
	uint32_t ticket;      /* of it */
	uint64_t asked_ns;
};

static void drop(struct client *c)
{
	if (c->fd < 0)
		return;
	if (c->server->asked == c)
		c->server->asked = NULL;
	loop_del(c->server->loop, c->fd);
	own_close(&c->fd);
	while (c->first) {
		struct out *o = c->first;

		c->first = o->next;
		free(o);
	}
	free(c->rows);
	*c = (struct client){ .server = c->server, .fd = -1 };
}

/* 0; -EAGAIN; -EPIPE */
static int send_one(int fd, struct span s)
{
	struct iovec iov = { (void *)s.p, s.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS)
			return -EAGAIN;
		if (errno != EINTR)
			return -EPIPE;
	}
	return 0;
}

/* 0; -E2BIG: no room, nothing queued; -ENOMEM. */
static int queue(struct client *c, Earshot__CtlReply *r)
{
	size_t len = earshot__ctl_reply__get_packed_size(r);
	struct out *o;

	if (len > CTL_MESSAGE_MAX || c->n_bytes + len > CTL_OUT_MAX)
		return -E2BIG;
	o = malloc(sizeof(*o) + len);
	if (!o)
		return -ENOMEM;
	o->next = NULL;
	o->len = earshot__ctl_reply__pack(r, o->bytes);
	if (!c->first)
		c->last = &c->first;
	*c->last = o;
	c->last = &o->next;
	c->n_bytes += len;
	return 0;
}

static void queue_error(struct client *c, const char *why)
{
	Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

	r.error = (char *)why;
	r.last = true;
	queue(c, &r);
}

static void queue_last(struct client *c)
{
	Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

	r.last = true;
	queue(c, &r);
}

/* Puts the next alert of a list into the output. A row that is gone or damaged by now is left out.
 */
static void next_row(struct client *c)
{
	struct stored_alert a;

	if (store_alert_get(c->server->store, c->rows[c->at++], &a) == 1) {
		Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

		r.body_case = EARSHOT__CTL_REPLY__BODY_ALERT;
		r.alert = a.alert;
		queue(c, &r);
	}
	stored_alert_free(&a);
	if (c->at == c->n_rows)
		queue_last(c);
}

/* Asks for the next explanation that somebody waits for and has room for. One at a time, so that
 * the monitor is never flooded; a client's next one when its last is out. */
static void explain_next(struct ctl_server *s)
{
	for (size_t i = 0; i < CTL_CLIENTS_MAX && !s->asked; i++) {
		struct client *c = &s->clients[(s->ticket + i) % CTL_CLIENTS_MAX];

		if (c->fd < 0 || !c->explains || c->first)
			continue;
		if (s->ops.explain(s->ops.ctx, ++s->ticket, c->explain_pid, c->explains_all)) {
			c->explains = false;
			queue_error(c, "the monitor cannot be asked");
			loop_mod(s->loop, c->fd, EPOLLOUT);
			continue;
		}
		s->asked = c;
		s->asked_ns = mono_ns();
	}
}

/* Sends what there is to send; drops the client when it is gone or done. */
static void pump(struct client *c)
{
	int err = 0;

	while (!err && (c->first || c->at < c->n_rows || c->dropped)) {
		struct out *o = c->first;

		if (!o && c->at < c->n_rows) {
			next_row(c);
			continue;
		}
		if (!o) {
			Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

			r.dropped = c->dropped;
			err = queue(c, &r);
			c->dropped = 0;
			continue;
		}
		err = send_one(c->fd, span_of(o->bytes, o->len));
		if (!err) {
			c->first = o->next;
			c->n_bytes -= o->len;
			free(o);
		}
	}
	if (err == -EPIPE || (!err && c->ending)) {
		drop(c);
		return;
	}
	/* One request at a time: the next is read when this one's answer is out. */
	loop_mod(c->server->loop, c->fd, err ? EPOLLOUT : EPOLLIN);
}

/* --- requests */

static void answer_status(void *to, const Earshot__StatusReply *status)
{
	Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

	r.last = true;
	r.body_case = EARSHOT__CTL_REPLY__BODY_STATUS;
	r.status = (Earshot__StatusReply *)status;
	if (queue(to, &r))
		queue_error(to, "status does not fit");
}

static void on_alerts(struct client *c, const Earshot__AlertsQuery *q)
{
	struct store_query query = {
		.limit = q->limit ? MIN(q->limit, (uint32_t)CTL_ROWS_MAX) : CTL_ROWS_DEFAULT,
		.since_ns = MIN(q->since_ns, (uint64_t)INT64_MAX),
		.min_severity = q->min_severity,
		.kind = q->kind,
		.hunt = q->hunt,
	};
	int64_t *rows = malloc(CTL_ROWS_MAX * sizeof(*rows));
	ssize_t n =
	    rows ? store_alerts_find(c->server->store, &query, rows, CTL_ROWS_MAX) : -ENOMEM;

	if (n <= 0) {
		free(rows);
		if (n < 0)
			queue_error(c, "the store cannot be read");
		else
			queue_last(c);
		return;
	}
	free(c->rows);
	c->rows = rows;
	c->n_rows = (size_t)n;
	c->at = 0;
}

static void on_alert(struct client *c, const Earshot__AlertQuery *q)
{
	size_t len = strlen(q->id), n_hex = 0;
	struct stored_alert a;
	int found;

	while (isxdigit((unsigned char)q->id[n_hex]))
		n_hex++;
	if (len != n_hex || len < CTL_ID_MIN || len > 2 * MERGE_ID_LEN) {
		queue_error(c, "an alert is named by the first 4 to 32 hex digits of its id");
		return;
	}
	found = store_alert_by_id(c->server->store, q->id, &a);
	if (found == 1) {
		Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

		r.last = true;
		r.body_case = EARSHOT__CTL_REPLY__BODY_ALERT;
		r.alert = a.alert;
		queue(c, &r);
	} else {
		queue_error(c, found == -EEXIST ? "several alerts begin so: give more digits"
			       : found		? "the store cannot be read"
						: "no such alert");
	}
	stored_alert_free(&a);
}

/* 0 or -EBADMSG */
static int on_request(struct client *c, struct span msg)
{
	Earshot__CtlRequest *q = earshot__ctl_request__unpack(NULL, msg.len, msg.p);
	int err = 0;

	if (!q)
		return -EBADMSG;
	if (c->follows || c->explains) {
		err = -EBADMSG; /* who follows has nothing more to say, who waits not yet */
	} else {
		switch (q->verb_case) {
		case EARSHOT__CTL_REQUEST__VERB_STATUS:
			/* Should it fail, the age will tell. */
			if (q->status->canary)
				c->server->ops.canary(c->server->ops.ctx);
			c->server->ops.status(c->server->ops.ctx, answer_status, c);
			break;
		case EARSHOT__CTL_REQUEST__VERB_ALERTS:
			on_alerts(c, q->alerts);
			break;
		case EARSHOT__CTL_REQUEST__VERB_ALERT:
			on_alert(c, q->alert);
			break;
		case EARSHOT__CTL_REQUEST__VERB_TAIL:
			c->follows = true;
			c->follows_hunt = q->tail->hunt;
			break;
		case EARSHOT__CTL_REQUEST__VERB_EXPLAIN:
			c->explains = true;
			c->explains_all = !q->explain->pid;
			c->explain_pid = q->explain->pid;
			break;
		default:
			queue_error(c, "unknown request");
		}
	}
	earshot__ctl_request__free_unpacked(q, NULL);
	return err;
}

static void serve(struct client *c, uint32_t events)
{
	uint8_t room[CTL_REQUEST_MAX];
	struct iovec iov = { room, sizeof(room) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (!(events & EPOLLIN)) {
		if (events & EPOLLOUT)
			pump(c);
		else
			drop(c);
		return;
	}
	n = recvmsg(c->fd, &m, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	if ((m.msg_flags & MSG_TRUNC) || on_request(c, span_of(room, (size_t)n))) {
		queue_error(c, "malformed request");
		c->ending = true;
	}
	pump(c);
}

static void on_client(void *ctx, uint32_t events)
{
	struct client *c = ctx;
	struct ctl_server *s = c->server;

	serve(c, events);
	explain_next(s);
}

static void on_listen(void *ctx, uint32_t events)
{
	struct ctl_server *s = ctx;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);
	struct client *c = NULL;

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX && !c; i++)
		if (s->clients[i].fd < 0)
			c = &s->clients[i];
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
	    loop_add(s->loop, fd, EPOLLIN, on_client, c)) {
		close(fd);
		return;
	}
	log_debug("control connection from uid %u, pid %d", who.uid, who.pid);
	*c = (struct client){ .server = s, .fd = fd };
}

void ctl_server_explained(struct ctl_server *s, uint32_t ticket, uint32_t pid,
			  const Earshot__ExplainReply *e)
{
	Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;
	struct client *c = s->asked;

	if (!c || ticket != s->ticket)
		return; /* who asked is gone, or was told to wait no longer */
	s->asked = NULL;
	c->explain_pid = pid;
	r.last = !c->explains_all || !pid;
	c->explains = !r.last;
	if (pid && *e->state) {
		r.body_case = EARSHOT__CTL_REPLY__BODY_EXPLAINED;
		r.explained = (Earshot__ExplainReply *)e;
	}
	if ((r.last || r.explained) && queue(c, &r))
		queue_error(c, "an explanation does not fit");
	pump(c);
	explain_next(s);
}

/* A monitor that is busy or gone answers late or never. */
static void give_up(void *ctx, uint64_t now_ns)
{
	struct ctl_server *s = ctx;
	struct client *c = s->asked;

	if (!c || now_ns - s->asked_ns < CTL_EXPLAIN_NS)
		return;
	s->asked = NULL;
	c->explains = false;
	queue_error(c, "the monitor does not answer");
	pump(c);
	explain_next(s);
}

int ctl_server_new(struct ctl_server **ret, struct loop *l, int fd, struct store *store,
		   const struct ctl_ops *ops)
{
	auto_free(ctl_server) struct ctl_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->store = store;
	s->ops = *ops;
	s->fd = -1;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		s->clients[i] = (struct client){ .server = s, .fd = -1 };
	err = loop_add(l, fd, EPOLLIN, on_listen, s);
	if (!err)
		err = loop_every(l, NS_PER_SEC, give_up, s);
	if (err)
		return err;
	s->fd = fd;
	*ret = steal(s);
	return 0;
}

void ctl_server_free(struct ctl_server **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		drop(&(*s)->clients[i]);
	loop_del((*s)->loop, (*s)->fd);
	free(*s);
	*s = NULL;
}

void ctl_server_publish(struct ctl_server *s, const Earshot__Body *body)
{
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		Earshot__CtlReply r = EARSHOT__CTL_REPLY__INIT;

		if (c->fd < 0 || !c->follows ||
		    (body->alert->mode != EARSHOT__MODE__MODE_ALERT && !c->follows_hunt))
			continue;
		r.dropped = c->dropped;
		r.body_case = EARSHOT__CTL_REPLY__BODY_REVISION;
		r.revision = (Earshot__Body *)body;
		if (queue(c, &r)) {
			c->dropped++;
			continue;
		}
		c->dropped = 0;
		pump(c);
	}
}
