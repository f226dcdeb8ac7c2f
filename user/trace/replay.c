/* user/trace/replay.c - reads a trace, prints its turns and their findings.
 * Owns the mapped file and, for each run, the flow, reader and detectors that an inspector has.
 */
#include "trace/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/own.h"
#include "detect/detect.h"
#include "detect/finding_json.h"
#include "dialect/dialect.h"
#include "dialect/turn_json.h"
#include "scan/patterns.h"
#include "trace/trace.h"

#define FINDINGS_MAX 4096 /* of open turns that are printed; the rest is counted */

struct totals {
	uint64_t events, bytes, gap_bytes, exchanges, turns, unknown, segments, findings, ns,
	    cpu_ns;
};

struct found {
	const struct turn *turn;
	struct finding f;
};

struct replay {
	const struct replay_opts *o;
	FILE *out;
	struct flow *flow;
	struct reader *reader;
	struct patterns *patterns;
	struct detect *detect;
	struct totals totals;
	const struct turn *now; /* being judged */
	struct found *found;	/* of turns that did not end yet */
	size_t n_found;
};

static void on_finding(void *ctx, const struct finding *f)
{
	struct replay *r = ctx;

	r->totals.findings++;
	if (r->n_found < FINDINGS_MAX)
		r->found[r->n_found++] = (struct found){ r->now, *f };
}

static void judge(struct replay *r, struct turn *t, enum detect_phase phase)
{
	r->now = t;
	if (r->detect)
		detect_turn(r->detect, t, phase, on_finding, r);
}

static void put_findings(const struct replay *r, const struct turn *t, struct json_out *o)
{
	json_out_key(o, "findings");
	json_out_array(o);
	for (size_t i = 0; i < r->n_found; i++) {
		const struct finding *f = &r->found[i].f;

		if (r->found[i].turn != t)
			continue;
		json_out_object(o);
		finding_json(o, f);
		json_out_key(o, "segment");
		json_out_u64(o, f->segment);
		json_out_key(o, "span");
		json_out_array(o);
		json_out_u64(o, f->begin);
		json_out_u64(o, f->end);
		json_out_end(o);
		json_out_end(o);
	}
	json_out_end(o);
}

/* Whatever a peer sent, on one line and safe on a terminal. */
static void print(FILE *out, const char *before, struct span s)
{
	char safe[512];

	if (s.len)
		fprintf(out, "%s%s", before, escape_str(safe, sizeof(safe), s));
}

static void print_turn(struct replay *r, const struct turn *t)
{
	FILE *out = r->out;

	fprintf(out, "%s %s", t->dialect, operation_name(t->operation));
	print(out, " ", t->exchange->host);
	print(out, "", exchange_path(t->exchange));
	print(out, " ", span_str(*t->response_model ? t->response_model : t->request_model));
	fprintf(out, ": %zu segments, %" PRIu64 " bytes, %s\n", t->n_segments, t->inspected,
		outcome_name(t->outcome));
	for (size_t i = 0; r->o->text && i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		fprintf(out, "  %s", segment_role_name(s->role));
		print(out, " ", span_str(s->name));
		print(out, ": ", buf_span(&s->text));
		fputc('\n', out);
	}
	for (size_t i = 0; i < r->n_found; i++) {
		const struct finding *f = &r->found[i].f;

		if (r->found[i].turn != t)
			continue;
		fprintf(out, "  %s %s %.2f", mode_name(f->mode), kinds[f->kind].name,
			(double)f->score);
		print(out, " ", span_str(f->type));
		print(out, ": ", span_str(f->why));
		fputc('\n', out);
	}
}

static void on_request(void *ctx, struct turn *t)
{
	judge(ctx, t, DETECT_REQUEST);
}

/* What is new on either side. */
static void on_progress(void *ctx, struct turn *t)
{
	judge(ctx, t, DETECT_REQUEST);
	judge(ctx, t, DETECT_RESPONSE);
}

static void forget(struct replay *r, const struct turn *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_found; i++)
		if (r->found[i].turn != t)
			r->found[kept++] = r->found[i];
	r->n_found = kept;
}

static void on_end(void *ctx, struct turn *t)
{
	struct replay *r = ctx;

	on_progress(r, t);
	r->totals.segments += t->n_segments;
	if (r->o->stats) {
		/* Nothing but figures. */
	} else if (r->o->json) {
		struct json_out o = JSON_OUT(r->out, JSON_OUT_COMPACT);

		json_out_object(&o);
		turn_json(&o, t, r->o->text);
		put_findings(r, t, &o);
		json_out_end(&o);
		json_out_done(&o);
	} else {
		print_turn(r, t);
	}
	forget(r, t);
}

