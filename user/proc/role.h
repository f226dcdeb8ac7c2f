/* user/proc/role.h - the processes of the sensor: one small binary each, started by the monitor
 * with one socket (descriptor 3). role_begin() is the first thing main() does, sandbox_enter()
 * (proc/sandbox.h) the last before the first hostile byte.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mac.h"
#include "config/config.h"
#include "proc/page.h"

/* New ones at the end: the number makes the user id of a role without a system user (spawn.c),
 * which owns files. */
enum role {
	ROLE_MONITOR,
	ROLE_COMPILER,
	ROLE_SURVEYOR,
	ROLE_INSPECTOR,
	ROLE_KEEPER,
	ROLE_SHIPPER,
	ROLE_CANARY,
	ROLE_RECORDER, /* in the inspector's place, for `earshot record` */
	ROLE_INDEXER,
	ROLE_MAX_
};

struct role_row {
	const char *name;   /* "inspector" */
	const char *binary; /* "earshot-inspector" */
	const char *user;   /* system user when it exists, else a fixed unused uid */
};
extern const struct role_row roles[ROLE_MAX_];

#define ROLE_SOCKET 3 /* descriptor of the socket to the monitor */

/* Descriptors that come with REQ_START, by what they are. */
enum start_fd {
	START_CONFIG,	/* sealed memfd: struct config */
	START_PATTERNS, /* sealed memfd: what detect_compile_rules() made; compiler: what may be
			   that */
	START_PAGE,	/* this role's struct page, read-write */
	START_PAGES, /* keeper: memfd with copies of every role's page, an array of ROLE_MAX_ struct
			page, renewed twice a second */
	START_KEEPER,	 /* inspector, shipper: socket to the keeper */
	START_INSPECTOR, /* keeper: socket to the inspector */
	START_SHIPPER,	 /* keeper: socket to the shipper */
	START_CONTROL,	 /* keeper: bound and listening control socket */
	START_STATE,	 /* keeper: the state directory (also its working directory) */
	START_DATA_RING, /* inspector, recorder */
	START_CONTROL_RING,
	START_CONNS,
	START_SLOTS,
	START_WAKE,
	START_FILE,  /* surveyor: the ELF file; compiler: the configuration file, or a
			  bundle of packs;
			  recorder: the trace */
	START_SITES, /* surveyor: sealed memfd: tables of probe sites (capture/sites.h) */
	START_HASH,  /* surveyor, instead of START_FILE: a file to be hashed */
	START_CA,    /* shipper: files of the https export, already open */
	START_CERT,
	START_KEY,
	START_FD_MAX_,
};

/* What the compiler is to make of the file it gets. */
enum compile {
	COMPILE_CONFIG,	  /* a struct config of YAML; no file: the defaults */
	COMPILE_PATTERNS, /* rules and pattern databases (detect_compile_rules()) of a bundle of
			     packs; no file: of those built in */
};

/* Body of REQ_START; also what role_begin() gives. */
struct start {
	uint32_t role;
	uint32_t generation;	  /* of the configuration */
	uint8_t boot[16];	  /* boot id of the host */
	uint64_t epoch;		  /* unique per boot for each start of this role */
	uint8_t key[MAC_KEY_LEN]; /* inspector, compiler of patterns: fingerprint key, all zero
				     elsewhere */
	uint64_t data_ring_bytes, control_ring_bytes;
	uint64_t skip_conn; /* inspector: the connection it died on; to be muted. 0: none */
	uint32_t max_conns;
	uint32_t compile; /* compiler: enum compile */
	char host[256];
};

struct role_ctx {
	struct start start;
	int fds[START_FD_MAX_];	     /* -1: not given */
	const struct config *config; /* mapped read-only; NULL for surveyor and compiler */
	struct page *page; /* mapped; never NULL for inspector, recorder, keeper, shipper */
};

/* Reads REQ_START from descriptor 3, maps configuration and page, sets up logging, core limits and
 * death with the monitor. Logs and exits when started by hand. */
void role_begin(enum role role, struct role_ctx *ret);
