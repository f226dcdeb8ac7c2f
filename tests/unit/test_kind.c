/* tests/unit/test_kind.c - every row of the kind table is whole, and names find their rows. */
#include "detect/kind.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"

static const char *const families[] = { "jailbreak", "injection", "recon",  "credential", "data",
					"url",	     "access",	  "wallet", "tool",	  "poison",
					"model",     "canary",	  "taint",  "filter",	  "posture",
					"sensor",    "custom" };

static bool known_family(const char *name)
{
	size_t len = strcspn(name, ".");

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (strlen(families[i]) == len && !memcmp(families[i], name, len))
			return true;
	return false;
}

/* Every space-separated id begins with one of the prefixes (also space-separated). */
static void check_ids(const char *ids, const char *prefixes, const char *needs)
{
	char copy[256], *save, *id;

	assert_true(strlen(ids) < sizeof(copy));
	strcpy(copy, ids);
	for (id = strtok_r(copy, " ", &save); id; id = strtok_r(NULL, " ", &save)) {
		char list[64], *at, *p;
		bool ok = false;

		strcpy(list, prefixes);
		for (p = strtok_r(list, " ", &at); p; p = strtok_r(NULL, " ", &at))
			ok |= !strncmp(id, p, strlen(p)) && isdigit((unsigned char)id[strlen(p)]);
		if (!ok || (needs && !strstr(id, needs)))
			fail_msg("bad id %s", id);
	}
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (enum kind k = 0; k < KIND_MAX_; k++) {
		const struct kind_row *r = &kinds[k];
		bool sensor = !strncmp(r->name, "sensor.", 7);

		assert_true(known_family(r->name));
		assert_non_null(strchr(r->name, '.'));
		assert_int_equal(kind_find(r->name), k); /* unique, too */
		assert_true(r->mode < MODE_MAX_);
		assert_true(strlen(r->title) > 10 && r->title[strlen(r->title) - 1] != '.');
		assert_true(strlen(r->description) > 40 &&
			    r->description[strlen(r->description) - 1] == '.');
		assert_true(strlen(r->remediation) > 40 &&
			    r->remediation[strlen(r->remediation) - 1] == '.');
		for (enum outcome o = 0; o < OUTCOME_MAX_; o++) {
			assert_true(r->severity[o] < SEVERITY_MAX_);
			/* What was stopped is never worse than what was not. */
			assert_true(r->severity[OUTCOME_BLOCKED] <= r->severity[o]);
			assert_true(r->severity[OUTCOME_TOOL_EXECUTED] >= r->severity[o]);
		}
		check_ids(r->atlas, "AML.T", NULL);
		check_ids(r->tactics, "AML.TA", NULL);
		check_ids(r->owasp, "LLM ASI", ":20");
		assert_true(sensor || k == KIND_CUSTOM || (*r->atlas && *r->owasp && *r->tactics));
	}
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(kind_find("credential.exposed"), KIND_CREDENTIAL_EXPOSED);
	assert_int_equal(kind_find("credential"), KIND_MAX_);
	assert_int_equal(kind_find(""), KIND_MAX_);
	for (enum severity s = 0; s < SEVERITY_MAX_; s++)
		assert_int_equal(severity_find(severity_name(s)), s);
	assert_int_equal(severity_find("severe"), SEVERITY_MAX_);
	assert_string_equal(severity_name(SEVERITY_MAX_), "unknown");
	for (enum mode m = 0; m < MODE_MAX_; m++)
		assert_int_equal(mode_find(mode_name(m)), m);
	assert_int_equal(mode_find("on"), MODE_MAX_);
	assert_string_equal(mode_name(MODE_MAX_), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
