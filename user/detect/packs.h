/* user/detect/packs.h - the packs of rules that are built in: user/detect/packs/NAME.yaml, as they
 * are. */
#pragma once

#include "base/span.h"

/* The i-th; false past the last. Its file's name is static. */
bool packs_built_in(size_t i, struct span *ret_yaml, const char **ret_name);
