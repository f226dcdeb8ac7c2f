/* user/dialect/grpc_form.c - messages of gRPC become a reading. */
#include "dialect/grpc_form.h"

#include "base/escape.h"

static const struct protobuf_row google_value_rows[] = {
	GRPC_TEXT("3", reading_line, FIELD_DOCUMENT),
	GRPC_INSIDE("5.1.2", &grpc_google_value),
	GRPC_INSIDE("6.1", &grpc_google_value),
};
const struct grpc_rows grpc_google_value = GRPC_ROWS(google_value_rows);

/* As the JSON reader does: in pieces that are UTF-8, with U+FFFD for each byte that is not. */
void grpc_text(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct reading *r = ((struct grpc_reading *)ctx)->r;
	const struct grpc_to *to = arg;
	struct json_event e = { .kind = JSON_STRING, .path = "", .first = true, .damaged = f->cut };
	struct span rest = f->bytes;
	uint32_t cp;

	if (f->wire != PROTOBUF_LEN)
		return;
	do {
		size_t n = 0, one;

		while ((one = utf8_decode(span_sub(rest, n, rest.len), &cp)) != 0)
			n += one;
		e.text = n ? span_sub(rest, 0, n) : SPAN_LIT("\xef\xbf\xbd");
		rest = span_sub(rest, n ? n : 1, rest.len);
		e.last = !rest.len;
		if (f->bytes.len)
			to->on(r, &e, to->arg);
		e.first = false;
	} while (rest.len);
}

static void item(struct reading *r, enum json_kind kind)
{
	/* Of a response they are numbered by where they stand. */
	uint32_t number = r->now->side == SIDE_RESPONSE ? r->now->n_items : 0;

	reading_item(r, &(struct json_event){ .kind = kind, .index = &number, .n_index = 1 }, 0);
}

void grpc_item(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct reading *r = ((struct grpc_reading *)ctx)->r;

	(void)f;
	(void)arg;
	item(r, JSON_OBJECT);
	if (r->now->side == SIDE_RESPONSE)
		r->now->n_items++;
}

void grpc_vector(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct reading *r = ((struct grpc_reading *)ctx)->r;

	(void)arg;
	turn_skip(&r->t, SKIP_VECTOR, f->wire == PROTOBUF_LEN ? f->bytes.len : sizeof(float));
}

void grpc_inside(void *ctx, const struct protobuf_field *f, const void *arg)
{
	const struct grpc_rows *rows = arg;
	struct grpc_reading *g = ctx;

	if (f->wire != PROTOBUF_LEN)
		return;
	if (g->depth == PROTOBUF_DEPTH_MAX) {
		g->r->t.json_skipped++;
		return;
	}
	g->depth++;
	if (protobuf_walk(f->bytes, rows->rows, rows->n, g))
		g->r->now->hole = true;
	g->depth--;
}

bool grpc_form_event(struct reading *r, const struct flow_event *ev)
{
	struct port *port = r->ports[ev->side];
	const struct grpc_form *form = r->form->grpc;
	struct grpc_reading g = { .r = r };

	if (!ev->binary || !form)
		return false;
	if (!port)
		return true;
	r->now = port;
	port->hole |= ev->damaged;
	port->message = port->base;
	port->part = 0;
	if (protobuf_walk(ev->data, form->side[ev->side].rows, form->side[ev->side].n, &g))
		port->hole = true;
	item(r, JSON_OBJECT_END);
	return true;
}

void grpc_form_end(struct reading *r)
{
	struct span status = exchange_field(r->t.exchange, SIDE_RESPONSE, "grpc-status");

	if (!status.len || span_eq(status, SPAN_LIT("0")))
		return;
	r->failed = true;
	turn_id(r->t.error_code, sizeof(r->t.error_code), status);
}
