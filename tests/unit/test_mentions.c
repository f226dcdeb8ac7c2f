/* tests/unit/test_mentions.c - texts that speak of attacks, and texts that are full of their words.
 * tests/data/prompt_attack/twins.tsv: "use" or "mention", role, text with \n, \t and \\: the same
 * phrases, said to a model and quoted in articles, tests, data sets, questions. harmless/: files
 * that assistants are given to read, such as rules for agents, logs, pages, write-ups.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/detect.h"
#include "patterns.h"

#define HARMLESS  "tests/data/prompt_attack/harmless"
#define LONG_TEXT (64 << 10)

static const struct segment roles[] = {
	{ .role = SEG_USER, .origin = ORIGIN_USER, .side = SIDE_REQUEST },
	{ .role = SEG_DOCUMENT, .origin = ORIGIN_RETRIEVED, .side = SIDE_REQUEST },
	{ .role = SEG_TOOL_RESULT, .origin = ORIGIN_TOOL, .side = SIDE_REQUEST },
};

struct seen {
	unsigned rules, alerts;
	char last[48];
};

static void note(void *ctx, const struct finding *f)
{
	struct seen *s = ctx;
	/* What the learned model says is not the rules'. */
	if (strcmp(f->detector, "prompt-attack") || !strncmp(f->type, "model", 5))
		return;
	s->rules++;
	s->alerts += f->mode == MODE_ALERT;
	snprintf(s->last, sizeof(s->last), "%s", f->type);
}

static struct seen judge(struct detect *d, const struct segment *role, struct buf text)
{
	struct segment s = *role;
	struct turn t = { .segments = &s, .n_segments = 1 };
	struct seen seen = { 0 };

	s.text = text;
	assert_int_equal(detect_turn(d, &t, DETECT_REQUEST, note, &seen), 0);
	return seen;
}

static const struct segment *role_of(const char *name)
{
	return &roles[!strcmp(name, "user") ? 0 : !strcmp(name, "document") ? 1 : 2];
}

static size_t unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p != '\\')
			*to++ = *p;
		else
			*to++ = *++p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
	}
	*to = 0;
	return (size_t)(to - text);
}

/* A phrase that is used is found; one that is mentioned makes no alert by rules. */
static void twins(void **state)
{
	struct detect *d = test_detect(NULL);
	unsigned uses = 0, found = 0, mentions = 0, alerts = 0;
	FILE *f = fopen("tests/data/prompt_attack/twins.tsv", "re");
	char *line = NULL;
	size_t room = 0;

	(void)state;
	assert_non_null(f);
	while (getline(&line, &room, f) > 0) {
		char *save, *sort = strtok_r(line, "\t", &save),
			    *role = strtok_r(NULL, "\t", &save),
			    *text = strtok_r(NULL, "\n", &save);
		struct seen s;

		assert_non_null(text);
		s = judge(d, role_of(role),
			  (struct buf){ .p = (uint8_t *)text, .len = unescape(text) });
		if (!strcmp(sort, "use")) {
			uses++;
			found += s.rules > 0;
		} else {
			mentions++;
			alerts += s.alerts > 0;
			if (s.alerts)
				print_message("alert %s: %s\n", s.last, text);
		}
	}
	free(line);
	fclose(f);
	detect_free(&d);
	print_message("found %u of %u uses; %u alerts in %u mentions\n", found, uses, alerts,
		      mentions);
	assert_true(uses >= 50 && mentions >= 100);
	assert_int_equal(found, uses);
	assert_int_equal(alerts, 0);
}

static void reads_file(struct detect *d, const char *name)
{
	auto_mem uint8_t *text = malloc(LONG_TEXT);
	char path[512];
	size_t len, n;
	FILE *f;

	snprintf(path, sizeof(path), HARMLESS "/%s", name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(text);
	len = fread(text, 1, LONG_TEXT / 2, f);
	fclose(f);
	assert_true(len > 500);
	for (n = len; n + len <= LONG_TEXT; n += len)
		memcpy(text + n, text, len);
	/* What users paste may be an order; what is read for them is not. */
	for (size_t r = 1; r < ARRAY_SIZE(roles); r++) {
		struct seen once = judge(d, &roles[r], (struct buf){ .p = text, .len = len }),
			    often = judge(d, &roles[r], (struct buf){ .p = text, .len = n });

		if (once.alerts || often.alerts)
			fail_msg("%s: alert, %s", name, once.alerts ? once.last : often.last);
	}
}

/* However long they are. */
static void harmless(void **state)
{
	struct detect *d = test_detect(NULL);
	DIR *dir = opendir(HARMLESS);
	unsigned files = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		reads_file(d, e->d_name);
		files++;
	}
	closedir(dir);
	detect_free(&d);
	assert_true(files >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twins),
		cmocka_unit_test(harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
