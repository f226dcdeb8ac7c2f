#!/usr/bin/env python3
"""tools/train/prepare.py - chooses, cleans and weighs the rows that the classifier is trained on.

    prepare.py DATA_DIR OUT     reads train.jsonl.gz there and the seeds here, writes OUT and OUT.meta

OUT is what earshot-train reads. OUT.meta has a JSON line per row: id, label, surface, source, family, lang ...
Everything is drawn with one seed: the same data gives the same rows.
"""
import collections
import gzip
import itertools
import json
import os
import random
import re
import sys
import zlib

import carriers
import grammar

SEED = 20
LONGEST = 12000  # characters of a row that are used
HERE = os.path.dirname(os.path.abspath(__file__))

# Sources that are one source under several names, or copies of each other, are left out together.
FAMILIES = [
    ("hackaprompt", ("kaif_hackaprompt", "ps_HackAPrompt", "ps_val", "giskard")),
    ("in-the-wild", ("itw_", "gptfuzzer", "pyrit_")),
    ("goodwiins", ("goodwiins_",)),
    ("deepset", ("deepset_",)),
    ("tensor-trust", ("tt_",)),
    ("bipia", ("bipia_",)),
    ("llmail", ("llmail_",)),
    ("t0", ("t0_",)),
]
# Rows per source; what is not named: 600, and few of each of the many prompts of T0.
ROWS = {
    "bd_wildchat": 11000, "bd_ultrachat": 6000, "bd_oasst2": 7000, "bd_triviaqa": 1200, "bd_mmlu": 1200,
    "bd_dolly": 1000, "ps_Ultrachat_200k": 980, "bfcl_user": 1200, "gpteacher_tool": 1200, "gpteacher_roleplay": 1900,
    "bfcl_tools": 900, "apibank": 900, "tau_fewshot": 900, "leaked_system_prompts": 1260, "tt_defense": 1500,
    "kaif_hackaprompt": 1400, "ps_HackAPrompt": 1248, "itw_early": 860, "llmail_phase1": 2200,
    "goodwiins_adversarial_training": 593, "goodwiins_notinject_expanded": 1251,
    "debhandbook": 800, "manpages": 800,
}
T0_ROWS = 45
# Of what is left of harmless documents, those with the most different ones of these words: of a source, of each prompt of T0.
WORDS = re.compile(r"\b(ignor|overrid|bypass|disregard|forg[eo]t|instruct|prompt|rule|reveal|secret|passw|hidden|assistant|system|"
                   r"admin|pretend|role|refus|restrict|unlock|disabl|must|never|confirm|forward|answer|follow)")
FULL_ROWS, T0_FULL_ROWS = 200, 12
FOREIGN_ROWS = 120
PAPER_ROWS = 150  # of each kind
OWN = ("seeds-", "kept-", "harmless-", "papers-")  # what such sources begin with
# Folds: unlike languages together; then a quarter of the lines of each language; then one per family of attacks.
LANGUAGE_FOLDS = 4
KEPT_FOLD = 4
FIRST_FOLD = 5
# Never trained on: licences that ask for more than naming the author, and rows kept to measure with.
NOT_TRAINED = ("debhandbook", "manpages", "bd_dolly", "leaked_system_prompts", "goodwiins_notinject_expanded", "tt_defense",
               "bfcl_system", "docs_atlas-data")
# Case studies of attacks, with the attacks: no measure of harmless texts.
QUOTES = ("docs_atlas-data",)


def family_of(r):
    source = r["source"]
    if source == "bd_wildchat":  # many people, and the only one with all languages: left out in thirds
        return "%s-%d" % (source, zlib.crc32(r["text"].encode()) % 3)
    if source.startswith("harmless-"):
        return "seeds-" + source[-2:]
    for name, prefixes in FAMILIES:
        if source.startswith(prefixes):
            return name
    return source


def sketch(text):
    """The four smallest hashes of its runs of four words: near copies share most of them."""
    words = re.findall(r"\w+", re.sub(r"[\d_]+", "0", text.lower()))
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


def read(path):
    sources = collections.defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            sources[row["group"], row["label"]].append(row)
    return sources


def usable(source, licence):
    return "GPL" not in licence and "CC-BY-SA" not in licence and source not in NOT_TRAINED


