/* user/ctl/render_explain.h - `earshot explain` for people: one process in full, or a line each. */
#pragma once

#include "ctl/render.h"

/* Everything about one. */
void render_explain(const struct render *r, const Earshot__ExplainReply *e);
/* A table of those that hold TLS code, or that nobody could look into, and a count of the rest. */
void render_explain_all(const struct render *r, Earshot__ExplainReply *const *all, size_t n);
