/* user/proc/choice.h - which processes are read in plain text: those that run a program, or are in
 * a cgroup, that `capture.plaintext` names. In the monitor. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "capture/capture.h"
#include "config/config.h"

/* Processes are named at all. */
bool choice_asked(const struct config *c);
/* By the path of its program, in its own mount namespace ("" when it is not known), and that of its
 * cgroup. */
bool choice_matches(const struct config *c, const char *exe, const char *cgroup);
/* Looks what the process is now, and tells capture. */
void choice_make(const struct config *c, struct capture *capture, pid_t pid);
/* It was chosen, or inherited it from its parent. */
bool choice_made(struct capture *capture, pid_t pid);
