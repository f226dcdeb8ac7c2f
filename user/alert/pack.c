/* user/alert/pack.c - findings and turns -> protobuf.
 * Strings are copied into one arena on the stack: made valid UTF-8, cut to their caps. Nothing is
 * allocated.
 */
#include "alert/pack.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/escape.h"
#include "base/own.h"

#define HOST_MAX	 256
#define PATH_MAX_KEPT	 512
#define AGENT_MAX	 256
#define TOOLS_MAX	 32 /* names in an observation, each list */
#define TOOL_MAX	 64
#define ATTACHMENTS_SENT 8

/* The two sides of the schema count alike. */
static_assert((int)OUTCOME_ERROR == (int)EARSHOT__OUTCOME__OUTCOME_ERROR &&
		  OUTCOME_MAX_ == OUTCOME_ERROR + 1,
	      "outcomes");
static_assert((int)OUTCOME_BLOCKED == (int)EARSHOT__OUTCOME__OUTCOME_BLOCKED, "outcomes");
static_assert((int)SEVERITY_CRITICAL == (int)EARSHOT__SEVERITY__SEVERITY_CRITICAL, "severities");
static_assert((int)MODE_OFF == (int)EARSHOT__MODE__MODE_OFF &&
		  (int)MODE_HUNT == (int)EARSHOT__MODE__MODE_HUNT,
	      "modes");

struct arena {
	char room[16 << 10];
	size_t used;
};

/* Never fails: what does not fit any more is cut. '?' stands for each byte that is no UTF-8, so
 * nothing grows. */
static char *keep(struct arena *a, struct span s, size_t cap)
{
	char *out = a->room + a->used;
	size_t left = sizeof(a->room) - a->used, at = 0, n;
	uint32_t cp;

	if (!s.len || left < 2)
		return (char *)protobuf_c_empty_string;
	cap = MIN(cap, left - 1);
	for (size_t i = 0; i < s.len; i += n ? n : 1) {
		n = utf8_decode(span_sub(s, i, s.len), &cp);
		if (n && !cp)
			n = 0;
		if (at + (n ? n : 1) > cap)
			break;
		if (n)
			memcpy(out + at, s.p + i, n);
		else
			out[at] = '?';
		at += n ? n : 1;
	}
	out[at++] = 0;
	a->used += at;
	return out;
}

static char *keep_str(struct arena *a, const char *s, size_t cap)
{
	return s ? keep(a, span_str(s), cap) : (char *)protobuf_c_empty_string;
}

/* A fixed field that a process of another role filled: perhaps not terminated. */
#define KEEP_FIELD(a, f) keep((a), span_of((f), strnlen((f), sizeof(f))), sizeof(f))

static char *keep_address(struct arena *a, uint16_t family, const uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];

	if ((family != AF_INET && family != AF_INET6) ||
	    !inet_ntop(family, addr, text, sizeof(text)))
		return (char *)protobuf_c_empty_string;
	return keep_str(a, text, sizeof(text));
}

/* "/v1/chat" of "/v1/chat?key=..." and of "https://host/v1/chat": a query may hold secrets. */
static struct span path_of(struct span target)
{
	const uint8_t *scheme, *slash;
	size_t end = 0;

	while (end < target.len && target.p[end] != '?' && target.p[end] != '#')
		end++;
	target.len = end;
	if (!target.len || target.p[0] == '/')
		return target;
	scheme = memmem(target.p, target.len, "://", 3);
	slash =
	    scheme ? memchr(scheme + 3, '/', target.len - (size_t)(scheme + 3 - target.p)) : NULL;
	return slash ? span_sub(target, (size_t)(slash - target.p), target.len)
		     : (struct span){ 0 };
}

struct context {
	Earshot__Context c;
	Earshot__Process process;
	Earshot__Container container;
	Earshot__Socket socket;
	Earshot__Api api;
	Earshot__Model model;
	Earshot__Caller caller;
	Earshot__Completeness completeness;
	Earshot__Timing timing;
	struct hash128 credential;
	struct proc_info proc;
};

void pack_clean(char *s, size_t size)
{
	size_t len = strnlen(s, size - 1), n;
	uint32_t cp;

	s[len] = 0;
	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = utf8_decode(span_of(s + i, len - i), &cp);
		if (!n)
			s[i] = '?';
	}
}

