/* user/proc/explain.c - names of what `earshot explain` answers. */
#include "proc/explain.h"

const char *const explain_states[EXPLAIN_STATE_MAX_] = {
	[EXPLAIN_CAPTURED] = "captured", [EXPLAIN_WAITING] = "waiting",
	[EXPLAIN_FAILED] = "failed",	 [EXPLAIN_FOREIGN] = "foreign-tls",
	[EXPLAIN_NO_TLS] = "no-tls",	 [EXPLAIN_SENSOR] = "sensor",
	[EXPLAIN_CANARY] = "canary",	 [EXPLAIN_KERNEL] = "kernel-thread",
	[EXPLAIN_GONE] = "gone",
};
