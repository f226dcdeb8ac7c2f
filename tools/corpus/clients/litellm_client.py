"""litellm: one call, the APIs of several providers."""
import os
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402

import record  # noqa: E402
from record import KEY, chat, chunk, plain, stream, zipped  # noqa: E402
from wire import events, reply  # noqa: E402

VERSION = version("litellm")
REFUSED = litellm.exceptions.APIError
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of Colombia?"}]


def fresh(call):
    """With connections of its own."""
    def run():
        litellm.in_memory_llm_clients_cache.flush_cache()
        return call()

    return run


def rows():
    c = litellm.completion
    litellm.telemetry = False
    litellm.suppress_debug_info = True

    yield "openai", fresh(lambda: c("openai/gpt-4o", ASKED, api_key=KEY, max_retries=0)), [zipped(chat({"content": "Bogotá."}))]
    yield "openai-stream", fresh(lambda: list(c("openai/gpt-4o-mini", ASKED, api_key=KEY, max_retries=0, stream=True))), [stream(
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Bogo"}), chunk({"content": "tá."}), chunk({}, "stop"),
         record.usage_chunk(20, 3)])]
    yield "anthropic", fresh(lambda: c("anthropic/claude-sonnet-4-5", ASKED, api_key="sk-ant-api03-" + "T3stK3y0" * 4, max_retries=0)), [reply(
        {"id": "msg_01XFD", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
         "stop_sequence": None, "content": [{"type": "text", "text": "Bogotá."}], "usage": {"input_tokens": 18, "output_tokens": 4}})]
    yield "gemini", fresh(lambda: c("gemini/gemini-2.5-flash", ASKED, api_key="AIza" + "T3stK3y" * 5, max_retries=0)), [reply(
        {"candidates": [{"content": {"parts": [{"text": "Bogotá."}], "role": "model"}, "finishReason": "STOP", "index": 0}],
         "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}, "modelVersion": "gemini-2.5-flash",
         "responseId": "mAitaLmkHPPl"})]
    yield "mistral-stream", fresh(lambda: list(c("mistral/mistral-small-latest", ASKED, api_key="T3stK3y0" * 4, max_retries=0, stream=True))), [
        events([chunk({"role": "assistant", "content": ""}), chunk({"content": "Bogotá."}), chunk({}, "stop")])]
    yield "embed", fresh(lambda: litellm.embedding("openai/text-embedding-3-small", input=["one text"], api_key=KEY, max_retries=0)), [plain(
        {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 2, "total_tokens": 2},
         "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.25]}]})]
