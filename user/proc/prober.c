/* user/proc/prober.c - from a mapped file to probes in it.
 * Owns the discovery, the queue of files waiting for a survey, the warm surveyors, and the tables
 * of files, processes and programs. A file's bytes are read by a surveyor only. When no file waits,
 * one of them hashes the programs, one by one; a new file takes precedence.
 */
#include "proc/prober.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/filehash.h"
#include "capture/hint.h"
#include "capture/sites.h"
#include "capture/snapshot.h"
#include "proc/choice.h"
#include "proc/explaining.h"
#include "proc/process.h"
#include "proc/program.h"
#include "proc/req.h"
#include "proc/team.h"

#define SURVEY_NS (5 * NS_PER_SEC)
#define HASH_NS	  (20 * NS_PER_SEC) /* for one program; beyond it it has no hash */
/* A program maps itself first, then its libraries: with one surveyor these would wait for another
 * to start. */
#define SURVEYORS 2
#define RANGE_NS  NS_PER_SEC /* between two looks at who maps what of a file */
/* All processes are looked at again in 30 s, up to 960 of them. */
#define REFRESH_NS     (2 * NS_PER_SEC)
#define REFRESH_ROUNDS 15
#define REFRESH_MAX    64		 /* in one round */
#define PROC_KEEP_NS   (60 * NS_PER_SEC) /* after its exit, for records still on their way */
/* After each look at what discovery has. A program that starts maps its libraries within it, and
 * none has come to its first TLS call. */
#define REST_NS (5 * NS_PER_MS)

struct job {
	struct inode_key key;
	struct code_range code;
	int fd;
	pid_t pid;
	char path[256]; /* for people */
	bool hash;	/* to be hashed, not surveyed */
};

struct surveyor {
	struct prober *prober;
	struct child child;
	struct peer peer;
	struct job job; /* in its hands; fd -1: none */
	uint64_t job_ns;
	bool answered;
	bool interrupted;	/* for the sake of a new file: its job is to be done again */
	uint64_t next_spawn_ns; /* after a failure to start one */
};

struct prober {
	struct loop *loop;
	struct prober_opts o;
	struct discover *discover;
	struct codefiles files;
	struct job queue[PROBER_QUEUE_MAX]; /* a ring */
	size_t head, n_queue;
	struct surveyor surveyors[SURVEYORS];
	struct processes procs;
	struct programs programs;
	bool choose;	  /* processes are selected for capture.plaintext */
	size_t refreshed; /* which of them was looked at again last */
	uint64_t refresh_ns, ranged_ns;
};

/* --- processes */

/* The parent of a process of which only that, its start and its name (comm) are known: it may be
 * gone, or nobody has looked yet. Only if it has the same name, which an exec would have changed.
 */
static bool parent_of(const struct prober *p, pid_t pid, uint64_t child_start_ns, const char *comm,
		      struct proc_info *ret)
{
	const struct process *found = process_parent(&p->procs, pid, child_start_ns);

	if (found && !found->stale) {
		*ret = found->info;
	} else {
		*ret = (struct proc_info){};
		if (pid <= 1 || snapshot_process(pid, ret) || ret->flags & PROC_EXITED ||
		    ret->start_ns > child_start_ns)
			return false;
	}
	return !strncmp(comm, ret->comm, sizeof(ret->comm));
}

/* (Re)reads who a process is and passes it on, with flags. An exec changes the answer for the same
 * process. -ESRCH also for one that has ended, if more is known of it than it still tells: until
 * its parent waits for it it has a name, but no program. */
