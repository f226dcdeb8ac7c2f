/* tests/unit/test_pack.c - what the inspector packs is whole, clean, small enough, and passes the
 * keeper's check. */
#include "alert/pack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

static const uint8_t boot[16] = "boot of the host", key[MAC_KEY_LEN] = "key";

static struct {
	struct conn_info conn;
	struct exchange exchange;
	struct segment segments[4];
	struct attached attachments[ATTACHMENTS_MAX];
	struct turn turn;
	struct proc_info proc;
	struct finding finding;
	struct pack_source source;
	struct pack_prefixes prefixes;
	struct mac *mac;
	uint8_t out[PACK_MAX];
} w;

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	if (mac_new(&w.mac, key))
		return -1;
	w.conn = (struct conn_info){
		.id = 7, .tgid = 100, .ppid = 1, .uid = 1000, .start_ns = 55, .comm = "curl"
	};
	w.conn.sock = (struct ev_sock){ .family = AF_INET,
					.local_port = 40000,
					.remote_port = 443,
					.local = { 127, 0, 0, 1 },
					.remote = { 10, 0, 0, 2 } };
	w.exchange = (struct exchange){ .number = 9,
					.conn = &w.conn,
					.client = true,
					.status = 200,
					.target = SPAN_LIT("/v1/chat/completions?key=secret"),
					.host = SPAN_LIT("api.example.com"),
					.begin_ns = 1000,
					.first_byte_ns = 1500,
					.end_ns = 3000 };
	w.exchange.body[SIDE_REQUEST] = (struct coverage){ .seen = 100 };
	w.exchange.body[SIDE_RESPONSE] =
	    (struct coverage){ .seen = 50, .lost = 10, .open_ended = true };
	w.segments[0] = (struct segment){ .role = SEG_TOOL_DEFINITION, .name = "search" };
	w.segments[1] = (struct segment){ .role = SEG_USER };
	w.segments[2] = (struct segment){ .role = SEG_TOOL_RESULT, .name = "search" };
	w.segments[3] =
	    (struct segment){ .role = SEG_TOOL_CALL, .side = SIDE_RESPONSE, .name = "send_mail" };
	w.attachments[0] = (struct attached){ .what = SKIP_IMAGE,
					      .size = 77,
					      .hash = { 1, 2, 3 },
					      .media_type = "image/png",
					      .name = "a\xff.png" };
	w.attachments[1] = (struct attached){ .what = SKIP_FILE,
					      .side = SIDE_RESPONSE,
					      .url = "https://example.com/a" };
	w.turn = (struct turn){ .exchange = &w.exchange,
				.dialect = "openai-chat",
				.provider = "openai",
				.operation = OP_CHAT,
				.request_model = "gpt-x",
				.response_model = "gpt-x-1",
				.response_id = "chatcmpl-1",
				.end_user = "alice",
				.source_ip = "10.0.0.7",
				.application = "shop",
				.tenant = "t1",
				.object = "orders",
				.attachments = w.attachments,
				.n_attachments = 70,
				.cached_tokens = 5,
				.reasoning_tokens = 6,
				.filter_detected = 1u << FILTER_JAILBREAK | 1u << FILTER_HATE,
				.filter_blocked = 1u << FILTER_JAILBREAK,
				.credential = SPAN_LIT("sk-something"),
				.user_agent = SPAN_LIT("curl/8"),
				.segments = w.segments,
				.n_segments = 4,
				.skipped = { [SKIP_IMAGE] = 77 },
				.input_tokens = 11,
				.output_tokens = 12,
				.finish_reason = "stop",
				.outcome = OUTCOME_ANSWERED,
				.stream = true,
				.inspected = 30,
				.uninspected = 77 };
	w.proc = (struct proc_info){ .tgid = 100,
				     .exe_sha256 = { [31] = 0xab },
				     .uid = 1000,
				     .flags = PROC_GPU,
				     .comm = "curl",
				     .user = "bob",
				     .exe = "/usr/bin/curl",
				     .cmdline = "curl https://api",
				     .cgroup = "/user.slice",
				     .container = "abc",
				     .pod_name = "pod" };
	w.finding = (struct finding){ .kind = kind_find("injection.rules"),
				      .detector = "prompt-rules",
				      .type = "ignore-previous",
				      .mode = MODE_ALERT,
				      .score = 0.75f,
				      .segment = 2,
				      .role = SEG_TOOL_RESULT,
				      .origin = ORIGIN_TOOL,
				      .begin = 5,
				      .end = 25,
				      .view = "base64",
				      .why = "orders",
				      .evidence = "ignore previous",
				      .truncated = true };
	w.prefixes.n = 2;
	w.prefixes.h[1].b[0] = 1;
	w.source = (struct pack_source){ .turn = &w.turn,
					 .proc = &w.proc,
					 .mac = w.mac,
					 .boot = boot,
					 .epoch = 3,
					 .evidence = EVIDENCE_REDACTED };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mac_free(&w.mac);
	return 0;
}

