/* user/flow/h2.h - inside user/flow: HTTP/2 on one connection, its streams as exchanges. */
#pragma once

#include "flow/exchange.h"

struct h2;

/* client: the captured process sends the requests. -ENOMEM. */
int h2_new(struct h2 **ret, struct flow_env *env, const struct conn_info *conn, bool client);
/* Ends what is open. */
void h2_free(struct h2 **h);
/* This side was joined midway, and what is fed next begins a frame. */
void h2_join(struct h2 *h, enum side side);
/* The connection was HTTP/1: this exchange, which is the h2's from here on, is answered on
 * stream 1. Before anything is fed. -ENOMEM. */
int h2_adopt(struct h2 *h, struct exch *e);
void h2_feed(struct h2 *h, enum side side, struct span in);
void h2_gap(struct h2 *h, enum side side, uint64_t n);
/* Bytes passed unseen, nobody knows how many: answers to requests of no interest. */
void h2_skipped(struct h2 *h, enum side side);
/* No more bytes will come on either side. */
void h2_close(struct h2 *h);
/* How many exchanges ended that were of no interest; 0 as soon as one is. */
uint64_t h2_unwanted(const struct h2 *h);
