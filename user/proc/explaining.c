/* user/proc/explaining.c - what is seen of a process, from what it maps and what passed on its
 * connections.
 */
#include "proc/explaining.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "capture/hint.h"
#include "capture/snapshot.h"
#include "proc/choice.h"

#define SHED_RECENT_NS (60 * NS_PER_SEC) /* a process is called over its budget for so long */

struct account { /* of the files that a process maps */
	struct codefiles *files;
	struct explained *e;
	unsigned maps, tls, waiting, failed, foreign;
	uint32_t hints;
};

static void on_mapped(void *ctx, const struct inode_key *key, bool exe)
{
	struct account *a = ctx;
	struct explained *e = a->e;
	const struct codefile *f = codefile_of(a->files, key);

	(void)exe;
	a->maps++;
	if (!f) {
		e->unexamined++;
		return;
	}
	a->waiting += f->state == CODEFILE_WAITING;
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

void explain_process(struct discover *d, struct codefiles *files, const struct processes *procs,
		     struct capture *c, pid_t pid, bool own, struct explained *ret)
{
	struct passed passed = { .proc = &ret->proc, .e = ret };
	struct account a = { .files = files, .e = ret };
	const struct process *known;
	char *why = ret->reason;
	size_t size = sizeof(ret->reason);
	bool chosen;
	int at = 0;

	ret->pid = (uint32_t)pid;
	ret->state = EXPLAIN_GONE;
	if (snapshot_process(pid, &ret->proc) || discover_maps(d, pid, on_mapped, &a) ||
	    ret->proc.flags & PROC_EXITED) {
		snprintf(why, size, "no such process");
		return;
	}
	known = process_of(procs, pid);
	if (known)
		memcpy(ret->proc.exe_sha256, known->info.exe_sha256, sizeof(ret->proc.exe_sha256));
	if (own) {
		ret->state = EXPLAIN_SENSOR;
		ret->n_files = ret->more_files = 0;
		snprintf(why, size, "a process of the sensor itself: never captured");
		return;
	}
	chosen = choice_made(c, pid);
	if (a.tls || capture_plain(c))
		capture_each_proc(c, on_proc_stats, &passed);
	if (a.tls || chosen || ret->calls) {
		ret->state = EXPLAIN_CAPTURED;
		if (a.tls)
			at = snprintf(why, size, "%u file(s) with TLS code, probed by %s; ", a.tls,
				      capture_method_names[capture_method(c)]);
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
