/* user/scan/rules_tool.h - `earshot rules`: lists, tries and checks packs of rules. Needs no sensor
 * and no rights.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct rules_opts {
	const char *path; /* a folder of packs, or a pack, beside the built-in ones; NULL: none */
	bool json;
};

/* Each writes to out. -errno with the reason in why: lines "FILE:LINE:COLUMN: what", or a sentence.
 */

int rules_list(const struct rules_opts *o, FILE *out, char *why, size_t why_size);
/* Runs the hits and misses of every rule. How many went wrong. */
int rules_test(const struct rules_opts *o, FILE *out, char *why, size_t why_size);
/* Compiles each pattern alone and searches floods of near misses with it. How many patterns the
 * sensor would refuse, or would be slowed by. */
int rules_check(const struct rules_opts *o, FILE *out, char *why, size_t why_size);
