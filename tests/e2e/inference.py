"""tests/e2e/inference.py - a small inference server with OpenAI's API: /v1/models, /v1/chat/completions, /v1/responses.

A plain ASGI application. Shapes of replies, streams and errors are those of the real API, so that the official clients
work unchanged. What it answers follows from the prompt alone (see answer()), so a test knows what must come back.
"""

import asyncio
import gzip
import hashlib
import json
import random
import re
import zlib

MODELS = ["earshot-test-1", "earshot-test-1-mini"]
CREATED = 1_760_000_000
BODY_MAX = 64 << 20
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
REFUSAL = "I'm sorry, but I can't help with that."


def credential(kind, seed):
    """A well-formed credential that opens nothing: made when it is needed, the same for the same seed."""
    rng = random.Random(f"{kind} {seed}")
    if kind == "github":
        body = "".join(rng.choices(BASE62, k=30))
        crc, check = zlib.crc32(body.encode()), ""
        while crc:
            crc, digit = divmod(crc, 62)
            check = BASE62[digit] + check
        return "gh" + "p_" + body + check.rjust(6, "0")
    if kind == "openai":
        half = lambda: "".join(rng.choices(BASE62, k=74))
        return "sk-" + "proj-" + half() + "T3Blbk" + "FJ" + half()
    raise ValueError(kind)


# Imported where they are used: who only needs this file's functions runs without the server's packages.
def brotli_of(data):
    import brotli

    return brotli.compress(data, quality=5)


def zstd_of(data):
    import zstandard

    return zstandard.compress(data, 3)


CODINGS = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "deflate": lambda data: zlib.compress(data, 6),
    "br": brotli_of,
    "zstd": zstd_of,
}


def coding_of(accept):
    """The content coding for this Accept-Encoding: gzip when it may be, else the first one we have, or None."""
    names = [part.split(";")[0].strip() for part in accept.lower().split(",")]
    return "gzip" if "gzip" in names else next((n for n in names if n in CODINGS), None)


class Failure(Exception):
    def __init__(self, status, message, kind="invalid_request_error", param=None, code=None):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


# --- what it says


