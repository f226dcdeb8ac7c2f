/* user/proc/prober.c - from a mapped file to probes in it.
 * Owns the discovery, the queue of files waiting for a survey, the warm surveyors, what is known of
 * each file, and the table of processes. A file's bytes are read by a surveyor only.
 * When no file waits, one of them hashes the programs of those processes, one by one; a new file
 * takes precedence.
 */
#include "proc/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/filehash.h"
#include "capture/hint.h"
#include "capture/sites.h"
#include "capture/snapshot.h"
#include "proc/choice.h"
#include "proc/process.h"
#include "proc/req.h"
#include "proc/team.h"

#define SURVEY_NS  (5 * NS_PER_SEC)
#define HASH_NS	   (20 * NS_PER_SEC) /* for one program; beyond it it has no hash */
#define HASHES_MAX 512
/* A program maps itself first, then its libraries: with one surveyor these would wait for another
 * to start. */
#define SURVEYORS      2
#define RANGE_NS       NS_PER_SEC	/* between two looks at who maps what of a file */
#define LOOKS_MAX      8		/* processes whose program is looked up in one go */
#define REFRESH_NS     (2 * NS_PER_SEC) /* a process is looked at again, in turn: a GPU comes late */
#define SHED_RECENT_NS (60 * NS_PER_SEC) /* a process is called over its budget for so long */
#define PROC_KEEP_NS   (60 * NS_PER_SEC) /* after its exit, for records still on their way */
/* After each look at what discovery has. A program that starts maps its libraries within it, and
 * none has come to its first TLS call. */
#define REST_NS (5 * NS_PER_MS)

enum file_state {
	FILE_FREE,
	FILE_WAITING,
	FILE_PLAIN,
	FILE_TLS,
	FILE_FAILED,
	FILE_PARTIAL, /* failed, for not all of its code was mapped: the next user may map it */
};

struct file {
	struct inode_key key;
	enum file_state state;
	struct explained_file *told; /* NULL: it holds no TLS code */
};

/* A program's SHA-256, for as long as the file is what it was. */
struct hash {
	struct inode_key key; /* ino 0: free */
	struct timespec mtime;
	off_t size;
	uint8_t sha256[FILEHASH_LEN]; /* all zero: it could not be had */
};

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
	struct file files[PROBER_FILES_MAX * 2]; /* open addressing, never more than half full */
	size_t n_files;
	struct job queue[PROBER_QUEUE_MAX]; /* a ring */
	size_t head, n_queue;
	struct surveyor surveyors[SURVEYORS];
	struct processes procs;
	bool choose;	  /* processes are selected for capture.plaintext */
	size_t refreshed; /* which of them was looked at again last */
	uint64_t refresh_ns, ranged_ns;
	struct hash hashes[HASHES_MAX]; /* direct mapped */
};

static struct file *file_of(struct prober *p, const struct inode_key *key, bool add);

/* A full table keeps what is probed or waits; the rest is surveyed again if it comes again. */
static void forget_files(struct prober *p)
{
	auto_mem struct file *old = malloc(sizeof(p->files));

	if (!old)
		return;
	memcpy(old, p->files, sizeof(p->files));
	memset(p->files, 0, sizeof(p->files));
	p->n_files = 0;
	for (size_t i = 0; i < ARRAY_SIZE(p->files); i++) {
		if (old[i].state == FILE_TLS || old[i].state == FILE_WAITING)
			*file_of(p, &old[i].key, true) = old[i];
		else
			free(old[i].told);
	}
}

static struct file *file_of(struct prober *p, const struct inode_key *key, bool add)
{
	size_t mask = ARRAY_SIZE(p->files) - 1;
	size_t i = XXH3_64bits(key, sizeof(*key)) & mask;

	while (p->files[i].state != FILE_FREE) {
		if (!memcmp(&p->files[i].key, key, sizeof(*key)))
			return &p->files[i];
		i = (i + 1) & mask;
	}
	if (!add || p->n_files == PROBER_FILES_MAX)
		return NULL;
	p->n_files++;
	p->files[i].key = *key;
	return &p->files[i];
}

/* --- programs' hashes */

static struct hash *hash_of(struct prober *p, const struct inode_key *key)
{
	return &p->hashes[XXH3_64bits(key, sizeof(*key)) % HASHES_MAX];
}

struct program { /* that a process runs */
	struct prober *p;
	struct inode_key key; /* ino 0: not seen */
	bool tls;	      /* TLS code is mapped */
};

static void on_code(void *ctx, const struct inode_key *key, bool exe)
{
	struct program *program = ctx;
	const struct file *f = file_of(program->p, key, false);

	program->tls |= f && f->state == FILE_TLS;
	/* One that was never opened (FUSE) could let us wait for ever. */
	if (exe && f)
		program->key = *key;
}

