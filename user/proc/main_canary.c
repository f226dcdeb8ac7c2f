/* user/proc/main_canary.c - the canary: when asked, a tiny AI call over TLS between two ends in its
 * own memory, by the OpenSSL of this host, for the sensor to see. The one process of the sensor
 * that is captured. Holds nothing and reaches nothing.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "dialect/canary.h"
#include "proc/req.h"
#include "proc/sandbox.h"

#define BEAT_MS	      1000
#define HANDSHAKE_MAX 8 /* rounds; TLS 1.2 takes three */
#define REQUEST_BODY                                                                               \
	"{\"model\":\"" CANARY_MODEL                                                               \
	"\",\"messages\":[{\"role\":\"user\",\"content\":\"" CANARY_ASK "\"}]}"
#define RESPONSE_BODY                                                                              \
	"{\"id\":\"canary\",\"object\":\"chat.completion\",\"model\":\"" CANARY_MODEL              \
	"\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"            \
	"\"" CANARY_SAY "\"},\"finish_reason\":\"stop\"}]}"

struct ends {
	SSL_CTX *ctx;
	SSL *client, *server;
};

/* The key is no secret: nothing else ever hears of it. */
static unsigned client_key(SSL *s, const char *hint, char *id, unsigned id_max, unsigned char *key,
			   unsigned key_max)
{
	(void)s;
	(void)hint;
	if (id_max < 2 || key_max < 16)
		return 0;
	strcpy(id, "c");
	memset(key, 'k', 16);
	return 16;
}

static unsigned server_key(SSL *s, const char *id, unsigned char *key, unsigned key_max)
{
	(void)s;
	(void)id;
	if (key_max < 16)
		return 0;
	memset(key, 'k', 16);
	return 16;
}

/* A key that both have: no certificate, no arithmetic to speak of. */
static SSL_CTX *make_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_client_callback(ctx, client_key);
	SSL_CTX_set_psk_server_callback(ctx, server_key);
	if (SSL_CTX_set_cipher_list(ctx, "PSK-AES128-GCM-SHA256"))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static bool join(struct ends *e)
{
	BIO *a = NULL, *b = NULL;

	e->client = SSL_new(e->ctx);
	e->server = SSL_new(e->ctx);
	if (!e->client || !e->server || !BIO_new_bio_pair(&a, 0, &b, 0))
		return false;
	SSL_set_bio(e->client, a, a);
	SSL_set_bio(e->server, b, b);
	SSL_set_connect_state(e->client);
	SSL_set_accept_state(e->server);
	for (int i = 0; i < HANDSHAKE_MAX; i++)
		if (SSL_do_handshake(e->client) + SSL_do_handshake(e->server) == 2)
			return true;
	return false;
}

/* One end writes, the other reads it all. */
static bool carry(SSL *from, SSL *to, const char *text)
{
	int len = (int)strlen(text);
	char back[1024];

	return SSL_write(from, text, len) == len && SSL_read(to, back, sizeof(back)) == len &&
	       !memcmp(text, back, (size_t)len);
}

/* 0, or -EIO: OpenSSL would not. */
static int call(SSL_CTX *ctx)
{
	struct ends e = { .ctx = ctx };
	char request[512], response[512];
	bool good;

	snprintf(request, sizeof(request),
		 "POST /v1/chat/completions HTTP/1.1\r\nHost: " CANARY_HOST
		 "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(REQUEST_BODY), REQUEST_BODY);
	snprintf(
	    response, sizeof(response),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(RESPONSE_BODY), RESPONSE_BODY);
	good =
	    join(&e) && carry(e.client, e.server, request) && carry(e.server, e.client, response);
	SSL_free(e.client);
	SSL_free(e.server);
	ERR_clear_error();
	return good ? 0 : -EIO;
}

static int on_call(struct peer *p, const struct req_msg *m)
{
	(void)m;
	return call(p->ctx);
}

static int on_stop(struct peer *p, const struct req_msg *m)
{
	(void)p;
	(void)m;
	exit(0);
}

static const struct req_row reqs[REQ_MAX_] = {
	[REQ_CANARY] = { ROLE_MONITOR, 0, 0, on_call },
	[REQ_STOP] = { ROLE_MONITOR, 0, 0, on_stop },
};

int main(void)
{
	struct role_ctx role;
	struct peer monitor = { .fd = ROLE_SOCKET, .role = ROLE_MONITOR, .table = reqs };
	struct pollfd wait = { .fd = ROLE_SOCKET, .events = POLLIN };
	int err;

	role_begin(ROLE_CANARY, &role);
	monitor.ctx = make_ctx();
	/* Once before the sandbox: OpenSSL reads its configuration and loads what it needs. */
	if (!monitor.ctx || call(monitor.ctx)) {
		log_error("OpenSSL cannot make a test call: %s",
			  ERR_reason_error_string(ERR_peek_last_error()));
		return 1;
	}
	err = sandbox_enter(ROLE_CANARY, -1, NULL);
	if (err) {
		log_error("no sandbox: %s", strerror(-err));
		return 1;
	}
	req_send(ROLE_SOCKET, REQ_READY, NULL, 0, NULL, 0);
	for (;;) {
		__atomic_store_n(&role.page->heartbeat_ns, mono_ns(), __ATOMIC_RELAXED);
		if (poll(&wait, 1, BEAT_MS) <= 0)
			continue;
		err = req_recv(&monitor);
		if (err == -EPIPE)
			return 0;
		if (err < 0) {
			log_error("a test call failed: %s", strerror(-err));
			return 1;
		}
	}
}
