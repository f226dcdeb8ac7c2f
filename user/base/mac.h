/* user/base/mac.h - keyed 128-bit fingerprints: HMAC-SHA-256 (RFC 2104) cut to its first 16 bytes.
 * A fingerprint tells equal from unequal and nothing else to who lacks the key; the key is per host
 * or per fleet.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define MAC_KEY_LEN 32

struct hash128 {
	uint8_t b[16];
};

struct mac; /* a keyed context, used for any number of hashes, by one thread */

/* key is copied. -ENOMEM. */
int mac_new(struct mac **ret, const uint8_t key[MAC_KEY_LEN]);
void mac_free(struct mac **m);

/* One hash at a time: begin, add..., end. label separates domains ("segment", "api-key"): equal
 * bytes under different labels give different hashes. Parts are length-prefixed, so ("ab","c")
 * differs from ("a","bc").
 */
void mac_begin(struct mac *m, const char *label);
void mac_add(struct mac *m, struct span part);
struct hash128 mac_end(struct mac *m);

/* begin, add, end in one. */
struct hash128 mac_of(struct mac *m, const char *label, struct span part);
