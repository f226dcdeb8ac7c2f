/* tests/e2e/test_capture.c - real OpenSSL under the loaded BPF programs, by every attach method:
 * each byte is compared with what the peers sent. Prints TAP. Both ends run in a child process, on
 * a private copy of libssl: a file of its own, so that nobody else's calls count.
 * EARSHOT_REQUIRE_BPF=1: not being able to load is a failure, not a skip. EARSHOT_CYCLES=N: so many
 * connections at one pointer. usage: test_capture BUILD_DIR [PART OF A TEST'S NAME]
 */
#include <arpa/inet.h>
#include <cap-ng.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/capture.h"
#include "capture/ring.h"
#include "capture/survey.h"
#include "uring.h"

#define ANSWER_NS                                                                                  \
	(300 * NS_PER_SEC) /* for a peer's part: long in an emulated machine on a busy host */
#define MIB	 (1 << 20)
#define SALT_LEN 8 /* a stream begins with its salt, then byte i is pattern(salt, i) */
#define BIO_ROOM (8 * MIB)

#define MANY	    10000 /* connections at once */
#define CYCLES	    100000
#define CYCLES_STEP 1000 /* events that the control ring holds, with the bytes */
#define PIDS	    10000
#define PIDS_STEP   100

static uint8_t pattern(uint64_t salt, uint64_t i)
{
	return (uint8_t)((i * UINT64_C(0x9e3779b97f4a7c15) + salt) >> 29);
}

/* A child with this pid, or with any (0). */
static pid_t fork_as(pid_t pid)
{
	struct clone_args a = { .exit_signal = SIGCHLD,
				.set_tid = (uintptr_t)&pid,
				.set_tid_size = pid ? 1 : 0 };

	if (!pid)
		return fork();
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

/* --- the peers: a child process, told what to do by one byte at a time on stdin; prints its counts
 * when asked */

struct end {
	SSL *ssl;
	uint64_t salt, written, read;
};

struct peer_report {
	uint64_t calls, bytes; /* successful ones, of reads and writes together */
	uint64_t a, b;	       /* what the scenario says */
	uint16_t port[2];
	uint16_t pad[2];
};

static struct peer_report report;
static SSL_CTX *client_ctx, *server_ctx;
static uint8_t *scratch;

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "# peer: line %d: %s\n", __LINE__, #x);                    \
			_exit(9);                                                                  \
		}                                                                                  \
	} while (0)

