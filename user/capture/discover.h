/* user/capture/discover.h - which files hold executable code that processes map, and who runs it.
 * In the monitor. Learned from the kernel: perf's mmap and exec records of every process are the
 * hint (where perf is closed to us, as Debian's kernel.perf_event_paranoid=3 does, fentry on
 * perf_event_mmap()), a BPF task_vma iterator the truth (the real inode, also under overlayfs),
 * tracepoints tell forks and exits. Starts with one scan of what runs already; scans again when the
 * kernel had to drop events. Must run in the first pid namespace (in Kubernetes: hostPID). A CPU
 * that comes online later is heard from then on. Kernel: iter/task_vma since 5.12, for one process
 * since 6.1 (before that, each look walks all of them).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DISCOVER_FILES_MAX                                                                         \
	16384 /* files remembered; full, a scan forgets those that nobody maps any more */

struct inode_key {
	uint64_t dev; /* s_dev of the real inode */
	uint64_t ino;
	uint32_t generation;
	uint32_t pad;
};

/* Bytes of a file that were seen mapped for execution. */
struct code_range {
	uint64_t from, to;
};

struct discover_ops {
	/* An executable mapping of a file that was never reported before: fd is open for reading
	 * (taken over), path as mapped by pid in its own mount namespace, for people. A file that
	 * nobody mapped for a while may be reported again. */
	void (*file)(void *ctx, const struct inode_key *key, const struct code_range *code, int fd,
		     pid_t pid, const char *path);
	/* A process maps a file that was reported before (key): it may be a user of TLS code. Once
	 * per process (until it executes another program) and file. A forked child maps nothing
	 * anew: see discover_follow(). */
	void (*user)(void *ctx, const struct inode_key *key, pid_t pid);
	/* The last thread is gone of a process that was named in one of the above. */
	void (*exit)(void *ctx, pid_t pid);
	/* A process that is followed forked a child (start_boottime), which uses what its parent
	 * does. */
	void (*fork)(void *ctx, pid_t parent, pid_t child, uint64_t start_ns);
	/* A process is met that runs already, or that executes a program: when the first of its
	 * files is reported. Not a forked child's, if its parent is followed. May be NULL. */
	void (*program)(void *ctx, pid_t pid);
};

struct discover;

/* -EPERM, -EOPNOTSUPP (no task_vma iterator, no perf events): one sentence in why. ops is copied.
 */
int discover_new(struct discover **ret, const struct discover_ops *ops, void *ctx, char *why,
		 size_t why_size);
void discover_free(struct discover **d);
/* Reports all that runs now, files with "ssl" in their name first. Call once after attaching can
 * work; later calls are cheap. */
int discover_scan(struct discover *d);
/* Calls fn for each executable mapping of a process, now; exe: of the program that it runs. What it
 * was told of before makes no difference. */
typedef void discover_map_fn(void *ctx, const struct inode_key *key, bool exe);
int discover_maps(struct discover *d, pid_t pid, discover_map_fn *fn, void *ctx);
/* What of a file's bytes anybody maps for execution, now: from the first to the last; 0, 0:
 * nothing. Looks at every process. */
int discover_code(struct discover *d, const struct inode_key *key, struct code_range *ret);
/* The next mapping of this file, by any process, reports it once more. */
void discover_again(struct discover *d, const struct inode_key *key);
/* The lowest pid above this one among the processes that were named to ops; 0: none. */
pid_t discover_next(const struct discover *d, pid_t after);
/* Tells of the children that the process forks, and of theirs, until their ends. 0 or -errno
 * (-E2BIG: so many are followed that its children are left to the next scan). */
int discover_follow(struct discover *d, pid_t pid);
void discover_unfollow(struct discover *d, pid_t pid);
/* Descriptor to epoll; readable when events wait. */
int discover_fd(const struct discover *d);
/* Handles what waits. 0 or -errno. */
int discover_poll(struct discover *d);
uint64_t
discover_lost(const struct discover *d); /* events the kernel dropped; each time a scan was made */
uint64_t discover_refused(
    const struct discover *d); /* files not reported: FUSE, table full, could not be opened */
