"""tests/e2e/test_corpus.py - what real SDKs were recorded to say comes out as the same turns: tests/data/traces, see docs/corpus.md.

NAME.trace is the recording, NAME.turns what `earshot replay` must make of it, a turn a line. UPDATE_GOLDENS=1 writes these and the table
of the page. Needs no root and no network.
"""

import difflib
import json
import os
import pathlib
import subprocess

from harness import ROOT, check, main

TRACES = ROOT / "tests/data/traces"
PAGE = ROOT / "docs/corpus.md"
UPDATE = os.environ.get("UPDATE_GOLDENS") == "1"
DIFF_LINES = 60
MARK = "<!-- the table is written by tests/e2e/test_corpus.py -->\n"


def replay(w, path):
    done = subprocess.run([w.build / "earshot", "replay", "--no-detect", "--text", "-o", "json", path], capture_output=True, text=True,
                          timeout=60)
    check(done.returncode == 0, f"{path.name}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def lines(turns):
    """For people: a member a line."""
    return [line for t in turns for line in json.dumps(t, indent=1, ensure_ascii=False).splitlines()]


def written(turns):
    return "".join(json.dumps(t, separators=(",", ":"), ensure_ascii=False) + "\n" for t in turns)


def test_turns(w):
    """each trace gives its golden turns"""
    wrong = []
    traces = sorted(TRACES.glob("*.trace"))
    check(traces, "no traces")
    for path in traces:
        golden = path.with_suffix(".turns")
        got = replay(w, path)
        if UPDATE:
            golden.write_text(written(got))
        want = [json.loads(line) for line in golden.read_text().splitlines()]
        if got != want:
            wrong += list(difflib.unified_diff(lines(want), lines(got), golden.name, "replayed", lineterm=""))[:DIFF_LINES]
    check(not wrong, "\n".join(wrong))


def test_goldens(w):
    """every trace is whole and understood, and no golden is without its trace"""
    for golden in TRACES.glob("*.turns"):
        check(golden.with_suffix(".trace").exists(), f"{golden.name} has no trace")
        turns = [json.loads(line) for line in golden.read_text().splitlines()]
        check(turns, f"{golden.name}: no turn")
        for t in turns:
            lost = t["request_body"]["lost"] + t["response_body"]["lost"]
            check(lost == 0, f"{golden.name}: {lost} bytes were lost while it was recorded")


def table():
    versions = json.loads((TRACES / "versions.json").read_text())
    rows = ["| SDK | version | operation | came out as |", "|---|---|---|---|"]
    for sdk in sorted(versions):
        for golden in sorted(TRACES.glob(sdk + "-*.turns")):
            operation = golden.stem.removeprefix(sdk + "-")
            turns = [json.loads(line) for line in golden.read_text().splitlines()]
            came = dict.fromkeys(f"{t['dialect']}: {t['operation']}" for t in turns)
            rows.append(f"| {sdk} | {versions[sdk]} | {operation} | {', '.join(came)} |")
    return "\n".join(rows) + "\n"


def test_page(w):
    """docs/corpus.md tells what is recorded, and as what it came out"""
    text = PAGE.read_text().split(MARK)[0] + MARK + "\n" + table()
    if UPDATE:
        PAGE.write_text(text)
    check(PAGE.read_text() == text, "not up to date: UPDATE_GOLDENS=1 writes it")


main(needs_root=False)