static void make_contexts(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	MUST(key && cert);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	MUST(X509_sign(cert, key, EVP_sha256()));
	server_ctx = SSL_CTX_new(TLS_server_method());
	client_ctx = SSL_CTX_new(TLS_client_method());
	MUST(SSL_CTX_use_certificate(server_ctx, cert) == 1 &&
	     SSL_CTX_use_PrivateKey(server_ctx, key) == 1);
	/* Session tickets would be read by the first SSL_read: nothing wrong with it, but calls are
	 * counted here. */
	SSL_CTX_set_num_tickets(server_ctx, 0);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void handshake(SSL *c, SSL *s)
{
	SSL_set_connect_state(c);
	SSL_set_accept_state(s);
	for (int i = 0; i < 1000 && !(SSL_is_init_finished(c) && SSL_is_init_finished(s)); i++) {
		SSL_do_handshake(c);
		SSL_do_handshake(s);
	}
	MUST(SSL_is_init_finished(c) && SSL_is_init_finished(s));
}

static void pair_in_room(struct end e[2], size_t room)
{
	BIO *a, *b;

	MUST(BIO_new_bio_pair(&a, room, &b, room) == 1);
	e[0] = (struct end){ .ssl = SSL_new(client_ctx) };
	e[1] = (struct end){ .ssl = SSL_new(server_ctx) };
	SSL_set_bio(e[0].ssl, a, a);
	SSL_set_bio(e[1].ssl, b, b);
	handshake(e[0].ssl, e[1].ssl);
}

static void pair_over_bios(struct end e[2])
{
	pair_in_room(e, BIO_ROOM);
}

static void pair_over_fds(struct end e[2], int a, int b)
{
	e[0] = (struct end){ .ssl = SSL_new(client_ctx) };
	e[1] = (struct end){ .ssl = SSL_new(server_ctx) };
	fcntl(a, F_SETFL, O_NONBLOCK);
	fcntl(b, F_SETFL, O_NONBLOCK);
	SSL_set_fd(e[0].ssl, a);
	SSL_set_fd(e[1].ssl, b);
	handshake(e[0].ssl, e[1].ssl);
}

static void count(size_t n)
{
	report.calls++;
	report.bytes += n;
}

/* Puts the next n bytes of e's stream into scratch. */
static void compose(struct end *e, size_t n)
{
	if (!e->written)
		e->salt = (uintptr_t)e->ssl * 31 + 7;
	for (size_t i = 0; i < n; i++) {
		uint64_t at = e->written + i;

		scratch[i] = at < SALT_LEN ? (uint8_t)(e->salt >> 8 * at) : pattern(e->salt, at);
	}
}

static void write_all(struct end *e, size_t n, bool ex)
{
	compose(e, n);
	if (ex) {
		size_t done = 0;

		MUST(SSL_write_ex(e->ssl, scratch, n, &done) == 1 && done == n);
	} else {
		MUST(SSL_write(e->ssl, scratch, (int)n) == (int)n);
	}
	count(n);
	e->written += n;
}

static void read_all(struct end *e, size_t n, bool ex)
{
	while (n) {
		size_t got = 0;
		int rc = 0;

		if (ex) {
			rc = SSL_read_ex(e->ssl, scratch, n, &got);
		} else {
			rc = SSL_read(e->ssl, scratch, (int)n);
			got = rc > 0 ? (size_t)rc : 0;
		}
		if (rc <= 0) {
			/* A socket that is slower than we are. */
			MUST(SSL_get_error(e->ssl, rc) == SSL_ERROR_WANT_READ);
			continue;
		}
		count(got);
		e->read += got;
		n -= got;
	}
}

static void send_between(struct end *from, struct end *to, size_t n, bool ex)
{
	write_all(from, n, ex);
	read_all(to, n, ex);
}

static void end_free(struct end *e)
{
	SSL_free(e->ssl);
	e->ssl = NULL;
}

static void wait_go(void)
{
	char c;

	MUST(read(0, &c, 1) == 1);
}

static void tell(void)
{
	MUST(write(1, &report, sizeof(report)) == sizeof(report));
}

/* Every interesting size, both ways, plain and _ex. */
static void peer_sizes(void)
{
	static const size_t sizes[] = { 8,     1,     2,     255,   256,  257,	  1000,
					1023,  1024,  1025,  4095,  4096, 4097,	  16383,
					16384, 16385, 17000, 65536, MIB,  4 * MIB };
	struct end e[2];
	size_t done;

	pair_over_bios(e);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		send_between(&e[0], &e[1], sizes[i], i & 1);
		send_between(&e[1], &e[0], sizes[i], !(i & 1));
	}
	/* Nothing to write, nothing to read: no bytes, so nothing counts. */
	MUST(SSL_write(e[0].ssl, scratch, 0) <= 0);
	SSL_write_ex(e[0].ssl, scratch, 0, &done);
	MUST(SSL_read(e[1].ssl, scratch, 1) <= 0);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* A write that does not fit is repeated until it does; its bytes count once. */
static void peer_retry(void)
{
	int fd[2], small = 8192;
	struct end e[2];
	uint64_t again = 0;

	MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	pair_over_fds(e, fd[0], fd[1]);
	for (int round = 0; round < 4; round++) {
		size_t n = 200000, at = 0;
		uint8_t *copy = malloc(n);
		int rc;

		/* Some writes may be partial, so that one call writes less than it was given. */
		if (round == 3)
			SSL_set_mode(e[0].ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
		compose(&e[0], n);
		memcpy(copy, scratch, n);
		while (at < n) {
			rc = SSL_write(e[0].ssl, copy + at, (int)(n - at));
			if (rc > 0) {
				count((size_t)rc);
				at += (size_t)rc;
				continue;
			}
			MUST(SSL_get_error(e[0].ssl, rc) == SSL_ERROR_WANT_WRITE);
			again++;
			while ((rc = SSL_read(e[1].ssl, scratch, 5000)) > 0) {
				count((size_t)rc);
				e[1].read += (size_t)rc;
			}
		}
		free(copy);
		e[0].written += n;
		read_all(&e[1], e[0].written - e[1].read, true);
	}
	report.a = again;
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* The same pointer again and again: after SSL_free, and after SSL_clear. */
static void peer_reuse(void)
{
	struct end e[2];
	BIO *a, *b;

	for (int i = 0; i < 3; i++) {
		pair_over_bios(e);
		send_between(&e[0], &e[1], 1000, false);
		end_free(&e[1]);
		end_free(&e[0]); /* the last freed is the first to be used again */
	}
	pair_over_bios(e);
	send_between(&e[0], &e[1], 1000, false);
	for (int i = 0; i < 2; i++) {
		SSL_set_shutdown(e[i].ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		MUST(SSL_clear(e[i].ssl) == 1);
		e[i].written = e[i].read = 0;
	}
	MUST(BIO_new_bio_pair(&a, BIO_ROOM, &b, BIO_ROOM) == 1);
	SSL_set_bio(e[0].ssl, a, a);
	SSL_set_bio(e[1].ssl, b, b);
	handshake(e[0].ssl, e[1].ssl);
	send_between(&e[0], &e[1], 1000, false);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* Far more than a ring holds, then, when told, a few bytes that show where the stream is. */
static void peer_flood(void)
{
	struct end e[2];

	pair_over_bios(e);
	send_between(&e[0], &e[1], SALT_LEN, false);
	for (int i = 0; i < 8; i++)
		send_between(&e[0], &e[1], MIB, false);
	tell();
	wait_go();
	send_between(&e[0], &e[1], 100, false);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* Far more calls than anybody needs, then, when told, two. */
static void peer_calls(void)
{
	struct end e[2];

	pair_over_bios(e);
	for (int i = 0; i < 20000; i++)
		send_between(&e[0], &e[1], 10, false);
	tell();
	wait_go();
	send_between(&e[0], &e[1], 10, false);
	tell();
	wait_go();
}

/* a message each way, whenever told. */
static void peer_steps(void)
{
	struct end e[2];

	pair_over_bios(e);
	for (int i = 0; i < 4; i++) {
		send_between(&e[0], &e[1], 50000, false);
		send_between(&e[0], &e[1], 50000, false);
		tell();
		wait_go();
		send_between(&e[0], &e[1], 30000, false);
		send_between(&e[1], &e[0], 20000, false);
		tell();
		wait_go();
	}
	end_free(&e[0]);
	end_free(&e[1]);
}

/* TLS inside TLS, depth deep: only the innermost is written to; each carries the records of the one
 * inside. */
static void nested(int depth)
{
	struct end e[2], inner[2];

	pair_over_bios(e);
	for (int i = 1; i < depth; i++) {
		for (int j = 0; j < 2; j++) {
			BIO *over = BIO_new(BIO_f_ssl());

			BIO_set_ssl(over, e[j].ssl, BIO_NOCLOSE);
			inner[j] = (struct end){ .ssl = SSL_new(j ? server_ctx : client_ctx) };
			SSL_set_bio(inner[j].ssl, over, over);
		}
		handshake(inner[0].ssl, inner[1].ssl);
		memcpy(e, inner, sizeof(e));
	}
	report.a = (uintptr_t)e[0].ssl;
	report.b = (uintptr_t)e[1].ssl;
	for (int i = 0; i < 5; i++) {
		send_between(&e[0], &e[1], 100, false);
		send_between(&e[1], &e[0], 40000, true);
	}
	tell();
	wait_go();
}

static void peer_nested(void)
{
	nested(2);
}

static void peer_deep(void)
{
	nested(6);
}

/* Leaves without freeing anything. */
static void peer_leaver(void)
{
	struct end e[2][2];

	for (int i = 0; i < 2; i++) {
		pair_over_bios(e[i]);
		send_between(&e[i][0], &e[i][1], 1000, false);
	}
	tell();
	wait_go();
}

/* Executes another program, itself, which has connections too. */
static void peer_execer(void)
{
	struct end e[2];

	pair_over_bios(e);
	send_between(&e[0], &e[1], 1000, false);
	tell();
	wait_go();
	execl("/proc/self/exe", "capture", "--peer", "leaver", NULL);
	_exit(127);
}

static void tcp_connect(int family, int fd[2], uint16_t *port)
{
	struct sockaddr_storage sa = { .ss_family = (sa_family_t)family };
	socklen_t len =
	    family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int listener = socket(family, SOCK_STREAM, 0);

	fd[0] = socket(family, SOCK_STREAM, 0);
	if (family == AF_INET)
		((struct sockaddr_in *)&sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&sa)->sin6_addr = in6addr_loopback;
	MUST(!bind(listener, (struct sockaddr *)&sa, len) && !listen(listener, 1));
	MUST(!getsockname(listener, (struct sockaddr *)&sa, &len));
	MUST(!connect(fd[0], (struct sockaddr *)&sa, len));
	fd[1] = accept(listener, NULL, NULL);
	MUST(fd[1] >= 0);
	*port =
	    ntohs(((struct sockaddr_in *)&sa)->sin_port); /* at the same place in both families */
	close(listener);
}

static void tcp_pair(int family, struct end e[2], uint16_t *port)
{
	int fd[2];

	tcp_connect(family, fd, port);
	pair_over_fds(e, fd[0], fd[1]);
}

#define ASK(first, more) first " /a HTTP/1.1\r\nHost: a\r\n" more "\r\n"

/* Requests in the pieces that they are written and read in. */
static const struct ask {
	const char *pieces[3];
	bool plain;
} asks[] = {
	{ { ASK("GET", "") }, true },
	{ { ASK("HEAD", "Accept: text/html\r\nX-Upgrade: no\r\n") }, true },
	{ { ASK("POST", "Content-Length: 2\r\n") "{}" } },
	{ { ASK("GETS", "") } },
	{ { ASK("GET", "Content-Length: 2\r\n") "{}" } },
	{ { ASK("GET", "UpGrade: websocket\r\n") } },
	{ { ASK("GET", "") ASK("GET", "") } },
	{ { "GET /a HTTP/1.1\r\nHost", ": a\r\n\r\n" } },
	{ { ASK("GET", ""), ASK("GET", "") } },
	{ { "GET /a HTTP/1.1\nHost: a\n\nPOST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n" } },
	{ { "\r\n" ASK("GET", "") } },
};
#define ANSWER 3000

/* Asks what it is told to (a letter each), and answers it. */
static void peer_asks(void)
{
	static char text[4096];
	struct end e[2];
	int n, got;
	char c;

	tcp_pair(AF_INET, e, &report.port[0]);
	while (read(0, &c, 1) == 1 && (size_t)(c - 'A') < ARRAY_SIZE(asks)) {
		const struct ask *a = &asks[c - 'A'];

		for (int i = 0; a->pieces[i]; i++) {
			n = (int)strlen(a->pieces[i]);
			MUST(SSL_write(e[0].ssl, a->pieces[i], n) == n);
			do
				got = SSL_read(e[1].ssl, text, sizeof(text));
			while (got < 0);
			MUST(got == n);
		}
		for (int i = 0; i < 3; i++)
			MUST(SSL_write(e[1].ssl, text, ANSWER / 3) == ANSWER / 3);
		for (n = 0; n < ANSWER; n += MAX(got, 0))
			got = SSL_read(e[0].ssl, text, sizeof(text));
		tell();
	}
}

/* OpenSSL calls this inside SSL_read and SSL_write: the application uses another socket there, now
 * and then. */
static void use_other_socket(int written, int version, int type, const void *buf, size_t len,
			     SSL *ssl, void *fd)
{
	static unsigned n;

	(void)version, (void)type, (void)buf, (void)len, (void)ssl;
	/* When reading this comes after the receive: it is the last that the call is seen to use.
	 */
	if (!written && n++ % 3 == 0)
		MUST(write(*(int *)fd, "x", 1) == 1);
}

/* Two TCP connections, used in turn, and one that has no socket. */
static void peer_sockets(void)
{
	struct end e[3][2], other[2];
	uint16_t port;
	int fd;

	tcp_pair(AF_INET, e[0], &report.port[0]);
	tcp_pair(AF_INET6, e[1], &report.port[1]);
	pair_over_bios(e[2]);
	tcp_pair(AF_INET, other, &port);
	fd = SSL_get_fd(other[0].ssl);
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 3; j++) {
			send_between(&e[j][0], &e[j][1], 100, false);
			send_between(&e[j][1], &e[j][0], 100, false);
		}
		if (i == 3) {
			SSL_set_msg_callback(e[0][0].ssl, use_other_socket);
			SSL_set_msg_callback_arg(e[0][0].ssl, &fd);
		}
	}
	tell();
	wait_go();
}

/* --- io_uring */

struct wire {
	struct uring ring;
	int socket; /* whose bytes it moves */
	uint8_t bytes[16384];
};

static void wire_receive(struct wire *w, uint8_t flags)
{
	MUST(uring_post(&w->ring, IORING_OP_RECV, w->socket, w->bytes, sizeof(w->bytes), flags) ==
	     1);
}

static void wire_received(struct wire *w, SSL *ssl)
{
	int n = uring_take(&w->ring);

	MUST(n > 0 && BIO_write(SSL_get_rbio(ssl), w->bytes, n) == n);
}

static void wire_send(struct wire *w, SSL *ssl, uint8_t flags)
{
	int n = BIO_read(SSL_get_wbio(ssl), w->bytes, sizeof(w->bytes));

	MUST(n > 0 &&
	     uring_post(&w->ring, IORING_OP_SEND, w->socket, w->bytes, (size_t)n, flags) == 1 &&
	     uring_take(&w->ring) == n);
}

/* The client's end on its socket, the server's on memory. */
static void pair_over_uring(struct end e[2], struct wire *w, uint16_t *port)
{
	int fd[2], rc;

	tcp_connect(AF_INET, fd, port);
	e[0] = (struct end){ .ssl = SSL_new(client_ctx) };
	e[1] = (struct end){ .ssl = SSL_new(server_ctx) };
	w->socket = fd[1];
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	SSL_set_fd(e[0].ssl, fd[0]);
	SSL_set_bio(e[1].ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(e[0].ssl);
	SSL_set_accept_state(e[1].ssl);
	for (int flight = 0; flight < 2; flight++) {
		wire_receive(w, 0);
		while ((rc = SSL_do_handshake(e[0].ssl)) != 1 && flight)
			MUST(SSL_get_error(e[0].ssl, rc) == SSL_ERROR_WANT_READ);
		wire_received(w, e[1].ssl);
		SSL_do_handshake(e[1].ssl);
		if (!flight)
			wire_send(w, e[1].ssl, 0);
	}
	MUST(SSL_is_init_finished(e[0].ssl) && SSL_is_init_finished(e[1].ssl));
}

/* Two TCP connections on one thread. io_uring's receives are posted before the clients write, so
 * that the kernel finishes them in the middle of the clients' own system calls, inside SSL_write.
 */
static void peer_uring(void)
{
	struct end e[2][2];
	struct wire w[2]; /* one each: completions come in order */

	for (int i = 0; i < 2; i++) {
		report.a = uring_open(&w[i].ring) != 0; /* not allowed here */
		if (!report.a)
			pair_over_uring(e[i], &w[i], &report.port[i]);
	}
	for (int round = 0; round < 50 && !report.a; round++) {
		uint8_t flags = round & 1 ? IOSQE_ASYNC : 0; /* another thread does it, at times */

		for (int i = 0; i < 2; i++)
			wire_receive(&w[i], flags);
		for (int i = 0; i < 2; i++)
			write_all(&e[i][0], 500, round & 2);
		for (int i = 1; i >= 0; i--) {
			wire_received(&w[i], e[i][1].ssl);
			read_all(&e[i][1], 500, round & 2);
			write_all(&e[i][1], 300, round & 2);
		}
		for (int i = 0; i < 2; i++) {
			wire_send(&w[i], e[i][1].ssl, flags);
			read_all(&e[i][0], 300, round & 2);
		}
	}
	tell();
	wait_go();
}

/* Confined so that only reading, writing and leaving are left, as a careful server is. */
static void peer_confined(void)
{
	/* The last four are for memory; the system call of return probes is not among them. */
	static const unsigned allowed[] = { SYS_read, SYS_write,  SYS_exit_group, SYS_brk,
					    SYS_mmap, SYS_munmap, SYS_madvise };
	struct sock_filter code[ARRAY_SIZE(allowed) + 3] = { BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	struct sock_fprog filter = { ARRAY_SIZE(code), code };
	struct end e[2];

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
							   ARRAY_SIZE(allowed) - i, 0);
	code[ARRAY_SIZE(code) - 2] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[ARRAY_SIZE(code) - 1] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	pair_over_bios(e);
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	     !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
	for (int i = 0; i < 10; i++)
		send_between(&e[0], &e[1], 20000, i & 1);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
	syscall(SYS_exit_group, 0); /* exit() would need more */
}

/* Many threads, each with its own connection. */
static void *chatter(void *arg)
{
	static __thread uint8_t buf[20000];
	struct end *e = arg;

	for (int i = 0; i < 200; i++) {
		size_t n = (size_t)(i * 97 % 19000) + SALT_LEN;

		for (size_t j = 0; j < n; j++) {
			uint64_t at = e->written + j;

			buf[j] =
			    at < SALT_LEN ? (uint8_t)(e->salt >> 8 * at) : pattern(e->salt, at);
		}
		MUST(SSL_write(e->ssl, buf, (int)n) == (int)n);
		e->written += n;
		for (size_t got = 0; got < n;) {
			int rc = SSL_read(e[1].ssl, buf, sizeof(buf));

			MUST(rc > 0);
			got += (size_t)rc;
		}
	}
	return NULL;
}

static void peer_threads(void)
{
	struct end e[8][2];
	pthread_t t[8];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		pair_over_bios(e[i]);
		e[i][0].salt = (uintptr_t)e[i][0].ssl * 31 + 7;
		MUST(!pthread_create(&t[i], NULL, chatter, e[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		pthread_join(t[i], NULL);
		report.bytes += 2 * e[i][0].written;
	}
	tell();
	wait_go();
}

/* What a failing SSL_read leaves in its buffer is nobody's bytes: nothing there, a damaged record,
 * the end. */
static void peer_failures(void)
{
	uint8_t junk[5 + 64] = { 23, 3, 3, 0, 64 };
	struct end e[2][2];
	size_t done;
	BIO *wire;

	for (int i = 0; i < 2; i++) {
		pair_over_bios(e[i]);
		send_between(&e[i][0], &e[i][1], 1000, i);
		memset(scratch, 'x', 4096);
		for (int k = 0; k < 100; k++) {
			MUST(SSL_read(e[i][1].ssl, scratch, 4096) <= 0);
			MUST(SSL_read_ex(e[i][1].ssl, scratch, 4096, &done) <= 0);
		}
		send_between(&e[i][0], &e[i][1], 2000, i);
	}
	wire = SSL_get_wbio(e[0][0].ssl);
	MUST(BIO_write(wire, junk, sizeof(junk)) == sizeof(junk));
	for (int k = 0; k < 3; k++) {
		MUST(SSL_read(e[0][1].ssl, scratch, 4096) <= 0);
		MUST(SSL_get_error(e[0][1].ssl, -1) == SSL_ERROR_SSL);
	}
	MUST(SSL_shutdown(e[1][0].ssl) == 0);
	MUST(SSL_read(e[1][1].ssl, scratch, 4096) == 0);
	MUST(SSL_read_ex(e[1][1].ssl, scratch, 4096, &done) == 0);
	for (int i = 0; i < 4; i++)
		end_free(&e[i / 2][i % 2]);
	tell();
	wait_go();
}

/* Several references: the first SSL_free ends nothing. */
static void peer_references(void)
{
	struct end e[2];

	pair_over_bios(e);
	send_between(&e[0], &e[1], 1000, false);
	send_between(&e[1], &e[0], 700, false);
	MUST(SSL_up_ref(e[0].ssl) == 1);
	SSL_free(e[0].ssl);
	send_between(&e[0], &e[1], 1000, false);
	send_between(&e[1], &e[0], 700, false);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* The bytes of all connections mixed as finely as can be: a few of each, both ways, in turn. */
static void peer_many(void)
{
	struct end(*e)[2] = calloc(MANY / 2, sizeof(*e));
	SSL_SESSION *session = NULL;

	MUST(e);
	/* A handshake that goes on from the first one makes no signatures: 10,000 in seconds. */
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(client_ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_mode(server_ctx, SSL_MODE_RELEASE_BUFFERS);
	for (int i = 0; i < MANY / 2; i++) {
		BIO *a, *b;

		MUST(BIO_new_bio_pair(&a, 8192, &b, 8192) == 1);
		e[i][0] = (struct end){ .ssl = SSL_new(client_ctx) };
		e[i][1] = (struct end){ .ssl = SSL_new(server_ctx) };
		SSL_set_bio(e[i][0].ssl, a, a);
		SSL_set_bio(e[i][1].ssl, b, b);
		if (session)
			SSL_set_session(e[i][0].ssl, session);
		handshake(e[i][0].ssl, e[i][1].ssl);
		if (!session)
			session = SSL_get1_session(e[i][0].ssl);
	}
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < MANY / 2; i++) {
			send_between(&e[i][0], &e[i][1], SALT_LEN + (i * 7 + round) % 900, i & 1);
			send_between(&e[i][1], &e[i][0], SALT_LEN + (i * 5 + round) % 300, i & 1);
		}
	}
	tell();
	wait_go();
	_exit(0);
}

/* One write of 64 MiB, then another way to know where the stream is. */
static void peer_one_big(void)
{
	size_t n = 64 * MIB;
	struct end e[2];

	scratch = realloc(scratch, n);
	MUST(scratch);
	pair_in_room(e, n + 2 * MIB);
	write_all(&e[0], n, true);
	tell();
	wait_go();
	write_all(&e[0], 100, false);
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* 64 MiB in writes of 4 MiB, each when the one before was looked at. */
static void peer_big(void)
{
	struct end e[2];

	pair_over_bios(e);
	for (int i = 0; i < 16; i++) {
		send_between(&e[0], &e[1], 4 * MIB, i & 1);
		tell();
		wait_go();
	}
	end_free(&e[0]);
	end_free(&e[1]);
	tell();
	wait_go();
}

/* Functions of this program that are probed as if they were OpenSSL's, for what the real ones
 * cannot be made to do. */
__attribute__((noinline, noclone)) static int fake_write(void *ssl, const void *buf, int n)
{
	__asm__ volatile("" : "+r"(ssl), "+r"(buf), "+r"(n));
	return n;
}

__attribute__((noinline, noclone)) static ssize_t fake_sendfile(void *ssl, int fd, off_t off,
								size_t n, int flags)
{
	__asm__ volatile("" : "+r"(ssl), "+r"(fd), "+r"(off), "+r"(n), "+r"(flags));
	return (ssize_t)n;
}

/* More bytes done than asked for: a process that lies. */
__attribute__((noinline, noclone)) static int fake_read_ex(void *ssl, void *buf, size_t n,
							   size_t *done)
{
	__asm__ volatile("" : "+r"(ssl), "+r"(buf), "+r"(n));
	*done = n + 1;
	return 1;
}

__attribute__((noinline, noclone)) static void fake_free(void *ssl)
{
	__asm__ volatile("" : "+r"(ssl));
}

__attribute__((noinline, noclone)) static int fake_clear(void *ssl)
{
	__asm__ volatile("" : "+r"(ssl));
	return 1;
}

/* Connections at so few addresses that each is used again at once; as many as told by
 * EARSHOT_CYCLES. */
static void peer_cycles(void)
{
	uint64_t n = strtoull(getenv("EARSHOT_CYCLES"), NULL, 10);

	for (uint64_t i = 0; i < n; i++) {
		struct end e = { .ssl = (SSL *)(uintptr_t)(0x1000 + 0x100 * (i % 7)) };
		size_t len = SALT_LEN + i % 50;

		compose(&e, len);
		for (size_t k = 0; k < SALT_LEN; k++)
			scratch[k] = (uint8_t)(i >> 8 * k);
		for (size_t k = SALT_LEN; k < len; k++)
			scratch[k] = pattern(i, k);
		fake_write(e.ssl, scratch, (int)len);
		count(len);
		if (i % 3)
			fake_free(e.ssl);
		else
			fake_clear(e.ssl);
		if (i % CYCLES_STEP == CYCLES_STEP - 1) {
			tell();
			wait_go();
		}
	}
}

/* One process after the other, all with one number and one SSL*. */
static void peer_pids(void)
{
	pid_t pid = 0;

	for (uint64_t i = 0; i < PIDS; i++) {
		struct end e = { .ssl = (SSL *)UINT64_C(0x1000) };
		pid_t child = fork_as(pid);
		int status;

		if (!child) {
			compose(&e, 40);
			for (size_t k = 0; k < SALT_LEN; k++)
				scratch[k] = (uint8_t)(i >> 8 * k);
			for (size_t k = SALT_LEN; k < 40; k++)
				scratch[k] = pattern(i, k);
			fake_write(e.ssl, scratch, 40);
			_exit(0); /* leaves its connection behind */
		}
		if (child < 0) {
			/* Somebody else got the number: another one, then. */
			MUST(errno == EEXIST);
			report.b++;
			pid = 0;
			i--;
			continue;
		}
		count(40);
		pid = child;
		MUST(waitpid(child, &status, 0) == child && !status);
		if (i % PIDS_STEP == PIDS_STEP - 1) {
			tell();
			wait_go();
		}
	}
}

static void peer_fakes(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), done;
	uint8_t *p =
	    mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct end e = { .ssl = (SSL *)UINT64_C(0x1234560) };

	MUST(p != MAP_FAILED && !munmap(p + page, page));
	compose(&e, 1000);
	fake_write(e.ssl, scratch, 100);
	fake_write(e.ssl, p + page - 50, 150); /* runs into a hole */
	fake_sendfile(e.ssl, 3, 0, 250, 0);
	fake_read_ex(e.ssl, scratch, 64, &done);
	fake_write(e.ssl, scratch + 500, 500);
	tell();
	wait_go();
}

static const struct {
	const char *name;
	void (*run)(void);
} peers[] = {
	{ "sizes", peer_sizes },       { "retry", peer_retry },
	{ "reuse", peer_reuse },       { "flood", peer_flood },
	{ "calls", peer_calls },       { "steps", peer_steps },
	{ "nested", peer_nested },     { "deep", peer_deep },
	{ "leaver", peer_leaver },     { "execer", peer_execer },
	{ "sockets", peer_sockets },   { "confined", peer_confined },
	{ "threads", peer_threads },   { "fakes", peer_fakes },
	{ "failures", peer_failures }, { "references", peer_references },
	{ "many", peer_many },	       { "one-big", peer_one_big },
	{ "big", peer_big },	       { "cycles", peer_cycles },
	{ "pids", peer_pids },	       { "asks", peer_asks },
	{ "uring", peer_uring },
};

static int peer_main(const char *name)
{
	scratch = malloc(4 * MIB);
	MUST(scratch);
	make_contexts();
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		if (strcmp(peers[i].name, name))
			continue;
		wait_go();
		peers[i].run();
		return 0;
	}
	return 8;
}

/* --- the sensor's side */

#define STREAMS_MAX 16384

struct stream {
	uint64_t next; /* position expected */
	uint64_t bytes, gaps;
	uint64_t salt;
	/* What another connection began: so many bytes of it stand before position 0. */
	const struct stream *from;
	uint64_t begin;
	uint64_t hash; /* of all bytes, FNV-1a */
	uint64_t bad;  /* bytes that differ from the pattern, positions that run backwards */
	bool any;
};

struct track {
	struct ev_conn conn; /* as last told */
	unsigned opens, socks, closes;
	uint16_t flags;	     /* of the latest record */
	uint16_t seen_flags; /* of all since a test cleared them */
	bool client;	     /* says a test */
	struct stream s[EV_DIR_MAX_];
};

struct sensor {
	struct capture *c;
	struct ring *data, *control;
	struct ev_conn *conns;
	uint64_t *slots;
	struct ev_wake *wake;
	struct capture_fds fds;
	struct inode_key key;
	pid_t child;
	bool goes_on; /* a connection midway continues the one before it */
	bool anyone;  /* else the child's connections are looked at */
	int to, from; /* the child's stdin and stdout */
	struct track tracks[STREAMS_MAX];
	size_t n;
	uint64_t forgotten;
	unsigned exits,
	    orphans; /* orphans: data before its open, or of a connection that was never opened */
	struct peer_report said;
};

static struct survey libssl; /* sites of the private copy */
static struct survey itself; /* sites in this program */
static char dir[64], copy[96];
static unsigned n_tests;
static int failures;
static char reason[256]; /* why the current test fails */

#define EXPECT(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond) && !reason[0]) {                                                       \
			int at_ =                                                                  \
			    snprintf(reason, sizeof(reason), "line %d: %s: ", __LINE__, #cond);    \
			snprintf(reason + at_, sizeof(reason) - (size_t)at_, "" __VA_ARGS__);      \
		}                                                                                  \
	} while (0)

/* Ids ascend by one; those up to s->forgotten were looked at. */
static struct track *track_of(struct sensor *s, uint64_t id, bool make)
{
	uint64_t i = id - s->forgotten - 1;

	if (i >= STREAMS_MAX || (i >= s->n && !make))
		return NULL;
	s->tracks[i].conn.id = id;
	s->n = MAX(s->n, i + 1);
	return &s->tracks[i];
}

static void forget(struct sensor *s)
{
	s->forgotten += s->n;
	memset(s->tracks, 0, s->n * sizeof(*s->tracks));
	s->n = 0;
	s->exits = 0;
}

/* t continues what an earlier connection at its SSL* began. */
static void go_on(struct sensor *s, struct track *t)
{
	for (struct track *from = t - 1; from >= s->tracks; from--) {
		if (from->conn.ssl != t->conn.ssl)
			continue;
		for (int d = 0; d < EV_DIR_MAX_; d++) {
			t->s[d].begin = from->conn.pos[d];
			t->s[d].from = &from->s[d];
		}
		break;
	}
}

static void on_control(void *ctx, struct span r)
{
	struct sensor *s = ctx;
	const struct ev_ctl *e = (const void *)r.p;
	struct track *t;

	EXPECT(r.len >= sizeof(e->hdr), "%zu", r.len);
	if (e->hdr.kind == EV_EXIT) {
		s->exits += e->hdr.tgid == (uint32_t)s->child || s->anyone;
		return;
	}
	EXPECT(r.len == sizeof(*e) && e->hdr.conn == e->conn.id && e->conn.id, "%zu", r.len);
	if (e->hdr.tgid != (uint32_t)s->child && !s->anyone)
		return;
	t = track_of(s, e->conn.id, e->hdr.kind == EV_OPEN);
	EXPECT(t, "control event %u of an unknown connection", e->hdr.kind);
	if (!t)
		return;
	t->conn = e->conn;
	t->opens += e->hdr.kind == EV_OPEN;
	t->socks += e->hdr.kind == EV_SOCK;
	t->closes += e->hdr.kind == EV_CLOSE;
	if (s->goes_on && e->hdr.kind == EV_OPEN && e->conn.flags & EV_CONN_MIDWAY)
		go_on(s, t);
}

static void on_data(void *ctx, struct span r)
{
	struct sensor *s = ctx;
	const struct ev_hdr *h = (const void *)r.p;
	const uint8_t *p = r.p + sizeof(*h);
	struct track *t = track_of(s, h->conn, false);
	struct stream *st;
	uint64_t at;

	EXPECT(h->kind == EV_DATA && h->len <= r.len - sizeof(*h), "kind %u, %u of %zu bytes",
	       h->kind, h->len, r.len);
	if (h->tgid != (uint32_t)s->child && !s->anyone)
		return;
	if (!t) {
		s->orphans++;
		return;
	}
	t->flags = h->flags;
	t->seen_flags |= h->flags;
	st = &t->s[h->flags & EV_F_WRITE ? EV_WRITE : EV_READ];
	st->any = true;
	if (h->pos < st->next)
		st->bad += h->len;
	else
		st->gaps += h->pos - st->next;
	at = st->begin + h->pos;
	if (st->from)
		st->salt = st->from->salt;
	if (!at && h->len >= SALT_LEN)
		memcpy(&st->salt, p, SALT_LEN);
	for (uint32_t i = 0; i < h->len; i++) {
		st->bad += at + i >= SALT_LEN && p[i] != pattern(st->salt, at + i);
		st->hash = (st->hash ^ p[i]) * UINT64_C(0x100000001b3);
	}
	st->bytes += h->len;
	st->next = h->pos + h->len;
}

static long drain(struct sensor *s)
{
	uint64_t mark = ring_mark(s->data);
	long a = ring_consume(s->control, on_control, s, 0);
	long b = ring_consume_to(s->data, mark, on_data, s, 0);

	EXPECT(a >= 0 && b >= 0, "ring: %ld %ld", a, b);
	return a + b;
}

static void sensor_close(struct sensor *s)
{
	if (s->child > 0) {
		kill(s->child, SIGKILL);
		waitpid(s->child, NULL, 0);
	}
	own_close(&s->to);
	own_close(&s->from);
	if (s->conns)
		munmap(s->conns, s->fds.max_conns * sizeof(*s->conns));
	if (s->slots)
		munmap(s->slots, s->fds.max_conns * sizeof(*s->slots));
	if (s->wake)
		munmap(s->wake, sizeof(*s->wake));
	ring_free(&s->data);
	ring_free(&s->control);
	capture_free(&s->c);
}

/* 0, or the error of capture_new() with its sentence in reason. */
static int sensor_open(struct sensor *s, const struct capture_opts *o, const char *path,
		       const struct survey *survey)
{
	char why[200] = "";
	int fd, err;

	*s = (struct sensor){ .to = -1, .from = -1 };
	err = capture_new(&s->c, o, why, sizeof(why));
	if (err) {
		snprintf(reason, sizeof(reason), "capture_new: %s", why);
		return err;
	}
	capture_fds(s->c, &s->fds);
	err = ring_new(&s->data, s->fds.data_ring, s->fds.data_ring_bytes);
	EXPECT(!err, "ring_new %d", err);
	err = ring_new(&s->control, s->fds.control_ring, s->fds.control_ring_bytes);
	EXPECT(!err, "ring_new %d", err);
	s->conns = mmap(NULL, s->fds.max_conns * sizeof(*s->conns), PROT_READ, MAP_SHARED,
			s->fds.conns, 0);
	s->slots = mmap(NULL, s->fds.max_conns * sizeof(*s->slots), PROT_READ | PROT_WRITE,
			MAP_SHARED, s->fds.slots, 0);
	s->wake = mmap(NULL, sizeof(*s->wake), PROT_READ | PROT_WRITE, MAP_SHARED, s->fds.wake, 0);
	EXPECT(s->conns != MAP_FAILED && s->slots != MAP_FAILED && s->wake != MAP_FAILED,
	       "mmap: %s", strerror(errno));
	EXPECT(mmap(NULL, sizeof(*s->conns), PROT_READ | PROT_WRITE, MAP_SHARED, s->fds.conns, 0) ==
		   MAP_FAILED,
	       "conns is writable");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	s->key = (struct inode_key){ .ino = 1 };
	err = capture_attach(s->c, &s->key, fd, survey);
	EXPECT(!err, "capture_attach: %s", strerror(-err));
	EXPECT(capture_attach(s->c, &s->key, fd, survey) == -EEXIST && capture_attached(s->c) == 1,
	       "attached twice");
	close(fd);
	return 0;
}

static void child_start_as(struct sensor *s, const char *name, pid_t pid)
{
	int to[2], from[2];

	own_close(&s->to);
	own_close(&s->from);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		abort();
	s->child = fork_as(pid);
	if (!s->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		personality(ADDR_NO_RANDOMIZE); /* the same SSL* in each child */
		dup2(to[0], 0);
		dup2(from[1], 1);
		setenv("LD_LIBRARY_PATH", dir, 1);
		/* With sanitizers: peers leave without freeing, and want freed pointers again. */
		setenv("ASAN_OPTIONS",
		       "detect_leaks=0:quarantine_size_mb=0:thread_local_quarantine_size_kb=0", 1);
		execl("/proc/self/exe", "capture", "--peer", name, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s->to = to[1];
	s->from = from[0];
	fcntl(s->from, F_SETFL, O_NONBLOCK);
}

static void child_start(struct sensor *s, const char *name)
{
	child_start_as(s, name, 0);
}

static void child_go(struct sensor *s)
{
	EXPECT(write(s->to, "g", 1) == 1, "the peer is gone");
}

/* Until the child has told, consuming meanwhile (unless stalled). */
static void child_wait(struct sensor *s, bool stalled)
{
	uint64_t until = mono_ns() + ANSWER_NS;

	while (mono_ns() < until) {
		ssize_t n = read(s->from, &s->said, sizeof(s->said));

		if (n == (ssize_t)sizeof(s->said))
			break;
		if (!n) {
			EXPECT(false, "the peer died");
			return;
		}
		if (stalled || !drain(s))
			usleep(500);
	}
	EXPECT(mono_ns() < until, "the peer does not answer");
	if (!stalled)
		drain(s);
}

static void child_end(struct sensor *s)
{
	uint64_t until = mono_ns() + 20 * NS_PER_SEC;
	int status = -1;

	child_go(s);
	while (mono_ns() < until && waitpid(s->child, &status, WNOHANG) != s->child)
		usleep(1000);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "the peer ended with status %x", status);
	s->child = WIFEXITED(status) || WIFSIGNALED(status) ? -s->child : s->child;
}

static pid_t child_pid(const struct sensor *s)
{
	return s->child < 0 ? -s->child : s->child;
}

/* A ring with room for all that a peer sends: nothing is lost however slow this machine. */
static const struct capture_opts defaults = {
	.ring_bytes = 64 * MIB, .max_conns = 256, .max_call_bytes = 16 * MIB, .share = 5
};

static int begin(struct sensor *s, int method, const char *name)
{
	struct capture_opts o = defaults;

	o.method = method;
	if (sensor_open(s, &o, copy, &libssl))
		return -1;
	child_start(s, name);
	return 0;
}

static uint64_t total(const struct sensor *s, size_t member)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		for (int d = 0; d < EV_DIR_MAX_; d++)
			n += *(const uint64_t *)(const void *)((const uint8_t *)&s->tracks[i].s[d] +
							       member);
	return n;
}

static int add_proc(void *ctx, const struct ev_proc *p, const struct ev_proc_stats *s)
{
	struct ev_proc_stats *sum = ctx;

	EXPECT(p->tgid && p->start_ns, "a process without a name");
	sum->calls += s->calls;
	sum->bytes += s->bytes;
	sum->lost_events += s->lost_events;
	sum->lost_bytes += s->lost_bytes;
	sum->muted_bytes += s->muted_bytes;
	sum->shed_events += s->shed_events;
	sum->shed_bytes += s->shed_bytes;
	sum->shed_ns = s->shed_ns > sum->shed_ns ? s->shed_ns : sum->shed_ns;
	sum->lost_ns = s->lost_ns > sum->lost_ns ? s->lost_ns : sum->lost_ns;
	return 0;
}

/* What the processes are said to have passed and lost is what the kernel counted in all. */
static struct ev_proc_stats check_procs(struct sensor *s)
{
	struct ev_proc_stats sum = { 0 };
	uint64_t events = 0, bytes = 0;
	struct ev_stats st;

	EXPECT(!capture_stats(s->c, &st), "stats");
	capture_each_proc(s->c, add_proc, &sum);
	for (int i = 0; i < EV_LOSS_MAX_; i++) {
		events += i == EV_LOSS_MUTED ? 0 : st.lost_events[i];
		bytes += i == EV_LOSS_MUTED ? 0 : st.lost_bytes[i];
	}
	EXPECT(sum.calls == st.calls && sum.bytes == st.bytes, "%llu of %llu bytes",
	       (unsigned long long)sum.bytes, (unsigned long long)st.bytes);
	EXPECT(sum.lost_events == events && sum.lost_bytes == bytes, "%llu of %llu bytes lost",
	       (unsigned long long)sum.lost_bytes, (unsigned long long)bytes);
	EXPECT(sum.muted_bytes == st.lost_bytes[EV_LOSS_MUTED], "%llu of %llu bytes muted",
	       (unsigned long long)sum.muted_bytes,
	       (unsigned long long)st.lost_bytes[EV_LOSS_MUTED]);
	EXPECT(!sum.lost_ns == !events, "the time of the last loss");
	return sum;
}

/* Every byte that the peers counted was seen, in its place, once; nothing was lost. */
static void check_whole(struct sensor *s, bool calls)
{
	struct ev_stats st;

	EXPECT(!capture_stats(s->c, &st), "stats");
	for (int i = 0; i < EV_LOSS_MAX_; i++)
		EXPECT(!st.lost_events[i] && !st.lost_bytes[i], "loss %d", i);
	EXPECT(total(s, offsetof(struct stream, bytes)) == s->said.bytes, "%llu of %llu bytes",
	       (unsigned long long)total(s, offsetof(struct stream, bytes)),
	       (unsigned long long)s->said.bytes);
	EXPECT(!total(s, offsetof(struct stream, bad)), "%llu bytes differ",
	       (unsigned long long)total(s, offsetof(struct stream, bad)));
	EXPECT(!total(s, offsetof(struct stream, gaps)), "gaps");
	EXPECT(!s->orphans, "%u records before their open", s->orphans);
	EXPECT(st.bytes == s->said.bytes, "counted %llu of %llu bytes",
	       (unsigned long long)st.bytes, (unsigned long long)s->said.bytes);
	if (calls)
		EXPECT(st.calls == s->said.calls, "counted %llu of %llu calls",
		       (unsigned long long)st.calls, (unsigned long long)s->said.calls);
	EXPECT(st.opened == s->n, "%llu opened, %zu seen", (unsigned long long)st.opened, s->n);
	check_procs(s);
}

static void check_closed(struct sensor *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct track *t = &s->tracks[i];

		EXPECT(t->opens == 1 && t->closes == 1, "connection %zu: %u opens, %u closes", i,
		       t->opens, t->closes);
		for (int d = 0; d < EV_DIR_MAX_; d++)
			EXPECT(t->conn.pos[d] - t->conn.lost[d] == t->s[d].bytes &&
				   t->conn.pos[d] == t->s[d].next,
			       "connection %zu direction %d: final position %llu", i, d,
			       (unsigned long long)t->conn.pos[d]);
	}
}

static void test_sizes(struct sensor *s, int method)
{
	if (begin(s, method, "sizes"))
		return;
	EXPECT((int)capture_method(s->c) == method, "method %d", capture_method(s->c));
	child_go(s);
	child_wait(s, false);
	check_whole(s, true);
	check_closed(s);
	EXPECT(s->n == 2, "%zu connections", s->n);
	EXPECT(s->tracks[0].conn.tgid == (uint32_t)s->child &&
		   s->tracks[0].conn.ppid == (uint32_t)getpid() &&
		   s->tracks[0].conn.uid == getuid() && !memcmp(s->tracks[0].conn.comm, "exe", 4) &&
		   !s->tracks[0].conn.sock.family,
	       "identity: %s", s->tracks[0].conn.comm);
	child_end(s);
}

static void test_retry(struct sensor *s, int method)
{
	if (begin(s, method, "retry"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->said.a > 20, "only %llu retries", (unsigned long long)s->said.a);
	check_whole(s, true);
	check_closed(s);
	child_end(s);
}

static void test_reuse(struct sensor *s, int method)
{
	unsigned again = 0;

	if (begin(s, method, "reuse"))
		return;
	child_go(s);
	child_wait(s, false);
	for (size_t i = 0; i < s->n; i++)
		for (size_t j = 0; j < i; j++)
			again += s->tracks[i].conn.ssl == s->tracks[j].conn.ssl;
	EXPECT(again > 2, "no pointer was used again after SSL_free"); /* 2 are after SSL_clear */
	EXPECT(s->n == 10, "%zu connections",
	       s->n); /* 4 pairs, and one of them again after SSL_clear */
	check_whole(s, true);
	check_closed(s);
	child_end(s);
}

static void test_threads(struct sensor *s, int method)
{
	if (begin(s, method, "threads"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 16, "%zu connections", s->n);
	check_whole(s, false);
	child_end(s);
}

static void test_confined(struct sensor *s, int method)
{
	if (begin(s, method, "confined"))
		return;
	child_go(s);
	child_wait(s, false);
	check_whole(s, true);
	child_end(s);
}

static void test_flood(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	uint64_t gaps = 0, lost = 0, counted;
	struct ev_proc_stats sum;
	struct ev_stats st;

	o.method = method;
	o.ring_bytes = 256 << 10;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "flood");
	child_go(s);
	child_wait(s, true);
	/* Half of the ring, and once an eighth. */
	EXPECT(ring_pending(s->data) > o.ring_bytes / 2 &&
		   ring_pending(s->data) < o.ring_bytes / 8 * 6,
	       "%llu bytes in the ring", (unsigned long long)ring_pending(s->data));
	drain(s);
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st), "stats");
	counted = st.lost_bytes[EV_LOSS_BUDGET];
	EXPECT(!st.lost_bytes[EV_LOSS_RING], "lost although there was room");
	gaps = total(s, offsetof(struct stream, gaps));
	for (size_t i = 0; i < s->n; i++)
		lost += s->tracks[i].conn.lost[EV_READ] + s->tracks[i].conn.lost[EV_WRITE];
	EXPECT(gaps > 15 * MIB && gaps == counted && gaps == lost,
	       "gaps of %llu bytes, counted %llu and %llu", (unsigned long long)gaps,
	       (unsigned long long)counted, (unsigned long long)lost);
	EXPECT(total(s, offsetof(struct stream, bytes)) + gaps == s->said.bytes,
	       "seen and lost are not all");
	EXPECT(!total(s, offsetof(struct stream, bad)), "bytes differ");
	sum = check_procs(s);
	EXPECT(sum.lost_bytes == gaps && sum.shed_bytes == gaps && sum.shed_ns,
	       "not the process's loss");
	check_closed(s);
	child_end(s);
}

/* Many calls in no time, of which a few are followed; then, after a while, all again. */
static void test_calls_budget(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;
	uint64_t seen;

	o.method = method;
	o.max_calls = 1000;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "calls");
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st), "stats");
	EXPECT(st.lost_events[EV_LOSS_BUDGET] && !st.lost_bytes[EV_LOSS_BUDGET], "nothing shed");
	EXPECT(st.calls + st.lost_events[EV_LOSS_BUDGET] == s->said.calls,
	       "%llu followed, %llu not, of %llu", (unsigned long long)st.calls,
	       (unsigned long long)st.lost_events[EV_LOSS_BUDGET],
	       (unsigned long long)s->said.calls);
	EXPECT(check_procs(s).shed_events == st.lost_events[EV_LOSS_BUDGET], "of another process");
	EXPECT(st.opened == st.closed, "a connection goes on as if nothing were missing");
	seen = st.calls;
	usleep(1100000);
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st) && st.calls == seen + 2, "%llu calls followed afterwards",
	       (unsigned long long)(st.calls - seen));
	child_end(s);
}

