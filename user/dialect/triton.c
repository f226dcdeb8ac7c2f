/* user/dialect/triton.c - the Open Inference Protocol (KServe V2) of Triton, KServe, OpenVINO:
 * tensors in and out, by HTTP and gRPC, and Triton's generate and model repository. A tensor of
 * datatype BYTES is texts: JSON strings, protobuf fields, or each with its length before it.
 * Spec: open-inference-protocol/specification/protocol, Triton's "Binary Tensor Data Extension".
 */
#include "base/own.h"
#include "base/utf8.h"
#include "dialect/grpc_form.h"

#define ELEMENT_HEAD 4	 /* bytes of an element's length, little endian */
#define TEXT_LOOK    256 /* bytes of an element that tell whether it is text */

/* --- elements */

/* Pieces of a stream's answer are one text. */
static void element(struct reading *r, uint32_t number, struct span value)
{
	struct port *port = r->now;
	struct segment *seg;

	if (!value.len)
		return;
	if (port->side == SIDE_REQUEST)
		port->message = port->n_items++;
	if (!utf8_is_text(span_sub(value, 0, TEXT_LOOK), value.len > TEXT_LOOK)) {
		reading_media_begin(r, SKIP_FILE, SPAN_LIT(""), SPAN_LIT(""));
		reading_media_bytes(r, value);
		reading_media_end(r);
		return;
	}
	seg = reading_segment(r, port->side == SIDE_REQUEST ? FIELD_INPUT : FIELD_OUTPUT, number);
	reading_bytes(r, seg, value);
}

/* Elements with their lengths; *number goes on. */
static void elements(struct reading *r, uint32_t *number, struct span raw)
{
	while (raw.len >= ELEMENT_HEAD) {
		size_t n = raw.p[0] | raw.p[1] << 8 | raw.p[2] << 16 | (size_t)raw.p[3] << 24;

		raw = span_sub(raw, ELEMENT_HEAD, raw.len);
		element(r, (*number)++, span_sub(raw, 0, n));
		raw = span_sub(raw, n, raw.len);
	}
}

/* --- HTTP */

/* Datatype in the block's type. With a size, its data is behind the JSON. */
static void on_tensor(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct port *port = r->now;
	struct tail *tail = port->tail;

	if (e->kind == JSON_OBJECT_END && port->block.open && tail &&
	    tail->n_parts < TAIL_PARTS_MAX && tail->parts[tail->n_parts].size) {
		tail->parts[tail->n_parts].text = !strcmp(port->block.type, "BYTES");
		tail->n_parts++;
	}
	reading_block(r, e, arg);
}

static void on_size(struct reading *r, const struct json_event *e, unsigned arg)
{
	struct tail *tail = r->now->tail;

	(void)arg;
	if (e->kind == JSON_NUMBER && tail && tail->n_parts < TAIL_PARTS_MAX)
		reading_decimal(e->text, &tail->parts[tail->n_parts].size);
}

static void on_tail(struct reading *r, enum side side, struct span bytes)
{
	const struct tail *tail = r->ports[side]->tail;
	uint32_t number = 0;

	for (size_t i = 0; i < tail->n_parts; i++) {
		struct span part = span_sub(bytes, 0, tail->parts[i].size);

		bytes = span_sub(bytes, part.len, bytes.len);
		if (tail->parts[i].text)
			elements(r, &number, part);
		else
			turn_skip(&r->t, SKIP_VECTOR, part.len);
	}
	turn_skip(&r->t, SKIP_FILE, bytes.len);
}

/* clang-format off */
#define TENSOR_ROWS(at)                                                        \
	{ at, on_tensor },                                                      \
	{ at ".datatype", reading_mark, PORT_STR(block.type) },                 \
	{ at ".parameters.binary_data_size", on_size },                         \
	{ at ".data", on_data },                                                \
	{ at ".data[]", on_data },                                              \
	{ at ".data[][]", on_data },                                            \
	{ at ".data[][][]", on_data }
/* clang-format on */

static void on_data(struct reading *r, const struct json_event *e, unsigned arg)
{
	(void)arg;
	if (e->kind == JSON_NUMBER)
		turn_skip(&r->t, SKIP_VECTOR, e->text.len);
	else if (r->now->side == SIDE_REQUEST)
		reading_input(r, e, 0);
	else
		reading_another(r, e, FIELD_OUTPUT);
}

