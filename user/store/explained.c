/* user/store/explained.c - what is known of a process, as protobuf. */
#include "store/explained.h"

#include "alert/pack.h"
#include "base/own.h"
#include "capture/hint.h"
#include "proc/page.h"

static_assert(HINT_MAX_ <= ARRAY_SIZE(((struct explain_reply *)0)->hints[0]), "hints");

static const char *state_name(uint32_t state)
{
	return state < EXPLAIN_STATE_MAX_ ? explain_states[state] : "";
}

static void fill_file(struct explain_reply *r, size_t i, struct explained_file *f)
{
	Earshot__CodeFile *to = &r->files[i];

	earshot__code_file__init(to);
	pack_clean(f->path, sizeof(f->path));
	pack_clean(f->why, sizeof(f->why));
	to->path = f->path;
	to->why = f->why;
	to->state = (char *)state_name(f->state);
	to->build_id = (ProtobufCBinaryData){ MIN(f->build_id_len, (uint32_t)sizeof(f->build_id)),
					      f->build_id };
	to->hints = r->hints[i];
	for (int h = 0; h < HINT_MAX_; h++)
		if (f->hints & 1u << h)
			to->hints[to->n_hints++] = (char *)hint_rows[h].name;
	to->sites = r->site_list[i];
	for (; to->n_sites < MIN(f->n_sites, (uint32_t)SURVEY_SITES_MAX); to->n_sites++) {
		struct survey_site *s = &f->sites[to->n_sites];
		Earshot__ProbeSite *site = &r->sites[i][to->n_sites];

		earshot__probe_site__init(site);
		pack_clean(s->symbol, sizeof(s->symbol));
		site->symbol = s->symbol;
		if (s->site < EV_SITE_MAX_ && site_names[s->site])
			site->call = (char *)site_names[s->site];
		if (s->choice < SITE_CHOICE_MAX_)
			site->choice = (char *)site_choice_names[s->choice];
		to->sites[to->n_sites] = site;
	}
}

void explain_reply(struct explain_reply *ret, struct explained *e, const struct tally_row *turns,
		   uint64_t now_ns)
{
	Earshot__ExplainReply *r = &ret->reply;

	earshot__explain_reply__init(r);
	pack_clean(e->reason, sizeof(e->reason));
	pack_clean_proc(&e->proc);
	if (pack_proc(&e->proc, &ret->process, &ret->container))
		r->container = &ret->container;
	ret->process.pid = e->pid;
	r->process = &ret->process;
	r->state = (char *)state_name(e->state);
	r->reason = e->reason;
	r->files = ret->file_list;
	for (; r->n_files < MIN(e->n_files, (uint32_t)EXPLAIN_FILES_MAX); r->n_files++) {
		fill_file(ret, r->n_files, &e->files[r->n_files]);
		r->files[r->n_files] = &ret->files[r->n_files];
	}
	r->more_files = e->more_files;
	r->unexamined = e->unexamined;
	r->connections = e->conns;
	r->calls = e->calls;
	r->bytes = e->bytes;
	r->lost_events = e->lost_events;
	r->lost_bytes = e->lost_bytes;
	r->muted_bytes = e->muted_bytes;
	if (e->lost_ns && e->lost_why < EV_LOSS_MAX_) {
		r->last_loss = (char *)counters[loss_counters[e->lost_why]].name;
		r->last_loss_age_ns = now_ns > e->lost_ns ? now_ns - e->lost_ns : 0;
	}
	r->shed_bytes = e->shed_bytes;
	if (e->shed_ns)
		r->shed_age_ns = now_ns > e->shed_ns ? now_ns - e->shed_ns : 0;
	if (turns) {
		r->turns = turns->turns;
		r->last_turn_age_ns = now_ns > turns->last_ns ? now_ns - turns->last_ns : 0;
	}
}
