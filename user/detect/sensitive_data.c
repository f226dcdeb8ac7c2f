/* user/detect/sensitive_data.c - the table of types, see sensitive.def. */
#include "detect/sensitive.h"

const struct sensitive_type sensitive_types[SENSITIVE_MAX_] = {
#define SENSITIVE(id, ...) [SENSITIVE_##id] = { __VA_ARGS__ },
#include "detect/sensitive.def"
#undef SENSITIVE
};
