/* user/parse/multipart.h - multipart bodies (RFC 2046 section 5.1, RFC 7578), part by part as they
 * arrive. Owns the header section of one part, capped; contents pass through. Input is hostile and
 * may be cut or interrupted anywhere. A part that is multipart itself is content: whoever wants its
 * parts gives them to another reader, and so decides how deep to go.
 */
#pragma once

#include "base/span.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define MULTIPART_HEAD_MAX     (8 << 10)
#define MULTIPART_PARTS_MAX    4096 /* given out of one body */

/* Empty when it is not told. As sent, without the quotes around it. */
struct multipart_part {
	struct span name, filename; /* of Content-Disposition */
	struct span type;	    /* Content-Type, with its parameters */
};

/* Spans are borrowed until the callback returns. Per part: part, data*, end. */
struct multipart_ops {
	void (*part)(void *ctx, const struct multipart_part *p);
	void (*data)(void *ctx, struct span data);
	void (*end)(void *ctx, bool damaged); /* damaged: bytes of it are missing */
};

struct multipart_stats {
	uint64_t parts;
	uint64_t cut; /* heads beyond the cap, parts beyond MULTIPART_PARTS_MAX */
};

struct multipart;

/* The boundary parameter of a multipart content type. 1; 0 when it is none, or has none that may
 * be. */
int multipart_boundary(struct span content_type, struct span *ret);
/* -ENOMEM, -EINVAL for a boundary that may not be. */
int multipart_new(struct multipart **ret, struct span boundary, const struct multipart_ops *ops,
		  void *ctx);
void multipart_free(struct multipart **m);
/* Consumes all of in. Any split of the same bytes gives the same callbacks, but for where a part's
 * data is cut into pieces. 0, -ENOMEM (a part's head is lost for it).
 */
int multipart_feed(struct multipart *m, struct span in);
void multipart_gap(struct multipart *m, uint64_t n); /* n bytes were lost here, 0: unknown */
void multipart_end(struct multipart *m);	     /* no more bytes will come */
const struct multipart_stats *multipart_stats(const struct multipart *m);
