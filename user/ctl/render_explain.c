/* user/ctl/render_explain.c - what the sensor sees of processes, for people. */
#include "ctl/render_explain.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/own.h"

#define TEXT_MAX 512
#define LABEL	 "  %-12s "

static const Earshot__Process no_process = EARSHOT__PROCESS__INIT;

static const char *safe(char out[TEXT_MAX], const char *s)
{
	return escape_str(out, TEXT_MAX, span_str(s));
}

static void row(const struct render *r, const char *label, const char *text)
{
	char out[TEXT_MAX];

	if (*text)
		fprintf(r->out, LABEL "%s\n", label, safe(out, text));
}

static void row_container(const struct render *r, const Earshot__Container *c)
{
	char text[TEXT_MAX];

	if (!c)
		return;
	row(r, "Container", c->id);
	if (!*c->pod_uid)
		return;
	snprintf(text, sizeof(text), "%s/%s %s (%s)", *c->pod_namespace ? c->pod_namespace : "?",
		 *c->pod_name ? c->pod_name : "?", c->name, c->pod_uid);
	row(r, "Pod", text);
}

static void row_seen(const struct render *r, const Earshot__ExplainReply *e)
{
	char bytes[32], age[32], why[TEXT_MAX];

	if (strcmp(e->state, "captured") != 0 && !e->calls)
		return;
	how_much(bytes, e->bytes);
	fprintf(r->out, LABEL "%s in %" PRIu64 " calls, %" PRIu32 " connection(s) open\n", "Seen",
		bytes, e->calls, e->connections);
	if (e->turns) {
		how_long(age, e->last_turn_age_ns);
		fprintf(r->out, LABEL "%" PRIu64 ", the last %s ago\n", "AI calls", e->turns, age);
	} else {
		fprintf(r->out, LABEL "none understood\n", "AI calls");
	}
	if (e->muted_bytes) {
		how_much(bytes, e->muted_bytes);
		fprintf(r->out, LABEL "%s not captured on purpose\n", "Muted", bytes);
	}
	if (e->shed_age_ns) {
		how_much(bytes, e->shed_bytes);
		how_long(age, e->shed_age_ns);
		fprintf(r->out, LABEL "%s beyond its budget, the last %s ago\n", "Shed", bytes,
			age);
	}
	if (*e->last_loss) {
		how_much(bytes, e->lost_bytes);
		how_long(age, e->last_loss_age_ns);
		fprintf(r->out, LABEL "%s in %" PRIu64 " event(s), the last %s ago: %s\n", "Lost",
			bytes, e->lost_events, age, safe(why, e->last_loss));
	} else {
		fprintf(r->out, LABEL "nothing\n", "Lost");
	}
}

static void row_file(const struct render *r, const Earshot__CodeFile *f)
{
	char out[TEXT_MAX], id[41];

	fprintf(r->out, LABEL "%s\n", "Code", safe(out, f->path));
	if (f->build_id.len) {
		hex(id, sizeof(id), f->build_id, 20);
		fprintf(r->out, "  %-12s   build-id %s\n", "", id);
	}
	if (f->n_hints) {
		fprintf(r->out, "  %-12s   holds", "");
		for (size_t i = 0; i < f->n_hints; i++)
			fprintf(r->out, "%s %s", i ? "," : "", safe(out, f->hints[i]));
		fputs("\n", r->out);
	} else {
		fprintf(r->out, "  %-12s   %s\n", "", safe(out, f->why));
	}
	for (size_t i = 0; i < f->n_sites; i++) {
		char call[TEXT_MAX], choice[TEXT_MAX];

		fprintf(r->out, "  %-12s   %-18s %-11s %s\n", "", safe(out, f->sites[i]->symbol),
			safe(call, f->sites[i]->call), safe(choice, f->sites[i]->choice));
	}
}

