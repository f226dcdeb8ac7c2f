/* tests/judge.h - one detector with the default settings, the texts put to it, and what it found: a
 * group's setup and teardown are judge_setup() and judge_teardown().
 */
#pragma once

#include "detect/detect.h"

#define FOUND_MAX 256

extern struct detect *detect;
extern struct finding found[FOUND_MAX];
extern size_t n_found;
/* Which findings count; NULL: all. Set by a group's setup. */
extern bool (*judge_counts)(const struct finding *f);

int judge_setup(void **state);
int judge_teardown(void **state);

/* As who writes in that role mostly writes it: models answer, all else is in the request. */
struct segment segment(enum segment_role role, const char *text);
/* An emit_fn: adds it to found. */
void note(void *ctx, const struct finding *f);
/* found becomes what is found in these texts, in one phase or in both. */
void judge_phase(struct segment *s, size_t n, enum detect_phase phase);
void judge_turn(struct segment *s, size_t n);
void judge(enum segment_role role, const char *text);
/* The first one of that kind and type (NULL: any). */
const struct finding *find(enum kind kind, const char *type);
