"""tests/e2e/world.py - what the sensor watches: a test PKI, TLS servers before the inference application, real clients."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from harness import HERE, ROOT, Process, check, free_port, wait_for

MODEL = "earshot-test-1"
SERVERS = ("nginx", "uvicorn", "uvicorn-uvloop")
CLIENTS = ("curl", "python", "python-async", "node")


class Pki:
    """Made by tools/make-test-pki.sh: a CA, a certificate for localhost, a client's, and ones that must be refused."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        done = subprocess.run([ROOT / "tools/make-test-pki.sh", directory], capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"make-test-pki.sh: {done.stderr}")
        self.ca, self.cert, self.key = (self.dir / n for n in ("ca.pem", "server.pem", "server.key"))
        self.client_cert, self.client_key = self.dir / "client.pem", self.dir / "client.key"


# --- servers


class Server:
    """A TLS endpoint of the inference application. comm and pids say who serves it."""

    def __init__(self, name, comm, process, port, pki):
        self.name, self.comm, self.process, self.port = name, comm, process, port
        self.url = f"https://localhost:{port}"
        self.ssl = ssl.create_default_context(cafile=pki.ca)
        wait_for(f"{name} does not answer", self.answers, 20)

    def answers(self):
        check(self.process.running(), f"{self.name} ended: {self.process.output()}")
        try:
            with urllib.request.urlopen(self.url + "/health", context=self.ssl, timeout=30) as reply:
                return reply.status == 200
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


