"""tests/e2e/test_hostile.py - bytes that no well-behaved client or server sends: counted, bounded, nothing falls over."""

import gzip
import json
import random
import socket
import ssl
import threading

from harness import Sensor, check, equal, main, wait_for
from traffic import JAILBREAK, Call, Traffic, hostile
from world import MODEL, Client, Pki, start_nginx


class RawServer:
    """A TLS server that reads until `until` bytes came (or the end) and answers with given bytes. Runs in this process."""

    def __init__(self, pki):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki.cert, pki.key)
        self.client = ssl.create_default_context(cafile=pki.ca)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def exchange(self, request, response, abrupt=False):
        """Client sends request, server answers response, both end the connection: by shutdown, or abruptly."""
        failures = []

        def serve():
            try:
                plain, _ = self.listener.accept()
                plain.settimeout(30)
                with self.context.wrap_socket(plain, server_side=True) as tls:
                    got = 0
                    while got < len(request):
                        piece = tls.recv(65536)
                        if not piece:
                            break
                        got += len(piece)
                    tls.sendall(response)
                    if not abrupt:
                        tls.unwrap().close()
            except (OSError, ssl.SSLError) as e:
                if not abrupt:
                    failures.append(e)

        thread = threading.Thread(target=serve)
        thread.start()
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            tls = self.client.wrap_socket(plain, server_hostname="localhost")
            try:
                tls.sendall(request)
                left = len(response)
                while left > 0:
                    piece = tls.recv(65536)
                    if not piece:
                        break
                    left -= len(piece)
                if not abrupt:
                    tls.unwrap()
            except (OSError, ssl.SSLError):
                if not abrupt:
                    raise
            finally:
                tls.close()
        thread.join(15)
        check(not thread.is_alive() and not failures, f"raw server: {failures or 'hangs'}")


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        server = start_nginx(w, pki)
        sensor = Sensor(w).start()
        w.stage = pki, server, sensor, Traffic(sensor), RawServer(pki)
    return w.stage


HEAD = ("POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.org\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer none\r\n")
OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def chat(text, **more):
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}], **more}).encode()


def request(body, *fields):
    head = HEAD + "".join(f + "\r\n" for f in fields)
    if not any(f.lower().startswith(("content-length", "transfer-encoding")) for f in fields):
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def reply(body, *fields):
    head = OK + "".join(f + "\r\n" for f in fields)
    if not any(f.lower().startswith(("content-length", "transfer-encoding")) for f in fields):
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


