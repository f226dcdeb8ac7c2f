"""The anthropic package, at Anthropic and at Vertex AI."""
import anthropic

import record_families

VERSION = anthropic.__version__
REFUSED = anthropic.APIError
KEY = "sk-ant-api03-" + "T3stK3y0" * 4


def rows():
    client = anthropic.Anthropic(api_key=KEY, max_retries=0)
    vertex = anthropic.AnthropicVertex(access_token="ya29.test", project_id="p1", region="us-east5", max_retries=0)
    for group in (record_families.anthropic_calls(client), record_families.vertex_calls(vertex)):
        for name, _host, call, answer in group:
            if name != "anthropic_complete":  # no package sends it any more
                yield name.removeprefix("anthropic_").replace("_", "-"), call, [answer]
