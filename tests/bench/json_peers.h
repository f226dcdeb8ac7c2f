/* tests/bench/json_peers.h - the readers that tests/bench/json.c runs beside ours. Their headers
 * use our names, so they are built apart. Each takes a whole document: 0, or -1 when it is refused.
 */
#pragma once

#include "base/span.h"

int peer_jansson(struct span in);
int peer_yyjson(struct span in);
