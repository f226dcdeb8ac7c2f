/* user/flow/ident.h - who is on a connection: what kernel and /proc say of the process and its
 * socket. Plain data: the monitor sends it to the inspector as it stands. Strings are
 * NUL-terminated, cut to fit, and hostile (a process chooses its own names): escape before showing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/event.h"

struct proc_info {
	uint64_t start_ns; /* start_boottime; with tgid, the key. Clock ticks coarse when it comes
			      from /proc: compare with proc_same() */
	uint32_t tgid, ppid;
	uint32_t uid;
	uint32_t flags; /* enum proc_flag */
	char comm[16];
	char user[64];		/* name of uid on the host; "" unknown */
	char exe[512];		/* path in its own mount namespace */
	uint8_t exe_sha256[32]; /* all zero: not known (yet) */
	char cmdline[1024];	/* arguments joined by spaces */
	char cgroup[512];	/* path below the cgroup root */
	char container[72];	/* container id (64 hex), "" on the host */
	char unit[128];		/* systemd unit or scope */
	char pod_uid[40], pod_name[254], pod_namespace[64], container_name[64];
};

enum proc_flag {
	PROC_GPU = 1, /* holds /dev/nvidia*, /dev/kfd or /dev/dri/render* */
	PROC_EXITED = 2,
	PROC_FORKED = 4, /* as its parent had made it: it may run another program since */
};

/* What of a connection is known when its bytes arrive. */
struct conn_info {
	uint64_t id;
	uint32_t tgid, ppid, uid, slot;
	uint64_t start_ns;
	uint64_t cgroup;
	struct ev_sock sock;
	char comm[16];
	bool plain;  /* captured at a socket, not above TLS */
	bool midway; /* its beginning was not seen: position 0 may be in the middle of anything */
};

static inline struct conn_info conn_info_of(const struct ev_conn *c)
{
	struct conn_info i = { .id = c->id,
			       .tgid = c->tgid,
			       .ppid = c->ppid,
			       .uid = c->uid,
			       .slot = c->slot,
			       .start_ns = c->start_ns,
			       .cgroup = c->cgroup,
			       .sock = c->sock,
			       .plain = c->flags & EV_CONN_PLAIN,
			       .midway = c->flags & EV_CONN_MIDWAY };

	memcpy(i.comm, c->comm, sizeof(i.comm));
	i.comm[sizeof(i.comm) - 1] = 0;
	return i;
}

/* The same for a record whose connection is gone from the kernel's table: c is NULL, and little is
 * known. */
static inline struct conn_info conn_info_of_record(const struct ev_hdr *h, const struct ev_conn *c)
{
	return c ? conn_info_of(c)
		 : (struct conn_info){ .id = h->conn, .tgid = h->tgid, .slot = h->slot };
}

/* Same process: equal tgid, start times within two clock ticks (10 ms each). */
static inline int proc_same(uint32_t tgid, uint64_t start_ns, const struct proc_info *p)
{
	uint64_t d = start_ns > p->start_ns ? start_ns - p->start_ns : p->start_ns - start_ns;

	return p->tgid == tgid && d <= 20000000;
}
