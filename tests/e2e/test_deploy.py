"""tests/e2e/test_deploy.py - what deploy/ says agrees with what the sensor is: capabilities, paths, users, configuration."""

import json
import os
import re
import shutil
import subprocess

from harness import ROOT, Sensor, Skip, check, equal, main
from world import Client, Pki, start_uvicorn
from traffic import Traffic, hostile

DEPLOY = ROOT / "deploy"
EXPOSURE_MAX = 3.2  # of `systemd-analyze security`; comparable sensors: 8.6 to 9.6


def run(*argv, **more):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, **more)


def yaml_documents(path):
    """By Debian's python3-yaml, whichever Python runs the tests."""
    load = "import json,sys,yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
    done = run("/usr/bin/python3", "-c", load, input=path.read_text())
    check(done.returncode == 0, f"{path}: {done.stderr}")
    return json.loads(done.stdout)


def unit():
    """The [Service] section: key -> list of values."""
    values, section = {}, None
    for line in (DEPLOY / "earshot.service").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#") and section == "Service":
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


def sensor_caps(w):
    done = run(w.program("earshotd"), "--print-caps")
    equal(done.returncode, 0, "earshotd --print-caps")
    caps = done.stdout.split()
    check(caps and all(re.fullmatch(r"CAP_[A-Z_]+", c) for c in caps), f"not capabilities: {caps}")
    return set(caps)


def installed(w, prefix="/usr", **env):
    tree = w.dir / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    done = run(DEPLOY / "install.sh", w.build, tree, prefix, env={**os.environ, **env})
    check(done.returncode == 0, f"install.sh: {done.stderr}")
    return tree


def test_unit_caps(w):
    """the systemd unit grants exactly the capabilities that the sensor reports"""
    bounding = unit()["CapabilityBoundingSet"]
    equal(len(bounding), 1, "CapabilityBoundingSet lines")
    equal(set(bounding[0].split()), sensor_caps(w), "CapabilityBoundingSet")


def test_daemonset_caps(w):
    """the DaemonSet grants exactly the capabilities that the sensor reports"""
    (daemonset,) = [d for d in yaml_documents(DEPLOY / "kubernetes/daemonset.yaml") if d["kind"] == "DaemonSet"]
    pod = daemonset["spec"]["template"]["spec"]
    check(pod["hostPID"] is True and not pod.get("hostNetwork"), "wants hostPID and no hostNetwork")
    (container,) = pod["containers"]
    security = container["securityContext"]
    equal({"CAP_" + c for c in security["capabilities"]["add"]}, sensor_caps(w), "capabilities.add")
    equal(security["capabilities"]["drop"], ["ALL"], "capabilities.drop")
    check(security["readOnlyRootFilesystem"] and not security["privileged"], "root must be read-only, container unprivileged")


# What a manifest of ours may say; kubectl is not needed to find a misspelled key.
ANY = None
MOUNT = {"name": ANY, "mountPath": ANY, "readOnly": ANY}
META = {"name": ANY, "namespace": ANY, "labels": ANY}
SELECTOR = {"matchLabels": ANY}
CONTAINER = {
    "name": ANY, "image": ANY, "command": ANY, "args": ANY, "env": [{"name": ANY, "value": ANY, "valueFrom": {"fieldRef": {"fieldPath": ANY}}}],
    "resources": {"requests": {"cpu": ANY, "memory": ANY}, "limits": {"cpu": ANY, "memory": ANY}},
    "securityContext": {
        "privileged": ANY, "allowPrivilegeEscalation": ANY, "readOnlyRootFilesystem": ANY, "runAsUser": ANY, "runAsGroup": ANY,
        "capabilities": {"drop": ANY, "add": ANY}, "seccompProfile": {"type": ANY}, "appArmorProfile": {"type": ANY},
    },
    "readinessProbe": {"exec": {"command": ANY}, "periodSeconds": ANY, "timeoutSeconds": ANY},
    "livenessProbe": {"exec": {"command": ANY}, "initialDelaySeconds": ANY, "periodSeconds": ANY, "timeoutSeconds": ANY,
                      "failureThreshold": ANY},
    "volumeMounts": [MOUNT],
}
POD = {
    "serviceAccountName": ANY, "automountServiceAccountToken": ANY, "enableServiceLinks": ANY, "hostPID": ANY, "dnsPolicy": ANY,
    "priorityClassName": ANY, "terminationGracePeriodSeconds": ANY, "tolerations": [{"operator": ANY, "key": ANY, "effect": ANY}],
    "containers": [CONTAINER],
    "volumes": [{"name": ANY, "hostPath": {"path": ANY, "type": ANY}, "configMap": {"name": ANY}}],
}
HEAD = {"apiVersion": ANY, "kind": ANY, "metadata": META}
SCHEMA = {
    "Namespace": HEAD,
    "ServiceAccount": {**HEAD, "automountServiceAccountToken": ANY},
    "ConfigMap": {**HEAD, "data": ANY},
    "NetworkPolicy": {**HEAD, "spec": {"podSelector": SELECTOR, "policyTypes": ANY, "ingress": ANY}},
    "DaemonSet": {**HEAD, "spec": {
        "selector": SELECTOR,
        "updateStrategy": {"type": ANY, "rollingUpdate": {"maxUnavailable": ANY}},
        "template": {"metadata": META, "spec": POD},
    }},
}


