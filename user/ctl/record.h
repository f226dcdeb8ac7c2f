/* user/ctl/record.h - `earshot record`: starts a sensor of its own that writes a trace. */
#pragma once

#include <stddef.h>

/* Until SIGINT, SIGTERM or, when not 0, so many seconds. 0, or -errno with a sentence in why; what
 * the sensor itself has to say stands on stderr. */
int record_run(const char *path, unsigned seconds, char *why, size_t why_size);
