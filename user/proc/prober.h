/* user/proc/prober.h - from a mapped file to probes in it: discovery, survey, attach; and who the
 * processes are. In the monitor. */
#pragma once

#include "capture/capture.h"
#include "config/config.h"
#include "proc/explain.h"
#include "proc/loop.h"
#include "proc/page.h"
#include "proc/req.h"
#include "proc/spawn.h"

#define PROBER_QUEUE_MAX 2048 /* files waiting for the surveyor */

struct prober;

struct prober_opts {
	const struct binaries *binaries;
	struct capture *capture;
	const struct config *config;
	struct page *page; /* the monitor's */
	int sites_fd;	   /* tables of probe sites for the surveyor, borrowed; -1: none */
	void (*proc)(void *ctx,
		     const struct proc_info *p); /* a process that maps TLS code, or asked for */
	void *ctx;
};

/* -errno with a sentence in why. */
int prober_new(struct prober **ret, struct loop *l, const struct prober_opts *o, char *why,
	       size_t why_size);
void prober_free(struct prober **p);
/* Looks at everything that runs. */
int prober_scan(struct prober *p);
/* The first scan's files were all examined. */
bool prober_settled(const struct prober *p);
/* Calls proc for every process known, for a fresh inspector. */
void prober_tell_all(struct prober *p);
/* Who is it? Calls proc with what is known, also of one that is gone; a forked child that nobody
 * met is what its parent was, if it had the same name. */
void prober_who(struct prober *p, const struct who_msg *who);
/* Everything but tickets of what is known of a process, found out now. */
void prober_explain(struct prober *p, pid_t pid, struct explained *ret);
/* The next process above this pid that maps code; 0: none. */
pid_t prober_next(const struct prober *p, pid_t after);
