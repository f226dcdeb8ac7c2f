"""The mistralai package."""
from importlib.metadata import version

try:
    from mistralai.client import Mistral
    from mistralai.client.errors import MistralError as REFUSED
except ImportError:
    from mistralai import Mistral
    from mistralai.models import MistralError as REFUSED

from record import chat, chunk
from wire import WEATHER, events, reply

VERSION = version("mistralai")
MODEL = "mistral-small-latest"


def answer(message, finish="stop"):
    a = chat({"tool_calls": None, **message}, finish, MODEL)
    return {k: a[k] for k in ("id", "object", "created", "model", "choices", "usage")}


def piece(d, finish=None, **more):
    a = chunk(d, finish, model=MODEL, **more)
    return {k: v for k, v in a.items() if k not in ("service_tier", "system_fingerprint")}


def rows():
    c = Mistral(api_key="T3stK3y0" * 4)

    yield "chat", lambda: c.chat.complete(model=MODEL, safe_prompt=True, messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of Colombia?"}]), [
            reply(answer({"content": "Bogotá."}))]
    call = {"id": "a1B2c3D4e", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Bogotá\"}"}, "index": 0}
    yield "chat-tools", lambda: c.chat.complete(model=MODEL, tools=[WEATHER], messages=[
        {"role": "user", "content": "Weather in Bogotá?"}, {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "get_weather", "tool_call_id": "a1B2c3D4e", "content": "{\"sky\": \"rain\"}"}]), [
            reply(answer({"content": "", "tool_calls": [{**call, "id": "f5G6h7I8j", "function": {
                "name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}}]}, "tool_calls"))]
    yield "chat-stream", lambda: list(c.chat.stream(model=MODEL, messages=[{"role": "user", "content": "Say hello."}])), [events(
        [piece({"role": "assistant", "content": ""}), piece({"content": "Hel"}), piece({"content": "lo."}),
         piece({"content": ""}, "stop", usage={"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9})])]
    yield "fim", lambda: c.fim.complete(model="codestral-latest", prompt="def add(a, b):", suffix="    return c"), [
        reply(answer({"content": "\n    c = a + b\n"}))]
    yield "embed", lambda: c.embeddings.create(model="mistral-embed", inputs=["one text", "another"]), [reply(
        {"id": "e1", "object": "list", "model": "mistral-embed", "data": [
            {"object": "embedding", "index": i, "embedding": [0.1, -0.25]} for i in (0, 1)],
         "usage": {"prompt_tokens": 6, "total_tokens": 6, "completion_tokens": 0}})]
    yield "moderation", lambda: c.classifiers.moderate(model="mistral-moderation-latest", inputs=["I want to hurt them."]), [reply(
        {"id": "m1", "model": "mistral-moderation-2411", "results": [{
            "categories": {"violence_and_threats": True, "sexual": False}, "category_scores": {"violence_and_threats": 0.9, "sexual": 0.0}}]})]
    yield "invalid", lambda: c.chat.complete(model="nope", messages=[{"role": "user", "content": "Hi"}]), [reply(
        {"object": "error", "message": "Invalid model: nope", "type": "invalid_model", "param": None, "code": "1500"}, "400 Bad Request")]
