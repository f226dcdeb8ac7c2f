#!/usr/bin/env python3
"""tools/train/prepare.py - chooses, cleans and weighs the rows that the classifier is trained on.

    prepare.py DATA_DIR OUT     reads train.jsonl.gz there and the seeds here, writes OUT and OUT.meta

OUT is what earshot-train reads. OUT.meta has a JSON line per row: id, label, surface, source, family, lang.
Everything is drawn with one seed: the same data gives the same rows.
"""
import collections
import gzip
import json
import random
import re
import sys
import zlib

SEED = 20
LONGEST = 12000  # characters of a row that are used

# Sources that are one source under several names, or copies of each other: left out together.
FAMILIES = [
    ("hackaprompt", ("kaif_hackaprompt", "ps_HackAPrompt", "ps_val", "giskard")),
    ("in-the-wild", ("itw_", "gptfuzzer", "pyrit_")),
    ("goodwiins", ("goodwiins_",)),
    ("deepset", ("deepset_",)),
    ("tensor-trust", ("tt_",)),
    ("bipia", ("bipia_",)),
    ("llmail", ("llmail_",)),
]
# Rows per source and weight of all of them together. What is not named: 600 rows.
ROWS = {
    "bd_wildchat": 7000, "bd_ultrachat": 6000, "bd_oasst2": 5000, "bd_triviaqa": 1200, "bd_mmlu": 1200,
    "bd_dolly": 1000, "ps_Ultrachat_200k": 980, "bfcl_user": 1200, "gpteacher_tool": 1200, "gpteacher_roleplay": 1900,
    "bfcl_tools": 900, "apibank": 900, "tau_fewshot": 900, "leaked_system_prompts": 1260, "tt_defense": 1500,
    "kaif_hackaprompt": 1400, "ps_HackAPrompt": 1248, "itw_early": 860, "llmail_phase1": 2200,
    "goodwiins_adversarial_training": 593, "goodwiins_notinject_expanded": 1251,
    "debhandbook": 800, "manpages": 800,
}
T0_ROWS = 45  # of each of the many prompts of T0


def family_of(source):
    for name, prefixes in FAMILIES:
        if source.startswith(prefixes):
            return name
    return re.split(r"[_]", source)[0] + "_" + source.split("_")[1] if source.startswith("t0_") else source


def sketch(text):
    """The four smallest hashes of its runs of four words: near copies share most of them."""
    words = re.sub(r"[\d_]+", "0", text.lower())
    words = re.findall(r"\w+", words)
    runs = {zlib.crc32(" ".join(words[i:i + 4]).encode()) for i in range(max(1, len(words) - 3))}
    return sorted(runs)[:4]


class Copies:
    """Recognises near copies of what it saw."""

    def __init__(self):
        self.seen = collections.defaultdict(set)
        self.n = 0

    def is_copy(self, text):
        hashes = sketch(text)
        votes = collections.Counter()
        for h in hashes:
            votes.update(self.seen[h])
        if votes and votes.most_common(1)[0][1] >= max(1, len(hashes) - 1):
            return True
        self.n += 1
        for h in hashes:
            self.seen[h].add(self.n)
        return False


def usable(row):
    licence = row["license"]
    return not ("GPL" in licence or "CC-BY-SA" in licence or row["group"] == "leaked_system_prompts")


def read(path):
    sources = collections.defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            sources[row["group"], row["label"]].append(row)
    return sources


def choose(sources, rng):
    for (source, label), rows in sorted(sources.items()):
        want = T0_ROWS if source.startswith("t0_") else ROWS.get(source, 600)
        copies = Copies()
        rng.shuffle(rows)
        for row in rows:
            if not want:
                break
            text = row["text"][:LONGEST]
            if not text.strip() or copies.is_copy(text):
                continue
            want -= 1
            yield {"source": source, "label": label, "lang": row["lang"], "text": text, "train": usable(row),
                   "surface": {"document": "content", "tool": "content", "system": "operator"}.get(row["surface"], "user")}


def main():
    rng = random.Random(SEED)
    rows = list(choose(read(sys.argv[1] + "/train.jsonl.gz"), rng))
    folds = {}
    attack_families = sorted({family_of(r["source"]) for r in rows if r["label"]})
    for i, name in enumerate(attack_families):
        folds[name] = i
    others = sorted({family_of(r["source"]) for r in rows} - set(attack_families))
    rng.shuffle(others)
    for i, name in enumerate(others):
        folds[name] = i % len(attack_families)
    sizes = collections.Counter((family_of(r["source"]), r["label"], r["surface"]) for r in rows)
    with open(sys.argv[2], "wb") as out, open(sys.argv[2] + ".meta", "w") as meta:
        for i, r in enumerate(rows):
            family = family_of(r["source"])
            n = sizes[family, r["label"], r["surface"]]
            weight = (min(n, 400) / n) ** 0.7 if r["label"] else 0.5
            text = r.pop("text").encode("utf-8", "replace")
            surface = ("user", "content", "operator").index(r["surface"])
            train = r["train"] and r["source"] not in ("goodwiins_notinject_expanded", "tt_defense", "bfcl_system")
            out.write(b"%d %d %d %d %.4f %d %d\n" % (i, r["label"], surface, folds[family], weight, train, len(text)))
            out.write(text + b"\n")
            meta.write(json.dumps({"id": i, "family": family, "trained": train, "len": len(text), **r}) + "\n")


main()
