/* tests/fuzz/fuzz_render.c - what the collector and the tools are sent, they show: as JSON that
 * reads back, and for people as text that no terminal obeys. The first byte says what it is: b, the
 * Body of a revision; s, a StatusReply; e, an ExplainReply; the rest is the message.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/own.h"
#include "ctl/pb_json.h"
#include "ctl/render.h"
#include "ctl/render_explain.h"
#include "parse/json.h"

#define NOW UINT64_C(1700000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char *text; /* what was shown last */
static size_t text_len;

/* Rewound for every message: a stream is not made again. */
static FILE *out_begin(void)
{
	static FILE *out;

	if (!out)
		out = open_memstream(&text, &text_len);
	if (!out || fseek(out, 0, SEEK_SET))
		abort();
	return out;
}

static struct span out_end(FILE *out)
{
	if (fflush(out))
		abort();
	return span_of(text, text_len);
}

static void is_plain(struct span s)
{
	uint32_t cp;

	while (s.len) {
		size_t n = utf8_decode(s, &cp);

		assert(n && (cp == '\n' || !escape_hidden(cp)));
		s = span_sub(s, n, s.len);
	}
}

static void on_json(void *ctx, const struct json_event *e)
{
	(void)ctx;
	assert(!e->damaged);
}

static void check_json(const ProtobufCMessage *m, enum json_out_style style)
{
	FILE *f = out_begin();
	struct json_out j = JSON_OUT(f, style);
	struct json *reader = NULL;
	struct span s;

	pb_json(&j, m);
	if (json_out_done(&j))
		abort();
	s = out_end(f);
	is_plain(s);
	if (json_new(&reader, 64, on_json, NULL))
		abort();
	assert(!json_feed(reader, s) && !json_end(reader));
	json_free(&reader);
}

static void show(const ProtobufCMessage *m, char kind)
{
	const Earshot__Body *b = (const Earshot__Body *)m;
	struct render r = { .out = out_begin(), .width = 80 };

	if (kind == 's') {
		render_status(&r, (const Earshot__StatusReply *)m, true, NOW);
	} else if (kind == 'e') {
		render_explain(&r, (const Earshot__ExplainReply *)m);
		render_explain_all(&r, &(Earshot__ExplainReply *){ (void *)m }, 1);
	} else {
		render_revision(&r, b, "host");
		if (b->alert) {
			render_alerts(&r, &b->alert, 1);
			render_alert(&r, b->alert);
		}
	}
	is_plain(out_end(r.out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const ProtobufCMessageDescriptor *d;
	ProtobufCMessage *m;

	if (!len)
		return 0;
	d = data[0] == 's'   ? &earshot__status_reply__descriptor
	    : data[0] == 'e' ? &earshot__explain_reply__descriptor
			     : &earshot__body__descriptor;
	m = protobuf_c_message_unpack(d, NULL, len - 1, data + 1);
	if (!m)
		return 0;
	check_json(m, len % 2 ? JSON_OUT_COMPACT : JSON_OUT_PRETTY);
	show(m, (char)data[0]);
	protobuf_c_message_free_unpacked(m, NULL);
	return 0;
}
