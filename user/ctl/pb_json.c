/* user/ctl/pb_json.c - any protobuf message as JSON, by walking its descriptor. */
#include "ctl/pb_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "ctl/render.h"

/* The fields that hold nanoseconds since the epoch; other "_ns" are durations or of another clock.
 */
static const char *const wall_times[] = { "first_seen_ns", "last_seen_ns", "started_ns", "time_ns",
					  "upstream_ok_ns" };

static bool is_wall_time(const ProtobufCFieldDescriptor *f)
{
	for (size_t i = 0; f->type == PROTOBUF_C_TYPE_UINT64 && i < ARRAY_SIZE(wall_times); i++)
		if (!strcmp(f->name, wall_times[i]))
			return true;
	return false;
}

static void put_time(struct json_out *j, uint64_t ns)
{
	time_t t = (time_t)(ns / NS_PER_SEC);
	char text[64], day[32];
	struct tm tm;

	/* Beyond year 9999 it is no RFC 3339 time: the sender's clock is broken. */
	if (!ns || !gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900) {
		json_out_null(j);
		return;
	}
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%09uZ", day, (unsigned)(ns % NS_PER_SEC));
	json_out_cstr(j, text);
}

static void put_bytes(struct json_out *j, ProtobufCBinaryData b)
{
	auto_mem char *hex = malloc(2 * b.len + 1);

	if (!hex) {
		json_out_null(j);
		return;
	}
	for (size_t i = 0; i < b.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", b.data[i]);
	json_out_str(j, span_of(hex, 2 * b.len));
}

static void put_enum(struct json_out *j, const ProtobufCEnumDescriptor *e, int value)
{
	char word[32];

	if (protobuf_c_enum_descriptor_get_value(e, value))
		json_out_cstr(j, enum_word(e, value, word));
	else /* of a newer sensor */
		json_out_i64(j, value);
}

/* A float as short as a float can be: 0.9, not 0.899999976. */
static void put_float(struct json_out *j, float v)
{
	char text[32];

	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	json_out_f64(j, strtod(text, NULL));
}

/* The value at p, of the type of f. */
static void put_value(struct json_out *j, const ProtobufCFieldDescriptor *f, const void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		json_out_i64(j, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		json_out_i64(j, *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_out_u64(j, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		if (is_wall_time(f))
			put_time(j, *(const uint64_t *)p);
		else
			json_out_u64(j, *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		put_float(j, *(const float *)p);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		json_out_f64(j, *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_out_bool(j, *(const protobuf_c_boolean *)p);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(j, f->descriptor, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		json_out_cstr(j, *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(j, *(const ProtobufCBinaryData *)p);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(ProtobufCMessage *const *)p)
			pb_json(j, *(ProtobufCMessage *const *)p);
		else
			json_out_null(j);
		break;
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* protobuf-c shows map<string, T> as repeated messages of "key" and "value", called SomethingEntry.
 */
static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *m = f->descriptor;
	size_t len;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE || m->n_fields != 2)
		return false;
	len = strlen(m->short_name);
	return len > 5 && !strcmp(m->short_name + len - 5, "Entry") &&
	       !strcmp(m->fields[0].name, "key") && m->fields[0].type == PROTOBUF_C_TYPE_STRING &&
	       !strcmp(m->fields[1].name, "value");
}

static void put_repeated(struct json_out *j, const ProtobufCFieldDescriptor *f, size_t n,
			 const char *items)
{
	if (is_map(f)) {
		const ProtobufCMessageDescriptor *m = f->descriptor;

		json_out_object(j);
		for (size_t i = 0; i < n; i++) {
			const char *entry = ((const char *const *)items)[i];

			json_out_key(j, *(char *const *)(entry + m->fields[0].offset));
			put_value(j, &m->fields[1], entry + m->fields[1].offset);
		}
		json_out_end(j);
		return;
	}
	json_out_array(j);
	for (size_t i = 0; i < n; i++)
		put_value(j, f, items + i * size_of(f));
	json_out_end(j);
}

static void put_key(struct json_out *j, const ProtobufCFieldDescriptor *f)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strlen(f->name) - (is_wall_time(f) ? 3 : 0),
		 f->name);
	json_out_key(j, name);
}

void pb_json(struct json_out *j, const ProtobufCMessage *m)
{
	const char *base = (const char *)m;

	json_out_object(j);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *p = base + f->offset;

		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    *(const uint32_t *)(base + f->quantifier_offset) != f->id)
			continue;
		put_key(j, f);
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			put_repeated(j, f, *(const size_t *)(base + f->quantifier_offset),
				     *(const char *const *)p);
		else
			put_value(j, f, p);
	}
	json_out_end(j);
}
