"""tests/e2e/test_identity.py - which socket is a connection said to use? 100 connections at once between real programs, whose
payload tells: each end is right or unknown, never wrong, and nearly always known. Of these servers and clients only nginx and curl
give OpenSSL a socket; the others move bytes between memory and sockets themselves.
"""

import collections
import contextlib
import pathlib
import shutil
import signal
import socket
import subprocess

from harness import HERE, Process, check, descendants, equal, free_port, main, wait_for
from world import Pki, start_nginx

CONNECTIONS = 100
REQUESTS = 6
SSL_LIBRARIES = ("/usr/lib/*/libssl.so.3", "/usr/lib/*/libssl.so.1.1")

End = collections.namedtuple("End", "pid truth open final changes midway mixed")


class Capture:
    """conns_driver on every TLS code that the peers use."""

    def __init__(self, w):
        files = [path for pattern in SSL_LIBRARIES for path in pathlib.Path("/").glob(pattern[1:])]
        argv = [w.build / "tests/e2e/conns_driver", *files, pathlib.Path(shutil.which("node")).resolve()]
        self.process = w.own(Process("conns_driver", argv, w.dir / "conns_driver.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        check(self.process.popen.stdout.readline() == b"ready\n", f"no capture: {self.process.output()}")

    def ends(self, *pids):
        """What it saw of the connections of these processes. No more is captured."""
        out, _ = self.process.popen.communicate(timeout=60)
        *lines, last = out.decode().splitlines()
        equal(last, "lost", "what capture lost")
        ends = []
        for line in lines:
            pid, _ssl, truth, opened, final, changes, midway, mixed = line.split()
            if int(pid) in pids:
                ends.append(End(int(pid), truth, opened, final, int(changes), midway == "1", int(mixed)))
        return ends


def peers(w):
    """The certificate for all of them."""
    if not hasattr(w, "pki"):
        w.pki = Pki(w.dir / "pki")
    return w.pki


def program(w, kind):
    if kind == "node":
        return ["node", HERE / "clients/ports.mjs"]
    return [w.build / "venv/bin/python3", HERE / "clients/ports.py", kind]


def said(process, line):
    wait_for(f"{process.name} does not say {line!r}: {process.output()}",
             lambda: check(process.running(), process.output()) or line in process.output().splitlines(), 60)


def start_server(w, kind, *more, role="server"):
    port, name = free_port(), f"{kind}-{role}"
    certificate = [peers(w).cert, peers(w).key] if role == "server" else []
    server = w.own(Process(name, [*program(w, kind), role, *certificate, port, *more], w.dir / f"{name}-{port}.log"))
    said(server, "up")
    return server, port


def start_client(w, kind, port, *more):
    name = f"{kind}-client"
    argv = [*program(w, kind), "client", port, CONNECTIONS, REQUESTS, *more]
    return w.own(Process(name, argv, w.dir / f"{name}-{port}.log", stdin=subprocess.PIPE))


def go_on(client):
    client.popen.stdin.write(b"go\n")
    client.popen.stdin.close()
    equal(client.wait(120), 0, f"{client.name}'s exit code: {client.output()}")


def judge(w, what, ends, want, known=1.0, opened=0.0):
    """want ends, none of them wrong at any time; of these a share known at last, and a share known when they opened."""
    wrong = [e for e in ends if e.mixed or e.final not in (e.truth, "0-0") or e.open not in (e.truth, "0-0") or e.changes > 1]
    n_known = sum(e.final == e.truth for e in ends)
    n_open = sum(e.open == e.truth for e in ends)
    w.note(f"{what}: {len(ends)} ends, {n_known} known, {n_open} of them at their first bytes, {len(wrong)} wrong")
    equal(wrong, [], "wrong")
    equal(len(ends), want, "ends")
    check(n_known >= known * want, f"{n_known} of {want} known")
    check(n_open >= opened * want, f"{n_open} of {want} known when they opened")


def established(port):
    """Ends of connections to that port."""
    with open("/proc/net/tcp") as f:
        fields = [line.split() for line in f.readlines()[1:]]
    return sum(state == "01" and f":{port:04X}" in local + remote for _, local, remote, state, *_ in fields)


def event_loop(w, kind, opened, *plain):
    server, port = start_server(w, kind, *plain)
    capture = Capture(w)
    client = start_client(w, kind, port, *plain)
    said(client, "connected")
    go_on(client)
    ends = capture.ends(server.pid, client.pid)
    server.stop()
    judge(w, f"{kind} among plain sockets" if plain else kind, ends, 2 * CONNECTIONS, opened=opened)
    equal([e for e in ends if e.midway], [], "connections whose handshake was missed")


def older(w, kind):
    server, port = start_server(w, kind)
    client = start_client(w, kind, port)
    said(client, "connected")
    capture = Capture(w)
    go_on(client)
    ends = capture.ends(server.pid, client.pid)
    server.stop()
    judge(w, f"{kind}, older than the sensor", ends, 2 * CONNECTIONS)
    equal([e for e in ends if not e.midway], [], "connections that are taken for new ones")


def test_asyncio(w):
    """asyncio: client and server"""
    event_loop(w, "asyncio", 1.0)


def test_uvloop(w):
    """uvloop: client and server"""
    event_loop(w, "uvloop", 1.0)


def test_node(w):
    """Node.js: client and server"""
    event_loop(w, "node", 1.0)


def beside_plain(w, kind):
    plain, port = start_server(w, kind, role="plain")
    event_loop(w, kind, 1.0, port)
    plain.stop()


def test_plain_asyncio(w):
    """asyncio: proxies, whose thread receives from plain sockets before it calls OpenSSL"""
    beside_plain(w, "asyncio")


def test_plain_uvloop(w):
    """uvloop: proxies, whose thread receives from plain sockets before it calls OpenSSL"""
    beside_plain(w, "uvloop")


def test_older_asyncio(w):
    """asyncio: connections older than the sensor"""
    older(w, "asyncio")


def test_older_uvloop(w):
    """uvloop: connections older than the sensor"""
    older(w, "uvloop")


def test_older_node(w):
    """Node.js: connections older than the sensor"""
    older(w, "node")


def free_ports(n):
    """That many in a row, below those that the kernel gives out."""
    for first in range(20000, 32000, n):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + n):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return range(first, first + n)
    raise AssertionError("no free ports")


def nginx(w, name, seconds):
    """Each of its answers takes so long."""
    body = "<me $server_port $remote_port>" * 100
    limit = f'location / {{ limit_rate {len(body) // 2 // seconds}; return 200 "{body}"; }}'
    return start_nginx(w, peers(w), name, server=limit)


def curls(w, server):
    """curl asks for 100 answers at once."""
    ports, config = free_ports(CONNECTIONS), w.dir / f"{server.port}.conf"
    config.write_text("next\n".join(
        f'url = "https://127.0.0.1:{server.port}/"\ninsecure\nhttp1.1\nsilent\noutput = /dev/null\nlocal-port = "{port}"\n'
        f'data = "<me {port} {server.port}>"\n' for port in ports))
    argv = ["curl", "--parallel", "--parallel-immediate", "--parallel-max", CONNECTIONS, "--config", config]
    return w.own(Process("curl", argv, w.dir / f"curl-{server.port}.log"))


def judge_curls(w, what, capture, server, curl, **want):
    equal(curl.wait(60), 0, f"curl: {curl.output()}")
    ends = capture.ends(curl.pid, *descendants(server.process.pid))
    server.process.stop(signal.SIGQUIT)
    judge(w, what, ends, 2 * CONNECTIONS, **want)
    return ends


def test_curl_nginx(w):
    """curl and nginx: OpenSSL has the socket"""
    server, capture = nginx(w, "nginx-ports", 1), Capture(w)
    judge_curls(w, "curl and nginx", capture, server, curls(w, server), opened=1.0)


def test_older_curl_nginx(w):
    """curl and nginx: connections older than the sensor"""
    server = nginx(w, "nginx-older", 4)
    curl = curls(w, server)
    wait_for("curl does not connect", lambda: established(server.port) == 2 * CONNECTIONS)
    ends = judge_curls(w, "curl and nginx, older than the sensor", Capture(w), server, curl, opened=1.0)
    check(all(e.midway for e in ends), "connections that are taken for new ones")


if __name__ == "__main__":
    main()
