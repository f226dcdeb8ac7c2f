/* user/dialect/dialect.h - which AI API is it, and how does it read? A reader sits between flow and
 * detection: exchanges in, turns out.
 *
 * Adding an API is one file with one row in dialects.def. The file defines
 *   - a *form* for each kind of body: tables of JSON paths (shape.h) with handlers (reading.h);
 *   - *routes*: which methods and paths have which form;
 *   - the dialect: a name, a summary, its routes.
 * What no path tells is recognised by the body: a form's needs and hints are the keys that give it
 * away.
 */
#pragma once

#include "dialect/turn.h"
#include "parse/json.h"

struct reading; /* reading.h */
struct shapes;	/* shape.h */
struct grpc_form;

/* How the bodies of one operation read. */
struct form {
	const char *name; /* "openai-chat": what turns, alerts and docs call it */
	const char *summary;
	enum operation operation;	   /* unless the route has one */
	struct shapes *request, *response; /* NULL: no JSON that is of interest */
	/* Of files of JSON lines, which come as part of a form or as what the server calls binary.
	 * NULL: such are text or binary. */
	struct shapes *lines;
	/* Of an event: read before the event itself, for what decides how that is read (its type,
	 * numbers). */
	struct shapes *envelope;
	/* Whether this event needs that; NULL: every one. */
	bool (*ahead)(struct span data);
	const struct grpc_form *grpc; /* its bodies in gRPC (grpc_form.h); NULL: none */
	/* Events tell again, whole, what deltas told; in those of this type images and the like
	 * count. NULL: nothing is told twice. */
	const char *retold;
	const char *const *ignored; /* event types that tell nothing new; as last */
	const char *const *last;    /* event types that end a stream; NULL-terminated, or NULL */
	void (*end)(struct reading *r); /* the response is over; outcome follows. NULL: nothing */
	/* Values that no row names. NULL: they do not matter. */
	void (*any)(struct reading *r, const struct json_event *e, unsigned arg);
	/* Keys that a request of this form has: all of needs, which is NULL for a form that only
	 * its path can tell, and at least one of hints unless that is NULL. */
	const char *const *needs, *const *hints;
	/* Keys of a WebSocket's messages, two of which give it away when no path does, or none was
	 * seen. NULL: it is no form of sockets. */
	const char *const *socket;
	bool sure; /* no other form has these hints: it goes before those that share its needs */
};

struct route {
	/* The end of the path, by whole segments: "/chat/completions". "^/..." is the whole path.
	 * {model}, {object} and {conversation} stand for one segment, or a part of one, and go to
	 * the turn; {} goes nowhere. The one with most literal bytes wins. */
	const char *path;
	const struct form *form;  /* NULL: its body tells, as for an unknown path */
	enum operation operation; /* OP_UNKNOWN: the form's */
	const char *method;	  /* NULL: POST; "*": any */
	/* Known provider (provider.h) that it must be; NULL: any host. */
	const char *provider;
	const char *query; /* its parameter that names the model; NULL: none */
	const char *field; /* one of its head that it must have, in lower case; NULL: none */
	/* What the response's Server field begins with, in whatever case: nothing in the request
	 * tells whose it is. NULL: the request does. */
	const char *server;
	bool stream; /* its answers are streams */
	/* Others have such paths, too: the body must have the form's needs and one of its hints,
	 * else it is told as for an unknown path. */
	bool common;
	/* Its bodies are those of whoever made the model: they tell their form, and this one is for
	 * those that do not. */
	bool native;
	/* Takes the messages of a framed body that are not JSON events, or have them inside; may
	 * call reading_event(). Returns whether it took this one. */
	bool (*event)(struct reading *r, const struct flow_event *ev);
	/* The field that says how many bytes of a body are JSON, in lower case; what is behind them
	 * comes whole, in the end. NULL: all is JSON. */
	const char *json_len;
	void (*tail)(struct reading *r, enum side side, struct span bytes);
	struct shapes *added; /* what a gateway adds to the response, whatever its form; or NULL */
	void (*end)(struct reading *r); /* what the heads tell, after the form's own; or NULL */
};

struct dialect {
	const char *name; /* "openai-chat" */
	const char *summary;
	const struct route *routes;
	size_t n_routes;
};

#define DIALECT(id) extern const struct dialect dialect_##id;
#include "dialect/dialects.def"
#undef DIALECT

extern const struct dialect *const dialects[]; /* NULL-terminated */

/* clang-format off */
#define ROUTES(list_) .routes = (list_), .n_routes = ARRAY_SIZE(list_)
/* clang-format on */

#define PROGRESS_BYTES (16 << 10) /* of new response text in a stream: judged as it goes */

struct reader_ops {
	/* The request is complete: its segments can be judged before the response comes. Called at
	 * most once per turn. */
	void (*request)(void *ctx, struct turn *t);
	/* A long exchange has come further: a logical turn inside of it is complete, or another
	 * PROGRESS_BYTES of response text are there. Each segment's text from `judged` on is new.
	 * Both sides may have grown. Not called before request.
	 * turn_ended: one turn of a socket's many is complete, and counts for itself. */
	void (*progress)(void *ctx, struct turn *t);
	/* The exchange is over: response segments, usage and outcome are set. request was called
	 * before, even for a cut request. */
	void (*end)(void *ctx, struct turn *t);
};

struct reader_stats {
	uint64_t turns, unknown_exchanges, json_broken, json_skipped, text_cut;
	uint64_t failed;	     /* turns not made for want of memory */
	uint64_t by_shape;	     /* turns recognised by their body alone */
	uint64_t skipped[SKIP_MAX_]; /* bytes, as in turns */
};

struct reader;

/* -ENOMEM. */
int reader_new(struct reader **ret, const struct reader_ops *ops, void *ctx);
void reader_free(struct reader **r);
/* The callbacks to give to flow_new(), with the reader as ctx. */
extern const struct flow_ops reader_flow_ops;
const struct reader_stats *reader_stats(const struct reader *r);

/* Building a turn. */

/* A new segment at the end of t, or NULL when TURN_SEGMENTS_MAX is reached or memory is out
 * (counted). */
struct segment *turn_segment(struct turn *t, enum segment_role role, enum origin origin,
			     enum side side);
/* Appends text within the caps; what does not fit is counted in missing. */
void turn_text(struct turn *t, struct segment *s, struct span text);
/* Takes a segment's text away again. */
void turn_untext(struct turn *t, struct segment *s);
/* Moves the last segment's text to the end of another's. */
void turn_append(struct turn *t, struct segment *to, struct segment *last);
/* Copies s into a fixed field, cut at a whole character. */
void turn_id(char *field, size_t size, struct span s);
/* The same piece by piece, as a JSON string comes. Other values leave the field alone. */
void turn_id_piece(char *field, size_t size, const struct json_event *e);
/* Content that is not read as text. */
void turn_skip(struct turn *t, enum skipped what, size_t n);
/* One more, or NULL when ATTACHMENTS_MAX is reached or memory is out (counted). */
struct attached *turn_attachment(struct turn *t, enum skipped what, enum side side);
/* A part of a segment's text. */
struct piece {
	enum segment_role role;
	enum origin origin;
	size_t begin, end;
};
/* Puts n segments in the place of one, in this order; what no piece covers is dropped. -E2BIG
 * (TURN_SEGMENTS_MAX), -ENOMEM: nothing was changed. */
int turn_split(struct turn *t, size_t segment, const struct piece *pieces, size_t n);
/* Lets go of segments that were judged to their end. */
void turn_retire(struct turn *t);
/* Wipes and frees what t owns. */
void turn_clear(struct turn *t);
