"""tests/e2e/test_docs.py - man pages and completion name every option, field and key that there is, and none that there is not."""

import re
import shutil
import subprocess

from harness import ROOT, Skip, check, equal, main

OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")


def help_of(w, *argv):
    done = subprocess.run([w.program(argv[0]), *argv[1:], "--help"], capture_output=True, text=True, timeout=30)
    equal((done.returncode, done.stderr), (0, ""), f"--help of {argv}")
    return set(OPTION.findall(done.stdout))


def page(name):
    """The page's source, and the options it describes."""
    text = (ROOT / "docs/man" / name).read_text()
    return text, set(re.findall(r"\bFl -([a-z][a-z-]+)", text))


def words(text):
    """What a page marks as literal names."""
    found = set()
    for line in text.splitlines():
        if line.startswith((".Cm ", ".It Cm ")):
            found |= set(re.findall(r"[a-z_]+", line))
    return found


def completed():
    return set(OPTION.findall((ROOT / "deploy/earshot.bash-completion").read_text()))


def test_cli_options(w):
    """earshot(1) has the options of every verb, and so has completion."""
    options = help_of(w, "earshot")
    text = subprocess.run([w.program("earshot"), "--help"], capture_output=True, text=True, timeout=30).stdout
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?)\b", text.split("Options:")[0], re.M)
    check({"alerts show", "replay", "status"} <= set(verbs), f"verbs found in help: {verbs}")
    for verb in verbs:
        options |= help_of(w, "earshot", *verb.split())
    check("wait" in options and "counters" in options, f"options found in help: {options}")
    equal(page("earshot.1")[1], options, "options of earshot(1)")
    equal(options - completed(), set(), "options without completion")


def test_daemon_options(w):
    """earshotd(8) has the options of earshotd, and so has completion."""
    options = help_of(w, "earshotd")
    check("check-config" in options, f"options found in help: {options}")
    equal(page("earshotd.8")[1], options, "options of earshotd(8)")
    equal(options - completed(), set(), "options without completion")


def test_collector_options(w):
    """earshot-collector(8) has the options of earshot-collector, and so has completion."""
    options = help_of(w, "earshot-collector")
    check("client-ca" in options, f"options found in help: {options}")
    equal(page("earshot-collector.8")[1], options, "options of earshot-collector(8)")
    equal(options - completed(), set(), "options without completion")


def fields_of(message):
    """Names as they are in JSON."""
    proto = (ROOT / "proto/earshot.proto").read_text()
    body = re.search(rf"^message {message} {{\n(.*?)^}}", proto, re.M | re.S)[1]
    names = re.findall(r"^  (?:repeated )?[\w.<>, ]+ ([a-z_]+) = \d+;", body, re.M)
    check(names, f"fields of {message}")
    wall = {"first_seen_ns", "last_seen_ns", "started_ns", "time_ns", "upstream_ok_ns"}
    return {n[:-3] if n in wall else n for n in names}


def test_fields(w):
    """earshot(1) has every field of the JSON that earshot prints."""
    described = words(page("earshot.1")[0])
    for message in ("Alert", "Mapping", "Context", "Process", "Container", "Socket", "Api", "Model", "Caller", "Completeness",
                    "Evidence", "Location", "Body", "FindingId", "StatusReply", "RoleStatus"):
        equal(fields_of(message) - described, set(), f"fields of {message} that earshot(1) lacks")


def test_keys(w):
    """earshot.yaml(5) has every key of the configuration, and no other."""
    source = (ROOT / "user/config/config.c").read_text()
    keys = set(re.findall(r"^\t\{ \"(\w+)\", (?:set|yamlread)_\w+,", source, re.M))
    check({"state_dir", "export", "url"} <= keys, f"keys found: {keys}")
    items = re.findall(r"^\.It (.*)", page("earshot.yaml.5")[0], re.M)
    described = {key for item in items for key in re.findall(r"Cm (\w+) :", item)}
    equal(described, keys, "keys of earshot.yaml(5)")


def test_example(w):
    """The example of earshot.yaml(5) is a configuration."""
    text = re.search(r"^\.Bd -literal\n(.*?)^\.Ed", page("earshot.yaml.5")[0], re.M | re.S)[1]
    config = w.dir / "example.yaml"
    config.write_text(text)
    done = subprocess.run([w.program("earshotd"), "--config", config, "--check-config"], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0, f"exit code of --check-config: {done.stderr}")


def test_reference(w):
    """docs/reference.md is what the tables print."""
    done = subprocess.run([w.program("earshot-docs")], capture_output=True, text=True, timeout=30)
    equal(done.returncode, 0, "exit code of earshot-docs")
    check(done.stdout == (ROOT / "docs/reference.md").read_text(), "docs/reference.md is old: make docs")


def test_pages_render(w):
    """Every page renders without a warning."""
    if not shutil.which("man"):
        raise Skip("man is not installed")
    for source in sorted((ROOT / "docs/man").glob("*.[158]")):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", source], capture_output=True, text=True, timeout=20)
        equal(done.stderr, "", f"warnings of {source.name}")
        check(len(done.stdout) > 1000, f"{source.name} is empty")


if __name__ == "__main__":
    main(needs_root=False)
