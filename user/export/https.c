/* user/export/https.c - protobuf over HTTPS with mutual TLS, by libcurl driven from the loop.
 * Owns one curl handle (so connections are kept alive), one copy of the batch in flight and at most
 * ANSWER_MAX of the answer. Files are read when it opens; afterwards it needs sockets and what the
 * name resolver reads. Upstream is not trusted: no redirect, no proxy, no other protocol, capped
 * header and body.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/own.h"
#include "export/export.h"

#define MEDIA_TYPE	   "application/x-protobuf"
#define BATCH_MAX	   (1 << 20)
#define ANSWER_MAX	   (64 << 10)
#define ANSWER_HEAD_MAX	   (64 << 10)
#define CONNECT_TIMEOUT_MS 10000L
#define ATTEMPT_TIMEOUT_MS 30000L
#define IDLE_CONNECTION_S  110L
#define PEM_MAX		   (1 << 20)
#define QUOTE_MAX	   120 /* bytes of an error answer shown to people */

/* The authorities the host trusts, when the configuration names none. */
static const char *const host_authorities[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
	"/etc/ssl/cert.pem",		      /* Alpine */
};

/* What a status means; others of 400 and more are refusals. */
static const struct {
	long status;
	enum export_verdict verdict;
} statuses[] = {
	{ 200, EXPORT_STORED }, { 400, EXPORT_POISON }, { 413, EXPORT_POISON },
	{ 429, EXPORT_RETRY },	{ 502, EXPORT_RETRY },	{ 503, EXPORT_RETRY },
	{ 504, EXPORT_RETRY },
};

struct https {
	struct export_env env;
	struct buf ca, cert, key; /* PEM */
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	int timer; /* timerfd for curl's timeouts */
	bool sending;
	struct buf batch, answer;
	size_t head; /* bytes of the answer's header */
	char error[CURL_ERROR_SIZE];
};

struct sock { /* one socket of curl in the loop */
	struct https *h;
	int fd;
};

/* Tells how the attempt went. */
static void report(struct https *h, struct export_result *r)
{
	h->sending = false;
	h->env.done(h->env.ctx, r);
	buf_clear(&h->answer);
}

/* "HTTP 400: what upstream says about it" */
static void quote_answer(const struct https *h, long status, char why[EXPORT_WHY_MAX])
{
	char text[QUOTE_MAX];
	struct span s = buf_span(&h->answer);

	while (s.len && strchr("\r\n\t ", s.p[s.len - 1]))
		s.len--;
	escape_str(text, sizeof(text), s);
	snprintf(why, EXPORT_WHY_MAX, "HTTP %ld%s%s", status, *text ? ": " : "", text);
}

static bool is_protobuf(CURL *easy)
{
	const char *type = NULL;

	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	return type && !strncasecmp(type, MEDIA_TYPE, strlen(MEDIA_TYPE));
}

static void judge_answer(struct https *h)
{
	struct export_result r = { .verdict = EXPORT_REFUSED };
	curl_off_t retry_after = 0;
	Earshot__Ack *ack = NULL;
	long status = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &retry_after);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			r.verdict = statuses[i].verdict;
	if (r.verdict == EXPORT_STORED) {
		if (is_protobuf(h->easy))
			ack = earshot__ack__unpack(NULL, h->answer.len, h->answer.p);
		r.ack = ack;
		if (!ack) {
			r.verdict = EXPORT_RETRY;
			snprintf(r.why, sizeof(r.why),
				 "upstream's answer is not an acknowledgement");
		}
	} else {
		quote_answer(h, status, r.why);
		/* A year of it is a year: the delivery has the last word. */
		if (retry_after > 0)
			r.retry_after_ns = MIN((uint64_t)retry_after, UINT32_MAX) * NS_PER_SEC;
	}
	report(h, &r);
	if (ack)
		earshot__ack__free_unpacked(ack, NULL);
}