void pack_clean_proc(struct proc_info *p)
{
#define CLEAN(f) pack_clean(p->f, sizeof(p->f))
	CLEAN(comm);
	CLEAN(user);
	CLEAN(exe);
	CLEAN(cmdline);
	CLEAN(cgroup);
	CLEAN(container);
	CLEAN(unit);
	CLEAN(pod_uid);
	CLEAN(pod_name);
	CLEAN(pod_namespace);
	CLEAN(container_name);
#undef CLEAN
}

bool pack_proc(struct proc_info *p, Earshot__Process *process, Earshot__Container *container)
{
	static const uint8_t unknown[sizeof(p->exe_sha256)];

	earshot__process__init(process);
	process->pid = p->tgid;
	process->ppid = p->ppid;
	process->start_ns = p->start_ns;
	process->uid = p->uid;
	process->gpu = p->flags & PROC_GPU;
	process->comm = p->comm;
	process->executable = p->exe;
	if (memcmp(p->exe_sha256, unknown, sizeof(unknown)))
		process->executable_sha256 =
		    (ProtobufCBinaryData){ sizeof(p->exe_sha256), p->exe_sha256 };
	process->command_line = p->cmdline;
	process->user = p->user;
	process->cgroup = p->cgroup;
	process->unit = p->unit;
	earshot__container__init(container);
	container->id = p->container;
	container->name = p->container_name;
	container->pod_name = p->pod_name;
	container->pod_namespace = p->pod_namespace;
	container->pod_uid = p->pod_uid;
	return p->container[0] || p->pod_uid[0];
}

static void fill_process(struct context *x, struct arena *a, const struct proc_info *p,
			 const struct conn_info *conn)
{
	x->c.process = &x->process;
	if (!p) {
		earshot__process__init(&x->process);
		x->process.pid = conn->tgid;
		x->process.ppid = conn->ppid;
		x->process.start_ns = conn->start_ns;
		x->process.uid = conn->uid;
		x->process.comm = KEEP_FIELD(a, conn->comm);
		return;
	}
	x->proc = *p;
	/* It runs another program since, and nobody had time to see which. */
	if (p->flags & PROC_FORKED && strncmp(p->comm, conn->comm, sizeof(p->comm))) {
		memcpy(x->proc.comm, conn->comm, sizeof(x->proc.comm));
		memset(x->proc.exe_sha256, 0, sizeof(x->proc.exe_sha256));
		x->proc.exe[0] = x->proc.cmdline[0] = '\0';
	}
	pack_clean_proc(&x->proc);
	if (pack_proc(&x->proc, &x->process, &x->container))
		x->c.container = &x->container;
}

static void fill_socket(struct context *x, struct arena *a, const struct ev_sock *s)
{
	if (!s->family)
		return;
	earshot__socket__init(&x->socket);
	x->c.socket = &x->socket;
	x->socket.local_address = keep_address(a, s->family, s->local);
	x->socket.local_port = s->local_port;
	x->socket.remote_address = keep_address(a, s->family, s->remote);
	x->socket.remote_port = s->remote_port;
}

