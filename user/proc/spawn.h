/* user/proc/spawn.h - starts one process of a role: its binary by descriptor, its own user, one
 * socket, nothing else inherited. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proc/role.h"

/* Descriptors of the role binaries, opened at start: a binary replaced later is not run. */
struct binaries {
	int fd[ROLE_MAX_]; /* -1: not opened */
};

/* Looks beside this program and in ../lib/earshot. 0, or -errno with the missing path in why. */
int binaries_open(struct binaries *ret, char *why, size_t why_size);

/* uid and gid of a role: its system user, else fixed numbers that no distribution assigns. */
void role_ids(enum role role, uid_t *ret_uid, gid_t *ret_gid);

struct child {
	enum role role;
	pid_t pid; /* 0: none */
	int pidfd; /* readable when it ended */
	int sock;  /* the monitor's end */
};

/* Called in the parent once the pid is known and before the program runs: the place to exclude it
 * from capture. */
typedef void spawn_fn(void *ctx, pid_t pid);

/* switch_user: become the role's user (needs CAP_SETUID, CAP_SETGID). -errno. */
int spawn_role(const struct binaries *b, enum role role, bool switch_user, spawn_fn *before,
	       void *ctx, struct child *ret);
/* SIGKILL, wait, close. Harmless on an empty child. */
void child_end(struct child *c);
/* Closes descriptors of a child that was waited for. */
void child_close(struct child *c);