static void judge_failure(struct https *h, CURLcode code)
{
	struct export_result r = { .verdict = EXPORT_RETRY };

	if (code == CURLE_WRITE_ERROR)
		snprintf(r.why, sizeof(r.why), "upstream's answer is larger than %d KiB",
			 ANSWER_MAX >> 10);
	else
		snprintf(r.why, sizeof(r.why), "%s",
			 *h->error ? h->error : curl_easy_strerror(code));
	report(h, &r);
}

/* Collects attempts that ended. */
static void harvest(struct https *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(h->multi, h->easy);
		if (code == CURLE_OK)
			judge_answer(h);
		else
			judge_failure(h, code);
	}
}

/* --- curl's sockets and timer in the loop */

static void on_socket(void *ctx, uint32_t events)
{
	struct sock *s = ctx;
	struct https *h = s->h;
	int running, what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(h->multi, s->fd, what, &running); /* may free s */
	harvest(h);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *sock)
{
	struct https *h = ctx;
	struct sock *s = sock;
	uint32_t events =
	    (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_del(h->env.loop, fd);
		free(s);
		return 0;
	}
	if (s) {
		loop_mod(h->env.loop, fd, events);
		return 0;
	}
	s = malloc(sizeof(*s));
	if (!s)
		return -1;
	*s = (struct sock){ h, fd };
	if (loop_add(h->env.loop, fd, events, on_socket, s)) {
		free(s);
		return -1;
	}
	curl_multi_assign(h->multi, fd, s);
	return 0;
}

static void on_timer(void *ctx, uint32_t events)
{
	struct https *h = ctx;
	uint64_t n;
	int running;

	(void)events;
	if (read(h->timer, &n, sizeof(n)) < 0)
		return;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	harvest(h);
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
	struct https *h = ctx;
	/* Zero would disarm it; curl means "at once". */
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000 + (ms == 0) } };

	(void)multi;
	if (ms < 0)
		t = (struct itimerspec){ 0 };
	return timerfd_settime(h->timer, 0, &t, NULL) < 0 ? -1 : 0;
}

/* --- one attempt */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct https *h = ctx;

	return buf_add(&h->answer, span_of(p, size * n)) ? 0 : size * n;
}

static size_t on_head(char *p, size_t size, size_t n, void *ctx)
{
	struct https *h = ctx;

	(void)p;
	h->head += size * n;
	return h->head > ANSWER_HEAD_MAX ? 0 : size * n;
}

static int https_send(void *x, struct span batch)
{
	struct https *h = x;
	int err;

	if (h->sending)
		return -EBUSY;
	buf_clear(&h->batch);
	err = buf_add(&h->batch, batch);
	if (err)
		return err;
	buf_clear(&h->answer);
	h->head = 0;
	h->error[0] = 0;
	curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, h->batch.p);
	curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE, (long)h->batch.len);
	if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return -ENOMEM;
	h->sending = true;
	return 0;
}

static void https_cancel(void *x)
{
	struct https *h = x;

	if (!h->sending)
		return;
	curl_multi_remove_handle(h->multi, h->easy);
	h->sending = false;
}

/* --- opening */

/* Reads a whole PEM file; a descriptor of another process's making may stand anywhere, so by
 * position. */
static int read_pem(int fd, struct buf *ret)
{
	uint8_t piece[4096];
	ssize_t n;
	int err = 0;

	while (!err && (n = pread(fd, piece, sizeof(piece), (off_t)ret->len)) != 0)
		err = n < 0 ? -errno : buf_add(ret, span_of(piece, (size_t)n));
	explicit_bzero(piece, sizeof(piece));
	return err ? err : ret->len ? 0 : -ENODATA;
}

