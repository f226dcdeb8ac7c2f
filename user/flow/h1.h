/* user/flow/h1.h - inside user/flow: HTTP/1.1 on one connection, requests paired with their
 * responses. */
#pragma once

#include "flow/exchange.h"

struct h1;

/* client: the captured process sends the requests. -ENOMEM. */
int h1_new(struct h1 **ret, struct flow_env *env, const struct conn_info *conn, bool client);
/* Ends what is open. */
void h1_free(struct h1 **h);
/* 0; -EOPNOTSUPP: the connection left HTTP/1 (an upgrade or a tunnel), feed it no more. */
int h1_feed(struct h1 *h, enum side side, struct span in);
void h1_gap(struct h1 *h, enum side side, uint64_t n);
/* No more bytes will come on either side. */
void h1_close(struct h1 *h);
/* How many exchanges ended that were of no interest; 0 as soon as one is; UINT64_MAX when no other
 * can come. */
uint64_t h1_unwanted(const struct h1 *h);
