/* user/dialect/reading.h - one exchange being read: two JSON documents, or a stream of them, become
 * a turn. A form (dialect.h) is tables of rows (shape.h); the handlers that most rows need are
 * here, and each says what its row's arg is. None is named after an API.
 *
 * What they make: a *message* (an item of the history, an output item, a choice) has a number, a
 * role, and *segments*, one for each field and part. Fields of an object come in any order, so its
 * segments get role and names when it ends.
 */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/utf8.h"
#include "dialect/dialect.h"
#include "dialect/shape.h"
#include "parse/charset.h"

/* Which field of a message a text comes from: role and origin follow from it. */
enum field_of {
	FIELD_CONTENT, /* what the message's role says; in a response, the model's words */
	FIELD_REFUSAL,
	FIELD_TRANSCRIPT, /* of what the model spoke */
	FIELD_REASONING,
	FIELD_CALL, /* arguments of a tool call */
	FIELD_RESULT,
	FIELD_DOCUMENT,
	FIELD_TOOL,	   /* a tool's definition by the application */
	FIELD_REMOTE_TOOL, /* by a tool server */
	FIELD_INSTRUCTIONS,
	FIELD_INPUT,  /* a prompt that is no message */
	FIELD_OUTPUT, /* an answer that is no message */
	FIELD_MAX_,
};

/* A message (item) or a part of one (block) in hand. */
struct item {
	bool open;
	size_t first; /* its segments begin here */
	size_t media; /* its attachments do here */
	char role[24], type[48];
	char call_id[TURN_ID_MAX], name[TURN_ID_MAX];
	char media_type[64];
};

#define MEDIA_HEAD_MAX TURN_URL_MAX /* bytes of a value that tell what it is */
#define TAIL_PARTS_MAX 32
#define TURNS_AT_ONCE  8  /* inside one exchange */
#define TURN_MESSAGES  64 /* numbers kept free for each of them */
#define ORDER_MAX      16 /* choices in one event whose numbers are known ahead */

/* Base64 of a text being decoded. */
struct unpack {
	uint32_t bits, n_bits; /* of a byte that is not complete */
	struct utf8 utf8;
};

/* What is behind the JSON of a body (dialect.h), and of what parts it is, as the JSON says. */
struct tail {
	bool cut; /* nobody knows where its next byte belongs */
	uint64_t json_left;
	struct buf bytes;
	size_t n_parts;
	struct {
		uint64_t size;
		bool text;
	} parts[TAIL_PARTS_MAX];
};

/* One side of the exchange. A response may begin before its request ended, so nothing of reading is
 * shared. */
struct port {
	struct reading *of;
	enum side side;
	struct json *json;
	struct shapes *shapes;
	const struct shape_ref *at; /* the row at work */
	enum { BODY_NEW, BODY_JSON, BODY_FORM, BODY_MEDIA, BODY_UNREAD } body;
	struct form_data *form_data;
	struct charset charset;
	struct item item, block;
	uint32_t message, part; /* numbers of what is in hand, where paths do not tell */
	uint32_t n_items;
	/* A response with turns inside: numbers of this one's messages begin at base, and all are
	 * below n_messages. */
	uint32_t base, n_messages;
	struct {
		uint32_t hash, base; /* hash: of its id */
	} turns[TURNS_AT_ONCE];
	uint32_t n_turns, n_open; /* turns that were seen by their id; that did not end yet */
	size_t last;		  /* segment touched last */
	bool has_last;
	struct tail *tail; /* NULL: all of its body is JSON */
	bool hole;	   /* bytes are missing before the next segment */
	bool broken;	   /* its document is not JSON: counted */
	bool skipping;	   /* inside a value that earlier events of the stream gave */
	bool another;	   /* the value in hand begins a segment of its own */
	struct {
		char type[64];
		uint32_t message, part, summary;
		uint32_t order[ORDER_MAX], n_order; /* where each choice of an event belongs */
	} event; /* what an event says of itself ahead of all else */
	/* A value kept as JSON text. */
	struct {
		bool on, fresh;
		enum field_of field;
		uint32_t part;
		unsigned depth;
	} value;
	/* A value that is an image or a file. */
	struct {
		enum { MEDIA_NONE, MEDIA_HEAD, MEDIA_DATA, MEDIA_TEXT, MEDIA_PACKED } state;
		enum skipped what;
		struct attached *to;
		uint64_t size;
		size_t n;
		uint8_t head[MEDIA_HEAD_MAX];
		XXH3_state_t *hash; /* while it is read: it is large */
		struct unpack unpack;
	} media;
	char word[64], id[TURN_ID_MAX]; /* values being put together */
};

