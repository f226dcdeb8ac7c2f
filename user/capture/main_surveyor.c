/* user/capture/main_surveyor.c - the surveyor role: reads one ELF file, answers, exits. Waits warm
 * for the file. */
#include <stdlib.h>

#include "base/log.h"
#include "capture/hint.h"
#include "capture/survey.h"
#include "proc/req.h"
#include "proc/sandbox.h"

int main(void)
{
	struct role_ctx ctx;
	struct survey s;

	role_begin(ROLE_SURVEYOR, &ctx);
	if (sandbox_enter(ROLE_SURVEYOR, -1, NULL) || ctx.fds[START_FILE] < 0) {
		log_error("no sandbox or no file");
		return 1;
	}
	if (survey_file(ctx.fds[START_FILE], &s))
		return 1;
	if (s.verdict == SURVEY_NONE)
		s.hints = hint_find(ctx.fds[START_FILE]);
	return req_send(ROLE_SOCKET, REQ_SURVEYED, &s, sizeof(s), NULL, 0) ? 1 : 0;
}
