/* user/detect/credential.h - the table of credential types (credentials.def): one row each, found
 * by its anchor or its word, confirmed by what the row says.
 */
#pragma once

#include "text/view.h"

#define CREDENTIAL_PROVEN 1.0f	/* a checksum fits, which no placeholder's does */
#define CREDENTIAL_SURE	  0.99f /* a fixed mark or the structure behind the shape fits */
#define CREDENTIAL_LIKELY 0.9f	/* the shape fits, and chance does not make that */
#define CREDENTIAL_UNSURE 0.4f	/* fit to be hunted for only */
#define CREDENTIAL_ALERT  0.75f /* from this score on */

#define CREDENTIAL_NEAR 100 /* bytes between a token and what is said about it */

struct credential;

/* A token under examination. */
struct candidate {
	const struct credential *row;
	struct span text; /* all of the view */
	struct range
	    where;  /* in it; a check may move it, for types that go on behind their shape */
	bool named; /* a word of its row or the name of a secret stands before it */
};

enum credential_flag {
	CREDENTIAL_CONTEXT = 1, /* to be hunted for only, unless it is named */
	CREDENTIAL_BARE = 2,	/* no character of base64 may touch it: short tokens that longer
				   runs hold by chance */
	CREDENTIAL_WHOLE = 4,	/* nothing of it is shown */
	CREDENTIAL_VAGUE = 8,	/* what knows its type better goes before it */
	CREDENTIAL_EXACT = 16,	/* it goes before others */
	CREDENTIAL_WORDED = 32, /* only with one of its words */
};

/* Grades a candidate: 0 drops it. */
typedef float check_fn(struct candidate *c);
/* Finds the construct that an anchor belongs to, and grades it. */
typedef float find_fn(struct candidate *c, struct range anchor);

struct credential {
	const char *type;   /* "github-pat-classic"; NULL: one more anchor of the row above */
	const char *name;   /* for people: "GitHub personal access token" */
	const char *anchor; /* bytes that every token holds */
	unsigned flags;	    /* enum credential_flag */
	check_fn *check;    /* NULL: CREDENTIAL_LIKELY */
	find_fn *find;	    /* instead of shape and check */
	const char *words;  /* with spaces between, in small letters: what is said of it */
	uint16_t min, max;  /* bytes before the anchor */
	const char *shape;  /* see token.h */
};

/* Found by an anchor, behind a word, by their length alone, as values of names. */
extern const struct credential credentials[], credentials_near[], credentials_run[],
    credentials_value[];
extern const size_t n_credentials, n_credentials_near, n_credentials_run, n_credentials_value;
/* Every word of every row, once. */
extern const char *const credential_words[];
extern const size_t n_credential_words;

/* The row that an anchor belongs to. */
const struct credential *credential_row(size_t anchor);
/* NULL when there is none of that type. */
const struct credential *credential_find(const char *type);

/* Does the list of words hold this one? */
bool credential_word(const char *words, const char *word);
/* Does it look like what documentation puts in a token's place? */
bool credential_placeholder(struct span token);
/* Bits per byte. */
double credential_entropy(struct span s);
/* Made by chance rather than by people? */
bool credential_random(struct span s);
/* A password that somebody chose with care, or a machine made. */
bool credential_password(struct span s);
/* Decodes base64, either alphabet, up to what is none; how many bytes. */
size_t credential_base64(struct span s, uint8_t *ret, size_t max);

/* Names of secrets ("password", "api_key"): patterns that lead to their values. */
extern const size_t n_secret_names;
const char *secret_name(size_t i);
/* Does the name of what is no secret ("request_id: ") stand before a value? */
bool secret_harmless(struct span t, size_t at);
/* The value that belongs to a name that was hit: its row, where it stands and how sure it is a
 * secret. 0: none. */
float credential_value(struct candidate *c, struct range name, size_t which);
/* The same for what stands below a name in a table, a row with each call: *row is 0 at first.
 * False: there are no more rows. */
bool credential_below(struct candidate *c, struct range name, size_t which, size_t *row,
		      float *score);

/* Checks, in credential_check.c. */
check_fn check_crc32_base62, check_crc32_hex, check_crc32_grafana, check_crc32_zuplo,
    check_crc32_confluent, check_gitlab_routable, check_base58, check_bech32, check_nats,
    check_stellar, check_fixed_mark, check_not_secret, check_short_lived, check_random,
    check_mixed_letters, check_aws_id, check_aws_secret, check_google_key, check_discord, check_jwt,
    check_kube_token, check_grafana, check_basic, check_colon, check_twitter, check_slack_webhook,
    check_facebook, check_crypt, check_pem, check_putty;
/* Constructs, in credential_construct.c. */
find_fn find_jwk, find_kube_secret, find_basic, find_bearer, find_url, find_netrc, find_ntlm,
    find_cookie, find_cli;
find_fn find_mnemonic; /* mnemonic.c */