static Earshot__ToKeeper *checked(ssize_t len)
{
	Earshot__ToKeeper *m;

	assert_true(len > 0);
	m = earshot__to_keeper__unpack(NULL, (size_t)len, w.out);
	assert_non_null(m);
	assert_int_equal(pack_check(m), 0);
	return m;
}

static Earshot__ToKeeper *finding(void)
{
	return checked(pack_finding(&w.source, 5, &w.finding, &w.prefixes, w.out, sizeof(w.out)));
}

static Earshot__ToKeeper *observation(void)
{
	return checked(
	    pack_observation(&w.source, 6, &w.prefixes, &w.prefixes, w.out, sizeof(w.out)));
}

static void done(Earshot__ToKeeper *m)
{
	earshot__to_keeper__free_unpacked(m, NULL);
}

static void test_finding(void **state)
{
	Earshot__ToKeeper *m = finding();
	const Earshot__Finding *f = m->finding;
	const Earshot__Context *x = f->context;
	struct hash128 caller = mac_of(w.mac, "caller", w.turn.credential);

	(void)state;
	assert_memory_equal(f->id->boot.data, boot, 16);
	assert_int_equal(f->id->epoch, 3);
	assert_int_equal(f->id->number, 5);
	assert_string_equal(f->kind, "injection.rules");
	assert_int_equal(f->outcome, EARSHOT__OUTCOME__OUTCOME_ANSWERED);
	assert_int_equal(f->n_prefixes, 2);
	assert_memory_equal(f->prefixes[1].data, w.prefixes.h[1].b, 16);
	assert_false(f->history);
	assert_string_equal(f->evidence->detector, "prompt-rules");
	assert_string_equal(f->evidence->type, "ignore-previous");
	assert_string_equal(f->evidence->why, "orders");
	assert_string_equal(f->evidence->redacted, "ignore previous");
	assert_true(f->evidence->truncated);
	assert_string_equal(f->evidence->location->role, "tool-result");
	assert_string_equal(f->evidence->location->side, "request");
	assert_string_equal(f->evidence->location->tool, "search");
	assert_string_equal(f->evidence->location->view, "base64");
	assert_int_equal(f->evidence->location->end, 25);
	assert_int_equal(x->process->pid, 100);
	assert_string_equal(x->process->executable, "/usr/bin/curl");
	assert_int_equal(x->process->executable_sha256.len, 32);
	assert_int_equal(x->process->executable_sha256.data[31], 0xab);
	assert_string_equal(x->process->user, "bob");
	assert_true(x->process->gpu);
	assert_string_equal(x->container->pod_name, "pod");
	assert_string_equal(x->socket->remote_address, "10.0.0.2");
	assert_int_equal(x->socket->remote_port, 443);
	assert_string_equal(x->api->path, "/v1/chat/completions");
	assert_string_equal(x->api->operation, "chat");
	assert_true(x->api->client && x->api->stream);
	assert_string_equal(x->model->responded, "gpt-x-1");
	assert_memory_equal(x->caller->credential_fingerprint.data, caller.b, 16);
	assert_string_equal(x->caller->end_user, "alice");
	assert_int_equal(x->completeness->bytes_passed, 160);
	assert_int_equal(x->completeness->bytes_captured, 150);
	assert_int_equal(x->completeness->content_captured, 107);
	assert_int_equal(x->completeness->content_inspected, 30);
	assert_true(x->completeness->end_unseen);
	assert_int_equal(x->exchange, 9);
	assert_string_equal(x->response_id, "chatcmpl-1");
	done(m);
}

