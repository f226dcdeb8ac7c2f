/* user/alert/chain.h - the hash chain of alert revisions: who holds its head can tell that none was
 * changed, dropped or added. hash = SHA-256(previous hash || sequence as 8 bytes big endian ||
 * SHA-256(body)); before sequence 1 stands SHA-256(store id). A stub carries SHA-256(body) in place
 * of the body and proves as well.
 */
#pragma once

#include "base/span.h"
#include "proto/earshot.pb-c.h"

#define CHAIN_HASH_LEN	32 /* SHA-256 */
#define CHAIN_STORE_LEN 16

/* Where a chain stands. Plain data: the writer and each verifier keep one per store. */
struct chain {
	uint8_t store[CHAIN_STORE_LEN];
	uint64_t sequence;	      /* of the last revision; 0: none yet */
	uint8_t head[CHAIN_HASH_LEN]; /* its hash */
};

void chain_hash(struct span in, uint8_t ret[CHAIN_HASH_LEN]); /* SHA-256 */

/* A chain without revisions. */
void chain_begin(struct chain *c, const uint8_t store[CHAIN_STORE_LEN]);
/* Appends a revision whose body has this hash. */
void chain_append(struct chain *c, const uint8_t body_hash[CHAIN_HASH_LEN]);
/* A verifier that joins late: takes the chain's state before r from r itself. -EBADMSG. */
int chain_join(struct chain *c, const Earshot__Revision *r);

/* Checks that r is the next revision and advances past it. Unchanged on error:
 * -EBADMSG  fields missing or of the wrong size
 * -EXDEV    another store's revision
 * -EALREADY its sequence is not past the chain's
 * -ENODATA  revisions between are missing
 * -EILSEQ   the hashes do not prove it
 */
int chain_verify(struct chain *c, const Earshot__Revision *r);
