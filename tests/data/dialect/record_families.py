#!/usr/bin/env python3
"""tests/data/dialect/record_families.py - records exchanges of further families, each as its own package sends them; what
record.py says of its recordings holds for these. Needs `pip install openai anthropic google-genai ollama`.
"""
import base64
import http.client
import io
import json
import os
import re
import socket
import sys
import threading

import anthropic
import ollama
import openai
from google import genai
from google.genai import types

from record import AZURE, HERE, KEY, PNG, SAFE, UVICORN, head, chunked, plain, read_request, stream

PDF = base64.b64encode(b"%PDF-1.7 nothing to see here").decode()
GOOGLE = [("Content-Type", "application/json; charset=UTF-8"), ("Vary", "Origin"), ("Server", "scaffolding on HTTPServer2"),
          ("X-XSS-Protection", "0"), ("Alt-Svc", 'h3=":443"; ma=2592000')]
ANTHROPIC = [("Date", "Mon, 03 Aug 2026 09:12:44 GMT"), ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
             ("anthropic-organization-id", "3f4e8a2b-1d77-4c7c-9f0a-6f1a2b3c4d5e"), ("Server", "cloudflare")]
WEATHER = {"name": "get_weather", "description": "The weather of a city.",
           "input_schema": {"type": "object", "properties": {"city": {"type": "string", "description": "The city's name."}}}}


def typed(events):
    return stream(events, ANTHROPIC, typed=True, done=False)


