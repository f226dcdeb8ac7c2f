"""tests/e2e/test_safety.py - what watches must not be felt: programs that probes are known to break end as they would without."""

import subprocess

from harness import Sensor, check, equal, main

# Name, exit code.
VICTIMS = {"confined": 11, "vforked": 12, "thread-exec": 13, "killed": 14, "signalled": 15, "jumped": 16}


def run(w, name):
    done = subprocess.run([w.program("tests/e2e/victims"), name], capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_same(w):
    """seccomp, vfork, exec in threads, SIGKILL in calls, signals, longjmp: exit code and output as without the sensor"""
    before = {name: run(w, name) for name in VICTIMS}
    for name, code in VICTIMS.items():
        equal(before[name][0], code, f"{name} without a sensor: {before[name]}")
        check(before[name][1], f"{name} says nothing")
    sensor = Sensor(w).start()
    for name in VICTIMS:
        calls = sensor.counters()("capture.calls")
        equal(run(w, name), before[name], name)
        sensor.settle()
        check(sensor.counters()("capture.calls") > calls + 10, f"{name} was not captured")
    equal([r["restarts"] for r in sensor.status()["roles"] if r["restarts"]], [], "restarts")
    equal(sensor.stop(), 0, "exit code")
    for name in VICTIMS:
        equal(run(w, name), before[name], f"{name}, after the sensor")


def test_attached_under_way(w):
    """A sensor that comes and goes while the program is in its calls"""
    want = run(w, "signalled")
    processes = [subprocess.Popen([w.program("tests/e2e/victims"), "killed"], stdout=subprocess.PIPE) for _ in range(2)]
    sensor = Sensor(w, "second").start()
    equal(run(w, "signalled"), want, "signalled")
    equal(sensor.stop(), 0, "exit code")
    for p in processes:
        equal((p.wait(60), p.stdout.read()), (14, run(w, "killed")[1]), "killed")


if __name__ == "__main__":
    main()