def unknown_keys(value, schema, at):
    if schema is ANY:
        return []
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [u for i, v in enumerate(value) for u in unknown_keys(v, schema[0], f"{at}[{i}]")]
    if not isinstance(value, dict):
        return [f"{at}: not a mapping"]
    found = [f"{at}.{k}" for k in value if k not in schema]
    return found + [u for k, v in value.items() if k in schema for u in unknown_keys(v, schema[k], f"{at}.{k}")]


def test_daemonset_keys(w):
    """the manifest has no unknown key and its parts name each other rightly"""
    documents = yaml_documents(DEPLOY / "kubernetes/daemonset.yaml")
    equal([u for d in documents for u in unknown_keys(d, SCHEMA[d["kind"]], d["kind"])], [], "unknown keys")
    by_kind = {d["kind"]: d for d in documents}
    spec = by_kind["DaemonSet"]["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"], by_kind["NetworkPolicy"]["spec"]["podSelector"]):
        equal(selector["matchLabels"], labels, "labels")
    equal({v["name"] for v in pod["volumes"]}, {m["name"] for m in pod["containers"][0]["volumeMounts"]}, "volumes and mounts")
    equal(pod["serviceAccountName"], by_kind["ServiceAccount"]["metadata"]["name"], "service account")
    volumes = {v["name"]: v for v in pod["volumes"]}
    equal(volumes["config"]["configMap"]["name"], by_kind["ConfigMap"]["metadata"]["name"], "config map")
    for d in documents:
        if d["kind"] != "Namespace":
            equal(d["metadata"]["namespace"], by_kind["Namespace"]["metadata"]["name"], f"namespace of {d['kind']}")


def test_daemonset_paths(w):
    """the manifest's configuration is accepted, and its directories are mounted and writable"""
    documents = {d["kind"]: d for d in yaml_documents(DEPLOY / "kubernetes/daemonset.yaml")}
    config = w.dir / "daemonset-earshot.yaml"
    config.write_text(documents["ConfigMap"]["data"]["earshot.yaml"])
    done = run(w.program("earshotd"), "--config", config, "--check-config")
    equal(done.returncode, 0, f"--check-config: {done.stderr}")
    (container,) = documents["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
    for key, path in (line.split(": ") for line in config.read_text().splitlines()):
        check(key in ("state_dir", "run_dir"), f"{key} needs a check here")
        check(path in mounts and not mounts[path].get("readOnly"), f"{key} {path} is not a writable mount")
    equal(container["args"], ["--config", "/etc/earshot/earshot.yaml"], "args")
    check("/etc/earshot" in mounts, "/etc/earshot is not mounted")


def test_example_config(w):
    """the example configuration is accepted, with its examples switched on too"""
    text = (DEPLOY / "earshot.yaml").read_text()
    for name, content in (("as it is", text), ("all on", re.sub(r"(?m)^# ?((host|capture|detect|evidence|export|  ).*)$", r"\1", text))):
        config = w.dir / "example.yaml"
        config.write_text(content)
        done = run(w.program("earshotd"), "--config", config, "--check-config")
        equal(done.returncode, 0, f"{name}: {done.stderr}")
    check("type: https" in content and not re.search(r"(?m)^# +- type", content), "the examples were not switched on")


def test_unit_exposure(w):
    """systemd finds the unit sound and tight"""
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    tree = installed(w)
    path = tree / "usr/lib/systemd/system/earshot.service"
    # Names of sections and keys; programs are looked for below the root that is given.
    done = run("systemd-analyze", "verify", "--man=no", "--root", tree, path)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "earshot.service" in line]
    equal([c for c in complaints if "not found" not in c and "Failed to load" not in c], [], "complaints")
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={int(EXPOSURE_MAX * 10)}", path)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    check(done.returncode == 0 and exposure, f"exposure above {EXPOSURE_MAX}: {done.stdout[-300:]}{done.stderr}")
    w.note(f"exposure level {exposure[1]} (systemd-analyze security)")