def take(rows, want, source, copies, dropped):
    for row in rows:
        if not want:
            break
        text = row["text"][:LONGEST]
        if not text.strip() or zlib.crc32(text.encode()) in dropped or copies.is_copy(text):
            continue
        want -= 1
        surface = {"document": "content", "tool": "content", "system": "operator"}.get(row["surface"], "user")
        yield {"source": source, "label": row["label"], "lang": row["lang"], "text": text, "surface": surface,
               "trained": usable(source, row["license"])}


def choose(sources, rng, dropped):
    for (source, label), rows in sorted(sources.items()):
        want = T0_ROWS if source.startswith("t0_") else ROWS.get(source, 600)
        copies = Copies()
        rng.shuffle(rows)
        left = take(rows, want, source, copies, dropped)
        if not label and rows[0]["surface"] in ("document", "tool"):
            full = sorted(rows, key=lambda row: -len(set(WORDS.findall(row["text"][:LONGEST].lower()))))
            more = T0_FULL_ROWS if source.startswith("t0_") else FULL_ROWS
            left = itertools.chain(left, ({**r, "twin": True} for r in take(full, more, source, copies, dropped)))
        yield from left


def row(text, label, surface, source, **more):
    return {"text": text, "label": label, "surface": surface, "source": source, "trained": True, "lang": "en", **more}


COMBINED = {
    "attack.user": ("{ign}", "{ign}", "{rev}", "{per}", "{ign} {rev}", "{per} {ign}", "{per} {per}") + 14 * ("{say}",),
    "attack.content": ("{hid}", "{hid}", "{ign} {hid}", "{hid} {hid}", "{ign}") + 10 * ("{plant}",),
    "benign.user": ("{ben}", "{ben}", "{ben} {ben}") + 6 * ("{ask}",) + ("{ask} {ask}",),
    "benign.content": ("{ben}", "{ben}", "{ben} {ben}") + 4 * ("{read}",) + 2 * ("{read} {read}",),
}


def papers(benign, rng):
    """Harmless documents, full of the words of attacks: (kind, text)."""
    for kind in sorted(name for name in benign if name.startswith("paper.")):
        for _ in range(PAPER_ROWS):
            lines = dict.fromkeys(grammar.fill(benign, rng.choice(benign[kind]), rng) for _ in range(rng.randint(1, 6)))
            yield kind[6:], rng.choice((" ", " ", "\n", "\n\n", "\n- ")).join(lines)


def seeds(pool, rng):
    """Own sentences: alone, in harmless questions, in documents and tool results."""
    questions, texts = pool["user"], pool["content"]
    folder = HERE + "/seeds/"
    common = grammar.load(folder + "common.txt")
    direct, indirect, benign = ({**common, **grammar.load(folder + name)} for name in ("direct.txt", "indirect.txt", "benign.txt"))
    mails = grammar.draw(benign, "bizmail", 1000, rng)
    harmless = list(papers(benign, rng))
    written = grammar.load(folder + "documents.txt")
    documents = [grammar.fill({}, line, rng) for line in written["harmless"]]
    mails += [text for _, text in rng.sample(harmless, 1000)] + 4 * documents
    for kind, text in harmless:
        where = rng.random()
        if where < .4:
            text = carriers.carry(text, texts, rng)
        yield row(text, 0, "user" if where > .85 else "content", "papers-" + kind)
    for text in grammar.draw(direct, "attack.user", 4000, rng):
        if rng.random() < .25:
            text = carriers.splice(text, rng.choice(questions), rng)
        yield row(text, 1, "user", "seeds-direct")
    for text in grammar.draw(indirect, "attack.content", 9000, rng):
        where = rng.random()
        if where < .5:
            text = carriers.splice(text, rng.choice(mails), rng)
        elif where < .92:
            text = carriers.carry(text, texts, rng)
        yield row(text, 1, "content", "seeds-indirect")
    for text in grammar.draw(direct, "attack.user", 700, rng):
        yield row(carriers.carry(text, texts, rng), 1, "content", "seeds-direct")
    for text in grammar.draw(indirect, "attack.content", 500, rng):
        yield row(carriers.splice(text, rng.choice(questions), rng), 1, "user", "seeds-indirect")
    for text in grammar.draw(benign, "benign.user", 5000, rng):
        if rng.random() < .2:
            text = carriers.splice(text, rng.choice(questions), rng)
        yield row(text, 0, "user", "seeds-benign")
    for text in grammar.draw(benign, "benign.content", 6500, rng):
        if rng.random() < .7:
            text = carriers.carry(text, texts, rng)
        yield row(text, 0, "content", "seeds-benign")
    for text in grammar.draw(benign, "benign.user", 700, rng):
        yield row(carriers.carry(text, texts, rng), 0, "content", "seeds-benign")
    for line in 3 * written["planted"]:
        yield row(grammar.fill({}, line, rng), 1, "content", "seeds-indirect")
    for text in 2 * documents:
        if rng.random() < .5:
            text = rng.choice(("\n\n", "\n---\n")).join((text, rng.choice(documents)))
        yield row(text, 0, "content", "seeds-benign")
    for path in sorted(os.listdir(folder + "lang")):
        whole = grammar.load(folder + "lang/" + path)
        kept = {k: v[2::4] for k, v in whole.items()}
        rest = {k: [line for line in v if line not in kept[k]] for k, v in whole.items()}
        yield from language(path[:-4], rest, 120, texts, rng, "seeds-")
        yield from language(path[:-4], kept, 40, texts, rng, "kept-")


