/* user/store/explained.h - what the monitor says of a process, and the keeper knows of it, as the
 * protobuf answer to `earshot explain`. Owns nothing: the answer points into what it was made of.
 */
#pragma once

#include "proc/explain.h"
#include "proto/earshot.pb-c.h"
#include "store/tally.h"

struct explain_reply {
	Earshot__ExplainReply reply;
	Earshot__Process process;
	Earshot__Container container;
	Earshot__CodeFile files[EXPLAIN_FILES_MAX], *file_list[EXPLAIN_FILES_MAX];
	Earshot__ProbeSite sites[EXPLAIN_FILES_MAX][SURVEY_SITES_MAX],
	    *site_list[EXPLAIN_FILES_MAX][SURVEY_SITES_MAX];
	char *hints[EXPLAIN_FILES_MAX][32];
};

/* Text of e is made valid UTF-8 in place; whatever is out of range there comes out empty. turns:
 * NULL: none. */
void explain_reply(struct explain_reply *ret, struct explained *e, const struct tally_row *turns,
		   uint64_t now_ns);