def uvicorn(world, port, name, *args, program=None, cgroup=None):
    """The inference application; by another copy of the interpreter, or in a cgroup, if one is given."""
    venv, env = world.build / "venv", {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if program:
        env |= {"PYTHONHOME": "/usr", "PYTHONPATH": str(next(venv.glob("lib/python3*/site-packages")))}
    enter = cgroup and (lambda: (cgroup / "cgroup.procs").write_text(str(os.getpid())))
    argv = [*([program, "-m", "uvicorn"] if program else [venv / "bin/uvicorn"]), "inference:app", "--app-dir", HERE, "--host", "127.0.0.1", "--port",
            port, "--http", "h11", "--no-access-log", "--log-level", "warning", *args]
    return world.own(Process(name, argv, world.dir / f"{name}.log", env=env, preexec_fn=enter))


def start_uvicorn(world, pki, loop="asyncio"):
    name, port = "uvicorn" if loop == "asyncio" else f"uvicorn-{loop}", free_port()
    process = uvicorn(world, port, name, "--loop", loop, "--ssl-certfile", pki.cert, "--ssl-keyfile", pki.key)
    return Server(name, "uvicorn", process, port, pki)


NGINX = """
worker_processes {workers};
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	client_max_body_size 64m;
	keepalive_requests 1000000;
	{http}
	server {{
		listen 127.0.0.1:{port} ssl{listen};
		server_name localhost;
		ssl_certificate {cert};
		ssl_certificate_key {key};
		{server}
	}}
}}
"""

PROXY = """
		location / {{
			proxy_pass http://127.0.0.1:{backend};
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_buffering off;
			proxy_request_buffering off;
		}}
"""


def start_nginx(world, pki, name="nginx", http="", server=None, workers=1, listen=""):
    """nginx terminating TLS: before the inference application on plain HTTP, or with `server` as its configuration."""
    directory, port = world.dir / name, free_port()
    directory.mkdir()
    directory.chmod(0o755)
    if server is None:
        backend = free_port()
        plain = uvicorn(world, backend, f"{name}-backend")
        wait_for("the inference application does not listen", lambda: listens(backend, plain), 20)
        server = PROXY.format(backend=backend)
    conf = directory / "nginx.conf"
    conf.write_text(NGINX.format(dir=directory, port=port, cert=pki.cert, key=pki.key, workers=workers, http=http,
                                 server=server, listen=listen))
    process = world.own(Process(name, ["nginx", "-c", conf, "-e", directory / "error.log"], world.dir / f"{name}.log"))
    return Server(name, "nginx", process, port, pki)


def listens(port, process):
    check(process.running(), f"{process.name} ended: {process.output()}")
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def start_server(world, pki, name):
    if name == "nginx":
        return start_nginx(world, pki)
    return start_uvicorn(world, pki, "uvloop" if name.endswith("uvloop") else "asyncio")


# --- upstream


class Collector:
    """earshot-collector with mutual TLS; may be stopped, killed and started again on the same port and store."""

    def __init__(self, world, pki, cert=None, name="collector"):
        self.world, self.pki, self.port, self.dir = world, pki, free_port(), world.dir / name
        self.dir.mkdir()
        self.cert = cert or (pki.cert, pki.key)
        self.url = f"https://localhost:{self.port}"
        self.export = {"url": self.url + "/v1/alerts", "ca": pki.ca, "cert": pki.client_cert, "key": pki.client_key}
        self.ssl = ssl.create_default_context(cafile=pki.ca)
        self.ssl.load_cert_chain(pki.client_cert, pki.client_key)
        self.log = self.dir / "revisions.jsonl"

    def start(self):
        argv = [self.world.program("earshot-collector"), "--listen", f"127.0.0.1:{self.port}", "--cert", self.cert[0], "--key",
                self.cert[1], "--client-ca", self.pki.ca, "--store", self.dir / "alerts.db", "--output", "json"]
        with open(self.log, "ab") as out:
            self.process = self.world.own(Process("earshot-collector", argv, self.dir / "collector.log", stdout=out))
        wait_for("the collector does not listen", lambda: listens(self.port, self.process), 30)
        return self

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.stop(signal.SIGKILL)

    def alerts(self):
        with urllib.request.urlopen(self.url + "/alerts?limit=10000", context=self.ssl, timeout=30) as reply:
            return json.load(reply)

    def revisions(self):
        """(store, sequence, rejected) of every revision in its store, in order."""
        with contextlib.closing(sqlite3.connect(f"file:{self.dir}/alerts.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT hex(store), sequence, rejected FROM revision ORDER BY store, sequence").fetchall()

    def shown(self):
        """(store, sequence) as it printed them, each when it was new. One that it stored as it was killed may be missing."""
        rows = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [(r["store"].upper(), r["sequence"]) for r in rows]


def start_collector(world, pki):
    return Collector(world, pki).start()


# --- clients: each runs jobs (see clients/sdk.py) in one process and returns its results by name


class Client:
    def __init__(self, world, name, pki):
        self.world, self.name, self.pki = world, name, pki
        self.comm = {"curl": "curl", "node": "node"}.get(name, "python")
        self.pids, self.more = [], []  # more: further arguments for curl
        self.http2 = False  # of the SDKs in Python

    def run(self, server, jobs, seconds=60):
        results = self.curl(server, jobs) if self.name == "curl" else self.sdk(server, jobs, seconds)
        missing = [j["name"] for j in jobs if j["name"] not in results]
        check(not missing, f"{self.name}: no result for {missing}")
        return results

    def sdk(self, server, jobs, seconds):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        if self.name == "node":
            argv = ["node", HERE / "clients/sdk.mjs"]
            env |= {"NODE_EXTRA_CA_CERTS": str(self.pki.ca), "EARSHOT_NODE_DIR": str(self.world.build / "node")}
        else:
            argv = [self.world.build / "venv/bin/python", HERE / "clients/sdk.py"]
        conf = {"base_url": server.url + "/v1", "ca": str(self.pki.ca), "async": self.name.endswith("async"),
                "http2": self.http2, "jobs": jobs}
        popen = subprocess.Popen([str(a) for a in argv], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self.pids.append(popen.pid)
        try:
            out, err = popen.communicate(json.dumps(conf).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            popen.kill()
            out, err = popen.communicate()
            raise AssertionError(f"{self.name} hangs: {out.decode()} {err.decode()}") from None
        check(popen.returncode == 0, f"{self.name}: {popen.returncode}: {err.decode(errors='replace')[-2000:]}")
        return {r["name"]: r for r in map(json.loads, out.splitlines())}

    def curl(self, server, jobs):
        results = {}
        for job in jobs:
            messages, requests, begun = list(job["messages"]), 0, time.time()
            while True:
                requests += 1
                body = {"model": job["model"], "user": job["user"], "stream": bool(job.get("stream"))}
                if job["api"] == "chat":
                    body |= {"messages": messages}
                    if job.get("tools"):
                        body["tools"] = [{"type": "function", "function": t} for t in job["tools"]]
                else:
                    body |= {"input": messages}
                path = "/v1/chat/completions" if job["api"] == "chat" else "/v1/responses"
                status, out = self.post(server, path, job["key"], json.dumps(body, ensure_ascii=False).encode())
                calls = []
                if status == 200 and not job.get("stream") and job["api"] == "chat":
                    calls = json.loads(out)["choices"][0]["message"].get("tool_calls") or []
                if not calls:
                    break
                messages += [{"role": "assistant", "content": None, "tool_calls": calls}]
                messages += [{"role": "tool", "tool_call_id": c["id"], "content": job["tool_result"]} for c in calls]
            results[job["name"]] = {"name": job["name"], "raw": out, "requests": requests, "begun": begun, "ended": time.time(),
                                    "error": None if status == 200 else {"status": status}}
        return results

    def post(self, server, path, key, body):
        """One request by curl: (status, body)."""
        argv = ["curl", "-sS", "--cacert", str(self.pki.ca), "--compressed", "-H", "Content-Type: application/json",
                "-H", f"Authorization: Bearer {key}", "-H", "Expect:", "--data-binary", "@-", "-w", "\n%{http_code}", *map(str, self.more),
                server.url + path]
        popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pids.append(popen.pid)
        out, err = popen.communicate(body, timeout=30)
        check(popen.returncode == 0, f"curl: {popen.returncode}: {err.decode(errors='replace')}")
        data, _, status = out.rpartition(b"\n")
        return int(status), data.decode(errors="replace")


WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
}
