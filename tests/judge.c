/* tests/judge.c - one detector, the texts put to it, and what it found. */
#include "judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "patterns.h"

struct detect *detect;
struct finding found[FOUND_MAX];
size_t n_found;
bool (*judge_counts)(const struct finding *f);

int judge_setup(void **state)
{
	(void)state;
	detect = test_detect(NULL);
	return 0;
}

int judge_teardown(void **state)
{
	(void)state;
	detect_free(&detect);
	return 0;
}

struct segment segment(enum segment_role role, const char *text)
{
	static const enum origin origins[SEG_MAX_] = {
		[SEG_SYSTEM] = ORIGIN_OPERATOR,
		[SEG_DEVELOPER] = ORIGIN_OPERATOR,
		[SEG_USER] = ORIGIN_USER,
		[SEG_ASSISTANT] = ORIGIN_MODEL,
		[SEG_TOOL_CALL] = ORIGIN_MODEL,
		[SEG_TOOL_RESULT] = ORIGIN_TOOL,
		[SEG_DOCUMENT] = ORIGIN_RETRIEVED,
		[SEG_REASONING] = ORIGIN_MODEL,
		[SEG_TOOL_DEFINITION] = ORIGIN_TOOL,
	};

	return (struct segment){ .role = role,
				 .origin = origins[role],
				 .side =
				     origins[role] == ORIGIN_MODEL ? SIDE_RESPONSE : SIDE_REQUEST,
				 .text = { .p = (uint8_t *)text, .len = strlen(text) } };
}

void note(void *ctx, const struct finding *f)
{
	(void)ctx;
	if (judge_counts && !judge_counts(f))
		return;
	assert_true(n_found < FOUND_MAX);
	found[n_found++] = *f;
}

static void add_phase(struct segment *s, size_t n, enum detect_phase phase)
{
	struct turn t = { .segments = s, .n_segments = n };

	assert_int_equal(detect_turn(detect, &t, phase, note, NULL), 0);
}

void judge_phase(struct segment *s, size_t n, enum detect_phase phase)
{
	n_found = 0;
	add_phase(s, n, phase);
}

void judge_turn(struct segment *s, size_t n)
{
	judge_phase(s, n, DETECT_REQUEST);
	add_phase(s, n, DETECT_RESPONSE);
}

void judge(enum segment_role role, const char *text)
{
	struct segment s = segment(role, text);

	judge_turn(&s, 1);
}

const struct finding *find(enum kind kind, const char *type)
{
	for (size_t i = 0; i < n_found; i++)
		if (found[i].kind == kind && (!type || !strcmp(found[i].type, type)))
			return &found[i];
	return NULL;
}
