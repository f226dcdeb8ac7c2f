/* user/proc/host.h - what the monitor sets up on the host: directories and key as root, the control
 * socket as itself. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/mac.h"
#include "config/config.h"

struct host {
	uint8_t boot[16]; /* /proc/sys/kernel/random/boot_id */
	char name[256];
	uint8_t
	    key[MAC_KEY_LEN]; /* fingerprint key: made once, root only, in the state directory */
	int run_fd;	      /* locked: one sensor per run directory */
	int store_fd;	      /* state_dir/store, the keeper's */
	int patterns_fd;      /* state_dir/patterns, the monitor's: see proc/kept.h */
	int control_fd;	      /* run_dir/control.sock, listening, 0660 earshot:earshot */
	int ca_fd, cert_fd, key_fd; /* of the export, -1 without */
};

/* What a recording needs of it: no directory, nothing kept. */
void host_none(struct host *ret);
/* As root: all but the control socket. 0, or -errno with one sentence in why. */
int host_open(struct host *ret, const struct config *c, uid_t monitor, gid_t monitor_group,
	      uid_t keeper, gid_t keeper_group, char *why, size_t why_size);
/* As the monitor's user, who owns run_dir: the control socket, open to that user and its group. */
int host_listen(struct host *h, const struct config *c, char *why, size_t why_size);
/* Removes the control socket, closes everything, wipes the key. */
void host_close(struct host *h);