def test_install(w):
    """install puts every program where the unit and the sensor look for it, and uninstall removes it"""
    tree = installed(w)
    for argv in unit()["ExecStart"] + unit()["ExecStartPre"]:
        check((tree / argv.split()[0].lstrip("/")).is_file(), f"{argv}: not installed")
    for name in ("compiler", "surveyor", "inspector", "keeper", "shipper"):
        check(os.access(tree / "usr/lib/earshot" / f"earshot-{name}", os.X_OK), f"earshot-{name}: not installed")
    # The installed daemon finds its roles: checking a configuration starts the compiler.
    done = run(tree / "usr/sbin/earshotd", "--config", tree / "etc/earshot/earshot.yaml", "--check-config")
    equal(done.returncode, 0, f"installed earshotd --check-config: {done.stderr}")
    config = tree / "etc/earshot/earshot.yaml"
    config.write_text("# mine\n")
    installed_again = run(DEPLOY / "install.sh", w.build, tree, "/usr")
    equal((installed_again.returncode, config.read_text()), (0, "# mine\n"), "an existing configuration")
    done = run(DEPLOY / "install.sh", "--uninstall", tree, "/usr")
    equal(done.returncode, 0, done.stderr)
    equal([str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file()], ["etc/earshot/earshot.yaml"], "left behind")


def has_symbols(program):
    done = run("readelf", "-SW", program)
    equal(done.returncode, 0, done.stderr)
    return " .symtab " in done.stdout


def test_install_symbols(w):
    """programs are installed without symbols, unless who packages them wants them; their build-id stays"""
    for env, kept in (({}, False), ({"STRIP": "true"}, True)):
        tree = installed(w, **env)
        programs = [p for p in tree.rglob("*") if p.is_file() and os.access(p, os.X_OK)]
        check(len(programs) >= 12, f"installed: {programs}")
        equal({p.name: has_symbols(p) for p in programs}, {p.name: kept for p in programs}, f"symbols with {env}")
        check(all(".note.gnu.build-id" in run("readelf", "-SW", p).stdout for p in programs), "a program has no build-id")


def test_install_prefix(w):
    """install follows PREFIX in the unit"""
    tree = installed(w, "/opt/earshot")
    text = (tree / "opt/earshot/lib/systemd/system/earshot.service").read_text()
    check("ExecStart=/opt/earshot/sbin/earshotd " in text and "=/usr/sbin" not in text, "the unit names another prefix")


def test_users(w):
    """the users that the sensor's processes switch to are those that sysusers and the image make"""
    source = (ROOT / "user/proc/role.c").read_text()
    wanted = set(re.findall(r'\[ROLE_\w+\] = \{ "\w+", "[\w-]+", "([\w-]+)" \}', source))
    check(wanted, "no users found in role.c")
    made = set(re.findall(r"(?m)^u (\S+)", (DEPLOY / "earshot.sysusers").read_text()))
    equal(made, wanted, "sysusers")
    docker = set(re.findall(r"useradd .* ([\w-]+)(?: &&.*)?$", (DEPLOY / "Dockerfile").read_text(), re.M))
    equal({d for d in docker if d != "\\"}, wanted, "Dockerfile")


def test_runtime_packages(w):
    """the image's list of packages covers the libraries of every program"""
    programs = [w.program(n) for n in ("earshotd", "earshot", "earshot-inspector", "earshot-keeper", "earshot-shipper")]
    done = run(DEPLOY / "runtime-packages", *programs)
    equal(done.returncode, 0, done.stderr)
    packages = done.stdout.split()
    check("libc6" in packages and any(p.startswith("libbpf") for p in packages), f"packages: {packages}")


def test_runs_with_caps(w):
    """started as root with only those capabilities, the sensor sees a real client's call"""
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    caps = ",".join("+" + c.removeprefix("CAP_").lower() for c in sorted(sensor_caps(w)))
    pki = Pki(w.dir / "pki")
    server = start_uvicorn(w, pki)
    sensor = Sensor(w)
    sensor.start(prefix=["setpriv", f"--bounding-set=-all,{caps}", "--inh-caps=-all", "--no-new-privs"])
    traffic = Traffic(sensor)
    traffic.run(Client(w, "curl", pki), server, [traffic.job(hostile("caps")[0])])
    for pid in sensor.processes():
        with open(f"/proc/{pid}/status") as f:
            fields = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
        check("0" not in fields["Uid"].split(), f"{fields['Name']} still runs as root")
        if pid != sensor.process.pid:
            equal(int(fields["CapEff"], 16), 0, f"capabilities of {fields['Name']}")
    equal(sensor.stop(), 0, "exit code after SIGINT")


main()
