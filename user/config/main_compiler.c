/* user/config/main_compiler.c - the compiler role: configuration and patterns into sealed memory.
 * Gets the configuration file as a descriptor (none: the defaults), answers with text of errors, or
 * with two memfds, and exits.
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

static int answer(const char *errors, const int *fds, size_t n_fds)
{
	return req_send(ROLE_SOCKET, REQ_COMPILED, errors, strlen(errors), fds, n_fds) ? 1 : 0;
}

int main(void)
{
	struct buf yaml = BUF(CONFIG_FILE_MAX);
	char errors[CONFIG_ERRORS_MAX] = "";
	auto_mem uint8_t *patterns = NULL;
	struct role_ctx ctx;
	struct config config;
	size_t len = 0;
	int fds[2];
	int err;

	role_begin(ROLE_COMPILER, &ctx);
	err = sandbox_enter(ROLE_COMPILER, -1, NULL);
	if (err) {
		snprintf(errors, sizeof(errors), "sandbox: %s", strerror(-err));
		return answer(errors, NULL, 0);
	}
	if (ctx.fds[START_FILE] >= 0)
		err = read_all(ctx.fds[START_FILE], &yaml);
	if (err) {
		snprintf(errors, sizeof(errors), "%s: %s", ctx.start.host,
			 err == -E2BIG ? "larger than 1 MiB" : strerror(-err));
		return answer(errors, NULL, 0);
	}
	/* The start message carries the file's name in place of the host's. */
	err = config_parse(&config, buf_span(&yaml), ctx.start.host, errors);
	if (err)
		return answer(*errors ? errors : strerror(-err), NULL, 0);
	err = ctx.start.no_patterns ? 0 : detect_compile(&patterns, &len, errors, sizeof(errors));
	if (err)
		return answer(*errors ? errors : strerror(-err), NULL, 0);
	fds[0] = sealed("earshot-config", &config, sizeof(config));
	fds[1] = sealed("earshot-patterns", patterns, len);
	if (fds[0] < 0 || fds[1] < 0)
		return answer("memfd_create: no memory", NULL, 0);
	return answer("", fds, ctx.start.no_patterns ? 1 : 2);
}
