/* user/dialect/provider.h - who runs the API that an exchange went to, told by its host. */
#pragma once

#include "flow/flow.h"

/* A known provider's name, or the host without its port ("" when there is none). Returns whether it
 * is a known one. */
bool provider_of(const struct exchange *x, char *ret_name, size_t size);
