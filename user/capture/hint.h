/* user/capture/hint.h - why nothing is seen of a program: which TLS code does its file hold that
 * Earshot cannot probe? A guess for people, by names and texts that such code carries; nothing is
 * attached by it. Runs in the surveyor.
 */
#pragma once

#include <stdint.h>

enum hint {
	HINT_GO,
	HINT_RUSTLS,
	HINT_BORINGSSL,
	HINT_OPENSSL,
	HINT_GNUTLS,
	HINT_NSS,
	HINT_MBEDTLS,
	HINT_WOLFSSL,
	HINT_MAX_
};

struct hint_row {
	const char *name; /* "rustls" */
	const char *why;  /* as `earshot explain` prints it */
};
extern const struct hint_row hint_rows[HINT_MAX_];

/* Bits (1 << enum hint) of an ELF file in which survey_file() found nothing to probe. 0: none, or
 * the file cannot be read that far. */
uint32_t hint_find(int fd);
