"""tests/e2e/test_intel.py - threat intelligence in the live sensor: addresses that a feed lists alert, a feed that is replaced counts
from then on, and one that breaks says what it said before."""

import json
import os
import signal
import sys

from harness import Process, Sensor, check, equal, main, wait_for
from world import Client, Pki, start_nginx

ANSWER = """
	location / {
		default_type application/json;
		return 200 '{"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"See https://from-model.example/."},"finish_reason":"stop"}]}';
	}
"""


class Site:
    def __init__(self, w):
        self.pki = Pki(w.dir / "pki")
        self.server = start_nginx(w, self.pki, server=ANSWER)
        self.client = Client(w, "curl", self.pki)
        self.feed = w.dir / "feed.txt"
        self.write("first.example\nfrom-model.example\n")
        self.sensor = Sensor(w, extra=f"detect: {{intel: [{{path: {self.feed}, name: ours}}]}}\ncanary: {{interval: 0}}\n")

    def write(self, text):
        new = self.feed.with_suffix(".new")
        new.write_text(text)
        os.rename(new, self.feed)

    def say(self, text):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        with self.sensor.observing(2):  # at both ends
            status, _ = self.client.post(self.server, "/v1/chat/completions", "sk-test", json.dumps(body).encode())
            equal(status, 200, "status of the call")

    def evidence(self):
        return [e["why"] for a in self.sensor.alerts() if a["kind"] == "url.malicious" for e in a["evidence"]]

    def indexed(self, n):
        wait_for(lambda: f"indexed {self.sensor.counters()('intel.indexed')} times", lambda: self.sensor.counters()("intel.indexed") >= n, 45, 0.5)


def test_feed(w):
    """what a feed lists alerts; another version of it counts without a restart; a broken one changes nothing and is told"""
    site = w.site = Site(w)
    site.sensor.start()
    site.indexed(1)
    equal(site.sensor.counters()("intel.indicators"), 2, "indicators")
    site.say("Is https://www.first.example/x safe? And https://second.example/?")
    why = site.evidence()
    check(any("first.example is listed by ours" in y for y in why), f"the user's address: {why}")
    check(any("from-model.example is listed by ours" in y for y in why), f"the model's address: {why}")
    check(not any("second.example" in y for y in why), f"not listed yet: {why}")
    site.write("second.example\n")
    site.indexed(2)
    site.say("And now https://second.example/ again?")
    check(any("second.example is listed by ours" in y for y in site.evidence()), f"the new list: {site.evidence()}")
    site.write('{"objects": [')
    site.indexed(3)
    equal(site.sensor.counters()("intel.broken"), 1, "broken feeds")
    equal(site.sensor.counters()("intel.indicators"), 1, "what it said before")
    wait_for(lambda: f"no sensor.intel: {site.sensor.alerts()}", lambda: [a for a in site.sensor.alerts() if a["kind"] == "sensor.intel"], 30, 0.2)


CROWD = """
import os, signal, ssl
for _ in range(300):
    if not os.fork():
        signal.pause()
print("here", flush=True)
signal.pause()
"""


def test_crowd(w):
    """a new inspector on a host full of processes with TLS knows the list, too: what its socket cannot take at once waits"""
    site = w.site
    site.sensor.stop()
    site.write("third.example\n")
    crowd = w.own(Process("crowd", [sys.executable, "-c", CROWD], w.dir / "crowd.log", start_new_session=True))
    try:
        wait_for("no crowd", lambda: "here" in crowd.output(), 30, 0.1)
        site.sensor.start()
        site.indexed(1)
        old = site.sensor.role("inspector")["pid"]
        os.kill(old, signal.SIGKILL)
        wait_for("no new inspector", lambda: site.sensor.role("inspector")["pid"] != old and site.sensor.status()["healthy"], 30, 0.1)
        site.say("Is https://third.example/x safe?")
        check(any("third.example is listed by ours" in y for y in site.evidence()), f"the user's address: {site.evidence()}")
    finally:
        os.killpg(crowd.pid, signal.SIGKILL)


main()
