"""tests/e2e/test_methods.py - each way of attaching probes, under the monitor's own rights: one attack, one alert."""

from harness import Sensor, check, equal, main
from traffic import Traffic, hostile
from world import Client, Pki, start_nginx

RUNNING = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_CHECKPOINT_RESTORE", "CAP_SETUID", "CAP_SETGID", "CAP_KILL")
NUMBERS = {"CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21,
           "CAP_PERFMON": 38, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40}


def capabilities(pid, which):
    with open(f"/proc/{pid}/status") as f:
        bits = int(next(line.split()[1] for line in f if line.startswith(f"Cap{which}:")), 16)
    return {n for n in range(64) if bits >> n & 1}


def stage(w):
    if not hasattr(w, "stage"):
        pki = Pki(w.dir / "pki")
        w.stage = pki, start_nginx(w, pki)
    return w.stage


def attack(w, method):
    pki, server = stage(w)
    sensor = Sensor(w, method.replace(".", "-"), extra=f"capture:\n  method: {method}\n").start()
    equal(sensor.status()["capture_method"], method, "method")
    traffic, client = Traffic(sensor), Client(w, "curl", pki)
    jobs = [traffic.job(hostile(method)[0])]
    client.run(server, jobs)
    traffic.expect(jobs, client=client, server=server)
    monitor = sensor.role("monitor")["pid"]
    running = {NUMBERS[n] for n in RUNNING}
    equal(capabilities(monitor, "Eff"), running, "the monitor's effective capabilities")
    reserve = {NUMBERS["CAP_SYS_ADMIN"]} if method == "perf" else set()
    equal(capabilities(monitor, "Prm") - running, reserve, "what it holds in reserve")
    for role in ("inspector", "keeper"):
        equal(capabilities(sensor.role(role)["pid"], "Prm"), set(), f"capabilities of the {role}")
    check(sensor.stop() == 0, "exit code")


def test_session(w):
    """uprobe.session"""
    attack(w, "uprobe.session")


def test_multi(w):
    """uprobe_multi, without the session"""
    attack(w, "uprobe_multi")


def test_perf(w):
    """perf uprobes, as on kernels before 6.6: CAP_SYS_ADMIN only while one is opened"""
    attack(w, "perf")


if __name__ == "__main__":
    main()