def text_of(content):
    """Content is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(p.get("text", "") for p in content if isinstance(p, dict))


def answer(system, prompt, tool_results, tools):
    """(text, refused, tool call or None) for the last user prompt."""
    low = prompt.lower()
    if tool_results:
        last = tool_results[-1]
        return f"The tool returned {len(last)} characters. Its first line: {(last.splitlines() or [''])[0][:60]}", False, None
    if tools and ("weather" in low or "use the tool" in low):
        name = tools[0]
        return None, False, (name, json.dumps({"city": "Lisbon", "unit": "celsius"}))
    if fail := re.search(r"fail with status (\d{3})", low):
        status = int(fail[1])
        kinds = {429: ("rate_limit_error", "rate_limit_exceeded"), 500: ("server_error", None)}
        kind, code = kinds.get(status, ("invalid_request_error", None))
        raise Failure(status, f"The request failed with status {status}, as asked.", kind, code=code)
    if "ignore all previous instructions" in low:
        return REFUSAL, True, None
    said = []
    if long := re.search(r"write (\d+) words", low):
        words = "the quick brown fox jumps over the lazy dog while rain falls on a quiet town".split()
        said += [words[i % len(words)] for i in range(min(int(long[1]), 1_000_000))]
    if "deployment token" in low:
        said.append(f"The deployment token is {credential('github', low)} and it is valid until Friday.")
    if said:
        return " ".join(said), False, None
    if repeat := re.search(r"^say: (.*)", prompt, re.I | re.S):
        return repeat[1], False, None
    return f"Here is a short answer to your question of {len(prompt)} characters.", False, None


def tokens(text):
    return max(1, (len(text) + 3) // 4) if text else 0


def pieces(text):
    """The text as a model would stream it: a few characters at a time, words with the space before them."""
    step = 1 if len(text) < 4096 else 64
    words = re.findall(r"\s*\S+|\s+", text)
    return ["".join(words[i : i + step]) for i in range(0, len(words), step)]


def ident(prefix, *parts):
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return f"{prefix}{digest[:24]}"


# --- the two dialects: each gives the whole object, and the events of a stream


class Chat:
    def __init__(self, q, number):
        messages = q.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Failure(400, "Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter")
        self.q, self.id = q, ident("chatcmpl-", number, json.dumps(messages, sort_keys=True)[:4096])
        role = lambda r: [text_of(m.get("content")) for m in messages if isinstance(m, dict) and m.get("role") == r]
        last_user = max((i for i, m in enumerate(messages) if m.get("role") == "user"), default=-1)
        results = [text_of(m.get("content")) for m in messages[last_user + 1 :] if m.get("role") == "tool"]
        tools = [t.get("function", {}).get("name", "") for t in q.get("tools") or []]
        prompt = (role("user") or [""])[-1]
        self.text, self.refused, self.call = answer("\n".join(role("system") + role("developer")), prompt, results, tools)
        said = self.text if self.call is None else self.call[1]
        n_in = sum(tokens(text_of(m.get("content"))) + 4 for m in messages)
        self.usage = {
            "prompt_tokens": n_in,
            "completion_tokens": tokens(said),
            "total_tokens": n_in + tokens(said),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        self.finish = "tool_calls" if self.call else "stop"

    def frame(self, kind, **more):
        return {"id": self.id, "object": kind, "created": CREATED, "model": self.q["model"], "service_tier": "default",
                "system_fingerprint": "fp_earshot", **more}

    def tool_call(self):
        name, arguments = self.call
        return {"id": ident("call_", self.id), "type": "function", "function": {"name": name, "arguments": arguments}}

    def whole(self):
        message = {"role": "assistant", "content": self.text, "refusal": None, "annotations": []}
        if self.call:
            message["tool_calls"] = [self.tool_call()]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return self.frame("chat.completion", choices=[choice], usage=self.usage)

    def stream(self):
        include = bool((self.q.get("stream_options") or {}).get("include_usage"))
        usage = {"usage": None} if include else {}

        def chunk(delta, finish=None):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return self.frame("chat.completion.chunk", choices=[choice], **usage)

        if self.call:
            call = self.tool_call()
            arguments = call["function"].pop("arguments")
            call["function"]["arguments"] = ""
            yield chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call}], "refusal": None})
            for i in range(0, len(arguments), 5):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments[i : i + 5]}}]})
        else:
            yield chunk({"role": "assistant", "content": "", "refusal": None})
            for piece in pieces(self.text):
                yield chunk({"content": piece})
        yield chunk({}, self.finish)
        if include:
            yield self.frame("chat.completion.chunk", choices=[], usage=self.usage)
        yield "[DONE]"


class Responses:
    def __init__(self, q, number):
        given = q.get("input")
        if given is None:
            raise Failure(400, "Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
        items = given if isinstance(given, list) else [{"role": "user", "content": given}]
        self.q, self.id = q, ident("resp_", number, json.dumps(items, sort_keys=True)[:4096])
        users = [i for i, m in enumerate(items) if m.get("role") == "user"]
        prompt = text_of(items[users[-1]].get("content")) if users else ""
        after = items[users[-1] + 1 :] if users else items
        results = [text_of(m.get("output")) for m in after if m.get("type") == "function_call_output"]
        tools = [t.get("name", "") for t in q.get("tools") or []]
        self.text, self.refused, self.call = answer(q.get("instructions") or "", prompt, results, tools)
        n_in = tokens(json.dumps(items))
        n_out = tokens(self.text if self.call is None else self.call[1])
        self.usage = {
            "input_tokens": n_in,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": n_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": n_in + n_out,
        }

    def item(self, status, full):
        if self.call:
            name, arguments = self.call
            return {"id": ident("fc_", self.id), "type": "function_call", "status": status,
                    "arguments": arguments if full else "", "call_id": ident("call_", self.id), "name": name}
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": self.text}
        return {"id": ident("msg_", self.id), "type": "message", "status": status, "content": [part] if full else [],
                "role": "assistant"}

    def frame(self, status, output=(), usage=None):
        q = self.q
        return {
            "id": self.id, "object": "response", "created_at": CREATED, "status": status, "background": False,
            "error": None, "incomplete_details": None, "instructions": q.get("instructions"),
            "max_output_tokens": None, "max_tool_calls": None, "model": q["model"], "output": list(output),
            "parallel_tool_calls": True, "previous_response_id": q.get("previous_response_id"),
            "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": True,
            "temperature": 1.0, "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto",
            "tools": q.get("tools") or [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "usage": usage,
            "user": q.get("user"), "safety_identifier": q.get("safety_identifier"), "metadata": q.get("metadata") or {},
        }

    def whole(self):
        return self.frame("completed", [self.item("completed", True)], self.usage)

    def events(self):
        yield "response.created", {"response": self.frame("in_progress")}
        yield "response.in_progress", {"response": self.frame("in_progress")}
        item = self.item("in_progress", False)
        yield "response.output_item.added", {"output_index": 0, "item": item}
        at = {"item_id": item["id"], "output_index": 0}
        if self.call:
            arguments = self.call[1]
            for i in range(0, len(arguments), 5):
                yield "response.function_call_arguments.delta", {**at, "delta": arguments[i : i + 5]}
            yield "response.function_call_arguments.done", {**at, "arguments": arguments}
        else:
            at["content_index"] = 0
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
            yield "response.content_part.added", {**at, "part": part}
            for piece in pieces(self.text):
                yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
            yield "response.output_text.done", {**at, "text": self.text, "logprobs": []}
            yield "response.content_part.done", {**at, "part": {**part, "text": self.text}}
        yield "response.output_item.done", {"output_index": 0, "item": self.item("completed", True)}
        yield "response.completed", {"response": self.whole()}

    def stream(self):
        for number, (kind, body) in enumerate(self.events()):
            yield kind, {"type": kind, "sequence_number": number, **body}


# --- HTTP


class Exchange:
    number = 0

    def __init__(self, scope, receive, send):
        Exchange.number += 1
        self.scope, self.receive, self.send = scope, receive, send
        self.fields = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        self.id = ident("req_", Exchange.number, scope["path"])

    async def body(self):
        got, more = bytearray(), True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None
            got += message.get("body", b"")
            more = message.get("more_body", False)
            if len(got) > BODY_MAX:
                raise Failure(413, "Request body is too large.", code="request_too_large")
        return bytes(got)

    def head(self, *more):
        return [(b"x-request-id", self.id.encode()), (b"openai-version", b"2020-10-01"),
                (b"openai-processing-ms", b"7"), (b"x-ratelimit-remaining-requests", b"9999"), *more]

    async def start(self, status, *fields):
        await self.send({"type": "http.response.start", "status": status, "headers": self.head(*fields)})

    async def json(self, status, value):
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        fields = [(b"content-type", b"application/json")]
        coding = coding_of(self.fields.get("accept-encoding", ""))
        if coding and len(data) > 256:
            # As behind a CDN: coded on the fly, so the length is not known and the body is chunked.
            fields += [(b"content-encoding", coding.encode()), (b"vary", b"Accept-Encoding")]
            data = CODINGS[coding](data)
        else:
            fields.append((b"content-length", str(len(data)).encode()))
        await self.start(status, *fields)
        await self.send({"type": "http.response.body", "body": data})

    async def events(self, events):
        await self.start(200, (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
        for number, event in enumerate(events):
            kind, value = event if isinstance(event, tuple) else (None, event)
            data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            text = (f"event: {kind}\n" if kind else "") + f"data: {data}\n\n"
            await self.send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})
            if number % 8 == 7:
                await asyncio.sleep(0)
        await self.send({"type": "http.response.body", "body": b""})

    async def serve(self):
        method, path = self.scope["method"], self.scope["path"]
        if path == "/health":
            return await self.json(200, {"status": "ok"})
        if not self.fields.get("authorization", "").startswith("Bearer "):
            raise Failure(401, "You didn't provide an API key.", code="invalid_api_key")
        if path == "/v1/models":
            rows = [{"id": m, "object": "model", "created": CREATED, "owned_by": "earshot"} for m in MODELS]
            return await self.json(200, {"object": "list", "data": rows})
        dialect = {"/v1/chat/completions": Chat, "/v1/responses": Responses}.get(path)
        if not dialect:
            raise Failure(404, f"Invalid URL ({method} {path})")
        if method != "POST":
            raise Failure(405, f"Not allowed to {method} on {path}.", code="method_not_supported")
        raw = await self.body()
        if raw is None:
            return
        try:
            q = json.loads(raw)
        except (ValueError, RecursionError) as e:
            raise Failure(400, "We could not parse the JSON body of your request.") from e
        if not isinstance(q, dict) or not isinstance(q.get("model"), str):
            raise Failure(400, "you must provide a model parameter")
        if q["model"] not in MODELS:
            raise Failure(404, f"The model `{q['model'][:64]}` does not exist or you do not have access to it.",
                          code="model_not_found")
        reply = dialect(q, Exchange.number)
        if q.get("stream"):
            await self.events(reply.stream())
        else:
            await self.json(200, reply.whole())


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] != "http":
        return
    exchange = Exchange(scope, receive, send)
    try:
        await exchange.serve()
    except Failure as f:
        await exchange.json(f.status, f.body)