static void fill(struct context *x, struct arena *a, const struct pack_source *s)
{
	const struct turn *t = s->turn;
	const struct exchange *e = t->exchange;
	struct timing timing = turn_timing(t);

	memset(x, 0, sizeof(*x));
	earshot__context__init(&x->c);
	fill_process(x, a, s->proc, e->conn);
	fill_socket(x, a, &e->conn->sock);
	x->socket.plain = e->conn->plain; /* whose socket is known */

	earshot__api__init(&x->api);
	x->c.api = &x->api;
	x->api.dialect = keep_str(a, t->dialect, TURN_ID_MAX);
	x->api.provider = KEEP_FIELD(a, t->provider);
	x->api.operation = keep_str(a, operation_name(t->operation), TURN_ID_MAX);
	x->api.host = keep(a, e->host, HOST_MAX);
	x->api.path = keep(a, path_of(e->target), PATH_MAX_KEPT);
	x->api.status = e->status;
	x->api.client = e->client;
	x->api.stream = t->stream;
	x->api.object = KEEP_FIELD(a, t->object);

	earshot__model__init(&x->model);
	x->c.model = &x->model;
	x->model.requested = KEEP_FIELD(a, t->request_model);
	x->model.responded = KEEP_FIELD(a, t->response_model);

	earshot__caller__init(&x->caller);
	x->c.caller = &x->caller;
	if (t->credential.len) {
		x->credential = mac_of(s->mac, "caller", t->credential);
		x->caller.credential_fingerprint =
		    (ProtobufCBinaryData){ sizeof(x->credential.b), x->credential.b };
	}
	x->caller.end_user = KEEP_FIELD(a, t->end_user);
	x->caller.source_ip = KEEP_FIELD(a, t->source_ip);
	x->caller.application = KEEP_FIELD(a, t->application);
	x->caller.tenant = KEEP_FIELD(a, t->tenant);
	x->caller.user_agent = keep(a, t->user_agent, AGENT_MAX);
	x->caller.forwarded_for = keep(a, t->forwarded_for, AGENT_MAX);

	earshot__completeness__init(&x->completeness);
	x->c.completeness = &x->completeness;
	for (int i = 0; i < SIDE_MAX_; i++) {
		x->completeness.bytes_captured += e->body[i].seen;
		x->completeness.bytes_passed += e->body[i].seen + e->body[i].lost;
		/* Clients close a stream after its last event, with the transport's own end unread.
		 */
		x->completeness.end_unseen |=
		    e->body[i].open_ended && !(i == SIDE_RESPONSE && t->ended);
	}
	x->completeness.content_inspected = t->inspected;
	x->completeness.content_captured = t->inspected + t->uninspected;

	earshot__timing__init(&x->timing);
	x->c.timing = &x->timing;
	x->timing.first_byte_ns = timing.first_byte_ns;
	x->timing.first_token_ns = timing.first_token_ns;
	x->timing.duration_ns = timing.duration_ns;
	x->timing.tokens_per_second = timing.tokens_per_second;

	x->c.connection = e->conn->id;
	x->c.exchange = e->number;
	x->c.begin_mono_ns = e->begin_ns;
	x->c.response_id = KEEP_FIELD(a, t->response_id);
	x->c.previous_response_id = KEEP_FIELD(a, t->previous_id);
	x->c.provider_conversation = KEEP_FIELD(a, t->conversation);
}

static Earshot__FindingId id_of(const struct pack_source *s, uint64_t number)
{
	Earshot__FindingId id = EARSHOT__FINDING_ID__INIT;

	id.boot = (ProtobufCBinaryData){ 16, (uint8_t *)s->boot };
	id.epoch = s->epoch;
	id.number = number;
	return id;
}

static size_t prefixes_of(const struct pack_prefixes *p, ProtobufCBinaryData out[PACK_PREFIXES_MAX])
{
	size_t n = p ? MIN(p->n, (size_t)PACK_PREFIXES_MAX) : 0;

	for (size_t i = 0; i < n; i++)
		out[i] = (ProtobufCBinaryData){ sizeof(p->h[i].b), (uint8_t *)p->h[i].b };
	return n;
}

static ProtobufCBinaryData anchor_of(const struct pack_prefixes *p)
{
	if (!p || !p->anchored)
		return (ProtobufCBinaryData){ 0 };
	return (ProtobufCBinaryData){ sizeof(p->anchor.b), (uint8_t *)p->anchor.b };
}

static ssize_t emit(const Earshot__ToKeeper *m, uint8_t *out, size_t max)
{
	size_t len = earshot__to_keeper__get_packed_size(m);

	if (len > max)
		return -E2BIG;
	return (ssize_t)earshot__to_keeper__pack(m, out);
}

/* Did the model speak after this text, within the request? Then an earlier turn had it already. */
static bool in_history(const struct turn *t, const struct finding *f)
{
	if (f->side != SIDE_REQUEST)
		return false;
	for (size_t i = f->segment + (size_t)1; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		if (s->side == SIDE_REQUEST &&
		    (s->role == SEG_ASSISTANT || s->role == SEG_TOOL_CALL ||
		     s->role == SEG_REASONING))
			return true;
	}
	return false;
}

