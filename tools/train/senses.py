#!/usr/bin/env python3
"""tools/train/senses.py - prints which words have which sense, for earshot-train: a line "number word" for each, "word*" for
the beginning of one. First those of senses.txt; the lists of the rule packs add more of other languages than English."""
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
# As in user/detect/features.c. Scripts in which each character is a token, and how many of them a word has at most.
ALONE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff]+")
RUN = 9
STEMS = ((0x80, 5), (0xe0, 8), (0x100, 15))
# What is written together with the word behind it.
PREFIXES = {
    "ar": ("ال", "و", "ب", "ل", "لل", "بال", "وال"),
    "he": ("ה", "ו", "ל", "ב", "מה", "ש", "כל"),
}


def stem(word):
    """How it begins, in bytes; None if it is no longer than that."""
    raw = word.encode()
    n = next(n for first, n in STEMS if raw[0] < first)
    return raw[:n] if len(raw) >= n and not ALONE.match(word) else None


def usable(word):
    if ALONE.search(word):
        return ALONE.fullmatch(word) and 2 <= len(word) <= RUN
    return re.fullmatch(r"[^\W\d_][\w\u0900-\u0d7f]*", word) and len(word) >= SHORTEST


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
            if name not in names:
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
                if not usable(word) or word in spoken:
                    continue
                for prefix in ("",) + PREFIXES.get(path[5:7], ()):
                    known.setdefault(((prefix + word).encode(), False), sense)
                if not whole and stem(word) and stem(word) not in starts:
                    known.setdefault((stem(word), True), sense)
    for (word, begins), name in known.items():
        sys.stdout.buffer.write(b"%d %s%s\n" % (names.index(name) + 1, word, b"*" if begins else b""))


main()
