/* user/detect/link.h - finds the addresses in a text: URLs of any scheme and disguise, domains,
 * e-mail domains, IPs. Linear in the text whatever it holds.
 */
#pragma once

#include "intel/url.h"
#include "text/view.h"

#define LINK_REST_MAX 4096 /* bytes of path and query read */

enum link_form {
	LINK_URL,  /* with a scheme, or as HTML and Markdown leave it out: //host */
	LINK_BARE, /* a domain or an IP, perhaps with a path */
	LINK_MAIL, /* the domain of an e-mail address */
};

struct link {
	enum link_form form;
	struct range where; /* in the text */
	struct url url;
	struct span rest; /* path, query, fragment, as they stand */
};

struct link_scan {
	struct span text;
	size_t at, end; /* addresses that begin up to here are found */
	size_t from;	/* the places where one may be are known of the bytes from here on: */
	uint64_t left;	/* bits of those that were not tried */
	size_t
	    run_end; /* where the run of characters that a URL can have ends, once it was sought */
	size_t dotted_end; /* the same of letters, digits, dots and hyphens */
	uint8_t dotted;	   /* all bytes of the latter together: is one beyond ASCII? */
	size_t paired;	   /* bytes read for closing brackets: a flood of them gets no more */
	size_t floor;	   /* what stands before it belongs to an address found */
	struct url_foreign foreign; /* a flood of names beyond ASCII is not read to its end */
};

void link_begin(struct link_scan *s, struct span text);
/* Goes on in another part of the text only: whole lines, which no address leaves; ascending. */
void link_only(struct link_scan *s, struct range lines);
/* The next one; addresses inside of another's path or query are found, too. False: no more. */
bool link_next(struct link_scan *s, struct link *ret);

/* How an address is set into a text. */
enum link_markup {
	MARKUP_NONE,
	MARKUP_LINK,  /* somebody must click */
	MARKUP_IMAGE, /* whoever shows the text fetches it: an image, a frame, a style */
};

/* Looks around a link: what it is to a reader of Markdown or HTML. *ret_label: the text shown in
 * its place, empty when there is none. Reads a bounded part of the text. */
enum link_markup link_markup(struct span text, const struct link *l, struct range *ret_label);
