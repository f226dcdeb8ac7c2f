/* user/ctl/doctor.h - `earshot doctor`: can this host carry a sensor, and does the one that runs
 * see? */
#pragma once

#include "ctl/render.h"

/* try: where no sensor runs, start one for a moment. Prints, as JSON instead of a list when json. 1
 * when something is bad. */
int doctor(const struct render *r, const char *run_dir, bool json, bool try);