/* Of a socket, turn by turn: each what is its own. */
static void test_next_turn(void **state)
{
	Earshot__ToKeeper *m;

	(void)state;
	w.turn.n_findings = 2;
	turn_tell(&w.turn);
	w.turn.first = w.turn.n_segments;
	for (size_t i = 0; i < w.turn.n_segments; i++)
		w.turn.segments[i].judged = w.turn.segments[i].text.len;
	w.turn.n_findings = 3;
	w.turn.input_tokens += 20;
	w.turn.output_tokens = 3; /* of its own, no sum */
	m = observation();
	assert_int_equal(m->observation->findings, 1);
	assert_int_equal(m->observation->segments, 0);
	assert_int_equal(m->observation->n_tools_offered, 1);
	assert_int_equal(m->observation->n_tools_called, 0);
	assert_int_equal(m->observation->input_tokens, 20);
	assert_int_equal(m->observation->output_tokens, 3);
	done(m);
}

static void test_observation(void **state)
{
	Earshot__ToKeeper *m;
	const Earshot__Observation *o;

	(void)state;
	w.turn.n_findings = 2;
	m = observation();
	o = m->observation;
	assert_int_equal(o->n_tools_offered, 1);
	assert_string_equal(o->tools_offered[0], "search");
	assert_int_equal(o->n_tools_called, 1);
	assert_string_equal(o->tools_called[0], "send_mail");
	assert_int_equal(o->duration_ns, 2000);
	assert_int_equal(o->first_byte_ns, 500);
	assert_int_equal(o->context->timing->first_byte_ns, 500);
	assert_int_equal(o->context->timing->duration_ns, 2000);
	assert_int_equal(o->n_skipped, 1);
	assert_string_equal(o->skipped[0]->key, "image");
	assert_int_equal(o->skipped[0]->value, 77);
	assert_int_equal(o->cached_tokens, 5);
	assert_int_equal(o->reasoning_tokens, 6);
	assert_int_equal(o->n_filters_detected, 2);
	assert_string_equal(o->filters_detected[0], "jailbreak");
	assert_string_equal(o->filters_detected[1], "hate");
	assert_int_equal(o->n_filters_blocked, 1);
	assert_string_equal(o->filters_blocked[0], "jailbreak");
	assert_string_equal(o->context->api->object, "orders");
	assert_string_equal(o->context->caller->source_ip, "10.0.0.7");
	assert_string_equal(o->context->caller->application, "shop");
	assert_string_equal(o->context->caller->tenant, "t1");
	/* As many as are sent, of those that were seen. */
	assert_int_equal(o->attachments_seen, 70);
	assert_int_equal(o->n_attachments, 8);
	assert_string_equal(o->attachments[0]->kind, "image");
	assert_string_equal(o->attachments[0]->side, "request");
	assert_string_equal(o->attachments[0]->name, "a?.png");
	assert_int_equal(o->attachments[0]->size, 77);
	assert_int_equal(o->attachments[0]->hash.len, 16);
	assert_int_equal(o->attachments[0]->hash.data[2], 3);
	assert_string_equal(o->attachments[1]->kind, "file");
	assert_string_equal(o->attachments[1]->side, "response");
	assert_string_equal(o->attachments[1]->url, "https://example.com/a");
	assert_int_equal(o->attachments[1]->hash.len, 0);
	assert_int_equal(o->findings, 2);
	assert_int_equal(o->segments, 4);
	assert_int_equal(o->input_tokens, 11);
	assert_string_equal(o->finish_reason, "stop");
	done(m);
}

