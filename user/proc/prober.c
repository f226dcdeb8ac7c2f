/* user/proc/prober.c - from a mapped file to probes in it.
 * Owns the discovery, the queue of files waiting for a survey, one warm surveyor, what is known of
 * each file and of each process that maps TLS code. A file's bytes are read by the surveyor only.
 */
#include "proc/prober.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/hint.h"
#include "capture/snapshot.h"
#include "proc/req.h"
#include "proc/team.h"

#define SURVEY_NS    (5 * NS_PER_SEC)
#define PROC_KEEP_NS (60 * NS_PER_SEC) /* after its exit, for records still on their way */

enum file_state { FILE_FREE, FILE_WAITING, FILE_PLAIN, FILE_TLS, FILE_FAILED };

struct file {
	struct inode_key key;
	enum file_state state;
	struct explained_file *told; /* NULL: it holds no TLS code */
};

struct job {
	struct inode_key key;
	int fd;
	pid_t pid;
	char path[256]; /* for people */
};

struct proc {
	struct proc_info info;
	uint64_t gone_ns; /* 0: runs */
};

struct prober {
	struct loop *loop;
	struct prober_opts o;
	struct discover *discover;
	struct file files[PROBER_FILES_MAX * 2]; /* open addressing, never more than half full */
	size_t n_files;
	struct job queue[PROBER_QUEUE_MAX]; /* a ring */
	size_t head, n_queue;
	struct job job; /* in the surveyor's hands; fd -1: none */
	uint64_t job_ns;
	bool answered;
	struct child surveyor;
	struct peer peer;
	uint64_t next_spawn_ns; /* after a failure to start one */
	struct proc *procs[PROBER_PROCS_MAX];
	size_t n_procs;
};

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

static struct proc *proc_of(struct prober *p, pid_t pid)
{
	for (size_t i = 0; i < p->n_procs; i++)
		if (p->procs[i]->info.tgid == (uint32_t)pid && !p->procs[i]->gone_ns)
			return p->procs[i];
	return NULL;
}

static struct proc *proc_slot(struct prober *p)
{
	size_t oldest = 0;

	if (p->n_procs < PROBER_PROCS_MAX) {
		struct proc *n = calloc(1, sizeof(*n));

		if (n)
			p->procs[p->n_procs++] = n;
		return n;
	}
	/* Gone ones first, the longest gone of them; else the first that came. */
	for (size_t i = 1; i < p->n_procs; i++) {
		uint64_t a = p->procs[i]->gone_ns, b = p->procs[oldest]->gone_ns;

		if (a && (!b || a < b))
			oldest = i;
	}
	return p->procs[oldest];
}

/* (Re)reads who a process is and passes it on. An exec changes the answer for the same process. */
static int look(struct prober *p, pid_t pid)
{
	struct proc *known = proc_of(p, pid);
	struct proc_info info;
	int err = snapshot_process(pid, &info);

	if (err)
		return err;
	if (known && known->info.start_ns != info.start_ns) {
		known->gone_ns = mono_ns(); /* the number was used again */
		known = NULL;
	}
	if (!known)
		known = proc_slot(p);
	if (!known)
		return -ENOMEM;
	known->info = info;
	known->gone_ns = 0;
	discover_follow(p->discover, pid); /* its children use what it uses */
	p->o.proc(p->o.ctx, &info);
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

	if (f) {
		f->state = FILE_FAILED;
		remember(f, j, EXPLAIN_FAILED, s, why);
	}
	page_add(p->o.page, CTR_SURVEY_FAILED, 1);
	log_warn("%s (seen in process %d): %s", j->path, j->pid, why);
}

static void job_done(struct prober *p)
{
	own_close(&p->job.fd);
	p->job_ns = 0;
}

static int on_surveyed(struct peer *peer, const struct req_msg *m)
{
	struct prober *p = peer->ctx;
	struct file *f = file_of(p, &p->job.key, false);
	struct survey s;
	int err;

	memcpy(&s, m->body, sizeof(s));
	if (p->job.fd < 0 || !f || s.n_sites > SURVEY_SITES_MAX || s.verdict >= SURVEY_VERDICT_MAX_)
		return -EBADMSG;
	s.why[sizeof(s.why) - 1] = 0;
	p->answered = true;
	page_add(p->o.page, CTR_SURVEYED_FILES, 1);
	f->state = FILE_PLAIN;
	/* Not ELF is nothing to warn of: interpreters map scripts and data, too. */
	if (s.verdict == SURVEY_BAD)
		log_debug("%s: %s", p->job.path, s.why);
	if (s.verdict != SURVEY_TLS) {
		if (s.hints & ((1u << HINT_MAX_) - 1))
			remember(f, &p->job, EXPLAIN_FOREIGN, &s, s.why);
		return 0;
	}
	err = capture_attach(p->o.capture, &p->job.key, p->job.fd, &s);
	if (err && err != -EEXIST) {
		char why[160];

		snprintf(why, sizeof(why), "probes cannot be attached: %s", strerror(-err));
		fail(p, &p->job, &s, why);
		return 0;
	}
	f->state = FILE_TLS;
	remember(f, &p->job, EXPLAIN_CAPTURED, &s, s.why);
	page_set(p->o.page, CTR_ATTACHED_FILES, capture_attached(p->o.capture));
	log_info("%s: %s; %u probe sites", p->job.path, s.why, s.n_sites);
	look(p, p->job.pid);
	return 0;
}

