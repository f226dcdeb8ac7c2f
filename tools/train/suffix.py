#!/usr/bin/env python3
"""tools/train/suffix.py - rows for tools/train/suffix.c: harmless prompts, and others with a suffix as optimisers make them.

    suffix.py DATA_DIR | build/earshot-suffix > user/detect/suffix_data.c

The suffixes are made here of pieces of the harmless texts, cut as tokenizers cut them: words, parts of words, signs. Writes
per row a line "label fold length" and the text. A source's rows are in one fold. The same data gives the same rows.
"""
import gzip
import json
import os
import random
import re
import sys
import zlib

SEED = 20
FOLDS = 5
SUFFIXES = 6000
PIECES = 30000
LONGEST = 8000  # bytes of a row
PROMPT = 300  # of one that gets a suffix
PIECE = re.compile(r" ?[A-Za-z]+| ?[^\sA-Za-z0-9\x80-\U0010ffff]{1,6}| ?\d{1,3}")


def write(label, fold, text):
    data = text.encode(errors="replace")[:LONGEST]
    sys.stdout.buffer.write(b"%d %d %d\n%s\n" % (label, fold, len(data), data))


def cut(piece):
    """a word, or a part of it: tokenizers know common words whole"""
    word = piece.strip()
    if not word.isalpha() or len(word) < 5 or random.random() < 0.6:
        return piece
    at = random.randrange(2, len(word) - 1)
    return " " + word[:at] if random.random() < 0.5 else word[at:]


def suffix(words, signs, share, joined):
    out = ""
    for _ in range(random.choice((14, 20, 20, 20, 30, 40))):
        piece = random.choice(signs) if random.random() < share else cut(random.choice(words))
        out += piece.lstrip() if random.random() < joined else piece
    return out


def main():
    random.seed(SEED)
    counts, prompts = {}, []
    with gzip.open(os.path.join(sys.argv[1], "train.jsonl.gz"), "rt") as f:
        for line in f:
            r = json.loads(line)
            if r["label"] or "GPL" in r["license"] or not r["text"]:
                continue
            fold = zlib.crc32(r["group"].encode()) % FOLDS
            if r["group"] == "bd_wildchat":  # many people
                fold = zlib.crc32(r["text"].encode()) % FOLDS
            if zlib.crc32(r["text"].encode()) % 4 == 0:
                for piece in PIECE.findall(r["text"][:1000]):
                    counts[piece] = counts.get(piece, 0) + 1
            if r["surface"] == "user":
                write(0, fold, r["text"])
                if len(r["text"]) < PROMPT:
                    prompts.append(r["text"])
    pieces = sorted(counts, key=lambda p: (-counts[p], p))[:PIECES]
    words = [p for p in pieces if p.strip().isalnum()]
    signs = [p for p in pieces if not p.strip().isalnum()]
    for _ in range(SUFFIXES):
        made = suffix(words, signs, random.choice((0.03, 0.1, 0.2, 0.35)), random.choice((0.2, 0.4, 0.5)))
        write(1, random.randrange(FOLDS), random.choice(prompts) + " " + made)


main()
