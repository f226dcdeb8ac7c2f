/* tools/collector/main.c - earshot-collector, the reference upstream: takes batches of alert
 * revisions over mutual TLS, proves their hash chains, stores them, acknowledges what is on disk,
 * and prints each new one. POST /...    application/x-protobuf Batch -> Ack GET /alerts  the newest
 * revision of each alert as a JSON array; ?limit=N (100)
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/own.h"
#include "ctl/pb_json.h"
#include "ctl/render.h"
#include "tools/collector/server.h"
#include "tools/collector/vault.h"

#define MEDIA_TYPE	 "application/x-protobuf"
#define ALERTS_LIMIT	 100
#define ALERTS_LIMIT_MAX 10000
#define BUSY_RETRY_S	 5

enum { EXIT_USAGE = 2 };

struct collector {
	struct vault *vault;
	struct render render;
	bool quiet, json;
};

/* --- what arrives is shown */

static void print_json(const Earshot__Batch *b, const Earshot__Revision *r,
		       const Earshot__Body *body, const char *why)
{
	struct json_out j = JSON_OUT(stdout, JSON_OUT_COMPACT);
	char store[33] = "";

	for (size_t i = 0; i < r->store.len && i < 16; i++)
		snprintf(store + 2 * i, 3, "%02x", r->store.data[i]);
	json_out_object(&j);
	json_out_key(&j, "host");
	json_out_cstr(&j, b->host);
	json_out_key(&j, "store");
	json_out_cstr(&j, store);
	json_out_key(&j, "sequence");
	json_out_u64(&j, r->sequence);
	json_out_key(&j, "rejected");
	json_out_cstr(&j, *why ? why : NULL);
	json_out_key(&j, "revision");
	if (body)
		pb_json(&j, &body->base);
	else
		json_out_null(&j);
	json_out_end(&j);
	json_out_done(&j);
}

static void on_revision(void *ctx, const Earshot__Batch *b, const Earshot__Revision *r,
			const Earshot__Body *body, const char *why)
{
	struct collector *c = ctx;

	if (*why)
		log_warn("host %s, revision %" PRIu64 " is set aside: %s", b->host, r->sequence,
			 why);
	if (c->quiet)
		return;
	if (c->json)
		print_json(b, r, body, why);
	else if (body)
		render_revision(&c->render, body, b->host);
}

/* --- requests */

static void say(struct server_reply *r, unsigned status, const char *text)
{
	r->status = status;
	r->type = "text/plain";
	buf_add(&r->body, span_str(text));
	buf_add(&r->body, SPAN_LIT("\n"));
}

static void take_batch(struct collector *c, const struct server_request *q, struct server_reply *r)
{
	char why[VAULT_WHY_MAX];
	Earshot__Ack *ack;
	uint8_t *packed;
	size_t len;
	int err;

	if (strcasecmp(q->type, MEDIA_TYPE)) {
		say(r, 415, "want " MEDIA_TYPE);
		return;
	}
	err = vault_take(c->vault, q->body, wall_ns(), on_revision, c, &ack, why);
	if (err == -EBADMSG) {
		log_warn("client %s sent what cannot be taken: %s", q->client, why);
		say(r, 400, why);
		return;
	}
	if (err) {
		log_error("cannot store: %s", err == -EIO ? why : strerror(-err));
		say(r, 503, "cannot store now");
		r->retry_after_s = BUSY_RETRY_S;
		return;
	}
	len = earshot__ack__get_packed_size(ack);
	packed = malloc(len + 1);
	if (packed) {
		earshot__ack__pack(ack, packed);
		r->status = 200;
		r->type = MEDIA_TYPE;
		buf_add(&r->body, span_of(packed, len));
	}
	free(packed);
	vault_free_ack(ack);
}

static void on_alert(void *ctx, const Earshot__Alert *a)
{
	pb_json(ctx, &a->base);
}

static void list_alerts(struct collector *c, const struct server_request *q, struct server_reply *r)
{
	const char *limit = strstr(q->path, "?limit=");
	unsigned long n = limit ? strtoul(limit + 7, NULL, 10) : ALERTS_LIMIT;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct json_out j = JSON_OUT(f, JSON_OUT_PRETTY);
	int err;

	if (!f)
		return;
	json_out_array(&j);
	err = vault_alerts(c->vault, (unsigned)MIN(MAX(n, 1ul), (unsigned long)ALERTS_LIMIT_MAX),
			   on_alert, &j);
	json_out_end(&j);
	if (json_out_done(&j))
		err = -ENOMEM;
	fclose(f);
	if (!err && !buf_add(&r->body, span_of(text, len))) {
		r->status = 200;
		r->type = "application/json";
	}
	free(text);
}

