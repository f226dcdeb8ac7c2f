/* tests/recording.h - recorded exchanges and the turns that must come of them.
 * tests/data/dialect/NAME.req and NAME.res are the bytes of each direction, NAME.turn the log.
 */
#pragma once

#include "wire.h"

struct recording {
	char path[256]; /* without its suffix */
	uint8_t *bytes[SIDE_MAX_];
	size_t len[SIDE_MAX_];
};

/* Bytes [at, at + n) of one side that pass unseen. */
struct loss {
	enum side side;
	size_t at, n;
};

/* Plays one, whole (piece 0) or in pieces, without loss (NULL) or with. 0, -ENOMEM. */
int recording_play(const struct recording *r, size_t piece, const struct loss *loss,
		   struct evlog *log);

/* Of every recording whose name begins with prefix: the log is the golden one, also in pieces of
 * every size; with gaps it is the same however it is cut; it survives the nth allocation failing.
 * Fails the test when there is none. UPDATE_GOLDENS=1 in the environment writes the goldens
 * instead.
 */
void recordings_test(const char *prefix);
/* Of every recording of a WebSocket whose name begins with prefix, when its upgrade passes unseen:
 * the same is said in it as the golden tells. Fails when there is none. */
void recordings_test_joined(const char *prefix);
