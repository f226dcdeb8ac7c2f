/* user/detect/rule_check.h - is a pattern of a rule fit to be searched for in everything? */
#pragma once

#include "detect/detector.h"

#define RULE_DB_MAX    (1 << 20) /* bytes of its automaton; those built in take a fraction of it */
#define RULE_MIN_WIDTH 3	 /* bytes that it matches at least */

struct hs_database;

/* Compiles the pattern alone. 0; -EINVAL with the reason in why; -ENOMEM. *ret_db, unless NULL: to
 * be freed with hs_free_database(); not written for what takes no automaton. */
int rule_check(const struct rules *rules, const struct rule_pattern *p, struct hs_database **ret_db,
	       char *why, size_t why_size);
