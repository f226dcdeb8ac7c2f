/* user/capture/main_surveyor.c - the surveyor role: reads one ELF file, or hashes one,
 * answers, exits. Waits warm for the file. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/filehash.h"
#include "capture/hint.h"
#include "capture/sites.h"
#include "proc/req.h"
#include "proc/sandbox.h"

/* Before the sandbox, which maps nothing. */
static struct span map_table(int fd)
{
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !st.st_size)
		return (struct span){ 0 };
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? span_of(NULL, 0) : span_of(p, (size_t)st.st_size);
}

/* Nobody waits for it, so everybody else goes first. */
static int hash_file(int fd)
{
	uint8_t hash[FILEHASH_LEN];

	if (nice(19) < 0)
		log_debug("not nice");
	filehash_warm();
	if (sandbox_enter(ROLE_SURVEYOR, -1, NULL)) {
		log_error("no sandbox");
		return 1;
	}
	return filehash(fd, hash) || req_send(ROLE_SOCKET, REQ_HASHED, hash, sizeof(hash), NULL, 0);
}

int main(void)
{
	struct role_ctx ctx;
	struct span table;
	struct survey s;

	role_begin(ROLE_SURVEYOR, &ctx);
	if (ctx.fds[START_HASH] >= 0)
		return hash_file(ctx.fds[START_HASH]);
	table = map_table(ctx.fds[START_SITES]);
	if (sandbox_enter(ROLE_SURVEYOR, -1, NULL) || ctx.fds[START_FILE] < 0) {
		log_error("no sandbox or no file");
		return 1;
	}
	if (survey_file(ctx.fds[START_FILE], &s))
		return 1;
	if (s.verdict == SURVEY_NONE && sites_find(ctx.fds[START_FILE], table, &s) < 0)
		log_warn("%s", s.why);
	if (s.verdict == SURVEY_NONE)
		s.hints = hint_find(ctx.fds[START_FILE]);
	return req_send(ROLE_SOCKET, REQ_SURVEYED, &s, sizeof(s), NULL, 0) ? 1 : 0;
}
