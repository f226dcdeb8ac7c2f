/* user/proc/team.h - keeper, shipper and inspector (or a recorder alone): started, connected,
 * watched, restarted, stopped. In the monitor. */
#pragma once

#include "capture/capture.h"
#include "proc/explain.h"
#include "proc/loop.h"
#include "proc/pulse.h"
#include "proc/req.h"
#include "proc/spawn.h"

#define TEAM_HANG_NS                                                                               \
	(5 * UINT64_C(1000000000)) /* a role without a heartbeat for so long is killed */
#define TEAM_CALM_NS (60 * UINT64_C(1000000000)) /* restarts older than this are forgotten */
#define TEAM_QUICK   3 /* restarts at once; more within TEAM_CALM_NS wait longer and longer */

struct team;

struct team_opts {
	const struct binaries *binaries;
	struct capture *capture;
	const struct config *config;
	int config_fd, patterns_fd; /* sealed; the latter until team_patterns() gives another */
	int control_fd;		    /* listening control socket */
	int store_fd;		    /* the keeper's directory */
	int ca_fd, cert_fd, key_fd; /* files of the https export, or -1 */
	int trace_fd;		    /* not -1: a recorder writes here, and no other role runs */
	uint8_t boot[16];
	uint8_t key[MAC_KEY_LEN];
	char host[256];
	/* The inspector (or recorder) wants to know who a process is. */
	void (*who)(void *ctx, const struct who_msg *who);
	/* Somebody asks for a test call. */
	void (*canary)(void *ctx);
	/* The keeper asks what is known of a process: answer with team_explained(). */
	void (*explain)(void *ctx, const struct explain_msg *q);
	/* The inspector uses the patterns that team_patterns() gave it, or does not: err. */
	void (*patterns)(void *ctx, int err);
	/* The recorder ended by itself. */
	void (*over)(void *ctx);
	/* A new inspector runs: tell it all processes again. */
	void (*fresh)(void *ctx);
	void *ctx;
};

/* Descriptors in o are borrowed for the team's life. -errno. */
int team_new(struct team **ret, struct loop *l, const struct team_opts *o);
void team_free(struct team **t); /* kills what still runs */
/* Starts all; they report ready one by one. -errno. */
int team_start(struct team *t);
bool team_ready(const struct team *t); /* all are up */
/* Says that a process is what p tells. Lost when the inspector is down: a fresh one asks again. */
void team_proc(struct team *t, const struct proc_info *p);
/* Tells the keeper what happened to the sensor; kept (up to 16) while the keeper is down. */
__attribute__((format(printf, 5, 6))) void
team_event(struct team *t, const char *kind, uint64_t events, uint64_t bytes, const char *why, ...);
/* Which of them is it? ROLE_MAX_: none. */
enum role team_role(const struct team *t, pid_t pid);
/* An index of threat intelligence: for the inspector that runs and those to come. Borrowed until
 * the next one. */
void team_intel(struct team *t, int fd);
/* Has the canary make a test call. */
void team_canary(struct team *t);
/* What the keeper is told of the test calls: now, and while the team lives. Borrowed. */
void team_pulse(struct team *t, const struct pulse *p);
/* Lost when the keeper is down or busy: it asks again, or gives up. */
void team_explained(struct team *t, const struct explained *e);
struct page *team_page(struct team *t, enum role role); /* the monitor's own is ROLE_MONITOR */
/* Ends them in the order of the data: inspector, keeper, shipper; each gets up to 5 s. */
void team_stop(struct team *t);
/* Other rules and patterns: for the inspector that runs and those to come. Borrowed until the next
 * ones. true: o.patterns tells what became of them; false: none runs, the next starts with them. */
bool team_patterns(struct team *t, int fd);
/* Why the rules in their folder are not those in use; "": they are. Copied. */
void team_rules(struct team *t, const char *why);
/* Before exec and after death: keep own processes out of capture. spawn_fn for spawn_role(). */
void team_exclude(void *capture, pid_t pid);
