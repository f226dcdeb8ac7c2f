/* tests/e2e/clients/post.c - PORT CA_FILE: posts what stands on standard input, a whole HTTP request
 * that asks for the connection to be closed, to localhost. The test links it with OpenSSL's static
 * libraries, and strips it.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char buf[1 << 20];
	struct sockaddr_in to = { .sin_family = AF_INET };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	size_t len = fread(buf, 1, sizeof(buf), stdin);
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0, n, total = 0;
	SSL *ssl;

	if (argc != 3)
		return 2;
	to.sin_port = htons((unsigned short)atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_locations(ctx, argv[2], NULL) != 1)
		return 1;
	ssl = SSL_new(ctx);
	SSL_set_tlsext_host_name(ssl, "localhost");
	SSL_set1_host(ssl, "localhost");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_connect(ssl) != 1 || SSL_write(ssl, buf, (int)len) != (int)len) {
		ERR_print_errors_fp(stderr);
		return 1;
	}
	while ((n = SSL_read(ssl, buf, sizeof(buf) - 1)) > 0) {
		if (!total) {
			buf[n] = 0;
			sscanf(buf, "HTTP/1.%*d %d", &status);
		}
		total += n;
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	printf("{\"status\": %d, \"length\": %d}\n", status, total);
	return status ? 0 : 1;
}
