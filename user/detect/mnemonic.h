/* user/detect/mnemonic.h - words that stand for the seed of a wallet (BIP 39). */
#pragma once

#include "text/view.h"

#define MNEMONIC_WORDS 2048
#define MNEMONIC_MIN   12
#define MNEMONIC_MAX   24

/* In order; what a word stands for is its place. */
extern const char mnemonic_words[MNEMONIC_WORDS][9];

/* The longest row of such words at the beginning of text, white space, commas, quotes and numbers
 * between them: their numbers, and where the last one ends. */
size_t mnemonic_read(struct span text, uint16_t ret[MNEMONIC_MAX], size_t *ret_end);
/* Does the checksum in the last of n words fit? */
bool mnemonic_fits(const uint16_t *words, size_t n);
