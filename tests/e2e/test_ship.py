"""tests/e2e/test_ship.py - the shipper in its cage, over real TLS: to the collector, and to upstreams that misbehave.

ship_driver plays monitor and keeper of a real earshot-shipper; Upstream is a TLS server whose answers a test scripts.
"""

import http.server
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
import warnings

from harness import Process, Skip, check, equal, free_port, main, wait_for
from world import Pki

PROTOBUF = "application/x-protobuf"


def pki(w):
    if not hasattr(w, "pki"):
        w.pki = Pki(w.dir / "pki")
    return w.pki


# --- a shipper and those who play its neighbours


class Driver:
    def __init__(self, w, url, store=None, ca=True, client=True, env=None):
        p = pki(w)
        self.store = store or secrets.token_hex(16)
        files = [p.dir / ca if isinstance(ca, str) else p.ca] if ca else []
        files += [p.client_cert, p.client_key] if client else []
        argv = [w.program("tests/e2e/ship_driver"), w.program("earshot-shipper"), url, self.store, *files]
        self.process = w.own(Process("ship_driver", argv, w.dir / f"driver-{self.store}.log", stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, env={**os.environ, **(env or {})}))
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self.read, daemon=True).start()
        self.expect("ready")

    def read(self):
        for line in self.process.popen.stdout:
            self.lines.put(line.decode().rstrip("\n"))

    def tell(self, command):
        self.process.popen.stdin.write(command.encode() + b"\n")
        self.process.popen.stdin.flush()

    def expect(self, start, seconds=30):
        """The next line that begins so; others are kept in seen."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line {start!r} within {seconds} s; seen: {self.seen}") from None
            self.seen.append(line)
            if line.startswith(start):
                return line
            check(not line.startswith(("exit", "signal")), f"the shipper ended: {line}")

    def shipped(self, seconds=30):
        """(through, {rejected sequence: reason})"""
        words = self.expect("shipped ", seconds)[len("shipped "):]
        through, _, rest = words.partition(" ")
        # One rejection at most in these tests, so the reason is the rest of the line.
        sequence, colon, reason = rest.partition(":")
        return int(through), {int(sequence): reason} if colon else {}

    def trouble(self):
        return self.expect("upstream ")[len("upstream "):]

    def counters(self):
        self.tell("counters")
        pairs = (p.split("=") for p in self.expect("ship.batches").split())
        return {name: int(value) for name, value in pairs}

    def stop(self):
        self.tell("stop")
        equal(self.expect("exit"), "exit 0", "how the shipper ended")


# --- upstreams that misbehave


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """(number, value) of a protobuf message of varints and byte strings."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value


class Batch:
    """What a request carried: sequences, and which of them were stubs."""

    def __init__(self, body):
        self.sequences, self.stubs = [], []
        for number, value in fields(body):
            if number == 4:
                revision = dict(fields(value))
                self.sequences.append(revision[2])
                if not revision.get(5):
                    check(len(revision[6]) == 32, "a stub carries the hash of its body")
                    self.stubs.append(revision[2])


def ack(through):
    return 200, {"Content-Type": PROTOBUF}, b"\x08" + varint(through)


def ack_all(request):
    return ack(request.sequences[-1])


