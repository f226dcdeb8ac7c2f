/* user/ctl/pb_json.h - any protobuf message as JSON, by reflection.
 * Names as in the .proto; enum values as lower-case words without their enum's prefix; bytes as
 * hex; 64-bit integers as numbers; wall times "x_ns" as RFC 3339 strings "x", null for never; unset
 * messages null; fields of a oneof only when set; maps as objects. Every other field is written
 * even when it is empty, so that the shape never changes.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/json_out.h"

/* Writes m as one object into an open document. */
void pb_json(struct json_out *j, const ProtobufCMessage *m);
