/* user/dialect/openai.h - what the dialects of OpenAI's APIs share: two JSON documents (or a stream
 * of them) become a turn. A dialect is tables of rows (shape.h) whose handlers are here. All
 * handlers take a struct dialect_state as ctx.
 */
#pragma once

#include "dialect/dialect.h"
#include "dialect/shape.h"

/* Which field of a message (chat) or item (responses) a text comes from. */
enum openai_field {
	FIELD_CONTENT, /* role and origin follow from the item's role and type */
	FIELD_REFUSAL,
	FIELD_TRANSCRIPT,
	FIELD_REASONING,
	FIELD_CALL, /* arguments of a tool call */
	FIELD_RESULT,
	FIELD_DOCUMENT,
	FIELD_TOOL,	   /* a tool's definition by the application */
	FIELD_REMOTE_TOOL, /* by a tool server */
	FIELD_INSTRUCTIONS,
	FIELD_INPUT,
	FIELD_MAX_,
};

/* A message or item being read: its fields come in any order, so its segments get role and names
 * when it ends. */
struct openai_item {
	bool open;
	size_t first; /* its segments begin here */
	uint32_t message;
	char role[16], type[32];
	char call_id[TURN_ID_MAX], name[TURN_ID_MAX];
};

/* One side of the exchange. A response may begin before its request ended, so nothing of reading is
 * shared. */
struct openai_port {
	struct dialect_state *of;
	enum side side;
	struct json *json;
	struct shapes *shapes;
	struct openai_item item;
	uint32_t n_items;
	size_t last; /* segment touched last */
	bool has_last;
	bool hole;			/* bytes are missing before the next segment */
	bool broken;			/* its document is not JSON: counted */
	bool skipping;			/* inside a value that earlier events of the stream gave */
	uint32_t choice, call;		/* chat: numbers of the choice and its tool call in hand */
	char word[64], id[TURN_ID_MAX]; /* values being put together */
};

struct dialect_state {
	struct turn *t;
	struct openai_port ports[SIDE_MAX_];
	struct openai_port *now; /* whose value is in hand */
	/* Of a stream's events: read before the event itself. NULL: none. */
	struct shapes *envelope;
	struct {
		char type[64];
		uint32_t output, content, summary;
	} event;		       /* responses: what a stream's event says of itself */
	char status[32], reason[32];   /* responses: how it ended */
	bool deployed;		       /* the model's name came with the path */
	bool blocked, refused, failed; /* what the response's fields say */
};

/* A path to match, in lower case and without percent-encoding, doubled and trailing slashes (RFC
 * 3986 section 6.2.2). */
#define OPENAI_PATH_MAX 512
struct span openai_path(char buf[OPENAI_PATH_MAX], const struct exchange *x);
bool openai_ends_with(struct span s, const char *with);
/* A dialect's match: a POST to a path with one of these ends (NULL-terminated). */
int openai_match(const struct exchange *x, const char *const *ends);

int openai_open(struct dialect_state **ret, struct turn *t, struct shapes *request,
		struct shapes *response, struct shapes *envelope);
void openai_body(struct dialect_state *s, enum side side, struct span data);
void openai_gap(struct dialect_state *s, enum side side, uint64_t n);
void openai_event(struct dialect_state *s, const struct flow_event *ev);
void openai_request_end(struct dialect_state *s);
void openai_end(struct dialect_state *s);
void openai_close(struct dialect_state **s);

/* Handlers of rows, and what arg is. */
typedef void openai_row(void *ctx, const struct shape *at, const struct json_event *e,
			unsigned arg);
openai_row openai_item_edge; /* begin and end of an item's object */
openai_row openai_role, openai_type, openai_name, openai_call_id; /* of the item */
openai_row openai_text;						  /* text of enum openai_field */
openai_row openai_text_name; /* name of the text of enum openai_field */
openai_row openai_skip;	     /* enum skipped */
openai_row openai_turn_id;   /* OPENAI_ID(): a field of struct turn */
openai_row openai_tokens;    /* offset of a uint64_t in struct turn */
openai_row openai_model, openai_stream, openai_finish;
openai_row openai_error;       /* the error object; arg 1: its code, 2: its type */
openai_row openai_inner_error; /* the code that says who refused */
openai_row openai_filter;      /* "<category>.filtered" (arg 1) and "<category>.detected" */
openai_row openai_filter_block;

/* Offset and size of a character array of struct turn in one number. */
#define OPENAI_ID(field) (offsetof(struct turn, field) << 16 | sizeof(((struct turn *)0)->field))

/* Segment of this field and part of the message in hand, made if need be; NULL when caps or memory
 * say no. */
struct segment *openai_segment(struct dialect_state *s, enum openai_field field, uint32_t part);
/* One more of the same field and part. */
struct segment *openai_another(struct dialect_state *s, enum openai_field field, uint32_t part);
/* Appends a piece of a string; seg may be NULL (counted). */
void openai_add(struct dialect_state *s, struct segment *seg, const struct json_event *e);

/* A small whole number; others leave *ret alone. */
void openai_number(const struct json_event *e, uint32_t *ret);

/* Rows that both dialects have: the caller's in a request; the others in a response, below "" and,
 * in a stream of responses, "response.". */
/* clang-format off */
#define OPENAI_FILTER_ROWS(at)                           \
	{ at ".*.filtered", openai_filter, 1 },          \
	{ at ".*.detected", openai_filter, 0 }
#define OPENAI_CALLER_ROWS                                                    \
	{ "user", openai_turn_id, OPENAI_ID(end_user) },                      \
	{ "safety_identifier", openai_turn_id, OPENAI_ID(end_user) },         \
	{ "user_security_context.end_user_id", openai_turn_id, OPENAI_ID(end_user) }
#define OPENAI_ERROR_ROWS                                                     \
	{ "error", openai_error, 0 },                                         \
	{ "error.code", openai_error, 1 },                                    \
	{ "error.type", openai_error, 2 },                                    \
	{ "error.innererror.code", openai_inner_error },                      \
	OPENAI_FILTER_ROWS("error.innererror.content_filter_result"),         \
	OPENAI_FILTER_ROWS("error.innererror.content_filter_results")
/* clang-format on */
/* A tool's definition, below "tools[].function." and the like. */
extern const struct shape_row openai_tool_rows[4];