static const struct shape_row request_rows[] = { TENSOR_ROWS("inputs[]") };
static const struct shape_row response_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model_name", reading_turn_id, TURN_STR(response_model) },
	TENSOR_ROWS("outputs[]"),
	{ "error", reading_error, 0 },
};
static const struct shape request_list[] = { SHAPE("", request_rows) },
			  response_list[] = { SHAPE("", response_rows) };
static struct shapes request = SHAPES(request_list), response = SHAPES(response_list);

static const char *const needs[] = { "inputs[].name", "inputs[].datatype", "inputs[].shape[]",
				     NULL };

static const struct form infer = {
	.name = "kserve-infer",
	.summary = "inference of tensors by HTTP: Triton, KServe, OpenVINO",
	.operation = OP_INFERENCE,
	.request = &request,
	.response = &response,
	.needs = needs,
};

/* Each key is a tensor; these are the ones of language models. */
static const struct shape_row prompt_rows[] = {
	{ "text_input", reading_input },
	{ "text_input[]", reading_input },
	{ "prompt", reading_input },
	{ "prompt[]", reading_input },
	{ "system_prompt", reading_text, FIELD_INSTRUCTIONS },
	{ "image", reading_media, SKIP_IMAGE },
	{ "image[]", reading_media, SKIP_IMAGE },
	{ "stream", reading_stream },
};
static const struct shape_row words_rows[] = {
	{ "id", reading_turn_id, TURN_STR(response_id) },
	{ "model_name", reading_turn_id, TURN_STR(response_model) },
	{ "text_output", reading_text, FIELD_OUTPUT },
	{ "text_output[]", reading_text, FIELD_OUTPUT },
	{ "error", reading_error, 0 },
};
static const struct shape prompt_list[] = { SHAPE("", prompt_rows) },
			  words_list[] = { SHAPE("", words_rows) };
static struct shapes prompt = SHAPES(prompt_list), words = SHAPES(words_list);

static const struct form generate = {
	.name = "triton-generate",
	.summary = "Triton's generate: language models by HTTP",
	.operation = OP_COMPLETION,
	.request = &prompt,
	.response = &words,
};

/* --- gRPC: inference.GRPCInferenceService */

#define TENSORS_MAX 64

struct tensors {
	struct grpc_reading g; /* first: handlers of grpc_form.h get this for theirs */
	size_t n, n_raw;
	uint32_t number; /* of the next element */
	bool text[TENSORS_MAX];
};

static void grpc_tensor(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct tensors *t = ctx;

	(void)f;
	(void)arg;
	t->n++;
	if (t->n <= TENSORS_MAX)
		t->text[t->n - 1] = false;
}

static void grpc_datatype(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct tensors *t = ctx;

	(void)arg;
	if (t->n && t->n <= TENSORS_MAX)
		t->text[t->n - 1] = span_eq(f->bytes, SPAN_LIT("BYTES"));
}

static void grpc_element(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct tensors *t = ctx;

	(void)arg;
	element(t->g.r, t->number++, f->bytes);
}

/* The contents of all tensors, in their order, behind them. */
static void grpc_raw(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct tensors *t = ctx;

	(void)arg;
	if (t->n_raw < MIN(t->n, TENSORS_MAX) && t->text[t->n_raw])
		elements(t->g.r, &t->number, f->bytes);
	else
		turn_skip(&t->g.r->t, SKIP_VECTOR, f->bytes.len);
	t->n_raw++;
}

static void grpc_error(void *ctx, const struct protobuf_field *f, const void *arg)
{
	struct tensors *t = ctx;

	(void)arg;
	t->g.r->failed |= f->bytes.len > 0;
}

/* clang-format off */
#define RESULT_ROWS(at)                                         \
	GRPC_TEXT(at "1", reading_turn_id, TURN_STR(response_model)), \
	GRPC_TEXT(at "3", reading_turn_id, TURN_STR(response_id)),    \
	{ at "5", grpc_tensor },                                 \
	{ at "5.2", grpc_datatype },                             \
	{ at "5.5.8", grpc_element },                            \
	{ at "6", grpc_raw }
