/* user/proc/process.h - the processes that map TLS code, as the monitor knows them: those that run,
 * by pid, and for a while those that are gone, since records of theirs are still on their way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/discover.h"
#include "flow/ident.h"

#define PROCESSES_MAX  4096 /* full, it forgets the longest gone, else the first that came */
#define PROCESSES_PIDS 1024 /* a power of two: lists of those that run, by pid */

struct process {
	struct proc_info info;
	bool looked_up;	      /* the following are what there is to know */
	struct inode_key exe; /* its program's file; ino 0: not known, or it has no TLS code */
	int exe_fd;	      /* it, while it waits to be hashed; else -1. Owned */
	uint64_t gone_ns;     /* CLOCK_MONOTONIC; 0: runs */
	uint64_t seen_ns;     /* CLOCK_BOOTTIME: /proc was read after it */
	bool stale;	      /* it has executed another program since */
	struct process *next; /* of those that run, in the list of its pid */
};

struct processes {			    /* all zero: empty */
	struct process *all[PROCESSES_MAX]; /* in no order that lasts */
	size_t n;
	struct process *by_pid[PROCESSES_PIDS];
};

void processes_free(struct processes *ps);
/* Forgets those that were gone at that time. */
void processes_expire(struct processes *ps, uint64_t gone_before_ns);

/* That runs as pid, or NULL. */
struct process *process_of(const struct processes *ps, pid_t pid);
/* Also one that is gone. */
const struct process *process_met(const struct processes *ps, pid_t pid, uint64_t start_ns);
/* That had the number when the child was forked: also one that is gone. */
const struct process *process_parent(const struct processes *ps, pid_t pid,
				     uint64_t child_start_ns);
/* Keeps what is known of a process that runs, in place of what was known of that number. Owns its
 * exe_fd then; NULL: no memory. */
struct process *process_add(struct processes *ps, const struct process *what);
/* Keeps of a forked child what is known of its parent, which may stand in the table. NULL: no
 * memory. */
struct process *process_fork(struct processes *ps, const struct proc_info *parent, pid_t child,
			     uint64_t start_ns);
/* Ended, or its number is another's. */
void process_gone(struct processes *ps, struct process *p);
