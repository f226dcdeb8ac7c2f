/* tests/unit/test_conversation.c - which turns are one conversation. */
#include "behave/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "keeper.h"

static struct conversations *table;

static int set_up(void **state)
{
	(void)state;
	return conversations_new(&table);
}

static int tear_down(void **state)
{
	(void)state;
	conversations_free(&table);
	return 0;
}

/* The turn as its observation shows it; with end false only its request was seen so far. */
static const char *turn(const struct say *w, bool end)
{
	static char ids[8][CONVERSATION_ID_SIZE];
	static size_t at;
	char *id = ids[at++ % 8];
	struct said said;
	struct span s = say(&said, w);
	Earshot__ToKeeper *m = earshot__to_keeper__unpack(NULL, s.len, s.p);

	assert_non_null(m);
	if (end)
		conversation_end(table, m->observation, id);
	else
		conversation_of(table, m->observation->context, m->observation->prefixes,
				m->observation->n_prefixes, m->observation->anchor, id);
	earshot__to_keeper__free_unpacked(m, NULL);
	return id;
}

#define TURN(...)    turn(&(struct say){ .number = 1, .key = "k", __VA_ARGS__ }, true)
#define REQUEST(...) turn(&(struct say){ .number = 1, .key = "k", __VA_ARGS__ }, false)

static void test_resent_history(void **state)
{
	const char *first = TURN(.turns = "su", .after = "suA");

	(void)state;
	assert_int_equal(strlen(first), CONVERSATION_ID_SIZE - 1);
	/* The same exchange seen by the server, or tried again. */
	assert_string_equal(TURN(.turns = "su", .after = "suA"), first);
	assert_string_equal(REQUEST(.turns = "suAv"), first);
	assert_string_equal(TURN(.turns = "suAv", .after = "suAvB"), first);
	/* A call of a tool and its result. */
	assert_string_equal(TURN(.turns = "suAvBtr", .after = "suAvBtrC"), first);
	/* The application cut the answer out of the history. */
	assert_string_equal(TURN(.turns = "suAvBtrx"), first);
}

static void test_apart(void **state)
{
	const char *first = TURN(.turns = "su", .after = "suA");

	(void)state;
	/* A system prompt in common is not a conversation in common. */
	assert_string_not_equal(TURN(.turns = "sv"), first);
	/* Nor is a text in common, of another caller. */
	assert_string_not_equal(TURN(.turns = "su", .key = "other"), first);
	assert_string_not_equal(TURN(.turns = "su", .end_user = "eve"), first);
	assert_string_equal(TURN(.turns = NULL), "");
}

/* Two users begin alike, are answered differently, and go on. */
static void test_branches(void **state)
{
	const char *a = TURN(.turns = "su", .after = "suA"), *b;

	(void)state;
	TURN(.turns = "su", .after = "suB");
	b = TURN(.turns = "suBx", .after = "suBxC");
	assert_string_not_equal(b, a);
	assert_string_equal(TURN(.turns = "suAy", .after = "suAyD"), a);
	assert_string_equal(TURN(.turns = "suBxCz"), b);
	/* And two that are answered alike, and go on differently. */
	assert_string_not_equal(TURN(.turns = "suAz"), a);
}

/* The application keeps only the last messages, or has the older ones summed up. */
static void test_truncated(void **state)
{
	const char *first = TURN(.turns = "su", .after = "suA", .anchor_after = "uA");

	(void)state;
	assert_string_equal(
	    TURN(.turns = "suAv", .after = "suAvB", .anchor = "uA", .anchor_after = "vB"), first);
	/* Now without its beginning, and again. */
	assert_string_equal(
	    TURN(.turns = "vBw", .after = "vBwC", .anchor = "vB", .anchor_after = "wC"), first);
	assert_string_equal(
	    TURN(.turns = "ZwCx", .after = "ZwCxD", .anchor = "wC", .anchor_after = "xD"), first);
	/* From here on it is resent as it is. */
	assert_string_equal(REQUEST(.turns = "ZwCxDy", .anchor = "xD"), first);
	/* The same words of another caller, and words that nobody was heard to say. */
	assert_string_not_equal(TURN(.turns = "vBw", .anchor = "vB", .key = "other"), first);
	assert_string_not_equal(TURN(.turns = "qQr", .anchor = "qQ"), first);
}

/* Two conversations came to the same question and answer: nobody knows which one goes on. */
static void test_ambiguous(void **state)
{
	const char *a = TURN(.turns = "au", .after = "auA", .anchor_after = "uA"),
		   *b = TURN(.turns = "bu", .after = "buA", .anchor_after = "uA");

	(void)state;
	assert_string_not_equal(a, b);
	assert_string_equal(TURN(.turns = "Suav", .anchor = "uA"), "");
	/* With their beginnings they are told apart. */
	assert_string_equal(TURN(.turns = "auAv", .anchor = "uA"), a);
	assert_string_equal(TURN(.turns = "buAv", .anchor = "uA"), b);
}

static void test_provider_ids(void **state)
{
	const char *a = TURN(.turns = "u", .after = "uA", .response = "resp_1"), *t;

	(void)state;
	assert_string_equal(TURN(.turns = "v", .previous = "resp_1", .response = "resp_2"), a);
	assert_string_equal(TURN(.turns = "w", .previous = "resp_2"), a);
	assert_string_not_equal(TURN(.turns = "w", .previous = "resp_2", .key = "other"), a);
	/* Joined late: what comes after the same unknown response belongs together. */
	t = REQUEST(.previous = "resp_9");
	assert_string_equal(REQUEST(.previous = "resp_9"), t);
	t = TURN(.turns = "q", .thread = "thread_1");
	assert_string_equal(TURN(.turns = "r", .thread = "thread_1"), t);
	assert_string_not_equal(TURN(.turns = "q"), t);
}

/* The same single request has the same id after a restart. */
static void test_restart(void **state)
{
	char before[CONVERSATION_ID_SIZE];

	strcpy(before, TURN(.turns = "su"));
	tear_down(state);
	set_up(state);
	assert_string_equal(TURN(.turns = "su"), before);
}

/* However many turns there are, the latest are known. */
static void test_bounded(void **state)
{
	char turns[40], last[CONVERSATION_ID_SIZE] = "", after[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(turns, sizeof(turns), "s%d", i);
		snprintf(after, sizeof(after), "s%d!", i);
		strcpy(last, TURN(.turns = turns, .after = after));
	}
	snprintf(turns, sizeof(turns), "%s?", after);
	assert_string_equal(TURN(.turns = turns), last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_resent_history, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_branches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ambiguous, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_provider_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
