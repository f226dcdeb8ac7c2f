/* user/capture/discover.h - which files hold executable code that processes map, and who runs it. In the monitor.
 * Learned from the kernel: PERF_RECORD_MMAP2, COMM, FORK and EXIT of every process as the hint, a BPF task_vma iterator for the truth
 * (the real inode, also under overlayfs). Starts with one scan of what runs already; rescans after lost events.
 * Kernel: perf_event_open(2) "dummy" software events; iter/task_vma since 5.12.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inode_key {
	uint64_t dev; /* s_dev of the real inode */
	uint64_t ino;
	uint32_t generation;
	uint32_t pad;
};

struct discover_ops {
	/* An executable mapping of a file that was never reported before: fd is open for reading (taken over), path as mapped by
	 * pid in its own mount namespace, for people. */
	void (*file)(void *ctx, const struct inode_key *key, int fd, pid_t pid, const char *path);
	/* A process maps a file that was reported before (key): it may be a user of TLS code. Once per process and file. */
	void (*user)(void *ctx, const struct inode_key *key, pid_t pid);
	/* The last thread of a process is gone. */
	void (*exit)(void *ctx, pid_t pid);
};

struct discover;

/* btf_fd etc. are libbpf's own business. -EPERM, -EOPNOTSUPP (no task_vma iterator, no perf events): reason in why. */
int discover_new(struct discover **ret, const struct discover_ops *ops, void *ctx, char *why, size_t why_size);
void discover_free(struct discover **d);
/* Reports all that runs now. Call once after attaching can work; later calls are cheap rescans. */
int discover_scan(struct discover *d);
/* Descriptor to epoll; readable when events wait. */
int discover_fd(const struct discover *d);
/* Handles what waits. 0 or -errno. */
int discover_poll(struct discover *d);
uint64_t discover_lost(const struct discover *d); /* events the kernel dropped; each time a rescan was made */