void render_explain(const struct render *r, const Earshot__ExplainReply *e)
{
	const Earshot__Process *p = e->process ? e->process : &no_process;
	char comm[TEXT_MAX], state[TEXT_MAX], user[TEXT_MAX], sha256[65];

	fprintf(r->out, "%s[%" PRIu32 "]: %s\n", safe(comm, *p->comm ? p->comm : "?"), p->pid,
		safe(state, e->state));
	row(r, "Because", e->reason);
	row(r, "Executable", p->executable);
	hex(sha256, sizeof(sha256), p->executable_sha256, 32);
	row(r, "SHA-256", sha256);
	row(r, "Command", p->command_line);
	if (*p->executable) {
		snprintf(user, sizeof(user), "%s (%" PRIu32 ")%s", p->user, p->uid,
			 p->gpu ? ", holds a GPU" : "");
		row(r, "User", user);
	}
	row(r, "Unit", p->unit);
	row_container(r, e->container);
	row_seen(r, e);
	for (size_t i = 0; i < e->n_files; i++)
		row_file(r, e->files[i]);
	if (e->more_files)
		fprintf(r->out, LABEL "%" PRIu32 " more file(s)\n", "", e->more_files);
	if (e->unexamined)
		fprintf(r->out, LABEL "%" PRIu32 " file(s) that could not be looked into\n",
			"Unexamined", e->unexamined);
}

/* --- all */

enum { COLUMNS = 6 };
typedef char cells[COLUMNS][TEXT_MAX];

static void fill(const Earshot__ExplainReply *e, cells c)
{
	const Earshot__Process *p = e->process ? e->process : &no_process;

	snprintf(c[0], TEXT_MAX, "%" PRIu32, p->pid);
	safe(c[1], p->comm);
	safe(c[2], e->state);
	c[3][0] = c[4][0] = '\0';
	if (e->calls)
		how_much(c[3], e->bytes);
	if (e->turns)
		snprintf(c[4], TEXT_MAX, "%" PRIu64, e->turns);
	safe(c[5], e->n_files ? e->files[0]->path : e->reason);
	for (int i = 0; i < COLUMNS; i++)
		if (!*c[i])
			strcpy(c[i], "-");
}

static void print(const struct render *r, const unsigned width[COLUMNS], cells c)
{
	char *last = c[COLUMNS - 1];
	size_t used = 0;

	for (int i = 0; i < COLUMNS - 1; i++) {
		bool right = i == 0 || i == 3 || i == 4;

		fprintf(r->out, right ? "%*s  " : "%-*s  ", (int)width[i], c[i]);
		used += width[i] + 2;
	}
	if (r->width > used && strlen(last) > r->width - used) {
		size_t cut = r->width - used;

		while (cut && (last[cut] & 0xc0) == 0x80)
			cut--; /* at a whole character */
		last[cut] = '\0';
	}
	fprintf(r->out, "%s\n", last);
}

static bool is_quiet(const Earshot__ExplainReply *e)
{
	return (!strcmp(e->state, "no-tls") || !strcmp(e->state, "sensor") ||
		!strcmp(e->state, "canary")) &&
	       !e->unexamined;
}

void render_explain_all(const struct render *r, Earshot__ExplainReply *const *all, size_t n)
{
	cells c = { "PID", "PROCESS", "STATE", "SEEN", "AI CALLS", "CODE" };
	unsigned width[COLUMNS];
	size_t quiet = 0;

	for (int i = 0; i < COLUMNS; i++)
		width[i] = (unsigned)strlen(c[i]);
	for (size_t k = 0; k < n; k++) {
		cells one;

		if (is_quiet(all[k]))
			continue;
		fill(all[k], one);
		for (int i = 0; i < COLUMNS; i++)
			width[i] = MAX(width[i], (unsigned)strlen(one[i]));
	}
	print(r, width, c);
	for (size_t k = 0; k < n; k++) {
		if (is_quiet(all[k])) {
			quiet++;
			continue;
		}
		fill(all[k], c);
		print(r, width, c);
	}
	fprintf(r->out, "\n%zu process(es) without TLS code, or of the sensor itself\n", quiet);
}
