/* tests/e2e/victims.c - programs that do what probes are known to break, each with an output and an
 * exit code that are always the same: for test_safety.py, which runs them with and without a
 * sensor.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(c)                                                                                    \
	do {                                                                                       \
		if (!(c)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                    \
			exit(9);                                                                   \
		}                                                                                  \
	} while (0)

struct pair {
	SSL *a, *b;
};

static SSL_CTX *ctx;
static char data[16000];
static const char *self;

static unsigned key_of_client(SSL *s, const char *hint, char *id, unsigned id_max,
			      unsigned char *key, unsigned max)
{
	(void)s, (void)hint, (void)id_max, (void)max;
	strcpy(id, "c");
	memset(key, 'k', 16);
	return 16;
}

static unsigned key_of_server(SSL *s, const char *id, unsigned char *key, unsigned max)
{
	(void)s, (void)id, (void)max;
	memset(key, 'k', 16);
	return 16;
}

static void begin(void)
{
	ctx = SSL_CTX_new(TLS_method());
	MUST(ctx && SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) &&
	     SSL_CTX_set_cipher_list(ctx, "PSK-AES128-GCM-SHA256"));
	SSL_CTX_set_psk_client_callback(ctx, key_of_client);
	SSL_CTX_set_psk_server_callback(ctx, key_of_server);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i % 23);
}

static struct pair join(void)
{
	struct pair p = { SSL_new(ctx), SSL_new(ctx) };
	BIO *a, *b;
	int done = 0;

	MUST(BIO_new_bio_pair(&a, 1 << 17, &b, 1 << 17));
	SSL_set_bio(p.a, a, a);
	SSL_set_bio(p.b, b, b);
	SSL_set_connect_state(p.a);
	SSL_set_accept_state(p.b);
	for (int i = 0; i < 8 && done != 2; i++)
		done = SSL_do_handshake(p.a) + SSL_do_handshake(p.b);
	MUST(done == 2);
	return p;
}

static void end(struct pair *p)
{
	SSL_free(p->a);
	SSL_free(p->b);
}

/* Returns the sum of what came over. */
static unsigned long carry(struct pair *p, int times)
{
	unsigned long sum = 0;
	char back[sizeof(data)];

	for (int i = 0; i < times; i++) {
		int n = 1000 + i % 7 * 2000;

		MUST(SSL_write(p->a, data, n) == n);
		for (int got = 0, r; got < n; got += r) {
			r = SSL_read(p->b, back, sizeof(back));
			MUST(r > 0);
			for (int k = 0; k < r; k++)
				sum = sum * 31 + (unsigned char)back[k];
		}
	}
	return sum;
}

static int confined(void)
{
	static const unsigned allowed[] = { SYS_read, SYS_write,  SYS_exit_group, SYS_brk,
					    SYS_mmap, SYS_munmap, SYS_madvise };
	enum { N = sizeof(allowed) / sizeof(*allowed) };
	struct sock_filter code[N + 3] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, nr)) };
	struct sock_fprog filter = { N + 3, code };
	struct pair p = join();

	for (unsigned i = 0; i < N; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
							   (unsigned char)(N - i), 0);
	code[N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[N + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	printf("ready\n");
	fflush(stdout);
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	     !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
	printf("%lx\n", carry(&p, 50));
	fflush(stdout);
	syscall(SYS_exit_group, 11);
	return 0;
}

/* The child borrows the parent's memory and stack, and calls what is probed. */
static int vforked(void)
{
	struct pair p = join(), q = join();
	unsigned long sum = carry(&p, 5);
	volatile unsigned long theirs = 0;
	int status, codes = 0;

	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (!pid) {
			theirs = carry(&q, 3);
			_exit(i);
		}
		MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		codes += WEXITSTATUS(status);
		sum += carry(&p, 2) + theirs;
		pid = vfork();
		if (!pid) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		MUST(waitpid(pid, &status, 0) == pid && !status);
	}
	end(&p);
	end(&q);
	printf("%lx %d\n", sum, codes);
	return 12;
}

static void *chatter(void *arg)
{
	struct pair p = join();

	(void)arg;
	for (;;)
		carry(&p, 10);
	return NULL;
}

/* Another program while other threads are inside of calls. */
static void *leaver(void *arg)
{
	(void)arg;
	usleep(30000);
	execl(self, "victims", "left", (char *)NULL);
	_exit(127);
}

static int thread_exec(void)
{
	pthread_t t[5];

	for (int i = 0; i < 4; i++)
		MUST(!pthread_create(&t[i], NULL, chatter, NULL));
	MUST(!pthread_create(&t[4], NULL, leaver, NULL));
	chatter(NULL);
	return 0;
}

static int left(void)
{
	struct pair p = join();

	printf("%lx\n", carry(&p, 10));
	return 13;
}

/* SIGKILL in the middle of calls; forked children that go on with the parent's connection. */
static int killed(void)
{
	struct pair p = join();
	unsigned long sum = 0;
	int status;

	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (!pid)
			chatter(NULL);
		usleep((unsigned)(500 + 200 * i));
		MUST(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid);
		MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		pid = fork();
		if (!pid)
			_exit(carry(&p, 3) % 200 == 0);
		MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		sum += carry(&p, 3);
	}
	printf("%lx\n", sum);
	return 14;
}

static sig_atomic_t volatile alarms;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

/* A thousand signals a second, at any instruction. */
static int signalled(void)
{
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct pair p = join();
	unsigned long sum = 0;

	MUST(!sigaction(SIGALRM, &act, NULL) && !setitimer(ITIMER_REAL, &every, NULL));
	while (alarms < 200)
		sum = carry(&p, 20);
	printf("%lx\n", sum);
	return 15;
}

static jmp_buf out;
static int jump;

static void on_message(int written, int version, int type, const void *buf, size_t len, SSL *ssl,
		       void *arg)
{
	(void)written, (void)version, (void)type, (void)buf, (void)len, (void)ssl, (void)arg;
	if (jump)
		longjmp(out, 1);
}

/* Calls that never return. */
static int jumped(void)
{
	volatile int jumps = 0;
	struct pair p = join();

	for (volatile int i = 0; i < 50; i++) {
		struct pair q = join();

		SSL_set_msg_callback(q.a, on_message);
		jump = 1;
		if (!setjmp(out))
			SSL_write(q.a, data, 100);
		else
			jumps++;
		jump = 0;
		end(&q);
	}
	printf("%d %lx\n", jumps, carry(&p, 10));
	return 16;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} rows[] = {
		{ "confined", confined }, { "vforked", vforked }, { "thread-exec", thread_exec },
		{ "left", left },	  { "killed", killed },	  { "signalled", signalled },
		{ "jumped", jumped },
	};

	self = "/proc/self/exe";
	begin();
	for (size_t i = 0; argc == 2 && i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(argv[1], rows[i].name)) {
			int code = rows[i].run();

			fflush(stdout);
			return code;
		}
	return 8;
}
