/* tools/collector/server.c - an HTTPS server for a few known clients. */
#include "tools/collector/server.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "parse/http1.h"

#define NAME_MAX_LEN 256 /* method, path, type, client */
#define LINGER_NS    (500 * NS_PER_MS)
#define LINGER_READS 256

struct server {
	struct server_options o;
	SSL_CTX *tls;
	int fd;
	int stop_fd;
	char address[NI_MAXHOST + NI_MAXSERV + 4];
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned n_conns;
};

struct conn {
	struct server *s;
	int fd;
	SSL *tls;
	uint64_t until_ns; /* the deadline of what it does now */
	char client[NAME_MAX_LEN];
	/* The request being read. */
	char method[16], path[NAME_MAX_LEN], type[NAME_MAX_LEN];
	struct buf body;
	unsigned refuse; /* a status that its head or size has earned already; 0: none */
	bool reading;	 /* a request has begun */
	bool close;	 /* after this answer */
};

/* --- TLS over a non-blocking socket with a deadline */

/* What the last TLS call waits for. 0: try again; -EPIPE, -ETIMEDOUT, -ECANCELED. */
static int wait_tls(struct conn *c, int got)
{
	struct pollfd p[2] = { { .fd = c->fd }, { .fd = c->s->stop_fd, .events = POLLIN } };
	uint64_t now = mono_ns();

	switch (SSL_get_error(c->tls, got)) {
	case SSL_ERROR_WANT_READ:
		p[0].events = POLLIN;
		break;
	case SSL_ERROR_WANT_WRITE:
		p[0].events = POLLOUT;
		break;
	default:
		return -EPIPE;
	}
	if (now >= c->until_ns)
		return -ETIMEDOUT;
	/* When told to stop, an answer under way still gets out; nothing new is read. */
	if (poll(p, p[0].events == POLLIN ? 2 : 1, (int)((c->until_ns - now) / NS_PER_MS + 1)) <
		0 &&
	    errno != EINTR)
		return -errno;
	return p[1].revents ? -ECANCELED : 0;
}

static void allow_s(struct conn *c, unsigned seconds)
{
	c->until_ns = mono_ns() + seconds * NS_PER_SEC;
}

static int handshake(struct conn *c)
{
	int got, err = 0;

	allow_s(c, SERVER_REQUEST_S);
	while (!err && (ERR_clear_error(), got = SSL_accept(c->tls)) <= 0)
		err = wait_tls(c, got);
	return err;
}

/* Bytes read, 0 at the end, -errno. */
static ssize_t read_some(struct conn *c, void *p, size_t size)
{
	int got, err = 0;

	while (!err && (ERR_clear_error(), got = SSL_read(c->tls, p, (int)size)) <= 0) {
		if (SSL_get_error(c->tls, got) == SSL_ERROR_ZERO_RETURN)
			return 0;
		err = wait_tls(c, got);
	}
	return err ? err : got;
}

static int write_all(struct conn *c, struct span s)
{
	int got, err = 0;

	while (!err && s.len) {
		ERR_clear_error();
		got = SSL_write(c->tls, s.p, (int)s.len);
		if (got > 0)
			s = span_sub(s, (size_t)got, s.len);
		else
			err = wait_tls(c, got);
	}
	return err;
}

/* --- answers */

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "";
}

static void send_reply(struct conn *c, const struct server_reply *r)
{
	char head[512], retry[64] = "";

	if (r->retry_after_s)
		snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", r->retry_after_s);
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", r->status,
		 reason(r->status), r->type, r->body.len, retry,
		 c->close ? "Connection: close\r\n" : "");
	allow_s(c, SERVER_REQUEST_S);
	if (write_all(c, span_str(head)) || write_all(c, buf_span(&r->body)))
		c->close = true;
	allow_s(c, SERVER_IDLE_S);
}

static void refuse(struct conn *c, unsigned status)
{
	struct server_reply r = { .status = status, .type = "text/plain", .body = BUF(256) };

	c->close = true;
	buf_add(&r.body, span_str(reason(status)));
	buf_add(&r.body, SPAN_LIT("\n"));
	send_reply(c, &r);
	buf_free(&r.body);
}

/* --- requests, as the parser tells of them */

static void copy(char *out, size_t size, struct span s)
{
	snprintf(out, size, "%.*s", (int)MIN(s.len, size), (const char *)s.p);
}

static void on_head(void *ctx, const struct http1_head *h)
{
	struct conn *c = ctx;

	copy(c->method, sizeof(c->method), h->method);
	copy(c->path, sizeof(c->path), h->target);
	c->type[0] = 0;
	c->refuse = 0;
	c->reading = true;
	c->close = h->minor == 0;
	allow_s(c, SERVER_REQUEST_S);
}

