/* user/detect/credential.h - the table of credential types: one row each, confirmed by what the row
 * says. */
#pragma once

#include "text/view.h"

#define CREDENTIAL_PROVEN 1.0f	/* a checksum fits, which no placeholder's does */
#define CREDENTIAL_SURE	  0.99f /* a fixed mark or the structure behind the shape fits */
#define CREDENTIAL_LIKELY 0.9f	/* the shape fits, and chance does not make that */
#define CREDENTIAL_UNSURE 0.4f	/* fit to be hunted for only */
#define CREDENTIAL_ALERT  0.75f /* from this score on */

struct credential;

/* A token under examination. */
struct candidate {
	const struct credential *row;
	struct span text; /* all of the view */
	struct range
	    where; /* in it; a check may move the end, for types that go on behind their shape */
};

struct credential {
	const char *type;   /* "github-pat-classic" */
	const char *name;   /* for people: "GitHub personal access token" */
	const char *anchor; /* bytes that every token holds; for keyed types an expression for what
			       stands before the token */
	bool keyed;	    /* the token comes behind the anchor, at most reach bytes away */
	uint16_t reach;	   /* keyed: see there; else how far behind the token's beginning the anchor
			      may stand */
	const char *shape; /* see token.h */
	bool bare;  /* no character of base64 may touch it: short tokens that longer runs hold by
		       chance */
	bool whole; /* nothing of it is shown */
	/* Grades it: 0 drops it. NULL: CREDENTIAL_LIKELY. */
	float (*check)(struct candidate *c);
};

extern const struct credential credentials[];
extern const size_t n_credentials;

/* Checks, in credential_check.c. */
float check_crc32_base62(struct candidate *c);
float check_fixed_mark(struct candidate *c);
float check_aws_id(struct candidate *c);
float check_aws_secret(struct candidate *c);
float check_google_key(struct candidate *c);
float check_mixed_letters(struct candidate *c);
float check_gitlab_routable(struct candidate *c);
float check_pem(struct candidate *c);
float check_jwt(struct candidate *c);
float check_for_tests(struct candidate *c);

/* Does it look like what documentation puts in a token's place? */
bool credential_placeholder(struct span token);
/* Bits per byte. */
double credential_entropy(struct span s);
