"""tests/e2e/test_smuggling.py - HTTP/1 as parse/http1 and llhttp read it: the same messages, or marked ambiguous.

The cases are tests/data/smuggling/*.txt; what is in tolerated.txt llhttp refuses and we read on purpose, in refused.txt the reverse.
Run by hand with --fuzz SECONDS [SEED] behind BUILD_DIR, it mutates the cases instead and prints where both read and differ.
"""

import json
import pathlib
import random
import re
import subprocess
import sys
import time

from harness import HERE, ROOT, check, main

DATA = ROOT / "tests/data/smuggling"


class Reader:
    """One of the two parsers, as a process."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def say(self, kind, data):
        self.process.stdin.write(f"{kind} {len(data)}\n".encode() + data)
        self.process.stdin.flush()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def readers(build):
    return Reader(pathlib.Path(build) / "tests/e2e/http1_verdict"), Reader("node", HERE / "llhttp.js")


def cases():
    """Yields file, name, kind, bytes."""
    for path in sorted(DATA.glob("*.txt")):
        for block in re.split(r"^== ", path.read_text(), flags=re.M)[1:]:
            name, kind = re.fullmatch(r"(.*) \[(\w+)\]", block.splitlines()[0]).groups()
            lines = [line[2:] for line in block.splitlines() if line.startswith("> ")]
            yield path.stem, name, kind, "".join(lines).encode().decode("unicode_escape").encode("latin1")


def differ(ours, theirs, tolerant=False):
    """Why the two verdicts are not the same, or None. What is marked, or refused by both, may differ from there on."""
    for i, t in enumerate(theirs["messages"]):
        if t["version"] == "0.9":
            return None  # see refused.txt
        refused = theirs["error"] and t["end"] != "complete"
        if i >= len(ours["messages"]):
            return None if refused or ours["error"] and theirs["error"] else f"message {i} is not seen"
        o = ours["messages"][i]
        if o["ambiguous"]:
            return None
        if refused:
            return None if o["end"] != "complete" or tolerant else f"message {i} is read, llhttp: {theirs['error']}"
        if o["end"] == "broken":
            return f"message {i} is broken, to llhttp it is {t['end']}"
        for key in ("start", "body", "end"):
            if o[key] != t[key]:
                return f"message {i}: {key} is {o[key]!r}, to llhttp {t[key]!r}"
    more = ours["messages"][len(theirs["messages"]):]
    if not more or more[0]["ambiguous"] or more[0]["end"] != "complete" or ours["error"] and theirs["error"]:
        return None
    if theirs["error"]:
        return None if tolerant else f"a message is read, llhttp: {theirs['error']}"
    return None if theirs["left"] else "one message too many"


def judge(pair, kind, data):
    for reader in pair:
        reader.say(kind, data)
    return [reader.hear() for reader in pair]


def test_corpus(w):
    """every case of smuggling is read as llhttp reads it, or marked"""
    pair = readers(w.build)
    wrong, seen, marked = [], 0, 0
    for file, name, kind, data in cases():
        ours, theirs = judge(pair, kind, data)
        why = differ(ours, theirs, file == "tolerated")
        seen += 1
        marked += any(m["ambiguous"] for m in ours["messages"])
        if file == "refused":
            why = None if ours["error"] and not theirs["error"] else "it is not refused by us alone"
        if why:
            wrong.append(f"{file}: {name}: {why}\n  ours {ours}\n  llhttp {theirs}")
        if file == "tolerated" and not theirs["error"]:
            wrong.append(f"{file}: {name}: llhttp reads it, too")
    for reader in pair:
        reader.close()
    check(not wrong, "\n".join(wrong))
    check(seen >= 60 and marked >= 10, f"{seen} cases, {marked} marked")


TOKENS = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"0", b"5", b"\0", b";", b",", b":", b"+", b"-", b"0x", b"chunked", b"identity",
          b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"\r\n\r\n", b"0\r\n\r\n",
          b"5\r\nhello\r\n", b"HTTP/1.1", b"HTTP/1.0", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"\x0b", b"\xff"]


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 1:
            data[at:at + rng.randrange(1, 8)] = b""
        elif kind == 2:
            data[at:at + 1] = bytes([rng.randrange(256)])
        else:
            end = min(len(data), at + rng.randrange(1, 40))
            to = rng.randrange(len(data) + 1)
            data[to:to] = data[at:end]
    return bytes(data)


def fuzz(build, seconds, seed):
    rng = random.Random(seed)
    pair = readers(build)
    corpus = [(kind, data) for file, _, kind, data in cases() if file not in ("tolerated", "refused")]
    shown, count, end = {}, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        kind, data = rng.choice(corpus)
        data = mutate(rng, data)
        ours, theirs = judge(pair, kind, data)
        count += 1
        why = differ(ours, theirs, tolerant=True)
        if why:
            key = re.sub(r"'[^']*'|\d+", "", why)
            shown.setdefault(key, []).append((data, ours, theirs))
    for key, found in sorted(shown.items()):
        data, ours, theirs = min(found, key=lambda f: len(f[0]))
        print(f"{len(found)} x {key}\n  {data}\n  ours {ours}\n  llhttp {theirs}")
    print(f"{count} inputs")
    return 1 if shown else 0


if __name__ == "__main__":
    if "--fuzz" in sys.argv:
        i = sys.argv.index("--fuzz")
        sys.exit(fuzz(sys.argv[1], float(sys.argv[i + 1]), int((sys.argv[i + 2:] or ["1"])[0])))
    main()