static void on_field(void *ctx, struct span name, struct span value)
{
	struct conn *c = ctx;

	if (span_eq_nocase(name, SPAN_LIT("Content-Type")))
		copy(c->type, sizeof(c->type), value);
	else if (span_eq_nocase(name, SPAN_LIT("Connection")))
		c->close |= span_eq_nocase(value, SPAN_LIT("close"));
	else if (span_eq_nocase(name, SPAN_LIT("Content-Encoding")) &&
		 !span_eq_nocase(value, SPAN_LIT("identity")))
		c->refuse = 415;
	else if (span_eq_nocase(name, SPAN_LIT("Expect")))
		write_all(c, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void on_fields_end(void *ctx, bool ambiguous)
{
	struct conn *c = ctx;

	if (ambiguous)
		c->refuse = 400;
}

static void on_body(void *ctx, struct span data)
{
	struct conn *c = ctx;

	if (!c->refuse && buf_add(&c->body, data))
		c->refuse = 413;
}

static void on_end(void *ctx, enum http1_end how)
{
	struct conn *c = ctx;
	struct server_request q = { .client = c->client,
				    .method = c->method,
				    .path = c->path,
				    .type = c->type,
				    .body = buf_span(&c->body) };
	struct server_reply r = { .status = 500, .type = "text/plain", .body = BUF(SIZE_MAX / 2) };

	c->reading = false;
	if (how == HTTP1_BROKEN)
		refuse(c, 400);
	else if (how == HTTP1_COMPLETE && c->refuse)
		refuse(c, c->refuse);
	else if (how == HTTP1_COMPLETE) {
		c->s->o.fn(c->s->o.ctx, &q, &r);
		send_reply(c, &r);
	}
	buf_free(&r.body);
	buf_clear(&c->body);
}

static const struct http1_ops ops = {
	.head = on_head,
	.field = on_field,
	.fields_end = on_fields_end,
	.body = on_body,
	.end = on_end,
};

/* --- connections */

static void name_client(struct conn *c)
{
	X509 *x = SSL_get1_peer_certificate(c->tls);

	snprintf(c->client, sizeof(c->client), "?");
	if (x)
		X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, c->client,
					  sizeof(c->client));
	X509_free(x);
}

/* Ends our side, then reads what the client was still sending: closing at once would reset the
 * connection and take the answer with it.
 */
static void hang_up(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	uint64_t until = mono_ns() + LINGER_NS;
	uint8_t rest[4096];

	ERR_clear_error();
	if (SSL_is_init_finished(c->tls))
		SSL_shutdown(c->tls);
	shutdown(c->fd, SHUT_WR);
	for (size_t n = 0; n < LINGER_READS && mono_ns() < until; n++)
		if (poll(&p, 1, LINGER_NS / NS_PER_MS) <= 0 ||
		    recv(c->fd, rest, sizeof(rest), 0) <= 0)
			break;
}

static void serve(struct conn *c)
{
	auto_free(http1) struct http1 *parser = NULL;
	uint8_t piece[16 << 10];
	ssize_t n;

	if (handshake(c) || http1_new(&parser, true, &ops, c))
		c->close = true; /* the alert that says why must get through */
	else
		name_client(c);
	allow_s(c, SERVER_IDLE_S);
	while (!c->close || c->reading) {
		n = read_some(c, piece, sizeof(piece));
		if (n <= 0)
			break;
		if (http1_feed(parser, span_of(piece, (size_t)n))) {
			if (!c->close)
				refuse(c, 400);
			break;
		}
		/* What comes after an oversized body is not worth the wait for its end. */
		if (c->reading && c->refuse) {
			refuse(c, c->refuse);
			break;
		}
	}
	hang_up(c);
}

static void *conn_main(void *p)
{
	struct conn *c = p;
	struct server *s = c->s;

	serve(c);
	SSL_free(c->tls);
	own_close(&c->fd);
	buf_free(&c->body);
	free(c);
	pthread_mutex_lock(&s->lock);
	s->n_conns--;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static struct conn *conn_new(struct server *s, int *fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->s = s;
	c->body = BUF(SERVER_BODY_MAX);
	c->tls = SSL_new(s->tls);
	if (!c->tls || !SSL_set_fd(c->tls, *fd)) {
		SSL_free(c->tls);
		free(c);
		return NULL;
	}
	c->fd = steal_fd(fd);
	return c;
}

static void accept_one(struct server *s)
{
	auto_close int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	pthread_attr_t detached;
	struct conn *c;
	pthread_t t;
	bool full;

	if (fd < 0)
		return;
	pthread_mutex_lock(&s->lock);
	full = s->n_conns >= SERVER_CONNS_MAX;
	s->n_conns += !full;
	pthread_mutex_unlock(&s->lock);
	if (full) {
		log_warn("more than %d connections: one is turned away", SERVER_CONNS_MAX);
		return;
	}
	c = conn_new(s, &fd);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (!c || pthread_create(&t, &detached, conn_main, c)) {
		log_warn("out of memory: a connection is turned away");
		if (c) {
			SSL_free(c->tls);
			own_close(&c->fd);
			free(c);
		}
		pthread_mutex_lock(&s->lock);
		s->n_conns--;
		pthread_mutex_unlock(&s->lock);
	}
	pthread_attr_destroy(&detached);
}

int server_run(struct server *s, int stop_fd)
{
	struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN },
			       { .fd = stop_fd, .events = POLLIN } };
	int err = 0;

	s->stop_fd = stop_fd;
	while (!err && !p[1].revents) {
		if (poll(p, 2, -1) < 0)
			err = errno == EINTR ? 0 : -errno;
		else if (p[0].revents)
			accept_one(s);
	}
	own_close(&s->fd);
	pthread_mutex_lock(&s->lock);
	while (s->n_conns)
		pthread_cond_wait(&s->ended, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* --- setting up */

static int pick_http1(SSL *tls, const unsigned char **out, unsigned char *out_len,
		      const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char http1[] = "\x08http/1.1";

	(void)tls;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, out_len, http1, sizeof(http1) - 1, in,
				     in_len) == OPENSSL_NPN_NEGOTIATED
		   ? SSL_TLSEXT_ERR_OK
		   : SSL_TLSEXT_ERR_NOACK;
}

static int set_up_tls(struct server *s, char *why)
{
	const struct server_options *o = &s->o;
	const char *culprit = NULL;

	s->tls = SSL_CTX_new(TLS_server_method());
	if (!s->tls)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	SSL_CTX_set_options(s->tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(s->tls,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(s->tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(s->tls, (const unsigned char *)"earshot", 7);
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_alpn_select_cb(s->tls, pick_http1, NULL);
	if (SSL_CTX_use_certificate_chain_file(s->tls, o->cert) != 1)
		culprit = o->cert;
	else if (SSL_CTX_use_PrivateKey_file(s->tls, o->key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(s->tls) != 1)
		culprit = o->key;
	else if (SSL_CTX_load_verify_file(s->tls, o->client_ca) != 1)
		culprit = o->client_ca;
	if (culprit) {
		const char *text = ERR_reason_error_string(ERR_peek_error());

		snprintf(why, 256, "%s: %s", culprit, text ? text : "cannot be read");
		return -EINVAL;
	}
	SSL_CTX_set_client_CA_list(s->tls, SSL_load_client_CA_file(o->client_ca));
	return 0;
}

static int bind_to(struct server *s, const struct addrinfo *a)
{
	auto_close int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, SERVER_CONNS_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -errno;
	if (getnameinfo((struct sockaddr *)&at, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -EINVAL;
	snprintf(s->address, sizeof(s->address), a->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
		 host, port);
	s->fd = steal_fd(&fd);
	return 0;
}

static int set_up_socket(struct server *s, char *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	auto_mem char *host = strdup(s->o.listen);
	struct addrinfo *a = NULL;
	char *port, *name = host;
	int err = -EINVAL;

	if (!host)
		return -ENOMEM;
	port = strrchr(host, ':');
	if (port) {
		*port++ = 0;
		if (*host == '[' && port[-2] == ']') {
			port[-2] = 0;
			name++;
		}
	}
	if (port && !getaddrinfo(*name ? name : NULL, port, &hints, &a)) {
		err = bind_to(s, a);
		freeaddrinfo(a);
	}
	if (err)
		snprintf(why, 256, "cannot listen on %s: %s", s->o.listen,
			 err == -EINVAL ? "want ADDRESS:PORT, numbers only" : strerror(-err));
	return err;
}

int server_new(struct server **ret, const struct server_options *o, char *why)
{
	auto_free(server) struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->ended, NULL);
	err = set_up_tls(s, why);
	if (!err)
		err = set_up_socket(s, why);
	if (err)
		return err;
	*ret = steal(s);
	return 0;
}

void server_free(struct server **s)
{
	if (!*s)
		return;
	SSL_CTX_free((*s)->tls);
	own_close(&(*s)->fd);
	pthread_cond_destroy(&(*s)->ended);
	pthread_mutex_destroy(&(*s)->lock);
	free(*s);
	*s = NULL;
}

const char *server_address(const struct server *s)
{
	return s->address;
}
