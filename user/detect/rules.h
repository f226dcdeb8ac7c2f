/* user/detect/rules.h - rules as detectors use them: one image without pointers, made of YAML packs
 * (detect/rule_pack.h), read where it lies by every process that got it. Two sorts. Rules of a
 * group are evidence of a prompt attack: weights are probabilities that combine, a precise rule
 * alerts alone (RULES_ALERT), two weak ones of different groups together, one weak one is for
 * hunting. Rules without a group are an operator's own and speak for themselves.
 */
#pragma once

#include "detect/kind.h"

#define RULES_ALERT 0.9f
#define RULES_HUNT  0.3f /* below it nothing is reported */

/* What a rule is about. Rules of one group say the same thing and count once. */
enum rule_group {
	GROUP_OVERRIDE, /* forget your instructions */
	GROUP_ORDERS,	/* here are new ones */
	GROUP_PERSONA,	/* be somebody else */
	GROUP_UNBOUND,	/* without rules */
	GROUP_COMPLY,	/* never refuse, begin with "sure" */
	GROUP_EXTRACT,	/* show me your instructions */
	GROUP_MARKER,	/* chat template markers, made-up roles */
	GROUP_ADDRESS,	/* text that speaks to an assistant */
	GROUP_CONCEAL,	/* do not tell the user */
	GROUP_EXFIL,	/* send it there */
	GROUP_ACTION,	/* use this tool */
	GROUP_TOPIC,	/* the text is about such attacks: weakens the others */
	/* Questions of reconnaissance: each speaks for itself and is no evidence of an attack. */
	GROUP_MODEL,	   /* which model are you */
	GROUP_TOOLS,	   /* what can you call */
	GROUP_ENVIRONMENT, /* where do you run */
	GROUP_MAX_,	   /* none: an operator's own rule */
};

/* "override" ... and NULL at the end. */
extern const char *const rule_group_names[GROUP_MAX_ + 1];

/* Whose patterns a detector is searched for. */
enum rule_list {
	RULES_NONE,
	RULES_ATTACK, /* of a group */
	RULES_OWN,
	RULES_LIST_MAX_,
};

#define RULE_ID_MAX    48 /* with its NUL, as finding.type */
#define RULE_NAMES_MAX 32 /* named patterns of a rule: a bit each in its conditions */

typedef uint32_t rule_text; /* where it stands: rules_text(); 0: "" */

struct rule_texts {
	uint32_t first, n;
};

enum rule_sort {
	RULE_EXPRESSION,
	RULE_LITERAL,	/* the characters of a text */
	RULE_WORD,	/* of a list that sequences name: a literal */
	RULE_WORD_LIKE, /* ... an expression */
	RULE_SEQUENCE,	/* words of these lists, one close behind the other: see sequence.h */
	RULE_SORT_MAX_,
};

#define SEQUENCE_STEPS_MAX  4
#define RULE_WORD_LISTS_MAX 4096 /* of all packs */

struct rule_pattern {
	rule_text text;	       /* see struct pattern; "": a sequence */
	uint32_t line, column; /* where it was written, in the rule's file */
	uint16_t rule;	       /* index */
	uint8_t name;	       /* the bit that it is in the rule's conditions */
	uint8_t sort;	       /* enum rule_sort */
	uint16_t words;	       /* a word: the list that it is of */
	bool ends;	       /* ... nothing else may be joined to it */
	uint8_t n_steps;       /* a sequence: the lists whose words follow each other */
	uint8_t near;	       /* ... bits of those that stand closer to the one before */
	uint16_t step[SEQUENCE_STEPS_MAX];
};

struct rule {
	rule_text id, pack, file, title;
	rule_text kind;		/* own: "custom.ID", or of the table */
	rule_text why;		/* what the text does: "tells the model to ..." */
	rule_text atlas, owasp; /* ids, as in struct kind_row */
	float user, retrieved;	/* of a group: weight in what users write, and in content; 0:
				   does not apply */
	struct rule_texts hits, misses;		   /* texts that must and must not match */
	struct rule_texts models, providers, apps; /* globs, one of which the turn must match; none:
						      any */
	uint32_t roles;		 /* own: bits 1 << enum segment_role of the texts it reads */
	uint32_t all, any, none; /* own: named patterns that must, of which one must, that must
				    not match */
	uint16_t at_least[RULE_NAMES_MAX]; /* places where each must match to count */
	uint8_t group;			   /* enum rule_group */
	uint8_t severity, mode;		   /* enum severity (unless its kind says it), enum mode */
	bool built_in;
};

struct rules_head;

/* An image, opened. Borrows it. */
struct rules {
	const struct rule *rule;
	size_t n_rules;
	const struct rule_pattern *pattern; /* those of RULES_ATTACK, then those of RULES_OWN */
	size_t n_patterns, n_attack_patterns;
	const uint32_t *list; /* what struct rule_texts counts in */
	size_t n_lists;
	const char *text;
	size_t text_len;
};

/* -EBADMSG: not an image of this version, or damaged. It must be aligned to 8 bytes. */
int rules_open(struct rules *ret, struct span image);

static inline const char *rules_text(const struct rules *r, rule_text t)
{
	return r->text + t;
}

/* The i-th text of a list. */
static inline const char *rules_listed(const struct rules *r, struct rule_texts l, size_t i)
{
	return r->text + r->list[l.first + i];
}

/* The patterns of one list. */
const struct rule_pattern *rules_patterns(const struct rules *r, enum rule_list list,
					  size_t *ret_n);

/* --- for who makes an image */

struct rules_head {
	char magic[8];
	uint32_t version;
	uint32_t n_rules, n_patterns, n_attack_patterns, n_lists, text_len;
	uint64_t pad;
};
#define RULES_MAGIC   "EARRULES"
#define RULES_VERSION 3 /* changes with any of these structs */
