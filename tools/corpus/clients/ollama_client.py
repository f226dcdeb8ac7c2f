"""The ollama package, at an Ollama behind TLS."""
from importlib.metadata import version

import ollama

import record_families

VERSION = version("ollama")
REFUSED = ollama.ResponseError


def rows():
    for name, _host, call, answer in record_families.ollama_calls(ollama.Client(host="https://ollama.example")):
        yield name.removeprefix("ollama_").replace("_", "-"), call, [answer]
