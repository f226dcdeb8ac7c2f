/* user/dialect/turn_json.c - a turn's members, in the order of the struct. */
#include "dialect/turn_json.h"

static void put(struct json_out *o, const char *key, struct span value)
{
	json_out_key(o, key);
	json_out_str(o, value);
}

static void put_str(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	json_out_cstr(o, value);
}

static void put_u64(struct json_out *o, const char *key, uint64_t value)
{
	json_out_key(o, key);
	json_out_u64(o, value);
}

static void put_bool(struct json_out *o, const char *key, bool value)
{
	json_out_key(o, key);
	json_out_bool(o, value);
}

static void put_filters(struct json_out *o, const char *key, uint32_t bits)
{
	json_out_key(o, key);
	json_out_array(o);
	for (enum filter f = 0; f < FILTER_MAX_; f++)
		if (bits & 1u << f)
			json_out_cstr(o, filter_name(f));
	json_out_end(o);
}

static void put_coverage(struct json_out *o, const char *key, const struct coverage *c)
{
	json_out_key(o, key);
	json_out_object(o);
	put_u64(o, "seen", c->seen);
	put_u64(o, "lost", c->lost);
	put_u64(o, "unread", c->unread);
	put_bool(o, "open_ended", c->open_ended);
	json_out_end(o);
}

static void put_segment(struct json_out *o, const struct segment *s, bool text)
{
	json_out_object(o);
	put_str(o, "role", segment_role_name(s->role));
	put_str(o, "origin", origin_name(s->origin));
	put_str(o, "side", s->side == SIDE_REQUEST ? "request" : "response");
	put_u64(o, "message", s->message);
	put_str(o, "name", s->name);
	put_str(o, "call_id", s->call_id);
	put_u64(o, "bytes", s->text.len);
	put_u64(o, "missing", s->missing);
	put_bool(o, "damaged", s->damaged);
	if (text)
		put(o, "text", buf_span(&s->text));
	json_out_end(o);
}

void turn_json(struct json_out *o, const struct turn *t, bool text)
{
	const struct exchange *x = t->exchange;
	struct timing timing = turn_timing(t);

	put_str(o, "dialect", t->dialect);
	put_str(o, "provider", t->provider);
	put_str(o, "operation", operation_name(t->operation));
	put_bool(o, "client", x->client);
	put(o, "method", x->method);
	put(o, "host", x->host);
	put(o, "path", exchange_path(x));
	put_u64(o, "status", x->status);
	put_str(o, "request_model", t->request_model);
	put_str(o, "response_model", t->response_model);
	put_str(o, "response_id", t->response_id);
	put_str(o, "previous_id", t->previous_id);
	put_str(o, "conversation", t->conversation);
	put_str(o, "end_user", t->end_user);
	put_str(o, "contradiction", t->contradiction ? t->contradiction : "");
	put_bool(o, "credential", t->credential.len != 0);
	put(o, "user_agent", t->user_agent);
	put(o, "forwarded_for", t->forwarded_for);
	json_out_key(o, "segments");
	json_out_array(o);
	for (size_t i = 0; i < t->n_segments; i++)
		put_segment(o, &t->segments[i], text);
	json_out_end(o);
	json_out_key(o, "skipped");
	json_out_object(o);
	for (enum skipped s = 0; s < SKIP_MAX_; s++)
		put_u64(o, skipped_name(s), t->skipped[s]);
	json_out_end(o);
	put_u64(o, "input_tokens", t->input_tokens);
	put_u64(o, "output_tokens", t->output_tokens);
	put_u64(o, "first_byte_ns", timing.first_byte_ns);
	put_u64(o, "first_token_ns", timing.first_token_ns);
	put_u64(o, "duration_ns", timing.duration_ns);
	put_u64(o, "tokens_per_second", (uint64_t)timing.tokens_per_second);
	put_str(o, "finish_reason", t->finish_reason);
	put_str(o, "error_code", t->error_code);
	put_str(o, "outcome", outcome_name(t->outcome));
	put_filters(o, "filter_detected", t->filter_detected);
	put_filters(o, "filter_blocked", t->filter_blocked);
	put_u64(o, "json_broken", t->json_broken);
	put_u64(o, "json_skipped", t->json_skipped);
	put_bool(o, "stream", t->stream);
	put_u64(o, "inspected", t->inspected);
	put_u64(o, "uninspected", t->uninspected);
	put_coverage(o, "request_body", &x->body[SIDE_REQUEST]);
	put_coverage(o, "response_body", &x->body[SIDE_RESPONSE]);
}
