"""tests/e2e/test_coverage.py - which programs' TLS is seen: each really runs, under one sensor, and posts an attack.

Seen at both ends means one alert from two processes, byte for byte; seen at the server only, one from one. What ran becomes rows of
docs/coverage.md: EARSHOT_WRITE_DOCS=1 writes the table there, otherwise the committed one must say the same.
"""

import itertools
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

from harness import HERE, ROOT, Process, Sensor, Skip, check, equal, free_port, main, wait_for
from traffic import JAILBREAK, Call, Traffic
from world import Pki, Server, listens, start_nginx, start_server, uvicorn

DOC = ROOT / "docs/coverage.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
BOTH, SERVER_ONLY = 2, 1


def system_libssl():
    with open("/proc/self/maps") as f:
        return next(line.split()[-1] for line in f if "/libssl.so" in line)


def in_root(release, *argv):
    """A container in little: a mount and a pid namespace of its own, and another release's root."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", f"--root={release}", *map(str, argv)]


# --- the table


class Table:
    """Rows of docs/coverage.md, by their first column."""

    HEAD = ["| program | its TLS | probed at | seen |", "|---|---|---|---|"]

    def __init__(self, world):
        self.world, self.rows = world, {}

    def survey(self, path):
        """What the surveyor says of a file: (TLS, where it is probed)."""
        done = subprocess.run([self.world.program("earshot-sites"), path], capture_output=True, text=True, timeout=20)
        if done.returncode:
            return done.stderr.strip().rpartition(": ")[2], "nowhere"
        tls, *where = done.stdout.splitlines()[0].split(" ", 2)[2].split("; ")
        places = {w.split(": ")[1] for w in where}
        return tls, places.pop() if len(places) == 1 else "; ".join(where)

    def add(self, program, tls_file, seen):
        self.rows[program] = "| " + " | ".join([program, *self.survey(tls_file), seen]) + " |"

    @staticmethod
    def committed():
        text = DOC.read_text()
        lines = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].splitlines()
        return {line.split("|")[1].strip(): line for line in lines[2:]}

    def write(self):
        text = DOC.read_text()
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        # What could not run here keeps its row.
        rows = self.rows | {name: row for name, row in self.committed().items() if name not in self.rows}
        DOC.write_text(before + BEGIN + "\n".join([*self.HEAD, *rows.values()]) + "\n" + END + after)


def stage(w):
    """PKI, servers older than the sensor, the sensor with a table of sites, the traffic."""
    if hasattr(w, "stage"):
        return w.stage
    pki = Pki(w.dir / "pki")
    w.table, w.missing = Table(w), []
    server = start_server(w, pki, "uvicorn")
    w.older = {name: make(w) for name, make in OLDER.items()}
    static = build_static(w)
    sensor = Sensor(w)
    sites = sensor.config.parent / "sites"
    sites.mkdir()
    if static:
        (sites / "post.sites").write_text("# made by the test\n" + static["table"])
        # For another build: its build-id is nobody's.
        (sites / "other.sites").write_text(re.sub(r"^file \w{8}", "file 00000000", static["table"]))
    sensor.start()
    w.stage = pki, server, sensor, Traffic(sensor), static
    return w.stage


# --- clients


class Row:
    """A client that posts one job, given as JSON on its standard input (see clients/post.py), or by a function of its own."""

    def __init__(self, name, argv, tls=None, seen=BOTH, needs=(), post=None, env=None):
        self.name, self.argv, self.tls, self.seen = name, argv, tls, seen
        self.needs, self.post, self.env = [argv[0], *needs], post, env or {}

    def lacks(self):
        return [n for n in self.needs if not (os.path.exists(n) if "/" in str(n) else shutil.which(n))]


def body_of(job):
    return json.dumps({"model": job["model"], "user": job["user"], "messages": job["messages"]})


def run(argv, text, env=(), seconds=40):
    done = subprocess.run([str(a) for a in argv], input=text.encode(), capture_output=True, timeout=seconds,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **dict(env)})
    check(done.returncode == 0, f"{' '.join(map(str, argv))}: {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode(errors="replace")


def as_json(row, server, pki, job):
    """The job as clients/post.* read it."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {job['key']}"}
    line = json.dumps({"url": server.url + "/v1/chat/completions", "ca": pki.ca.read_text(), "headers": headers,
                       "body": body_of(job)})
    equal(json.loads(run(row.argv, line, row.env))["status"], 200, f"{row.name}: status")


