"""tests/e2e/test_http2.py - HTTP/2 by ALPN: real clients, many streams of one connection at once."""

from harness import Sensor, check, equal, main
from traffic import Traffic, benign, hostile
from world import Client, Pki, start_nginx


def stage(w):
    """PKI, server and sensor, made by the first test that asks."""
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        server = start_nginx(w, pki, listen=" http2")
        sensor = Sensor(w).start()
        w.stage = pki, server, sensor, Traffic(sensor)
    return w.stage


def sdk(w, name):
    client = Client(w, name, stage(w)[0])
    client.http2 = True
    return client


def test_curl(w):
    """curl: each attack is one alert, benign calls raise none"""
    pki, server, _, traffic = stage(w)
    client = Client(w, "curl", pki)
    head = w.dir / "head"
    client.more = ["-D", head]
    calls = benign("") + hostile("http2 curl")
    traffic.run(client, server, [traffic.job(c) for c in calls])
    check(head.read_text().startswith("HTTP/2 200"), f"curl did not speak HTTP/2: {head.read_text()}")


def test_one_after_another(w):
    """the OpenAI SDK on httpx: exchanges of one connection, whole and streamed"""
    _, server, _, traffic = stage(w)
    calls = benign("") + hostile("http2 sdk")
    jobs = [traffic.job(c, api, stream) for c in calls for api in ("chat", "responses") for stream in (False, True)]
    alerts = traffic.run(sdk(w, "python"), server, jobs)
    contexts = [a["context"] for found in alerts.values() for a in found]
    check(len({x["connection"] for x in contexts}) <= 2, "one connection, seen at its client and at its server")


def test_at_once(w):
    """the asynchronous SDK: all streams of one connection at once"""
    _, server, _, traffic = stage(w)
    calls = benign("") * 3 + hostile("http2 at once")
    jobs = [traffic.job(c, stream=i % 2 == 0) for i, c in enumerate(calls)]
    client = sdk(w, "python-async")
    alerts = traffic.run(client, server, jobs)
    contexts = [a["context"] for found in alerts.values() for a in found]
    check(len({x["connection"] for x in contexts}) <= 2, "one connection, seen at its client and at its server")
    w.note(f"{len(jobs)} calls at once, {len(contexts)} alerts")


def test_nothing_lost(w):
    """no byte lost, nothing broken, no header field unknown"""
    _, _, sensor, _ = stage(w)
    c = sensor.counters()
    names = ("lost.ring_bytes", "lost.fault_bytes", "lost.call_bytes", "flow.gap_bytes", "flow.broken", "flow.unpaired", "flow.resynced",
             "flow.unknown_fields", "flow.streams_evicted", "flow.decode_errors", "flow.ambiguous", "flow.cut", "flow.not_http",
             "dialect.json_broken", "sensor.restarts", "detect.errors")
    equal({n: c(n) for n in names if c(n)}, {}, "losses")
    equal(c("flow.bytes"), c("capture.bytes"), "bytes parsed of bytes that passed")
    w.note(f"{c('flow.exchanges')} exchanges on {c('flow.connections')} connections")


main()
