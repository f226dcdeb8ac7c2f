"""tests/e2e/harness.py - TAP, processes, and a running sensor for the end-to-end tests. Standard library only.

A test file holds functions `test_*(w)`, w a World; the docstring's first line is the test's name. It ends with harness.main().
Run: python3 tests/e2e/test_x.py BUILD_DIR [NAME...]. Nothing here waits a fixed time: every wait has a condition and a deadline.
"""

import contextlib
import filecmp
import inspect
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl  # keeps the system's libssl mapped in this process, so a sensor has something to find from its first scan on
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
assert ssl.OPENSSL_VERSION

UNWELL = 4  # exit code of `earshot status`


class Skip(Exception):
    pass


# --- TAP


def run_tests(functions, world):
    """Prints TAP. True when none failed."""
    failed = 0
    for number, fn in enumerate(functions, 1):
        name = (inspect.getdoc(fn) or fn.__name__).splitlines()[0].rstrip(".").replace("#", "")
        world.notes.clear()
        begin = time.monotonic()
        try:
            fn(world)
        except Skip as s:
            print(f"ok {number} - {name} # SKIP {s}", flush=True)
            continue
        except Exception as e:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            diagnose(e, world)
        else:
            print(f"ok {number} - {name}", flush=True)
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
        for note in world.notes:
            print("# " + note, flush=True)
    print(f"1..{len(functions)}", flush=True)
    return not failed


def diagnose(e, world):
    lines = []
    if not isinstance(e, AssertionError):
        lines += traceback.format_exception(e)
    else:
        frames = [f for f in traceback.extract_tb(e.__traceback__) if f.filename != __file__]
        lines += [f"{pathlib.Path(f.filename).name}:{f.lineno}: {f.line}" for f in frames]
        lines.append(str(e))
    lines += world.log_tails()
    for line in "\n".join(lines).splitlines():
        print("#   " + line, flush=True)


def main(needs_root=True):
    """The end of a test file: runs its test_* functions in the order they are written, all in one World."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD_DIR [NAME...]")
    module = sys.modules["__main__"]
    functions = [f for name, f in vars(module).items() if name.startswith("test_") and callable(f)
                 and (not sys.argv[2:] or any(part in name for part in sys.argv[2:]))]
    if needs_root and os.geteuid() != 0:
        if os.environ.get("EARSHOT_REQUIRE_BPF"):
            sys.exit("needs root")
        print("1..0 # SKIP needs root")
        return
    with World(sys.argv[1]) as world:
        good = run_tests(functions, world)
    sys.exit(0 if good else 1)


# --- asserts and waits


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, want, what="value"):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


def wait_for(what, fn, seconds=30.0, every=0.02):
    """Calls fn until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what() if callable(what) else what}")
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(pid):
    """Every live process below pid, by /proc."""
    below = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as f:
                below.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def busy(pid):
    """Whether a thread of it runs, waits for a processor or for the disk."""
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rsplit(")", 1)[1].split()[0] in ("R", "D"):
                return True
    return False


# --- processes


class Process:
    """A started program with its output in a file."""

    def __init__(self, name, argv, log, **more):
        self.name, self.log = name, pathlib.Path(log)
        with open(log, "ab") as out:
            self.popen = subprocess.Popen([str(a) for a in argv], stdout=more.pop("stdout", out), stderr=out,
                                          stdin=more.pop("stdin", subprocess.DEVNULL), **more)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, seconds=40):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} (pid {self.pid}) did not end within {seconds} s") from None

    def stop(self, number=signal.SIGTERM, seconds=20):
        """Ends it, by force if it must be. The exit code; None: it had to be killed."""
        self.send(number)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            return None

    def output(self):
        return self.log.read_text(errors="replace")

    def tail(self, n=15):
        return [f"{self.name}: {line}" for line in self.output().splitlines()[-n:]]


