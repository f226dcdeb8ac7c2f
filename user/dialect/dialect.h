/* user/dialect/dialect.h - which AI API is it? One file and one row in dialects.def each: exchange
 * in, turn out. A reader sits between flow and detection: it hands each exchange to the dialect
 * that recognises it and the finished turn on.
 */
#pragma once

#include "dialect/turn.h"
#include "parse/json.h"

struct dialect_state; /* one exchange being read; each dialect defines its own */

struct dialect {
	const char *name; /* "openai-chat" */
	const char *summary;
	/* 0: not mine; 1: by path or shape (any host that speaks it); 2: by host as well. The
	 * highest wins. */
	int (*match)(const struct exchange *x);
	/* -ENOMEM. t lives until close. */
	int (*open)(struct dialect_state **ret, struct turn *t);
	void (*on_body)(struct dialect_state *s, enum side side, struct span data);
	void (*on_gap)(struct dialect_state *s, enum side side, uint64_t n);
	/* Instead of on_body for a framed body. */
	void (*on_event)(struct dialect_state *s, const struct flow_event *ev);
	void (*on_request_end)(
	    struct dialect_state *s); /* every request segment is complete after it */
	void (*on_end)(struct dialect_state
			   *s); /* every response segment is complete, usage and outcome set */
	void (*close)(struct dialect_state **s);
};

#define DIALECT(id) extern const struct dialect dialect_##id;
#include "dialect/dialects.def"
#undef DIALECT

extern const struct dialect *const dialects[]; /* NULL-terminated */

struct reader_ops {
	/* The request is complete: its segments can be judged before the response comes. Called at
	 * most once per turn. */
	void (*request)(void *ctx, struct turn *t);
	/* The exchange is over: response segments, usage and outcome are set. request was called
	 * before, even for a cut request. */
	void (*end)(void *ctx, struct turn *t);
};

struct reader_stats {
	uint64_t turns, unknown_exchanges, json_broken, json_skipped, text_cut;
	uint64_t failed; /* turns not made for want of memory */
};

struct reader;

/* -ENOMEM. */
int reader_new(struct reader **ret, const struct reader_ops *ops, void *ctx);
void reader_free(struct reader **r);
/* The callbacks to give to flow_new(), with the reader as ctx. */
extern const struct flow_ops reader_flow_ops;
const struct reader_stats *reader_stats(const struct reader *r);

/* Helpers for dialects. */

/* A new segment at the end of t, or NULL when TURN_SEGMENTS_MAX is reached or memory is out
 * (counted). */
struct segment *turn_segment(struct turn *t, enum segment_role role, enum origin origin,
			     enum side side);
/* Appends text within the caps; what does not fit is counted in missing. */
void turn_text(struct turn *t, struct segment *s, struct span text);
/* Copies s into a fixed field, cut at a whole character. */
void turn_id(char *field, size_t size, struct span s);
/* The same piece by piece, as a JSON string comes. Other values leave the field alone. */
void turn_id_piece(char *field, size_t size, const struct json_event *e);
/* Content that is not read as text. */
void turn_skip(struct turn *t, enum skipped what, size_t n);
/* Wipes and frees what t owns. */
void turn_clear(struct turn *t);
