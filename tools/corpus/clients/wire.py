"""Answers, as bytes of HTTP/1.1: what record.py has for OpenAI, for anybody."""
import binascii
import json
import struct

from record import chunked, head

DATE = ("Date", "Mon, 03 Aug 2026 09:12:44 GMT")
WEATHER_ARGS = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string", "description": "Name of the city."}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Current weather of a place.", "parameters": WEATHER_ARGS}}


def reply(obj, status="200 OK", fields=(), kind="application/json"):
    body = json.dumps(obj, ensure_ascii=False).encode()
    return head(status, [DATE, ("Content-Type", kind), *fields, ("Content-Length", len(body))]) + body


def empty(status="202 Accepted", fields=()):
    return head(status, [DATE, *fields, ("Content-Length", 0)])


def events(rows, typed=False, done=True, fields=()):
    """rows: (event, object) when typed, else objects."""
    body = ""
    for row in rows:
        if typed:
            body += f"event: {row[0]}\n"
        body += "data: " + json.dumps(row[1] if typed else row, separators=(",", ":"), ensure_ascii=False) + "\n\n"
    if done:
        body += "data: [DONE]\n\n"
    fields = [DATE, ("Content-Type", "text/event-stream"), *fields, ("Transfer-Encoding", "chunked")]
    return head("200 OK", fields) + chunked(body.encode(), (311, 53, 1024))


def frames(rows, kind="event", fields=()):
    """application/vnd.amazon.eventstream: (event type, object) each."""
    def name(key, value):
        return bytes([len(key)]) + key.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()

    body = b""
    for event, obj in rows:
        top = name(":event-type", event) + name(":content-type", "application/json") + name(":message-type", kind)
        payload = json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()
        frame = struct.pack(">II", 16 + len(top) + len(payload), len(top))
        frame += struct.pack(">I", binascii.crc32(frame)) + top + payload
        body += frame + struct.pack(">I", binascii.crc32(frame))
    fields = [DATE, ("Content-Type", "application/vnd.amazon.eventstream"), *fields, ("Transfer-Encoding", "chunked")]
    return head("200 OK", fields) + chunked(body, (400, 90))
