/* user/config/rules_dir.h - a folder of rule packs, as one bundle (detect/rule_pack.h): read by who
 * may, parsed by who is in a cage.
 */
#pragma once

#include "base/buf.h"

/* Adds *.yaml and *.yml of the folder path in the order of names, or the one file path. trusted:
 * only files that nobody but root may write. A folder that does not exist is empty, unless it must.
 * 0, or -errno with a sentence in why. */
int rules_dir_read(const char *path, bool trusted, bool must_exist, struct buf *bundle, char *why,
		   size_t why_size);
