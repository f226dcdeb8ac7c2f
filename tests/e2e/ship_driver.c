/* tests/e2e/ship_driver.c - monitor and keeper of one earshot-shipper, for test_ship.py.
 * usage: ship_driver SHIPPER URL STORE [CA [CERT KEY]]     STORE: 32 hex digits
 * Commands, a line each:
 *   batch FIRST COUNT [BAD]  a Batch of revisions of one hash chain; the body of revision BAD holds
 * the word POISON keeper                   a new keeper: the old socket closes, another one is
 * handed over lose-keeper              the socket closes and nobody takes its place garbage a
 * REQ_BATCH that is none counters                 the shipper's counters stop REQ_STOP Prints what
 * happens, a line each: ready, upstream TEXT, shipped THROUGH [SEQUENCE:REASON]..., exit CODE,
 * signal NUMBER.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "alert/chain.h"
#include "base/escape.h"
#include "base/own.h"
#include "proc/req.h"

struct driver {
	struct peer shipper_of_monitor, shipper_of_keeper;
	uint8_t store[CHAIN_STORE_LEN];
	struct page *page;
	pid_t pid;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ship_driver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int sealed(const void *p, size_t len, const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, len) != (ssize_t)len)
		die(name);
	return fd;
}

/* --- what the shipper says */

static int on_ready(struct peer *p, const struct req_msg *m)
{
	(void)p;
	(void)m;
	puts("ready");
	return 0;
}

static int on_shipped(struct peer *p, const struct req_msg *m)
{
	Earshot__Ack *a = earshot__ack__unpack(NULL, m->len, m->body);

	(void)p;
	if (!a)
		return -EBADMSG;
	printf("shipped %" PRIu64, a->through);
	for (size_t i = 0; i < a->n_rejected; i++)
		printf(" %" PRIu64 ":%s", a->rejected[i]->sequence, a->rejected[i]->reason);
	putchar('\n');
	earshot__ack__free_unpacked(a, NULL);
	return 0;
}

static int on_upstream(struct peer *p, const struct req_msg *m)
{
	(void)p;
	fputs("upstream ", stdout);
	escape_to(stdout, span_of(m->body, m->len), 0);
	putchar('\n');
	return 0;
}

static const struct req_row reqs[REQ_MAX_] = {
	[REQ_READY] = { ROLE_SHIPPER, 0, 0, on_ready },
	[REQ_SHIPPED] = { ROLE_SHIPPER, 0, REQ_BODY_MAX, on_shipped },
	[REQ_UPSTREAM] = { ROLE_SHIPPER, 0, 256, on_upstream },
};

/* --- what it is told */

static void send_batch(struct driver *d, uint64_t first, uint64_t count, uint64_t bad)
{
	Earshot__Batch b = EARSHOT__BATCH__INIT;
	Earshot__Revision *revisions = calloc(count, sizeof(*revisions)),
			  **list = calloc(count, sizeof(*list));
	uint8_t(*hashes)[CHAIN_HASH_LEN] = calloc(first + count, CHAIN_HASH_LEN);
	struct chain chain;
	uint8_t *packed;
	size_t len;
	int err;

	if (!revisions || !list || !hashes)
		die("memory");
	chain_begin(&chain, d->store);
	memcpy(hashes[0], chain.head, CHAIN_HASH_LEN);
	for (uint64_t seq = 1; seq < first + count; seq++) {
		Earshot__Alert alert = EARSHOT__ALERT__INIT;
		Earshot__Body body = EARSHOT__BODY__INIT;
		uint8_t id[16], hash[CHAIN_HASH_LEN], *text;

		chain_hash(span_of(&seq, sizeof(seq)), hash);
		memcpy(id, hash, sizeof(id));
		alert.id = (ProtobufCBinaryData){ sizeof(id), id };
		alert.kind = "injection.rules";
		alert.title = seq == bad ? "POISON" : "A test alert";
		alert.severity = EARSHOT__SEVERITY__SEVERITY_HIGH;
		alert.count = 1;
		body.revision = 1;
		body.alert = &alert;
		body.time_ns = seq * 1000000000;
		len = earshot__body__get_packed_size(&body);
		text = malloc(len);
		if (!text)
			die("memory");
		earshot__body__pack(&body, text);
		chain_hash(span_of(text, len), hash);
		chain_append(&chain, hash);
		memcpy(hashes[seq], chain.head, CHAIN_HASH_LEN);
		if (seq >= first) {
			Earshot__Revision *r = &revisions[seq - first];

			earshot__revision__init(r);
			r->store = (ProtobufCBinaryData){ sizeof(d->store), d->store };
			r->sequence = seq;
			r->previous_hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, hashes[seq - 1] };
			r->hash = (ProtobufCBinaryData){ CHAIN_HASH_LEN, hashes[seq] };
			r->body = (ProtobufCBinaryData){ len, text };
			list[seq - first] = r;
		} else {
			free(text);
		}
	}
	b.schema = 1;
	b.host = "test-host";
	b.store = revisions[0].store;
	b.n_revisions = count;
	b.revisions = list;
	len = earshot__batch__get_packed_size(&b);
	packed = malloc(len);
	if (!packed)
		die("memory");
	earshot__batch__pack(&b, packed);
	err = req_send(d->shipper_of_keeper.fd, REQ_BATCH, packed, len, NULL, 0);
	if (err)
		printf("not sent %s\n", strerror(-err));
	for (uint64_t i = 0; i < count; i++)
		free(revisions[i].body.data);
	free(packed);
	free(list);
	free(revisions);
	free(hashes);
}