def foreign(folder, pool, rng):
    """What programs say to their users in many languages, several sentences together, as a manual or a page has them."""
    for path in sorted(f for f in os.listdir(folder) if f.endswith(".txt")):
        lang = path[:-4]
        with open(folder + path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        for i in range(FOREIGN_ROWS):
            surface = "user" if i % 3 == 0 else "content"
            n = min(len(lines), rng.randint(2, 12 if surface == "user" else 30))
            text = rng.choice((" ", "\n", "\n\n", "\n- ")).join(rng.sample(lines, n))
            if i % 6 == 1:
                text = carriers.carry(text, pool["content"], rng)
            yield row(text, 0, surface, "harmless-" + lang, lang=lang)


def language(lang, lists, n, texts, rng, prefix):
    lists = {"say": ["{ign}"], "plant": ["{hid}"], "ask": ["{ben}"], "read": ["{ben}"], **lists, **COMBINED}
    asked = grammar.draw(lists, "benign.user", 2 * n, rng)
    read = grammar.draw(lists, "benign.content", 2 * n, rng)
    for text in grammar.draw(lists, "attack.user", n, rng):
        if rng.random() < .2:
            text = carriers.splice(text, rng.choice(asked), rng)
        yield row(text, 1, "user", prefix + lang, lang=lang)
    for text in grammar.draw(lists, "attack.content", n, rng):
        text = carriers.splice(text, " ".join(rng.choices(read, k=rng.randint(2, 6))), rng) if rng.random() < .7 else \
            carriers.carry(text, texts, rng)
        yield row(text, 1, "content", prefix + lang, lang=lang)
    for text in asked:
        yield row(text, 0, "user", prefix + lang, lang=lang)
    for text in read:
        if rng.random() < .5:
            text = carriers.splice(text, " ".join(rng.choices(read, k=rng.randint(1, 6))), rng)
        elif rng.random() < .6:
            text = carriers.carry(text, texts, rng)
        yield row(text, 0, "content", prefix + lang, lang=lang)


def twins(rows, rng):
    """The same texts where they also stand: attacks on users' surface quoted into content, documents that a user pastes,
    several questions in one."""
    of = collections.defaultdict(list)
    for r in rows:
        if r["trained"]:
            of[r["surface"], r["label"]].append(r)
    texts = [r["text"] for r in of["content", 0]]
    for r in rng.sample(of["user", 1], 2000):
        if len(r["text"]) < 1500:
            yield {**r, "text": carriers.carry(r["text"], texts, rng), "surface": "content", "twin": True}
    for r in rng.sample([r for r in of["content", 0] if not r["source"].startswith("t0_")], 2500):
        yield {**r, "text": carriers.cut(r["text"], rng, 3000), "surface": "user", "twin": True}
    for r in rng.sample(of["content", 1], 500):
        yield {**r, "surface": "user", "twin": True}
    for _ in range(3500):
        first = rng.choice(of["user", 0])
        same = [first] + [rng.choice(of["user", 0]) for _ in range(rng.randint(1, 9))]
        text = rng.choice(("\n", "\n\n", " ")).join(r["text"] for r in same)
        surface = "user" if rng.random() < .6 else "content"
        yield {**first, "text": text[:LONGEST], "surface": surface, "twin": True}
    for r in rng.sample(of["user", 0], 2500):
        yield {**r, "text": carriers.carry(r["text"], texts, rng), "surface": "content", "twin": True}
    # Harmless content in other languages than English is rare in the data: what people ask in them, several together.
    foreign = collections.defaultdict(list)
    for r in of["user", 0]:
        letters = [c for c in r["text"] if ord(c) > 127]
        if len(letters) > 0.04 * len(r["text"]):
            foreign[max(ord(c) >> 7 for c in letters) if ord(letters[0]) > 0x24f else 0].append(r)
    for script, some in sorted(foreign.items()):
        for r in rng.sample(some, min(len(some), 700)):
            text = rng.choice(("\n", "\n\n", " ")).join([r["text"]] + [rng.choice(some)["text"] for _ in range(rng.randint(1, 6))])
            yield {**r, "text": text[:LONGEST], "surface": "content", "twin": True}


def weigh(source, label, n):
    """A family counts by what it adds, which grows slower than its rows; few sentences stand for a language."""
    if re.fullmatch("(seeds|kept)-..", source):
        return 0.6
    if not label:
        if source.startswith("papers-"):
            return 1.5
        return 1 if source == "seeds-benign" or source.startswith("harmless-") else 0.5
    return (min(n, 400) / n) ** 0.6


def calibrates(r):
    """Real texts as they come: not what was made to confuse."""
    return not (r["label"] or r.get("twin") or r["source"] in QUOTES or
                r["source"].startswith(OWN + ("goodwiins_notinject",)))


def main():
    rng = random.Random(SEED)
    dropped = set()
    with open(HERE + "/dropped.txt") as f:
        dropped.update(int(line.split()[0], 16) for line in f if not line.startswith("#"))
    rows = list(choose(read(sys.argv[1] + "/train.jsonl.gz"), rng, dropped))
    pool = {s: [r["text"] for r in rows if r["trained"] and not r["label"] and r["surface"] == s] for s in ("user", "content")}
    twin_rows = list(twins(rows, rng))
    rows += list(seeds(pool, rng)) + list(foreign(os.path.dirname(sys.argv[2]) + "/messages/", pool, rng)) + twin_rows

    for r in rows:
        r["family"] = family_of(r)
    folds = {}
    families = sorted({r["family"] for r in rows})
    languages = [f for f in families if re.fullmatch("seeds-..", f)]
    kept = [f for f in families if f.startswith("kept-")]
    attacks = sorted({r["family"] for r in rows if r["label"]} - set(languages) - set(kept))
    others = [f for f in families if f not in attacks + languages + kept + ["seeds-benign"]]
    # The large ones each in another fold: a model must have seen some chat.
    many = collections.Counter(r["family"] for r in rows)
    others.sort(key=lambda name: (-many[name], name))
    folds.update((name, i % LANGUAGE_FOLDS) for i, name in enumerate(languages))
    folds.update((name, KEPT_FOLD) for name in kept)
    folds["seeds-benign"] = KEPT_FOLD
    folds.update((name, FIRST_FOLD + i) for i, name in enumerate(attacks))
    folds.update((name, FIRST_FOLD + i % len(attacks)) for i, name in enumerate(others))
    sizes = collections.Counter((r["family"], r["label"], r["surface"]) for r in rows)
    with open(sys.argv[2], "wb") as out, open(sys.argv[2] + ".meta", "w") as meta:
        for i, r in enumerate(rows):
            n = sizes[r["family"], r["label"], r["surface"]]
            weight = weigh(r["source"], r["label"], n)
            cluster = sketch(r["text"])[0]
            text = r.pop("text").encode("utf-8", "replace")
            surface = ("user", "content", "operator").index(r["surface"])
            out.write(b"%d %d %d %d %.4f %d %d %d\n" %
                      (i, r["label"], surface, folds[r["family"]], weight, r["trained"], calibrates(r), len(text)))
            out.write(text + b"\n")
            meta.write(json.dumps({"id": i, "bytes": len(text), "cluster": cluster, "calibrates": calibrates(r), **r}) + "\n")


main()
