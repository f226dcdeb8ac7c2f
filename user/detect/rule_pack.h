/* user/detect/rule_pack.h - packs of rules: YAML to the image that detectors use. docs/rules.md
 * tells the format. No I/O: who has files hands them in as a bundle.
 */
#pragma once

#include "base/buf.h"
#include "detect/rules.h"

#define PACK_FILE_MAX	   (1 << 20)
#define PACKS_MAX	   256
#define PACKS_BYTES_MAX	   (16 << 20) /* of all files of a bundle */
#define PACK_RULES_MAX	   4096	      /* of all packs */
#define PACK_FRAGMENTS_MAX 256	      /* in define, of one pack */
#define PACK_PATTERN_MAX   (16 << 10) /* bytes, fragments put in */
#define PACK_PATTERNS_MAX  64	      /* of one rule */
#define PACK_TESTS_MAX	   256	      /* hits of a rule, and misses */
#define PACK_TEXTS_MAX	   (16 << 20) /* bytes of all texts of the image */

/* A bundle is what a folder holds, one after the other: this, and as many bytes of YAML. */
struct pack_file {
	uint32_t len;
	char name[252]; /* ends with a NUL; for messages */
};

struct rule_packs;

/* -ENOMEM. */
int rule_packs_new(struct rule_packs **ret);
void rule_packs_free(struct rule_packs **p);
/* Adds one file, or says in errors what is wrong with it, a line each: "FILE:LINE:COLUMN: what". 0,
 * -EINVAL, -E2BIG (a cap), -ENOMEM; after an error an image must not be made any more. */
int rule_packs_add(struct rule_packs *p, struct span yaml, const char *file, char *errors,
		   size_t errors_size);
/* Adds the built-in ones. */
int rule_packs_add_built_in(struct rule_packs *p, char *errors, size_t errors_size);
/* Adds all files of a bundle. Also -EBADMSG: it is none. */
int rule_packs_add_bundle(struct rule_packs *p, struct span bundle, char *errors,
			  size_t errors_size);
/* The image of all that was added, to be freed. -ENOMEM. */
int rule_packs_image(const struct rule_packs *p, uint8_t **ret, size_t *ret_len);
