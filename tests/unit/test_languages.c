/* tests/unit/test_languages.c - prompt attacks in many languages, by rules alone: sentences that
 * most rules were not written from, and sentences of everyday life with the same words.
 * tests/data/prompt_attack/languages.tsv: language, "attack" or "benign", text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "detect/detect.h"
#include "patterns.h"

#define LANGUAGES_MAX 64
#define RECALL_MIN    0.5
#define LANGUAGES_MIN 20
#define FALSE_MAX     0.02 /* of the benign ones, all languages together */

static struct language {
	char name[16];
	unsigned attacks, found, alerts, benign, wrong;
} languages[LANGUAGES_MAX];
static size_t n_languages;

struct seen {
	bool any, alert;
};

static void note(void *ctx, const struct finding *f)
{
	struct seen *s = ctx;

	/* What the learned model says alone is not the rules'. */
	if (strcmp(f->detector, "prompt-attack") || !strcmp(f->type, "model"))
		return;
	s->any = true;
	s->alert |= f->mode == MODE_ALERT;
}

/* As a user's words, and as content: what is said to the one is not said to the other. */
static struct seen judge(struct detect *d, const char *text)
{
	static const struct segment roles[] = {
		{ .role = SEG_USER, .origin = ORIGIN_USER, .side = SIDE_REQUEST },
		{ .role = SEG_DOCUMENT, .origin = ORIGIN_RETRIEVED, .side = SIDE_REQUEST },
	};
	struct seen seen = { false, false };

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		struct segment s = roles[i];
		struct turn t = { .segments = &s, .n_segments = 1 };

		s.text = (struct buf){ .p = (uint8_t *)text, .len = strlen(text) };
		assert_int_equal(detect_turn(d, &t, DETECT_REQUEST, note, &seen), 0);
	}
	return seen;
}

static struct language *language(const char *name)
{
	for (size_t i = 0; i < n_languages; i++)
		if (!strcmp(languages[i].name, name))
			return &languages[i];
	assert_true(n_languages < LANGUAGES_MAX);
	snprintf(languages[n_languages].name, sizeof(languages[0].name), "%s", name);
	return &languages[n_languages++];
}

static void every_language(void **state)
{
	struct detect *d = test_detect(NULL);
	char *line = NULL;
	size_t room = 0;
	unsigned benign = 0, wrong = 0;
	FILE *f = fopen("tests/data/prompt_attack/languages.tsv", "re");

	(void)state;
	assert_non_null(f);
	while (getline(&line, &room, f) > 0) {
		char *save, *name = strtok_r(line, "\t", &save),
			    *sort = strtok_r(NULL, "\t", &save),
			    *text = strtok_r(NULL, "\n", &save);
		struct language *l;
		struct seen seen;

		assert_non_null(text);
		l = language(name);
		seen = judge(d, text);
		if (!strcmp(sort, "attack")) {
			l->attacks++;
			l->found += seen.any;
			l->alerts += seen.alert;
		} else {
			l->benign++;
			l->wrong += seen.any;
		}
	}
	free(line);
	fclose(f);
	detect_free(&d);
	for (size_t i = 0; i < n_languages; i++) {
		const struct language *l = &languages[i];

		print_message("%-8s found %u of %u (%u alerts), wrong %u of %u\n", l->name,
			      l->found, l->attacks, l->alerts, l->wrong, l->benign);
		benign += l->benign;
		wrong += l->wrong;
	}
	for (size_t i = 0; i < n_languages; i++)
		assert_true(languages[i].found >= RECALL_MIN * languages[i].attacks);
	assert_true(n_languages >= LANGUAGES_MIN);
	assert_true(wrong <= FALSE_MAX * benign);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_language) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
