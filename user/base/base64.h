/* user/base/base64.h - base64 and base64url (RFC 4648). */
#pragma once

#include "base/span.h"

/* Both alphabets, which differ in two characters that do not clash: value and one, 0 for what is in
 * neither. */
extern const uint8_t base64_sextets[256];

/* Decodes s up to its padding into out, which has room for 3/4 of it and may be where s is;
 * characters of neither alphabet are passed over. Returns the length. */
size_t base64_decode(uint8_t *out, struct span s);