ssize_t pack_finding(const struct pack_source *s, uint64_t number, const struct finding *f,
		     const struct pack_prefixes *before, uint8_t *out, size_t max)
{
	Earshot__ToKeeper m = EARSHOT__TO_KEEPER__INIT;
	Earshot__Finding p = EARSHOT__FINDING__INIT;
	Earshot__Evidence e = EARSHOT__EVIDENCE__INIT;
	Earshot__Location l = EARSHOT__LOCATION__INIT;
	Earshot__FindingId id = id_of(s, number);
	ProtobufCBinaryData prefixes[PACK_PREFIXES_MAX];
	Earshot__Rule rule = EARSHOT__RULE__INIT;
	struct arena a = { .used = 0 };
	struct context x;

	fill(&x, &a, s);
	l.role = (char *)segment_role_name(f->role);
	l.origin = (char *)origin_name(f->origin);
	l.side = f->side == SIDE_REQUEST ? "request" : "response";
	l.segment = f->segment;
	l.begin = f->begin;
	l.end = f->end;
	l.view = KEEP_FIELD(&a, f->view);
	if (f->segment < s->turn->n_segments)
		l.tool = KEEP_FIELD(&a, s->turn->segments[f->segment].name);

	e.detector = keep_str(&a, f->detector, TURN_ID_MAX);
	e.type = KEEP_FIELD(&a, f->type);
	e.score = f->score;
	e.raise = f->raise;
	e.why = KEEP_FIELD(&a, f->why);
	if (s->evidence == EVIDENCE_REDACTED)
		e.redacted = KEEP_FIELD(&a, f->evidence);
	e.fingerprint =
	    (ProtobufCBinaryData){ sizeof(f->fingerprint.b), (uint8_t *)f->fingerprint.b };
	e.location = &l;
	e.truncated = f->truncated;

	p.id = &id;
	p.kind = (char *)finding_kind(f);
	if (f->kind == KIND_CUSTOM) {
		rule.title = (char *)finding_title(f);
		rule.severity = (Earshot__Severity)finding_severity(f, OUTCOME_UNKNOWN);
		rule.atlas = (char *)finding_atlas(f);
		rule.owasp = (char *)finding_owasp(f);
		p.rule = &rule;
	}
	p.mode = (Earshot__Mode)f->mode;
	p.evidence = &e;
	p.context = &x.c;
	p.outcome = (Earshot__Outcome)s->turn->outcome;
	p.n_prefixes = prefixes_of(before, prefixes);
	p.prefixes = prefixes;
	p.anchor = anchor_of(before);
	p.history = in_history(s->turn, f);
	m.body_case = EARSHOT__TO_KEEPER__BODY_FINDING;
	m.finding = &p;
	return emit(&m, out, max);
}

struct names {
	char *v[TOOLS_MAX];
	size_t n;
};

static void add_name(struct names *l, struct arena *a, const struct segment *s)
{
	struct span name = span_of(s->name, strnlen(s->name, sizeof(s->name)));
	size_t mark = a->used;
	char *kept;

	if (!name.len || l->n == TOOLS_MAX)
		return;
	kept = keep(a, name, TOOL_MAX);
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], kept)) {
			a->used = mark;
			return;
		}
	l->v[l->n++] = kept;
}

static size_t filters_of(uint32_t bits, char *out[FILTER_MAX_])
{
	size_t n = 0;

	for (enum filter f = 0; f < FILTER_MAX_; f++)
		if (bits & 1u << f)
			out[n++] = (char *)filter_name(f);
	return n;
}

struct attachments {
	Earshot__Attachment v[ATTACHMENTS_SENT];
	Earshot__Attachment *p[ATTACHMENTS_SENT];
	size_t n;
};

static void attachments_of(struct attachments *l, struct arena *a, const struct turn *t)
{
	for (l->n = 0; l->n < MIN(turn_attachments(t), (size_t)ATTACHMENTS_SENT); l->n++) {
		const struct attached *from = &t->attachments[l->n];
		Earshot__Attachment *to = l->p[l->n] = &l->v[l->n];

		earshot__attachment__init(to);
		to->kind = (char *)skipped_name(from->what);
		to->side = from->side == SIDE_REQUEST ? "request" : "response";
		to->size = from->size;
		if (from->size)
			to->hash =
			    (ProtobufCBinaryData){ sizeof(from->hash), (uint8_t *)from->hash };
		to->media_type = KEEP_FIELD(a, from->media_type);
		to->name = KEEP_FIELD(a, from->name);
		to->url = KEEP_FIELD(a, from->url);
	}
}

/* Some servers tell sums, some what each answer took. */
static uint64_t rest(uint64_t sum, uint64_t told)
{
	return sum >= told ? sum - told : sum;
}

