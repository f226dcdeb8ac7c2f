/* user/parse/json.h - streaming JSON (RFC 8259): bytes in, events out, no document in memory.
 * Owns a stack of at most max_depth levels, a path of at most JSON_PATH_MAX bytes, one
 * number, and decoded bytes of a string until json_feed() returns; nothing else of the input. Input
 * is hostile, may be cut anywhere, may lose bytes in the middle. Any split gives the same events,
 * but for where a string is cut into pieces. Strings come unescaped, as valid UTF-8 (invalid bytes
 * and lone surrogates become U+FFFD).
 */
#pragma once

#include "base/span.h"

#define JSON_PATH_MAX	512 /* with the NUL that ends it */
#define JSON_NUMBER_MAX 256 /* bytes; a longer number is skipped and counted */

enum json_kind {
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
	JSON_KIND_MAX_,
};

struct json_event {
	enum json_kind kind;
	/* Where the value stands: keys joined by '.', array steps as "[]":
	 * "messages[].content[].text"; "" for the top. A key's own '.', '[', ']' and NUL come as
	 * '_'; a key that was lost comes as "?". Longer than JSON_PATH_MAX: "" and deep is set.
	 */
	const char *path;
	size_t path_len;
	uint32_t path_hash;    /* json_path_hash(path): a table lookup needs no strcmp() per row */
	const uint32_t *index; /* element numbers of the enclosing arrays, outermost first */
	unsigned n_index;
	unsigned depth;	  /* containers around the value */
	struct span text; /* piece of a string, or a whole number; borrowed until the return */
	bool first, last; /* strings: first and last piece of this value; else both set */
	/* Bytes are missing or broken in or before this value (gap, error, or the document was
	 * cut): path and index may be off.
	 */
	bool damaged;
	bool deep; /* the path is too long to be given */
};

typedef void json_fn(void *ctx, const struct json_event *e);

/* One document or a run of them (NDJSON): after a top-level value a new one may begin. */
struct json;

/* max_depth: 1 to 1024 (deeper values are skipped and counted, and so are values deeper than memory
 * allows). -ENOMEM, -EINVAL. */
int json_new(struct json **ret, unsigned max_depth, json_fn *fn, void *ctx);
void json_free(struct json **j);
/* Consumes all of in. 0; -EBADMSG from the byte on that cannot be JSON, until json_reset() or
 * json_end(). It is worth feeding the rest all the same: inside a container the reader
 * resynchronises and what follows comes damaged, so that one NaN does not hide a body from the
 * detectors when a lenient server takes it. Outside of any container the rest is ignored.
 */
int json_feed(struct json *j, struct span in);
/* n bytes were lost here (0: nobody knows how many): an open string goes on, damaged; a number is
 * dropped; containers stay open; the reader resynchronises at the next structural byte that makes
 * sense.
 */
void json_gap(struct json *j, uint64_t n);
/* End of input: an open string is ended damaged, open containers are closed damaged. 0, or -EBADMSG
 * when the input was broken or incomplete; no value at all is complete. The reader is then ready
 * for another document.
 */
int json_end(struct json *j);
/* Does it stand behind a whole document, before the next one? */
bool json_between(const struct json *j);
/* Back to an empty document, without events. */
void json_reset(struct json *j);
/* Values skipped, or given without path, because a cap was reached (depth, path, number), since
 * json_new(). What is nested too deep is not checked for correctness either.
 */
uint64_t json_skipped(const struct json *j);

/* FNV-1a of the path's bytes. */
uint32_t json_path_hash(const char *path);
