"""tests/e2e/test_record.py - what is recorded on a live host replays as the same turns, and findings."""

import json
import os
import signal
import stat
import subprocess

from harness import Process, check, equal, main, wait_for
from traffic import JAILBREAK, Traffic, hostile
from world import Client, Pki, start_server


def earshot(w, *args):
    return subprocess.run([str(w.program("earshot")), *map(str, args)], capture_output=True, text=True, timeout=60)


def test_record_and_replay(w):
    """calls made while recording come out of the replay: client's and server's view, text, findings"""
    pki = Pki(w.dir / "pki")
    server = start_server(w, pki, "uvicorn")
    trace = w.dir / "calls.trace"
    recorder = w.own(Process("record", [w.program("earshot"), "record", "-o", trace], w.dir / "record.log"))
    wait_for("recording", lambda: "recording:" in recorder.output(), 30)
    job = Traffic(None).job(hostile("recorded")[0])
    Client(w, "curl", pki).run(server, [job])
    recorder.send(signal.SIGINT)
    equal(recorder.wait(), 0, "exit code")
    equal(stat.S_IMODE(os.stat(trace).st_mode), 0o600, "mode of the trace")

    done = earshot(w, "replay", "-o", "json", "--text", trace)
    equal(done.returncode, 0, done.stderr)
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    mine = [t for t in turns if any(JAILBREAK in s.get("text", "") for s in t["segments"])]
    equal({t["client"] for t in mine}, {True, False}, "both ends")
    for t in mine:
        check(t["findings"], f"no finding in {t}")
        equal(t["request_body"]["lost"] + t["response_body"]["lost"], 0, "bytes missing")
    silent = [json.loads(line) for line in earshot(w, "replay", "-o", "json", trace).stdout.splitlines()]
    equal([t["findings"] for t in silent], [t["findings"] for t in turns], "findings of a second replay")
    check(not any("text" in s for t in silent for s in t["segments"]), "text that nobody asked for")

    stats = json.loads(earshot(w, "replay", "--stats", "--no-detect", "-o", "json", trace).stdout)
    equal(stats["turns"], len(turns), "turns")
    equal(stats["findings"], 0, "findings without detectors")


def test_refusals(w):
    """a file that exists is not overwritten; what is no trace is refused; a cut one is replayed as far as it goes"""
    there = w.dir / "there"
    there.write_text("mine")
    done = earshot(w, "record", "-o", there, "-t", 1)
    equal(done.returncode, 1, "exit code")
    check("exists" in done.stderr, done.stderr)
    equal(there.read_text(), "mine", "the file")
    done = earshot(w, "replay", there)
    equal((done.returncode, done.stdout), (1, ""), "replay of no trace")
    check("not a trace" in done.stderr, done.stderr)
    whole = (w.dir / "calls.trace").read_bytes()
    cut = w.dir / "cut.trace"
    cut.write_bytes(whole[: len(whole) - 11])
    done = earshot(w, "replay", "--stats", "-o", "json", cut)
    equal(done.returncode, 1, "replay of a cut trace")
    check("cut" in done.stderr and json.loads(done.stdout)["events"] > 0, done.stderr + done.stdout)
    equal(earshot(w, "record").returncode, 2, "record without a file")


main()