static const struct req_row surveyor_table[REQ_MAX_] = {
	[REQ_SURVEYED] = { ROLE_SURVEYOR, sizeof(struct survey), sizeof(struct survey),
			   on_surveyed },
};

static void on_answer(void *ctx, uint32_t events)
{
	struct prober *p = ctx;

	(void)events;
	/* What goes wrong here shows as its end without an answer. */
	if (req_recv(&p->peer) < 0)
		loop_del(p->loop, p->surveyor.sock);
}

static void on_surveyor_end(void *ctx, uint32_t events)
{
	struct prober *p = ctx;

	(void)events;
	/* An answer may have come just before its end. */
	if (!p->answered && p->job.fd >= 0)
		req_recv(&p->peer);
	loop_del(p->loop, p->surveyor.pidfd);
	loop_del(p->loop, p->surveyor.sock);
	capture_include(p->o.capture, p->surveyor.pid);
	child_end(&p->surveyor);
	if (p->job.fd < 0)
		p->next_spawn_ns =
		    mono_ns() + NS_PER_SEC; /* it died before it had work: not in a tight loop */
	else if (!p->answered)
		fail(p, &p->job, NULL, "the surveyor could not examine it");
	job_done(p);
	next_job(p);
}

/* Gives the warm surveyor the next file; keeps one warm. */
static void next_job(struct prober *p)
{
	const struct {
		struct start start;
		uint32_t kinds[2];
	} msg = { { .role = ROLE_SURVEYOR }, { START_FILE, START_SITES } };
	unsigned n_fds = p->o.sites_fd < 0 ? 1 : 2;
	int fds[2];

	if (!p->surveyor.pid) {
		int err = mono_ns() < p->next_spawn_ns
			      ? -EAGAIN
			      : spawn_role(p->o.binaries, ROLE_SURVEYOR, true, team_exclude,
					   p->o.capture, &p->surveyor);

		if (err) {
			if (err != -EAGAIN) {
				log_error("surveyor cannot be started: %s", strerror(-err));
				p->next_spawn_ns = mono_ns() + NS_PER_SEC;
			}
			return;
		}
		p->peer = (struct peer){ p->surveyor.sock, ROLE_SURVEYOR, surveyor_table, p };
		loop_add(p->loop, p->surveyor.sock, EPOLLIN, on_answer, p);
		loop_add(p->loop, p->surveyor.pidfd, EPOLLIN, on_surveyor_end, p);
		p->answered = false;
	}
	if (p->job.fd >= 0 || !p->n_queue)
		return;
	p->job = p->queue[p->head];
	p->head = (p->head + 1) % PROBER_QUEUE_MAX;
	p->n_queue--;
	p->job_ns = mono_ns();
	fds[0] = p->job.fd;
	fds[1] = p->o.sites_fd;
	if (req_send(p->surveyor.sock, REQ_START, &msg,
		     sizeof(msg.start) + n_fds * sizeof(*msg.kinds), fds, n_fds))
		kill(p->surveyor.pid, SIGKILL); /* reported when its end shows */
}

static void on_file(void *ctx, const struct inode_key *key, int fd, pid_t pid, const char *path)
{
	struct prober *p = ctx;
	auto_close int owned = fd;
	struct file *f = p->n_queue < PROBER_QUEUE_MAX ? file_of(p, key, true) : NULL;
	struct job *j;

	if (!f) {
		page_add(p->o.page, CTR_SURVEY_FAILED, 1);
		return;
	}
	if (f->state != FILE_FREE)
		return;
	f->state = FILE_WAITING;
	j = &p->queue[(p->head + p->n_queue++) % PROBER_QUEUE_MAX];
	*j = (struct job){ .key = *key, .fd = steal_fd(&owned), .pid = pid };
	snprintf(j->path, sizeof(j->path), "%s", path);
	/* Snapshot now: a short-lived client may be gone before the survey is back. */
	if (strstr(path, "ssl"))
		look(p, pid);
	next_job(p);
}

