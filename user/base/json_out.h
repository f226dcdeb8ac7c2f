/* user/base/json_out.h - writes JSON (RFC 8259) to a stream, value by value.
 * Keeps nothing but the nesting. Every string goes through one escaper: control characters and what
 * escape_hidden() names (bidirectional, invisible, U+2028 and U+2029) come as \uNNNN, invalid UTF-8
 * as U+FFFD. So the output is valid whatever text it carries, safe on a terminal, and one line when
 * compact.
 *
 *	struct json_out o = JSON_OUT(stdout, JSON_OUT_PRETTY);
 *
 *	json_out_object(&o);
 *	json_out_key(&o, "alerts");
 *	json_out_u64(&o, 3);
 *	json_out_end(&o);
 *	err = json_out_done(&o);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

#define JSON_OUT_DEPTH 64 /* levels; deeper is our mistake */

enum json_out_style {
	JSON_OUT_COMPACT, /* one line, no blanks */
	JSON_OUT_PRETTY,  /* two spaces a level */
};

struct json_out {
	FILE *f; /* borrowed */
	enum json_out_style style;
	unsigned depth;
	uint64_t arrays; /* bit per level: an array, else an object */
	bool filled;	 /* the innermost container has a value already */
	bool keyed;	 /* a key waits for its value */
};

#define JSON_OUT(file, how) ((struct json_out){ .f = (file), .style = (how) })

/* Containers nest; json_out_end() closes the innermost one. In an object each value has its
 * json_out_key() right before it. */
void json_out_object(struct json_out *o);
void json_out_array(struct json_out *o);
void json_out_end(struct json_out *o);
void json_out_key(struct json_out *o, const char *key);

void json_out_str(struct json_out *o, struct span s);
void json_out_cstr(struct json_out *o, const char *s); /* NULL: null */
/* 64-bit integers come as numbers in full; a reader with doubles only loses digits beyond 2^53. */
void json_out_u64(struct json_out *o, uint64_t v);
void json_out_i64(struct json_out *o, int64_t v);
/* The shortest text that reads back as v; null when it is no number. */
void json_out_f64(struct json_out *o, double v);
void json_out_bool(struct json_out *o, bool v);
void json_out_null(struct json_out *o);

/* Valid JSON from elsewhere, as one value: as it stands but for what the escaper hides, which comes
 * as \uNNNN. */
void json_out_raw(struct json_out *o, struct span json);

/* The document is complete: ends its line and flushes. 0, or -EIO when the stream failed at any
 * time. Another may follow. */
int json_out_done(struct json_out *o);
