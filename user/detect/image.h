/* user/detect/image.h - what detect_compile() makes: the rules and the pattern databases, laid out
 * so that every inspector uses them where they lie, in memory that they share. Position-independent
 * but for its alignment.
 */
#pragma once

#include "detect/detector.h"

#define IMAGE_ALIGN	64 /* of the image, and of its parts in it: what Vectorscan wants */
#define IMAGE_MAGIC	"EARSHOT\13"
#define IMAGE_UNITS_MAX 256 /* expressions that are tried where their anchors are */
#define IMAGE_DBS_MAX	64
#define IMAGE_BYTES_MAX (96 << 20) /* once in memory, however many processes use it */

struct image_part {
	uint64_t at, len; /* bytes from the image's beginning */
};

struct image_head {
	char magic[8];
	uint64_t len;	      /* of the whole image */
	uint8_t tag[16];      /* by who has a key, of all behind this field: against malice */
	uint8_t digest[16];   /* XXH3-128 of all behind this field: against damage */
	uint8_t inputs[16];   /* XXH3-128 of the rules, patterns and flags that it was made of, and
				 of how they are laid out */
	uint8_t platform[16]; /* image_platform() where it was made */
	uint32_t n_patterns;
	uint32_t n_dbs, n_always; /* ... the first of which every text is searched with */
	uint32_t pad;
	/* struct image_owner for each pattern, image_unit, image_anchor; a lexicon's table of the
	 * words of sequences (ids: their lists) and of the anchors (from SEQUENCE_OTHER on) */
	struct image_part rules, owners, units, anchors, words;
	struct image_part db[IMAGE_DBS_MAX]; /* an hs_database_t each */
};

/* An expression that needs to be tried only where its anchors are. */
struct image_unit {
	uint32_t reach; /* bytes of its longest match; 0: no limit, but */
	uint32_t words; /* ... at most so many words */
	uint16_t sets;	/* of anchors: 1, or 2 of which it needs both */
	uint16_t db;
};

struct image_anchor {
	uint16_t unit, set;
};

/* Which detector a pattern belongs to, and which database it is in. */
struct image_owner {
	uint16_t detector, index;
	uint16_t db;
	uint8_t sort; /* enum rule_sort; a sequence is in none, nor is a word that it finds */
	bool literal;
	uint16_t len; /* of a literal, folded */
	uint16_t pad;
	/* Patterns of the same text are one in their database: the number that it tells, and the
	 * next of them, 0: none. */
	uint32_t as, next;
};

/* What a database depends on beside its patterns: Vectorscan and the processor. */
void image_platform(uint8_t ret[16]);
/* The tag of a whole image. */
struct hash128 image_tag(struct mac *mac, struct span image);
/* Checks all but tag, inputs and what the databases hold. *ret: where it lies. -EINVAL: damaged,
 * made elsewhere, or not aligned. */
int image_open(struct span image, const struct image_head **ret);
/* Is it whole, of this machine, made of these inputs and, unless mac is NULL, tagged with it? */
bool image_fits(struct mac *mac, struct span image, const uint8_t inputs[16]);
/* The i-th pattern of a detector: its own, or a rule's. */
bool image_pattern(const struct detector *d, const struct rules *rules, size_t i,
		   struct pattern *ret);
