/* user/alert/pack.h - struct finding and struct turn -> protobuf ToKeeper, as the inspector sends
 * it to the keeper. Every string comes out as valid UTF-8 without NUL, cut to its cap, so a message
 * always fits. No text but redacted evidence.
 */
#pragma once

#include <sys/types.h>

#include "base/mac.h"
#include "config/config.h"
#include "detect/finding.h"
#include "dialect/turn.h"
#include "flow/ident.h"
#include "proto/earshot.pb-c.h"

#define PACK_MAX	  (64 << 10) /* bytes of one message; room to give as max */
#define PACK_PREFIXES_MAX 4	     /* rolling hashes of one turn */
#define PACK_CONTEXT_MAX  (12 << 10) /* serialized Context */
#define PACK_PROCESS_MAX  (4 << 10)  /* of which Process */
#define PACK_EVIDENCE_MAX 1536	     /* serialized Evidence */
#define PACK_RULE_MAX	  2048	     /* serialized Rule */
#define PACK_KIND_MAX	  64

/* Where findings and observations of one turn come from. All borrowed during the call. */
struct pack_source {
	const struct turn *turn;
	const struct proc_info
	    *proc;	     /* NULL: not known (yet); then what the connection tells is used */
	struct mac *mac;     /* for the credential's fingerprint */
	const uint8_t *boot; /* 16 bytes */
	uint64_t epoch;
	enum evidence_mode evidence;
};

struct pack_prefixes {
	struct hash128 h[PACK_PREFIXES_MAX]; /* oldest first */
	size_t n;
	struct hash128 anchor;
	bool anchored; /* it has one */
};

/* Each returns the bytes written to out; -E2BIG when max is too small (never with PACK_MAX). */
ssize_t pack_finding(const struct pack_source *s, uint64_t number, const struct finding *f,
		     const struct pack_prefixes *before, uint8_t *out, size_t max);
/* before: of the request; after: with the response. Of a turn that was told of in part (turn_told),
 * the rest. */
ssize_t pack_observation(const struct pack_source *s, uint64_t number,
			 const struct pack_prefixes *before, const struct pack_prefixes *after,
			 uint8_t *out, size_t max);
/* n findings and observations could not be queued since the last such message. */
ssize_t pack_dropped(uint64_t n, uint8_t *out, size_t max);

/* The keeper's side: is this a message that the functions above could have made? Sizes, counts,
 * enums, UTF-8. 0 or -EBADMSG. */
int pack_check(const Earshot__ToKeeper *m);

/* A fixed field that a process of another role filled: NUL-terminated and valid UTF-8 afterwards,
 * with '?' for each byte that was none. */
void pack_clean(char *s, size_t size);
void pack_clean_proc(struct proc_info *p);
/* Points process and container into p, which must be clean. False: it is in no container. */
bool pack_proc(struct proc_info *p, Earshot__Process *process, Earshot__Container *container);