def as_command(*args):
    """The body in a file, the request in arguments."""
    def post(row, server, pki, job):
        fill = {"url": server.url + "/v1/chat/completions", "ca": pki.ca, "auth": f"Authorization: Bearer {job['key']}",
                "body": body_of(job)}
        run([*row.argv, *(a.format(**fill) for a in args)], "", row.env)

    return post


def as_request(row, server, pki, job):
    """The request as it goes over the wire."""
    body = body_of(job)
    text = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{server.port}\r\nAuthorization: Bearer {job['key']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")
    equal(json.loads(run([*row.argv, server.port, pki.ca], text, row.env))["status"], 200, f"{row.name}: status")


CURL = as_command("-sS", "--fail", "--cacert", "{ca}", "-H", "Content-Type: application/json", "-H", "{auth}", "--data-raw",
                  "{body}", "{url}")
WGET = as_command("-q", "-O", "-", "--ca-certificate={ca}", "--header=Content-Type: application/json", "--header={auth}",
                  "--post-data={body}", "{url}")


def clients(w):
    post, python, libssl = HERE / "clients", w.build / "venv/bin/python", system_libssl()
    packages = w.build / "venv/lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    one = lambda pattern: next(map(str, packages.glob(pattern)), None)
    py = lambda lib, *more, **kw: Row(f"Python, {lib}", [python, post / "post.py", lib], *more, post=as_json, **kw)
    rows = [
        Row("curl", ["curl"], libssl, post=CURL),
        py("urllib", libssl), py("requests", libssl), py("httpx", libssl), py("aiohttp", libssl),
        py("pycurl", one("pycurl.libs/libssl*")),
        py("pyopenssl", one("cryptography/hazmat/bindings/_rust.abi3.so")),
        py("curl_cffi", one("curl_cffi/_wrapper.abi3.so")),
        py("pyreqwest", one("pyreqwest/*.so"), SERVER_ONLY),
        Row("Node.js", ["node", post / "post.mjs"], shutil.which("node"), post=as_json),
        Row("Ruby, Net::HTTP", ["ruby", post / "post.rb"], libssl, post=as_json),
        Row("Perl, HTTP::Tiny", ["perl", post / "post.pl"], libssl, post=as_json, needs=["/usr/share/perl5/IO/Socket/SSL.pm"]),
        Row("PHP, streams", ["php", post / "post.php"], libssl, post=as_json),
        Row("wget", ["wget"], next(map(str, pathlib.Path("/usr/lib").glob("*/libgnutls.so.30")), None), SERVER_ONLY, post=WGET),
    ]
    for release, name in (("bullseye", "Python 3.9 in a container, Debian 11"), ("trixie", "Python 3.13 in a container, Debian 13")):
        root = w.build / "roots" / release
        script = (post / "post.py").read_text()
        lib = next(map(str, root.glob("usr/lib/*/libssl.so.?*")), None)
        rows.append(Row(name, in_root(root, "/usr/bin/python3", "-c", script, "urllib"), lib, post=as_json, needs=[root]))
    if shutil.which("go"):
        program = w.dir / "post-go"
        run(["go", "build", "-o", program, post / "post.go"], "", {"GOFLAGS": "-mod=mod", "GO111MODULE": "off"}, 300)
        rows.append(Row("Go, net/http", [program], program, SERVER_ONLY, post=as_json))
    else:
        w.missing.append("Go, net/http")
    return rows


def run_rows(w, rows):
    """Every row posts; then all alerts must be there: from both ends, or from the server only."""
    pki, server, sensor, traffic, _ = stage(w)
    jobs = {BOTH: [], SERVER_ONLY: []}
    for row in rows:
        if lacks := row.lacks():
            w.note(f"{row.name} did not run: no {lacks}")
            w.missing.append(row.name)
            continue
        if row.seen == BOTH and f"{row.tls}: " not in sensor.process.output():
            # The first run of a file teaches the sensor where to probe, and may be over before.
            row.post(row, server, pki, traffic.job(Call("first", "Which rivers flow into the Danube?")))
            wait_for(lambda: f"{row.tls} is not probed", lambda: f"{row.tls}: " in sensor.process.output())
        job = traffic.job(Call(re.sub(r"\W+", "-", row.name), f"{JAILBREAK} ({row.name})", ["jailbreak.rules"], "user"))
        row.post(row, server, pki, job)
        jobs[row.seen].append(job)
        w.table.add(row.name, row.tls, "both ways" if row.seen == BOTH else "no")
    for sides, some in jobs.items():
        traffic.expect(some, sides)
    w.note(f"{sum(map(len, jobs.values()))} programs")


def test_clients(w):
    """clients: every OpenSSL and BoringSSL with symbols is seen, what has none is not, and nothing is taken for it"""
    stage(w)
    run_rows(w, clients(w))


# --- OpenSSL inside a program


def build_static(w):
    """post.c with OpenSSL linked in: whole, stripped, and the stripped one's twin with another build-id; and the table for it."""
    lib = next(map(str, pathlib.Path("/usr/lib").glob("*/libssl.a")), None)
    if not lib or not shutil.which("cc"):
        return None
    whole, other = w.dir / "post-whole", w.dir / "post-other"
    for out, build_id in ((whole, "sha1"), (other, "0x" + "5a" * 20)):
        run(["cc", "-O2", "-o", out, HERE / "clients/post.c", f"-Wl,--build-id={build_id}", "-Wl,-Bstatic", "-lssl", "-lcrypto",
             "-Wl,-Bdynamic"], "", seconds=120)
    made = {"whole": whole}
    for name, source in (("stripped", whole), ("other", other)):
        made[name] = w.dir / f"post-{name}-stripped"
        run(["strip", "-o", made[name], source], "")
    sites = w.program("earshot-sites")
    made["table"] = run([sites, whole, made["stripped"]], "")
    refused = subprocess.run([sites, whole, made["other"]], capture_output=True, text=True)
    check(refused.returncode == 1 and "another build-id" in refused.stderr, f"a table for another build: {refused}")
    check(subprocess.run([sites, made["stripped"]], capture_output=True).returncode == 1, "the stripped program has symbols")
    return made


def test_static(w):
    """OpenSSL inside a program is found by symbols; stripped, by a table for its build-id, and by no other"""
    static = stage(w)[4]
    if not static:
        w.missing.append("static OpenSSL")
        raise Skip("no libssl.a or no compiler")
    rows = [
        Row("static OpenSSL", [static["whole"]], static["whole"], post=as_request),
        Row("static OpenSSL, stripped, with a table of sites", [static["stripped"]], static["whole"], post=as_request),
        Row("static OpenSSL, stripped", [static["other"]], static["other"], SERVER_ONLY, post=as_request),
    ]
    # A file's first run teaches the sensor where to probe; the program is quicker than that.
    log = stage(w)[2].process
    for name in ("whole", "stripped", "other"):
        with subprocess.Popen([static[name]], stdin=subprocess.PIPE):  # it waits for its input
            wait_for(f"{static[name]} is not probed", lambda: name == "other" or f"{static[name]}: " in log.output())
    check(f"{static['stripped']}: by table: OpenSSL" in log.output(), "the table is not named")
    run_rows(w, rows)


# --- libraries that come, go and change


def wait_python(w, name, env=()):
    """post.py, waiting for its jobs; the TLS library is loaded before it is unlinked or replaced."""
    code = "import ssl\n" + (HERE / "clients/post.py").read_text()
    argv = [w.build / "venv/bin/python", "-c", code, "urllib"]
    process = w.own(Process(name, argv, w.dir / f"{name}.log", stdin=subprocess.PIPE, env={**os.environ, **dict(env)}))
    wait_for(f"{name} has not loaded OpenSSL", lambda: "libssl" in pathlib.Path(f"/proc/{process.pid}/maps").read_text())
    return process


def copy_libs(directory):
    """libssl and libcrypto, as conda and others keep their own."""
    directory.mkdir(parents=True, exist_ok=True)
    libssl = pathlib.Path(system_libssl())
    for lib in (libssl, *libssl.parent.glob("libcrypto.so*")):
        if not lib.is_symlink():
            shutil.copy(lib, directory / lib.name)
    return {"LD_LIBRARY_PATH": str(directory)}


def older_plain(w):
    return wait_python(w, "older")


def older_deleted(w):
    env = copy_libs(w.dir / "deleted/lib")
    process = wait_python(w, "older-deleted", env)
    shutil.rmtree(w.dir / "deleted/lib")
    return process


OLDER = {"older than the sensor": older_plain, "its library deleted before the sensor came": older_deleted}


def tell(process, server, pki, job):
    """A waiting post.py makes one call."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {job['key']}"}
    line = {"url": server.url + "/v1/chat/completions", "ca": pki.ca.read_text(), "headers": headers, "body": body_of(job)}
    before = process.output().count('"status"')
    process.popen.stdin.write(json.dumps(line).encode() + b"\n")
    process.popen.stdin.flush()
    wait_for(lambda: f"{process.name} did not answer: {process.output()}", lambda: process.output().count('"status"') > before, 20)


def test_libraries(w):
    """a process is seen that is older than the sensor, whose library was deleted or upgraded, or is a copy elsewhere"""
    pki, server, _, traffic, _ = stage(w)
    jobs = []

    def captured(process):
        """Its library is examined: what a process does before that, in its first milliseconds, is not what this is about."""
        said = json.loads(traffic.sensor.cli("explain", process.pid, "-o", "json").stdout)
        return said["state"] == "captured"

    def seen(name, process, loaded=True):
        if loaded:
            wait_for(f"{name} is not captured", lambda: captured(process), every=0.1)
        job = traffic.job(Call(re.sub(r"\W+", "-", name), f"{JAILBREAK} ({name})", ["jailbreak.rules"], "user"))
        tell(process, server, pki, job)
        jobs.append(job)
        w.table.add(f"a process, {name}", system_libssl(), "both ways")

    for name, process in w.older.items():
        seen(name, process)
    env = copy_libs(w.dir / "conda/lib")
    old = wait_python(w, "copy", env)
    check(str(w.dir / "conda/lib/libssl") in pathlib.Path(f"/proc/{old.pid}/maps").read_text(), "the copy is not what is mapped")
    seen("with a copy of the library elsewhere, as conda has", old)
    # An upgrade as packages do it: another file by the same name.
    target = next((w.dir / "conda/lib").glob("libssl*"))
    shutil.copy(target, target.with_suffix(".new"))
    os.rename(target.with_suffix(".new"), target)
    check("(deleted)" in pathlib.Path(f"/proc/{old.pid}/maps").read_text(), "the old library is still in place")
    seen("its library upgraded under it", old)
    seen("started after the upgrade", wait_python(w, "upgraded", env))
    late = w.own(Process("late", [w.build / "venv/bin/python", HERE / "clients/post.py", "urllib"], w.dir / "late.log",
                         stdin=subprocess.PIPE))
    wait_for("no Python", lambda: "libc.so" in pathlib.Path(f"/proc/{late.pid}/maps").read_text())
    check("libssl" not in pathlib.Path(f"/proc/{late.pid}/maps").read_text(), "it has loaded OpenSSL already")
    seen("which loads the library with its first call (dlopen)", late, loaded=False)
    traffic.expect(jobs, BOTH)


FORK = """
import json, os, sys
exec(open(sys.argv[2]).read().replace("\\nmain()", "\\n"))
how, line = sys.argv[3], None
if how != "known":
    print("ready", flush=True)
    line = sys.stdin.readline()
import ssl
line = line or sys.stdin.readline()
pid = os.fork()
if not pid:
    sys.argv[1:] = ["urllib"]
    status, length = urllib_(json.loads(line))
    print(json.dumps({"pid": os.getpid(), "status": status}), flush=True)
    os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | (os.WNOWAIT if how == "zombie" else 0))
