"""tests/e2e/test_budget.py - who floods the sensor blinds it to himself only: others are seen whole, the loss is exact and told."""

import json
import os
import signal
import subprocess

from harness import Process, Sensor, alive, check, equal, main, wait_for
from traffic import Traffic, benign, hostile
from world import Client, Pki, start_nginx

# A ring so small that a flood fills it at once.
SMALL = "capture: {ring_size: 4 MiB, budget: {calls: %d}}\n"
LOST = ("lost.ring_bytes", "lost.fault_bytes", "lost.call_bytes", "lost.muted_bytes", "lost.conns_bytes", "lost.budget_bytes")


def stage(w):
    if not hasattr(w, "pki"):
        w.pki = Pki(w.dir / "pki")
        w.server = start_nginx(w, w.pki)
        w.n_floods = 0
    return w.pki, w.server


def flood(w, seconds, size):
    """A flooder, started."""
    w.n_floods += 1
    argv = [w.build / "tests/e2e/flooder", w.pki.cert, w.pki.key, seconds, size]
    return w.own(Process("flooder", argv, w.dir / f"flooder-{w.n_floods}.log", stdout=subprocess.PIPE))


def said(flooder, seconds=60):
    """What it says it passed, once it has ended."""
    out = flooder.popen.communicate(timeout=seconds)[0]
    equal(flooder.popen.returncode, 0, "exit code of the flooder")
    return json.loads(out)


def exact(sensor, before):
    """What was captured and what was counted as lost is all that passed, and the gaps are the losses. Returns the loss."""
    sensor.settle(60)
    after = sensor.counters()
    moved = lambda name: after(name) - before(name)
    lost = {name: moved(name) for name in LOST if moved(name)}
    equal(set(lost) - {"lost.budget_bytes"}, set(), f"losses that no budget explains ({lost})")
    equal(moved("flow.gap_bytes"), moved("lost.budget_bytes"), "gaps of what was counted as lost")
    equal(moved("flow.bytes") + moved("lost.budget_bytes"), moved("capture.bytes"), "bytes captured and lost of bytes passed")
    return moved("lost.budget_bytes")


def told(sensor, flooder):
    """The alert about this flooder."""
    name = f"process {flooder.pid} (flooder, "

    def find():
        return [a for a in sensor.alerts() if a["kind"] == "sensor.flood" and any(name in e["why"] for e in a["evidence"])]

    return wait_for(lambda: f"no alert names {name}: {sensor.alerts()}", find, 30, 0.2)[0]


def test_tenants(w):
    """one process floods as fast as a core can: every exchange of the others is whole, the loss is exact, an alert names it"""
    pki, server = stage(w)
    sensor = Sensor(w, "tenants", extra=SMALL % 0).start()
    traffic = Traffic(sensor)
    before = sensor.counters()
    flooder = flood(w, 12, 65536)
    wait_for("the flood loses nothing", lambda: sensor.counters()("lost.budget_bytes") > 0, 30, 0.05)
    client, rounds = Client(w, "python", pki), 0
    jobs = []
    while flooder.running():
        rounds += 1
        more = [traffic.job(c) for i in range(4) for c in benign("") + hostile(f"tenant {rounds} {i}")]
        client.run(server, more)
        jobs += more
    passed = said(flooder)
    # Whole: every alert says that it captured every byte that passed.
    traffic.expect(jobs, client=client, server=server)
    lost = exact(sensor, before)
    told(sensor, flooder)
    check(lost <= passed["bytes"], f"{lost} bytes lost of {passed}")
    w.note(f"{len(jobs)} calls of the others, all whole; {lost / 1e6:.0f} of the flood's {passed['bytes'] / 1e6:.0f} MB not captured")
    equal(sensor.stop(), 0, "exit code")


def test_calls(w):
    """a process with more calls than its budget is not followed for a while, by name; others are seen whole"""
    pki, server = stage(w)
    sensor = Sensor(w, "calls", extra=SMALL % 5000).start()
    traffic = Traffic(sensor)
    before = sensor.counters()
    flooder = flood(w, 4, 0)
    wait_for("nothing is shed", lambda: sensor.counters()("lost.budget_events") > 0, 30, 0.05)
    client = Client(w, "python", pki)
    traffic.run(client, server, [traffic.job(c) for c in hostile("calls")])
    passed = said(flooder)
    sensor.settle(60)
    after = sensor.counters()
    shed = after("lost.budget_events") - before("lost.budget_events")
    check(shed > passed["calls"] / 2, f"{shed} of {passed['calls']} calls shed")
    check(sensor.status()["healthy"], "not healthy")
    told(sensor, flooder)
    w.note(f"{shed} of {passed['calls']} calls not followed")
    equal(sensor.stop(), 0, "exit code")


def test_stalled_inspector(w):
    """an inspector that stands still is replaced; the gaps are the counted losses to the byte, and then all is as before"""
    pki, server = stage(w)
    sensor = Sensor(w, "stalled", extra=SMALL % 0).start()
    traffic = Traffic(sensor)
    client = Client(w, "python", pki)
    traffic.run(client, server, [traffic.job(c) for c in hostile("before")])
    sensor.settle()
    before = sensor.counters()
    old = sensor.role("inspector")["pid"]
    os.kill(old, signal.SIGSTOP)
    flooder = flood(w, 10, 65536)
    passed = said(flooder)
    wait_for("the stopped inspector is not replaced",
             lambda: (s := sensor.try_status()) and s["healthy"] and not alive(old), 20, 0.1)
    lost = exact(sensor, before)
    check(0 < lost < passed["bytes"], f"{lost} bytes lost of {passed}")
    moved = sensor.counters()("capture.bytes") - before("capture.bytes")
    equal(moved, passed["bytes"], "bytes that passed, and that the flooder passed")
    told(sensor, flooder)
    traffic.run(client, server, [traffic.job(c) for c in hostile("after")])
    w.note(f"{lost / 1e6:.0f} of {moved / 1e6:.0f} MB not captured")
    equal(sensor.stop(), 0, "exit code")


def test_paused_inspector(w):
    """one that stands still for less goes on itself: gaps to the byte, and then all is as before"""
    pki, server = stage(w)
    sensor = Sensor(w, "paused", extra=SMALL % 0).start()
    traffic = Traffic(sensor)
    client = Client(w, "python", pki)
    traffic.run(client, server, [traffic.job(c) for c in hostile("before the pause")])
    sensor.settle()
    before = sensor.counters()
    inspector = sensor.role("inspector")["pid"]
    os.kill(inspector, signal.SIGSTOP)
    passed = said(flood(w, 2, 65536))
    os.kill(inspector, signal.SIGCONT)
    lost = exact(sensor, before)
    check(0 < lost < passed["bytes"], f"{lost} bytes lost of {passed}")
    equal(sensor.counters()("capture.bytes") - before("capture.bytes"), passed["bytes"], "bytes that passed, and that the flooder passed")
    traffic.run(client, server, [traffic.job(c) for c in hostile("after the pause")])
    equal(sensor.role("inspector")["pid"], inspector, "the inspector")
    w.note(f"{lost / 1e6:.0f} of {passed['bytes'] / 1e6:.0f} MB not captured")
    equal(sensor.stop(), 0, "exit code")


main()
