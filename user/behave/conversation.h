/* user/behave/conversation.h - which conversation a turn belongs to, told from the provider's ids,
 * else from rolling prefix hashes: a chat API resends the history, so a turn's request begins with
 * an earlier turn. Where its beginning was cut off or summed up, the last answer with its question
 * tells, if only one conversation has it: ambiguous is unknown. Scoped by caller. Owns a table of
 * fixed size; when it is full the longest unused turns are forgotten. No I/O, no clock.
 *
 * An id is derived from the caller and the conversation's first known turn: after a restart the
 * same single request gets the same id. A turn that continues where another turn continued already,
 * differently, begins a conversation of its own.
 */
#pragma once

#include "proto/earshot.pb-c.h"

#define CONVERSATION_ID_SIZE 17 /* 16 hex digits and NUL */

struct conversations;

int conversations_new(struct conversations **ret); /* -ENOMEM */
void conversations_free(struct conversations **c);

/* The conversation of a turn by what its request shows; "" when nothing tells. anchor: empty when
 * it has none. The same turn again gives the same. */
void conversation_of(struct conversations *c, const Earshot__Context *x,
		     const ProtobufCBinaryData *prefixes, size_t n_prefixes,
		     ProtobufCBinaryData anchor, char ret[CONVERSATION_ID_SIZE]);
/* The turn ended: remembers how its next one will begin. ret as above. */
void conversation_end(struct conversations *c, const Earshot__Observation *o,
		      char ret[CONVERSATION_ID_SIZE]);

/* SHA-256 over the caller: credential fingerprint and end user. */
void conversation_caller(const Earshot__Context *x, uint8_t ret[32]);