static int look(struct prober *p, pid_t pid, bool hash, uint32_t flags)
{
	struct process now = { .exe_fd = -1, .seen_ns = boot_ns() },
		       *known = process_of(&p->procs, pid);
	struct proc_info parent;
	int err = snapshot_process(pid, &now.info);

	if (err)
		return err;
	if (now.info.flags & PROC_EXITED &&
	    ((known && proc_same((uint32_t)pid, now.info.start_ns, &known->info)) ||
	     parent_of(p, (pid_t)now.info.ppid, now.info.start_ns, now.info.comm, &parent)))
		return -ESRCH;
	now.info.flags |= flags;
	known = process_add(&p->procs, &now);
	if (!known)
		return -ENOMEM;
	discover_follow(p->discover, pid); /* its children use what it uses */
	if (hash)
		program_find(&p->programs, known);
	p->o.proc(p->o.ctx, &known->info);
	return 0;
}

static void next_job(struct prober *p);

static void fail(struct prober *p, const struct job *j, const struct survey *s, const char *why)
{
	struct codefile *f = codefile_of(&p->files, &j->key);
	bool told = f && f->told && f->told->state == EXPLAIN_FAILED;

	if (f) {
		f->state = CODEFILE_FAILED;
		codefile_tell(f, j->path, EXPLAIN_FAILED, s, why);
	}
	page_add(p->o.page, CTR_SURVEY_FAILED, 1);
	if (told)
		return;
	log_warn("%s (seen in process %d): %s", j->path, j->pid, why);
}

/* The surveyor has read a hostile file, and may be its puppet: its sites must lie in what is mapped
 * for execution. The process that was met first may have mapped only a part of that, yet or on
 * purpose; others map the rest.
 */
static int check_sites(struct prober *p, const struct job *j, const struct survey *s)
{
	int err = sites_check(j->fd, s, j->code.from, j->code.to);
	uint64_t now = mono_ns();
	struct code_range all;

	if (!err || now - p->ranged_ns < RANGE_NS)
		return err;
	p->ranged_ns = now;
	return discover_code(p->discover, &j->key, &all) ? err
							 : sites_check(j->fd, s, all.from, all.to);
}

static int on_surveyed(struct peer *peer, const struct req_msg *m)
{
	struct surveyor *by = peer->ctx;
	struct prober *p = by->prober;
	const struct job *j = &by->job;
	struct codefile *f = codefile_of(&p->files, &j->key);
	struct survey s;
	int err;

	memcpy(&s, m->body, sizeof(s));
	if (j->fd < 0 || j->hash || !f || s.n_sites > SURVEY_SITES_MAX ||
	    s.verdict >= SURVEY_VERDICT_MAX_)
		return -EBADMSG;
	s.why[sizeof(s.why) - 1] = 0;
	by->answered = true;
	page_add(p->o.page, CTR_SURVEYED_FILES, 1);
	f->state = CODEFILE_PLAIN;
	/* Not ELF is nothing to warn of: interpreters map scripts and data, too. */
	if (s.verdict == SURVEY_BAD)
		log_debug("%s: %s", j->path, s.why);
	if (s.verdict != SURVEY_TLS) {
		if (s.hints & ((1u << HINT_MAX_) - 1))
			codefile_tell(f, j->path, EXPLAIN_FOREIGN, &s, s.why);
		return 0;
	}
	if (check_sites(p, j, &s)) {
		fail(p, j, NULL, "a probe site is not in code that is executed");
		f->state = CODEFILE_PARTIAL;
		discover_again(p->discover, &j->key);
		return 0;
	}
	err = capture_attach(p->o.capture, &j->key, j->fd, &s);
	if (err && err != -EEXIST) {
		char why[160];

		snprintf(why, sizeof(why), "probes cannot be attached: %s", strerror(-err));
		fail(p, j, &s, why);
		return 0;
	}
	f->state = CODEFILE_TLS;
	codefile_tell(f, j->path, EXPLAIN_CAPTURED, &s, s.why);
	page_set(p->o.page, CTR_ATTACHED_FILES, capture_attached(p->o.capture));
	log_info("%s: %s; %u probe sites", j->path, s.why, s.n_sites);
	look(p, j->pid, true, 0);
	return 0;
}

