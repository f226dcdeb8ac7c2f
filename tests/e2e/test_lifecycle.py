"""tests/e2e/test_lifecycle.py - start, refusal to start, and an end that leaves nothing behind."""

import json
import os
import re
import shutil
import signal
import subprocess

from harness import Process, Sensor, Skip, alive, bpf_left, bpf_objects, check, equal, main, wait_for
from traffic import Traffic, hostile
from world import Client, Pki, start_nginx


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        w.stage = pki, start_nginx(w, pki)
    return w.stage


def earshotd(w, *args, prefix=()):
    argv = [*prefix, w.program("earshotd"), *args]
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=30)


def config(w, text, name="config.yaml"):
    path = w.dir / name
    path.write_text(text)
    return path


def refused(done, code, *words):
    """One message that names the reason, and that exit code."""
    equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
    lines = done.stderr.strip().splitlines()
    equal(len(lines), 1, f"lines of the message {lines}")
    for word in words:
        check(word.lower() in lines[0].lower(), f"the message does not name {word!r}: {lines[0]}")


def sensor_uprobes():
    """Uprobe events that somebody registered through tracefs; the sensor on this kernel uses none, and must leave none."""
    for path in ("/sys/kernel/tracing/uprobe_events", "/sys/kernel/debug/tracing/uprobe_events"):
        if os.path.exists(path):
            with open(path) as f:
                return f.read()
    return ""


def leaves_nothing(w, number, name):
    pki, server = stage(w)
    events = sensor_uprobes()
    sensor = Sensor(w, name).start()
    traffic = Traffic(sensor)
    traffic.run(Client(w, "curl", pki), server, [traffic.job(hostile(name)[0])])
    before, processes = traffic.fingerprint(), sensor.processes()
    check(before, "no alert")
    check(len(processes) >= 3, f"too few processes: {processes}")
    objects = bpf_objects(processes)
    equal({kind for kind, _ in objects}, {"prog", "map", "link"}, "kinds of BPF objects of a running sensor")
    equal(sensor.stop(number), 0, "exit code")
    equal([p for p in processes if alive(p)], [], "processes still there")
    wait_for(lambda: f"BPF objects stay: {bpf_left(objects)}", lambda: not bpf_left(objects), 30, 0.1)
    equal(sensor_uprobes(), events, "uprobe events")
    left = os.listdir(sensor.run_dir) if sensor.run_dir.exists() else []
    equal(left, [], "files in run_dir")
    with open("/proc/net/unix") as f:
        equal([line for line in f if str(sensor.run_dir) in line], [], "sockets")
    return sensor, traffic, before


def test_sigint(w):
    """Ctrl-C leaves no process, no probe, no map, no socket"""
    leaves_nothing(w, signal.SIGINT, "sigint")


def test_sigterm(w):
    """SIGTERM likewise, and the alerts are there after a new start"""
    sensor, traffic, before = leaves_nothing(w, signal.SIGTERM, "sigterm")
    sensor.start()
    equal(traffic.fingerprint(), before, "alerts after the new start")
    equal(sensor.stop(), 0, "exit code")


def test_foreground(w):
    """--foreground prints alerts as they happen"""
    pki, server = stage(w)
    sensor = Sensor(w, "foreground")
    sensor.start(args=["--foreground"])
    traffic = Traffic(sensor)
    traffic.run(Client(w, "curl", pki), server, [traffic.job(hostile("foreground")[0])])
    wait_for(lambda: f"no alert printed: {sensor.process.output()}",
             lambda: "jailbreak" in sensor.process.output().lower(), 30)
    equal(sensor.stop(), 0, "exit code after SIGINT")


def test_tail(w):
    """earshot tail follows, one JSON object a line, within a second of the call"""
    pki, server = stage(w)
    sensor = Sensor(w, "tail").start()
    tail = sensor.tail()
    traffic = Traffic(sensor)
    job = traffic.job(hostile("tail")[0])
    traffic.run(Client(w, "curl", pki), server, [job])
    _, body = tail.wait(lambda b: b["alert"]["context"]["caller"]["end_user"] == job["user"])
    equal(body["alert"]["kind"], "jailbreak.rules", "kind")
    alert = sensor.alerts()[0]
    shown = json.loads(sensor.cli("alerts", "show", alert["id"][:12], "-o", "json").stdout)
    equal(shown["id"], alert["id"], "earshot alerts show")
    equal(sensor.stop(), 0, "exit code")


def test_second(w):
    """a second sensor on the same directories refuses and does not disturb the first"""
    stage(w)
    sensor = Sensor(w, "first").start()
    done = earshotd(w, "--config", sensor.config)
    refused(done, 1, "another earshotd")
    check(sensor.status()["healthy"], "the first one is not healthy")
    equal(sensor.stop(), 0, "exit code")


def test_not_root(w):
    """without root: one message, exit code 3"""
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    # A copy that anybody may execute: the build directory may be closed to others.
    place = w.dir / "anybody"
    place.mkdir()
    for program in ("earshotd", "earshot-compiler", "earshot-surveyor", "earshot-inspector", "earshot-recorder", "earshot-keeper", "earshot-shipper",
                    "earshot-canary", "earshot-indexer"):
        shutil.copy(w.program(program), place)
    path = config(w, f"state_dir: {w.dir}/nobody/state\nrun_dir: {w.dir}/nobody/run\n")
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", place / "earshotd", "--config", path]
    refused(subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=30), 3, "root")


