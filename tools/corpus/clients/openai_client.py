"""The openai package, at OpenAI and at Azure."""
import openai

import record
import record_families
from record import KEY

VERSION = openai.__version__
REFUSED = openai.APIError


def rows():
    client = openai.OpenAI(api_key=KEY, max_retries=0)
    azure = openai.AzureOpenAI(azure_endpoint="https://contoso.openai.azure.com", api_key="a" * 32, api_version="2025-04-01-preview",
                               max_retries=0)
    phi = openai.OpenAI(base_url="https://contoso.services.ai.azure.com/models", api_key="b" * 32, max_retries=0)
    groups = (record.calls(client), record.azure_calls(azure), record_families.openai_calls(client, azure),
              record_families.inference_calls(phi))
    for group in groups:
        for name, _host, call, answer in group:
            yield name.removeprefix("inputs_").replace("_", "-"), call, [answer]
