/* tests/wire.c - plays bytes of connections into flow and reader and logs what comes out. */
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/escape.h"
#include "base/own.h"

#define OPEN_MAX_ 4096 /* exchanges open at once */
#define CONNS_MAX 64
#define ROOM	  (OPEN_MAX_ * sizeof(struct seen))

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct seen {
	uint64_t number; /* 0: free */
	bool wanted, response, done[SIDE_MAX_];
	struct coverage sum[SIDE_MAX_];
	unsigned requests; /* of the reader */
};

struct wire {
	struct evlog *log;
	enum wire_log what;
	struct flow *flow;
	struct reader *reader;
	bool progress; /* is logged */
	uint64_t now_ns;
	struct seen *open; /* OPEN_MAX_, of which only what is used costs anything */
	size_t n_open;
	uint64_t pos[CONNS_MAX][EV_DIR_MAX_];
};

/* A wire's room, kept from one to the next: mapping costs as much as a short exchange. Mapped, not
 * from malloc(): it must not count as an allocation of what is tested. */
static struct seen *spare;

static struct seen *room_take(void)
{
	struct seen *p = spare;

	spare = NULL;
	if (!p)
		p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

static void room_give(struct seen *p)
{
	if (spare)
		munmap(spare, ROOM);
	spare = p;
}

/* --- exchanges */

static struct seen *seen_of(struct wire *w, const struct exchange *x)
{
	for (size_t i = 0; i < w->n_open; i++)
		if (w->open[i].number == x->number)
			return &w->open[i];
	CHECK(!"an exchange that began");
	return NULL;
}

static void log_head(struct wire *w, const struct exchange *x, enum side side)
{
	for (size_t i = 0; i < x->n_fields[side]; i++) {
		evlog_begin(w->log, "  ");
		evlog_text(w->log, x->fields[side][i].name);
		evlog_text(w->log, SPAN_LIT(": "));
		evlog_text(w->log, x->fields[side][i].value);
		evlog_end(w->log);
	}
}

static int on_request(void *ctx, struct exchange *x)
{
	struct wire *w = ctx;
	struct seen *s;

	CHECK(w->n_open < OPEN_MAX_ && x->conn &&
	      x->n_fields[SIDE_REQUEST] <= EXCHANGE_FIELDS_MAX && !x->user);
	s = &w->open[w->n_open++];
	*s = (struct seen){ .number = x->number };
	if (w->what == WIRE_EXCHANGES) {
		evlog_begin(w->log, "%" PRIu64 " request %s ", x->number,
			    x->client ? "client" : "server");
		evlog_text(w->log, x->method);
		evlog_text(w->log, SPAN_LIT(" "));
		evlog_text(w->log, x->target);
		evlog_text(w->log, SPAN_LIT(" host="));
		evlog_text(w->log, x->host);
		evlog_end(w->log);
		log_head(w, x, SIDE_REQUEST);
		s->wanted = !span_eq(x->target, SPAN_LIT("/unwanted"));
		return !s->wanted;
	}
	s->wanted = !reader_flow_ops.request(w->reader, x);
	return !s->wanted;
}

static void on_response(void *ctx, struct exchange *x)
{
	struct wire *w = ctx;
	struct seen *s = seen_of(w, x);

	CHECK(s->wanted && !s->response && (!x->status || (x->status >= 100 && x->status <= 999)));
	s->response = true;
	if (w->what == WIRE_EXCHANGES) {
		evlog_line(w->log, "%" PRIu64 " response %u%s", x->number, x->status,
			   x->streamed ? " streamed" : "");
		log_head(w, x, SIDE_RESPONSE);
		return;
	}
	reader_flow_ops.response(w->reader, x);
}

static struct seen *open_side(struct wire *w, const struct exchange *x, enum side side)
{
	struct seen *s = seen_of(w, x);