def test_missing_cap(w):
    """root without a needed capability: the message names it, exit code 3"""
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    path = config(w, f"state_dir: {w.dir}/cap/state\nrun_dir: {w.dir}/cap/run\n")
    for cap in ("bpf", "perfmon"):
        done = earshotd(w, "--config", path, prefix=["setpriv", f"--bounding-set=-{cap}", f"--inh-caps=-{cap}"])
        refused(done, 3, f"CAP_{cap.upper()}")


def test_no_btf(w):
    """a kernel without BTF: one message, exit code 3"""
    path = config(w, f"state_dir: {w.dir}/btf/state\nrun_dir: {w.dir}/btf/run\n")
    (w.dir / "btf").mkdir()
    empty = w.dir / "empty"
    empty.mkdir()
    script = 'mount --bind "$1" /sys/kernel/btf && shift && exec "$@"'
    done = earshotd(w, "--config", path, prefix=["unshare", "-m", "sh", "-c", script, "sh", empty])
    refused(done, 3, "BTF")


def test_config_errors(w):
    """errors in the configuration are told with line numbers, all at once"""
    cases = [
        ("state_dir: /tmp/x\nstat_dir: /tmp/y\n", [(2, "stat_dir")]),
        ("capture:\n  ring_bytes: many\n", [(2, "ring_bytes")]),
        ("export:\n  - type: https\n    url: https://localhost/\n    colour: red\n", [(4, "colour")]),
        ("evidence: everything\n", [(1, "evidence")]),
        ("state_dir: [1, 2\n", [(None, "")]),
        ("run_dir: /tmp/a\nfoo: 1\nbar: 2\n", [(2, "foo"), (3, "bar")]),
    ]
    for number, (text, wanted) in enumerate(cases):
        path = config(w, text, f"bad{number}.yaml")
        done = earshotd(w, "--config", path, "--check-config")
        equal(done.returncode, 2, f"exit code for {text!r} ({done.stderr})")
        said = done.stderr + done.stdout
        for line, word in wanted:
            check(word in said, f"{word!r} is not named: {said}")
            check(re.search(rf"{re.escape(str(path))}:{line if line else r'[0-9]+'}:\d+: ", said), f"no place of {word!r}: {said}")
    done = earshotd(w, "--config", w.dir / "absent.yaml", "--check-config")
    check(done.returncode == 2 and "absent.yaml" in done.stderr, f"a missing file: {done.returncode} {done.stderr}")
    good = config(w, f"state_dir: {w.dir}/ok/state\nrun_dir: {w.dir}/ok/run\n", "good.yaml")
    equal(earshotd(w, "--config", good, "--check-config").returncode, 0, "a good configuration")


def test_overlay(w):
    """two overlay mounts over one libssl: each TLS call is one record, from either"""
    pki, server = stage(w)
    lower, script = w.dir / "lower", w.dir / "hold.sh"
    lower.mkdir()
    for name in ("libssl.so.3", "libcrypto.so.3"):
        found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
        path = re.search(rf"{re.escape(name)} .*=> (\S+)", found)
        if not path:
            raise Skip(f"no {name} on this host")
        shutil.copy(os.path.realpath(path[1]), lower / name)
    mounts = []
    for name in ("one", "two"):
        merged, upper, work = (w.dir / f"{name}-{part}" for part in ("merged", "upper", "work"))
        for d in (merged, upper, work):
            d.mkdir()
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", merged],
                              capture_output=True, text=True)
        if done.returncode:
            raise Skip(f"no overlay mounts: {done.stderr.strip()}")
        w.cleanups.append(lambda m=merged: subprocess.run(["umount", m], check=False))
        mounts.append(merged)
    # Both stay mapped, so that a second probe of the same code would be there.
    script.write_text('exec python3 -c "import ctypes,sys,time\nctypes.CDLL(sys.argv[1])\ntime.sleep(600)" "$1"\n')
    for m in mounts:
        w.own(Process(f"hold {m.name}", ["sh", script, m / "libssl.so.3"], w.dir / "hold.log",
                      env={**os.environ, "LD_LIBRARY_PATH": str(m)}))
    # Whether a call is passed over as of no interest depends on how fast the inspector is: every one shall count.
    sensor = Sensor(w, "overlay", extra="capture:\n  mute: off\n").start()

    def measure(library_path):
        sensor.settle()
        before = sensor.counters()
        env = dict(os.environ)
        if library_path:
            env["LD_LIBRARY_PATH"] = str(library_path)
        done = subprocess.run(["curl", "-sS", "--cacert", pki.ca, "-H", "Authorization: Bearer x", server.url + "/v1/models"],
                              env=env, capture_output=True, timeout=20)
        check(done.returncode == 0 and b'"list"' in done.stdout, f"curl: {done.stderr.decode()}")
        wait_for("the call is not counted", lambda: sensor.counters()("capture.bytes") > before("capture.bytes"), 30)
        sensor.settle()
        after = sensor.counters()
        return tuple(after(n) - before(n) for n in ("capture.calls", "capture.bytes", "capture.records"))

    # Counters are the host's: on a busy one somebody else's call may fall into a measurement, so it may be repeated. A call that
    # counts twice does so every time.
    plain = min(measure(None) for _ in range(2))
    for m in mounts:
        tries = []
        while plain not in tries and len(tries) < 10:
            tries.append(measure(m))
        check(plain in tries, f"calls, bytes, records: {plain} through the system's libssl, but through {m.name} {tries}")
    equal(sensor.stop(), 0, "exit code")


main()
