/* tests/keeper.h - messages as an inspector sends them, for the tests of the keeper's rooms. */
#pragma once

#include "alert/pack.h"
#include "base/own.h"
#include "proto/earshot.pb-c.h"

/* Tests wrap struct say in macros that give defaults, which a test then overrides. */
#pragma GCC diagnostic ignored "-Woverride-init"

struct say {
	uint64_t epoch, number, exchange;
	const char *kind;	     /* of a finding; NULL: an observation */
	const char *type, *evidence; /* evidence: its text also makes the fingerprint */
	const char *key, *end_user;  /* credential: up to 16 characters stand for its fingerprint */
	const char
	    *turns; /* the request, one character a message; its prefixes are those of this text */
	const char *after;			  /* observation: with the response */
	const char *anchor, *anchor_after;	  /* the last question and its answer */
	const char *previous, *response, *thread; /* the provider's ids */
	enum outcome outcome;
	enum mode mode;
	uint32_t raise; /* steps of severity */
	bool history;
	uint32_t pid;
	uint64_t begin_ns;
};

struct said {
	uint8_t bytes[PACK_MAX];
	size_t len;
};

static inline ProtobufCBinaryData say_hash(char room[16], const char *text, size_t len)
{
	memset(room, 0, 16);
	for (size_t i = 0; i < len; i++)
		room[i % 16] = (char)(room[i % 16] * 31 + text[i]);
	return (ProtobufCBinaryData){ 16, (uint8_t *)room };
}

static inline size_t say_prefixes(char room[PACK_PREFIXES_MAX][16], ProtobufCBinaryData *ret,
				  const char *turns)
{
	size_t len = turns ? strlen(turns) : 0, n = MIN(len, (size_t)PACK_PREFIXES_MAX);

	for (size_t i = 0; i < n; i++)
		ret[i] = say_hash(room[i], turns, len - n + i + 1);
	return n;
}

#define SAY_TEXT(s) ((char *)((s) ? (s) : ""))

/* The message, packed. */
static inline struct span say(struct said *ret, const struct say *w)
{
	Earshot__ToKeeper m = EARSHOT__TO_KEEPER__INIT;
	Earshot__Finding f = EARSHOT__FINDING__INIT;
	Earshot__Observation o = EARSHOT__OBSERVATION__INIT;
	Earshot__FindingId id = EARSHOT__FINDING_ID__INIT;
	Earshot__Context x = EARSHOT__CONTEXT__INIT;
	Earshot__Caller caller = EARSHOT__CALLER__INIT;
	Earshot__Process process = EARSHOT__PROCESS__INIT;
	Earshot__Completeness completeness = EARSHOT__COMPLETENESS__INIT;
	Earshot__Evidence e = EARSHOT__EVIDENCE__INIT;
	ProtobufCBinaryData before[PACK_PREFIXES_MAX], after[PACK_PREFIXES_MAX];
	char room[2][PACK_PREFIXES_MAX][16], key[16], print[16], anchor[2][16];

	id.boot = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
	id.epoch = w->epoch;
	id.number = w->number;
	if (w->key)
		caller.credential_fingerprint = say_hash(key, w->key, strlen(w->key));
	caller.end_user = SAY_TEXT(w->end_user);
	process.pid = w->pid ? w->pid : 100;
	process.comm = "client";
	completeness.bytes_passed = w->kind ? 10 : 20;
	completeness.bytes_captured = completeness.bytes_passed;
	x.caller = &caller;
	x.process = &process;
	x.completeness = &completeness;
	x.connection = 7;
	x.exchange = w->exchange;
	x.begin_mono_ns = w->begin_ns;
	x.previous_response_id = SAY_TEXT(w->previous);
	x.response_id = SAY_TEXT(w->response);
	x.provider_conversation = SAY_TEXT(w->thread);
	if (w->kind) {
		e.detector = "test";
		e.type = SAY_TEXT(w->type ? w->type : "rule");
		e.raise = w->raise;
	e.score = 0.9f;
		e.redacted = SAY_TEXT(w->evidence);
		e.fingerprint = say_hash(print, e.redacted, strlen(e.redacted));
		f.id = &id;
		f.kind = (char *)w->kind;
		f.mode = (Earshot__Mode)w->mode;
		f.evidence = &e;
		f.context = &x;
		f.outcome = (Earshot__Outcome)w->outcome;
		f.n_prefixes = say_prefixes(room[0], before, w->turns);
		f.prefixes = before;
		if (w->anchor)
			f.anchor = say_hash(anchor[0], w->anchor, strlen(w->anchor));
		f.history = w->history;
		m.body_case = EARSHOT__TO_KEEPER__BODY_FINDING;
		m.finding = &f;
	} else {
		o.id = &id;
		o.context = &x;
		o.outcome = (Earshot__Outcome)w->outcome;
		o.n_prefixes = say_prefixes(room[0], before, w->turns);
		o.prefixes = before;
		o.n_prefixes_after = say_prefixes(room[1], after, w->after);
		o.prefixes_after = after;
		if (w->anchor)
			o.anchor = say_hash(anchor[0], w->anchor, strlen(w->anchor));
		if (w->anchor_after)
			o.anchor_after =
			    say_hash(anchor[1], w->anchor_after, strlen(w->anchor_after));
		m.body_case = EARSHOT__TO_KEEPER__BODY_OBSERVATION;
		m.observation = &o;
	}
	ret->len = earshot__to_keeper__pack(&m, ret->bytes);
	return span_of(ret->bytes, ret->len);
}