	CHECK(s->wanted && (side == SIDE_REQUEST || s->response));
	CHECK(!s->done[side] || x->framing[side] == FRAMING_WEBSOCKET);
	return s;
}

static const char *const sides[] = { "request", "response" };

static void on_body(void *ctx, struct exchange *x, enum side side, struct span data)
{
	struct wire *w = ctx;
	char tag[64];

	open_side(w, x, side);
	CHECK(data.len);
	if (w->what == WIRE_EXCHANGES) {
		snprintf(tag, sizeof(tag), "%" PRIu64 " %s body", x->number, sides[side]);
		evlog_piece(w->log, tag, data);
		return;
	}
	reader_flow_ops.body(w->reader, x, side, data);
}

static void on_gap(void *ctx, struct exchange *x, enum side side, uint64_t n)
{
	struct wire *w = ctx;
	struct seen *s = open_side(w, x, side);

	s->sum[side].lost += n;
	if (w->what == WIRE_EXCHANGES)
		evlog_line(w->log, "%" PRIu64 " %s gap %" PRIu64, x->number, sides[side], n);
	else
		reader_flow_ops.gap(w->reader, x, side, n);
}

static void on_event(void *ctx, struct exchange *x, const struct flow_event *ev)
{
	struct wire *w = ctx;

	open_side(w, x, ev->side);
	CHECK(ev->framing && ev->framing == x->framing[ev->side]);
	if (w->what == WIRE_EXCHANGES) {
		evlog_begin(w->log, "%" PRIu64 "%s event%s%s%s ", x->number,
			    ev->side == SIDE_REQUEST ? " request" : "", ev->binary ? " binary" : "",
			    ev->failure ? " failure" : "", ev->damaged ? " damaged" : "");
		evlog_text(w->log, ev->type);
		evlog_text(w->log, SPAN_LIT(" "));
		evlog_text(w->log, ev->data);
		evlog_end(w->log);
		return;
	}
	reader_flow_ops.event(w->reader, x, ev);
}

static void on_request_end(void *ctx, struct exchange *x)
{
	struct wire *w = ctx;
	struct seen *s = open_side(w, x, SIDE_REQUEST);

	s->done[SIDE_REQUEST] = true;
	if (w->what == WIRE_EXCHANGES)
		evlog_line(w->log, "%" PRIu64 " request end", x->number);
	else
		reader_flow_ops.request_end(w->reader, x);
}

static void on_end(void *ctx, struct exchange *x)
{
	static const char *const ends[HTTP1_END_MAX_] = { "complete", "cut", "broken" };
	struct wire *w = ctx;
	struct seen *s = seen_of(w, x);

	CHECK(s->done[SIDE_REQUEST] || !s->wanted || x->dropped);
	CHECK(x->end_ns >= x->begin_ns && x->request_end_ns >= x->begin_ns);
	for (enum side side = 0; side < SIDE_MAX_; side++)
		CHECK(s->sum[side].lost <= x->body[side].lost &&
		      x->body[side].open_ended == (x->end[side] != HTTP1_COMPLETE));
	if (w->what == WIRE_EXCHANGES) {
		evlog_begin(w->log, "%" PRIu64 " end status=%u%s", x->number, x->status,
			    x->ambiguous ? " ambiguous" : "");
		for (enum side side = 0; side < SIDE_MAX_; side++) {
			char part[96];

			snprintf(part, sizeof(part), " %s=%s,%" PRIu64 "+%" PRIu64, sides[side],
				 ends[x->end[side]], x->body[side].seen, x->body[side].lost);
			evlog_text(w->log, span_str(part));
		}
		evlog_end(w->log);
	} else {
		reader_flow_ops.end(w->reader, x);
		CHECK(!x->user && s->requests <= 1);
	}
	*s = w->open[--w->n_open];
}

static const struct flow_ops ops = {
	.request = on_request,
	.response = on_response,
	.body = on_body,
	.gap = on_gap,
	.event = on_event,
	.request_end = on_request_end,
	.end = on_end,
};

/* --- turns */

static void check_text(struct span s)
{
	uint32_t cp;

	while (s.len) {
		size_t n = utf8_decode(s, &cp);

		CHECK(n);
		s = span_sub(s, n, s.len);
	}
}

#define CHECK_ID(field)                                                                            \
	do {                                                                                       \
		CHECK(memchr(field, 0, sizeof(field)));                                            \
	} while (0)

static void check_turn(const struct turn *t)
{
	uint64_t kept = 0, skipped = 0;

	CHECK(t->exchange && t->dialect && t->operation < OP_MAX_ && t->outcome < OUTCOME_MAX_);
	CHECK(t->n_segments <= TURN_SEGMENTS_MAX);
	CHECK_ID(t->provider);
	CHECK_ID(t->request_model);
	CHECK_ID(t->response_model);
	CHECK_ID(t->response_id);
	CHECK_ID(t->previous_id);
	CHECK_ID(t->conversation);
	CHECK_ID(t->end_user);
	CHECK_ID(t->source_ip);
	CHECK_ID(t->application);
	CHECK_ID(t->tenant);
	CHECK_ID(t->object);
	CHECK_ID(t->finish_reason);
	CHECK_ID(t->error_code);
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		CHECK(s->role < SEG_MAX_ && s->origin < ORIGIN_MAX_ && s->side < SIDE_MAX_ &&
		      s->text.len <= SEGMENT_MAX);
		CHECK(segment_trust(s) && !(segment_trust(s) & ~(unsigned)TRUST_ALL));
		CHECK_ID(s->name);
		CHECK_ID(s->call_id);
		check_text(buf_span(&s->text));
		kept += s->text.len;
	}
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		skipped += t->skipped[s];
	CHECK(kept == t->held && kept <= t->inspected && kept <= TURN_TEXT_MAX &&
	      skipped <= t->uninspected);
}