print("ended", flush=True)
sys.stdin.readline()
"""


def fork(w, how):
    """A program whose child makes one call. The sensor hears of both at once, or when the child is a zombie, or gone."""
    name, late = f"fork-{how}", how != "known"
    pki, server, sensor, traffic, _ = stage(w)
    job = traffic.job(Call(name, f"{JAILBREAK} ({name})", ["jailbreak.rules"], "user"))
    argv = [w.build / "venv/bin/python", "-c", FORK, "urllib", HERE / "clients/post.py", how]
    process = w.own(Process(name, argv, w.dir / f"{name}.log", stdin=subprocess.PIPE))
    wait_for(f"{name} does not start", lambda: "ready" in process.output() if late else
             "libssl" in pathlib.Path(f"/proc/{process.pid}/maps").read_text())
    if late:
        os.kill(sensor.process.pid, signal.SIGSTOP)
    try:
        tell(process, server, pki, job)
        wait_for(f"{name} does not end", lambda: "ended" in process.output())
    finally:
        if late:
            os.kill(sensor.process.pid, signal.SIGCONT)
    (alerts,) = traffic.expect([job], BOTH).values()
    process.popen.stdin.close()
    process.wait()
    (answer,) = (json.loads(line) for line in process.output().splitlines() if '"status"' in line)
    found = alerts[0]["context"]["process"]
    if alerts[0]["context"]["api"].get("client"):
        equal(int(found["pid"]), answer["pid"], "the child's pid")
        check("python" in found["executable"] and "urllib" in found["command_line"], f"the child's program: {found}")


def test_forked(w):
    """a forked child, which maps nothing anew, is seen and named with its own pid"""
    fork(w, "known")
    w.table.add("a forked child", system_libssl(), "both ways")


def test_forked_late(w):
    """one that has ended before the sensor looks at it or at its parent is named by what its parent runs"""
    fork(w, "zombie")
    fork(w, "gone")


# --- servers


APACHE = """
ServerRoot {dir}
PidFile {dir}/apache.pid
ErrorLog {dir}/error.log
Listen 127.0.0.1:{port}
ServerName localhost
User www-data
Group www-data
{modules}
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
ProxyPass / http://127.0.0.1:{backend}/
"""

HAPROXY = """
global
	maxconn 100
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend tls
	bind 127.0.0.1:{port} ssl crt {pem}
	default_backend app
