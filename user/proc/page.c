/* user/proc/page.c - the table of counters. */
#include "proc/page.h"

#include "base/own.h"

const struct counter_row counters[CTR_MAX_] = {
#define COUNTER(id, name, help) [CTR_##id] = { name, help },
#include "proc/counters.def"
#undef COUNTER
};
static_assert(ARRAY_SIZE(counters) == CTR_MAX_, "counter without a row");
