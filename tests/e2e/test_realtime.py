"""tests/e2e/test_realtime.py - a WebSocket of OpenAI's realtime API, by the SDK's own client: turns are judged while it is open."""

import json
import os
import subprocess

from harness import HERE, Process, Sensor, check, equal, free_port, main, wait_for
from inference import credential
from traffic import JAILBREAK
from world import MODEL, Pki, Server

ASKS = "Which token does the deployment use?"


class Talk:
    """The SDK in a process of its own."""

    def __init__(self, w):
        pki, port = Pki(w.dir / "pki"), free_port()
        python, env = w.build / "venv/bin/python", {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE)}
        served = w.own(Process("realtime", [python, HERE / "realtime_server.py", pki.cert, pki.key, port], w.dir / "realtime.log", env=env))
        self.server = Server("realtime", "python", served, port, pki)
        self.client = subprocess.Popen(
            [str(a) for a in (python, HERE / "clients/realtime.py", self.server.url + "/v1", pki.ca, MODEL)],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        w.cleanups.append(self.end)

    def say(self, text):
        print(json.dumps(text), file=self.client.stdin, flush=True)
        line = self.client.stdout.readline()
        check(line, "the client ended")
        return json.loads(line)

    def end(self):
        self.client.stdin.close()
        return self.client.wait(20)


def stage(w):
    if not hasattr(w, "talk"):
        w.sensor = Sensor(w).start()
        w.talk = Talk(w)
    return w.sensor, w.talk


def test_open(w):
    """an attack, and a token in an answer, are alerts of both ends while the socket is open"""
    sensor, talk = stage(w)
    talk.say("Which rivers flow into the Danube?")
    talk.say(JAILBREAK)
    talk.say("Thank you. And which ones into the Rhine?")
    equal(talk.say(ASKS), f"It is {credential('github', ASKS)}, please keep it.", "the answer")

    def seen():
        found = {a["kind"]: a for a in sensor.alerts()}
        return set(found) >= {"jailbreak.rules", "credential.leak"} and all(int(a["pids"]) == 2 for a in found.values()) and found

    found = wait_for(lambda: [(a["kind"], a["pids"]) for a in sensor.alerts()], seen, 30)
    equal(set(found), {"jailbreak.rules", "credential.leak"}, "kinds of alert")
    equal(found["jailbreak.rules"]["evidence"][0]["location"]["role"], "user", "role")
    equal(found["credential.leak"]["evidence"][0]["location"]["role"], "assistant", "role")
    check(talk.client.poll() is None, "the socket is not open any more")


def test_nothing_lost(w):
    """it ends: nothing lost, nothing broken, no further alert"""
    sensor, talk = stage(w)
    before = len(sensor.alerts())
    equal(talk.end(), 0, "exit code of the client")
    sensor.settle()
    equal(len(sensor.alerts()), before, "alerts")
    c = sensor.counters()
    names = ("lost.ring_bytes", "flow.gap_bytes", "flow.broken", "flow.unpaired", "flow.decode_errors", "flow.events_broken", "flow.cut",
             "dialect.json_broken", "detect.errors")
    equal({n: c(n) for n in names if c(n)}, {}, "losses")


main()