static void log_value(struct evlog *l, const char *name, struct span value)
{
	if (!value.len)
		return;
	evlog_begin(l, "  %s ", name);
	evlog_text(l, value);
	evlog_end(l);
}

static void log_segments(struct evlog *l, const struct turn *t, enum side side)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *s = &t->segments[i];

		if (s->side != side)
			continue;
		evlog_begin(l, "  %u %s %s%s", s->message, segment_role_name(s->role),
			    origin_name(s->origin), s->damaged ? " damaged" : "");
		if (s->missing) {
			char part[48];

			snprintf(part, sizeof(part), " missing=%" PRIu64, s->missing);
			evlog_text(l, span_str(part));
		}
		if (s->name[0]) {
			evlog_text(l, SPAN_LIT(" name="));
			evlog_text(l, span_str(s->name));
		}
		if (s->call_id[0]) {
			evlog_text(l, SPAN_LIT(" call="));
			evlog_text(l, span_str(s->call_id));
		}
		evlog_text(l, SPAN_LIT(": "));
		evlog_text(l, buf_span(&s->text));
		evlog_end(l);
	}
}

static void log_attachments(struct evlog *l, const struct turn *t, enum side side)
{
	for (size_t i = 0; i < turn_attachments(t); i++) {
		const struct attached *a = &t->attachments[i];

		if (a->side != side)
			continue;
		evlog_begin(l, "  %u attached %s %" PRIu64 " %02x%02x%02x%02x", a->message,
			    skipped_name(a->what), a->size, a->hash[0], a->hash[1], a->hash[2],
			    a->hash[3]);
		for (size_t k = 0; k < 3; k++) {
			evlog_text(l, SPAN_LIT(" "));
			evlog_text(l, span_str(k == 0 ? a->media_type : k == 1 ? a->name : a->url));
		}
		evlog_end(l);
	}
}

