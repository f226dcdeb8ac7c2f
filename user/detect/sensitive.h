/* user/detect/sensitive.h - sensitive data: the table of its types, and what finds them in a text.
 * Numbers are found by their digits, never by patterns; words that tell what a number is are looked
 * for only when a number asks for them.
 */
#pragma once

#include "detect/sensitive_check.h"
#include "text/view.h"

/* What it says about whom. Weighs how bad it is that it got out. */
enum sensitive_class {
	DATA_IDENTITY,	/* names one person to the state, an insurer, an employer */
	DATA_FINANCIAL, /* cards and accounts */
	DATA_HEALTH,
	DATA_SPECIAL, /* origin, belief, orientation, union: GDPR article 9 */
	DATA_CONTACT, /* how to reach somebody */
	DATA_COMMON,  /* stands in texts of all sorts, and says little alone: a name, a birthday, a
			 mail address */
	DATA_DEVICE,
	DATA_BUSINESS, /* of firms, mostly public */
	DATA_DOCUMENT, /* markings */
	DATA_NEGATIVE, /* what is no such thing, and looks like it */
};

/* What must be there besides the form and the check digits. */
enum sensitive_need {
	NEED_NOTHING, /* chance does not make that */
	NEED_GROUPS,  /* separators in the places where people write them, else a word */
	NEED_WORD,    /* one of its words nearby */
	NEED_KEY,     /* one of its words right before it and none of another type's between */
	NEED_MATCH,   /* found by a matcher of its own */
};

enum sensitive_id {
#define SENSITIVE(name, ...) SENSITIVE_##name,
#include "detect/sensitive.def"
#undef SENSITIVE
	SENSITIVE_MAX_,
};

struct sensitive_type {
	const char *id;	  /* "payment-card", the finding's type */
	const char *name; /* for people, in the singular */
	enum sensitive_class class;
	enum sensitive_need need;
	/* How it is written, one form after the other: '#' a digit, 'A' a letter, 'X' either, '-' a
	 * place where a separator may stand, '=' where all or none do; other characters themselves,
	 * letters in lower case. */
	const char *forms;
	sensitive_check *check; /* NULL: there is nothing to check */
	/* Words that tell, as folded views spell them, separated by '|'. '!' behind one: an
	 * everyday word too, counted only right before the value. '*': the beginning of a word. */
	const char *words;
};

extern const struct sensitive_type sensitive_types[SENSITIVE_MAX_];

/* A value in a text. */
struct sensitive_hit {
	enum sensitive_id id;
	struct range where;
	float score;
	bool worded; /* a word near it tells what it is */
};

#define SENSITIVE_SURE 0.7f /* from this score on it counts */

/* Finds values in text, ascending and not overlapping; how many, at most max. Of one type at most
 * per_type, so that a flood of one does not hide the others. */
size_t sensitive_scan(struct span text, struct sensitive_hit *ret, size_t max, size_t per_type);

/* --- its parts */

#define CONTEXT_BEFORE 100 /* bytes searched for words before a value */
#define CONTEXT_AFTER  40  /* and behind it */
#define CONTEXT_REACH  48  /* bytes of the longest value */
#define CONTEXT_KEY    40  /* between a key and its value, at most */
#define CONTEXT_WORD   64  /* of the longest word */
#define CONTEXT_SPOKEN 12  /* the same for everyday words */

struct type_set {
	uint64_t bits[(SENSITIVE_MAX_ + 63) / 64];
};

#define FIELDS_MAX 32 /* columns of a table */

/* Reads a text's words once, from left to right, and only where somebody asks. */
struct context {
	struct span text;
	size_t read; /* up to here */
	struct spotted {
		uint32_t begin, end;
		uint16_t word;
	} ring[64];
	unsigned n; /* spotted so far */
	/* The table that was read last. */
	struct table {
		struct range row; /* the line that was looked at last */
		char sep;	  /* between its fields */
		unsigned n;	  /* of its columns; 0: the line is no row */
		struct type_set fields[FIELDS_MAX];
	} table;
};

void context_begin(struct context *c, struct span text);
/* The types that have a word near where, and CONTEXT_REACH further on: a value may go on there. */
struct type_set context_types(struct context *c, struct range where);
/* How near a word of that type stands to where, which must not go back by more than CONTEXT_BEFORE:
 * its distance in bytes, SIZE_MAX for none. As a key: right before it, and the last one. */
size_t context_near(struct context *c, enum sensitive_id id, struct range where);
size_t context_key(struct context *c, enum sensitive_id id, struct range where);
/* Is at in a row of a table? ret: the types of which a word stands above it in its head. */
bool context_head(struct context *c, size_t at, struct type_set *ret);
/* May there be such a key before `to`? For less than what the others ask: they read all that is
 * near. */
bool context_leads(const struct context *c, enum sensitive_id id, size_t to);

/* Matchers for what has no fixed form. Each looks at what stands around a group of letters and
 * digits that holds a digit, or an '@'. */
struct match {
	struct span text;
	size_t at, end; /* the group */
	/* What is found, when a matcher says true. */
	enum sensitive_id id;
	struct range where;
	float alone; /* how sure it is without a word near it */
	bool whole;  /* whatever it counts for, no part of it is anything else */
};

/* Before the first, once. */
void match_prepare(void);
bool match_email(struct match *m);
bool match_phone(struct match *m);
bool match_ipv4(struct match *m);
bool match_ipv6(struct match *m);
bool match_mac(struct match *m);
bool match_uuid(struct match *m);
bool match_track(struct match *m);
bool match_coordinates(struct match *m);
bool match_money(struct match *m);
bool match_address(struct match *m);
bool match_dose(struct match *m);
bool match_mrz(struct match *m);
bool match_coin(struct match *m);