static void new_keeper(struct driver *d)
{
	const uint32_t role = ROLE_KEEPER;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	own_close(&d->shipper_of_keeper.fd);
	d->shipper_of_keeper.fd = pair[0];
	if (req_send(d->shipper_of_monitor.fd, REQ_PEER, &role, sizeof(role), &pair[1], 1))
		die("REQ_PEER");
	close(pair[1]);
}

static void show_counters(const struct driver *d)
{
	for (enum counter c = CTR_SHIP_BATCHES; c <= CTR_SHIP_REJECTED; c++)
		printf("%s=%" PRIu64 " ", counters[c].name, page_get(d->page, c));
	putchar('\n');
}

/* false: end of input */
static bool obey(struct driver *d)
{
	uint64_t first, count, bad = 0;
	char line[256];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "batch %" SCNu64 " %" SCNu64 " %" SCNu64, &first, &count, &bad) >= 2)
		send_batch(d, first, count, bad);
	else if (!strcmp(line, "keeper"))
		new_keeper(d);
	else if (!strcmp(line, "lose-keeper"))
		own_close(&d->shipper_of_keeper.fd);
	else if (!strcmp(line, "garbage"))
		req_send(d->shipper_of_keeper.fd, REQ_BATCH, "\377\377\377", 3, NULL, 0);
	else if (!strcmp(line, "counters"))
		show_counters(d);
	else if (!strcmp(line, "stop"))
		req_send(d->shipper_of_monitor.fd, REQ_STOP, NULL, 0, NULL, 0);
	else
		printf("unknown command %s\n", line);
	return true;
}

static void start(struct driver *d, const char *binary, char **files, int n_files, const char *url)
{
	static struct config config;
	static const uint8_t page[4096];
	struct {
		struct start start;
		uint32_t kinds[REQ_FDS_MAX];
	} body = { .start = { .role = ROLE_SHIPPER, .host = "test-host" } };
	int fds[REQ_FDS_MAX], monitor[2], keeper[2];
	size_t n = 0;

	config_defaults(&config);
	config.n_exports = 1;
	config.export[0].type = EXPORT_HTTPS;
	snprintf(config.export[0].url, sizeof(config.export[0].url), "%s", url);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, monitor) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper) < 0)
		die("socketpair");
	body.kinds[n] = START_CONFIG;
	fds[n++] = sealed(&config, sizeof(config), "config");
	body.kinds[n] = START_PAGE;
	fds[n] = sealed(page, sizeof(page), "page");
	d->page = mmap(NULL, sizeof(page), PROT_READ, MAP_SHARED, fds[n++], 0);
	body.kinds[n] = START_KEEPER;
	fds[n++] = keeper[1];
	for (int i = 0; i < n_files; i++) {
		body.kinds[n] = (uint32_t)(START_CA + i);
		fds[n] = open(files[i], O_RDONLY | O_CLOEXEC);
		if (fds[n++] < 0)
			die(files[i]);
	}
	d->shipper_of_monitor = (struct peer){ monitor[0], ROLE_SHIPPER, reqs, d };
	d->shipper_of_keeper = (struct peer){ keeper[0], ROLE_SHIPPER, reqs, d };
	d->pid = fork();
	if (!d->pid) {
		/* dup2() onto itself would keep CLOEXEC. */
		int sock = fcntl(monitor[1], F_DUPFD_CLOEXEC, ROLE_SOCKET + 1);

		dup2(sock, ROLE_SOCKET);
		execl(binary, roles[ROLE_SHIPPER].binary, NULL);
		_exit(127);
	}
	close(monitor[1]);
	if (req_send(monitor[0], REQ_START, &body, sizeof(body.start) + n * sizeof(uint32_t), fds,
		     n))
		die("REQ_START");
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Everything that has arrived. */
static void listen_to(struct peer *p)
{
	int err;

	while (p->fd >= 0 && (err = req_recv(p)) != 0) {
		if (err < 0 && err != -EPIPE)
			printf("bad message from the shipper: %s\n", strerror(-err));
		if (err < 0)
			own_close(&p->fd);
	}
}

int main(int argc, char **argv)
{
	struct driver d = { 0 };
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what is left to read */
	if (argc < 4 || strlen(argv[3]) != 2 * sizeof(d.store)) {
		fputs("usage: ship_driver SHIPPER URL STORE [CA [CERT KEY]]\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof(d.store); i++)
		sscanf(argv[3] + 2 * i, "%2hhx", &d.store[i]);
	start(&d, argv[1], argv + 4, argc - 4, argv[2]);
	for (;;) {
		struct pollfd p[3] = {
			{ STDIN_FILENO, POLLIN, 0 },
			{ d.shipper_of_monitor.fd, POLLIN, 0 },
			{ d.shipper_of_keeper.fd, POLLIN, 0 },
		};

		poll(p, 3, -1);
		if (p[2].revents)
			listen_to(&d.shipper_of_keeper);
		if (p[1].revents)
			listen_to(&d.shipper_of_monitor);
		if (d.shipper_of_monitor.fd < 0 || (p[0].revents && !obey(&d)))
			break;
	}
	own_close(&d.shipper_of_monitor.fd);
	own_close(&d.shipper_of_keeper.fd);
	waitpid(d.pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}
