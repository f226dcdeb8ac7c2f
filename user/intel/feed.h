/* user/intel/feed.h - reads one file of threat intelligence into an index under construction, piece
 * by piece. Three forms, told apart by how the file begins:
 *   lines   a URL, domain, IP or network each; # and ; begin comments; of a hosts file or a CSV the
 *           first field that is one counts; *.example.com, ||example.com^
 *   STIX    2.1 bundles: indicators whose pattern is [url:value = '...'], domain-name:value,
 *           ipv4-addr:value or ipv6-addr:value, with OR and IN
 *   MISP    events and search results: attributes of network types with to_ids
 * Files are hostile: whatever they hold, it costs time in proportion, and what is not taken is
 * counted.
 */
#pragma once

#include "intel/build.h"

#define FEED_LINE_MAX	 8192  /* bytes of a line or a value */
#define FEED_PATTERN_MAX 65536 /* of a STIX pattern */

struct feed;

/* now_s: Unix time; what ended before it is outdated. One file. -ENOMEM. */
int feed_new(struct feed **ret, struct build *b, uint64_t now_s);
void feed_free(struct feed **f);
/* Consumes all of in. 0, -ENOMEM. */
int feed_read(struct feed *f, struct span in);
/* The file is over. 0; -EBADMSG: it is broken, why in *ret_why; -ENOMEM. */
int feed_end(struct feed *f, const char **ret_why);