static int on_hashed(struct peer *peer, const struct req_msg *m)
{
	struct surveyor *by = peer->ctx;

	if (by->job.fd < 0 || !by->job.hash)
		return -EBADMSG;
	by->answered = true;
	program_hashed(&by->prober->programs, &by->job.key, by->job.fd, m->body);
	return 0;
}

/* The next program to be hashed. false: none waits. */
static bool next_program(struct prober *p, struct job *ret)
{
	struct job j = { .hash = true };

	j.fd = program_next(&p->programs, &j.key, &j.pid);
	if (j.fd >= 0)
		*ret = j;
	return j.fd >= 0;
}

static bool next_file(struct prober *p, struct job *ret)
{
	if (!p->n_queue)
		return false;
	*ret = p->queue[p->head];
	p->head = (p->head + 1) % PROBER_QUEUE_MAX;
	p->n_queue--;
	return true;
}

static const struct req_row surveyor_table[REQ_MAX_] = {
	[REQ_HASHED] = { ROLE_SURVEYOR, FILEHASH_LEN, FILEHASH_LEN, on_hashed },
	[REQ_SURVEYED] = { ROLE_SURVEYOR, sizeof(struct survey), sizeof(struct survey),
			   on_surveyed },
};

static void on_answer(void *ctx, uint32_t events)
{
	struct surveyor *s = ctx;

	(void)events;
	/* What goes wrong here shows as its end without an answer. */
	if (req_recv(&s->peer) < 0)
		loop_del(s->prober->loop, s->child.sock);
}

static void on_surveyor_end(void *ctx, uint32_t events)
{
	struct surveyor *s = ctx;
	struct prober *p = s->prober;

	(void)events;
	/* An answer may have come just before its end. */
	if (!s->answered && s->job.fd >= 0)
		req_recv(&s->peer);
	loop_del(p->loop, s->child.pidfd);
	loop_del(p->loop, s->child.sock);
	capture_include(p->o.capture, s->child.pid);
	child_end(&s->child);
	if (s->job.fd < 0)
		s->next_spawn_ns =
		    mono_ns() + NS_PER_SEC; /* it died before it had work: not in a tight loop */
	else if (!s->answered && !s->job.hash)
		fail(p, &s->job, NULL, "the surveyor could not examine it");
	else if (!s->answered && s->interrupted)
		program_again(&p->programs, &s->job.key, steal_fd(&s->job.fd));
	else if (!s->answered)
		program_hashed(&p->programs, &s->job.key, s->job.fd,
			       (const uint8_t[FILEHASH_LEN]){ 0 }); /* not again and again */
	own_close(&s->job.fd);
	next_job(p);
}

static void keep_warm(struct prober *p, struct surveyor *s)
{
	int err;

	if (s->child.pid || mono_ns() < s->next_spawn_ns)
		return;
	err = spawn_role(p->o.binaries, ROLE_SURVEYOR, true, team_exclude, p->o.capture, &s->child);
	if (err) {
		log_error("surveyor cannot be started: %s", strerror(-err));
		s->next_spawn_ns = mono_ns() + NS_PER_SEC;
		return;
	}
	s->peer = (struct peer){ s->child.sock, ROLE_SURVEYOR, surveyor_table, s };
	s->answered = s->interrupted = false;
	loop_add(p->loop, s->child.sock, EPOLLIN, on_answer, s);
	loop_add(p->loop, s->child.pidfd, EPOLLIN, on_surveyor_end, s);
}

static void give(struct prober *p, struct surveyor *s)
{
	struct {
		struct start start;
		uint32_t kinds[2];
	} msg = { { .role = ROLE_SURVEYOR }, { START_FILE, START_SITES } };
	unsigned n_fds = s->job.hash || p->o.sites_fd < 0 ? 1 : 2;
	int fds[2] = { s->job.fd, p->o.sites_fd };

	if (s->job.hash)
		msg.kinds[0] = START_HASH;
	s->job_ns = mono_ns();
	if (req_send(s->child.sock, REQ_START, &msg, sizeof(msg.start) + n_fds * sizeof(*msg.kinds),
		     fds, n_fds))
		kill(s->child.pid, SIGKILL); /* reported when its end shows */
}

