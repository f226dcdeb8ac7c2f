"""tests/e2e/test_cli.py - the command line against a keeper that a test plays: answers, exit codes, waiting, hostile texts."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

from harness import Process, check, equal, main, wait_for

# --- protobuf, as little as is needed


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def message(**fields):
    """f3=1 is field 3 with a number, f3=b"x" with bytes or a message, f3=[...] repeated."""
    out = b""
    for name, value in fields.items():
        for v in value if isinstance(value, list) else [value]:
            v = v.encode() if isinstance(v, str) else v
            number = int(name[1:]) << 3
            out += varint(number | 2) + varint(len(v)) + v if isinstance(v, bytes) else varint(number) + varint(v)
    return out


def parse(data):
    """{field: value} of a message without repeated fields."""
    def read(at):
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                return value, at

    fields, at = {}, 0
    while at < len(data):
        key, at = read(at)
        value, at = read(at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields[key >> 3] = value
    return fields


ESC = "\x1b]0;owned\x07\x1b[2J\u202e\u009b"
NOW = 1_700_000_000_000_000_000


def alert(number=1, title="A title", severity=3):
    process = message(f1=4711, f4="python3")
    return message(f1=bytes([number] * 16), f2="injection.rules", f4=severity, f8=title, f12=message(f1=process), f14=NOW, f15=NOW, f16=1)


def reply(alert=None, status=None, revision=None, explained=None, last=True, error="", dropped=0):
    fields = {"f1": error} if error else {}
    if last:
        fields["f2"] = 1
    for number, value in ((3, status), (4, alert), (5, revision), (7, explained)):
        if value is not None:
            fields[f"f{number}"] = value
    if dropped:
        fields["f6"] = dropped
    return message(**fields)


def revision(number, action=0):
    body = {"f2": 1, "f3": alert(number), "f4": NOW}
    if action:
        body["f1"] = action
    return reply(revision=message(**body), last=False)


class Keeper:
    """Answers each connection's first request with answer(request) -> messages; then closes, unless told to hold."""

    def __init__(self, w, name, answer, hold=False):
        self.dir = w.dir / name
        self.dir.mkdir(exist_ok=True)
        self.requests, self.answer, self.hold, self.conns = [], answer, hold, []
        self.path = self.dir / "control.sock"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        self.listener.listen(4)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.requests.append(parse(conn.recv(65536)))
            for m in self.answer(self.requests[-1]):
                conn.send(m)
            if self.hold:
                self.conns.append(conn)
            else:
                conn.close()

    def close(self):
        # shutdown() wakes the thread in accept(); close() alone would leave the socket listening.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink()
        for conn in self.conns:
            conn.close()


