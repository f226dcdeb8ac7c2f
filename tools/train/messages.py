#!/usr/bin/env python3
"""tools/train/messages.py OUT_DIR - what programs say to their users, by language: harmless sentences full of orders.

Fetches two packages from the Python package index, unless OUT_DIR has them, and draws from their translations: of Django
(BSD-3-Clause) and of Home Assistant's frontend (Apache-2.0). Writes OUT_DIR/messages/LANG.txt, one message a line; format codes
become "42", mark-up and short messages are left out. The same packages give the same files.
"""

import gettext
import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile

PACKAGES = ("Django==5.2", "home-assistant-frontend==20250109.2")
LANGUAGES = ("ar bg bn ca cs da de el es et fa fi fr he hi hr hu id it ja ko lt lv ms nb nl pl pt ro ru sk sl sr sv ta th tr uk ur"
             " vi zh").split()
FOLDERS = {"zh": "zh_Hans"}  # as the packages call them, with - or _
LINES = 800
BYTES = range(30, 256)
CODES = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[^{}]*\}")
MARKUP = re.compile(r"[<>{}|\\]|https?:")


def fetch(out):
    folder = os.path.join(out, "packages")
    if not os.path.isdir(folder):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder + ".new",
                        *PACKAGES], check=True)
        os.rename(folder + ".new", folder)
    return [zipfile.ZipFile(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings(v)


def messages(packages, lang):
    folder = FOLDERS.get(lang, lang)
    catalogue = re.compile(rf"django/.*/locale/{folder}/LC_MESSAGES/django\.mo")
    table = re.compile(rf"hass_frontend/static/translations/(?:[a-z_-]+/)?{folder.replace('_', '-')}-[0-9a-f]{{32}}\.json")
    for package in packages:
        for name in sorted(package.namelist()):
            if catalogue.fullmatch(name):
                known = gettext.GNUTranslations(io.BytesIO(package.read(name)))._catalog
                yield from (v for k, v in known.items() if k and isinstance(v, str))
            elif table.fullmatch(name):
                yield from strings(json.loads(package.read(name)))


def main():
    out = sys.argv[1]
    os.makedirs(os.path.join(out, "messages"), exist_ok=True)
    packages = fetch(out)
    for lang in LANGUAGES:
        found = (" ".join(CODES.sub("42", m).split()) for m in messages(packages, lang))
        usable = sorted({m for m in found if len(m.encode()) in BYTES and not MARKUP.search(m)})
        drawn = sorted(random.Random(lang).sample(usable, min(LINES, len(usable))))
        if not drawn:
            sys.exit(f"{lang}: the packages hold no message")
        with open(os.path.join(out, "messages", lang + ".txt"), "w", encoding="utf-8") as f:
            f.writelines(m + "\n" for m in drawn)


main()