/* Only the last one hashes, so that one is left for a file that is new. */
static void hand_out(struct prober *p, struct surveyor *s)
{
	bool last = s == &p->surveyors[SURVEYORS - 1];

	if (s->child.pid && s->job.fd < 0 &&
	    (next_file(p, &s->job) || (last && next_program(p, &s->job))))
		give(p, s);
}

/* Gives warm surveyors what waits; then sees to it that all are warm, which takes longer. */
static void next_job(struct prober *p)
{
	for (struct surveyor *s = p->surveyors; s < p->surveyors + SURVEYORS; s++)
		hand_out(p, s);
	for (struct surveyor *s = p->surveyors; s < p->surveyors + SURVEYORS; s++) {
		keep_warm(p, s);
		hand_out(p, s);
	}
}

static void on_file(void *ctx, const struct inode_key *key, const struct code_range *code, int fd,
		    pid_t pid, const char *path)
{
	struct prober *p = ctx;
	auto_close int owned = fd;
	struct job *j;
	int r = p->n_queue < PROBER_QUEUE_MAX ? codefile_met(&p->files, key) : -ENOSPC;

	if (r < 0)
		page_add(p->o.page, CTR_SURVEY_FAILED, 1);
	if (r <= 0)
		return;
	/* The likely ones first: of a program that starts, the library after the program itself. */
	if (strstr(path, "ssl")) {
		p->head = (p->head + PROBER_QUEUE_MAX - 1) % PROBER_QUEUE_MAX;
		j = &p->queue[p->head];
	} else {
		j = &p->queue[(p->head + p->n_queue) % PROBER_QUEUE_MAX];
	}
	p->n_queue++;
	*j = (struct job){ .key = *key, .code = *code, .fd = steal_fd(&owned), .pid = pid };
	snprintf(j->path, sizeof(j->path), "%s", path);
	next_job(p);
	/* Snapshot now: a short-lived client may be gone before the survey is back. */
	if (strstr(path, "ssl"))
		look(p, pid, false, 0);
	/* What is hashed can wait, and begins again. */
	for (struct surveyor *s = p->surveyors; p->n_queue && s < p->surveyors + SURVEYORS; s++)
		if (s->job.fd >= 0 && s->job.hash) {
			s->interrupted = true;
			kill(s->child.pid, SIGKILL);
		}
}

/* With the program that it runs. A process is named for each of its files. */
static bool is_known(struct prober *p, pid_t pid)
{
	const struct process *known = process_of(&p->procs, pid);
	char link[32], exe[sizeof(known->info.exe)];
	ssize_t n;

	if (!known)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	return n > 0 && (size_t)n == strlen(known->info.exe) &&
	       !memcmp(exe, known->info.exe, (size_t)n);
}

static void on_user(void *ctx, const struct inode_key *key, pid_t pid)
{
	struct prober *p = ctx;
	const struct codefile *f = codefile_of(&p->files, key);

	if (f && f->state == CODEFILE_TLS)
		look(p, pid, true, 0);
	else if (f && f->state == CODEFILE_WAITING && !is_known(p, pid))
		look(p, pid, false, 0);
}

static void on_exit_of(void *ctx, pid_t pid)
{
	struct prober *p = ctx;
	struct process *known = process_of(&p->procs, pid);

	if (known) {
		known->info.flags |= PROC_EXITED;
		process_gone(&p->procs, known);
	}
}

/* It is what its parent was. Most forked children never speak TLS: what /proc says of them is read
 * when somebody asks. A parent that was read later may be another program by then: the child tells,
 * if it still runs. */