static void on_turn_request(void *ctx, struct turn *t)
{
	struct wire *w = ctx;
	struct seen *s = seen_of(w, t->exchange);

	CHECK(!s->requests++);
	check_turn(t);
	evlog_line(w->log, "request %s %s%s", t->dialect, operation_name(t->operation),
		   t->stream ? " stream" : "");
	log_value(w->log, "provider", span_str(t->provider));
	log_value(w->log, "model", span_str(t->request_model));
	log_value(w->log, "credential", t->credential);
	log_value(w->log, "user-agent", t->user_agent);
	log_value(w->log, "forwarded-for", t->forwarded_for);
	log_value(w->log, "end-user", span_str(t->end_user));
	log_value(w->log, "source-ip", span_str(t->source_ip));
	log_value(w->log, "application", span_str(t->application));
	log_value(w->log, "object", span_str(t->object));
	log_value(w->log, "previous", span_str(t->previous_id));
	log_value(w->log, "conversation", span_str(t->conversation));
	log_value(w->log, "contradiction", span_str(t->contradiction ? t->contradiction : ""));
	log_segments(w->log, t, SIDE_REQUEST);
	log_attachments(w->log, t, SIDE_REQUEST);
}

/* What is new since the last call; as many times as the bytes make it, so it is off by default. */
static void on_turn_progress(void *ctx, struct turn *t)
{
	struct wire *w = ctx;
	struct seen *s = seen_of(w, t->exchange);

	CHECK(s->requests == 1);
	check_turn(t);
	if (!w->progress)
		return;
	for (size_t i = 0; i < t->n_segments; i++) {
		const struct segment *seg = &t->segments[i];

		if (seg->judged == seg->text.len)
			continue;
		evlog_begin(w->log, "progress %u %s %zu: ", seg->message,
			    segment_role_name(seg->role), seg->judged);
		evlog_text(w->log, span_sub(buf_span(&seg->text), seg->judged, SIZE_MAX));
		evlog_end(w->log);
	}
	if (t->turn_ended)
		evlog_line(w->log, "turn %s from %zu", outcome_name(t->outcome), t->first);
}

static void log_filters(struct evlog *l, const char *name, uint32_t bits)
{
	for (enum filter f = 0; f < FILTER_MAX_; f++)
		if (bits & 1u << f)
			log_value(l, name, span_str(filter_name(f)));
}

static void on_turn_end(void *ctx, struct turn *t)
{
	struct wire *w = ctx;

	CHECK(seen_of(w, t->exchange)->requests == 1);
	check_turn(t);
	evlog_line(w->log,
		   "end %s status=%u tokens=%" PRIu64 "/%" PRIu64 " inspected=%" PRIu64
		   " uninspected=%" PRIu64,
		   outcome_name(t->outcome), t->exchange->status, t->input_tokens, t->output_tokens,
		   t->inspected, t->uninspected - t->skipped[SKIP_CODING]);
	log_value(w->log, "model", span_str(t->response_model));
	log_value(w->log, "id", span_str(t->response_id));
	log_value(w->log, "object", span_str(t->object));
	log_value(w->log, "conversation", span_str(t->conversation));
	log_value(w->log, "finish", span_str(t->finish_reason));
	log_value(w->log, "error", span_str(t->error_code));
	log_filters(w->log, "filter-detected", t->filter_detected);
	log_filters(w->log, "filter-blocked", t->filter_blocked);
	/* How much of a body that broke came before and how much behind the fault depends on how it
	 * came. */
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		if (t->skipped[s] && s != SKIP_CODING)
			evlog_line(w->log, "  skipped %s %" PRIu64, skipped_name(s), t->skipped[s]);
	if (t->cached_tokens || t->reasoning_tokens)
		evlog_line(w->log, "  tokens-cached %" PRIu64 " reasoning %" PRIu64,
			   t->cached_tokens, t->reasoning_tokens);
	if (t->json_broken)
		evlog_line(w->log, "  not-json %u", t->json_broken);
	/* A socket's messages came after the request. */
	for (enum side side = t->exchange->framing[SIDE_REQUEST] ? SIDE_REQUEST : SIDE_RESPONSE;
	     side < SIDE_MAX_; side++) {
		log_segments(w->log, t, side);
		log_attachments(w->log, t, side);
	}
}

static const struct reader_ops turn_ops = {
	.request = on_turn_request,
	.progress = on_turn_progress,
	.end = on_turn_end,
};

/* --- connections */

void wire_free(struct wire **wp)
{
	struct wire *w = *wp;

	if (!w)
		return;
	flow_free(&w->flow);
	CHECK(!w->n_open);
	reader_free(&w->reader);
	room_give(w->open);
	free(w);
	*wp = NULL;
}

