/* tests/e2e/flooder.c - one process that passes TLS plaintext as fast as a core can, both ends of
 * the connection in one thread and in memory: flooder CERT KEY SECONDS SIZE. Requests to a chat
 * API, each with a body of SIZE bytes that no other has, and short replies; SIZE 0: single bytes,
 * for calls rather than bytes. Prints how many calls it made and how many bytes they passed, both
 * ends together.
 */
#include <inttypes.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define REPLY "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
#define HEAD                                                                                       \
	"POST /v1/chat/completions HTTP/1.1\r\nHost: flood.test\r\nContent-Type: "                 \
	"application/json\r\nContent-Length: %zu\r\n\r\n"
#define BODY_HEAD "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%020" PRIu64
#define BODY_TAIL "\"}]}"

static uint64_t calls, bytes;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "flooder: %s\n", what);
	exit(1);
}

static SSL *end_new(const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl;

	must(ctx, "SSL_CTX_new");
	if (cert)
		must(SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) == 1 &&
			 SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1,
		     "certificate");
	ssl = SSL_new(ctx);
	must(ssl, "SSL_new");
	SSL_CTX_free(ctx);
	return ssl;
}

static void pass(SSL *from, SSL *to, const char *data, size_t n)
{
	static char in[16384];
	int wrote, got;

	for (size_t at = 0; at < n;) {
		wrote = SSL_write(from, data + at, (int)MIN(n - at, sizeof(in)));
		must(wrote > 0, "SSL_write");
		for (int left = wrote; left; left -= got) {
			got = SSL_read(to, in, sizeof(in));
			must(got > 0, "SSL_read");
			calls++;
			bytes += (uint64_t)got;
		}
		calls++;
		bytes += (uint64_t)wrote;
		at += (size_t)wrote;
	}
}

int main(int argc, char **argv)
{
	BIO *a, *b;
	SSL *client, *server;
	cpu_set_t cpu;
	uint64_t until;
	size_t size, len, head;
	char *request;

	must(argc == 5, "usage: flooder CERT KEY SECONDS SIZE");
	CPU_ZERO(&cpu);
	CPU_SET((int)sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	size = strtoul(argv[4], NULL, 10);
	request = malloc(size + 1024);
	must(request, "memory");
	client = end_new(NULL, NULL);
	server = end_new(argv[1], argv[2]);
	must(BIO_new_bio_pair(&a, 65536, &b, 65536) == 1, "BIO_new_bio_pair");
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	until = mono_ns() + strtoul(argv[3], NULL, 10) * NS_PER_SEC;
	for (uint64_t i = 0; mono_ns() < until; i++) {
		if (!size) {
			pass(client, server, "x", 1);
			continue;
		}
		head = (size_t)sprintf(request, HEAD, size);
		len = head + (size_t)sprintf(request + head, BODY_HEAD, i);
		for (; len < head + size - strlen(BODY_TAIL); len++)
			request[len] = len % 7 ? (char)('a' + (i + len * 31) % 26) : ' ';
		memcpy(request + len, BODY_TAIL, strlen(BODY_TAIL));
		pass(client, server, request, head + size);
		pass(server, client, REPLY, strlen(REPLY));
	}
	SSL_free(client);
	SSL_free(server);
	free(request);
	printf("{\"calls\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", calls, bytes);
	return 0;
}
