"""The cohere package, its second API."""
import cohere
from cohere.core.api_error import ApiError

from wire import WEATHER, events, reply

VERSION = cohere.__version__
REFUSED = ApiError
MODEL = "command-a-03-2025"
USAGE = {"billed_units": {"input_tokens": 12, "output_tokens": 7}, "tokens": {"input_tokens": 507, "output_tokens": 9}}
ID = "c14c80c3-18eb-4519-9460-6c92edd8cfb4"


def delta(kind, index, message):
    return kind, {"type": kind, "index": index, "delta": {"message": message}}


def rows():
    c = cohere.ClientV2(api_key="co" + "T3stK3y0" * 5, base_url="https://api.cohere.com")

    yield "chat", lambda: c.chat(model=MODEL, messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who may return shoes?"}],
        documents=[{"id": "1", "data": {"title": "Rules", "text": "Anybody, within 14 days."}}]), [reply(
            {"id": ID, "finish_reason": "COMPLETE", "usage": USAGE, "message": {"role": "assistant", "content": [
                {"type": "text", "text": "Anybody."}], "citations": [{"start": 0, "end": 8, "text": "Anybody.", "sources": [
                    {"type": "document", "id": "1", "document": {"id": "1", "text": "Anybody, within 14 days."}}]}]}})]

    call = {"id": "get_weather_a1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Bogotá\"}"}}
    yield "chat-tools", lambda: c.chat(model=MODEL, tools=[WEATHER], messages=[
        {"role": "user", "content": "Weather in Bogotá?"},
        {"role": "assistant", "tool_plan": "I will look it up.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "get_weather_a1", "content": [{"type": "document", "document": {"data": {"sky": "rain"}}}]}]), [reply(
            {"id": ID, "finish_reason": "TOOL_CALL", "usage": USAGE, "message": {
                "role": "assistant", "tool_plan": "Oslo, too.", "tool_calls": [
                    {**call, "id": "get_weather_b2", "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]}})]

    yield "chat-stream", lambda: list(c.chat_stream(model=MODEL, messages=[{"role": "user", "content": "Weather in Bogotá?"}], tools=[WEATHER])), [
        events([("message-start", {"id": ID, "type": "message-start", "delta": {"message": {
                    "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
                delta("content-start", 0, {"content": {"type": "text", "text": ""}}),
                delta("content-delta", 0, {"content": {"text": "It "}}), delta("content-delta", 0, {"content": {"text": "rains, I think."}}),
                ("content-end", {"type": "content-end", "index": 0}),
                delta("tool-plan-delta", 0, {"tool_plan": "I look"}), delta("tool-plan-delta", 0, {"tool_plan": " it up."}),
                delta("tool-call-start", 0, {"tool_calls": {**call, "function": {"name": "get_weather", "arguments": ""}}}),
                delta("tool-call-delta", 0, {"tool_calls": {"function": {"arguments": "{\"city\":"}}}),
                delta("tool-call-delta", 0, {"tool_calls": {"function": {"arguments": "\"Bogotá\"}"}}}),
                ("tool-call-end", {"type": "tool-call-end", "index": 0}),
                ("message-end", {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": USAGE}})], typed=True)]

    yield "embed", lambda: c.embed(model="embed-v4.0", input_type="search_document", texts=["one text", "another"], embedding_types=["float"]), [
        reply({"id": ID, "response_type": "embeddings_by_type", "texts": ["one text", "another"], "embeddings": {
            "float": [[0.1, -0.25], [0.5, 1.0]]}, "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}}})]
    yield "rerank", lambda: c.rerank(model="rerank-v3.5", query="returns", documents=["Refunds take 14 days.", "We sell shoes."]), [reply(
        {"id": ID, "results": [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}],
         "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}})]
    yield "invalid", lambda: c.chat(model="nope", messages=[{"role": "user", "content": "Hi"}]), [reply(
        {"id": ID, "message": "model 'nope' not found, make sure the correct model ID was used"}, "404 Not Found")]
