/* user/proc/compiling.h - one job for the compiler role, in its cage: the configuration, or rules
 * and patterns. In the monitor, which reads nothing of what goes in or comes out.
 */
#pragma once

#include "proc/req.h"
#include "proc/spawn.h"

#define COMPILING_NS                                                                               \
	(300 * UINT64_C(1000000000)) /* seconds on hardware, minutes in emulated machines */

struct compiling {
	struct child child;
	struct peer peer;
	uint64_t begun_ns;
	bool answered;
	int fd;				/* what was made, sealed; -1: nothing */
	char errors[CONFIG_ERRORS_MAX]; /* lines "FILE:LINE:COLUMN: what"; "": none */
};

struct compiling_opts {
	const struct binaries *binaries;
	bool switch_user;
	spawn_fn *before; /* as in spawn_role() */
	void *before_ctx;
	enum compile what;
	const char *name; /* of the configuration's file */
	int file;	  /* the configuration, or a bundle of packs; -1: none */
	int cached;	  /* an image made earlier, sealed, which need not be trusted; -1: none */
	const uint8_t *key;
};

/* -errno after a line in errors. To be ended in any case. */
int compiling_begin(struct compiling *c, const struct compiling_opts *o);
/* Waits for the answer. 0; -EINVAL with errors. */
int compiling_wait(struct compiling *c);
/* Something came on c->child.sock. The same. */
int compiling_take(struct compiling *c);
/* Ends the process; what was made is closed unless it was taken. */
void compiling_end(struct compiling *c);
