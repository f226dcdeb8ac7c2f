/* tests/wire.h - what two processes would write to each other, through flow and reader, as a log of
 * lines. Checks on the way what both promise whatever the input is (order and number of callbacks,
 * sums, caps, valid UTF-8) and aborts when a promise is broken. Unit tests with goldens and the
 * fuzzer run the same.
 */
#pragma once

#include "dialect/dialect.h"
#include "evlog.h"
#include "flow/flow.h"

struct wire;

enum wire_log {
	WIRE_EXCHANGES, /* exchanges as flow gives them out, and all of them wanted */
	WIRE_TURNS,	/* turns as the reader makes them */
};

/* limits NULL: the defaults. -ENOMEM. */
int wire_new(struct wire **ret, enum wire_log what, struct evlog *log,
	     const struct flow_limits *limits);
void wire_free(struct wire **w);
void wire_progress(struct wire *w); /* from here on, progress is logged */
struct flow *wire_flow(struct wire *w);
const struct reader_stats *wire_reader_stats(const struct wire *w);

/* Connection 1, of process 100, opened at position 0; sends go through in pieces of at most `piece`
 * bytes (0: whole). */
void wire_open(struct wire *w, uint64_t conn);
void wire_open_midway(struct wire *w, uint64_t conn); /* its beginning was not seen */
int wire_send(struct wire *w, uint64_t conn, enum ev_dir dir, struct span data, size_t piece);
void wire_lose(struct wire *w, uint64_t conn, enum ev_dir dir,
	       uint64_t n); /* n bytes pass unseen */
void wire_close(struct wire *w, uint64_t conn);
/* For most tests: turns, connection 1 being open. Aborts without memory. */
struct wire *wire_turns(struct evlog *log);
/* All at once on that connection; it must be taken. */
void wire_pass(struct wire *w, enum ev_dir dir, struct span data);
/* What conn_info the helpers use for a connection. */
struct conn_info wire_conn(uint64_t conn);

/* One whole exchange as a client sees it, logged as a turn: POST of a JSON body to target, and what
 * comes back: status and field lines, each ended with CRLF, and a body that runs to the close.
 * Returns the log; the caller frees it.
 */
char *wire_call(const char *target, const char *json, const char *response, const char *body);