static void test_call_limit(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;

	o.method = method;
	o.max_call_bytes = 100000;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "sizes");
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st), "stats");
	/* Writes of 1 and 4 MiB each way; reads come in pieces of 16 KiB. */
	EXPECT(st.lost_bytes[EV_LOSS_CALL] == 10 * MIB - 400000 &&
		   st.lost_events[EV_LOSS_CALL] == 4,
	       "%llu bytes of %llu calls", (unsigned long long)st.lost_bytes[EV_LOSS_CALL],
	       (unsigned long long)st.lost_events[EV_LOSS_CALL]);
	EXPECT(total(s, offsetof(struct stream, bytes)) + st.lost_bytes[EV_LOSS_CALL] ==
		   s->said.bytes,
	       "seen and lost are not all");
	EXPECT(!total(s, offsetof(struct stream, bad)), "bytes differ");
	check_procs(s);
	child_end(s);
}

static void test_mute(struct sensor *s, int method)
{
	struct track *w;
	struct ev_stats st;
	uint64_t muted = 0;

	if (begin(s, method, "steps"))
		return;
	child_go(s);
	child_wait(s, false);
	w = NULL;
	for (size_t i = 0; i < s->n; i++)
		if (s->tracks[i].s[EV_WRITE].any)
			w = &s->tracks[i];
	EXPECT(w && s->n == 2, "no writer");
	if (!w)
		return;
	/* 1: the rest of this turn: 30,000 bytes are skipped, the answer is not. */
	s->slots[w->conn.slot] = EV_SLOT(w->conn.id, mono_ns(), EV_TURN(w->flags), EV_MUTE_TURN);
	child_go(s);
	child_wait(s, false);
	muted += 30000;
	EXPECT(w->s[EV_WRITE].bytes == 100000 && w->s[EV_READ].bytes == 20000,
	       "turn: %llu written, %llu read", (unsigned long long)w->s[EV_WRITE].bytes,
	       (unsigned long long)w->s[EV_READ].bytes);
	/* 2: the direction has turned: nothing is skipped any more, though the word is still there.
	 */
	child_go(s);
	child_wait(s, false);
	EXPECT(w->s[EV_WRITE].bytes == 200000, "a new turn is muted");
	/* 3: for good. */
	s->slots[w->conn.slot] = EV_SLOT(w->conn.id, mono_ns(), 0, EV_MUTE);
	child_go(s);
	child_wait(s, false);
	muted += 50000;
	EXPECT(w->s[EV_WRITE].bytes == 200000 && w->s[EV_READ].bytes == 20000, "not muted");
	/* 4: a word for somebody else. */
	s->slots[w->conn.slot] = EV_SLOT(w->conn.id + 1, mono_ns(), 0, EV_MUTE);
	child_go(s);
	child_wait(s, false);
	EXPECT(w->s[EV_WRITE].bytes == 300000, "muted by a foreign word");
	EXPECT(!capture_stats(s->c, &st) && st.lost_bytes[EV_LOSS_MUTED] == muted,
	       "%llu bytes muted", (unsigned long long)st.lost_bytes[EV_LOSS_MUTED]);
	check_procs(s);
	EXPECT(total(s, offsetof(struct stream, gaps)) == muted - 20000,
	       "gaps"); /* the 20,000 read were the last so far */
	EXPECT(s->conns[w->conn.slot].id == w->conn.id &&
		   s->conns[w->conn.slot].lost[EV_WRITE] == 60000 &&
		   s->conns[w->conn.slot].pos[EV_WRITE] == 360000,
	       "conns says %llu lost of %llu",
	       (unsigned long long)s->conns[w->conn.slot].lost[EV_WRITE],
	       (unsigned long long)s->conns[w->conn.slot].pos[EV_WRITE]);
	EXPECT(!total(s, offsetof(struct stream, bad)), "bytes differ");
}