ANSWER = json.dumps({"id": "c1", "object": "chat.completion", "model": MODEL, "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}]}).encode()


def unharmed(w, what, moved=()):
    """Healthy, no role restarted, the named counters went up since, and an attack is still seen."""
    pki, server, sensor, traffic, _ = w.stage
    sensor.settle()
    status = sensor.status()
    check(status["healthy"], f"{what}: not healthy: {status.get('problems')}")
    equal({r["name"]: r["pid"] for r in status["roles"]}, w.pids, f"{what}: pids of the roles")
    after = sensor.counters()
    for name in moved:
        check(after(name) > w.before(name), f"{what}: {name} did not move from {w.before(name)}")
    traffic.run(Client(w, "curl", pki), server, [traffic.job(hostile(what)[0])])


def remember(w):
    _, _, sensor, _, raw = stage(w)
    w.before = sensor.counters()
    w.pids = {r["name"]: r["pid"] for r in sensor.status()["roles"]}
    return sensor, raw


def test_truncated(w):
    """requests and responses cut anywhere"""
    _, raw = remember(w)
    whole_request, whole_reply = request(chat("Hello")), reply(ANSWER)
    for cut in (1, 5, 20, len(HEAD) // 2, len(HEAD) + 1, len(whole_request) - 1):
        raw.exchange(whole_request[:cut], b"")
    for cut in (1, 9, 15, len(OK) + 3, len(whole_reply) - 5):
        raw.exchange(whole_request, whole_reply[:cut])
    unharmed(w, "truncated")


def test_bad_chunks(w):
    """chunk sizes that are no numbers, negative, huge or overflowing"""
    _, raw = remember(w)
    chunked = "Transfer-Encoding: chunked"
    for size in (b"zz", b"-1", b"FFFFFFFFFFFFFFFFFF", b"7fffffffffffffff", b"10000000000000000", b"5 5", b"", b"0x10"):
        raw.exchange(request(size + b"\r\n" + chat("Hello") + b"\r\n0\r\n\r\n", chunked), reply(ANSWER))
        raw.exchange(request(chat("Hello")), reply(size + b"\r\n" + ANSWER + b"\r\n0\r\n\r\n", chunked))
    unharmed(w, "bad chunks", ["flow.broken"])


def test_framing(w):
    """lengths that contradict each other"""
    _, raw = remember(w)
    body = chat("Hello")
    for fields in (("Content-Length: 5", "Content-Length: 500"), ("Content-Length: 18446744073709551617",), ("Content-Length: -1",),
                   (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked, gzip, chunked",)):
        raw.exchange(request(body, *fields), reply(ANSWER))
        raw.exchange(request(body), reply(ANSWER, *fields))
    unharmed(w, "framing")


def test_gigantic_head(w):
    """a header of 4 MiB, and 20,000 headers"""
    _, raw = remember(w)
    raw.exchange(request(chat("Hello"), "X-Long: " + "a" * (4 << 20)), reply(ANSWER))
    raw.exchange(request(chat("Hello"), *(f"X-{i}: {i}" for i in range(20000))), reply(ANSWER))
    raw.exchange(request(chat("Hello")), reply(ANSWER, "X-Long: " + "b" * (4 << 20)))
    unharmed(w, "gigantic head", ["flow.cut"])


def test_invalid_text(w):
    """bytes that are no UTF-8, lone surrogates, control characters in every place"""
    _, raw = remember(w)
    bad = bytes(range(128, 256)) + b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80" + b'\\ud800\\udc' + b'\\u0000\\u001b]0;x\\u0007'
    body = b'{"model":"' + bad + b'","user":"' + bad + b'","messages":[{"role":"user","content":"' + bad + b'"}]}'
    raw.exchange(request(body), reply(b'{"choices":[{"message":{"content":"' + bad + b'"}}]}'))
    raw.exchange(request(body, "Host: \x1b[31m\u202e"), reply(ANSWER))
    unharmed(w, "invalid text")


def test_deep_json(w):
    """JSON nested a million deep, and JSON that ends in the middle"""
    _, raw = remember(w)
    n = 1_000_000
    for opening in (b"[", b'{"a":'):
        deep = b'{"model":"m","messages":' + opening * n
        raw.exchange(request(deep), reply(ANSWER))
        raw.exchange(request(chat("Hello")), reply(b'{"choices":' + opening * n))
    cut = chat("Hello " * 1000)[:3000]
    raw.exchange(request(cut), reply(ANSWER))
    unharmed(w, "deep JSON", ["dialect.json_broken"])


def test_attack_in_broken(w):
    """an attack is found although the body ends in the middle of it or the JSON is nested beyond reason"""
    _, raw = remember(w)
    sensor, traffic = w.stage[2], w.stage[3]
    call = Call("cut", JAILBREAK, ["jailbreak.rules"], "user")
    job = traffic.job(call)
    body = json.dumps({"model": MODEL, "user": job["user"], "messages": [
        {"role": "user", "content": JAILBREAK}, {"role": "user", "content": "and more"}]}).encode()
    raw.exchange(request(body[:-20], f"Content-Length: {len(body) + 5000}"), b"", abrupt=True)
    wait_for("no alert for the cut request", lambda: job["user"] in traffic.by_user(), 30, 0.1)
    alert = traffic.by_user()[job["user"]][0]
    complete = alert["context"]["completeness"]
    check(complete.get("end_unseen") or int(complete["bytes_captured"]) < int(complete["bytes_passed"]),
          f"the alert claims to have seen everything: {complete}")
    check(sensor.status()["healthy"], "not healthy")


def test_bombs(w):
    """a compression bomb and a body of ten thousand tiny chunks"""
    _, raw = remember(w)
    bomb = gzip.compress(b"\0" * (256 << 20), 9)
    raw.exchange(request(chat("Hello")), reply(bomb, "Content-Encoding: gzip"))
    tiny = b"".join(b"1\r\n" + bytes([c]) + b"\r\n" for c in chat("Hello " * 1600)) + b"0\r\n\r\n"
    raw.exchange(request(tiny, "Transfer-Encoding: chunked"), reply(ANSWER))
    unharmed(w, "bombs", ["flow.decode_errors"])


def test_not_http(w):
    """what is no HTTP at all, and a megabyte of noise"""
    _, raw = remember(w)
    rng = random.Random(1)
    for data in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 5000, rng.randbytes(1 << 20), b"EHLO there\r\n"):
        raw.exchange(data, data)
    unharmed(w, "not HTTP", ["flow.not_http"])


def test_disconnects(w):
    """clients that vanish in the middle of a request, and of a stream"""
    _, raw = remember(w)
    pki, server, sensor, traffic, _ = w.stage
    body = chat("Please write 50000 words.", stream=True)
    for sent, read in ((body[:30], 0), (body, 1), (body, 4096)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            tls = server.ssl.wrap_socket(plain, server_hostname="localhost")
            tls.sendall(request(sent, f"Content-Length: {len(body)}"))
            if read:
                tls.recv(read)
            # No TLS shutdown, no FIN: a reset.
            tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            tls.close()
    unharmed(w, "disconnects")


def test_events(w):
    """server-sent events that never end, hold no JSON or lie about their type"""
    _, raw = remember(w)
    stream = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    chunk = lambda data: b"%x\r\n%s\r\n" % (len(data), data)
    for data in (b"data: " + b"x" * (4 << 20), b"data: {not json}\n\n" * 100, b"event: " + b"e" * 100000 + b"\ndata: {}\n\n",
                 b"data: [DONE]\n\ndata: {\"choices\":[]}\n\n", b":" * 100000):
        raw.exchange(request(chat("Hello", stream=True)), reply(chunk(data) + b"0\r\n\r\n", *stream))
    unharmed(w, "events")


main()
