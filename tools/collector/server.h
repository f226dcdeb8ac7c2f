/* tools/collector/server.h - an HTTPS server for a few known clients: TLS 1.2 or newer, client
 * certificates or nothing. A thread per connection, capped; OpenSSL and the sensor's own HTTP/1.1
 * parser, since both are here already and a server library would bring a second TLS implementation.
 * Clients are not trusted for having a certificate: time, size and number of everything are capped.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

#define SERVER_CONNS_MAX 64
#define SERVER_BODY_MAX	 (256 << 10) /* of a request */
#define SERVER_REQUEST_S 20	     /* to send a whole request, and to take the answer */
#define SERVER_IDLE_S	 120	     /* between requests */

struct server_request {
	const char *client;		  /* common name of its certificate; hostile text */
	const char *method, *path, *type; /* type: of the body, "" when not said */
	struct span body;
};

struct server_reply {
	unsigned status;
	const char *type;
	unsigned retry_after_s; /* 0: not sent */
	struct buf body;	/* capped; freed by the server */
};

/* Answers one request. Called by several threads at once. */
typedef void server_fn(void *ctx, const struct server_request *q, struct server_reply *ret);

struct server;

struct server_options {
	const char *listen;		    /* ADDR:PORT, [ADDR]:PORT; port 0: any free one */
	const char *cert, *key, *client_ca; /* PEM files */
	server_fn *fn;
	void *ctx;
};

/* Binds and listens. -EINVAL, -errno; why (256 bytes) says what is wrong. */
int server_new(struct server **ret, const struct server_options *o, char *why);
void server_free(struct server **s);
/* "127.0.0.1:8443": where it really listens. */
const char *server_address(const struct server *s);
/* Serves until stop_fd becomes readable, then lets answers under way finish. 0 or -errno. */
int server_run(struct server *s, int stop_fd);
