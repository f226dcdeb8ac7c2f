/* user/flow/h1.h - inside user/flow: HTTP/1.1 on one connection, requests paired with their
 * responses. */
#pragma once

#include "flow/exchange.h"

struct h1;

/* client: the captured process sends the requests. -ENOMEM. */
int h1_new(struct h1 **ret, struct flow_env *env, const struct conn_info *conn, bool client);
/* It was a WebSocket before anything was seen of it. -ENOMEM. */
int h1_join(struct h1 *h);
/* Ends what is open. */
void h1_free(struct h1 **h);
/* 0; -EOPNOTSUPP: the connection left HTTP/1 (an upgrade or a tunnel), feed it no more. */
int h1_feed(struct h1 *h, enum side side, struct span in);
/* After -EOPNOTSUPP: the exchange that is answered in the HTTP/2 which the connection became, and
 * how many bytes at the end of that feed are HTTP/2; NULL: it became something else. The caller's.
 */
struct exch *h1_upgraded(struct h1 *h, enum side side, size_t *ret_unread);
void h1_gap(struct h1 *h, enum side side, uint64_t n);
/* No more bytes will come on either side. */
void h1_close(struct h1 *h);
/* Bytes passed unseen, nobody knows how many: answers to requests of no interest. */
void h1_skipped(struct h1 *h, enum side side);
/* after: so many exchanges of no interest, and none that was of any. */
enum flow_mute h1_mutable(const struct h1 *h, uint64_t after);
