/* user/detect/rule_check.c - compiles a pattern alone, and says what is wrong with it. */
#include "detect/rule_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "detect/engine.h"
#include "detect/prepare.h"
#include "detect/sequence.h"

static int refuse(char *why, size_t why_size, const char *fmt, size_t a, size_t b)
{
	snprintf(why, why_size, fmt, a, b);
	return -EINVAL;
}

/* What the expression says of itself. */
static int check_shape(const char *text, unsigned flags, char *why, size_t why_size)
{
	hs_compile_error_t *error = NULL;
	hs_expr_info_t *info = NULL;
	hs_error_t hs = hs_expression_info(text, flags, &info, &error);
	int err = 0;

	if (hs != HS_SUCCESS) {
		snprintf(why, why_size, "%s", error ? error->message : "no memory");
		hs_free_compile_error(error);
		return hs == HS_NOMEM ? -ENOMEM : -EINVAL;
	}
	if (!info->min_width)
		err = refuse(why, why_size, "it matches the empty text", 0, 0);
	else if (info->min_width < RULE_MIN_WIDTH)
		err =
		    refuse(why, why_size, "it matches %zu byte(s): less than %zu are in every text",
			   info->min_width, RULE_MIN_WIDTH);
	free(info);
	return err;
}

/* 1: the word needs no automaton, it is looked up; 0; -errno. */
static int is_looked_up(const struct fold *fold, const char *text)
{
	struct view folded = PATTERN_VIEW;
	int err = pattern_fold(fold, text, &folded);
	bool yes = !err && sequences_finds(buf_span(&folded.bytes));

	pattern_view_free(&folded);
	return err ? err : yes;
}

int rule_check(const struct rules *rules, const struct rule_pattern *p, struct hs_database **ret_db,
	       char *why, size_t why_size)
{
	const struct pattern pattern = { .text = rules_text(rules, p->text),
					 .literal = p->sort == RULE_LITERAL || p->sort == RULE_WORD,
					 .caseless = true };
	hs_compile_error_t *error = NULL;
	hs_database_t *db = NULL;
	hs_platform_info_t platform;
	auto_mem char *text = NULL;
	struct fold *fold = NULL;
	unsigned flags;
	size_t size, len;
	hs_error_t hs;
	int err;

	*why = 0;
	if (p->sort == RULE_SEQUENCE)
		return 0;
	err = fold_new(&fold);
	if (!err && p->sort == RULE_WORD)
		err = is_looked_up(fold, pattern.text);
	if (!err)
		err = pattern_prepare(fold, &pattern, &text, &len, &flags);
	fold_free(&fold);
	if (!err)
		err = check_shape(text, flags, why, why_size);
	if (err)
		return MIN(err, 0);
	engine_platform(&platform);
	hs = hs_compile(text, flags, HS_MODE_BLOCK, &platform, &db, &error);
	if (hs != HS_SUCCESS) {
		snprintf(why, why_size, "%s", error ? error->message : "no memory");
		hs_free_compile_error(error);
		return hs == HS_NOMEM ? -ENOMEM : -EINVAL;
	}
	if (hs_database_size(db, &size) == HS_SUCCESS && size > RULE_DB_MAX)
		err = refuse(
		    why, why_size,
		    "its automaton takes %zu KiB, at most %zu: bound its repeats, or split it",
		    size >> 10, RULE_DB_MAX >> 10);
	if (!err && ret_db)
		*ret_db = steal(db);
	hs_free_database(db);
	return err;
}
