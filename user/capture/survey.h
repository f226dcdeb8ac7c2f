/* user/capture/survey.h - which TLS code does an ELF file hold, and where is the cheap place for a
 * probe? Runs in the surveyor. The file is hostile: read by pread only, every offset checked, sizes
 * capped. Sites and their cost: see survey.c.
 */
#pragma once

#include <stdint.h>

#include "bpf/event.h"

#define SURVEY_SITES_MAX 16

/* Why this place: for `earshot explain`, logs and tests. */
enum site_choice {
	SITE_EXPORT_PUSH,   /* the exported function, at its first instruction or past endbr64 and
			       nops: emulated, cheap */
	SITE_INTERNAL_PUSH, /* the internal function that plain and _ex share, emulated: one site
			       serves both */
	SITE_ENTRY_LATER, /* moved along to an emulated instruction while arguments and stack are as
			     the caller left them */
	SITE_EXPORT_SLOW, /* the exported function's first instruction, single-stepped: right, but
			     slow */
	SITE_CHOICE_MAX_,
};
/* One word each, as `earshot explain` and tables of sites (capture/sites.h) write them. */
extern const char *const site_choice_names[SITE_CHOICE_MAX_]; /* "shared-internal" */
extern const char *const site_names[EV_SITE_MAX_];	      /* "read_ex"; [0] is NULL */

struct survey_site {
	uint64_t offset; /* in the file */
	uint32_t site;	 /* enum ev_site: what arguments and result mean */
	uint32_t choice; /* enum site_choice */
	char symbol[32]; /* the exported function it was found by */
};

enum survey_verdict {
	SURVEY_NONE, /* a sound ELF file without TLS code that we know */
	SURVEY_TLS,
	SURVEY_BAD, /* not ELF, damaged, over a cap */
	SURVEY_VERDICT_MAX_,
};

struct survey {
	uint32_t verdict;
	uint32_t n_sites;
	char why[96]; /* for SURVEY_TLS: "OpenSSL 3.0, shared internals"; else what is missing or
			 wrong */
	uint8_t build_id[20];
	uint32_t build_id_len; /* 0: none */
	uint32_t hints; /* for SURVEY_NONE: other TLS code that it holds, bits of enum hint */
	struct survey_site sites[SURVEY_SITES_MAX];
};

/* Reads fd, wherever its position is, as it needs. 0 (the verdict is in *ret), -ENOMEM. */
int survey_file(int fd, struct survey *ret);
