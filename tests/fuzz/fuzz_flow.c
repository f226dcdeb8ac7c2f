/* tests/fuzz/fuzz_flow.c - hostile bytes on several connections, through flow and reader: the
 * promises that wire.c checks hold, and any cut of the same bytes gives the same turns. The input
 * is a run of steps: what to do (a byte), how much (two bytes, little endian), and for STEP_DATA
 * the bytes.
 */
#include <stdlib.h>

#include "base/own.h"
#include "wire.h"

#define CONNS 3
#define DECIDED                                                                                    \
	128 /* bytes after which flow knows what a connection speaks; before, where a record       \
	       begins matters */

enum { STEP_DATA, STEP_LOSE, STEP_CLOSE, STEP_MIDWAY, STEP_MAX_ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* same: leave out what may depend on how the bytes are cut. Returns how many bodies could not be
 * decoded: how much of such a one comes out does (coding.h). */
static uint64_t run(struct span in, size_t piece, enum wire_log what, bool same, struct evlog *log)
{
	struct flow_limits limits = flow_defaults;
	auto_free(wire) struct wire *w = NULL;
	uint64_t sent[CONNS][EV_DIR_MAX_] = { 0 };
	uint64_t now = 1 << 20;

	limits.max_conns = same ? CONNS : CONNS - 1;
	limits.max_pipeline = 4;
	limits.max_event = 512;
	limits.max_body = 16384;
	if (wire_new(&w, what, log, &limits))
		abort();
	while (in.len >= 3) {
		uint64_t conn = in.p[0] % CONNS;
		enum ev_dir dir = in.p[0] >> 3 & 1;
		size_t n = in.p[1] | (size_t)in.p[2] << 8;
		struct conn_info info = wire_conn(conn);
		struct span bytes;

		switch (in.p[0] >> 4 & 3) {
		case STEP_DATA:
			bytes = span_sub(in, 3, n);
			if (!sent[conn][EV_READ] && !sent[conn][EV_WRITE])
				(in.p[0] & 0x40 && !same ? wire_open_midway : wire_open)(w, conn);
			if (wire_send(w, conn, dir, bytes, piece))
				abort();
			sent[conn][dir] += bytes.len;
			in = span_sub(in, bytes.len, in.len);
			break;
		case STEP_LOSE:
			if (!same || sent[conn][dir] >= DECIDED)
				wire_lose(w, conn, dir, n);
			break;
		case STEP_CLOSE:
			wire_close(w, conn);
			memset(sent[conn], 0, sizeof(sent[conn]));
			break;
		case STEP_MIDWAY:
			if (same)
				break;
			if (flow_data(wire_flow(w), &info, dir, (uint64_t)n << 40,
				      SPAN_LIT("HTTP/1.1 200\r\n\r\n"), now))
				abort();
			flow_skipped(wire_flow(w), conn, n >> 2 & 3);
			flow_mutable(wire_flow(w), conn, &dir);
			if (n & 1)
				flow_exit(wire_flow(w), info.tgid, info.start_ns, now);
			if (n & 2)
				flow_tick(wire_flow(w), UINT64_MAX);
			break;
		}
		in = span_sub(in, 3, in.len);
	}
	return flow_stats(wire_flow(w))->decode_errors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct evlog exchanges, whole, cut; /* kept: mapping costs more than many runs */
	struct span in = span_of(data, len);
	uint64_t errors;

	run(in, 0, WIRE_EXCHANGES, false, &exchanges);
	errors = run(in, 0, WIRE_TURNS, true, &whole);
	/* So can what is known of an exchange then, and how much more of its bodies is read. */
	errors += run(in, 1 + len % 13, WIRE_TURNS, true, &cut);
	if (!errors && !span_eq(span_of(whole.p, whole.len), span_of(cut.p, cut.len))) {
		fprintf(stderr, "whole:\n%scut:\n%s", whole.p ? whole.p : "", cut.p ? cut.p : "");
		abort();
	}
	evlog_clear(&exchanges);
	evlog_clear(&whole);
	evlog_clear(&cut);
	return 0;
}