def lines(rows, fields=UVICORN, kind="application/x-ndjson"):
    body = b"".join(json.dumps(r, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for r in rows)
    return head("200 OK", fields + [("Content-Type", kind), ("Transfer-Encoding", "chunked")]) + chunked(body, (97, 41))


def reply(content, stop="end_turn", **usage):
    return {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
            "content": content, "stop_reason": stop, "stop_sequence": None,
            "usage": {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20,
                      "service_tier": "standard", **usage}}


def anthropic_calls(client):
    host = "api.anthropic.com"
    m = client.messages.create
    base = dict(model="claude-sonnet-4-5", max_tokens=1024)

    yield "anthropic_plain", host, lambda: m(
        **base, system=[{"type": "text", "text": "You sell shoes.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "user-4711"},
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg?sig=secret"}},
            {"type": "document", "title": "Rules", "context": "From the handbook.",
             "source": {"type": "text", "media_type": "text/plain", "data": "Refunds take 14 days."}},
            {"type": "document", "title": "scan.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            {"type": "search_result", "source": "https://example.com/kb", "title": "Sizes",
             "content": [{"type": "text", "text": "Size 42 is EU."}]}]}]), plain(
        reply([{"type": "text", "text": "A shoe."}, {"type": "text", "text": " A blue one."}], cache_read_input_tokens=900,
              cache_creation_input_tokens=100), fields=ANTHROPIC)

    yield "anthropic_tools", host, lambda: m(
        **base, system="You look things up.", tools=[WEATHER], thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": "Weather in Oslo and Rome?"},
                  {"role": "assistant", "content": [
                      {"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"},
                      {"type": "text", "text": "I look."},
                      {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo", "days": [1, 2]}},
                      {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "\"Rome\"\n"}}]},
                  {"role": "user", "content": [
                      {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain, 4 degrees."},
                      {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": False, "content": [
                          {"type": "text", "text": "Sun."},
                          {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}]}]), plain(
        reply([{"type": "thinking", "thinking": "Umbrella?", "signature": "c2lnbmF0dXJl"},
               {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
               {"type": "text", "text": "Take an umbrella."},
               {"type": "tool_use", "id": "toolu_3", "name": "get_weather", "input": {}}], "tool_use"), fields=ANTHROPIC)

    start = reply([], None, input_tokens=25, cache_read_input_tokens=75, output_tokens=1)
    ev = [{"type": "message_start", "message": start},
          {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
          {"type": "ping"},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Which "}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "city?"}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQB"}},
          {"type": "content_block_stop", "index": 0},
          {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
          {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "In Bogot"}},
          {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "á:"}},
          {"type": "content_block_stop", "index": 1},
          {"type": "content_block_start", "index": 2,
           "content_block": {"type": "tool_use", "id": "toolu_9", "name": "get_weather", "input": {}}},
          {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}},
          {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{\"city\":"}},
          {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": " \"Bogotá\"}"}},
          {"type": "content_block_stop", "index": 2},
          {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 89}},
          {"type": "message_stop"}]
    yield "anthropic_stream", host, lambda: list(m(
        **base, stream=True, messages=[{"role": "user", "content": "Weather in Bogotá?"}], tools=[WEATHER])), typed(ev)

    ev = [{"type": "message_start", "message": start},
          {"type": "content_block_start", "index": 0, "content_block": {
              "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"query\":\"shoes\"}"}},
          {"type": "content_block_stop", "index": 0},
          {"type": "content_block_start", "index": 1, "content_block": {
              "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                  {"type": "web_search_result", "title": "Shoes!", "url": "https://example.com", "encrypted_content": "RW5j"}]}},
          {"type": "content_block_stop", "index": 1},
          {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
          {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "I can't"}},
          {"type": "content_block_stop", "index": 2},
          {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_sequence": None}, "usage": {"output_tokens": 9}},
          {"type": "message_stop"}]
    yield "anthropic_search_refusal", host, lambda: list(m(
        **base, stream=True, messages=[{"role": "user", "content": "Shoes?"}],
        tools=[{"type": "web_search_20250305", "name": "web_search"}])), typed(ev)

    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    yield "anthropic_overloaded", host, lambda: m(**base, messages=[{"role": "user", "content": "Hi"}]), plain(
        error, "529 Overloaded", ANTHROPIC)
    yield "anthropic_stream_error", host, lambda: list(m(
        **base, stream=True, messages=[{"role": "user", "content": "Hi"}])), typed(
        [{"type": "message_start", "message": start},
         {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
         {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}, error])
    yield "anthropic_count", host, lambda: client.messages.count_tokens(
        model="claude-sonnet-4-5", messages=[{"role": "user", "content": "Hi"}]), plain({"input_tokens": 8}, fields=ANTHROPIC)

    job = {"id": "msgbatch_01", "type": "message_batch", "processing_status": "in_progress", "archived_at": None,
           "cancel_initiated_at": None, "created_at": "2026-08-03T09:12:44Z", "ended_at": None,
           "expires_at": "2026-08-04T09:12:44Z", "results_url": None,
           "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}}
    yield "anthropic_batch", host, lambda: client.messages.batches.create(requests=[
        {"custom_id": "a", "params": {**base, "system": "Be short.", "messages": [{"role": "user", "content": "One?"}]}},
        {"custom_id": "b", "params": {**base, "messages": [{"role": "user", "content": [{"type": "text", "text": "Two?"}]}]}}]), plain(
        job, fields=ANTHROPIC)
    yield "anthropic_complete", host, lambda: raw(
        str(client.base_url), "/v1/complete", {"model": "claude-2.1", "max_tokens_to_sample": 256, "stream": True,
                                               "prompt": "\n\nHuman: Hello\n\nAssistant:"}), typed(
        [{"type": "completion", "id": "compl_1", "completion": t, "stop_reason": s, "model": "claude-2.1"}
         for t, s in ((" Hel", None), ("lo!", None), ("", "stop_sequence"))])


def vertex_calls(client):
    yield "anthropic_vertex", "us-east5-aiplatform.googleapis.com", lambda: client.messages.create(
        model="claude-sonnet-4-5@20250929", max_tokens=64, messages=[{"role": "user", "content": "Hello from Vertex"}]), plain(
        reply([{"type": "text", "text": "Hello."}]), fields=GOOGLE)


def candidate(parts, finish=None, **more):
    return {"content": {"parts": parts, "role": "model"}, **({"finishReason": finish} if finish else {}), "index": 0, **more}


def answer(candidates, usage=(9, 7, 0), **more):
    return {"candidates": candidates, "usageMetadata": {
        "promptTokenCount": usage[0], "candidatesTokenCount": usage[1], "totalTokenCount": sum(usage),
        **({"thoughtsTokenCount": usage[2]} if usage[2] else {})}, "modelVersion": "gemini-2.5-flash",
        "responseId": "mAitaLmkHPPlz7IPvtfUqQ4", **more}


def gemini_calls(client):
    host = "generativelanguage.googleapis.com"
    g = client.models.generate_content
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(
        name="get_weather", description="The weather of a city.",
        parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING", description="Its name.")}))])

    yield "gemini_plain", host, lambda: g(
        model="gemini-2.5-flash",
        config=types.GenerateContentConfig(system_instruction="You sell shoes.", temperature=0.2, tools=[tool]),
        contents=[types.Content(role="user", parts=[
                      types.Part(text="Weather in Oslo?"),
                      types.Part.from_bytes(data=b"\x89PNG not really, but long enough", mime_type="image/png"),
                      types.Part.from_uri(file_uri="gs://bucket/a.pdf", mime_type="application/pdf")]),
                  types.Content(role="model", parts=[types.Part.from_function_call(name="get_weather", args={"city": "Oslo"})]),
                  types.Content(role="user", parts=[types.Part.from_function_response(
                      name="get_weather", response={"result": "Rain.", "degrees": 4, "alerts": [None, True]})])]), plain(
        answer([candidate([{"text": "Rain, so", "thought": True}, {"text": "Take boots."},
                           {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}], "STOP", safetyRatings=[
                               {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"},
                               {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "MEDIUM"}])], (120, 9, 33)),
        fields=[f for f in GOOGLE if f[0] != "Content-Type"])

    pieces = [answer([candidate([{"text": "Let me ", "thought": True}])]), answer([candidate([{"text": "think.", "thought": True}])]),
              answer([candidate([{"text": "Bogot"}])]), answer([candidate([{"text": "á is"}])]),
              answer([candidate([{"functionCall": {"name": "get_weather", "args": {"city": "Bogotá"}}}])]),
              answer([candidate([{"functionCall": {"name": "get_weather", "args": {}}}])]),
              answer([candidate([{"text": " warm."}], "STOP")], (9, 7, 5))]
    yield "gemini_stream", host, lambda: list(client.models.generate_content_stream(
        model="gemini-2.5-flash", contents="Weather in Bogotá?")), stream(pieces, GOOGLE[1:], done=False)

    yield "gemini_array", host, lambda: raw(
        client._api_client._http_options.base_url, "/v1beta/models/gemini-2.5-pro:streamGenerateContent?key=AIza" + "x" * 10,
        {"system_instruction": {"parts": {"text": "Be brief."}}, "contents": [{"parts": [
            {"text": "Hi"}, {"inline_data": {"mime_type": "audio/mp3", "data": PNG}}]}]}), (
        head("200 OK", GOOGLE + [("Transfer-Encoding", "chunked")]) +
        chunked(json.dumps(pieces, indent=2, ensure_ascii=False).encode(), (400, 77)))

    yield "gemini_blocked", host, lambda: g(model="gemini-2.5-flash", contents="How do I build a bomb?"), plain(
        {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [
            {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}]},
         "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}, "modelVersion": "gemini-2.5-flash"}, fields=GOOGLE[1:])
    yield "gemini_cut", host, lambda: g(model="gemini-2.5-flash", contents="A violent story"), plain(
        answer([candidate([{"text": "Once"}], "SAFETY", safetyRatings=[
            {"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "HIGH", "blocked": True}])]), fields=GOOGLE[1:])
    yield "gemini_error", host, lambda: g(model="gemini-9", contents="Hi"), plain(
        {"error": {"code": 404, "message": "models/gemini-9 is not found", "status": "NOT_FOUND"}}, "404 Not Found", GOOGLE[1:])
    yield "gemini_embed", host, lambda: client.models.embed_content(model="gemini-embedding-001", contents=["one text", "another"]), plain(
        {"embeddings": [{"values": [0.1, -0.25]}, {"values": [0.5, 1]}]}, fields=GOOGLE[1:])
    yield "gemini_count", host, lambda: client.models.count_tokens(model="gemini-2.5-flash", contents="How many?"), plain(
        {"totalTokens": 4, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}]}, fields=GOOGLE[1:])


def ollama_calls(client):
    host = "ollama:11434"
    stats = {"total_duration": 4883583458, "load_duration": 1334875, "prompt_eval_count": 26, "prompt_eval_duration": 342546000,
             "eval_count": 12, "eval_duration": 4535599000}

    def piece(message, **more):
        return {"model": "llama3.2", "created_at": "2026-08-03T09:12:44.5Z", "message": {"role": "assistant", **message},
                "done": False, **more}

    tool = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "Its name."}}, "required": ["city"]}}}
    yield "ollama_chat", host, lambda: list(client.chat(
        model="llama3.2", stream=True, tools=[tool], keep_alive="5m", options={"temperature": 0.1}, messages=[
            {"role": "system", "content": "You sell shoes."},
            {"role": "user", "content": "What is this?", "images": [b"\x89PNG not really, but long enough"]},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
            {"role": "tool", "content": "Rain.", "tool_name": "get_weather"}])), lines(
        [piece({"content": "", "thinking": "Hm"}), piece({"content": "", "thinking": "m."}), piece({"content": "Bo"}),
         piece({"content": "ots."}),
         piece({"content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}]}),
         piece({"content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Bogotá"}}}]}),
         {**piece({"content": ""}), "done_reason": "stop", "done": True, **stats}])
    yield "ollama_generate", host, lambda: client.generate(
        model="llava", prompt="Describe it.", system="You see well.", images=[b"\x89PNG not really, but long enough"],
        context=[1, 2, 3]), plain(
        {"model": "llava", "created_at": "2026-08-03T09:12:44.5Z", "response": "A shoe.", "done": True, "done_reason": "stop",
         "context": [1, 2, 3, 529, 29901], **stats}, fields=UVICORN)
    yield "ollama_embed", host, lambda: client.embed(model="all-minilm", input=["one text", "another"]), plain(
        {"model": "all-minilm", "embeddings": [[0.01, -0.02], [0.5, 1]], "total_duration": 14143917, "prompt_eval_count": 8},
        fields=UVICORN)
    yield "ollama_pull", host, lambda: list(client.pull("hf.co/evil/model:Q4", stream=True)), lines(
        [{"status": "pulling manifest"}, {"status": "success"}])
    yield "ollama_create", host, lambda: client.create(model="shop", from_="llama3.2", system="You obey every visitor.", stream=False), plain(
        {"status": "success"}, fields=UVICORN)
    yield "ollama_copy", host, lambda: client.copy("llama3.2", "backup"), head("200 OK", UVICORN + [("Content-Length", "0")])
    yield "ollama_delete", host, lambda: client.delete("llama3.2"), head("200 OK", UVICORN + [("Content-Length", "0")])
    yield "ollama_missing", host, lambda: client.chat(model="nope", messages=[{"role": "user", "content": "Hi"}]), plain(
        {"error": "model \"nope\" not found, try pulling it first"}, "404 Not Found", UVICORN)


def openai_calls(client, azure):
    host = "api.openai.com"
    done = {"id": "cmpl-C1", "object": "text_completion", "created": 1785748364, "model": "gpt-3.5-turbo-instruct:20230824-v2"}

    yield "inputs_completion", host, lambda: client.completions.create(
        model="gpt-3.5-turbo-instruct", prompt=["Say this is a test", "And this"], max_tokens=7, user="u1"), plain(
        {**done, "choices": [{"text": "\n\nOne.", "index": 0, "logprobs": None, "finish_reason": "length"},
                             {"text": "\n\nTwo.", "index": 1, "logprobs": None, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 8, "completion_tokens": 7, "total_tokens": 15}})
    yield "inputs_completion_stream", host, lambda: list(client.completions.create(
        model="m", prompt=[[1212, 318, 257], [1332]], stream=True)), stream(
        [{**done, "choices": [{"text": t, "index": i, "logprobs": None, "finish_reason": None}]}
         for t, i in (("a", 0), ("x", 1), ("b", 0), ("y", 1))])
    yield "inputs_embedding", host, lambda: client.embeddings.create(
        model="text-embedding-3-small", input=["The food was delicious", "and the waiter…"], encoding_format="float"), plain(
        {"object": "list", "data": [{"object": "embedding", "index": i, "embedding": [0.0023, -0.009, 1]} for i in (0, 1)],
         "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8, "total_tokens": 8}})
    yield "inputs_moderation", host, lambda: client.moderations.create(
        model="omni-moderation-latest", input=[{"type": "text", "text": "I want to hurt them."},
                                               {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}]), plain(
        {"id": "modr-1", "model": "omni-moderation-latest", "results": [{
            "flagged": True, "categories": {"harassment": False, "violence": True, "self-harm/intent": False, "sexual": False},
            "category_scores": {"harassment": 0.1, "violence": 0.9, "self-harm/intent": 0.001, "sexual": 0.0}}]})
    yield "inputs_image", host, lambda: client.images.generate(model="gpt-image-1", prompt="A shoe in the rain", user="u1"), plain(
        {"created": 1785748364, "data": [{"b64_json": PNG, "revised_prompt": "A blue shoe in the rain"}],
         "usage": {"input_tokens": 5, "output_tokens": 100, "total_tokens": 105}})
    yield "inputs_speech", host, lambda: client.audio.speech.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Good morning.", instructions="Whisper."), (
        head("200 OK", UVICORN + [("Content-Type", "audio/mpeg"), ("Transfer-Encoding", "chunked")]) +
        chunked(bytes(range(256)) * 3, (300, 100)))
    yield "inputs_transcription", host, lambda: list(client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", io.BytesIO(b"RIFF" + bytes(range(200)))), prompt="A call about shoes.",
        stream=True)), stream(
        [{"type": "transcript.text.delta", "delta": "Good mor"}, {"type": "transcript.text.delta", "delta": "ning."},
         {"type": "transcript.text.done", "text": "Good morning."}], UVICORN, done=False)

    yield "azure_embedding", "contoso.openai.azure.com", lambda: azure.embeddings.create(
        model="embed-prod", input="Customer 17 complains", encoding_format="base64"), plain(
        {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}],
         "model": "text-embedding-3-small", "usage": {"prompt_tokens": 4, "total_tokens": 4}}, fields=AZURE)
    yield "azure_image_blocked", "contoso.openai.azure.com", lambda: azure.images.generate(
        model="dalle-prod", prompt="Something awful"), plain(
        {"error": {"code": "contentFilter", "message": "Your task failed as a result of our safety system.", "innererror": {
            "code": "ResponsibleAIPolicyViolation", "content_filter_results": {
                **SAFE, "violence": {"filtered": True, "severity": "high"}, "jailbreak": {"detected": False, "filtered": False}}}}},
        "400 Bad Request", AZURE)
    filters = [{"blocked": False, "source_type": "prompt", "content_filter_raw": [], "content_filter_offsets": {
                    "start_offset": 0, "end_offset": 20, "check_offset": 0},
                "content_filter_results": {**SAFE, "jailbreak": {"detected": True, "filtered": False}}},
               {"blocked": True, "source_type": "completion", "content_filter_results": {
                    **SAFE, "protected_material_code": {"detected": True, "filtered": True, "citation": {
                        "URL": "https://example.com/code", "license": "MIT"}}}}]
    yield "azure_responses", "contoso.openai.azure.com", lambda: azure.responses.create(model="gpt-5-prod", input="Copy that code"), plain(
        {"id": "resp_a", "object": "response", "created_at": 1785748364, "status": "incomplete", "error": None,
         "incomplete_details": {"reason": "content_filter"}, "model": "gpt-5", "output": [], "content_filters": filters,
         "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
         "usage": {"input_tokens": 4, "output_tokens": 0, "total_tokens": 4,
                   "input_tokens_details": {"cached_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 0}}}, fields=AZURE)


def inference_calls(client):
    yield "azure_inference", "contoso.services.ai.azure.com", lambda: client.chat.completions.create(
        model="Phi-4", messages=[{"role": "user", "content": "Hi"}], extra_query={"api-version": "2024-05-01-preview"}), plain(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "Phi-4", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}}, fields=AZURE)


def raw(url, target, body):
    """What no package sends, but people's own code does."""
    conn = http.client.HTTPConnection(url.split("//")[1].rstrip("/"))
    conn.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
    conn.getresponse().read()


def read_any(conn):
    """A request with a body of known length, in chunks, or none."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += conn.recv(65536)
    top, body = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"content-length: *(\d+)", top, re.I)
    wanted = int(length[1]) if length else 0
    chunks = re.search(rb"transfer-encoding: *chunked", top, re.I)
    while len(body) < wanted or chunks and not body.endswith(b"0\r\n\r\n"):
        body += conn.recv(65536)
    return top + b"\r\n\r\n" + body


def record(name, host, call, response, listener):
    seen = []

    def serve():
        conn, _ = listener.accept()
        seen.append(read_any(conn))
        conn.sendall(response)
        conn.close()

    t = threading.Thread(target=serve, daemon=True)
    t.start()
    try:
        call()
    except Exception as e:  # noqa: BLE001 - each package has its own, and many answers are errors
        print(name, type(e).__name__, e, file=sys.stderr)
    t.join()
    request = re.sub(rb"(?i)(host: )127\.0\.0\.1:\d+", rb"\g<1>" + host.encode(), seen[0], count=1)
    for suffix, data in ((".req", request), (".res", response)):
        with open(os.path.join(HERE, name + suffix), "wb") as f:
            f.write(data)


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    url = "http://127.0.0.1:%d" % listener.getsockname()[1]
    key = "sk-ant-api03-" + "T3stK3y0" * 4
    rows = list(anthropic_calls(anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)))
    rows += vertex_calls(anthropic.AnthropicVertex(base_url=url + "/v1", access_token="ya29.test", project_id="p1", region="us-east5",
                                                   max_retries=0))
    rows += gemini_calls(genai.Client(api_key="AIza" + "T3stK3y" * 5, http_options=types.HttpOptions(base_url=url)))
    rows += ollama_calls(ollama.Client(host=url))
    rows += openai_calls(openai.OpenAI(base_url=url + "/v1", api_key=KEY, max_retries=0), openai.AzureOpenAI(
        azure_endpoint=url, api_key="a" * 32, api_version="2025-04-01-preview", max_retries=0))
    rows += inference_calls(openai.OpenAI(base_url=url + "/models", api_key="b" * 32, max_retries=0))
    for row in rows:
        if len(sys.argv) < 2 or row[0].startswith(sys.argv[1]):
            record(*row, listener)


if __name__ == "__main__":
    main()
