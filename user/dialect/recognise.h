/* user/dialect/recognise.h - which route and form an exchange has: by its path, else by its body.
 */
#pragma once

#include "dialect/dialect.h"

#define RECOGNISE_MAX (64 << 10) /* bytes of a request's body that are looked at */

/* The best route for the exchange's method, path and host, or NULL. What its path names goes into
 * t; *ret_named: a model was among it. */
const struct route *recognise_path(const struct exchange *x, struct turn *t, bool *ret_named);
/* Is it a WebSocket, or asks to be one, or its upgrade passed unseen? Its messages tell. */
bool recognise_socket(const struct exchange *x);
/* The form of the socket with such a message, or NULL. */
const struct form *recognise_message(struct span message);
/* May the body of an exchange without a route be that of a model's API? */
bool recognise_worth(const struct exchange *x);
/* The form of a request that begins so, or NULL. first: the one its path speaks for; or NULL. */
const struct form *recognise_body(struct span body, const struct form *first);