/* clang-format on */
static const struct protobuf_row infer_rows[] = {
	GRPC_TEXT("1", reading_turn_id, TURN_STR(request_model)),
	{ "5", grpc_tensor },
	{ "5.2", grpc_datatype },
	{ "5.5.8", grpc_element },
	{ "7", grpc_raw },
};
static const struct protobuf_row result_rows[] = { RESULT_ROWS("") };
static const struct protobuf_row stream_rows[] = { { "1", grpc_error }, RESULT_ROWS("2.") };

static void walk(struct reading *r, const struct flow_event *ev, const struct protobuf_row *rows,
		 size_t n)
{
	struct port *port = r->ports[ev->side];
	struct tensors t = { .g.r = r };

	/* Messages of a socket behind a request that was over. */
	if (!port)
		return;
	r->now = port;
	port->hole |= ev->damaged;
	if (protobuf_walk(ev->data, rows, n, &t))
		port->hole = true;
}

static bool on_infer(struct reading *r, const struct flow_event *ev)
{
	if (!ev->binary)
		return false;
	if (ev->side == SIDE_REQUEST)
		walk(r, ev, infer_rows, ARRAY_SIZE(infer_rows));
	else
		walk(r, ev, result_rows, ARRAY_SIZE(result_rows));
	return true;
}

static bool on_infer_stream(struct reading *r, const struct flow_event *ev)
{
	if (!ev->binary || ev->side == SIDE_REQUEST)
		return on_infer(r, ev);
	walk(r, ev, stream_rows, ARRAY_SIZE(stream_rows));
	return true;
}

static const struct form grpc_infer = {
	.name = "kserve-grpc",
	.summary = "inference of tensors by gRPC: Triton, KServe, OpenVINO",
	.operation = OP_INFERENCE,
};

/* --- the models that a server has */

static const struct shape_row done_rows[] = { { "error", reading_error, 0 } };
static const struct shape done_list[] = { SHAPE("", done_rows) };
static struct shapes done = SHAPES(done_list);

static const struct protobuf_row manage_rows[] = { GRPC_TEXT("2", reading_turn_id,
							     TURN_STR(object)) };
static const struct grpc_form manage = { { [SIDE_REQUEST] = GRPC_ROWS(manage_rows) } };

static const struct form repository = {
	.name = "kserve-repository",
	.summary = "models that a Triton server loads or lets go",
	.operation = OP_MODEL_MANAGEMENT,
	.response = &done,
	.grpc = &manage,
};

/* clang-format off */
#define BINARY .json_len = "inference-header-content-length", .tail = on_tail
#define GRPC "/inference.GRPCInferenceService/"
/* clang-format on */
static const struct route routes[] = {
	{ "/v2/models/{model}/infer", &infer, BINARY },
	{ "/v2/models/{model}/versions/{}/infer", &infer, BINARY },
	{ "/v2/models/{model}/generate", &generate },
	{ "/v2/models/{model}/versions/{}/generate", &generate },
	{ "/v2/models/{model}/generate_stream", &generate, .stream = true },
	{ "/v2/models/{model}/versions/{}/generate_stream", &generate, .stream = true },
	{ "/v2/repository/index", &repository, OP_MODELS },
	{ "/v2/repository/models/{object}/load", &repository },
	{ "/v2/repository/models/{object}/unload", &repository },
	{ GRPC "ModelInfer", &grpc_infer, .event = on_infer, .end = grpc_form_end },
	{ GRPC "ModelStreamInfer", &grpc_infer, .stream = true, .event = on_infer_stream,
	  .end = grpc_form_end },
	{ GRPC "RepositoryModelLoad", &repository, .event = grpc_form_event, .end = grpc_form_end },
	{ GRPC "RepositoryModelUnload", &repository, .event = grpc_form_event,
	  .end = grpc_form_end },
	{ GRPC "RepositoryIndex", &repository, OP_MODELS, .event = grpc_form_event,
	  .end = grpc_form_end },
};

const struct dialect dialect_triton = {
	.name = "triton",
	.summary = "the Open Inference Protocol: Triton, KServe, OpenVINO, by HTTP and gRPC",
	ROUTES(routes),
};
