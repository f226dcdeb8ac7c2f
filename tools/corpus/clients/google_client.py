"""The google-genai package, at Gemini's own API."""
from google import genai

import record_families

VERSION = genai.__version__
REFUSED = genai.errors.APIError


def rows():
    client = genai.Client(api_key="AIza" + "T3stK3y" * 5)
    for name, _host, call, answer in record_families.gemini_calls(client):
        if name != "gemini_array":  # the package asks for events
            # It closes when nobody holds the client.
            yield name.removeprefix("gemini_").replace("_", "-"), lambda call=call, client=client: call(), [answer]
