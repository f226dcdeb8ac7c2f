/* user/alert/merge.h - findings merged into alerts. An alert is a whole Earshot__Alert, allocated
 * by protobuf-c and owned by the caller. No I/O, no clock. Sizes stay bounded: evidence, other
 * processes and every string by pack_check()'s caps.
 */
#pragma once

#include "detect/kind.h"
#include "proto/earshot.pb-c.h"

#define MERGE_EVIDENCE_MAX 16 /* distinct pieces an alert keeps */
#define MERGE_OTHERS_MAX   4  /* processes beside the first */
#define MERGE_KEY_LEN	   32
#define MERGE_ID_LEN	   16

/* What a merge changed. */
enum merge {
	MERGE_NOTHING,
	MERGE_COUNT,	/* counts, times, who else saw it, how much was captured */
	MERGE_MATERIAL, /* severity, outcome, mode or evidence */
};

/* By what findings are the same attack: kind, caller and conversation; without conversation, the
 * evidence instead. */
void merge_key(uint8_t ret[MERGE_KEY_LEN], const char *kind, const Earshot__Context *x,
	       const char *conversation, ProtobufCBinaryData fingerprint);

/* A new alert with this first finding. -ENOMEM, -EBADMSG for an unknown kind. */
int merge_new(Earshot__Alert **ret, const uint8_t id[MERGE_ID_LEN], const Earshot__Finding *f,
	      enum mode mode, const char *conversation, const char *host, uint64_t when_ns);
/* One more finding. enum merge, or -ENOMEM (the alert is whole, perhaps merged in part). */
int merge_finding(Earshot__Alert *a, const Earshot__Finding *f, enum mode mode, uint64_t when_ns);
/* The turn of one of its findings ended. enum merge, or -ENOMEM. */
int merge_observation(Earshot__Alert *a, const Earshot__Observation *o);