ssize_t pack_observation(const struct pack_source *s, uint64_t number,
			 const struct pack_prefixes *before, const struct pack_prefixes *after,
			 uint8_t *out, size_t max)
{
	Earshot__ToKeeper m = EARSHOT__TO_KEEPER__INIT;
	Earshot__Observation o = EARSHOT__OBSERVATION__INIT;
	Earshot__Observation__SkippedEntry skipped[SKIP_MAX_], *skipped_p[SKIP_MAX_];
	Earshot__FindingId id = id_of(s, number);
	ProtobufCBinaryData prefixes[PACK_PREFIXES_MAX], prefixes_after[PACK_PREFIXES_MAX];
	struct names offered = { .n = 0 }, called = { .n = 0 };
	char *detected[FILTER_MAX_], *blocked[FILTER_MAX_];
	struct attachments attached;
	struct arena a = { .used = 0 };
	struct context c;

	fill(&c, &a, s);
	for (size_t i = 0; i < s->turn->n_segments; i++) {
		const struct segment *g = &s->turn->segments[i];

		if (g->role == SEG_TOOL_DEFINITION)
			add_name(&offered, &a, g);
		else if (g->role == SEG_TOOL_CALL && g->side == SIDE_RESPONSE &&
			 turn_in_hand(s->turn, i))
			add_name(&called, &a, g);
	}
	o.id = &id;
	o.context = &c.c;
	o.outcome = (Earshot__Outcome)s->turn->outcome;
	o.n_prefixes = prefixes_of(before, prefixes);
	o.prefixes = prefixes;
	o.n_prefixes_after = prefixes_of(after, prefixes_after);
	o.prefixes_after = prefixes_after;
	o.anchor = anchor_of(before);
	o.anchor_after = anchor_of(after);
	o.n_tools_offered = offered.n;
	o.tools_offered = offered.v;
	o.n_tools_called = called.n;
	o.tools_called = called.v;
	o.finish_reason = KEEP_FIELD(&a, s->turn->finish_reason);
	o.input_tokens = rest(s->turn->input_tokens, s->turn->told.input_tokens);
	o.output_tokens = rest(s->turn->output_tokens, s->turn->told.output_tokens);
	o.cached_tokens = rest(s->turn->cached_tokens, s->turn->told.cached_tokens);
	o.cache_write_tokens = rest(s->turn->cache_write_tokens, s->turn->told.cache_write_tokens);
	o.reasoning_tokens = rest(s->turn->reasoning_tokens, s->turn->told.reasoning_tokens);
	o.n_filters_detected = filters_of(s->turn->filter_detected, detected);
	o.filters_detected = detected;
	o.n_filters_blocked = filters_of(s->turn->filter_blocked, blocked);
	o.filters_blocked = blocked;
	attachments_of(&attached, &a, s->turn);
	o.n_attachments = attached.n;
	o.attachments = attached.p;
	o.attachments_seen = (uint32_t)MIN(s->turn->n_attachments, (size_t)UINT32_MAX);
	o.duration_ns = c.timing.duration_ns;
	o.first_byte_ns = c.timing.first_byte_ns;
	o.segments = (uint32_t)(s->turn->n_segments - s->turn->first);
	o.findings = s->turn->n_findings - s->turn->told.n_findings;
	for (int i = 0; i < SKIP_MAX_; i++) {
		if (!s->turn->skipped[i])
			continue;
		earshot__observation__skipped_entry__init(&skipped[i]);
		skipped[i].key = (char *)skipped_name(i);
		skipped[i].value = s->turn->skipped[i];
		skipped_p[o.n_skipped++] = &skipped[i];
	}
	o.skipped = skipped_p;
	m.body_case = EARSHOT__TO_KEEPER__BODY_OBSERVATION;
	m.observation = &o;
	return emit(&m, out, max);
}

ssize_t pack_dropped(uint64_t n, uint8_t *out, size_t max)
{
	Earshot__ToKeeper m = EARSHOT__TO_KEEPER__INIT;

	m.body_case = EARSHOT__TO_KEEPER__BODY_DROPPED_FINDINGS;
	m.dropped_findings = n;
	return emit(&m, out, max);
}

static bool valid_utf8(const char *s)
{
	struct span left = span_str(s);
	uint32_t cp;

	while (left.len) {
		size_t n = utf8_decode(left, &cp);

		if (!n)
			return false;
		left = span_sub(left, n, left.len);
	}
	return true;
}

/* Every string of a message and of those in it. Depth is bounded by the schema, which has no
 * recursion. */
