"""tests/e2e/test_restart.py - any process of the sensor may be killed: it comes back, nothing committed is lost or doubled."""

import os
import signal
import threading

from harness import Sensor, alive, bpf_left, bpf_objects, check, equal, main, wait_for
from traffic import Traffic, hostile
from world import Client, Pki, start_collector, start_nginx, start_uvicorn


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        servers = start_nginx(w, pki), start_uvicorn(w, pki, "uvloop")
        sensor = Sensor(w, export=start_collector(w, pki).export).start()
        w.stage = pki, servers, sensor, Traffic(sensor)
        w.calls = 0
    return w.stage


def calls(w, traffic, n=7):
    w.calls += 1
    return [traffic.job(c) for c in hostile(f"round {w.calls}")[:n]]


def kill_role(sensor, name):
    old = sensor.role(name)["pid"]
    os.kill(old, signal.SIGKILL)

    def back():
        status = sensor.try_status()
        if not status or not status.get("healthy"):
            return False
        # A keeper that just began may not have heard of the others yet.
        role = next((r for r in status["roles"] if r["name"] == name), None)
        return role and role["pid"] != old and role["up"] and alive(role["pid"]) and role

    return wait_for(f"{name} did not come back", back, 30, 0.05)


def killed_at_rest(name):
    def test(w):
        pki, servers, sensor, traffic = stage(w)
        client = Client(w, "python", pki)
        traffic.run(client, servers[0], calls(w, traffic))
        before = traffic.fingerprint()
        role = kill_role(sensor, name)
        check(int(role["restarts"]) >= 1, f"restarts of {name}: {role}")
        equal(traffic.fingerprint(), before, "alerts after the restart")
        traffic.run(Client(w, "node", pki), servers[1], calls(w, traffic))

    test.__doc__ = f"kill -9 of the {name}: it restarts, every alert is still there, new ones come"
    return test


test_kill_inspector = killed_at_rest("inspector")
test_kill_keeper = killed_at_rest("keeper")
test_kill_shipper = killed_at_rest("shipper")


def killed_under_load(w, name, exact):
    pki, servers, sensor, traffic = stage(w)
    jobs = [j for _ in range(6) for j in calls(w, traffic)]
    client, failures = Client(w, "python", pki), []

    def run():
        try:
            client.run(servers[0], jobs)
        except Exception as e:
            failures.append(e)

    before = traffic.by_user()
    thread = threading.Thread(target=run)
    thread.start()
    wait_for("no alert of the load", lambda: set(traffic.by_user()) - set(before), 30, 0.01)
    kill_role(sensor, name)
    thread.join(60)
    check(not failures, f"the client was harmed: {failures}")
    if exact:
        traffic.expect(jobs, client=client, server=servers[0])
        return
    sensor.settle()
    found = traffic.by_user()
    doubled = [u for u, alerts in found.items() if u in traffic.users and len(alerts) > max(1, len(traffic.users[u].kinds))]
    equal(doubled, [], "calls with an alert more than once")
    for user, alerts in before.items():
        check(len(found.get(user, [])) == len(alerts), f"alerts of {user} are gone")
    missed = [j["user"] for j in jobs if not found.get(j["user"])]
    w.note(f"{len(jobs) - len(missed)} of {len(jobs)} calls alerted; {sensor.counters()('lost.crash_bytes')} bytes undecided")
    if missed:
        check(sensor.counters()("lost.crash_bytes") > 0, f"{missed} were lost, but nothing is counted")


def test_keeper_load(w):
    """kill -9 of the keeper during traffic: each attack is one alert, none missing"""
    killed_under_load(w, "keeper", exact=True)


def test_shipper_load(w):
    """kill -9 of the shipper during traffic: each attack is one alert, none missing"""
    killed_under_load(w, "shipper", exact=True)


def test_inspector_load(w):
    """kill -9 of the inspector during traffic: nothing doubled, what it held undecided is counted"""
    killed_under_load(w, "inspector", exact=False)


def test_kill_monitor(w):
    """kill -9 of the monitor: every role ends, no probe stays, and a new start finds every alert again"""
    pki, servers, sensor, traffic = stage(w)
    sensor.settle()
    before = traffic.fingerprint()
    processes = sensor.processes()
    objects = bpf_objects(processes)
    os.kill(sensor.process.pid, signal.SIGKILL)
    sensor.process.wait()
    wait_for("roles outlive the monitor", lambda: not any(map(alive, processes)), 30)
    wait_for(lambda: f"BPF objects stay: {bpf_left(objects)}", lambda: not bpf_left(objects), 30, 0.1)
    sensor.start()
    equal(traffic.fingerprint(), before, "alerts after the new start")
    traffic.run(Client(w, "curl", pki), servers[1], [j for j in calls(w, traffic)])


main()