backend app
	server app 127.0.0.1:{backend}
"""

NODE = """
const [port, cert, key, backend] = process.argv.slice(1);
const fs = require('node:fs'), http = require('node:http');
require('node:https').createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (q, r) => {
	q.pipe(http.request({ port: backend, path: q.url, method: q.method, headers: q.headers }, (b) => {
		r.writeHead(b.statusCode, b.headers);
		b.pipe(r);
	}));
}).listen(Number(port), '127.0.0.1');
"""


def start_apache(w, pki, port, backend):
    directory, modules = w.dir / "apache", pathlib.Path("/usr/lib/apache2/modules")
    directory.mkdir()
    load = "\n".join(f"LoadModule {m}_module {modules}/mod_{m}.so"
                     for m in ("mpm_event", "authz_core", "socache_shmcb", "ssl", "proxy", "proxy_http"))
    conf = directory / "apache.conf"
    conf.write_text(APACHE.format(dir=directory, port=port, backend=backend, cert=pki.cert, key=pki.key, modules=load))
    return ["apache2", "-X", "-f", conf]


def start_haproxy(w, pki, port, backend):
    directory = w.dir / "haproxy"
    directory.mkdir()
    pem = directory / "server.pem"
    pem.write_text(pki.cert.read_text() + pki.key.read_text())
    (directory / "haproxy.cfg").write_text(HAPROXY.format(port=port, backend=backend, pem=pem))
    return ["haproxy", "-db", "-f", directory / "haproxy.cfg"]


def start_node(w, pki, port, backend):
    return ["node", "-e", NODE, "--", port, pki.cert, pki.key, backend]


def test_servers(w):
    """servers: nginx, uvicorn on asyncio and uvloop, Apache, HAProxy and Node.js are seen, each by a client that is seen, too"""
    pki, _, _, traffic, _ = stage(w)
    libssl, jobs = system_libssl(), []
    backend = free_port()
    plain = uvicorn(w, backend, "backend")
    wait_for("the backend does not listen", lambda: listens(backend, plain), 20)
    servers = {name: start_server(w, pki, name) for name in ("nginx", "uvicorn", "uvicorn-uvloop")}
    for name, make in (("apache2", start_apache), ("haproxy", start_haproxy), ("node", start_node)):
        if not shutil.which(name):
            w.note(f"{name} did not run: it is not installed")
            w.missing.append(f"{name}, server")
            continue
        port = free_port()
        process = w.own(Process(name, make(w, pki, port, backend), w.dir / f"{name}.log"))
        wait_for(f"{name} does not listen", lambda: listens(port, process), 20)
        servers[name] = Server(name, name, process, port, pki)
    for name, server in servers.items():
        job = traffic.job(Call(f"server-{name}", f"{JAILBREAK} (through {name})", ["jailbreak.rules"], "user"))
        CURL(Row("curl", ["curl"]), server, pki, job)
        jobs.append(job)
        w.table.add(f"{name}, server", shutil.which("node") if name == "node" else libssl, "both ways")
    traffic.expect(jobs, BOTH)


# --- by the byte: what speaks no AI API


def captured(sensor, before=None):
    """Bytes so far; more than before."""
    now = lambda: sensor.counters()("capture.bytes")
    if before is not None:
        wait_for("nothing was captured", lambda: now() > before)
    sensor.settle()
    return now()


def openssls(w):
    """(name, how to run openssl there, its libssl)."""
    yield "OpenSSL 3.0, Debian 12" if platform.freedesktop_os_release().get("VERSION_ID") == "12" else "OpenSSL of this host", \
        ["openssl"], system_libssl(), w.dir
    for release, name in (("bullseye", "OpenSSL 1.1.1, Debian 11"), ("trixie", "OpenSSL 3.5, Debian 13")):
        root = w.build / "roots" / release
        if not root.exists():
            w.note(f"{name} did not run: its files were not fetched, there is no Debian mirror")
            w.missing += [f"{name}: BIO_f_ssl", f"{name}: early data"]
            continue
        yield name, in_root(root, "openssl"), next(map(str, root.glob("usr/lib/*/libssl.so.?*"))), root


def s_server(w, pki, openssl, number, *args):
    """openssl s_server on a free port. Certificate and key by descriptor: it may run in another root."""
    port = free_port()
    pem = pki.cert.read_text() + pki.key.read_text()
    fd = os.memfd_create("pem")
    os.write(fd, pem.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    argv = [*openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"/proc/self/fd/{fd}", "-key", f"/proc/self/fd/{fd}", *args]
    process = w.own(Process(f"s_server-{number}", argv, w.dir / f"s_server-{number}.log", pass_fds=[fd],
                            stdin=subprocess.PIPE))
    os.close(fd)
    wait_for(lambda: f"s_server does not accept: {process.output()}", lambda: "ACCEPT" in process.output(), 20)
    return process, port


def exactly(sensor, what, act, tries=5):
    """What act() says that passed is what was captured. The counter is the host's: TLS of others in between means another try."""
    for _ in range(tries):
        before = captured(sensor)
        want = act()
        got = captured(sensor, before) - before
        if got == want:
            return
    raise AssertionError(f"{what}: captured {got}, want {want}, {tries} times")


