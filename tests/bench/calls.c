/* tests/bench/calls.c - nanoseconds that a probe adds to one SSL call, by site, method and what
 * becomes of the call. Both ends of a TCP connection in a child process, on a private copy of
 * libssl; a write and a read in a tight loop, with and without probes in turn; medians. `calls hold
 * N` instead holds N connections open, each with an exchange behind it, until stdin ends.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/capture.h"
#include "capture/link.h"
#include "capture/ring.h"
#include "capture/survey.h"

#define ROUNDS	   9
#define RING_BYTES (64 << 20) /* takes a round without a wakeup */
#define SIZE_MAX_  16384
#define HELD_REQUEST                                                                               \
	"POST /v1/chat/completions HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"    \
	"Content-Length: 2\r\n\r\n{}"
#define HELD_ANSWER                                                                                \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "calls: line %d: %s: %s\n", __LINE__, #x,                  \
				strerror(errno));                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct size {
	uint32_t bytes, calls; /* of a round */
};
static const struct size sizes[] = { { 64, 10000 }, { SIZE_MAX_, 600 } };

/* --- the child */

static SSL_CTX *contexts[2]; /* client, server */

static void make_contexts(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	MUST(key && cert);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	MUST(X509_sign(cert, key, EVP_sha256()));
	contexts[0] = SSL_CTX_new(TLS_client_method());
	contexts[1] = SSL_CTX_new(TLS_server_method());
	MUST(contexts[0] && contexts[1] && SSL_CTX_use_certificate(contexts[1], cert) == 1 &&
	     SSL_CTX_use_PrivateKey(contexts[1], key) == 1);
	SSL_CTX_set_num_tickets(contexts[1], 0);
}

static void shake_hands(SSL *end[2])
{
	SSL_set_connect_state(end[0]);
	SSL_set_accept_state(end[1]);
	for (int i = 0; i < 1000; i++) {
		SSL_do_handshake(end[0]);
		SSL_do_handshake(end[1]);
	}
	MUST(SSL_is_init_finished(end[0]) && SSL_is_init_finished(end[1]));
}

static void over_tcp(SSL *end[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd[2] = { socket(AF_INET, SOCK_STREAM, 0) },
	    yes = 1, room = 1 << 20;

	MUST(!bind(listener, (struct sockaddr *)&sa, len) && !listen(listener, 1));
	MUST(!getsockname(listener, (struct sockaddr *)&sa, &len));
	MUST(!connect(fd[0], (struct sockaddr *)&sa, len));
	fd[1] = accept(listener, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		MUST(!fcntl(fd[i], F_SETFL, O_NONBLOCK) &&
		     !setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) &&
		     !setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
		end[i] = SSL_new(contexts[i]);
		MUST(end[i] && SSL_set_fd(end[i], fd[i]) == 1);
	}
	shake_hands(end);
	close(listener);
}

static void pass(SSL *from, SSL *to, const void *data, int n)
{
	static uint8_t in[SIZE_MAX_];

	MUST(SSL_write(from, data, n) == n);
	while (n > 0) {
		int got = SSL_read(to, in, n);

		n -= MAX(got, 0);
	}
}

/* A size and a number for each round; answers with the CPU time that it took, which others on this
 * host hardly disturb. */
static int peer(void)
{
	static uint8_t data[SIZE_MAX_];
	SSL *end[2];
	struct size s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_contexts();
	over_tcp(end);
	while (read(0, &s, sizeof(s)) == sizeof(s)) {
		uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID), took;

		for (uint32_t i = 0; i < s.calls; i++)
			pass(end[0], end[1], data, (int)s.bytes);
		took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
		MUST(write(1, &took, sizeof(took)) == sizeof(took));
	}
	return 0;
}

static int hold(long n)
{
	char c;

	make_contexts();
	for (long i = 0; i < n / 2; i++) {
		SSL *end[2] = { SSL_new(contexts[0]), SSL_new(contexts[1]) };
		BIO *bio[2];

		MUST(end[0] && end[1] && BIO_new_bio_pair(&bio[0], 0, &bio[1], 0) == 1);
		for (int j = 0; j < 2; j++)
			SSL_set_bio(end[j], bio[j], bio[j]);
		SSL_set_connect_state(end[0]);
		SSL_set_accept_state(end[1]);
		while (!SSL_is_init_finished(end[0]) || !SSL_is_init_finished(end[1])) {
			SSL_do_handshake(end[0]);
			SSL_do_handshake(end[1]);
		}
		pass(end[0], end[1], HELD_REQUEST, sizeof(HELD_REQUEST) - 1);
		pass(end[1], end[0], HELD_ANSWER, sizeof(HELD_ANSWER) - 1);
	}
	printf("%ld\n", n);
	fflush(stdout);
	return read(0, &c, 1) < 0;
}

