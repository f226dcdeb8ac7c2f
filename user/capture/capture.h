/* user/capture/capture.h - loads the BPF programs, learns what the kernel can do, attaches to
 * surveyed files, counts. In the monitor.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/event.h"
#include "capture/discover.h"
#include "capture/survey.h"

enum feature {
	FEAT_BTF,
	FEAT_RINGBUF,
	FEAT_UPROBE_MULTI,
	FEAT_UPROBE_SESSION,
	FEAT_SOCK_LENGTH,
	FEAT_SOCK_EXIT,
	FEAT_TABLES_GROW,
	FEAT_RETURN_PROBES,
	FEAT_MAX_
};

struct feature_row {
	const char *name;  /* "uprobe-multi" */
	const char *since; /* kernel release that has it, for messages only: features are probed */
	const char *gives; /* what it is for, in words */
	const char *without; /* what its absence costs */
	bool required;
	bool spare; /* missed only where the feature before it is missing, too */
};
extern const struct feature_row features[FEAT_MAX_];

struct capture_opts {
	uint64_t ring_bytes;	 /* data ring, power of two, at least 256 KiB */
	uint32_t max_conns;	 /* one process may have half of them */
	uint64_t max_call_bytes; /* of one SSL call; the rest is counted */
	uint32_t share; /* percent of what is consumed of a ring, 1 to 100, that one process may put
			   into its second half; into the first, whatever there is room for */
	uint64_t max_calls; /* per second, of one process; beyond it calls are not followed for a
			       while; 0: no limit */
	const uint16_t *plain_ports; /* what TCP passes in plain text from or to these, too;
					borrowed until capture_new() returns */
	size_t n_plain_ports;
	bool plain_procs; /* and what processes pass that are named to capture_choose() */
	int method;	  /* -1: the best; else an enum capture_method to force, for tests */
};

enum capture_method { CAPTURE_SESSION, CAPTURE_MULTI, CAPTURE_PERF, CAPTURE_METHOD_MAX_ };
extern const char
    *const capture_method_names[CAPTURE_METHOD_MAX_]; /* "uprobe.session", "uprobe_multi", "perf" */

struct capture;

/* Probes features, loads. -EPERM, -EOPNOTSUPP: one sentence in why that names what is missing.
 * Includes the check that a seccomp-confined process survives a return probe (kernel 6.11 added a
 * system call for it). Capabilities: CAP_BPF and CAP_PERFMON, for loading; attaching needs none
 * beyond an open descriptor. CAPTURE_PERF alone needs CAP_SYS_ADMIN too, here and in
 * capture_attach(). capture_collect() reads /proc/PID/stat, which with hidepid takes
 * CAP_SYS_PTRACE. Prints through libbpf_set_print(): set that first to say where the verifier's
 * complaints go. */
int capture_new(struct capture **ret, const struct capture_opts *o, char *why, size_t why_size);
/* Has the kernel what no sensor can be without? 0; -EOPNOTSUPP with the reason. Part of
 * capture_new(), for whoever has work to do before that. */
int capture_supported(char *why, size_t why_size);
void capture_free(struct capture **c); /* detaches everything */
enum capture_method capture_method(const struct capture *c);
bool capture_has(const struct capture *c, enum feature f);
/* The sockets of connections can be told: by FEAT_SOCK_LENGTH or FEAT_SOCK_EXIT. */
bool capture_sockets(const struct capture *c);
/* Plain text was asked for, and is captured: it takes the same. */
bool capture_plain(const struct capture *c);

/* Descriptors for an inspector, owned by capture. */
struct capture_fds {
	int data_ring, control_ring, conns, slots, wake;
	uint64_t data_ring_bytes, control_ring_bytes;
	uint32_t max_conns;
};
void capture_fds(const struct capture *c, struct capture_fds *ret);

/* Never capture this process (the sensor's own), from before its first call; undone by
 * capture_include(). */
int capture_exclude(struct capture *c, pid_t tgid);
int capture_include(struct capture *c, pid_t tgid);

/* With plain_procs: whether what this process passes in plain text is captured, and what its
 * children will, until they execute another program. -ESRCH: it is gone. */
int capture_choose(struct capture *c, int pidfd, bool chosen);
bool capture_chosen(const struct capture *c, int pidfd);

/* This process of the sensor is captured, marked (EV_CONN_CANARY) and left out of every count. From
 * before its first call; undone by capture_include(). */
int capture_canary(struct capture *c, pid_t tgid);

/* Probes the sites of a surveyed file; file_fd is the descriptor that the surveyor read (borrowed).
 * -EEXIST: attached already. */
int capture_attach(struct capture *c, const struct inode_key *key, int file_fd,
		   const struct survey *s);
void capture_detach(struct capture *c, const struct inode_key *key);
unsigned capture_attached(const struct capture *c); /* files */

/* Sum over CPUs. */
int capture_stats(const struct capture *c, struct ev_stats *ret);
/* -ENOENT: it had no connection, or capture_collect() has forgotten it. */
int capture_proc_stats(const struct capture *c, const struct ev_proc *p, struct ev_proc_stats *ret);
/* For each process that has had a connection and was not collected yet, until fn returns non-zero:
 * returns that. The order has no meaning; one that comes or goes meanwhile may be left out. */
int capture_each_proc(const struct capture *c,
		      int (*fn)(void *ctx, const struct ev_proc *p, const struct ev_proc_stats *s),
		      void *ctx);
/* Frees table entries of processes that are gone: those whose end the kernel has told, or, which
 * takes a look at each, all. Call at most once a second. */
void capture_collect(struct capture *c, bool all);