def visit(openssl, port, name):
    """s_client asks s_server -www for its page. The bytes that passed, at both ends."""
    request = b"GET / HTTP/1.0\r\n\r\n"
    done = subprocess.run([*openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-ign_eof"], input=request,
                          capture_output=True, timeout=30)
    check(b"200 ok" in done.stdout, f"{name}: {done}")
    return 2 * (len(request) + len(done.stdout))


def test_bio_f_ssl(w):
    """BIO_f_ssl: `openssl s_server -www` and s_client, of OpenSSL 1.1.1, 3.0 and 3.5, are captured at both ends to the byte"""
    pki, _, sensor, _, _ = stage(w)
    for number, (name, openssl, libssl, _) in enumerate(openssls(w)):
        process, port = s_server(w, pki, openssl, number, "-www")
        exactly(sensor, f"{name}: bytes at both ends", lambda: visit(openssl, port, name))
        process.stop(signal.SIGKILL)
        w.table.add(f"{name}: BIO_f_ssl", libssl, "both ways")


EARLY = "Early data, sent with the first flight of a resumed session.\n" * 40


def early(openssl, port, name, session, text):
    """s_client resumes a session and sends text as early data; s_server prints it. The bytes that passed, at both ends."""
    argv = [*openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-sess_in", session, "-early_data", text]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=30)
    check(b"Early data was accepted" in done.stdout, f"{name}: {done}")
    return 2 * len(EARLY)


def test_early_data(w):
    """early data of TLS 1.3 is captured at both ends to the byte, by OpenSSL 1.1.1, 3.0 and 3.5"""
    pki, _, sensor, _, _ = stage(w)
    for number, (name, openssl, libssl, root) in enumerate(openssls(w)):
        # In the root's own /tmp, where both ends can read them.
        seen_by_us = pathlib.Path(root) / "tmp" if root != w.dir else w.dir
        seen_there = pathlib.Path("/tmp") if root != w.dir else w.dir
        (seen_by_us / "earshot-early").write_text(EARLY)
        (seen_by_us / "earshot-session").unlink(missing_ok=True)
        process, port = s_server(w, pki, openssl, f"early-{number}", "-tls1_3", "-early_data", "-no_anti_replay")
        # Tickets come after the handshake: stay until there is one.
        first = w.own(Process("s_client", [*openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-sess_out",
                                           seen_there / "earshot-session"], w.dir / f"s_client-{number}.log", stdin=subprocess.PIPE))
        session = seen_by_us / "earshot-session"
        wait_for(f"{name}: no session", lambda: session.exists() and "END SSL SESSION" in session.read_text())
        first.popen.stdin.close()
        first.wait()
        exactly(sensor, f"{name}: early data at both ends",
                lambda: early(openssl, port, name, seen_there / "earshot-session", seen_there / "earshot-early"))
        check(EARLY.splitlines()[0] in process.output(), f"{name}: the server did not get it: {process.output()}")
        process.stop(signal.SIGKILL)
        w.table.add(f"{name}: early data", libssl, "both ways")


def test_postgres(w):
    """Postgres over TLS, by the libssl of a wheel: captured, told to be no AI API, and no turn is made of it"""
    pki, _, sensor, _, _ = stage(w)
    site = next((w.build / "venv/lib").glob("python3*/site-packages/psycopg2_binary.libs/libssl*"))
    port = free_port()
    database = w.own(Process("postgres", [sys.executable, HERE / "clients/postgres.py", port, pki.cert, pki.key],
                             w.dir / "postgres.log"))
    wait_for("no database", lambda: listens(port, database), 30)
    before = captured(sensor), sensor.counters()("dialect.turns")
    code = (f"import psycopg2; c = psycopg2.connect(host='127.0.0.1', port={port}, user='u', dbname='d', sslmode='require'); "
            "q = c.cursor(); c.autocommit = True; q.execute('select 1'); print(q.fetchall())")
    check("(1,)" in run([w.build / "venv/bin/python", "-c", code], "").replace("'1'", "1"), "the database did not answer")
    captured(sensor, before[0])
    equal(sensor.counters()("dialect.turns"), before[1], "turns")
    w.table.add("Postgres, psycopg2", site, "captured, no AI API: no turn")


# --- the document


def test_table(w):
    """docs/coverage.md says what ran here"""
    stage(w)
    if os.environ.get("EARSHOT_WRITE_DOCS"):
        w.table.write()
    committed = Table.committed()
    ours = platform.freedesktop_os_release()
    if (ours.get("ID"), ours.get("VERSION_ID")) != ("debian", "12"):
        raise Skip("the table is Debian 12's")
    for name, row in w.table.rows.items():
        equal(committed.get(name), row, f"the row of {name} (EARSHOT_WRITE_DOCS=1 writes it)")
    left = [name for name in committed if name not in w.table.rows and name not in w.missing]
    if len(sys.argv) <= 2:
        equal(left, [], "rows that no test has printed")
    w.note(f"{len(w.table.rows)} rows" + (f"; did not run: {w.missing}" if w.missing else ""))


main()
