"""tests/e2e/test_rules.py - an operator's own rules in the live sensor: they alert, are read anew on SIGHUP, and a mistake in
them changes nothing but the status; what was compiled is kept, and nothing but that is used again."""

import json
import os
import signal
import subprocess

from harness import Sensor, check, equal, main, wait_for
from world import Client, Pki, start_nginx

RULE = """\
pack: site
rules:
  - id: {id}
    title: Somebody named {word}
    severity: high
    why: names {word}
    surfaces: [user]
    patterns: ['\\b{word}\\b']
    mapping: {{owasp: ['LLM02:2025']}}
"""
ANSWER = """
	location / {
		default_type application/json;
		return 200 '{"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}';
	}
"""


class Site:
    def __init__(self, w):
        self.pki = Pki(w.dir / "pki")
        self.server = start_nginx(w, self.pki, server=ANSWER)
        self.client = Client(w, "curl", self.pki)
        self.rules = w.dir / "rules.d"
        self.rules.mkdir()
        self.sensor = Sensor(w, extra=f"detect: {{rules_dir: {self.rules}}}\ncanary: {{interval: 0}}\n")
        self.file = self.rules / "site.yaml"

    def start(self, wait=True):
        """With the capabilities of the unit and no other: what is kept must be written and read with those."""
        caps = subprocess.run([self.sensor.world.program("earshotd"), "--print-caps"], capture_output=True, text=True, timeout=30).stdout.split()
        bounding = ",".join("+" + c.removeprefix("CAP_").lower() for c in caps)
        self.sensor.start(wait=wait, seconds=90, prefix=["setpriv", f"--bounding-set=-all,{bounding}", "--inh-caps=-all", "--no-new-privs"])

    def write(self, word):
        self.file.write_text(RULE.format(id=word, word=word))

    def say(self, word):
        body = {"model": "m", "messages": [{"role": "user", "content": f"Tell me about {word}."}]}
        status, _ = self.client.post(self.server, "/v1/chat/completions", "sk-test", json.dumps(body).encode())
        equal(status, 200, "status of the call")

    def kinds(self):
        return {a["kind"]: a for a in self.sensor.alerts() if a["kind"].startswith(("custom.", "sensor.rules"))}

    def alert(self, kind):
        return wait_for(lambda: f"no {kind}: {self.kinds()}", lambda: self.kinds().get(kind), 30, 0.1)

    def findings(self, text):
        """How many there are in it, as both ends of the call, which are on this host, are judged."""
        before = self.sensor.counters()("detect.findings")
        with self.sensor.observing(2):
            self.say(text)
        return self.sensor.counters()("detect.findings") - before

    def compiled(self, times):
        self.sensor.settle()  # counters are published now and then
        equal(self.sensor.counters()("patterns.compiled"), times, "times that patterns were compiled")

    def hup(self, counter):
        """SIGHUP, until the counter says what became of it."""
        before = self.sensor.counters()(counter)
        os.kill(self.sensor.process.pid, signal.SIGHUP)
        wait_for(lambda: f"{counter} does not grow: {self.sensor.status()}", lambda: self.sensor.counters()(counter) > before, 90, 0.1)


def site(w):
    if not hasattr(w, "site"):
        w.site = Site(w)
        w.site.write("nightjar")
        w.site.start()
    return w.site


def test_alert(w):
    """A rule of one's own raises an alert with its own title, severity and mapping"""
    s = site(w)
    s.say("nightjar")
    alert = s.alert("custom.nightjar")
    equal((alert["title"], alert["severity"].lower().removeprefix("severity_")), ("Somebody named nightjar", "high"), "title and severity")
    equal(alert["mapping"]["owasp"], ["LLM02:2025"], "mapping")
    s.compiled(1)


def test_reload(w):
    """SIGHUP brings other rules, in the inspector that runs"""
    s = site(w)
    inspector = s.sensor.role("inspector")["pid"]
    check(s.findings("the nightjar before") > 0, "the rule works")
    s.write("kestrel")
    s.hup("rules.loaded")
    equal(s.findings("the nightjar after"), 0, "findings of the rule that is gone")
    check(s.findings("kestrel") > 0, "the new rule works")
    s.alert("custom.kestrel")
    equal(s.sensor.role("inspector")["pid"], inspector, "the inspector")


def test_mistake(w):
    """A mistake keeps the rules before, and is told by file, line and column"""
    s = site(w)
    good = s.file.read_text()
    s.file.write_text(good + "    patern: x\n")
    s.hup("rules.refused")
    place = f"{s.file}:{len(good.splitlines()) + 1}:5: unknown key 'patern'"
    problems = wait_for("no problem in the status", lambda: s.sensor.status().get("problems"), 30, 0.1)
    check(any(place in p for p in problems), f"{place} is not in {problems}")
    check(place in s.alert("sensor.rules")["evidence"][0]["why"], "the alert names the place")
    check(s.findings("the kestrel, in another text") > 0, "the rules before still work")
    done = s.sensor.cli("reload", check_code=False)
    equal(done.returncode, 1, "exit code of earshot reload")
    check(place in done.stderr.decode(), f"earshot reload says {done.stderr.decode()}")
    s.file.write_text(good)
    s.sensor.cli("reload")
    wait_for(lambda: f"still unwell: {s.sensor.status()}", lambda: s.sensor.status()["healthy"], 20, 0.1)


def test_kept(w):
    """What was compiled is used by the next start; changed by somebody else, it is not"""
    s = site(w)
    s.sensor.stop()
    kept = s.sensor.state_dir / "patterns/patterns"
    equal(kept.stat().st_mode & 0o777, 0o600, "mode of the kept patterns")
    s.start()
    s.compiled(0)
    check(s.findings("kestrel, from what was kept") > 0, "rules that were kept work")
    s.sensor.stop()
    with open(kept, "r+b") as f:
        f.seek(kept.stat().st_size // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))
    s.start()
    s.compiled(1)  # a bit was changed


def test_writable(w):
    """Rules that others may write are refused; the sensor watches with those built in"""
    s = site(w)
    s.sensor.stop()
    s.file.chmod(0o666)
    s.start(wait=False)
    problems = wait_for("no problem in the status", lambda: (s.sensor.try_status() or {}).get("problems"), 90, 0.1)
    check(any("others than root may write it" in p for p in problems), f"problems: {problems}")
    s.file.chmod(0o644)


if __name__ == "__main__":
    main()