/* --- the parent */

static char dir[64], copy[512];
static pid_t child;
static int to_child, from_child;
static struct survey chosen, exported;

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

/* A copy, so that nobody else's calls are probed; and its sites: as the survey chooses them, and
 * the first instruction of what is exported. */
static void prepare(void)
{
	const struct survey_site plain[] = {
		{ file_offset((const void *)(uintptr_t)SSL_read, copy, sizeof(copy)), EV_SITE_READ,
		  SITE_EXPORT_SLOW, "SSL_read" },
		{ file_offset((const void *)(uintptr_t)SSL_write, NULL, 0), EV_SITE_WRITE,
		  SITE_EXPORT_SLOW, "SSL_write" },
		{ file_offset((const void *)(uintptr_t)SSL_do_handshake, NULL, 0),
		  EV_SITE_HANDSHAKE, SITE_EXPORT_SLOW, "SSL_do_handshake" },
		{ file_offset((const void *)(uintptr_t)SSL_free, NULL, 0), EV_SITE_FREE,
		  SITE_EXPORT_SLOW, "SSL_free" },
	};
	auto_close int in = open(copy, O_RDONLY | O_CLOEXEC);
	auto_close int out = -1;
	char buf[65536];
	ssize_t n;

	snprintf(dir, sizeof(dir), "/tmp/earshot-calls.XXXXXX");
	MUST(in >= 0 && mkdtemp(dir));
	snprintf(buf, sizeof(buf), "%s%s", dir, strrchr(copy, '/'));
	snprintf(copy, sizeof(copy), "%.500s", buf);
	out = open(copy, O_RDWR | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		MUST(write(out, buf, (size_t)n) == n);
	MUST(!survey_file(out, &chosen) && chosen.verdict == SURVEY_TLS);
	exported = chosen;
	exported.n_sites = ARRAY_SIZE(plain);
	memcpy(exported.sites, plain, sizeof(plain));
}

static void start_child(void)
{
	int to[2], from[2];

	MUST(!pipe2(to, O_CLOEXEC) && !pipe2(from, O_CLOEXEC));
	child = fork();
	if (!child) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		setenv("LD_LIBRARY_PATH", dir, 1);
		execl("/proc/self/exe", "calls", "peer", NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	to_child = to[1];
	from_child = from[0];
}

struct sensor {
	struct capture *c;
	struct ring *data, *control;
	const struct ev_conn *conns;
	uint64_t *slots;
	struct capture_fds fds;
};

static void drop(void *ctx, struct span record)
{
	(void)ctx;
	(void)record;
}

/* The time of one round, in ns per call. s: NULL when nothing is captured. */
static double run(struct sensor *s, const struct size *size)
{
	uint64_t took;

	MUST(write(to_child, size, sizeof(*size)) == sizeof(*size));
	MUST(read(from_child, &took, sizeof(took)) == sizeof(took));
	if (s) {
		ring_consume(s->data, drop, NULL, 0);
		ring_consume(s->control, drop, NULL, 0);
	}
	return (double)took / (2.0 * size->calls);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* Of both ends. */
static void order(struct sensor *s, enum ev_policy policy)
{
	for (uint32_t i = 0; i < s->fds.max_conns; i++)
		if (s->conns[i].id && s->conns[i].tgid == (uint32_t)child)
			s->slots[i] = EV_SLOT(s->conns[i].id, mono_ns(), 0, policy);
}

static void print(const char *what, double added[ARRAY_SIZE(sizes)][ROUNDS])
{
	printf("  %-58s %8.0f %10.0f\n", what, median(added[0], ROUNDS), median(added[1], ROUNDS));
	fflush(stdout);
}

static void row(struct sensor *s, const char *what, const struct survey *sites,
		enum ev_policy policy)
{
	const struct inode_key key = { .ino = 1 };
	double added[ARRAY_SIZE(sizes)][ROUNDS], none[ARRAY_SIZE(sizes)][ROUNDS];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t r = 0; r < ROUNDS; r++) {
			auto_close int fd = open(copy, O_RDONLY | O_CLOEXEC);
			const struct size warm = { sizes[i].bytes, 50 };

			run(s, &warm);
			none[i][r] = run(s, &sizes[i]);
			MUST(!capture_attach(s->c, &key, fd, sites));
			run(s, &warm);
			order(s, policy);
			added[i][r] = run(s, &sizes[i]) - none[i][r];
			order(s, EV_WATCH);
			capture_detach(s->c, &key);
		}
	}
	print(what, added);
}

/* A program that does nothing: what the probe itself costs. elsewhere: it is limited to this
 * process, which makes no calls; the library's code is the same. */
static void floor_of(bool elsewhere)
{
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, o,
		    .expected_attach_type =
			(enum bpf_attach_type)link_attach_type(CAPTURE_SESSION, LEG_BOTH));
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "nothing", "GPL", nothing, 2, &o);
	double added[ARRAY_SIZE(sizes)][ROUNDS];
	struct place places[SURVEY_SITES_MAX];

	if (prog < 0)
		return;
	for (uint32_t i = 0; i < chosen.n_sites; i++)
		places[i] = (struct place){ chosen.sites[i].offset, 0 };
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t r = 0; r < ROUNDS; r++) {
			auto_close int fd = open(copy, O_RDONLY | O_CLOEXEC);
			const struct size warm = { sizes[i].bytes, 50 };
			struct links links = { .only = elsewhere ? getpid() : 0 };
			double none;

			run(NULL, &warm);
			none = run(NULL, &sizes[i]);
			MUST(!links_add(&links, CAPTURE_SESSION, LEG_BOTH, prog, fd, places,
					chosen.n_sites));
			run(NULL, &warm);
			added[i][r] = run(NULL, &sizes[i]) - none;
			links_free(&links);
		}
	}
	print(elsewhere ? "uprobe.session, limited to another process"
			: "uprobe.session, a program that does nothing",
	      added);
	close(prog);
}