/* Opens the file that a process with TLS code runs. -1: not to be had. */
static int open_program(struct prober *p, pid_t pid, struct inode_key *ret)
{
	struct program program = { .p = p }, again = { .p = p };
	char path[32];
	int fd;

	if (discover_maps(p->discover, pid, on_code, &program) || !program.tls || !program.key.ino)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* Still what it runs? */
	if (fd >= 0 && (discover_maps(p->discover, pid, on_code, &again) ||
			memcmp(&again.key, &program.key, sizeof(again.key))))
		own_close(&fd);
	*ret = program.key;
	return fd;
}

/* Fills in the hash of a process's program if it is known: true. Else the file is kept open for it.
 * The program's file may be told of after the library that made it of interest, and not be opened
 * yet: then it is not looked up. */
static bool find_hash(struct prober *p, struct process *proc)
{
	auto_close int fd = open_program(p, (pid_t)proc->info.tgid, &proc->exe);
	const struct hash *h = hash_of(p, &proc->exe);
	struct stat st;

	proc->looked_up = fd >= 0;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (memcmp(&h->key, &proc->exe, sizeof(h->key)) || h->size != st.st_size ||
	    h->mtime.tv_sec != st.st_mtim.tv_sec || h->mtime.tv_nsec != st.st_mtim.tv_nsec) {
		proc->exe_fd = steal_fd(&fd);
		return false;
	}
	memcpy(proc->info.exe_sha256, h->sha256, FILEHASH_LEN);
	return true;
}

/* Some of those that were not looked up when they came. */
static void find_hashes(struct prober *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->procs.n && n < LOOKS_MAX; i++) {
		struct process *proc = p->procs.all[i];

		if (proc->looked_up || proc->gone_ns)
			continue;
		n++;
		if (find_hash(p, proc))
			p->o.proc(p->o.ctx, &proc->info);
		proc->looked_up = true;
	}
}

/* Keeps what the job has brought, and tells it of every process that runs the file. */
static void keep_hash(struct prober *p, const struct job *j, const uint8_t sha256[FILEHASH_LEN])
{
	struct hash *h = hash_of(p, &j->key);
	struct stat st;

	if (fstat(j->fd, &st) < 0)
		return;
	*h = (struct hash){ .key = j->key, .mtime = st.st_mtim, .size = st.st_size };
	memcpy(h->sha256, sha256, FILEHASH_LEN);
	for (size_t i = 0; i < p->procs.n; i++) {
		struct process *proc = p->procs.all[i];

		if (memcmp(&proc->exe, &h->key, sizeof(h->key)))
			continue;
		own_close(&proc->exe_fd);
		memcpy(proc->info.exe_sha256, sha256, FILEHASH_LEN);
		p->o.proc(p->o.ctx, &proc->info);
	}
}

/* The file waits once more, with a process that runs it. */
static void hash_again(struct prober *p, struct job *j)
{
	for (size_t i = 0; i < p->procs.n; i++) {
		struct process *proc = p->procs.all[i];

		if (proc->exe_fd >= 0 || memcmp(&proc->exe, &j->key, sizeof(j->key)))
			continue;
		proc->exe_fd = steal_fd(&j->fd);
		return;
	}
}

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
		find_hash(p, known);
	p->o.proc(p->o.ctx, &known->info);
	return 0;
}

static void next_job(struct prober *p);

/* Keeps what was learned of a file for `earshot explain`. Without memory it is not explained. */
static void remember(struct file *f, const struct job *j, enum explain_state state,
		     const struct survey *s, const char *why)
{
	struct explained_file *e = f->told ? f->told : calloc(1, sizeof(*e));

	if (!e)
		return;
	f->told = e;
	snprintf(e->path, sizeof(e->path), "%s", j->path);
	snprintf(e->why, sizeof(e->why), "%s", why);
	e->state = state;
	if (!s)
		return;
	e->hints = s->hints;
	e->n_sites = s->n_sites;
	e->build_id_len = MIN(s->build_id_len, (uint32_t)sizeof(e->build_id));
	memcpy(e->build_id, s->build_id, sizeof(e->build_id));
	memcpy(e->sites, s->sites, sizeof(e->sites));
	for (size_t i = 0; i < ARRAY_SIZE(e->sites); i++)
		e->sites[i].symbol[sizeof(e->sites[i].symbol) - 1] = '\0';
}