static void child_ask(struct sensor *s, size_t what)
{
	char c = (char)('A' + what);

	for (size_t i = 0; i < s->n; i++)
		s->tracks[i].seen_flags = 0;
	EXPECT(write(s->to, &c, 1) == 1, "the peer is gone");
	child_wait(s, false);
}

/* The two ends; of each, which direction its answers have. */
static void order(struct sensor *s, enum ev_policy policy, unsigned number)
{
	for (size_t i = 0; i < s->n; i++) {
		enum ev_dir answers = s->tracks[i].client ? EV_READ : EV_WRITE;

		s->slots[s->tracks[i].conn.slot] = EV_SLOT(
		    s->tracks[i].conn.id, mono_ns(), EV_ABOUT_ANSWERS(answers, number), policy);
	}
}

/* How many bytes of answers were captured since the last look, at both ends; -1 when they differ,
 * or a request's are missing. */
static int64_t answered(struct sensor *s, size_t what)
{
	int64_t got[2] = { -1, -1 }, asked = 0;

	for (int i = 0; asks[what].pieces[i]; i++)
		asked += (int64_t)strlen(asks[what].pieces[i]);
	for (size_t i = 0; i < s->n; i++) {
		struct track *t = &s->tracks[i];
		struct stream *ask = &t->s[t->client ? EV_WRITE : EV_READ],
			      *answer = &t->s[t->client ? EV_READ : EV_WRITE];

		if ((int64_t)ask->bytes == asked)
			got[i] = (int64_t)answer->bytes;
		ask->bytes = answer->bytes = 0;
		EXPECT(!ask->gaps && !answer->gaps, "positions know what was passed over");
	}
	return got[0] == got[1] ? got[0] : -1;
}

