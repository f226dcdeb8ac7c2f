/* user/parse/json.h - streaming JSON reader (RFC 8259): bytes in, events out, no document in memory.
 * Owns a stack of at most max_depth levels and a path of at most JSON_PATH_MAX bytes, nothing else of the input.
 * Input is hostile, may be cut anywhere, may lose bytes in the middle. Any split gives the same events, but for where a
 * string is cut into pieces. Strings come unescaped, as valid UTF-8 (invalid bytes and lone surrogates become U+FFFD).
 */
#pragma once

#include "base/span.h"

#define JSON_PATH_MAX 512

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
	/* Where the value stands: keys joined by '.', array steps as "[]": "messages[].content[].text"; "" for the top.
	 * A key's own '.', '[' and ']' come as '_'. Longer than JSON_PATH_MAX: "" and deep is set.
	 */
	const char *path;
	uint32_t path_hash; /* json_path_hash(path), so that a table lookup needs no strcmp() per row */
	const uint32_t *index; /* element numbers of the enclosing arrays, outermost first */
	unsigned n_index;
	unsigned depth; /* containers around the value */
	struct span text; /* piece of a string, or a whole number; borrowed until the callback returns */
	bool first, last; /* for strings: first and last piece of this value; both set for everything else */
	bool damaged; /* bytes are missing in or before this value (gap, or the document was cut) */
	bool deep;
};

typedef void json_fn(void *ctx, const struct json_event *e);

struct json; /* one document or a run of them (NDJSON): after a top-level value a new one may begin */

/* max_depth: 1 to 1024 (deeper values are skipped and counted). -ENOMEM, -EINVAL. */
int json_new(struct json **ret, unsigned max_depth, json_fn *fn, void *ctx);
void json_free(struct json **j);
/* Consumes all of in. 0; -EBADMSG when this cannot be JSON (from then on input is ignored until json_reset()). */
int json_feed(struct json *j, struct span in);
/* n bytes were lost here: the open string ends damaged, containers stay open, the reader resynchronises. */
void json_gap(struct json *j, uint64_t n);
/* End of input: an open string is ended damaged, open containers are closed damaged. 0, or -EBADMSG when incomplete. */
int json_end(struct json *j);
/* Back to an empty document. */
void json_reset(struct json *j);
/* Values skipped because a cap was reached (depth, path), since json_new(). */
uint64_t json_skipped(const struct json *j);

/* FNV-1a of the path's bytes. */
uint32_t json_path_hash(const char *path);
