/* user/dialect/canary.h - the sensor's own test calls: what they look like, and whether one came
 * through whole. They go through a flow and a reader of their own, so that they show in nobody's
 * figures. Which connections are theirs is not told by their content, which anybody could copy, but
 * by the kernel (EV_CONN_CANARY).
 */
#pragma once

#include "flow/flow.h"

#define CANARY_HOST  "canary.earshot.invalid"
#define CANARY_MODEL "earshot-canary"
#define CANARY_ASK   "Is anybody listening?"
#define CANARY_SAY   "Loud and clear."

struct canary;

/* -ENOMEM */
int canary_new(struct canary **ret);
void canary_free(struct canary **c);
/* Where its connections go. Owned by c. */
struct flow *canary_flow(struct canary *c);
/* Calls that were understood from end to end: each counts on the client's side and on the server's.
 */
uint64_t canary_seen(const struct canary *c);