/* Calls of no interest are passed over at their entry; any request that may be of some is answered
 * in full. */
static void test_pass_over(struct sensor *s, int method)
{
	struct ev_stats before, after;
	unsigned number = 0;
	int64_t got;

	if (begin(s, method, "asks"))
		return;
	child_go(s); /* 'g': begin */
	child_ask(s, 0);
	EXPECT(s->n == 2, "%zu connections", s->n);
	if (s->n != 2)
		return;
	for (size_t i = 0; i < s->n; i++)
		s->tracks[i].client = !(s->tracks[i].s[EV_READ].bytes < ANSWER);
	EXPECT(answered(s, 0) == ANSWER && s->tracks[0].client != s->tracks[1].client,
	       "who is who");
	for (size_t what = 0; what < ARRAY_SIZE(asks); what++) {
		bool plain = asks[what].plain;

		/* Not before BPF was told, nor before it looked at a request. */
		child_ask(s, 0);
		EXPECT((got = answered(s, 0)) == ANSWER, "%zu: not muted: %" PRId64, what, got);
		number = number % EV_WATCHED_MAX + 1;
		order(s, EV_WATCH_ANSWERS, number);
		child_ask(s, 0);
		EXPECT((got = answered(s, 0)) == ANSWER, "%zu: watched: %" PRId64, what, got);
		for (size_t i = 0; i < s->n; i++)
			EXPECT(EV_WATCHED(s->tracks[i].seen_flags) == number, "%zu: looked at",
			       what);
		order(s, EV_MUTE_ANSWERS, number);
		EXPECT(!capture_stats(s->c, &before), "stats");
		for (int i = 0; i < 3; i++) {
			child_ask(s, 0);
			EXPECT((got = answered(s, 0)) == 0, "%zu: muted: %" PRId64, what, got);
		}
		EXPECT(!capture_stats(s->c, &after) && after.lost_events[EV_LOSS_MUTED] >=
							   before.lost_events[EV_LOSS_MUTED] + 12,
		       "%zu: passed over", what);
		/* What it may be is seen whole, and so is all that follows, until a new number. */
		child_ask(s, what);
		EXPECT((got = answered(s, what)) == (plain ? 0 : ANSWER), "%zu: %" PRId64, what,
		       got);
		for (size_t i = 0; i < s->n; i++)
			EXPECT(EV_SKIPPED(s->tracks[i].seen_flags) ==
				   1u << (s->tracks[i].client ? EV_READ : EV_WRITE),
			       "%zu: the record tells", what);
		child_ask(s, 0);
		EXPECT((got = answered(s, 0)) == (plain ? 0 : ANSWER), "%zu: after: %" PRId64, what,
		       got);
		order(s, EV_WATCH, 0);
	}
	/* A word that nobody renews lapses. */
	order(s, EV_WATCH_ANSWERS, number + 1);
	child_ask(s, 0);
	order(s, EV_MUTE_ANSWERS, number + 1);
	child_ask(s, 0);
	answered(s, 0);
	for (size_t i = 0; i < s->n; i++)
		s->slots[s->tracks[i].conn.slot] -= (uint64_t)(EV_MUTE_S + 1) << 16;
	child_ask(s, 0);
	EXPECT((got = answered(s, 0)) == ANSWER, "lapsed: %" PRId64, got);
	/* No more than the socket of each was ever seen. */
	for (size_t i = 0; i < s->n; i++)
		EXPECT(s->conns[s->tracks[i].conn.slot].sock.family == AF_INET &&
			   (s->conns[s->tracks[i].conn.slot].sock.local_port == s->said.port[0] ||
			    s->conns[s->tracks[i].conn.slot].sock.remote_port == s->said.port[0]),
		       "the socket");
}

