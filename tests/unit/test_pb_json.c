/* tests/unit/test_pb_json.c - protobuf messages as JSON. */
#include "ctl/pb_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "proto/earshot.pb-c.h"

static char *json_of(const ProtobufCMessage *m)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct json_out j = JSON_OUT(f, JSON_OUT_COMPACT);

	assert_non_null(f);
	pb_json(&j, m);
	assert_int_equal(json_out_done(&j), 0);
	fclose(f);
	return text;
}

static void check(const ProtobufCMessage *m, const char *want)
{
	auto_mem char *got = json_of(m);

	got[strcspn(got, "\n")] = 0;
	assert_string_equal(got, want);
}

static void test_scalars(void **state)
{
	Earshot__Evidence e = EARSHOT__EVIDENCE__INIT;
	Earshot__Location l = EARSHOT__LOCATION__INIT;
	uint8_t print[] = { 0x00, 0xab, 0xff };

	(void)state;
	e.detector = "rules";
	e.score = 0.9f;
	e.fingerprint = (ProtobufCBinaryData){ sizeof(print), print };
	e.truncated = 1;
	e.time_ns = 1700000000123456789;
	l.begin = 4294967295u;
	e.location = &l;
	check(&e.base, "{\"detector\":\"rules\",\"type\":\"\",\"score\":0.9,\"why\":\"\","
		       "\"redacted\":\"\",\"fingerprint\":\"00abff\","
		       "\"location\":{\"role\":\"\",\"origin\":\"\",\"side\":\"\",\"segment\":0,"
		       "\"begin\":4294967295,\"end\":0,"
		       "\"view\":\"\",\"tool\":\"\"},\"truncated\":true,\"time\":\"2023-11-14T22:"
		       "13:20.123456789Z\",\"raise\":0}");
}

/* An empty message has every field all the same. */
static void test_shape(void **state)
{
	Earshot__Context c = EARSHOT__CONTEXT__INIT;

	(void)state;
	check(&c.base,
	      "{\"process\":null,\"container\":null,\"socket\":null,\"api\":null,"
	      "\"model\":null,\"caller\":null,"
	      "\"completeness\":null,\"connection\":0,\"exchange\":0,\"begin_mono_ns\":0,"
	      "\"response_id\":\"\","
	      "\"previous_response_id\":\"\",\"provider_conversation\":\"\",\"timing\":null}");
}

static void test_enums(void **state)
{
	Earshot__Body b = EARSHOT__BODY__INIT;
	auto_mem char *text = NULL;
	Earshot__Alert a = EARSHOT__ALERT__INIT;

	(void)state;
	b.action = EARSHOT__BODY__ACTION__UPDATE;
	check(
	    &b.base,
	    "{\"action\":\"update\",\"revision\":0,\"alert\":null,\"time\":null,\"findings\":[]}");
	b.action = 77; /* of a newer sensor */
	check(&b.base,
	      "{\"action\":77,\"revision\":0,\"alert\":null,\"time\":null,\"findings\":[]}");
	a.outcome = EARSHOT__OUTCOME__OUTCOME_TOOL_EXECUTED;
	a.severity = EARSHOT__SEVERITY__SEVERITY_CRITICAL;
	text = json_of(&a.base);
	assert_non_null(strstr(text, "\"mode\":\"alert\",\"severity\":\"critical\",\"confidence\":"
				     "0,\"outcome\":\"tool_executed\",\"status\":\"new\""));
}

static void test_repeated_and_maps(void **state)
{
	Earshot__StatusReply__CountersEntry one = EARSHOT__STATUS_REPLY__COUNTERS_ENTRY__INIT,
					    two = one;
	Earshot__StatusReply__CountersEntry *counters[] = { &one, &two };
	Earshot__RoleStatus role = EARSHOT__ROLE_STATUS__INIT, *roles[] = { &role };
	Earshot__StatusReply s = EARSHOT__STATUS_REPLY__INIT;
	char *problems[] = { "first", "second" };
	auto_mem char *text = NULL;

	(void)state;
	one.key = "capture.bytes";
	one.value = UINT64_MAX;
	two.key = "a \"key\"";
	role.name = "keeper";
	role.started_ns = 1;
	s.n_counters = 2;
	s.counters = counters;
	s.n_roles = 1;
	s.roles = roles;
	s.n_problems = 2;
	s.problems = problems;
	text = json_of(&s.base);
	assert_non_null(strstr(
	    text, "\"counters\":{\"capture.bytes\":18446744073709551615,\"a \\\"key\\\"\":0}"));
	assert_non_null(strstr(text, "\"roles\":[{\"name\":\"keeper\",\"pid\":0,\"started\":\"1970-"
				     "01-01T00:00:00.000000001Z\",\"restarts\":0,\"up\":false}]"));
	assert_non_null(strstr(text, "\"problems\":[\"first\",\"second\"]"));
}

/* Of a oneof only what is set shows. */
static void test_oneof(void **state)
{
	Earshot__CtlRequest q = EARSHOT__CTL_REQUEST__INIT;
	Earshot__TailQuery t = EARSHOT__TAIL_QUERY__INIT;

	(void)state;
	check(&q.base, "{}");
	q.verb_case = EARSHOT__CTL_REQUEST__VERB_TAIL;
	q.tail = &t;
	check(&q.base, "{\"tail\":{\"hunt\":false}}");
}

static void test_times(void **state)
{
	Earshot__Alert a = EARSHOT__ALERT__INIT;
	auto_mem char *text = NULL;

	(void)state;
	a.first_seen_ns = UINT64_MAX;
	a.last_seen_ns = 951782400000000000; /* a leap day */
	text = json_of(&a.base);
	assert_non_null(strstr(text, "\"last_seen\":\"2000-02-29T00:00:00.000000000Z\""));
	/* The year 2554: late, yet a time. */
	assert_non_null(strstr(text, "\"first_seen\":\"2554-07-21T23:34:33.709551615Z\""));
}

static void test_hostile(void **state)
{
	Earshot__Model m = EARSHOT__MODEL__INIT;

	(void)state;
	m.requested = "\033]0;x\a\xc2\x9b\xe2\x80\xae\xff\n\"\\";
	m.responded = "\xf0\x9f\x98\x80";
	check(&m.base, "{\"requested\":\"\\u001b]0;x\\u0007\\u009b\\u202e\xef\xbf\xbd\\n\\\"\\\\\","
		       "\"responded\":\"\xf0\x9f\x98\x80\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars), cmocka_unit_test(test_shape),
		cmocka_unit_test(test_enums),	cmocka_unit_test(test_repeated_and_maps),
		cmocka_unit_test(test_oneof),	cmocka_unit_test(test_times),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