static bool begin(struct sensor *s, int m, uint32_t max_calls)
{
	const struct capture_opts o = { .ring_bytes = RING_BYTES,
					.max_conns = 256,
					.max_call_bytes = 1 << 20,
					.share = 100,
					.max_calls = max_calls,
					.method = m };
	char why[200] = "";

	*s = (struct sensor){ 0 };
	if (capture_new(&s->c, &o, why, sizeof(why))) {
		printf("  %s: %s\n", m < 0 ? "capture" : capture_method_names[m], why);
		return false;
	}
	capture_fds(s->c, &s->fds);
	MUST(!ring_new(&s->data, s->fds.data_ring, s->fds.data_ring_bytes) &&
	     !ring_new(&s->control, s->fds.control_ring, s->fds.control_ring_bytes));
	s->conns = mmap(NULL, s->fds.max_conns * sizeof(*s->conns), PROT_READ, MAP_SHARED,
			s->fds.conns, 0);
	s->slots = mmap(NULL, s->fds.max_conns * sizeof(*s->slots), PROT_READ | PROT_WRITE,
			MAP_SHARED, s->fds.slots, 0);
	MUST(s->conns != MAP_FAILED && s->slots != MAP_FAILED);
	return true;
}

static void end(struct sensor *s)
{
	munmap((void *)(uintptr_t)s->conns, s->fds.max_conns * sizeof(*s->conns));
	munmap(s->slots, s->fds.max_conns * sizeof(*s->slots));
	ring_free(&s->data);
	ring_free(&s->control);
	capture_free(&s->c);
}

static void method(int m)
{
	struct sensor s;
	char what[100];

	if (!begin(&s, m, 0))
		return;
	snprintf(what, sizeof(what), "%s, %s", capture_method_names[m],
		 site_choice_names[chosen.sites[0].choice]);
	row(&s, what, &chosen, EV_WATCH);
	snprintf(what, sizeof(what), "%s, %s, muted", capture_method_names[m],
		 site_choice_names[chosen.sites[0].choice]);
	row(&s, what, &chosen, EV_MUTE);
	snprintf(what, sizeof(what), "%s, first instruction of SSL_read, SSL_write",
		 capture_method_names[m]);
	row(&s, what, &exported, EV_WATCH);
	end(&s);
	if (!begin(&s, m, 1))
		return;
	snprintf(what, sizeof(what), "%s, %s, beyond its calls", capture_method_names[m],
		 site_choice_names[chosen.sites[0].choice]);
	row(&s, what, &chosen, EV_WATCH);
	end(&s);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "peer"))
		return peer();
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(atol(argv[2]));
	prepare();
	start_child();
	printf("\nNanoseconds of CPU time added to one SSL call (medians of %d, in turn with no "
	       "probe)\n\n"
	       "  %-58s %8s %10s\n",
	       ROUNDS, "method and place", "64 bytes", "16 KiB");
	floor_of(true);
	floor_of(false);
	for (int m = 0; m < CAPTURE_METHOD_MAX_; m++)
		method(m);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(copy);
	rmdir(dir);
	return 0;
}
