"""tests/e2e/test_mute.py - the kernel is told not to copy what is of no interest, and nothing that is of any is missed by it."""

import http.client
import json
import ssl
import time

from harness import Sensor, check, equal, main, wait_for
from inference import credential
from traffic import JAILBREAK, end_user
from world import MODEL, Pki, start_nginx

PLAIN = 40_000  # bytes of an answer that no AI API gives
WORDS = "No, I will not. " * 150
COPIES = 12
# What nginx answers: $arg_token is what the request asked for, and stands at the end.
COMPLETION = json.dumps({
    "id": "chatcmpl-mute", "object": "chat.completion", "created": 1760000000, "model": MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "$words" * COPIES + " The token is $arg_token now."},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2000, "total_tokens": 2020}})


def stage(w, **how):
    if not hasattr(w, "pki"):
        w.pki = Pki(w.dir / "pki")
        files = w.dir / "files"
        files.mkdir()
        files.chmod(0o755)
        (files / "plain").write_text("x" * PLAIN)
        (files / "plain").chmod(0o644)
        w.server = start_nginx(w, w.pki, server=f"""root {files};
            set $words "{WORDS}";
            location = /plain {{ default_type text/plain; }}
            location = /v1/chat/completions {{ default_type application/json; return 200 '{COMPLETION}'; }}""")
    if not hasattr(w, "sensor"):
        w.sensor = Sensor(w, **how).start()
    return w.sensor


class Connection:
    """One connection that is kept: http.client, on the blocking ssl module."""

    def __init__(self, w):
        context = ssl.create_default_context(cafile=str(w.pki.ca))
        self.http = http.client.HTTPSConnection("localhost", w.server.port, context=context, timeout=20)

    def plain(self, times=1, pause=0.0):
        for _ in range(times):
            self.http.request("GET", "/plain")
            equal(len(self.http.getresponse().read()), PLAIN, "bytes of the answer")
            time.sleep(pause)

    def chat(self, user, prompt=JAILBREAK):
        body = {"model": MODEL, "user": user, "messages": [{"role": "user", "content": prompt}]}
        token = credential("github", user)
        self.http.request("POST", f"/v1/chat/completions?token={token}", json.dumps(body), {"Content-Type": "application/json"})
        equal(self.http.getresponse().read().decode(), answer(token), "the answer")


def answer(token):
    return COMPLETION.replace("$words", WORDS).replace("$arg_token", token)


def whole(w, user):
    """Its attack and the token at the end of its answer were found, by both ends, with all bytes of both messages."""

    def complete():
        found = {a["kind"]: a for a in w.sensor.alerts() if end_user(a) == user}
        ready = all(int(a["context"]["completeness"]["bytes_passed"]) > len(answer("")) for a in found.values())
        return set(found) >= {"jailbreak.rules", "credential.leak"} and ready and all(int(a["pids"]) == 2 for a in found.values()) and found

    for alert in wait_for(lambda: f"{user}: {[a for a in w.sensor.alerts() if end_user(a) == user]}", complete, 30).values():
        c = alert["context"]["completeness"]
        equal(int(c["bytes_captured"]), int(c["bytes_passed"]), f"{user}: bytes captured")
        check(not c.get("end_unseen"), f"{user}: {c}")
    counters = w.sensor.counters()
    for name in ("flow.unpaired", "flow.broken", "lost.ring_bytes"):
        equal(counters(name), 0, f"{user}: {name}")
    # The two are told by two processes, each in its own time.
    wait_for("a gap that muting does not explain",
             lambda: (c := w.sensor.counters())("flow.gap_bytes") <= c("lost.muted_bytes"), 30)


def test_kept_alive(w):
    """a call on a connection whose answers are muted is seen whole"""
    sensor = stage(w)
    before = sensor.counters()("lost.muted_calls")
    connection = Connection(w)
    connection.plain(40, 0.02)
    wait_for("nothing is muted", lambda: sensor.counters()("lost.muted_calls") >= before + 20, 30)
    connection.chat("mute-once")
    whole(w, "mute-once")
    # An AI API's connection is not muted again.
    muted = sensor.counters()("lost.muted_calls")
    connection.plain(20, 0.01)
    connection.chat("mute-again")
    whole(w, "mute-again")
    w.note(f"{sensor.counters()('lost.muted_calls') - muted} more calls muted")


def test_at_once(w):
    """whatever number of other requests came before it, as fast as they go"""
    stage(w)
    for n in (0, 1, 7, 8, 9, 10, 11, 15, 60):
        connection = Connection(w)
        connection.plain(n)
        connection.chat(f"mute-{n}")
        whole(w, f"mute-{n}")


def test_turn_about(w):
    """a client that alternates"""
    stage(w)
    connection = Connection(w)
    for n in range(10):
        connection.plain(n % 3 + 1)
        connection.chat(f"turn-{n}")
    for n in range(10):
        whole(w, f"turn-{n}")


def test_copies_less(w):
    """what is muted is not copied: fewer bytes captured than passed, and nothing lost"""
    sensor = stage(w)
    sensor.settle()
    first = before = sensor.counters()
    connection = Connection(w)

    def share(answers):
        """Of the bytes of more answers, which two processes pass: what was copied. The verdict is the inspector's, in its own time."""
        nonlocal before
        connection.plain(answers)
        sensor.settle()
        after = sensor.counters()
        copied = (after("flow.bytes") - before("flow.bytes")) / (2 * PLAIN * answers)
        before = after
        w.note(f"{100 * copied:.1f} % of the bytes of {answers} more copied")
        return copied

    equal(round(share(1)), 1, "share of the first answer that is copied")
    share(7)
    wait_for("answers are still copied", lambda: share(1) < 1 / 8, 20)
    for name in ("lost.ring_bytes", "flow.unpaired", "flow.broken"):
        equal(before(name) - first(name), 0, name)


def test_switched_off(w):
    """capture.mute: off copies everything"""
    equal(w.sensor.stop(), 0, "exit code")
    w.sensor = Sensor(w, "loud", extra="capture:\n  mute: off\n").start()
    connection = Connection(w)
    connection.plain(100, 0.001)
    w.sensor.settle()
    counters = w.sensor.counters()
    equal(counters("lost.muted_calls"), 0, "calls muted")
    check(counters("flow.bytes") > 2 * 100 * PLAIN, f"{counters('flow.bytes')} bytes captured")
    connection.chat("mute-off")
    whole(w, "mute-off")


main()
