/* user/parse/eventstream.h - AWS event streams (application/vnd.amazon.eventstream), as Bedrock
 * sends them. Owns one message of carry-over: headers up to the format's own limit, payload capped
 * by max_payload. Both checksums are checked. Input is hostile and may be cut or interrupted
 * anywhere: behind a gap the next prelude is found by its checksum.
 */
#pragma once

#include "base/span.h"

#define EVENTSTREAM_HEADERS_MAX (128 << 10)
#define EVENTSTREAM_MESSAGE_MAX (24 << 20) /* the format's limits */
#define EVENTSTREAM_PRELUDE_LEN 12

/* How a header's value is written. */
enum eventstream_type {
	EVENTSTREAM_TRUE,
	EVENTSTREAM_FALSE,
	EVENTSTREAM_BYTE,
	EVENTSTREAM_SHORT,
	EVENTSTREAM_INTEGER,
	EVENTSTREAM_LONG,
	EVENTSTREAM_BYTES,
	EVENTSTREAM_STRING,
	EVENTSTREAM_TIMESTAMP,
	EVENTSTREAM_UUID,
	EVENTSTREAM_TYPE_MAX_,
};

struct eventstream_header {
	struct span name;
	enum eventstream_type type;
	struct span value; /* as on the wire; empty for true and false */
};

struct eventstream_message {
	struct span headers; /* see eventstream_header() */
	struct span type;    /* ":event-type", ":exception-type" or ":error-code" */
	struct span payload;
	bool failure; /* an exception or error */
	bool damaged; /* bytes are missing, the cap cut it, or its checksum is wrong */
};

/* The message is borrowed until it returns. */
typedef void eventstream_fn(void *ctx, const struct eventstream_message *m);

struct eventstream_stats {
	uint64_t messages, cut;
	uint64_t broken; /* checksums, lengths and headers that are wrong */
	uint64_t resynced;
};

struct eventstream;

/* -ENOMEM. */
int eventstream_new(struct eventstream **ret, size_t max_payload, eventstream_fn *fn, void *ctx);
void eventstream_free(struct eventstream **s);
/* Consumes all of in. Any split of the same bytes gives the same callbacks. 0, -ENOMEM (a message
 * is damaged for it).
 */
int eventstream_feed(struct eventstream *s, struct span in);
void eventstream_gap(struct eventstream *s, uint64_t n); /* n bytes were lost here, 0: unknown */
/* No more bytes will come: an unfinished message is given out damaged. */
void eventstream_end(struct eventstream *s);
const struct eventstream_stats *eventstream_stats(const struct eventstream *s);

/* The next header of *headers, which becomes what follows. 1, 0 at the end, -EBADMSG. */
int eventstream_header(struct span *headers, struct eventstream_header *ret);
/* Can a body begin with these bytes? 1, 0, -EAGAIN: too short to say. */
int eventstream_probe(struct span first);