struct reading {
	struct turn t;
	const struct route *route;
	const struct form *form;       /* NULL: not known yet, held is what came */
	struct port *ports[SIDE_MAX_]; /* NULL: not begun; the request's also when it is over */
	struct port *now;	       /* whose value is in hand */
	struct buf held[SIDE_MAX_];
	unsigned untold[2]; /* messages of a WebSocket without route: whole, damaged ones */
	struct buf inside;  /* what an event has inside of a string: reading_inside() */
	char status[32], reason[32]; /* how the response says it ended */
	bool named;		     /* the model's name came with the path, and that decides */
	bool blocked, refused, failed, executed; /* what the response's fields say */
	uint64_t new_text;			 /* turn.inspected when it was last judged */
	bool progress;	/* a logical turn inside the exchange is complete */
	bool requested; /* the request went to the judge */
	bool turned;	/* a turn of a socket was complete before */
};

/* --- the life of a reading; for reader.c and for events that carry others' bodies */

/* -ENOMEM. form NULL: told later by its body, see recognise.h. */
int reading_begin(struct reading *r, const struct form *form);
void reading_clear(struct reading *r);
void reading_body(struct reading *r, enum side side, struct span data);
void reading_gap(struct reading *r, enum side side, uint64_t n);
/* One message of a framed body: its JSON, and its type if its framing has one. */
void reading_event(struct reading *r, enum side side, struct span type, struct span data,
		   bool damaged);
void reading_request_end(struct reading *r);
/* Cuts rendered prompts of the request, which is complete, into their parts: template.h. */
void reading_split(struct reading *r);
/* Does the response's body stand between two documents (lines of JSON)? What it said so far has its
 * role then. */
bool reading_between(const struct reading *r);
/* One turn of a socket is complete, and has its outcome; then the next one begins. */
void reading_turn_end(struct reading *r);
void reading_turn_begin(struct reading *r);
void reading_end(struct reading *r);

/* A value that comes from elsewhere than JSON: its row is called. */
void reading_event_of(struct port *port, const struct json_event *e);
/* An image or file that comes as it is: begin, bytes, end. */
void reading_media_begin(struct reading *r, enum skipped what, struct span type, struct span name);
void reading_media_bytes(struct reading *r, struct span data);
void reading_media_end(struct reading *r);

/* --- handlers of rows; arg */

row_fn reading_item;   /* begin and end of a message's object */
row_fn reading_block;  /* begin and end of a part's object */
row_fn reading_mark;   /* a string of the port: PORT_STR(item.role), PORT_STR(block.name) */
row_fn reading_number; /* a small whole number of the port: offsetof(struct port, part) */

row_fn reading_text;	   /* a string: text of enum field_of */
row_fn reading_input;	   /* a prompt: strings are FIELD_INPUT, numbers token ids */
row_fn reading_part_begin; /* a part that is an object or a bare string; of enum field_of */
row_fn reading_delta;	   /* a string: a piece of the text of enum field_of */
row_fn reading_line;	   /* the same, each value a line of it */
row_fn reading_another;	   /* the same, each value a segment of its own */
row_fn reading_value;	   /* any value: a string as it is, an object as JSON text; enum field_of */
row_fn reading_text_name;  /* name (of a tool, a file) of the text of enum field_of */
row_fn reading_text_id;	   /* its call id */
row_fn reading_media;	   /* an image or file, inline or by address: enum skipped */
row_fn reading_media_ref;  /* only its address or id */
row_fn reading_skip;	   /* a value that is not read: enum skipped */

row_fn reading_turn_id; /* a string of the turn: TURN_STR(response_id) */
row_fn reading_tokens;	/* offsetof(struct turn, input_tokens) */
row_fn reading_model, reading_stream;
row_fn reading_done;	   /* true: the answer is complete */
row_fn reading_finish;	   /* why the answer ended */
row_fn reading_error;	   /* 0: the error object; 1: its code; 2: its type; 3: of who refused */
row_fn reading_bare_error; /* the same, of an error that is the whole body */
row_fn reading_filter;	   /* "<category>.filtered" (1) and "<category>.detected" (0) */
row_fn reading_block_flag; /* true: it was blocked */
row_fn reading_turn;	   /* a string: the id of the turn that an event is of */
row_fn reading_progress;   /* a logical turn inside a long exchange ends with this value */

/* Offset and size of a character array in one number. */
#define STR_OF(type, field) (offsetof(type, field) << 16 | sizeof(((type *)0)->field))
#define TURN_STR(field)	    STR_OF(struct turn, field)
#define PORT_STR(field)	    STR_OF(struct port, field)

