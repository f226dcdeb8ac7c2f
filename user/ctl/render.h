/* user/ctl/render.h - alerts and status for people: tables, blocks, one line per revision.
 * Every text of a message passes through base/escape.h on its way out.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "proto/earshot.pb-c.h"

struct render {
	FILE *out;
	bool colour;
	unsigned width; /* columns; 0: no limit */
};

/* Finds out what out can show: colour on a terminal (unless no_color or NO_COLOR says otherwise)
 * and its width. */
void render_init(struct render *r, FILE *out, bool no_color);

void render_status(const struct render *r, const Earshot__StatusReply *s, bool all_counters,
		   uint64_t now_ns);
/* A table, a row each in the order given. */
void render_alerts(const struct render *r, Earshot__Alert *const *alerts, size_t n);
/* Everything there is to say about one. */
void render_alert(const struct render *r, const Earshot__Alert *a);
/* A line per revision, and for a new alert a second one with its evidence. host: shown when not
 * NULL. */
void render_revision(const struct render *r, const Earshot__Body *b, const char *host);

/* "high" of SEVERITY_HIGH: the name of a value without its enum's prefix, in lower case; a number
 * when it is not known. */
const char *enum_word(const ProtobufCEnumDescriptor *e, int value, char out[32]);

/* The first max bytes, as far as they fit. */
void hex(char *out, size_t size, ProtobufCBinaryData b, size_t max);
void how_long(char out[32], uint64_t ns);    /* "3m 20s" */
void how_much(char out[32], uint64_t bytes); /* "1.5 MiB" */
