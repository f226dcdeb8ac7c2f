/* user/alert/fold.h - findings folded into alerts. An alert is a whole Earshot__Alert, allocated by protobuf-c and owned by the
 * caller. No I/O, no clock. Sizes stay bounded: evidence, other processes and every string by pack_check()'s caps.
 */
#pragma once

#include "detect/kind.h"
#include "proto/earshot.pb-c.h"

#define FOLD_EVIDENCE_MAX 16 /* distinct pieces an alert keeps */
#define FOLD_OTHERS_MAX 4 /* processes beside the first */
#define FOLD_KEY_LEN 32
#define FOLD_ID_LEN 16

/* What a fold changed. */
enum fold {
	FOLD_NOTHING,
	FOLD_COUNT, /* count and times only */
	FOLD_MATERIAL, /* severity, outcome, mode, evidence or who saw it */
};

/* By what findings are the same attack: kind, caller and conversation; without conversation, the evidence instead. */
void fold_key(uint8_t ret[FOLD_KEY_LEN], const char *kind, const Earshot__Context *x, const char *conversation,
	      ProtobufCBinaryData fingerprint);

/* A new alert with this first finding. -ENOMEM, -EBADMSG for an unknown kind. */
int fold_begin(Earshot__Alert **ret, const uint8_t id[FOLD_ID_LEN], const Earshot__Finding *f, enum mode mode,
	     const char *conversation, const char *host, uint64_t when_ns);
/* One more finding. enum fold, or -ENOMEM (the alert is whole, perhaps folded in part). */
int fold_finding(Earshot__Alert *a, const Earshot__Finding *f, enum mode mode, uint64_t when_ns);
/* The turn of one of its findings ended. enum fold, or -ENOMEM. */
int fold_observation(Earshot__Alert *a, const Earshot__Observation *o);