/* --- for handlers of a dialect's own */

/* Segment of this field and part of the message in hand, made if need be; NULL when caps or memory
 * say no. */
struct segment *reading_segment(struct reading *r, enum field_of field, uint32_t part);
/* One more of the same field and part. */
struct segment *reading_new_segment(struct reading *r, enum field_of field, uint32_t part);
/* Appends a piece of a string; seg may be NULL (counted). */
void reading_add(struct reading *r, struct segment *seg, const struct json_event *e);
/* Appends bytes that are text, or should be; seg may be NULL (counted). */
void reading_bytes(struct reading *r, struct segment *seg, struct span s);
/* The last segment was of field `was` and is of field `is`; in a response its text goes on where
 * the last one of its kind ended. Call for each segment in turn that a part made. */
void reading_settle(struct reading *r, size_t at, enum field_of was, enum field_of is);
/* The segment is a prompt that is no message: the model gets it as it stands. */
bool reading_flat(const struct segment *s);
/* Number of the part that e belongs to: the array step behind the shape's prefix, else port.part.
 */
uint32_t reading_part(const struct reading *r, const struct json_event *e);
/* A small whole number; others leave *ret alone. */
void reading_u32(const struct json_event *e, uint32_t *ret);
/* All of s is digits, 18 at most. */
bool reading_decimal(struct span s, uint64_t *ret);
/* Another document with the same port: what an event says ahead of all else. */
void reading_scan(struct reading *r, struct shapes *shapes, struct span data);
/* Base64 in the string that scan's row gives to reading_packed(), decoded; until the next call. */
struct span reading_inside(struct reading *r, struct shapes *scan, const struct flow_event *ev);
row_fn reading_packed;
/* The row's string is complete: port->word holds its first 63 bytes. */
bool reading_word(struct reading *r, const struct json_event *e);
void reading_filtered(struct reading *r, enum filter f, bool blocked);

/* Rows that many dialects have: of the caller in a request; the others in a response. */
/* clang-format off */
#define FILTER_ROWS(at)                           \
	{ at ".*.filtered", reading_filter, 1 },  \
	{ at ".*.detected", reading_filter, 0 }
#define CALLER_ROWS                                                                  \
	{ "user", reading_turn_id, TURN_STR(end_user) },                             \
	{ "safety_identifier", reading_turn_id, TURN_STR(end_user) },                \
	{ "user_security_context.end_user_id", reading_turn_id, TURN_STR(end_user) }, \
	{ "user_security_context.end_user_tenant_id", reading_turn_id, TURN_STR(tenant) }, \
	{ "user_security_context.source_ip", reading_turn_id, TURN_STR(source_ip) }, \
	{ "user_security_context.application_name", reading_turn_id, TURN_STR(application) }
#define OPENAI_USAGE_ROWS(at)                                                                     \
	{ at ".prompt_tokens", reading_tokens, offsetof(struct turn, input_tokens) },             \
	{ at ".completion_tokens", reading_tokens, offsetof(struct turn, output_tokens) },        \
	{ at ".input_tokens", reading_tokens, offsetof(struct turn, input_tokens) },              \
	{ at ".output_tokens", reading_tokens, offsetof(struct turn, output_tokens) },            \
	{ at ".prompt_tokens_details.cached_tokens", reading_tokens,                              \
	  offsetof(struct turn, cached_tokens) },                                                 \
	{ at ".completion_tokens_details.reasoning_tokens", reading_tokens,                       \
	  offsetof(struct turn, reasoning_tokens) },                                              \
	{ at ".input_tokens_details.cached_tokens", reading_tokens,                               \
	  offsetof(struct turn, cached_tokens) },                                                 \
	{ at ".output_tokens_details.reasoning_tokens", reading_tokens,                           \
	  offsetof(struct turn, reasoning_tokens) }
#define ERROR_ROWS                                                           \
	{ "error", reading_error, 0 },                                       \
	{ "error.code", reading_error, 1 },                                  \
	{ "error.type", reading_error, 2 },                                  \
	{ "error.innererror.code", reading_error, 3 },                       \
	FILTER_ROWS("error.innererror.content_filter_result"),               \
	FILTER_ROWS("error.innererror.content_filter_results")
/* An error that is the whole body: {"object":"error","message":...,"type":...,"code":...}. */
#define BARE_ERROR_ROWS                   \
	{ "code", reading_bare_error, 1 }, \
	{ "type", reading_bare_error, 2 }
/* clang-format on */
/* A tool's definition, below "tools[].function." and the like. */
extern const struct shape_row tool_rows[6];
/* An envelope that is only a type. */
extern struct shapes envelope_type;
