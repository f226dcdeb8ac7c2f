/* user/proc/codefile.h - the files that processes map code of, as the monitor knows them: whether a
 * surveyor has looked into one, and what was learned.
 */
#pragma once

#include <stddef.h>

#include "capture/discover.h"
#include "proc/explain.h"

#define CODEFILES_MAX 16384 /* remembered; beyond it those without probes are forgotten */

enum codefile_state {
	CODEFILE_FREE,
	CODEFILE_WAITING,
	CODEFILE_PLAIN,
	CODEFILE_TLS,
	CODEFILE_FAILED,
	CODEFILE_PARTIAL, /* failed, for not all of its code was mapped: the next user may map it */
};

struct codefile {
	struct inode_key key;
	enum codefile_state state;
	struct explained_file *told; /* NULL: it holds no TLS code */
};

struct codefiles {				/* all zero: empty */
	struct codefile all[CODEFILES_MAX * 2]; /* open addressing, never more than half full */
	size_t n;
};

void codefiles_free(struct codefiles *fs);
/* Or NULL. It stays where it is until another is met. */
struct codefile *codefile_of(struct codefiles *fs, const struct inode_key *key);
/* A file that is mapped. 1: it waits to be surveyed now, since it was not known, or only in part;
 * 0: known; -ENOSPC: all that are remembered wait or have probes. */
int codefile_met(struct codefiles *fs, const struct inode_key *key);
/* Keeps what was learned, path and why in words, s if it was surveyed, for `earshot explain`.
 * Without memory it is not explained. */
void codefile_tell(struct codefile *f, const char *path, enum explain_state state,
		   const struct survey *s, const char *why);
