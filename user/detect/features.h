/* user/detect/features.h - what the classifier sees of a text: hashes of tokens, of pairs of them
 * and of how long ones begin. The trainer and the sensor both see through this. Reads UTF-8 in
 * pieces of any size: any split gives the same hashes, but for the end of the last token. A token
 * is a run of letters and digits, or one of signs. Letters count without case, digits as one digit,
 * white space as one blank; what repeats counts twice at most. In scripts that write no blanks
 * between words each character is a token, and runs of three count in place of beginnings.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

#define FEATURE_BITS	  17
#define FEATURES_MAX	  (1 << FEATURE_BITS)
#define FEATURES_VERSION  2 /* changes with any hash; a model holds the one it was trained with */
#define FEATURES_PER_BYTE 6 /* at most; and as many again at the end */

enum token { TOKEN_NONE, TOKEN_WORD, TOKEN_SIGNS };

struct features {
	uint32_t word, stem;   /* hashes of the token in hand and of its beginning */
	uint32_t last, before; /* of the two tokens before it; 0: none */
	uint32_t len;	       /* symbols in hand */
	uint32_t code_point;
	uint16_t symbol; /* the last one */
	enum token kind : 8;
	bool twice;
	uint8_t missing; /* bytes of a character in hand */
};

void features_begin(struct features *f);
/* Writes the hashes of what text adds and returns how many: at most FEATURES_PER_BYTE for each
 * byte. Each is below FEATURES_MAX. */
size_t features_add(struct features *f, struct span text, uint32_t *ret);
