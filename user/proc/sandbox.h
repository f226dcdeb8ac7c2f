/* user/proc/sandbox.h - the cage of each role: no_new_privs, no dumps, Landlock, seccomp (a table
 * row per role). A system call outside the row kills the process (SIGSYS).
 */
#pragma once

#include <stdbool.h>

#include "proc/role.h"

/* Enters the cage of the role; dir_fd: the one directory it may use (keeper), or -1. Irrevocable.
 * 0; -EOPNOTSUPP: the kernel lacks seccomp; other -errno. A kernel without Landlock is accepted:
 * *ret_landlock says whether it is on.
 */
int sandbox_enter(enum role role, int dir_fd, bool *ret_landlock);
/* The same with several directories (indexer). */
int sandbox_enter_dirs(enum role role, const int *dirs, size_t n, bool *ret_landlock);
