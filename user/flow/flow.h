/* user/flow/flow.h - captured bytes of many connections in, HTTP exchanges out.
 * Owns the connection table and each connection's parsers. No I/O, no clock (time is an argument,
 * CLOCK_MONOTONIC ns), no log. Every byte has a position: a record that begins past the expected
 * position is a gap, one before it a duplicate (ignored, counted).
 */
#pragma once

#include "base/span.h"
#include "flow/ident.h"
#include "parse/http1.h"

enum side { SIDE_REQUEST, SIDE_RESPONSE, SIDE_MAX_ };

/* Bytes of one message's body on the wire (content coding still on, transfer coding removed). */
struct coverage {
	uint64_t seen;	 /* captured */
	uint64_t lost;	 /* known to be missing */
	uint64_t unread; /* of seen: not given out, for its coding broke or a cap was reached */
	bool open_ended; /* the end was never seen: what is missing beyond lost is unknown */
};

/* How a body is divided into messages. A framed body is given out message by message. */
enum event_framing {
	FRAMING_NONE, /* it is not: bytes, as they come */
	FRAMING_SSE,
	/* Both sides, after the upgrade; from the request on and without a method, when that was
	 * not seen. */
	FRAMING_WEBSOCKET,
	FRAMING_GRPC,
	FRAMING_AWS_EVENTSTREAM,
	FRAMING_MAX_,
};

/* One message inside a body. Spans are borrowed until the callback returns. */
struct flow_event {
	enum side side;
	enum event_framing framing;
	/* SSE: the event field. AWS: `:event-type`, or the exception's type or error's code.
	 * gRPC-Web: "trailers" for these. Else empty. */
	struct span type;
	struct span data; /* at most max_event bytes */
	bool binary;	  /* not said to be text */
	bool failure;	  /* an AWS exception or error in place of an event */
	bool damaged;	  /* bytes of it are missing: lost, beyond max_event, or not decodable */
};

#define EXCHANGE_FIELDS_MAX 64
#define EXCHANGE_HEAD_MAX                                                                          \
	(32 << 10) /* bytes of field names and values kept per message; the rest is counted */

struct field {
	struct span name, value;
};

/* One request with its response. Owned by flow; valid until the end callback returns. Spans live as
 * long as the exchange. */
struct exchange {
	uint64_t number; /* unique per flow object, ascending */
	const struct conn_info *conn;
	bool client; /* the captured process sent the request (wrote it), else it served it */
	struct span method, target; /* target as sent: path?query, or absolute form */
	struct span host; /* Host field or authority, lower case, with port; empty when unknown */
	/* 0: no response head was seen, or what it says of the status refers to what passed unseen
	 */
	unsigned status;
	struct field *fields[SIDE_MAX_];
	size_t n_fields[SIDE_MAX_];
	/* As the head says, unless the body's first bytes show that it is not framed. */
	enum event_framing framing[SIDE_MAX_];
	bool streamed;	/* the response is framed */
	bool ambiguous; /* framing fields disagree, or a body's coding is not as the head says */
	bool bomb;	/* decompression of a body hit a cap */
	enum http1_end end[SIDE_MAX_];
	struct coverage body[SIDE_MAX_];
	uint64_t begin_ns; /* first byte of the request */
	/* The request's end, the response's first and newest body byte and its end; 0: not reached
	 */
	uint64_t request_end_ns, first_byte_ns, last_byte_ns, end_ns;
	bool dropped; /* by exchange_drop() */
	void *user;   /* for the callbacks; flow never touches it */
};

/* The field's value, or an empty span. name in lower case. */
struct span exchange_field(const struct exchange *x, enum side side, const char *name);
/* The target's path, as sent: without scheme, authority and query. */
struct span exchange_path(const struct exchange *x);

/* From a callback: no more of it is wanted; only end is called. */
void exchange_drop(struct exchange *x);

/* Per exchange: request (head complete, or no more of it will come), body/gap/event of either side
 * in wire order, request_end, response (head complete),
 * ..., end. A WebSocket's messages come after request_end, of both sides. Exactly one request and
 * one end for each exchange; a response whose request was never seen is skipped and counted.
 */