static bool strings_ok(const ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = (const char *)m + f->offset, *const *list = at;
		size_t n = 1;

		if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    *(const uint32_t *)((const char *)m + f->quantifier_offset) != f->id)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(const size_t *)((const char *)m + f->quantifier_offset);
			list = *(const void *const *const *)at;
		}
		for (size_t j = 0; j < n; j++) {
			if (!list[j])
				continue;
			if (f->type == PROTOBUF_C_TYPE_STRING ? !valid_utf8(list[j])
							      : !strings_ok(list[j]))
				return false;
		}
	}
	return true;
}

/* anchor: one more, which may be missing. */
static bool hashes_ok(size_t n, const ProtobufCBinaryData *h, const ProtobufCBinaryData *anchor)
{
	if (n > PACK_PREFIXES_MAX || (anchor->len && anchor->len != sizeof(struct hash128)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (h[i].len != sizeof(struct hash128))
			return false;
	return true;
}

static bool id_ok(const Earshot__FindingId *id)
{
	return id && id->boot.len == 16 && id->number && id->number <= INT64_MAX &&
	       id->epoch <= INT64_MAX;
}

static bool context_ok(const Earshot__Context *c)
{
	return c && c->exchange <= INT64_MAX &&
	       earshot__context__get_packed_size(c) <= PACK_CONTEXT_MAX &&
	       (!c->process || earshot__process__get_packed_size(c->process) <= PACK_PROCESS_MAX) &&
	       (!c->timing ||
		(isfinite(c->timing->tokens_per_second) && c->timing->tokens_per_second >= 0)) &&
	       (!c->caller || c->caller->credential_fingerprint.len <= sizeof(struct hash128));
}

/* A rule comes with its own kind, and no other. */
static bool kind_ok(const Earshot__Finding *f)
{
	enum kind k = kind_find(f->kind);

	if (k != KIND_CUSTOM)
		return k != KIND_MAX_ && !f->rule;
	return f->rule && strlen(f->kind) < PACK_KIND_MAX && *f->rule->title &&
	       (unsigned)f->rule->severity < SEVERITY_MAX_ &&
	       earshot__rule__get_packed_size(f->rule) <= PACK_RULE_MAX;
}

static bool finding_ok(const Earshot__Finding *f)
{
	const Earshot__Evidence *e = f->evidence;

	return id_ok(f->id) && context_ok(f->context) &&
	       hashes_ok(f->n_prefixes, f->prefixes, &f->anchor) && kind_ok(f) &&
	       (unsigned)f->mode < MODE_MAX_ && (unsigned)f->outcome < OUTCOME_MAX_ && e &&
	       isfinite(e->score) && e->score >= 0 && e->score <= 1 &&
	       e->fingerprint.len == sizeof(struct hash128) &&
	       earshot__evidence__get_packed_size(e) <= PACK_EVIDENCE_MAX;
}

static bool attachments_ok(const Earshot__Observation *o)
{
	if (o->n_attachments > ATTACHMENTS_SENT)
		return false;
	for (size_t i = 0; i < o->n_attachments; i++)
		if (o->attachments[i]->hash.len > sizeof(struct hash128))
			return false;
	return true;
}

static bool observation_ok(const Earshot__Observation *o)
{
	return id_ok(o->id) && context_ok(o->context) && (unsigned)o->outcome < OUTCOME_MAX_ &&
	       hashes_ok(o->n_prefixes, o->prefixes, &o->anchor) &&
	       hashes_ok(o->n_prefixes_after, o->prefixes_after, &o->anchor_after) &&
	       o->n_tools_offered <= TOOLS_MAX && o->n_tools_called <= TOOLS_MAX &&
	       o->n_skipped <= SKIP_MAX_ && o->n_filters_detected <= FILTER_MAX_ &&
	       o->n_filters_blocked <= FILTER_MAX_ && attachments_ok(o);
}

int pack_check(const Earshot__ToKeeper *m)
{
	bool ok = false;

	switch (m->body_case) {
	case EARSHOT__TO_KEEPER__BODY_FINDING:
		ok = finding_ok(m->finding);
		break;
	case EARSHOT__TO_KEEPER__BODY_OBSERVATION:
		ok = observation_ok(m->observation);
		break;
	case EARSHOT__TO_KEEPER__BODY_DROPPED_FINDINGS:
		ok = true;
		break;
	default:
		break;
	}
	return ok && strings_ok(&m->base) ? 0 : -EBADMSG;
}
