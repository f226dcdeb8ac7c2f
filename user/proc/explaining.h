/* user/proc/explaining.h - finds out, now, what is seen of a process or why nothing is. In the
 * monitor.
 */
#pragma once

#include "capture/capture.h"
#include "proc/codefile.h"
#include "proc/explain.h"
#include "proc/process.h"

/* Everything but the ticket. All are borrowed. own: it is a process of the sensor that examines
 * files. */
void explain_process(struct discover *d, struct codefiles *files, const struct processes *procs,
		     struct capture *c, pid_t pid, bool own, struct explained *ret);