static void test_exclude(struct sensor *s, int method)
{
	struct ev_stats st;

	if (begin(s, method, "steps"))
		return;
	EXPECT(!capture_exclude(s->c, s->child), "exclude");
	child_go(s);
	child_wait(s, false);
	EXPECT(!s->n && !s->orphans && !capture_stats(s->c, &st) && !st.calls && !st.opened &&
		   !st.records,
	       "captured although excluded");
	EXPECT(!capture_include(s->c, s->child), "include");
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 2 && !capture_stats(s->c, &st) && st.bytes == 100000,
	       "not captured after include");
}

static void test_nested(struct sensor *s, int method)
{
	struct track *outer[2] = { 0 }, *inner[2] = { 0 };
	struct ev_stats st;
	int n = 0;

	if (begin(s, method, "nested"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 4, "%zu connections", s->n);
	for (size_t i = 0; i < s->n; i++) {
		struct track *t = &s->tracks[i];

		if (t->conn.ssl == s->said.a)
			inner[0] = t;
		else if (t->conn.ssl == s->said.b)
			inner[1] = t;
		else if (n < 2)
			outer[n++] = t;
	}
	EXPECT(inner[0] && inner[1] && outer[1], "which is which?");
	if (reason[0])
		return;
	for (int i = 0; i < 2; i++) {
		EXPECT(!inner[i]->s[0].bad && !inner[i]->s[1].bad, "inner bytes differ");
		EXPECT(inner[i]->s[EV_WRITE].bytes == (i ? 200000u : 500u) &&
			   inner[i]->s[EV_READ].bytes == (i ? 500u : 200000u),
		       "inner");
		/* The records of the inner connection, with its handshake; what one end wrote, the
		 * other read. */
		EXPECT(outer[i]->s[EV_WRITE].bytes > inner[i]->s[EV_WRITE].bytes &&
			   outer[i]->s[EV_WRITE].hash == outer[!i]->s[EV_READ].hash &&
			   outer[i]->s[EV_WRITE].bytes == outer[!i]->s[EV_READ].bytes,
		       "outer");
	}
	EXPECT(!capture_stats(s->c, &st) && !st.lost_events[EV_LOSS_NESTED], "lost calls");
	child_end(s);
}

/* More calls in flight than are followed: counted, and no connection goes on as if nothing had been
 * missed. */
static void test_deep(struct sensor *s, int method)
{
	struct ev_stats st;

	if (begin(s, method, "deep"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st) && st.lost_events[EV_LOSS_NESTED] > 0, "nothing lost");
	/* The application's own calls are followed; those that its calls make deep down gave way.
	 */
	for (size_t i = 0; i < s->n; i++)
		if (s->tracks[i].conn.ssl == s->said.a || s->tracks[i].conn.ssl == s->said.b)
			EXPECT(!s->tracks[i].s[0].bad && !s->tracks[i].s[1].bad &&
				   s->tracks[i].s[EV_WRITE].bytes >= 500,
			       "inner bytes differ");
	EXPECT(!total(s, offsetof(struct stream, gaps)), "gaps");
	EXPECT(st.closed > 0 && st.opened == s->n, "nothing closed");
	child_end(s);
}

/* Ten processes of four connections each leave without a word; a table of eight has room for them
 * one after the other. */
static void test_exit(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	unsigned live = 0;
	struct ev_stats st;

	o.method = method;
	o.max_conns = 8; /* so 4 for each */
	if (sensor_open(s, &o, copy, &libssl))
		return;
	for (int i = 0; i < 10 && !reason[0]; i++) {
		child_start(s, "leaver");
		child_go(s);
		child_wait(s, false);
		capture_collect(s->c, true);
		drain(s);
		EXPECT(s->n == 4 && !s->tracks[0].closes, "%zu connections, collected alive?",
		       s->n);
		child_end(s);
		s->child = child_pid(s);
		drain(s);
		EXPECT(s->exits == 1, "%u exits", s->exits);
		EXPECT(!s->tracks[0].closes, "closed before it was collected");
		capture_collect(s->c, true);
		drain(s);
		check_closed(s);
		s->child = 0;
		forget(s);
	}
	for (uint32_t i = 0; i < o.max_conns; i++)
		live += !!s->conns[i].id;
	EXPECT(!capture_stats(s->c, &st) && st.opened == 40 && st.closed == 40 &&
		   !st.lost_events[EV_LOSS_CONNS] && !live,
	       "%llu opened, %llu closed, %u in the table", (unsigned long long)st.opened,
	       (unsigned long long)st.closed, live);
}

/* A process gets the pid of one that left its connections behind, and the same SSL*. */
static void test_pid_reuse(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	unsigned same = 0;
	pid_t pid;

	o.method = method;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "leaver");
	child_go(s);
	child_wait(s, false);
	child_end(s);
	pid = child_pid(s);
	child_start_as(s, "leaver", pid);
	if (s->child < 0) {
		snprintf(reason, sizeof(reason), "SKIP pid %d was taken: %s", pid, strerror(errno));
		return;
	}
	child_go(s);
	child_wait(s, false);
	EXPECT(s->child == pid && s->n == 8 && s->exits == 1, "%zu connections, %u exits", s->n,
	       s->exits);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 4; j < s->n; j++)
			same += s->tracks[i].conn.ssl == s->tracks[j].conn.ssl;
	/* A signature's length may move what is allocated after it. */
	EXPECT(same > 0, "no pointer is the same");
	EXPECT(!total(s, offsetof(struct stream, bad)) && !total(s, offsetof(struct stream, gaps)),
	       "joined");
	capture_collect(s->c, true);
	drain(s);
	for (size_t i = 0; i < s->n; i++)
		EXPECT(s->tracks[i].closes == (i < 4), "connection %zu: %u closes", i,
		       s->tracks[i].closes);
	child_end(s);
}

/* The same process, another program: its connections are new, the old ones end. */
static void test_exec(struct sensor *s, int method)
{
	struct ev_stats st;

	if (begin(s, method, "execer"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 2 && !s->exits, "%zu connections", s->n);
	child_go(s);
	child_go(s); /* the second is for the program that comes */
	child_wait(s, false);
	EXPECT(s->n == 6 && s->exits == 1, "%zu connections, %u exits", s->n, s->exits);
	capture_collect(s->c, true);
	drain(s);
	for (size_t i = 0; i < s->n; i++)
		EXPECT(s->tracks[i].closes == (i < 2), "connection %zu: %u closes", i,
		       s->tracks[i].closes);
	EXPECT(!capture_stats(s->c, &st) && st.opened == 6 && st.closed == 2, "counts");
	child_end(s);
}

/* A table of four, of which one process gets two: the rest is counted. */
static void test_full_table(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;

	o.method = method;
	o.max_conns = 4;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "leaver");
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 2 && !capture_stats(s->c, &st) && st.lost_events[EV_LOSS_CONNS] == 2 &&
		   st.lost_bytes[EV_LOSS_CONNS] == 2000,
	       "table");
	check_procs(s);
	child_end(s);
	capture_collect(s->c, true);
	for (uint32_t i = 0; i < o.max_conns; i++)
		EXPECT(!s->conns[i].id, "slot %u is taken", i);
}