static void test_no_text(void **state)
{
	Earshot__ToKeeper *m;

	(void)state;
	w.source.evidence = EVIDENCE_NONE;
	m = finding();
	assert_string_equal(m->finding->evidence->redacted, "");
	done(m);
	/* The credential itself and a query are never in it. */
	assert_null(memmem(w.out, sizeof(w.out), "sk-something", 12));
	assert_null(memmem(w.out, sizeof(w.out), "secret", 6));
}

/* Early in a process's life, or after its end. */
static void test_unknown_process(void **state)
{
	Earshot__ToKeeper *m;

	(void)state;
	w.source.proc = NULL;
	w.conn.sock.family = 0;
	m = finding();
	assert_int_equal(m->finding->context->process->pid, 100);
	assert_int_equal(m->finding->context->process->start_ns, 55);
	assert_string_equal(m->finding->context->process->comm, "curl");
	assert_null(m->finding->context->container);
	assert_null(m->finding->context->socket);
	done(m);
}

/* A child that was seen before it ran a program of its own is not taken for its parent's. */
static void test_forked_process(void **state)
{
	Earshot__ToKeeper *m;

	(void)state;
	w.proc.flags = PROC_FORKED;
	m = finding();
	assert_string_equal(m->finding->context->process->executable, "/usr/bin/curl");
	done(m);
	strcpy(w.proc.comm, "python3");
	m = finding();
	assert_string_equal(m->finding->context->process->comm, "curl");
	assert_string_equal(m->finding->context->process->executable, "");
	assert_string_equal(m->finding->context->process->command_line, "");
	assert_int_equal(m->finding->context->process->executable_sha256.len, 0);
	assert_string_equal(m->finding->context->container->id, "abc");
	done(m);
}

static void test_history(void **state)
{
	static const enum segment_role after[] = { SEG_ASSISTANT, SEG_TOOL_CALL, SEG_REASONING };
	Earshot__ToKeeper *m;

	(void)state;
	w.finding.segment = 1;
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		w.segments[2].role = after[i];
		m = finding();
		assert_true(m->finding->history);
		done(m);
	}
	w.finding.side = SIDE_RESPONSE;
	m = finding();
	assert_false(m->finding->history);
	done(m);
}

