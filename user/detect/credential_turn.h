/* user/detect/credential_turn.h - the hooks of the credential detector that see a whole turn. */
#pragma once

#include "detect/credential.h"
#include "detect/detector.h"

/* Emits what a tool result or a document of the request held and a tool call or an address of the
 * response holds again. */
int credential_turn(const struct turn_input *in, emit_fn *emit, void *ctx);
/* False for a leak of what the request held, whether it was taken for a credential there or not. */
bool credential_amend(const struct turn_input *in, struct finding *f);