static void test_sockets(struct sensor *s, int method)
{
	static const uint8_t lo4[16] = { 127, 0, 0, 1 }, lo6[16] = { [15] = 1 };
	unsigned seen[3] = { 0 };

	if (begin(s, method, "sockets"))
		return;
	if (!capture_sockets(s->c)) {
		snprintf(reason, sizeof(reason), "SKIP no way to tell sockets");
		return;
	}
	child_go(s);
	child_wait(s, false);
	check_whole(s, true);
	EXPECT(s->n == 6, "%zu connections", s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct ev_sock *k = &s->tracks[i].conn.sock;
		const uint8_t *lo = k->family == AF_INET ? lo4 : lo6;

		if (!k->family) {
			EXPECT(!k->local_port && !k->remote_port, "half known");
			seen[2]++;
			continue;
		}
		EXPECT(!memcmp(k->local, lo, 16) && !memcmp(k->remote, lo, 16), "addresses");
		for (int j = 0; j < 2; j++)
			seen[j] +=
			    (k->family == AF_INET) == !j &&
			    (k->local_port == s->said.port[j] || k->remote_port == s->said.port[j]);
		EXPECT(s->tracks[i].socks == 0,
		       "the socket was known when the connection opened, and stayed");
	}
	EXPECT(seen[0] == 2 && seen[1] == 2 && seen[2] == 2, "%u IPv4, %u IPv6, %u unknown",
	       seen[0], seen[1], seen[2]);
	child_end(s);
}

/* What io_uring moves is evidence for nobody: the ends that use it are unknown, those that do their
 * own system calls on the same thread are right. */
static void test_uring(struct sensor *s, int method)
{
	unsigned unknown = 0, right[2] = { 0 };

	if (begin(s, method, "uring"))
		return;
	child_go(s);
	child_wait(s, false);
	if (s->said.a || !capture_sockets(s->c)) {
		snprintf(reason, sizeof(reason), "SKIP no %s",
			 s->said.a ? "io_uring here" : "way to tell sockets");
		return;
	}
	check_whole(s, true);
	EXPECT(s->n == 4, "%zu connections", s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct ev_conn *c = &s->tracks[i].conn;

		EXPECT(!s->tracks[i].socks, "its socket changed");
		unknown += !c->sock.family;
		for (int k = 0; k < 2; k++)
			right[k] += c->sock.remote_port == s->said.port[k];
	}
	EXPECT(unknown == 2 && right[0] == 1 && right[1] == 1, "%u unknown, %u and %u right",
	       unknown, right[0], right[1]);
	child_end(s);
}

static void test_fakes(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;

	o.method = method;
	if (sensor_open(s, &o, "/proc/self/exe", &itself))
		return;
	child_start(s, "fakes");
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st), "stats");
	EXPECT(st.lost_events[EV_LOSS_FAULT] == 1 && st.lost_bytes[EV_LOSS_FAULT] == 150, "fault");
	EXPECT(st.lost_events[EV_LOSS_SENDFILE] == 1 && st.lost_bytes[EV_LOSS_SENDFILE] == 250,
	       "sendfile");
	EXPECT(s->n == 1 && s->tracks[0].s[EV_WRITE].bytes == 600 &&
		   s->tracks[0].s[EV_WRITE].gaps == 400 && !s->tracks[0].s[EV_WRITE].bad,
	       "%llu bytes, gaps of %llu", (unsigned long long)s->tracks[0].s[EV_WRITE].bytes,
	       (unsigned long long)s->tracks[0].s[EV_WRITE].gaps);
	EXPECT(!s->tracks[0].s[EV_READ].any && st.bytes == 1000, "believed a lie");
	child_end(s);
}

static void test_failures(struct sensor *s, int method)
{
	if (begin(s, method, "failures"))
		return;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 4, "%zu connections", s->n);
	check_whole(s, true);
	check_closed(s);
	child_end(s);
}

/* What follows the first SSL_free is another connection, of which the beginning was not seen: no
 * byte is lost, and none taken for a beginning. */
static void test_references(struct sensor *s, int method)
{
	if (begin(s, method, "references"))
		return;
	s->goes_on = true;
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == 3, "%zu connections", s->n);
	check_whole(s, true);
	check_closed(s);
	for (size_t i = 0; i < s->n; i++)
		EXPECT(!(s->tracks[i].conn.flags & EV_CONN_MIDWAY) == (i != 2),
		       "connection %zu: flags %u", i, s->tracks[i].conn.flags);
	EXPECT(s->tracks[2].conn.ssl == s->tracks[0].conn.ssl &&
		   s->tracks[2].s[EV_WRITE].begin == 1000 && s->tracks[2].s[EV_READ].begin == 700,
	       "what goes on");
	child_end(s);
}

static int by_salt(const void *a, const void *b)
{
	uint64_t x = (*(struct track *const *)a)->s[EV_WRITE].salt;
	uint64_t y = (*(struct track *const *)b)->s[EV_WRITE].salt;

	return x < y ? -1 : x > y;
}

/* Each of them wrote what its own pointer seeds, and read what its peer wrote. */
static void test_many(struct sensor *s, int method)
{
	struct track *sorted[MANY];
	struct capture_opts o = defaults;
	unsigned strange = 0, lonely = 0;

	o.method = method;
	o.max_conns = 65536; /* as by default */
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "many");
	child_go(s);
	child_wait(s, false);
	EXPECT(s->n == MANY, "%zu connections", s->n);
	if (reason[0])
		return;
	check_whole(s, true);
	for (size_t i = 0; i < MANY; i++)
		sorted[i] = &s->tracks[i];
	qsort(sorted, MANY, sizeof(*sorted), by_salt);
	for (size_t i = 0; i < MANY; i++) {
		struct track *t = &s->tracks[i], key = {}, *at = &key, **peer;

		strange += t->s[EV_WRITE].salt != t->conn.ssl * 31 + 7 || t->conn.flags;
		key.s[EV_WRITE].salt = t->s[EV_READ].salt;
		peer = bsearch(&at, sorted, MANY, sizeof(*sorted), by_salt);
		lonely += !peer || (*peer)->s[EV_READ].salt != t->s[EV_WRITE].salt ||
			  (*peer)->s[EV_READ].bytes != t->s[EV_WRITE].bytes ||
			  (*peer)->s[EV_READ].hash != t->s[EV_WRITE].hash;
	}
	EXPECT(!strange && !lonely, "%u wrote what another did, %u read what nobody wrote", strange,
	       lonely);
	child_end(s);
}

/* One call larger than the ring, its consumer stalled: as much as fits and is the process's share,
 * then a gap of exactly the rest. */
static void test_one_big(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;
	struct stream *w;
	uint64_t lost;

	o.method = method;
	o.ring_bytes = 16 * MIB;
	o.max_call_bytes = 128 * MIB;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "one-big");
	child_go(s);
	child_wait(s, true);
	drain(s);
	w = &s->tracks[0].s[EV_WRITE];
	EXPECT(s->n == 1 && w->bytes > 8 * MIB && w->bytes < 16 * MIB && w->bytes == w->next &&
		   !w->gaps,
	       "%llu bytes before the gap", (unsigned long long)w->bytes);
	child_go(s);
	child_wait(s, false);
	EXPECT(!capture_stats(s->c, &st), "stats");
	lost = st.lost_bytes[EV_LOSS_RING] + st.lost_bytes[EV_LOSS_BUDGET];
	EXPECT(w->gaps == lost && w->bytes + w->gaps == 64 * MIB + 100 &&
		   w->next == 64 * MIB + 100 && !w->bad,
	       "%llu bytes and gaps of %llu, %llu counted", (unsigned long long)w->bytes,
	       (unsigned long long)w->gaps, (unsigned long long)lost);
	check_procs(s);
	check_closed(s);
	child_end(s);
}

/* 64 MiB in writes of 4 MiB, through a ring that holds two of them. */
static void test_big(struct sensor *s, int method)
{
	struct capture_opts o = defaults;

	o.method = method;
	o.ring_bytes = 16 * MIB;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "big");
	for (int i = 0; i < 17; i++) {
		child_go(s);
		child_wait(s, false);
	}
	check_whole(s, true);
	check_closed(s);
	EXPECT(s->n == 2 && s->said.bytes == 128 * MIB, "%zu connections", s->n);
	child_end(s);
}

/* Those of one step, numbered from first: each is a connection of its own with the bytes that its
 * number seeds. */
static void check_step(struct sensor *s, uint64_t first, size_t n)
{
	EXPECT(s->n == n, "%zu of %zu connections", s->n, n);
	EXPECT(!total(s, offsetof(struct stream, bad)) &&
		   !total(s, offsetof(struct stream, gaps)) && !s->orphans,
	       "from %llu on: bytes differ", (unsigned long long)first);
	for (size_t i = 0; i < s->n && !reason[0]; i++)
		EXPECT(s->tracks[i].opens == 1 && s->tracks[i].s[EV_WRITE].salt == first + i &&
			   s->tracks[i].s[EV_WRITE].bytes && !s->tracks[i].s[EV_READ].any,
		       "connection %llu", (unsigned long long)(first + i));
}

static void test_cycles(struct sensor *s, int method)
{
	const char *told = getenv("EARSHOT_CYCLES");
	uint64_t n = told ? strtoull(told, NULL, 10) : CYCLES;
	struct capture_opts o = defaults;
	struct ev_stats st;

	n -= n % CYCLES_STEP;
	if (!told)
		setenv("EARSHOT_CYCLES", "100000", 1);
	o.method = method;
	if (sensor_open(s, &o, "/proc/self/exe", &itself))
		return;
	child_start(s, "cycles");
	for (uint64_t i = 0; i < n && !reason[0]; i += CYCLES_STEP) {
		child_go(s);
		child_wait(s, false);
		check_step(s, i, CYCLES_STEP);
		check_closed(s);
		forget(s);
	}
	EXPECT(!capture_stats(s->c, &st) && st.opened == n && st.closed == n &&
		   st.bytes == s->said.bytes && st.calls == n && !st.lost_events[EV_LOSS_CONTROL],
	       "%llu opened, %llu closed", (unsigned long long)st.opened,
	       (unsigned long long)st.closed);
	child_end(s);
}