int wire_new(struct wire **ret, enum wire_log what, struct evlog *log,
	     const struct flow_limits *limits)
{
	/* Thousands of connections are not what tests need of every flow. */
	struct flow_limits small = flow_defaults;
	auto_free(wire) struct wire *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	small.max_conns = CONNS_MAX;
	w->what = what;
	w->log = log;
	w->now_ns = 1000;
	w->open = room_take();
	err = reader_new(&w->reader, &turn_ops, w);
	if (!err)
		err = flow_new(&w->flow, limits ? limits : &small, &ops, w);
	if (err)
		return err;
	*ret = steal(w);
	return 0;
}

void wire_progress(struct wire *w)
{
	w->progress = true;
}

struct flow *wire_flow(struct wire *w)
{
	return w->flow;
}

const struct reader_stats *wire_reader_stats(const struct wire *w)
{
	return reader_stats(w->reader);
}

struct conn_info wire_conn(uint64_t conn)
{
	return (struct conn_info){ .id = conn,
				   .tgid = 100,
				   .start_ns = 5,
				   .uid = 1000,
				   .slot = (uint32_t)conn,
				   .comm = "python3" };
}

static void open_conn(struct wire *w, struct conn_info info)
{
	memset(w->pos[info.id % CONNS_MAX], 0, sizeof(w->pos[0]));
	flow_open(w->flow, &info, w->pos[info.id % CONNS_MAX], w->now_ns++);
}

void wire_open(struct wire *w, uint64_t conn)
{
	open_conn(w, wire_conn(conn));
}

void wire_open_midway(struct wire *w, uint64_t conn)
{
	struct conn_info info = wire_conn(conn);

	info.midway = true;
	open_conn(w, info);
}

int wire_send(struct wire *w, uint64_t conn, enum ev_dir dir, struct span data, size_t piece)
{
	struct conn_info info = wire_conn(conn);
	uint64_t *pos = &w->pos[conn % CONNS_MAX][dir];
	int err = 0;

	while (data.len && !err) {
		struct span part = span_sub(data, 0, piece ? piece : data.len);

		err = flow_data(w->flow, &info, dir, *pos, part, w->now_ns++);
		*pos += part.len;
		data = span_sub(data, part.len, data.len);
	}
	return err;
}

void wire_lose(struct wire *w, uint64_t conn, enum ev_dir dir, uint64_t n)
{
	w->pos[conn % CONNS_MAX][dir] += n;
}

void wire_close(struct wire *w, uint64_t conn)
{
	flow_close(w->flow, conn, w->pos[conn % CONNS_MAX], w->now_ns++);
}

struct wire *wire_turns(struct evlog *log)
{
	struct wire *w;

	CHECK(!wire_new(&w, WIRE_TURNS, log, NULL));
	wire_open(w, 1);
	return w;
}

void wire_pass(struct wire *w, enum ev_dir dir, struct span data)
{
	CHECK(!wire_send(w, 1, dir, data, 0));
}

char *wire_call(const char *target, const char *json, const char *response, const char *body)
{
	auto_free(evlog) struct evlog log = { 0 };
	auto_free(wire) struct wire *w = wire_turns(&log);
	auto_mem char *head = NULL;
	char *ret;

	CHECK(asprintf(&head, "POST %s HTTP/1.1\r\nHost: llm.test\r\nContent-Length: %zu\r\n\r\n",
		       target, strlen(json)) > 0);
	wire_pass(w, EV_WRITE, span_str(head));
	wire_pass(w, EV_WRITE, span_str(json));
	wire_pass(w, EV_READ, SPAN_LIT("HTTP/1.1 "));
	wire_pass(w, EV_READ, span_str(response));
	wire_pass(w, EV_READ, SPAN_LIT("\r\n"));
	wire_pass(w, EV_READ, span_str(body));
	wire_close(w, 1);
	ret = strdup(log.p ? log.p : "");
	CHECK(ret);
	return ret;
}