struct flow_ops {
	/* 0: give me its bodies; 1: of no interest (no more callbacks but end; flow_mutable()). */
	int (*request)(void *ctx, struct exchange *x);
	void (*response)(void *ctx, struct exchange *x);
	/* Body with transfer and content coding removed. Borrowed until it returns. */
	void (*body)(void *ctx, struct exchange *x, enum side side, struct span data);
	/* Bytes are missing here: n on the wire, 0 when what is missing cannot be counted (a
	 * compressed stream that broke). */
	void (*gap)(void *ctx, struct exchange *x, enum side side, uint64_t n);
	/* Instead of body for a framed one: each message when it is complete. */
	void (*event)(void *ctx, struct exchange *x, const struct flow_event *ev);
	void (*request_end)(void *ctx, struct exchange *x);
	void (*end)(void *ctx, struct exchange *x);
};

struct flow_limits {
	uint32_t max_conns;    /* beyond it the longest idle one is closed and counted */
	uint32_t max_pipeline; /* requests waiting for their response on one connection */
	uint32_t max_streams; /* open at once on one HTTP/2 connection; the longest idle one ends */
	uint64_t max_body;    /* decoded bytes of one unframed body given out */
	uint32_t max_ratio;   /* decompression */
	uint32_t max_event;   /* bytes of one message of a framed body */
	uint64_t idle_ns;     /* a connection without bytes for so long is closed */
};
extern const struct flow_limits flow_defaults;

struct flow_stats {
	uint64_t conns, open_conns, evicted; /* evicted: by max_conns */
	/* gap_bytes: not those of HTTP/1 bodies that nobody wants. */
	uint64_t bytes, gap_bytes, gaps, duplicate_bytes;
	uint64_t skips; /* of one direction each, by flow_skipped() */
	uint64_t not_http, exchanges, unpaired, broken, ambiguous;
	uint64_t
	    decode_errors; /* bodies whose content coding broke or hit a cap, or is not known */
	uint64_t bombs;	   /* of these: hit a cap */
	uint64_t unknown_codings; /* and of these: the head names one that is not read */
	uint64_t events_broken;	  /* messages of framed bodies that break their protocol */
	uint64_t resynced;	  /* places where HTTP/2 frames were found again behind a loss */
	uint64_t unknown_fields;  /* HPACK: what they refer to passed unseen */
	uint64_t streams_evicted, tunnels, floods; /* HTTP/2 */
	uint64_t cut; /* heads, fields, bodies or events that a cap shortened */
};

struct flow;

/* -ENOMEM, -EINVAL for a zero limit. */
int flow_new(struct flow **ret, const struct flow_limits *limits, const struct flow_ops *ops,
	     void *ctx);
void flow_free(struct flow **f); /* ends every open exchange first */

/* A connection begins. info is copied. pos: where both directions stand (non-zero after a restart:
 * joined mid-stream). -ENOMEM. */
int flow_open(struct flow *f, const struct conn_info *info, const uint64_t pos[EV_DIR_MAX_],
	      uint64_t now_ns);
/* Its socket became known. */
void flow_sock(struct flow *f, uint64_t conn, const struct ev_sock *sock);
/* Captured bytes. An unknown conn is opened by what info tells (joined mid-stream). -ENOMEM. */
int flow_data(struct flow *f, const struct conn_info *info, enum ev_dir dir, uint64_t pos,
	      struct span data, uint64_t now_ns);
/* The connection ended at these final positions (NULL: unknown): what did not arrive by now is a
 * gap. */
void flow_close(struct flow *f, uint64_t conn, const uint64_t pos[EV_DIR_MAX_], uint64_t now_ns);
/* The same for every connection of a process. */
void flow_exit(struct flow *f, uint32_t tgid, uint64_t start_ns, uint64_t now_ns);
/* Closes what is idle. Call about once a second. */
void flow_tick(struct flow *f, uint64_t now_ns);
/* Bytes of these directions (a bit for each) passed unseen, nobody knows how many: what
 * flow_mutable() allowed not to capture. Before the data that follows them. */
void flow_skipped(struct flow *f, uint64_t conn, unsigned dirs);

/* What of a connection need not be captured, being of no interest. */
enum flow_mute {
	FLOW_WATCH,
	FLOW_MUTE_TURN,	   /* the rest of the answer under way, until the direction turns */
	FLOW_MUTE_ANSWERS, /* answers to plain requests (bpf/event.h) */
	FLOW_MUTE_DIR,	   /* one direction, for a while */
	FLOW_MUTE_ALL,	   /* everything, for a while */
};
/* *ret_dir: that of the answers, unless FLOW_WATCH or FLOW_MUTE_ALL. */
enum flow_mute flow_mutable(const struct flow *f, uint64_t conn, enum ev_dir *ret_dir);
const struct flow_stats *flow_stats(const struct flow *f);
/* Bytes of exchanges that began and did not end yet: what is lost if this process dies now. */
uint64_t flow_undecided(const struct flow *f);