static void on_fork_of(void *ctx, pid_t parent, pid_t child, uint64_t start_ns)
{
	struct prober *p = ctx;
	const struct process *from = process_of(&p->procs, parent);
	bool same = from && !from->stale;

	if ((!same || from->seen_ns > start_ns) && (!look(p, child, false, PROC_FORKED) || !same))
		return;
	process_fork(&p->procs, &from->info, child, start_ns);
}

static void on_program(void *ctx, pid_t pid)
{
	struct prober *p = ctx;
	struct process *known = process_of(&p->procs, pid);

	/* Only with TLS code it is of interest again. */
	if (known && !known->stale) {
		known->stale = true;
		discover_unfollow(p->discover, pid);
	}
	if (p->choose)
		choice_make(p->o.config, p->o.capture, pid);
}

/* What came meanwhile may not be told of again. */
static void rested(void *ctx, uint64_t now_ns)
{
	struct prober *p = ctx;

	(void)now_ns;
	loop_mod(p->loop, discover_fd(p->discover), EPOLLIN);
	discover_poll(p->discover);
}

/* A program that starts is a burst of events: one wakeup for the first, one for the rest. */
static void on_discovery(void *ctx, uint32_t events)
{
	struct prober *p = ctx;

	(void)events;
	discover_poll(p->discover);
	if (!loop_after(p->loop, REST_NS, rested, p))
		loop_mod(p->loop, discover_fd(p->discover), 0);
}

/* What changes in the life of a process: it opens a GPU, gives itself another name. */
static void refresh(struct prober *p, struct process *proc)
{
	struct proc_info info;

	if (snapshot_process((pid_t)proc->info.tgid, &info) || info.flags & PROC_EXITED ||
	    info.start_ns != proc->info.start_ns)
		return;
	memcpy(info.exe_sha256, proc->info.exe_sha256, sizeof(info.exe_sha256));
	if (!memcmp(&info, &proc->info, sizeof(info)))
		return;
	proc->info = info;
	p->o.proc(p->o.ctx, &proc->info);
}

/* Some, in turn. */
static void refresh_some(struct prober *p)
{
	size_t n = MIN(p->procs.n / REFRESH_ROUNDS + 1, REFRESH_MAX);

	for (size_t i = 0; i < p->procs.n && n; i++) {
		struct process *proc = p->procs.all[++p->refreshed % p->procs.n];

		/* Those whose program is known are those with TLS code. */
		if (proc->gone_ns || !proc->exe.ino)
			continue;
		n--;
		refresh(p, proc);
	}
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct prober *p = ctx;

	for (struct surveyor *s = p->surveyors; s < p->surveyors + SURVEYORS; s++)
		if (s->job.fd >= 0 && now_ns - s->job_ns > (s->job.hash ? HASH_NS : SURVEY_NS))
			kill(s->child.pid, SIGKILL);
	/* What is being surveyed may be the TLS code of some of them. */
	if (prober_settled(p))
		programs_find(&p->programs);
	next_job(p);
	page_set(p->o.page, CTR_LOST_DISCOVERY, discover_lost(p->discover));
	if (now_ns - p->refresh_ns >= REFRESH_NS) {
		p->refresh_ns = now_ns;
		refresh_some(p);
	}
	if (now_ns > PROC_KEEP_NS)
		processes_expire(&p->procs, now_ns - PROC_KEEP_NS);
}