def cli(w, keeper, *args, env=None):
    """(exit code, stdout, stderr)"""
    done = subprocess.run([w.program("earshot"), "--run-dir", keeper.dir if keeper else w.dir / "nowhere", *args], capture_output=True,
                          timeout=20, env={**os.environ, "TZ": "UTC", **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# --- tests


def test_alerts(w):
    """alerts: a table for people, one JSON document for programs"""
    k = Keeper(w, "alerts", lambda q: [reply(alert=alert(n), last=False) for n in (2, 1)] + [reply()])
    code, out, err = cli(w, k, "alerts")
    equal((code, err), (0, ""), "exit code and stderr")
    lines = out.splitlines()
    equal(len(lines), 3, "lines")
    equal(lines[1].split()[:5], ["Nov", "14", "22:13:20", "HIGH", "injection.rules"], "the first row")
    check(lines[1].endswith("02020202") and lines[2].endswith("01010101"), f"ids, in the order they came: {lines}")
    code, out, err = cli(w, k, "alerts", "-o", "json")
    equal([a["id"] for a in json.loads(out)], ["02" * 16, "01" * 16], "ids in JSON")
    equal(json.loads(out)[0]["first_seen"], "2023-11-14T22:13:20.000000000Z", "time in JSON")


def test_empty(w):
    """no alerts: a word for people, an empty array for programs"""
    k = Keeper(w, "empty", lambda q: [reply()])
    equal(cli(w, k, "alerts"), (0, "No alerts.\n", ""), "table")
    equal(json.loads(cli(w, k, "alerts", "-o", "json")[1]), [], "JSON")


def test_filters(w):
    """filters reach the sensor, wherever they stand"""
    k = Keeper(w, "filters", lambda q: [reply()])
    equal(cli(w, k, "alerts", "--severity", "high", "-k", "injection.", "--limit=7", "--hunt", "-s", "2023-11-14T23:13:20.5+01:00")[0], 0,
          "exit code")
    query = parse(k.requests[-1][2])
    equal(query, {1: 7, 2: NOW, 3: 3, 4: b"injection.", 5: 1}, "query")
    for text, seconds in (("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 7 * 86400)):
        cli(w, k, "alerts", "--since", text)
        since = parse(k.requests[-1][2])[2]
        check(abs(time.time() - seconds - since / 1e9) < 5, f"--since {text}")
    for text, want in (("2023-11-14", 1699920000), ("2023-11-14T22:13:20Z", 1700000000), ("2023-11-14 22:13:20", 1700000000)):
        cli(w, k, "alerts", "--since", text)
        equal(parse(k.requests[-1][2])[2] // 10**9, want, f"--since {text}")


def test_show(w):
    """alerts show: a block for people, one document for programs; the sensor's refusal is exit code 1"""
    def answer(q):
        return [reply(alert=alert(0xAB))] if parse(q[3])[1] == b"abab" else [reply(error="no such alert")]

    k = Keeper(w, "show", answer)
    code, out, _ = cli(w, k, "alerts", "show", "abab")
    equal(code, 0, "exit code")
    check("id            " + "ab" * 16 in out, out)
    equal(json.loads(cli(w, k, "alerts", "show", "abab", "-o", "json")[1])["severity"], "high", "severity in JSON")
    equal(cli(w, k, "alerts", "show", "ffff"), (1, "", "earshot: no such alert\n"), "a wrong id")


def test_status(w):
    """status: JSON with counters; the table with --counters names them all"""
    status = message(f1="1.2.3", f2="gpu-1", f3=NOW, f6=message(f1="capture.bytes", f2=12345), f11=1)
    k = Keeper(w, "status", lambda q: [reply(status=status)])
    got = json.loads(cli(w, k, "status", "-o", "json")[1])
    equal((got["version"], got["counters"], got["healthy"], got["upstream_ok"]), ("1.2.3", {"capture.bytes": 12345}, True, None), "JSON")
    check(cli(w, k, "status")[1].startswith("earshot 1.2.3 on gpu-1: healthy"), "table")
    out = cli(w, k, "status", "-c")[1]
    check("capture.bytes" in out and "12345" in out and "ship.rejected" in out, out)


def test_hostile(w):
    """no escape sequence gets through, in any output"""
    status = message(f1=ESC, f2=ESC, f4=message(f1=ESC, f5=1), f5=ESC, f9=ESC, f12=ESC, f13=ESC)
    code_file = message(f1=ESC, f2=ESC, f3=ESC, f6=message(f1=ESC, f2=ESC, f3=ESC))
    explained = message(f1=message(f1=7, f4=ESC, f5=ESC, f6=ESC, f8=ESC, f10=ESC), f2=message(f1=ESC, f2=ESC, f3=ESC, f4=ESC, f5=ESC),
                        f3=ESC, f4=ESC, f5=[code_file, message(f1=ESC, f5=ESC)], f9=1, f13=ESC)

    def answer(q):
        if 1 in q:
            return [reply(status=status)]
        if 2 in q:
            return [reply(alert=alert(1, ESC), last=False), reply()]
        if 3 in q:
            return [reply(error=ESC)]
        if 5 in q:
            return [reply(explained=explained)]
        return [reply(revision=message(f3=alert(1, ESC)), last=True)]

    k = Keeper(w, "hostile", answer)
    for args in (["status"], ["status", "-c"], ["alerts"], ["alerts", "show", "abcd"], ["tail"], ["explain", "7"],
                 ["explain", "--all"]):
        for more in ([], ["-o", "json"]):
            code, out, err = cli(w, k, *args, *more)
            equal(code, 1 if "show" in args else 4 if "status" in args else 0, f"exit code of {args}")
            check(out or err, f"{args} said nothing")
            for c in ("\x1b", "\x07", "\u202e", "\u009b"):
                check(c not in out + err, f"{c!r} in the output of {args + more}: {out + err!r}")


def test_mad_sensor(w):
    """answers that cannot be read, or that stop half way"""
    for name, answers, code, text in (("mad-1", [b"\xff\xff"], 1, "cannot be read"), ("mad-2", [], 3, "went away"),
                                      ("mad-3", [reply(alert=alert(), last=False)], 3, "went away"),
                                      ("mad-4", [b"\x00" * 300], 1, "cannot be read")):
        k = Keeper(w, name, lambda q, a=answers: a)
        got, out, err = cli(w, k, "alerts", "-o", "json")
        equal((got, out), (code, ""), f"{name}: exit code and stdout")
        check(text in err, f"{name}: {err!r}")


def test_no_sensor(w):
    """no sensor: exit code 3 and what to do about it"""
    for verb in (["status"], ["alerts"], ["alerts", "show", "abcd"], ["tail"]):
        code, out, err = cli(w, None, *verb)
        equal((code, out), (3, ""), f"exit code and stdout of {verb}")
        check("systemctl start earshot" in err and "--run-dir" in err and "nowhere" in err, err)
    begin = time.monotonic()
    equal(cli(w, None, "tail", "--wait", "1")[0], 3, "exit code after waiting in vain")
    check(1 <= time.monotonic() - begin < 30, "it waited a second")


def test_run_dir(w):
    """EARSHOT_RUN_DIR stands for --run-dir, which wins"""
    k = Keeper(w, "run-dir", lambda q: [reply()])
    program = w.program("earshot")
    environment = {**os.environ, "EARSHOT_RUN_DIR": str(k.dir)}
    equal(subprocess.run([program, "alerts"], env=environment, capture_output=True, timeout=30).returncode, 0, "by the environment")
    equal(subprocess.run([program, "alerts", "-r", w.dir], env=environment, capture_output=True, timeout=30).returncode, 3, "by the option")


def test_usage(w):
    """wrong usage is exit code 2, and says what is wrong"""
    for args, text in (([], "usage:"), (["frobnicate"], 'no verb "frobnicate"'), (["alerts", "--frob"], "no option --frob"),
                       (["alerts", "--since", "yesterday"], "--since takes"), (["alerts", "--since", "2023-13-01"], "--since takes"),
                       (["alerts", "--severity", "terrible"], "--severity takes"), (["alerts", "-n", "0"], "--limit takes"),
                       (["alerts", "-n", "99999999999999999999"], "--limit takes"), (["alerts", "-n", "-1"], "--limit takes"),
                       (["tail", "-w", "x"], "--wait takes"), (["status", "extra"], 'does not take "extra"'),
                       (["alerts", "show"], "needs its ID"), (["alerts", "show", "a", "b"], 'does not take "b"'),
                       (["-o", "xml", "status"], "table or json"), (["alerts", "-k"], "needs a value"), (["status", "--hunt"], "no option"),
                       (["help", "frobnicate"], "no verb")):
        code, out, err = cli(w, None, *args)
        equal((code, out), (2, ""), f"exit code and stdout of {args}")
        check(text in err, f"{args}: want {text!r} in {err!r}")
    equal(cli(w, None, "\x1b[31m")[2], 'earshot: no verb "\\x1b[31m": see earshot --help\n', "a hostile verb")


def test_full_disk(w):
    """output that cannot be written is a failure"""
    k = Keeper(w, "full", lambda q: [reply(alert=alert(), last=False), reply()])
    for more in ([], ["-o", "json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([w.program("earshot"), "-r", k.dir, "alerts", *more], stdout=full, stderr=subprocess.PIPE, timeout=30)
        equal((done.returncode, b"cannot write" in done.stderr), (1, True), "exit code, and whether it says why")


def tail(w, k, *args):
    out = w.dir / f"tail-{k.dir.name}.out"
    with open(out, "wb") as f:
        process = w.own(Process("earshot tail", [w.program("earshot"), "--run-dir", k.dir, "tail", *args], w.dir / f"tail-{k.dir.name}.log",
                                stdout=f))
    return process, lambda: out.read_text().splitlines()


def test_tail(w):
    """tail prints each revision as it comes, and ends well when told to"""
    for args, sig in (([], signal.SIGINT), (["-o", "json", "--hunt"], signal.SIGTERM)):
        k = Keeper(w, f"tail-{len(args)}", lambda q: [revision(1), revision(1, 1)], hold=True)
        process, lines = tail(w, k, *args)
        wait_for("two lines", lambda: len(lines()) == 2)
        equal(parse(k.requests[0][4]), {1: 1} if args else {}, "query")
        if args:
            equal([json.loads(line)["action"] for line in lines()], ["create", "update"], "actions")
        k.conns[0].send(revision(2))
        wait_for("a third line", lambda: len(lines()) == 3)
        k.conns[0].send(reply(last=False, dropped=5))
        wait_for("word of what was dropped", lambda: "5 revisions were not shown" in process.output())
        equal(process.stop(sig), 0, "exit code")


def test_tail_waits(w):
    """tail --wait waits for the sensor, and for it to come back"""
    k = Keeper(w, "comes-back", lambda q: [revision(1)], hold=True)
    k.close()
    process, lines = tail(w, k, "--wait", "20")
    time.sleep(0.3)
    check(process.running(), "it waits")
    for n in (1, 2, 3):
        k = Keeper(w, "comes-back", lambda q: [revision(1)], hold=True)
        wait_for(f"line {n}", lambda: len(lines()) == n)
        k.close()
    equal(process.stop(signal.SIGINT), 0, "exit code")


def test_tail_ends(w):
    """tail without --wait ends with its sensor"""
    k = Keeper(w, "ends", lambda q: [revision(1)], hold=True)
    process, lines = tail(w, k)
    wait_for("a line", lambda: len(lines()) == 1)
    k.close()
    equal(process.wait(), 3, "exit code")


if __name__ == "__main__":
    main(needs_root=False)
