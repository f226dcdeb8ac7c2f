#!/usr/bin/env python3
"""tools/corpus/client.py SDK - the operations of one SDK, one after the other, as tools/corpus/record lets it.

A line of JSON for each: its name and what the server is to answer. Then it waits for "go" and makes the calls, with a client and so
connections of its own, and says when it is done.
"""
import base64
import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "clients"), str(HERE.parent.parent / "tests/data/dialect")]


def main():
    sdk = importlib.import_module(sys.argv[1] + "_client")
    out, sys.stdout = sys.stdout, sys.stderr

    def say(**row):
        print(json.dumps(row), file=out, flush=True)

    for i, row in enumerate(list(sdk.rows())):
        name, answers = row[0], row[2]
        say(operation=name, version=sdk.VERSION, answers=[base64.b64encode(a).decode() for a in answers])
        if sys.stdin.readline() != "go\n":
            continue
        try:
            list(sdk.rows())[i][1]()
            say(done=name)
        except sdk.REFUSED as e:
            say(done=name, refused=str(e))
        except Exception as e:
            say(error=f"{type(e).__name__}: {e}")


main()
