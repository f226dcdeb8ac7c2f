/* user/parse/hpack.h - HPACK header blocks of one direction of a connection, seen by a third party.
 * Owns the dynamic table and one field of carry-over, both capped by HPACK_TABLE_MAX. Input is
 * hostile, may be cut anywhere and may have begun before we looked: an entry that was made then is
 * unknown and said to be so, never invented. Spec: RFC 7541.
 *
 * The table is steered by the encoder's bytes alone: SETTINGS_HEADER_TABLE_SIZE of its peer changes
 * nothing until the encoder says so in a block (section 4.2), so nobody need tell it here.
 *
 * Joined midway, or after a loss, the table is a run of known entries in front of an unknown tail.
 * Indices count from the newest entry, so they stay right; one that points into the tail gives an
 * unknown field. The tail is over as soon as the known entries alone fill the table, or the encoder
 * empties it.
 */
#pragma once

#include "base/span.h"

#define HPACK_TABLE_MAX	   (32 << 10) /* bytes of entries kept, as RFC 7541 section 4.1 counts */
#define HPACK_TABLE_START  4096 /* until the encoder says otherwise (RFC 9113 section 6.5.2) */
#define HPACK_ENTRY_EXTRA  32	/* what each entry counts beyond its texts */
#define HPACK_STATIC_TABLE 61

struct hpack_field {
	struct span name, value; /* empty when unknown */
	bool name_unknown, value_unknown;
	bool cut; /* longer than HPACK_TABLE_MAX in all: the rest is not kept */
};

typedef void hpack_fn(void *ctx, const struct hpack_field *f); /* spans borrowed until it returns */

struct hpack;

/* -ENOMEM. */
int hpack_new(struct hpack **ret, hpack_fn *fn, void *ctx);
void hpack_free(struct hpack **h);
/* Consumes a piece of a block. Any split of the same bytes gives the same callbacks. 0; -EBADMSG
 * once when they break the format (or point past a table that is known whole), -ENOMEM: then the
 * table is forgotten and the rest of the block passed over.
 */
int hpack_feed(struct hpack *h, struct span in);
/* The block ends here. 0; -EBADMSG when it ends inside a field, handled like broken bytes. */
int hpack_end(struct hpack *h);
/* Bytes of this direction were lost, or it was joined midway: the table is forgotten. inside: a
 * block is open; the rest of it is passed over. */
void hpack_lost(struct hpack *h, bool inside);

/* 1 when in begins like the header section of a request (two pseudo-header fields of a request) or
 * of a response (:status) that names them by the static table, then *request says which; 0 when
 * not, -EAGAIN when it is too short to tell.
 */
int hpack_probe(struct span in, bool *request);

struct hpack_stats {
	uint64_t fields, unknown; /* unknown: fields of which a part is */
	uint64_t broken;	  /* blocks */
	uint64_t cut;		  /* fields */
};
const struct hpack_stats *hpack_stats(const struct hpack *h);
