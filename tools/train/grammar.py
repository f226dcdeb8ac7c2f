"""tools/train/grammar.py - sentences from the seed files.

A seed file has lists: "= name" begins one, each line below is one way to fill it, {name} in a line stands for any line
of that list, "\\n" for a line end and {{ }} for braces. "#" begins a comment.
"""
import re


def load(path):
    lists, name = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("= "):
                name = line[2:]
                lists[name] = []
            elif name and not line.startswith("# "):
                lists[name].append(line)
    return lists


def escaped(line):
    return line.replace("{{", "\x01").replace("}}", "\x02")


def fill(lists, line, rng):
    text = escaped(line)
    while True:
        slot = re.search(r"\{([a-z]+)\}", text)
        if not slot:
            break
        text = text[:slot.start()] + escaped(rng.choice(lists[slot[1]])) + text[slot.end():]
    text = text.replace("\x01", "{").replace("\x02", "}").replace("\\n", "\n")
    return text.replace("..", ".") if "..." not in text else text


def draw(lists, name, n, rng):
    """At most n different sentences of that list."""
    out = dict.fromkeys(fill(lists, rng.choice(lists[name]), rng) for _ in range(2 * n))
    return list(out)[:n]
