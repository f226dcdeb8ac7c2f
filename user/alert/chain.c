/* user/alert/chain.c - the hash chain of alert revisions. */
#include "alert/chain.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

void chain_hash(struct span in, uint8_t ret[CHAIN_HASH_LEN])
{
	/* Fails only without memory or without the algorithm; a chain with an undefined hash would
	 * be worse than none. */
	if (!EVP_Digest(in.len ? (const void *)in.p : "", in.len, ret, NULL, EVP_sha256(), NULL))
		abort();
}

void chain_begin(struct chain *c, const uint8_t store[CHAIN_STORE_LEN])
{
	memcpy(c->store, store, CHAIN_STORE_LEN);
	c->sequence = 0;
	chain_hash(span_of(store, CHAIN_STORE_LEN), c->head);
}

void chain_append(struct chain *c, const uint8_t body_hash[CHAIN_HASH_LEN])
{
	uint8_t in[CHAIN_HASH_LEN + 8 + CHAIN_HASH_LEN];

	c->sequence++;
	memcpy(in, c->head, CHAIN_HASH_LEN);
	for (int i = 0; i < 8; i++)
		in[CHAIN_HASH_LEN + i] = (uint8_t)(c->sequence >> (56 - 8 * i));
	memcpy(in + CHAIN_HASH_LEN + 8, body_hash, CHAIN_HASH_LEN);
	chain_hash(span_of(in, sizeof(in)), c->head);
}

static bool well_formed(const Earshot__Revision *r)
{
	bool stub = !r->body.len;

	return r->store.len == CHAIN_STORE_LEN && r->sequence &&
	       r->previous_hash.len == CHAIN_HASH_LEN && r->hash.len == CHAIN_HASH_LEN &&
	       r->body_hash.len == (stub ? CHAIN_HASH_LEN : 0);
}

int chain_join(struct chain *c, const Earshot__Revision *r)
{
	if (!well_formed(r))
		return -EBADMSG;
	memcpy(c->store, r->store.data, CHAIN_STORE_LEN);
	c->sequence = r->sequence - 1;
	memcpy(c->head, r->previous_hash.data, CHAIN_HASH_LEN);
	return 0;
}

int chain_verify(struct chain *c, const Earshot__Revision *r)
{
	uint8_t body_hash[CHAIN_HASH_LEN];
	struct chain next = *c;

	if (!well_formed(r))
		return -EBADMSG;
	if (memcmp(r->store.data, c->store, CHAIN_STORE_LEN))
		return -EXDEV;
	if (r->sequence <= c->sequence)
		return -EALREADY;
	if (r->sequence != c->sequence + 1)
		return -ENODATA;
	if (r->body.len)
		chain_hash(span_of(r->body.data, r->body.len), body_hash);
	else
		memcpy(body_hash, r->body_hash.data, CHAIN_HASH_LEN);
	chain_append(&next, body_hash);
	if (memcmp(r->previous_hash.data, c->head, CHAIN_HASH_LEN) ||
	    memcmp(r->hash.data, next.head, CHAIN_HASH_LEN))
		return -EILSEQ;
	*c = next;
	return 0;
}
