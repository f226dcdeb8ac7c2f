/* user/proc/process.c - the table of processes that map TLS code. Owns them, and the descriptors of
 * programs that wait to be hashed.
 */
#include "proc/process.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"

/* Where the list points to the process that runs as pid, or ends. */
static struct process **at_pid(struct processes *ps, pid_t pid)
{
	struct process **at = &ps->by_pid[(uint32_t)pid % PROCESSES_PIDS];

	while (*at && (*at)->info.tgid != (uint32_t)pid)
		at = &(*at)->next;
	return at;
}

struct process *process_of(const struct processes *ps, pid_t pid)
{
	return *at_pid((struct processes *)ps, pid);
}

const struct process *process_met(const struct processes *ps, pid_t pid, uint64_t start_ns)
{
	for (size_t i = 0; i < ps->n; i++)
		if (proc_same((uint32_t)pid, start_ns, &ps->all[i]->info))
			return ps->all[i];
	return NULL;
}

const struct process *process_parent(const struct processes *ps, pid_t pid, uint64_t child_start_ns)
{
	const struct process *found = NULL;

	for (size_t i = 0; i < ps->n; i++) {
		const struct process *p = ps->all[i];

		if (p->info.tgid == (uint32_t)pid && p->info.start_ns <= child_start_ns &&
		    (!found || found->info.start_ns < p->info.start_ns))
			found = p;
	}
	return found;
}

void process_gone(struct processes *ps, struct process *p)
{
	struct process **at = at_pid(ps, (pid_t)p->info.tgid);

	if (*at != p)
		return;
	*at = p->next;
	p->gone_ns = mono_ns();
}

/* Room for one more. */
static struct process *slot(struct processes *ps)
{
	struct process *oldest = ps->all[0];

	if (ps->n < PROCESSES_MAX) {
		struct process *n = calloc(1, sizeof(*n));

		if (!n)
			return NULL;
		n->exe_fd = -1;
		return ps->all[ps->n++] = n;
	}
	/* Gone ones first, the longest gone of them; else the first that came. */
	for (size_t i = 1; i < ps->n; i++) {
		uint64_t a = ps->all[i]->gone_ns, b = oldest->gone_ns;

		if (a && (!b || a < b))
			oldest = ps->all[i];
	}
	process_gone(ps, oldest);
	own_close(&oldest->exe_fd);
	return oldest;
}

struct process *process_add(struct processes *ps, const struct process *what)
{
	struct process *p = process_of(ps, (pid_t)what->info.tgid), **list;

	if (p && p->info.start_ns != what->info.start_ns) {
		process_gone(ps, p); /* the number was used again */
		p = NULL;
	}
	if (p) {
		struct process *next = p->next;

		own_close(&p->exe_fd);
		*p = *what;
		p->next = next;
		return p;
	}
	p = slot(ps);
	if (!p)
		return NULL;
	list = &ps->by_pid[what->info.tgid % PROCESSES_PIDS];
	*p = *what;
	p->next = *list;
	return *list = p;
}

struct process *process_fork(struct processes *ps, const struct proc_info *parent, pid_t child,
			     uint64_t start_ns)
{
	struct process p = { .info = *parent, .exe_fd = -1, .seen_ns = start_ns };

	p.info.tgid = (uint32_t)child;
	p.info.ppid = parent->tgid;
	p.info.start_ns = start_ns;
	p.info.flags |= PROC_FORKED;
	return process_add(ps, &p);
}

static void forget(struct process *p)
{
	own_close(&p->exe_fd);
	free(p);
}

void processes_expire(struct processes *ps, uint64_t gone_before_ns)
{
	for (size_t i = 0; i < ps->n;) {
		if (ps->all[i]->gone_ns && ps->all[i]->gone_ns < gone_before_ns) {
			forget(ps->all[i]);
			ps->all[i] = ps->all[--ps->n];
		} else {
			i++;
		}
	}
}

void processes_free(struct processes *ps)
{
	while (ps->n)
		forget(ps->all[--ps->n]);
}
