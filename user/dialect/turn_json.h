/* user/dialect/turn_json.h - a turn as JSON, for people, tests and `earshot replay`. */
#pragma once

#include "base/json_out.h"
#include "dialect/turn.h"

/* Writes the members of t into the object that is open in o: every one, so that the shape never
 * changes. text: the segments' texts as well, which are captured secrets. Nothing that differs
 * between two runs of the same exchange (times, numbers) is among them. */
void turn_json(struct json_out *o, const struct turn *t, bool text);
