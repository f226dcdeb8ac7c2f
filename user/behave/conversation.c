/* user/behave/conversation.c - conversation ids from provider ids and prefix hashes.
 * A set-associative table: an entry lives in the set its key names and replaces the longest unused
 * one there. Keys are SHA-256 of keyed hashes, so nobody can aim at a set.
 */
#include "behave/conversation.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/own.h"
#include "base/span.h"

#define SETS 8192 /* a power of two */
#define WAYS 8

struct entry {
	uint8_t key[16];       /* of a request or of a request with its response */
	uint64_t conversation; /* 0: free */
	uint64_t after;	       /* the response that followed this request, 0 none yet */
	uint64_t next;	       /* the request that continued from here, 0 none yet */
	uint64_t used;
	bool ambiguous; /* an anchor of several conversations */
};

struct conversations {
	uint64_t clock; /* look-ups so far: the age of entries */
	struct entry entries[SETS][WAYS];
};

struct key {
	uint8_t b[32];
};

int conversations_new(struct conversations **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void conversations_free(struct conversations **c)
{
	free(*c);
	*c = NULL;
}

static void digest(uint8_t ret[32], const char *label, struct span a, struct span b)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	uint64_t len = a.len;

	if (!m || !EVP_DigestInit_ex(m, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(m, label, strlen(label) + 1) ||
	    !EVP_DigestUpdate(m, &len, sizeof(len)) || !EVP_DigestUpdate(m, a.p, a.len) ||
	    !EVP_DigestUpdate(m, b.p, b.len) || !EVP_DigestFinal_ex(m, ret, NULL))
		abort(); /* equal digests of unequal callers would join what must stay apart */
	EVP_MD_CTX_free(m);
}

static struct span text(const char *s)
{
	return s ? span_str(s) : (struct span){ 0 };
}

void conversation_caller(const Earshot__Context *x, uint8_t ret[32])
{
	const Earshot__Caller *c = x ? x->caller : NULL;

	digest(ret, "caller",
	       c ? span_of(c->credential_fingerprint.data, c->credential_fingerprint.len)
		 : text(NULL),
	       text(c ? c->end_user : NULL));
}

/* Never 0. */
static uint64_t number_of(const struct key *k)
{
	uint64_t v;

	memcpy(&v, k->b + 16, sizeof(v));
	return v ? v : 1;
}

static struct entry *find(struct conversations *c, const struct key *k)
{
	uint32_t set;

	memcpy(&set, k->b + 24, sizeof(set));
	for (size_t i = 0; i < WAYS; i++) {
		struct entry *e = &c->entries[set % SETS][i];

		if (e->conversation && !memcmp(e->key, k->b, sizeof(e->key))) {
			e->used = ++c->clock;
			return e;
		}
	}
	return NULL;
}

static struct entry *add(struct conversations *c, const struct key *k, uint64_t conversation)
{
	struct entry *e = find(c, k);
	uint32_t set;

	if (e)
		return e;
	memcpy(&set, k->b + 24, sizeof(set));
	e = c->entries[set % SETS];
	for (size_t i = 1; i < WAYS; i++)
		if (c->entries[set % SETS][i].used < e->used)
			e = &c->entries[set % SETS][i];
	*e = (struct entry){ .conversation = conversation, .used = ++c->clock };
	memcpy(e->key, k->b, sizeof(e->key));
	return e;
}

struct scope {
	uint8_t caller[32];
};

static struct key key_of(const struct scope *s, const char *label, struct span value)
{
	struct key k = { 0 };

	digest(k.b, label, span_of(s->caller, sizeof(s->caller)), value);
	return k;
}

static struct key anchor_key(const struct scope *s, const ProtobufCBinaryData *a)
{
	return key_of(s, "anchor", span_of(a->data, a->len));
}

static struct key prefix_key(const struct scope *s, const ProtobufCBinaryData *p)
{
	return key_of(s, "prefix", span_of(p->data, p->len));
}

/* The longest earlier turn that this request begins with; else the one whose end it holds. */
static struct entry *earlier(struct conversations *c, const struct scope *s,
			     const ProtobufCBinaryData *prefixes, size_t n,
			     const ProtobufCBinaryData *anchor)
{
	struct entry *e = NULL;
	struct key k;

	for (size_t i = n - 1; !e && i-- > 0;) {
		k = prefix_key(s, &prefixes[i]);
		e = find(c, &k);
	}
	if (!e && anchor->len) {
		k = anchor_key(s, anchor);
		e = find(c, &k);
	}
	return e;
}

static uint64_t by_prefix(struct conversations *c, const struct scope *s,
			  const ProtobufCBinaryData *prefixes, size_t n,
			  const ProtobufCBinaryData *anchor)
{
	struct key whole = prefix_key(s, &prefixes[n - 1]);
	uint64_t own = number_of(&whole), conversation = own;
	struct entry *e = find(c, &whole);

	if (e)
		return e->conversation;
	e = earlier(c, s, prefixes, n, anchor);
	if (e && e->ambiguous)
		return 0;
	if (e && (!e->next || e->next == own)) {
		e->next = own;
		conversation = e->conversation;
	}
	add(c, &whole, conversation);
	return conversation;
}

static uint64_t resolve(struct conversations *c, const struct scope *s, const Earshot__Context *x,
			const ProtobufCBinaryData *prefixes, size_t n,
			const ProtobufCBinaryData *anchor)
{
	struct span id = text(x->provider_conversation), previous = text(x->previous_response_id);
	struct key k;

	if (id.len) {
		k = key_of(s, "conversation", id);
		return number_of(&k);
	}
	if (previous.len) {
		k = key_of(s, "response", previous);
		return add(c, &k, number_of(&k))->conversation;
	}
	return n ? by_prefix(c, s, prefixes, n, anchor) : 0;
}

static void show(uint64_t conversation, char ret[CONVERSATION_ID_SIZE])
{
	ret[0] = 0;
	if (conversation)
		snprintf(ret, CONVERSATION_ID_SIZE, "%016llx", (unsigned long long)conversation);
}

void conversation_of(struct conversations *c, const Earshot__Context *x,
		     const ProtobufCBinaryData *prefixes, size_t n_prefixes,
		     ProtobufCBinaryData anchor, char ret[CONVERSATION_ID_SIZE])
{
	struct scope s;

	conversation_caller(x, s.caller);
	show(resolve(c, &s, x, prefixes, n_prefixes, &anchor), ret);
}

void conversation_end(struct conversations *c, const Earshot__Observation *o,
		      char ret[CONVERSATION_ID_SIZE])
{
	struct span response = text(o->context->response_id);
	uint64_t conversation;
	struct scope s;
	struct key k;

	conversation_caller(o->context, s.caller);
	conversation = resolve(c, &s, o->context, o->prefixes, o->n_prefixes, &o->anchor);
	show(conversation, ret);
	if (!conversation)
		return;
	if (response.len) {
		k = key_of(&s, "response", response);
		add(c, &k, conversation);
	}
	if (o->n_prefixes && o->n_prefixes_after) {
		struct key whole = prefix_key(&s, &o->prefixes[o->n_prefixes - 1]);
		struct entry *e;

		k = prefix_key(&s, &o->prefixes_after[o->n_prefixes_after - 1]);
		e = add(c, &whole, conversation);
		/* The same request answered in another way: from here on another conversation. */
		if (e->after && e->after != number_of(&k))
			conversation = number_of(&k);
		else
			e->after = number_of(&k);
		add(c, &k, conversation);
	}
	if (o->anchor_after.len) {
		struct entry *e;

		k = anchor_key(&s, &o->anchor_after);
		e = add(c, &k, conversation);
		e->ambiguous |= e->conversation != conversation;
	}
}
