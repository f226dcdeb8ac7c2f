/* user/proc/program.c - the programs that processes with TLS code run. Owns what was hashed. */
#include "proc/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/own.h"

#define LOOKS_MAX 8 /* processes whose program is looked up in one go */

static struct program_hash *hash_of(struct programs *ps, const struct inode_key *key)
{
	return &ps->hashes[XXH3_64bits(key, sizeof(*key)) % PROGRAMS_MAX];
}

struct running { /* what a process runs */
	struct codefiles *files;
	struct inode_key key; /* of its program; ino 0: not seen */
	bool tls;	      /* TLS code is mapped */
};

static void on_code(void *ctx, const struct inode_key *key, bool exe)
{
	struct running *r = ctx;
	const struct codefile *f = codefile_of(r->files, key);

	r->tls |= f && f->state == CODEFILE_TLS;
	/* One that was never opened (FUSE) could let us wait for ever. */
	if (exe && f)
		r->key = *key;
}

/* Opens the file that a process with TLS code runs. -1: not to be had. */
static int open_program(struct programs *ps, pid_t pid, struct inode_key *ret)
{
	struct running now = { .files = ps->files }, again = now;
	char path[32];
	int fd;

	if (discover_maps(ps->discover, pid, on_code, &now) || !now.tls || !now.key.ino)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* Still what it runs? */
	if (fd >= 0 && (discover_maps(ps->discover, pid, on_code, &again) ||
			memcmp(&again.key, &now.key, sizeof(again.key))))
		own_close(&fd);
	*ret = now.key;
	return fd;
}

bool program_find(struct programs *ps, struct process *proc)
{
	auto_close int fd = open_program(ps, (pid_t)proc->info.tgid, &proc->exe);
	const struct program_hash *h = hash_of(ps, &proc->exe);
	struct stat st;

	proc->looked_up = fd >= 0;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (memcmp(&h->key, &proc->exe, sizeof(h->key)) || h->size != st.st_size ||
	    h->mtime.tv_sec != st.st_mtim.tv_sec || h->mtime.tv_nsec != st.st_mtim.tv_nsec) {
		proc->exe_fd = steal_fd(&fd);
		return false;
	}
	memcpy(proc->info.exe_sha256, h->sha256, FILEHASH_LEN);
	return true;
}

void programs_find(struct programs *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->procs->n && n < LOOKS_MAX; i++) {
		struct process *proc = ps->procs->all[i];

		if (proc->looked_up || proc->gone_ns)
			continue;
		n++;
		if (program_find(ps, proc))
			ps->proc(ps->ctx, &proc->info);
		proc->looked_up = true;
	}
}

int program_next(struct programs *ps, struct inode_key *ret_key, pid_t *ret_pid)
{
	for (size_t i = 0; i < ps->procs->n; i++) {
		struct process *proc = ps->procs->all[i];

		if (proc->exe_fd < 0)
			continue;
		*ret_key = proc->exe;
		*ret_pid = (pid_t)proc->info.tgid;
		return steal_fd(&proc->exe_fd);
	}
	return -1;
}

void program_again(struct programs *ps, const struct inode_key *key, int fd)
{
	auto_close int owned = fd;

	/* With any process that runs it. */
	for (size_t i = 0; i < ps->procs->n; i++) {
		struct process *proc = ps->procs->all[i];

		if (proc->exe_fd >= 0 || memcmp(&proc->exe, key, sizeof(*key)))
			continue;
		proc->exe_fd = steal_fd(&owned);
		return;
	}
}

void program_hashed(struct programs *ps, const struct inode_key *key, int fd,
		    const uint8_t sha256[FILEHASH_LEN])
{
	struct program_hash *h = hash_of(ps, key);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	*h = (struct program_hash){ .key = *key, .mtime = st.st_mtim, .size = st.st_size };
	memcpy(h->sha256, sha256, FILEHASH_LEN);
	for (size_t i = 0; i < ps->procs->n; i++) {
		struct process *proc = ps->procs->all[i];

		if (memcmp(&proc->exe, key, sizeof(*key)))
			continue;
		own_close(&proc->exe_fd);
		memcpy(proc->info.exe_sha256, sha256, FILEHASH_LEN);
		ps->proc(ps->ctx, &proc->info);
	}
}
