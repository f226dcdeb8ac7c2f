/* user/intel/url.h - an address as a program would take it: scheme, host, port, path, whatever
 * disguise it was written in (defanged, percent-encoded, IPv4 as one number, userinfo in front,
 * backslashes). Texts and feeds are read by the same code, so equal addresses are equal here.
 * After the WHATWG URL standard, to the degree that looking a host or path up needs.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define URL_HOST_MAX	  253  /* RFC 1035 */
#define URL_KEY_MAX	  2048 /* of host, path and query in their one form; what is longer is cut */
#define URL_AUTHORITY_MAX 512  /* bytes looked at; a longer one is no address */

enum host_kind { HOST_NONE, HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* How it was written. */
enum url_trait {
	URL_NO_SCHEME = 1 << 0,
	URL_DEFANGED = 1 << 1,	   /* hxxp, [.], (dot): for people to read, not to follow */
	URL_USERINFO = 1 << 2,	   /* user@host */
	URL_ODD_IP = 1 << 3,	   /* decimal, octal, hexadecimal or shortened IPv4 */
	URL_ESCAPED_HOST = 1 << 4, /* %65vil.example */
	URL_BACKSLASH = 1 << 5,	   /* https:\\host */
};

struct url {
	char scheme[12]; /* lower case; "" without */
	enum host_kind kind;
	unsigned traits;  /* enum url_trait bits */
	uint16_t port;	  /* 0: the scheme's own */
	uint8_t ip[16];	  /* IPv4: the first 4 bytes */
	struct span user; /* before '@', as it stands; borrowed */
	size_t authority; /* bytes from the beginning to the path */
	uint8_t host_len; /* of a name */
	char host[URL_HOST_MAX +
		  1]; /* lower case, IDNA, no dot at the end; of an IP its usual text */
};

/* Reads scheme and authority that s begins with; what follows is the path. Without scheme, s
 * begins with the host, which must have a public top-level domain or be an IPv4 address. How many
 * bytes they take, 0: none.
 */
size_t url_read(struct url *u, struct span s);
/* Names beyond ASCII take microseconds each. */
struct url_foreign {
	unsigned left;	 /* so many are still read */
	unsigned unread; /* places where one was not, beyond them; a name may be tried at several */
};
/* The same where many may follow. */
size_t url_read_of_many(struct url *u, struct span s, struct url_foreign *foreign);

/* Is it the name of a public top-level domain, or of one that is kept for examples and networks of
 * one's own? In any case, ASCII. */
bool url_top_level(struct span name);

/* Host, port, path and query in one form ("host:8080/a/b?c"), for lookups: rest is what follows
 * the authority. Length; *ret_path, *ret_query: where these begin (the length when there is none).
 */
size_t url_key(const struct url *u, struct span rest, char ret[URL_KEY_MAX], size_t *ret_path,
	       size_t *ret_query);

/* The domain that somebody registered ("evil.co.uk" of "www.evil.co.uk"): a part of host, or NULL
 * when host is an IP or a public suffix itself. */
const char *url_registered(const struct url *u);
/* This host's, private networks, multicast: nothing that others could mean. */
bool url_private(bool v6, const uint8_t *ip);
/* Is it a public suffix (com, co.uk, github.io) or no domain at all? */
bool url_suffix(const char *host);