static void on_user(void *ctx, const struct inode_key *key, pid_t pid)
{
	struct prober *p = ctx;
	const struct file *f = file_of(p, key, false);

	if (f && (f->state == FILE_TLS || f->state == FILE_WAITING))
		look(p, pid);
}

static void on_exit_of(void *ctx, pid_t pid)
{
	struct prober *p = ctx;
	struct proc *known = proc_of(p, pid);

	if (known) {
		known->gone_ns = mono_ns();
		known->info.flags |= PROC_EXITED;
	}
}

static void on_fork_of(void *ctx, pid_t parent, pid_t child)
{
	(void)parent;
	look(ctx, child);
}

static void on_discovery(void *ctx, uint32_t events)
{
	struct prober *p = ctx;

	(void)events;
	discover_poll(p->discover);
}

static void tick(void *ctx, uint64_t now_ns)
{
	struct prober *p = ctx;

	if (p->job.fd >= 0 && now_ns - p->job_ns > SURVEY_NS)
		kill(p->surveyor.pid, SIGKILL);
	next_job(p);
	page_set(p->o.page, CTR_LOST_DISCOVERY, discover_lost(p->discover));
	for (size_t i = 0; i < p->n_procs;) {
		if (p->procs[i]->gone_ns && now_ns > p->procs[i]->gone_ns + PROC_KEEP_NS) {
			free(p->procs[i]);
			p->procs[i] = p->procs[--p->n_procs];
		} else {
			i++;
		}
	}
}

int prober_new(struct prober **ret, struct loop *l, const struct prober_opts *o, char *why,
	       size_t why_size)
{
	static const struct discover_ops ops = { on_file, on_user, on_exit_of, on_fork_of };
	auto_free(prober) struct prober *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->loop = l;
	p->o = *o;
	p->job.fd = -1;
	p->surveyor = (struct child){ .pidfd = -1, .sock = -1 };
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
	if ((*p)->surveyor.pid) {
		loop_del((*p)->loop, (*p)->surveyor.pidfd);
		loop_del((*p)->loop, (*p)->surveyor.sock);
	}
	child_end(&(*p)->surveyor);
	own_close(&(*p)->job.fd);
	for (size_t i = 0; i < (*p)->n_queue; i++)
		own_close(&(*p)->queue[((*p)->head + i) % PROBER_QUEUE_MAX].fd);
	for (size_t i = 0; i < (*p)->n_procs; i++)
		free((*p)->procs[i]);
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
	return !p->n_queue && p->job.fd < 0;
}

void prober_tell_all(struct prober *p)
{
	for (size_t i = 0; i < p->n_procs; i++)
		p->o.proc(p->o.ctx, &p->procs[i]->info);
}

void prober_who(struct prober *p, pid_t pid, uint64_t start_ns)
{
	const struct proc *known = proc_of(p, pid);
	/* Gone without a trace is an answer, too, so that nobody waits for it. */
	const struct proc_info gone = { .tgid = (uint32_t)pid,
					.start_ns = start_ns,
					.flags = PROC_EXITED };

	if (known && proc_same((uint32_t)pid, start_ns, &known->info))
		p->o.proc(p->o.ctx, &known->info);
	else if (look(p, pid))
		p->o.proc(p->o.ctx, &gone);
}

/* --- explaining */

struct account { /* of the files that a process maps */
	struct prober *p;
	struct explained *e;
	unsigned maps, tls, waiting, failed, foreign;
	uint32_t hints;
};

static void on_mapped(void *ctx, const struct inode_key *key)
{
	struct account *a = ctx;
	struct explained *e = a->e;
	const struct file *f = file_of(a->p, key, false);

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
	e->lost_ns = s->lost_ns;
	e->lost_why = s->lost_why;
	return 0;
}

void prober_explain(struct prober *p, pid_t pid, struct explained *ret)
{
	struct passed passed = { .proc = &ret->proc, .e = ret };
	struct account a = { .p = p, .e = ret };
	char *why = ret->reason;
	size_t size = sizeof(ret->reason);

	ret->pid = (uint32_t)pid;
	ret->state = EXPLAIN_GONE;
	if (snapshot_process(pid, &ret->proc) || discover_maps(p->discover, pid, on_mapped, &a) ||
	    ret->proc.flags & PROC_EXITED) {
		snprintf(why, size, "no such process");
		return;
	}
	if (pid == p->surveyor.pid) {
		ret->state = EXPLAIN_SENSOR;
		ret->n_files = ret->more_files = 0;
		snprintf(why, size, "a process of the sensor itself: never captured");
		return;
	}
	if (a.tls)
		capture_each_proc(p->o.capture, on_proc_stats, &passed);
	if (a.tls) {
		ret->state = EXPLAIN_CAPTURED;
		snprintf(why, size, "%u file(s) with TLS code, probed by %s", a.tls,
			 capture_method_names[capture_method(p->o.capture)]);
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
