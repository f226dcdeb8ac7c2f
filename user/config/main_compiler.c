/* user/config/main_compiler.c - the compiler role: the configuration, or rules and patterns, into
 * sealed memory. Gets what it is to read as a descriptor, answers with text of errors, or with a
 * memfd, and exits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "detect/detect.h"
#include "detect/rule_pack.h"
#include "proc/req.h"
#include "proc/sandbox.h"

#define CONFIG_FILE_MAX (1 << 20)

static int read_all(int fd, struct buf *b)
{
	uint8_t block[4096];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0) {
		int err = buf_add(b, span_of(block, (size_t)n));

		if (err)
			return err;
	}
	return n < 0 ? -errno : 0;
}

/* A memfd that nobody can change any more. */
static int sealed(const char *name, const void *data, size_t len)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, (const char *)data + at, len - at);

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int answer(const char *errors, int fd)
{
	return req_send(ROLE_SOCKET, REQ_COMPILED, errors, strlen(errors), &fd, fd >= 0) ? 1 : 0;
}

static int failed(const char *errors, int err)
{
	return answer(*errors ? errors : strerror(-err), -1);
}

static int answer_with(const char *name, const void *data, size_t len)
{
	int fd = sealed(name, data, len);

	return fd < 0 ? failed("", fd) : answer("", fd);
}

static int compile_config(const struct role_ctx *ctx)
{
	struct buf yaml = BUF(CONFIG_FILE_MAX);
	char errors[CONFIG_ERRORS_MAX] = "";
	struct config config;
	int err = 0;

	/* The start message carries the file's name in place of the host's. */
	if (ctx->fds[START_FILE] >= 0)
		err = read_all(ctx->fds[START_FILE], &yaml);
	if (err)
		snprintf(errors, sizeof(errors), "%s: %s", ctx->start.host,
			 err == -E2BIG ? "larger than 1 MiB" : strerror(-err));
	else
		err = config_parse(&config, buf_span(&yaml), ctx->start.host, errors);
	return err ? failed(errors, err) : answer_with("earshot-config", &config, sizeof(config));
}

/* Whoever kept the image may have been changed since, so it is copied by the monitor, sealed, and
 * counts for what its tag says. */
static struct span map_all(int fd)
{
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return span_of(NULL, 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? span_of(NULL, 0) : span_of(p, (size_t)st.st_size);
}

static int compile_patterns(const struct role_ctx *ctx, struct mac *mac)
{
	auto_free(rule_packs) struct rule_packs *packs = NULL;
	struct compile_opts o = { .cached = map_all(ctx->fds[START_PATTERNS]), .mac = mac };
	auto_mem uint8_t *rules = NULL, *image = NULL;
	char errors[CONFIG_ERRORS_MAX] = "";
	size_t len;
	int err = rule_packs_new(&packs);

	if (!err)
		err = rule_packs_add_built_in(packs, errors, sizeof(errors));
	if (!err)
		err = rule_packs_add_bundle(packs, map_all(ctx->fds[START_FILE]), errors,
					    sizeof(errors));
	if (!err)
		err = rule_packs_image(packs, &rules, &o.rules.len);
	o.rules.p = rules;
	if (!err)
		err = detect_compile_rules(&o, &image, &len, errors, sizeof(errors));
	if (err < 0)
		return failed(errors, err);
	return err ? answer("", -1) : answer_with("earshot-patterns", image, len);
}

int main(void)
{
	auto_free(mac) struct mac *mac = NULL;
	struct role_ctx ctx;
	char errors[128];
	int err;

	role_begin(ROLE_COMPILER, &ctx);
	/* OpenSSL looks for files when it is first used. */
	err = mac_new(&mac, ctx.start.key);
	explicit_bzero(ctx.start.key, sizeof(ctx.start.key));
	if (!err)
		err = sandbox_enter(ROLE_COMPILER, -1, NULL);
	if (err) {
		snprintf(errors, sizeof(errors), "sandbox: %s", strerror(-err));
		return answer(errors, -1);
	}
	return ctx.start.compile == COMPILE_PATTERNS ? compile_patterns(&ctx, mac)
						     : compile_config(&ctx);
}
