/* user/ctl/trial.h - a sensor for a moment: does a test call come through on this host? */
#pragma once

#include <stddef.h>

/* Starts one with a state of its own, which is gone afterwards, and ends it when it is ready. 1:
 * its test call came through; 0: it did not; -errno: it did not start. In found, in words; what the
 * sensor itself has to say stands on stderr. */
int trial_run(char *found, size_t size);