static void on_request(void *ctx, const struct server_request *q, struct server_reply *r)
{
	struct collector *c = ctx;
	size_t path = strcspn(q->path, "?");

	if (!strcmp(q->method, "POST"))
		take_batch(c, q, r);
	else if (strcmp(q->method, "GET"))
		say(r, 405, "want POST of a batch, or GET /alerts");
	else if (path == strlen("/alerts") && !strncmp(q->path, "/alerts", path))
		list_alerts(c, q, r);
	else
		say(r, 404, "want POST of a batch, or GET /alerts");
}

/* --- the command line */

static const char usage[] =
    "usage: earshot-collector --listen ADDRESS:PORT --cert FILE --key FILE --client-ca FILE "
    "--store PATH [OPTION]...\n"
    "\n"
    "Takes alerts from Earshot sensors over mutual TLS, verifies, stores and prints them.\n"
    "\n"
    "  -l, --listen ADDRESS:PORT  numeric; port 0 picks a free one\n"
    "      --cert FILE            certificate chain of this server, PEM\n"
    "      --key FILE             its private key, PEM\n"
    "      --client-ca FILE       authorities that sign sensors' certificates, PEM\n"
    "      --store PATH           SQLite file, or a directory for alerts.db\n"
    "  -q, --quiet                print no alerts\n"
    "  -o, --output table|json    a line for people, or a JSON object a line (table)\n"
    "      --no-color             no colours, as with NO_COLOR=1\n"
    "  -h, --help                 this text\n"
    "  -V, --version              the version of this program\n"
    "\n"
    "Exit status: 0 told to end, 1 failed, 2 wrong usage. See earshot-collector(8).\n";

static const struct option options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "cert", required_argument, NULL, 'C' },
	{ "key", required_argument, NULL, 'K' },
	{ "client-ca", required_argument, NULL, 'A' },
	{ "store", required_argument, NULL, 'S' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "output", required_argument, NULL, 'o' },
	{ "no-color", no_argument, NULL, 'N' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int bad_usage(const char *why)
{
	fprintf(stderr, "earshot-collector: %s: see earshot-collector --help\n", why);
	return EXIT_USAGE;
}

/* SIGINT and SIGTERM become readable; every thread inherits the mask. */
static int stop_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int collect(struct collector *c, struct server_options *o, const char *store)
{
	auto_free(server) struct server *s = NULL;
	auto_close int stop = stop_descriptor();
	char why[256] = "out of memory";
	int err;

	umask(077);
	err = stop < 0 ? -errno : vault_open(&c->vault, store, why);
	if (!err)
		err = server_new(&s, o, why);
	if (err) {
		log_error("cannot start: %s", why);
		return EXIT_FAILURE;
	}
	log_info("listening on %s", server_address(s));
	err = server_run(s, stop);
	vault_close(&c->vault);
	if (err) {
		log_error("%s", strerror(-err));
		return EXIT_FAILURE;
	}
	log_info("told to end");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct collector c = { 0 };
	struct server_options o = { .fn = on_request, .ctx = &c };
	const char *store = NULL;
	bool no_color = false;
	int got;

	while ((got = getopt_long(argc, argv, "l:qo:hV", options, NULL)) != -1) {
		switch (got) {
		case 'l':
			o.listen = optarg;
			break;
		case 'C':
			o.cert = optarg;
			break;
		case 'K':
			o.key = optarg;
			break;
		case 'A':
			o.client_ca = optarg;
			break;
		case 'S':
			store = optarg;
			break;
		case 'q':
			c.quiet = true;
			break;
		case 'o':
			if (strcmp(optarg, "table") && strcmp(optarg, "json"))
				return bad_usage("-o takes table or json");
			c.json = !strcmp(optarg, "json");
			break;
		case 'N':
			no_color = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("earshot-collector " EARSHOT_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return bad_usage("it takes no arguments");
	if (!o.listen || !o.cert || !o.key || !o.client_ca || !store)
		return bad_usage("--listen, --cert, --key, --client-ca and --store are needed");
	log_init("earshot-collector", LOG_LEVEL_INFO);
	render_init(&c.render, stdout, no_color);
	return collect(&c, &o, store);
}
