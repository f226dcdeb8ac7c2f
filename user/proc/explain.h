/* user/proc/explain.h - what the monitor knows of one process, for `earshot explain`: asked by the
 * keeper, answered with plain data of fixed size. Strings are NUL-terminated, cut to fit, and
 * hostile: escape before showing.
 */
#pragma once

#include <stdint.h>

#include "capture/survey.h"
#include "flow/ident.h"

#define EXPLAIN_FILES_MAX                                                                          \
	8 /* files with TLS code of one process that are told; more are counted                    \
	   */

enum explain_state {
	EXPLAIN_CAPTURED, /* probed TLS code */
	EXPLAIN_WAITING,  /* its files are not all examined yet */
	EXPLAIN_FAILED,	  /* TLS code that could not be probed */
	EXPLAIN_FOREIGN,  /* TLS code that is not OpenSSL, or has no names */
	EXPLAIN_NO_TLS,
	EXPLAIN_SENSOR, /* excluded: the sensor itself */
	EXPLAIN_CANARY, /* the sensor's own test calls */
	EXPLAIN_KERNEL, /* a kernel thread */
	EXPLAIN_GONE,	/* no such process */
	EXPLAIN_STATE_MAX_
};
extern const char *const explain_states[EXPLAIN_STATE_MAX_]; /* "no-tls" */

struct explained_file {
	char path[256]; /* as first mapped, in that process's mount namespace */
	char why[160];	/* "OpenSSL 3.0 or 3.1; reads: shared internal; ...", or what went wrong */
	uint8_t build_id[20];
	uint32_t build_id_len;
	uint32_t state; /* enum explain_state: what it would make of a process alone */
	uint32_t hints; /* bits of enum hint */
	uint32_t n_sites;
	uint32_t pad;
	struct survey_site sites[SURVEY_SITES_MAX];
};

/* keeper -> monitor */
struct explain_msg {
	uint32_t ticket; /* comes back with the answer */
	uint32_t pid;
	uint32_t next; /* 1: not pid, but the next process above it that maps code */
	uint32_t pad;
};

/* monitor -> keeper */
struct explained {
	uint32_t ticket;
	uint32_t pid;	/* 0 after the last of a walk */
	uint32_t state; /* enum explain_state */
	uint32_t n_files, more_files;
	uint32_t
	    unexamined;	   /* files mapped as code that nobody looked into: on FUSE, or too many */
	uint32_t conns;	   /* TLS connections open now */
	uint32_t lost_why; /* enum ev_loss of the last loss */
	uint64_t calls, bytes; /* that passed on its connections */
	uint64_t lost_events, lost_bytes, muted_bytes;
	uint64_t shed_bytes, shed_ns; /* of the losses, those beyond its budget */
	uint64_t lost_ns;	      /* CLOCK_MONOTONIC of the last loss; 0: none */
	char reason[192];	      /* the state in words */
	struct proc_info proc;
	struct explained_file files[EXPLAIN_FILES_MAX];
};
_Static_assert(sizeof(struct explained) <= 32 << 10, "several fit into a socket");