static void test_pids(struct sensor *s, int method)
{
	struct capture_opts o = defaults;
	struct ev_stats st;

	o.method = method;
	if (sensor_open(s, &o, "/proc/self/exe", &itself))
		return;
	child_start(s, "pids");
	s->anyone = true;
	for (uint64_t i = 0; i < PIDS && !reason[0]; i += PIDS_STEP) {
		child_go(s);
		child_wait(s, false);
		check_step(s, i, PIDS_STEP);
		EXPECT(s->exits == PIDS_STEP, "%u exits", s->exits);
		capture_collect(s->c, true);
		drain(s);
		for (size_t k = 0; k < s->n; k++) {
			EXPECT(s->tracks[k].closes == 1, "connection %zu stays", k);
			EXPECT(!k || s->tracks[k].conn.start_ns > s->tracks[k - 1].conn.start_ns,
			       "two processes at once");
		}
		forget(s);
	}
	EXPECT(s->said.b < PIDS / 10, "the number was taken %llu times",
	       (unsigned long long)s->said.b);
	EXPECT(!capture_stats(s->c, &st) && st.opened == PIDS && st.closed == PIDS,
	       "%llu opened, %llu closed", (unsigned long long)st.opened,
	       (unsigned long long)st.closed);
	child_end(s);
}

static int wakeups(int epoll, int ms)
{
	struct epoll_event e;

	return epoll_wait(epoll, &e, 1, ms);
}

/* Asleep: the next record wakes the consumer, once. Awake: records are silent until the ring is
 * a quarter full. */
static void test_wake(struct sensor *s, int method)
{
	struct epoll_event in = { .events = EPOLLIN };
	auto_close int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct capture_opts o = defaults;

	o.method = method;
	o.ring_bytes = MIB;
	if (sensor_open(s, &o, copy, &libssl))
		return;
	child_start(s, "steps");
	EXPECT(!epoll_ctl(epoll, EPOLL_CTL_ADD, s->fds.data_ring, &in), "epoll_ctl: %s",
	       strerror(errno));
	child_go(s);
	child_wait(s, true);
	EXPECT(!wakeups(epoll, 0) && ring_pending(s->data) > 200000, "woken although awake");
	drain(s);
	__atomic_store_n(&s->wake->asleep, 1, __ATOMIC_SEQ_CST);
	child_go(s);
	EXPECT(wakeups(epoll, 10000) == 1, "not woken");
	child_wait(s, true);
	EXPECT(!__atomic_load_n(&s->wake->asleep, __ATOMIC_SEQ_CST), "asleep stays set");
	drain(s);
	EXPECT(!wakeups(epoll, 0), "woken after draining");
	/* 200 KB, then 100 KB: past the quarter at the second. */
	child_go(s);
	child_wait(s, true);
	EXPECT(!wakeups(epoll, 0) && ring_pending(s->data) < MIB / 4, "woken below the quarter");
	child_go(s);
	child_wait(s, true);
	EXPECT(wakeups(epoll, 0) == 1 && ring_pending(s->data) > MIB / 4,
	       "not woken past the quarter");
}

static void test_detach(struct sensor *s, int method)
{
	struct ev_stats st;

	if (begin(s, method, "steps"))
		return;
	capture_detach(s->c, &s->key);
	EXPECT(!capture_attached(s->c), "still attached");
	child_go(s);
	child_wait(s, false);
	EXPECT(!s->n && !capture_stats(s->c, &st) && !st.calls, "captured after detach");
}

/* No user id, two capabilities: all that session and multi take. */
static void test_capabilities(struct sensor *s, int method)
{
	int status = -1;
	pid_t pid = fork();

	(void)s;
	if (!pid) {
		capng_clear(CAPNG_SELECT_BOTH);
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_PERFMON,
			      -1);
		if (capng_change_id(65534, 65534, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
			_exit(20);
		if (begin(s, method, "retry")) {
			fprintf(stderr, "# %s\n", reason);
			_exit(21);
		}
		child_go(s);
		child_wait(s, false);
		check_whole(s, true);
		capture_collect(s->c, true);
		sensor_close(s);
		if (reason[0])
			fprintf(stderr, "# %s\n", reason);
		_exit(reason[0] ? 22 : 0);
	}
	waitpid(pid, &status, 0);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "status %x", status);
}

/* Nothing at all: one sentence that names what is missing. */
static void test_unprivileged(struct sensor *s, int method)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		capng_clear(CAPNG_SELECT_BOTH);
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, -1);
		if (capng_change_id(65534, 65534, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
			_exit(20);
		_exit(begin(s, method, "retry") && strstr(reason, "CAP_PERFMON is missing") ? 0
											    : 21);
	}
	waitpid(pid, &status, 0);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "status %x", status);
}

#define ALL	((1 << CAPTURE_METHOD_MAX_) - 1)
#define NO_PERF (ALL & ~(1 << CAPTURE_PERF)) /* perf probes take CAP_SYS_ADMIN */
#define BEST	0			     /* only what capture_new() chooses by itself */

static const struct {
	const char *name;
	void (*run)(struct sensor *s, int method);
	unsigned methods;
} tests[] = {
	{ "every size, both ways, plain and _ex, each byte once", test_sizes, ALL },
	{ "writes that are retried count once", test_retry, ALL },
	{ "a pointer used again is a new connection", test_reuse, ALL },
	{ "threads do not mix", test_threads, ALL },
	{ "a process confined by seccomp survives", test_confined, ALL },
	{ "TLS inside TLS", test_nested, ALL },
	{ "a full ring: gaps equal the counters", test_flood, ALL },
	{ "faults, sendfile and lies are counted", test_fakes, ALL },
	{ "more calls than a process may have", test_calls_budget, ALL },
	{ "reads that fail", test_failures, ALL },
	{ "SSL_free of one of several references", test_references, ALL },
	{ "10,000 connections at once, each byte on its stream", test_many, ALL },
	{ "a write of 64 MiB, larger than the ring", test_one_big, ALL },
	{ "64 MiB in writes of 4 MiB", test_big, ALL },
	{ "pointers used again and again", test_cycles, ALL },
	{ "10,000 processes with one pid", test_pids, ALL },
	{ "the limit for one call", test_call_limit, BEST },
	{ "muting, by turn and for good", test_mute, BEST },
	{ "answers that are passed over", test_pass_over, NO_PERF },
	{ "an excluded process", test_exclude, BEST },
	{ "more calls in flight than are followed", test_deep, ALL },
	{ "processes that leave free their connections", test_exit, ALL },
	{ "a pid used again", test_pid_reuse, BEST },
	{ "a process that executes another program", test_exec, BEST },
	{ "a full connection table", test_full_table, BEST },
	{ "the socket of a connection", test_sockets, ALL },
	{ "io_uring: unknown, never wrong", test_uring, ALL },
	{ "a sleeping consumer is woken once", test_wake, BEST },
	{ "detach", test_detach, ALL },
	{ "without root: CAP_BPF and CAP_PERFMON", test_capabilities, NO_PERF },
	{ "a missing capability is named", test_unprivileged, BEST },
};

/* Where in its file the code at p is. */
static uint64_t file_offset(const void *p, char *path, size_t path_size)
{
	auto_file FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to, at, want = (unsigned long)p;
	char line[512], name[400];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %399s", &from, &to, &at, name) != 4 ||
		    want < from || want >= to)
			continue;
		if (path)
			snprintf(path, path_size, "%s", name);
		return want - from + at;
	}
	abort();
}

static int copy_file(const char *from, const char *to)
{
	auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_close int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	char buf[65536];
	ssize_t n;

	if (in < 0 || out < 0)
		return -errno;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -EIO;
	return n < 0 ? -errno : 0;
}

static void add_site(struct survey *s, uint64_t offset, enum ev_site site)
{
	s->sites[s->n_sites++] = (struct survey_site){ .offset = offset, .site = site };
}

/* Copies the system's libssl, and finds its sites. */
static void prepare(void)
{
	char path[400];
	int err, fd;

	file_offset((const void *)(uintptr_t)SSL_read, path, sizeof(path));
	snprintf(dir, sizeof(dir), "/tmp/earshot-capture.XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		abort();
	snprintf(copy, sizeof(copy), "%s/%s", dir, strrchr(path, '/') + 1);
	err = copy_file(path, copy);
	if (err)
		abort();
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	if (survey_file(fd, &libssl) || libssl.verdict != SURVEY_TLS)
		abort();
	close(fd);
	add_site(&itself, file_offset((const void *)(uintptr_t)fake_write, NULL, 0), EV_SITE_WRITE);
	add_site(&itself, file_offset((const void *)(uintptr_t)fake_sendfile, NULL, 0),
		 EV_SITE_SENDFILE);
	add_site(&itself, file_offset((const void *)(uintptr_t)fake_read_ex, NULL, 0),
		 EV_SITE_READ_EX);
	add_site(&itself, file_offset((const void *)(uintptr_t)fake_free, NULL, 0), EV_SITE_FREE);
	add_site(&itself, file_offset((const void *)(uintptr_t)fake_clear, NULL, 0), EV_SITE_CLEAR);
}

/* Method, or -1 for the best. Returns which it is, or an error. */
static int loads(int method, char *why, size_t why_size)
{
	struct capture_opts o = { .ring_bytes = MIB,
				  .max_conns = 16,
				  .max_call_bytes = MIB,
				  .share = 5,
				  .method = method };
	struct capture *c = NULL;
	int err = capture_new(&c, &o, why, why_size);

	if (!err)
		err = (int)capture_method(c);
	capture_free(&c);
	return err;
}

/* ok; not ok; ok with SKIP, when skip says why. */
static void verdict(int method, const char *name, const char *skip)
{
	bool failed = !skip && reason[0];

	if (failed)
		printf("# %s\n", reason);
	failures += failed;
	printf("%s %u - %s: %s%s%s\n", failed ? "not ok" : "ok", ++n_tests,
	       capture_method_names[method], name, skip ? " # SKIP " : "", skip ? skip : "");
}

static void run(size_t i, int method)
{
	struct sensor *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->to = s->from = -1;
	tests[i].run(s, method);
	if (s->child < 0)
		s->child = 0;
	sensor_close(s);
	free(s);
	verdict(method, tests[i].name, strncmp(reason, "SKIP ", 5) ? NULL : reason + 5);
}

int main(int argc, char **argv)
{
	bool require = getenv("EARSHOT_REQUIRE_BPF") && !strcmp(getenv("EARSHOT_REQUIRE_BPF"), "1");
	unsigned plan = 0, wanted[CAPTURE_METHOD_MAX_] = { 0 };
	char why[200];
	int best;

	if (argc == 3 && !strcmp(argv[1], "--peer"))
		return peer_main(argv[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	prepare();
	best = loads(-1, why, sizeof(why));
	for (int m = 0; m < CAPTURE_METHOD_MAX_; m++) {
		char lacks[200];

		/* A kernel that can do without a method need not have it. */
		if (best >= 0 && loads(m, lacks, sizeof(lacks)) < 0) {
			printf("# not tested: %s\n", lacks);
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
			if ((argc < 3 || strstr(tests[i].name, argv[2])) &&
			    (tests[i].methods & 1u << m ||
			     (!tests[i].methods && m == MAX(best, 0))))
				wanted[m] |= 1u << i;
		plan += (unsigned)__builtin_popcount(wanted[m]);
	}
	printf("1..%u\n", plan);
	for (int m = 0; m < CAPTURE_METHOD_MAX_; m++) {
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
			reason[0] = '\0';
			if (!(wanted[m] & 1u << i))
				continue;
			if (best < 0 && !require)
				verdict(m, tests[i].name, why);
			else
				run(i, m);
		}
	}
	unlink(copy);
	rmdir(dir);
	return failures ? 1 : 0;
}