class Upstream:
    """Answers each POST with answer(Batch) -> (status, headers, body), or None to close without a word."""

    def __init__(self, w, answer, cert=None, address="127.0.0.1"):
        self.answer, self.requests, self.times = answer, [], []
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Batch(body)
                request.raw, request.headers = body, self.headers
                upstream.times.append(time.monotonic())
                upstream.requests.append(request)
                reply = upstream.answer(request)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, content = reply
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client):
                pass  # refused handshakes are what some tests are about

        p = pki(w)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(p.dir / f"{cert or 'server'}.pem", p.dir / f"{cert or 'server'}.key")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(p.ca)
        self.server = Server((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://{address}:{self.server.server_address[1]}/v1/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        w.cleanups.append(self.server.shutdown)


class Collector:
    def __init__(self, w, name, port=0):
        p = pki(w)
        log, self.out = w.dir / f"{name}-{port}.log", w.dir / f"{name}.out"
        argv = [w.program("earshot-collector"), "--listen", f"127.0.0.1:{port}", "--cert", p.cert, "--key", p.key,
                "--client-ca", p.ca, "--store", w.dir / f"{name}.db", "-o", "json"]
        with open(self.out, "ab") as out:
            self.process = w.own(Process("collector", argv, log, stdout=out))
        wait_for("the collector does not listen", lambda: "listening on" in self.process.output())
        self.address = self.process.output().rsplit("listening on ", 1)[1].split()[0]
        self.url = f"https://{self.address}/"
        self.context = ssl.create_default_context(cafile=p.ca)
        self.context.load_cert_chain(p.client_cert, p.client_key)

    def printed(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def request(self, method, path, body=None, **headers):
        """(status, body)"""
        q = urllib.request.Request(self.url + path, data=body, method=method,
                                   headers={k.replace("_", "-"): v for k, v in headers.items()})
        try:
            with urllib.request.urlopen(q, context=self.context, timeout=30) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def alerts(self):
        status, body = self.request("GET", "alerts?limit=10000")
        equal(status, 200, "status of GET /alerts")
        return json.loads(body)


# --- to the collector


def test_delivers(w):
    """Batches reach the collector, which proves, stores, prints and acknowledges them once."""
    c = Collector(w, "delivers")
    d = Driver(w, c.url)
    d.tell("batch 1 3")
    equal(d.trouble(), "", "trouble")
    equal(d.shipped(), (3, {}), "the first Ack")
    d.tell("batch 4 200")
    equal(d.shipped(), (203, {}), "the second Ack")
    counters = d.counters()
    equal((counters["ship.batches"], counters["ship.revisions"], counters["ship.retries"]), (2, 203, 0), "counters")
    equal(len(c.alerts()), 203, "alerts stored")
    equal([line["sequence"] for line in c.printed()], list(range(1, 204)), "sequences printed")
    equal(c.alerts()[0]["severity"], "high", "severity")
    d.stop()


def test_collector_killed(w):
    """A collector that is killed and comes back has what it acknowledged, and recognises what is sent again."""
    c = Collector(w, "killed")
    d = Driver(w, c.url)
    d.tell("batch 1 50")
    equal(d.shipped(), (50, {}), "Ack before")
    c.process.stop(signal.SIGKILL)
    d.tell("batch 51 10")
    check(d.trouble(), "an upstream that is away is reported")
    port = c.address.rsplit(":", 1)[1]
    c2 = Collector(w, "killed", port)
    equal(d.shipped(30), (60, {}), "Ack after it came back")
    check(d.counters()["ship.retries"] > 0, "retries are counted")
    d.stop()
    # A keeper that died before it saw the Ack sends the batch again.
    d = Driver(w, c2.url, store=d.store)
    d.tell("batch 41 30")
    equal(d.shipped(), (70, {}), "Ack of a batch half of which is known")
    equal(len(c2.alerts()), 70, "alerts stored")
    equal(len(c2.printed()), 70, "alerts printed, each once")
    d.stop()


def test_gap(w):
    """A hole in the sequence is not acknowledged: it waits, and says what upstream lacks."""
    c = Collector(w, "gap")
    d = Driver(w, c.url)
    d.tell("batch 1 5")
    equal(d.shipped(), (5, {}), "Ack")
    d.tell("batch 8 2")
    trouble = d.trouble()
    while not trouble:
        trouble = d.trouble()
    equal(trouble, "upstream has revisions only up to 5 and was sent 8", "trouble")
    equal(len(c.alerts()), 5, "alerts stored")
    d.stop()


def test_joins_late(w):
    """A sensor that ran without upstream begins where it begins."""
    c = Collector(w, "late")
    d = Driver(w, c.url)
    d.tell("batch 1000 5")
    equal(d.shipped(), (1004, {}), "Ack")
    d.stop()


def test_history_rewritten(w):
    """A sensor whose history was rewritten is noticed and not cut off."""
    c = Collector(w, "rewritten")
    d = Driver(w, c.url)
    d.tell("batch 1 5")
    equal(d.shipped(), (5, {}), "Ack")
    d.tell("batch 5 3 2")  # revision 2 is another one now, so 5, 6 and 7 prove another chain
    line = d.expect("shipped ")
    equal(line, "shipped 7 5:another revision of this number is stored 6:its hash does not prove its place in the chain", "Ack")
    d.tell("batch 8 1 2")
    equal(d.shipped(), (8, {}), "what follows is accepted")
    equal([r["rejected"] for r in c.printed()][5:], ["its hash does not prove its place in the chain", None, None], "printed")
    d.stop()


NGINX = """daemon off;
error_log stderr warn;
pid {dir}/nginx.pid;
events {{ }}
http {{
  log_format protocol "$server_protocol $status $ssl_client_verify";
  access_log {dir}/access.log protocol;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {p.cert}; ssl_certificate_key {p.key};
    ssl_client_certificate {p.ca}; ssl_verify_client on;
    location / {{
      proxy_pass {url};
      proxy_ssl_certificate {p.client_cert}; proxy_ssl_certificate_key {p.client_key};
    }}
  }}
}}
"""


def test_http2(w):
    """HTTP/2 where upstream offers it: nginx before the collector."""
    if not shutil.which("nginx"):
        raise Skip("nginx is not installed")
    c = Collector(w, "http2")
    directory, port = w.dir / "http2-nginx", free_port()
    directory.mkdir()
    directory.chmod(0o777)
    (directory / "nginx.conf").write_text(NGINX.format(dir=directory, port=port, p=pki(w), url=c.url))
    nginx = w.own(Process("nginx", ["nginx", "-c", directory / "nginx.conf", "-e", "stderr"], w.dir / "http2-nginx.log"))

    def listens():
        check(nginx.running(), f"nginx ended: {nginx.output()}")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    wait_for("nginx does not listen", listens)
    d = Driver(w, f"https://127.0.0.1:{port}/v1/alerts")
    for first in (1, 101, 201):
        d.tell(f"batch {first} 100")
        equal(d.shipped(), (first + 99, {}), "Ack")
    equal(len(c.printed()), 300, "revisions at the collector")
    # nginx writes its line when the answer is out already.
    seen = lambda: (directory / "access.log").read_text().split("\n")[:-1]
    wait_for("nginx does not log", lambda: len(seen()) >= 3)
    equal(seen(), ["HTTP/2.0 200 SUCCESS"] * 3, "requests that nginx saw")
    # A connection that went away between two batches is no trouble to speak of.
    nginx.stop()
    nginx = w.own(Process("nginx", nginx.popen.args, w.dir / "http2-nginx.log"))
    wait_for("nginx does not listen again", listens)
    d.tell("batch 301 1")
    equal(d.shipped(), (301, {}), "Ack after nginx was started again")
    d.stop()


# --- who is refused


def refused(w, text, **more):
    """A shipper for which no attempt may reach the upstream."""
    u = Upstream(w, ack_all, **more.pop("upstream", {}))
    d = Driver(w, u.url, **more)
    d.tell("batch 1 1")
    trouble = d.trouble()
    check(text in trouble, f"want {text!r} in {trouble!r}")
    d.stop()
    equal(len(u.requests), 0, "requests that reached the upstream")


def test_wrong_authority(w):
    """An upstream whose certificate another authority signed gets nothing."""
    refused(w, "SSL certificate problem", ca="other-ca.pem")


def test_expired(w):
    """An upstream whose certificate has expired gets nothing."""
    refused(w, "certificate has expired", upstream={"cert": "expired"})


def test_wrong_name(w):
    """An upstream whose certificate is for another name gets nothing."""
    refused(w, "127.0.0.2", upstream={"address": "127.0.0.2"})


def test_host_authorities(w):
    """Without a configured authority the host's own list counts."""
    refused(w, "SSL certificate problem", ca=None, client=False)


def test_old_tls(w):
    """An upstream that speaks TLS 1.1 at most gets nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are old is the point
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(pki(w).cert, pki(w).key)
    spoken = []

    def serve():
        connection, _ = listener.accept()
        try:
            spoken.append(context.wrap_socket(connection, server_side=True).version())
        except OSError:
            spoken.append(None)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    d = Driver(w, f"https://127.0.0.1:{listener.getsockname()[1]}/")
    d.tell("batch 1 1")
    check(d.trouble(), "it is reported")
    thread.join(10)
    equal(spoken, [None], "version spoken")
    d.stop()
    listener.close()


def test_no_client_certificate(w):
    """The collector serves nobody without a certificate of its authority."""
    c = Collector(w, "nocert")
    d = Driver(w, c.url, client=False)
    d.tell("batch 1 1")
    trouble = d.trouble()
    check("certificate required" in trouble, f"trouble: {trouble}")
    d.stop()
    equal(c.printed(), [], "what the collector printed")


# --- upstreams that misbehave


def scripted(w, *answers):
    """An upstream that gives these answers in turn, then acknowledges everything."""
    todo = list(answers)
    return Upstream(w, lambda request: (todo.pop(0) if todo else ack_all)(request))


def test_retry_after(w):
    """503 with Retry-After is obeyed to the second."""
    u = scripted(w, lambda r: (503, {"Retry-After": "3"}, b"busy\n"))
    d = Driver(w, u.url)
    d.tell("batch 1 2")
    equal(d.trouble(), "HTTP 503: busy", "trouble")
    equal(d.trouble(), "", "trouble after it went well")
    equal(d.shipped(), (2, {}), "Ack")
    waited = u.times[1] - u.times[0]
    check(3 <= waited < 30, f"waited {waited:.2f} s for Retry-After: 3")
    equal(u.requests[0].raw == u.requests[1].raw, True, "the same batch again")
    d.stop()


def test_overload(w):
    """429, 502, a closed connection: tried again until it goes well."""
    u = scripted(w, lambda r: None, lambda r: (429, {}, b""), lambda r: (502, {}, b"<html>bad gateway</html>"))
    d = Driver(w, u.url)
    d.tell("batch 1 2")
    equal(d.shipped(60), (2, {}), "Ack")
    equal(d.counters()["ship.retries"], 3, "retries")
    check(d.seen[1] != "upstream ", f"a closed connection is reported: {d.seen}")
    equal(d.seen[2:5], ["upstream HTTP 429", "upstream HTTP 502: <html>bad gateway</html>", "upstream "], "what the keeper was told")
    d.stop()


def test_poison(w):
    """A revision that upstream chokes on is found by bisection, rejected with the reason and sent as a stub."""
    def answer(request):
        return (400, {}, b"cannot read this\n") if b"POISON" in request.raw else ack_all(request)

    u = Upstream(w, answer)
    d = Driver(w, u.url)
    d.tell("batch 1 100 63")
    through, rejected, acks = 0, {}, 0
    while through < 100:
        through, more = d.shipped()
        rejected |= more
        acks += 1
    equal((rejected, acks), ({63: "HTTP 400: cannot read this"}, 1), "rejected, and Acks")
    taken = [s for r in u.requests if b"POISON" not in r.raw for s in r.sequences]
    equal(taken, list(range(1, 101)), "what upstream took, in order")
    equal([s for r in u.requests for s in r.stubs], [63], "stubs")
    check(len(u.requests) < 20, f"{len(u.requests)} requests for one poison among 100")
    equal(d.counters()["ship.rejected"], 1, "rejected, counted")
    d.stop()


def test_too_large(w):
    """413 halves the batch until it fits; nothing is rejected."""
    u = Upstream(w, lambda r: (413, {}, b"") if len(r.sequences) > 10 else ack_all(r))
    d = Driver(w, u.url)
    d.tell("batch 1 64")
    equal(d.shipped(), (64, {}), "Ack")
    taken = [s for r in u.requests if len(r.sequences) <= 10 for s in r.sequences]
    equal(taken, list(range(1, 65)), "what upstream took, in order")
    d.stop()


def test_partial(w):
    """An Ack of the batch's beginning is progress; what upstream then refuses for now goes back to the keeper."""
    u = scripted(w, lambda r: ack(4), lambda r: (503, {}, b""))
    d = Driver(w, u.url)
    d.tell("batch 1 10")
    equal(d.shipped(), (4, {}), "Ack of the beginning")
    d.tell("batch 5 6")
    equal(d.shipped(), (10, {}), "Ack of the rest")
    equal([r.sequences[0] for r in u.requests], [1, 5, 5], "where each request began")
    d.stop()


def test_garbage_answers(w):
    """Answers that are no Ack are not believed: wrong type, garbage, too large in body or header."""
    html, proto = {"Content-Type": "text/html"}, {"Content-Type": PROTOBUF}
    no_ack, too_large = "upstream's answer is not an acknowledgement", "upstream's answer is larger than 64 KiB"
    for answer, text in (((200, html, b"\x08\x05"), no_ack), ((200, proto, b"\xff" * 40), no_ack),
                         ((200, proto, b"\0" * (4 << 20)), too_large),
                         ((200, {f"X-{i}": "y" * 1000 for i in range(80)} | proto, b"\x08\x05"), too_large)):
        u = scripted(w, lambda r, a=answer: a)
        d = Driver(w, u.url)
        d.tell("batch 1 5")
        equal(d.trouble(), text, "what the keeper was told")
        equal(d.shipped(), (5, {}), "Ack")
        equal(len(u.requests), 2, "requests")
        d.stop()


def test_refusal(w):
    """401, 403, 404 and redirects are reported and not insisted upon; no redirect is followed."""
    elsewhere, begun = Upstream(w, ack_all), []
    for status, headers in ((401, {}), (403, {}), (404, {}), (307, {"Location": elsewhere.url}), (500, {})):
        u = scripted(w, lambda r, s=status, h=headers: (s, h, b"no \x1b[31m\n"))
        d = Driver(w, u.url)
        d.tell("batch 1 1")
        equal(d.trouble(), f"HTTP {status}: no \\x1b[31m", "trouble")
        begun.append((d, u))
    time.sleep(2.2)  # longer than the first two ceilings of the back-off
    for d, u in begun:
        equal(len(u.requests), 1, "attempts")
        d.stop()
    equal(len(elsewhere.requests), 0, "requests that followed the redirect")


def test_slow(w):
    """While an upstream keeps it waiting, the shipper still obeys: a new keeper, a lost keeper, stop."""
    hold = threading.Event()
    w.cleanups.append(hold.set)

    def answer(request):
        if request.sequences[0] == 1:
            hold.wait(60)
        return ack_all(request)

    u = Upstream(w, answer)
    d = Driver(w, u.url)
    d.tell("batch 1 3")
    wait_for("the request does not arrive", lambda: u.requests)
    begin = time.monotonic()
    d.tell("keeper")
    d.tell("batch 7 2")
    equal(d.shipped(), (8, {}), "Ack to the new keeper, of its own batch")
    d.tell("batch 1 3")
    wait_for("the request does not arrive again", lambda: len(u.requests) == 3)
    d.tell("lose-keeper")
    d.tell("keeper")
    d.tell("batch 9 1")
    equal(d.shipped(), (9, {}), "Ack after the keeper was lost")
    check(time.monotonic() - begin < 30, "it obeys at once")
    d.tell("batch 1 3")
    wait_for("the request does not arrive a third time", lambda: len(u.requests) == 5)
    begin = time.monotonic()
    d.stop()
    check(4 < time.monotonic() - begin < 30, "told to stop, it gives the attempt under way some seconds and no more")


def test_no_proxy(w):
    """A proxy in the environment is not used."""
    u = Upstream(w, ack_all)
    nowhere = "http://127.0.0.1:9"
    d = Driver(w, u.url, env={"https_proxy": nowhere, "HTTPS_PROXY": nowhere, "ALL_PROXY": nowhere})
    d.tell("batch 1 1")
    equal(d.shipped(), (1, {}), "Ack")
    d.stop()


def test_host_name(w):
    """A host name is resolved inside the cage, and a name that does not exist is no accident."""
    u = Upstream(w, ack_all)
    d = Driver(w, u.url.replace("127.0.0.1", "localhost"))
    d.tell("batch 1 1")
    equal(d.shipped(), (1, {}), "Ack")
    d.stop()
    d = Driver(w, "https://earshot.invalid/")
    d.tell("batch 1 1")
    trouble = d.trouble()
    check("resolve host" in trouble, f"trouble: {trouble}")
    d.stop()


def test_bad_keeper(w):
    """A keeper that breaks the rules ends the shipper, cleanly."""
    u = Upstream(w, ack_all)
    for commands in (["garbage"], ["batch 1 1", "batch 2 1"]):
        u.answer = lambda r: time.sleep(0.5) or ack_all(r)
        d = Driver(w, u.url)
        for command in commands:
            d.tell(command)
        equal(d.expect("exit"), "exit 1", "how the shipper ended")


# --- a collector among enemies


def raw(c, data, wait=5):
    """Bytes to the collector over TLS with a good certificate; what comes back until it closes."""
    host, port = c.address.rsplit(":", 1)
    got = b""
    with socket.create_connection((host, int(port)), 10) as plain, c.context.wrap_socket(plain, server_hostname=host) as tls:
        tls.settimeout(wait)
        try:
            tls.sendall(data)
            while piece := tls.recv(65536):
                got += piece
        except OSError:
            pass
    return got


def test_hostile_clients(w):
    """Clients with a good certificate and bad manners: refused, and the collector lives."""
    c = Collector(w, "hostile")
    equal(c.request("GET", "elsewhere")[0], 404, "GET of something else")
    equal(c.request("DELETE", "alerts")[0], 405, "DELETE")
    equal(c.request("POST", "", b"{}", Content_Type="application/json")[0], 415, "POST of JSON")
    equal(c.request("POST", "", b"x", Content_Type=PROTOBUF, Content_Encoding="gzip")[0], 415, "POST of gzip")
    equal(c.request("POST", "", b"\xff" * 100, Content_Type=PROTOBUF), (400, b"not a protobuf Batch\n"), "garbage")
    equal(c.request("POST", "", b"", Content_Type=PROTOBUF)[0], 400, "nothing")
    equal(c.request("POST", "", b"\x08\x01\x1a\x10" + b"s" * 16, Content_Type=PROTOBUF), (400, b"an empty batch\n"), "no revisions")
    equal(c.request("POST", "", b"\x08\x01\x1a\x10" + b"s" * 16 + b"\x22\x00", Content_Type=PROTOBUF)[0], 400, "an empty revision")
    equal(c.request("POST", "", b"\x08\x01\x1a\x10" + b"s" * 16 + b"\x22\x00" * 100000, Content_Type=PROTOBUF)[0], 400, "many of them")
    equal(c.request("POST", "", b"\0" * (300 << 10), Content_Type=PROTOBUF)[0], 413, "too much")
    check(raw(c, b"\x16\x03\x01 what is this\r\n\r\n").startswith(b"HTTP/1.1 400"), "not HTTP")
    check(raw(c, b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400"),
          "two lengths")
    check(raw(c, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").startswith(b"HTTP/1.1 400"), "a bad chunk")
    check(raw(c, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100000 + b"\r\n", 2)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404"), "many fields")
    check(raw(c, b"GET /" + b"a" * 200000, 2)[:12] in (b"", b"HTTP/1.1 400"), "a line without end")
    replies = raw(c, b"GET /alerts HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
    equal((replies.count(b"HTTP/1.1 200"), replies.count(b"HTTP/1.1 404")), (1, 1), "replies to two requests at once")
    host, port = c.address.rsplit(":", 1)
    idle = [socket.create_connection((host, int(port))) for _ in range(80)]  # more than it serves at once
    for s in idle:
        s.close()
    d = Driver(w, c.url)
    d.tell("batch 1 1")
    equal(d.shipped(30), (1, {}), "a good client is served afterwards")
    d.stop()
    equal(c.process.stop(signal.SIGINT), 0, "exit code after Ctrl-C")


def test_collector_usage(w):
    """The collector says what is wrong with its options and files."""
    def run(*args):
        done = subprocess.run([w.program("earshot-collector"), *map(str, args)], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    p = pki(w)
    good = {"--listen": "127.0.0.1:0", "--cert": p.cert, "--key": p.key, "--client-ca": p.ca, "--store": w.dir / "usage.db"}
    equal(run()[0], 2, "exit code without options")
    for name, bad, text in (("--listen", "nonsense", "want ADDRESS:PORT"), ("--cert", "/nonexistent", "/nonexistent"),
                            ("--key", p.client_key, "mismatch"), ("--client-ca", "/nonexistent", "/nonexistent"),
                            ("--store", "/nonexistent/x.db", "unable to open")):
        code, said = run(*[x for pair in {**good, name: bad}.items() for x in pair])
        equal(code, 1, f"exit code with {name} {bad}")
        check(text in said, f"want {text!r} in {said!r}")


if __name__ == "__main__":
    main(needs_root=False)