int prober_new(struct prober **ret, struct loop *l, const struct prober_opts *o, char *why,
	       size_t why_size)
{
	const struct discover_ops ops = {
		.file = on_file,
		.user = on_user,
		.exit = on_exit_of,
		.fork = on_fork_of,
		.program = on_program,
	};
	auto_free(prober) struct prober *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->loop = l;
	p->o = *o;
	p->choose = capture_plain(o->capture) && choice_asked(o->config);
	for (size_t i = 0; i < SURVEYORS; i++)
		p->surveyors[i] = (struct surveyor){ .prober = p,
						     .child = { .pidfd = -1, .sock = -1 },
						     .job = { .fd = -1 } };
	err = discover_new(&p->discover, &ops, p, why, why_size);
	p->programs = (struct programs){ .discover = p->discover,
					 .files = &p->files,
					 .procs = &p->procs,
					 .proc = o->proc,
					 .ctx = o->ctx };
	if (!err)
		err = loop_add(l, discover_fd(p->discover), EPOLLIN, on_discovery, p);
	if (!err)
		err = loop_every(l, NS_PER_SEC, tick, p);
	if (err)
		return err;
	next_job(p);
	*ret = steal(p);
	return 0;
}

void prober_free(struct prober **p)
{
	if (!*p)
		return;
	if ((*p)->discover)
		loop_del((*p)->loop, discover_fd((*p)->discover));
	discover_free(&(*p)->discover);
	for (struct surveyor *s = (*p)->surveyors; s < (*p)->surveyors + SURVEYORS; s++) {
		if (s->child.pid) {
			loop_del((*p)->loop, s->child.pidfd);
			loop_del((*p)->loop, s->child.sock);
		}
		child_end(&s->child);
		own_close(&s->job.fd);
	}
	for (size_t i = 0; i < (*p)->n_queue; i++)
		own_close(&(*p)->queue[((*p)->head + i) % PROBER_QUEUE_MAX].fd);
	processes_free(&(*p)->procs);
	codefiles_free(&(*p)->files);
	free(*p);
	*p = NULL;
}

int prober_scan(struct prober *p)
{
	return discover_scan(p->discover);
}

bool prober_settled(const struct prober *p)
{
	bool busy = p->n_queue;

	for (size_t i = 0; i < SURVEYORS; i++)
		busy |= p->surveyors[i].job.fd >= 0 && !p->surveyors[i].job.hash;
	return !busy;
}

void prober_tell_all(struct prober *p)
{
	for (size_t i = 0; i < p->procs.n; i++)
		p->o.proc(p->o.ctx, &p->procs.all[i]->info);
}

void prober_who(struct prober *p, const struct who_msg *who)
{
	const pid_t pid = (pid_t)who->tgid;
	const uint64_t start_ns = who->start_ns;
	const struct process *met = process_met(&p->procs, pid, start_ns);
	bool current = met && !met->stale && !met->gone_ns && !(met->info.flags & PROC_FORKED);
	/* Gone without a trace is an answer, too, so that nobody waits for it. */
	const struct proc_info gone = { .tgid = (uint32_t)pid,
					.start_ns = start_ns,
					.flags = PROC_EXITED };
	struct proc_info parent;

	if (current) {
		if (!met->looked_up)
			program_find(&p->programs, process_of(&p->procs, pid));
		p->o.proc(p->o.ctx, &met->info);
	} else if (look(p, pid, true, 0)) {
		/* Forked, and gone before the kernel was told to tell of its parent's children. */
		if (!met && parent_of(p, (pid_t)who->ppid, start_ns, who->comm, &parent)) {
			met = process_fork(&p->procs, &parent, pid, start_ns);
			on_exit_of(p, pid);
		}
		p->o.proc(p->o.ctx, met && !met->stale ? &met->info : &gone);
	}
	next_job(p);
}

static bool is_surveyor(const struct prober *p, pid_t pid)
{
	for (size_t i = 0; i < SURVEYORS; i++)
		if (p->surveyors[i].child.pid == pid)
			return true;
	return false;
}

void prober_explain(struct prober *p, pid_t pid, struct explained *ret)
{
	explain_process(p->discover, &p->files, &p->procs, p->o.capture, pid, is_surveyor(p, pid),
			ret);
}

pid_t prober_next(const struct prober *p, pid_t after)
{
	return discover_next(p->discover, after);
}
