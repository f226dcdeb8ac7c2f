#!/usr/bin/env python3
"""tools/train/senses.py - prints which words have which sense, for earshot-train: a line "number word" for each, "word*" for
the beginning of one. English words are those of senses.txt; the lists of the rule packs add those of other languages."""
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
PACKS = os.path.join(HERE, "../../user/detect/packs")
# What the lists of a pack are called.
LISTS = {
    "IGNORE": "IGNORE", "OFF": "OFF", "EARLIER": "PRIOR", "ABOVE": "PRIOR", "ORDERS": "INSTR", "LIMITS": "LIMITS", "AI": "AGENT",
    "SHOW": "REVEAL", "REPEAT": "REVEAL", "GIVE": "MAKE", "USER": "USER", "SEND": "SEND", "CALL": "TOOL", "TOOL": "TOOL",
    "DATA": "SECRET", "NOTTELL": "HIDE", "READS": "READS", "ATTENTION": "ATTN", "UNASKED": "NOW", "WITHOUT": "NOT", "NEVER": "NOT",
    "TEXT": "BODY", "REFUSE": "REFUSE",
}
SHORTEST = 3  # letters of a word
# Scripts without blanks between words: there each character is a token.
ALONE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff]")
ASCII_STEM, STEM = 5, 8  # as in user/detect/features.c


def stem(word):
    """How it begins, in bytes; None if it is no longer than that."""
    raw = word.encode()
    n = ASCII_STEM if raw[0] < 128 else STEM
    return raw[:n] if len(raw) >= n else None


def english():
    """Words that must mean in other languages what they mean in English."""
    words = set()
    for name in ("benign", "direct", "indirect"):
        with open(f"{HERE}/seeds/{name}.txt", encoding="utf-8") as f:
            words.update(re.findall(r"[a-z]+", f.read().lower()))
    return words


def main():
    known, names = {}, []
    with open(HERE + "/senses.txt", encoding="utf-8") as f:
        for line in f:
            if line.startswith("# "):
                continue
            name, *words = line.split()
            names.append(name)
            for word in words:
                known.setdefault((stem(word[:-1]), True) if word.endswith("*") else (word.encode(), False), name)
    spoken = english() - {word.decode() for word, begins in known if not begins}
    starts = {stem(w) for w in spoken}
    for path in sorted(os.listdir(PACKS)):
        if not path.startswith("lang-") or path == "lang-en.yaml":
            continue
        with open(os.path.join(PACKS, path), encoding="utf-8") as f:
            lists = yaml.load(f, Loader=yaml.BaseLoader)["words"]
        for name, sense in LISTS.items():
            for word in lists.get(name) or ():
                if isinstance(lists[name], str):
                    break
                whole = word.endswith("$")
                word = word.strip(" $'").lower()
                if not re.fullmatch(r"[^\W\d_]+", word) or len(word) < SHORTEST or ALONE.search(word) or word in spoken:
                    continue
                known.setdefault((word.encode(), False), sense)
                if not whole and stem(word) and stem(word) not in starts:
                    known.setdefault((stem(word), True), sense)
    for (word, begins), name in known.items():
        sys.stdout.buffer.write(b"%d %s%s\n" % (names.index(name) + 1, word, b"*" if begins else b""))


main()
