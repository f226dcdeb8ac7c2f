/* user/parse/protobuf.h - the protobuf wire format without a schema: fields of a message one by
 * one, or those that a table names. Owns nothing; all spans lie in the input. Tolerant: of a
 * message that was cut, what is there comes out.
 */
#pragma once

#include "base/span.h"

#define PROTOBUF_DEPTH_MAX 16 /* messages inside of messages, and groups inside of groups */

enum protobuf_wire {
	PROTOBUF_VARINT,
	PROTOBUF_I64,
	PROTOBUF_LEN,
	PROTOBUF_GROUP,
	PROTOBUF_I32 = 5,
};

struct protobuf_field {
	uint32_t number;
	enum protobuf_wire wire;
	uint64_t value;	   /* varint, i64, i32 */
	struct span bytes; /* len and group: what is inside */
	bool cut;	   /* the message ends before it does */
};

/* The next field of *message, which becomes what follows. 1, 0 at the end, -EBADMSG: these are no
 * fields, *message is left where it is.
 */
int protobuf_next(struct span *message, struct protobuf_field *ret);

typedef void protobuf_fn(void *ctx, const struct protobuf_field *f, const void *arg);

struct protobuf_row {
	const char *path; /* "5.1": field 1 of the message that is field 5, each time it comes */
	protobuf_fn *on;
	const void *arg;
};

/* Calls the rows whose path a field has, in the order of the fields; a message before the fields in
 * it. 0; -EBADMSG when a part of it could not be read, -E2BIG when it is nested too deeply: the
 * rest was read.
 */
int protobuf_walk(struct span message, const struct protobuf_row *rows, size_t n, void *ctx);
