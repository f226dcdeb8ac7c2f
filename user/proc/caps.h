/* user/proc/caps.h - the monitor's capabilities: a table, and the way down to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct caps_row {
	const char *name; /* "CAP_BPF" */
	unsigned cap;
	bool start_only;     /* given up before the first probe */
	const char *without; /* what its absence costs */
};
/* The table. */
size_t caps_rows(const struct caps_row **ret);
/* Has this process got it, effective? */
bool caps_have(unsigned cap);

/* One name per line ("CAP_BPF"): what a unit file or a manifest must grant. */
void caps_print(FILE *f);
/* A capability of the table that the process lacks, or NULL. */
const char *caps_missing(void);
/* From root to uid and gid with exactly the table's running rows. Keeps CAP_SYS_ADMIN permitted
 * (not effective) when with_admin: perf uprobes want it on kernels without uprobe_multi. -EPERM.
 */
int caps_drop(uid_t uid, gid_t gid, bool with_admin);
/* Drops CAP_SYS_ADMIN for good. -EPERM. */
int caps_drop_admin(void);