static void test_paths(void **state)
{
	static const struct {
		const char *target, *path;
	} rows[] = {
		{ "/a/b#c", "/a/b" }, { "https://h/v1/x?key=k", "/v1/x" },
		{ "https://h", "" },  { "https://h?key=/k", "" },
		{ "*", "" },	      { "h:443", "" },
		{ "", "" },	      { "/\xff\x01x", "/?\x01x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Earshot__ToKeeper *m;

		w.exchange.target = span_str(rows[i].target);
		m = finding();
		assert_string_equal(m->finding->context->api->path, rows[i].path);
		done(m);
	}
}

static void fill(void *field, size_t size, const char *pattern)
{
	char *p = field;

	for (size_t i = 0; i < size; i++)
		p[i] = pattern[i % strlen(pattern)];
}

#define FILL(f, pattern) fill((f), sizeof(f), pattern)

/* Every field full to its last byte, of text that is no UTF-8 or is cut within a character. */
static void test_largest(void **state)
{
	static const char *const patterns[] = { "\xff", "\xe2\x82", "\xf0\x9f\x98\x80", "a\xc3\xa9",
						"x" };
	static struct segment tools[200];
	static char big[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const char *p = patterns[i];
		Earshot__ToKeeper *m;

		FILL(big, p);
		FILL(w.conn.comm, p);
		FILL(w.proc.comm, p);
		FILL(w.proc.user, p);
		FILL(w.proc.exe, p);
		FILL(w.proc.cmdline, p);
		FILL(w.proc.cgroup, p);
		FILL(w.proc.container, p);
		FILL(w.proc.unit, p);
		FILL(w.proc.pod_uid, p);
		FILL(w.proc.pod_name, p);
		FILL(w.proc.pod_namespace, p);
		FILL(w.proc.container_name, p);
		FILL(w.turn.provider, p);
		FILL(w.turn.request_model, p);
		FILL(w.turn.response_model, p);
		FILL(w.turn.response_id, p);
		FILL(w.turn.previous_id, p);
		FILL(w.turn.conversation, p);
		FILL(w.turn.end_user, p);
		FILL(w.turn.finish_reason, p);
		FILL(w.finding.type, p);
		FILL(w.finding.view, p);
		FILL(w.finding.why, p);
		FILL(w.finding.evidence, p);
		for (size_t j = 0; j < ARRAY_SIZE(tools); j++) {
			tools[j].role = SEG_TOOL_DEFINITION;
			FILL(tools[j].name, p);
			tools[j].name[0] = (char)('A' + j % 100);
		}
		big[0] = '/';
		w.exchange.target = w.exchange.host = w.turn.user_agent = w.turn.forwarded_for =
		    span_of(big, sizeof(big));
		w.prefixes.n = PACK_PREFIXES_MAX;
		w.turn.segments = tools;
		w.turn.n_segments = ARRAY_SIZE(tools);
		w.finding.segment = 0;
		m = finding();
		assert_true(earshot__context__get_packed_size(m->finding->context) <= 8 << 10);
		done(m);
		done(observation());
	}
}

static void test_too_small(void **state)
{
	(void)state;
	assert_int_equal(pack_finding(&w.source, 5, &w.finding, &w.prefixes, w.out, 100), -E2BIG);
	assert_true(pack_dropped(UINT64_MAX, w.out, 32) > 0);
}

static void test_check_refuses(void **state)
{
	Earshot__ToKeeper *m = finding();
	Earshot__Finding *f = m->finding;

	(void)state;
#define REFUSED_WITH(field, bad)                                                                   \
	do {                                                                                       \
		__auto_type good_ = f->field;                                                      \
		f->field = (bad);                                                                  \
		assert_int_equal(pack_check(m), -EBADMSG);                                         \
		f->field = good_;                                                                  \
		assert_int_equal(pack_check(m), 0);                                                \
	} while (0)
	REFUSED_WITH(evidence->score, 1.5f);
	REFUSED_WITH(evidence->score, -0.1f);
	REFUSED_WITH(evidence->score, 0.0f / 0.0f);
	REFUSED_WITH(evidence->fingerprint.len, 3u);
	REFUSED_WITH(mode, (Earshot__Mode)3);
	REFUSED_WITH(mode, (Earshot__Mode)-1);
	REFUSED_WITH(outcome, (Earshot__Outcome)6);
	REFUSED_WITH(id, NULL);
	REFUSED_WITH(context, NULL);
	REFUSED_WITH(evidence, NULL);
	REFUSED_WITH(id->number, 0u);
	REFUSED_WITH(id->epoch, UINT64_MAX);
	REFUSED_WITH(id->boot.len, 15u);
	REFUSED_WITH(context->api->host, "\x80");
	REFUSED_WITH(context->caller->credential_fingerprint.len, 17u);
	REFUSED_WITH(n_prefixes, 5u);
	REFUSED_WITH(prefixes[0].len, 15u);
	REFUSED_WITH(kind, "jailbreak");
	done(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_finding),	T(test_observation),   T(test_no_text),
		T(test_forked_process), T(test_next_turn),     T(test_unknown_process),
		T(test_history),	T(test_paths),	       T(test_largest),
		T(test_too_small),	T(test_check_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
