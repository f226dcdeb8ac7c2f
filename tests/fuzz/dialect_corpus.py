#!/usr/bin/env python3
"""tests/fuzz/dialect_corpus.py - makes tests/data/fuzz/dialect of the recordings in tests/data/dialect, in the form that
fuzz_dialect.c takes. Inputs without a recording of their name stay.
"""
import glob
import gzip
import os
import re
import struct

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STREAMED, UNKNOWN_PATH, EVENTSTREAM, GRPC, TAIL = 1, 4, 8, 16, 32


def routes():
    for source in glob.glob(os.path.join(ROOT, "user/dialect/*.c")):
        text = open(source).read()
        names = dict(re.findall(r'#define (\w+) "(/[^"]*)"', text))
        for name, path in re.findall(r'^\t\{ (?:(\w+) )?"(\^?[/\w][^"]*)", (?=[&N]\w+)', text, re.M):
            yield names.get(name, "") + path


def pattern(path):
    parts = re.split(r"\{\w*\}", path.lstrip("^"))
    return ("^" if path.startswith("^") else "") + "[^/]+".join(re.escape(p) for p in parts) + "/?$"


def route_hash(target, table):
    path = target.split("?")[0].replace("%3A", ":")
    fits = [p for p in table if re.search(pattern(p), path, re.I)]
    if not fits:
        return 0, UNKNOWN_PATH
    best = max(fits, key=lambda p: len(re.sub(r"\{\w*\}", "", p)))
    h = 2166136261
    for c in best.encode():
        h = (h ^ c) * 16777619 & 0xffffffff
    return h & 0xffff, 0


def http2(data):
    """The bodies of all streams."""
    data, out = data.split(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")[-1], b""
    while len(data) >= 9:
        n, kind = int.from_bytes(data[:3], "big"), data[3]
        out += data[9:9 + n] if kind == 0 else b""
        data = data[9 + n:]
    return out


def http1(data):
    head, body = data.split(b"\r\n\r\n", 1)
    fields = {k.lower(): v.strip() for k, v in (f.split(b":", 1) for f in head.split(b"\r\n")[1:])}
    if fields.get(b"transfer-encoding") == b"chunked":
        left, body = body, b""
        while left:
            size, left = left.split(b"\r\n", 1)
            n = int(size, 16)
            body, left = body + left[:n], left[n + 2:]
            if not n:
                break
    if fields.get(b"content-encoding") == b"gzip":
        body = gzip.decompress(body)
    return head.split(b" ")[1].decode(), fields, body


def grpc_path(data):
    """As grpc-core sends it: a literal without Huffman coding. None in what others sent."""
    found = re.search(rb":path.(/[\w.]+/[A-Z]\w+)", data, re.S)
    return found and found[1].decode()


def check_known(name, flags):
    if flags & UNKNOWN_PATH:
        raise SystemExit(f"{name}: no route has its path")


def main():
    table = list(routes())
    for req in sorted(glob.glob(os.path.join(ROOT, "tests/data/dialect/*.req"))):
        name = os.path.basename(req)[:-4]
        sides = [open(req, "rb").read(), open(req[:-4] + ".res", "rb").read()]
        if sides[0].startswith(b"PRI "):
            path = grpc_path(sides[0])
            if not path:
                continue
            request, response = map(http2, sides)
            number, flags = route_hash(path, table)
            check_known(name, flags)
            flags |= GRPC
        else:
            target, _, request = http1(sides[0])
            _, fields, response = http1(sides[1])
            number, flags = route_hash(target, table)
            kind = fields.get(b"content-type", b"")
            flags |= STREAMED * kind.startswith(b"text/event-stream") | EVENTSTREAM * kind.endswith(b"eventstream")
            flags |= TAIL * (b"inference-header-content-length" in fields)
        with open(os.path.join(ROOT, "tests/data/fuzz/dialect", name), "wb") as f:
            f.write(struct.pack("<HBHH", number, flags, len(request), 0) + request + response)


if __name__ == "__main__":
    main()
