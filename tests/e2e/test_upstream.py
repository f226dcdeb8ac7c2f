"""tests/e2e/test_upstream.py - every revision reaches the collector exactly once, whoever is away or killed meanwhile."""

import os
import signal
import ssl
import threading
import urllib.request

from harness import Sensor, alive, check, equal, main, wait_for
from traffic import Traffic, hostile
from world import Client, Collector, Pki, start_collector, start_nginx


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        server, collector = start_nginx(w, pki), start_collector(w, pki)
        sensor = Sensor(w, export=collector.export).start()
        w.stage = pki, server, collector, sensor, Traffic(sensor)
        w.rounds = 0
    return w.stage


def jobs(w, rounds=1):
    made = []
    for _ in range(rounds):
        w.rounds += 1
        made += [w.stage[4].job(c) for c in hostile(f"upstream {w.rounds}")]
    return made


# Counts, times and who else saw it travel with the next revision, so they may be ahead in the sensor; what an alert says may not.
SAME = ("id", "kind", "severity", "outcome", "status", "title", "evidence", "conversation")


def arrived(w, seconds=30):
    """The sensor has nothing left to send; the collector has each revision once, in order, and the same alerts."""
    _, _, collector, sensor, _ = w.stage
    sensor.settle()
    wait_for(lambda: f"the outbox does not empty: {sensor.status()['outbox']}, upstream {sensor.status()['upstream']!r}",
             lambda: sensor.status()["outbox"] == 0, seconds, 0.1)
    revisions = collector.revisions()
    equal([r for r in revisions if r[2]], [], "rejected revisions")
    equal(len({store for store, _, _ in revisions}), 1, "stores")
    sequences = [sequence for _, sequence, _ in revisions]
    equal(sequences, list(range(1, len(sequences) + 1)), "sequences at the collector")
    shown = collector.shown()
    equal(sorted(set(shown)), sorted(shown), "revisions that were new to it once")
    equal(set(shown) - {r[:2] for r in revisions}, set(), "revisions that it showed and does not have")
    key = lambda a: a["id"]
    said = lambda evidence: [{n: v for n, v in e.items() if n != "time"} for e in evidence]
    pick = lambda alerts: [{n: said(a[n]) if n == "evidence" else a[n] for n in SAME} for a in sorted(alerts, key=key)]
    equal(len(collector.alerts()), len(sensor.alerts()), "alerts at the collector")
    for got, want in zip(pick(collector.alerts()), pick(sensor.alerts())):
        differ = {n: (got[n], want[n]) for n in SAME if got[n] != want[n]}
        equal(differ, {}, f"alert {want['id']}: what the collector has, and the sensor")
    w.note(f"{len(sequences)} revisions, {len(sensor.alerts())} alerts")


def test_arrive(w):
    """alerts arrive at the collector as the sensor shows them"""
    pki, server, _, _, traffic = stage(w)
    traffic.run(Client(w, "python", pki), server, jobs(w))
    arrived(w)


def test_away(w):
    """the collector is away and comes back: nothing is lost, nothing comes twice, and the status says so meanwhile"""
    pki, server, collector, sensor, traffic = stage(w)
    equal(collector.stop(), 0, "exit code of the collector")
    traffic.run(Client(w, "python", pki), server, jobs(w, 2))
    wait_for(lambda: f"no word of the collector: {sensor.status()['upstream']!r}",
             lambda: sensor.status()["upstream"] not in ("ok", "none", ""), 30, 0.1)
    check(sensor.status()["outbox"] > 0, "the outbox is empty")
    collector.start()
    arrived(w)
    equal(sensor.status()["upstream"], "ok", "upstream")


def under_load(w, act):
    pki, server, _, sensor, traffic = stage(w)
    load, failures = jobs(w, 5), []
    before = len(sensor.alerts())

    def run():
        try:
            Client(w, "python", pki).run(server, load)
        except Exception as e:
            failures.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for("no alert of the load", lambda: len(sensor.alerts()) > before, 30, 0.01)
    act()
    thread.join(60)
    check(not failures, f"the client was harmed: {failures}")
    traffic.expect(load)
    arrived(w)


def kill(sensor, name):
    pid = sensor.role(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(f"{name} is not back", lambda: (s := sensor.try_status()) and s["healthy"] and not alive(pid), 30, 0.05)


def test_kill_collector(w):
    """kill -9 of the collector during traffic"""
    stage(w)
    collector = w.stage[2]
    under_load(w, lambda: (collector.kill(), collector.start()))


def test_kill_keeper(w):
    """kill -9 of the keeper during traffic"""
    stage(w)
    under_load(w, lambda: kill(w.stage[3], "keeper"))


def test_kill_shipper(w):
    """kill -9 of the shipper during traffic"""
    stage(w)
    under_load(w, lambda: kill(w.stage[3], "shipper"))


def test_restart_sensor(w):
    """the sensor ends and starts again while the collector is away: it goes on where it was"""
    pki, server, collector, sensor, traffic = stage(w)
    collector.stop()
    traffic.run(Client(w, "curl", pki), server, jobs(w))
    equal(sensor.stop(), 0, "exit code")
    sensor.start(wait=False)
    wait_for("the sensor does not see that its upstream is away",
             lambda: (s := sensor.try_status()) and s["upstream"] not in ("ok", "none", ""), 30, 0.1)
    collector.start()
    sensor.wait_ready()
    arrived(w)


def test_no_certificate(w):
    """the collector refuses who has no certificate"""
    pki, _, collector, _, _ = stage(w)
    try:
        urllib.request.urlopen(collector.url + "/alerts", context=ssl.create_default_context(cafile=pki.ca), timeout=30)
    except OSError:
        return
    raise AssertionError("a client without a certificate was served")


def test_wrong_server(w):
    """the sensor sends nothing to a collector whose certificate has expired, and says why"""
    pki, server, _, _, _ = stage(w)
    expired = Collector(w, pki, (pki.dir / "expired.pem", pki.dir / "expired.key"), "expired").start()
    sensor = Sensor(w, "wrong-server", export=expired.export).start()
    traffic = Traffic(sensor)
    traffic.run(Client(w, "curl", pki), server, [traffic.job(hostile("wrong server")[0])])
    said = wait_for("no word of the certificate", lambda: (u := sensor.status()["upstream"]) not in ("", "ok", "none") and u, 30, 0.1)
    check("certificate" in said.lower() or "expired" in said.lower(), f"upstream says {said!r}")
    equal(expired.revisions(), [], "what the collector got")
    check(sensor.status()["outbox"] > 0, "the outbox is empty")
    equal(sensor.stop(), 0, "exit code")


main()