static void on_event(struct replay *r, const struct trace_event *e)
{
	static const uint64_t zero[EV_DIR_MAX_];

	switch (e->kind) {
	case TRACE_DATA:
		flow_data(r->flow, &e->conn, e->rec->dir, e->rec->pos, e->body, e->ts_ns);
		break;
	case TRACE_OPEN:
		flow_open(r->flow, &e->conn, zero, e->ts_ns);
		break;
	case TRACE_SOCK:
		flow_sock(r->flow, e->conn.id, &e->conn.sock);
		break;
	case TRACE_CLOSE:
		flow_close(r->flow, e->conn.id, e->final, e->ts_ns);
		break;
	case TRACE_EXIT:
		flow_exit(r->flow, e->rec->tgid, e->start_ns, e->ts_ns);
		break;
	default: /* who processes are changes no turn */
		break;
	}
}

static int play(struct replay *r, struct span file, char *why, size_t why_size)
{
	auto_free(trace) struct trace *t = NULL;
	struct trace_event e;
	uint64_t begin = mono_ns(), begin_cpu = cpu_ns();
	int err = trace_new(&t, file, why, why_size), n = 0;

	if (err)
		return err;
	while ((n = trace_next(t, &e, why, why_size)) == 1) {
		r->totals.events++;
		on_event(r, &e);
	}
	/* What is open ends here, as with an inspector that is told to stop. */
	r->totals.bytes += flow_stats(r->flow)->bytes;
	r->totals.gap_bytes += flow_stats(r->flow)->gap_bytes;
	r->totals.exchanges += flow_stats(r->flow)->exchanges;
	flow_free(&r->flow);
	r->totals.turns += reader_stats(r->reader)->turns;
	r->totals.unknown += reader_stats(r->reader)->unknown_exchanges;
	r->totals.ns += mono_ns() - begin;
	r->totals.cpu_ns += cpu_ns() - begin_cpu;
	return n;
}

static void print_totals(const struct replay *r)
{
	const struct totals *t = &r->totals;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "events", t->events },       { "bytes", t->bytes },
		{ "gap_bytes", t->gap_bytes }, { "exchanges", t->exchanges },
		{ "turns", t->turns },	       { "not_understood", t->unknown },
		{ "segments", t->segments },   { "findings", t->findings },
	};
	double seconds = (double)t->ns / (double)NS_PER_SEC;
	double cpu_seconds = (double)t->cpu_ns / (double)NS_PER_SEC;
	/* Of one core: the pipeline is one thread. */
	double rate = t->cpu_ns ? (double)t->bytes / 1e6 / cpu_seconds : 0;

	if (r->o->json) {
		struct json_out o = JSON_OUT(r->out, JSON_OUT_COMPACT);

		json_out_object(&o);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			json_out_key(&o, rows[i].name);
			json_out_u64(&o, rows[i].value);
		}
		json_out_key(&o, "seconds");
		json_out_f64(&o, seconds);
		json_out_key(&o, "cpu_seconds");
		json_out_f64(&o, cpu_seconds);
		json_out_key(&o, "mb_per_second");
		json_out_f64(&o, rate);
		json_out_end(&o);
		json_out_done(&o);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		fprintf(r->out, "%-16s %" PRIu64 "\n", rows[i].name, rows[i].value);
	fprintf(r->out, "%-16s %.3f\n%-16s %.3f\n%-16s %.1f\n", "seconds", seconds, "cpu_seconds",
		cpu_seconds, "mb_per_second", rate);
}

static int pipeline_new(struct replay *r)
{
	static const struct reader_ops ops = { on_request, on_progress, on_end };
	int err = reader_new(&r->reader, &ops, r);

	return err ? err : flow_new(&r->flow, &flow_defaults, &reader_flow_ops, r->reader);
}

int replay_run(const struct replay_opts *o, FILE *out, char *why, size_t why_size)
{
	struct replay r = { .o = o, .out = out };
	auto_close int fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	struct detect_opts opts;
	void *map;
	int err = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		snprintf(why, why_size, "%s", strerror(errno));
		return -errno;
	}
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		snprintf(why, why_size, "not a trace");
		return -EBADMSG;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	r.found = calloc(FINDINGS_MAX, sizeof(*r.found));
	if (map == MAP_FAILED || !r.found)
		err = -ENOMEM;
	if (!err && !o->no_detect)
		err = patterns_open(&r.patterns, NULL, why, why_size);
	if (!err && r.patterns) {
		detect_default_opts(&opts);
		err = detect_new(&r.detect, &opts, patterns_image(r.patterns));
	}
	for (unsigned i = 0; !err && i < o->times; i++) {
		err = pipeline_new(&r);
		if (!err)
			err = play(&r, span_of(map, (size_t)st.st_size), why, why_size);
		flow_free(&r.flow);
		reader_free(&r.reader);
	}
	if (err == -ENOMEM)
		snprintf(why, why_size, "out of memory");
	if (o->stats && (!err || err == -EBADMSG))
		print_totals(&r);
	detect_free(&r.detect);
	patterns_free(&r.patterns);
	free(r.found);
	if (map != MAP_FAILED)
		munmap(map, (size_t)st.st_size);
	return err;
}