static int read_host_authorities(struct buf *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_authorities); i++) {
		auto_close int fd = open(host_authorities[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			return read_pem(fd, ret);
	}
	return -ENOENT;
}

static int read_credentials(struct https *h)
{
	const struct {
		const char *what;
		int fd;
		struct buf *to;
	} files[] = {
		{ "certificate authorities (ca)", h->env.ca, &h->ca },
		{ "client certificate (cert)", h->env.cert, &h->cert },
		{ "client key (key)", h->env.key, &h->key },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int err = files[i].fd >= 0 ? read_pem(files[i].fd, files[i].to) : 0;

		if (err) {
			log_error("https export: cannot read the %s: %s", files[i].what,
				  strerror(-err));
			return err == -ENOMEM ? err : -EINVAL;
		}
	}
	if (h->env.ca < 0 && read_host_authorities(&h->ca)) {
		log_error(
		    "https export: no ca is configured and this host has no list of authorities");
		return -EINVAL;
	}
	return 0;
}

static struct curl_blob blob(const struct buf *b)
{
	return (struct curl_blob){ b->p, b->len, CURL_BLOB_NOCOPY };
}

static int configure(struct https *h)
{
	struct curl_blob ca = blob(&h->ca), cert = blob(&h->cert), key = blob(&h->key);
	CURL *e = h->easy;
	int err = 0;

#define SET(option, value) (err |= curl_easy_setopt(e, option, value) != CURLE_OK)
	SET(CURLOPT_URL, h->env.config->url);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* also overrides the environment's */
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_CAINFO, NULL);
	SET(CURLOPT_CAINFO_BLOB, &ca);
	if (h->cert.len) {
		SET(CURLOPT_SSLCERTTYPE, "PEM");
		SET(CURLOPT_SSLCERT_BLOB, &cert);
		SET(CURLOPT_SSLKEYTYPE, "PEM");
		SET(CURLOPT_SSLKEY_BLOB, &key);
	}
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* giving up does not wait for the resolver */
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	SET(CURLOPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MS);
	SET(CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_HTTPHEADER, h->headers);
	SET(CURLOPT_USERAGENT, "earshot/" EARSHOT_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_HEADERFUNCTION, on_head);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_ERRORBUFFER, h->error);
#undef SET
	err |= curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) != CURLM_OK;
	err |= curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) != CURLM_OK;
	err |= curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer) != CURLM_OK;
	err |= curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) != CURLM_OK;
	if (err)
		log_error("https export: libcurl refuses the settings for %s", h->env.config->url);
	return err ? -EINVAL : 0;
}

static int add_header(struct https *h, const char *line)
{
	struct curl_slist *l = curl_slist_append(h->headers, line);

	if (!l)
		return -ENOMEM;
	h->headers = l;
	return 0;
}

static void https_free(struct https **h)
{
	if (!*h)
		return;
	https_cancel(*h);
	if ((*h)->easy)
		curl_easy_cleanup((*h)->easy);
	if ((*h)->multi)
		curl_multi_cleanup((*h)->multi);
	curl_slist_free_all((*h)->headers);
	if ((*h)->timer >= 0)
		loop_del((*h)->env.loop, (*h)->timer);
	own_close(&(*h)->timer);
	buf_free(&(*h)->ca);
	buf_free(&(*h)->cert);
	buf_free(&(*h)->key);
	buf_free(&(*h)->batch);
	buf_free(&(*h)->answer);
	free(*h);
	*h = NULL;
}

static int https_open(void **ret, const struct export_env *env)
{
	auto_free(https) struct https *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->timer = -1;
	h->env = *env;
	h->ca = h->cert = h->key = BUF(PEM_MAX);
	h->batch = BUF(BATCH_MAX);
	h->answer = BUF(ANSWER_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (!h->multi || !h->easy)
		return -ENOMEM;
	h->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (h->timer < 0)
		return -errno;
	err = read_credentials(h);
	if (!err)
		err = add_header(h, "Content-Type: " MEDIA_TYPE);
	if (!err)
		err = add_header(h, "Accept: " MEDIA_TYPE);
	if (!err)
		err = add_header(h, "Expect:"); /* no round trip for 100-continue */
	if (!err)
		err = configure(h);
	if (!err)
		err = loop_add(env->loop, h->timer, EPOLLIN, on_timer, h);
	if (err)
		return err;
	*ret = steal(h);
	return 0;
}

static void https_close(void **x)
{
	struct https *h = *x;

	*x = NULL;
	https_free(&h);
}

const struct exporter exporter_https = {
	.name = "https",
	.open = https_open,
	.send = https_send,
	.cancel = https_cancel,
	.close = https_close,
};
