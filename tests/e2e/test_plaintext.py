"""tests/e2e/test_plaintext.py - plain HTTP on selected ports through the whole sensor: like TLS, and only if asked for."""

from harness import Sensor, check, descendants, equal, free_port, main, wait_for
from traffic import JAILBREAK, Call, Traffic, benign, hostile
from world import Client, Pki, listens, start_uvicorn, uvicorn


class PlainServer:
    """The inference application as such servers usually listen: plain HTTP, on loopback."""

    comm = "uvicorn"

    def __init__(self, world):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = uvicorn(world, self.port, "plain")
        wait_for("the inference application does not listen", lambda: listens(self.port, self.process), 20)


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        server, tls = PlainServer(w), start_uvicorn(w, pki)
        sensor = Sensor(w, extra=f"capture: {{plaintext: {{ports: [{server.port}, {tls.port}]}}}}\n").start()
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
    call = Call("long", prompt, ["jailbreak.rules"], "user")
    traffic.run(Client(w, "python", pki), server, [traffic.job(call)])
    whole(sensor, before)


def test_tls(w):
    """TLS on a selected port is captured as such, and its ciphertext is not"""
    pki, _, tls, sensor, traffic = stage(w)
    before = sensor.counters()
    for name in ("curl", "python-async"):
        traffic.run(Client(w, name, pki), tls, [traffic.job(c) for c in hostile(f"tls {name}")])
    whole(sensor, before)


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


main()