static void fail(struct prober *p, const struct job *j, const struct survey *s, const char *why)
{
	struct file *f = file_of(p, &j->key, false);
	bool told = f && f->told && f->told->state == EXPLAIN_FAILED;

	if (f) {
		f->state = FILE_FAILED;
		remember(f, j, EXPLAIN_FAILED, s, why);
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
	struct file *f = file_of(p, &j->key, false);
	struct survey s;
	int err;

	memcpy(&s, m->body, sizeof(s));
	if (j->fd < 0 || j->hash || !f || s.n_sites > SURVEY_SITES_MAX ||
	    s.verdict >= SURVEY_VERDICT_MAX_)
		return -EBADMSG;
	s.why[sizeof(s.why) - 1] = 0;
	by->answered = true;
	page_add(p->o.page, CTR_SURVEYED_FILES, 1);
	f->state = FILE_PLAIN;
	/* Not ELF is nothing to warn of: interpreters map scripts and data, too. */
	if (s.verdict == SURVEY_BAD)
		log_debug("%s: %s", j->path, s.why);
	if (s.verdict != SURVEY_TLS) {
		if (s.hints & ((1u << HINT_MAX_) - 1))
			remember(f, j, EXPLAIN_FOREIGN, &s, s.why);
		return 0;
	}
	if (check_sites(p, j, &s)) {
		fail(p, j, NULL, "a probe site is not in code that is executed");
		f->state = FILE_PARTIAL;
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
	f->state = FILE_TLS;
	remember(f, j, EXPLAIN_CAPTURED, &s, s.why);
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
	keep_hash(by->prober, &by->job, m->body);
	return 0;
}

/* The next program to be hashed. false: none waits. */
static bool next_hash(struct prober *p, struct job *ret)
{
	for (size_t i = 0; i < p->procs.n; i++) {
		struct process *proc = p->procs.all[i];

		if (proc->exe_fd < 0)
			continue;
		*ret = (struct job){ .key = proc->exe,
				     .fd = steal_fd(&proc->exe_fd),
				     .pid = (pid_t)proc->info.tgid,
				     .hash = true };
		return true;
	}
	return false;
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
		hash_again(p, &s->job);
	else if (!s->answered)
		keep_hash(p, &s->job, (const uint8_t[FILEHASH_LEN]){ 0 }); /* not again and again */
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
	    (next_file(p, &s->job) || (last && next_hash(p, &s->job))))
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
	struct file *f = NULL;
	struct job *j;

	if (p->n_files == PROBER_FILES_MAX)
		forget_files(p);
	if (p->n_queue < PROBER_QUEUE_MAX)
		f = file_of(p, key, true);
	if (!f) {
		page_add(p->o.page, CTR_SURVEY_FAILED, 1);
		return;
	}
	if (f->state != FILE_FREE && f->state != FILE_PARTIAL)
		return;
	f->state = FILE_WAITING;
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
	const struct file *f = file_of(p, key, false);

	if (f && f->state == FILE_TLS)
		look(p, pid, true, 0);
	else if (f && f->state == FILE_WAITING && !is_known(p, pid))
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
static void refresh(struct prober *p)
{
	struct proc_info info;
	struct process *proc = NULL;

	/* Those whose program is known are those with TLS code. */
	for (size_t i = 0; i < p->procs.n && !proc; i++) {
		proc = p->procs.all[++p->refreshed % p->procs.n];
		if (proc->gone_ns || !proc->exe.ino)
			proc = NULL;
	}
	if (!proc || snapshot_process((pid_t)proc->info.tgid, &info) ||
	    info.start_ns != proc->info.start_ns)
		return;
	memcpy(info.exe_sha256, proc->info.exe_sha256, sizeof(info.exe_sha256));
	if (!memcmp(&info, &proc->info, sizeof(info)))
		return;
	proc->info = info;
	p->o.proc(p->o.ctx, &proc->info);
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct prober *p = ctx;

	for (struct surveyor *s = p->surveyors; s < p->surveyors + SURVEYORS; s++)
		if (s->job.fd >= 0 && now_ns - s->job_ns > (s->job.hash ? HASH_NS : SURVEY_NS))
			kill(s->child.pid, SIGKILL);
	/* What is being surveyed may be the TLS code of some of them. */
	if (prober_settled(p))
		find_hashes(p);
	next_job(p);
	page_set(p->o.page, CTR_LOST_DISCOVERY, discover_lost(p->discover));
	if (now_ns - p->refresh_ns >= REFRESH_NS) {
		p->refresh_ns = now_ns;
		refresh(p);
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
	for (size_t i = 0; i < ARRAY_SIZE((*p)->files); i++)
		free((*p)->files[i].told);
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
			find_hash(p, process_of(&p->procs, pid));
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

/* --- explaining */

struct account { /* of the files that a process maps */
	struct prober *p;
	struct explained *e;
	unsigned maps, tls, waiting, failed, foreign;
	uint32_t hints;
};

static void on_mapped(void *ctx, const struct inode_key *key, bool exe)
{
	struct account *a = ctx;
	struct explained *e = a->e;
	const struct file *f = file_of(a->p, key, false);

	(void)exe;
	a->maps++;
	if (!f) {
		e->unexamined++;
		return;
	}
	a->waiting += f->state == FILE_WAITING;
	if (!f->told)
		return;
	/* A file may be mapped in several pieces. */
	for (uint32_t i = 0; i < e->n_files; i++)
		if (!memcmp(&e->files[i], f->told, sizeof(*f->told)))
			return;
	a->tls += f->told->state == EXPLAIN_CAPTURED;
	a->failed += f->told->state == EXPLAIN_FAILED;
	a->foreign += f->told->state == EXPLAIN_FOREIGN;
	a->hints |= f->told->hints;
	if (e->n_files == EXPLAIN_FILES_MAX)
		e->more_files++;
	else
		e->files[e->n_files++] = *f->told;
}

static void say_hints(char *out, size_t size, uint32_t hints)
{
	size_t at = (size_t)snprintf(out, size, "nothing that can be probed: ");

	for (int i = 0; i < HINT_MAX_ && at < size; i++)
		if (hints & 1u << i) {
			at += (size_t)snprintf(out + at, size - at, "%s; ", hint_rows[i].why);
			hints &= ~(1u << i);
		}
	if (at < size && at > 2)
		out[at - 2] = '\0';
}

struct passed { /* on the connections of one process */
	const struct proc_info *proc;
	struct explained *e;
	uint32_t exec; /* of the program whose figures these are: the latest */
};

static int on_proc_stats(void *ctx, const struct ev_proc *of, const struct ev_proc_stats *s)
{
	struct passed *w = ctx;
	struct explained *e = w->e;

	if (!proc_same(of->tgid, of->start_ns, w->proc) || of->exec < w->exec)
		return 0;
	w->exec = of->exec;
	e->conns = s->conns;
	e->calls = s->calls;
	e->bytes = s->bytes;
	e->lost_events = s->lost_events;
	e->lost_bytes = s->lost_bytes;
	e->muted_bytes = s->muted_bytes;
	e->shed_bytes = s->shed_bytes;
	e->shed_ns = s->shed_ns;
	e->lost_ns = s->lost_ns;
	e->lost_why = s->lost_why;
	return 0;
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
	struct passed passed = { .proc = &ret->proc, .e = ret };
	struct account a = { .p = p, .e = ret };
	const struct process *known;
	char *why = ret->reason;
	size_t size = sizeof(ret->reason);
	bool chosen;
	int at = 0;

	ret->pid = (uint32_t)pid;
	ret->state = EXPLAIN_GONE;
	if (snapshot_process(pid, &ret->proc) || discover_maps(p->discover, pid, on_mapped, &a) ||
	    ret->proc.flags & PROC_EXITED) {
		snprintf(why, size, "no such process");
		return;
	}
	known = process_of(&p->procs, pid);
	if (known)
		memcpy(ret->proc.exe_sha256, known->info.exe_sha256, sizeof(ret->proc.exe_sha256));
	if (is_surveyor(p, pid)) {
		ret->state = EXPLAIN_SENSOR;
		ret->n_files = ret->more_files = 0;
		snprintf(why, size, "a process of the sensor itself: never captured");
		return;
	}
	chosen = choice_made(p->o.capture, pid);
	if (a.tls || capture_plain(p->o.capture))
		capture_each_proc(p->o.capture, on_proc_stats, &passed);
	if (a.tls || chosen || ret->calls) {
		ret->state = EXPLAIN_CAPTURED;
		if (a.tls)
			at = snprintf(why, size, "%u file(s) with TLS code, probed by %s; ", a.tls,
				      capture_method_names[capture_method(p->o.capture)]);
		if (chosen || (!a.tls && ret->calls))
			at += snprintf(why + at, size - (size_t)at, "plain text is captured%s; ",
				       chosen ? ", for the process is selected"
					      : " on selected ports");
		if (ret->shed_ns && mono_ns() - ret->shed_ns < SHED_RECENT_NS)
			at += snprintf(why + at, size - (size_t)at,
				       "over its budget, so part of its traffic is not captured; ");
		why[at - 2] = '\0';
	} else if (a.failed) {
		ret->state = EXPLAIN_FAILED;
		snprintf(why, size, "%s", ret->files[0].why);
	} else if (a.waiting) {
		ret->state = EXPLAIN_WAITING;
		snprintf(why, size, "%u of its files wait to be examined", a.waiting);
	} else if (a.foreign) {
		ret->state = EXPLAIN_FOREIGN;
		say_hints(why, size, a.hints);
	} else if (!a.maps && !*ret->proc.exe) {
		ret->state = EXPLAIN_KERNEL;
		snprintf(why, size, "a kernel thread, or a process that maps no file");
	} else {
		ret->state = EXPLAIN_NO_TLS;
		snprintf(why, size, "it maps no TLS code that Earshot knows");
	}
}

pid_t prober_next(const struct prober *p, pid_t after)
{
	return discover_next(p->discover, after);
}
