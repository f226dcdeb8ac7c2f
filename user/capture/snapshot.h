/* user/capture/snapshot.h - who a process is, from /proc: identity, command line, container, pod,
 * GPU. In the monitor. No hostile file is parsed: only what the kernel prints of a process, and
 * names of directories that the kubelet made.
 */
#pragma once

#include <sys/types.h>

#include "base/span.h"
#include "flow/ident.h"

/* Where to look; tests have their own. */
struct snapshot_roots {
	const char *proc; /* "/proc" */
	const char *pods; /* "/var/log/pods": <namespace>_<pod>_<uid>/<container>/ */
	const char
	    *passwd; /* "/etc/passwd": read as a file, since name services may wait for a network */
};

/* -ESRCH when it is gone. What may not be read, or does not apply, is empty. */
int snapshot_process(pid_t pid, struct proc_info *ret);
int snapshot_at(const struct snapshot_roots *roots, pid_t pid, struct proc_info *ret);

/* cgroup, container, unit and pod_uid from the text of /proc/PID/cgroup: v1, hybrid or v2. */
void snapshot_cgroup(struct span text, struct proc_info *ret);
/* The arguments (each with its NUL) joined by spaces, secrets masked: what follows names like
 * --api-key, password= or Authorization: comes out as ***. Cut to fit, NUL-terminated. */
void snapshot_cmdline(struct span args, char *out, size_t size);
