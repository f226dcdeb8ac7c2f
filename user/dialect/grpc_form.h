/* user/dialect/grpc_form.h - messages of gRPC read as JSON is: fields, by the path of their numbers
 * in the API's .proto file, go to the handlers of reading.h. Where a value may hold others, and
 * these others again, its rows name themselves.
 */
#pragma once

#include "dialect/reading.h"
#include "parse/protobuf.h"

struct grpc_rows {
	const struct protobuf_row *rows;
	size_t n;
};

/* Of a form: the messages of either side, whatever their number in a stream. */
struct grpc_form {
	struct grpc_rows side[SIDE_MAX_];
};

struct grpc_to {
	row_fn *on;
	unsigned arg;
};

/* What rows do. Their ctx is struct grpc_reading. */
struct grpc_reading {
	struct reading *r;
	unsigned depth; /* values in values */
};
protobuf_fn grpc_text;	 /* a string; arg: struct grpc_to */
protobuf_fn grpc_item;	 /* a message that is an item */
protobuf_fn grpc_vector; /* numbers of an embedding */
protobuf_fn grpc_inside; /* a value with rows of its own; arg: struct grpc_rows */

/* clang-format off */
#define GRPC_ROWS(rows_) { (rows_), ARRAY_SIZE(rows_) }
#define GRPC_TEXT(path, on_, arg_) { path, grpc_text, &(const struct grpc_to){ (on_), (arg_) } }
#define GRPC_ITEM(path) { path, grpc_item }
#define GRPC_VECTOR(path) { path, grpc_vector }
#define GRPC_INSIDE(path, rows_) { path, grpc_inside, (rows_) }
/* clang-format on */

/* The rows of a form whose requests and answers have this layout. */
/* clang-format off */
#define GRPC_FORM(request_, response_)                              \
	{                                                           \
		{ [SIDE_REQUEST] = GRPC_ROWS(request_),             \
		  [SIDE_RESPONSE] = GRPC_ROWS(response_) }          \
	}
/* clang-format on */

/* google.protobuf.Value: each string in it is a line of a document. */
extern const struct grpc_rows grpc_google_value;

/* For a route: takes each binary message by the form's rows. */
bool grpc_form_event(struct reading *r, const struct flow_event *ev);
/* For a route: how the call ended is in the trailers. */
void grpc_form_end(struct reading *r);
