"""tests/e2e/test_plaintext.py - plain HTTP of selected ports and processes through the whole sensor: like TLS, and only if asked for."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import threading

from harness import Sensor, check, descendants, equal, free_port, main, wait_for
from traffic import JAILBREAK, Call, Traffic, benign, hostile
from world import Client, Pki, listens, start_uvicorn, uvicorn


class PlainServer:
    """The inference application as such servers usually listen: plain HTTP, on loopback."""

    def __init__(self, world, name="plain", start=uvicorn, comm="uvicorn"):
        self.port, self.comm = free_port(), comm
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = start(world, self.port, name)
        wait_for("the inference application does not listen", lambda: listens(self.port, self.process), 20)


class Proxy:
    """An HTTP proxy that can CONNECT, and nothing else: a thread for each direction of each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connects = 0
        self.start(self.accept)

    def start(self, fn, *args):
        threading.Thread(target=fn, args=args, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(4096)
            method, target = head.split()[:2]
            check(method == b"CONNECT", f"not for a proxy: {head}")
            host, port = target.decode().rsplit(":", 1)
            far = socket.create_connection((host, int(port)))
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.connects += 1
            self.start(self.pass_on, near, far)
            self.start(self.pass_on, far, near)

    @staticmethod
    def pass_on(source, to):
        with contextlib.suppress(OSError):  # either end may close it as it likes
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        server, tls, w.proxy = PlainServer(w), start_uvicorn(w, pki), Proxy()
        ports = f"{server.port}, {tls.port}, {w.proxy.port}"
        sensor = Sensor(w, extra=f"capture: {{plaintext: {{ports: [{ports}]}}}}\n").start()
        w.stage = pki, server, tls, sensor, Traffic(sensor)
    return w.stage


def whole(sensor, before):
    sensor.settle()
    after = sensor.counters()
    moved = lambda name: after(name) - before(name)
    equal(moved("flow.bytes"), moved("capture.bytes"), "bytes parsed of bytes that passed")
    equal(moved("flow.not_http"), 0, "connections that are no HTTP")
    check(moved("capture.bytes") > 0, "nothing was captured")


def over_plain(name):
    def test(w):
        pki, server, _, sensor, traffic = stage(w)
        before, client = sensor.counters(), Client(w, name, pki)
        calls = benign("") + hostile(f"plain {name}")
        found = traffic.run(client, server, [traffic.job(c) for c in calls])
        servers = [server.process.pid, *descendants(server.process.pid)]
        for alert in (a for alerts in found.values() for a in alerts):
            context = alert["context"]
            s, near = context["socket"], int(context["process"]["pid"]) in servers
            equal((s["local_address"], s["remote_address"]), ("127.0.0.1", "127.0.0.1"), "addresses")
            equal(int(s["local_port" if near else "remote_port"]), server.port, "port")
            equal(s.get("plain"), True, "said to be plain text")
        whole(sensor, before)

    test.__doc__ = f"{name} over plain HTTP: each attack is one alert, seen at both ends, with addresses and ports, nothing missed"
    return test


test_curl = over_plain("curl")
test_python = over_plain("python")
test_node = over_plain("node")


def test_long(w):
    """an attack at the end of a plain prompt of 4 MiB is found, every byte captured"""
    pki, server, _, sensor, traffic = stage(w)
    before = sensor.counters()
    prompt = "The quarterly report lists revenue by region. " * ((4 << 20) // 46) + "\n" + JAILBREAK
    call = Call("long", prompt, ["jailbreak.flooding", "jailbreak.rules"], "user")
    traffic.run(Client(w, "python", pki), server, [traffic.job(call)])
    whole(sensor, before)


def test_tls(w):
    """TLS on a selected port is captured as such, and its ciphertext is not"""
    pki, _, tls, sensor, traffic = stage(w)
    before = sensor.counters()
    for name in ("curl", "python-async"):
        found = traffic.run(Client(w, name, pki), tls, [traffic.job(c) for c in hostile(f"tls {name}")])
        check(not any((a["context"]["socket"] or {}).get("plain") for alerts in found.values() for a in alerts), "said to be plain text")
    whole(sensor, before)


def test_connect(w):
    """TLS through a proxy's tunnel, whose CONNECT is plain text: seen above TLS at both ends, and nowhere else"""
    pki, _, tls, sensor, traffic = stage(w)
    client = Client(w, "curl", pki)
    client.more = ["--proxy", f"http://127.0.0.1:{w.proxy.port}"]
    before = sensor.counters()
    calls = benign("") + hostile("tunnel")
    found = traffic.run(client, tls, [traffic.job(c) for c in calls])
    check(w.proxy.connects >= len(calls), f"{w.proxy.connects} tunnels")
    for alert in (a for alerts in found.values() for a in alerts):
        check(not alert["context"]["socket"].get("plain"), f"said to be plain text: {alert['context']['socket']}")
        equal(int(alert["count"]), 2, "how often it was seen")
    sensor.settle()
    after = sensor.counters()
    for name in ("flow.not_http", "flow.broken", "flow.unpaired"):
        equal(after(name), before(name), name)


def test_off(w):
    """off: nothing of it is captured"""
    pki, server, _, sensor, _ = stage(w)
    equal(sensor.stop(), 0, "exit code")
    quiet = Sensor(w, "quiet").start()
    before = quiet.counters()
    traffic = Traffic(quiet)
    Client(w, "curl", pki).run(server, [traffic.job(c) for c in hostile("off")])
    quiet.settle()
    equal(quiet.counters()("capture.bytes"), before("capture.bytes"), "bytes captured")
    equal(traffic.by_user(), {}, "alerts")
    equal(quiet.stop(), 0, "exit code")


def other_program(w):
    """The interpreter under another name: its processes are told apart from the clients' by the program that they run."""
    program = w.dir / "inferd"
    if not program.exists():
        shutil.copy((w.build / "venv/bin/python").resolve(), program)
    return program


def inferd(w, port, name):
    return uvicorn(w, port, name, program=other_program(w))


def cgroup_dir(w):
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return pathlib.Path(next(m[1] for m in mounts if m[2] == "cgroup2")) / f"earshot-e2e-{os.getpid()}"


def served(w, sensor, traffic, server, name):
    """Its calls are seen at its own end, and only there, whole from their first byte."""
    before = sensor.counters()
    found = traffic.run(Client(w, "python", w.stage[0]), server, [traffic.job(c) for c in hostile(name)], sides=1)
    for alert in (a for alerts in found.values() for a in alerts):
        equal(int(alert["context"]["process"]["pid"]), server.process.pid, "process")
        equal(alert["context"]["socket"].get("plain"), True, "said to be plain text")
    whole(sensor, before)
    said = json.loads(sensor.cli("explain", server.process.pid, "-o", "json").stdout)
    equal(said["state"], "captured", "explain")
    check("the process is selected" in said["reason"], said["reason"])


def test_program(w):
    """a program that is named: what runs it already, and what starts later"""
    stage(w)
    old = PlainServer(w, "old", inferd, "inferd")
    sensor = Sensor(w, "program", extra="capture: {plaintext: {executables: ['*/inferd']}}\n").start()
    traffic = Traffic(sensor)
    served(w, sensor, traffic, old, "old")
    served(w, sensor, traffic, PlainServer(w, "new", inferd, "inferd"), "new")
    jobs = [traffic.job(c) for c in hostile("other")]
    Client(w, "curl", w.stage[0]).run(PlainServer(w, "other"), jobs)
    sensor.settle()
    equal([j["user"] for j in jobs if j["user"] in traffic.by_user()], [], "alerts of another program")
    equal(sensor.stop(), 0, "exit code")


def test_cgroup(w):
    """a cgroup that is named: the processes in it"""
    stage(w)
    group = cgroup_dir(w)
    group.mkdir()
    start = lambda w, port, name: uvicorn(w, port, name, cgroup=group)
    sensor = Sensor(w, "cgroup", extra=f"capture: {{plaintext: {{cgroups: ['*/{group.name}']}}}}\n").start()
    server = PlainServer(w, "grouped", start)
    try:
        served(w, sensor, Traffic(sensor), server, "grouped")
        equal(sensor.stop(), 0, "exit code")
    finally:
        server.process.stop()
        group.rmdir()


main()
