/* tests/drive.h - every parser behind one face: bytes and gaps in, an event log out.
 * A driver also checks what its parser promises whatever the input is (order of callbacks, valid
 * UTF-8, hashes that match, caps) and aborts when a promise is broken. Unit tests with goldens and
 * fuzzers run the same drivers.
 */
#pragma once

#include <stdlib.h>

#include "evlog.h"

struct driver {
	const char *name; /* of its folder under tests/data/ */
	/* arg: a word that selects a mode, "" for the first one. 0 or -ENOMEM. */
	int (*open)(void **ret, struct evlog *log, const char *arg);
	int (*feed)(void *d, struct span in); /* logs nothing of its own; 0 or -ENOMEM */
	void (*gap)(void *d, uint64_t n);
	void (*end)(void *d); /* end of input; logs the verdict */
	void (*free)(void *d);
	const char *const *args; /* NULL-terminated: every mode, for fuzzers */
	/* Logs that may come of the same input, cut differently; NULL: only equal ones. */
	bool (*alike)(const char *a, const char *b);
};

extern const struct driver driver_json, driver_http1, driver_sse, driver_coding;
/* drive_messages.c */
extern const struct driver driver_websocket, driver_grpc, driver_eventstream, driver_multipart;
extern const struct driver driver_hpack, driver_http2; /* drive_http2.c */

/* What a driver checks of its parser. */
static inline void promise(bool kept)
{
	if (!kept)
		abort();
}

/* One step of an input. */
struct drive_step {
	struct span bytes;
	uint64_t gap; /* lost behind the bytes */
};

/* Feeds the steps, bytes in pieces of at most `piece` bytes, each ending at a guard page. 0 or
 * -ENOMEM; the log is complete after 0. */
int drive(const struct driver *d, const char *arg, const struct drive_step *steps, size_t n_steps,
	  size_t piece, struct evlog *log);

/* For fuzzers: the first bytes choose the mode, a gap and the size of the pieces, the rest is the
 * input. Aborts when the log of the whole input differs from that of its pieces.
 */
void drive_fuzz(const struct driver *d, struct span data);
