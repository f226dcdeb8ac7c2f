/* user/capture/sites.h - tables of probe sites, for files whose symbols were stripped: made with
 * tools/sites from a build that still has them, and valid for that build only, by its build-id.
 * Text, line by line; what is not understood makes the file's entry void:
 *
 *	# anything
 *	file BUILD-ID what it is, for people
 *	site OFFSET OPERATION CHOICE SYMBOL
 *
 * OFFSET (0x...) is one in the file, OPERATION one of site_names, CHOICE one of site_choice_names.
 * Several tables in a row are a table; the first entry with a build-id counts.
 */
#pragma once

#include <stdio.h>

#include "base/span.h"
#include "capture/survey.h"

#define SITES_ID_MIN 8 /* bytes of a build-id that tells builds apart */

/* The file's entry, for what survey_file() answered SURVEY_NONE with its build-id. Each site must
 * be an instruction in an executable segment, a cheap one where the table says so. 1: *s is
 * SURVEY_TLS now. 0: not in the table, *s is as before. -EBADMSG: the entry is void; s->why says
 * why. */
int sites_find(int fd, struct span table, struct survey *s);
/* What the monitor can tell of a surveyor's answer without reading ELF: each site lies in the bytes
 * from..to of the file, which are mapped for execution, and begins an instruction of the kind that
 * was promised. 0, -EBADMSG. */
int sites_check(int fd, const struct survey *s, uint64_t from, uint64_t to);
/* Prints the entry of a surveyed file; -EINVAL without sites or build-id. */
int sites_print(FILE *to, const struct survey *s, const char *what);
