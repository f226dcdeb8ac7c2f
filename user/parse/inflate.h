/* user/parse/inflate.h - streaming decompression of gzip and deflate (RFC 9110 section 8.4.1).
 * Bombs: output is capped in bytes and in ratio to the input; reaching a cap ends the stream with
 * -E2BIG.
 */
#pragma once

#include "base/span.h"

enum inflate_coding { INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_CODING_MAX_ };

typedef void inflate_fn(void *ctx, struct span out); /* borrowed until it returns */

struct inflate;

/* max_out: bytes of output in all; max_ratio: output per input byte once 64 KiB came out. deflate
 * accepts the zlib format and the raw one that some servers send. -ENOMEM, -EINVAL for a ratio of
 * 0.
 */
int inflate_new(struct inflate **ret, enum inflate_coding coding, uint64_t max_out,
		unsigned max_ratio, inflate_fn *fn, void *ctx);
void inflate_free(struct inflate **z);
/* 0; -EBADMSG not this coding or damaged; -E2BIG a cap; -ENOMEM. After an error input is ignored
 * and the error repeated. Concatenated gzip members are one stream (RFC 1952 section 2.2); zeros
 * may pad its end.
 */
int inflate_feed(struct inflate *z, struct span in);
/* 0 when the stream was complete, or when there was no input at all; else the error, -EBADMSG when
 * it was cut. */
int inflate_end(struct inflate *z);
