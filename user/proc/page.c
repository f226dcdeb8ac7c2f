/* user/proc/page.c - the table of counters. */
#include "proc/page.h"

#include "base/own.h"

const struct counter_row counters[CTR_MAX_] = {
#define COUNTER(id, name, help) [CTR_##id] = { name, help },
#include "proc/counters.def"
#undef COUNTER
};
static_assert(ARRAY_SIZE(counters) == CTR_MAX_, "counter without a row");

const enum counter loss_counters[EV_LOSS_MAX_] = {
	[EV_LOSS_RING] = CTR_LOST_RING,		  [EV_LOSS_FAULT] = CTR_LOST_FAULT,
	[EV_LOSS_CALL] = CTR_LOST_CALL,		  [EV_LOSS_MUTED] = CTR_LOST_MUTED,
	[EV_LOSS_CONNS] = CTR_LOST_CONNS,	  [EV_LOSS_CONTROL] = CTR_LOST_CONTROL,
	[EV_LOSS_NESTED] = CTR_LOST_NESTED,	  [EV_LOSS_SENDFILE] = CTR_LOST_SENDFILE,
	[EV_LOSS_NO_BUFFER] = CTR_LOST_NO_BUFFER, [EV_LOSS_BUDGET] = CTR_LOST_BUDGET,
};