class Sensor:
    """earshotd with a configuration, state and sockets of its own."""

    def __init__(self, world, name="sensor", export=None, extra=""):
        self.world, self.dir = world, world.dir / name
        self.dir.mkdir()
        self.run_dir, self.state_dir, self.config = self.dir / "run", self.dir / "state", self.dir / "earshot.yaml"
        text = f"state_dir: {self.state_dir}\nrun_dir: {self.run_dir}\n"
        if export:
            text += "export:\n  - type: https\n" + "".join(f"    {k}: {v}\n" for k, v in export.items())
        self.config.write_text(text + extra)
        self.process = None

    def borrow(self):
        """Patterns are compiled once for all sensors of a build; with the key of their tag, or this one would not take them."""
        kept = self.world.build / "cache/state"
        if kept.is_dir() and not self.state_dir.exists():
            shutil.copytree(kept, self.state_dir)

    def lend(self):
        kept, fresh = self.world.build / "cache/state", self.dir / "lent"
        name = "patterns/patterns"
        if "rules_dir" in self.config.read_text() or not (self.state_dir / name).exists():
            return
        if (kept / name).exists() and filecmp.cmp(kept / name, self.state_dir / name, shallow=False):
            return
        (fresh / "patterns").mkdir(parents=True)
        for name in ("key", "patterns/patterns"):
            shutil.copy2(self.state_dir / name, fresh / name)
        kept.parent.mkdir(exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(fresh, kept)

    def start(self, wait=True, seconds=30, prefix=(), args=()):
        self.borrow()
        argv = [*prefix, self.world.program("earshotd"), "--config", self.config, *args]
        self.process = self.world.own(Process("earshotd", argv, self.dir / "earshotd.log"))
        if wait:
            self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=30):
        def ready():
            check(self.process.running(), f"earshotd ended with {self.process.popen.returncode}")
            status = self.try_status()
            return status and status.get("healthy") and self.counter(status, "capture.files") > 0

        wait_for(lambda: f"the sensor is not ready: {self.try_status()}", ready, seconds, 0.05)
        self.lend()

    def stop(self, number=signal.SIGINT):
        return self.process.stop(number)

    def cli(self, *args, check_code=True):
        argv = [self.world.program("earshot"), "--run-dir", self.run_dir, *args]
        done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=60)
        if check_code:
            check(done.returncode == 0, f"earshot {' '.join(map(str, args))}: {done.returncode}: {done.stderr.decode()}")
        return done

    def try_status(self):
        done = self.cli("status", "-o", "json", check_code=False)
        return json.loads(done.stdout) if done.returncode in (0, UNWELL) else None

    def status(self):
        done = self.cli("status", "-o", "json", check_code=False)
        check(done.returncode in (0, UNWELL), f"earshot status: {done.returncode}: {done.stderr.decode()}")
        equal(done.returncode == 0, json.loads(done.stdout)["healthy"], "the exit code and what the status says")
        return json.loads(done.stdout)

    @staticmethod
    def counter(status, name):
        return int(status.get("counters", {}).get(name, 0))

    def counters(self):
        """Every counter, 0 for those that are not shown."""
        counters = self.status().get("counters", {})
        return lambda name: int(counters.get(name, 0))

    def role(self, name):
        for role in self.status()["roles"]:
            if role["name"] == name:
                return role
        raise AssertionError(f"no role {name} in the status")

    def alerts(self, hunt=False):
        return json.loads(self.cli("alerts", "-o", "json", "-n", "10000", *(["--hunt"] if hunt else [])).stdout)

    def settle(self, seconds=30, still=0.6):
        """Waits until nothing has been captured, judged or stored, and no process of the sensor has had anything to do, for a while.

        Counters are published four times a second; on a busy machine a process that has work may wait for its turn longer than that.
        """
        names = ("capture.bytes", "flow.bytes", "detect.findings", "keep.findings", "keep.observations")
        last = [None, 0.0]

        def at_rest():
            at_work = any(busy(pid) for pid in self.processes())
            c = self.counters()
            now = [c(n) for n in names]
            if at_work or now != last[0]:
                last[:] = [now, time.monotonic()]
            return time.monotonic() - last[1] > still

        wait_for(lambda: f"the sensor does not come to rest: {last}", at_rest, seconds, 0.05)

    @contextlib.contextmanager
    def observing(self, turns, seconds=30):
        """Within it, turns are spoken; after it, at least that many more have been judged, and what was found is stored."""
        self.settle()
        before = self.counters()("keep.observations")
        yield
        seen = lambda: self.counters()("keep.observations") - before
        wait_for(lambda: f"{seen()} of {turns} turns were observed", lambda: seen() >= turns, seconds, 0.1)
        self.settle()

    def tail(self):
        return Tail(self)

    def processes(self):
        return [self.process.pid, *descendants(self.process.pid)]


class Tail:
    """`earshot tail -o json`, line by line, each with the wall time at which it came."""

    def __init__(self, sensor):
        argv = [sensor.world.program("earshot"), "--run-dir", sensor.run_dir, "tail", "-o", "json"]
        self.process = sensor.world.own(Process("earshot tail", argv, sensor.dir / "tail.log", stdout=subprocess.PIPE))
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.popen.stdout:
            with self.changed:
                self.lines.append((time.time(), json.loads(line)))
                self.changed.notify_all()

    def wait(self, accept, seconds=30):
        """The first (time, body) that accept takes."""
        deadline, seen = time.monotonic() + seconds, 0
        with self.changed:
            while True:
                for got in self.lines[seen:]:
                    if accept(got[1]):
                        return got
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise AssertionError(f"nothing accepted among {seen} lines of tail")


# --- what is left behind


def bpf_objects(pids):
    """BPF programs, maps and links that these processes hold, as (kind, id); one that has ended holds none. Other sensors may run
    on this host."""
    found = set()
    for pid in pids:
        infos = []
        with contextlib.suppress(OSError):
            infos = list(pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
        for info in infos:
            with contextlib.suppress(OSError):
                fields = dict(line.split(":\t", 1) for line in info.read_text().splitlines() if ":\t" in line)
                found |= {(kind, int(fields[f"{kind}_id"])) for kind in ("prog", "map", "link") if f"{kind}_id" in fields}
    return found


def bpf_left(objects):
    """Which of them still exist."""
    left = []
    for kind, number in sorted(objects):
        done = subprocess.run(["bpftool", "-j", kind, "show", "id", str(number)], capture_output=True, timeout=30)
        if done.returncode == 0:
            left.append((kind, number))
    return left


# --- the world of one test file


class World:
    """A directory that every uid may enter, and whatever was started in it; all of it is gone at the end."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.processes, self.notes, self.cleanups = [], [], []

    def __enter__(self):
        # Not in $TMPDIR: the roles run under other uids and must be able to reach it.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="earshot-e2e-", dir="/tmp"))
        self.dir.chmod(0o755)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, kind, *rest):
        for process in reversed(self.processes):
            process.stop()
        for cleanup in reversed(self.cleanups):
            cleanup()
        if os.environ.get("EARSHOT_KEEP"):
            print(f"# kept {self.dir}", flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def program(self, name):
        return self.build / name

    def own(self, process):
        self.processes.append(process)
        return process

    def note(self, text):
        """A line for the reader of the test's output."""
        self.notes.append(text)

    def log_tails(self):
        return [line for p in self.processes[-6:] for line in p.tail()]
